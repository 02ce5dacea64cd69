/* One object: put, get, head, delete (Amazon S3 API Reference; User Guide, "Working with delete markers"). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "fake.h"
#include "mem.h"

#define KEY_MAX 1024
#define META_MAX 2048

/* LastModified has whole seconds. */
static int64_t now_of(const struct fake *f, bool marker)
{
	int64_t now_ms = vclock_of_ms(&f->clock, SERVICE_S3) / 1000 * 1000;
	return marker && f->s3.skew_markers ? now_ms - 1000 : now_ms;
}

/* Whether the body is what the header's digest says; errors as S3's. */
bool s3_check_md5(const struct request *r, struct reply *a)
{
	const char *told = request_header(r, "content-md5");
	unsigned char digest[DIGEST_MD5_BYTES];
	char right[25];

	if (!told)
		return true;
	digest_md5(digest, buf_str(&r->body), r->body.len);
	digest_base64(right, digest, sizeof(digest));
	if (strlen(told) != 24)
		s3_error(r, a, 400, "InvalidDigest", "The Content-MD5 you specified was invalid.");
	else if (strcmp(told, right) != 0)
		s3_error(r, a, 400, "BadDigest", "The Content-MD5 you specified did not match what we received.");
	else
		return true;
	return false;
}

/* The same ETag, but without quotes. */
static bool is_bare(const char *match, const char *etag)
{
	size_t n = strlen(match);
	return n + 2 == strlen(etag) && strncmp(match, etag + 1, n) == 0;
}

bool s3_check_condition(const struct fake *f, const struct s3_object *o, const struct request *r, struct reply *a)
{
	const char *none = request_header(r, "if-none-match"), *match = request_header(r, "if-match");
	const struct s3_version *v = s3_latest(o);
	bool there = v && !v->marker;

	if (f->s3.ignore_conditions)
		return true;
	if (none && strcmp(none, "*") != 0) {
		s3_error(r, a, 501, "NotImplemented",
			 "A header you provided implies functionality that is not implemented");
		return false;
	}
	if (match && !there) {
		s3_error(r, a, 404, "NoSuchKey", "The specified key does not exist.");
		return false;
	}
	if ((none && there) ||
	    (match && strcmp(match, v->etag) != 0 && strcmp(match, "*") != 0 && !is_bare(match, v->etag))) {
		s3_error(r, a, 412, "PreconditionFailed",
			 "At least one of the pre-conditions you specified did not hold");
		return false;
	}
	return true;
}

size_t s3_take_meta(struct pairs *out, const struct request *r)
{
	size_t total = 0;

	for (size_t i = 0; i < r->headers.n; i++) {
		const struct pair *h = &r->headers.at[i];
		if (strncmp(h->name, "x-amz-meta-", 11) != 0)
			continue;
		if (out)
			pairs_add(out, h->name + 11, strlen(h->name) - 11, h->value, strlen(h->value));
		total += strlen(h->name) - 11 + strlen(h->value);
	}
	return total;
}

bool s3_check_put(const struct request *r, struct reply *a)
{
	const char *class = request_header(r, "x-amz-storage-class");

	if (strlen(r->key) > KEY_MAX)
		s3_error(r, a, 400, "KeyTooLongError", "Your key is too long");
	else if (s3_take_meta(NULL, r) > META_MAX)
		s3_error(r, a, 400, "MetadataTooLarge",
			 "Your metadata headers exceed the maximum allowed metadata size");
	else if (class && !s3_is_storage_class(class))
		s3_error(r, a, 400, "InvalidStorageClass", "The storage class you specified is not valid");
	else
		return true;
	return false;
}

void s3_put_object(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const char *type = request_header(r, "content-type"), *class = request_header(r, "x-amz-storage-class");
	struct s3_version *v;

	if (!s3_check_put(r, a) || !s3_check_md5(r, a) || !s3_check_condition(f, s3_object_find(b, r->key), r, a))
		return;
	v = s3_version_add(f, b, r->key, NULL, false, now_of(f, false), r->id);
	s3_take_meta(&v->meta, r);
	v->content_type = mem_dup(type ? type : "binary/octet-stream");
	v->storage_class = class && strcmp(class, "STANDARD") != 0 ? mem_dup(class) : NULL;
	s3_version_fill(v, buf_str(&r->body), r->body.len);
	reply_header(a, "ETag", v->etag);
	if (b->versioning != S3_UNVERSIONED)
		reply_header(a, "x-amz-version-id", v->id);
}

