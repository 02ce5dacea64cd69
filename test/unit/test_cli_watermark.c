/* What watermark.json says about the times that can be restored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "cli/watermark.h"

static bool covers(const char *json, const char *at, const char *reason)
{
	struct watermark w;
	struct err e;
	char why[300] = "";
	int64_t at_ms;
	assert_true(clock_parse_iso(at, &at_ms));
	assert_int_equal(watermark_parse(json, strlen(json), &w, &e), 0);
	bool result = watermark_covers(&w, at_ms, why, sizeof(why));
	if (!result && strstr(why, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, reason);
	watermark_fini(&w);
	return result;
}

#define PLAIN \
	"{\"version\":1,\"since\":\"2026-01-01T00:00:00Z\",\"complete_through\":\"2026-02-01T00:00:00Z\",\"gaps\":["

static void test_bounds(void **state)
{
	(void)state;
	const char *json = PLAIN "]}";
	assert_true(covers(json, "2026-01-01T00:00:00Z", ""));
	assert_true(covers(json, "2026-02-01T00:00:00Z", ""));
	assert_false(covers(json, "2025-12-31T23:59:59Z", "began"));
	assert_false(covers(json, "2026-02-01T00:00:00.001Z", "complete through"));
	assert_false(covers("{\"version\":1,\"gaps\":[]}", "2026-01-01T00:00:00Z", "nothing"));
	assert_false(covers(
		"{\"version\":1,\"since\":\"2026-01-01T00:00:00Z\",\"complete_through\":\"2025-12-31T23:59:59Z\","
		"\"gaps\":[]}",
		"2025-12-31T00:00:00Z", "nothing"));
}

static void test_gaps(void **state)
{
	(void)state;
	const char *json = PLAIN "{\"reason\":\"trimmed\",\"from\":\"2026-01-10T00:00:00Z\","
				 "\"to\":\"2026-01-11T00:00:00Z\"}],\"gap_count\":1}";
	assert_true(covers(json, "2026-01-09T23:59:59Z", ""));
	assert_false(covers(json, "2026-01-10T00:00:00Z", "trimmed"));
	assert_false(covers(json, "2026-01-20T00:00:00Z", "trimmed"));
	assert_false(covers(PLAIN "{\"reason\":\"recreated\"}]}", "2026-01-02T00:00:00Z", "recreated"));
	/* The oldest gaps were forgotten: nothing is sure. */
	assert_false(covers(PLAIN "],\"gap_count\":1}", "2026-01-02T00:00:00Z", "1 gaps"));
}

static void test_damaged(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "{", "[]", "{}", "{\"version\":2,\"gaps\":[]}", "{\"version\":1}"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct watermark w;
		struct err e;
		assert_int_equal(watermark_parse(texts[i], strlen(texts[i]), &w, &e), -ERR_CORRUPT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounds), cmocka_unit_test(test_gaps),
					   cmocka_unit_test(test_damaged)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
