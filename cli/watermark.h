/* watermark: what a table's watermark.json says about how much of its history is there. */
#ifndef DDB_CLI_WATERMARK_H
#define DDB_CLI_WATERMARK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "session.h"

/* Changes between the two times may be missing. CLOCK_UNKNOWN where it is not known. */
struct watermark_gap {
	char reason[64];
	int64_t from_ms, to_ms, noticed_ms;
	int64_t closed_ms; /* by a baseline or an operator's word; CLOCK_UNKNOWN while it is open */
};

/* The baseline: the run under way or the last one; what cannot be read of it is "" and 0, and CLOCK_UNKNOWN. */
struct watermark_baseline {
	bool present;		    /* one is wanted, or was made */
	char state[16], reason[16]; /* "waiting", "listing", "scanning", "removing", "done", "cancelled"; why */
	char request[64];	    /* id of the last request that the daemon has taken */
	int64_t began_ms, ended_ms; /* of the run */
	int64_t since_ms;	    /* the end of the first whole run: the whole table is known from then on */
	uint64_t items, written, removed, equal, left, foreign, total, throttles;
	double units; /* read */
};

struct watermark {
	int64_t since_ms, complete_ms, saved_ms; /* CLOCK_UNKNOWN where it does not say */
	char host[256], instance[64], data_path[1100];
	uint64_t gap_count; /* all that there ever were; `gaps` holds the newest, oldest of them first */
	struct watermark_gap *gaps;
	size_t ngaps;
	struct watermark_baseline baseline;
};

/* From its text. -ERR_CORRUPT, -ERR_SYSTEM. On success watermark_fini it. */
int watermark_parse(const char *text, size_t len, struct watermark *w, struct err *e);
/* Of the table whose meta path this is ("<prefix>.ddb-streamd/<table>/"). *exists tells whether there is one. */
int watermark_load(struct session *s, const char *meta_path, struct watermark *w, bool *exists, struct err *e);
void watermark_fini(struct watermark *w);

/* How many gaps are open; those that are no longer listed count as the oldest listed one does, and as open without any. */
uint64_t watermark_open_gaps(const struct watermark *w);
/* As an object with null for what is not known; NULL when memory is out. The caller's: json_decref. */
json_t *watermark_gap_json(const struct watermark_gap *g);
/* Has the daemon, which last wrote at `saved_ms`, been silent for so long that it is not running? */
bool watermark_is_silent(int64_t saved_ms, const struct session *s);
/* Is a run waiting or under way? */
bool watermark_baseline_runs(const struct watermark_baseline *b);
/* All of it as an object, null when there is none; NULL when memory is out. The caller's: json_decref. */
json_t *watermark_baseline_json(const struct watermark_baseline *b);
/* "1200 of about 10000 items, 34 written, 2 removed". Returns `out`. */
#define WATERMARK_PROGRESS_SIZE 200
const char *watermark_baseline_text(char out[static WATERMARK_PROGRESS_SIZE], const struct watermark_baseline *b);
/* clock_iso, or "-" when it is not known. */
const char *watermark_time(char out[CLOCK_ISO_SIZE], int64_t ms);
json_t *watermark_time_json(int64_t ms);

/*
 * Is the state at `at_ms` known to be whole? When not, `why` gets the reason: before the backup or its baseline was
 * complete, after what is complete, or with a gap before it that may have swallowed changes and was not closed by then.
 * Without any baseline the table's beginning is the daemon's word.
 */
bool watermark_covers(const struct watermark *w, int64_t at_ms, char *why, size_t size);

#endif
