/* The life of a baseline: when one is due, its states, its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "baseline_run.h"
#include "daemon.h"
#include "table.h"

#define UNMARKED_FEW 1000 /* names that are looked at one by one */
#define LOOK_MS 100	  /* while one runs: has the stream passed what waits? */
/* A run begins when the backup is no further behind than this: what it reads would only wait. */
#define NEAR_MS 120000
#define SHARE \
	4 /* of memory_limit all runs together, of a table's provisioned reads one run, take one part of so many */
#define MEMORY_A_RUN ((uint64_t)32 << 20) /* of memory_limit, for each run that may be under way at once */
#define YIELD_AFTER_MS 60000		  /* a run that cannot go on lets others begin */
#define ON_DEMAND_RATE 1000
#define AGAIN_MS 60000 /* after a run that something else disturbed */

static void run_end(struct baseline *b);

/* What the table is complete through takes a look at every shard: not at each item. */
static void on_timer(uv_timer_t *timer)
{
	struct baseline *b = timer->data;
	b->complete_ms = table_complete_ms(b->table);
	baseline_go_on(b);
}

struct baseline *baseline_new(struct table *t)
{
	struct baseline *b = calloc(1, sizeof(*b));
	if (b == NULL)
		return NULL;
	b->table = t;
	TAILQ_INIT(&b->waiting);
	TAILQ_INIT(&b->orphans);
	map_init(&b->candidates);
	buf_init(&b->list_after, ITEMKEY_MAX);
	buf_init(&b->list_key, 2 * ITEMKEY_MAX);
	buf_init(&b->scratch, ITEMS_ITEM_BYTES_MAX);
	for (size_t i = 0; i < BASELINE_SEGMENTS_MAX; i++)
		TAILQ_INIT(&b->segments[i].pages);
	uv_timer_init(&t->daemon->loop, &b->timer);
	b->timer.data = b;
	return b;
}

void baseline_close(struct baseline *b)
{
	if (b == NULL)
		return;
	b->stopped = b->closed = true;
	if (b->running)
		run_end(b);
	uv_close((uv_handle_t *)&b->timer, NULL);
}

void baseline_free(struct baseline *b)
{
	if (b == NULL)
		return;
	map_fini(&b->candidates);
	buf_fini(&b->list_after);
	buf_fini(&b->list_key);
	buf_fini(&b->scratch);
	struct baseline_page *p;
	while ((p = TAILQ_FIRST(&b->orphans)) != NULL)
		baseline_page_free(p);
	position_baseline_free(b->position);
	free(b);
}

void baseline_restore(struct baseline *b, struct position_baseline *p)
{
	position_baseline_free(b->position);
	b->position = p;
}

const struct position_baseline *baseline_position(const struct baseline *b)
{
	return b != NULL ? b->position : NULL;
}

const char *baseline_problem(const struct baseline *b)
{
	return b->err.class != ERR_NONE ? b->err.message : NULL;
}

bool baseline_is_missing(const struct baseline *b)
{
	return b->position != NULL && b->position->complete_since_ms == CLOCK_UNKNOWN &&
	       b->table->conf->baseline != CONFIG_BASELINE_OFF;
}

void baseline_moved(struct baseline *b)
{
	b->moved_mono_ms = clock_mono_ms();
	table_moved(b->table);
}

void baseline_trouble(struct baseline *b, const struct err *e, const char *what)
{
	if (e->class == ERR_CANCELLED)
		return;
	bool new = b->err.class != e->class;
	b->err = *e;
	if (e->class == ERR_THROTTLE)
		b->position->throttles++;
	else if (new)
		log_warn("baseline cannot go on; trying again", LOG_S("table", b->table->conf->name),
			 LOG_S("what", what), LOG_E(e));
}

void baseline_well(struct baseline *b)
{
	b->err.class = ERR_NONE;
}

int64_t baseline_rest_until(struct baseline *b, const struct err *e, unsigned failures)
{
	(void)b;
	return clock_mono_ms() + backoff_delay_ms(e, failures);
}

static void enter(struct baseline *b, enum position_baseline_state s);

/* --- beginning and end of a run --- */

static double capacity_share(const struct table *t)
{
	const json_t *throughput = json_object_get(t->about.json, "ProvisionedThroughput");
	double units = json_number_value(json_object_get(throughput, "ReadCapacityUnits"));
	return units > 0 ? units / SHARE : ON_DEMAND_RATE;
}

static double rate_of(const struct baseline *b)
{
	if (b->position->rate > 0)
		return b->position->rate;
	return b->table->conf->baseline_rate > 0 ? b->table->conf->baseline_rate : capacity_share(b->table);
}

