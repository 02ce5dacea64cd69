#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define BUF_FIRST_BYTES 64

void buf_init(struct buf *b, size_t max)
{
	/* Half of the address space, so that sums below cannot overflow. */
	*b = (struct buf){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buf_trim(struct buf *b, size_t keep)
{
	if (keep < b->len)
		keep = b->len;
	if (keep >= b->cap || b->cap - keep <= 1)
		return;
	if (keep == 0) {
		buf_fini(b);
		return;
	}
	char *smaller = realloc(b->data, keep + 1);
	if (!smaller)
		return; /* the larger block is still good */
	b->data = smaller;
	b->cap = keep + 1;
}

int buf_reserve(struct buf *b, size_t more)
{
	if (more > b->max - b->len)
		return -ERR_LIMIT;
	size_t need = b->len + more + 1;
	if (need <= b->cap)
		return 0;
	size_t cap = b->cap ? b->cap * 2 : BUF_FIRST_BYTES;
	if (cap > b->max + 1)
		cap = b->max + 1;
	if (cap < need)
		cap = need;
	char *larger = realloc(b->data, cap);
	if (!larger)
		return -ERR_SYSTEM;
	larger[b->len] = '\0';
	b->data = larger;
	b->cap = cap;
	return 0;
}

int buf_append(struct buf *b, const void *bytes, size_t len)
{
	int r = buf_reserve(b, len);
	if (r < 0)
		return r;
	if (len > 0)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int buf_append_char(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -ERR_LIMIT;
	int r = buf_reserve(b, (size_t)n);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

void buf_take(struct buf *dst, struct buf *src)
{
	if (dst == src)
		return;
	free(dst->data);
	*dst = *src;
	*src = (struct buf){.max = dst->max};
}
