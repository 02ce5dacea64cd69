/*
 * mem: memory and text for a test server: what cannot be had ends the process (exit status 71), so that no caller
 * has to unwind.
 */
#ifndef FAKEAWS_MEM_H
#define FAKEAWS_MEM_H

#include <stddef.h>

#include "base/buf.h"

#define MEM_TEXT_MAX ((size_t)512 << 20) /* of one request or answer */

/* `bytes` zeroed bytes. */
void *mem_new(size_t bytes);
/* Room for `need` elements of `size` bytes in `*array` (of `*cap` elements), grown by doubling. The caller frees it. */
void mem_reserve(void *array, size_t *cap, size_t need, size_t size);
char *mem_dup(const char *s);
char *mem_dup_n(const char *s, size_t n);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void text_init(struct buf *b);
void text_put(struct buf *b, const char *s);
void text_put_n(struct buf *b, const void *bytes, size_t n);
void text_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* `s` as a JSON string with its quotes. */
void text_put_json(struct buf *b, const char *s);
/* `s` as XML character data. */
void text_put_xml(struct buf *b, const char *s);

#endif
