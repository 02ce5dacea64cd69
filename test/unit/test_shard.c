/* What a shard knows of its durable prefix (I1), of its end, and of the time up to which it is complete. */
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

#define RECORDS 400
#define SEEDS 60

static struct daemon_fixture *f;
static struct stream *st;

static int set_up(void **state)
{
	(void)state;
	f = daemon_fixture_new();
	st = daemon_fixture_stream(f, "2026-11-23T12:02:59.379");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	daemon_fixture_free(f);
	return 0;
}

static struct shard *reading_shard(void)
{
	return daemon_fixture_shard(st);
}

/* `n` inserts from sequence number `seq` on, one a second from `event_s` on. */
static struct batch *read_inserts(struct shard *s, size_t n, uint64_t seq, int64_t event_s)
{
	struct daemon_record *r = calloc(n, sizeof(*r));
	char(*ids)[16] = calloc(n, sizeof(*ids));

	assert_non_null(r);
	assert_non_null(ids);
	for (size_t i = 0; i < n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "i%llu", (unsigned long long)(seq + i));
		r[i] = (struct daemon_record){.op = "INSERT",
					      .id = ids[i],
					      .seq = seq + i,
					      .event_s = event_s != 0 ? event_s + (int64_t)i : 0};
	}
	struct batch *b = daemon_fixture_read(f, s, r, n);
	free(ids);
	free(r);
	return b;
}

static void test_the_prefix_stops_at_a_hole(void **state)
{
	struct shard *s = reading_shard();
	struct batch *b = read_inserts(s, 5, 11, 1000);

	(void)state;
	assert_string_equal(s->durable_seq, "");
	daemon_fixture_acknowledge(&b->records[1]);
	daemon_fixture_acknowledge(&b->records[3]);
	assert_string_equal(s->durable_seq, "");
	assert_true(shard_ahead(s));
	daemon_fixture_acknowledge(&b->records[0]);
	assert_string_equal(s->durable_seq, "12");
	assert_true(shard_ahead(s)); /* 14 is there, 13 is not */
	daemon_fixture_acknowledge(&b->records[2]);
	assert_string_equal(s->durable_seq, "14");
	assert_false(shard_ahead(s));
	daemon_fixture_acknowledge(&b->records[4]);
	assert_string_equal(s->durable_seq, "15");
	assert_true(TAILQ_EMPTY(&s->batches));
	assert_int_equal(s->open_records, 0);
	assert_int_equal(f->t.reads.used_bytes, 0);
}

static void test_a_hole_holds_later_batches_back_but_not_their_memory(void **state)
{
	struct shard *s = reading_shard();
	struct batch *a = read_inserts(s, 2, 11, 1000);
	struct batch *b = read_inserts(s, 2, 21, 2000);
	struct batch *c = read_inserts(s, 2, 31, 3000);

	(void)state;
	daemon_fixture_acknowledge(&c->records[0]);
	daemon_fixture_acknowledge(&b->records[0]);
	daemon_fixture_acknowledge(&b->records[1]);
	/* b is gone from memory, and a answers for it. */
	assert_ptr_equal(TAILQ_NEXT(a, link), c);
	assert_int_equal(f->t.reads.used_bytes, a->bytes + c->bytes);
	assert_string_equal(s->durable_seq, "");
	daemon_fixture_acknowledge(&a->records[0]);
	assert_string_equal(s->durable_seq, "11");
	assert_true(shard_ahead(s));
	daemon_fixture_acknowledge(&a->records[1]);
	/* All of a, all of b that it stood for, and what c had. */
	assert_string_equal(s->durable_seq, "31");
	assert_false(shard_ahead(s));
	daemon_fixture_acknowledge(&c->records[1]);
	assert_string_equal(s->durable_seq, "32");
	assert_int_equal(f->t.reads.used_bytes, 0);
}

