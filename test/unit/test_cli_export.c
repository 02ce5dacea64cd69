/*
 * Exports, by the rules of the Amazon DynamoDB Developer Guide ("DynamoDB table export output format", "Amazon S3 import
 * formats for DynamoDB", "Import format quotas and validation") and by what dynamodb-replicator's incremental-snapshot
 * writes: into folders, and into a bucket of a scripted server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <jansson.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "aws_fixture.h"
#include "cli/export.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "httpd.h"

#define START_MS 1693685827463 /* 2023-09-02T20:17:07.463Z */
#define AT_MS 1693685000000
#define ARN "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog"
#define TABLE_ID "12345a12-abcd-123a-ab12-1234abc12345"
#define TEXT_MAX ((size_t)1 << 28)
#define KEYS_MAX 256

/* --- a server, as far as an export needs one --- */

struct object {
	char key[256];
	char type[64];
	struct buf bytes;
	unsigned parts; /* 0: by PutObject */
};

struct upload {
	bool open;
	char key[256];
	char type[64];
	struct buf parts[64];
	unsigned nparts;
};

enum fault { NONE, SLOW_DOWN, INTERNAL, DENIED, SILENT, RESET_BEFORE, RESET_AFTER };

struct fixture {
	uv_loop_t loop;
	struct aws aws;
	struct config config;
	struct httpd server;
	char url[64];
	char root[64]; /* a folder */
	struct object objects[KEYS_MAX];
	size_t nobjects;
	struct upload uploads[KEYS_MAX];
	size_t nuploads;
	unsigned flying[KEYS_MAX]; /* parts of an upload that are on their way */
	size_t nrequests[8], aborted, deletes;
	/* The first `faults` requests that are `what` end so. */
	const char *what;
	enum fault fault;
	unsigned faults;
	bool lose_object; /* RESET_AFTER of a completion that did not work after all */
	bool stop;
	struct httpd_conn *held;
};

static struct object *find_object(struct fixture *f, const char *key)
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

static void etag_of(char out[64], const struct object *o)
{
	char hex[33];
	md5_hex(hex, buf_str(&o->bytes), o->bytes.len);
	if (o->parts > 0)
		snprintf(out, 64, "%s-%u", hex, o->parts);
	else
		snprintf(out, 64, "%s", hex);
}

