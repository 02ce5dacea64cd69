/* primary: an item's primary key, and single attributes, cut out of the item's canonical form (codec/canon). */
#ifndef DDB_CODEC_PRIMARY_H
#define DDB_CODEC_PRIMARY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/*
 * Appends the canonical Keys of `item`, a canonical attribute map: {"id":{"S":"x"},"range":{"N":"1"}}, the names in order,
 * the values verbatim. `range_name` is NULL for a table without a sort key. Allocates nothing but room in `out`.
 * -ERR_CORRUPT when the item is no attribute map, lacks one of the two, or has it with another type than S, N or B; the
 * message has neither names nor contents. Errors of buf_append. `out` is as before then.
 */
int primary_key(struct span item, const char *hash_name, const char *range_name, struct buf *out, struct err *e);

/* Finds the raw value ({"S":"x"}) of an attribute, inside of `item`. -ERR_NOT_FOUND; -ERR_CORRUPT as above. */
int primary_value(struct span item, const char *name, struct span *value);

#endif
