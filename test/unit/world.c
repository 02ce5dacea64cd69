#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t world_seed;

uint64_t world_draw(uint64_t bound)
{
	world_seed ^= world_seed << 13;
	world_seed ^= world_seed >> 7;
	world_seed ^= world_seed << 17;
	return world_seed % bound;
}

bool world_chance(unsigned percent)
{
	return world_draw(100) < percent;
}

static bool on_side(const struct object *o, enum item_side side)
{
	return (o->kind == ITEM_DELETES) == (side == ITEM_REMOVED);
}

static bool is_last_of_side(const struct model *m, size_t at, enum item_side side)
{
	for (size_t i = at + 1; i < m->nobjects; i++)
		if (on_side(&m->objects[i], side))
			return false;
	return true;
}

struct merge_page *world_page(const struct world *w, struct world_cursor *c, enum item_side side)
{
	struct merge_page *p = merge_page_new();
	assert_non_null(p);
	if (world_chance(5))
		return p;
	while (c->item < w->nitems && p->n < w->page_size) {
		const struct model *m = &w->items[c->item];
		char key[32], id[32];
		if (c->object == 0) {
			c->item++;
			c->object = c->item < w->nitems ? w->items[c->item].nobjects : 0;
			continue;
		}
		const struct object *o = &m->objects[--c->object];
		if (!on_side(o, side))
			continue;
		snprintf(key, sizeof(key), "k%zu", c->item);
		snprintf(id, sizeof(id), "%zu", c->object);
		const struct item_listed l = {
			.version_id = span_of(id),
			.modified_ms = o->modified_ms,
			.etag_hash = (uint64_t)o->content,
			.marker = o->kind == ITEM_MARKER,
			.latest = is_last_of_side(m, c->object, side),
		};
		assert_int_equal(merge_page_add(p, span_of(key), &l), 0);
	}
	p->last = c->item >= w->nitems;
	return p;
}

void world_answer(const struct model *m, const struct item *it, struct item_entry *e)
{
	const struct object *o = &m->objects[atoi(item_version_id(it, e))];
	char seq[16] = "";
	assert_true(o->kind == e->kind);
	if (o->seq > 0)
		snprintf(seq, sizeof(seq), "%d", o->seq);
	const char *stream = o->event[0] != '\0' ? "2026-11-23T00:00:00.000" : "";
	assert_int_equal(item_set_facts(e, o->event, seq, o->time, stream, ""), 0);
}

int world_state(struct world *w, const struct model *m, struct item *it, int64_t at_ms, bool folders)
{
	struct resolve_result r;
	for (int rounds = 0;; rounds++) {
		resolve_at(it, &(struct resolve_point){.ms = at_ms}, folders, &r);
		if (r.state != RESOLVE_ASK)
			break;
		assert_true(r.nask > 0 && r.nask <= RESOLVE_ASK_MAX);
		assert_true(rounds < 2 * ENTRIES_MAX);
		for (size_t i = 0; i < r.nask; i++) {
			assert_null(r.ask[i]->facts);
			world_answer(m, it, r.ask[i]);
			w->asked++;
		}
	}
	w->resolved++;
	if (r.state == RESOLVE_PRESENT)
		return m->objects[atoi(item_version_id(it, r.chosen))].content;
	return r.state == RESOLVE_LOST ? LOST : GONE;
}

void world_explain(const struct model *m, int64_t at_ms, int want, int got)
{
	char iso[CLOCK_ISO_SIZE], modified[CLOCK_ISO_SIZE];
	print_message("at %s: expected %d, got %d\n", clock_iso(iso, at_ms), want, got);
	for (size_t i = 0; i < m->nobjects; i++) {
		const struct object *o = &m->objects[i];
		print_message("  %zu: %s stored %s event %s %s seq %d content %d\n", i,
			      o->kind == ITEM_VERSION  ? "version"
			      : o->kind == ITEM_MARKER ? "marker "
						       : "deletes",
			      clock_iso(modified, o->modified_ms), o->event, o->time, o->seq, o->content);
	}
}

struct item *world_listed(const struct model *m)
{
	struct world w = {.nitems = 1, .page_size = 1000};
	struct world_cursor cursors[ITEM_SIDES] = {{0, m->nobjects}, {0, m->nobjects}};
	struct merge merge;
	struct item *it = NULL;
	struct err e;
	w.items[0] = *m;
	world_seed = 1;
	merge_init(&merge, NULL, INT64_MIN);
	while (merge_next(&merge, &it, &e) == MERGE_WAIT)
		for (enum item_side s = ITEM_DATA; s < ITEM_SIDES; s++)
			if (merge_wants(&merge, s))
				merge_give(&merge, s, world_page(&w, &cursors[s], s));
	merge_fini(&merge);
	assert_non_null(it);
	return it;
}
