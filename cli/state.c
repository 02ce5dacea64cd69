#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "state_item.h"

static void pump(void *arg);

void state_fail(struct state *st, int rc, const struct err *e)
{
	if (st->rc == 0) {
		st->rc = rc;
		st->err = *e;
	}
	st->finished = true;
}

void state_fail_no_memory(struct state *st)
{
	struct err e;
	int rc = err_set(&e, ERR_SYSTEM, "out of memory");
	state_fail(st, rc, &e);
}

static void begin(struct state *st, struct range *range, struct item *item)
{
	struct state_item *si = state_item_new(st, range, item);
	if (si == NULL) {
		item_free(item);
		state_fail_no_memory(st);
		return;
	}
	STAILQ_INSERT_TAIL(&st->items[range_number(&st->ranges, range)], si, link);
	st->nitems++;
	state_item_go_on(si);
	/* What needs no answer is delivered now: no answer comes that would wake anybody. */
	st->again = st->again || si->ready;
}

/* Frees what was given back at the head of a range's queue, so that the range knows how far all is done. */
static void take_back(struct state *st, struct state_items *queue)
{
	struct state_item *si;
	while ((si = STAILQ_FIRST(queue)) != NULL && si->done) {
		if (range_done(si->range, (struct span){buf_str(&si->item->key), si->item->key.len}) < 0)
			state_fail_no_memory(st);
		STAILQ_REMOVE_HEAD(queue, link);
		st->nitems--;
		st->seen++;
		state_item_free(si);
	}
}

static void deliver_ready(struct state *st)
{
	for (size_t i = 0; i < RANGES_MAX; i++) {
		struct state_item *si, *next;
		for (si = STAILQ_FIRST(&st->items[i]); si != NULL && si->ready && !st->finished && st->block == NULL;
		     si = next) {
			next = STAILQ_NEXT(si, link);
			if (si->delivered)
				continue;
			si->delivered = true;
			if (si->skip)
				si->done = true;
			else
				st->options.deliver(si, st->options.arg);
		}
		take_back(st, &st->items[i]);
	}
}

static void list_more(struct state *st)
{
	struct range *range;
	struct item *item;
	struct err e;
	while (!st->finished && !st->listed && st->nitems < STATE_WINDOW && st->bytes < STATE_WINDOW_BYTES) {
		int rc = ranges_next(&st->ranges, &range, &item, &e);
		if (rc == RANGES_WAIT)
			break;
		if (rc < 0)
			state_fail(st, rc, &e);
		else if (rc == RANGES_END)
			st->listed = true;
		else
			begin(st, range, item);
	}
}

/* Moves everything on as far as it can. What is called from here may call back. */
static void pump(void *arg)
{
	struct state *st = arg;
	st->again = true;
	if (st->pumping)
		return;
	st->pumping = true;
	while (st->again && !st->finished) {
		st->again = false;
		deliver_ready(st);
		list_more(st);
		if (st->listed && st->nitems == 0)
			st->finished = true;
	}
	st->pumping = false;
}

void state_wake(struct state *st)
{
	pump(st);
}

void state_done(struct state_item *si)
{
	si->done = true;
	pump(si->state);
}

void state_block(struct state *st, struct state_item *si)
{
	st->block = si;
	if (si == NULL)
		pump(st);
}

static void on_stop(void *arg)
{
	struct err e;
	int rc = err_set(&e, ERR_CANCELLED, "interrupted");
	state_fail(arg, rc, &e);
}

/* Everything stored before the earliest time that is asked about, less the margin, may be cut short. */
static int64_t old_ms(const struct state_options *o)
{
	int64_t least = o->at[0].ms;
	if (o->all)
		return INT64_MIN;
	if (o->ntimes > 1 && o->at[1].ms < least)
		least = o->at[1].ms;
	if (o->since_ms != CLOCK_UNKNOWN && o->since_ms < least)
		least = o->since_ms;
	return least - RESOLVE_MARGIN_MS;
}

int state_init(struct state *st, struct session *s, const struct state_options *o, struct err *e)
{
	const struct ranges_options ro = {
		.prefix = o->prefix,
		.exact = o->exact,
		.old_ms = old_ms(o),
		.bounds = o->bounds,
		.nbounds = o->nbounds,
	};
	*st = (struct state){.session = s, .options = *o, .folders = s->table->tenant_attribute != NULL};
	for (size_t i = 0; i < RANGES_MAX; i++)
		STAILQ_INIT(&st->items[i]);
	st->canon = canon_new(STATE_ITEM_MAX);
	if (st->canon == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	int rc = ranges_init(&st->ranges, s, &ro, e);
	return rc < 0 ? rc : fetch_init(&st->fetch, s, e);
}

void state_start(struct state *st)
{
	st->session->on_stop = on_stop;
	st->session->on_stop_arg = st;
	/* It may have come before there was anybody to be told. */
	if (st->session->stop)
		on_stop(st);
	ranges_start(&st->ranges, pump, st);
	/* Nothing may be left of a run that goes on. */
	pump(st);
}

int state_run(struct state *st, struct err *e)
{
	while (!st->finished)
		uv_run(&st->session->loop, UV_RUN_ONCE);
	st->session->on_stop = NULL;
	if (st->rc < 0)
		*e = st->err;
	return st->rc;
}

void state_fini(struct state *st)
{
	struct state_item *si;
	st->session->on_stop = NULL;
	st->finished = true;
	fetch_fini(&st->fetch);
	ranges_fini(&st->ranges);
	uv_run(&st->session->loop, UV_RUN_NOWAIT);
	for (size_t i = 0; i < RANGES_MAX; i++) {
		while ((si = STAILQ_FIRST(&st->items[i])) != NULL) {
			STAILQ_REMOVE_HEAD(&st->items[i], link);
			state_item_free(si);
		}
	}
	canon_free(st->canon);
}
