/*
 * ImportTable and DescribeImport (API Reference; Developer Guide, "DynamoDB data import from Amazon S3", "Import format
 * quotas and validation"). The objects are read when the last DescribeImport that tells IN_PROGRESS is over; the table is
 * CREATING until then. Nothing that is imported gives a record.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ddb.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"

#define TOKEN_MS ((int64_t)8 * 3600 * 1000)
#define INFLATE_BYTES 65536

struct import {
	char *arn, *token;
	struct table *table;
	char *table_id;
	json_t *params; /* the request without its token */
	bool over;
	int64_t calls; /* of DescribeImport that still tell IN_PROGRESS */
	int64_t start_ms, end_ms;
	char *failure, *reason; /* NULL: it did not fail */
	size_t bytes, items, imported, errors;
};

static json_t *describe(const struct import *m)
{
	static const char *const kept[] = {"S3BucketSource", "InputFormat", "InputCompressionType",
					   "InputFormatOptions", "TableCreationParameters"};
	json_t *d = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:I, s:I, s:I, s:I}", "ImportArn", m->arn, "ImportStatus",
			      !m->over	   ? "IN_PROGRESS"
			      : m->failure ? "FAILED"
					   : "COMPLETED",
			      "TableId", m->table_id, "ClientToken", m->token, "CloudWatchLogGroupArn",
			      "arn:aws:logs:" FAKE_REGION ":" FAKE_ACCOUNT ":log-group:/aws-dynamodb/imports:*",
			      "StartTime", (double)m->start_ms / 1000, "ErrorCount", (json_int_t)m->errors,
			      "ProcessedSizeBytes", (json_int_t)m->bytes, "ProcessedItemCount", (json_int_t)m->items,
			      "ImportedItemCount", (json_int_t)m->imported);

	json_object_set_new(d, "TableArn", json_sprintf(DDB_TABLE_ARN "%s", m->table->name));
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (json_object_get(m->params, kept[i]))
			json_object_set(d, kept[i], json_object_get(m->params, kept[i]));
	if (m->over)
		json_object_set_new(d, "EndTime", json_real((double)m->end_ms / 1000));
	if (m->over && m->failure) {
		json_object_set_new(d, "FailureCode", json_string(m->failure));
		json_object_set_new(d, "FailureMessage", json_string(m->reason));
	}
	return json_pack("{s:o}", "ImportTableDescription", d);
}

/* --- ImportTable --- */

static bool check(const struct request *r, struct reply *a)
{
	const char *compression = ddb_text(r, "InputCompressionType"), *why = NULL;
	const json_t *source = json_object_get(r->json, "S3BucketSource");

	if (!json_is_string(json_object_get(source, "S3Bucket")))
		why = "S3BucketSource and its S3Bucket are required";
	else if (strcmp(ddb_text(r, "InputFormat"), "DYNAMODB_JSON") != 0)
		why = "fakeaws imports DYNAMODB_JSON only";
	else if (*compression && strcmp(compression, "NONE") != 0 && strcmp(compression, "GZIP") != 0)
		why = "fakeaws imports GZIP and NONE only";
	else if (!json_is_object(json_object_get(r->json, "TableCreationParameters")))
		why = "TableCreationParameters are required";
	if (why)
		ddb_error(a, "ValidationException", why);
	return !why;
}

/* The import of this token of the last eight hours. */
static struct import *find_token(struct fake *f, const char *token)
{
	int64_t now_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);

	for (size_t i = f->nimports; i-- > 0;)
		if (strcmp(f->imports[i]->token, token) == 0 && now_ms - f->imports[i]->start_ms < TOKEN_MS)
			return f->imports[i];
	return NULL;
}

static struct import *begin(struct fake *f, struct table *t, const char *token, json_t *params)
{
	struct import *m = mem_new(sizeof(*m));

	m->start_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
	m->arn = mem_printf(DDB_TABLE_ARN "%s/import/%014lld-%08llx", t->name, (long long)m->start_ms,
			    (unsigned long long)rng_next(&f->rng) >> 32);
	m->token = *token ? mem_dup(token) : mem_printf("%016llx", (unsigned long long)rng_next(&f->rng));
	m->table = t;
	m->table_id = mem_dup(t->id);
	m->params = json_incref(params);
	m->calls = t->options.import_calls;
	t->exists = t->importing = true;
	t->stream = NULL;
	mem_reserve(&f->imports, &f->imports_cap, f->nimports + 1, sizeof(*f->imports));
	f->imports[f->nimports++] = m;
	return m;
}

