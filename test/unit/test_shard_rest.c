/* How long a shard rests between two reads, and what a page claims of the time up to which it is complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "daemon_fixture.h"
#include "shard.h"
#include "shard_rest.h"

static struct daemon_fixture *f;
static struct shard *s;

static int set_up(void **state)
{
	(void)state;
	f = daemon_fixture_new();
	s = daemon_fixture_shard(daemon_fixture_stream(f, "2026-11-23T12:02:59.379"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	daemon_fixture_free(f);
	return 0;
}

static void page(size_t records)
{
	daemon_fixture_reading(s);
	shard_rest_after_page(s, records, records * 100);
}

/* Empty pages come in the middle of a shard too: one of them shows nothing. */
static void test_the_tip_is_not_believed_at_once(void **state)
{
	(void)state;
	s->asked_ms = 5000000;
	page(0);
	assert_true(shard_complete_ms(s) == CLOCK_UNKNOWN);
	page(10);
	page(0);
	page(0);
	assert_true(shard_complete_ms(s) == CLOCK_UNKNOWN);
	page(0);
	assert_true(shard_complete_ms(s) != CLOCK_UNKNOWN);
	assert_true(shard_complete_ms(s) < 5000000); /* what has just changed may be on its way */
	/* A full page has more behind it. */
	s->asked_ms = 6000000;
	page(1000);
	assert_true(shard_complete_ms(s) < 5000000);
}

/* How long the shard rests after a page that was asked for now. */
static int64_t rest_of(size_t records)
{
	uv_update_time(&f->d.loop);
	s->asked_mono_ms = clock_mono_ms();
	page(records);
	return (int64_t)uv_timer_get_due_in(&s->timer);
}

/* One poll each poll_interval: no fewer, and on average no more. Such is the pace within a few of them; a record ends it at once. */
static void test_the_pace_of_an_idle_shard(void **state)
{
	int64_t rest, least = INT64_MAX, most = 0;

	(void)state;
	f->conf.poll_interval_ms = 2000;
	for (int i = 0; i < 10; i++) {
		rest = rest_of(0);
		assert_in_range(rest, 240, 2000);
		if (i >= 6)
			assert_in_range(rest, 1970,
					2000); /* sent together with others, and the test itself takes a while */
	}
	assert_in_range(rest_of(1), 240, 250);
	/* Found together, read apart. */
	for (int i = 0; i < 50; i++) {
		rest_of(1);
		rest = rest_of(0);
		least = rest < least ? rest : least;
		most = rest > most ? rest : most;
	}
	assert_in_range(least, 490, 1000);
	assert_in_range(most, least + 100, 1000);
}

static void test_a_closed_shard_has_no_tip(void **state)
{
	(void)state;
	s->open = false;
	s->asked_ms = 5000000;
	for (int i = 0; i < 50; i++)
		page(0);
	assert_true(shard_complete_ms(s) == CLOCK_UNKNOWN);
}

/* However short a page is, there may be more behind it: only an empty one moves the claim, at the tip. */
static void test_a_page_with_records_claims_nothing(void **state)
{
	int64_t before;

	(void)state;
	s->asked_ms = 5000000;
	for (int i = 0; i < 3; i++)
		page(0);
	before = shard_complete_ms(s);
	s->asked_ms = 5030000;
	page(1);
	assert_true(shard_complete_ms(s) == before);
	page(0);
	assert_true(shard_complete_ms(s) > before);
}

/* A full page has more behind it, a limit that was reached, too; and what was not read for long, until a page shows that it has not. */
static void test_what_is_behind(void **state)
{
	(void)state;
	assert_true(s->behind);
	assert_true(shard_page_is_full(s, 1000, 100));
	assert_true(shard_page_is_full(s, 2, 1000000));
	assert_false(shard_page_is_full(s, 2, 100));
	s->limit = 2;
	assert_true(shard_page_is_full(s, 2, 100));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_tip_is_not_believed_at_once),
		TEST(test_the_pace_of_an_idle_shard),
		TEST(test_a_closed_shard_has_no_tip),
		TEST(test_a_page_with_records_claims_nothing),
		TEST(test_what_is_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
