/*
 * Scan and Query (API Reference). Scan goes by the age of the items' keys, Query by the range key. A page ends at Limit
 * items or past 1 MB, and then has a LastEvaluatedKey, whether more follows or not. Of conditions Query knows
 * "#name = :value" of the hash key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "attr_measure.h"
#include "capacity.h"
#include "digest.h"
#include "fake.h"
#include "mem.h"

#define PAGE_BYTES ((size_t)1 << 20)

struct page {
	const struct fake *f;
	const struct table *t;
	bool consistent;
	json_t *items; /* NULL: they are only counted */
	size_t count, bytes;
	int64_t limit;
	const struct history *last; /* LastEvaluatedKey; NULL: it was the last page */
	const struct history *next; /* an empty page: what would have come */
};

/* What may be read; false with an error answered. */
static bool page_init(struct page *p, const struct fake *f, const struct table *t, const struct request *r,
		      struct reply *a)
{
	*p = (struct page){.f = f, .t = t, .consistent = json_is_true(json_object_get(r->json, "ConsistentRead"))};
	if (!ddb_number(r, a, "Limit", 1, INT32_MAX, INT32_MAX, &p->limit))
		return false;
	if (strcmp(ddb_text(r, "Select"), "COUNT") != 0)
		p->items = json_array();
	return true;
}

/* The item as this read sees it. */
static const struct image *seen(const struct page *p, const struct history *h)
{
	return model_read(p->f, p->t, h, p->consistent);
}

/* False when the page is full. */
static bool page_add(struct page *p, const struct history *h)
{
	const struct image *now = seen(p, h);

	if (p->items)
		json_array_append_new(p->items, json_loads(now->text, 0, NULL));
	p->bytes += now->bytes;
	p->count++;
	if ((int64_t)p->count < p->limit && p->bytes < PAGE_BYTES)
		return true;
	p->last = h;
	return false;
}

/* --- empty pages --- */

/*
 * The LastEvaluatedKey of an empty page is that of no item: the next item's key, with a mark in the place of its last
 * value. ddb_take_key sees a good key, and mark_read finds the item.
 */
static json_t *mark(const struct table *t, const struct history *next)
{
	json_t *key = json_loads(next->keys->text, 0, NULL);
	const char type[2] = {t->range_name ? t->range_type : t->hash_type, '\0'};
	char text[40], base64[64];

	snprintf(text, sizeof(text), *type == 'N' ? "-17%zu.0625" : "~fakeaws %zu", next->number);
	digest_base64(base64, text, strlen(text));
	json_object_set_new(key, t->range_name ? t->range_name : t->hash_name,
			    json_pack("{s:s}", type, *type == 'B' ? base64 : text));
	return key;
}

/* The item before which the key is a mark; NULL: it is none. */
static const struct history *mark_read(const struct table *t, const json_t *key)
{
	const char type[2] = {t->range_name ? t->range_type : t->hash_type, '\0'};
	const json_t *v = json_object_get(key, t->range_name ? t->range_name : t->hash_name);
	const char *text = json_string_value(json_object_get(v, type));
	size_t n, number;
	char *bytes = *type == 'B' ? (char *)digest_base64_decode(text, &n) : mem_dup(text);
	char end = '\0';
	bool is_mark = *type == 'N' ? sscanf(bytes, "-17%zu.062%c", &number, &end) == 2 && end == '5'
				    : sscanf(bytes, "~fakeaws %zu%c", &number, &end) == 1;

	free(bytes);
	return is_mark && number < t->nitems ? t->list[number] : NULL;
}

/* Whether control wants this page to be empty. */
static bool is_empty_page(struct table *t)
{
	return t->options.read_empty_nth && ++t->nreads % (uint64_t)t->options.read_empty_nth == 0;
}

