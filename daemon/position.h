/*
 * position: how far a table's backup has come, as the checkpoint file and watermark.json both keep it: for each shard the
 * sequence number at or below which every record is in S3 (I1), and the gaps.
 */
#ifndef DDB_POSITION_H
#define DDB_POSITION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/seq.h"
#include "position_baseline.h"

struct position_shard {
	char *id;
	char *parent, *adjacent_parent; /* NULL: none */
	char seq[SEQ_DIGITS_MAX + 1];	/* "": nothing of it is known to be durable */
	bool latest;			/* its reading began at LATEST */
	bool finished;			/* read to its end, all durable */
	int64_t complete_ms;		/* every change up to this event time is in S3; CLOCK_UNKNOWN */
};

struct position_stream {
	char *arn, *label;
	bool drained; /* every shard finished, and no more can come */
	struct position_shard *shards;
	size_t nshards;
};

/* A hole in the history: changes between the two times may be missing. Times may be CLOCK_UNKNOWN. */
struct position_gap {
	char *reason; /* "trimmed", "stream recreated", ... */
	char *stream; /* label */
	char *shard;
	int64_t from_ms, to_ms, noticed_ms;
	int64_t closed_ms; /* by a baseline or an operator's word; CLOCK_UNKNOWN: open */
};

struct position {
	char *table, *bucket, *data_path; /* whose position it is: a file of another is refused */
	char *table_arn, *table_id;	  /* NULL where the server tells none */
	char *instance;			  /* of the state folder that wrote it, random */
	char *host;			  /* host name, for people; may be NULL */
	int64_t since_ms;		  /* when this backup began */
	int64_t saved_ms;
	int64_t complete_through_ms; /* of the whole table; CLOCK_UNKNOWN */
	uint64_t gap_count;	     /* all ever noticed; `gaps` keeps the newest */
	struct position_gap *gaps;
	size_t ngaps;
	struct position_stream *streams; /* oldest first */
	size_t nstreams;
	struct position_baseline *baseline; /* NULL: there never was one, and none is wanted */
};

/* A new reference, NULL without memory. */
json_t *position_to_json(const struct position *p);
/* On success *out is the caller's: position_free. -ERR_CORRUPT names the member that is wrong. */
int position_from_json(const json_t *j, struct position **out, struct err *e);
void position_free(struct position *p);

#endif
