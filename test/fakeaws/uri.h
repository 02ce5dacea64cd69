/* uri: percent-encoding and queries (RFC 3986; AWS Signature Version 4, "UriEncode"). */
#ifndef FAKEAWS_URI_H
#define FAKEAWS_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct pair {
	char *name, *value;
};

struct pairs {
	struct pair *at;
	size_t n, cap;
};

/* Takes copies. */
void pairs_add(struct pairs *p, const char *name, size_t name_len, const char *value, size_t value_len);
/* The first value of `name`, or NULL. */
const char *pairs_get(const struct pairs *p, const char *name);
void pairs_free(struct pairs *p);
/* By name, then by value, as bytes. */
void pairs_sort(struct pairs *p);

/* Appends `s` with all but unreserved bytes (and '/' if `slash_stays`) as %XX. */
void uri_encode(struct buf *out, const char *s, size_t n, bool slash_stays);
/* Decoded text, malloc'd; a NUL within cannot be told from the end. NULL when a '%' is not followed by two digits. */
char *uri_decode(const char *s, size_t n);
/* "a=b&c": names and values decoded. False on a bad '%'. */
bool uri_query(const char *s, struct pairs *out);

#endif
