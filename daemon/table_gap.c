/*
 * Gaps: holes in a table's history (I5). Each is counted, logged once, kept in the checkpoint and the watermark, and keeps /readyz from
 * saying "ready" until it is closed. An operator closes it by an object in the bucket, <meta path>gaps-accepted.json, which
 * ddb-streamctl gaps --accept writes: {"accepted_through": TIME} closes what was noticed up to then.
 */
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

void table_gap(struct table *t, const char *stream, const char *shard, const char *reason, int64_t from_ms)
{
	int64_t now_ms = table_now_ms(t);
	/* A stream keeps 24 hours; what is gone is older. When that does not fit (or nothing is known), it may be anything up to now. */
	bool older = from_ms != CLOCK_UNKNOWN && from_ms <= now_ms - DAY_MS;
	int64_t to_ms = CLOCK_GRAIN_MS + (older ? now_ms - DAY_MS : now_ms);
	const struct position_gap g = {
		.reason = (char *)reason,
		.stream = (char *)stream,
		.shard = (char *)shard,
		.from_ms = from_ms,
		.to_ms = to_ms,
		.noticed_ms = now_ms,
		.closed_ms = CLOCK_UNKNOWN,
	};
	t->gap_count++;
	table_gap_restore(t, &g);
	log_error("gap in the history: changes of this time may be missing from the backup; compare the table with the "
		  "backup, write the items that differ again, then close the gap with ddb-streamctl gaps --accept",
		  LOG_S("table", t->conf->name), LOG_S("reason", reason), LOG_S("shard", shard),
		  LOG_S("stream", stream), LOG_T("from", from_ms), LOG_T("to", to_ms));
	table_moved(t);
}

size_t table_gaps_open(const struct table *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->ngaps; i++)
		n += t->gaps[i].closed_ms == CLOCK_UNKNOWN;
	return n;
}

/* Closes what was noticed up to `through_ms`. */
static void close_gaps(struct table *t, int64_t through_ms, const char *by)
{
	for (size_t i = 0; i < t->ngaps; i++) {
		struct position_gap *g = &t->gaps[i];
		if (g->closed_ms != CLOCK_UNKNOWN || g->noticed_ms > through_ms)
			continue;
		g->closed_ms = table_now_ms(t);
		log_info("gap closed by an operator's word", LOG_S("table", t->conf->name), LOG_S("reason", g->reason),
			 LOG_S("shard", g->shard), LOG_T("from", g->from_ms), LOG_T("to", g->to_ms), LOG_S("by", by));
		table_moved(t);
		table_save_watermark_soon(t);
	}
}

static void on_accepted(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct buf *body = http_body(op->slot);
	int64_t through_ms;
	if (rc == 0 && t->head.exists) {
		json_t *j = json_loadb(buf_str(body), body->len, 0, NULL);
		const char *through = json_string_value(json_object_get(j, "accepted_through"));
		if (through != NULL && clock_parse_iso(through, &through_ms))
			close_gaps(t, through_ms, json_string_value(json_object_get(j, "by")));
		else
			log_warn("gaps-accepted.json in the bucket cannot be read; write it anew with ddb-streamctl "
				 "gaps --accept",
				 LOG_S("table", t->conf->name));
		json_decref(j);
	} else if (rc < 0 && rc != -ERR_CANCELLED) {
		log_warn("it cannot be seen whether a gap was accepted; trying again", LOG_S("table", t->conf->name),
			 LOG_E(&op->err));
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
