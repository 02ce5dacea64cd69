#include "diff.h"

#include "base/clock.h"
#include "cli.h"
#include "progress.h"
#include "state.h"

#define TICK_MS 250

struct diff_run {
	struct diff_plan *plan;
	struct state state;
	struct progress progress;
	uv_timer_t timer;
};

static struct span body_of(const struct state_at *at)
{
	return (struct span){buf_str(&at->body), at->body.len};
}

/*
 * Two versions may be the same item: other tools do not write it in one form, and with some kinds of encryption no two
 * ETags are equal. So what is there at both times is always compared.
 */
static bool wants(struct state_item *si, size_t time, void *arg)
{
	const struct diff_plan *p = ((struct diff_run *)arg)->plan;
	(void)time;
	return (si->at[0].what == RESOLVE_PRESENT && si->at[1].what == RESOLVE_PRESENT) || diff_rows_want(&p->rows) ||
	       p->narrow->hash_name != NULL;
}

static int compare(struct diff_plan *p, const struct state_item *si, struct err *e)
{
	const struct diff_row row = {
		.object = {buf_str(&si->item->key), si->item->key.len},
		.before = si->at[0].what == RESOLVE_PRESENT,
		.after = si->at[1].what == RESOLVE_PRESENT,
		.old = body_of(&si->at[0]),
		.new = body_of(&si->at[1]),
	};
	if (row.before && row.after && span_eq(row.old, row.new))
		return 0;
	if (p->narrow->hash_name != NULL && !narrow_has(p->narrow, row.after ? row.new : row.old))
		return 0;
	return diff_row_print(&p->rows, &row, e);
}

static void deliver(struct state_item *si, void *arg)
{
	struct diff_run *d = arg;
	struct diff_plan *p = d->plan;
	char shown[1100];
	struct err e;
	progress_clear(&d->progress);
	if (si->problem[0] != '\0') {
		p->missing++;
		cli_say("%s: %s", state_key(si, shown), si->problem);
	} else {
		int rc = compare(p, si, &e);
		if (rc < 0)
			state_fail(&d->state, rc, &e);
	}
	d->progress.items = p->rows.added + p->rows.changed + p->rows.removed;
	state_done(si);
}

/* Where nothing differs nothing is delivered. */
static void on_tick(uv_timer_t *t)
{
	struct diff_run *d = t->data;
	d->progress.seen = d->state.seen;
}

static void watch(struct diff_run *d)
{
	uv_loop_t *loop = &d->plan->session->loop;
	progress_start(&d->progress, loop);
	uv_timer_init(loop, &d->timer);
	d->timer.data = d;
	uv_timer_start(&d->timer, on_tick, TICK_MS, TICK_MS);
	uv_unref((uv_handle_t *)&d->timer);
}

int diff_times(struct diff_plan *p, struct err *e)
{
	struct diff_run d = {.plan = p};
	const struct state_options so = {
		.at = {{.ms = p->at_ms}, {.ms = p->with_ms}},
		.ntimes = 2,
		.since_ms = CLOCK_UNKNOWN,
		.bodies = true,
		.prefix = buf_str(&p->narrow->prefix),
		.exact = p->narrow->exact,
		.wants = wants,
		.deliver = deliver,
		.arg = &d,
	};
	int rc = state_init(&d.state, p->session, &so, e);
	watch(&d);
	if (rc == 0) {
		state_start(&d.state);
		rc = state_run(&d.state, e);
	}
	p->seen = d.state.seen;
	progress_end(&d.progress, NULL);
	uv_close((uv_handle_t *)&d.timer, NULL);
	state_fini(&d.state);
	return rc;
}
