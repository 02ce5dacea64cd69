/*
 * Gaps: holes in a table's history (I5). Each is counted, logged once, kept in the checkpoint and the watermark, and keeps /readyz from
 * saying "ready" until it is closed. An operator closes it by an object in the bucket, <meta path>gaps-accepted.json, which
 * ddb-streamctl gaps --accept writes: {"version": 1, "accepted_through": TIME, "at": TIME} closes what was noticed up to the first,
 * and never what was noticed after it was put.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "table.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000) /* how long a stream keeps records */

static void free_gap(struct position_gap *g)
{
	free(g->reason);
	free(g->stream);
	free(g->shard);
}

void table_gap_fini(struct table *t)
{
	for (size_t i = 0; i < t->ngaps; i++)
		free_gap(&t->gaps[i]);
	free(t->gaps);
	t->gaps = NULL;
	t->ngaps = 0;
}

void table_gap_restore(struct table *t, const struct position_gap *g)
{
	if (t->gaps == NULL)
		t->gaps = calloc(TABLE_GAPS_KEPT, sizeof(*t->gaps));
	if (t->gaps == NULL)
		return; /* it was logged and counted */
	if (t->ngaps == TABLE_GAPS_KEPT) {
		free_gap(&t->gaps[0]);
		memmove(&t->gaps[0], &t->gaps[1], (TABLE_GAPS_KEPT - 1) * sizeof(*t->gaps));
		t->ngaps--;
	}
	struct position_gap *kept = &t->gaps[t->ngaps++];
	*kept = *g;
	kept->reason = strdup(g->reason);
	kept->stream = g->stream != NULL ? strdup(g->stream) : NULL;
	kept->shard = g->shard != NULL ? strdup(g->shard) : NULL;
}

/* DynamoDB's clock is known from Date headers, which have whole seconds: a bound may be too wide, never too narrow. */
#define CLOCK_GRAIN_MS 1000

static bool overlap(const struct position_gap *a, const struct position_gap *b)
{
	int64_t a_to_ms = a->to_ms == CLOCK_UNKNOWN ? INT64_MAX : a->to_ms;
	int64_t b_to_ms = b->to_ms == CLOCK_UNKNOWN ? INT64_MAX : b->to_ms;
	return a->from_ms <= b_to_ms && b->from_ms <= a_to_ms; /* a `from` that is not known is the least */
}

/* The open gap that has times in common with `g`: the newest, if several have. */
static struct position_gap *find_open(const struct table *t, const struct position_gap *g)
{
	for (size_t i = t->ngaps; i-- > 0;)
		if (t->gaps[i].closed_ms == CLOCK_UNKNOWN && overlap(&t->gaps[i], g))
			return &t->gaps[i];
	return NULL;
}

/*
 * Bounds that hold both. What the operator was shown before no longer describes the gap: it counts as noticed now, so that a word that
 * is on its way does not close what nobody has seen.
 */
static void widen(struct table *t, struct position_gap *kept, const struct position_gap *g, int64_t room_ms)
{
	bool sooner = g->from_ms < kept->from_ms, later = kept->to_ms != CLOCK_UNKNOWN && g->to_ms > kept->to_ms;
	if (sooner)
		kept->from_ms = g->from_ms;
	if (later)
		kept->to_ms = g->to_ms + room_ms;
	if (!sooner && !later)
		return;
	kept->noticed_ms = g->noticed_ms;
	table_moved(t);
	table_save_watermark_soon(t);
}

/* A name stands for all of the gap, or is left out. */
static void keep_name(char **name, const char *other)
{
	if (*name == NULL || (other != NULL && strcmp(*name, other) == 0))
		return;
	free(*name);
	*name = NULL;
}

/*
 * Who was away for two days learns of it several times: from the time of the last save, then from each shard whose records are
 * gone, perhaps from a stream that is. All that has times in common with a gap that is still open is that same gap to an operator,
 * who looks at the items of a time, not at shards.
 */
