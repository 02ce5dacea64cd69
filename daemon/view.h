/*
 * view: what the daemon shows of itself, as plain values. The core fills it (daemon_view), health, metrics, status and
 * notify read it; so none of them knows the core's structures. Strings are borrowed: valid until the loop's next turn.
 */
#ifndef DDB_VIEW_H
#define DDB_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/records.h"

enum view_table_state {
	VIEW_TABLE_STARTING, /* start-up checks have not ended well yet; they are tried again */
	VIEW_TABLE_RUNNING,
	VIEW_TABLE_REFUSED, /* a check failed in a way that only an operator can mend; tried again every minute */
};

/* The baseline of a table: the run under way, or the last one. */
struct view_baseline {
	bool known;   /* false: there never was one, and none is wanted */
	bool running; /* or waiting to begin */
	bool missing; /* the backup is not whole until it ends */
	const char *state, *reason;
	const char *problem;			       /* what keeps it from going on, NULL */
	int64_t began_ms, ended_ms, complete_since_ms; /* CLOCK_UNKNOWN */
	uint64_t items, total, equal, written, removed, left_to_stream, foreign, throttles;
	double units; /* read capacity used */
};

/* The last restore drill of a table. */
struct view_drill {
	bool known; /* false: there was none, as far as this host knows */
	const char *outcome, *message, *target;
	int64_t began_ms, ended_ms, at_ms, last_success_ms; /* CLOCK_UNKNOWN */
	int64_t duration_ms;
	uint64_t items, mismatches, missing, extra, different;
	double recovery_point_s, recovery_time_s; /* negative: not known */
};

struct view_table {
	const char *name;
	enum view_table_state state;
	const char *problem;	/* one line with the remedy, NULL when all is well */
	const char *stream_arn; /* being read; NULL before it is known */
	int64_t rpo_ms;
	int64_t complete_through_ms;   /* every change up to this event time is in S3; CLOCK_UNKNOWN until known */
	int64_t lag_ms;		       /* now - complete_through; -1 unknown */
	int64_t last_durable_event_ms; /* event time of the newest record in S3, CLOCK_UNKNOWN */
	uint64_t records[RECORDS_OPS]; /* made durable since start, by kind */
	uint64_t records_ttl;	       /* of the REMOVEs: those by TTL */
	uint64_t records_skipped;      /* found to be in S3 already after a crash */
	uint64_t records_read;	       /* since start */
	uint64_t bytes_read;	       /* of GetRecords answers */
	uint64_t retries;	       /* writes that had to be tried again */
	uint64_t read_errors;	       /* GetRecords, GetShardIterator, DescribeStream failures */
	uint64_t gaps;		       /* holes in the history: trims, recreated streams; since the state began */
	size_t gaps_open;	       /* of these: neither healed by a baseline nor accepted by an operator */
	size_t buffered_records;       /* read and not yet durable */
	size_t buffered_bytes;
	uint64_t memory_limit_bytes; /* this table's share */
	size_t in_flight;	     /* writes at S3 now */
	size_t waiting_retry;	     /* items that wait to be tried again */
	size_t stuck;		     /* of these: items that failed 5 times or more, or were refused for good */
	const char *stuck_reason;    /* of the latest of them; NULL */
	size_t shards_open, shards_waiting,
		shards_finished;     /* being read; waiting for a parent; finished and still listed */
	size_t shards_failing;	     /* being read, last call failed */
	bool memory_full;	     /* reading pauses because the table's share is used up */
	int64_t checkpoint_saved_ms; /* wall time of the last save, CLOCK_UNKNOWN */
	uint64_t checkpoint_errors;
	const char *checkpoint_problem; /* NULL when the last save worked */
	int64_t watermark_saved_ms;
	struct view_baseline baseline;
	struct view_drill drill;
};

struct view {
	const char *version; /* of the program */
	const char *phase;   /* "starting", "running", "stopping" */
	const char *problem; /* start-up problem of the daemon as a whole (credentials, bucket), or NULL */
	const char *bucket, *region, *identity; /* identity: ARN or "" */
	const char *credentials_source;
	int64_t credentials_expire_ms; /* INT64_MAX never, CLOCK_UNKNOWN none */
	bool conditional_writes;       /* the store honours If-None-Match */
	bool conditional_known;
	int64_t started_ms;
	int64_t clock_skew_ms;
	unsigned workers, workers_busy;
	size_t connections;
	uint64_t memory_limit_bytes;
	size_t buffered_bytes;
	const struct view_table *tables;
	size_t ntables;
};

/*
 * One rule for /readyz, STATUS= and the summary line: NULL when ready, else the first reason (into `out`), in this order: not running;
 * a daemon problem; a table refused or starting; lag unknown; lag over its rpo; a gap that is open; a first baseline that has not
 * ended.
 */
const char *view_not_ready(const struct view *v, char *out, size_t size);

/* The largest lag of all tables in ms, -1 when one is unknown or there is none. */
int64_t view_lag_ms(const struct view *v);

/* A span of time for a person, two units at most: "2.1s", "41m10s", "3h12m", "2d4h"; "unknown" below 0. Returns `out`. */
#define VIEW_DURATION_SIZE 48
char *view_duration(char out[VIEW_DURATION_SIZE], int64_t ms);

#endif
