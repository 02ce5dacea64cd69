#include <stdio.h>

#include "aws/s3.h"
#include "aws/s3_request.h"

static int parse_versioning(struct aws_op *op)
{
	const struct buf *b = http_body(op->slot);

	return s3xml_versioning((struct span){buf_str(b), b->len}, op->result, &op->err);
}

void s3_get_versioning(struct aws_op *op, enum s3xml_versioning *out, aws_done_fn *done, void *arg)
{
	s3_request_bucket(op, AWS_S3_GET_VERSIONING, done, arg);
	op->parse = parse_versioning;
	op->result = out;
	aws_op_query(op, "versioning", (struct span){NULL, 0});
	aws_op_send(op, "GET", (struct span){NULL, 0});
}

static void add_query(struct aws_op *op, const char *name, struct span value)
{
	if (value.len > 0)
		aws_op_query(op, name, value);
}

static void add_max_keys(struct aws_op *op, unsigned max_keys)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", max_keys);
	if (max_keys > 0)
		aws_op_query(op, "max-keys", span_of(text));
}

void s3_list_versions(struct aws_op *op, const struct s3_list *l, aws_done_fn *done, void *arg)
{
	s3_request_bucket(op, AWS_S3_LIST_VERSIONS, done, arg);
	aws_op_query(op, "versions", (struct span){NULL, 0});
	/* Keys may have characters that XML 1.0 cannot carry. */
	aws_op_query(op, "encoding-type", SPAN_LIT("url"));
	add_query(op, "prefix", l->prefix);
	add_query(op, "delimiter", l->delimiter);
	add_query(op, "key-marker", l->key_marker);
	add_query(op, "version-id-marker", l->version_marker);
	add_max_keys(op, l->max_keys);
	aws_op_send(op, "GET", (struct span){NULL, 0});
}

void s3_list_objects(struct aws_op *op, const struct s3_list_objects *l, aws_done_fn *done, void *arg)
{
	s3_request_bucket(op, AWS_S3_LIST_OBJECTS, done, arg);
	aws_op_query(op, "list-type", SPAN_LIT("2"));
	aws_op_query(op, "encoding-type", SPAN_LIT("url"));
	add_query(op, "prefix", l->prefix);
	add_query(op, "start-after", l->start_after);
	add_query(op, "continuation-token", l->token);
	add_max_keys(op, l->max_keys);
	aws_op_send(op, "GET", (struct span){NULL, 0});
}
