#include "worker.h"

#include <errno.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/log.h"
#include "baseline.h"
#include "batch.h"
#include "codec/itemkey.h"
#include "daemon.h"
#include "shard.h"
#include "table.h"
#include "write.h"

#define ANSWER_MAX ((size_t)64 << 10) /* error documents, and a listing of one key */
#define KEY_MAX (4 * ITEMKEY_MAX)
#define CUT_EVERY_MS 100
#define STUCK_FAILURES 5

struct table *worker_table(const struct record *r)
{
	return r->batch->page != NULL ? baseline_table(r) : r->batch->shard->stream->table;
}

static struct lane_group *group_of(const struct record *r)
{
	return &worker_table(r)->lanes;
}

int worker_pool_init(struct worker_pool *p, struct daemon *d, size_t n, struct err *e)
{
	*p = (struct worker_pool){.daemon = d, .limit = n};
	TAILQ_INIT(&p->idle);
	uv_timer_init(&d->loop, &p->pause);
	p->pause.data = p;
	p->workers = calloc(n, sizeof(*p->workers));
	if (p->workers == NULL)
		return err_errno(e, ENOMEM, "workers");
	for (; p->n < n; p->n++) {
		struct worker *w = &p->workers[p->n];
		int rc = aws_op_init(&w->op, &d->aws, ANSWER_MAX, e);
		if (rc < 0)
			return rc;
		w->pool = p;
		buf_init(&w->key, KEY_MAX);
		TAILQ_INSERT_TAIL(&p->idle, w, link);
	}
	return 0;
}

void worker_pool_stop(struct worker_pool *p)
{
	p->stopped = true;
	for (size_t i = 0; i < p->n; i++)
		if (p->workers[i].op.busy)
			aws_op_cancel(&p->workers[i].op);
}

void worker_pool_close(struct worker_pool *p)
{
	uv_close((uv_handle_t *)&p->pause, NULL);
	for (size_t i = 0; i < p->n; i++)
		aws_op_fini(&p->workers[i].op, NULL);
}

void worker_pool_fini(struct worker_pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		buf_fini(&p->workers[i].key);
	free(p->workers);
	p->workers = NULL;
	p->n = 0;
}

static void start(struct worker_pool *p, struct record *r, struct lane_group *g)
{
	struct worker *w = TAILQ_FIRST(&p->idle);
	TAILQ_REMOVE(&p->idle, w, link);
	p->busy++;
	w->record = r;
	w->group = g;
	r->batch->writing++;
	worker_table(r)->in_flight++;
	clock_iso(w->event_time, r->event_ms);
	write_begin(w);
}

void worker_kick(struct worker_pool *p)
{
	struct lane_group *g;
	struct record *r;
	/* A record that fails before it is sent comes back here: the loop below goes on with the next, deeper it must not go. */
	if (p->kicking)
		return;
	p->kicking = true;
	while (!p->stopped && !p->paused && p->busy < p->limit && (r = lane_take(&p->daemon->lanes, &g)) != NULL) {
		if (table_may_write(worker_table(r), r->event_ms))
			start(p, r, g);
		else
			lane_untake(&p->daemon->lanes, g, r); /* the group is blocked: it does not come again at once */
	}
	p->kicking = false;
}

static void make_idle(struct worker *w)
{
	struct worker_pool *p = w->pool;
	worker_table(w->record)->in_flight--;
	w->record->batch->writing--;
	w->record = NULL;
	p->busy--;
	TAILQ_INSERT_HEAD(&p->idle, w, link);
}

static void count_done(struct table *t, const struct record *r)
{
	if (r->skipped && r->failures == 0) { /* after a failure it was we who wrote it */
		t->records_skipped++;
	} else {
		t->records[r->op]++;
		t->records_ttl += r->by_ttl;
	}
	if (r->event_ms > t->last_durable_event_ms)
		t->last_durable_event_ms = r->event_ms;
}

void worker_done(struct worker *w)
{
	struct worker_pool *p = w->pool;
	struct record *r = w->record;
	struct table *t = worker_table(r);
	p->failed_rounds = 0;
	if (p->limit < p->n)
		p->limit++;
	if (r->stuck)
		t->stuck--;
	if (r->batch->page == NULL)
		count_done(t, r);
	make_idle(w);
	lane_done(&p->daemon->lanes, w->group, r);
	/* The record may be gone after that. */
	if (r->batch->page != NULL)
		baseline_settled(r);
	else
		shard_durable(r->batch->shard, r);
	reader_recheck(&p->daemon->readers, &t->reads);
	worker_kick(p);
}

static void on_pause_over(uv_timer_t *timer)
{
	struct worker_pool *p = timer->data;
	p->paused = false;
	worker_kick(p);
}

/* S3 or the way to it is in trouble, not this one item: fewer at once, and at one, slower. */
static void slow_down(struct worker_pool *p, const struct err *e)
{
	int64_t now = clock_mono_ms();
	if (p->limit > 1) {
		if (now - p->cut_mono_ms >= CUT_EVERY_MS) {
			p->limit /= 2;
			p->cut_mono_ms = now;
		}
		return;
	}
	p->failed_rounds++;
	p->paused = true;
	uv_timer_start(&p->pause, on_pause_over, (uint64_t)backoff_delay_ms(e, p->failed_rounds), 0);
}

static bool is_general(const struct err *e)
{
	return e->class == ERR_RETRY || e->class == ERR_THROTTLE || e->class == ERR_AUTH;
}

static void note_stuck(struct table *t, struct record *r, const struct err *e)
{
	if (is_general(e) && r->failures < STUCK_FAILURES)
		return;
	if (!r->stuck)
		t->stuck++;
	r->stuck = true;
	t->stuck_err = *e;
}

static void on_tick(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	lanes_wake(&d->lanes, clock_mono_ms(), group_of);
	worker_kick(&d->workers);
	if (d->lanes.wheel.count == 0)
		uv_timer_stop(timer);
}

static void log_failure(const struct table *t, const struct record *r, const struct err *e)
{
	char seq[SEQ_DIGITS_MAX + 1];
	struct span digits = batch_span(r->batch, r->seq);
	if (r->batch->page != NULL) {
		log_warn("item of the baseline cannot be written; trying again", LOG_S("table", t->conf->name),
			 LOG_E(e), LOG_U("failures", r->failures));
		return;
	}
	memcpy(seq, digits.ptr, digits.len);
	seq[digits.len] = '\0';
	log_warn("record cannot be written; trying again", LOG_S("table", t->conf->name), LOG_E(e),
		 LOG_D("shard", r->batch->shard->id), LOG_D("seq", seq), LOG_U("failures", r->failures));
}

void worker_failed(struct worker *w, const struct err *e)
{
	struct worker_pool *p = w->pool;
	struct daemon *d = p->daemon;
	struct record *r = w->record;
	struct table *t = worker_table(r);
	make_idle(w);
	if (r->failures < UINT16_MAX)
		r->failures++;
	if (e->class != ERR_CANCELLED) {
		t->retries++;
		note_stuck(t, r, e);
		log_failure(t, r, e);
	}
	if (is_general(e))
		slow_down(p, e);
	lane_retry(&d->lanes, w->group, r, clock_mono_ms(), backoff_delay_ms(e, r->failures));
	if (!uv_is_active((uv_handle_t *)&d->tick) && !p->stopped)
		uv_timer_start(&d->tick, on_tick, WHEEL_TICK_MS, WHEEL_TICK_MS);
	reader_recheck(&d->readers, &t->reads);
	worker_kick(p);
}
