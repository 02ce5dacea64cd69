/* PutItem, DeleteItem, GetItem. Conditions, expressions and projections are refused, not ignored. */
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "capacity.h"
#include "fake.h"
#include "mem.h"

#define ITEM_BYTES_MAX ((size_t)400 << 10)

static json_t *parse(const struct image *i)
{
	return i ? json_loads(i->text, 0, NULL) : NULL;
}

bool ddb_refuse_expressions(const struct request *r, struct reply *a, bool query)
{
	static const char *const unknown[] = {"ConditionExpression",
					      "FilterExpression",
					      "ProjectionExpression",
					      "Expected",
					      "AttributesToGet",
					      "ScanFilter",
					      "QueryFilter",
					      "KeyConditions",
					      "IndexName",
					      "ExpressionAttributeNames",
					      "ExpressionAttributeValues"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		if (query && strncmp(unknown[i], "ExpressionAttribute", 19) == 0)
			continue;
		if (json_object_get(r->json, unknown[i])) {
			char *message = mem_printf("fakeaws does not know %s", unknown[i]);
			ddb_error(a, "ValidationException", message);
			free(message);
			return true;
		}
	}
	return false;
}

json_t *ddb_take_key(const struct table *t, const json_t *key, struct reply *a)
{
	const char *why = attr_check(key);
	json_t *keys = why ? NULL : attr_keys(t, key, &why);

	/* A key is told from an item by its words: only that it is empty, or too long, is told as of an item. */
	if (keys && json_object_size(keys) != json_object_size(key))
		why = "The provided key element does not match the schema";
	else if (why && (strstr(why, "Missing the key") || strstr(why, "Type mismatch")))
		why = "The provided key element does not match the schema";
	if (!why)
		return keys;
	json_decref(keys);
	ddb_error(a, "ValidationException", why);
	return NULL;
}

struct image *ddb_take_item(struct table *t, const json_t *item, struct history **h, struct reply *a)
{
	const char *why = attr_check(item);
	json_t *keys = why ? NULL : attr_keys(t, item, &why);
	struct image *now = NULL;

	if (keys && !why)
		why = attr_check_indexes(t, item);
	if (!why) {
		now = image_new(item);
		if (now->bytes > ITEM_BYTES_MAX)
			why = "Item size has exceeded the maximum allowed size";
	}
	if (why) {
		ddb_error(a, "ValidationException", why);
		image_unref(now);
		now = NULL;
	} else {
		*h = model_item(t, keys, true);
	}
	json_decref(keys);
	return now;
}

/* Writes and answers, if the table has units left. Takes `now`. */
static void write_one(struct fake *f, struct table *t, const struct request *r, struct history *h, struct image *now,
		      struct reply *a)
{
	double units = capacity_of_write(t, h->now, now);
	bool wanted = strcmp(ddb_text(r, "ReturnValues"), "ALL_OLD") == 0;
	json_t *old = wanted ? parse(h->now) : NULL, *out = json_object(), *consumed = capacity_json(r, t->name, units);

	if (old)
		json_object_set_new(out, "Attributes", old);
	if (consumed)
		json_object_set_new(out, "ConsumedCapacity", consumed);
	if (capacity_take_write(f, t, units)) {
		model_write(f, t, h, now, false);
		ddb_json(a, out);
	} else {
		image_unref(now);
		json_decref(out);
		capacity_exceeded(a);
	}
}

void ddb_put_item(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_active_table(f, r, a);
	struct history *h = NULL;
	struct image *now;

	if (!t || ddb_refuse_expressions(r, a, false))
		return;
	now = ddb_take_item(t, json_object_get(r->json, "Item"), &h, a);
	if (now)
		write_one(f, t, r, h, now, a);
}

void ddb_delete_item(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_active_table(f, r, a);
	json_t *keys;

	if (!t || ddb_refuse_expressions(r, a, false))
		return;
	keys = ddb_take_key(t, json_object_get(r->json, "Key"), a);
	if (keys)
		write_one(f, t, r, model_item(t, keys, true), NULL, a);
	json_decref(keys);
}

void ddb_get_item(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_active_table(f, r, a);
	json_t *keys, *out, *consumed;

	if (!t || ddb_refuse_expressions(r, a, false))
		return;
	keys = ddb_take_key(t, json_object_get(r->json, "Key"), a);
	if (!keys)
		return;
	const struct history *h = model_item(t, keys, false);
	bool consistent = json_is_true(json_object_get(r->json, "ConsistentRead"));
	const struct image *now = h ? model_read(f, t, h, consistent) : NULL;
	double units = capacity_of_read(r, now ? now->bytes : 0);
	json_decref(keys);
	if (!capacity_take_read(f, t, units)) {
		capacity_exceeded(a);
		return;
	}
	out = now ? json_pack("{s:o}", "Item", parse(now)) : json_object();
	consumed = capacity_json(r, t->name, units);
	if (consumed)
		json_object_set_new(out, "ConsumedCapacity", consumed);
	ddb_json(a, out);
}
