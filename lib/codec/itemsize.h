/*
 * itemsize: how large DynamoDB takes an item to be (Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats"),
 * and what writing and reading it costs ("Read/write capacity modes"). Pure.
 */
#ifndef DDB_CODEC_ITEMSIZE_H
#define DDB_CODEC_ITEMSIZE_H

#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

/*
 * Bytes of an attribute map as text ({"id":{"S":"x"},...}): names and strings as UTF-8, numbers one byte for two
 * significant digits and one more (one more again when negative), binary as its raw bytes, 1 for null and bool, 3 for
 * a list or map and 1 for each of its members. -ERR_CORRUPT when it is not an attribute map. A value of a type that is
 * not known counts as its text.
 */
int itemsize_bytes(struct span item, size_t *out, struct err *e);

/* Write units of an item of so many bytes: one for each KiB begun, and one at least. */
size_t itemsize_write_units(size_t bytes);

#endif
