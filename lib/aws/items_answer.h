/*
 * items_answer: what the answers about items have in common. They are scanned, not parsed: an item stays the text that
 * it is (I7). Private to lib/aws.
 *
 * The scanning functions go like json_*: false once j->error is set, which is static text and never contents.
 */
#ifndef DDB_AWS_ITEMS_ANSWER_H
#define DDB_AWS_ITEMS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws_op.h"
#include "codec/json.h"

/* Sets the error unless there is one. Returns false. */
bool items_answer_fail(struct json *j, const char *error);
/* A member of an object, and what reads its value. */
struct items_answer_member {
	struct span name;
	bool (*read)(struct json *j, void *arg);
};
/*
 * Reads the object that is next; members that are not in `known` are passed over. One that is known and comes twice is
 * malformed: of the two, readers would take different ones. *seen (may be NULL) gets a bit for each that was there.
 */
bool items_answer_walk(struct json *j, const struct items_answer_member *known, int nknown, unsigned *seen, void *arg);
/* An object, or null, which leaves *out alone. */
bool items_answer_object(struct json *j, struct span *out);
/* {} */
bool items_answer_is_empty(struct span object);
/* A count. */
bool items_answer_count(struct json *j, uint64_t *out);
/* Adds CapacityUnits of a ConsumedCapacity, an object or null, to *units, a double. */
bool items_answer_capacity(struct json *j, void *units);

/* For aws_op.parse: reads the whole answer as items_answer_walk does. Returns op->rc. */
int items_answer_parse(struct aws_op *op, const struct items_answer_member *known, int nknown, void *arg);

/*
 * For aws_op.refused: takes the server's words out of the message where they may quote an item, but for sentences that
 * are known to be free of contents. Returns op->rc.
 */
int items_answer_refused(struct aws_op *op);

#endif
