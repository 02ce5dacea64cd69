/* http_answer: what the header of an answer says. */
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "net/http_private.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The header line at *p, which is moved to the next one. False for what is no "Name: value". */
static bool header_line(const char **p, const char *end, struct span *name, struct span *value)
{
	const char *line = *p;
	const char *stop = memchr(line, '\n', (size_t)(end - line));
	const char *colon;
	const char *from;

	if (!stop)
		stop = end;
	*p = stop < end ? stop + 1 : end;
	colon = memchr(line, ':', (size_t)(stop - line));
	/* A leading blank would be the continuation of the line before (RFC 9112, 5.2: obsolete). */
	if (!colon || colon == line || blank(*line))
		return false;
	from = colon + 1;
	while (from < stop && blank(*from))
		from++;
	while (stop > from && blank(stop[-1]))
		stop--;
	*name = (struct span){line, (size_t)(colon - line)};
	*value = (struct span){from, (size_t)(stop - from)};
	return true;
}

void http_header_each(const struct http_slot *s, http_header_fn *fn, void *arg)
{
	const char *p = s->header.data;
	const char *end = p + s->header.len;
	struct span name;
	struct span value;

	while (p < end)
		if (header_line(&p, end, &name, &value))
			fn(arg, name, value);
}

struct span http_header_get(const struct http_slot *s, const char *wanted)
{
	size_t len = strlen(wanted);
	const char *p = s->header.data;
	const char *end = p + s->header.len;
	struct span found = SPAN_LIT("");
	struct span name;
	struct span value;

	while (p < end) {
		/* Most lines are told by their first letter, and need not be read. */
		if ((*p | 0x20) != (*wanted | 0x20)) {
			p = memchr(p, '\n', (size_t)(end - p));
			p = p ? p + 1 : end;
		} else if (header_line(&p, end, &name, &value) && name.len == len &&
			   strncasecmp(name.ptr, wanted, len) == 0) {
			found = value;
		}
	}
	return found;
}

/* A whole number, INT_MAX when it is larger. False when `s` is anything else. */
static bool whole_number(struct span s, int64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (!isdigit((unsigned char)s.ptr[i]))
			return false;
		*n = *n * 10 + (s.ptr[i] - '0');
		if (*n > INT_MAX)
			*n = INT_MAX;
	}
	return s.len > 0;
}

int http_retry_after_ms(const struct http_slot *s, int64_t wall_ms)
{
	struct span v = http_header_get(s, "x-amz-retry-after");
	char date[64];
	int64_t ms;
	int64_t at_ms;

	if (!whole_number(v, &ms)) {
		v = http_header_get(s, "retry-after");
		if (whole_number(v, &ms)) {
			ms *= 1000;
		} else {
			if (v.len == 0 || v.len >= sizeof(date))
				return 0;
			memcpy(date, v.ptr, v.len);
			date[v.len] = '\0';
			if (!clock_parse_http(date, &at_ms))
				return 0;
			ms = at_ms > wall_ms ? at_ms - wall_ms : 0;
		}
	}
	return ms > INT_MAX ? INT_MAX : (int)ms;
}
