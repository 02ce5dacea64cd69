/* Commands about S3: how it behaves, and histories as they are told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "digest.h"
#include "fake.h"
#include "mem.h"

json_t *control_s3(struct fake *f, const json_t *c, char **wrong)
{
	const struct {
		const char *name;
		bool *at;
	} flags[] = {{"ignore_conditions", &f->s3.ignore_conditions},
		     {"plain_next_marker", &f->s3.plain_next_marker},
		     {"allow_version_delete", &f->s3.allow_version_delete},
		     {"marker_get_404", &f->s3.marker_get_404},
		     {"no_marker_header", &f->s3.no_marker_header},
		     {"skew_markers", &f->s3.skew_markers},
		     {"small_parts", &f->s3.small_parts},
		     {"list_random", &f->s3.list_random}};
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(c, "set"), name, value)
	{
		size_t i = 0, n = sizeof(flags) / sizeof(flags[0]);
		while (i < n && strcmp(flags[i].name, name) != 0)
			i++;
		if (i < n && json_is_boolean(value)) {
			*flags[i].at = json_is_true(value);
		} else if (strcmp(name, "list_page") == 0 && json_is_integer(value)) {
			f->s3.list_page = json_integer_value(value);
		} else {
			*wrong = mem_printf("S3 has no option '%s' of this type", name);
			return NULL;
		}
	}
	return json_object();
}

/* A misspelt member would be a history other than the one that was meant. */
static bool check_members(const json_t *c, const char *const *known, size_t n, char **wrong)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)c, name, value)
	{
		size_t i = 0;
		while (i < n && strcmp(known[i], name) != 0)
			i++;
		if (i == n) {
			*wrong = mem_printf("there is no member '%s' here", name);
			return false;
		}
	}
	return true;
}

/* A member of the version, else of the whole command. */
static const char *text_of(const json_t *one, const json_t *c, const char *name)
{
	return *control_text(one, name) ? control_text(one, name) : control_text(c, name);
}

static struct s3_bucket *bucket_of(struct fake *f, const json_t *one, const json_t *c, char **wrong)
{
	const char *name = text_of(one, c, "bucket");
	struct s3_bucket *b = s3_bucket_find(f, name);

	if (!b)
		*wrong = mem_printf("there is no bucket '%s'", name);
	else if (!*text_of(one, c, "key"))
		*wrong = mem_dup("key: what the version is of");
	return *wrong ? NULL : b;
}

static bool take_body(struct s3_version *v, const json_t *one)
{
	const json_t *text = json_object_get(one, "body");
	const char *base64 = control_text(one, "body_base64");
	size_t n = json_string_length(text);
	unsigned char *bytes = *base64 ? digest_base64_decode(base64, &n) : NULL;

	if (*base64 && !bytes)
		return false;
	s3_version_fill(v, bytes ? (const char *)bytes : n ? json_string_value(text) : "", n);
	free(bytes);
	return true;
}

static void take_meta(struct s3_version *v, const json_t *meta)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)meta, name, value)
		pairs_add(&v->meta, name, strlen(name), json_string_value(value), json_string_length(value));
}

/* NULL, or which member is of a wrong type (a literal). */
static const char *wrong_type(const json_t *one)
{
	const json_t *meta = json_object_get(one, "meta"), *modified_ms = json_object_get(one, "modified_ms");
	const json_t *body = json_object_get(one, "body"), *marker = json_object_get(one, "marker");
	const char *name;
	json_t *value;

	if (modified_ms && !json_is_integer(modified_ms))
		return "modified_ms: a whole number";
	if (body && !json_is_string(body))
		return "body: a text; body_base64 for bytes";
	if (marker && !json_is_boolean(marker))
		return "marker: true or false";
	if (meta && !json_is_object(meta))
		return "meta: an object of texts";
	json_object_foreach((json_t *)meta, name, value) if (!json_is_string(value)) return "meta: an object of texts";
	return NULL;
}