static void free_readers(struct baseline *b)
{
	for (size_t i = 0; i < b->nreaders; i++) {
		buf_fini(&b->readers[i].name);
		buf_fini(&b->readers[i].key);
		buf_fini(&b->readers[i].keys);
		buf_fini(&b->readers[i].body);
	}
	free(b->readers);
	b->readers = NULL;
	b->nreaders = 0;
}

static void on_reader_closed(struct aws_op *op)
{
	struct baseline *b = ((struct baseline_reader *)((char *)op - offsetof(struct baseline_reader, op)))->baseline;
	if (--b->closing == 0)
		free_readers(b);
}

static int make_readers(struct baseline *b, struct err *e)
{
	size_t n = b->table->conf->baseline_segments, room = b->limit_bytes / BASELINE_ANSWER_BYTES;
	if (n > room)
		n = room > 0 ? room : 1;
	b->readers = calloc(n, sizeof(*b->readers));
	if (b->readers == NULL)
		return err_errno(e, ENOMEM, "baseline");
	for (; b->nreaders < n; b->nreaders++) {
		struct baseline_reader *r = &b->readers[b->nreaders];
		r->baseline = b;
		buf_init(&r->name, 2 * ITEMKEY_MAX);
		buf_init(&r->key, 2 * ITEMKEY_MAX);
		buf_init(&r->keys, ITEMS_ITEM_BYTES_MAX);
		buf_init(&r->body, ITEMS_PAGE_BYTES_MAX);
		int rc = aws_op_init(&r->op, &b->table->daemon->aws, BASELINE_ANSWER_BYTES, e);
		if (rc < 0)
			return rc;
	}
	int rc = aws_op_init(&b->list_op, &b->table->daemon->aws, BASELINE_ANSWER_BYTES, e);
	b->list_open = rc == 0;
	return rc;
}

/* How many tables' runs may be under way at once: each has lists and answers of its own in memory. */
static size_t runs_limit(const struct daemon *d)
{
	uint64_t n = d->conf->memory_limit_bytes / MEMORY_A_RUN;
	if (n > d->ntables)
		n = d->ntables; /* memory is not kept for runs that cannot come */
	return n > 0 ? (size_t)n : 1;
}

static void change_shares(struct daemon *d, size_t bytes, bool give_back)
{
	for (size_t i = 0; i < d->ntables; i++) {
		struct reader_queue *q = &d->tables[i].reads;
		q->limit_bytes = give_back ? q->limit_bytes + bytes : q->limit_bytes - bytes;
	}
}

/* The reading of all streams gives up a part of the memory for as long as the run lasts. */
static void take_memory(struct baseline *b)
{
	struct daemon *d = b->table->daemon;
	b->limit_bytes = (size_t)d->conf->memory_limit_bytes / SHARE / runs_limit(d);
	b->share_bytes = b->limit_bytes / d->ntables;
	change_shares(d, b->share_bytes, false);
	d->baselines++;
}

static void give_memory_back(struct baseline *b)
{
	struct table *t = b->table;
	change_shares(t->daemon, b->share_bytes, true);
	b->limit_bytes = b->share_bytes = 0;
	t->daemon->baselines--;
	if (!b->stopped)
		reader_give_back(&t->daemon->readers, &t->reads, 0);
}

/*
 * The marks of names that were seen are lost with the process that made them. Once in a run the table is scanned again for them, which
 * costs a page where looking at each name would cost thousands of requests. False when that was done already.
 */
static bool mark_again(struct baseline *b)
{
	struct position_baseline *p = b->position;
	if (p->marked_again)
		return false;
	p->marked_again = true;
	for (size_t i = 0; i < p->nsegments; i++) {
		free(p->segments[i].after);
		free(b->segments[i].next_key);
		p->segments[i] = (struct position_segment){0};
		b->segments[i].next_key = NULL;
		b->segments[i].whole = false;
	}
	p->items = 0;
	b->marks_lost = false;
	baseline_moved(b);
	return true;
}

static int restore_segments(struct baseline *b, struct err *e)
{
	for (size_t i = 0; i < b->position->nsegments; i++) {
		const struct position_segment *p = &b->position->segments[i];
		b->segments[i].whole = p->done;
		b->segments[i].next_key = p->after != NULL ? strdup(p->after) : NULL;
		if (p->after != NULL && b->segments[i].next_key == NULL)
			return err_errno(e, ENOMEM, "baseline");
	}
	return 0;
}