static struct object *add_object(struct fixture *f, const char *key, const char *type)
{
	struct object *o = find_object(f, key);
	if (o == NULL) {
		assert_true(f->nobjects < KEYS_MAX);
		o = &f->objects[f->nobjects++];
	}
	buf_fini(&o->bytes);
	*o = (struct object){0};
	snprintf(o->key, sizeof(o->key), "%s", key);
	snprintf(o->type, sizeof(o->type), "%s", type);
	buf_init(&o->bytes, TEXT_MAX);
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

static void create(struct fixture *f, struct httpd_conn *c, const struct httpd_request *r, const char *key)
{
	char body[256];
	assert_true(f->nuploads < KEYS_MAX);
	struct upload *u = &f->uploads[f->nuploads++];
	*u = (struct upload){.open = true};
	snprintf(u->key, sizeof(u->key), "%s", key);
	snprintf(u->type, sizeof(u->type), "%s", header(r, "content-type"));
	snprintf(body, sizeof(body),
		 "<InitiateMultipartUploadResult><Bucket>out</Bucket><Key>k</Key><UploadId>u%zu</UploadId>"
		 "</InitiateMultipartUploadResult>",
		 f->nuploads);
	httpd_answer(c, 200, "", body);
}

static void put_part(struct httpd_conn *c, const struct httpd_request *r, struct upload *u, unsigned number)
{
	char hex[33], headers[128];
	assert_in_range(number, 1, 64);
	struct buf *part = &u->parts[number - 1];
	buf_fini(part);
	buf_init(part, TEXT_MAX);
	assert_int_equal(buf_append(part, r->body, r->body_len), 0);
	if (number > u->nparts)
		u->nparts = number;
	md5_hex(hex, r->body, r->body_len);
	snprintf(headers, sizeof(headers), "ETag: \"%s\"\r\n", hex);
	httpd_answer(c, 200, headers, "");
}

static void complete(struct fixture *f, struct httpd_conn *c, const struct httpd_request *r, struct upload *u)
{
	char etag[64], body[256];
	const char *at = r->body;
	struct object *o = f->lose_object ? NULL : add_object(f, u->key, u->type);
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
	etag_of(etag, o);
	snprintf(body, sizeof(body),
		 "<CompleteMultipartUploadResult><Location>l</Location><Bucket>out</Bucket><Key>k</Key>"
		 "<ETag>\"%s\"</ETag></CompleteMultipartUploadResult>",
		 etag);
	httpd_answer(c, 200, "", body);
}

static void head(struct fixture *f, struct httpd_conn *c, const char *key)
{
	char etag[64];
	const struct object *o = find_object(f, key);
	if (o == NULL) {
		httpd_text(c, "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	etag_of(etag, o);
	httpd_text(c,
		   "HTTP/1.1 200 X\r\nContent-Length: %zu\r\nETag: \"%s\"\r\n"
		   "Last-Modified: Mon, 23 Nov 2026 12:42:05 GMT\r\n\r\n",
		   o->bytes.len, etag);
}

static void put_object(struct fixture *f, struct httpd_conn *c, const struct httpd_request *r, const char *key)
{
	char etag[64], headers[256];
	struct object *o = add_object(f, key, header(r, "content-type"));
	assert_int_equal(buf_append(&o->bytes, r->body, r->body_len), 0);
	etag_of(etag, o);
	snprintf(headers, sizeof(headers), "ETag: \"%s\"\r\n%s", etag, ENCRYPTED);
	httpd_answer(c, 200, headers, "");
}

static void delete_object(struct fixture *f, struct httpd_conn *c, const char *key)
{
	struct object *o = find_object(f, key);
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
static bool misbehave(struct fixture *f, struct httpd_conn *c, const char *kind)
{
	if (f->faults == 0 || strcmp(kind, f->what) != 0 || f->fault == RESET_AFTER)
		return false;
	f->faults--;
	if (f->fault == SLOW_DOWN)
		httpd_answer(c, 503, "", "<Error><Code>SlowDown</Code><Message>slow</Message></Error>");
	else if (f->fault == INTERNAL)
		httpd_answer(c, 500, "", "<Error><Code>InternalError</Code><Message>oops</Message></Error>");
	else if (f->fault == DENIED)
		httpd_answer(c, 403, "", "<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
	else if (f->fault == RESET_BEFORE)
		httpd_reset(c);
	else
		f->held = c;
	return true;
}

static void serve(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	struct fixture *f = arg;
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
	bool lose = f->faults > 0 && strcmp(kind, f->what) == 0 && f->fault == RESET_AFTER;
	if (lose)
		f->faults--;
	struct upload *u = id > 0 && id <= f->nuploads ? &f->uploads[id - 1] : NULL;
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

/* --- running an export --- */

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e;
	assert_non_null(f);
	aws_fixture_environment("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL);
	assert_int_equal(digest_init(&e), 0);
	uv_loop_init(&f->loop);
	httpd_start(&f->server, &f->loop, serve, f);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", f->server.port);
	f->config = (struct config){.region = (char *)"eu-west-1", .bucket = (char *)"bkt"};
	for (int s = 0; s < CONFIG_SERVICES; s++)
		f->config.endpoints[s] = f->url;
	assert_int_equal(aws_init(&f->aws, &f->loop, &f->config, 16, &e), 0);
	snprintf(f->root, sizeof(f->root), "/tmp/ddb-export-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	aws_fini(&f->aws);
	httpd_stop(&f->server);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	for (size_t i = 0; i < f->nobjects; i++)
		buf_fini(&f->objects[i].bytes);
	for (size_t i = 0; i < f->nuploads; i++)
		for (size_t j = 0; j < 64; j++)
			buf_fini(&f->uploads[i].parts[j]);
	nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static struct export_options options_of(const char *to)
{
	return (struct export_options){
		.to = to,
		.table_name = "ProductCatalog",
		.table_arn = ARN,
		.table_id = TABLE_ID,
		.at_ms = AT_MS,
		.start_ms = START_MS,
		.seed = 42,
	};
}

/* The i-th item, with noise in it that gzip cannot make smaller than `noise` bytes. */
static void item_of(struct buf *out, unsigned i, size_t noise)
{
	uint64_t state = i + 1;
	buf_reset(out);
	assert_int_equal(buf_printf(out, "{\"id\":{\"S\":\"%06u\"},\"n\":{\"N\":\"%u.10000000000000000000000000001\"}",
				    i, i),
			 0);
	assert_int_equal(buf_append_str(out, ",\"x\":{\"S\":\""), 0);
	for (size_t n = 0; n < noise * 4 / 3; n++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		buf_append_char(out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[state >> 58]);
	}
	assert_int_equal(buf_append_str(out, "\"}}"), 0);
}

struct run {
	struct export *x;
	bool ready;
	unsigned waits;
};

static void on_ready(void *arg)
{
	struct run *r = arg;
	r->ready = true;
}

/* Adds items [0, n). */
static int add_items(struct fixture *f, struct run *r, unsigned n, size_t noise, struct err *e)
{
	struct buf item;
	int rc = 0;
	buf_init(&item, TEXT_MAX);
	export_on_ready(r->x, on_ready, r);
	for (unsigned i = 0; i < n && rc == 0; i++) {
		item_of(&item, i, noise);
		while ((rc = export_add(r->x, (struct span){buf_str(&item), item.len}, e)) == 1) {
			r->waits++;
			r->ready = false;
			while (!r->ready)
				uv_run(&f->loop, UV_RUN_ONCE);
		}
	}
	buf_fini(&item);
	return rc;
}

static int run_export(struct fixture *f, const struct export_options *o, unsigned n, size_t noise, struct err *e)
{
	struct run r = {0};
	bool stop = false;
	r.x = export_new(&f->aws, o, e);
	if (r.x == NULL)
		return -(int)e->class;
	int rc = add_items(f, &r, n, noise, e);
	if (rc == 0)
		rc = export_finish(r.x, &stop, e);
	if (rc == 0) {
		const struct export_figures *figures = export_figures(r.x);
		assert_int_equal(figures->items, n);
		assert_true(figures->files > 0);
		assert_true(figures->stored_bytes > 0);
	}
	export_free(r.x);
	return rc;
}

static void must_export(struct fixture *f, const struct export_options *o, unsigned n, size_t noise)
{
	struct err e = {0};
	if (run_export(f, o, n, noise, &e) < 0)
		fail_msg("%s", e.message);
}

/* --- reading one --- */

/* A file of the folder, or an object of the bucket. */
static void read_file(struct fixture *f, bool bucket, const char *name, struct buf *out)
{
	char path[512];
	buf_init(out, TEXT_MAX);
	if (bucket) {
		const struct object *o = find_object(f, name);
		if (o == NULL)
			fail_msg("%s is not in the bucket", name);
		else
			assert_int_equal(buf_append(out, buf_str(&o->bytes), o->bytes.len), 0);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", f->root, name);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		fail_msg("%s is not there", path);
	struct stat st;
	assert_int_equal(fstat(fileno(file), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(buf_reserve(out, (size_t)st.st_size), 0);
	out->len = fread(out->data, 1, (size_t)st.st_size, file);
	out->data[out->len] = '\0';
	assert_int_equal(out->len, st.st_size);
	fclose(file);
}

static void gunzip(const struct buf *in, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)in->data, .avail_in = (uInt)in->len};
	int rc = Z_OK;
	buf_init(out, TEXT_MAX);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	while (rc == Z_OK) {
		assert_int_equal(buf_reserve(out, 1 << 16), 0);
		z.next_out = (Bytef *)out->data + out->len;
		z.avail_out = 1 << 16;
		rc = inflate(&z, Z_NO_FLUSH);
		out->len += (1 << 16) - z.avail_out;
	}
	assert_int_equal(rc, Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	out->data[out->len] = '\0';
	inflateEnd(&z);
}

static void must_match(const char *text, const char *pattern)
{
	regex_t re;
	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&re, text, 0, NULL, 0) != 0)
		fail_msg("\"%s\" does not match %s", text, pattern);
	regfree(&re);
}

static void must_be_md5(const char *text, const struct buf *bytes)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	char want[25] = "";
	digest_md5(md5, buf_str(bytes), bytes->len);
	encode_base64(want, md5, sizeof(md5));
	assert_string_equal(text, want);
}

struct seen {
	unsigned n;
	unsigned *times;
	unsigned side_by_side; /* items whose neighbour in the file is their neighbour by key */
	unsigned files;
	size_t noise;
};

/* One data file: JSON lines of {"Item":...}, each the item as it was given. Returns how many. */
static unsigned read_lines(struct seen *s, const struct buf *text)
{
	struct buf item, want;
	unsigned count = 0, last = UINT32_MAX - 1;
	buf_init(&item, TEXT_MAX);
	buf_init(&want, TEXT_MAX);
	for (const char *at = buf_str(text), *end; *at != '\0'; at = end + 1, count++) {
		unsigned i;
		end = strchr(at, '\n');
		assert_non_null(end);
		assert_int_equal(sscanf(at, "{\"Item\":{\"id\":{\"S\":\"%u\"}", &i), 1);
		assert_true(i < s->n);
		item_of(&item, i, s->noise);
		buf_reset(&want);
		assert_int_equal(buf_printf(&want, "{\"Item\":%s}", buf_str(&item)), 0);
		assert_int_equal(want.len, end - at);
		assert_memory_equal(at, buf_str(&want), want.len);
		json_error_t error;
		json_t *o = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, &error);
		assert_non_null(o);
		assert_int_equal(json_object_size(o), 1);
		json_decref(o);
		s->times[i]++;
		s->side_by_side += i == last + 1 || i + 1 == last;
		last = i;
	}
	buf_fini(&item);
	buf_fini(&want);
	return count;
}

static const char *text_of(json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	if (s == NULL)
		fail_msg("%s is not there", name);
	return s;
}

static unsigned read_data_file(struct fixture *f, bool bucket, const char *folder, json_t *line, struct seen *s)
{
	struct buf stored, text;
	char pattern[300];
	static const char *const names[] = {"itemCount", "md5Checksum", "etag", "dataFileS3Key"};
	for (size_t i = 0; i < 4; i++)
		assert_non_null(json_object_get(line, names[i]));
	assert_int_equal(json_object_size(line), 4);
	const char *key = text_of(line, "dataFileS3Key");
	snprintf(pattern, sizeof(pattern), "^%sdata/[a-z2-7]{26}\\.json\\.gz$", folder);
	must_match(key, pattern);
	read_file(f, bucket, key, &stored);
	must_be_md5(text_of(line, "md5Checksum"), &stored);
	if (bucket) {
		char etag[64];
		etag_of(etag, find_object(f, key));
		assert_string_equal(text_of(line, "etag"), etag);
		assert_string_equal(find_object(f, key)->type, "application/octet-stream");
	}
	gunzip(&stored, &text);
	unsigned count = read_lines(s, &text);
	assert_int_equal(json_integer_value(json_object_get(line, "itemCount")), count);
	buf_fini(&stored);
	buf_fini(&text);
	return count;
}

static void check_checksums(struct fixture *f, bool bucket, const char *folder, const char *stem,
			    const struct buf *text)
{
	static const char *const ends[] = {"checksum", "md5"};
	for (size_t i = 0; i < 2; i++) {
		char name[300];
		struct buf sum;
		snprintf(name, sizeof(name), "%s%s.%s", folder, stem, ends[i]);
		read_file(f, bucket, name, &sum);
		must_be_md5(buf_str(&sum), text);
		buf_fini(&sum);
	}
}

static void check_summary(json_t *o, bool bucket, const char *prefix, const char *id, const char *folder, unsigned n)
{
	static const char *const names[] = {"version",	       "exportArn",	 "startTime",	  "endTime",
					    "tableArn",	       "tableId",	 "exportTime",	  "s3Bucket",
					    "s3Prefix",	       "s3SseAlgorithm", "s3SseKmsKeyId", "manifestFilesS3Key",
					    "billedSizeBytes", "itemCount",	 "outputFormat"};
	char want[300];
	for (size_t i = 0; i < 15; i++)
		assert_non_null(json_object_get(o, names[i]));
	assert_int_equal(json_object_size(o), 15);
	assert_string_equal(text_of(o, "version"), "2020-06-30");
	snprintf(want, sizeof(want), ARN "/export/%s", id);
	assert_string_equal(text_of(o, "exportArn"), want);
	assert_string_equal(text_of(o, "startTime"), "2023-09-02T20:17:07.463Z");
	must_match(text_of(o, "endTime"), "^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z$");
	assert_string_equal(text_of(o, "tableArn"), ARN);
	assert_string_equal(text_of(o, "tableId"), TABLE_ID);
	assert_string_equal(text_of(o, "exportTime"), "2023-09-02T20:03:20.000Z");
	snprintf(want, sizeof(want), "%smanifest-files.json", folder);
	assert_string_equal(text_of(o, "manifestFilesS3Key"), want);
	assert_int_equal(json_integer_value(json_object_get(o, "billedSizeBytes")), 0);
	assert_int_equal(json_integer_value(json_object_get(o, "itemCount")), n);
	assert_string_equal(text_of(o, "outputFormat"), "DYNAMODB_JSON");
	if (!bucket) {
		assert_true(json_is_null(json_object_get(o, "s3Bucket")));
		assert_true(json_is_null(json_object_get(o, "s3SseAlgorithm")));
		assert_true(json_is_null(json_object_get(o, "s3SseKmsKeyId")));
	} else {
		assert_string_equal(text_of(o, "s3Bucket"), "out");
		assert_string_equal(text_of(o, "s3SseAlgorithm"), "KMS");
		assert_string_equal(text_of(o, "s3SseKmsKeyId"), "KEY");
	}
	if (prefix[0] == '\0')
		assert_true(json_is_null(json_object_get(o, "s3Prefix")));
	else
		assert_string_equal(text_of(o, "s3Prefix"), prefix);
}

static json_t *parse(const char *text, size_t len)
{
	json_error_t error;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (o == NULL)
		fail_msg("%.*s: %s", (int)len, text, error.text);
	return o;
}

/* Every rule of the documents on the whole export. `folder`: "prefix/AWSDynamoDB/<id>/". */
static void check_export(struct fixture *f, bool bucket, const char *prefix, const char *id, unsigned n, size_t noise,
			 struct seen *s)
{
	struct buf text, started;
	char folder[128], name[200];
	unsigned total = 0;
	*s = (struct seen){.n = n, .times = calloc(n + 1, sizeof(unsigned)), .noise = noise};
	assert_non_null(s->times);
	must_match(id, "^[0-9]{14}-[0-9a-f]{8}$");
	assert_int_equal(strncmp(id, "01693685827463-", 15), 0);
	snprintf(folder, sizeof(folder), "%s%sAWSDynamoDB/%s/", prefix, prefix[0] != '\0' ? "/" : "", id);
	snprintf(name, sizeof(name), "%s_started", folder);
	read_file(f, bucket, name, &started);
	assert_int_equal(started.len, 0);
	buf_fini(&started);
	snprintf(name, sizeof(name), "%smanifest-summary.json", folder);
	read_file(f, bucket, name, &text);
	check_checksums(f, bucket, folder, "manifest-summary", &text);
	json_t *o = parse(buf_str(&text), text.len);
	check_summary(o, bucket, prefix, id, folder, n);
	json_decref(o);
	buf_fini(&text);
	snprintf(name, sizeof(name), "%smanifest-files.json", folder);
	read_file(f, bucket, name, &text);
	check_checksums(f, bucket, folder, "manifest-files", &text);
	for (const char *at = buf_str(&text), *end; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		assert_non_null(end);
		o = parse(at, (size_t)(end - at));
		total += read_data_file(f, bucket, folder, o, s);
		s->files++;
		json_decref(o);
	}
	buf_fini(&text);
	assert_int_equal(total, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(s->times[i], 1);
	free(s->times);
}

/* The only export in the folder. */
static void id_in_folder(struct fixture *f, char id[64])
{
	char path[128];
	struct dirent *d;
	snprintf(path, sizeof(path), "%s/AWSDynamoDB", f->root);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	id[0] = '\0';
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.') {
			assert_string_equal(id, "");
			snprintf(id, 64, "%.63s", d->d_name);
		}
	closedir(dir);
}

static unsigned nfiles;
static int count_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)flag;
	nfiles += ftw->level > 0;
	return 0;
}

static unsigned files_in(const char *path)
{
	nfiles = 0;
	assert_int_equal(nftw(path, count_one, 16, FTW_PHYS), 0);
	return nfiles;
}

/* --- a folder --- */

static void test_folder(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct seen s;
	char id[64];
	must_export(f, &o, 50, 20);
	id_in_folder(f, id);
	check_export(f, false, "", id, 50, 20, &s);
	/* Several files, for an import reads them side by side. */
	assert_in_range(s.files, 2, 4);
	/* AWSDynamoDB, id, data, _started, two manifests with two checksums each: nothing else. */
	assert_int_equal(files_in(f->root), 3 + 1 + 6 + s.files);
}

static void test_folder_is_made(void **state)
{
	struct fixture *f = *state;
	char to[128];
	snprintf(to, sizeof(to), "%s/a/b/", f->root);
	struct export_options o = options_of(to);
	struct err e;
	struct export *x = export_new(&f->aws, &o, &e);
	bool stop = false;
	assert_non_null(x);
	assert_int_equal(export_finish(x, &stop, &e), 0);
	must_match(export_manifest(x), "^/tmp/.*/a/b/AWSDynamoDB/[^/]+/manifest-summary\\.json$");
	must_match(export_data(x), "^/tmp/.*/a/b/AWSDynamoDB/[^/]+/data/$");
	assert_int_equal(access(export_manifest(x), F_OK), 0);
	export_free(x);
}

static void test_unknown_table(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct buf text;
	char id[64], name[128];
	o.table_arn = "";
	o.table_id = NULL;
	must_export(f, &o, 1, 1);
	id_in_folder(f, id);
	snprintf(name, sizeof(name), "AWSDynamoDB/%s/manifest-summary.json", id);
	read_file(f, false, name, &text);
	json_t *summary = parse(buf_str(&text), text.len);
	assert_true(json_is_null(json_object_get(summary, "tableArn")));
	assert_true(json_is_null(json_object_get(summary, "tableId")));
	assert_true(json_is_null(json_object_get(summary, "exportArn")));
	json_decref(summary);
	buf_fini(&text);
}

static void test_empty_table(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct seen s;
	char id[64];
	must_export(f, &o, 0, 0);
	id_in_folder(f, id);
	check_export(f, false, "", id, 0, 0, &s);
	assert_int_equal(s.files, 1);
}

static void test_many_files_shuffled(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct seen s;
	char id[64];
	o.file_bytes = 200000;
	must_export(f, &o, 30000, 100);
	id_in_folder(f, id);
	check_export(f, false, "", id, 30000, 100, &s);
	assert_in_range(s.files, 10, 40);
	/* 30,000 of them were, had nothing been shuffled; 300 if the order were that of the keys within each of the 4. */
	assert_true(s.side_by_side < 100);
}

static void test_large_items(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct seen s;
	char id[64];
	must_export(f, &o, 40, 300000);
	id_in_folder(f, id);
	check_export(f, false, "", id, 40, 300000, &s);
}

/* The bytes of all data files, in the order of the manifest. */
static void all_data(struct fixture *f, struct buf *out)
{
	struct buf manifest, one;
	char id[64], name[128];
	id_in_folder(f, id);
	snprintf(name, sizeof(name), "AWSDynamoDB/%s/manifest-files.json", id);
	read_file(f, false, name, &manifest);
	buf_init(out, TEXT_MAX);
	for (const char *at = buf_str(&manifest), *end; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		json_t *o = parse(at, (size_t)(end - at));
		read_file(f, false, text_of(o, "dataFileS3Key"), &one);
		assert_int_equal(buf_append(out, buf_str(&one), one.len), 0);
		buf_fini(&one);
		json_decref(o);
	}
	assert_int_equal(buf_append(out, buf_str(&manifest), manifest.len), 0);
	buf_fini(&manifest);
}

static void test_seed_decides(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct buf data[3];
	o.file_bytes = 100000;
	for (int i = 0; i < 3; i++) {
		o.seed = i < 2 ? 7 : 8;
		must_export(f, &o, 6000, 100);
		all_data(f, &data[i]);
		nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
		assert_int_equal(mkdir(f->root, 0700), 0);
	}
	assert_int_equal(data[0].len, data[1].len);
	assert_memory_equal(buf_str(&data[0]), buf_str(&data[1]), data[0].len);
	assert_true(data[0].len != data[2].len || memcmp(buf_str(&data[0]), buf_str(&data[2]), data[0].len) != 0);
	for (int i = 0; i < 3; i++)
		buf_fini(&data[i]);
}

static void test_destination_is_shared(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct err e = {0};
	must_export(f, &o, 10, 10);
	unsigned before = files_in(f->root);
	/* The same again is refused, and touches nothing. */
	assert_int_equal(run_export(f, &o, 10, 10, &e), -ERR_CONFLICT);
	must_match(e.message, "manifest-summary.json exists.*remove it");
	assert_int_equal(files_in(f->root), before);
	o.start_ms++;
	must_export(f, &o, 10, 10);
	assert_true(files_in(f->root) > before + 8);
}

static void test_killed_run_is_in_the_way(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct err e = {0};
	char id[64], path[256];
	must_export(f, &o, 10, 10);
	id_in_folder(f, id);
	snprintf(path, sizeof(path), "%s/AWSDynamoDB/%s/manifest-summary.json", f->root, id);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(run_export(f, &o, 10, 10, &e), -ERR_CONFLICT);
	must_match(e.message, "_started exists");
}

static void test_bad_destinations(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"", "\xff", "s3://", "s3://no bucket"};
	struct err e = {0};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct export_options o = options_of(bad[i]);
		assert_int_equal(run_export(f, &o, 1, 1, &e), -ERR_INVALID);
	}
	char file[128];
	snprintf(file, sizeof(file), "%s/file", f->root);
	fclose(fopen(file, "we"));
	struct export_options o = options_of(file);
	assert_int_equal(run_export(f, &o, 1, 1, &e), -ERR_SYSTEM);
	must_match(e.message, "file.*Not a directory");
	assert_int_equal(files_in(f->root), 1);
}

static void test_cancelled(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct run r = {0};
	struct err e = {0};
	bool stop = true;
	o.file_bytes = 50000;
	r.x = export_new(&f->aws, &o, &e);
	assert_non_null(r.x);
	assert_int_equal(add_items(f, &r, 10000, 100, &e), 0);
	assert_true(files_in(f->root) > 4);
	assert_int_equal(export_finish(r.x, &stop, &e), -ERR_CANCELLED);
	export_free(r.x);
	assert_int_equal(files_in(f->root), 0);
}

static void test_given_up_before_the_end(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct run r = {0};
	struct err e;
	r.x = export_new(&f->aws, &o, &e);
	assert_int_equal(add_items(f, &r, 10000, 100, &e), 0);
	export_free(r.x);
	assert_int_equal(files_in(f->root), 0);
}

static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of(f->root);
	struct rlimit old, small;
	struct err e = {0};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){100000, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = run_export(f, &o, 20000, 100, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, -ERR_SYSTEM);
	must_match(e.message, "\\.json\\.gz\\.part: .*; make room, or choose another folder");
	assert_int_equal(files_in(f->root), 0);
}

/* --- the one file of incremental-snapshot --- */

static void check_replicator(const struct buf *stored, unsigned n, size_t noise)
{
	struct buf text, want, item;
	gunzip(stored, &text);
	buf_init(&want, TEXT_MAX);
	buf_init(&item, TEXT_MAX);
	for (unsigned i = 0; i < n; i++) {
		item_of(&item, i, noise);
		assert_int_equal(buf_append(&want, buf_str(&item), item.len), 0);
		assert_int_equal(buf_append_char(&want, '\n'), 0);
	}
	assert_int_equal(text.len, want.len);
	assert_memory_equal(buf_str(&text), buf_str(&want), want.len);
	buf_fini(&text);
	buf_fini(&want);
	buf_fini(&item);
}

static void test_replicator_file(void **state)
{
	struct fixture *f = *state;
	char to[128];
	struct buf stored;
	struct err e = {0};
	snprintf(to, sizeof(to), "%s/snap/primary", f->root);
	struct export_options o = options_of(to);
	o.format = EXPORT_REPLICATOR;
	must_export(f, &o, 5000, 50);
	read_file(f, false, "snap/primary", &stored);
	check_replicator(&stored, 5000, 50);
	assert_int_equal(files_in(f->root), 2);
	assert_int_equal(run_export(f, &o, 1, 1, &e), -ERR_CONFLICT);
	must_match(e.message, "snap/primary exists");
	struct buf again;
	read_file(f, false, "snap/primary", &again);
	assert_int_equal(again.len, stored.len);
	buf_fini(&again);
	buf_fini(&stored);
	o.to = f->root;
	assert_int_equal(run_export(f, &o, 1, 1, &e), -ERR_INVALID);
	o.to = "s3://out/snap/";
	assert_int_equal(run_export(f, &o, 1, 1, &e), -ERR_INVALID);
}

static void test_replicator_given_up(void **state)
{
	struct fixture *f = *state;
	char to[128];
	struct run r = {0};
	struct err e;
	snprintf(to, sizeof(to), "%s/primary", f->root);
	struct export_options o = options_of(to);
	o.format = EXPORT_REPLICATOR;
	r.x = export_new(&f->aws, &o, &e);
	assert_int_equal(add_items(f, &r, 5000, 50, &e), 0);
	export_free(r.x);
	assert_int_equal(files_in(f->root), 0);
}

static void test_replicator_object(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/snapshots/primary");
	o.format = EXPORT_REPLICATOR;
	o.part_bytes = 100000;
	must_export(f, &o, 5000, 100);
	assert_int_equal(f->nobjects, 1);
	assert_string_equal(f->objects[0].key, "snapshots/primary");
	assert_true(f->objects[0].parts > 3);
	check_replicator(&f->objects[0].bytes, 5000, 100);
	struct err e = {0};
	assert_int_equal(run_export(f, &o, 1, 1, &e), -ERR_CONFLICT);
	must_match(e.message, "^s3://out/snapshots/primary exists");
}

/* --- a bucket --- */

static void id_in_bucket(const struct fixture *f, char id[64])
{
	const char *at = strstr(f->objects[0].key, "AWSDynamoDB/");
	assert_non_null(at);
	snprintf(id, 64, "%.*s", (int)strcspn(at + 12, "/"), at + 12);
}

static void test_bucket(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/2020-Nov/a/");
	struct seen s;
	char id[64];
	must_export(f, &o, 50, 20);
	id_in_bucket(f, id);
	check_export(f, true, "2020-Nov/a", id, 50, 20, &s);
	assert_int_equal(f->nuploads, 0);
	assert_int_equal(f->nobjects, 7 + s.files);
	/* Who goes by the summary never sees half an export. */
	must_match(f->objects[f->nobjects - 1].key, "/manifest-summary.json$");
	assert_string_equal(f->objects[f->nobjects - 1].type, "application/json");
}

static void test_bucket_without_prefix(void **state)
{
	struct fixture *f = *state;
	static const char *const to[] = {"s3://out", "s3://out/"};
	for (int i = 0; i < 2; i++) {
		struct export_options o = options_of(to[i]);
		struct seen s;
		struct err e = {0};
		char id[64];
		if (i > 0) {
			assert_int_equal(run_export(f, &o, 1, 1, &e), -ERR_CONFLICT);
			continue;
		}
		must_export(f, &o, 3, 3);
		id_in_bucket(f, id);
		check_export(f, true, "", id, 3, 3, &s);
	}
}

static void test_names_for_an_import(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/p/");
	struct err e;
	bool stop = false;
	struct export *x = export_new(&f->aws, &o, &e);
	assert_non_null(x);
	assert_int_equal(export_finish(x, &stop, &e), 0);
	must_match(export_manifest(x), "^s3://out/p/AWSDynamoDB/[^/]+/manifest-summary\\.json$");
	must_match(export_data(x), "^p/AWSDynamoDB/[^/]+/data/$");
	/* ImportTable takes all that is there for data. */
	size_t matching = 0;
	for (size_t i = 0; i < f->nobjects; i++)
		matching += strncmp(f->objects[i].key, export_data(x), strlen(export_data(x))) == 0;
	assert_int_equal(matching, 1);
	export_free(x);
}

static void test_multipart(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/p");
	struct seen s;
	char id[64];
	o.part_bytes = 60000;
	o.file_bytes = 400000;
	must_export(f, &o, 30000, 100);
	id_in_bucket(f, id);
	check_export(f, true, "p", id, 30000, 100, &s);
	assert_true(s.files > 4);
	assert_true(f->nuploads > 4);
	for (size_t i = 0; i < f->nuploads; i++) {
		const struct upload *u = &f->uploads[i];
		assert_false(u->open);
		for (unsigned p = 0; p + 1 < u->nparts; p++)
			assert_true(u->parts[p].len >= o.part_bytes);
	}
	assert_int_equal(f->aborted, 0);
}

static void survive(void **state, const char *what, enum fault fault, unsigned times)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/p");
	struct seen s;
	char id[64];
	f->what = what;
	f->fault = fault;
	f->faults = times;
	o.part_bytes = 60000;
	o.file_bytes = 400000;
	must_export(f, &o, 10000, 100);
	assert_int_equal(f->faults, 0);
	id_in_bucket(f, id);
	check_export(f, true, "p", id, 10000, 100, &s);
	for (size_t i = 0; i < f->nuploads; i++)
		assert_true(!f->uploads[i].open || strcmp(what, "create") == 0);
}

