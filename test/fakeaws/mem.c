#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static _Noreturn void mem_out(void)
{
	fputs("fakeaws: out of memory, or a text of over 512 MiB\n", stderr);
	exit(EX_OSERR);
}

void *mem_new(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);
	if (!p)
		mem_out();
	return p;
}

void mem_reserve(void *array, size_t *cap, size_t need, size_t size)
{
	void **at = array;
	size_t larger = *cap ? *cap : 8;

	if (need <= *cap)
		return;
	while (larger < need)
		larger *= 2;
	void *p = reallocarray(*at, larger, size);
	if (!p)
		mem_out();
	*at = p;
	*cap = larger;
}

char *mem_dup(const char *s)
{
	return mem_dup_n(s, strlen(s));
}

char *mem_dup_n(const char *s, size_t n)
{
	char *copy = mem_new(n + 1);
	memcpy(copy, s, n);
	return copy;
}

char *mem_printf(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	int n = vasprintf(&s, fmt, args);
	va_end(args);
	if (n < 0)
		mem_out();
	return s;
}

void text_init(struct buf *b)
{
	buf_init(b, MEM_TEXT_MAX);
}

void text_put(struct buf *b, const char *s)
{
	text_put_n(b, s, strlen(s));
}

void text_put_n(struct buf *b, const void *bytes, size_t n)
{
	if (n && buf_append(b, bytes, n) < 0)
		mem_out();
}

void text_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	int n = vasprintf(&s, fmt, args);
	va_end(args);
	if (n < 0)
		mem_out();
	text_put_n(b, s, (size_t)n);
	free(s);
}

/* RFC 8259's two-letter escapes. */
static const char short_escapes[] = "\"\\\b\f\n\r\t", short_letters[] = "\"\\bfnrt";

void text_put_json(struct buf *b, const char *s)
{
	text_put_n(b, "\"", 1);
	for (const char *p = s; *p; p++) {
		unsigned char c = (unsigned char)*p;
		const char *named = strchr(short_escapes, c);
		if (named)
			text_printf(b, "\\%c", short_letters[named - short_escapes]);
		else if (c < 0x20)
			text_printf(b, "\\u%04x", c);
		else
			text_put_n(b, p, 1);
	}
	text_put_n(b, "\"", 1);
}

void text_put_xml(struct buf *b, const char *s)
{
	for (const char *p = s; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '&')
			text_put(b, "&amp;");
		else if (c == '<')
			text_put(b, "&lt;");
		else if (c == '>')
			text_put(b, "&gt;");
		else if (c == '"')
			text_put(b, "&quot;");
		else if (c < 0x20)
			text_printf(b, "&#x%x;", c);
		else
			text_put_n(b, p, 1);
	}
}
