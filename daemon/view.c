#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int64_t view_lag_ms(const struct view *v)
{
	int64_t largest = -1;

	for (size_t i = 0; i < v->ntables; i++) {
		int64_t lag = v->tables[i].lag_ms;

		if (lag < 0)
			return -1;
		if (lag > largest)
			largest = lag;
	}
	return largest;
}

char *view_duration(char out[VIEW_DURATION_SIZE], int64_t ms)
{
	static const struct {
		int64_t seconds, part;
		const char *unit, *part_unit;
	} scales[] = {{86400, 3600, "d", "h"}, {3600, 60, "h", "m"}, {60, 1, "m", "s"}};
	int64_t seconds = ms / 1000;

	if (ms < 0) {
		snprintf(out, VIEW_DURATION_SIZE, "unknown");
		return out;
	}
	if (seconds < 10) {
		snprintf(out, VIEW_DURATION_SIZE, "%" PRId64 ".%" PRId64 "s", seconds, ms % 1000 / 100);
		return out;
	}
	for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++) {
		int64_t whole = seconds / scales[i].seconds;
		int64_t part = seconds % scales[i].seconds / scales[i].part;

		if (whole == 0)
			continue;
		if (part == 0)
			snprintf(out, VIEW_DURATION_SIZE, "%" PRId64 "%s", whole, scales[i].unit);
		else
			snprintf(out, VIEW_DURATION_SIZE, "%" PRId64 "%s%" PRId64 "%s", whole, scales[i].unit, part,
				 scales[i].part_unit);
		return out;
	}
	snprintf(out, VIEW_DURATION_SIZE, "%" PRId64 "s", seconds);
	return out;
}

/* A table that its start-up checks still hold back. */
static bool unsettled_reason(const struct view *v, char *out, size_t size)
{
	for (size_t i = 0; i < v->ntables; i++) {
		const struct view_table *t = &v->tables[i];

		if (t->state == VIEW_TABLE_RUNNING)
			continue;
		if (t->problem)
			snprintf(out, size, "%s: %s", t->name, t->problem);
		else
			snprintf(out, size, "%s: %s", t->name,
				 t->state == VIEW_TABLE_REFUSED ? "refused by a start-up check" : "starting");
		return true;
	}
	return false;
}

static bool lag_reason(const struct view *v, char *out, size_t size)
{
	char lag[VIEW_DURATION_SIZE], rpo[VIEW_DURATION_SIZE];

	for (size_t i = 0; i < v->ntables; i++) {
		const struct view_table *t = &v->tables[i];

		if (t->lag_ms >= 0)
			continue;
		/* Why a running table has no lag is often known: say that instead of leaving the operator to guess. */
		snprintf(out, size, "%s: lag unknown%s%s", t->name, t->problem ? ": " : "",
			 t->problem ? t->problem : "");
		return true;
	}
	for (size_t i = 0; i < v->ntables; i++) {
		const struct view_table *t = &v->tables[i];

		if (t->lag_ms <= t->rpo_ms)
			continue;
		snprintf(out, size, "%s: lag %s over rpo %s%s%s", t->name, view_duration(lag, t->lag_ms),
			 view_duration(rpo, t->rpo_ms), t->problem ? ": " : "", t->problem ? t->problem : "");
		return true;
	}
	return false;
}

/* Not by a hair late, and yet not whole: an operator must look at it before anything is called well. */
static bool gap_reason(const struct view *v, char *out, size_t size)
{
	for (size_t i = 0; i < v->ntables; i++) {
		const struct view_table *t = &v->tables[i];

		if (t->gaps_open == 0)
			continue;
		if (t->baseline.running)
			snprintf(out, size, "%s: %zu gap%s in the history; a baseline mends %s (%s)%s%s", t->name,
				 t->gaps_open, t->gaps_open == 1 ? "" : "s", t->gaps_open == 1 ? "it" : "them",
				 t->baseline.state, t->baseline.problem ? ": " : "",
				 t->baseline.problem ? t->baseline.problem : "");
		else
			snprintf(out, size,
				 "%s: %zu gap%s in the history; see ddb-streamctl gaps --table %s, and close %s there "
				 "when it is mended",
				 t->name, t->gaps_open, t->gaps_open == 1 ? "" : "s", t->name,
				 t->gaps_open == 1 ? "it" : "them");
		return true;
	}
	return false;
}

/* Items that have not changed since the backup began are not in it yet. */
static bool baseline_reason(const struct view *v, char *out, size_t size)
{
	for (size_t i = 0; i < v->ntables; i++) {
		const struct view_baseline *b = &v->tables[i].baseline;

		if (!b->missing)
			continue;
		snprintf(out, size,
			 "%s: its first baseline has not ended (%s, %" PRIu64 " items of about %" PRIu64 ")%s%s",
			 v->tables[i].name, b->state, b->items, b->total, b->problem ? ": " : "",
			 b->problem ? b->problem : "");
		return true;
	}
	return false;
}

const char *view_not_ready(const struct view *v, char *out, size_t size)
{
	const char *phase = v->phase ? v->phase : "starting";
	bool running = strcmp(phase, "running") == 0;
	size_t used = 0;

	if (size == 0)
		return "not ready";
	out[0] = '\0';
	if (!running) {
		int n = snprintf(out, size, "%s", phase);

		/* A stop is its own reason; a start that does not come to an end has one that an operator can act on. */
		if (strcmp(phase, "starting") != 0 || (!v->problem && v->ntables == 0) || n < 0 || (size_t)n + 3 > size)
			return out;
		used = (size_t)n + 2;
		memcpy(out + n, ": ", 3);
	}
	if (v->problem) {
		snprintf(out + used, size - used, "%s", v->problem);
		return out;
	}
	if (unsettled_reason(v, out + used, size - used))
		return out;
	if (!running) {
		out[used - 2] = '\0';
		return out;
	}
	if (v->ntables == 0) {
		snprintf(out, size, "no table is being backed up");
		return out;
	}
	return lag_reason(v, out, size) || gap_reason(v, out, size) || baseline_reason(v, out, size) ? out : NULL;
}
