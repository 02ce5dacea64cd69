/* The state of an item at a point of time (I8): short histories that were once restored wrongly, and what they may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* One object of a short history; seconds after START_MS. A marker has no event. */
struct stored {
	enum item_kind kind;
	int stored, seq, event;
	const char *name;
	int content;
};

#define CASE_MAX 16

static struct model short_history(const struct stored *stored, size_t n)
{
	struct model m = {.nobjects = n};
	assert_true(n <= CASE_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct stored *s = &stored[i];
		struct object *o = &m.objects[i];
		*o = (struct object){.kind = s->kind, .seq = s->seq, .content = s->content};
		o->modified_ms = START_MS + s->stored * INT64_C(1000);
		if (s->name == NULL)
			continue;
		snprintf(o->event, sizeof(o->event), "%s", s->name);
		clock_iso(o->time, START_MS + s->event * INT64_C(1000));
	}
	return m;
}

struct case_at {
	int at, want; /* seconds; content */
	int asked;    /* questions at most; -1: any number */
};

static void check_case(const struct stored *stored, size_t n, const struct case_at *at, size_t nat, bool folders)
{
	struct model m = short_history(stored, n);
	for (size_t i = 0; i < nat; i++) {
		struct world w = {0};
		struct item *it = world_listed(&m);
		int64_t at_ms = START_MS + at[i].at * INT64_C(1000);
		int got = world_state(&w, &m, it, at_ms, folders);
		if (got != at[i].want)
			world_explain(&m, at_ms, at[i].want, got);
		assert_int_equal(got, at[i].want);
		if (at[i].asked >= 0)
			assert_in_range(w.asked, 0, at[i].asked);
		item_free(it);
	}
}

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define CHECK(stored, at, folders) check_case(stored, LENGTH(stored), at, LENGTH(at), folders)
#define V(s, n, e, what, c)                    \
	{                                      \
		ITEM_VERSION, s, n, e, what, c \
	}
#define D(s, n, e)                                    \
	{                                             \
		ITEM_DELETES, s, n, e, "REMOVE", GONE \
	}
#define M(s)                                     \
	{                                        \
		ITEM_MARKER, s, 0, 0, NULL, GONE \
	}
#define LONG_AFTER 100000

/* S3's clock is a minute behind: the second marker of a removal lies before the removal's time, and must not count. */
static void test_marker_written_twice(void **state)
{
	(void)state;
	static const struct stored twice[] = {V(0, 1, 0, "INSERT", 1), D(40, 2, 100), M(40), M(41)};
	static const struct stored between[] = {V(0, 1, 0, "INSERT", 1), D(40, 2, 100), M(41), V(44, 1, 0, "INSERT", 1),
						M(46)};
	static const struct stored first_late[] = {V(0, 1, 0, "INSERT", 1), D(40, 2, 100), V(44, 1, 0, "INSERT", 1),
						   M(46)};
	static const struct stored again[] = {
		V(0, 1, 0, "INSERT", 1), D(40, 2, 100), M(40), V(50, 3, 110, "INSERT", 3),
		D(60, 2, 100),		 M(61),		M(62), V(70, 3, 110, "INSERT", 3)};
	static const struct case_at at[] = {{45, 1, -1}, {50, 1, -1}, {99, 1, -1}, {100, GONE, -1}, {109, GONE, -1}};
	static const struct stored later[] = {V(0, 1, 0, "INSERT", 1), D(100, 2, 100), M(100), M(700)};
	static const struct case_at long_after[] = {{LONG_AFTER, GONE, 0}}, later_at[] = {{1000, GONE, 0}};
	CHECK(later, later_at, false);
	CHECK(twice, at, false);
	CHECK(twice, long_after, false);
	CHECK(between, at, false);
	CHECK(first_late, at, false);
	CHECK(again, at, false);
}

/* Something newer lies between: then the marker is one that a person made, or another tool. */
static void test_marker_by_hand(void **state)
{
	(void)state;
	static const struct stored stored[] = {V(0, 1, 0, "INSERT", 1), D(40, 2, 40), M(40), V(50, 3, 50, "INSERT", 3),
					       M(60)};
	static const struct case_at at[] = {
		{39, 1, -1}, {49, GONE, -1}, {59, 3, -1}, {60, GONE, -1}, {LONG_AFTER, GONE, 0}};
	static const struct stored only[] = {V(0, 0, 0, NULL, 1), V(40, 0, 0, NULL, 2), M(50), V(60, 0, 0, NULL, 3)};
	static const struct case_at only_at[] = {{45, 2, 3}, {55, GONE, 3}, {65, 3, 3}};
	CHECK(stored, at, false);
	/* Without deletes versions there is nothing that it could repeat: it costs no question. */
	CHECK(only, only_at, false);
}

