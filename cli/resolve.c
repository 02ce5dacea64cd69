#include "resolve.h"

#include <string.h>

#include "codec/seq.h"

#define NONE SIZE_MAX
/* Entries without a marker are placed by LastModified alone, which this may blur. */
#define BLUR_MS 2000

struct view {
	const struct item *it;
	int64_t at_ms;
	const char *at_seq; /* NULL: none */
	struct resolve_result *r;
	size_t fence;	/* the newest entry that is looked at: what is newer is of a later time */
	size_t settled; /* the newest entry that is surely not later than at_ms; NONE */
	size_t own;	/* the last change of the stream among the candidates; NONE */
	size_t own_top; /* the newest by place of those candidates */
};

static const struct item_facts *facts_at(const struct view *v, size_t i)
{
	const struct item_entry *s = item_subject(v->it->order[i]);
	return s ? s->facts : NULL;
}

static bool is_own(const struct item_facts *f)
{
	return f != NULL && !f->gone && f->own;
}

static bool is_gone(const struct item_facts *f)
{
	return f != NULL && f->gone;
}

/* Is the change of a later time than the one that is asked for? */
static bool is_later(const struct view *v, const struct item_facts *f)
{
	if (f->time_ms > v->at_ms)
		return true;
	return v->at_seq != NULL && f->own && f->time_ms / 1000 == v->at_ms / 1000 &&
	       seq_cmp(span_of(f->seq), span_of(v->at_seq)) > 0;
}

/* A marker that nothing tells about: of another tool, or made by hand. */
static bool is_bare_marker(const struct item_entry *e)
{
	return e->kind == ITEM_MARKER && e->removal == NULL;
}

/* Wants to know more of entry `i`. False when it is known, or never can be. */
static bool ask(struct view *v, size_t i)
{
	struct item_entry *s = item_subject(v->it->order[i]);
	struct resolve_result *r = v->r;
	if (s == NULL || s->facts != NULL)
		return false;
	for (size_t k = 0; k < r->nask; k++)
		if (r->ask[k] == s)
			return true;
	if (r->nask < RESOLVE_ASK_MAX)
		r->ask[r->nask++] = s;
	return true;
}

static void find_settled(struct view *v)
{
	v->settled = NONE;
	for (size_t i = 0; i < v->it->norder; i++) {
		const struct item_facts *f = facts_at(v, i);
		if (v->it->order[i]->modified_ms > v->at_ms - RESOLVE_MARGIN_MS || is_gone(f) ||
		    (is_own(f) && is_later(v, f)))
			continue;
		v->settled = i;
		return;
	}
}

/*
 * From the settled entry on towards the newer ones, until a version whose event is later: what was stored after it is
 * later too, or a repetition of what was passed. False while answers are missing.
 */
static bool walk_open(struct view *v)
{
	size_t first = v->settled == NONE ? v->it->norder : v->settled;
	size_t known = 0;
	v->fence = 0;
	for (size_t i = first; i-- > 0;) {
		const struct item_entry *e = v->it->order[i];
		const struct item_facts *f = facts_at(v, i);
		if (ask(v, i)) {
			/* Mostly the first answer ends it, so the questions grow in number as answers come. */
			if (v->r->nask > known || v->r->nask == RESOLVE_ASK_MAX)
				break;
			continue;
		}
		known += f != NULL;
		if (e->kind == ITEM_VERSION && is_own(f) && is_later(v, f) && v->r->nask == 0) {
			v->fence = i;
			break;
		}
	}
	return v->r->nask == 0;
}

static int compare_own(const struct item_facts *a, const struct item_facts *b)
{
	int order = strcmp(a->stream, b->stream);
	return order != 0 ? order : seq_cmp(span_of(a->seq), span_of(b->seq));
}

/* The last change by sequence number among the entries from the fence to `last`. */
static void find_own(struct view *v, size_t last)
{
	const struct item_facts *best = NULL;
	v->own = v->own_top = NONE;
	for (size_t i = v->fence; i < v->it->norder && i <= last; i++) {
		const struct item_facts *f = facts_at(v, i);
		if (!is_own(f) || is_later(v, f))
			continue;
		if (v->own_top == NONE)
			v->own_top = i;
		if (best == NULL || compare_own(f, best) > 0) {
			best = f;
			v->own = i;
		}
	}
}

/* An earlier version with the same bytes and something between: the settled one may be a write that arrived late. */
static size_t find_twin(const struct view *v)
{
	const struct item_entry *e = v->it->order[v->settled];
	for (size_t i = v->settled + 2; e->kind == ITEM_VERSION && i < v->it->norder; i++)
		if (v->it->order[i]->kind == ITEM_VERSION && v->it->order[i]->etag_hash == e->etag_hash)
			return i;
	return NONE;
}

