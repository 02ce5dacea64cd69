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
	bool folders;
	struct resolve_result *r;
	size_t fence;	  /* the newest entry that is looked at: what is newer is of a later time */
	size_t settled;	  /* the newest entry that is surely not later than at_ms; NONE */
	size_t own;	  /* the last change of the stream among the candidates; NONE */
	size_t own_first; /* where that was stored first, as far as that is known; NONE */
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

static bool is_baseline(const struct item_facts *f)
{
	return f != NULL && !f->gone && !f->own && f->event == ITEM_BASELINE && f->event_time;
}

/* A change of the stream, or what a baseline found: it has an order. */
static bool is_known(const struct view *v, size_t i)
{
	const struct item_facts *f = facts_at(v, i);
	return is_own(f) || is_baseline(f);
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

/* A marker that nothing tells about. */
static bool is_bare_marker(const struct item_entry *e)
{
	return e->kind == ITEM_MARKER && e->removal == NULL && e->sense != ITEM_REPEATS;
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
		const struct item_entry *e = v->it->order[i];
		const struct item_facts *f = facts_at(v, i);
		if (e->modified_ms > v->at_ms - RESOLVE_MARGIN_MS || e->sense == ITEM_REPEATS || is_gone(f) ||
		    (f != NULL && is_later(v, f)))
			continue;
		v->settled = i;
		return;
	}
}

/* Is `e`, which is placed above entry `i`, so old that it may have been stored before it? */
static bool may_be_below(const struct view *v, const struct item_entry *e, size_t i)
{
	return e->modified_ms <= v->it->order[i]->modified_ms + (v->it->odd ? BLUR_MS : 0);
}

