/*
 * sink: what the servers of a measurement answer: just enough of DynamoDB, DynamoDB Streams and S3 for one table and
 * one bucket. The records are in the shards of a stream (source.h), or they are the items of the table, which a Scan
 * gives, and the stream has one shard with nothing in it.
 */
#ifndef DDB_BENCH_SINK_H
#define DDB_BENCH_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backup.h"
#include "base/buf.h"
#include "base/span.h"
#include "source.h"
#include "whole.h"

struct sink {
	/* Set by the caller. */
	size_t records, shards, page_records, item_bytes;
	size_t hot;	    /* further changes of one item; see source.h for this and three that follow */
	double per_s;	    /* records a second and shard ... */
	bool first_only;    /* ... for the first one */
	bool when_asked;    /* pages are made as they are asked for */
	double event_gap_s; /* between the event times of a shard */
	bool stored;	    /* the bucket has the backup of all records; there is nothing in the stream */
	bool scanned;	    /* the table has all records */
	bool listed;	    /* with `scanned`: the bucket has them, too */
	bool changed;	    /* with `scanned`: but other ones than the table */
	bool until_items;   /* the hot item has a shard for itself, and it is the end when all others have come */
	bool stalled;	    /* the PUT of an item is never answered */
	struct backup *backup;
	struct whole *whole;
	struct source *source;
	uint8_t *seen;	     /* by item number */
	size_t ntimes;	     /* with per_s: */
	float *durable_ms;   /* from the page that had a record to its PUT ... */
	float *in_stream_ms; /* ... and from when it came into the stream */
	/* figures */
	size_t distinct, repeated, reads;
	size_t hot_puts;
	bool ended;
	size_t s3, dynamodb, streams; /* requests that came */
	int64_t first_ns;	      /* the first GetRecords (or PUT, when nothing was read) */
	int64_t items_ns, last_ns;    /* the last new item; the last new item or change of the hot one */
	double cpu_s;		      /* of this process between first_ns and last_ns */
};

struct sink_request {
	struct span method, path, header; /* header: all lines */
	struct span body;		  /* of a POST; a PUT's is not kept */
};

struct sink_answer {
	struct buf *out;  /* header, and a short body; empty: there is no answer */
	struct span page; /* to be sent after it; len 0: nothing */
};

/* Ends the program when memory is short or a number makes no sense. */
void sink_init(struct sink *s);
void sink_fini(struct sink *s);
/* Appends to a->out. True when this request was the one that brought the last item. */
bool sink_answer(struct sink *s, const struct sink_request *r, struct sink_answer *a);

#endif
