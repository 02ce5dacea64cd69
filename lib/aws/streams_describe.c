#include <stdlib.h>
#include <string.h>

#include "aws/aws_json.h"
#include "aws/streams.h"
#include "codec/seq.h"

static const char *const view_names[] = {
	[STREAMS_VIEW_NONE] = "none",
	[STREAMS_KEYS_ONLY] = "KEYS_ONLY",
	[STREAMS_NEW_IMAGE] = "NEW_IMAGE",
	[STREAMS_OLD_IMAGE] = "OLD_IMAGE",
	[STREAMS_NEW_AND_OLD_IMAGES] = "NEW_AND_OLD_IMAGES",
};

enum streams_view streams_view_parse(const char *s)
{
	for (int v = STREAMS_KEYS_ONLY; s && v <= STREAMS_NEW_AND_OLD_IMAGES; v++) {
		if (strcmp(s, view_names[v]) == 0)
			return (enum streams_view)v;
	}
	return STREAMS_VIEW_NONE;
}

const char *streams_view_name(enum streams_view v)
{
	return view_names[v];
}

static enum streams_status status_parse(const char *s)
{
	static const char *const names[] = {
		[STREAMS_ENABLING] = "ENABLING",
		[STREAMS_ENABLED] = "ENABLED",
		[STREAMS_DISABLING] = "DISABLING",
		[STREAMS_DISABLED] = "DISABLED",
	};

	for (int i = 0; s && i < STREAMS_STATUS_UNKNOWN; i++) {
		if (strcmp(s, names[i]) == 0)
			return (enum streams_status)i;
	}
	return STREAMS_STATUS_UNKNOWN;
}

void streams_description_fini(struct streams_description *d)
{
	for (size_t i = 0; i < d->nshards; i++) {
		free(d->shards[i].id);
		free(d->shards[i].parent);
		free(d->shards[i].adjacent_parent);
		free(d->shards[i].start_seq);
		free(d->shards[i].end_seq);
	}
	free(d->shards);
	free(d->label);
	free(d->hash_name);
	free(d->range_name);
	free(d->last_shard);
	*d = (struct streams_description){0};
}

static char *read_seq(struct aws_op *op, const json_t *range, const char *name)
{
	static const char where[] = "StreamDescription.Shards[].SequenceNumberRange.";
	char *seq = aws_json_strdup(op, range, where, name, false);

	if (seq && !seq_valid(span_of(seq)))
		aws_op_fail(op, ERR_CORRUPT, "%s%s in the answer is not a sequence number", where, name);
	return seq;
}

static void read_shard(struct aws_op *op, const json_t *v, struct streams_shard *s)
{
	static const char where[] = "StreamDescription.Shards[].";
	const json_t *range;

	s->id = aws_json_strdup(op, v, where, "ShardId", true);
	s->parent = aws_json_strdup(op, v, where, "ParentShardId", false);
	s->adjacent_parent = aws_json_strdup(op, v, where, "AdjacentParentShardId", false);
	range = aws_json_object(op, v, where, "SequenceNumberRange", false);
	s->start_seq = read_seq(op, range, "StartingSequenceNumber");
	s->end_seq = read_seq(op, range, "EndingSequenceNumber");
}

static void read_shards(struct aws_op *op, const json_t *list, struct streams_description *d)
{
	size_t n = json_array_size(list);

	if (n == 0)
		return;
	d->shards = calloc(n, sizeof(*d->shards));
	if (!d->shards) {
		aws_op_fail(op, ERR_SYSTEM, "out of memory");
		return;
	}
	for (size_t i = 0; i < n && op->rc == 0; i++) {
		d->nshards = i + 1;
		read_shard(op, json_array_get(list, i), &d->shards[i]);
	}
}

static void read_key_schema(struct aws_op *op, const json_t *list, struct streams_description *d)
{
	static const char where[] = "StreamDescription.KeySchema[].";

	for (size_t i = 0; i < json_array_size(list) && op->rc == 0; i++) {
		const json_t *v = json_array_get(list, i);
		const char *type = aws_json_string(op, v, where, "KeyType", true);
		char **name = type && strcmp(type, "HASH") == 0 ? &d->hash_name : &d->range_name;

		if (*name)
			aws_op_fail(op, ERR_CORRUPT, "%sKeyType in the answer is given twice", where);
		else
			*name = aws_json_strdup(op, v, where, "AttributeName", true);
	}
}

static int parse_description(struct aws_op *op)
{
	static const char where[] = "StreamDescription.";
	json_t *root = aws_json_load(op);
	const json_t *v = aws_json_object(op, root, "", "StreamDescription", true);
	struct streams_description d = {0};

	d.label = aws_json_strdup(op, v, where, "StreamLabel", true);
	d.status = status_parse(aws_json_string(op, v, where, "StreamStatus", true));
	d.view = streams_view_parse(aws_json_string(op, v, where, "StreamViewType", true));
	d.last_shard = aws_json_strdup(op, v, where, "LastEvaluatedShardId", false);
	read_key_schema(op, aws_json_array(op, v, where, "KeySchema", false), &d);
	read_shards(op, aws_json_array(op, v, where, "Shards", true), &d);
	if (op->rc == 0)
		*(struct streams_description *)op->result = d;
	else
		streams_description_fini(&d);
	json_decref(root);
	return op->rc;
}

static void begin(struct aws_op *op, const char *arn, struct streams_description *out, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_STREAMS_DESCRIBE, done, arg);
	aws_op_label(op, "of %s", arn);
	op->parse = parse_description;
	op->result = out;
	aws_json_add(op, "StreamArn", arn);
}

void streams_describe(struct aws_op *op, const char *arn, const char *start_shard, struct streams_description *out,
		      aws_done_fn *done, void *arg)
{
	begin(op, arn, out, done, arg);
	aws_json_add_raw(op, "Limit", "100"); /* the most that the API allows */
	if (start_shard)
		aws_json_add(op, "ExclusiveStartShardId", start_shard);
	aws_json_send(op);
}

void streams_describe_children(struct aws_op *op, const char *arn, const char *parent, struct streams_description *out,
			       aws_done_fn *done, void *arg)
{
	begin(op, arn, out, done, arg);
	aws_json_add_object(op, "ShardFilter", (const char *const[]){"Type", "CHILD_SHARDS", "ShardId", parent, NULL});
	aws_json_send(op);
}