/* Asks about the removals placed above version `i` that may have been stored before it. */
static void ask_removals_above(struct view *v, size_t i)
{
	for (size_t k = i; k-- > 0;) {
		const struct item_entry *s = item_subject(v->it->order[k]);
		if (s != NULL && s->kind == ITEM_DELETES && may_be_below(v, s, i))
			ask(v, k);
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
			ask_removals_above(v, i);
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

/* Where the change or finding of entry `i` was stored first, as far as that is known. */
static size_t find_first(const struct view *v, size_t i)
{
	const struct item_facts *f = facts_at(v, i);
	size_t first = i;
	for (size_t k = i + 1; k < v->it->norder; k++) {
		const struct item_facts *g = facts_at(v, k);
		if (!is_known(v, k) || f->own != g->own)
			continue;
		if (f->own ? compare_own(f, g) == 0 : f->time_ms == g->time_ms)
			first = k;
	}
	return first;
}

/* Is finding `a` placed by LastModified alone, so that its place beside change `b` tells nothing? Its marker is gone. */
static bool is_unplaced_beside(const struct view *v, size_t a, size_t b)
{
	const struct item_entry *ea = v->it->order[a], *eb = v->it->order[b];
	return ea->kind == ITEM_DELETES && is_baseline(facts_at(v, a)) && is_own(facts_at(v, b)) &&
	       ea->modified_ms <= eb->modified_ms + BLUR_MS && eb->modified_ms <= ea->modified_ms + BLUR_MS;
}

/*
 * The order of two changes, of the stream or found by a baseline. Every change of the stream until a baseline was stored
 * before it, so their times tell; within a second, whose beginning is all that a change's time tells, their places do. A
 * marker expires when something lies upon it, so a finding without one is the earlier.
 */
static int compare_known(const struct view *v, size_t a, size_t b)
{
	const struct item_facts *fa = facts_at(v, a), *fb = facts_at(v, b);
	int64_t sa = fa->time_ms / 1000, sb = fb->time_ms / 1000;
	if (fa->own && fb->own)
		return compare_own(fa, fb);
	if (sa != sb)
		return sa < sb ? -1 : 1;
	a = find_first(v, a);
	b = find_first(v, b);
	if (is_unplaced_beside(v, a, b))
		return -1;
	if (is_unplaced_beside(v, b, a))
		return 1;
	return (a < b) - (a > b);
}

/* Is entry `k` one that may have been stored before marker `i`, which has no deletes version? */
static bool is_before_marker(const struct view *v, size_t k, size_t i)
{
	const struct item_entry *e = v->it->order[k];
	return k > i || (k < i && e->kind == ITEM_DELETES && may_be_below(v, e, i));
}

/* Asks about what was stored before such a marker, down to the first entry that is a removal for certain: its place. */
static size_t ask_before_marker(struct view *v, size_t i)
{
	const struct item *it = v->it;
	const struct item_list *removed = &it->lists[ITEM_REMOVED];
	int64_t oldest_ms = removed->n > 0 ? removed->entries[removed->n - 1].modified_ms - BLUR_MS : INT64_MAX;
	bool certain = false;
	size_t end = i;
	if (removed->left > 0)
		oldest_ms = INT64_MIN;
	for (size_t k = 0; k < i; k++)
		if (is_before_marker(v, k, i))
			ask(v, k);
	/* Older tools write no deletes versions, so their markers cost no question. */
	while (end + 1 < it->norder && it->order[end]->modified_ms >= oldest_ms) {
		const struct item_entry *below = it->order[end + 1];
		/* A marker that has one is in its place, but another may be the right one. */
		if (certain && below->kind != ITEM_DELETES)
			break;
		certain = certain || below->removal != NULL;
		ask(v, ++end);
	}
	return end;
}

/*
 * What a marker without a deletes version is. When the last thing that was stored before it is a removal, it is a second
 * marker of that and changes nothing. ITEM_SENSE_UNKNOWN while answers are missing.
 */
static enum item_sense sense_of(struct view *v, size_t i)
{
	struct item_entry *e = v->it->order[i];
	size_t last = NONE, other = NONE;
	if (e->sense != ITEM_SENSE_UNKNOWN)
		return e->sense;
	size_t end = ask_before_marker(v, i);
	if (v->r->nask > 0)
		return ITEM_SENSE_UNKNOWN;
	for (size_t k = 0; k <= end; k++) {
		const struct item_facts *f = facts_at(v, k);
		if (f == NULL || f->gone || !is_before_marker(v, k, i))
			continue;
		if (!is_known(v, k))
			other = other == NONE ? k : other;
		else if (last == NONE || compare_known(v, k, last) >= 0)
			last = k;
	}
	bool removal = last != NONE && v->it->order[last]->kind != ITEM_VERSION && (other == NONE || other > last);
	e->sense = removal ? ITEM_REPEATS : ITEM_COUNTS;
	return e->sense;
}

/* The end of the entries that may be the state: nothing below a settled one that is not known can be. */
static size_t candidates_end(const struct view *v)
{
	if (v->settled != NONE && facts_at(v, v->settled) == NULL &&
	    v->it->order[v->settled]->sense == ITEM_SENSE_UNKNOWN)
		return v->settled + 1;
	return v->it->norder;
}

/* The last change by sequence number. */
static void find_own(struct view *v)
{
	const struct item_facts *best = NULL;
	v->own = NONE;
	for (size_t i = 0; i < candidates_end(v); i++) {
		const struct item_facts *f = facts_at(v, i);
		if (!is_own(f) || is_later(v, f) || (best != NULL && compare_own(f, best) <= 0))
			continue;
		best = f;
		v->own = i;
	}
	v->own_first = v->own == NONE ? NONE : find_first(v, v->own);
}

/*
 * Entry `i` may be a write that arrived late: then an earlier one has the same bytes and something is between them. The
 * entry down to which all must be known to tell: the nearest such one, or the oldest so long as requests can be late. NONE.
 */
static size_t find_twin(const struct view *v, size_t i)
{
	struct item_entry *const *order = v->it->order;
	const struct item_entry *s = item_subject(order[i]);
	size_t twin = NONE;
	for (size_t k = i + 2; s != NULL && k < v->it->norder; k++) {
		const struct item_entry *t = item_subject(order[k]);
		if (twin != NONE && order[k]->modified_ms < order[i]->modified_ms - RESOLVE_LATE_MS)
			break;
		if (t != NULL && t->kind == s->kind && t->etag_hash == s->etag_hash)
			twin = k;
	}
	return twin;
}

/*
 * The oldest entry that LastModified alone places below entry `i`, and which may have been stored before it or after; of a
 * marker also any that may be its own deletes version.
 */
static size_t find_near(const struct view *v, size_t i)
{
	struct item_entry *const *order = v->it->order;
	size_t near = NONE;
	bool inside = order[i]->kind == ITEM_MARKER;
	for (size_t k = i + 1; k < v->it->norder; k++) {
		inside = inside && order[k]->kind == ITEM_DELETES;
		if (!inside && order[k]->modified_ms < order[i]->modified_ms - BLUR_MS)
			break;
		if (order[k]->kind == ITEM_DELETES || is_bare_marker(order[k]))
			near = k;
	}
	return near;
}

/* The first change that is known to be later than the time, and than entry `i` where that is known; NONE. */
static size_t find_next(const struct view *v, size_t i)
{
	size_t next = NONE;
	for (size_t k = 0; k < v->it->norder; k++) {
		if (!is_known(v, k) || !is_later(v, facts_at(v, k)) || (is_known(v, i) && compare_known(v, k, i) < 0))
			continue;
		if (next == NONE || compare_known(v, k, next) < 0)
			next = k;
	}
	return next;
}

/* Does the next change tell that between removal `i` and itself there was a version, which is not in the bucket? */
static bool is_followed_by_loss(const struct view *v, size_t i)
{
	size_t next = find_next(v, i);
	if (next == NONE)
		return false;
	enum item_event event = facts_at(v, next)->event;
	/* With folders a MODIFY may be an arrival from another one. */
	return event == ITEM_REMOVE || event == ITEM_BASELINE || (event == ITEM_MODIFY && !v->folders);
}

static size_t later_of(size_t a, size_t b)
{
	return a == NONE || (b != NONE && b > a) ? b : a;
}

/*
 * What is above the settled entry may be older, if its request arrived late, and so may what is above `place`, the first
 * entry from there on that is in its place. The entry down to which all must be known to tell; NONE. Numbers tell of
 * changes; of a baseline and a change in the same second their places do, so it must be known where each was first.
 */
static size_t find_contest(const struct view *v, size_t place)
{
	const struct item_facts *own = v->own == NONE ? NULL : facts_at(v, v->own);
	size_t doubt = NONE;
	bool baseline = false;
	for (size_t i = v->fence; i < candidates_end(v); i++) {
		const struct item_facts *f = facts_at(v, i);
		if (!is_baseline(f) || is_later(v, f))
			continue;
		baseline = true;
		if (i < place || (own != NULL && own->time_ms / 1000 == f->time_ms / 1000))
			doubt = later_of(v->settled, later_of(doubt, find_twin(v, i)));
	}
	if (v->own != NONE && v->own < v->settled)
		doubt = later_of(v->settled, later_of(doubt, baseline ? find_twin(v, v->own) : NONE));
	return doubt;
}

/* Is the settled entry what it seems to be, the last? False while answers are missing. */
static bool trust_settled(struct view *v)
{
	struct item_entry *const *order = v->it->order;
	size_t i = v->settled;
	/* Deletes versions are placed by LastModified; the first entry that is not is in its place. */
	while (i < v->it->norder && (order[i]->kind == ITEM_DELETES || order[i]->sense == ITEM_REPEATS))
		i++;
	size_t doubt = find_contest(v, i);
	bool contested = doubt != NONE;
	bool removal = i == v->it->norder || order[i]->kind == ITEM_MARKER;
	if (i == v->it->norder)
		i--;
	else if (i > v->settled)
		contested = true;
	if (order[i]->kind == ITEM_VERSION)
		doubt = later_of(doubt, later_of(find_twin(v, i), find_near(v, i)));
	if (contested || (removal && v->own == NONE && is_followed_by_loss(v, i))) {
		doubt = later_of(doubt, later_of(i, find_near(v, i)));
		if (is_bare_marker(order[i]))
			sense_of(v, i);
	}
	for (size_t k = v->settled; doubt != NONE && k <= doubt; k++)
		ask(v, k);
	return v->r->nask == 0;
}

/* May entry `i`, which is no change of the stream, be the state? */
static bool is_foreign(const struct view *v, size_t i)
{
	const struct item_entry *e = v->it->order[i];
	const struct item_facts *f = facts_at(v, i);
	if (is_gone(f) || is_own(f) || (f == NULL && !is_bare_marker(e)) ||
	    (f != NULL ? f->time_ms : e->modified_ms) > v->at_ms)
		return false;
	if (v->own != NONE && is_baseline(f))
		return compare_known(v, i, v->own) > 0;
	return i < v->own_first;
}

/* The last of what carries no sequence number, as far as it is newer than every change of the stream; NONE. */
static size_t find_foreign(const struct view *v)
{
	size_t best = NONE;
	for (size_t i = v->fence; i < candidates_end(v); i++) {
		const struct item_entry *e = v->it->order[i];
		if (!is_foreign(v, i))
			continue;
		if (best == NONE) {
			best = i;
			continue;
		}
		/* The older tools' markers and versions of one second come in any order; the marker counts. */
		const struct item_entry *b = v->it->order[best];
		if (is_baseline(facts_at(v, i)) && is_baseline(facts_at(v, best)) && compare_known(v, i, best) > 0)
			best = i;
		if (b->kind == ITEM_VERSION && !is_baseline(facts_at(v, best)) && is_bare_marker(e) &&
		    b->modified_ms / 1000 == e->modified_ms / 1000)
			best = i;
	}
	return best;
}

/* Nothing of that time is there. Did the item exist? The first change that is known tells. */
static bool is_lost(const struct view *v)
{
	const struct item_facts *first = NULL;
	for (size_t i = 0; i < v->it->norder; i++) {
		const struct item_facts *f = facts_at(v, i);
		if (is_own(f) && (first == NULL || compare_own(f, first) < 0))
			first = f;
		if (i >= v->fence && is_gone(f))
			return true;
	}
	return first != NULL && (first->event == ITEM_REMOVE || (first->event == ITEM_MODIFY && !v->folders));
}

/* Did something newer than entry `last` vanish while we looked? It may have been the state. */
static bool has_gone(const struct view *v, size_t last)
{
	for (size_t i = v->fence; i < last; i++)
		if (is_gone(facts_at(v, i)))
			return true;
	return false;
}

/* False to look again, or while answers are missing: what was taken for the state is a second marker of a removal. */
static bool conclude(struct view *v)
{
	struct resolve_result *r = v->r;
	size_t i = find_foreign(v);
	if (i == NONE)
		i = v->own;
	if (i == NONE)
		i = v->settled;
	if (i == NONE) {
		r->state = is_lost(v) ? RESOLVE_LOST : RESOLVE_ABSENT;
		return true;
	}
	struct item_entry *e = v->it->order[i];
	/* Settled, it is a removal either way. */
	if (is_bare_marker(e) && i != v->settled && sense_of(v, i) != ITEM_COUNTS)
		return false;
	if (has_gone(v, i)) {
		r->state = RESOLVE_LOST;
	} else if (e->kind == ITEM_VERSION) {
		r->state = RESOLVE_PRESENT;
		r->chosen = e;
	} else {
		r->state = !is_bare_marker(e) && is_followed_by_loss(v, i) ? RESOLVE_LOST : RESOLVE_ABSENT;
	}
	return true;
}

void resolve_at(const struct item *it, const struct resolve_point *at, bool folders, struct resolve_result *r)
{
	struct view v = {.it = it, .at_ms = at->ms, .at_seq = at->seq, .folders = folders, .r = r};
	*r = (struct resolve_result){.state = RESOLVE_ASK};
	do {
		find_settled(&v);
		if (!walk_open(&v))
			return;
		find_own(&v);
		if (v.settled != NONE && !trust_settled(&v))
			return;
		/* What became known in doubt, or by the sense of a marker. */
		find_settled(&v);
		find_own(&v);
	} while (!conclude(&v) && r->nask == 0);
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
		bool later = f != NULL && !is_gone(f) && is_later(&v, f);
		if (is_bare_marker(e) && e->modified_ms > since_ms && r->nask == 0) {
			later = sense_of(&v, i) == ITEM_COUNTS;
			if (r->nask > 0)
				break;
		}
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
