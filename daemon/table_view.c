#include "base/clock.h"
#include "daemon.h"
#include "drill.h"
#include "shard.h"
#include "table.h"

static void view_shards(const struct stream *st, struct view_table *v)
{
	const struct shard *s;
	TAILQ_FOREACH (s, &st->shards, link) {
		v->buffered_records += s->open_records;
		switch (s->state) {
		case SHARD_WAITING:
			v->shards_waiting++;
			break;
		case SHARD_FINISHED:
			v->shards_finished++;
			break;
		default:
			v->shards_open++;
			v->shards_failing += s->failures > 0;
			break;
		}
	}
}

static void view_counts(const struct table *t, struct view_table *v)
{
	for (int i = 0; i < RECORDS_OPS; i++)
		v->records[i] = t->records[i];
	v->records_ttl = t->records_ttl;
	v->records_skipped = t->records_skipped;
	v->records_read = t->records_read;
	v->bytes_read = t->bytes_read;
	v->retries = t->retries;
	v->read_errors = t->read_errors;
	v->gaps = t->gap_count;
	v->gaps_open = table_gaps_open(t);
	v->in_flight = t->in_flight;
	v->waiting_retry = t->lanes.waiting;
	v->stuck = t->stuck;
	v->stuck_reason = t->stuck > 0 ? t->stuck_err.message : NULL;
}

static void view_baseline(const struct baseline *b, struct view_baseline *v)
{
	const struct position_baseline *p = baseline_position(b);
	*v = (struct view_baseline){.began_ms = CLOCK_UNKNOWN,
				    .ended_ms = CLOCK_UNKNOWN,
				    .complete_since_ms = CLOCK_UNKNOWN};
	if (p == NULL)
		return;
	*v = (struct view_baseline){
		.known = true,
		.running = position_baseline_runs(p),
		.missing = baseline_is_missing(b),
		.state = position_baseline_state_name(p->state),
		.reason = position_baseline_reason_name(p->reason),
		.problem = baseline_problem(b),
		.began_ms = p->began_ms,
		.ended_ms = p->ended_ms,
		.complete_since_ms = p->complete_since_ms,
		.items = p->items,
		.total = p->total,
		.equal = p->equal,
		.written = p->written,
		.removed = p->removed,
		.left_to_stream = p->left_to_stream,
		.foreign = p->foreign,
		.throttles = p->throttles,
		.units = p->units,
	};
}

void table_view(const struct table *t, struct view_table *v)
{
	const struct stream *st;
	*v = (struct view_table){.name = t->conf->name, .state = t->state, .rpo_ms = t->conf->rpo_ms};
	v->problem = t->problem.class != ERR_NONE ? t->problem.message : NULL;
	v->stream_arn = t->active != NULL ? t->active->arn : t->about.stream_arn;
	v->complete_through_ms = table_complete_ms(t);
	v->lag_ms = -1;
	if (v->complete_through_ms != CLOCK_UNKNOWN) {
		v->lag_ms = table_now_ms(t) - v->complete_through_ms;
		if (v->lag_ms < 0)
			v->lag_ms = 0;
	}
	v->last_durable_event_ms = t->last_durable_event_ms;
	view_counts(t, v);
	TAILQ_FOREACH (st, &t->streams, link)
		view_shards(st, v);
	v->buffered_bytes = t->reads.used_bytes;
	v->memory_limit_bytes = t->reads.limit_bytes;
	v->memory_full = t->reads.full;
	v->checkpoint_saved_ms = t->saving.saved_ms;
	v->checkpoint_errors = t->saving.errors;
	v->checkpoint_problem = t->saving.problem[0] != '\0' ? t->saving.problem : NULL;
	v->watermark_saved_ms = t->saving.watermark_ms;
	view_baseline(t->baseline, &v->baseline);
	drill_view(t->drill, &v->drill);
}
