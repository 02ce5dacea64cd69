/*
 * buf: a growing byte buffer that declares its maximum (I6). The contents are always NUL-terminated,
 * the terminator is not counted. After a failed append the buffer holds what it held before.
 */
#ifndef DDB_BASE_BUF_H
#define DDB_BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data; /* NULL until the first append */
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated, including room for the NUL */
	size_t max; /* len never passes this */
};

/* An empty buffer of at most `max` bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer is empty with the same maximum. */
void buf_fini(struct buf *b);
/* Forgets the contents, keeps the memory. */
void buf_reset(struct buf *b);
/* Frees what is allocated past max(len, keep). Never fails. */
void buf_trim(struct buf *b, size_t keep);
/* Makes room for `more` further bytes. 0, -ERR_LIMIT past the maximum, -ERR_SYSTEM without memory. */
int buf_reserve(struct buf *b, size_t more);
/* Appends. Same errors as buf_reserve. `bytes` must not lie in `b`. */
int buf_append(struct buf *b, const void *bytes, size_t len);
int buf_append_str(struct buf *b, const char *s);
int buf_append_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The contents as a C string ("" when empty). Valid until the next change. */
const char *buf_str(const struct buf *b);
/* Moves memory, contents and maximum of `src` into `dst` (whose own memory is freed); `src` is empty afterwards. */
void buf_take(struct buf *dst, struct buf *src);

#endif
