#include "attr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attr_measure.h"
#include "digest.h"
#include "mem.h"
#include "uri.h"

#define S3_KEY_MAX 1024
#define HASH_BYTES_MAX ((size_t)2048)
#define RANGE_BYTES_MAX ((size_t)1024)

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_number(const char *s)
{
	bool digits = false;
	if (*s == '-' || *s == '+')
		s++;
	for (; (*s >= '0' && *s <= '9') || *s == '.'; s++)
		digits = digits || *s != '.';
	if (digits && (*s == 'e' || *s == 'E')) {
		s++;
		if (*s == '-' || *s == '+')
			s++;
		digits = *s != '\0';
		while (*s >= '0' && *s <= '9')
			s++;
	}
	return digits && !*s;
}

static bool is_base64(const char *s)
{
	size_t n;
	unsigned char *bytes = digest_base64_decode(s, &n);
	free(bytes);
	return bytes != NULL;
}

static const char *check_scalar(char type, const json_t *v)
{
	if (!json_is_string(v))
		return "Start of structure or map found where not expected.";
	if (type == 'N' && !is_number(json_string_value(v)))
		return "The parameter cannot be converted to a numeric value";
	if (type == 'B' && !is_base64(json_string_value(v)))
		return "The binary value is not base64";
	return type == 'N' ? attr_number_check(json_string_value(v)) : NULL;
}

static const char *check_set(char type, const json_t *v)
{
	const char *why =
		json_array_size(v) ? NULL : "One or more parameter values were invalid: An string set may not be empty";
	size_t i, k;
	json_t *member;

	json_array_foreach(v, i, member)
	{
		if (!why)
			why = check_scalar(type, member);
		for (k = 0; k < i && !why; k++)
			if (json_equal(member, json_array_get(v, k)))
				why = "One or more parameter values were invalid: Input collection contains "
				      "duplicates.";
	}
	return why;
}

static const char *check_value(const json_t *v)
{
	const char *type = json_object_iter_key(json_object_iter((json_t *)v));
	json_t *inner = type ? json_object_get(v, type) : NULL;
	const char *why = NULL;
	size_t i;
	json_t *member;

	if (json_object_size(v) != 1)
		return "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
		       "supported datatypes";
	if (strlen(type) == 1 && strchr("SNB", *type))
		return check_scalar(*type, inner);
	if (strlen(type) == 2 && strchr("SNB", *type) && type[1] == 'S' && json_is_array(inner))
		return check_set(*type, inner);
	if (strcmp(type, "BOOL") == 0 || strcmp(type, "NULL") == 0)
		return json_is_boolean(inner) ? NULL : "Unexpected token received from parser";
	if (strcmp(type, "M") == 0)
		return attr_check(inner);
	if (strcmp(type, "L") == 0 && json_is_array(inner)) {
		json_array_foreach(inner, i, member) why = why ? why : check_value(member);
		return why;
	}
	return "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
}

const char *attr_check(const json_t *attributes)
{
	const char *why = NULL, *name;
	json_t *value;

	if (!json_is_object(attributes))
		return "Unexpected token received from parser";
	json_object_foreach((json_t *)attributes, name, value) why = why ? why : check_value(value);
	return why;
}

static void put_value(struct buf *out, const json_t *v)
{
	const char *type = json_object_iter_key(json_object_iter((json_t *)v));
	json_t *inner = json_object_get(v, type), *member;
	size_t i;

	text_printf(out, "{\"%s\":", type);
	if (json_is_string(inner)) {
		text_put_json(out, json_string_value(inner));
	} else if (json_is_boolean(inner)) {
		text_put(out, json_is_true(inner) ? "true" : "false");
	} else if (json_is_object(inner)) {
		attr_canonical(out, inner);
	} else {
		bool set = strcmp(type, "L") != 0;
		size_t n = json_array_size(inner);
		const char **texts = mem_new(n * sizeof(*texts));
		json_array_foreach(inner, i, member) texts[i] = json_string_value(member);
		if (set && n)
			qsort(texts, n, sizeof(*texts), compare_text);
		text_put(out, "[");
		for (i = 0; i < n; i++) {
			text_put(out, i ? "," : "");
			if (set)
				text_put_json(out, texts[i]);
			else
				put_value(out, json_array_get(inner, i));
		}
		text_put(out, "]");
		free(texts);
	}
	text_put(out, "}");
}

void attr_canonical(struct buf *out, const json_t *attributes)
{
	size_t n = json_object_size(attributes), i = 0;
	const char **names = mem_new(n * sizeof(*names)), *name;
	json_t *value;

	json_object_foreach((json_t *)attributes, name, value) names[i++] = name;
	if (n)
		qsort(names, n, sizeof(*names), compare_text);
	text_put(out, "{");
	for (i = 0; i < n; i++) {
		text_put(out, i ? "," : "");
		text_put_json(out, names[i]);
		text_put(out, ":");
		put_value(out, json_object_get(attributes, names[i]));
	}
	text_put(out, "}");
	free(names);
}