static void test_part_is_tried_again(void **state)
{
	survive(state, "part", INTERNAL, 3);
}

static void test_part_is_throttled(void **state)
{
	survive(state, "part", SLOW_DOWN, 2);
}

static void test_answer_to_part_is_lost(void **state)
{
	survive(state, "part", RESET_AFTER, 2);
}

static void test_create_is_tried_again(void **state)
{
	survive(state, "create", INTERNAL, 2);
}

static void test_put_is_tried_again(void **state)
{
	survive(state, "put", RESET_BEFORE, 3);
}

static void test_complete_is_tried_again(void **state)
{
	survive(state, "complete", INTERNAL, 2);
}

static void test_answer_to_complete_is_lost(void **state)
{
	survive(state, "complete", RESET_AFTER, 2);
}

static void test_write_only_destination(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/p");
	f->what = "head";
	f->fault = DENIED;
	f->faults = 1000;
	must_export(f, &o, 10, 10);
}

/* Fails with `class`, and leaves nothing. */
static void succumb(void **state, const char *what, enum fault fault, unsigned times, enum err_class class,
		    const char *pattern)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/p");
	struct err e = {0};
	f->what = what;
	f->fault = fault;
	f->faults = times;
	o.part_bytes = 60000;
	o.file_bytes = 150000;
	assert_int_equal(run_export(f, &o, 30000, 100, &e), -(int)class);
	must_match(e.message, pattern);
	assert_int_equal(f->nobjects, 0);
	for (size_t i = 0; i < f->nuploads; i++)
		assert_false(f->uploads[i].open);
}

