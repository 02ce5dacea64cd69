/*
 * One loss is one gap, however many shards tell of it: bounds, count and name of a table's gaps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon_fixture.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
/* The room that a bound has, and the time that a test takes. */
#define SOON_MS (90 * SECOND_MS)

static struct daemon_fixture *f;
static struct table *t;
static int64_t now_ms;

static int set_up(void **state)
{
	(void)state;
	f = daemon_fixture_new();
	t = &f->t;
	now_ms = table_now_ms(t);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	daemon_fixture_free(f);
	return 0;
}

static void trimmed(const char *shard, int64_t from_ms)
{
	table_gap_trimmed(t, "s", shard, "trimmed", from_ms);
}

/* `n` were counted, and `n` are in the list and open; gives the newest. */
static const struct position_gap *newest_of(size_t n)
{
	assert_int_equal(t->gap_count, n);
	assert_int_equal(t->ngaps, n);
	assert_int_equal(table_gaps_open(t), n);
	return &t->gaps[n - 1];
}

static void assert_about(int64_t found_ms, int64_t want_ms)
{
	/* Too late is too wide; too early would be too narrow. */
	if (found_ms < want_ms || found_ms > want_ms + SOON_MS)
		fail_msg("%lld ms from what it should be", (long long)(found_ms - want_ms));
}

static void close_all(void)
{
	for (size_t i = 0; i < t->ngaps; i++)
		t->gaps[i].closed_ms = now_ms;
}

static void test_what_is_trimmed_is_older_than_a_day(void **state)
{
	(void)state;
	trimmed("a", now_ms - 30 * HOUR_MS);
	const struct position_gap *g = newest_of(1);
	assert_true(g->from_ms == now_ms - 30 * HOUR_MS);
	assert_about(g->to_ms, now_ms - 24 * HOUR_MS);
	assert_about(g->noticed_ms, now_ms);
	assert_string_equal(g->reason, "trimmed");
	assert_string_equal(g->stream, "s");
	assert_string_equal(g->shard, "a");
}

static void test_what_is_trimmed_too_early_may_be_anything(void **state)
{
	(void)state;
	trimmed("a", now_ms - HOUR_MS);
	assert_about(newest_of(1)->to_ms, now_ms);
}

static void test_what_is_known_of_the_table_counts_for_an_unknown_shard(void **state)
{
	(void)state;
	trimmed("a", CLOCK_UNKNOWN);
	assert_true(newest_of(1)->from_ms == CLOCK_UNKNOWN);
	assert_about(t->gaps[0].to_ms, now_ms);
	close_all();
	t->complete_before_ms = now_ms - 40 * HOUR_MS;
	trimmed("b", CLOCK_UNKNOWN);
	assert_int_equal(t->gap_count, 2);
	assert_true(t->gaps[1].from_ms == now_ms - 40 * HOUR_MS);
	assert_about(t->gaps[1].to_ms, now_ms - 24 * HOUR_MS);
}

static void test_shards_of_one_time_are_one_gap(void **state)
{
	char name[16];

	(void)state;
	table_gap_trimmed(t, "s", NULL, "away", now_ms - 30 * HOUR_MS);
	for (int i = 0; i < 250; i++) {
		snprintf(name, sizeof(name), "shard-%d", i);
		trimmed(name, now_ms - 30 * HOUR_MS + i * SECOND_MS);
	}
	const struct position_gap *g = newest_of(1);
	assert_string_equal(g->reason, "away");
	assert_string_equal(g->stream, "s");
	assert_null(g->shard);
	assert_true(g->from_ms == now_ms - 30 * HOUR_MS);
	assert_about(g->to_ms, now_ms - 24 * HOUR_MS);
}

static void test_bounds_hold_all_of_it(void **state)
{
	(void)state;
	trimmed("a", now_ms - 30 * HOUR_MS);
	t->gaps[0].noticed_ms = now_ms - HOUR_MS;
	t->gaps[0].to_ms = now_ms - 25 * HOUR_MS;
	trimmed("a", now_ms - 40 * HOUR_MS);
	const struct position_gap *g = newest_of(1);
	assert_true(g->from_ms == now_ms - 40 * HOUR_MS);
	assert_about(g->to_ms, now_ms - 24 * HOUR_MS);
	/* Who was shown the gap before has not seen this one. */
	assert_about(g->noticed_ms, now_ms);
	assert_string_equal(g->shard, "a");
	trimmed("b", now_ms - 35 * HOUR_MS);
	assert_null(newest_of(1)->shard);
}

