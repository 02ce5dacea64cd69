/* How far a baseline came, as JSON in checkpoint and watermark.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "position_baseline.h"

#define T0 INT64_C(1795435320195)

static struct position_baseline *parse(const char *text, struct err *e)
{
	struct position_baseline *b = NULL;
	json_t *j = json_loads(text, 0, NULL);
	assert_non_null(j);
	int rc = position_baseline_from_json(j, &b, e);
	json_decref(j);
	assert_true((rc == 0) == (b != NULL));
	return b;
}

static struct position_baseline *made(void)
{
	struct position_baseline *b = position_baseline_new();
	assert_non_null(b);
	b->state = BASELINE_SCANNING;
	b->reason = BASELINE_GAP;
	b->request = strdup("0123");
	b->began_ms = T0;
	b->complete_since_ms = T0 - 5;
	b->items = 1;
	b->equal = 2;
	b->written = 3;
	b->removed = 4;
	b->left_to_stream = 5;
	b->foreign = 6;
	b->total = 7;
	b->throttles = 8;
	b->units = 9.5;
	b->rate = 2.25;
	b->nsegments = 2;
	b->segments[0].after = strdup("{\"id\":{\"S\":\"\xc3\xa9 \\\"x\\\"\"}}");
	b->segments[1].done = true;
	b->removed_after = strdup("a/b%20c");
	return b;
}

static void test_there_and_back(void **state)
{
	struct position_baseline *b = made(), *again = NULL;
	struct err e;
	(void)state;
	json_t *j = position_baseline_to_json(b);
	assert_int_equal(position_baseline_from_json(j, &again, &e), 0);
	json_t *k = position_baseline_to_json(again);
	assert_true(json_equal(j, k));
	assert_int_equal(again->nsegments, 2);
	assert_string_equal(again->segments[0].after, b->segments[0].after);
	assert_false(again->segments[0].done);
	assert_null(again->segments[1].after);
	assert_true(again->segments[1].done);
	assert_string_equal(again->removed_after, "a/b%20c");
	assert_int_equal(again->ended_ms, CLOCK_UNKNOWN);
	assert_int_equal(again->complete_since_ms, T0 - 5);
	json_decref(j);
	json_decref(k);
	position_baseline_free(b);
	position_baseline_free(again);
}

/* A run that is over has nothing to go on with. */
static void test_an_ended_run_keeps_no_progress(void **state)
{
	struct position_baseline *b = made();
	(void)state;
	b->state = BASELINE_DONE;
	b->ended_ms = T0 + 1;
	json_t *j = position_baseline_to_json(b);
	assert_null(json_object_get(j, "resume"));
	assert_string_equal(json_string_value(json_object_get(j, "state")), "done");
	assert_non_null(json_object_get(j, "ended"));
	json_decref(j);
	position_baseline_free(b);
}

static void test_a_new_run_forgets_the_last(void **state)
{
	struct position_baseline *b = made();
	(void)state;
	position_baseline_reset(b);
	assert_int_equal(b->items + b->equal + b->written + b->removed + b->foreign + b->total, 0);
	assert_int_equal(b->nsegments, 0);
	assert_null(b->segments[0].after);
	assert_null(b->removed_after);
	assert_int_equal(b->began_ms, CLOCK_UNKNOWN);
	assert_string_equal(b->request, "0123");
	assert_int_equal(b->complete_since_ms, T0 - 5);
	position_baseline_free(b);
}

static void test_the_least(void **state)
{
	struct err e;
	(void)state;
	struct position_baseline *b = parse("{\"state\":\"waiting\",\"reason\":\"first\"}", &e);
	assert_true(position_baseline_runs(b));
	assert_null(b->request);
	assert_int_equal(b->began_ms, CLOCK_UNKNOWN);
	assert_int_equal(b->complete_since_ms, CLOCK_UNKNOWN);
	position_baseline_free(b);
}

static void test_what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *member;
	} cases[] = {
		{"{\"reason\":\"first\"}", "\"state\""},
		{"{\"state\":\"dancing\",\"reason\":\"first\"}", "\"state\""},
		{"{\"state\":\"done\",\"reason\":7}", "\"reason\""},
		{"{\"state\":\"done\",\"reason\":\"gap\",\"began\":\"yesterday\"}", "\"began\""},
		{"{\"state\":\"done\",\"reason\":\"gap\",\"items\":-1}", "\"items\""},
		{"{\"state\":\"done\",\"reason\":\"gap\",\"written\":\"3\"}", "\"written\""},
		{"{\"state\":\"done\",\"reason\":\"gap\",\"request\":{}}", "\"request\""},
		{"{\"state\":\"scanning\",\"reason\":\"gap\",\"resume\":{\"segments\":[{\"after\":1}]}}", "\"after\""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = {0};
		assert_null(parse(cases[i].text, &e));
		assert_int_equal(e.class, ERR_CORRUPT);
		assert_non_null(strstr(e.message, cases[i].member));
	}
}

static void test_too_many_segments(void **state)
{
	struct err e = {0};
	char text[BASELINE_SEGMENTS_MAX * 3 + 200];
	size_t n = (size_t)snprintf(text, sizeof(text),
				    "{\"state\":\"scanning\",\"reason\":\"gap\",\"resume\":{\"segments\":[{}");
	(void)state;
	for (size_t i = 0; i < BASELINE_SEGMENTS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",{}");
	snprintf(text + n, sizeof(text) - n, "]}}");
	assert_null(parse(text, &e));
	assert_non_null(strstr(e.message, "\"segments\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_an_ended_run_keeps_no_progress),
		cmocka_unit_test(test_a_new_run_forgets_the_last),
		cmocka_unit_test(test_the_least),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_too_many_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
