/* What watermark.json says about the times that can be restored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
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

#define GAP(from, to, closed) \
	"{\"reason\":\"trimmed\",\"from\":" from ",\"to\":" to ",\"noticed\":" to ",\"closed\":" closed "}"
#define JAN(day) "\"2026-01-" day "T00:00:00Z\""

static void test_closed_gaps(void **state)
{
	(void)state;
	const char *json = PLAIN GAP(JAN("10"), JAN("11"), JAN("15")) "],\"gap_count\":1}";
	assert_true(covers(json, "2026-01-09T23:59:59.999Z", ""));
	assert_false(covers(json, "2026-01-10T00:00:00Z", "closed only at 2026-01-15"));
	assert_false(covers(json, "2026-01-14T23:59:59.999Z", "closed only at 2026-01-15"));
	assert_true(covers(json, "2026-01-15T00:00:00Z", ""));
	/* Without a beginning it spoils all times until it was closed. */
	json = PLAIN GAP("null", JAN("11"), JAN("15")) "],\"gap_count\":1}";
	assert_false(covers(json, "2026-01-01T00:00:00Z", "changes until 2026-01-11"));
	assert_true(covers(json, "2026-01-15T00:00:00Z", ""));
	/* What is no time closes nothing. */
	json = PLAIN GAP(JAN("10"), JAN("11"), "\"yes\"") "],\"gap_count\":1}";
	assert_false(covers(json, "2026-01-20T00:00:00Z", "is open"));
	json = PLAIN GAP(JAN("10"), JAN("11"), "true") "],\"gap_count\":1}";
	assert_false(covers(json, "2026-01-20T00:00:00Z", "is open"));
	/* Each counts by itself: the closed one until it was closed, the open one from its beginning. */
	json = PLAIN GAP(JAN("10"), JAN("11"), JAN("15")) "," GAP(JAN("20"), JAN("21"), "null") "],\"gap_count\":2}";
	assert_true(covers(json, "2026-01-19T23:59:59Z", ""));
	assert_false(covers(json, "2026-01-20T00:00:00Z", "2026-01-20"));
	assert_false(covers(json, "2026-01-12T00:00:00Z", "2026-01-15"));
}

/* Those that the list has lost were closed with, or before, those that it has. */
static void test_forgotten_gaps(void **state)
{
	(void)state;
	const char *json =
		PLAIN GAP(JAN("10"), JAN("11"), JAN("12")) "," GAP(JAN("13"), JAN("14"), JAN("15")) "]"
												    ",\"gap_count\":7}";
	assert_false(covers(json, "2026-01-02T00:00:00Z", "7 gaps"));
	assert_false(covers(json, "2026-01-12T12:00:00Z", "7 gaps"));
	assert_true(covers(json, "2026-01-15T00:00:00Z", ""));
	json = PLAIN GAP(JAN("10"), JAN("11"), JAN("12")) "," GAP(JAN("20"), JAN("21"), "null") "],\"gap_count\":7}";
	assert_false(covers(json, "2026-01-15T00:00:00Z", "7 gaps"));
}

static uint64_t open_gaps(const char *json)
{
	struct watermark w;
	struct err e;
	assert_int_equal(watermark_parse(json, strlen(json), &w, &e), 0);
	uint64_t n = watermark_open_gaps(&w);
	watermark_fini(&w);
	return n;
}

static void test_open_gaps(void **state)
{
	(void)state;
	assert_int_equal(open_gaps(PLAIN "]}"), 0);
	assert_int_equal(open_gaps(PLAIN GAP("null", "null", "null") "],\"gap_count\":1}"), 1);
	assert_int_equal(open_gaps(PLAIN GAP("null", "null", JAN("12")) "],\"gap_count\":1}"), 0);
	assert_int_equal(open_gaps(PLAIN GAP("null", "null", JAN("12")) "," GAP("null", "null",
										"null") "],\"gap_count\":5}"),
			 1);
	assert_int_equal(open_gaps(PLAIN GAP("null", "null", "null") "],\"gap_count\":5}"), 5);
	assert_int_equal(open_gaps(PLAIN "],\"gap_count\":5}"), 5);
}

