/*
 * ListObjectVersions and ListObjectsV2 (Amazon S3 API Reference): keys in order of their bytes, each key's versions and
 * markers newest first, mixed as they are; of objects those alone whose latest version is no marker. A page ends after
 * max-keys entries, a common prefix counting as one; the markers, or the token, name the last entry that was given.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"

#define PAGE_MAX 1000

struct listing {
	struct s3_bucket *b;
	bool objects; /* ListObjectsV2 */
	const char *prefix, *delimiter, *key_marker, *version_marker;
	size_t prefix_len;
	bool encode;
	int64_t max, n;
	struct buf entries, prefixes;
	bool truncated;
	char *last_key;		  /* of the last entry, or the last common prefix */
	const char *last_version; /* NULL after a common prefix */
};

/* encoding-type=url is form encoding in which '/' stays. */
static void put_text(struct buf *out, const char *s, bool encode)
{
	if (!encode) {
		text_put_xml(out, s);
		return;
	}
	for (const char *p = s; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if ((c < 0x80 && isalnum(c)) || strchr("-._*/", c))
			text_put_n(out, p, 1);
		else if (c == ' ')
			text_put(out, "+");
		else
			text_printf(out, "%%%02X", c);
	}
}

static void put_element(struct buf *out, const char *name, const char *value, bool encode)
{
	text_printf(out, "<%s>", name);
	put_text(out, value, encode);
	text_printf(out, "</%s>", name);
}

static void put_version(struct listing *l, const struct s3_object *o, size_t i)
{
	const struct s3_version *v = o->versions[i];
	const char *element = v->marker ? "DeleteMarker" : "Version";
	struct buf *out = &l->entries;
	char iso[40];

	vclock_iso(iso, v->modified_ms);
	text_printf(out, "<%s>", element);
	put_element(out, "Key", o->key, l->encode);
	text_printf(out, "<VersionId>%s</VersionId><IsLatest>%s</IsLatest><LastModified>%s</LastModified>", v->id,
		    i + 1 == o->n ? "true" : "false", iso);
	if (!v->marker) {
		text_put(out, "<ETag>");
		text_put_xml(out, v->etag);
		text_printf(out, "</ETag><Size>%zu</Size><StorageClass>%s</StorageClass>", v->len,
			    v->storage_class ? v->storage_class : "STANDARD");
	}
	text_printf(out, "<Owner><ID>fakeaws</ID></Owner></%s>", element);
}

static void put_object(struct listing *l, const struct s3_object *o)
{
	const struct s3_version *v = s3_latest(o);
	struct buf *out = &l->entries;
	char iso[40];

	vclock_iso(iso, v->modified_ms);
	text_put(out, "<Contents>");
	put_element(out, "Key", o->key, l->encode);
	text_printf(out, "<LastModified>%s</LastModified><ETag>", iso);
	text_put_xml(out, v->etag);
	text_printf(out, "</ETag><Size>%zu</Size><StorageClass>%s</StorageClass></Contents>", v->len,
		    v->storage_class ? v->storage_class : "STANDARD");
}

static void note_last(struct listing *l, const char *key, const char *version)
{
	free(l->last_key);
	l->last_key = mem_dup(key);
	l->last_version = version;
	l->n++;
}

/* The common prefix that the key falls under, malloc'd; NULL: none. */
static char *group_of(const struct listing *l, const char *key)
{
	const char *at = *l->delimiter ? strstr(key + l->prefix_len, l->delimiter) : NULL;
	return at ? mem_dup_n(key, (size_t)(at - key) + strlen(l->delimiter)) : NULL;
}

/* False when the page is full before it. */
static bool list_group(struct listing *l, const char *group)
{
	if (l->last_key && !l->last_version && strcmp(l->last_key, group) == 0)
		return true;
	if (*l->key_marker && strcmp(group, l->key_marker) <= 0)
		return true;
	if (l->n >= l->max)
		return false;
	text_put(&l->prefixes, "<CommonPrefixes>");
	put_element(&l->prefixes, "Prefix", group, l->encode);
	text_put(&l->prefixes, "</CommonPrefixes>");
	note_last(l, group, NULL);
	return true;
}

static bool list_object(struct listing *l, const struct s3_object *o)
{
	size_t from = o->n;

	if (strcmp(o->key, l->key_marker) == 0) {
		if (!*l->version_marker)
			return true;
		for (size_t i = 0; i < o->n; i++)
			if (strcmp(o->versions[i]->id, l->version_marker) == 0)
				from = i;
	}
	for (size_t i = from; i-- > 0;) {
		if (l->n >= l->max)
			return false;
		put_version(l, o, i);
		note_last(l, o->key, o->versions[i]->id);
	}
	return true;
}

static bool list_current(struct listing *l, const struct s3_object *o)
{
	if (strcmp(o->key, l->key_marker) == 0)
		return true;
	if (l->n >= l->max)
		return false;
	put_object(l, o);
	note_last(l, o->key, "");
	return true;
}

static void list_all(struct listing *l)
{
	const char *from = strcmp(l->key_marker, l->prefix) > 0 ? l->key_marker : l->prefix;

	for (size_t i = s3_lower_bound(l->b, from); i < l->b->n && !l->truncated; i++) {
		const struct s3_object *o = l->b->sorted[i];
		if (strncmp(o->key, l->prefix, l->prefix_len) != 0)
			break;
		if (o->n == 0 || (l->objects && s3_latest(o)->marker))
			continue;
		char *group = group_of(l, o->key);
		l->truncated = group ? !list_group(l, group) : l->objects ? !list_current(l, o) : !list_object(l, o);
		free(group);
	}
}

