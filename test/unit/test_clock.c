/* clock: times as text, both ways. The numbers are from `date -u -d TIME +%s`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define KNOWN INT64_C(1795437635195) /* 2026-11-23T12:40:35.195Z */

static void test_clocks_run(void **state)
{
	(void)state;
	int64_t mono = clock_mono_ms();
	assert_true(clock_mono_ms() >= mono);
	assert_true(mono >= 0);
	assert_true(llabs(clock_wall_ms() - (int64_t)time(NULL) * 1000) < 5000);
}

static void test_iso_text(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{KNOWN, "2026-11-23T12:40:35.195Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{-1000, "1969-12-31T23:59:59.000Z"},
		{INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
		{INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
		{INT64_C(253402300800000), ""},
		{INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
		{INT64_C(-62167219200001), ""},
		{CLOCK_UNKNOWN, ""},
		{INT64_MAX, ""},
		{INT64_MIN + 1, ""},
	};
	char out[CLOCK_ISO_SIZE];
	int64_t back;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ptr_equal(clock_iso(out, cases[i].ms), out);
		assert_string_equal(out, cases[i].text);
		if (out[0]) {
			assert_true(clock_parse_iso(out, &back));
			assert_int_equal(back, cases[i].ms);
		}
	}
}

/* Each day of the 400 years after which the calendar repeats itself, beside libc. */
static void test_every_day(void **state)
{
	(void)state;
	for (int64_t day = -62000; day < -62000 + 146097 + 1; day++) {
		const time_t s = (time_t)(day * 86400);
		struct tm tm;
		char text[40];
		int64_t ms;
		assert_non_null(gmtime_r(&s, &tm));
		assert_true(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		assert_true(clock_parse_iso(text, &ms));
		assert_int_equal(ms, day * 86400000);
		assert_true(strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
		assert_true(clock_parse_http(text, &ms));
		assert_int_equal(ms, day * 86400000);
	}
}

static void test_amz_text(void **state)
{
	(void)state;
	char out[17];
	assert_string_equal(clock_amz(out, KNOWN), "20261123T124035Z");
	assert_string_equal(clock_amz(out, 0), "19700101T000000Z");
	assert_string_equal(clock_amz(out, CLOCK_UNKNOWN), "");
}

static void test_parse_iso(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"2026-11-23T12:40:35.195Z", KNOWN},
		{"2026-11-23T12:40:35Z", KNOWN - 195},
		{"2026-11-23t12:40:35z", KNOWN - 195},
		{"2026-11-23T12:40:35.1959999999999999999999Z", KNOWN},
		{"2026-11-23T12:40:35.2Z", KNOWN + 5},
		{"2026-11-23T14:10:35.195+01:30", KNOWN},
		{"2026-11-22T12:41:35.195-23:59", KNOWN},
		{"2026-11-23T12:40:35.195-00:00", KNOWN},
		{"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
		/* RFC 3339 section 5.8, and with another zone */
		{"1990-12-31T23:59:60Z", INT64_C(662688000000)},
		{"1990-12-31T15:59:60-08:00", INT64_C(662688000000)},
		{"1990-12-31T23:59:60.5Z", INT64_C(662688000500)},
		{"1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130)},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = 7;
		assert_true(clock_parse_iso(cases[i].text, &ms));
		assert_int_equal(ms, cases[i].ms);
	}
}

static void test_parse_iso_refuses(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"2026",
		"2026-11-23",
		"2026-11-23T12:40:35",
		"2026-11-23 12:40:35Z",
		"2026-11-23T12:40Z",
		"2026-11-23T24:00:00Z",
		"2026-11-23T12:60:00Z",
		"2026-11-23T12:40:61Z",
		"2026-11-23T12:40:60Z",
		"1990-12-31T23:59:60-08:00",
		"2026-00-23T12:40:35Z",
		"2026-13-23T12:40:35Z",
		"2026-11-00T12:40:35Z",
		"2026-11-31T12:40:35Z",
		"2026-02-29T12:40:35Z",
		"2100-02-29T12:40:35Z",
		"2026-11-23T12:40:35.Z",
		"2026-11-23T12:40:35,5Z",
		"2026-11-23T12:40:35Zx",
		"2026-11-23T12:40:35Z ",
		" 2026-11-23T12:40:35Z",
		"2026-11-23T12:40:35+0100",
		"2026-11-23T12:40:35+24:00",
		"2026-11-23T12:40:35+01:60",
		"2026-11-23T12:40:35+",
		"+026-11-23T12:40:35Z",
		"20261123T124035Z",
		"12026-11-23T12:40:35Z",
		"2026-1-23T12:40:35Z",
		"-2026-11-23T12:40:35Z",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = 7;
		if (clock_parse_iso(cases[i], &ms))
			fail_msg("accepted: %s", cases[i]);
		assert_int_equal(ms, 7);
	}
}

static void test_parse_http(void **state)
{
	(void)state;
	int64_t ms = 7;
	assert_true(clock_parse_http("Mon, 23 Nov 2026 12:42:05 GMT", &ms));
	assert_int_equal(ms, INT64_C(1795437725000));
	/* RFC 9110 section 5.6.7 */
	assert_true(clock_parse_http("Sun, 06 Nov 1994 08:49:37 GMT", &ms));
	assert_int_equal(ms, INT64_C(784111777000));
	assert_true(clock_parse_http("Sat, 31 Dec 2016 23:59:60 GMT", &ms));
	assert_int_equal(ms, INT64_C(1483228800000));
	static const char *const refused[] = {
		"",
		"Tue, 23 Nov 2026 12:42:05 GMT",
		"Mon, 23 Nov 2026 12:42:05 UTC",
		"Mon, 23 Nov 2026 12:42:05",
		"Mon, 23 Nov 2026 12:42:05 GMT ",
		"Mon, 23 nov 2026 12:42:05 GMT",
		"Mon, 31 Nov 2026 12:42:05 GMT",
		"Mon,23 Nov 2026 12:42:05 GMT",
		"Monday, 23-Nov-26 12:42:05 GMT",
		"Sun Nov  6 08:49:37 1994",
		"Mon, 23 Nov 2026 24:42:05 GMT",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		ms = 7;
		if (clock_parse_http(refused[i], &ms))
			fail_msg("accepted: %s", refused[i]);
		assert_int_equal(ms, 7);
	}
}

/* Times are UTC wherever the host stands. */
static void test_time_zone_does_not_matter(void **state)
{
	(void)state;
	char out[CLOCK_ISO_SIZE];
	int64_t ms;
	setenv("TZ", "XXX-9:30YYY", 1);
	tzset();
	assert_string_equal(clock_iso(out, KNOWN), "2026-11-23T12:40:35.195Z");
	assert_true(clock_parse_iso("2026-11-23T12:40:35.195Z", &ms));
	assert_int_equal(ms, KNOWN);
	unsetenv("TZ");
	tzset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks_run), cmocka_unit_test(test_iso_text),
		cmocka_unit_test(test_every_day),  cmocka_unit_test(test_amz_text),
		cmocka_unit_test(test_parse_iso),  cmocka_unit_test(test_parse_iso_refuses),
		cmocka_unit_test(test_parse_http), cmocka_unit_test(test_time_zone_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
