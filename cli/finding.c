#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[FINDING_KINDS] = {
	"missing",  "different", "extra", "misordered", "stray marker", "stray removal", "hole",
	"metadata", "damaged",	 "form",  "foreign",	"shared name",	"unreadable",	 "unsettled",
};

const char *finding_name(enum finding_kind kind)
{
	return names[kind];
}

bool finding_mendable(enum finding_kind kind)
{
	return kind == FINDING_MISSING || kind == FINDING_DIFFERENT || kind == FINDING_EXTRA;
}

uint64_t findings_total(const struct findings *f)
{
	uint64_t n = 0;
	for (size_t i = 0; i < FINDING_KINDS; i++)
		n += f->counts[i];
	return n;
}

static void free_one(struct finding *one)
{
	free(one->object);
	free(one->keys);
	free(one->detail);
}

static struct finding *room(struct findings *f)
{
	if (f->nnamed == f->cap) {
		size_t cap = f->cap > 0 ? 2 * f->cap : 16;
		struct finding *named = reallocarray(f->named, cap, sizeof(*named));
		if (named == NULL)
			return NULL;
		f->named = named;
		f->cap = cap;
	}
	return &f->named[f->nnamed];
}

int findings_add(struct findings *f, enum finding_kind kind, struct span object, struct span keys, const char *fmt, ...)
{
	va_list ap;
	f->counts[kind]++;
	if (f->nnamed == FINDING_NAMED_MAX)
		return 0;
	struct finding *one = room(f);
	if (one == NULL)
		return -ERR_SYSTEM;
	*one = (struct finding){.kind = kind, .object_len = object.len};
	one->object = malloc(object.len + 1);
	if (one->object != NULL) {
		memcpy(one->object, object.ptr, object.len);
		one->object[object.len] = '\0';
	}
	if (keys.len > 0)
		one->keys = strndup(keys.ptr, keys.len);
	va_start(ap, fmt);
	if (vasprintf(&one->detail, fmt, ap) < 0)
		one->detail = NULL;
	va_end(ap);
	if (one->object == NULL || one->detail == NULL || (keys.len > 0 && one->keys == NULL)) {
		free_one(one);
		return -ERR_SYSTEM;
	}
	f->nnamed++;
	if (f->on_named != NULL)
		f->on_named(one, f->arg);
	return 0;
}

void findings_fini(struct findings *f)
{
	for (size_t i = 0; i < f->nnamed; i++)
		free_one(&f->named[i]);
	free(f->named);
	*f = (struct findings){0};
}

const char *finding_shown(const struct finding *f, char out[static 1100])
{
	size_t n = 0;
	for (size_t i = 0; i < f->object_len && n < 1099; i++) {
		unsigned char c = (unsigned char)f->object[i];
		out[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	out[n] = '\0';
	return out;
}

json_t *findings_counts_json(const struct findings *f)
{
	json_t *o = json_object();
	for (size_t i = 0; o != NULL && i < FINDING_KINDS; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%s", names[i]);
		for (char *c = name; *c != '\0'; c++)
			if (*c == ' ')
				*c = '_';
		if (json_object_set_new(o, name, json_integer((json_int_t)f->counts[i])) < 0) {
			json_decref(o);
			o = NULL;
		}
	}
	return o;
}

/* An object's name may be any bytes: what is no UTF-8 stands with '?' in it. */
static json_t *object_json(const struct finding *f)
{
	char shown[1100];
	json_t *text = json_stringn(f->object, f->object_len);
	if (text != NULL)
		return text;
	finding_shown(f, shown);
	for (char *c = shown; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(shown);
}

json_t *findings_json(const struct findings *f)
{
	json_t *list = json_array();
	for (size_t i = 0; list != NULL && i < f->nnamed; i++) {
		const struct finding *one = &f->named[i];
		json_t *keys = one->keys != NULL ? json_loads(one->keys, 0, NULL) : NULL;
		json_t *o = json_pack("{s:s,s:o,s:o,s:s}", "kind", names[one->kind], "object", object_json(one), "key",
				      keys != NULL ? keys : json_null(), "detail", one->detail);
		if (o == NULL || json_array_append_new(list, o) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}