static void test_gap_json(void **state)
{
	(void)state;
	const char *json = PLAIN GAP(JAN("10"), "null", JAN("12")) "],\"gap_count\":1}";
	struct watermark w;
	struct err e;
	assert_int_equal(watermark_parse(json, strlen(json), &w, &e), 0);
	json_t *o = watermark_gap_json(&w.gaps[0]);
	assert_string_equal(json_string_value(json_object_get(o, "reason")), "trimmed");
	assert_string_equal(json_string_value(json_object_get(o, "from")), "2026-01-10T00:00:00.000Z");
	assert_true(json_is_null(json_object_get(o, "to")));
	assert_true(json_is_null(json_object_get(o, "noticed")));
	assert_string_equal(json_string_value(json_object_get(o, "closed")), "2026-01-12T00:00:00.000Z");
	json_decref(o);
	watermark_fini(&w);
}

#define BASED(members) PLAIN "],\"baseline\":{" members "}}"

static void test_baseline(void **state)
{
	(void)state;
	const char *json = BASED("\"state\":\"scanning\"");
	assert_false(covers(json, "2026-01-20T00:00:00Z", "first baseline is not complete (scanning)"));
	assert_false(covers(BASED(""), "2026-01-20T00:00:00Z", "first baseline is not complete"));
	/* What is no time is no end. */
	json = BASED("\"state\":\"done\",\"complete_since\":7");
	assert_false(covers(json, "2026-01-20T00:00:00Z", "first baseline is not complete (done)"));
	json = BASED("\"state\":\"done\",\"complete_since\":" JAN("10"));
	assert_false(covers(json, "2026-01-09T23:59:59.999Z", "complete only at 2026-01-10"));
	assert_true(covers(json, "2026-01-10T00:00:00Z", ""));
	assert_false(covers(json, "2026-02-01T00:00:00.001Z", "complete through"));
	assert_false(covers(json, "2025-12-31T23:59:59Z", "began"));
	/* A later run takes nothing away. */
	json = BASED("\"state\":\"removing\",\"complete_since\":" JAN("10"));
	assert_true(covers(json, "2026-01-10T00:00:00Z", ""));
	/* What is no object is no baseline. */
	assert_true(covers(PLAIN "],\"baseline\":null}", "2026-01-02T00:00:00Z", ""));
}

static void test_baseline_members(void **state)
{
	(void)state;
	const char *json = BASED("\"state\":\"scanning\",\"reason\":\"request\",\"request\":\"ab12\",\"began\":" JAN(
		"10") ",\"items\":7,\"written\":3,\"removed\":-1,\"total\":9,\"units\":2.5,\"foreign\":\"x\"");
	struct watermark w;
	struct err e;
	char text[WATERMARK_PROGRESS_SIZE];
	assert_int_equal(watermark_parse(json, strlen(json), &w, &e), 0);
	assert_true(watermark_baseline_runs(&w.baseline));
	assert_string_equal(watermark_baseline_text(text, &w.baseline), "7 of about 9 items, 3 written, 0 removed");
	json_t *o = watermark_baseline_json(&w.baseline);
	assert_string_equal(json_string_value(json_object_get(o, "request")), "ab12");
	assert_string_equal(json_string_value(json_object_get(o, "began")), "2026-01-10T00:00:00.000Z");
	assert_true(json_is_null(json_object_get(o, "complete_since")));
	assert_int_equal(json_integer_value(json_object_get(o, "items")), 7);
	assert_true(json_real_value(json_object_get(o, "units")) > 2.4);
	json_decref(o);
	w.baseline.total = 0;
	assert_string_equal(watermark_baseline_text(text, &w.baseline), "7 items, 3 written, 0 removed");
	snprintf(w.baseline.state, sizeof(w.baseline.state), "cancelled");
	assert_false(watermark_baseline_runs(&w.baseline));
	w.baseline.present = false;
	o = watermark_baseline_json(&w.baseline);
	assert_true(json_is_null(o));
	json_decref(o);
	watermark_fini(&w);
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounds),      cmocka_unit_test(test_gaps),
					   cmocka_unit_test(test_closed_gaps), cmocka_unit_test(test_forgotten_gaps),
					   cmocka_unit_test(test_open_gaps),   cmocka_unit_test(test_gap_json),
					   cmocka_unit_test(test_baseline),    cmocka_unit_test(test_baseline_members),
					   cmocka_unit_test(test_damaged)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
