/* when: points of time as an operator types them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/when.h"

#define NOW_MS INT64_C(1795000000123)

static void test_times(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"now", NOW_MS},
		{"-30m", NOW_MS - 1800000},
		{"-1d12h", NOW_MS - 129600000},
		{"-0s", NOW_MS},
		{"1970-01-01T00:00:01Z", 1000},
		{"2001-09-09T03:46:40.5+02:00", INT64_C(1000000000500)},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = -7;
		if (!when_parse(cases[i].text, NOW_MS, &ms))
			fail_msg("refused: %s", cases[i].text);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const char *const refused[] = {
		"",
		"-",
		"30m",
		"-30",
		"--30m",
		"- 30m",
		"+30m",
		"yesterday",
		"NOW",
		"now ",
		"-999999d",
		"2026-11-23",
		"2026-11-23T12:40:35",
		"1969-12-31T23:59:59Z",
		"-9223372036854775807ms",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		int64_t ms = -7;
		if (when_parse(refused[i], NOW_MS, &ms))
			fail_msg("accepted: %s", refused[i]);
		assert_int_equal(ms, -7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_times), cmocka_unit_test(test_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
