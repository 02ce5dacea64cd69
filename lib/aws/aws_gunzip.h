/* aws_gunzip: an answer that came compressed, as what it says. */
#ifndef DDB_AWS_GUNZIP_H
#define DDB_AWS_GUNZIP_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Puts what the gzip member (RFC 1952) in `body` holds in its place; the buffer's maximum stays, and holds for both.
 * -ERR_CORRUPT when it is none, is cut off, does not match its own sum or has something behind it; -ERR_LIMIT past the maximum;
 * -ERR_SYSTEM. On failure the contents are as they were.
 */
int aws_gunzip(struct buf *body, struct err *e);

#endif