/* Between a removal and a change that is no insertion there was an insertion, which expired, or was lost in a gap. */
static void test_lost_behind_a_removal(void **state)
{
	(void)state;
	static const struct stored modified[] = {V(0, 1, 0, "INSERT", 1), D(100, 2, 100), M(100),
						 V(5000, 4, 5000, "MODIFY", 4)};
	static const struct stored removed[] = {D(100, 2, 100), D(5000, 4, 5000)};
	static const struct stored inserted[] = {V(0, 1, 0, "INSERT", 1), D(100, 2, 100), M(100),
						 V(5000, 4, 5000, "INSERT", 4)};
	static const struct stored scanned[] = {V(0, 1, 0, "INSERT", 1), D(100, 2, 100), M(100),
						V(5000, 0, 4990, "BASELINE", 4)};
	static const struct case_at lost[] = {{99, 1, -1}, {100, LOST, -1}, {4980, LOST, -1}};
	static const struct case_at lost_later[] = {{100, LOST, -1},
						    {4980, LOST, -1},
						    {5000, GONE, -1},
						    {LONG_AFTER, GONE, 0}};
	static const struct case_at came_back[] = {{4999, GONE, 1}, {5000, 4, -1}, {LONG_AFTER, 4, 0}};
	static const struct case_at arrived[] = {{4999, GONE, -1}};
	CHECK(modified, lost, false);
	CHECK(removed, lost_later, false);
	CHECK(removed, lost_later, true);
	CHECK(inserted, came_back, false);
	CHECK(scanned, lost, false);
	/* With folders it may have come from another one. */
	CHECK(modified, arrived, true);
}

/* A version and a removal, both older than the last, whose requests arrived late: neither is the last. */
static void test_late_version_and_removal(void **state)
{
	(void)state;
	static const struct stored stored[] = {
		V(0, 1, 0, "INSERT", 1),   D(100, 2, 100), M(100), V(200, 3, 200, "INSERT", 3),
		V(300, 1, 0, "INSERT", 1), D(310, 2, 100)};
	static const struct case_at at[] = {{199, GONE, -1}, {200, 3, -1}, {1000, 3, -1}, {LONG_AFTER, 3, -1}};
	static const struct stored all[] = {V(560, 1, 10, "INSERT", 1),
					    D(560, 2, 20),
					    M(560),
					    V(560, 3, 30, "INSERT", 3),
					    D(560, 4, 40),
					    M(560),
					    M(561),
					    D(565, 2, 20),
					    V(1118, 3, 30, "INSERT", 3)};
	static const struct case_at all_at[] = {{39, 3, -1}, {40, GONE, -1}, {1170, GONE, -1}, {LONG_AFTER, GONE, -1}};
	CHECK(stored, at, false);
	CHECK(all, all_at, false);
}

/* All was stored in one second, so LastModified does not tell which deletes version belongs where. */
static void test_removals_of_one_second(void **state)
{
	(void)state;
	static const struct stored stored[] = {V(900, 1, 10, "INSERT", 1),
					       D(900, 2, 20),
					       D(900, 2, 20),
					       M(900),
					       V(900, 3, 30, "INSERT", 3),
					       D(900, 4, 40),
					       M(900),
					       V(900, 5, 50, "INSERT", 5),
					       D(900, 6, 60),
					       M(900),
					       V(900, 7, 70, "INSERT", 7)};
	static const struct case_at at[] = {{19, 1, -1}, {29, GONE, -1}, {39, 3, -1}, {49, GONE, -1},
					    {59, 5, -1}, {69, GONE, -1}, {70, 7, -1}, {LONG_AFTER, 7, -1}};
	static const struct stored expired[] = {V(900, 1, 10, "INSERT", 1), D(900, 2, 20), V(900, 3, 30, "INSERT", 3)};
	static const struct case_at expired_at[] = {{19, 1, -1}, {20, GONE, -1}, {29, GONE, -1}, {30, 3, -1}};
	CHECK(stored, at, false);
	CHECK(expired, expired_at, false);
}