static void run_begin(struct baseline *b)
{
	struct err e;
	b->running = true;
	b->listed = b->again = b->read_whole = b->removed_whole = false;
	b->used_bytes = 0;
	b->end_ms = b->complete_ms = CLOCK_UNKNOWN;
	b->err.class = ERR_NONE;
	b->moved_mono_ms = clock_mono_ms();
	b->limit = 0;
	b->units_per_item = 0;
	b->arrivals = 0;
	buf_reset(&b->list_after);
	take_memory(b);
	rate_init(&b->rate, rate_of(b), clock_mono_ms());
	b->arrived = malloc(BASELINE_ARRIVALS * sizeof(*b->arrived));
	int rc = b->arrived == NULL ? err_errno(&e, ENOMEM, "baseline") : make_readers(b, &e);
	if (rc == 0)
		rc = restore_segments(b, &e);
	if (rc < 0) {
		baseline_trouble(b, &e, "memory");
		run_end(b);
		return;
	}
	b->marks_lost = b->position->state > BASELINE_LISTING;
	if (b->position->state == BASELINE_REMOVING && mark_again(b)) {
		enter(b, BASELINE_SCANNING);
	} else if (b->position->state == BASELINE_REMOVING) {
		/* Which names the Scan has seen is not known any more: all of them are looked at. */
		b->listed = true;
		b->nnames = 1;
	}
	uv_timer_start(&b->timer, on_timer, LOOK_MS, LOOK_MS);
}

static void run_end(struct baseline *b)
{
	struct baseline_page *p;
	uv_timer_stop(&b->timer);
	while ((p = TAILQ_FIRST(&b->waiting)) != NULL)
		baseline_page_drop(p);
	for (size_t i = 0; i < BASELINE_SEGMENTS_MAX; i++) {
		free(b->segments[i].next_key);
		b->segments[i] = (struct baseline_segment){0};
		TAILQ_INIT(&b->segments[i].pages);
	}
	baseline_window_free(b);
	etagset_free(b->names);
	b->names = NULL;
	free(b->arrived);
	b->arrived = NULL;
	b->closing = b->nreaders;
	if (b->nreaders == 0)
		free_readers(b);
	for (size_t i = 0; i < b->nreaders; i++)
		aws_op_fini(&b->readers[i].op, on_reader_closed);
	if (b->list_open)
		aws_op_fini(&b->list_op, NULL);
	b->list_open = b->listing = false;
	b->running = false;
	give_memory_back(b);
}

/* --- states --- */

static void enter(struct baseline *b, enum position_baseline_state s)
{
	b->position->state = s;
	log_info("baseline", LOG_S("table", b->table->conf->name), LOG_S("state", position_baseline_state_name(s)),
		 LOG_S("reason", position_baseline_reason_name(b->position->reason)));
	table_moved(b->table);
	table_save_watermark_soon(b->table);
}

/* A new run, from its beginning. */
static void want(struct baseline *b, enum position_baseline_reason reason)
{
	struct position_baseline *p = b->position;
	if (p == NULL)
		p = b->position = position_baseline_new();
	if (p == NULL)
		return; /* looked at again in a second */
	position_baseline_reset(p);
	p->reason = reason;
	p->total = (uint64_t)json_integer_value(json_object_get(b->table->about.json, "ItemCount"));
	enter(b, BASELINE_WAITING);
}

/* Is the stream read, and near enough to its tip? */
static bool is_near(const struct table *t)
{
	if (t->state != VIEW_TABLE_RUNNING || t->gone || t->active == NULL || !t->active->swept ||
	    t->active->status == STREAMS_DISABLED)
		return false;
	int64_t complete_ms = table_complete_ms(t);
	return complete_ms != CLOCK_UNKNOWN && table_now_ms(t) - complete_ms <= NEAR_MS;
}

static bool gap_is_open(const struct baseline *b)
{
	const struct table *t = b->table;
	for (size_t i = 0; i < t->ngaps; i++)
		if (t->gaps[i].closed_ms == CLOCK_UNKNOWN &&
		    (b->position == NULL || t->gaps[i].noticed_ms >= b->position->began_ms))
			return true;
	return false;
}

/* The configuration no longer wants what the daemon began by itself. */
static void drop_unwanted(struct baseline *b)
{
	const struct position_baseline *p = b->position;
	if (p == NULL || !position_baseline_runs(p) || p->reason == BASELINE_REQUEST)
		return;
	if (b->running)
		run_end(b);
	enter(b, BASELINE_CANCELLED);
	if (p->complete_since_ms == CLOCK_UNKNOWN)
		baseline_restore(b, NULL);
}

static void look_for_reason(struct baseline *b)
{
	const struct position_baseline *p = b->position;
	if (b->table->conf->baseline == CONFIG_BASELINE_OFF) {
		drop_unwanted(b);
		return;
	}
	if (p == NULL)
		want(b, BASELINE_FIRST);
	else if (!position_baseline_runs(p) && gap_is_open(b))
		want(b, BASELINE_GAP);
}

/* While others wait for their turn, a run that has not come further for a while begins again later, where it was. */
static void yield_if_stuck(struct baseline *b)
{
	struct daemon *d = b->table->daemon;
	int64_t now_ms = clock_mono_ms();
	if (!b->running || d->baselines < runs_limit(d) || now_ms - b->moved_mono_ms < YIELD_AFTER_MS)
		return;
	run_end(b);
	b->not_before_mono_ms = now_ms + AGAIN_MS;
}

