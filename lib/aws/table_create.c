#include "aws/aws_json.h"
#include "aws/table.h"

/* Of the answer only that it is one: what became of the table is asked with table_describe. */
static int parse_has(struct aws_op *op, const char *member)
{
	json_t *root = aws_json_load(op);

	aws_json_object(op, root, "", member, true);
	json_decref(root);
	return op->rc;
}

static int parse_table(struct aws_op *op)
{
	return parse_has(op, "TableDescription");
}

static int parse_ttl(struct aws_op *op)
{
	return parse_has(op, "TimeToLiveSpecification");
}

void table_create(struct aws_op *op, const char *table, struct span request, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_TABLE_CREATE, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_table;
	aws_json_append_object(op, "the description of the table", request);
	aws_op_send(op, "POST", (struct span){buf_str(&op->body), op->body.len});
}

void table_delete(struct aws_op *op, const char *table, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_TABLE_DELETE, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_table;
	aws_json_add(op, "TableName", table);
	aws_json_send(op);
}

void table_set_ttl(struct aws_op *op, const char *table, const char *attribute, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_TABLE_SET_TTL, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_ttl;
	aws_json_add(op, "TableName", table);
	aws_json_add_raw(op, "TimeToLiveSpecification", "{");
	aws_json_add_raw(op, "Enabled", "true");
	aws_json_add(op, "AttributeName", attribute);
	aws_json_append(op, "}");
	aws_json_send(op);
}