static void test_part_is_refused(void **state)
{
	succumb(state, "part", DENIED, 1000, ERR_DENIED, "UploadPart.*bucket out.*no.*needs s3:PutObject");
	assert_true(((struct fixture *)*state)->aborted > 0);
}

static void test_create_is_refused(void **state)
{
	succumb(state, "create", DENIED, 1000, ERR_DENIED, "CreateMultipartUpload.*needs s3:PutObject");
}

static void test_put_is_refused(void **state)
{
	succumb(state, "put", DENIED, 1000, ERR_DENIED, "PutObject.*needs s3:PutObject");
	/* Nothing was there to be taken away. */
	assert_int_equal(((struct fixture *)*state)->deletes, 0);
}

static void test_complete_did_not_work(void **state)
{
	((struct fixture *)*state)->lose_object = true;
	succumb(state, "complete", RESET_AFTER, 1000, ERR_NOT_FOUND, "s3://out/p/.*the upload is gone.*again");
}

static void test_cleaning_up_is_refused(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/p");
	struct run r = {0};
	struct err e;
	o.file_bytes = 50000;
	r.x = export_new(&f->aws, &o, &e);
	assert_int_equal(add_items(f, &r, 10000, 100, &e), 0);
	f->what = "delete";
	f->fault = DENIED;
	f->faults = 1000;
	export_free(r.x);
	/* One refusal is enough. */
	assert_int_equal(f->faults, 999);
	assert_true(f->nobjects > 1);
}

