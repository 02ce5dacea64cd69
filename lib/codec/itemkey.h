/*
 * itemkey: from an item's primary key to the name of its S3 object, in the four formats of ddb-streamd.conf(5).
 */
#ifndef DDB_CODEC_ITEMKEY_H
#define DDB_CODEC_ITEMKEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/keyformat.h"
#include "base/span.h"

#define ITEMKEY_MAX 1024 /* bytes of an S3 key (Amazon S3 User Guide, "Naming Amazon S3 objects") */

struct itemkey_schema {
	enum key_format format;
	const char *hash_name;	      /* of the table's partition key */
	const char *range_name;	      /* of its sort key, NULL when it has none */
	const char *tenant_attribute; /* NULL: no tenant folder */
	size_t path_bytes; /* length of "<prefix>.ddb-streamd/<table>/deletes/": keys are cut to fit behind it */
};

/*
 * Appends the item key of `keys` (CANONICAL Keys of the record) to `out`, with the tenant folder taken from `image` (a
 * canonical or raw attribute map that has the tenant attribute, usually NewImage or OldImage; len 0: from `keys`, else
 * "_").
 *
 * path:   HASH or HASH/RANGE. Each value percent-encoded (RFC 3986 unreserved bytes stay), a value that is "." or ".."
 *         or starts with "~" has that first byte encoded; numbers as their text; binary as base64url without padding.
 *         While path_bytes + key passes 1,024 bytes, the longer component (the hash on a tie) becomes "~" and the
 *         SHA-256 hex of the canonical Keys.
 * md5, sha256: lower hex digest of the canonical Keys.
 * plain:  values in order of attribute name joined by " | ", strings unescaped, numbers and base64 as text; over 1,024
 *         bytes in all: "~" and the SHA-256 hex of the canonical Keys.
 * tenant: the value encoded as a path component (whatever the format; S, N or B; "_" when it is absent or of another
 *         type), then "/". It counts as part of the key. A tenant of over 256 encoded bytes becomes "~" and the SHA-256
 *         hex of its value (of a B: the bytes).
 *
 * -ERR_CORRUPT when `keys` is not canonical JSON with the schema's attributes, each of type S, N or B, and nothing else,
 * or `image` is not an attribute map. -ERR_LIMIT when the prefix leaves no room for the shortest form of a key; errors
 * of buf_append. `out` is as before then. Messages never hold a value. Loop's thread only.
 */
int itemkey_append(struct buf *out, const struct itemkey_schema *schema, struct span keys, struct span image,
		   struct err *e);

/* Do two images (attribute maps) of one item lie in different tenant folders? */
int itemkey_tenant_differs(const struct itemkey_schema *schema, struct span keys, struct span a, struct span b,
			   bool *differs, struct err *e);

/* Frees scratch memory; the functions above may be called again afterwards. */
void itemkey_cleanup(void);

#endif