static void test_a_batch_that_stands_for_others_is_ahead(void **state)
{
	struct shard *s = reading_shard();
	struct batch *a = read_inserts(s, 1, 11, 1000);
	struct batch *b = read_inserts(s, 1, 21, 2000);

	(void)state;
	assert_true(shard_ahead(s) || TAILQ_NEXT(a, link) == b);
	daemon_fixture_acknowledge(&b->records[0]);
	assert_null(TAILQ_NEXT(a, link));
	assert_true(shard_ahead(s)); /* 21 is in S3, and nothing shows it but a's last number */
	daemon_fixture_acknowledge(&a->records[0]);
	assert_string_equal(s->durable_seq, "21");
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* The naive model: the prefix is what a walk over all records finds. */
static void run_model(uint64_t seed)
{
	struct shard *s = reading_shard();
	struct record *open[RECORDS];
	bool done[RECORDS + 1] = {false};
	uint64_t x = seed;
	size_t nread = 0, nopen = 0, prefix = 0;
	char want[24];

	while (nread < RECORDS || nopen > 0) {
		if (nread < RECORDS && (nopen == 0 || next_random(&x) % 40 == 0)) {
			size_t n = 1 + next_random(&x) % 30;

			if (n > RECORDS - nread)
				n = RECORDS - nread;
			struct batch *b = read_inserts(s, n, 100 + nread, 1000 + (int64_t)nread);
			for (size_t i = 0; i < n; i++)
				open[nopen++] = &b->records[i];
			nread += n;
		}
		size_t which = next_random(&x) % nopen;
		struct record *r = open[which];
		char seq[24];
		snprintf(seq, sizeof(seq), "%.*s", (int)r->seq.len, batch_span(r->batch, r->seq).ptr);
		done[strtoul(seq, NULL, 10) - 100] = true;
		open[which] = open[--nopen];
		daemon_fixture_acknowledge(r);
		if (next_random(&x) % 20 == 0)
			table_compact(&f->t);
		while (done[prefix])
			prefix++;
		snprintf(want, sizeof(want), "%zu", 99 + prefix);
		assert_string_equal(s->durable_seq, prefix > 0 ? want : "");
		assert_int_equal(s->open_records, nopen);
		/* A clean stop may be claimed only if nothing lies beyond the prefix. */
		bool beyond = false;
		for (size_t i = prefix; i < nread; i++)
			beyond = beyond || done[i];
		if (beyond)
			assert_true(shard_ahead(s));
		/* The first record that is missing is not claimed to be there. */
		if (prefix < nread)
			assert_true(shard_complete_ms(s) < (1000 + (int64_t)prefix) * 1000);
	}
	assert_true(TAILQ_EMPTY(&s->batches));
	assert_false(shard_ahead(s));
	assert_int_equal(f->t.reads.used_bytes, 0);
}

static void test_against_a_naive_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		tear_down(NULL);
		set_up(NULL);
		run_model(seed * UINT64_C(0x9e3779b97f4a7c15));
	}
}

static void test_compaction_keeps_the_account(void **state)
{
	struct shard *s = reading_shard();
	struct batch *a = read_inserts(s, 50, 11, 1000);
	struct batch *b = read_inserts(s, 50, 111, 2000);

	(void)state;
	for (size_t i = 1; i < 50; i++)
		daemon_fixture_acknowledge(&a->records[i]);
	for (size_t i = 0; i < 49; i++)
		daemon_fixture_acknowledge(&b->records[i]);
	size_t before = f->t.reads.used_bytes;
	table_compact(&f->t);
	assert_true(f->t.reads.used_bytes < before);
	assert_int_equal(f->t.reads.used_bytes, a->bytes + b->bytes);
	daemon_fixture_acknowledge(&a->records[0]);
	assert_string_equal(s->durable_seq, "159");
	daemon_fixture_acknowledge(&b->records[49]);
	assert_string_equal(s->durable_seq, "160");
	assert_int_equal(f->t.reads.used_bytes, 0);
}

