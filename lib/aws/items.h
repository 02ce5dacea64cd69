/*
 * items: the DynamoDB operations on items (Amazon DynamoDB API Reference), target DynamoDB_20120810. Items and keys are
 * DynamoDB JSON as text, on their way in and out; nothing is retyped (I7).
 *
 * Starting functions return nothing: every outcome comes through `done` on a later turn, with op->err on failure. What a
 * call points to must live until then.
 */
#ifndef DDB_AWS_ITEMS_H
#define DDB_AWS_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/aws.h"
#include "base/span.h"

/* One put (the whole item) or delete (its key alone). */
struct items_write {
	struct span attributes; /* {"id":{"S":"x"},...} */
	bool remove;
};

#define ITEMS_BATCH_MAX 25			 /* writes of one BatchWriteItem */
#define ITEMS_BATCH_BYTES_MAX ((size_t)16 << 20) /* of its request; DynamoDB counts the JSON as sent */
#define ITEMS_BATCH_EXTRA_BYTES ((size_t)512)	 /* room to leave in that for what is around all writes ... */
#define ITEMS_WRITE_EXTRA_BYTES ((size_t)32)	 /* ... and around each of them */
#define ITEMS_ITEM_BYTES_MAX ((size_t)400 << 10) /* of an item, counted as itemsize_bytes does */

struct items_batch_result {
	bool left[ITEMS_BATCH_MAX]; /* which writes came back as UnprocessedItems: to be sent again, after a wait */
	size_t nleft;
	double consumed_units; /* write capacity, ReturnConsumedCapacity=TOTAL; 0 when not told */
};

/*
 * BatchWriteItem of `n` writes (1 to 25) to one table; two of them must not have the same key. UnprocessedItems is matched
 * to the writes by content (member order aside); when one of them is the content of none, all puts (or all deletes)
 * count as left. A validation error concerns the whole request, and nothing was written. -ERR_INVALID for writes that
 * are no JSON objects, and for more of them than a request may hold.
 */
void items_batch_write(struct aws_op *op, const char *table, const struct items_write *writes, size_t n,
		       struct items_batch_result *out, aws_done_fn *done, void *arg);
/* PutItem or DeleteItem, without a condition. `consumed_units` may be NULL. */
void items_write(struct aws_op *op, const char *table, const struct items_write *w, double *consumed_units,
		 aws_done_fn *done, void *arg);

/*
 * The `body_max` of an op that reads pages: 1 MB of items has up to nine times as many bytes of JSON ({"S":""}, counts
 * as 1 in a list), and the last item may pass the 1 MB.
 */
#define ITEMS_PAGE_BYTES_MAX ((size_t)16 << 20)

/* What Scan and Query share. Empty spans are not sent. */
struct items_read {
	const char *table;
	bool consistent;
	unsigned limit;		    /* items evaluated; 0: a page of 1 MB */
	struct span start_key;	    /* ExclusiveStartKey: last_key of the page before; empty at first */
	unsigned segment, segments; /* of a parallel Scan; segments 0: not parallel */
	const char *hash_name;	    /* Query: the attribute; NULL for Scan */
	struct span hash_value;	    /* Query: its value as {"S":"x"} */
};

/*
 * A page of items. On success the body is http_body(op->slot) until the op's next use; items_page_each walks it.
 */
void items_read(struct aws_op *op, const struct items_read *r, aws_done_fn *done, void *arg);

/* One item of a page as text, inside of the body. An error of it ends the walk and is returned. */
typedef int items_each_fn(void *arg, struct span item);

struct items_page {
	struct span last_key;  /* LastEvaluatedKey, inside of the body; empty on the last page */
	double consumed_units; /* read capacity; 0 when not told */
	uint64_t scanned;
};
/*
 * Walks the answer of items_read once; -ERR_CORRUPT for a malformed one (with the byte offset, never contents), and the
 * caller throws away what `each` was given.
 */
int items_page_each(struct span body, items_each_fn *each, void *arg, struct items_page *out, struct err *e);

/* GetItem, always with ConsistentRead. *item is inside of http_body(op->slot), or empty when there is none. */
void items_get(struct aws_op *op, const char *table, struct span key, struct span *item, aws_done_fn *done, void *arg);

#endif
