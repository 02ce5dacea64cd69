/* CreateTable and what else concerns whole tables. A table is ACTIVE at once, and gone at once when it is deleted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddb.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"
#include "shards.h"

static json_t *describe(const struct table *t, const char *status)
{
	json_t *d = json_deep_copy(t->description);
	size_t items = 0, bytes = 0;

	for (size_t i = 0; i < t->nitems; i++) {
		items += t->list[i]->now != NULL;
		bytes += t->list[i]->now ? t->list[i]->now->len : 0;
	}
	json_object_set_new(d, "TableName", json_string(t->name));
	json_object_set_new(d, "TableStatus", json_string(status));
	json_object_set_new(d, "TableId", json_string(t->id));
	json_object_set_new(d, "CreationDateTime", json_real((double)t->created_ms / 1000));
	json_object_set_new(d, "ItemCount", json_integer((json_int_t)items));
	json_object_set_new(d, "TableSizeBytes", json_integer((json_int_t)bytes));
	json_object_set_new(d, "TableArn",
			    json_sprintf("arn:aws:dynamodb:" FAKE_REGION ":" FAKE_ACCOUNT ":table/%s", t->name));
	/* A stream that is off is told of no more by StreamSpecification, but the latest ARN stays. */
	if (t->stream && t->stream->status != STREAM_DISABLED)
		json_object_set_new(d, "StreamSpecification",
				    json_pack("{s:b, s:s}", "StreamEnabled", 1, "StreamViewType", t->stream->view));
	if (t->stream) {
		json_object_set_new(d, "LatestStreamArn", json_string(t->stream->arn));
		json_object_set_new(d, "LatestStreamLabel", json_string(t->stream->label));
	}
	return d;
}

void ddb_describe_table(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);
	if (t)
		ddb_json(a, json_pack("{s:o}", "Table", describe(t, t->status)));
}

static char type_of(const json_t *definitions, const char *name)
{
	size_t i;
	json_t *d;

	json_array_foreach(definitions, i, d)
	{
		const char *n = json_string_value(json_object_get(d, "AttributeName"));
		const char *type = json_string_value(json_object_get(d, "AttributeType"));
		if (n && type && strcmp(n, name) == 0 && strlen(type) == 1 && strchr("SNB", *type))
			return *type;
	}
	return '\0';
}

static bool take_schema(struct table *t, const struct request *r)
{
	const json_t *schema = json_object_get(r->json, "KeySchema");
	const json_t *definitions = json_object_get(r->json, "AttributeDefinitions");
	size_t n = json_array_size(schema);
	const char *hash = NULL, *range = NULL;

	if (n < 1 || n > 2 || json_unpack(json_array_get(schema, 0), "{s:s}", "AttributeName", &hash) < 0 ||
	    (n == 2 && json_unpack(json_array_get(schema, 1), "{s:s}", "AttributeName", &range) < 0))
		return false;
	char hash_type = type_of(definitions, hash), range_type = range ? type_of(definitions, range) : 'S';
	if (!hash_type || !range_type)
		return false;
	/* The histories of a table of this name stay; those of other keys would only confuse. */
	free(t->hash_name);
	free(t->range_name);
	t->hash_name = mem_dup(hash);
	t->range_name = range ? mem_dup(range) : NULL;
	t->hash_type = hash_type;
	t->range_type = range_type;
	return true;
}

