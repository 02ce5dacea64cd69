/* Lanes: an item's records one after another, items beside each other, groups in turn (I2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lane.h"

#define MODEL_GROUPS 3
#define MODEL_ITEMS 40
#define MODEL_RECORDS 6000
#define MODEL_SEEDS 20

static struct lanes lanes;
static struct lane_group groups[MODEL_GROUPS];

/* A record whose first bytes of digest are its item, with room for what the model wants to know. */
struct probe {
	struct record r;
	size_t item, order, group;
	bool done;
};

static int set_up(void **state)
{
	(void)state;
	lanes_init(&lanes, 0);
	for (size_t i = 0; i < MODEL_GROUPS; i++)
		lane_group_init(&groups[i]);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lanes_fini(&lanes);
	return 0;
}

static struct lane_group *group_of(const struct record *r)
{
	return &groups[((const struct probe *)r)->group];
}

static void name_item(struct probe *p, size_t group, size_t item)
{
	p->group = group;
	p->item = item;
	memset(p->r.item, (int)item, sizeof(p->r.item));
	p->r.item[0] = (uint8_t)group;
}

static void push(struct probe *p, size_t group, size_t item)
{
	name_item(p, group, item);
	assert_int_equal(lanes_reserve(&lanes, 1), 0);
	lane_push(&lanes, &groups[group], &p->r);
}

static struct probe *take(void)
{
	struct lane_group *g = NULL;
	struct record *r = lane_take(&lanes, &g);

	if (r == NULL)
		return NULL;
	assert_ptr_equal(g, group_of(r));
	assert_int_equal(r->state, RECORD_WRITING);
	return (struct probe *)r;
}

static void done(struct probe *p)
{
	lane_done(&lanes, &groups[p->group], &p->r);
	assert_int_equal(p->r.state, RECORD_DURABLE);
}

static void test_an_item_goes_in_order_and_one_at_a_time(void **state)
{
	struct probe p[3] = {0};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		push(&p[i], 0, 1);
	assert_int_equal(p[0].r.state, RECORD_READY);
	assert_int_equal(p[2].r.state, RECORD_QUEUED);
	for (size_t i = 0; i < 3; i++) {
		assert_ptr_equal(take(), &p[i]);
		assert_null(take());
		done(&p[i]);
	}
	assert_null(take());
	assert_int_equal(lanes.records, 0);
	assert_int_equal(lanes.items.count, 0);
}

static void test_a_record_that_comes_while_the_last_is_written_waits(void **state)
{
	struct probe a = {0}, b = {0};

	(void)state;
	push(&a, 0, 1);
	assert_ptr_equal(take(), &a);
	push(&b, 0, 1);
	assert_null(take());
	done(&a);
	assert_ptr_equal(take(), &b);
	done(&b);
}

static void test_items_go_in_parallel(void **state)
{
	struct probe p[4] = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		push(&p[i], 0, i);
	for (size_t i = 0; i < 4; i++)
		assert_ptr_equal(take(), &p[i]);
	for (size_t i = 4; i-- > 0;)
		done(&p[i]);
	assert_int_equal(lanes.records, 0);
}

static void test_groups_take_turns(void **state)
{
	struct probe a[4] = {0}, b = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		push(&a[i], 0, i);
	push(&b, 1, 0);
	/* A table with much to do does not keep another's one record waiting behind all of its own. */
	assert_ptr_equal(take(), &a[0]);
	assert_ptr_equal(take(), &b);
	assert_ptr_equal(take(), &a[1]);
	assert_ptr_equal(take(), &a[2]);
	assert_ptr_equal(take(), &a[3]);
	assert_null(take());
	for (size_t i = 0; i < 4; i++)
		done(&a[i]);
	done(&b);
}

