/*
 * One pass copies the item's text to `out` and leaves a `struct member` on a stack for each member of the map or set
 * that is being read. A map or set that turns out not to be in order is put in order when it closes, members being
 * moved as wholes, so that what lies inside them (in order already) is not looked at again.
 *
 * DynamoDB answers without white space and mostly without escapes, so the text that is to be copied piles up
 * (from `run` to the reading position) and is copied in as few pieces as possible.
 */
#include "codec/canon.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "codec/json.h"

#define INSERTION_RUN 16 /* members that are sorted by insertion before runs are merged */

struct member {
	uint64_t prefix;   /* first eight bytes of the unescaped name, as a big-endian number */
	uint32_t name;	   /* where its raw name (of a set: its value) lies in the input */
	uint32_t name_len; /* raw */
	uint32_t at;	   /* where its text lies in `out` */
	uint32_t len;
};

struct canon {
	size_t max_bytes;
	struct json j;
	const char *run; /* input from here to j.p belongs to the output and is not copied yet */
	struct buf out;
	struct buf spare; /* where members are put in order */
	struct member *stack;
	size_t nstack, stack_cap;
	struct member *scratch; /* for merging */
	size_t scratch_cap;
};

typedef bool value_fn(struct canon *c);

static const char no_memory[] = "no memory";
static const char name_twice[] = "a name comes twice";

static value_fn attribute_value, any_value;

struct canon *canon_new(size_t max_bytes)
{
	struct canon *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	/* Members hold 32-bit offsets. */
	c->max_bytes = max_bytes < UINT32_MAX ? max_bytes : UINT32_MAX;
	buf_init(&c->out, c->max_bytes);
	buf_init(&c->spare, c->max_bytes);
	return c;
}

void canon_free(struct canon *c)
{
	if (!c)
		return;
	buf_fini(&c->out);
	buf_fini(&c->spare);
	free(c->stack);
	free(c->scratch);
	free(c);
}

static bool fail(struct canon *c, const char *error)
{
	if (!c->j.error)
		c->j.error = error;
	return false;
}

/* Room for one item is made before it is read, and the canonical form is never longer than the item. */
static void put(struct canon *c, const char *bytes, size_t len)
{
	if (len == 0)
		return;
	memcpy(c->out.data + c->out.len, bytes, len);
	c->out.len += len;
}

static void flush(struct canon *c, const char *upto)
{
	put(c, c->run, (size_t)(upto - c->run));
	c->run = upto;
}

/* Where in `out` the text from the reading position on will lie. */
static uint32_t position(const struct canon *c)
{
	return (uint32_t)(c->out.len + (size_t)(c->j.p - c->run));
}

/* As json_peek; blanks are left out of the output. */
static inline char peek(struct canon *c)
{
	if (c->j.p<c->j.end && * c->j.p> ' ')
		return *c->j.p;
	flush(c, c->j.p);
	char byte = json_peek(&c->j);
	c->run = c->j.p;
	return byte;
}

static inline bool expect(struct canon *c, char byte)
{
	if (peek(c) != byte)
		return json_expect(&c->j, byte);
	c->j.p++;
	return true;
}

static bool enter(struct canon *c, char open)
{
	if (!expect(c, open))
		return false;
	if (c->j.depth == JSON_DEPTH_MAX)
		return fail(c, json_too_deep);
	c->j.depth++;
	return true;
}

static bool leave(struct canon *c, char close)
{
	c->j.depth--;
	return expect(c, close);
}