/* Room for the last reason that names an attribute; the server has one thread. */
static char reason[1024];

static const char *because(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *because(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	return reason;
}

static const char *check_key(const json_t *v, const char *name, char type, size_t max_bytes)
{
	const char t[2] = {type, '\0'};
	const char *got = json_object_iter_key(json_object_iter((json_t *)v));
	const json_t *inner = json_object_get(v, t);

	if (!v)
		return because("One or more parameter values were invalid: Missing the key %s in the item", name);
	if (!json_is_string(inner))
		return because("One or more parameter values were invalid: Type mismatch for key %s expected: %s "
			       "actual: %s",
			       name, t, got ? got : "");
	if (json_string_length(inner) == 0)
		return because("One or more parameter values are not valid. The AttributeValue for a key attribute "
			       "cannot contain an empty %s value. Key: %s",
			       type == 'B' ? "binary" : "string", name);
	if (type != 'N' && attr_value_bytes(v) > max_bytes)
		return because("One or more parameter values were invalid: %s has exceeded the maximum size limit of "
			       "%zu bytes",
			       max_bytes == HASH_BYTES_MAX ? "Size of hashkey" : "Aggregated size of all range keys",
			       max_bytes);
	return NULL;
}

json_t *attr_keys(const struct table *t, const json_t *item, const char **why)
{
	const char *const names[2] = {t->hash_name, t->range_name};
	const char types[2] = {t->hash_type, t->range_type};
	json_t *keys = json_object();

	for (int i = 0; i < 2 && names[i]; i++) {
		json_t *v = json_object_get(item, names[i]);
		const char *wrong = check_key(v, names[i], types[i], i ? RANGE_BYTES_MAX : HASH_BYTES_MAX);
		if (wrong) {
			*why = wrong;
			json_decref(keys);
			return NULL;
		}
		json_object_set(keys, names[i], v);
	}
	return keys;
}

const char *attr_check_indexes(const struct table *t, const json_t *item)
{
	for (size_t i = 0; i < t->nindexes; i++) {
		const struct index *x = &t->indexes[i];
		for (int k = 0; k < 2 && x->names[k]; k++) {
			const char type[2] = {x->types[k], '\0'};
			const json_t *v = json_object_get(item, x->names[k]), *inner = json_object_get(v, type);
			if (v && !inner)
				return because("One or more parameter values were invalid: Type mismatch for Index Key "
					       "%s Expected: %s Actual: %s IndexName: %s",
					       x->names[k], type, json_object_iter_key(json_object_iter((json_t *)v)),
					       x->name);
			if (v && json_string_length(inner) == 0)
				return because(
					"One or more parameter values are not valid. A value specified for a "
					"secondary index key is not supported. The AttributeValue for a key "
					"attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s",
					*type == 'B' ? "binary" : "string", x->name, x->names[k]);
		}
	}
	return NULL;
}

/* One component of the path: a value as text, binary as base64url, then percent-encoded. */
static char *component(const json_t *keys, const char *name, char type)
{
	const char t[2] = {type, '\0'};
	const char *value = json_string_value(json_object_get(json_object_get(keys, name), t));
	char *text = mem_dup(value);
	struct buf out;

	text_init(&out);
	if (type == 'B') {
		size_t len = strcspn(text, "=");
		text[len] = '\0';
		for (char *p = text; *p; p++)
			*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	}
	uri_encode(&out, text, strlen(text), false);
	free(text);
	if (buf_str(&out)[0] == '~' || strcmp(buf_str(&out), ".") == 0 || strcmp(buf_str(&out), "..") == 0) {
		text = mem_printf("%%%02X%s", (unsigned char)out.data[0], out.data + 1);
		buf_fini(&out);
		return text;
	}
	text = mem_dup(buf_str(&out));
	buf_fini(&out);
	return text;
}

void attr_path(struct buf *out, const struct table *t, const struct history *item, size_t room)
{
	json_t *keys = json_loads(item->keys_text, 0, NULL);
	char *parts[2] = {component(keys, t->hash_name, t->hash_type),
			  t->range_name ? component(keys, t->range_name, t->range_type) : NULL};
	char digest[65];

	digest_sha256_hex(digest, item->keys_text, strlen(item->keys_text));
	for (int cut = 0; cut < 2; cut++) {
		size_t hash = strlen(parts[0]), range = parts[1] ? strlen(parts[1]) : 0;
		if (room + hash + range + (parts[1] ? 1 : 0) <= S3_KEY_MAX)
			break;
		char **longer = parts[1] && range > hash ? &parts[1] : &parts[0];
		free(*longer);
		*longer = mem_printf("~%s", digest);
	}
	text_put(out, parts[0]);
	if (parts[1])
		text_printf(out, "/%s", parts[1]);
	free(parts[0]);
	free(parts[1]);
	json_decref(keys);
}
