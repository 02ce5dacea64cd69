/*
 * What CreateTable and ImportTable say of a new table (API Reference, CreateTable; Developer Guide, "Service, account, and
 * table quotas"): whether it can be, and what DescribeTable will tell of it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddb.h"
#include "fake.h"
#include "mem.h"

#define INVALID "One or more parameter values were invalid: "
#define GLOBAL_MAX 20
#define LOCAL_MAX 5

static char *wrong_as(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *wrong_as(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		abort();
	va_end(args);
	return s;
}

static const char *text(const json_t *of, const char *name)
{
	const char *s = json_string_value(json_object_get(of, name));
	return s ? s : "";
}

/* "S", "N" or "B"; NULL when the attribute is not defined. */
static const char *type_of(const json_t *params, const char *name)
{
	size_t i;
	json_t *d;

	json_array_foreach(json_object_get(params, "AttributeDefinitions"), i, d)
	{
		const char *type = text(d, "AttributeType");
		if (strcmp(text(d, "AttributeName"), name) == 0 && strlen(type) == 1 && strchr("SNB", *type))
			return type;
	}
	return NULL;
}

static char *check_keys(const json_t *params, const json_t *schema)
{
	const json_t *hash = json_array_get(schema, 0), *range = json_array_get(schema, 1);
	size_t n = json_array_size(schema), i;
	json_t *key;

	if (n < 1 || n > 2)
		return wrong_as(
			"1 validation error detected: Value at 'keySchema' failed to satisfy constraint: Member "
			"must have length less than or equal to 2, and greater than or equal to 1");
	json_array_foreach(schema, i, key) if (!type_of(params, text(key, "AttributeName"))) return wrong_as(
		INVALID "Some index key attributes are not defined in AttributeDefinitions. Keys: [%s]",
		text(key, "AttributeName"));
	if (strcmp(text(hash, "KeyType"), "HASH") != 0)
		return wrong_as("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
	if (range && strcmp(text(range, "KeyType"), "RANGE") != 0)
		return wrong_as("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
	if (range && strcmp(text(hash, "AttributeName"), text(range, "AttributeName")) == 0)
		return wrong_as("Both the Hash Key and the Range Key element in the KeySchema have the same name");
	return NULL;
}

static bool is_on_demand(const json_t *params)
{
	return strcmp(text(params, "BillingMode"), "PAY_PER_REQUEST") == 0;
}

/* Of the table, or of the index of this name. */
static char *check_throughput(const json_t *params, const json_t *of, const char *index)
{
	const json_t *units = json_object_get(of, "ProvisionedThroughput");
	static const char *const names[] = {"ReadCapacityUnits", "WriteCapacityUnits"};

	if (is_on_demand(params) && units)
		return index ? wrong_as(INVALID "ProvisionedThroughput should not be specified for index: %s when "
						"BillingMode is PAY_PER_REQUEST",
					index)
			     : wrong_as(INVALID
					"Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
					"BillingMode is PAY_PER_REQUEST");
	if (is_on_demand(params))
		return NULL;
	if (json_object_get(of, "OnDemandThroughput"))
		return wrong_as(INVALID "OnDemandThroughput can only be specified when BillingMode is PAY_PER_REQUEST");
	if (!units)
		return index ? wrong_as(INVALID "ProvisionedThroughput must be specified for index: %s", index)
			     : wrong_as(INVALID "ReadCapacityUnits and WriteCapacityUnits must both be specified when "
						"BillingMode is PROVISIONED");
	for (int i = 0; i < 2; i++)
		if (json_integer_value(json_object_get(units, names[i])) < 1)
			return wrong_as(
				"1 validation error detected: Value at 'provisionedThroughput.%s' failed to satisfy "
				"constraint: Member must have value greater than or equal to 1",
				names[i]);
	return NULL;
}

static char *check_projection(const json_t *index)
{
	const json_t *projection = json_object_get(index, "Projection");
	const char *type = text(projection, "ProjectionType");
	bool include = strcmp(type, "INCLUDE") == 0;

	if (!include && strcmp(type, "ALL") != 0 && strcmp(type, "KEYS_ONLY") != 0)
		return wrong_as(INVALID "Unknown ProjectionType: %s", *type ? type : "null");
	if (include == (json_object_get(projection, "NonKeyAttributes") == NULL))
		return wrong_as(INVALID "ProjectionType is %s, %s NonKeyAttributes is %sspecified", type,
				include ? "and" : "but", include ? "not " : "");
	return NULL;
}

static char *check_index(const json_t *params, const json_t *index, bool local)
{
	const json_t *schema = json_object_get(index, "KeySchema"), *table = json_object_get(params, "KeySchema");
	const char *name = text(index, "IndexName");
	const char *hash = text(json_array_get(schema, 0), "AttributeName");
	const char *table_hash = text(json_array_get(table, 0), "AttributeName");
	char *wrong = check_keys(params, schema);

	if (wrong)
		return wrong;
	if (strlen(name) < 3 || strlen(name) > 255)
		return wrong_as("IndexName must be at least 3 characters long and at most 255 characters long");
	if (local && json_array_size(schema) != 2)
		return wrong_as(INVALID "Index KeySchema does not have a range key for index: %s", name);
	if (local && strcmp(hash, table_hash) != 0)
		return wrong_as(INVALID
				"Index KeySchema does not have the same leading hash key as table KeySchema for "
				"index: %s. index hash key: %s, table hash key: %s",
				name, hash, table_hash);
	wrong = check_projection(index);
	return wrong || local ? wrong : check_throughput(params, index, name);
}

static char *check_indexes(const json_t *params, const char *member, bool local)
{
	const json_t *all = json_object_get(params, member);
	size_t n = json_array_size(all), i, k;
	char *wrong = NULL;

	if (!all)
		return NULL;
	if (n == 0)
		return wrong_as(INVALID "List of %s is empty", member);
	if (n > (size_t)(local ? LOCAL_MAX : GLOBAL_MAX))
		return wrong_as(INVALID "%s: the limit of a table is %d", member, local ? LOCAL_MAX : GLOBAL_MAX);
	if (local && json_array_size(json_object_get(params, "KeySchema")) != 2)
		return wrong_as(INVALID
				"Table KeySchema does not have a range key, which is required when specifying a "
				"LocalSecondaryIndex");
	for (i = 0; i < n && !wrong; i++) {
		const json_t *index = json_array_get(all, i);
		wrong = check_index(params, index, local);
		for (k = 0; k < i && !wrong; k++)
			if (strcmp(text(index, "IndexName"), text(json_array_get(all, k), "IndexName")) == 0)
				wrong = wrong_as(INVALID "Duplicate index name: %s", text(index, "IndexName"));
	}
	return wrong;
}

static bool schema_has(const json_t *schema, const char *name)
{
	size_t i;
	json_t *key;

	json_array_foreach(schema, i, key) if (strcmp(text(key, "AttributeName"), name) == 0) return true;
	return false;
}

/* Every attribute that is defined must be a key of something. */
static char *check_definitions(const json_t *params)
{
	static const char *const lists[] = {"GlobalSecondaryIndexes", "LocalSecondaryIndexes"};
	size_t i, k;
	json_t *d, *index;

	json_array_foreach(json_object_get(params, "AttributeDefinitions"), i, d)
	{
		const char *name = text(d, "AttributeName");
		bool used = schema_has(json_object_get(params, "KeySchema"), name);
		for (int l = 0; l < 2; l++)
			json_array_foreach(json_object_get(params, lists[l]), k, index) used =
				used || schema_has(json_object_get(index, "KeySchema"), name);
		if (!used)
			return wrong_as(INVALID "Some AttributeDefinitions are not used. AttributeDefinitions: [%s]",
					name);
	}
	return NULL;
}

static char *check_rest(const json_t *params)
{
	const char *mode = text(params, "BillingMode"), *class = text(params, "TableClass");
	const json_t *sse = json_object_get(params, "SSESpecification");

	if (*mode && strcmp(mode, "PROVISIONED") != 0 && !is_on_demand(params))
		return wrong_as(
			"1 validation error detected: Value '%s' at 'billingMode' failed to satisfy constraint: "
			"Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]",
			mode);
	if (*class && strcmp(class, "STANDARD") != 0 && strcmp(class, "STANDARD_INFREQUENT_ACCESS") != 0)
		return wrong_as("1 validation error detected: Value '%s' at 'tableClass' failed to satisfy constraint: "
				"Member must satisfy enum value set: [STANDARD, STANDARD_INFREQUENT_ACCESS]",
				class);
	if (*text(sse, "SSEType") && strcmp(text(sse, "SSEType"), "KMS") != 0)
		return wrong_as(INVALID "SSEType %s is not supported", text(sse, "SSEType"));
	return NULL;
}

char *schema_check(const json_t *params)
{
	const char *name = text(params, "TableName");
	char *wrong = NULL;

	if (strlen(name) < 3 || strlen(name) > 255)
		return wrong_as("TableName must be at least 3 characters long and at most 255 characters long");
	if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") != strlen(name))
		return wrong_as("1 validation error detected: Value '%s' at 'tableName' failed to satisfy constraint: "
				"Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
				name);
	wrong = check_keys(params, json_object_get(params, "KeySchema"));
	wrong = wrong ? wrong : check_rest(params);
	wrong = wrong ? wrong : check_throughput(params, params, NULL);
	wrong = wrong ? wrong : check_indexes(params, "GlobalSecondaryIndexes", false);
	wrong = wrong ? wrong : check_indexes(params, "LocalSecondaryIndexes", true);
	return wrong ? wrong : check_definitions(params);
}

/* --- a table of it --- */

static void take_index(struct table *t, const json_t *params, const json_t *index)
{
	struct index *x = &t->indexes[t->nindexes++];
	size_t i;
	json_t *key;

	*x = (struct index){.name = mem_dup(text(index, "IndexName"))};
	json_array_foreach(json_object_get(index, "KeySchema"), i, key)
	{
		x->names[i] = mem_dup(text(key, "AttributeName"));
		x->types[i] = *type_of(params, x->names[i]);
	}
}

static void take_indexes(struct table *t, const json_t *params)
{
	const json_t *global = json_object_get(params, "GlobalSecondaryIndexes");
	const json_t *local = json_object_get(params, "LocalSecondaryIndexes");
	size_t i;
	json_t *index;

	for (i = 0; i < t->nindexes; i++) {
		free(t->indexes[i].name);
		free(t->indexes[i].names[0]);
		free(t->indexes[i].names[1]);
	}
	free(t->indexes);
	t->nindexes = 0;
	t->indexes = mem_new((json_array_size(global) + json_array_size(local)) * sizeof(*t->indexes));
	json_array_foreach(global, i, index) take_index(t, params, index);
	json_array_foreach(local, i, index) take_index(t, params, index);
}

static json_t *throughput(const json_t *of)
{
	const json_t *units = json_object_get(of, "ProvisionedThroughput");
	return json_pack("{s:i, s:I, s:I}", "NumberOfDecreasesToday", 0, "ReadCapacityUnits",
			 json_integer_value(json_object_get(units, "ReadCapacityUnits")), "WriteCapacityUnits",
			 json_integer_value(json_object_get(units, "WriteCapacityUnits")));
}

/* A list of indexes with what a table adds; counts and status come with each answer. */
static json_t *describe_indexes(const struct table *t, const json_t *list, bool global)
{
	json_t *all = json_deep_copy(list), *index;
	size_t i;

	json_array_foreach(all, i, index)
	{
		json_object_set_new(index, "IndexArn",
				    json_sprintf("%s%s/index/%s", DDB_TABLE_ARN, t->name, text(index, "IndexName")));
		if (global)
			json_object_set_new(index, "ProvisionedThroughput", throughput(index));
	}
	return all;
}

static json_t *describe_encryption(const json_t *sse)
{
	const char *key = text(sse, "KMSMasterKeyId");
	json_t *arn = strncmp(key, "arn:", 4) == 0 ? json_string(key)
						   : json_sprintf("arn:aws:kms:" FAKE_REGION ":" FAKE_ACCOUNT ":key/%s",
								  *key ? key : "00000000-0000-0000-0000-000000000000");
	return json_pack("{s:s, s:s, s:o}", "Status", "ENABLED", "SSEType", "KMS", "KMSMasterKeyArn", arn);
}

static json_t *describe(const struct table *t, const json_t *params)
{
	const json_t *global = json_object_get(params, "GlobalSecondaryIndexes");
	const json_t *local = json_object_get(params, "LocalSecondaryIndexes");
	const json_t *sse = json_object_get(params, "SSESpecification");
	static const char *const kept[] = {"AttributeDefinitions", "KeySchema", "OnDemandThroughput"};
	json_t *d = json_object();

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (json_object_get(params, kept[i]))
			json_object_set(d, kept[i], json_object_get(params, kept[i]));
	json_object_set_new(d, "ProvisionedThroughput", throughput(params));
	/* A table that was provisioned from the first has none. */
	if (is_on_demand(params))
		json_object_set_new(d, "BillingModeSummary",
				    json_pack("{s:s, s:f}", "BillingMode", "PAY_PER_REQUEST",
					      "LastUpdateToPayPerRequestDateTime", (double)t->created_ms / 1000));
	if (global)
		json_object_set_new(d, "GlobalSecondaryIndexes", describe_indexes(t, global, true));
	if (local)
		json_object_set_new(d, "LocalSecondaryIndexes", describe_indexes(t, local, false));
	if (json_is_true(json_object_get(sse, "Enabled")))
		json_object_set_new(d, "SSEDescription", describe_encryption(sse));
	if (*text(params, "TableClass"))
		json_object_set_new(d, "TableClassSummary",
				    json_pack("{s:s}", "TableClass", text(params, "TableClass")));
	return d;
}

void schema_take(struct table *t, const json_t *params)
{
	const json_t *schema = json_object_get(params, "KeySchema");
	const char *hash = text(json_array_get(schema, 0), "AttributeName");
	const char *range = text(json_array_get(schema, 1), "AttributeName");

	/* The histories of a table of this name stay; those of other keys would only confuse. */
	free(t->hash_name);
	free(t->range_name);
	t->hash_name = mem_dup(hash);
	t->range_name = *range ? mem_dup(range) : NULL;
	t->hash_type = *type_of(params, hash);
	t->range_type = *range ? *type_of(params, range) : 'S';
	take_indexes(t, params);
	json_decref(t->description);
	t->description = describe(t, params);
	json_decref(t->tags);
	t->tags = json_incref(json_object_get(params, "Tags"));
	t->deletion_protected = json_is_true(json_object_get(params, "DeletionProtectionEnabled"));
}
