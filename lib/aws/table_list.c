#include "aws/aws_json.h"
#include "aws/table.h"

static int parse_list(struct aws_op *op)
{
	struct json_page page = {0};
	json_t *root = aws_json_load(op);
	const json_t *names = aws_json_array(op, root, "", "TableNames", true);

	page.next_token = aws_json_strdup(op, root, "", "LastEvaluatedTableName", false);
	if (op->rc == 0) {
		page.list = json_incref((json_t *)names);
		*(struct json_page *)op->result = page;
	} else {
		json_page_fini(&page);
	}
	json_decref(root);
	return op->rc;
}

void table_list(struct aws_op *op, const char *after, struct json_page *out, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_TABLE_LIST, done, arg);
	op->parse = parse_list;
	op->result = out;
	if (after != NULL)
		aws_json_add(op, "ExclusiveStartTableName", after);
	aws_json_send(op);
}
