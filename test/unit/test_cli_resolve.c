/*
 * The state of items at a point of time (I8), against a model: random histories as the daemon and older tools leave them in
 * a bucket, listed in pages of every size, resolved at every moment that could make a difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static void store(struct world *w, struct model *m, enum item_kind kind, int64_t at_ms, const struct change *c)
{
	struct object *o = &m->objects[m->nobjects++];
	assert_true(m->nobjects <= ENTRIES_MAX);
	*o = (struct object){.kind = kind, .seq = c->seq, .content = c->content};
	o->modified_ms = w->whole_seconds ? at_ms / 1000 * 1000 : at_ms;
	if (c->seq == 0 && !c->baseline)
		return;
	snprintf(o->event, sizeof(o->event), "%s",
		 c->baseline	      ? "BASELINE"
		 : c->content == GONE ? "REMOVE"
		 : c->update	      ? "MODIFY"
				      : "INSERT");
	clock_iso(o->time, c->time_ms);
}

/* Older tools: no metadata, no deletes objects; what counts is when it was stored. */
static int64_t make_foreign(struct world *w, struct model *m, int64_t at_ms)
{
	bool there = false;
	for (size_t n = world_draw(6); n > 0; n--) {
		at_ms += world_chance(30) ? (int64_t)world_draw(900) : (int64_t)world_draw(900000);
		struct change c = {.content = there && world_chance(40) ? GONE : (int)world_draw(3)};
		store(w, m, c.content == GONE ? ITEM_MARKER : ITEM_VERSION, at_ms, &c);
		c.time_ms = m->objects[m->nobjects - 1].modified_ms;
		m->foreign[m->nforeign++] = c;
		there = c.content != GONE;
	}
	return at_ms;
}

/* A PUT whose answer was lost, and which arrives when it has been repeated and others have followed. */
static void store_late(struct world *w, struct model *m, int64_t at_ms)
{
	const struct change *c = &m->own[world_draw(m->nown)]; /* also one of a baseline */
	store(w, m, c->content == GONE ? ITEM_DELETES : ITEM_VERSION, at_ms, c);
}

/* A version, or a deletes version and its marker; each perhaps twice. When the last was stored. */
static int64_t store_change(struct world *w, struct model *m, int64_t stored_ms, const struct change *c, bool marked)
{
	bool again = world_chance(5);
	for (int n = 0; n < 1 + again; n++) {
		stored_ms += n > 0 ? (int64_t)world_draw(20000) : 0;
		store(w, m, c->content == GONE ? ITEM_DELETES : ITEM_VERSION, stored_ms, c);
	}
	for (int n = world_chance(5) ? 2 : 1; n > 0 && c->content == GONE && marked; n--) {
		stored_ms += (int64_t)world_draw(1500);
		store(w, m, ITEM_MARKER, stored_ms, c);
	}
	return stored_ms;
}

struct daemon_life {
	int64_t event_ms, stored_ms, skew_ms, grain_ms;
	int table;  /* what the item is; GONE */
	int bucket; /* what the bucket has of it */
};

/* What a baseline found, where the bucket has something else: changes until then are stored, later ones are not. */
static void make_baseline(struct world *w, struct model *m, struct daemon_life *d)
{
	int64_t stamp_ms = d->event_ms / d->grain_ms * d->grain_ms;
	if (d->table == d->bucket)
		return;
	d->event_ms += (int64_t)world_draw(world_chance(50) ? 3000 : 200000);
	struct change c = {.time_ms = d->event_ms, .content = d->table, .baseline = true};
	if (d->event_ms + d->skew_ms > d->stored_ms)
		d->stored_ms = d->event_ms + d->skew_ms;
	m->own[m->nown++] = c;
	d->stored_ms = store_change(w, m, d->stored_ms + (int64_t)world_draw(1500), &c, true);
	d->bucket = d->table;
	/* Of a later change the time may lie in the same second, but in no earlier one. */
	if (d->grain_ms > 1000 || stamp_ms / 1000 != d->event_ms / 1000)
		d->event_ms = (d->event_ms / d->grain_ms + 1) * d->grain_ms;
}

