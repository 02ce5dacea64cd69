#include "item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define TEXT_MAX ((size_t)1 << 30)

static const char *const event_names[] = {"", "INSERT", "MODIFY", "REMOVE", "BASELINE"};

const char *item_event_name(enum item_event e)
{
	return event_names[e];
}

struct item *item_new(struct span key)
{
	struct item *it = calloc(1, sizeof(*it));
	if (it == NULL)
		return NULL;
	buf_init(&it->key, TEXT_MAX);
	buf_init(&it->text, TEXT_MAX);
	if (buf_append(&it->key, key.ptr, key.len) < 0) {
		item_free(it);
		return NULL;
	}
	return it;
}

void item_free(struct item *it)
{
	if (it == NULL)
		return;
	for (size_t s = 0; s < ITEM_SIDES; s++) {
		for (size_t i = 0; i < it->lists[s].n; i++)
			free(it->lists[s].entries[i].facts);
		free(it->lists[s].entries);
	}
	free(it->order);
	buf_fini(&it->key);
	buf_fini(&it->text);
	free(it);
}

int item_add(struct item *it, enum item_side side, const struct item_listed *l, int64_t old_ms)
{
	struct item_list *list = &it->lists[side];
	/* A deletes key has no markers of ours; one that somebody made says nothing about the item. */
	if (side == ITEM_REMOVED && l->marker)
		return 0;
	if (l->modified_ms <= old_ms && list->old == ITEM_OLD_MAX) {
		list->left++;
		list->left_markers += l->marker;
		list->left_bytes += l->size_bytes;
		return 0;
	}
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 4;
		struct item_entry *entries = reallocarray(list->entries, cap, sizeof(*entries));
		if (entries == NULL)
			return -ERR_SYSTEM;
		list->entries = entries;
		list->cap = cap;
	}
	size_t at = it->text.len;
	if (buf_append(&it->text, l->version_id.ptr, l->version_id.len) < 0 || buf_append_char(&it->text, '\0') < 0)
		return -ERR_SYSTEM;
	list->old += l->modified_ms <= old_ms;
	list->entries[list->n++] = (struct item_entry){
		.kind = side == ITEM_REMOVED ? ITEM_DELETES
			: l->marker	     ? ITEM_MARKER
					     : ITEM_VERSION,
		.latest = l->latest,
		.archived = l->archived,
		.modified_ms = l->modified_ms,
		.size_bytes = l->size_bytes,
		.etag_hash = l->etag_hash,
		.version_off = at,
	};
	return 0;
}

/*
 * A removal stores the deletes version after the data entry before it and before its own marker, so LastModified of the
 * deletes version lies between theirs. From the oldest on, each marker takes the first one there that is not taken yet.
 * Should the clocks of two S3 servers blur that, both are left alone, and tell the same without each other.
 */
static void match_markers(struct item *it)
{
	struct item_list *data = &it->lists[ITEM_DATA], *removed = &it->lists[ITEM_REMOVED];
	size_t next = removed->n; /* of the deletes versions, one past the oldest not yet passed */
	for (size_t i = data->n; i-- > 0;) {
		struct item_entry *marker = &data->entries[i];
		if (marker->kind != ITEM_MARKER)
			continue;
		int64_t from_ms = i + 1 < data->n ? data->entries[i + 1].modified_ms : INT64_MIN;
		while (next > 0 && removed->entries[next - 1].modified_ms < from_ms)
			next--;
		if (next == 0 || removed->entries[next - 1].modified_ms > marker->modified_ms)
			continue;
		marker->removal = &removed->entries[--next];
		marker->removal->matched = true;
	}
}

/* A marker on top of a marker changes nothing, whoever wrote it: the lower one tells since when the item is absent. */
static void find_repeats(struct item *it)
{
	struct item_list *data = &it->lists[ITEM_DATA], *removed = &it->lists[ITEM_REMOVED];
	for (size_t i = 0; i < data->n; i++) {
		struct item_entry *e = &data->entries[i];
		if (e->kind != ITEM_MARKER || e->removal != NULL)
			continue;
		it->odd = true;
		if (i + 1 < data->n && e[1].kind == ITEM_MARKER)
			e->sense = ITEM_REPEATS;
	}
	for (size_t i = 0; i < removed->n; i++)
		it->odd = it->odd || !removed->entries[i].matched;
}

int item_arrange(struct item *it)
{
	struct item_list *data = &it->lists[ITEM_DATA], *removed = &it->lists[ITEM_REMOVED];
	size_t i = 0, j = 0;
	it->order = calloc(data->n + removed->n + 1, sizeof(struct item_entry *));
	if (it->order == NULL)
		return -ERR_SYSTEM;
	match_markers(it);
	find_repeats(it);
	while (i < data->n || j < removed->n) {
		if (j < removed->n && removed->entries[j].matched)
			j++;
		else if (j < removed->n &&
			 (i == data->n || removed->entries[j].modified_ms >= data->entries[i].modified_ms))
			it->order[it->norder++] = &removed->entries[j++];
		else if (i < data->n)
			it->order[it->norder++] = &data->entries[i++];
	}
	return 0;
}

struct item_entry *item_subject(struct item_entry *e)
{
	return e->kind == ITEM_MARKER ? e->removal : e;
}

const char *item_version_id(const struct item *it, const struct item_entry *e)
{
	return buf_str(&it->text) + e->version_off;
}

static enum item_event event_of(const char *name)
{
	for (size_t i = 1; i < sizeof(event_names) / sizeof(event_names[0]); i++)
		if (strcmp(name, event_names[i]) == 0)
			return (enum item_event)i;
	return ITEM_EVENT_UNKNOWN;
}

int item_set_facts(struct item_entry *e, const char *event, const char *seq, const char *time, const char *stream,
		   const char *by)
{
	struct item_facts *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ERR_SYSTEM;
	f->event = event_of(event);
	f->own = f->event != ITEM_EVENT_UNKNOWN && seq_valid(span_of(seq)) && strlen(stream) < sizeof(f->stream);
	if (f->own) {
		snprintf(f->seq, sizeof(f->seq), "%s", seq);
		snprintf(f->stream, sizeof(f->stream), "%s", stream);
	}
	f->event_time = clock_parse_iso(time, &f->time_ms);
	if (!f->event_time)
		f->time_ms = e->modified_ms;
	f->by_ttl = strcmp(by, "ttl") == 0;
	free(e->facts);
	e->facts = f;
	return 0;
}

int item_set_gone(struct item_entry *e)
{
	struct item_facts *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ERR_SYSTEM;
	f->gone = true;
	free(e->facts);
	e->facts = f;
	return 0;
}