static void put_versions(struct listing *l, const struct fake *f, const struct request *r, struct reply *a)
{
	struct buf *out = &a->body;

	s3_xml_begin(a, "ListVersionsResult");
	put_element(out, "Name", l->b->name, false);
	put_element(out, "Prefix", l->prefix, l->encode);
	put_element(out, "KeyMarker", l->key_marker, l->encode);
	put_element(out, "VersionIdMarker", l->version_marker, false);
	if (l->truncated) {
		put_element(out, "NextKeyMarker", l->last_key, l->encode && !f->s3.plain_next_marker);
		if (l->last_version)
			put_element(out, "NextVersionIdMarker", l->last_version, false);
	}
	text_printf(out, "<MaxKeys>%s</MaxKeys>", request_query(r, "max-keys") ? request_query(r, "max-keys") : "1000");
	if (*l->delimiter)
		put_element(out, "Delimiter", l->delimiter, l->encode);
	if (l->encode)
		text_put(out, "<EncodingType>url</EncodingType>");
	text_printf(out, "<IsTruncated>%s</IsTruncated>%s%s</ListVersionsResult>", l->truncated ? "true" : "false",
		    buf_str(&l->entries), buf_str(&l->prefixes));
}

static const char *parameter(const struct request *r, const char *name)
{
	const char *value = request_query(r, name);
	return value ? value : "";
}

/* How much may go on the page; false with an error answered. */
static bool take_max(struct fake *f, struct listing *l, const struct request *r, struct reply *a)
{
	const char *max = parameter(r, "max-keys");

	l->max = PAGE_MAX;
	if (*max) {
		char *end;
		long n = strtol(max, &end, 10);
		if (*end || n < 0) {
			s3_error(r, a, 400, "InvalidArgument",
				 "Provided max-keys not an integer or within integer range");
			return false;
		}
		l->max = n < PAGE_MAX ? n : PAGE_MAX;
	}
	if (f->s3.list_page && f->s3.list_page < l->max)
		l->max = f->s3.list_page;
	if (f->s3.list_random && l->max > 1)
		l->max = 1 + (int64_t)rng_below(&f->rng, (uint64_t)l->max);
	return true;
}

static void list(struct fake *f, struct listing *l, const struct request *r, struct reply *a,
		 void (*put)(struct listing *, const struct fake *, const struct request *, struct reply *))
{
	l->prefix = parameter(r, "prefix");
	l->prefix_len = strlen(l->prefix);
	l->delimiter = parameter(r, "delimiter");
	l->encode = strcmp(parameter(r, "encoding-type"), "url") == 0;
	if (!take_max(f, l, r, a))
		return;
	text_init(&l->entries);
	text_init(&l->prefixes);
	if (l->max > 0)
		list_all(l);
	put(l, f, r, a);
	free(l->last_key);
	buf_fini(&l->entries);
	buf_fini(&l->prefixes);
}

void s3_list_versions(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	struct listing l = {.b = b,
			    .key_marker = parameter(r, "key-marker"),
			    .version_marker = parameter(r, "version-id-marker")};

	if (*l.version_marker && !*l.key_marker)
		s3_error(r, a, 400, "InvalidArgument", "A version-id marker cannot be specified without a key marker.");
	else
		list(f, &l, r, a, put_versions);
}

/* A continuation token is opaque to clients: the last entry in base64. */
static void put_objects(struct listing *l, const struct fake *f, const struct request *r, struct reply *a)
{
	const char *token = parameter(r, "continuation-token"), *after = parameter(r, "start-after");
	struct buf *out = &a->body;

	(void)f;
	s3_xml_begin(a, "ListBucketResult");
	put_element(out, "Name", l->b->name, false);
	put_element(out, "Prefix", l->prefix, l->encode);
	if (*after)
		put_element(out, "StartAfter", after, l->encode);
	if (*token)
		put_element(out, "ContinuationToken", token, false);
	if (l->truncated) {
		size_t n = strlen(l->last_key);
		char *next = mem_new((n + 2) / 3 * 4 + 1);
		digest_base64(next, l->last_key, n);
		put_element(out, "NextContinuationToken", next, false);
		free(next);
	}
	text_printf(out, "<KeyCount>%lld</KeyCount><MaxKeys>%s</MaxKeys>", (long long)l->n,
		    request_query(r, "max-keys") ? request_query(r, "max-keys") : "1000");
	if (*l->delimiter)
		put_element(out, "Delimiter", l->delimiter, l->encode);
	if (l->encode)
		text_put(out, "<EncodingType>url</EncodingType>");
	text_printf(out, "<IsTruncated>%s</IsTruncated>%s%s</ListBucketResult>", l->truncated ? "true" : "false",
		    buf_str(&l->entries), buf_str(&l->prefixes));
}

void s3_list_objects(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const char *token = parameter(r, "continuation-token");
	size_t n = 0;
	char *last = *token ? (char *)digest_base64_decode(token, &n) : NULL;
	struct listing l = {.b = b,
			    .objects = true,
			    .key_marker = last ? last : parameter(r, "start-after"),
			    .version_marker = ""};

	if (strcmp(parameter(r, "list-type"), "2") != 0)
		s3_error(r, a, 400, "InvalidArgument", "Invalid List Type specified in Query");
	else if (*token && !last)
		s3_error(r, a, 400, "InvalidArgument", "The continuation token provided is incorrect");
	else
		list(f, &l, r, a, put_objects);
	free(last);
}