/* How far down from the settled entry metadata must be known before it can be trusted to be the last; NONE: not at all. */
static size_t find_doubt(const struct view *v)
{
	struct item_entry *const *order = v->it->order;
	const struct item_entry *e = order[v->settled];
	size_t doubt = find_twin(v);
	if (v->own != NONE && v->own < v->settled && doubt == NONE)
		doubt = v->settled;
	for (size_t i = v->settled; i < v->it->norder; i++) {
		bool near = order[i]->modified_ms >= e->modified_ms - BLUR_MS;
		if (e->kind == ITEM_DELETES) {
			/* Down to the first that is in its place for certain. */
			if (doubt == NONE || i > doubt)
				doubt = i;
			if (order[i]->kind != ITEM_DELETES && !near)
				break;
		} else if (!near || e->kind == ITEM_MARKER) {
			break;
		} else if (order[i]->kind == ITEM_DELETES || is_bare_marker(order[i])) {
			if (doubt == NONE || i > doubt)
				doubt = i;
		}
	}
	return doubt;
}

/* Is foreign entry `a` a later state than `b`? A marker beats a version of the same second, as the older tools have it. */
static bool foreign_beats(const struct item_entry *a, int64_t a_ms, const struct item_entry *b, int64_t b_ms)
{
	if (a_ms / 1000 != b_ms / 1000)
		return a_ms > b_ms;
	return a->kind == ITEM_MARKER && b->kind != ITEM_MARKER;
}

/* The last of what carries no sequence number, as far as it was stored after every change of the stream. */
static size_t find_foreign(const struct view *v)
{
	size_t best = NONE;
	int64_t best_ms = 0;
	for (size_t i = v->fence; i < v->it->norder && (v->own_top == NONE || i < v->own_top); i++) {
		const struct item_entry *e = v->it->order[i];
		const struct item_facts *f = facts_at(v, i);
		if (is_gone(f) || is_own(f) || (f == NULL && !is_bare_marker(e) && i != v->settled))
			continue;
		int64_t ms = f != NULL ? f->time_ms : e->modified_ms;
		if (ms > v->at_ms)
			continue;
		if (best == NONE || foreign_beats(e, ms, v->it->order[best], best_ms)) {
			best = i;
			best_ms = ms;
		}
	}
	return best;
}

/* Nothing of that time is there. Did the item exist? The first change that is known tells. */
static bool is_lost(const struct view *v, bool folders)
{
	const struct item_facts *first = NULL;
	for (size_t i = v->fence; i < v->it->norder; i++) {
		const struct item_facts *f = facts_at(v, i);
		if (is_own(f) && (first == NULL || compare_own(f, first) < 0))
			first = f;
		if (is_gone(f))
			return true;
	}
	return first != NULL && (first->event == ITEM_REMOVE || (first->event == ITEM_MODIFY && !folders));
}

/* Did something newer than entry `last` vanish while we looked? It may have been the state. */
static bool has_gone(const struct view *v, size_t last)
{
	for (size_t i = v->fence; i < last; i++)
		if (is_gone(facts_at(v, i)))
			return true;
	return false;
}

static void conclude(struct view *v, bool folders)
{
	size_t i = find_foreign(v);
	if (i == NONE)
		i = v->own;
	if (i == NONE) {
		v->r->state = is_lost(v, folders) ? RESOLVE_LOST : RESOLVE_ABSENT;
	} else if (has_gone(v, i)) {
		v->r->state = RESOLVE_LOST;
	} else if (v->it->order[i]->kind == ITEM_VERSION) {
		v->r->state = RESOLVE_PRESENT;
		v->r->chosen = v->it->order[i];
	} else {
		v->r->state = RESOLVE_ABSENT;
	}
}

void resolve_at(const struct item *it, const struct resolve_point *at, bool folders, struct resolve_result *r)
{
	struct view v = {.it = it, .at_ms = at->ms, .at_seq = at->seq, .r = r};
	*r = (struct resolve_result){.state = RESOLVE_ASK};
	find_settled(&v);
	if (!walk_open(&v))
		return;
	find_own(&v, v.settled == NONE ? NONE : v.settled);
	if (v.settled != NONE) {
		size_t doubt = find_doubt(&v);
		for (size_t i = v.settled; doubt != NONE && i <= doubt; i++)
			ask(&v, i);
		if (r->nask > 0)
			return;
		if (doubt != NONE)
			find_own(&v, doubt);
	}
	conclude(&v, folders);
}

bool resolve_changed(const struct item *it, int64_t since_ms, struct resolve_result *r)
{
	struct view v = {.it = it, .at_ms = since_ms, .r = r};
	*r = (struct resolve_result){.state = RESOLVE_ASK};
	for (size_t i = 0; i < it->norder; i++) {
		const struct item_entry *e = it->order[i];
		if (e->modified_ms <= since_ms - RESOLVE_MARGIN_MS)
			break;
		const struct item_facts *f = facts_at(&v, i);
		bool later =
			is_bare_marker(e) ? e->modified_ms > since_ms : f != NULL && !is_gone(f) && is_later(&v, f);
		if (later) {
			r->nask = 0;
			return true;
		}
		/* The newest tells nearly always: an item's changes are stored in their order (I2). */
		if (ask(&v, i) && (i == 0 || r->nask == RESOLVE_ASK_MAX))
			break;
	}
	return false;
}
