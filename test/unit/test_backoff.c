/* backoff: bounds for every class and attempt, and that the waits are spread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>

#include "base/backoff.h"

#define DRAWS 2000

static void check_bounds(enum err_class class, unsigned attempt, int ceiling_ms)
{
	struct err e = {.class = class};
	int least = INT_MAX, most = 0;
	for (int i = 0; i < DRAWS; i++) {
		int ms = backoff_delay_ms(&e, attempt);
		assert_in_range(ms, 1, ceiling_ms);
		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	/* 2,000 draws miss a tenth of the range with a chance of 0.9^2000. */
	assert_true(least <= ceiling_ms / 10 + 1);
	assert_true(most >= ceiling_ms - ceiling_ms / 10);
}

static void test_doubles_up_to_the_cap(void **state)
{
	(void)state;
	check_bounds(ERR_RETRY, 1, 50);
	check_bounds(ERR_RETRY, 2, 100);
	check_bounds(ERR_RETRY, 5, 800);
	check_bounds(ERR_RETRY, 10, BACKOFF_CAP_MS);
	check_bounds(ERR_THROTTLE, 1, 500);
	check_bounds(ERR_THROTTLE, 3, 2000);
	check_bounds(ERR_THROTTLE, 7, BACKOFF_CAP_MS);
	check_bounds(ERR_DENIED, 1, 1000);
	check_bounds(ERR_DENIED, 4, 8000);
	check_bounds(ERR_DENIED, 7, BACKOFF_PERMANENT_CAP_MS);
	check_bounds(ERR_INVALID, 8, BACKOFF_PERMANENT_CAP_MS);
}

static void test_any_attempt_will_do(void **state)
{
	(void)state;
	check_bounds(ERR_RETRY, 0, 50);
	check_bounds(ERR_RETRY, UINT_MAX, BACKOFF_CAP_MS);
	check_bounds(ERR_AUTH, UINT_MAX, BACKOFF_PERMANENT_CAP_MS);
}

static void test_server_sets_the_least(void **state)
{
	(void)state;
	struct err e = {.class = ERR_THROTTLE, .retry_after_ms = 7000};
	for (int i = 0; i < DRAWS; i++)
		assert_int_equal(backoff_delay_ms(&e, 1), 7000);
	for (int i = 0; i < DRAWS; i++)
		assert_in_range(backoff_delay_ms(&e, 20), 7000, BACKOFF_CAP_MS);
	e.retry_after_ms = INT_MAX;
	assert_int_equal(backoff_delay_ms(&e, 1), 60000);
	e.retry_after_ms = -5;
	for (int i = 0; i < DRAWS; i++)
		assert_in_range(backoff_delay_ms(&e, 1), 1, 500);
}

static void test_random_is_uniform(void **state)
{
	(void)state;
	int seen[10] = {0};
	assert_int_equal(backoff_random(0), 0);
	assert_int_equal(backoff_random(1), 0);
	for (int i = 0; i < 10000; i++) {
		uint64_t r = backoff_random(10);
		assert_true(r < 10);
		seen[r]++;
	}
	/* 1,000 each; 200 away is more than six standard deviations. */
	for (int i = 0; i < 10; i++)
		assert_in_range(seen[i], 800, 1200);
	/* A bound that does not divide 2^64: a plain remainder would make the first third twice as likely. */
	int first_third = 0;
	for (int i = 0; i < 9000; i++)
		first_third += backoff_random(UINT64_C(3) << 62) < UINT64_C(1) << 62;
	assert_in_range(first_third, 2700, 3300);
	uint64_t either = 0;
	for (int i = 0; i < 200; i++)
		either |= backoff_random(UINT64_MAX);
	assert_true(either == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_up_to_the_cap),
		cmocka_unit_test(test_any_attempt_will_do),
		cmocka_unit_test(test_server_sets_the_least),
		cmocka_unit_test(test_random_is_uniform),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
