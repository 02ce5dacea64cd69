#include "aws/aws_json.h"
#include "aws/table.h"

static int parse_tags(struct aws_op *op)
{
	return aws_json_parse_page(op, "Tags");
}

void table_list_tags(struct aws_op *op, const char *table, const char *arn, const char *token, struct json_page *out,
		     aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_TABLE_LIST_TAGS, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_tags;
	op->result = out;
	aws_json_add(op, "ResourceArn", arn);
	if (token != NULL)
		aws_json_add(op, "NextToken", token);
	aws_json_send(op);
}

void table_tag(struct aws_op *op, const char *table, const char *arn, const char *tags, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_TABLE_TAG, done, arg);
	aws_op_label(op, "%s", table);
	aws_json_add(op, "ResourceArn", arn);
	aws_json_add_raw(op, "Tags", tags);
	aws_json_send(op);
}