void baseline_tick(struct baseline *b)
{
	struct table *t = b->table;
	if (b->stopped || !t->saving.enabled || t->state != VIEW_TABLE_RUNNING)
		return;
	look_for_reason(b);
	yield_if_stuck(b);
	if (b->position == NULL || !position_baseline_runs(b->position) || b->running || b->closing > 0)
		return;
	if (clock_mono_ms() < b->not_before_mono_ms || t->daemon->baselines >= runs_limit(t->daemon) || !is_near(t))
		return;
	if (b->position->began_ms == CLOCK_UNKNOWN)
		b->position->began_ms = table_now_ms(t);
	run_begin(b);
	if (!b->running)
		return;
	if (b->position->state == BASELINE_WAITING)
		enter(b, BASELINE_LISTING);
	else
		log_info("baseline goes on where it was", LOG_S("table", t->conf->name),
			 LOG_S("state", position_baseline_state_name(b->position->state)));
	baseline_go_on(b);
}

void baseline_ask(struct baseline *b, const char *id, double rate, bool cancel)
{
	const struct position_baseline *p = b->position;
	bool known = p != NULL && p->request != NULL && strcmp(p->request, id) == 0;
	if (b->stopped || (known && !cancel) || (!known && cancel))
		return;
	if (cancel) {
		if (!position_baseline_runs(p))
			return;
		if (b->running)
			run_end(b);
		enter(b, BASELINE_CANCELLED);
		if (p->complete_since_ms == CLOCK_UNKNOWN && b->table->conf->baseline == CONFIG_BASELINE_OFF)
			baseline_restore(b, NULL); /* as if none had been asked for */
		return;
	}
	char *request = strdup(id);
	if (request == NULL)
		return; /* looked at again */
	if (b->running)
		run_end(b);
	want(b, BASELINE_REQUEST);
	if (b->position == NULL) {
		free(request);
		return;
	}
	free(b->position->request);
	b->position->request = request;
	b->position->rate = rate;
}

/* The run has looked at everything, and the stream has passed its last read. */
static void finish(struct baseline *b)
{
	struct position_baseline *p = b->position;
	struct table *t = b->table;
	if (b->again) {
		log_warn("something else than this daemon wrote items of the table's backup during the baseline; it is "
			 "done again",
			 LOG_S("table", t->conf->name));
		enum position_baseline_reason reason = p->reason;
		run_end(b);
		want(b, reason);
		b->not_before_mono_ms = clock_mono_ms() + AGAIN_MS;
		return;
	}
	p->ended_ms = b->end_ms;
	if (p->complete_since_ms == CLOCK_UNKNOWN)
		p->complete_since_ms = p->ended_ms;
	run_end(b);
	enter(b, BASELINE_DONE);
	table_gap_mended(t, p->began_ms);
	log_info("baseline done", LOG_S("table", t->conf->name), LOG_U("items", p->items), LOG_U("equal", p->equal),
		 LOG_U("written", p->written), LOG_U("removed", p->removed), LOG_U("left_to_stream", p->left_to_stream),
		 LOG_U("foreign", p->foreign));
}

static void step(struct baseline *b)
{
	struct position_baseline *p = b->position;
	if (!b->listed) {
		baseline_list(b);
		if (!b->listed)
			return;
	}
	if (p->state == BASELINE_LISTING)
		enter(b, BASELINE_SCANNING);
	if (p->state == BASELINE_SCANNING) {
		baseline_scan(b);
		if (!baseline_scan_is_done(b))
			return;
		if (b->marks_lost && b->names != NULL && etagset_unmarked(b->names) > UNMARKED_FEW && mark_again(b))
			return; /* the timer goes on */
		enter(b, BASELINE_REMOVING);
	}
	if (!b->read_whole) {
		baseline_remove(b);
		if (!baseline_remove_is_done(b))
			return;
		b->read_whole = true;
		b->end_ms = table_now_ms(b->table);
	}
	if (b->complete_ms >= b->end_ms)
		finish(b);
}

void baseline_go_on(struct baseline *b)
{
	if (b->stopped || !b->running)
		return;
	baseline_page_offer(b);
	step(b);
}

void baseline_stop(struct baseline *b)
{
	b->stopped = true;
	uv_timer_stop(&b->timer);
	for (size_t i = 0; i < b->nreaders; i++)
		if (b->readers[i].op.busy)
			aws_op_cancel(&b->readers[i].op);
	if (b->list_open && b->list_op.busy)
		aws_op_cancel(&b->list_op);
}

bool baseline_busy(const struct baseline *b)
{
	for (size_t i = 0; i < b->nreaders; i++)
		if (b->readers[i].op.busy)
			return true;
	return b->list_open && b->list_op.busy;
}
