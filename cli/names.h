/*
 * names: the objects that lie in a table's folder now, by ListObjectsV2: 1,000 a request, delete markers left out; of a large
 * table several parts at a time (range.h).
 */
#ifndef DDB_CLI_NAMES_H
#define DDB_CLI_NAMES_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "codec/digest.h"
#include "session.h"

struct names_object {
	struct span name;	       /* behind the table's folder */
	uint8_t etag[DIGEST_MD5_SIZE]; /* its MD5; of an ETag that is none something else */
	uint64_t size_bytes;
};

struct names_figures {
	uint64_t objects, bytes, requests;
};

/*
 * Calls `each` for each object, in any order; its error ends it. It may run the loop. Not from a callback of the loop. 0 or
 * a negative error; -ERR_CANCELLED after a signal. *figures counts on.
 */
int names_each(struct session *s, int (*each)(const struct names_object *o, void *arg, struct err *e), void *arg,
	       struct names_figures *figures, struct err *e);

#endif