/* The daemon: in order of sequence, however late; clocks differ by less than the margin. Some changes are lost in gaps. */
static void make_own(struct world *w, struct model *m, struct daemon_life d, bool late, bool gaps)
{
	d.skew_ms = world_chance(30) ? (int64_t)world_draw(2 * 590000) - 590000 : 0;
	d.grain_ms = world_chance(20) ? 60000 : 1000;
	size_t count = 1 + world_draw(10);
	int seq = 98; /* passes from two digits to three: never compared as text */
	for (size_t i = 0; i < count; i++) {
		d.event_ms += world_chance(40) ? (int64_t)world_draw(500) : (int64_t)world_draw(900000);
		if (d.event_ms + d.skew_ms > d.stored_ms)
			d.stored_ms = d.event_ms + d.skew_ms;
		if (world_chance(10))
			d.stored_ms += (int64_t)world_draw(8 * 3600000); /* an outage */
		d.stored_ms += (int64_t)world_draw(1500);
		struct change c = {.seq = seq++,
				   .time_ms = d.event_ms / d.grain_ms * d.grain_ms,
				   .update = d.table != GONE};
		c.content = d.table != GONE && world_chance(35) ? GONE : (int)world_draw(3);
		d.table = c.content;
		if (gaps && world_chance(40)) {
			if (world_chance(60))
				make_baseline(w, m, &d);
			continue;
		}
		/* Events do not lie ahead of what S3 would date them to by more than clocks differ. */
		m->own[m->nown++] = c;
		/* A crash between the deletes object and its marker; nothing else of the item was stored since. */
		d.stored_ms = store_change(w, m, d.stored_ms, &c, i + 1 < count || !world_chance(20));
		d.bucket = c.content;
		if (late && world_chance(20)) {
			d.stored_ms += (int64_t)world_draw(60000);
			store_late(w, m, d.stored_ms);
		}
	}
}

static void make_item(struct world *w, struct model *m)
{
	*m = (struct model){0};
	int64_t at_ms = START_MS + (int64_t)world_draw(600000);
	int64_t foreign_end_ms = world_chance(30) ? make_foreign(w, m, at_ms) : at_ms;
	bool there = m->nforeign > 0 && m->foreign[m->nforeign - 1].content != GONE;
	bool overlap = m->nforeign > 0 && world_chance(40);
	if (m->nforeign > 0 && world_chance(20))
		return;
	/* With an overlap the stream is read from before the older tool's last writes. */
	struct daemon_life d = {
		.event_ms = overlap ? at_ms : foreign_end_ms + 700000,
		.stored_ms = foreign_end_ms + 1000,
		.table = (overlap ? world_chance(50) : there) ? 0 : GONE,
		.bucket = GONE,
	};
	make_own(w, m, d, world_chance(30), m->nforeign == 0 && world_chance(25));
}

/* --- what must come out --- */

static int foreign_state(const struct model *m, int64_t at_ms, bool *any)
{
	const struct change *best = NULL;
	for (size_t i = 0; i < m->nforeign; i++) {
		const struct change *c = &m->foreign[i];
		if (c->time_ms > at_ms)
			continue;
		/* Of the same second a marker beats a version, else the later one stored wins. */
		if (best == NULL || best->content != GONE || c->time_ms / 1000 > best->time_ms / 1000)
			best = c;
	}
	*any = best != NULL;
	return best ? best->content : GONE;
}

/* Of a removal, the change that is known next tells that there was another version, which is not in the bucket. */
static int after_removal(const struct model *m, size_t next)
{
	const struct change *c = &m->own[next];
	return next < m->nown && (c->content == GONE || c->update || c->baseline) ? LOST : GONE;
}

static int expected(const struct model *m, int64_t at_ms)
{
	int state = GONE;
	size_t first = 0;
	bool any;
	for (size_t i = m->nown; i-- > 0;)
		if (m->own[i].time_ms <= at_ms)
			return m->own[i].content == GONE ? after_removal(m, i + 1) : m->own[i].content;
	state = foreign_state(m, at_ms, &any);
	while (first < m->nown && m->own[first].baseline)
		first++;
	if (!any && first < m->nown && (m->own[first].content == GONE || m->own[first].update))
		return LOST;
	return state;
}

/* --- what does come out --- */

static void check_moment(struct world *w, int64_t at_ms)
{
	struct world_cursor cursors[ITEM_SIDES] = {{0, w->items[0].nobjects}, {0, w->items[0].nobjects}};
	struct merge m;
	struct item *it;
	struct err e;
	size_t n = 0;
	int rc;
	merge_init(&m, NULL, at_ms - RESOLVE_MARGIN_MS);
	while ((rc = merge_next(&m, &it, &e)) != MERGE_END) {
		assert_true(rc >= 0);
		if (rc == MERGE_WAIT) {
			bool given = false;
			for (enum item_side s = ITEM_DATA; s < ITEM_SIDES; s++) {
				if (!merge_wants(&m, s))
					continue;
				merge_give(&m, s, world_page(w, &cursors[s], s));
				given = true;
			}
			assert_true(given);
			continue;
		}
		const struct model *model = &w->items[atoi(buf_str(&it->key) + 1)];
		assert_int_equal(atoi(buf_str(&it->key) + 1), n++);
		int want = expected(model, at_ms), got = world_state(w, model, it, at_ms, false);
		if (want != got) {
			world_explain(model, at_ms, want, got);
			fail_msg("the state differs from the model's");
		}
		item_free(it);
	}
	assert_int_equal(n, w->nitems);
	merge_fini(&m);
}