/* What speaks against this version, malloc'd; NULL: nothing. */
static char *refuse_version(const struct s3_object *o, const json_t *one)
{
	static const char *const known[] = {"do",	   "bucket",	    "key",	    "body",
					    "body_base64", "marker",	    "meta",	    "modified_ms",
					    "version_id",  "storage_class", "content_type", "versions"};
	const char *id = control_text(one, "version_id"), *class = control_text(one, "storage_class");
	char *wrong = NULL;

	if (!check_members(one, known, sizeof(known) / sizeof(known[0]), &wrong))
		return wrong;
	if (*class && !s3_is_storage_class(class))
		return mem_printf("there is no storage class '%s'", class);
	if (wrong_type(one))
		return mem_dup(wrong_type(one));
	if (*id && strcmp(id, "null") != 0 && s3_version_find(o, id))
		return mem_printf("there is a version '%s' of this key", id);
	return NULL;
}

static struct s3_version *put_version(struct fake *f, const json_t *one, const json_t *c, char **wrong)
{
	struct s3_bucket *b = bucket_of(f, one, c, wrong);
	const char *key = text_of(one, c, "key"), *id = control_text(one, "version_id");
	const char *class = control_text(one, "storage_class"), *type = control_text(one, "content_type");
	bool marker = json_is_true(json_object_get(one, "marker"));
	struct s3_version filled = {0}, *v;

	if (b)
		*wrong = refuse_version(s3_object_find(b, key), one);
	if (!*wrong && !marker && !take_body(&filled, one))
		*wrong = mem_dup("body_base64: not base64");
	if (*wrong)
		return NULL;
	v = s3_version_add(f, b, key, *id ? id : NULL, marker,
			   control_number(one, "modified_ms", vclock_of_ms(&f->clock, SERVICE_S3) / 1000 * 1000),
			   f->requests);
	if (marker)
		return v;
	v->body = filled.body;
	v->len = filled.len;
	memcpy(v->etag, filled.etag, sizeof(v->etag));
	memcpy(v->sha256, filled.sha256, sizeof(v->sha256));
	v->content_type = mem_dup(*type ? type : "binary/octet-stream");
	v->storage_class = *class && strcmp(class, "STANDARD") != 0 ? mem_dup(class) : NULL;
	take_meta(v, json_object_get(one, "meta"));
	return v;
}

/* The name of what went wrong gets the place in the list. */
static json_t *fail_at(size_t i, char **wrong)
{
	char *told = mem_printf("versions[%zu]: %s", i, *wrong);

	free(*wrong);
	*wrong = told;
	return NULL;
}

json_t *control_version(struct fake *f, const json_t *c, char **wrong)
{
	json_t *list = json_object_get(c, "versions"), *one, *ids;
	struct s3_version *v;
	size_t i;

	if (!list) {
		v = put_version(f, c, c, wrong);
		return v ? json_pack("{s:s}", "version_id", v->id) : NULL;
	}
	ids = json_array();
	json_array_foreach(list, i, one)
	{
		v = put_version(f, one, c, wrong);
		if (!v) {
			json_decref(ids);
			return fail_at(i, wrong);
		}
		json_array_append_new(ids, json_string(v->id));
	}
	return json_pack("{s:o}", "version_ids", ids);
}

static bool expire(struct fake *f, const json_t *one, const json_t *c, char **wrong)
{
	static const char *const known[] = {"do", "bucket", "key", "version_id", "versions"};
	struct s3_bucket *b = NULL;

	if (check_members(one, known, sizeof(known) / sizeof(known[0]), wrong))
		b = bucket_of(f, one, c, wrong);
	if (!b)
		return false;
	struct s3_object *o = s3_object_find(b, text_of(one, c, "key"));
	if (!o || !s3_version_remove(o, control_text(one, "version_id")))
		*wrong = mem_printf("there is no version '%s' of this key", control_text(one, "version_id"));
	return *wrong == NULL;
}

json_t *control_expire(struct fake *f, const json_t *c, char **wrong)
{
	json_t *list = json_object_get(c, "versions"), *one;
	size_t i;

	if (!list)
		return expire(f, c, c, wrong) ? json_object() : NULL;
	json_array_foreach(list, i, one) if (!expire(f, one, c, wrong)) return fail_at(i, wrong);
	return json_object();
}

/* --- damage --- */

/* The version that the member names, and the latest one without it; NULL with *wrong. */
static struct s3_version *version_of(struct fake *f, const json_t *c, const char *member, char **wrong)
{
	struct s3_bucket *b = bucket_of(f, c, c, wrong);
	const char *id = control_text(c, member);

