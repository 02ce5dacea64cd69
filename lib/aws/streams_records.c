#include <stdio.h>
#include <string.h>

#include "aws/aws_json.h"
#include "aws/streams.h"

/* "orders/stream/2026-11-23T12:02:59.379" of a stream's ARN: what a person tells streams apart by. */
static struct span stream_name(const char *arn)
{
	const char *p = strstr(arn, ":table/");

	return span_of(p ? p + strlen(":table/") : arn);
}

static int parse_iterator(struct aws_op *op)
{
	json_t *root = aws_json_load(op);
	const char *iterator = aws_json_string(op, root, "", "ShardIterator", true);
	struct buf *out = op->result;

	if (iterator && strlen(iterator) > STREAMS_ITERATOR_MAX)
		aws_op_fail(op, ERR_CORRUPT, "ShardIterator in the answer has %zu bytes, over %d", strlen(iterator),
			    STREAMS_ITERATOR_MAX);
	else if (iterator && buf_append_str(out, iterator) < 0)
		aws_op_fail(op, ERR_SYSTEM, "no room for a shard iterator of %zu bytes", strlen(iterator));
	json_decref(root);
	return op->rc;
}

void streams_get_iterator(struct aws_op *op, const char *arn, const char *shard, enum streams_iterator_type type,
			  const char *seq, struct buf *out, aws_done_fn *done, void *arg)
{
	static const char *const types[] = {
		[STREAMS_TRIM_HORIZON] = "TRIM_HORIZON",
		[STREAMS_LATEST] = "LATEST",
		[STREAMS_AT_SEQUENCE] = "AT_SEQUENCE_NUMBER",
		[STREAMS_AFTER_SEQUENCE] = "AFTER_SEQUENCE_NUMBER",
	};

	aws_json_begin(op, AWS_STREAMS_GET_ITERATOR, done, arg);
	aws_op_label(op, "of shard %s of %s", shard, stream_name(arn).ptr);
	op->parse = parse_iterator;
	op->result = out;
	aws_json_add(op, "StreamArn", arn);
	aws_json_add(op, "ShardId", shard);
	aws_json_add(op, "ShardIteratorType", types[type]);
	if (type == STREAMS_AT_SEQUENCE || type == STREAMS_AFTER_SEQUENCE)
		aws_json_add(op, "SequenceNumber", seq);
	aws_json_send(op);
}

void streams_get_records(struct aws_op *op, const char *iterator, unsigned limit, aws_done_fn *done, void *arg)
{
	struct span name = stream_name(iterator);
	const char *bar = strchr(name.ptr, '|');
	char number[16];

	aws_json_begin(op, AWS_STREAMS_GET_RECORDS, done, arg);
	/* An iterator is opaque; where it begins like an ARN, as AWS's do, that part is worth telling. */
	if (bar && name.ptr != iterator)
		aws_op_label(op, "of %.*s", (int)(bar - name.ptr), name.ptr);
	aws_json_add(op, "ShardIterator", iterator);
	if (limit > 0) {
		snprintf(number, sizeof(number), "%u", limit);
		aws_json_add_raw(op, "Limit", number);
	}
	aws_json_send(op);
}
