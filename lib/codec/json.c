#include "codec/json.h"

#include <endian.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/err.h"
#include "base/utf8.h"

#define EVERY_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

const char json_too_deep[] = "nested too deep";

static bool fail(struct json *j, const char *error)
{
	if (!j->error)
		j->error = error;
	return false;
}

static bool fail_at(struct json *j, const char *p, const char *error)
{
	if (!j->error)
		j->p = p;
	return fail(j, error);
}

void json_init(struct json *j, const char *text, size_t len)
{
	if (len == 0)
		text = "";
	*j = (struct json){.p = text, .start = text, .end = text + len};
}

static inline char peek(struct json *j)
{
	while (j->p < j->end) {
		char c = *j->p;
		if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
			return c;
		j->p++;
	}
	return 0;
}

char json_peek(struct json *j)
{
	return peek(j);
}

static inline bool expect(struct json *j, char c, const char *error)
{
	if (peek(j) != c || j->p == j->end)
		return fail(j, error);
	j->p++;
	return true;
}

bool json_expect(struct json *j, char c)
{
	switch (c) {
	case '{':
		return expect(j, c, "expected '{'");
	case '}':
		return expect(j, c, "expected '}'");
	case '[':
		return expect(j, c, "expected '['");
	case ']':
		return expect(j, c, "expected ']'");
	case ':':
		return expect(j, c, "expected ':'");
	case ',':
		return expect(j, c, "expected ','");
	case '"':
		return expect(j, c, "expected a string");
	default:
		return expect(j, c, "expected something else");
	}
}

/*
 * The first byte of a string's content that is not plain ASCII: a quote, a backslash, a control or a byte over 0x7f.
 * Eight bytes at a time: each subtraction borrows into the top bit of a byte that is below 0x20, a quote or a
 * backslash. A borrow can spill into the bytes above it, so only the lowest hit is exact, and it is the one asked for.
 */
static inline const char *plain_end(const char *p, const char *end)
{
#ifdef __SSE2__
	/* Sixteen, where the processor can: as signed numbers, bytes over 0x7f are below the controls. */
	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		__m128i control = _mm_cmplt_epi8(x, _mm_set1_epi8(0x20));
		__m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
		__m128i backslash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
		int hit = _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
		if (hit)
			return p + __builtin_ctz((unsigned)hit);
	}
#endif
	while (end - p >= 8) {
		uint64_t x;
		memcpy(&x, p, sizeof(x));
		x = le64toh(x);
		uint64_t control = x - EVERY_BYTE(0x20);
		uint64_t quote = (x ^ EVERY_BYTE('"')) - EVERY_BYTE(1);
		uint64_t backslash = (x ^ EVERY_BYTE('\\')) - EVERY_BYTE(1);
		uint64_t hit = (control | quote | backslash | x) & EVERY_BYTE(0x80);
		if (hit)
			return p + __builtin_ctzll(hit) / 8;
		p += 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The value of \uXXXX at p; -1 when it is not one. */
static int32_t hex_escape(const char *p, const char *end)
{
	int32_t v = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		char c = p[i];
		int digit;
		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return -1;
		v = v * 16 + digit;
	}
	return v;
}

