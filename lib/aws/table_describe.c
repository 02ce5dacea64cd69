#include <stdlib.h>
#include <string.h>

#include "aws/aws_json.h"
#include "aws/table.h"

void table_description_fini(struct table_description *d)
{
	free(d->arn);
	free(d->id);
	free(d->status);
	free(d->hash_name);
	free(d->range_name);
	free(d->stream_arn);
	free(d->stream_label);
	json_decref(d->json);
	*d = (struct table_description){0};
}

/* The type that AttributeDefinitions gives a key attribute. */
static char attribute_type(struct aws_op *op, const json_t *definitions, const char *name)
{
	static const char where[] = "Table.AttributeDefinitions[].";
	size_t n = json_array_size(definitions);

	for (size_t i = 0; i < n && op->rc == 0; i++) {
		const json_t *v = json_array_get(definitions, i);
		const char *other = aws_json_string(op, v, where, "AttributeName", true);
		const char *type = aws_json_string(op, v, where, "AttributeType", true);

		if (!other || !type || strcmp(other, name) != 0)
			continue;
		if (strlen(type) == 1 && strchr("SNB", *type))
			return *type;
		aws_op_fail(op, ERR_CORRUPT, "%sAttributeType in the answer is not S, N or B", where);
	}
	if (op->rc == 0)
		aws_op_fail(op, ERR_CORRUPT, "Table.AttributeDefinitions in the answer lacks a key attribute");
	return 0;
}

static void read_keys(struct aws_op *op, const json_t *table, struct table_description *d)
{
	static const char where[] = "Table.KeySchema[].";
	const json_t *schema = aws_json_array(op, table, "Table.", "KeySchema", true);
	const json_t *definitions = aws_json_array(op, table, "Table.", "AttributeDefinitions", true);
	size_t n = json_array_size(schema);

	for (size_t i = 0; i < n && op->rc == 0; i++) {
		const json_t *v = json_array_get(schema, i);
		const char *type = aws_json_string(op, v, where, "KeyType", true);
		bool hash = type && strcmp(type, "HASH") == 0;
		char **name = hash ? &d->hash_name : &d->range_name;

		if (type && ((!hash && strcmp(type, "RANGE") != 0) || *name)) {
			aws_op_fail(op, ERR_CORRUPT, "%sKeyType in the answer is not one HASH and at most one RANGE",
				    where);
			return;
		}
		*name = aws_json_strdup(op, v, where, "AttributeName", true);
		if (*name)
			*(hash ? &d->hash_type : &d->range_type) = attribute_type(op, definitions, *name);
	}
	if (op->rc == 0 && !d->hash_name)
		aws_op_fail(op, ERR_CORRUPT, "Table.KeySchema in the answer has no HASH key");
}

static void read_stream(struct aws_op *op, const json_t *table, struct table_description *d)
{
	static const char where[] = "Table.StreamSpecification.";
	const json_t *spec = aws_json_object(op, table, "Table.", "StreamSpecification", false);
	const json_t *enabled = json_object_get(spec, "StreamEnabled");

	d->stream_arn = aws_json_strdup(op, table, "Table.", "LatestStreamArn", false);
	d->stream_label = aws_json_strdup(op, table, "Table.", "LatestStreamLabel", false);
	if (spec && op->rc == 0 && !json_is_boolean(enabled)) {
		aws_op_fail(op, ERR_CORRUPT, "%sStreamEnabled in the answer is missing or not a boolean", where);
		return;
	}
	d->stream_enabled = json_is_true(enabled);
	d->stream_view = streams_view_parse(aws_json_string(op, spec, where, "StreamViewType", d->stream_enabled));
	if (op->rc == 0 && d->stream_enabled && (!d->stream_arn || !d->stream_label))
		aws_op_fail(op, ERR_CORRUPT, "the answer has no Table.%s, yet the stream is on",
			    d->stream_arn ? "LatestStreamLabel" : "LatestStreamArn");
}

static int parse_table(struct aws_op *op)
{
	json_t *root = aws_json_load(op);
	const json_t *table = aws_json_object(op, root, "", "Table", true);
	struct table_description d = {0};

	d.arn = aws_json_strdup(op, table, "Table.", "TableArn", true);
	d.id = aws_json_strdup(op, table, "Table.", "TableId", false);
	d.status = aws_json_strdup(op, table, "Table.", "TableStatus", true);
	read_keys(op, table, &d);
	read_stream(op, table, &d);
	if (op->rc == 0) {
		d.json = json_incref(json_object_get(root, "Table"));
		*(struct table_description *)op->result = d;
	} else {
		table_description_fini(&d);
	}
	json_decref(root);
	return op->rc;
}

void table_describe(struct aws_op *op, const char *table, struct table_description *out, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_TABLE_DESCRIBE, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_table;
	op->result = out;
	aws_json_add(op, "TableName", table);
	aws_json_send(op);
}

static int parse_ttl(struct aws_op *op)
{
	json_t *root = aws_json_load(op);

	if (aws_json_object(op, root, "", "TimeToLiveDescription", true))
		*(json_t **)op->result = json_incref(json_object_get(root, "TimeToLiveDescription"));
	json_decref(root);
	return op->rc;
}

void table_describe_ttl(struct aws_op *op, const char *table, json_t **out, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_TABLE_DESCRIBE_TTL, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_ttl;
	op->result = out;
	aws_json_add(op, "TableName", table);
	aws_json_send(op);
}