static void on_stop(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

/* A server that says nothing to parts: an operator who stops it is not kept. */
static void test_cancelled_while_a_server_is_silent(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/p");
	struct run r = {0};
	struct err e = {0};
	bool stop = false;
	uv_timer_t timer;
	f->what = "part";
	f->fault = SILENT;
	f->faults = 1000;
	o.part_bytes = 30000;
	r.x = export_new(&f->aws, &o, &e);
	/* So few that all go into the first parts, the pool, and what waits to be compressed. */
	assert_int_equal(add_items(f, &r, 4200, 100, &e), 0);
	uv_timer_init(&f->loop, &timer);
	timer.data = &stop;
	uv_timer_start(&timer, on_stop, 100, 0);
	assert_int_equal(export_finish(r.x, &stop, &e), -ERR_CANCELLED);
	uv_close((uv_handle_t *)&timer, NULL);
	export_free(r.x);
	assert_true(f->nuploads > 0);
	assert_int_equal(f->nobjects, 0);
	for (size_t i = 0; i < f->nuploads; i++)
		assert_false(f->uploads[i].open);
}

/* With every buffer on its way, items must wait, and go on when a part is there. */
static void test_slow_server_holds_items_back(void **state)
{
	struct fixture *f = *state;
	struct export_options o = options_of("s3://out/p");
	struct run r = {0};
	struct err e = {0};
	bool stop = false;
	o.part_bytes = 30000;
	f->what = "part";
	f->fault = SLOW_DOWN;
	f->faults = 4;
	r.x = export_new(&f->aws, &o, &e);
	assert_int_equal(add_items(f, &r, 20000, 100, &e), 0);
	assert_true(r.waits > 0);
	assert_int_equal(export_finish(r.x, &stop, &e), 0);
	export_free(r.x);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_folder),
		TEST(test_folder_is_made),
		TEST(test_unknown_table),
		TEST(test_empty_table),
		TEST(test_many_files_shuffled),
		TEST(test_large_items),
		TEST(test_seed_decides),
		TEST(test_destination_is_shared),
		TEST(test_killed_run_is_in_the_way),
		TEST(test_bad_destinations),
		TEST(test_cancelled),
		TEST(test_given_up_before_the_end),
		TEST(test_full_disk),
		TEST(test_replicator_file),
		TEST(test_replicator_given_up),
		TEST(test_replicator_object),
		TEST(test_bucket),
		TEST(test_bucket_without_prefix),
		TEST(test_names_for_an_import),
		TEST(test_multipart),
		TEST(test_part_is_tried_again),
		TEST(test_part_is_throttled),
		TEST(test_answer_to_part_is_lost),
		TEST(test_create_is_tried_again),
		TEST(test_put_is_tried_again),
		TEST(test_complete_is_tried_again),
		TEST(test_answer_to_complete_is_lost),
		TEST(test_write_only_destination),
		TEST(test_part_is_refused),
		TEST(test_create_is_refused),
		TEST(test_put_is_refused),
		TEST(test_complete_did_not_work),
		TEST(test_cleaning_up_is_refused),
		TEST(test_cancelled_while_a_server_is_silent),
		TEST(test_slow_server_holds_items_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