static void test_complete_through(void **state)
{
	struct shard *s = reading_shard();
	struct batch *b = read_inserts(s, 3, 11, 1000);

	(void)state;
	assert_true(shard_complete_ms(s) == 999999);
	daemon_fixture_acknowledge(&b->records[0]);
	assert_true(shard_complete_ms(s) == 1000999);
	daemon_fixture_acknowledge(&b->records[1]);
	daemon_fixture_acknowledge(&b->records[2]);
	/* Further records of that second may follow: what is known is the time before it. */
	assert_true(shard_complete_ms(s) < 1002000);
	assert_true(shard_complete_ms(s) >= 1001000);
}

static void test_event_times_that_do_not_grow(void **state)
{
	static const struct daemon_record r[] = {
		{.op = "INSERT", .id = "a", .seq = 1, .event_s = 1010},
		{.op = "INSERT", .id = "b", .seq = 2, .event_s = 1005},
		{.op = "INSERT", .id = "c", .seq = 3, .event_s = 1020},
	};
	struct shard *s = reading_shard();
	struct batch *b = daemon_fixture_read(f, s, r, 3);

	(void)state;
	assert_true(shard_complete_ms(s) < 1005000); /* b is not there */
	daemon_fixture_acknowledge(&b->records[0]);
	assert_true(shard_complete_ms(s) < 1005000);
	daemon_fixture_acknowledge(&b->records[1]);
	assert_true(shard_complete_ms(s) >= 1009999);
	daemon_fixture_acknowledge(&b->records[2]);
}

static void test_records_without_a_time_claim_nothing(void **state)
{
	struct shard *s = reading_shard();
	struct batch *b = read_inserts(s, 2, 11, 0);

	(void)state;
	assert_true(shard_complete_ms(s) == CLOCK_UNKNOWN);
	daemon_fixture_acknowledge(&b->records[0]);
	daemon_fixture_acknowledge(&b->records[1]);
	assert_true(shard_complete_ms(s) == CLOCK_UNKNOWN);
	assert_string_equal(s->durable_seq, "12");
}

/* What makes a restart ask S3 (I4): anything that may be there already. */
static void test_what_may_be_in_s3_is_ahead(void **state)
{
	static const struct daemon_record r[] = {{.op = "REMOVE", .id = "a", .seq = 1},
						 {.op = "INSERT", .id = "b", .seq = 2}};
	struct shard *s = reading_shard();
	struct batch *b = daemon_fixture_read(f, s, r, 2);

	(void)state;
	assert_false(shard_ahead(s)); /* read, and not begun with */
	b->records[1].state = RECORD_READY;
	assert_false(shard_ahead(s));
	b->records[1].state = RECORD_WRITING;
	b->writing = 1;
	assert_true(shard_ahead(s));
	b->writing = 0;
	/* Its answer was lost, or the request was cancelled after it had been sent. */
	b->records[1].state = RECORD_WAITING;
	b->records[1].ask = true;
	assert_true(shard_ahead(s));
	b->records[1].ask = false;
	assert_false(shard_ahead(s));
	/* The deletes object is there, the marker is not. */
	b->records[0].step = RECORD_MARKER;
	assert_true(shard_ahead(s));
	b->records[0].step = RECORD_DELETES;
	/* An item that moved to another folder: the new key is written, the old one still there. */
	b->records[1].step = RECORD_DELETES;
	assert_true(shard_ahead(s));
	daemon_fixture_acknowledge(&b->records[0]);
	daemon_fixture_acknowledge(&b->records[1]);
	assert_false(shard_ahead(s));
}

static void test_a_shard_finishes_when_all_of_it_is_durable(void **state)
{
	struct shard *s = reading_shard();
	struct batch *b = read_inserts(s, 2, 11, 1000);

	(void)state;
	shard_drain(s);
	assert_int_equal(s->state, SHARD_DRAINING);
	daemon_fixture_acknowledge(&b->records[1]);
	assert_int_equal(s->state, SHARD_DRAINING);
	daemon_fixture_acknowledge(&b->records[0]);
	assert_int_equal(s->state, SHARD_FINISHED);
}

