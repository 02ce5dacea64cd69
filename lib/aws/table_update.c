#include "aws/aws_json.h"
#include "aws/table.h"

static int parse_update(struct aws_op *op)
{
	json_t *root = aws_json_load(op);

	aws_json_object(op, root, "", "TableDescription", true);
	json_decref(root);
	return op->rc;
}

void table_enable_stream(struct aws_op *op, const char *table, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_TABLE_UPDATE, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_update;
	aws_json_add(op, "TableName", table);
	aws_json_add_raw(op, "StreamSpecification",
			 "{\"StreamEnabled\":true,\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}");
	aws_json_send(op);
}
