/* A bucket, as far as an export needs one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/digest.h"
#include "codec/encode.h"
#include "export_fixture.h"

struct export_object *export_server_object(struct export_fixture *f, const char *key)
{
	for (size_t i = 0; i < f->nobjects; i++)
		if (strcmp(f->objects[i].key, key) == 0)
			return &f->objects[i];
	return NULL;
}

static void md5_hex(char out[33], const void *bytes, size_t len)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	digest_md5(md5, bytes, len);
	out[encode_hex(out, md5, sizeof(md5))] = '\0';
}

void export_server_etag(char out[64], const struct export_object *o)
{
	char hex[33];
	md5_hex(hex, buf_str(&o->bytes), o->bytes.len);
	if (o->parts > 0)
		snprintf(out, 64, "%s-%u", hex, o->parts);
	else
		snprintf(out, 64, "%s", hex);
}

static struct export_object *add_object(struct export_fixture *f, const char *key, const char *type)
{
	struct export_object *o = export_server_object(f, key);
	if (o == NULL) {
		assert_true(f->nobjects < EXPORT_FIXTURE_KEYS);
		o = &f->objects[f->nobjects++];
	}
	buf_fini(&o->bytes);
	*o = (struct export_object){0};
	snprintf(o->key, sizeof(o->key), "%s", key);
	snprintf(o->type, sizeof(o->type), "%s", type);
	buf_init(&o->bytes, EXPORT_FIXTURE_MAX);
	return o;
}

static const char *header(const struct httpd_request *r, const char *name)
{
	static char value[256];
	char line[64];
	snprintf(line, sizeof(line), "\r\n%s:", name);
	const char *at = strcasestr(r->head, line);
	value[0] = '\0';
	if (at != NULL)
		sscanf(at + strlen(line), " %255[^\r\n]", value);
	return value;
}

/* S3 answers 400 when they do not match. */
static void check_md5(const struct httpd_request *r)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	char text[25] = "";
	if (header(r, "content-md5")[0] == '\0')
		return;
	digest_md5(md5, r->body, r->body_len);
	encode_base64(text, md5, sizeof(md5));
	assert_string_equal(header(r, "content-md5"), text);
}

#define ENCRYPTED "x-amz-server-side-encryption: aws:kms\r\nx-amz-server-side-encryption-aws-kms-key-id: KEY\r\n"

static void create(struct export_fixture *f, struct httpd_conn *c, const struct httpd_request *r, const char *key)
{
	char body[256];
	assert_true(f->nuploads < EXPORT_FIXTURE_KEYS);
	struct export_multipart *u = &f->uploads[f->nuploads++];
	*u = (struct export_multipart){.open = true};
	snprintf(u->key, sizeof(u->key), "%s", key);
	snprintf(u->type, sizeof(u->type), "%s", header(r, "content-type"));
	snprintf(body, sizeof(body),
		 "<InitiateMultipartUploadResult><Bucket>out</Bucket><Key>k</Key><UploadId>u%zu</UploadId>"
		 "</InitiateMultipartUploadResult>",
		 f->nuploads);
	httpd_answer(c, 200, "", body);
}

static void put_part(struct httpd_conn *c, const struct httpd_request *r, struct export_multipart *u, unsigned number)
{
	char hex[33], headers[128];
	assert_in_range(number, 1, 64);
	struct buf *part = &u->parts[number - 1];
	buf_fini(part);
	buf_init(part, EXPORT_FIXTURE_MAX);
	assert_int_equal(buf_append(part, r->body, r->body_len), 0);
	if (number > u->nparts)
		u->nparts = number;
	md5_hex(hex, r->body, r->body_len);
	snprintf(headers, sizeof(headers), "ETag: \"%s\"\r\n", hex);
	httpd_answer(c, 200, headers, "");
}

static void complete(struct export_fixture *f, struct httpd_conn *c, const struct httpd_request *r,
		     struct export_multipart *u)
{
	char etag[64], body[256];
	const char *at = r->body;
	struct export_object *o = f->lose_object ? NULL : add_object(f, u->key, u->type);
	for (unsigned i = 0; i < u->nparts; i++) {
		char hex[33], want[128];
		md5_hex(hex, buf_str(&u->parts[i]), u->parts[i].len);
		snprintf(want, sizeof(want), "<PartNumber>%u</PartNumber><ETag>\"%s\"</ETag>", i + 1, hex);
		at = strstr(at, want);
		assert_non_null(at);
		if (o != NULL)
			assert_int_equal(buf_append(&o->bytes, buf_str(&u->parts[i]), u->parts[i].len), 0);
	}
	u->open = false;
	if (o == NULL) {
		httpd_reset(c);
		return;
	}
	o->parts = u->nparts;
	export_server_etag(etag, o);
	snprintf(body, sizeof(body),
		 "<CompleteMultipartUploadResult><Location>l</Location><Bucket>out</Bucket><Key>k</Key>"
		 "<ETag>%s</ETag></CompleteMultipartUploadResult>",
		 f->no_etag ? "" : etag);
	httpd_answer(c, 200, "", body);
}

