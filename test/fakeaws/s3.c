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

enum level { LEVEL_ROOT, LEVEL_BUCKET, LEVEL_KEY };

struct operation {
	const char *method;
	enum level level;
	const char *parameter; /* of the query, that makes it this one; NULL: none is needed */
	const char *name;
	s3_handler *handler;
};

static s3_handler list_buckets, create_bucket, head_bucket, get_versioning, put_versioning;

/* The first that fits. */
static const struct operation operations[] = {
	{"GET", LEVEL_ROOT, NULL, "ListBuckets", list_buckets},
	{"GET", LEVEL_BUCKET, "versioning", "GetBucketVersioning", get_versioning},
	{"PUT", LEVEL_BUCKET, "versioning", "PutBucketVersioning", put_versioning},
	{"GET", LEVEL_BUCKET, "versions", "ListObjectVersions", s3_list_versions},
	{"GET", LEVEL_BUCKET, "list-type", "ListObjectsV2", s3_list_objects},
	{"GET", LEVEL_BUCKET, "uploads", "ListMultipartUploads", s3_list_uploads},
	{"PUT", LEVEL_BUCKET, NULL, "CreateBucket", create_bucket},
	{"HEAD", LEVEL_BUCKET, NULL, "HeadBucket", head_bucket},
	{"POST", LEVEL_KEY, "uploads", "CreateMultipartUpload", s3_create_upload},
	{"PUT", LEVEL_KEY, "uploadId", "UploadPart", s3_upload_part},
	{"POST", LEVEL_KEY, "uploadId", "CompleteMultipartUpload", s3_complete_upload},
	{"DELETE", LEVEL_KEY, "uploadId", "AbortMultipartUpload", s3_abort_upload},
	{"GET", LEVEL_KEY, "uploadId", "ListParts", s3_list_parts},
	{"PUT", LEVEL_KEY, NULL, "PutObject", s3_put_object},
	{"GET", LEVEL_KEY, NULL, "GetObject", s3_get_object},
	{"HEAD", LEVEL_KEY, NULL, "HeadObject", s3_get_object},
	{"DELETE", LEVEL_KEY, NULL, "DeleteObject", s3_delete_object},
};

/* What would otherwise be taken for the object, or for another bucket. */
static bool is_unknown(const struct request *r, enum level level)
{
	static const char *const subresources[] = {"acl",	"attributes", "legal-hold", "partNumber",
						   "retention", "tagging",    "torrent"};

	for (size_t i = 0; i < sizeof(subresources) / sizeof(subresources[0]); i++)
		if (request_query(r, subresources[i]))
			return true;
	return level == LEVEL_BUCKET && r->query.n > 0;
}

static const struct operation *operation(const struct request *r)
{
	enum level level = !r->table[0] ? LEVEL_ROOT : r->key[0] ? LEVEL_KEY : LEVEL_BUCKET;

	if (request_header(r, "x-amz-copy-source"))
		return NULL;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		const struct operation *op = &operations[i];
		if (op->level != level || strcmp(op->method, r->method) != 0)
			continue;
		if (op->parameter ? request_query(r, op->parameter) != NULL : !is_unknown(r, level))
			return op;
	}
	return NULL;
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
	snprintf(r->op, sizeof(r->op), "%s", operation(r) ? operation(r)->name : "");
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

void s3_xml_begin(struct reply *a, const char *name)
{
	reply_header(a, "Content-Type", "application/xml");
	text_printf(&a->body, XML_HEAD "<%s" XMLNS ">", name);
}

static void create_bucket(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	char *location = mem_printf("/%s", r->table);

	if (b) {
		s3_error(r, a, 409, "BucketAlreadyOwnedByYou",
			 "Your previous request to create the named bucket succeeded and you already own it.");
	} else if (strlen(r->table) < 3 || strlen(r->table) > 63 ||
		   strspn(r->table, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(r->table)) {
		s3_error(r, a, 400, "InvalidBucketName", "The specified bucket is not valid.");
	} else {
		b = mem_new(sizeof(*b));
		b->name = mem_dup(r->table);
		b->created_ms = vclock_of_ms(&f->clock, SERVICE_S3);
		map_init(&b->objects);
		mem_reserve(&f->s3.buckets, &f->s3.cap, f->s3.n + 1, sizeof(*f->s3.buckets));
		f->s3.buckets[f->s3.n++] = b;
		reply_header(a, "Location", location);
	}
	free(location);
}

static void get_versioning(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	(void)f;
	(void)r;
	s3_xml_begin(a, "VersioningConfiguration");
	if (b->versioning != S3_UNVERSIONED)
		text_printf(&a->body, "<Status>%s</Status>", b->versioning == S3_ENABLED ? "Enabled" : "Suspended");
	text_put(&a->body, "</VersioningConfiguration>");
}

static void put_versioning(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const char *body = buf_str(&r->body);

	(void)f;
	if (strstr(body, "<Status>Enabled</Status>"))
		b->versioning = S3_ENABLED;
	else if (strstr(body, "<Status>Suspended</Status>"))
		b->versioning = S3_SUSPENDED;
	else
		s3_error(r, a, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate.");
}

static void head_bucket(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	(void)f;
	(void)b;
	(void)r;
	reply_header(a, "x-amz-bucket-region", FAKE_REGION);
}

static void list_buckets(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	char iso[40];

	(void)b;
	(void)r;
	s3_xml_begin(a, "ListAllMyBucketsResult");
	text_put(&a->body, "<Buckets>");
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
	const struct operation *op = operation(r);

	if (!op)
		s3_error(r, a, 501, "NotImplemented",
			 "A header or query you provided implies functionality that is not implemented.");
	else if (!b && op->handler != list_buckets && op->handler != create_bucket)
		s3_error(r, a, 404, "NoSuchBucket", "The specified bucket does not exist");
	else
		op->handler(f, b, r, a);
}
