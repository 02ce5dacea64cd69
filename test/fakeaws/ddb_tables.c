/* CreateTable and what else concerns whole tables. A table is gone at once when it is deleted. */
#include <stdlib.h>
#include <string.h>

#include "ddb.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"
#include "shards.h"

static bool is_creating(const struct fake *f, const struct table *t)
{
	int64_t age_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB) - t->created_ms;
	return t->importing || (t->options.create_ms && age_ms < t->options.create_ms);
}

static const char *status_of(const struct fake *f, const struct table *t)
{
	return is_creating(f, t) ? "CREATING" : "ACTIVE";
}

bool ddb_is_active(const struct fake *f, const struct table *t)
{
	return t && t->exists && !is_creating(f, t);
}

/* DynamoDB counts about every six hours; here each answer does. An index is told to hold what the table holds. */
static void put_counts(json_t *d, const struct table *t, const char *status)
{
	static const char *const lists[] = {"GlobalSecondaryIndexes", "LocalSecondaryIndexes"};
	size_t items = 0, bytes = 0, i;
	json_t *index;

	for (i = 0; i < t->nitems; i++) {
		items += t->list[i]->now != NULL;
		bytes += t->list[i]->now ? t->list[i]->now->bytes : 0;
	}
	json_object_set_new(d, "ItemCount", json_integer((json_int_t)items));
	json_object_set_new(d, "TableSizeBytes", json_integer((json_int_t)bytes));
	for (int l = 0; l < 2; l++) {
		json_array_foreach(json_object_get(d, lists[l]), i, index)
		{
			json_object_set_new(index, "ItemCount", json_integer((json_int_t)items));
			json_object_set_new(index, "IndexSizeBytes", json_integer((json_int_t)bytes));
			if (l == 0)
				json_object_set_new(index, "IndexStatus", json_string(status));
		}
	}
}

static json_t *describe(const struct table *t, const char *status)
{
	json_t *d = json_deep_copy(t->description);

	put_counts(d, t, strcmp(status, "CREATING") == 0 ? "CREATING" : "ACTIVE");
	json_object_set_new(d, "TableName", json_string(t->name));
	json_object_set_new(d, "TableStatus", json_string(status));
	json_object_set_new(d, "TableId", json_string(t->id));
	json_object_set_new(d, "CreationDateTime", json_real((double)t->created_ms / 1000));
	json_object_set_new(d, "TableArn", json_sprintf(DDB_TABLE_ARN "%s", t->name));
	json_object_set_new(d, "DeletionProtectionEnabled", json_boolean(t->deletion_protected));
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
		ddb_json(a, json_pack("{s:o}", "Table", describe(t, status_of(f, t))));
}

bool ddb_settled_table(const struct fake *f, const struct table *t, struct reply *a)
{
	if (!is_creating(f, t))
		return true;
	char *message =
		mem_printf("Attempt to change a resource which is still in use: Table is being created: %s", t->name);
	ddb_error(a, "ResourceInUseException", message);
	free(message);
	return false;
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

struct table *ddb_make_table(struct fake *f, const json_t *params, struct reply *a)
{
	const char *name = json_string_value(json_object_get(params, "TableName"));
	struct table *t = name ? model_table(f, name) : NULL;
	char *wrong = schema_check(params);

	if (wrong || (t && t->exists)) {
		char *message = mem_printf("Table already exists: %s", name ? name : "");
		ddb_error(a, wrong ? "ValidationException" : "ResourceInUseException", wrong ? wrong : message);
		free(message);
		free(wrong);
		return NULL;
	}
	t = model_table_make(f, name);
	t->created_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
	schema_take(t, params);
	free(t->id);
	t->id = mem_printf("%08x-0000-4000-8000-%012llx", (unsigned)f->ntables,
			   (unsigned long long)rng_next(&f->rng) >> 16);
	free(t->ttl_attribute);
	t->ttl_attribute = NULL;
	t->ttl_on = t->importing = false;
	t->ttl_changed_ms = 0;
	return t;
}

void ddb_create_table(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_make_table(f, r->json, a);

	if (!t)
		return;
	/* AWS tells a table's latest stream only; that of a deleted table of the same name is not its own. */
	struct stream *before = t->stream;
	t->stream = NULL;
	if (!set_stream(f, t, r, a)) {
		t->stream = before;
		return;
	}
	t->exists = true;
	ddb_json(a, json_pack("{s:o}", "TableDescription", describe(t, "CREATING")));
}

/* Of what UpdateTable can do it is the stream, the protection, the class and the table's own units that are known here. */
static bool check_update(const struct request *r, struct reply *a)
{
	const char *name;
	json_t *value;

	json_object_foreach(r->json, name, value)
	{
		if (strcmp(name, "TableName") != 0 && strcmp(name, "StreamSpecification") != 0 &&
		    strcmp(name, "DeletionProtectionEnabled") != 0 && strcmp(name, "TableClass") != 0 &&
		    strcmp(name, "ProvisionedThroughput") != 0) {
			char *message = mem_printf("fakeaws does not know UpdateTable with %s", name);
			ddb_error(a, "ValidationException", message);
			free(message);
			return false;
		}
	}
	return true;
}

static void set_units(const struct fake *f, struct table *t, const json_t *units)
{
	json_t *told = json_object_get(t->description, "ProvisionedThroughput");
	double now_s = (double)vclock_of_ms(&f->clock, SERVICE_DYNAMODB) / 1000;

	if (!units)
		return;
	json_object_update(told, (json_t *)units);
	json_object_set_new(told, "LastIncreaseDateTime", json_real(now_s));
}

void ddb_update_table(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);
	const json_t *protection = json_object_get(r->json, "DeletionProtectionEnabled");

	if (!t || !ddb_settled_table(f, t, a) || !check_update(r, a) || !set_stream(f, t, r, a))
		return;
	set_units(f, t, json_object_get(r->json, "ProvisionedThroughput"));
	if (*ddb_text(r, "TableClass"))
		json_object_set_new(t->description, "TableClassSummary",
				    json_pack("{s:s}", "TableClass", ddb_text(r, "TableClass")));
	if (protection)
		t->deletion_protected = json_is_true(protection);
	ddb_json(a, json_pack("{s:o}", "TableDescription", describe(t, "UPDATING")));
}

void ddb_delete_table(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);

	if (!t || !ddb_settled_table(f, t, a))
		return;
	if (t->deletion_protected) {
		ddb_error(a, "ValidationException",
			  "Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
			  "protection first.");
		return;
	}
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

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of their names, behind ExclusiveStartTableName, of which there need be no table. */
void ddb_list_tables(struct fake *f, struct request *r, struct reply *a)
{
	const char **names = calloc(f->ntables + 1, sizeof(*names));
	const char *after = ddb_text(r, "ExclusiveStartTableName");
	json_int_t limit = json_integer_value(json_object_get(r->json, "Limit"));
	json_t *page = json_array(), *answer = json_pack("{s:o}", "TableNames", page);
	size_t n = 0;

	for (size_t i = 0; i < f->ntables; i++)
		if (f->tables[i]->exists && strcmp(f->tables[i]->name, after) > 0)
			names[n++] = f->tables[i]->name;
	qsort(names, n, sizeof(*names), by_name);
	if (limit <= 0 || limit > 100)
		limit = 100;
	for (size_t i = 0; i < n && (json_int_t)i < limit; i++)
		json_array_append_new(page, json_string(names[i]));
	if ((json_int_t)n > limit)
		json_object_set_new(answer, "LastEvaluatedTableName", json_string(names[limit - 1]));
	free(names);
	ddb_json(a, answer);
}
