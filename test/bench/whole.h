/*
 * whole: what a table answers that is read from its first item to its last, by Scan in segments, while its stream has
 * nothing to tell; and what the bucket answers that holds all of its items, or none. The pages of the Scan, of 1,000 items
 * and about 1 MB, are made before the first request; those of the listing as they are asked for.
 */
#ifndef DDB_BENCH_WHOLE_H
#define DDB_BENCH_WHOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define WHOLE_PAGE 1000 /* items of a Scan's page, keys of a listing's: the most that S3 gives */

struct whole;

/* in_bucket: the bucket has all items, with the MD5s of their canonical forms as ETags; changed: but each item of the table
 * is another one meanwhile, with the same key. Ends the program when memory is short, as do the others. */
struct whole *whole_new(size_t items, size_t item_bytes, bool in_bucket, bool changed);
void whole_free(struct whole *w);

/* Appends the header and the beginning of the answer to a Scan, and tells the rest of it. */
void whole_scan(const struct whole *w, struct span body, struct buf *out, struct span *rest);
/* Appends the answer to ListObjectsV2 of the whole bucket. False when the path asks for something else. */
bool whole_list(const struct whole *w, struct span path, struct buf *out);

#endif
