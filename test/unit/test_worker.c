/* The worker pool without a network: records that fail before anything is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "daemon_fixture.h"
#include "shard.h"
#include "stream.h"

#define POISONED 50000
#define WORKERS 3

static struct daemon_fixture *f;
static struct shard *s;

/* Workers that are never to send: they have no connection. */
static int set_up(void **state)
{
	static const struct streams_shard one = {.id = "a"};
	struct err e;

	(void)state;
	f = daemon_fixture_new();
	struct stream *st = daemon_fixture_stream(f, "2026-11-23T12:02:59.379");
	assert_int_equal(stream_merge(st, &one, 1, true, &e), 0);
	s = stream_find(st, "a");
	struct worker_pool *p = &f->d.workers;
	p->workers = calloc(WORKERS, sizeof(*p->workers));
	assert_non_null(p->workers);
	p->n = p->limit = WORKERS;
	for (size_t i = 0; i < WORKERS; i++) {
		p->workers[i].pool = p;
		buf_init(&p->workers[i].key, 4096);
		TAILQ_INSERT_TAIL(&p->idle, &p->workers[i], link);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < WORKERS; i++)
		buf_fini(&f->d.workers.workers[i].key);
	free(f->d.workers.workers);
	daemon_fixture_free(f);
	return 0;
}

/* `n` records of as many items, with an attribute twice: no canonical form. */
static struct batch *read_poison(size_t n)
{
	struct daemon_record *r = calloc(n, sizeof(*r));
	char(*ids)[16] = calloc(n, sizeof(*ids));

	assert_non_null(r);
	assert_non_null(ids);
	for (size_t i = 0; i < n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "i%zu", i);
		r[i] = (struct daemon_record){.op = "INSERT",
					      .id = ids[i],
					      .image = ",\"v\":{\"N\":\"1\"},\"v\":{\"N\":\"2\"}",
					      .seq = i + 1};
	}
	struct batch *b = daemon_fixture_read(f, s, r, n);
	free(ids);
	free(r);
	assert_int_equal(lanes_reserve(&f->d.lanes, n), 0);
	for (size_t i = 0; i < n; i++)
		lane_push(&f->d.lanes, &f->t.lanes, &b->records[i]);
	return b;
}

/* However many fail so at once, it takes no deeper stack; and each of them stays, waits, and is told of (I5). */
static void test_very_many_records_that_cannot_be_built(void **state)
{
	struct batch *b = read_poison(POISONED);

	(void)state;
	worker_kick(&f->d.workers);
	assert_int_equal(f->t.lanes.nready[RECORD_NEW], 0);
	assert_int_equal(f->t.lanes.waiting, POISONED);
	assert_int_equal(f->t.stuck, POISONED);
	assert_int_equal(f->d.lanes.records, POISONED);
	assert_int_equal(f->d.workers.busy, 0);
	assert_int_equal(f->t.in_flight, 0);
	assert_int_equal(b->writing, 0);
	assert_int_equal(b->open, POISONED);
	for (size_t i = 0; i < POISONED; i++)
		assert_int_equal(b->records[i].state, RECORD_WAITING);
	assert_string_equal(s->durable_seq, "");
	assert_true(uv_is_active((uv_handle_t *)&f->d.tick));
	uv_timer_stop(&f->d.tick);
}

/* One bad item is no reason to write others slower. */
static void test_a_poisoned_record_slows_nobody(void **state)
{
	(void)state;
	read_poison(10);
	worker_kick(&f->d.workers);
	assert_int_equal(f->d.workers.limit, WORKERS);
	assert_false(f->d.workers.paused);
	uv_timer_stop(&f->d.tick);
}

/* A table that reads no further for what is ready reads on when that has turned out not to be writable. */
static void test_reading_goes_on_when_what_was_ready_only_fails(void **state)
{
	(void)state;
	read_poison(POISONED);
	f->t.reads.lines[RECORD_NEW].ahead = true;
	worker_kick(&f->d.workers);
	assert_false(f->t.reads.lines[RECORD_NEW].ahead);
	uv_timer_stop(&f->d.tick);
}

static void test_nothing_starts_in_a_pool_that_is_stopped_or_pauses(void **state)
{
	(void)state;
	read_poison(3);
	f->d.workers.paused = true;
	worker_kick(&f->d.workers);
	assert_int_equal(f->t.lanes.nready[RECORD_NEW], 3);
	f->d.workers.paused = false;
	f->d.workers.stopped = true;
	worker_kick(&f->d.workers);
	assert_int_equal(f->t.lanes.nready[RECORD_NEW], 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_very_many_records_that_cannot_be_built),
		TEST(test_a_poisoned_record_slows_nobody),
		TEST(test_reading_goes_on_when_what_was_ready_only_fails),
		TEST(test_nothing_starts_in_a_pool_that_is_stopped_or_pauses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