static size_t utf8_put(char out[4], uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

static size_t escape_unicode(const char **p, const char *end, char out[4])
{
	int32_t high = hex_escape(*p, end);

	if (high < 0 || (high >= 0xdc00 && high <= 0xdfff))
		return 0;
	if (high < 0xd800 || high > 0xdfff) {
		*p += 6;
		return utf8_put(out, (uint32_t)high);
	}
	int32_t low = hex_escape(*p + 6, end);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*p += 12;
	return utf8_put(out, 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
}

size_t json_escape(const char **p, const char *end, char out[4])
{
	if (end - *p < 2 || **p != '\\')
		return 0;
	switch ((*p)[1]) {
	case '"':
	case '\\':
	case '/':
		out[0] = (*p)[1];
		break;
	case 'b':
		out[0] = '\b';
		break;
	case 'f':
		out[0] = '\f';
		break;
	case 'n':
		out[0] = '\n';
		break;
	case 'r':
		out[0] = '\r';
		break;
	case 't':
		out[0] = '\t';
		break;
	case 'u':
		return escape_unicode(p, end, out);
	default:
		return 0;
	}
	*p += 2;
	return 1;
}

bool json_raw_string(struct json *j, struct span *raw)
{
	if (!expect(j, '"', "expected a string"))
		return false;
	const char *start = j->p, *p = start, *end = j->end;
	j->escaped = false;
	for (;;) {
		p = plain_end(p, end);
		if (p == end)
			return fail_at(j, p, "string without an end");
		if (*p == '"')
			break;
		if (*p == '\\') {
			char utf8[4];
			j->escaped = true;
			if (json_escape(&p, end, utf8) == 0)
				return fail_at(j, p, "bad escape in a string");
			continue;
		}
		if ((unsigned char)*p < 0x20)
			return fail_at(j, p, "control character in a string");
		/* Text that is not ASCII comes in runs, for which eight bytes at a time is a detour. */
		do {
			uint32_t cp;
			size_t n = utf8_decode(p, (size_t)(end - p), &cp);
			if (n == 0)
				return fail_at(j, p, "string is not UTF-8");
			p += n;
		} while (p < end && (unsigned char)*p >= 0x80);
	}
	*raw = (struct span){start, (size_t)(p - start)};
	j->p = p + 1;
	return true;
}

static const char *digits_end(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

static bool number(struct json *j)
{
	const char *p = j->p, *end = j->end, *from;

	if (*p == '-')
		p++;
	from = p;
	p = digits_end(p, end);
	if (p == from)
		return fail_at(j, p, "number without a digit");
	if (*from == '0' && p - from > 1)
		return fail_at(j, from, "number with a leading zero");
	if (p < end && *p == '.') {
		from = ++p;
		p = digits_end(p, end);
		if (p == from)
			return fail_at(j, p, "number without a digit after the point");
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		from = p;
		p = digits_end(p, end);
		if (p == from)
			return fail_at(j, p, "number without a digit in its exponent");
	}
	j->p = p;
	return true;
}

static bool literal(struct json *j, struct span word)
{
	if ((size_t)(j->end - j->p) < word.len || memcmp(j->p, word.ptr, word.len) != 0)
		return fail(j, "expected a value");
	j->p += word.len;
	return true;
}

static bool enter(struct json *j, char open)
{
	if (!json_expect(j, open))
		return false;
	if (j->depth == JSON_DEPTH_MAX)
		return fail_at(j, j->p - 1, json_too_deep);
	j->depth++;
	return true;
}

/*
 * True with *more: the next member or element is to be read; true without: `close` was passed.
 */
static bool next(struct json *j, char close, bool *first, bool *more, const char *error)
{
	char c = peek(j);

	if (c == close) {
		j->p++;
		j->depth--;
		*more = false;
		return true;
	}
	if (!*first) {
		if (c != ',')
			return fail(j, error);
		j->p++;
	}
	*first = false;
	*more = true;
	return true;
}

bool json_member(struct json *j, bool *first, bool *more, struct span *name)
{
	if (*first && !enter(j, '{'))
		return false;
	if (!next(j, '}', first, more, "expected ',' or '}'"))
		return false;
	return !*more || (json_raw_string(j, name) && expect(j, ':', "expected ':'"));
}

bool json_element(struct json *j, bool *first, bool *more)
{
	if (*first && !enter(j, '['))
		return false;
	return next(j, ']', first, more, "expected ',' or ']'");
}

static bool any(struct json *j);

static bool any_object(struct json *j)
{
	bool first = true, more;
	struct span name;

	do {
		if (!json_member(j, &first, &more, &name) || (more && !any(j)))
			return false;
	} while (more);
	return true;
}

static bool any_array(struct json *j)
{
	bool first = true, more;

	do {
		if (!json_element(j, &first, &more) || (more && !any(j)))
			return false;
	} while (more);
	return true;
}

/* Recursion ends at JSON_DEPTH_MAX, in enter(). */
static bool any(struct json *j)
{
	struct span raw;

	switch (peek(j)) {
	case '{':
		return any_object(j);
	case '[':
		return any_array(j);
	case '"':
		return json_raw_string(j, &raw);
	case 't':
		return literal(j, SPAN_LIT("true"));
	case 'f':
		return literal(j, SPAN_LIT("false"));
	case 'n':
		return literal(j, SPAN_LIT("null"));
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return number(j);
	default:
		return fail(j, "expected a value");
	}
}

bool json_value(struct json *j, struct span *value)
{
	peek(j);
	const char *start = j->p;
	if (!any(j))
		return false;
	if (value)
		*value = (struct span){start, (size_t)(j->p - start)};
	return true;
}

bool json_end(struct json *j)
{
	peek(j);
	return j->p == j->end || fail(j, "text behind the end of the value");
}

/* Arithmetic on a null pointer is undefined, even of nothing. */
static struct span not_null(struct span s)
{
	return s.len > 0 ? s : (struct span){"", 0};
}

int json_unescape(struct span raw, struct buf *out)
{
	raw = not_null(raw);
	size_t before = out->len;
	const char *p = raw.ptr, *end = raw.ptr + raw.len;
	int rc = 0;

	while (p < end) {
		const char *backslash = memchr(p, '\\', (size_t)(end - p));
		const char *upto = backslash ? backslash : end;
		rc = buf_append(out, p, (size_t)(upto - p));
		if (rc < 0)
			goto undo;
		p = upto;
		if (p < end) {
			char utf8[4];
			size_t n = json_escape(&p, end, utf8);
			rc = n == 0 ? -ERR_CORRUPT : buf_append(out, utf8, n);
			if (rc < 0)
				goto undo;
		}
	}
	return 0;
undo:
	out->len = before;
	if (out->data)
		out->data[before] = 0;
	return rc;
}

/* Reads raw string content as its unescaped bytes, one by one. */
struct reader {
	const char *p, *end;
	char utf8[4];
	size_t at, n;
};

/* The next byte, -1 at the end. What is not an escape stands for itself: raw content was checked when it was read. */
static int reader_next(struct reader *r)
{
	if (r->at < r->n)
		return (unsigned char)r->utf8[r->at++];
	if (r->p == r->end)
		return -1;
	if (*r->p == '\\') {
		r->n = json_escape(&r->p, r->end, r->utf8);
		if (r->n > 0) {
			r->at = 1;
			return (unsigned char)r->utf8[0];
		}
	}
	return (unsigned char)*r->p++;
}

int json_raw_cmp(struct span a, struct span b)
{
	a = not_null(a);
	b = not_null(b);
	size_t shorter = a.len < b.len ? a.len : b.len, same = 0;

	while (same < shorter && a.ptr[same] == b.ptr[same] && a.ptr[same] != '\\')
		same++;
	struct reader ra = {.p = a.ptr + same, .end = a.ptr + a.len};
	struct reader rb = {.p = b.ptr + same, .end = b.ptr + b.len};
	for (;;) {
		int ca = reader_next(&ra), cb = reader_next(&rb);
		if (ca != cb)
			return ca < cb ? -1 : 1;
		if (ca < 0)
			return 0;
	}
}

bool json_raw_eq(struct span raw, const char *s)
{
	raw = not_null(raw);
	struct reader r = {.p = raw.ptr, .end = raw.ptr + raw.len};

	for (; *s; s++)
		if (reader_next(&r) != (unsigned char)*s)
			return false;
	return reader_next(&r) < 0;
}