static void page_answer(struct fake *f, struct page *p, struct table *t, const struct request *r, struct reply *a)
{
	double units = capacity_of_read(r, p->bytes);
	json_t *out, *consumed = capacity_json(r, t->name, units);

	if (!capacity_take_read(f, t, units)) {
		json_decref(consumed);
		capacity_exceeded(a);
		return;
	}
	out = json_pack("{s:I, s:I}", "Count", (json_int_t)p->count, "ScannedCount", (json_int_t)p->count);
	if (p->items)
		json_object_set(out, "Items", p->items);
	if (p->next)
		json_object_set_new(out, "LastEvaluatedKey", mark(t, p->next));
	else if (p->last)
		json_object_set_new(out, "LastEvaluatedKey", json_loads(p->last->keys->text, 0, NULL));
	if (consumed)
		json_object_set_new(out, "ConsumedCapacity", consumed);
	ddb_json(a, out);
}

/* --- Scan --- */

static bool take_segment(const struct request *r, struct reply *a, int64_t *segment, int64_t *segments)
{
	char *message = NULL;

	if (!ddb_number(r, a, "TotalSegments", 1, 1000000, 1, segments) ||
	    !ddb_number(r, a, "Segment", 0, 999999, 0, segment))
		return false;
	if (!json_object_get(r->json, "TotalSegments") != !json_object_get(r->json, "Segment"))
		message = mem_dup("The Segment and the TotalSegments parameter are required together");
	else if (*segment >= *segments)
		message =
			mem_printf("The Segment parameter is zero-based and must be less than parameter TotalSegments: "
				   "Segment: %lld is not less than TotalSegments: %lld",
				   (long long)*segment, (long long)*segments);
	if (message)
		ddb_error(a, "ValidationException", message);
	free(message);
	return message == NULL;
}

/* The number of the first item of the page; false with an error answered. */
static bool scan_start(struct table *t, const struct request *r, struct reply *a, int64_t segment, int64_t segments,
		       size_t *from)
{
	const json_t *start = json_object_get(r->json, "ExclusiveStartKey");
	json_t *keys = start ? ddb_take_key(t, start, a) : NULL;
	const struct history *h = keys ? mark_read(t, keys) : NULL;

	*from = h ? h->number : 0;
	if (keys && !h) {
		h = model_item(t, keys, true);
		*from = h->number + 1;
		if ((int64_t)(h->place % (uint64_t)segments) != segment)
			ddb_error(a, "ValidationException",
				  "The provided starting key is invalid: Exclusive start key must lie within the "
				  "segment");
	}
	json_decref(keys);
	return a->status == 200;
}

void ddb_scan(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_active_table(f, r, a);
	int64_t segment, segments;
	struct page p;
	size_t from;

	if (!t || ddb_refuse_expressions(r, a, false) || !take_segment(r, a, &segment, &segments) ||
	    !scan_start(t, r, a, segment, segments, &from) || !page_init(&p, f, t, r, a))
		return;
	bool empty = is_empty_page(t);
	for (size_t i = from; i < t->nitems; i++) {
		const struct history *h = t->list[i];
		if (!seen(&p, h) || (int64_t)(h->place % (uint64_t)segments) != segment)
			continue;
		if (empty)
			p.next = h;
		if (empty || !page_add(&p, h))
			break;
	}
	page_answer(f, &p, t, r, a);
	json_decref(p.items);
}

/* --- Query --- */

/* An item of the hash key that is asked for. */
struct match {
	const struct history *h;
	char type;   /* of its range key */
	char *range; /* malloc'd; NULL: the table has none */
};

struct matches {
	struct match *at;
	size_t n, cap;
};

static int compare_matches(const void *a, const void *b)
{
	const struct match *x = a, *y = b;
	return x->range && y->range ? attr_compare(x->type, x->range, y->range) : 0;
}

static const char *range_of(const struct table *t, const json_t *keys)
{
	const char type[2] = {t->range_type, '\0'};
	return t->range_name ? json_string_value(json_object_get(json_object_get(keys, t->range_name), type)) : NULL;
}

static void find_matches(const struct page *p, const json_t *value, struct matches *m)
{
	const struct table *t = p->t;

	for (size_t i = 0; i < t->nitems; i++) {
		const struct history *h = t->list[i];
		json_t *keys = seen(p, h) ? json_loads(h->keys->text, 0, NULL) : NULL;
		if (keys && json_equal(json_object_get(keys, t->hash_name), (json_t *)value)) {
			const char *range = range_of(t, keys);
			mem_reserve(&m->at, &m->cap, m->n + 1, sizeof(*m->at));
			m->at[m->n++] = (struct match){h, t->range_type, range ? mem_dup(range) : NULL};
		}
		json_decref(keys);
	}
	if (m->n)
		qsort(m->at, m->n, sizeof(*m->at), compare_matches);
}