static void head(struct export_fixture *f, struct httpd_conn *c, const char *key)
{
	char etag[64];
	const struct export_object *o = export_server_object(f, key);
	if (o == NULL) {
		httpd_text(c, "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	export_server_etag(etag, o);
	httpd_text(c,
		   "HTTP/1.1 200 X\r\nContent-Length: %zu\r\nETag: \"%s\"\r\n"
		   "Last-Modified: Mon, 23 Nov 2026 12:42:05 GMT\r\n\r\n",
		   o->bytes.len, etag);
}

static void put_object(struct export_fixture *f, struct httpd_conn *c, const struct httpd_request *r, const char *key)
{
	char etag[64], headers[256];
	struct export_object *o = add_object(f, key, header(r, "content-type"));
	assert_int_equal(buf_append(&o->bytes, r->body, r->body_len), 0);
	export_server_etag(etag, o);
	snprintf(headers, sizeof(headers), "ETag: \"%s\"\r\n%s", etag, ENCRYPTED);
	httpd_answer(c, 200, headers, "");
}

static void delete_object(struct export_fixture *f, struct httpd_conn *c, const char *key)
{
	struct export_object *o = export_server_object(f, key);
	f->deletes++;
	if (o != NULL) {
		buf_fini(&o->bytes);
		*o = f->objects[--f->nobjects];
	}
	httpd_answer(c, 204, "", "");
}

static const char *kind_of(const struct httpd_request *r)
{
	bool id = strstr(r->target, "uploadId=") != NULL;
	if (strcmp(r->method, "POST") == 0)
		return id ? "complete" : "create";
	if (strcmp(r->method, "PUT") == 0)
		return id ? "part" : "put";
	if (strcmp(r->method, "DELETE") == 0)
		return id ? "abort" : "delete";
	return "head";
}

/* True when it has dealt with the request. */
static bool misbehave(struct export_fixture *f, struct httpd_conn *c, const char *kind)
{
	if (f->faults == 0 || strcmp(kind, f->what) != 0 || f->fault == EXPORT_RESET_AFTER)
		return false;
	f->faults--;
	if (f->fault == EXPORT_SLOW_DOWN)
		httpd_answer(c, 503, "", "<Error><Code>SlowDown</Code><Message>slow</Message></Error>");
	else if (f->fault == EXPORT_INTERNAL)
		httpd_answer(c, 500, "", "<Error><Code>InternalError</Code><Message>oops</Message></Error>");
	else if (f->fault == EXPORT_DENIED)
		httpd_answer(c, 403, "", "<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
	else if (f->fault == EXPORT_RESET_BEFORE)
		httpd_reset(c);
	return true;
}

void export_server_answer(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	struct export_fixture *f = arg;
	const char *kind = kind_of(r);
	char key[256] = "";
	unsigned id = 0, number = 0;
	assert_int_equal(strncmp(r->target, "/out/", 5), 0);
	snprintf(key, sizeof(key), "%.*s", (int)strcspn(r->target + 5, "?"), r->target + 5);
	const char *at = strstr(r->target, "uploadId=u");
	if (at != NULL)
		id = (unsigned)strtoul(at + 10, NULL, 10);
	at = strstr(r->target, "partNumber=");
	if (at != NULL)
		number = (unsigned)strtoul(at + 11, NULL, 10);
	if (misbehave(f, c, kind))
		return;
	check_md5(r);
	bool lose = f->faults > 0 && strcmp(kind, f->what) == 0 && f->fault == EXPORT_RESET_AFTER;
	if (lose)
		f->faults--;
	struct export_multipart *u = id > 0 && id <= f->nuploads ? &f->uploads[id - 1] : NULL;
	if (id > 0 && (u == NULL || !u->open))
		httpd_answer(c, 404, "", "<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>");
	else if (strcmp(kind, "create") == 0)
		create(f, c, r, key);
	else if (strcmp(kind, "part") == 0)
		put_part(c, r, u, number);
	else if (strcmp(kind, "complete") == 0)
		complete(f, c, r, u);
	else if (strcmp(kind, "abort") == 0) {
		u->open = false;
		f->aborted++;
		httpd_answer(c, 204, "", "");
	} else if (strcmp(kind, "put") == 0)
		put_object(f, c, r, key);
	else if (strcmp(kind, "delete") == 0)
		delete_object(f, c, key);
	else
		head(f, c, key);
	/* Nothing of the answer has left yet. */
	if (lose && !f->lose_object)
		httpd_reset(c);
}
