#include "ddb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "fake.h"
#include "mem.h"

#define TARGET_DYNAMODB "DynamoDB_20120810."
#define TARGET_STREAMS "DynamoDBStreams_20120810."
#define TARGET_SCALING "AnyScaleFrontendService."

struct operation {
	enum service service;
	const char *name;
	ddb_handler *handler;
};

static const struct operation operations[] = {
	{SERVICE_DYNAMODB, "CreateTable", ddb_create_table},
	{SERVICE_DYNAMODB, "DescribeTable", ddb_describe_table},
	{SERVICE_DYNAMODB, "UpdateTable", ddb_update_table},
	{SERVICE_DYNAMODB, "DeleteTable", ddb_delete_table},
	{SERVICE_DYNAMODB, "ListTables", ddb_list_tables},
	{SERVICE_DYNAMODB, "DescribeTimeToLive", ddb_describe_ttl},
	{SERVICE_DYNAMODB, "UpdateTimeToLive", ddb_update_ttl},
	{SERVICE_DYNAMODB, "ListTagsOfResource", ddb_list_tags},
	{SERVICE_DYNAMODB, "TagResource", ddb_tag},
	{SERVICE_DYNAMODB, "UntagResource", ddb_untag},
	{SERVICE_DYNAMODB, "PutItem", ddb_put_item},
	{SERVICE_DYNAMODB, "DeleteItem", ddb_delete_item},
	{SERVICE_DYNAMODB, "GetItem", ddb_get_item},
	{SERVICE_DYNAMODB, "BatchWriteItem", ddb_batch_write},
	{SERVICE_DYNAMODB, "Scan", ddb_scan},
	{SERVICE_DYNAMODB, "Query", ddb_query},
	{SERVICE_DYNAMODB, "ImportTable", ddb_import_table},
	{SERVICE_DYNAMODB, "DescribeImport", ddb_describe_import},
	{SERVICE_STREAMS, "ListStreams", streams_list},
	{SERVICE_STREAMS, "DescribeStream", streams_describe},
	{SERVICE_STREAMS, "GetShardIterator", streams_iterator},
	{SERVICE_STREAMS, "GetRecords", streams_records},
	{SERVICE_SCALING, "RegisterScalableTarget", scaling_register},
	{SERVICE_SCALING, "DeregisterScalableTarget", scaling_deregister},
	{SERVICE_SCALING, "DescribeScalableTargets", scaling_describe_targets},
	{SERVICE_SCALING, "PutScalingPolicy", scaling_put_policy},
	{SERVICE_SCALING, "DeleteScalingPolicy", scaling_delete_policy},
	{SERVICE_SCALING, "DescribeScalingPolicies", scaling_describe_policies},
};

const char *ddb_text(const struct request *r, const char *name)
{
	const char *s = json_string_value(json_object_get(r->json, name));
	return s ? s : "";
}

bool ddb_number(const struct request *r, struct reply *a, const char *name, int64_t least, int64_t most,
		int64_t otherwise, int64_t *out)
{
	const json_t *v = json_object_get(r->json, name);

	*out = json_is_integer(v) ? json_integer_value(v) : otherwise;
	if ((v && !json_is_integer(v)) || (v && (*out < least || *out > most))) {
		char *message = mem_printf("1 validation error detected: Value at '%s' failed to satisfy constraint: "
					   "Member must have value between %lld and %lld",
					   name, (long long)least, (long long)most);
		ddb_error(a, "ValidationException", message);
		free(message);
		return false;
	}
	return true;
}

static void copy(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s);
}

/* "arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL" */
static void table_of_arn(char *out, size_t size, const char *arn)
{
	const char *at = strstr(arn, ":table/");
	if (at)
		snprintf(out, size, "%.*s", (int)strcspn(at + 7, "/"), at + 7);
}

/* "table/NAME", "table/NAME/index/INDEX" */
static void table_of_resource(char *out, size_t size, const char *resource)
{
	if (resource && strncmp(resource, "table/", 6) == 0)
		snprintf(out, size, "%.*s", (int)strcspn(resource + 6, "/"), resource + 6);
}

static void identify_item(struct request *r)
{
	const json_t *item = json_object_get(r->json, "Item");
	struct buf text;

	if (!item)
		item = json_object_get(r->json, "Key");
	if (!item || attr_check(item))
		return;
	text_init(&text);
	attr_canonical(&text, item);
	copy(r->key, sizeof(r->key), buf_str(&text));
	buf_fini(&text);
}

