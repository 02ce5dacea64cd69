/* PutItem and what else concerns items. Conditions, expressions and projections are refused, not ignored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "ddb.h"
#include "fake.h"
#include "mem.h"

#define ITEM_BYTES_MAX ((size_t)400 << 10)
#define BATCH_MAX 25
#define SCAN_BYTES ((size_t)1 << 20)

static json_t *parse(const struct image *i)
{
	return i ? json_loads(i->text, 0, NULL) : NULL;
}

static bool refuse_expressions(const struct request *r, struct reply *a)
{
	static const char *const unknown[] = {
		"ConditionExpression", "FilterExpression", "ProjectionExpression", "Expected", "AttributesToGet",
		"ScanFilter",	       "IndexName"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		if (json_object_get(r->json, unknown[i])) {
			char *message = mem_printf("fakeaws does not know %s", unknown[i]);
			ddb_error(a, "ValidationException", message);
			free(message);
			return true;
		}
	}
	return false;
}

/* The item that a Key or an Item names; NULL with an error answered. */
static struct history *locate(struct table *t, const json_t *attributes, bool only_keys, struct reply *a)
{
	const char *why = attr_check(attributes);
	json_t *keys = why ? NULL : attr_keys(t, attributes, &why);
	struct history *h = NULL;

	if (keys && only_keys && json_object_size(keys) != json_object_size(attributes))
		why = "The provided key element does not match the schema";
	else if (keys)
		h = model_item(t, keys, true);
	json_decref(keys);
	if (!h)
		ddb_error(a, "ValidationException", why);
	return h;
}

static struct image *image_of(const json_t *item, struct reply *a)
{
	struct image *i = image_new(item);

	/* DynamoDB counts bytes of names and values; the text, with its quotes and types, may be somewhat longer. */
	if (i->len > ITEM_BYTES_MAX + ITEM_BYTES_MAX / 2) {
		ddb_error(a, "ValidationException", "Item size has exceeded the maximum allowed size");
		image_unref(i);
		return NULL;
	}
	return i;
}

static void answer_old(const struct request *r, struct reply *a, json_t *old)
{
	bool wanted = strcmp(ddb_text(r, "ReturnValues"), "ALL_OLD") == 0;

	if (old && wanted)
		ddb_json(a, json_pack("{s:O}", "Attributes", old));
	else
		ddb_json(a, json_object());
	json_decref(old);
}

void ddb_put_item(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);
	json_t *item = json_object_get(r->json, "Item");

	if (!t || refuse_expressions(r, a))
		return;
	struct history *h = locate(t, item, false, a);
	struct image *now = h ? image_of(item, a) : NULL;
	if (!now)
		return;
	json_t *old = parse(h->now);
	model_write(f, t, h, now, false);
	answer_old(r, a, old);
}

void ddb_delete_item(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);

	if (!t || refuse_expressions(r, a))
		return;
	struct history *h = locate(t, json_object_get(r->json, "Key"), true, a);
	if (!h)
		return;
	json_t *old = parse(h->now);
	model_write(f, t, h, NULL, false);
	answer_old(r, a, old);
}

void ddb_get_item(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);

	if (!t || refuse_expressions(r, a))
		return;
	struct history *h = locate(t, json_object_get(r->json, "Key"), true, a);
	if (h)
		ddb_json(a, h->now ? json_pack("{s:o}", "Item", parse(h->now)) : json_object());
}

struct batch_write {
	struct table *t;
	struct history *item;
	struct image *now;
};

/* Checks one request of a batch; false with an error answered. */
static bool batch_prepare(struct table *t, const json_t *request, struct batch_write *w, struct reply *a)
{
	const json_t *item = json_object_get(json_object_get(request, "PutRequest"), "Item");
	const json_t *key = json_object_get(json_object_get(request, "DeleteRequest"), "Key");

	*w = (struct batch_write){.t = t, .item = locate(t, item ? item : key, !item, a)};
	if (w->item && item)
		w->now = image_of(item, a);
	return w->item && (!item || w->now);
}

static size_t batch_prepare_all(struct fake *f, struct request *r, struct batch_write *writes, struct reply *a)
{
	const char *name;
	json_t *requests, *request;
	size_t n = 0, i, k;

	json_object_foreach(json_object_get(r->json, "RequestItems"), name, requests)
	{
		struct table *t = model_table(f, name);
		if (!t || !t->exists) {
			ddb_error(a, "ResourceNotFoundException", "Requested resource not found");
			return n;
		}
		snprintf(r->table, sizeof(r->table), "%s", name);
		json_array_foreach(requests, i, request)
		{
			if (n == BATCH_MAX) {
				ddb_error(a, "ValidationException",
					  "Too many items requested for the BatchWriteItem call");
				return n;
			}
			if (!batch_prepare(t, request, &writes[n], a))
				return n;
			for (k = 0; k < n; k++)
				if (writes[k].item == writes[n].item)
					ddb_error(a, "ValidationException",
						  "Provided list of item keys contains duplicates");
			n++;
			if (a->status != 200)
				return n;
		}
	}
	if (n == 0)
		ddb_error(a, "ValidationException", "The batch write request list for a table cannot be null or empty");
	return n;
}

void ddb_batch_write(struct fake *f, struct request *r, struct reply *a)
{
	struct batch_write writes[BATCH_MAX];
	size_t n = batch_prepare_all(f, r, writes, a);

	for (size_t i = 0; i < n; i++) {
		if (a->status == 200)
			model_write(f, writes[i].t, writes[i].item, writes[i].now, false);
		else
			image_unref(writes[i].now);
	}
	if (a->status == 200)
		ddb_json(a, json_pack("{s:{}}", "UnprocessedItems"));
}

/* Index after the item that ExclusiveStartKey names; false with an error answered. */
static bool scan_start(struct table *t, const struct request *r, struct reply *a, size_t *from)
{
	const json_t *start = json_object_get(r->json, "ExclusiveStartKey");

	*from = 0;
	if (!start)
		return true;
	struct history *h = locate(t, start, true, a);
	if (!h)
		return false;
	while (*from < t->nitems && t->list[*from] != h)
		++*from;
	++*from;
	return true;
}

void ddb_scan(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);
	int64_t limit, segment, segments;
	size_t from, count = 0, bytes = 0, i;
	bool counting = strcmp(ddb_text(r, "Select"), "COUNT") == 0;

	if (!t || refuse_expressions(r, a) || !scan_start(t, r, a, &from) ||
	    !ddb_number(r, a, "Limit", 1, INT32_MAX, INT32_MAX, &limit) ||
	    !ddb_number(r, a, "TotalSegments", 1, 1000000, 1, &segments) ||
	    !ddb_number(r, a, "Segment", 0, segments - 1, 0, &segment))
		return;
	json_t *items = json_array(), *out;
	for (i = from; i < t->nitems && (int64_t)count < limit && bytes < SCAN_BYTES; i++) {
		struct history *h = t->list[i];
		if (!h->now || (int64_t)(h->place % (uint64_t)segments) != segment)
			continue;
		if (!counting)
			json_array_append_new(items, parse(h->now));
		bytes += h->now->len;
		count++;
	}
	out = json_pack("{s:I, s:I}", "Count", (json_int_t)count, "ScannedCount", (json_int_t)count);
	if (!counting)
		json_object_set(out, "Items", items);
	if (i < t->nitems && i > from)
		json_object_set_new(out, "LastEvaluatedKey", parse(t->list[i - 1]->keys));
	json_decref(items);
	ddb_json(a, out);
}
