#include "aws/import.h"

#include <stdlib.h>
#include <string.h>

#include "aws/aws_json.h"

static const char where[] = "ImportTableDescription.";

void import_description_fini(struct import_description *d)
{
	free(d->arn);
	free(d->failure_code);
	free(d->failure_message);
	*d = (struct import_description){0};
}

static enum import_status status_of(const char *name)
{
	static const char *const names[IMPORT_STATUS_UNKNOWN] = {
		[IMPORT_IN_PROGRESS] = "IN_PROGRESS", [IMPORT_COMPLETED] = "COMPLETED",
		[IMPORT_CANCELLING] = "CANCELLING",   [IMPORT_CANCELLED] = "CANCELLED",
		[IMPORT_FAILED] = "FAILED",
	};

	for (int i = 0; name && i < IMPORT_STATUS_UNKNOWN; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum import_status)i;
	return IMPORT_STATUS_UNKNOWN;
}

/* A count that has not begun is not told. */
static uint64_t read_count(struct aws_op *op, const json_t *description, const char *name)
{
	const json_t *v = json_object_get(description, name);

	if (op->rc < 0 || !v || json_is_null(v))
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0) {
		aws_op_fail(op, ERR_CORRUPT, "%s%s in the answer is not a count", where, name);
		return 0;
	}
	return (uint64_t)json_integer_value(v);
}

static int parse_import(struct aws_op *op)
{
	json_t *root = aws_json_load(op);
	const json_t *v = aws_json_object(op, root, "", "ImportTableDescription", true);
	struct import_description d = {0};

	d.arn = aws_json_strdup(op, v, where, "ImportArn", true);
	d.status = status_of(aws_json_string(op, v, where, "ImportStatus", true));
	d.processed_bytes = read_count(op, v, "ProcessedSizeBytes");
	d.processed_items = read_count(op, v, "ProcessedItemCount");
	d.imported_items = read_count(op, v, "ImportedItemCount");
	d.errors = read_count(op, v, "ErrorCount");
	d.failure_code = aws_json_strdup(op, v, where, "FailureCode", false);
	d.failure_message = aws_json_strdup(op, v, where, "FailureMessage", false);
	if (op->rc == 0)
		*(struct import_description *)op->result = d;
	else
		import_description_fini(&d);
	json_decref(root);
	return op->rc;
}

void import_table(struct aws_op *op, const char *bucket, const char *key_prefix, struct span table, const char *token,
		  struct import_description *out, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_IMPORT_TABLE, done, arg);
	aws_op_label(op, "from bucket %s", bucket);
	op->parse = parse_import;
	op->result = out;
	aws_json_add(op, "ClientToken", token);
	aws_json_add(op, "InputCompressionType", "GZIP");
	aws_json_add(op, "InputFormat", "DYNAMODB_JSON");
	aws_json_add_object(op, "S3BucketSource",
			    (const char *const[]){"S3Bucket", bucket, "S3KeyPrefix", key_prefix, NULL});
	aws_json_add_span(op, "TableCreationParameters", table);
	aws_json_send(op);
}

void import_describe(struct aws_op *op, const char *arn, struct import_description *out, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_IMPORT_DESCRIBE, done, arg);
	aws_op_label(op, "%s", arn);
	op->parse = parse_import;
	op->result = out;
	aws_json_add(op, "ImportArn", arn);
	aws_json_send(op);
}
