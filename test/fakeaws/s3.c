#include "s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "mem.h"

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

struct s3_bucket *s3_bucket_find(struct fake *f, const char *name)
{
	for (size_t i = 0; i < f->s3.n; i++)
		if (strcmp(f->s3.buckets[i]->name, name) == 0)
			return f->s3.buckets[i];
	return NULL;
}

static bool same_key(const struct map_node *n, const void *key)
{
	return strcmp(((const struct s3_object *)(const void *)n)->key, key) == 0;
}

struct s3_object *s3_object_find(const struct s3_bucket *b, const char *key)
{
	return (struct s3_object *)(void *)map_find(&b->objects, map_hash(key, strlen(key)), same_key, key);
}

size_t s3_lower_bound(const struct s3_bucket *b, const char *key)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(b->sorted[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* "bucket.localhost:1234" and AWS's own names: the bucket; anything else is path-style. */
static size_t virtual_host(const char *host)
{
	size_t n = strcspn(host, ":");
	static const char *const tails[] = {".localhost", ".s3." FAKE_REGION ".amazonaws.com", ".s3.amazonaws.com"};

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		size_t tail = strlen(tails[i]);
		if (n > tail && strncmp(host + n - tail, tails[i], tail) == 0)
			return n - tail;
	}
	return 0;
}

static const char *operation(const struct request *r)
{
	bool get = strcmp(r->method, "GET") == 0, put = strcmp(r->method, "PUT") == 0;

	if (!r->table[0])
		return get ? "ListBuckets" : "";
	if (!r->key[0]) {
		bool versioning = request_query(r, "versioning") != NULL;
		if (get)
			return versioning		      ? "GetBucketVersioning"
			       : request_query(r, "versions") ? "ListObjectVersions"
							      : "";
		if (put)
			return versioning ? "PutBucketVersioning" : r->query.n ? "" : "CreateBucket";
		return strcmp(r->method, "HEAD") == 0 ? "HeadBucket" : "";
	}
	if (put)
		return "PutObject";
	if (get)
		return "GetObject";
	return strcmp(r->method, "HEAD") == 0 ? "HeadObject" : strcmp(r->method, "DELETE") == 0 ? "DeleteObject" : "";
}

void s3_identify(struct fake *f, struct request *r)
{
	const char *host = request_header(r, "host"), *path = r->path ? r->path : "/";
	size_t n = host ? virtual_host(host) : 0;

	(void)f;
	r->service = SERVICE_S3;
	path += *path == '/';
	if (n) {
		snprintf(r->table, sizeof(r->table), "%.*s", (int)n, host);
	} else {
		n = strcspn(path, "/");
		snprintf(r->table, sizeof(r->table), "%.*s", (int)n, path);
		path += n;
		path += *path == '/';
	}
	snprintf(r->key, sizeof(r->key), "%s", path);
	snprintf(r->op, sizeof(r->op), "%s", operation(r));
}

void s3_error(const struct request *r, struct reply *a, int status, const char *code, const char *message)
{
	a->status = status;
	snprintf(a->code, sizeof(a->code), "%s", code);
	buf_reset(&a->body);
	if (strcmp(r->method, "HEAD") == 0)
		return;
	reply_header(a, "Content-Type", "application/xml");
	text_printf(&a->body, XML_HEAD "<Error><Code>%s</Code><Message>", code);
	text_put_xml(&a->body, message);
	text_put(&a->body, "</Message>");
	if (r->key[0]) {
		text_put(&a->body, "<Key>");
		text_put_xml(&a->body, r->key);
		text_put(&a->body, "</Key>");
	}
	text_printf(&a->body, "<RequestId>%016llX</RequestId><HostId>fakeaws</HostId></Error>",
		    (unsigned long long)r->id);
}

static void create_bucket(struct fake *f, struct request *r, struct reply *a)
{
	char *location = mem_printf("/%s", r->table);

	if (s3_bucket_find(f, r->table)) {
		s3_error(r, a, 409, "BucketAlreadyOwnedByYou",
			 "Your previous request to create the named bucket succeeded and you already own it.");
	} else if (strlen(r->table) < 3 || strlen(r->table) > 63 ||
		   strspn(r->table, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(r->table)) {
		s3_error(r, a, 400, "InvalidBucketName", "The specified bucket is not valid.");
	} else {
		struct s3_bucket *b = mem_new(sizeof(*b));
		b->name = mem_dup(r->table);
		b->created_ms = vclock_of_ms(&f->clock, SERVICE_S3);
		map_init(&b->objects);
		mem_reserve(&f->s3.buckets, &f->s3.cap, f->s3.n + 1, sizeof(*f->s3.buckets));
		f->s3.buckets[f->s3.n++] = b;
		reply_header(a, "Location", location);
	}
	free(location);
}

static void get_versioning(const struct s3_bucket *b, struct reply *a)
{
	reply_header(a, "Content-Type", "application/xml");
	text_put(&a->body, XML_HEAD "<VersioningConfiguration" XMLNS ">");
	if (b->versioning != S3_UNVERSIONED)
		text_printf(&a->body, "<Status>%s</Status>", b->versioning == S3_ENABLED ? "Enabled" : "Suspended");
	text_put(&a->body, "</VersioningConfiguration>");
}

static void put_versioning(struct s3_bucket *b, const struct request *r, struct reply *a)
{
	const char *body = buf_str(&r->body);

	if (strstr(body, "<Status>Enabled</Status>"))
		b->versioning = S3_ENABLED;
	else if (strstr(body, "<Status>Suspended</Status>"))
		b->versioning = S3_SUSPENDED;
	else
		s3_error(r, a, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate.");
}

static void list_buckets(const struct fake *f, struct reply *a)
{
	char iso[40];

	reply_header(a, "Content-Type", "application/xml");
	text_put(&a->body, XML_HEAD "<ListAllMyBucketsResult" XMLNS "><Buckets>");
	for (size_t i = 0; i < f->s3.n; i++) {
		vclock_iso(iso, f->s3.buckets[i]->created_ms);
		text_printf(&a->body, "<Bucket><Name>%s</Name><CreationDate>%s</CreationDate></Bucket>",
			    f->s3.buckets[i]->name, iso);
	}
	text_put(&a->body, "</Buckets></ListAllMyBucketsResult>");
}

void s3_answer(struct fake *f, struct request *r, struct reply *a)
{
	struct s3_bucket *b = s3_bucket_find(f, r->table);
	const char *op = r->op;

	if (strcmp(op, "ListBuckets") == 0)
		list_buckets(f, a);
	else if (strcmp(op, "CreateBucket") == 0)
		create_bucket(f, r, a);
	else if (!*op)
		s3_error(r, a, 501, "NotImplemented",
			 "A header or query you provided implies functionality that is not implemented.");
	else if (!b)
		s3_error(r, a, 404, "NoSuchBucket", "The specified bucket does not exist");
	else if (strcmp(op, "GetBucketVersioning") == 0)
		get_versioning(b, a);
	else if (strcmp(op, "PutBucketVersioning") == 0)
		put_versioning(b, r, a);
	else if (strcmp(op, "ListObjectVersions") == 0)
		s3_list_versions(f, b, r, a);
	else if (strcmp(op, "PutObject") == 0)
		s3_put_object(f, b, r, a);
	else if (strcmp(op, "DeleteObject") == 0)
		s3_delete_object(f, b, r, a);
	else if (strcmp(op, "GetObject") == 0 || strcmp(op, "HeadObject") == 0)
		s3_get_object(f, b, r, a);
	else
		reply_header(a, "x-amz-bucket-region", FAKE_REGION);
}
