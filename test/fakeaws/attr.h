/*
 * attr: attribute values of DynamoDB (API Reference, "AttributeValue"): checking, the canonical text of README.md's
 * "What lies in the bucket", and the item key of key_format = path.
 */
#ifndef FAKEAWS_ATTR_H
#define FAKEAWS_ATTR_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "model.h"

/* NULL, or why this is no attribute map (a literal). */
const char *attr_check(const json_t *attributes);
/* Compact, map members by name, set members by value, as bytes. */
void attr_canonical(struct buf *out, const json_t *attributes);
/* The table's key attributes of `item`, a new reference; NULL and *why (good until the next call) when one cannot be. */
json_t *attr_keys(const struct table *t, const json_t *item, const char **why);
/* NULL, or which attribute cannot be the key of an index (good until the next call). */
const char *attr_check_indexes(const struct table *t, const json_t *item);
/* The item key. `room` is how many bytes of the S3 key's 1,024 are taken by what stands before it. */
void attr_path(struct buf *out, const struct table *t, const struct history *item, size_t room);

#endif