	if (!b)
		return NULL;
	struct s3_object *o = s3_object_find(b, control_text(c, "key"));
	struct s3_version *v = *id ? s3_version_find(o, id) : s3_latest(o);
	if (!v)
		*wrong = mem_printf("%s: there is no version '%s' of this key", member, id);
	return v;
}

static char *flip(struct s3_version *v, const json_t *at)
{
	json_int_t offset = json_integer_value(at);

	if (!json_is_integer(at))
		return NULL;
	if (offset < 0 || (size_t)offset >= v->len)
		return mem_printf("flip: the body has %zu bytes", v->len);
	v->body[offset] ^= 1;
	return NULL;
}

/* The body as it shall be, of its own; false with *wrong. */
static bool make_body(const struct s3_version *v, const json_t *c, struct s3_version *out, char **wrong)
{
	bool told = json_object_get(c, "body") || json_object_get(c, "body_base64");

	if (told && !take_body(out, c)) {
		*wrong = mem_dup("body_base64: not base64");
		return false;
	}
	if (!told)
		s3_version_fill(out, v->body, v->len);
	*wrong = flip(out, json_object_get(c, "flip"));
	if (*wrong)
		free(out->body);
	return *wrong == NULL;
}

/* `etag`: it follows the body. */
static void set_body(struct s3_version *v, const struct s3_version *filled, bool etag)
{
	struct s3_version digested = {0};

	s3_version_fill(&digested, filled->body, filled->len);
	free(digested.body);
	free(v->body);
	v->body = filled->body;
	v->len = filled->len;
	memcpy(v->sha256, digested.sha256, sizeof(v->sha256));
	if (etag)
		memcpy(v->etag, digested.etag, sizeof(v->etag));
}

/* What is told of a version takes the place of what it had. The ETag stays what it was, unless it shall follow. */
json_t *control_change(struct fake *f, const json_t *c, char **wrong)
{
	static const char *const known[] = {"do",   "bucket",	   "key",  "version_id",  "body", "body_base64",
					    "meta", "modified_ms", "flip", "follow_etag", "etag"};
	const json_t *follow = json_object_get(c, "follow_etag"), *at = json_object_get(c, "flip");
	struct s3_version *v = NULL, filled = {0};

	if (!check_members(c, known, sizeof(known) / sizeof(known[0]), wrong))
		return NULL;
	if (wrong_type(c))
		*wrong = mem_dup(wrong_type(c));
	else if ((at && !json_is_integer(at)) || (follow && !json_is_boolean(follow)))
		*wrong = mem_dup("flip: a whole number; follow_etag: true or false");
	else
		v = version_of(f, c, "version_id", wrong);
	if (v && v->marker && (at || follow || json_object_size(c) > 4 + (json_object_get(c, "modified_ms") != NULL)))
		*wrong = mem_dup("a marker has a modified_ms and nothing else");
	if (!v || *wrong)
		return NULL;
	v->modified_ms = control_number(c, "modified_ms", v->modified_ms);
	if (v->marker)
		return json_pack("{s:s}", "version_id", v->id);
	if (!make_body(v, c, &filled, wrong))
		return NULL;
	set_body(v, &filled, json_is_true(follow));
	if (*control_text(c, "etag"))
		snprintf(v->etag, sizeof(v->etag), "\"%s\"", control_text(c, "etag"));
	if (json_object_get(c, "meta")) {
		pairs_free(&v->meta);
		v->meta = (struct pairs){0};
		take_meta(v, json_object_get(c, "meta"));
	}
	return json_pack("{s:s}", "version_id", v->id);
}

/* Two versions of a key exchange what they hold; ids and times stay in their places. */
json_t *control_swap(struct fake *f, const json_t *c, char **wrong)
{
	static const char *const known[] = {"do", "bucket", "key", "version_id", "with"};
	struct s3_version *a = NULL, *b = NULL, former;

	if (check_members(c, known, sizeof(known) / sizeof(known[0]), wrong))
		a = version_of(f, c, "version_id", wrong);
	if (a)
		b = version_of(f, c, "with", wrong);
	if (!b)
		return NULL;
	former = *a;
	*a = *b;
	*b = former;
	b->id = a->id;
	a->id = former.id;
	b->modified_ms = a->modified_ms;
	a->modified_ms = former.modified_ms;
	return json_object();
}