static void test_a_shard_without_anything_left_finishes_at_once(void **state)
{
	struct shard *s = reading_shard();

	(void)state;
	shard_drain(s);
	assert_int_equal(s->state, SHARD_FINISHED);
}

static void test_a_trimmed_shard_is_a_gap_once_and_writes_what_it_has(void **state)
{
	struct shard *s = reading_shard();
	struct batch *b = read_inserts(s, 1, 11, 1000);

	(void)state;
	shard_trimmed(s);
	assert_int_equal(f->t.gap_count, 1);
	assert_string_equal(f->t.gaps[0].shard, "shardId-1");
	assert_int_equal(s->state, SHARD_DRAINING);
	shard_trimmed(s);
	assert_int_equal(f->t.gap_count, 1);
	daemon_fixture_acknowledge(&b->records[0]);
	assert_int_equal(s->state, SHARD_FINISHED);
	assert_string_equal(s->durable_seq, "11");
}

static void fail_with(struct shard *s, enum err_class class)
{
	daemon_fixture_reading(s);
	err_set(&s->err, class, "%s", "so says the test");
	shard_rest_after_failure(s);
}

/* One that is open may be unknown to the server for a moment; given up it would never be read again. */
static void test_an_open_shard_is_not_given_up(void **state)
{
	struct shard *s = reading_shard();

	(void)state;
	for (int i = 0; i < 50; i++)
		fail_with(s, i % 2 ? ERR_RETRY : ERR_NOT_FOUND);
	for (int i = 0; i < 50; i++)
		fail_with(s, ERR_NOT_FOUND);
	assert_int_equal(s->state, SHARD_RESTING);
	assert_int_equal(f->t.gap_count, 0);
}

static void test_other_failures_do_not_make_a_shard_missing(void **state)
{
	struct shard *s = reading_shard();

	(void)state;
	s->open = false;
	for (int i = 0; i < 20; i++)
		fail_with(s, ERR_RETRY);
	for (int i = 0; i < 20; i++) {
		fail_with(s, ERR_NOT_FOUND);
		assert_int_equal(s->state, SHARD_RESTING);
		fail_with(s, ERR_THROTTLE);
	}
	assert_int_equal(f->t.gap_count, 0);
	/* Closed, and unknown time and again: trimmed, and its children are free. */
	for (int i = 0; i < 10 && s->state == SHARD_RESTING; i++)
		fail_with(s, ERR_NOT_FOUND);
	assert_int_equal(s->state, SHARD_FINISHED);
	assert_int_equal(f->t.gap_count, 1);
}

static void test_trimmed_records_are_one_gap_and_the_horizon(void **state)
{
	struct shard *s = reading_shard();

	(void)state;
	strcpy(s->durable_seq, "5");
	buf_append_str(&s->iterator, "old");
	fail_with(s, ERR_TRIMMED);
	assert_true(s->from_horizon);
	assert_int_equal(s->iterator.len, 0);
	fail_with(s, ERR_TRIMMED);
	assert_int_equal(f->t.gap_count, 1);
	assert_string_equal(s->durable_seq, "5");
}

/* DynamoDB Local says so of the first record of an empty shard. */
static void test_a_trim_between_pages_is_looked_into(void **state)
{
	struct shard *s = reading_shard();

	(void)state;
	strcpy(s->durable_seq, "5");
	buf_append_str(&s->iterator, "of a page");
	s->paged = true;
	fail_with(s, ERR_TRIMMED);
	assert_int_equal(s->iterator.len, 0);
	assert_false(s->from_horizon); /* derived from the position first */
	assert_int_equal(f->t.gap_count, 0);
	fail_with(s, ERR_TRIMMED);
	assert_true(s->from_horizon);
	assert_int_equal(f->t.gap_count, 1);
}

