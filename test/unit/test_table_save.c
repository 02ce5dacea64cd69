/*
 * What a checkpoint promises the next start (I4): until when records may have been written, and whether S3 must be asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon_fixture.h"
#include "shard.h"
#include "shard_rest.h"
#include "stream.h"

#define MINUTE_MS INT64_C(60000)

static struct daemon_fixture *f;
static struct stream *st;
static struct shard *s;
static char dir[64];

static int set_up(void **state)
{
	static const struct streams_shard one = {.id = "a"};
	struct err e;

	(void)state;
	strcpy(dir, "/tmp/test_table_save.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	f = daemon_fixture_new();
	f->conf.state_dir = dir;
	f->t.meta_path = strdup(".ddb-streamd/t/");
	assert_int_equal(table_save_init(&f->t, &e), 0);
	f->t.saving.watermark_ms = clock_wall_ms(); /* the bucket has one, and needs none soon */
	f->t.saving.watermark_mono_ms = clock_mono_ms();
	f->t.saving.enabled = true;
	st = daemon_fixture_stream(f, "2026-11-23T12:02:59.379");
	assert_int_equal(stream_merge(st, &one, 1, true, &e), 0);
	s = stream_find(st, "a");
	daemon_fixture_reading(s);
	return 0;
}

static int tear_down(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/t.checkpoint", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/t.checkpoint.new", dir);
	rmdir(path);
	rmdir(dir);
	table_save_close(&f->t);
	table_save_fini(&f->t);
	free(f->t.meta_path);
	f->t.meta_path = NULL;
	daemon_fixture_free(f);
	return 0;
}

static void run(void)
{
	for (int i = 0; i < 1000 && f->t.saving.saver.busy; i++)
		uv_run(&f->d.loop, UV_RUN_ONCE);
	assert_false(f->t.saving.saver.busy);
}

/* What the next start finds. */
static struct checkpoint load(void)
{
	struct checkpoint c = {0};
	struct err e;

	if (checkpoint_load(f->t.saving.checkpoint_path, "t", "backup", "t/", &c, &e) < 0)
		fail_msg("%s", e.message);
	position_free(c.position);
	c.position = NULL;
	return c;
}

/* The stop of a daemon that has nothing in flight: its last save, as daemon.c makes it. */
static bool stops_cleanly(void)
{
	f->t.saving.final_put = true; /* there is no bucket here */
	assert_false(table_save_final(&f->t, table_clean(&f->t)));
	run();
	assert_true(table_save_final(&f->t, table_clean(&f->t)));
	return load().clean;
}

static struct batch *read_one(int64_t event_ms)
{
	const struct daemon_record r = {.op = "INSERT", .id = "x", .seq = 7, .event_s = event_ms / 1000};

	return daemon_fixture_read(f, s, &r, 1);
}

static void test_nothing_is_written_before_the_file_says_so(void **state)
{
	int64_t now_ms = clock_wall_ms();

	(void)state;
	assert_false(table_may_write(&f->t, now_ms));
	assert_true(f->t.lanes.blocked);
	assert_false(table_may_write(&f->t, now_ms));
	run();
	assert_false(f->t.lanes.blocked);
	assert_true(table_may_write(&f->t, now_ms));
	struct checkpoint c = load();
	assert_false(c.clean);
	assert_true(c.horizon_ms >= now_ms);
}

/* Not even one whose time nobody knows. */
static void test_a_record_without_a_time_waits_for_the_first_save_too(void **state)
{
	(void)state;
	assert_false(table_may_write(&f->t, CLOCK_UNKNOWN));
	run();
	assert_true(table_may_write(&f->t, CLOCK_UNKNOWN));
}

static void test_a_clock_ahead_of_ours_moves_the_horizon(void **state)
{
	int64_t ahead_ms = clock_wall_ms() + 10 * MINUTE_MS;

	(void)state;
	assert_false(table_may_write(&f->t, clock_wall_ms()));
	run();
	assert_false(table_may_write(&f->t, ahead_ms));
	assert_true(f->t.lanes.blocked);
	run();
	assert_true(table_may_write(&f->t, ahead_ms));
	assert_true(load().horizon_ms >= ahead_ms);
	/* It never goes back: what was written under it stays written. */
	table_moved(&f->t);
	table_save_due(&f->t, clock_mono_ms() + MINUTE_MS / 2);
	run();
	assert_true(load().horizon_ms >= ahead_ms);
}

