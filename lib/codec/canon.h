/*
 * canon: the canonical form of an item (I7): DynamoDB JSON without white space, map members ordered by name, set
 * members ordered by value, both by their unescaped UTF-8 bytes (of a B or BS the base64 text's), numbers and base64
 * verbatim, strings escaped as JSON.stringify does: \" \\ \b \f \n \r \t, other bytes below 0x20 as \u00xx in lower
 * case, everything else raw UTF-8. So equal items have equal bytes, and the bytes are what BatchWriteItem accepts.
 *
 * The canonical form is never longer than the input.
 */
#ifndef DDB_CODEC_CANON_H
#define DDB_CODEC_CANON_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Scratch memory that is kept between calls, so that a call allocates nothing once it has grown. */
struct canon;

/* `max_bytes` caps the length of one item. NULL without memory. */
struct canon *canon_new(size_t max_bytes);
void canon_free(struct canon *c);

/*
 * `item` is an attribute map as text: {"id":{"S":"x"},...} (Keys, NewImage, OldImage, Item). Attribute values of a type
 * that is not known yet are kept, with plain objects ordered by name.
 * On success *out points into `c` until its next call.
 * -ERR_CORRUPT: not JSON, not an attribute map, a name twice; the message has the byte offset, never contents.
 * -ERR_LIMIT: too long or nested deeper than JSON_DEPTH_MAX. -ERR_SYSTEM: no memory.
 */
int canon_item(struct canon *c, struct span item, struct span *out, struct err *e);

#endif