/* Around each event, and where LastModified crosses a margin. */
static void check_world(struct world *w)
{
	static const int64_t offsets[] = {-1000, -1, 0, 1, 1000, RESOLVE_MARGIN_MS, RESOLVE_MARGIN_MS + 1000};
	check_moment(w, START_MS - 1000000);
	check_moment(w, START_MS + INT64_C(1000) * 86400000);
	for (size_t i = 0; i < w->nitems; i++) {
		const struct model *m = &w->items[i];
		for (size_t k = 0; k < m->nown; k++)
			for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++)
				check_moment(w, m->own[k].time_ms + offsets[o]);
		for (size_t k = 0; k < m->nobjects; k++)
			for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++)
				check_moment(w, m->objects[k].modified_ms + offsets[o]);
	}
}

static unsigned long histories(void)
{
	const char *text = getenv("RESOLVE_HISTORIES");
	return text ? strtoul(text, NULL, 10) : 500;
}

static void test_model(void **state)
{
	(void)state;
	static const size_t page_sizes[] = {1, 2, 3, 1000};
	static struct world w;
	uint64_t asked = 0, count = 0;
	for (unsigned long n = 0; n < histories(); n++) {
		world_seed = UINT64_C(0x9e3779b97f4a7c15) * (n + 1);
		w = (struct world){.whole_seconds = world_chance(50),
				   .page_size = page_sizes[n % 4],
				   .nitems = 1 + world_draw(ITEMS_MAX)};
		for (size_t i = 0; i < w.nitems; i++) {
			do
				make_item(&w, &w.items[i]);
			while (w.items[i].nobjects == 0);
		}
		check_world(&w);
		asked += w.asked;
		count += w.resolved;
	}
	print_message("%llu states, %llu questions\n", (unsigned long long)count, (unsigned long long)asked);
}

/* --- single cases --- */

static struct object version(int64_t modified_ms, int seq, const char *event, int content)
{
	struct object o = {.kind = ITEM_VERSION, .modified_ms = modified_ms, .seq = seq, .content = content};
	if (seq > 0) {
		snprintf(o.event, sizeof(o.event), "%s", event);
		clock_iso(o.time, modified_ms);
	}
	return o;
}

/* Most items of a table have not changed for long: they cost no question. */
static void test_old_items_need_no_question(void **state)
{
	(void)state;
	struct model m = {.nobjects = 2};
	struct resolve_result r;
	m.objects[0] = version(START_MS, 1, "INSERT", 1);
	m.objects[1] = version(START_MS + 5000, 2, "MODIFY", 2);
	struct item *it = world_listed(&m);
	resolve_at(it, &(struct resolve_point){.ms = START_MS + 5000 + RESOLVE_MARGIN_MS}, false, &r);
	assert_int_equal(r.state, RESOLVE_PRESENT);
	assert_string_equal(item_version_id(it, r.chosen), "1");
	resolve_at(it, &(struct resolve_point){.ms = START_MS + 5000 + RESOLVE_MARGIN_MS - 1}, false, &r);
	assert_int_equal(r.state, RESOLVE_ASK);
	item_free(it);
}

/* What changed since costs one, not one for each of its later versions. */
static void test_later_versions_need_one_question(void **state)
{
	(void)state;
	struct model m = {.nobjects = 50};
	struct resolve_result r;
	m.objects[0] = version(START_MS, 1, "INSERT", 1);
	for (int i = 1; i < 50; i++)
		m.objects[i] = version(START_MS + i * INT64_C(3600000), i + 1, "MODIFY", i);
	struct item *it = world_listed(&m);
	resolve_at(it, &(struct resolve_point){.ms = START_MS + INT64_C(1800000)}, false, &r);
	assert_int_equal(r.state, RESOLVE_ASK);
	assert_int_equal(r.nask, 1);
	world_answer(&m, it, r.ask[0]);
	resolve_at(it, &(struct resolve_point){.ms = START_MS + INT64_C(1800000)}, false, &r);
	assert_int_equal(r.state, RESOLVE_PRESENT);
	assert_string_equal(item_version_id(it, r.chosen), "0");
	item_free(it);
}

