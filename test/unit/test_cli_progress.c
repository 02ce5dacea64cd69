/* progress: the line that is shown while a run goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "progress.h"

static void shows(const struct progress *p, int64_t elapsed_ms, const char *want)
{
	char text[PROGRESS_TEXT_SIZE];
	assert_string_equal(progress_text(text, p, elapsed_ms), want);
}

static void test_without_an_estimate(void **state)
{
	(void)state;
	shows(&(struct progress){0}, 0, "0 items of 0 keys, 0 bytes, 0 items/s");
	shows(&(struct progress){.items = 12, .seen = 15, .bytes = 3 << 20}, 2000,
	      "12 items of 15 keys, 3.0 MiB, 6 items/s");
	/* A line that cannot be longer. */
	char text[PROGRESS_TEXT_SIZE];
	const struct progress most = {.items = UINT64_MAX - 1,
				      .seen = UINT64_MAX,
				      .bytes = UINT64_MAX,
				      .expected = UINT64_MAX};
	assert_true(strlen(progress_text(text, &most, 1)) < PROGRESS_TEXT_SIZE - 1);
}

static void test_time_left(void **state)
{
	(void)state;
	shows(&(struct progress){.items = 100, .seen = 100, .expected = 550}, 10000,
	      "100 items of 100 keys, 0 bytes, 10 items/s, about 45s left");
	shows(&(struct progress){.items = 100, .seen = 100, .expected = 1700}, 10000,
	      "100 items of 100 keys, 0 bytes, 10 items/s, about 2m40s left");
	shows(&(struct progress){.items = 1, .seen = 1, .expected = 7501}, 1000,
	      "1 items of 1 keys, 0 bytes, 1 items/s, about 2h05m left");
	shows(&(struct progress){.items = 1, .seen = 1, .expected = 180001}, 1000,
	      "1 items of 1 keys, 0 bytes, 1 items/s, about 2d02h left");
	/* There are more than the table had when it was counted. */
	shows(&(struct progress){.items = 550, .seen = 550, .expected = 550}, 1000,
	      "550 items of 550 keys, 0 bytes, 550 items/s");
	/* Nothing was done yet: nothing is known. */
	shows(&(struct progress){.seen = 5, .expected = 550}, 1000, "0 items of 5 keys, 0 bytes, 0 items/s");
}

static void test_a_run_that_goes_on(void **state)
{
	(void)state;
	shows(&(struct progress){.items = 1100, .before = 1000, .seen = 100, .expected = 2000}, 10000,
	      "1100 items of 100 keys, 0 bytes, 10 items/s, about 1m30s left");
}

/* In place not every key is written. */
static void test_by_keys(void **state)
{
	(void)state;
	shows(&(struct progress){.items = 3, .seen = 1000, .expected = 3000, .by_keys = true}, 10000,
	      "3 items of 1000 keys, 0 bytes, 0 items/s, about 20s left");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_an_estimate),
		cmocka_unit_test(test_time_left),
		cmocka_unit_test(test_a_run_that_goes_on),
		cmocka_unit_test(test_by_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
