/* base/rate.h, by a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/rate.h"

static void test_burst_then_pace(void **state)
{
	struct rate r;
	(void)state;
	rate_init(&r, 100, 5000);
	assert_int_equal(rate_wait_ms(&r, 100, 5000), 0);
	rate_take(&r, 100, 5000);
	assert_int_equal(rate_wait_ms(&r, 1, 5000), 10);
	assert_int_equal(rate_wait_ms(&r, 25, 5000), 250);
	assert_int_equal(rate_wait_ms(&r, 25, 5249), 1);
	assert_int_equal(rate_wait_ms(&r, 25, 5250), 0);
}

static void test_idle_gathers_one_second(void **state)
{
	struct rate r;
	(void)state;
	rate_init(&r, 100, 0);
	assert_true(fabs(rate_balance(&r, 3600000) - 100) < 1e-3);
	rate_take(&r, 150, 3600000);
	assert_true(fabs(rate_balance(&r, 3600000) + 50) < 1e-3);
}

/* More than a full bucket goes from a full one, and what follows waits for the debt. */
static void test_larger_than_the_bucket(void **state)
{
	struct rate r;
	(void)state;
	rate_init(&r, 10, 0);
	assert_int_equal(rate_wait_ms(&r, 400, 0), 0);
	rate_take(&r, 400, 0);
	assert_int_equal(rate_wait_ms(&r, 1, 0), 39100);
	assert_int_equal(rate_wait_ms(&r, 400, 0), 40000);
	assert_int_equal(rate_wait_ms(&r, 400, 40000), 0);
}

static void test_give_back_and_charge(void **state)
{
	struct rate r;
	(void)state;
	rate_init(&r, 10, 0);
	rate_take(&r, 10, 0);
	rate_take(&r, -4, 0);
	assert_int_equal(rate_wait_ms(&r, 4, 0), 0);
	assert_int_equal(rate_wait_ms(&r, 5, 0), 100);
	/* No more than a full bucket comes of it. */
	rate_take(&r, -1000, 0);
	assert_true(fabs(rate_balance(&r, 0) - 10) < 1e-3);
	rate_take(&r, 30, 0);
	assert_int_equal(rate_wait_ms(&r, 10, 0), 3000);
}

static void test_no_limit(void **state)
{
	static const double none[] = {0, -1, -INFINITY, INFINITY, NAN};
	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct rate r;
		rate_init(&r, none[i], 0);
		rate_take(&r, 1e12, 0);
		assert_int_equal(rate_wait_ms(&r, 1e12, 0), 0);
		assert_true(isinf(rate_balance(&r, 0)));
	}
}

static void test_clock_stands_or_goes_back(void **state)
{
	struct rate r;
	(void)state;
	rate_init(&r, 10, 1000);
	rate_take(&r, 10, 1000);
	assert_int_equal(rate_wait_ms(&r, 1, 0), 100);
	assert_int_equal(rate_wait_ms(&r, 1, 1000), 100);
	assert_int_equal(rate_wait_ms(&r, 1, 1100), 0);
}

static void test_very_slow(void **state)
{
	struct rate r;
	(void)state;
	rate_init(&r, 1e-9, 0);
	assert_int_equal(rate_wait_ms(&r, 1, 0), 0);
	rate_take(&r, 1, 0);
	assert_int_equal(rate_wait_ms(&r, 1, 0), 3600000);
}

/* Whoever waits as told, whatever for, never gets more than the rate and one second's worth, nor much less. */
static void test_mean_holds(void **state)
{
	static const double rates[] = {0.7, 3, 250, 40000};
	uint32_t x = 1;
	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct rate r;
		int64_t now_ms = 0;
		double taken = 0, last = 0;
		rate_init(&r, rates[i], 0);
		while (now_ms < 1000000) {
			x = x * 1664525 + 1013904223;
			double units = 1 + (x >> 24) % 25;
			for (int64_t wait_ms; (wait_ms = rate_wait_ms(&r, units, now_ms)) > 0;)
				now_ms += wait_ms;
			/* What was waited for may go, all of it. */
			assert_true(rate_balance(&r, now_ms) >= fmin(units, rates[i]));
			rate_take(&r, units, now_ms);
			taken += units;
			last = units;
			assert_true(taken - units <= rates[i] * ((double)now_ms / 1000 + 1) + 0.001);
		}
		assert_true(taken >= rates[i] * (double)now_ms / 1000 * 0.98 - last - 25);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_then_pace),
		cmocka_unit_test(test_idle_gathers_one_second),
		cmocka_unit_test(test_larger_than_the_bucket),
		cmocka_unit_test(test_give_back_and_charge),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_clock_stands_or_goes_back),
		cmocka_unit_test(test_very_slow),
		cmocka_unit_test(test_mean_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