void ddb_import_table(struct fake *f, struct request *r, struct reply *a)
{
	const char *token = ddb_text(r, "ClientToken");
	struct import *m = find_token(f, token);
	struct table *t;

	if (!check(r, a))
		return;
	json_t *params = json_copy(r->json);
	json_object_del(params, "ClientToken");
	if (m && !json_equal(m->params, params)) {
		ddb_error(
			a, "ImportConflictException",
			"There was a conflict when importing from the specified S3 source: the client token is that of "
			"another import");
	} else if (m) {
		ddb_json(a, describe(m));
	} else {
		t = ddb_make_table(f, json_object_get(r->json, "TableCreationParameters"), a);
		if (t)
			ddb_json(a, describe(begin(f, t, token, params)));
	}
	json_decref(params);
}

/* --- its data --- */

/* Appends what the object's bytes are without compression; false when they are not gzip to their end. */
static bool gunzip(const struct s3_version *v, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)v->body, .avail_in = (uInt)v->len};
	char *room = mem_new(INFLATE_BYTES);
	int rc = inflateInit2(&z, 15 + 16) == Z_OK ? Z_OK : Z_MEM_ERROR;

	while (rc == Z_OK) {
		z.next_out = (Bytef *)room;
		z.avail_out = INFLATE_BYTES;
		rc = inflate(&z, Z_NO_FLUSH);
		text_put_n(out, room, INFLATE_BYTES - z.avail_out);
		/* A file may be several one after the other (RFC 1952, 2.2). */
		if (rc == Z_STREAM_END && z.avail_in > 0)
			rc = inflateReset(&z);
	}
	inflateEnd(&z);
	free(room);
	return rc == Z_STREAM_END;
}

/* False when the line is no item at all: what is left of its object is not looked at then. */
static bool import_line(struct import *m, const char *line, size_t n)
{
	json_t *json = json_loadb(line, n, 0, NULL), *item = json_object_get(json, "Item");
	struct history *h = NULL;
	struct image *now;
	struct reply refused;

	m->items++;
	if (!json_is_object(item)) {
		m->errors++;
		json_decref(json);
		return false;
	}
	reply_init(&refused);
	now = ddb_take_item(m->table, item, &h, &refused);
	reply_free(&refused);
	json_decref(json);
	if (now) {
		image_unref(h->now);
		h->now = now;
		m->imported++;
	} else {
		m->errors++;
	}
	return true;
}

static void import_object(struct import *m, const struct s3_version *v, bool gzip)
{
	struct buf text;
	const char *p;
	bool good = true;

	text_init(&text);
	if (gzip && !gunzip(v, &text))
		m->errors++;
	else if (!gzip)
		text_put_n(&text, v->body, v->len);
	m->bytes += text.len;
	for (p = buf_str(&text); good && *p; p += *p == '\n') {
		size_t n = strcspn(p, "\n");
		if (strspn(p, " \t\r") < n)
			good = import_line(m, p, n);
		p += n;
	}
	buf_fini(&text);
}

static void fail(struct import *m, const char *failure, const char *reason)
{
	m->failure = mem_dup(failure);
	m->reason = mem_dup(reason);
}

static void import_all(struct fake *f, struct import *m)
{
	const json_t *source = json_object_get(m->params, "S3BucketSource");
	const char *prefix = json_string_value(json_object_get(source, "S3KeyPrefix"));
	const char *compression = json_string_value(json_object_get(m->params, "InputCompressionType"));
	struct s3_bucket *b = s3_bucket_find(f, json_string_value(json_object_get(source, "S3Bucket")));
	size_t objects = 0;

	if (!b) {
		fail(m, "S3NoSuchBucket", "The specified bucket does not exist");
		return;
	}
	prefix = prefix ? prefix : "";
	for (size_t i = s3_lower_bound(b, prefix); i < b->n; i++) {
		const struct s3_object *o = b->sorted[i];
		if (strncmp(o->key, prefix, strlen(prefix)) != 0)
			break;
		const struct s3_version *v = s3_latest(o);
		if (!v || v->marker || v->len == 0)
			continue;
		objects++;
		import_object(m, v, compression && strcmp(compression, "GZIP") == 0);
	}
	if (objects == 0)
		fail(m, "S3NoSuchKey", "There is no object to import from");
}

static void finish(struct fake *f, struct import *m)
{
	struct table *t = m->table;

	if (t->import_failure)
		fail(m, t->import_failure, t->import_reason);
	else
		import_all(f, m);
	free(t->import_failure);
	free(t->import_reason);
	t->import_failure = t->import_reason = NULL;
	m->over = true;
	m->end_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
	t->importing = false;
}

void ddb_describe_import(struct fake *f, struct request *r, struct reply *a)
{
	for (size_t i = 0; i < f->nimports; i++) {
		struct import *m = f->imports[i];
		if (strcmp(m->arn, ddb_text(r, "ImportArn")) != 0)
			continue;
		if (!m->over && m->calls-- <= 0)
			finish(f, m);
		ddb_json(a, describe(m));
		return;
	}
	ddb_error(a, "ImportNotFoundException", "The specified import was not found");
}
