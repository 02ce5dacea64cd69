#include "codec/itemsize.h"

#include "codec/json.h"

#define CONTAINER_BYTES 3 /* of a list or map, whatever is in it */
#define MEMBER_BYTES 1	  /* of each of its members */
#define WRITE_UNIT_BYTES 1024

/* Each adds the size of the value that is next to *n. */
typedef bool size_fn(struct json *j, size_t *n);

static size_fn attribute_value;

static bool fail(struct json *j, const char *error)
{
	if (!j->error)
		j->error = error;
	return false;
}

/* The next character of raw string content, as its UTF-8; 0 at the end. */
static size_t next_char(struct span *raw, char utf8[4])
{
	const char *p = raw->ptr, *end = raw->ptr + raw->len;
	size_t n;

	if (raw->len == 0)
		return 0;
	n = json_escape(&p, end, utf8);
	if (n == 0) {
		utf8[0] = *p++;
		n = 1;
	}
	*raw = (struct span){p, (size_t)(end - p)};
	return n;
}

static size_t text_bytes(struct span raw, bool escaped)
{
	char utf8[4];
	size_t bytes = 0, n;

	if (!escaped)
		return raw.len;
	while ((n = next_char(&raw, utf8)) > 0)
		bytes += n;
	return bytes;
}

/* Significant digits run from the first to the last one of the mantissa that is not zero. */
static size_t number_bytes(struct span raw)
{
	size_t digits = 0, zeros = 0; /* zeros count once another digit follows them */
	bool minus = false, begun = false;
	char utf8[4];

	while (next_char(&raw, utf8) > 0 && utf8[0] != 'e' && utf8[0] != 'E') {
		if (utf8[0] == '-') {
			minus = true;
		} else if (utf8[0] == '0') {
			zeros += begun;
		} else if (utf8[0] > '0' && utf8[0] <= '9') {
			digits += zeros + 1;
			zeros = 0;
			begun = true;
		}
	}
	return (digits + 1) / 2 + 1 + (minus && digits > 0);
}

static size_t binary_bytes(struct span raw)
{
	size_t chars = 0;
	char utf8[4];

	while (next_char(&raw, utf8) > 0)
		chars += utf8[0] != '=';
	return chars / 4 * 3 + chars % 4 * 3 / 4;
}

static bool string(struct json *j, size_t *n)
{
	struct span raw;

	if (!json_raw_string(j, &raw))
		return false;
	*n += text_bytes(raw, j->escaped);
	return true;
}

static bool number(struct json *j, size_t *n)
{
	struct span raw;

	if (!json_raw_string(j, &raw))
		return false;
	*n += number_bytes(raw);
	return true;
}

static bool binary(struct json *j, size_t *n)
{
	struct span raw;

	if (!json_raw_string(j, &raw))
		return false;
	*n += binary_bytes(raw);
	return true;
}

static bool truth(struct json *j, size_t *n)
{
	char c = json_peek(j);

	if (c != 't' && c != 'f')
		return fail(j, "expected true or false");
	*n += 1;
	return json_value(j, NULL);
}

static bool array(struct json *j, size_t *n, size_fn *element, size_t overhead)
{
	bool first = true, more;

	for (;;) {
		if (!json_element(j, &first, &more))
			return false;
		if (!more)
			return true;
		*n += overhead;
		if (!element(j, n))
			return false;
	}
}

static bool string_set(struct json *j, size_t *n)
{
	return array(j, n, string, 0);
}

static bool number_set(struct json *j, size_t *n)
{
	return array(j, n, number, 0);
}

static bool binary_set(struct json *j, size_t *n)
{
	return array(j, n, binary, 0);
}

static bool list(struct json *j, size_t *n)
{
	*n += CONTAINER_BYTES;
	return array(j, n, attribute_value, MEMBER_BYTES);
}

static bool attributes(struct json *j, size_t *n, size_t overhead)
{
	bool first = true, more;
	struct span name;

	for (;;) {
		if (!json_member(j, &first, &more, &name))
			return false;
		if (!more)
			return true;
		*n += overhead + text_bytes(name, j->escaped);
		if (!attribute_value(j, n))
			return false;
	}
}

static bool map(struct json *j, size_t *n)
{
	*n += CONTAINER_BYTES;
	return attributes(j, n, MEMBER_BYTES);
}

static bool unknown(struct json *j, size_t *n)
{
	struct span text;

	if (!json_value(j, &text))
		return false;
	*n += text.len;
	return true;
}

static size_fn *sizer_of(struct span type, bool escaped)
{
	static const struct {
		struct span name;
		size_fn *size;
	} types[] = {
		{SPAN_LIT("S"), string},      {SPAN_LIT("N"), number},	    {SPAN_LIT("M"), map},
		{SPAN_LIT("L"), list},	      {SPAN_LIT("B"), binary},	    {SPAN_LIT("BOOL"), truth},
		{SPAN_LIT("NULL"), truth},    {SPAN_LIT("SS"), string_set}, {SPAN_LIT("NS"), number_set},
		{SPAN_LIT("BS"), binary_set},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (escaped ? json_raw_eq(type, types[i].name.ptr) : span_eq(type, types[i].name))
			return types[i].size;
	return unknown;
}

/* {"S":"x"}: one member. Recursion ends at JSON_DEPTH_MAX, in json_member and json_element. */
static bool attribute_value(struct json *j, size_t *n)
{
	bool first = true, more;
	struct span type;

	if (!json_member(j, &first, &more, &type))
		return false;
	if (!more)
		return fail(j, "an attribute value has no type");
	if (!sizer_of(type, j->escaped)(j, n) || !json_member(j, &first, &more, &type))
		return false;
	return !more || fail(j, "an attribute value has two types");
}

int itemsize_bytes(struct span item, size_t *out, struct err *e)
{
	struct json j;
	size_t n = 0;

	json_init(&j, item.ptr, item.len);
	if (attributes(&j, &n, 0) && json_end(&j)) {
		*out = n;
		return 0;
	}
	return err_set(e, ERR_CORRUPT, "item is not DynamoDB JSON at byte %zu of %zu: %s", (size_t)(j.p - j.start),
		       item.len, j.error);
}

size_t itemsize_write_units(size_t bytes)
{
	return bytes == 0 ? 1 : (bytes - 1) / WRITE_UNIT_BYTES + 1;
}
