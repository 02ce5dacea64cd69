/* between: a key between two keys, for dividing a range of keys of which nothing else is known. Pure. */
#ifndef DDB_CLI_BETWEEN_H
#define DDB_CLI_BETWEEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Appends a key that lies behind `low` and before `high`, about in the middle as far as their first differing bytes tell.
 * Both begin with the same `prefix_len` bytes, and so does the result; an empty `high` is the end of all such keys. False,
 * with `out` as before, when there is none in printable ASCII. What is not UTF-8 in full would be refused by S3, so no byte
 * outside ASCII is ever made up.
 */
bool between(struct span low, struct span high, size_t prefix_len, struct buf *out);

#endif
