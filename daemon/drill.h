/*
 * drill: the result of the last restore drill of a table, as `ddb-streamctl drill` leaves it in
 * <state_dir>/drill/<table>.json. The file is looked at every 10 seconds at most, and read in the thread pool when it has
 * changed. One that is damaged is logged, once, and what was known before it stays.
 */
#ifndef DDB_DRILL_H
#define DDB_DRILL_H

#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/span.h"
#include "view.h"

#define DRILL_TEXT_MAX ((size_t)64 << 10)

struct drill;

/* NULL without memory. `table` must outlive it. */
struct drill *drill_new(uv_loop_t *loop, const char *state_dir, const char *table);
/* While a read is under way the memory goes when that has ended: run the loop on. NULL is allowed. */
void drill_free(struct drill *d);
/* Call it once a second. */
void drill_tick(struct drill *d, int64_t mono_ms);
/* Strings are valid until the loop's next turn. */
void drill_view(const struct drill *d, struct view_drill *out);

/* What drill_view shows, with memory of its own. */
struct drill_result {
	char outcome[16], message[400], target[260];
	int64_t began_ms, ended_ms, at_ms, last_success_ms; /* CLOCK_UNKNOWN where it does not say */
	uint64_t items, mismatches, missing, extra, different;
	double recovery_point_s, recovery_time_s; /* negative: not known */
};
/* From the file's text. -ERR_CORRUPT; then *out is as before. */
int drill_parse(struct span text, struct drill_result *out, struct err *e);

#endif