/* A version that expired between the listing and the question may have been the state: that is said, not guessed. */
static void test_vanished_version_is_lost(void **state)
{
	(void)state;
	struct model m = {.nobjects = 2};
	struct resolve_result r;
	m.objects[0] = version(START_MS, 1, "INSERT", 1);
	m.objects[1] = version(START_MS + 10 * RESOLVE_MARGIN_MS, 2, "MODIFY", 2);
	struct item *it = world_listed(&m);
	resolve_at(it, &(struct resolve_point){.ms = START_MS + 10 * RESOLVE_MARGIN_MS}, false, &r);
	while (r.state == RESOLVE_ASK) {
		for (size_t i = 0; i < r.nask; i++)
			assert_int_equal(item_set_gone(r.ask[i]), 0);
		resolve_at(it, &(struct resolve_point){.ms = START_MS + 10 * RESOLVE_MARGIN_MS}, false, &r);
	}
	assert_int_equal(r.state, RESOLVE_LOST);
	item_free(it);
}

/* With tenants the first version under a key may be a MODIFY: the item came from another folder. */
static void test_item_that_came_from_another_folder(void **state)
{
	(void)state;
	struct model m = {.nobjects = 1};
	struct resolve_result r;
	m.objects[0] = version(START_MS, 7, "MODIFY", 1);
	struct item *it = world_listed(&m);
	resolve_at(it, &(struct resolve_point){.ms = START_MS - 1}, false, &r);
	assert_int_equal(r.state, RESOLVE_ASK);
	world_answer(&m, it, r.ask[0]);
	resolve_at(it, &(struct resolve_point){.ms = START_MS - 1}, false, &r);
	assert_int_equal(r.state, RESOLVE_LOST);
	resolve_at(it, &(struct resolve_point){.ms = START_MS - 1}, true, &r);
	assert_int_equal(r.state, RESOLVE_ABSENT);
	item_free(it);
}

/* A baseline has an event time and no sequence number. */
static void test_baseline(void **state)
{
	(void)state;
	struct model m = {.nobjects = 1};
	struct resolve_result r;
	m.objects[0] = version(START_MS + 1000, 0, "", 1);
	struct item *it = world_listed(&m);
	char iso[CLOCK_ISO_SIZE];
	resolve_at(it, &(struct resolve_point){.ms = START_MS}, false, &r);
	assert_int_equal(r.state, RESOLVE_ASK);
	assert_int_equal(item_set_facts(r.ask[0], "BASELINE", "", clock_iso(iso, START_MS), "", ""), 0);
	resolve_at(it, &(struct resolve_point){.ms = START_MS}, false, &r);
	assert_int_equal(r.state, RESOLVE_PRESENT);
	resolve_at(it, &(struct resolve_point){.ms = START_MS - 1}, false, &r);
	assert_int_equal(r.state, RESOLVE_ABSENT);
	item_free(it);
}

static void test_keys_out_of_order(void **state)
{
	(void)state;
	static const char *const keys[] = {"b", "a"};
	struct merge m;
	struct item *it;
	struct err e;
	struct merge_page *pages[ITEM_SIDES] = {merge_page_new(), merge_page_new()};
	const struct item_listed l = {.version_id = SPAN_LIT("v")};
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(merge_page_add(pages[ITEM_DATA], span_of(keys[i]), &l), 0);
	pages[0]->last = pages[1]->last = true;
	merge_init(&m, NULL, INT64_MIN);
	assert_int_equal(merge_next(&m, &it, &e), MERGE_WAIT);
	merge_give(&m, ITEM_DATA, pages[0]);
	merge_give(&m, ITEM_REMOVED, pages[1]);
	assert_int_equal(merge_next(&m, &it, &e), MERGE_ITEM);
	item_free(it);
	assert_int_equal(merge_next(&m, &it, &e), -ERR_CORRUPT);
	merge_fini(&m);
}

static void test_only_one_key(void **state)
{
	(void)state;
	static const char *const keys[] = {"a", "a", "a/b"};
	struct merge m;
	struct item *it;
	struct err e;
	struct merge_page *page = merge_page_new();
	const struct item_listed l = {.version_id = SPAN_LIT("v")};
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(merge_page_add(page, span_of(keys[i]), &l), 0);
	merge_init(&m, "a", INT64_MIN);
	merge_give(&m, ITEM_DATA, page); /* not the last one, but none after it is wanted */
	page = merge_page_new();
	page->last = true;
	merge_give(&m, ITEM_REMOVED, page);
	assert_int_equal(merge_next(&m, &it, &e), MERGE_ITEM);
	assert_int_equal(it->norder, 2);
	item_free(it);
	assert_int_equal(merge_next(&m, &it, &e), MERGE_END);
	merge_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_old_items_need_no_question),
		cmocka_unit_test(test_later_versions_need_one_question),
		cmocka_unit_test(test_vanished_version_is_lost),
		cmocka_unit_test(test_item_that_came_from_another_folder),
		cmocka_unit_test(test_baseline),
		cmocka_unit_test(test_keys_out_of_order),
		cmocka_unit_test(test_only_one_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
