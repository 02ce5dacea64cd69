#include "member.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void member_put_str(json_t *o, const char *name, const char *value)
{
	if (value != NULL)
		json_object_set_new(o, name, json_string(value));
}

void member_put_time(json_t *o, const char *name, int64_t ms)
{
	char iso[CLOCK_ISO_SIZE];
	if (ms != CLOCK_UNKNOWN)
		json_object_set_new(o, name, json_string(clock_iso(iso, ms)));
}

void member_bad(struct member_get *g, const char *name, const char *want)
{
	if (g->rc == 0)
		g->rc = err_set(g->err, ERR_CORRUPT, "member \"%s\" is not %s", name, want);
}

void member_put_count(json_t *o, const char *name, uint64_t n)
{
	json_object_set_new(o, name, json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n));
}

char *member_get_str(struct member_get *g, const json_t *o, const char *name, bool required)
{
	const json_t *v = json_object_get(o, name);
	if (v == NULL && !required)
		return NULL;
	if (!json_is_string(v)) {
		member_bad(g, name, "a string");
		return NULL;
	}
	char *s = strdup(json_string_value(v));
	if (s == NULL && g->rc == 0)
		g->rc = err_errno(g->err, ENOMEM, "position");
	return s;
}

int64_t member_get_time(struct member_get *g, const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);
	int64_t ms;
	if (v == NULL)
		return CLOCK_UNKNOWN;
	if (json_is_string(v) && clock_parse_iso(json_string_value(v), &ms))
		return ms;
	member_bad(g, name, "an RFC 3339 time");
	return CLOCK_UNKNOWN;
}

void *member_get_array(struct member_get *g, const json_t *o, const char *name, size_t size, const json_t **array)
{
	*array = json_object_get(o, name);
	if (!json_is_array(*array)) {
		member_bad(g, name, "an array");
		*array = NULL;
	}
	if (json_array_size(*array) == 0)
		return NULL;
	void *mem = calloc(json_array_size(*array), size);
	if (mem == NULL) {
		*array = NULL;
		if (g->rc == 0)
			g->rc = err_errno(g->err, ENOMEM, "position");
	}
	return mem;
}

uint64_t member_get_count(struct member_get *g, const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);
	if (v == NULL)
		return 0;
	if (json_is_integer(v) && json_integer_value(v) >= 0)
		return (uint64_t)json_integer_value(v);
	member_bad(g, name, "a whole number");
	return 0;
}
