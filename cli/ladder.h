/*
 * ladder: keys behind a key, for looking where the keys of a range end of which nothing else is known. Pure.
 *
 * Each rung is a beginning of `low` and one byte that is larger than what `low` has there. In ascending order, from 1 on,
 * those of "it-07" are "it-07 ", "it-07!", .., "it-08", "it-09", .., "it-1", "it-2", .., "it.", "it/", .., "j", .. So a few
 * questions find the byte in which a whole range differs, however long the beginning is that its keys share.
 *
 * All keys begin with the same `prefix_len` bytes, and so do the rungs. What is not UTF-8 in full would be refused by S3, so no
 * byte outside ASCII is ever made up, and no character of `low` is cut.
 */
#ifndef DDB_CLI_LADDER_H
#define DDB_CLI_LADDER_H

#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

/* How many rungs lie before `high`; an empty `high` is the end of all keys. 0 when it does not lie behind `low`. */
size_t ladder_count(struct span low, struct span high, size_t prefix_len);
/* Appends rung `n`, from 1 to what ladder_count says. 0, or what buf_append fails with. */
int ladder_rung(struct span low, size_t n, struct buf *out);

#endif