/* A wait that begins while an older save is on its way is not ended by that one. */
static void test_a_save_in_flight_is_not_taken_for_the_one_that_is_waited_for(void **state)
{
	int64_t ahead_ms = clock_wall_ms() + 10 * MINUTE_MS;

	(void)state;
	assert_false(table_may_write(&f->t, clock_wall_ms()));
	assert_false(table_may_write(&f->t, ahead_ms));
	run();
	assert_true(f->t.lanes.blocked);
	assert_false(table_may_write(&f->t, ahead_ms));
	table_save_due(&f->t, clock_mono_ms());
	run();
	assert_false(f->t.lanes.blocked);
	assert_true(table_may_write(&f->t, ahead_ms));
}

static void test_without_a_watermark_in_the_bucket_nothing_is_written(void **state)
{
	(void)state;
	f->t.saving.watermark_ms = CLOCK_UNKNOWN;
	assert_false(table_may_write(&f->t, clock_wall_ms()));
	run();
	assert_true(f->t.lanes.blocked);
	assert_false(table_may_write(&f->t, clock_wall_ms()));
}

static void test_a_save_that_fails_keeps_the_table_waiting(void **state)
{
	char tmp[128];

	(void)state;
	snprintf(tmp, sizeof(tmp), "%s/t.checkpoint.new", dir);
	assert_int_equal(mkdir(tmp, 0700), 0);
	assert_false(table_may_write(&f->t, clock_wall_ms()));
	run();
	assert_true(f->t.lanes.blocked);
	assert_int_equal(f->t.saving.errors, 1);
	assert_int_not_equal(f->t.saving.err.class, ERR_NONE);
	/* It is tried again by itself, and goes on when the disk does. */
	assert_int_equal(rmdir(tmp), 0);
	table_save_due(&f->t, clock_mono_ms() + MINUTE_MS / 2);
	run();
	assert_false(f->t.lanes.blocked);
	assert_int_equal(f->t.saving.err.class, ERR_NONE);
}

static void test_a_drained_stop_is_clean(void **state)
{
	struct batch *b = read_one(clock_wall_ms());

	(void)state;
	daemon_fixture_acknowledge(&b->records[0]);
	assert_true(stops_cleanly());
}

static void test_what_was_read_and_not_begun_with_does_not_matter(void **state)
{
	(void)state;
	read_one(clock_wall_ms());
	assert_true(stops_cleanly());
}

static void test_a_write_whose_answer_was_lost_is_not_clean(void **state)
{
	struct batch *b = read_one(clock_wall_ms());

	(void)state;
	b->records[0].state = RECORD_WAITING;
	b->records[0].ask = true;
	assert_false(stops_cleanly());
}

static void test_a_removal_half_done_is_not_clean(void **state)
{
	const struct daemon_record r = {.op = "REMOVE", .id = "x", .seq = 7};
	struct batch *b = daemon_fixture_read(f, s, &r, 1);

	(void)state;
	b->records[0].step = RECORD_MARKER;
	assert_false(stops_cleanly());
}

/*
 * After an unclean stop S3 may have records beyond the position. Until those have been read again, a stop in good order
 * must not make the next start believe that there are none.
 */
static void test_a_stop_before_the_last_runs_records_were_read_again_is_not_clean(void **state)
{
	int64_t crashed_ms = clock_wall_ms() + 10 * MINUTE_MS; /* its horizon, by a clock ahead of ours */

	(void)state;
	f->t.ask_until_ms = crashed_ms;
	assert_false(stops_cleanly());
	assert_true(load().horizon_ms >= crashed_ms);
}

