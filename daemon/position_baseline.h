/*
 * position_baseline: how far the baseline of a table has come, as checkpoint and watermark.json keep it: what it found and did, and
 * where a restart goes on. (DESIGN, "Baseline".)
 */
#ifndef DDB_POSITION_BASELINE_H
#define DDB_POSITION_BASELINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum position_baseline_state {
	BASELINE_WAITING,  /* wanted; the stream must be read to near its tip first */
	BASELINE_LISTING,  /* what the bucket has */
	BASELINE_SCANNING, /* the table, beside that */
	BASELINE_REMOVING, /* what the bucket has and the table has not */
	BASELINE_DONE,
	BASELINE_CANCELLED,
	BASELINE_STATES
};

enum position_baseline_reason { BASELINE_FIRST, BASELINE_GAP, BASELINE_REQUEST, BASELINE_REASONS };

#define BASELINE_SEGMENTS_MAX 64

/* Where a segment of the Scan goes on. */
struct position_segment {
	bool done;
	char *after; /* ExclusiveStartKey as JSON text; NULL: at its beginning */
};

struct position_baseline {
	enum position_baseline_state state;
	enum position_baseline_reason reason;
	char *request;		   /* id of the last request that was taken; NULL: none */
	int64_t began_ms;	   /* DynamoDB's clock, as all times here */
	int64_t ended_ms;	   /* CLOCK_UNKNOWN while it runs */
	int64_t complete_since_ms; /* end of the first run that ended: the earliest exact restore; CLOCK_UNKNOWN */
	uint64_t items;		   /* of the table that were looked at */
	uint64_t equal;		   /* of these: the bucket had them */
	uint64_t written, removed; /* versions, delete markers */
	uint64_t left_to_stream;   /* changed while they were looked at */
	uint64_t foreign;	   /* objects that are not of this table's items; left alone */
	uint64_t total;		   /* items of the table, as DescribeTable tells: up to six hours old */
	uint64_t throttles;
	double units; /* read capacity used */
	double rate;  /* read units a second that a request asked for; 0: the configuration's */
	/* Where a restart goes on. */
	struct position_segment segments[BASELINE_SEGMENTS_MAX];
	size_t nsegments;    /* 0: not begun */
	bool marked_again;   /* the table was scanned a second time, for which names it has */
	char *removed_after; /* names of the bucket up to this one are done; NULL: none */
};

/* NULL without memory. */
struct position_baseline *position_baseline_new(void);
void position_baseline_free(struct position_baseline *b);
/* Forgets what a run did and how far it came; `complete_since_ms` and `request` stay. */
void position_baseline_reset(struct position_baseline *b);
bool position_baseline_runs(const struct position_baseline *b);

const char *position_baseline_state_name(enum position_baseline_state s);
const char *position_baseline_reason_name(enum position_baseline_reason r);

/* A new reference, NULL without memory. */
json_t *position_baseline_to_json(const struct position_baseline *b);
/* On success *out is the caller's. -ERR_CORRUPT names the member that is wrong. */
int position_baseline_from_json(const json_t *j, struct position_baseline **out, struct err *e);

#endif