static void test_a_trim_before_the_first_record_is_no_gap(void **state)
{
	struct shard *s = reading_shard();

	(void)state;
	fail_with(s, ERR_TRIMMED);
	fail_with(s, ERR_TRIMMED);
	assert_int_equal(f->t.gap_count, 0);
	s->from_horizon = false;
	s->complete_ms = clock_wall_ms() - INT64_C(25) * 3600 * 1000;
	fail_with(s, ERR_TRIMMED);
	assert_int_equal(f->t.gap_count, 1);
}

static void test_an_expired_iterator_is_thrown_away(void **state)
{
	struct shard *s = reading_shard();

	(void)state;
	buf_append_str(&s->iterator, "old");
	fail_with(s, ERR_EXPIRED);
	assert_int_equal(s->iterator.len, 0);
	assert_false(s->from_horizon);
	assert_int_equal(f->t.gap_count, 0);
	/* A reset in the middle keeps the place. */
	buf_append_str(&s->iterator, "new");
	fail_with(s, ERR_RETRY);
	assert_string_equal(buf_str(&s->iterator), "new");
	fail_with(s, ERR_CORRUPT);
	assert_string_equal(buf_str(&s->iterator), "new");
}

/* An answer that never fits ends in asking for single records, not in a stop. */
static void test_an_answer_that_does_not_fit(void **state)
{
	struct shard *s = reading_shard();

	(void)state;
	for (int i = 0; i < 40; i++)
		fail_with(s, ERR_LIMIT);
	assert_int_equal(s->state, SHARD_RESTING);
	assert_int_equal(s->limit, 1);
}

static void test_a_stopped_shard_asks_no_more(void **state)
{
	struct shard *s = reading_shard();

	(void)state;
	shard_stop(s);
	shard_rest_after_page(s, 0, 0);
	assert_int_equal(s->state, SHARD_RESTING);
	assert_false(uv_is_active((uv_handle_t *)&s->timer));
}

static void test_a_claim_is_taken_back(void **state)
{
	struct shard *s = reading_shard();
	struct batch *b;

	(void)state;
	s->asked_ms = 5000000;
	for (int i = 0; i < 3; i++) {
		daemon_fixture_reading(s);
		shard_rest_after_page(s, 0, 0);
	}
	assert_true(s->tip);
	b = read_inserts(s, 1, 11, 1000); /* event time 1,000 s: far before what was claimed */
	assert_false(s->tip);
	assert_true(shard_complete_ms(s) < 1000000);
	daemon_fixture_acknowledge(&b->records[0]);
	assert_true(shard_complete_ms(s) < 1000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_prefix_stops_at_a_hole),
		TEST(test_a_hole_holds_later_batches_back_but_not_their_memory),
		TEST(test_a_batch_that_stands_for_others_is_ahead),
		TEST(test_against_a_naive_model),
		TEST(test_compaction_keeps_the_account),
		TEST(test_complete_through),
		TEST(test_event_times_that_do_not_grow),
		TEST(test_records_without_a_time_claim_nothing),
		TEST(test_what_may_be_in_s3_is_ahead),
		TEST(test_a_shard_finishes_when_all_of_it_is_durable),
		TEST(test_a_shard_without_anything_left_finishes_at_once),
		TEST(test_a_trimmed_shard_is_a_gap_once_and_writes_what_it_has),
		TEST(test_an_open_shard_is_not_given_up),
		TEST(test_other_failures_do_not_make_a_shard_missing),
		TEST(test_trimmed_records_are_one_gap_and_the_horizon),
		TEST(test_a_trim_between_pages_is_looked_into),
		TEST(test_a_trim_before_the_first_record_is_no_gap),
		TEST(test_an_expired_iterator_is_thrown_away),
		TEST(test_an_answer_that_does_not_fit),
		TEST(test_a_stopped_shard_asks_no_more),
		TEST(test_a_claim_is_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