/* A baseline has an event time and no number. What the stream told until then was stored before it. */
static void test_baselines_among_changes(void **state)
{
	(void)state;
	static const struct stored stored[] = {V(0, 1, 0, "INSERT", 1),
					       V(105, 0, 100, "BASELINE", 2),
					       V(110, 1, 0, "INSERT", 1), /* late */
					       V(200, 5, 200, "MODIFY", 5),
					       {ITEM_DELETES, 305, 0, 300, "BASELINE", GONE},
					       M(305),
					       M(306),
					       V(310, 5, 200, "MODIFY", 5), /* late */
					       V(400, 9, 400, "INSERT", 9)};
	static const struct case_at at[] = {{99, 1, -1},     {100, 2, -1}, {199, 2, -1},
					    {200, 5, -1},    {299, 5, -1}, {300, GONE, -1},
					    {350, GONE, -1}, {400, 9, -1}, {LONG_AFTER, 9, -1}};
	static const struct stored same_second[] = {V(0, 1, 0, "INSERT", 1), V(105, 0, 100, "BASELINE", 2),
						    V(110, 5, 100, "MODIFY", 5)};
	static const struct case_at same_at[] = {{99, 1, -1}, {100, 5, -1}, {LONG_AFTER, 5, 0}};
	/* Its own second copy arrives late: behind a removal of the same second, and behind a change that is settled. */
	static const struct stored late[] = {V(0, 1, 0, "INSERT", 1), V(674, 0, 673, "BASELINE", 2), D(675, 5, 673),
					     M(676), V(691, 0, 673, "BASELINE", 2)};
	static const struct case_at late_at[] = {{672, 1, -1},
						 {673, GONE, -1},
						 {1280, GONE, -1},
						 {LONG_AFTER, GONE, -1}};
	static const struct stored settled[] = {V(300, 0, 299, "BASELINE", 2), V(1000, 5, 600, "MODIFY", 5),
						V(1050, 0, 299, "BASELINE", 2)};
	static const struct case_at settled_at[] = {{599, 2, -1}, {1600, 5, -1}, {LONG_AFTER, 5, -1}};
	CHECK(stored, at, false);
	CHECK(same_second, same_at, false);
	/* All in one second, and the marker of what the baseline found has expired. */
	static const struct stored expired[] = {{ITEM_DELETES, 900, 0, 500, "BASELINE", GONE},
						V(900, 5, 500, "INSERT", 5)};
	static const struct case_at expired_at[] = {{500, 5, -1}, {1600, 5, -1}, {LONG_AFTER, 5, -1}};
	/* All in one second, and a second copy of what the baseline found is late. */
	static const struct stored again[] = {{ITEM_DELETES, 900, 0, 500, "BASELINE", GONE},
					      M(900),
					      V(900, 5, 500, "INSERT", 5),
					      {ITEM_DELETES, 903, 0, 500, "BASELINE", GONE},
					      V(1107, 5, 500, "INSERT", 5)};
	CHECK(again, expired_at, false);
	CHECK(expired, expired_at, false);
	CHECK(late, late_at, false);
	CHECK(settled, settled_at, false);
}

/* What lifecycle rules leave of an item that was removed long ago costs no question. */
static void test_removals_alone_need_no_question(void **state)
{
	(void)state;
	static const struct stored stored[] = {D(0, 2, 0), D(100, 4, 100), D(200, 6, 200)};
	static const struct case_at at[] = {{LONG_AFTER, GONE, 0}};
	CHECK(stored, at, false);
}

/* A second marker that was written after `since` is no change after it. */
static void test_changed_since(void **state)
{
	(void)state;
	static const struct stored stored[] = {V(0, 1, 0, "INSERT", 1), D(10, 2, 10), M(10), V(20, 1, 0, "INSERT", 1),
					       M(30)};
	static const struct stored by_hand[] = {V(0, 1, 0, "INSERT", 1), M(30)};
	struct model models[] = {short_history(stored, LENGTH(stored)), short_history(by_hand, LENGTH(by_hand))};
	for (size_t i = 0; i < LENGTH(models); i++) {
		struct item *it = world_listed(&models[i]);
		struct resolve_result r;
		bool changed;
		while (changed = resolve_changed(it, START_MS + 15000, &r), r.nask > 0)
			for (size_t k = 0; k < r.nask; k++)
				world_answer(&models[i], it, r.ask[k]);
		assert_int_equal(changed, i == 1);
		item_free(it);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_marker_written_twice),
		cmocka_unit_test(test_marker_by_hand),
		cmocka_unit_test(test_lost_behind_a_removal),
		cmocka_unit_test(test_late_version_and_removal),
		cmocka_unit_test(test_removals_of_one_second),
		cmocka_unit_test(test_baselines_among_changes),
		cmocka_unit_test(test_removals_alone_need_no_question),
		cmocka_unit_test(test_changed_since),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
