/* One object: put, get, head, delete (Amazon S3 API Reference; User Guide, "Working with delete markers"). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"

#define KEY_MAX 1024
#define META_MAX 2048

static struct s3_object *make_object(struct s3_bucket *b, const char *key)
{
	struct s3_object *o = s3_object_find(b, key);
	size_t at;

	if (o)
		return o;
	o = mem_new(sizeof(*o));
	o->key = mem_dup(key);
	if (map_reserve(&b->objects, b->n + 1) < 0)
		abort();
	map_add(&b->objects, &o->node, map_hash(key, strlen(key)));
	at = s3_lower_bound(b, key);
	mem_reserve(&b->sorted, &b->cap, b->n + 1, sizeof(*b->sorted));
	memmove(b->sorted + at + 1, b->sorted + at, (b->n - at) * sizeof(*b->sorted));
	b->sorted[at] = o;
	b->n++;
	return o;
}

static struct s3_version *latest(const struct s3_object *o)
{
	return o && o->n ? o->versions[o->n - 1] : NULL;
}

/* A new version on top. Outside of versioning it takes the place of the one with the id "null". */
static struct s3_version *add_version(struct fake *f, struct s3_bucket *b, const struct request *r, bool marker)
{
	struct s3_object *o = make_object(b, r->key);
	struct s3_version *v = mem_new(sizeof(*v));

	v->marker = marker;
	v->request = r->id;
	v->modified_ms = vclock_of_ms(&f->clock, SERVICE_S3) / 1000 * 1000;
	if (marker && f->s3.skew_markers)
		v->modified_ms -= 1000;
	if (b->versioning == S3_ENABLED) {
		v->id = mem_printf("%016llx.%08llx", (unsigned long long)rng_next(&f->rng),
				   (unsigned long long)++f->s3.ids);
	} else {
		v->id = mem_dup("null");
		for (size_t i = 0; i < o->n; i++)
			if (strcmp(o->versions[i]->id, "null") == 0) {
				memmove(o->versions + i, o->versions + i + 1, (--o->n - i) * sizeof(*o->versions));
				break;
			}
	}
	mem_reserve(&o->versions, &o->cap, o->n + 1, sizeof(*o->versions));
	o->versions[o->n++] = v;
	audit_wrote(f, r, v, b->name, o->key);
	return v;
}

/* Whether the body is what the header's digest says; errors as S3's. */
static bool check_md5(const struct request *r, struct reply *a)
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

static bool check_condition(const struct fake *f, const struct s3_object *o, const struct request *r, struct reply *a)
{
	const char *none = request_header(r, "if-none-match"), *match = request_header(r, "if-match");
	const struct s3_version *v = latest(o);
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
	    (match && strcmp(match, v->etag) != 0 && strcmp(match, "*") != 0 && strncmp(match, v->etag + 1, 32) != 0)) {
		s3_error(r, a, 412, "PreconditionFailed",
			 "At least one of the pre-conditions you specified did not hold");
		return false;
	}
	return true;
}

static bool take_meta(struct s3_version *v, const struct request *r)
{
	size_t total = 0;

	for (size_t i = 0; i < r->headers.n; i++) {
		const struct pair *h = &r->headers.at[i];
		if (strncmp(h->name, "x-amz-meta-", 11) != 0)
			continue;
		if (v)
			pairs_add(&v->meta, h->name + 11, strlen(h->name) - 11, h->value, strlen(h->value));
		total += strlen(h->name) - 11 + strlen(h->value);
	}
	return total <= META_MAX;
}

void s3_put_object(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const char *type = request_header(r, "content-type");
	unsigned char digest[DIGEST_MD5_BYTES];
	char hex[33];

	if (strlen(r->key) > KEY_MAX) {
		s3_error(r, a, 400, "KeyTooLongError", "Your key is too long");
		return;
	}
	if (!take_meta(NULL, r)) {
		s3_error(r, a, 400, "MetadataTooLarge",
			 "Your metadata headers exceed the maximum allowed metadata size");
		return;
	}
	if (!check_md5(r, a) || !check_condition(f, s3_object_find(b, r->key), r, a))
		return;
	struct s3_version *v = add_version(f, b, r, false);
	take_meta(v, r);
	v->content_type = mem_dup(type ? type : "binary/octet-stream");
	v->len = r->body.len;
	v->body = mem_dup_n(buf_str(&r->body), r->body.len);
	digest_md5(digest, v->body, v->len);
	digest_hex(hex, digest, sizeof(digest));
	snprintf(v->etag, sizeof(v->etag), "\"%s\"", hex);
	digest_sha256_hex(v->sha256, v->body, v->len);
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
		for (size_t i = 0; o && i < o->n; i++) {
			struct s3_version *v = o->versions[i];
			if (strcmp(v->id, id) != 0)
				continue;
			if (v->marker)
				reply_header(a, "x-amz-delete-marker", "true");
			memmove(o->versions + i, o->versions + i + 1, (--o->n - i) * sizeof(*o->versions));
			break;
		}
		reply_header(a, "x-amz-version-id", id);
		return;
	}
	if (b->versioning == S3_UNVERSIONED) {
		if (o)
			o->n = 0;
		return;
	}
	struct s3_version *v = add_version(f, b, r, true);
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
	for (size_t i = 0; i < v->meta.n; i++)
		text_printf(&a->headers, "x-amz-meta-%s: %s\r\n", v->meta.at[i].name, v->meta.at[i].value);
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

void s3_get_object(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const char *id = request_query(r, "versionId");
	const struct s3_object *o = s3_object_find(b, r->key);
	const struct s3_version *v = id ? NULL : latest(o);

	for (size_t i = 0; id && o && i < o->n; i++)
		if (strcmp(o->versions[i]->id, id) == 0)
			v = o->versions[i];
	if (v && v->marker) {
		get_marker(f, v, id != NULL, r, a);
	} else if (!v && id) {
		s3_error(r, a, 404, "NoSuchVersion", "The specified version does not exist.");
	} else if (!v) {
		s3_error(r, a, 404, "NoSuchKey", "The specified key does not exist.");
	} else {
		put_head(b, v, a);
		/* For a HEAD, only its length goes out: see http.c. */
		text_put_n(&a->body, v->body, v->len);
	}
}
