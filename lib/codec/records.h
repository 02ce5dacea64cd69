/*
 * records: the answer of GetRecords, found as offsets in its own body: the body is the only copy of the payload.
 * (DynamoDB Streams API reference: GetRecords, Record, StreamRecord, Identity.)
 */
#ifndef DDB_CODEC_RECORDS_H
#define DDB_CODEC_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum records_op { RECORDS_INSERT, RECORDS_MODIFY, RECORDS_REMOVE, RECORDS_OPS };

/* A place in the body. len 0: absent. */
struct records_slice {
	uint32_t off, len;
};

struct records_entry {
	struct records_slice keys; /* {"id":{"S":"x"}} as received */
	struct records_slice new_image;
	struct records_slice old_image;
	struct records_slice seq; /* digits */
	int64_t event_ms;	  /* ApproximateCreationDateTime, CLOCK_UNKNOWN when absent */
	enum records_op op;
	bool by_ttl; /* userIdentity is Service / dynamodb.amazonaws.com (either spelling of the names) */
};

struct records_answer {
	struct records_slice
		next_iterator; /* raw JSON string content; len 0 when absent or null: the shard ends here */
};

/* Called once for each record, in order; an error of it ends the split and is returned. */
typedef int records_entry_fn(void *arg, const struct records_entry *r);

/*
 * Walks `body` (under 4 GiB) once. Unknown members are skipped. A malformed answer, an unknown eventName, a record
 * without Keys or SequenceNumber or with a sequence number that is not one, an INSERT or MODIFY without NewImage:
 * -ERR_CORRUPT for the whole answer with the byte offset in the message (item contents never), and the caller must
 * throw away what `each` was given. -ERR_CORRUPT also when sequence numbers do not grow, when a member that is read
 * here comes twice, and for an event time that is not a number of seconds from 1970 to 9999. A member that is null
 * counts as absent; fractions of a time past milliseconds are cut. -ERR_LIMIT for a body of 4 GiB or more.
 */
int records_split(const char *body, size_t len, records_entry_fn *each, void *arg, struct records_answer *out,
		  struct err *e);

const char *records_op_name(enum records_op op); /* "INSERT", "MODIFY", "REMOVE" */

#endif
