/* wheel: nothing early, nothing late by more than a slot, nothing lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/wheel.h"

#define START INT64_C(1000003) /* not at the edge of a slot */

static struct wheel w;

static void test_due_after_its_delay(void **state)
{
	(void)state;
	static const int64_t delays[] = {1, 2, 63, 64, 65, 100, 1000, 20000, 59999, 60000};
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		struct wheel_node n = {0};
		wheel_init(&w, START);
		assert_false(wheel_waiting(&n));
		wheel_add(&w, &n, START, delays[i]);
		assert_true(wheel_waiting(&n));
		assert_int_equal(w.count, 1);
		int64_t at = START;
		while (!wheel_due(&w, at))
			at++;
		assert_in_range(at - START, delays[i], delays[i] + WHEEL_TICK_MS - 1);
		assert_false(wheel_waiting(&n));
		assert_int_equal(w.count, 0);
		assert_null(wheel_due(&w, at));
	}
}

static void test_delay_is_capped(void **state)
{
	(void)state;
	struct wheel_node n = {0};
	wheel_init(&w, START);
	wheel_add(&w, &n, START, INT64_MAX / 2);
	assert_null(wheel_due(&w, START + WHEEL_DELAY_MAX_MS - 1));
	assert_ptr_equal(wheel_due(&w, START + WHEEL_DELAY_MAX_MS + WHEEL_TICK_MS), &n);
}

static void test_zero_and_negative_wait_for_the_next_turn(void **state)
{
	(void)state;
	struct wheel_node n = {0};
	const int64_t edge = 64 * 1000;
	wheel_init(&w, edge);
	wheel_add(&w, &n, edge, 0);
	assert_null(wheel_due(&w, edge));
	assert_ptr_equal(wheel_due(&w, edge + 64), &n);
	/* What comes back while the wheel is being emptied must not be handed out for ever. */
	wheel_add(&w, &n, edge + 64, -5);
	assert_null(wheel_due(&w, edge + 64));
	assert_ptr_equal(wheel_due(&w, edge + 128), &n);
}

static void test_remove(void **state)
{
	(void)state;
	struct wheel_node a = {0}, b = {0}, c = {0};
	wheel_init(&w, START);
	wheel_add(&w, &a, START, 10);
	wheel_add(&w, &b, START, 10);
	wheel_add(&w, &c, START, 10);
	wheel_remove(&w, &b);
	wheel_remove(&w, &b);
	assert_false(wheel_waiting(&b));
	assert_int_equal(w.count, 2);
	assert_ptr_equal(wheel_due(&w, START + 100), &a);
	assert_ptr_equal(wheel_due(&w, START + 100), &c);
	assert_null(wheel_due(&w, START + 100));
	wheel_add(&w, &b, START + 100, 10);
	assert_ptr_equal(wheel_due(&w, START + 300), &b);
}

static void test_time_may_jump_over_whole_turns(void **state)
{
	(void)state;
	struct wheel_node nodes[100] = {0};
	wheel_init(&w, START);
	for (int64_t i = 0; i < 100; i++)
		wheel_add(&w, &nodes[i], START, i * 600);
	for (int i = 0; i < 100; i++)
		assert_non_null(wheel_due(&w, START + INT64_C(86400000)));
	assert_null(wheel_due(&w, START + INT64_C(86400000)));
	assert_int_equal(w.count, 0);
	wheel_add(&w, &nodes[0], START + INT64_C(86400000), 500);
	assert_null(wheel_due(&w, START + INT64_C(86400499)));
	assert_ptr_equal(wheel_due(&w, START + INT64_C(86400564)), &nodes[0]);
}

static void test_late_caller_gets_nothing_early(void **state)
{
	(void)state;
	/* The loop stood still for 30 s; what is added now lies more than one turn ahead of the slots done. */
	struct wheel_node old = {0}, late = {0};
	wheel_init(&w, START);
	wheel_add(&w, &old, START, 50000);
	wheel_add(&w, &late, START + 30000, 60000);
	assert_null(wheel_due(&w, START + 30000));
	assert_ptr_equal(wheel_due(&w, START + 50064), &old);
	assert_null(wheel_due(&w, START + 89999));
	assert_ptr_equal(wheel_due(&w, START + 90064), &late);
}

static void test_time_going_back_is_harmless(void **state)
{
	(void)state;
	struct wheel_node n = {0};
	wheel_init(&w, START);
	assert_null(wheel_due(&w, START + 1000));
	assert_null(wheel_due(&w, START));
	wheel_add(&w, &n, START, 1);
	assert_ptr_equal(wheel_due(&w, START + 1128), &n);
}

static void test_many_at_random(void **state)
{
	(void)state;
	enum { N = 5000 };
	static struct {
		struct wheel_node node;
		int64_t due;
	} things[N];
	srandom(42);
	wheel_init(&w, 0);
	int64_t now = 0;
	int fired = 0, added = 0;
	while (fired < 4 * N) {
		if (added < 4 * N) {
			size_t i = (size_t)random() % N;
			if (!wheel_waiting(&things[i].node)) {
				int64_t delay = random() % 60000 + 1;
				things[i].due = now + delay;
				wheel_add(&w, &things[i].node, now, delay);
				added++;
			}
		}
		now += random() % 20;
		struct wheel_node *n;
		while ((n = wheel_due(&w, now))) {
			size_t i = (size_t)((char *)n - (char *)things) / sizeof(things[0]);
			assert_in_range(now, things[i].due, things[i].due + 64 + 20);
			fired++;
		}
	}
	assert_int_equal(fired, added);
	assert_int_equal(w.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due_after_its_delay),
		cmocka_unit_test(test_delay_is_capped),
		cmocka_unit_test(test_zero_and_negative_wait_for_the_next_turn),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_time_may_jump_over_whole_turns),
		cmocka_unit_test(test_late_caller_gets_nothing_early),
		cmocka_unit_test(test_time_going_back_is_harmless),
		cmocka_unit_test(test_many_at_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