/* What is new waits for one record of a backlog, an item's next one for one of each; and neither ends the other's turns. */
static void test_ranks_take_turns(void **state)
{
	struct probe backlog[4] = {0}, fresh[2] = {0}, hot[3] = {0};

	(void)state;
	push(&hot[0], 0, 50);
	for (size_t i = 0; i < 4; i++) {
		backlog[i].r.rank = RECORD_BACKLOG;
		push(&backlog[i], 0, i);
	}
	for (size_t i = 1; i < 3; i++) {
		hot[i].r.rank = RECORD_BACKLOG;
		push(&hot[i], 0, 50);
	}
	for (size_t i = 0; i < 2; i++)
		push(&fresh[i], 0, 60 + i);
	assert_ptr_equal(take(), &hot[0]);
	assert_ptr_equal(take(), &backlog[0]);
	done(&hot[0]);
	assert_ptr_equal(take(), &hot[1]);
	assert_ptr_equal(take(), &fresh[0]);
	done(&hot[1]);
	assert_ptr_equal(take(), &backlog[1]);
	assert_ptr_equal(take(), &hot[2]);
	assert_ptr_equal(take(), &fresh[1]);
	assert_ptr_equal(take(), &backlog[2]);
	assert_ptr_equal(take(), &backlog[3]);
	assert_null(take());
	for (size_t i = 0; i < 4; i++)
		done(&backlog[i]);
	done(&hot[2]);
	for (size_t i = 0; i < 2; i++)
		done(&fresh[i]);
	assert_int_equal(lanes.records, 0);
}

static void test_a_blocked_group_starts_nothing(void **state)
{
	struct probe a = {0}, a2 = {0}, b = {0};

	(void)state;
	push(&a, 0, 1);
	push(&a2, 0, 2);
	push(&b, 1, 1);
	assert_ptr_equal(take(), &a);
	lane_block(&lanes, &groups[0], true);
	lane_untake(&lanes, &groups[0], &a.r);
	assert_ptr_equal(take(), &b); /* others go on */
	assert_null(take());
	lane_block(&lanes, &groups[0], true); /* twice is no more than once */
	lane_block(&lanes, &groups[0], false);
	assert_ptr_equal(take(), &a); /* given back, it is still the first */
	assert_ptr_equal(take(), &a2);
	done(&a);
	done(&a2);
	done(&b);
}

static void test_a_failed_record_holds_its_item_only(void **state)
{
	struct probe a = {0}, a2 = {0}, b = {0};

	(void)state;
	push(&a, 0, 1);
	push(&a2, 0, 1);
	push(&b, 0, 2);
	assert_ptr_equal(take(), &a);
	lane_retry(&lanes, &groups[0], &a.r, 1000, 500);
	assert_int_equal(a.r.state, RECORD_WAITING);
	assert_int_equal(groups[0].waiting, 1);
	assert_ptr_equal(take(), &b);
	assert_null(take());
	lanes_wake(&lanes, 1400, group_of);
	assert_null(take());
	lanes_wake(&lanes, 1000 + 500 + WHEEL_TICK_MS, group_of);
	assert_int_equal(groups[0].waiting, 0);
	assert_ptr_equal(take(), &a);
	assert_null(take());
	done(&a);
	assert_ptr_equal(take(), &a2);
	done(&a2);
	done(&b);
}

static void test_what_wakes_in_a_blocked_group_waits_on(void **state)
{
	struct probe a = {0};

	(void)state;
	push(&a, 0, 1);
	assert_ptr_equal(take(), &a);
	lane_retry(&lanes, &groups[0], &a.r, 0, 1);
	lane_block(&lanes, &groups[0], true);
	lanes_wake(&lanes, 10 * WHEEL_TICK_MS, group_of);
	assert_null(take());
	lane_block(&lanes, &groups[0], false);
	assert_ptr_equal(take(), &a);
	done(&a);
}

/* xorshift64: the same sequence everywhere, so that a seed that fails fails again. */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* The naive model: what must be true of each item, whatever is done in which order. */
struct model {
	size_t pushed[MODEL_GROUPS][MODEL_ITEMS], finished[MODEL_GROUPS][MODEL_ITEMS];
	bool busy[MODEL_GROUPS][MODEL_ITEMS]; /* with a worker, or waiting to be tried again */
	bool blocked[MODEL_GROUPS];
	struct probe *taken[MODEL_RECORDS];
	size_t ntaken, waiting, open;
};

/* Groups that may start something, and whether any can. */
static bool anything_ready(const struct model *m)
{
	for (size_t g = 0; g < MODEL_GROUPS; g++)
		for (size_t i = 0; i < MODEL_ITEMS && !m->blocked[g]; i++)
			if (m->pushed[g][i] > m->finished[g][i] && !m->busy[g][i])
				return true;
	return false;
}