static void put_escape(struct canon *c, unsigned char byte)
{
	static const char letters[] = "btn.fr"; /* of 0x08 to 0x0d; 0x0b has none */
	static const char hex[] = "0123456789abcdef";

	if (byte == '"' || byte == '\\')
		put(c, (char[]){'\\', (char)byte}, 2);
	else if (byte >= 0x20)
		put(c, (char[]){(char)byte}, 1);
	else if (byte >= 0x08 && byte <= 0x0d && byte != 0x0b)
		put(c, (char[]){'\\', letters[byte - 0x08]}, 2);
	else
		put(c, (char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
}

/* The text of a string that has escapes, each in its one canonical form. */
static void put_escaped(struct canon *c, struct span raw)
{
	const char *end = raw.ptr + raw.len, *p;

	flush(c, raw.ptr);
	while ((p = memchr(c->run, '\\', (size_t)(end - c->run)))) {
		char utf8[4];
		flush(c, p);
		size_t n = json_escape(&p, end, utf8);
		if (n == 1)
			put_escape(c, (unsigned char)utf8[0]);
		else
			put(c, utf8, n);
		c->run = p;
	}
}

static bool string(struct canon *c, struct span *raw)
{
	peek(c);
	if (!json_raw_string(&c->j, raw))
		return false;
	if (c->j.escaped)
		put_escaped(c, *raw);
	return true;
}

static bool string_value(struct canon *c)
{
	struct span raw;

	return string(c, &raw);
}

/* Names differ early as a rule, so that one comparison of numbers settles the order of two of them. */
static uint64_t name_prefix(struct span raw, bool escaped, const char *end)
{
	uint64_t prefix = 0;

	if (!escaped && end - raw.ptr >= 8) {
		memcpy(&prefix, raw.ptr, sizeof(prefix));
		prefix = be64toh(prefix);
		if (raw.len < 8)
			prefix = raw.len == 0 ? 0 : prefix & (UINT64_MAX << (64 - 8 * raw.len));
		return prefix;
	}
	const char *p = raw.ptr, *raw_end = raw.ptr + raw.len;
	int shift = 56;
	while (p < raw_end && shift >= 0) {
		char utf8[4];
		size_t n = json_escape(&p, raw_end, utf8);
		if (n == 0) {
			utf8[0] = *p++;
			n = 1;
		}
		for (size_t i = 0; i < n && shift >= 0; i++, shift -= 8)
			prefix |= (uint64_t)(unsigned char)utf8[i] << shift;
	}
	return prefix;
}

static inline int compare(const struct canon *c, const struct member *a, const struct member *b)
{
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return json_raw_cmp((struct span){c->j.start + a->name, a->name_len},
			    (struct span){c->j.start + b->name, b->name_len});
}

static bool stack_grow(struct canon *c)
{
	size_t cap = c->stack_cap ? c->stack_cap * 2 : 64;
	struct member *stack = reallocarray(c->stack, cap, sizeof(*stack));

	if (!stack)
		return fail(c, no_memory);
	c->stack = stack;
	c->stack_cap = cap;
	return true;
}

/* Reads a name (of a set: a value) and pushes its member; *sorted is cleared when it belongs before the last one. */
static bool push(struct canon *c, size_t base, bool *sorted)
{
	struct span raw;

	if (c->nstack == c->stack_cap && !stack_grow(c))
		return false;
	peek(c);
	uint32_t at = position(c);
	if (!string(c, &raw))
		return false;
	struct member *m = &c->stack[c->nstack];
	*m = (struct member){
		.prefix = name_prefix(raw, c->j.escaped, c->j.end),
		.name = (uint32_t)(raw.ptr - c->j.start),
		.name_len = (uint32_t)raw.len,
		.at = at,
	};
	if (c->nstack > base && *sorted)
		*sorted = compare(c, m - 1, m) < 0;
	c->nstack++;
	return true;
}

static void insertion_sort(const struct canon *c, struct member *m, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct member moving = m[i];
		size_t k = i;
		for (; k > 0 && compare(c, &m[k - 1], &moving) > 0; k--)
			m[k] = m[k - 1];
		m[k] = moving;
	}
}

static void merge(const struct canon *c, struct member *to, const struct member *a, size_t na, size_t nb)
{
	const struct member *a_end = a + na, *b = a_end, *b_end = b + nb;

	while (a < a_end && b < b_end)
		*to++ = compare(c, a, b) <= 0 ? *a++ : *b++;
	memcpy(to, a, (size_t)(a_end - a) * sizeof(*a));
	to += a_end - a;
	memcpy(to, b, (size_t)(b_end - b) * sizeof(*b));
}

/*
 * Puts the members in order and returns where they are then: `m` or the scratch memory. NULL without memory.
 * qsort would allocate for long ones, and is quadratic in some C libraries.
 */
static const struct member *sort(struct canon *c, struct member *m, size_t n)
{
	if (n <= INSERTION_RUN) {
		insertion_sort(c, m, n);
		return m;
	}
	if (c->scratch_cap < n) {
		free(c->scratch);
		c->scratch_cap = 0;
		c->scratch = reallocarray(NULL, c->stack_cap, sizeof(*m));
		if (!c->scratch)
			return NULL;
		c->scratch_cap = c->stack_cap;
	}
	for (size_t i = 0; i < n; i += INSERTION_RUN)
		insertion_sort(c, m + i, n - i < INSERTION_RUN ? n - i : INSERTION_RUN);
	struct member *from = m, *to = c->scratch;
	for (size_t width = INSERTION_RUN; width < n; width *= 2) {
		for (size_t i = 0; i < n; i += 2 * width) {
			size_t na = n - i < width ? n - i : width;
			size_t nb = n - i - na < width ? n - i - na : width;
			merge(c, to + i, from + i, na, nb);
		}
		struct member *swap = from;
		from = to;
		to = swap;
	}
	return from;
}

/* The members on the stack from `base` on: sorts them and moves their text in `out`, in which they are the last. */
static bool reorder(struct canon *c, size_t base, bool twice_allowed)
{
	size_t n = c->nstack - base;
	size_t start = c->stack[base].at;

	flush(c, c->j.p);
	const struct member *m = sort(c, c->stack + base, n);
	if (!m)
		return fail(c, no_memory);
	char *to = c->spare.data;
	for (size_t i = 0; i < n; i++) {
		if (i > 0) {
			if (!twice_allowed && compare(c, &m[i - 1], &m[i]) == 0)
				return fail(c, name_twice);
			*to++ = ',';
		}
		memcpy(to, c->out.data + m[i].at, m[i].len);
		to += m[i].len;
	}
	memcpy(c->out.data + start, c->spare.data, (size_t)(to - c->spare.data));
	return true;
}

/* An object whose members are ordered by name and each have a value that `value` reads. */
static bool object(struct canon *c, value_fn *value)
{
	size_t base = c->nstack;
	bool sorted = true;

	if (!enter(c, '{'))
		return false;
	if (peek(c) == '}')
		return leave(c, '}');
	for (;;) {
		if (!push(c, base, &sorted))
			return false;
		size_t top = c->nstack - 1;
		if (!expect(c, ':') || !value(c))
			return false;
		c->stack[top].len = position(c) - c->stack[top].at;
		if (peek(c) != ',')
			break;
		c->j.p++;
	}
	if (peek(c) != '}')
		return fail(c, "expected ',' or '}'");
	if (!sorted && !reorder(c, base, false))
		return false;
	c->nstack = base;
	return leave(c, '}');
}

/* SS, NS, BS. A double is the server's affair: it is kept, since sorting alone is what equal sets need. */
static bool set(struct canon *c)
{
	size_t base = c->nstack;
	bool sorted = true;

	if (!enter(c, '['))
		return false;
	if (peek(c) == ']')
		return leave(c, ']');
	for (;;) {
		if (!push(c, base, &sorted))
			return false;
		struct member *m = &c->stack[c->nstack - 1];
		m->len = position(c) - m->at;
		if (peek(c) != ',')
			break;
		c->j.p++;
	}
	if (peek(c) != ']')
		return fail(c, "expected ',' or ']'");
	if (!sorted && !reorder(c, base, true))
		return false;
	c->nstack = base;
	return leave(c, ']');
}

static bool array(struct canon *c, value_fn *value)
{
	if (!enter(c, '['))
		return false;
	if (peek(c) == ']')
		return leave(c, ']');
	for (;;) {
		if (!value(c))
			return false;
		if (peek(c) != ',')
			break;
		c->j.p++;
	}
	if (peek(c) != ']')
		return fail(c, "expected ',' or ']'");
	return leave(c, ']');
}

static bool list(struct canon *c)
{
	return array(c, attribute_value);
}

static bool map(struct canon *c)
{
	return object(c, attribute_value);
}

static bool truth(struct canon *c)
{
	char byte = peek(c);

	if (byte != 't' && byte != 'f')
		return fail(c, "expected true or false");
	return json_value(&c->j, NULL);
}

static bool any_value(struct canon *c)
{
	switch (peek(c)) {
	case '{':
		return object(c, any_value);
	case '[':
		return array(c, any_value);
	case '"':
		return string_value(c);
	default:
		return json_value(&c->j, NULL);
	}
}

/* How to read what belongs to a type name; what AWS may add later is kept as it is. */
static value_fn *reader_of(struct span type, bool escaped)
{
	static const struct {
		struct span name;
		value_fn *read;
	} types[] = {
		{SPAN_LIT("S"), string_value}, {SPAN_LIT("N"), string_value}, {SPAN_LIT("M"), map},
		{SPAN_LIT("L"), list},	       {SPAN_LIT("B"), string_value}, {SPAN_LIT("BOOL"), truth},
		{SPAN_LIT("NULL"), truth},     {SPAN_LIT("SS"), set},	      {SPAN_LIT("NS"), set},
		{SPAN_LIT("BS"), set},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (escaped ? json_raw_eq(type, types[i].name.ptr) : span_eq(type, types[i].name))
			return types[i].read;
	return any_value;
}

/* {"S":"x"}: one member. Recursion ends at JSON_DEPTH_MAX, in enter(). */
static bool attribute_value(struct canon *c)
{
	struct span type;

	if (!enter(c, '{') || !string(c, &type))
		return false;
	value_fn *read = reader_of(type, c->j.escaped);
	if (!expect(c, ':') || !read(c))
		return false;
	if (peek(c) == ',')
		return fail(c, "an attribute value has two types");
	return leave(c, '}');
}

int canon_item(struct canon *c, struct span item, struct span *out, struct err *e)
{
	if (item.len > c->max_bytes)
		return err_set(e, ERR_LIMIT, "item has %zu bytes of JSON, the limit is %zu", item.len, c->max_bytes);
	json_init(&c->j, item.ptr, item.len);
	c->run = c->j.start;
	c->nstack = 0;
	buf_reset(&c->out);
	buf_reset(&c->spare);
	if (buf_reserve(&c->out, item.len) < 0 || buf_reserve(&c->spare, item.len) < 0)
		return err_errno(e, ENOMEM, "item has %zu bytes of JSON", item.len);
	if (map(c)) {
		peek(c);
		flush(c, c->j.p);
		if (json_end(&c->j)) {
			*out = (struct span){c->out.data, c->out.len};
			return 0;
		}
	}
	if (c->j.error == no_memory)
		return err_errno(e, ENOMEM, "item has %zu bytes of JSON", item.len);
	return err_set(e, c->j.error == json_too_deep ? ERR_LIMIT : ERR_CORRUPT,
		       "item is not DynamoDB JSON at byte %zu of %zu: %s", (size_t)(c->j.p - c->j.start), item.len,
		       c->j.error);
}