void s3_delete_object(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const char *id = request_query(r, "versionId");
	struct s3_object *o = s3_object_find(b, r->key);

	a->status = 204;
	if (id) {
		if (!f->s3.allow_version_delete) {
			s3_error(r, a, 403, "AccessDenied", "Access Denied");
			return;
		}
		const struct s3_version *gone = s3_version_find(o, id);
		if (gone && gone->marker)
			reply_header(a, "x-amz-delete-marker", "true");
		if (gone)
			s3_version_remove(o, id);
		reply_header(a, "x-amz-version-id", id);
		return;
	}
	if (b->versioning == S3_UNVERSIONED) {
		if (o)
			o->n = 0;
		return;
	}
	struct s3_version *v = s3_version_add(f, b, r->key, NULL, true, now_of(f, true), r->id);
	reply_header(a, "x-amz-delete-marker", "true");
	reply_header(a, "x-amz-version-id", v->id);
}

static void put_head(const struct s3_bucket *b, const struct s3_version *v, struct reply *a)
{
	char date[40];

	vclock_http(date, v->modified_ms);
	reply_header(a, "Last-Modified", date);
	reply_header(a, "ETag", v->etag);
	reply_header(a, "Content-Type", v->content_type);
	reply_header(a, "Accept-Ranges", "bytes");
	if (b->versioning != S3_UNVERSIONED)
		reply_header(a, "x-amz-version-id", v->id);
	if (v->storage_class)
		reply_header(a, "x-amz-storage-class", v->storage_class);
	for (size_t i = 0; i < v->meta.n; i++)
		text_printf(&a->headers, "x-amz-meta-%s: %s\r\n", v->meta.at[i].name, v->meta.at[i].value);
}

/* What is in these classes must be restored before it can be read; nothing here is ever restored. */
static bool is_archived(const struct s3_version *v)
{
	return v->storage_class &&
	       (strcmp(v->storage_class, "GLACIER") == 0 || strcmp(v->storage_class, "DEEP_ARCHIVE") == 0);
}

/* Of a delete marker: 404 when it is the latest, 405 when it was asked for by its version. */
static void get_marker(const struct fake *f, const struct s3_version *v, bool by_id, const struct request *r,
		       struct reply *a)
{
	char date[40];

	if (!f->s3.no_marker_header)
		reply_header(a, "x-amz-delete-marker", "true");
	reply_header(a, "x-amz-version-id", v->id);
	if (by_id && !f->s3.marker_get_404) {
		vclock_http(date, v->modified_ms);
		reply_header(a, "Last-Modified", date);
		reply_header(a, "Allow", "DELETE");
		s3_error(r, a, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
	} else {
		s3_error(r, a, 404, "NoSuchKey", "The specified key does not exist.");
	}
}

/* "bytes=A-B", "bytes=A-" or "bytes=-N"; what is not a range of this kind is no range (RFC 9110, 14.2). */
static bool parse_range(const char *text, size_t len, size_t *from, size_t *to)
{
	char *end;
	unsigned long long first, last;

	if (!text || strncmp(text, "bytes=", 6) != 0)
		return false;
	text += 6;
	first = strtoull(text, &end, 10);
	if (*text == '-') {
		last = strtoull(text + 1, &end, 10);
		first = last < len ? len - last : 0;
		last = len - 1;
	} else if (end == text || *end++ != '-') {
		return false;
	} else {
		last = *end ? strtoull(end, &end, 10) : UINT64_MAX;
	}
	*from = (size_t)first;
	*to = last < len ? (size_t)last : len - 1;
	return *end == '\0';
}

/* The body, or what is asked for of it; false with an error answered. */
static bool put_body(const struct s3_version *v, const struct request *r, struct reply *a)
{
	size_t from = 0, to = 0;
	bool part = parse_range(request_header(r, "range"), v->len, &from, &to);

	if (part && (from >= v->len || from > to)) {
		s3_error(r, a, 416, "InvalidRange", "The requested range is not satisfiable");
		return false;
	}
	if (part) {
		a->status = 206;
		text_printf(&a->headers, "Content-Range: bytes %zu-%zu/%zu\r\n", from, to, v->len);
	}
	/* For a HEAD, only its length goes out: see http.c. */
	text_put_n(&a->body, v->body + from, part ? to - from + 1 : v->len);
	return true;
}

void s3_get_object(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const char *id = request_query(r, "versionId");
	const struct s3_object *o = s3_object_find(b, r->key);
	const struct s3_version *v = id ? s3_version_find(o, id) : s3_latest(o);

	if (v && v->marker) {
		get_marker(f, v, id != NULL, r, a);
	} else if (v && is_archived(v) && strcmp(r->method, "GET") == 0) {
		s3_error(r, a, 403, "InvalidObjectState", "The operation is not valid for the object's storage class");
	} else if (!v && id) {
		s3_error(r, a, 404, "NoSuchVersion", "The specified version does not exist.");
	} else if (!v) {
		s3_error(r, a, 404, "NoSuchKey", "The specified key does not exist.");
	} else if (put_body(v, r, a)) {
		put_head(b, v, a);
	}
}
