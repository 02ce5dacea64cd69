/*
 * streams: the DynamoDB Streams operations (Amazon DynamoDB Streams API Reference), target DynamoDBStreams_20120810.
 * Starting functions return nothing: every outcome comes through `done` on a later turn, with op->err on failure.
 */
#ifndef DDB_AWS_STREAMS_H
#define DDB_AWS_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws.h"
#include "base/span.h"

struct streams_stream {
	char *arn;
	char *label;
};

struct streams_list {
	struct streams_stream *items;
	size_t n;
	char *last_arn; /* LastEvaluatedStreamArn, NULL on the last page */
};
void streams_list_fini(struct streams_list *l);

/* One page of ListStreams of `table`, from after `start_arn` (NULL: the first). */
void streams_list(struct aws_op *op, const char *table, const char *start_arn, struct streams_list *out,
		  aws_done_fn *done, void *arg);

enum streams_status { STREAMS_ENABLING, STREAMS_ENABLED, STREAMS_DISABLING, STREAMS_DISABLED, STREAMS_STATUS_UNKNOWN };
enum streams_view {
	STREAMS_VIEW_NONE,
	STREAMS_KEYS_ONLY,
	STREAMS_NEW_IMAGE,
	STREAMS_OLD_IMAGE,
	STREAMS_NEW_AND_OLD_IMAGES
};

enum streams_view streams_view_parse(const char *s); /* STREAMS_VIEW_NONE for NULL or anything unknown */
const char *streams_view_name(enum streams_view v);

struct streams_shard {
	char *id;
	char *parent;	       /* NULL when it has none */
	char *adjacent_parent; /* of a merge; AWS documents none today, others send it (Kinesis has two); NULL */
	char *start_seq;       /* NULL when not told */
	char *end_seq;	       /* NULL while it is open */
};

struct streams_description {
	char *label;
	enum streams_status status;
	enum streams_view view;
	char *hash_name, *range_name; /* KeySchema; NULL when not told, range_name also without a sort key */
	struct streams_shard *shards;
	size_t nshards;
	char *last_shard; /* LastEvaluatedShardId, NULL on the last page */
};
void streams_description_fini(struct streams_description *d);

/* One page of DescribeStream, from after `start_shard` (NULL: the first). */
void streams_describe(struct aws_op *op, const char *arn, const char *start_shard, struct streams_description *out,
		      aws_done_fn *done, void *arg);
/* The children of a shard that ended (ShardFilter CHILD_SHARDS). A server that does not know it answers ERR_INVALID, or
 * ignores it. */
void streams_describe_children(struct aws_op *op, const char *arn, const char *parent, struct streams_description *out,
			       aws_done_fn *done, void *arg);

enum streams_iterator_type { STREAMS_TRIM_HORIZON, STREAMS_LATEST, STREAMS_AT_SEQUENCE, STREAMS_AFTER_SEQUENCE };

#define STREAMS_ITERATOR_MAX 4096

/* `seq` only for AT and AFTER. The iterator (NUL-terminated) is appended to `out`, which the caller has reset. */
void streams_get_iterator(struct aws_op *op, const char *arn, const char *shard, enum streams_iterator_type type,
			  const char *seq, struct buf *out, aws_done_fn *done, void *arg);

/*
 * GetRecords. `limit` 0 sends none (the server's 1,000). Checks x-amz-crc32 over the bytes as received (ERR_CORRUPT
 * when it differs; absent is fine). On success the body is http_body(op->slot): buf_take it, then records_split it.
 */
void streams_get_records(struct aws_op *op, const char *iterator, unsigned limit, aws_done_fn *done, void *arg);

#endif