static void model_take(struct model *m)
{
	struct probe *p = take();

	if (p == NULL) {
		assert_false(anything_ready(m));
		return;
	}
	assert_false(m->blocked[p->group]);
	assert_false(m->busy[p->group][p->item]);
	assert_int_equal(p->order, m->finished[p->group][p->item]); /* none is left out, none comes early */
	m->busy[p->group][p->item] = true;
	m->taken[m->ntaken++] = p;
}

static void model_end(struct model *m, uint64_t *x, int64_t now_ms)
{
	if (m->ntaken == 0)
		return;
	size_t which = next_random(x) % m->ntaken;
	struct probe *p = m->taken[which];
	m->taken[which] = m->taken[--m->ntaken];
	switch (next_random(x) % 4) {
	case 0:
		lane_retry(&lanes, &groups[p->group], &p->r, now_ms, (int64_t)(next_random(x) % 3000));
		m->waiting++;
		return;
	case 1:
		lane_untake(&lanes, &groups[p->group], &p->r);
		m->busy[p->group][p->item] = false;
		return;
	default:
		done(p);
		p->done = true;
		m->busy[p->group][p->item] = false;
		m->finished[p->group][p->item]++;
		m->open--;
		return;
	}
}

static void model_wake(struct model *m, struct probe *all, size_t n, int64_t now_ms)
{
	lanes_wake(&lanes, now_ms, group_of);
	for (size_t i = 0; i < n; i++) {
		struct probe *p = &all[i];

		if (p->r.state != RECORD_READY || !m->busy[p->group][p->item])
			continue;
		m->busy[p->group][p->item] = false;
		m->waiting--;
	}
	size_t waiting = 0;
	for (size_t g = 0; g < MODEL_GROUPS; g++)
		waiting += groups[g].waiting;
	assert_int_equal(waiting, m->waiting);
	assert_int_equal(lanes.wheel.count, m->waiting);
}

static void model_push(struct model *m, struct probe *p, uint64_t *x)
{
	size_t group = next_random(x) % MODEL_GROUPS, item = next_random(x) % MODEL_ITEMS;

	p->order = m->pushed[group][item]++;
	p->r.rank = next_random(x) % 2 ? RECORD_BACKLOG : RECORD_NEW;
	push(p, group, item);
	m->open++;
}

static void run_model(uint64_t seed)
{
	struct probe *all = calloc(MODEL_RECORDS, sizeof(*all));
	struct model *m = calloc(1, sizeof(*m));
	uint64_t x = seed;
	int64_t now_ms = 0;
	size_t n = 0;

	assert_non_null(all);
	assert_non_null(m);
	while (n < MODEL_RECORDS || m->open > 0) {
		size_t group = next_random(&x) % MODEL_GROUPS;

		switch (next_random(&x) % 16) {
		case 0:
			m->blocked[group] = n < MODEL_RECORDS && next_random(&x) % 2 == 0;
			lane_block(&lanes, &groups[group], m->blocked[group]);
			break;
		case 1:
			now_ms += (int64_t)(next_random(&x) % 500);
			model_wake(m, all, n, now_ms);
			break;
		case 2:
		case 3:
		case 4:
		case 5:
		case 6:
			if (n < MODEL_RECORDS)
				model_push(m, &all[n++], &x);
			break;
		case 7:
		case 8:
		case 9:
		case 10:
			model_end(m, &x, now_ms);
			break;
		default:
			model_take(m);
			break;
		}
		assert_int_equal(lanes.records, m->open);
	}
	assert_int_equal(lanes.items.count, 0);
	assert_int_equal(lanes.wheel.count, 0);
	for (size_t i = 0; i < n; i++)
		assert_true(all[i].done);
	free(m);
	free(all);
}

static void test_against_a_naive_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= MODEL_SEEDS; seed++) {
		tear_down(NULL);
		set_up(NULL);
		run_model(seed * UINT64_C(0x9e3779b97f4a7c15));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_item_goes_in_order_and_one_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_record_that_comes_while_the_last_is_written_waits, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_items_go_in_parallel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_groups_take_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ranks_take_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_blocked_group_starts_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_failed_record_holds_its_item_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_wakes_in_a_blocked_group_waits_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_against_a_naive_model, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