static void identify_table(struct request *r)
{
	const json_t *import = json_object_get(r->json, "TableCreationParameters");
	const char *batch = json_object_iter_key(json_object_iter(json_object_get(r->json, "RequestItems")));
	const char *imported = json_string_value(json_object_get(import, "TableName"));
	static const char *const arns[] = {"StreamArn", "ResourceArn", "ImportArn"};

	copy(r->table, sizeof(r->table), batch ? batch : imported ? imported : ddb_text(r, "TableName"));
	table_of_resource(r->table, sizeof(r->table), ddb_text(r, "ResourceId"));
	table_of_resource(r->table, sizeof(r->table),
			  json_string_value(json_array_get(json_object_get(r->json, "ResourceIds"), 0)));
	for (size_t i = 0; i < sizeof(arns) / sizeof(arns[0]); i++)
		table_of_arn(r->table, sizeof(r->table), ddb_text(r, arns[i]));
}

void ddb_identify(struct fake *f, struct request *r, const char *target)
{
	struct iterator it;

	if (strncmp(target, TARGET_STREAMS, strlen(TARGET_STREAMS)) == 0) {
		r->service = SERVICE_STREAMS;
		copy(r->op, sizeof(r->op), target + strlen(TARGET_STREAMS));
	} else if (strncmp(target, TARGET_SCALING, strlen(TARGET_SCALING)) == 0) {
		r->service = SERVICE_SCALING;
		copy(r->op, sizeof(r->op), target + strlen(TARGET_SCALING));
	} else if (strncmp(target, TARGET_DYNAMODB, strlen(TARGET_DYNAMODB)) == 0) {
		r->service = SERVICE_DYNAMODB;
		copy(r->op, sizeof(r->op), target + strlen(TARGET_DYNAMODB));
	} else {
		r->service = SERVICE_DYNAMODB;
	}
	r->json = json_loadb(buf_str(&r->body), r->body.len, 0, NULL);
	if (!json_is_object(r->json))
		return;
	identify_table(r);
	copy(r->shard, sizeof(r->shard), ddb_text(r, "ShardId"));
	if (r->service == SERVICE_DYNAMODB)
		identify_item(r);
	if (streams_parse_iterator(ddb_text(r, "ShardIterator"), &it) && it.stream < f->nstreams &&
	    it.shard < f->streams[it.stream]->n) {
		copy(r->table, sizeof(r->table), f->streams[it.stream]->table->name);
		copy(r->shard, sizeof(r->shard), f->streams[it.stream]->shards[it.shard]->id);
		r->iterator_type = streams_iterator_types[it.type];
	} else if (strcmp(r->op, "GetShardIterator") == 0) {
		for (int i = 0; i < 4; i++)
			if (strcmp(streams_iterator_types[i], ddb_text(r, "ShardIteratorType")) == 0)
				r->iterator_type = streams_iterator_types[i];
	}
}

void ddb_error(struct reply *a, const char *code, const char *message)
{
	bool validation = strcmp(code, "ValidationException") == 0;
	bool service = strstr(code, "Signature") || strstr(code, "Client") || strstr(code, "Token") ||
		       strstr(code, "AccessDenied") || strstr(code, "Serialization") ||
		       strstr(code, "UnknownOperation");

	if (a->status < 400)
		a->status = strncmp(code, "Internal", 8) == 0 ? 500 : 400;
	copy(a->code, sizeof(a->code), code);
	buf_reset(&a->body);
	text_printf(&a->body, "{\"__type\":\"%s#%s\",\"message\":",
		    validation ? "com.amazon.coral.validate"
		    : service  ? "com.amazon.coral.service"
			       : "com.amazonaws.dynamodb.v20120810",
		    code);
	text_put_json(&a->body, message);
	text_put(&a->body, "}");
	a->wants_crc = true;
}

void ddb_json(struct reply *a, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	buf_reset(&a->body);
	text_put(&a->body, text);
	free(text);
	json_decref(body);
}

struct table *ddb_table(struct fake *f, const struct request *r, struct reply *a)
{
	struct table *t = model_table(f, ddb_text(r, "TableName"));

	if (t && t->exists)
		return t;
	char *message = mem_printf("Requested resource not found: Table: %s not found", ddb_text(r, "TableName"));
	ddb_error(a, "ResourceNotFoundException", message);
	free(message);
	return NULL;
}

struct table *ddb_active_table(struct fake *f, const struct request *r, struct reply *a)
{
	struct table *t = model_table(f, ddb_text(r, "TableName"));

	if (ddb_is_active(f, t))
		return t;
	ddb_error(a, "ResourceNotFoundException", "Requested resource not found");
	return NULL;
}

void ddb_answer(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = model_table(f, r->table);
	const struct options *o = t ? &t->options : &f->defaults;

	a->wants_crc = r->service != SERVICE_SCALING;
	a->crc = o->crc;
	a->gzip = o->gzip;
	if (!json_is_object(r->json)) {
		ddb_error(a, "SerializationException", "Unexpected end of input or value that is not an object");
		return;
	}
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (operations[i].service == r->service && strcmp(operations[i].name, r->op) == 0) {
			operations[i].handler(f, r, a);
			return;
		}
	}
	ddb_error(a, "UnknownOperationException", "");
}