static void note(struct table *t, struct position_gap *g, int64_t room_ms)
{
	struct position_gap *kept = find_open(t, g);
	if (kept != NULL) {
		keep_name(&kept->stream, g->stream);
		keep_name(&kept->shard, g->shard);
		widen(t, kept, g, room_ms);
		log_info("belongs to a gap that is known", LOG_S("table", t->conf->name), LOG_S("reason", g->reason),
			 LOG_S("shard", g->shard), LOG_S("stream", g->stream), LOG_T("from", kept->from_ms),
			 LOG_T("to", kept->to_ms));
		return;
	}
	g->to_ms += room_ms;
	t->gap_count++;
	table_gap_restore(t, g);
	log_error("gap in the history: changes of this time may be missing from the backup; compare the table with the "
		  "backup, write the items that differ again, then close the gap with ddb-streamctl gaps --accept",
		  LOG_S("table", t->conf->name), LOG_S("reason", g->reason), LOG_S("shard", g->shard),
		  LOG_S("stream", g->stream), LOG_T("from", g->from_ms), LOG_T("to", g->to_ms));
	table_moved(t);
	table_save_watermark_soon(t);
}

static struct position_gap since(const struct table *t, int64_t from_ms)
{
	return (struct position_gap){
		/* Nothing is known of a shard that was never read: but of the table, perhaps. */
		.from_ms = from_ms != CLOCK_UNKNOWN ? from_ms : t->complete_before_ms,
		.noticed_ms = table_now_ms(t),
		.closed_ms = CLOCK_UNKNOWN,
	};
}

bool table_gap_overdue(const struct table *t, int64_t complete_ms)
{
	return complete_ms != CLOCK_UNKNOWN && complete_ms < table_now_ms(t) - DAY_MS;
}

/* From the first sign of a loss to the last it takes a while: with some room the bounds need not move with each. */
#define ROOM_MS 60000

/*
 * A stream keeps 24 hours; what is gone is older. When that does not fit (or nothing is known), it may be anything up to now.
 * Fills in the end of a gap whose beginning is known; gives the room that it may have behind that.
 */
static int64_t end_at_horizon(const struct table *t, struct position_gap *g)
{
	bool older = table_gap_overdue(t, g->from_ms);
	g->to_ms = g->noticed_ms - (older ? DAY_MS : 0) + CLOCK_GRAIN_MS;
	return older ? ROOM_MS : 0;
}

void table_gap_trimmed(struct table *t, const char *stream, const char *shard, const char *reason, int64_t from_ms)
{
	struct position_gap g = since(t, from_ms);
	g.reason = (char *)reason;
	g.stream = (char *)stream;
	g.shard = (char *)shard;
	int64_t room_ms = end_at_horizon(t, &g);
	note(t, &g, room_ms);
}

void table_gap_passed(struct table *t, int64_t from_ms)
{
	struct position_gap g = since(t, from_ms), *kept;
	if (!table_gap_overdue(t, g.from_ms))
		return;
	int64_t room_ms = end_at_horizon(t, &g);
	kept = find_open(t, &g);
	if (kept != NULL)
		widen(t, kept, &g, room_ms);
}

/* From the time in its label on a stream is being turned on, which takes moments. It may miss what changes in these. */
#define ENABLING_MS (INT64_C(10) * 60 * 1000)

void table_gap_recreated(struct table *t, const char *stream, const char *reason, int64_t from_ms)
{
	struct position_gap g = since(t, from_ms);
	char created[64];
	int64_t created_ms;
	g.reason = (char *)reason;
	g.stream = (char *)stream;
	g.to_ms = g.noticed_ms;
	snprintf(created, sizeof(created), "%sZ", stream);
	if (clock_parse_iso(created, &created_ms) && created_ms >= g.from_ms && created_ms < g.to_ms - ENABLING_MS)
		g.to_ms = created_ms + ENABLING_MS;
	g.to_ms += CLOCK_GRAIN_MS;
	note(t, &g, 0);
}

size_t table_gaps_open(const struct table *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->ngaps; i++)
		n += t->gaps[i].closed_ms == CLOCK_UNKNOWN;
	return n;
}