static void test_what_lies_within_changes_nothing(void **state)
{
	(void)state;
	trimmed("a", now_ms - 30 * HOUR_MS);
	t->gaps[0].to_ms = now_ms - HOUR_MS;
	t->gaps[0].noticed_ms = now_ms - 5;
	trimmed("a", now_ms - 28 * HOUR_MS);
	assert_true(newest_of(1)->noticed_ms == now_ms - 5);
	assert_true(t->gaps[0].from_ms == now_ms - 30 * HOUR_MS);
	assert_true(t->gaps[0].to_ms == now_ms - HOUR_MS);
}

/* Shards tell of one loss within a minute or so: an operator's word about it must not be void because of each. */
static void test_a_moment_later_changes_nothing(void **state)
{
	(void)state;
	trimmed("a", now_ms - 30 * HOUR_MS);
	const struct position_gap before = *newest_of(1);
	f->d.aws.clock_skew_ms = 20 * SECOND_MS;
	trimmed("b", now_ms - 30 * HOUR_MS);
	table_gap_passed(t, now_ms - 29 * HOUR_MS);
	assert_true(newest_of(1)->to_ms == before.to_ms);
	assert_true(t->gaps[0].noticed_ms == before.noticed_ms);
	f->d.aws.clock_skew_ms = 2 * MINUTE_MS;
	trimmed("c", now_ms - 30 * HOUR_MS);
	assert_about(newest_of(1)->to_ms, now_ms + 2 * MINUTE_MS - 24 * HOUR_MS);
	assert_about(t->gaps[0].noticed_ms, now_ms + 2 * MINUTE_MS);
}

static void test_apart_in_time_are_two(void **state)
{
	(void)state;
	trimmed("a", now_ms - 60 * HOUR_MS);
	t->gaps[0].to_ms = now_ms - 50 * HOUR_MS;
	trimmed("a", now_ms - 50 * HOUR_MS + 1);
	const struct position_gap *g = newest_of(2);
	assert_true(g->from_ms == now_ms - 50 * HOUR_MS + 1);
	assert_true(t->gaps[0].to_ms == now_ms - 50 * HOUR_MS);
	/* One that begins in the very moment in which the other ends has that in common with it. */
	close_all();
	trimmed("a", now_ms - 60 * HOUR_MS);
	assert_int_equal(t->gap_count, 3);
	t->gaps[2].to_ms = now_ms - 50 * HOUR_MS;
	trimmed("a", now_ms - 50 * HOUR_MS);
	assert_int_equal(t->gap_count, 3);
}

/* From checkpoints of other versions. */
static void test_a_bound_that_is_not_known_has_no_end(void **state)
{
	const struct position_gap old = {.reason = "old",
					 .from_ms = now_ms - 90 * HOUR_MS,
					 .to_ms = CLOCK_UNKNOWN,
					 .noticed_ms = now_ms - HOUR_MS,
					 .closed_ms = CLOCK_UNKNOWN};

	(void)state;
	table_gap_restore(t, &old);
	t->gap_count = 1;
	trimmed("a", now_ms - 30 * HOUR_MS);
	assert_true(newest_of(1)->to_ms == CLOCK_UNKNOWN);
	assert_true(t->gaps[0].noticed_ms == now_ms - HOUR_MS);
	trimmed("a", now_ms - 91 * HOUR_MS);
	assert_true(newest_of(1)->from_ms == now_ms - 91 * HOUR_MS);
	close_all();
	trimmed("a", CLOCK_UNKNOWN);
	trimmed("a", now_ms - 30 * HOUR_MS);
	assert_int_equal(t->gap_count, 2);
	assert_true(t->gaps[1].from_ms == CLOCK_UNKNOWN);
}

static void test_a_closed_gap_is_over(void **state)
{
	(void)state;
	trimmed("a", now_ms - 30 * HOUR_MS);
	close_all();
	trimmed("a", now_ms - 30 * HOUR_MS);
	assert_int_equal(t->gap_count, 2);
	assert_int_equal(table_gaps_open(t), 1);
}