static bool set_stream(struct fake *f, struct table *t, const struct request *r, struct reply *a)
{
	const json_t *spec = json_object_get(r->json, "StreamSpecification");
	const char *view = json_string_value(json_object_get(spec, "StreamViewType"));
	bool wanted = json_is_true(json_object_get(spec, "StreamEnabled"));
	bool on = t->stream && t->stream->status != STREAM_DISABLED;
	const char *wrong = NULL;

	if (!spec)
		return true;
	if (wanted && on)
		wrong = "Table already has an enabled stream";
	else if (!wanted && !on && t->exists)
		wrong = "Table is already without an enabled stream";
	else if (wanted && (!view || !(strcmp(view, "NEW_AND_OLD_IMAGES") == 0 || strcmp(view, "NEW_IMAGE") == 0 ||
				       strcmp(view, "OLD_IMAGE") == 0 || strcmp(view, "KEYS_ONLY") == 0)))
		wrong = "One or more parameter values were invalid: StreamViewType";
	if (wrong) {
		ddb_error(a, "ValidationException", wrong);
		return false;
	}
	if (wanted)
		model_stream_new(f, t, view, (unsigned)t->options.shards);
	else if (on)
		model_stream_disable(f, t->stream);
	return true;
}

void ddb_create_table(struct fake *f, struct request *r, struct reply *a)
{
	const char *name = ddb_text(r, "TableName");
	static const char *const kept[] = {"AttributeDefinitions", "KeySchema", "ProvisionedThroughput",
					   "GlobalSecondaryIndexes", "LocalSecondaryIndexes"};
	struct table *t = model_table(f, name);

	if (t && t->exists) {
		ddb_error(a, "ResourceInUseException", "Table already exists");
		return;
	}
	if (strlen(name) < 3 || strlen(name) > 255) {
		ddb_error(a, "ValidationException",
			  "TableName must be at least 3 characters long and at most 255 characters long");
		return;
	}
	t = model_table_make(f, name);
	if (!take_schema(t, r)) {
		ddb_error(a, "ValidationException",
			  "One or more parameter values were invalid: KeySchema or AttributeDefinitions");
		return;
	}
	json_decref(t->description);
	t->description = json_object();
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (json_object_get(r->json, kept[i]))
			json_object_set(t->description, kept[i], json_object_get(r->json, kept[i]));
	if (*ddb_text(r, "BillingMode"))
		json_object_set_new(t->description, "BillingModeSummary",
				    json_pack("{s:s}", "BillingMode", ddb_text(r, "BillingMode")));
	free(t->id);
	t->id = mem_printf("%08x-0000-4000-8000-%012llx", (unsigned)f->ntables,
			   (unsigned long long)rng_next(&f->rng) >> 16);
	t->created_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
	/* AWS tells a table's latest stream only; that of a deleted table of the same name is not its own. */
	struct stream *before = t->stream;
	t->stream = NULL;
	if (!set_stream(f, t, r, a)) {
		t->stream = before;
		return;
	}
	t->exists = true;
	snprintf(t->status, sizeof(t->status), "ACTIVE");
	ddb_json(a, json_pack("{s:o}", "TableDescription", describe(t, "CREATING")));
}

void ddb_update_table(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);
	if (t && set_stream(f, t, r, a))
		ddb_json(a, json_pack("{s:o}", "TableDescription", describe(t, "UPDATING")));
}

void ddb_delete_table(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);

	if (!t)
		return;
	json_t *last = describe(t, "DELETING");
	if (t->stream && t->stream->status != STREAM_DISABLED)
		model_stream_disable(f, t->stream);
	/* The items go without records. */
	for (size_t i = 0; i < t->nitems; i++) {
		image_unref(t->list[i]->now);
		t->list[i]->now = NULL;
	}
	t->exists = false;
	ddb_json(a, json_pack("{s:o}", "TableDescription", last));
}

void ddb_list_tables(struct fake *f, struct request *r, struct reply *a)
{
	json_t *names = json_array();

	(void)r;
	for (size_t i = 0; i < f->ntables; i++)
		if (f->tables[i]->exists)
			json_array_append_new(names, json_string(f->tables[i]->name));
	ddb_json(a, json_pack("{s:o}", "TableNames", names));
}

void ddb_describe_ttl(struct fake *f, struct request *r, struct reply *a)
{
	if (ddb_table(f, r, a))
		ddb_json(a, json_pack("{s:{s:s}}", "TimeToLiveDescription", "TimeToLiveStatus", "DISABLED"));
}