static void matches_free(struct matches *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->at[i].range);
	free(m->at);
}

/* The value that the hash key is to have; NULL with an error answered. */
static json_t *condition(const struct table *t, const struct request *r, struct reply *a)
{
	char name[256], value[256], end;
	const char *expression = ddb_text(r, "KeyConditionExpression"), *attribute;
	const char *why = NULL;
	json_t *found = NULL, *map;

	if (sscanf(expression, " #%250[A-Za-z0-9_] = :%250[A-Za-z0-9_] %c", name + 1, value + 1, &end) != 2) {
		ddb_error(a, "ValidationException", "fakeaws knows of key conditions only \"#name = :value\"");
		return NULL;
	}
	*name = '#';
	*value = ':';
	attribute = json_string_value(json_object_get(json_object_get(r->json, "ExpressionAttributeNames"), name));
	map = json_object_get(r->json, "ExpressionAttributeValues");
	found = json_object_get(map, value);
	if (!attribute)
		why = "Invalid KeyConditionExpression: An expression attribute name used in the document path is not "
		      "defined";
	else if (!found)
		why = "Invalid KeyConditionExpression: An expression attribute value used in expression is not defined";
	else if (strcmp(attribute, t->hash_name) != 0)
		why = "Query condition missed key schema element";
	else if (attr_check(map))
		why = attr_check(map);
	else if (*json_object_iter_key(json_object_iter(found)) != t->hash_type)
		why = "One or more parameter values were invalid: Condition parameter type does not match schema type";
	if (why)
		ddb_error(a, "ValidationException", why);
	return why ? NULL : found;
}

/* Whether the match lies behind the start. */
static bool is_behind(const struct match *m, char type, const char *start, bool forward)
{
	int order = m->range && start ? attr_compare(type, m->range, start) : 0;
	return forward ? order > 0 : order < 0;
}

/* How many of the matches, in their direction, are behind us; false with an error answered. */
static bool query_start(const struct table *t, const struct request *r, const struct matches *m, const json_t *value,
			bool forward, size_t *skip, struct reply *a)
{
	const json_t *start = json_object_get(r->json, "ExclusiveStartKey");
	json_t *keys = start ? ddb_take_key(t, start, a) : NULL;

	*skip = 0;
	if (!keys)
		return !start;
	const struct history *h = t->range_name ? mark_read(t, keys) : NULL;
	bool good = json_equal(json_object_get(keys, t->hash_name), (json_t *)value);
	if (!good)
		ddb_error(a, "ValidationException",
			  "The provided starting key is outside query boundaries based on provided conditions");
	for (; *skip < m->n; ++*skip) {
		const struct match *x = &m->at[forward ? *skip : m->n - 1 - *skip];
		if (h ? x->h == h : is_behind(x, t->range_type, range_of(t, keys), forward))
			break;
	}
	json_decref(keys);
	return good;
}

void ddb_query(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_active_table(f, r, a);
	bool forward = !json_is_false(json_object_get(r->json, "ScanIndexForward"));
	struct matches m = {0};
	struct page p;
	size_t skip;

	if (!t || ddb_refuse_expressions(r, a, true))
		return;
	json_t *value = condition(t, r, a);
	if (!value || !page_init(&p, f, t, r, a))
		return;
	find_matches(&p, value, &m);
	if (query_start(t, r, &m, value, forward, &skip, a)) {
		/* Without a range key a mark would have to be another hash key. */
		bool empty = t->range_name && is_empty_page(t);
		for (size_t i = skip; i < m.n; i++) {
			const struct history *h = m.at[forward ? i : m.n - 1 - i].h;
			if (empty)
				p.next = h;
			if (empty || !page_add(&p, h))
				break;
		}
		page_answer(f, &p, t, r, a);
	}
	json_decref(p.items);
	matches_free(&m);
}
