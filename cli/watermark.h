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

struct watermark {
	int64_t since_ms, complete_ms, saved_ms; /* CLOCK_UNKNOWN where it does not say */
	char host[256], instance[64], data_path[1100];
	uint64_t gap_count; /* all that there ever were; `gaps` holds the newest, oldest of them first */
	struct watermark_gap *gaps;
	size_t ngaps;
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
/* clock_iso, or "-" when it is not known. */
const char *watermark_time(char out[CLOCK_ISO_SIZE], int64_t ms);
json_t *watermark_time_json(int64_t ms);

/*
 * Is the state at `at_ms` known to be whole? When not, `why` gets the reason: before the backup began, after what is
 * complete, or with a gap before it that may have swallowed changes and was not closed by then.
 */
bool watermark_covers(const struct watermark *w, int64_t at_ms, char *why, size_t size);

#endif
