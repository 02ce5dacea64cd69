#include "status.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

/* Every value goes through one of these: NULL (no memory) makes the json_pack around it fail. */
static json_t *text(const char *s)
{
	json_t *j;
	char *plain;

	if (!s)
		return json_null();
	j = json_string(s);
	if (j)
		return j;
	/* Not UTF-8: an error message that was cut inside a character, or a server's bytes. What is readable is shown. */
	plain = strdup(s);
	if (!plain)
		return NULL;
	for (char *p = plain; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	j = json_string(plain);
	free(plain);
	return j;
}

static json_t *when(int64_t wall_ms)
{
	char iso[CLOCK_ISO_SIZE];

	if (wall_ms == CLOCK_UNKNOWN || *clock_iso(iso, wall_ms) == '\0')
		return json_null();
	return json_string(iso);
}

static json_t *span_ms(int64_t ms)
{
	return ms < 0 ? json_null() : json_integer(ms);
}

static json_t *count(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static const char *state_name(enum view_table_state s)
{
	switch (s) {
	case VIEW_TABLE_RUNNING:
		return "running";
	case VIEW_TABLE_REFUSED:
		return "refused";
	case VIEW_TABLE_STARTING:
		break;
	}
	return "starting";
}

/* Puts the members of `from` (taken; NULL is a failure) into `into`. */
static int merge(json_t *into, json_t *from)
{
	int rc = from ? json_object_update(into, from) : -1;

	json_decref(from);
	return rc;
}

static json_t *table_reading(const struct view_table *t)
{
	return json_pack("{s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o}}",
			 "records_read", count(t->records_read), "read_bytes", count(t->bytes_read), "read_errors",
			 count(t->read_errors), "records", "insert", count(t->records[RECORDS_INSERT]), "modify",
			 count(t->records[RECORDS_MODIFY]), "remove", count(t->records[RECORDS_REMOVE]), "ttl",
			 count(t->records_ttl), "skipped", count(t->records_skipped), "write_retries",
			 count(t->retries), "gaps", count(t->gaps), "gaps_open", count(t->gaps_open), "shards", "open",
			 count(t->shards_open), "waiting", count(t->shards_waiting), "finished",
			 count(t->shards_finished), "failing", count(t->shards_failing));
}

static json_t *table_writing(const struct view_table *t)
{
	return json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "buffered_records",
			 count(t->buffered_records), "buffered_bytes", count(t->buffered_bytes), "memory_limit_bytes",
			 count(t->memory_limit_bytes), "memory_full", (int)t->memory_full, "in_flight",
			 count(t->in_flight), "waiting_retry", count(t->waiting_retry), "stuck_items", count(t->stuck),
			 "stuck_reason", text(t->stuck_reason), "checkpoint_saved", when(t->checkpoint_saved_ms),
			 "checkpoint_errors", count(t->checkpoint_errors), "checkpoint_problem",
			 text(t->checkpoint_problem), "watermark_saved", when(t->watermark_saved_ms));
}

static json_t *baseline_json(const struct view_table *t)
{
	const struct view_baseline *b = &t->baseline;

	if (!b->known)
		return json_null();
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:b}", "state",
			 b->state, "reason", b->reason, "began", when(b->began_ms), "ended", when(b->ended_ms),
			 "complete_since", when(b->complete_since_ms), "items", count(b->items), "total",
			 count(b->total), "equal", count(b->equal), "written", count(b->written), "removed",
			 count(b->removed), "left_to_stream", count(b->left_to_stream), "foreign", count(b->foreign),
			 "throttles", count(b->throttles), "units", b->units, "problem", text(b->problem), "missing",
			 (int)b->missing);
}

static json_t *seconds(double s)
{
	return s < 0 ? json_null() : json_real(s);
}

static json_t *drill_json(const struct view_drill *d)
{
	if (!d->known)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "outcome",
			 text(d->outcome), "message", text(d->message), "target", text(d->target), "began",
			 when(d->began_ms), "ended", when(d->ended_ms), "at", when(d->at_ms), "last_success",
			 when(d->last_success_ms), "items", count(d->items), "mismatches", count(d->mismatches),
			 "missing", count(d->missing), "extra", count(d->extra), "different", count(d->different),
			 "recovery_point_seconds", seconds(d->recovery_point_s), "recovery_time_seconds",
			 seconds(d->recovery_time_s));
}

static json_t *table_json(const struct view_table *t)
{
	json_t *j = json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name", text(t->name), "state",
			      state_name(t->state), "problem", text(t->problem), "stream_arn", text(t->stream_arn),
			      "rpo_ms", span_ms(t->rpo_ms), "lag_ms", span_ms(t->lag_ms), "complete_through",
			      when(t->complete_through_ms), "last_durable_event", when(t->last_durable_event_ms));

	if (!j || merge(j, table_reading(t)) || merge(j, table_writing(t)) ||
	    json_object_set_new(j, "baseline", baseline_json(t)) ||
	    json_object_set_new(j, "drill", drill_json(&t->drill))) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static json_t *credentials_json(const struct view *v)
{
	bool never = v->credentials_expire_ms == INT64_MAX;

	return json_pack("{s:o, s:o, s:o}", "source", text(v->credentials_source), "expire",
			 never ? json_string("never") : when(v->credentials_expire_ms), "identity",
			 v->identity && *v->identity ? text(v->identity) : json_null());
}

static json_t *daemon_json(const struct view *v)
{
	char reason[512];
	const char *not_ready = view_not_ready(v, reason, sizeof(reason));

	return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:i, s:o, s:o, s:o, s:o}",
			 "version", text(v->version), "phase", text(v->phase), "ready", not_ready ? 0 : 1, "reason",
			 text(not_ready), "problem", text(v->problem), "lag_ms", span_ms(view_lag_ms(v)), "started",
			 when(v->started_ms), "bucket", text(v->bucket), "region", text(v->region), "credentials",
			 credentials_json(v), "clock_skew_ms", (json_int_t)v->clock_skew_ms, "workers", (int)v->workers,
			 "workers_busy", (int)v->workers_busy, "conditional_writes",
			 v->conditional_known ? json_boolean(v->conditional_writes) : json_null(), "http_connections",
			 count(v->connections), "memory_limit_bytes", count(v->memory_limit_bytes), "buffered_bytes",
			 count(v->buffered_bytes));
}

struct sink {
	struct buf *out;
	int rc; /* why the buffer refused: jansson only tells that it did */
};

static int append(const char *bytes, size_t len, void *arg)
{
	struct sink *sink = arg;

	sink->rc = buf_append(sink->out, bytes, len);
	return sink->rc;
}

int status_render(const struct view *v, struct buf *out)
{
	json_t *root = daemon_json(v), *tables = json_array();
	struct sink sink = {.out = out};
	int rc = -ERR_SYSTEM;

	if (!root || !tables)
		goto out;
	for (size_t i = 0; i < v->ntables; i++)
		if (json_array_append_new(tables, table_json(&v->tables[i])))
			goto out;
	if (json_object_set(root, "tables", tables))
		goto out;
	if (json_dump_callback(root, append, &sink, JSON_INDENT(2))) {
		if (sink.rc < 0)
			rc = sink.rc;
		goto out;
	}
	rc = buf_append_char(out, '\n');
out:
	json_decref(tables);
	json_decref(root);
	return rc;
}