static void test_reading_goes_on_later(void **state)
{
	(void)state;
	/* Nothing is made of nothing. */
	table_gap_passed(t, now_ms - 30 * HOUR_MS);
	assert_int_equal(t->gap_count, 0);
	trimmed("a", now_ms - 30 * HOUR_MS);
	t->gaps[0].to_ms = now_ms - 27 * HOUR_MS;
	/* Within a day nothing is trimmed, and what is not known is not this gap's. */
	table_gap_passed(t, now_ms - HOUR_MS);
	table_gap_passed(t, CLOCK_UNKNOWN);
	assert_true(newest_of(1)->to_ms == now_ms - 27 * HOUR_MS);
	table_gap_passed(t, now_ms - 28 * HOUR_MS);
	assert_about(newest_of(1)->to_ms, now_ms - 24 * HOUR_MS);
}

static const char *label(int64_t ms)
{
	static char text[CLOCK_ISO_SIZE];
	clock_iso(text, ms);
	text[strlen(text) - 1] = '\0'; /* labels have no zone */
	return text;
}

static void test_a_recreated_stream(void **state)
{
	(void)state;
	table_gap_recreated(t, label(now_ms - 5 * HOUR_MS), "recreated", now_ms - 30 * HOUR_MS);
	const struct position_gap *g = newest_of(1);
	assert_true(g->from_ms == now_ms - 30 * HOUR_MS);
	/* A stream begins some moments after the time in its label. */
	assert_in_range(g->to_ms, now_ms - 5 * HOUR_MS, now_ms - 4 * HOUR_MS);
	assert_string_equal(g->stream, label(now_ms - 5 * HOUR_MS));
	assert_null(g->shard);
}

static void test_a_stream_of_a_moment_ago(void **state)
{
	(void)state;
	table_gap_recreated(t, label(now_ms - SECOND_MS), "recreated", now_ms - HOUR_MS);
	assert_about(newest_of(1)->to_ms, now_ms);
}

static void test_labels_that_tell_no_time(void **state)
{
	const char *const labels[] = {
		"",
		"first",
		"2026-11-23",
		"9999-11-23T12:02:59.379",
		"1999-11-23T12:02:59.379",
		"a name as an emulator may give it, longer than any time is, and opaque",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		close_all();
		table_gap_recreated(t, labels[i], "recreated", now_ms - 30 * HOUR_MS);
		assert_int_equal(t->gap_count, i + 1);
		assert_about(t->gaps[i].to_ms, now_ms);
	}
}

static void test_the_newest_hundred_are_kept(void **state)
{
	(void)state;
	for (int i = 0; i < TABLE_GAPS_KEPT + 5; i++) {
		trimmed("a", now_ms - 30 * HOUR_MS);
		close_all();
	}
	assert_int_equal(t->gap_count, TABLE_GAPS_KEPT + 5);
	assert_int_equal(t->ngaps, TABLE_GAPS_KEPT);
}

static void test_overdue(void **state)
{
	(void)state;
	assert_false(table_gap_overdue(t, CLOCK_UNKNOWN));
	assert_false(table_gap_overdue(t, now_ms));
	assert_false(table_gap_overdue(t, now_ms - 24 * HOUR_MS + MINUTE_MS));
	assert_true(table_gap_overdue(t, now_ms - 24 * HOUR_MS - MINUTE_MS));
	/* By DynamoDB's clock. */
	f->d.aws.clock_skew_ms = 2 * MINUTE_MS;
	assert_true(table_gap_overdue(t, now_ms - 24 * HOUR_MS + MINUTE_MS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_trimmed_is_older_than_a_day),
		TEST(test_what_is_trimmed_too_early_may_be_anything),
		TEST(test_what_is_known_of_the_table_counts_for_an_unknown_shard),
		TEST(test_shards_of_one_time_are_one_gap),
		TEST(test_bounds_hold_all_of_it),
		TEST(test_what_lies_within_changes_nothing),
		TEST(test_a_moment_later_changes_nothing),
		TEST(test_apart_in_time_are_two),
		TEST(test_a_bound_that_is_not_known_has_no_end),
		TEST(test_a_closed_gap_is_over),
		TEST(test_reading_goes_on_later),
		TEST(test_a_recreated_stream),
		TEST(test_a_stream_of_a_moment_ago),
		TEST(test_labels_that_tell_no_time),
		TEST(test_the_newest_hundred_are_kept),
		TEST(test_overdue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