static void test_questions_do_not_end_at_what_seems_to_be_the_tip(void **state)
{
	int64_t crashed_ms = clock_wall_ms() - MINUTE_MS;

	(void)state;
	f->t.ask_until_ms = crashed_ms;
	assert_true(table_must_ask(&f->t, crashed_ms));
	assert_true(table_must_ask(&f->t, CLOCK_UNKNOWN));
	assert_false(table_must_ask(&f->t, crashed_ms + 1));
	s->complete_ms = crashed_ms - 1;
	table_moved(&f->t);
	table_save_due(&f->t, clock_mono_ms());
	run();
	assert_true(table_must_ask(&f->t, crashed_ms));
	/* Complete is what a few empty pages claim, too. */
	s->complete_ms = crashed_ms + 1;
	s->tip = true;
	s->empty_pages = 5;
	assert_false(stops_cleanly());
	assert_true(table_must_ask(&f->t, CLOCK_UNKNOWN));
}

static void test_questions_end_behind_a_later_record(void **state)
{
	int64_t crashed_ms = clock_wall_ms() - MINUTE_MS;

	(void)state;
	f->t.ask_until_ms = crashed_ms;
	s->durable_event_ms = crashed_ms + 1;
	assert_true(stops_cleanly());
	assert_false(table_must_ask(&f->t, CLOCK_UNKNOWN));
	assert_true(table_must_ask(&f->t, crashed_ms)); /* which costs nothing: there are none */
}

static void test_questions_end_behind_a_minute_of_empty_pages(void **state)
{
	int64_t crashed_ms = clock_wall_ms() - MINUTE_MS;

	(void)state;
	f->t.ask_until_ms = crashed_ms;
	s->complete_ms = crashed_ms + 1;
	s->tip = true;
	s->empty_pages = 60;
	assert_true(stops_cleanly());
}

static void test_questions_do_not_end_before_the_stream_was_described(void **state)
{
	int64_t crashed_ms = clock_wall_ms() - MINUTE_MS;

	(void)state;
	f->t.ask_until_ms = crashed_ms;
	s->durable_event_ms = crashed_ms + 1;
	st->swept = false;
	assert_false(stops_cleanly());
}

static void test_a_first_run_asks_nothing(void **state)
{
	(void)state;
	assert_false(table_must_ask(&f->t, 0));
	assert_false(table_must_ask(&f->t, CLOCK_UNKNOWN));
}

/* An unreachable bucket keeps its watermark waiting, not the checkpoint on the disk. */
static void test_a_watermark_on_its_way_does_not_hold_the_last_checkpoint_up(void **state)
{
	(void)state;
	f->t.saving.putting = true;
	assert_false(table_save_final(&f->t, true));
	run();
	assert_true(load().clean);
}

static void test_without_known_streams_nothing_is_saved(void **state)
{
	(void)state;
	f->t.saving.enabled = false;
	table_moved(&f->t);
	table_save_due(&f->t, clock_mono_ms());
	assert_false(f->t.saving.saver.busy);
	assert_true(table_save_final(&f->t, true));
	assert_int_equal(access(f->t.saving.checkpoint_path, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_written_before_the_file_says_so),
		TEST(test_a_record_without_a_time_waits_for_the_first_save_too),
		TEST(test_a_clock_ahead_of_ours_moves_the_horizon),
		TEST(test_a_save_in_flight_is_not_taken_for_the_one_that_is_waited_for),
		TEST(test_without_a_watermark_in_the_bucket_nothing_is_written),
		TEST(test_a_save_that_fails_keeps_the_table_waiting),
		TEST(test_a_drained_stop_is_clean),
		TEST(test_what_was_read_and_not_begun_with_does_not_matter),
		TEST(test_a_write_whose_answer_was_lost_is_not_clean),
		TEST(test_a_removal_half_done_is_not_clean),
		TEST(test_a_stop_before_the_last_runs_records_were_read_again_is_not_clean),
		TEST(test_questions_do_not_end_at_what_seems_to_be_the_tip),
		TEST(test_questions_end_behind_a_later_record),
		TEST(test_questions_end_behind_a_minute_of_empty_pages),
		TEST(test_questions_do_not_end_before_the_stream_was_described),
		TEST(test_a_first_run_asks_nothing),
		TEST(test_a_watermark_on_its_way_does_not_hold_the_last_checkpoint_up),
		TEST(test_without_known_streams_nothing_is_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
