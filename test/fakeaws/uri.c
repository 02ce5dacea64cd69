#include "uri.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

void pairs_add(struct pairs *p, const char *name, size_t name_len, const char *value, size_t value_len)
{
	mem_reserve(&p->at, &p->cap, p->n + 1, sizeof(*p->at));
	p->at[p->n++] = (struct pair){mem_dup_n(name, name_len), mem_dup_n(value, value_len)};
}

const char *pairs_get(const struct pairs *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->at[i].name, name) == 0)
			return p->at[i].value;
	return NULL;
}

void pairs_free(struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->at[i].name);
		free(p->at[i].value);
	}
	free(p->at);
	*p = (struct pairs){0};
}

static int pair_compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->value, y->value);
}

void pairs_sort(struct pairs *p)
{
	if (p->n)
		qsort(p->at, p->n, sizeof(*p->at), pair_compare);
}

void uri_encode(struct buf *out, const char *s, size_t n, bool slash_stays)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		if ((c < 0x80 && isalnum(c)) || strchr("-._~", c) || (c == '/' && slash_stays))
			text_put_n(out, s + i, 1);
		else
			text_printf(out, "%%%02X", c);
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *uri_decode(const char *s, size_t n)
{
	char *out = mem_new(n + 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] != '%') {
			out[len++] = s[i];
			continue;
		}
		if (i + 2 >= n || digit(s[i + 1]) < 0 || digit(s[i + 2]) < 0) {
			free(out);
			return NULL;
		}
		out[len++] = (char)(digit(s[i + 1]) << 4 | digit(s[i + 2]));
		i += 2;
	}
	return out;
}

static bool query_part(const char *s, size_t n, struct pairs *out)
{
	const char *equals = memchr(s, '=', n);
	size_t name_len = equals ? (size_t)(equals - s) : n;
	char *name = uri_decode(s, name_len);
	char *value = equals ? uri_decode(equals + 1, n - name_len - 1) : mem_dup("");
	bool good = name && value;

	if (good)
		pairs_add(out, name, strlen(name), value, strlen(value));
	free(name);
	free(value);
	return good;
}

bool uri_query(const char *s, struct pairs *out)
{
	while (*s) {
		size_t n = strcspn(s, "&");
		if (n && !query_part(s, n, out))
			return false;
		s += n;
		if (*s)
			s++;
	}
	return true;
}
