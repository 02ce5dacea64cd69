#include "merge.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_TEXT_MAX ((size_t)16 << 20)
#define KEY_MAX 1024

struct merge_page *merge_page_new(void)
{
	struct merge_page *p = calloc(1, sizeof(*p));
	if (p != NULL)
		buf_init(&p->text, PAGE_TEXT_MAX);
	return p;
}

void merge_page_free(struct merge_page *p)
{
	if (p == NULL)
		return;
	buf_fini(&p->text);
	free(p->entries);
	free(p);
}

int merge_page_add(struct merge_page *p, struct span key, const struct item_listed *l)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct merge_entry *entries = reallocarray(p->entries, cap, sizeof(*entries));
		if (entries == NULL)
			return -ERR_SYSTEM;
		p->entries = entries;
		p->cap = cap;
	}
	size_t at = p->text.len;
	if (buf_append(&p->text, key.ptr, key.len) < 0 ||
	    buf_append(&p->text, l->version_id.ptr, l->version_id.len) < 0)
		return -ERR_SYSTEM;
	struct merge_entry *e = &p->entries[p->n++];
	*e = (struct merge_entry){
		.key_off = at,
		.key_len = key.len,
		.id_off = at + key.len,
		.id_len = l->version_id.len,
		.listed = *l,
	};
	e->listed.version_id = (struct span){0};
	return 0;
}

void merge_init(struct merge *m, const char *only, int64_t old_ms)
{
	*m = (struct merge){.only = only, .old_ms = old_ms};
	buf_init(&m->key, KEY_MAX);
	buf_init(&m->through, KEY_MAX);
}

int merge_end_at(struct merge *m, struct span through)
{
	buf_reset(&m->through);
	return buf_append(&m->through, through.ptr, through.len);
}

void merge_fini(struct merge *m)
{
	for (size_t s = 0; s < ITEM_SIDES; s++)
		merge_page_free(m->sides[s].page);
	item_free(m->item);
	buf_fini(&m->key);
	buf_fini(&m->through);
}

bool merge_wants(const struct merge *m, enum item_side side)
{
	return m->sides[side].page == NULL && !m->sides[side].ended;
}

static void drop_used_page(struct merge_side *s)
{
	if (s->page == NULL || s->at < s->page->n)
		return;
	s->ended = s->ended || s->page->last;
	merge_page_free(s->page);
	s->page = NULL;
}

void merge_give(struct merge *m, enum item_side side, struct merge_page *p)
{
	struct merge_side *s = &m->sides[side];
	s->page = p;
	s->at = 0;
	drop_used_page(s);
}

/* The side's next entry, or NULL when it has none at hand. */
static const struct merge_entry *head(const struct merge *m, enum item_side side, struct span *key)
{
	const struct merge_side *s = &m->sides[side];
	if (s->page == NULL || s->ended)
		return NULL;
	const struct merge_entry *e = &s->page->entries[s->at];
	*key = (struct span){buf_str(&s->page->text) + e->key_off, e->key_len};
	return e;
}

int merge_compare(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Starts the item with the lower of the two next keys. 0 also when there is none. */
static int start_item(struct merge *m, struct err *e)
{
	struct span key = {0}, other;
	bool any = false;
	for (size_t s = 0; s < ITEM_SIDES; s++) {
		if (head(m, (enum item_side)s, &other) == NULL)
			continue;
		if (!any || merge_compare(other, key) < 0)
			key = other;
		any = true;
	}
	if (!any)
		return 0;
	if (m->any && merge_compare(key, (struct span){buf_str(&m->key), m->key.len}) <= 0)
		return err_set(e, ERR_CORRUPT,
			       "ListObjectVersions gave keys out of order: this store cannot be restored from");
	m->item = item_new(key);
	buf_reset(&m->key);
	if (m->item == NULL || buf_append(&m->key, key.ptr, key.len) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	m->any = true;
	return 0;
}

/* Moves the entries of the item's key from a side into the item. */
static int drain(struct merge *m, enum item_side side, struct err *e)
{
	struct merge_side *s = &m->sides[side];
	const struct merge_entry *entry;
	struct span key;
	while ((entry = head(m, side, &key)) != NULL &&
	       span_eq(key, (struct span){buf_str(&m->item->key), m->item->key.len})) {
		struct item_listed l = entry->listed;
		l.version_id = (struct span){buf_str(&s->page->text) + entry->id_off, entry->id_len};
		if (item_add(m->item, side, &l, m->old_ms) < 0)
			return err_set(e, ERR_SYSTEM, "out of memory");
		s->at++;
		drop_used_page(s);
	}
	return 0;
}

static bool is_outside(const struct merge *m, struct span key)
{
	const struct span through = {buf_str(&m->through), m->through.len};
	return (m->only != NULL && !span_eq_str(key, m->only)) || (through.len > 0 && merge_compare(key, through) > 0);
}

static void end_outside(struct merge *m)
{
	struct span key;
	for (size_t s = 0; s < ITEM_SIDES; s++)
		if (head(m, (enum item_side)s, &key) != NULL && is_outside(m, key))
			m->sides[s].ended = true;
}

static bool lacks_page(const struct merge *m)
{
	return merge_wants(m, ITEM_DATA) || merge_wants(m, ITEM_REMOVED);
}

int merge_next(struct merge *m, struct item **out, struct err *e)
{
	int rc = 0;
	end_outside(m);
	if (lacks_page(m))
		return MERGE_WAIT;
	if (m->item == NULL)
		rc = start_item(m, e);
	if (rc < 0)
		return rc;
	if (m->item == NULL)
		return MERGE_END;
	for (size_t s = 0; rc == 0 && s < ITEM_SIDES; s++)
		rc = drain(m, (enum item_side)s, e);
	if (rc < 0)
		return rc;
	/* A key may go on on the next page. */
	if (lacks_page(m))
		return MERGE_WAIT;
	if (item_arrange(m->item) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	*out = m->item;
	m->item = NULL;
	return MERGE_ITEM;
}