/* Closes what was noticed up to `through_ms`. */
static void close_gaps(struct table *t, int64_t through_ms, const char *how, const char *by)
{
	for (size_t i = 0; i < t->ngaps; i++) {
		struct position_gap *g = &t->gaps[i];
		if (g->closed_ms != CLOCK_UNKNOWN || g->noticed_ms > through_ms)
			continue;
		g->closed_ms = table_now_ms(t);
		log_info("gap closed", LOG_S("how", how), LOG_S("table", t->conf->name), LOG_S("reason", g->reason),
			 LOG_S("shard", g->shard), LOG_T("from", g->from_ms), LOG_T("to", g->to_ms), LOG_S("by", by));
		table_moved(t);
		table_save_watermark_soon(t);
	}
}

void table_gap_mended(struct table *t, int64_t began_ms)
{
	close_gaps(t, began_ms - 1, "by a baseline", NULL);
}

/* When the word was put, by S3's clock and by its own account: the earlier of them, and never later than now. */
static int64_t written_ms(const struct table *t, const json_t *j)
{
	const char *at = json_string_value(json_object_get(j, "at"));
	int64_t least = table_now_ms(t), ms;
	if (t->head.modified_ms != CLOCK_UNKNOWN && t->head.modified_ms < least)
		least = t->head.modified_ms;
	if (at != NULL && clock_parse_iso(at, &ms) && ms < least)
		least = ms;
	return least;
}

/* How far the clocks may differ by which gaps are noticed and words put: Last-Modified has whole seconds, Date as well. */
#define CLOCKS_MS 3000

/* An operator can have looked only at what was known when the word was put. What it says about later is ignored. */
static enum table_word take_word(struct table *t, const json_t *j)
{
	const char *through = json_string_value(json_object_get(j, "accepted_through"));
	int64_t through_ms;
	if (json_integer_value(json_object_get(j, "version")) != 1 || through == NULL ||
	    !clock_parse_iso(through, &through_ms))
		return TABLE_WORD_DAMAGED;
	int64_t latest_ms = written_ms(t, j) + CLOCKS_MS;
	bool ahead = through_ms > latest_ms;
	close_gaps(t, ahead ? latest_ms : through_ms, "by an operator's word",
		   json_string_value(json_object_get(j, "by")));
	if (ahead && t->word != TABLE_WORD_AHEAD)
		log_warn("gaps-accepted.json in the bucket accepts gaps of times that were still to come when it was "
			 "put: this is ignored; gaps that were noticed later stay open until ddb-streamctl gaps "
			 "--accept",
			 LOG_S("table", t->conf->name), LOG_S("object", t->key), LOG_T("accepted_through", through_ms),
			 LOG_T("closed_through", latest_ms));
	return ahead ? TABLE_WORD_AHEAD : TABLE_WORD_GOOD;
}

/* It is looked at again and again while a gap is open: each trouble is told of when it begins. */
static void on_accepted(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct buf *body = http_body(op->slot);
	if (rc < 0 && rc != -ERR_CANCELLED && !t->word_unseen)
		log_warn("it cannot be seen whether a gap was accepted; trying again", LOG_S("table", t->conf->name),
			 LOG_S("object", t->key), LOG_E(&op->err));
	t->word_unseen = rc < 0;
	if (rc == 0) {
		json_t *j = t->head.exists ? json_loadb(buf_str(body), body->len, 0, NULL) : NULL;
		enum table_word word = t->head.exists ? take_word(t, j) : TABLE_WORD_NONE;
		if (word == TABLE_WORD_DAMAGED && t->word != word)
			log_warn("gaps-accepted.json in the bucket cannot be read, so no gap is closed; write it anew "
				 "with ddb-streamctl gaps --accept, or delete it",
				 LOG_S("table", t->conf->name), LOG_S("object", t->key));
		t->word = word;
		json_decref(j);
	}
	t->after_gaps(t, rc);
}

void table_gap_look(struct table *t, void (*next)(struct table *t, int rc))
{
	t->after_gaps = next;
	free(t->key);
	t->key = table_meta_key(t, "gaps-accepted.json");
	if (t->key == NULL)
		next(t, -ERR_SYSTEM);
	else
		s3_get(&t->op, span_of(t->key), (struct span){0}, &t->head, on_accepted, t);
}
