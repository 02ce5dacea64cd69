/* Lineage (I3): which shards may be read, and what becomes of those that a description no longer lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon_fixture.h"
#include "shard.h"
#include "shard_rest.h"
#include "stream.h"

#define LABEL "2026-11-23T12:02:59.379"
#define MANY_SWEEPS 5 /* more than any patience with a description that leaves a shard out */

static struct daemon_fixture *f;
static struct stream *st;

static int set_up(void **state)
{
	(void)state;
	f = daemon_fixture_new();
	st = daemon_fixture_stream(f, LABEL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	daemon_fixture_free(f);
	return 0;
}

#define OPEN(id_, parent_)                        \
	{                                         \
		.id = (id_), .parent = (parent_), \
	}
#define CLOSED(id_, parent_)                                        \
	{                                                           \
		.id = (id_), .parent = (parent_), .end_seq = "999", \
	}

#define SWEEP(...)                                         \
	sweep((const struct streams_shard[]){__VA_ARGS__}, \
	      sizeof((const struct streams_shard[]){__VA_ARGS__}) / sizeof(struct streams_shard))

/* One whole description, as discovery makes it. */
static void sweep(const struct streams_shard *shards, size_t n)
{
	struct err e;

	stream_sweep_begins(st);
	assert_int_equal(stream_merge(st, shards, n, true, &e), 0);
	st->swept_ms = clock_wall_ms();
}

static struct shard *shard(const char *id)
{
	struct shard *s = stream_find(st, id);

	if (s == NULL)
		fail_msg("shard %s is not known", id);
	return s;
}

static void assert_state(const char *id, enum shard_state want)
{
	assert_string_equal(shard_state_name(shard(id)->state), shard_state_name(want));
}

static void finish(const char *id)
{
	struct shard *s = shard(id);

	daemon_fixture_reading(s);
	shard_drain(s);
}

static void test_a_root_is_read_at_once(void **state)
{
	(void)state;
	SWEEP(OPEN("a", NULL));
	assert_state("a", SHARD_RESTING);
	assert_true(shard("a")->open);
	assert_false(shard("a")->from_latest);
}

static void test_a_child_waits_until_its_parent_is_durable(void **state)
{
	static const struct daemon_record one = {.op = "INSERT", .id = "x", .seq = 7, .event_s = 1000};

	(void)state;
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"));
	assert_state("p", SHARD_RESTING);
	assert_state("c", SHARD_WAITING);
	struct shard *p = shard("p");
	daemon_fixture_reading(p);
	struct batch *b = daemon_fixture_read(f, p, &one, 1);
	shard_drain(p);
	/* Read to its end is not enough: its last record is not in S3. */
	assert_state("p", SHARD_DRAINING);
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"));
	assert_state("c", SHARD_WAITING);
	daemon_fixture_acknowledge(&b->records[0]);
	assert_state("p", SHARD_FINISHED);
	assert_state("c", SHARD_RESTING);
	assert_true(shard("c")->complete_ms == p->complete_ms);
}

static void test_a_child_listed_before_its_parent_waits_too(void **state)
{
	(void)state;
	SWEEP(OPEN("c", "p"), CLOSED("p", NULL));
	assert_state("c", SHARD_WAITING);
	finish("p");
	assert_state("c", SHARD_RESTING);
}

static void test_a_child_waits_though_its_parent_is_open(void **state)
{
	(void)state;
	SWEEP(OPEN("p", NULL), OPEN("c", "p"));
	assert_state("p", SHARD_RESTING);
	assert_state("c", SHARD_WAITING);
}

static void test_a_parent_that_was_never_listed_does_not_block(void **state)
{
	(void)state;
	SWEEP(OPEN("c", "long gone"));
	assert_state("c", SHARD_RESTING);
	assert_int_equal(f->t.gap_count, 0);
}

static void test_six_generations_in_order(void **state)
{
	static const char *const ids[] = {"1", "2", "3", "4", "5", "6"};

	(void)state;
	SWEEP(OPEN("6", "5"), CLOSED("2", "1"), CLOSED("4", "3"), CLOSED("1", NULL), CLOSED("3", "2"),
	      CLOSED("5", "4"));
	for (size_t i = 0; i < 6; i++) {
		for (size_t k = 0; k < 6; k++)
			assert_state(ids[k], k < i ? SHARD_FINISHED : k == i ? SHARD_RESTING : SHARD_WAITING);
		if (i < 5)
			finish(ids[i]);
	}
}

static void test_a_split_opens_both_children(void **state)
{
	(void)state;
	SWEEP(CLOSED("p", NULL), OPEN("l", "p"), OPEN("r", "p"), OPEN("other", NULL));
	finish("p");
	assert_state("l", SHARD_RESTING);
	assert_state("r", SHARD_RESTING);
}

static void test_ids_are_opaque(void **state)
{
	(void)state;
	SWEEP(CLOSED("a b: \xc3\xa9/%00", NULL), OPEN(" ", "a b: \xc3\xa9/%00"));
	finish("a b: \xc3\xa9/%00");
	assert_state(" ", SHARD_RESTING);
}

static void test_children_of_one_shard_join_without_a_sweep(void **state)
{
	const struct streams_shard child = OPEN("c", "p");
	struct err e;

	(void)state;
	SWEEP(OPEN("p", NULL), OPEN("q", NULL));
	finish("p");
	assert_ptr_equal(stream_childless(st), shard("p"));
	assert_int_equal(stream_merge(st, &child, 1, false, &e), 0);
	assert_state("c", SHARD_RESTING);
	assert_null(stream_childless(st));
	/* What this answer did not name is listed as before. */
	assert_true(shard("q")->listed);
	assert_state("q", SHARD_RESTING);
}

static void test_a_finished_shard_is_forgotten_in_the_end(void **state)
{
	(void)state;
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"));
	finish("p");
	for (int i = 0; i < MANY_SWEEPS; i++)
		SWEEP(OPEN("c", "p"));
	assert_null(stream_find(st, "p"));
	assert_state("c", SHARD_RESTING);
	assert_int_equal(f->t.gap_count, 0);
}

/* Pages of a description are no picture of one moment. Forgetting a position means writing a shard again (I4). */
static void test_one_description_that_leaves_a_shard_out_changes_nothing(void **state)
{
	(void)state;
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"), OPEN("q", NULL));
	finish("p");
	strcpy(shard("q")->durable_seq, "17");
	SWEEP(OPEN("c", "p"));
	assert_state("q", SHARD_RESTING);
	assert_int_equal(f->t.gap_count, 0);
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"), OPEN("q", NULL));
	assert_state("p", SHARD_FINISHED);
	assert_state("q", SHARD_RESTING);
	assert_string_equal(shard("q")->durable_seq, "17");
	assert_int_equal(f->t.gap_count, 0);
}

static void test_a_trimmed_shard_is_a_gap_and_frees_its_children(void **state)
{
	(void)state;
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"));
	/* What can be read is not gone, although it is not listed. */
	for (int i = 0; i < MANY_SWEEPS; i++)
		SWEEP(OPEN("c", "p"));
	assert_state("p", SHARD_RESTING);
	assert_state("c", SHARD_WAITING);
	assert_int_equal(f->t.gap_count, 0);
	shard("p")->missing = 1;
	SWEEP(OPEN("c", "p"));
	assert_state("c", SHARD_RESTING);
	assert_int_equal(f->t.gap_count, 1);
	assert_string_equal(f->t.gaps[0].shard, "p");
	assert_string_equal(f->t.gaps[0].stream, LABEL);
}

static void test_a_trimmed_shard_still_blocks_until_what_was_read_is_written(void **state)
{
	static const struct daemon_record one = {.op = "INSERT", .id = "x", .seq = 7, .event_s = 1000};

	(void)state;
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"));
	struct batch *b = daemon_fixture_read(f, shard("p"), &one, 1);
	shard("p")->missing = 1;
	for (int i = 0; i < MANY_SWEEPS; i++)
		SWEEP(OPEN("c", "p"));
	assert_state("c", SHARD_WAITING);
	assert_state("p", SHARD_DRAINING);
	daemon_fixture_acknowledge(&b->records[0]);
	assert_state("c", SHARD_RESTING);
}

static void test_latest_is_for_open_shards_of_the_first_sight(void **state)
{
	(void)state;
	f->conf_table.start = CONFIG_START_LATEST;
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"), OPEN("q", NULL), CLOSED("z", NULL));
	assert_state("p", SHARD_FINISHED);
	assert_state("z", SHARD_FINISHED);
	assert_state("c", SHARD_RESTING);
	assert_true(shard("c")->from_latest);
	assert_true(shard("q")->from_latest);
	assert_int_equal(f->t.gap_count, 0);
	/* A child that comes later is read from its beginning. */
	shard("q")->from_latest = false;
	finish("q");
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"), CLOSED("q", NULL), CLOSED("z", NULL), OPEN("new", "q"));
	assert_state("new", SHARD_RESTING);
	assert_false(shard("new")->from_latest);
}

static void test_latest_is_over_after_a_restart(void **state)
{
	struct position_shard known[] = {{.id = "a", .seq = "5", .complete_ms = 77}};
	const struct position_stream p = {.label = LABEL, .shards = known, .nshards = 1};

	(void)state;
	f->conf_table.start = CONFIG_START_LATEST;
	assert_int_equal(stream_restore(st, &p), 0);
	SWEEP(OPEN("a", NULL), CLOSED("b", NULL), OPEN("c", "b"));
	assert_false(shard("a")->from_latest);
	assert_state("b", SHARD_RESTING);
	assert_state("c", SHARD_WAITING);
}

static void test_a_restart_goes_on_where_it_was(void **state)
{
	struct position_shard known[] = {
		{.id = "p", .seq = "5", .finished = true, .complete_ms = 500},
		{.id = "c", .parent = "p", .seq = "9", .complete_ms = 900},
	};
	const struct position_stream p = {.label = LABEL, .shards = known, .nshards = 2};

	(void)state;
	assert_int_equal(stream_restore(st, &p), 0);
	assert_state("c", SHARD_WAITING); /* nothing is read before the stream was looked at */
	SWEEP(CLOSED("p", NULL), CLOSED("c", "p"), OPEN("g", "c"));
	assert_state("p", SHARD_FINISHED);
	assert_state("c", SHARD_RESTING);
	assert_string_equal(shard("c")->durable_seq, "9");
	assert_true(shard_complete_ms(shard("c")) == 900);
	assert_state("g", SHARD_WAITING);
	assert_true(table_complete_ms(&f->t) == 900);
}

static void test_a_shard_that_was_trimmed_while_we_were_away(void **state)
{
	struct position_shard known[] = {
		{.id = "p", .seq = "5", .complete_ms = 500},
		{.id = "done", .seq = "6", .finished = true, .complete_ms = 600},
	};
	const struct position_stream p = {.label = LABEL, .shards = known, .nshards = 2};

	(void)state;
	assert_int_equal(stream_restore(st, &p), 0);
	SWEEP(OPEN("c", "p"), OPEN("d", "done"));
	assert_state(
		"p",
		SHARD_WAITING); /* what is not listed is not asked for, and holds its child back while it may return */
	assert_state("c", SHARD_WAITING);
	for (int i = 1; i < MANY_SWEEPS; i++)
		SWEEP(OPEN("c", "p"), OPEN("d", "done"));
	assert_int_equal(f->t.gap_count, 1);
	assert_string_equal(f->t.gaps[0].shard, "p");
	assert_true(f->t.gaps[0].from_ms == 500);
	assert_state("c", SHARD_RESTING);
	assert_state("d", SHARD_RESTING);
}

static void test_a_stream_is_drained_only_when_it_is_off_and_all_is_durable(void **state)
{
	(void)state;
	SWEEP(OPEN("a", NULL));
	assert_false(stream_check_drained(st));
	st->status = STREAMS_DISABLING;
	finish("a");
	SWEEP(CLOSED("a", NULL));
	assert_false(stream_check_drained(st));
	st->status = STREAMS_DISABLED;
	SWEEP(CLOSED("a", NULL));
	assert_true(stream_check_drained(st));
}

/* The last look may be older than the last child. */
static void test_a_stream_is_not_drained_before_a_look_after_its_last_shard(void **state)
{
	(void)state;
	SWEEP(OPEN("a", NULL));
	st->status = STREAMS_DISABLED;
	SWEEP(CLOSED("a", NULL));
	finish("a");
	assert_false(stream_check_drained(st));
	SWEEP(CLOSED("a", NULL), CLOSED("late", "a"));
	assert_state("late", SHARD_RESTING);
	assert_false(stream_check_drained(st));
	finish("late");
	SWEEP(CLOSED("a", NULL), CLOSED("late", "a"));
	assert_true(stream_check_drained(st));
}

static void test_a_stream_that_is_gone_is_one_gap_of_all_shards_unread(void **state)
{
	(void)state;
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"), OPEN("q", NULL));
	finish("p");
	stream_gone(st);
	assert_int_equal(f->t.gap_count, 1);
	assert_state("c", SHARD_FINISHED);
	assert_state("q", SHARD_FINISHED);
	assert_true(stream_check_drained(st));
	stream_gone(st);
	assert_int_equal(f->t.gap_count, 1);
}

static void test_a_stream_that_is_gone_unseen_is_a_gap(void **state)
{
	(void)state;
	stream_gone(st);
	assert_int_equal(f->t.gap_count, 1);
}

/* A reader that brings its answer after its shard went away must not find the shard. */
static void test_a_trimmed_shard_leaves_its_reader(void **state)
{
	struct reader r = {.pool = &f->d.readers, .table = &f->t};

	(void)state;
	SWEEP(OPEN("a", NULL));
	struct shard *s = shard("a");
	daemon_fixture_reading(s);
	s->reader = &r;
	r.shard = s;
	stream_gone(st);
	assert_null(r.shard);
	assert_null(s->reader);
}

static void test_the_table_is_as_complete_as_its_least_shard(void **state)
{
	(void)state;
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"), OPEN("q", NULL));
	assert_true(table_complete_ms(&f->t) == CLOCK_UNKNOWN);
	shard("p")->complete_ms = 1000;
	assert_true(table_complete_ms(&f->t) == CLOCK_UNKNOWN); /* q has not told anything yet */
	shard("q")->complete_ms = 5000;
	assert_true(table_complete_ms(&f->t) == 1000);
	finish("p");
	assert_true(table_complete_ms(&f->t) == 1000); /* c begins where p ended */
	shard("c")->complete_ms = 7000;
	assert_true(table_complete_ms(&f->t) ==
		    1000); /* p may have a second child, until a whole sweep since its end */
	SWEEP(CLOSED("p", NULL), OPEN("c", "p"), OPEN("q", NULL));
	assert_true(table_complete_ms(&f->t) == 5000);
	/* Ended, and what came after it is not known yet: the time stands still. */
	finish("q");
	shard("c")->complete_ms = 9000;
	assert_true(table_complete_ms(&f->t) == 5000);
}

static void test_250_shards_are_found_once(void **state)
{
	struct streams_shard shards[250] = {0};
	char ids[250][16];

	(void)state;
	for (size_t i = 0; i < 250; i++) {
		snprintf(ids[i], sizeof(ids[i]), "s%zu", i);
		shards[i].id = ids[i];
		shards[i].parent = i >= 50 ? ids[i - 50] : NULL;
	}
	for (int round = 0; round < 3; round++) {
		sweep(shards, 250);
		assert_int_equal(st->nshards, 250);
	}
	size_t reading = 0;
	struct shard *s;
	TAILQ_FOREACH (s, &st->shards, link)
		reading += s->state == SHARD_RESTING;
	assert_int_equal(reading, 50);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_root_is_read_at_once),
		TEST(test_a_child_waits_until_its_parent_is_durable),
		TEST(test_a_child_listed_before_its_parent_waits_too),
		TEST(test_a_child_waits_though_its_parent_is_open),
		TEST(test_a_parent_that_was_never_listed_does_not_block),
		TEST(test_six_generations_in_order),
		TEST(test_a_split_opens_both_children),
		TEST(test_ids_are_opaque),
		TEST(test_children_of_one_shard_join_without_a_sweep),
		TEST(test_a_finished_shard_is_forgotten_in_the_end),
		TEST(test_one_description_that_leaves_a_shard_out_changes_nothing),
		TEST(test_a_trimmed_shard_is_a_gap_and_frees_its_children),
		TEST(test_a_trimmed_shard_still_blocks_until_what_was_read_is_written),
		TEST(test_latest_is_for_open_shards_of_the_first_sight),
		TEST(test_latest_is_over_after_a_restart),
		TEST(test_a_restart_goes_on_where_it_was),
		TEST(test_a_shard_that_was_trimmed_while_we_were_away),
		TEST(test_a_stream_is_drained_only_when_it_is_off_and_all_is_durable),
		TEST(test_a_stream_is_not_drained_before_a_look_after_its_last_shard),
		TEST(test_a_stream_that_is_gone_is_one_gap_of_all_shards_unread),
		TEST(test_a_stream_that_is_gone_unseen_is_a_gap),
		TEST(test_a_trimmed_shard_leaves_its_reader),
		TEST(test_the_table_is_as_complete_as_its_least_shard),
		TEST(test_250_shards_are_found_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
