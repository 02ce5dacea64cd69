/*
 * BatchWriteItem (API Reference): all or nothing for what is malformed, one by one for what there is no capacity for.
 * What is not written comes back in UnprocessedItems; if no capacity is left for any of it, the call fails.
 */
#include <stdlib.h>
#include <string.h>

#include "capacity.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"

#define BATCH_MAX 25
#define BATCH_BYTES_MAX ((size_t)16 << 20)

struct batch_write {
	struct table *t;
	struct history *item;
	struct image *now; /* NULL: a delete */
	json_t *request;   /* as it was sent, for UnprocessedItems */
};

struct batch {
	struct batch_write writes[BATCH_MAX];
	size_t n;
};

/* Checks one request of a batch; false with an error answered. */
static bool prepare(struct table *t, json_t *request, struct batch_write *w, struct reply *a)
{
	const json_t *put = json_object_get(request, "PutRequest"), *remove = json_object_get(request, "DeleteRequest");
	json_t *keys = NULL;

	*w = (struct batch_write){.t = t, .request = request};
	if ((put != NULL) == (remove != NULL)) {
		ddb_error(a, "ValidationException",
			  "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
			  "supported operations: PutRequest, DeleteRequest");
		return false;
	}
	if (put) {
		w->now = ddb_take_item(t, json_object_get(put, "Item"), &w->item, a);
		return w->now != NULL;
	}
	keys = ddb_take_key(t, json_object_get(remove, "Key"), a);
	if (keys)
		w->item = model_item(t, keys, true);
	json_decref(keys);
	return w->item != NULL;
}

/* Adds it to the batch. */
static bool add(struct batch *b, struct table *t, json_t *request, struct reply *a)
{
	if (b->n == BATCH_MAX) {
		ddb_error(a, "ValidationException", "Too many items requested for the BatchWriteItem call");
		return false;
	}
	if (!prepare(t, request, &b->writes[b->n], a))
		return false;
	b->n++;
	for (size_t i = 0; i + 1 < b->n; i++) {
		if (b->writes[i].item == b->writes[b->n - 1].item) {
			ddb_error(a, "ValidationException", "Provided list of item keys contains duplicates");
			return false;
		}
	}
	return true;
}

static bool prepare_all(struct fake *f, struct request *r, struct batch *b, struct reply *a)
{
	const char *name;
	json_t *requests, *request;
	size_t i;

	if (r->body.len > BATCH_BYTES_MAX) {
		ddb_error(a, "ValidationException", "The request is larger than 16 MB");
		return false;
	}
	json_object_foreach(json_object_get(r->json, "RequestItems"), name, requests)
	{
		struct table *t = model_table(f, name);
		if (!ddb_is_active(f, t)) {
			ddb_error(a, "ResourceNotFoundException", "Requested resource not found");
			return false;
		}
		json_array_foreach(requests, i, request) if (!add(b, t, request, a)) return false;
		if (json_array_size(requests) > 0)
			continue;
		ddb_error(a, "ValidationException", "The batch write request list for a table cannot be null or empty");
		return false;
	}
	if (b->n == 0)
		ddb_error(a, "ValidationException",
			  "1 validation error detected: Value '{}' at 'requestItems' failed to "
			  "satisfy constraint: Member must have length greater than or equal to 1");
	return b->n > 0;
}

/* Whether control wants this write back. */
static bool is_left_out(struct fake *f, struct table *t)
{
	const struct options *o = &t->options;
	bool left = o->unprocessed_nth && ++t->nwrites % (uint64_t)o->unprocessed_nth == 0;

	return (o->unprocessed_percent && rng_below(&f->rng, 100) < (uint64_t)o->unprocessed_percent) || left;
}

static void leave(json_t *unprocessed, const struct batch_write *w)
{
	json_t *list = json_object_get(unprocessed, w->t->name);

	if (!list) {
		list = json_array();
		json_object_set_new(unprocessed, w->t->name, list);
	}
	json_array_append(list, w->request);
}

static void note_consumed(json_t *consumed, const struct request *r, const char *table, double units)
{
	size_t i;
	json_t *told, *value;

	json_array_foreach(consumed, i, told)
	{
		if (strcmp(json_string_value(json_object_get(told, "TableName")), table) != 0)
			continue;
		value = json_object_get(told, "CapacityUnits");
		json_real_set(value, json_real_value(value) + units);
		return;
	}
	told = capacity_json(r, table, units);
	if (told)
		json_array_append_new(consumed, told);
}

static void write_all(struct fake *f, const struct request *r, struct batch *b, struct reply *a)
{
	json_t *unprocessed = json_object(), *consumed = json_array();
	size_t written = 0, throttled = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct batch_write *w = &b->writes[i];
		double units = capacity_of_write(w->t, w->item->now, w->now);
		bool left = is_left_out(f, w->t), empty = !left && !capacity_take_write(f, w->t, units);
		throttled += empty;
		if (left || empty) {
			image_unref(w->now);
			leave(unprocessed, w);
			continue;
		}
		model_write(f, w->t, w->item, w->now, false);
		note_consumed(consumed, r, w->t->name, units);
		written++;
	}
	if (written == 0 && throttled == b->n) {
		json_decref(unprocessed);
		json_decref(consumed);
		capacity_exceeded(a);
		return;
	}
	json_t *out = json_pack("{s:o}", "UnprocessedItems", unprocessed);
	if (*ddb_text(r, "ReturnConsumedCapacity") && strcmp(ddb_text(r, "ReturnConsumedCapacity"), "NONE") != 0)
		json_object_set(out, "ConsumedCapacity", consumed);
	json_decref(consumed);
	ddb_json(a, out);
}

void ddb_batch_write(struct fake *f, struct request *r, struct reply *a)
{
	struct batch b = {.n = 0};

	if (prepare_all(f, r, &b, a)) {
		write_all(f, r, &b, a);
		return;
	}
	for (size_t i = 0; i < b.n; i++)
		image_unref(b.writes[i].now);
}
