#include <stdlib.h>
#include <string.h>

#include "aws/aws_json.h"
#include "aws/streams.h"

void streams_list_fini(struct streams_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].arn);
		free(l->items[i].label);
	}
	free(l->items);
	free(l->last_arn);
	*l = (struct streams_list){0};
}

static int parse_list(struct aws_op *op)
{
	json_t *root = aws_json_load(op);
	const json_t *streams = aws_json_array(op, root, "", "Streams", true);
	struct streams_list l = {.last_arn = aws_json_strdup(op, root, "", "LastEvaluatedStreamArn", false)};
	size_t n = json_array_size(streams);

	if (n > 0) {
		l.items = calloc(n, sizeof(*l.items));
		if (!l.items) {
			aws_op_fail(op, ERR_SYSTEM, "out of memory");
			n = 0;
		}
	}
	for (size_t i = 0; i < n && op->rc == 0; i++) {
		const json_t *s = json_array_get(streams, i);

		l.n = i + 1;
		l.items[i].arn = aws_json_strdup(op, s, "Streams[].", "StreamArn", true);
		l.items[i].label = aws_json_strdup(op, s, "Streams[].", "StreamLabel", true);
	}
	if (op->rc == 0)
		*(struct streams_list *)op->result = l;
	else
		streams_list_fini(&l);
	json_decref(root);
	return op->rc;
}

void streams_list(struct aws_op *op, const char *table, const char *start_arn, struct streams_list *out,
		  aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_STREAMS_LIST, done, arg);
	aws_op_label(op, "of table %s", table);
	op->parse = parse_list;
	op->result = out;
	aws_json_add(op, "TableName", table);
	if (start_arn)
		aws_json_add(op, "ExclusiveStartStreamArn", start_arn);
	aws_json_send(op);
}
