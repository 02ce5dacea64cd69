/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <string.h>

#include "sample_view.h"
#include "view.h"

static int setup(void **state)
{
	static struct sample_view sample;

	sample_view_init(&sample);
	*state = &sample;
	return 0;
}

static void check_reason(const struct view *v, const char *expected)
{
	char out[512] = "untouched";
	const char *reason = view_not_ready(v, out, sizeof(out));

	if (!expected) {
		assert_null(reason);
		return;
	}
	assert_non_null(reason);
	assert_string_equal(reason, expected);
}

static void test_ready(void **state)
{
	struct sample_view *s = *state;

	check_reason(&s->view, NULL);
	/* A gap in the history is shown elsewhere; it is no reason, and nor are a stuck item or a failing shard. */
	s->tables[0].gaps = 3;
	s->tables[0].stuck = 1;
	s->tables[0].shards_failing = 9;
	check_reason(&s->view, NULL);
	/* At the rpo, not over it. */
	s->tables[0].lag_ms = s->tables[0].rpo_ms;
	check_reason(&s->view, NULL);
}

static void test_reasons_come_in_order(void **state)
{
	struct sample_view *s = *state;

	s->tables[0].lag_ms = 41 * 60000;
	check_reason(&s->view, "orders: lag 41m over rpo 30m");
	s->tables[1].lag_ms = -1;
	check_reason(&s->view, "users: lag unknown");
	s->tables[1].problem = "GetRecords is throttled";
	check_reason(&s->view, "users: lag unknown: GetRecords is throttled");
	s->tables[1].problem = NULL;
	s->tables[0].state = VIEW_TABLE_REFUSED;
	s->tables[0].problem = "its stream is off; turn it on or set enable_stream = yes";
	check_reason(&s->view, "orders: its stream is off; turn it on or set enable_stream = yes");
	s->tables[0].problem = NULL;
	check_reason(&s->view, "orders: refused by a start-up check");
	s->tables[0].state = VIEW_TABLE_STARTING;
	check_reason(&s->view, "orders: starting");
	s->view.problem = "no credentials were found";
	check_reason(&s->view, "no credentials were found");
	s->view.phase = "stopping";
	check_reason(&s->view, "stopping");
}

static void test_starting_tells_why(void **state)
{
	struct sample_view *s = *state;

	s->view.phase = "starting";
	check_reason(&s->view, "starting");
	s->tables[1].state = VIEW_TABLE_REFUSED;
	s->tables[1].problem = "no such table";
	check_reason(&s->view, "starting: users: no such table");
	s->view.problem = "bucket backups: versioning is off";
	check_reason(&s->view, "starting: bucket backups: versioning is off");
	s->view.ntables = 0;
	s->view.problem = NULL;
	check_reason(&s->view, "starting");
}

static void test_lag_over_by_a_millisecond(void **state)
{
	struct sample_view *s = *state;
	char out[128];

	s->tables[1].lag_ms = s->tables[1].rpo_ms + 1;
	assert_non_null(view_not_ready(&s->view, out, sizeof(out)));
	assert_int_equal(strncmp(out, "users: lag ", 11), 0);
}

static void test_an_open_gap_is_the_last_reason(void **state)
{
	struct sample_view *s = *state;
	char out[256];

	s->tables[0].gaps_open = 2;
	assert_non_null(view_not_ready(&s->view, out, sizeof(out)));
	assert_int_equal(strncmp(out, "orders: 2 gaps in the history", 29), 0);
	assert_non_null(strstr(out, "ddb-streamctl gaps --table orders"));
	s->tables[1].lag_ms = s->tables[1].rpo_ms + 1;
	assert_non_null(view_not_ready(&s->view, out, sizeof(out)));
	assert_int_equal(strncmp(out, "users: lag ", 11), 0);
}

static void test_a_first_baseline_under_way(void **state)
{
	struct sample_view *s = *state;
	char out[256];

	s->tables[1].baseline = (struct view_baseline){.known = true,
						       .running = true,
						       .missing = true,
						       .state = "scanning",
						       .reason = "first",
						       .items = 7,
						       .total = 90};
	check_reason(&s->view, "users: its first baseline has not ended (scanning, 7 items of about 90)");
	s->tables[1].baseline.problem = "Scan users: no";
	check_reason(&s->view,
		     "users: its first baseline has not ended (scanning, 7 items of about 90): Scan users: no");
	s->tables[0].gaps_open = 1;
	assert_non_null(view_not_ready(&s->view, out, sizeof(out)));
	assert_int_equal(strncmp(out, "orders: 1 gap ", 14), 0);
	/* A later run, and one that mends a gap, keep nothing from being ready but the gap. */
	s->tables[0].gaps_open = 0;
	s->tables[1].baseline.missing = false;
	assert_null(view_not_ready(&s->view, out, sizeof(out)));
	s->tables[1].gaps_open = 2;
	s->tables[1].baseline.problem = NULL;
	check_reason(&s->view, "users: 2 gaps in the history; a baseline mends them (scanning)");
}

static void test_no_table_is_not_ready(void **state)
{
	struct sample_view *s = *state;

	s->view.ntables = 0;
	check_reason(&s->view, "no table is being backed up");
}

static void test_short_buffers(void **state)
{
	struct sample_view *s = *state;
	char out[64];

	s->view.phase = "starting";
	s->view.problem = "a long story about credentials that nobody could find";
	for (size_t size = 0; size < sizeof(out); size++) {
		memset(out, '#', sizeof(out));
		const char *reason = view_not_ready(&s->view, out, size);

		assert_non_null(reason);
		assert_int_equal(out[size], '#');
		if (size > 0)
			assert_true(strlen(reason) < size);
	}
	assert_string_equal(view_not_ready(&s->view, out, 12), "starting: a");
}

static void test_largest_lag(void **state)
{
	struct sample_view *s = *state;

	assert_int_equal(view_lag_ms(&s->view), 2100);
	s->tables[1].lag_ms = 5000;
	assert_int_equal(view_lag_ms(&s->view), 5000);
	s->tables[0].lag_ms = -1;
	assert_int_equal(view_lag_ms(&s->view), -1);
	s->view.ntables = 0;
	assert_int_equal(view_lag_ms(&s->view), -1);
	s->tables[0].lag_ms = 0;
	s->view.ntables = 1;
	assert_int_equal(view_lag_ms(&s->view), 0);
}

static void test_durations(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{-1, "unknown"},  {INT64_MIN, "unknown"}, {0, "0.0s"},
		     {2149, "2.1s"},   {9999, "9.9s"},	       {10000, "10s"},
		     {59999, "59s"},   {60000, "1m"},	       {61000, "1m1s"},
		     {2460000, "41m"}, {3600000, "1h"},	       {11520000, "3h12m"},
		     {86400000, "1d"}, {187200000, "2d4h"},    {INT64_MAX, "106751991167d7h"}};
	char out[VIEW_DURATION_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(view_duration(out, cases[i].ms), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ready, setup),
		cmocka_unit_test_setup(test_reasons_come_in_order, setup),
		cmocka_unit_test_setup(test_starting_tells_why, setup),
		cmocka_unit_test_setup(test_lag_over_by_a_millisecond, setup),
		cmocka_unit_test_setup(test_an_open_gap_is_the_last_reason, setup),
		cmocka_unit_test_setup(test_a_first_baseline_under_way, setup),
		cmocka_unit_test_setup(test_no_table_is_not_ready, setup),
		cmocka_unit_test_setup(test_short_buffers, setup),
		cmocka_unit_test_setup(test_largest_lag, setup),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
