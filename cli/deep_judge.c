#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "codec/seq.h"
#include "deep_private.h"
#include "resolve.h"

void deep_note(struct deep_report *r, enum finding_kind kind, const char *fmt, ...)
{
	va_list ap;
	if (r->n == DEEP_PROBLEMS_MAX)
		return;
	struct deep_problem *p = &r->problems[r->n++];
	p->kind = kind;
	va_start(ap, fmt);
	vsnprintf(p->detail, sizeof(p->detail), fmt, ap);
	va_end(ap);
}

bool deep_is_ours(const struct item_entry *e, int64_t since_ms)
{
	return since_ms == CLOCK_UNKNOWN || e->modified_ms >= since_ms - RESOLVE_MARGIN_MS;
}

static bool is_gone(const struct item_entry *e)
{
	return e->facts != NULL && e->facts->gone;
}

/* The facts of an entry of the data list, when it is a change of the stream. */
static const struct item_facts *own_facts(struct item_entry *e)
{
	const struct item_entry *s = item_subject(e);
	return s != NULL && s->facts != NULL && !s->facts->gone && s->facts->own ? s->facts : NULL;
}

static int compare(const struct item_facts *a, const struct item_facts *b)
{
	int order = strcmp(a->stream, b->stream);
	return order != 0 ? order : seq_cmp(span_of(a->seq), span_of(b->seq));
}

/* From the oldest on no sequence number may fall. One that comes again was written twice, which harms nothing. */
static void judge_order(const struct item *it, struct deep_report *r)
{
	const struct item_list *data = &it->lists[ITEM_DATA];
	const struct item_facts *highest = NULL;
	for (size_t i = data->n; i-- > 0;) {
		struct item_entry *e = &data->entries[i];
		const struct item_facts *f = own_facts(e);
		if (f == NULL)
			continue;
		if (highest != NULL && compare(f, highest) < 0)
			deep_note(r, FINDING_MISORDERED, "version %s with sequence number %s lies above %s",
				  item_version_id(it, e), f->seq, highest->seq);
		else
			highest = f;
	}
}

static void judge_markers(const struct item *it, int64_t since_ms, struct deep_report *r)
{
	const struct item_list *data = &it->lists[ITEM_DATA];
	char at[CLOCK_ISO_SIZE];
	for (size_t i = 0; i < data->n; i++) {
		const struct item_entry *e = &data->entries[i];
		if (e->kind == ITEM_MARKER && (e->removal == NULL || is_gone(e->removal)) && deep_is_ours(e, since_ms))
			deep_note(r, FINDING_MARKER, "the delete marker %s of %s has no deletes object",
				  item_version_id(it, e), clock_iso(at, e->modified_ms));
	}
}

/* Is there another one that tells of the same change? */
static bool is_repeated(const struct item_list *removed, const struct item_entry *e)
{
	for (size_t i = 0; i < removed->n; i++) {
		const struct item_entry *other = &removed->entries[i];
		if (other != e && other->matched && other->facts != NULL && other->facts->own && e->facts->own &&
		    compare(other->facts, e->facts) == 0)
			return true;
	}
	return false;
}

/* Markers expire as versions do, the oldest first; what a deletes object tells of may be gone in that way. */
static void judge_removals(const struct item *it, struct deep_report *r)
{
	const struct item_list *data = &it->lists[ITEM_DATA], *removed = &it->lists[ITEM_REMOVED];
	char at[CLOCK_ISO_SIZE];
	for (size_t i = 0; i < removed->n && data->n > 0; i++) {
		const struct item_entry *e = &removed->entries[i];
		if (e->matched || e->facts == NULL || is_gone(e) ||
		    e->modified_ms < data->entries[data->n - 1].modified_ms || is_repeated(removed, e))
			continue;
		deep_note(r, FINDING_REMOVAL, "the deletes object %s of %s has no delete marker",
			  item_version_id(it, e), clock_iso(at, e->modified_ms));
	}
}

/* What each change was made to: an INSERT to nothing, a MODIFY and a REMOVE to an item. */
static void judge_holes(const struct item *it, struct deep_report *r)
{
	enum { UNKNOWN, PRESENT, ABSENT } before = UNKNOWN;
	const struct item_list *data = &it->lists[ITEM_DATA];
	const struct item_facts *last = NULL;
	for (size_t i = data->n; i-- > 0;) {
		struct item_entry *e = &data->entries[i];
		const struct item_facts *f = own_facts(e);
		if (f == NULL) {
			before = UNKNOWN;
			continue;
		}
		if (last != NULL && compare(f, last) == 0)
			continue;
		if ((before == PRESENT && f->event == ITEM_INSERT) || (before == ABSENT && f->event != ITEM_INSERT))
			deep_note(r, FINDING_HOLE, "a change before version %s (%s, sequence number %s) is not there",
				  item_version_id(it, e), item_event_name(f->event), f->seq);
		before = e->kind == ITEM_MARKER ? ABSENT : PRESENT;
		last = f;
	}
}

/* What a restore of now would give must be what lies on top. */
static void judge_top(const struct item *it, bool folders, struct deep_report *r)
{
	const struct item_list *data = &it->lists[ITEM_DATA];
	const struct resolve_point now = {.ms = INT64_MAX / 2};
	struct resolve_result got;
	if (data->n == 0)
		return;
	const struct item_entry *top = &data->entries[0];
	resolve_at(it, &now, folders, &got);
	bool present = got.state == RESOLVE_PRESENT;
	if (got.state == RESOLVE_ASK || got.state == RESOLVE_LOST)
		deep_note(r, FINDING_UNREADABLE, "what it is now cannot be told: a version cannot be read");
	else if (present != (top->kind == ITEM_VERSION) || (present && got.chosen->etag_hash != top->etag_hash))
		deep_note(r, FINDING_MISORDERED, "a restore gives another state of it than the version on top");
}

void deep_judge(const struct item *it, int64_t since_ms, bool gaps, bool folders, struct deep_report *r)
{
	size_t before = r->n;
	judge_order(it, r);
	judge_markers(it, since_ms, r);
	judge_removals(it, r);
	/* What follows from these need not be told, too. */
	if (r->n > before)
		return;
	/* With tenant folders an item comes from one object and goes to another. */
	if (!gaps && !folders)
		judge_holes(it, r);
	judge_top(it, folders, r);
}
