/*
 * baseline: the whole table, read once by a parallel Scan and compared with what the bucket lists; what the bucket does not have is
 * written through the lanes of the items, like every other change. A stream tells only what changes: the baseline is what makes a
 * backup whole when a table is first seen, and again after a gap. (DESIGN, "Baseline".)
 *
 * Files: baseline.c (its life), baseline_list.c (what the bucket has), baseline_scan.c (the table), baseline_remove.c (what only the
 * bucket has), baseline_page.c (items that differ, until they are settled), baseline_write.c (what becomes of one in S3),
 * baseline_request.c (an operator asks for one).
 */
#ifndef DDB_BASELINE_H
#define DDB_BASELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "position_baseline.h"

struct baseline;
struct batch;
struct record;
struct table;
struct worker;

/* NULL without memory. Idle until baseline_tick finds that one is due. */
struct baseline *baseline_new(struct table *t);
/* Nothing is in flight any more after that: completions are dropped. Handles close on the loop's next turns. */
void baseline_close(struct baseline *b);
/* After they have. */
void baseline_free(struct baseline *b);

/* Takes what a checkpoint or watermark knew; `p` may be NULL. */
void baseline_restore(struct baseline *b, struct position_baseline *p);
/* What is to be saved and shown; NULL without a baseline, when there never was one and none is wanted. Valid until the loop's next turn. */
const struct position_baseline *baseline_position(const struct baseline *b);
/* What keeps it from going on, NULL when nothing does. */
const char *baseline_problem(const struct baseline *b);
/* Is the table not covered until it ends: it has never ended yet, and is wanted? */
bool baseline_is_missing(const struct baseline *b);

/* Once a second: starts one that is due. */
void baseline_tick(struct baseline *b);
/* Records have come from the stream; before they join their lanes. Items that were being looked at are left to them. */
void baseline_touch(struct baseline *b, const struct batch *records);
/* An operator asks for a run (by this id), with `rate` read units a second, or the configuration's for 0; or takes that back. */
void baseline_ask(struct baseline *b, const char *id, double rate, bool cancel);
/* At the daemon's stop: begins nothing more. */
void baseline_stop(struct baseline *b);
/* Requests of it are in flight. */
bool baseline_busy(const struct baseline *b);

/* Called by write.c: does what the record, one of a baseline, asks for. worker_done or worker_failed follows. */
void baseline_write(struct worker *w);
/* Called by worker_done: the record is in S3, or needed nothing. The record is gone afterwards. */
void baseline_settled(struct record *r);
/* Which table a record's page belongs to. */
struct table *baseline_table(const struct record *r);

#endif
