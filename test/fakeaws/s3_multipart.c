/*
 * Multipart uploads (Amazon S3 API Reference: CreateMultipartUpload, UploadPart, CompleteMultipartUpload,
 * AbortMultipartUpload, ListParts, ListMultipartUploads; User Guide, "Multipart upload limits"). What is completed or
 * aborted is known no more.
 */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddb.h"
#include "digest.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"

#define PART_BYTES_MIN ((size_t)5 << 20)
#define PARTS_MAX 10000
#define PAGE_MAX 1000

struct part {
	unsigned number;
	unsigned char md5[DIGEST_MD5_BYTES];
	int64_t modified_ms;
	char *body;
	size_t len;
};

struct s3_upload {
	char *id, *key, *content_type, *storage_class;
	int64_t initiated_ms;
	struct pairs meta;
	struct part *parts; /* by number */
	size_t n, cap;
};

static const char *parameter(const struct request *r, const char *name)
{
	const char *value = request_query(r, name);
	return value ? value : "";
}

static void etag_of(char out[48], const struct part *p)
{
	char hex[33];
	digest_hex(hex, p->md5, sizeof(p->md5));
	snprintf(out, 48, "\"%s\"", hex);
}

void s3_create_upload(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const char *type = request_header(r, "content-type"), *class = request_header(r, "x-amz-storage-class");
	struct s3_upload *u;

	if (!s3_check_put(r, a))
		return;
	u = mem_new(sizeof(*u));
	u->id = mem_printf("%016llx%08llx", (unsigned long long)rng_next(&f->rng), (unsigned long long)++f->s3.ids);
	u->key = mem_dup(r->key);
	u->content_type = mem_dup(type ? type : "binary/octet-stream");
	u->storage_class = class ? mem_dup(class) : NULL;
	u->initiated_ms = vclock_of_ms(&f->clock, SERVICE_S3) / 1000 * 1000;
	s3_take_meta(&u->meta, r);
	mem_reserve(&b->uploads, &b->uploads_cap, b->nuploads + 1, sizeof(*b->uploads));
	b->uploads[b->nuploads++] = u;
	s3_xml_begin(a, "InitiateMultipartUploadResult");
	text_printf(&a->body, "<Bucket>%s</Bucket><Key>", b->name);
	text_put_xml(&a->body, u->key);
	text_printf(&a->body, "</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>", u->id);
}

/* The open upload that the request names, or NULL with NoSuchUpload. */
static struct s3_upload *find(struct s3_bucket *b, const struct request *r, struct reply *a)
{
	for (size_t i = 0; i < b->nuploads; i++)
		if (strcmp(b->uploads[i]->id, parameter(r, "uploadId")) == 0 && strcmp(b->uploads[i]->key, r->key) == 0)
			return b->uploads[i];
	s3_error(r, a, 404, "NoSuchUpload",
		 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
		 "aborted or completed.");
	return NULL;
}

static struct part *part_find(const struct s3_upload *u, unsigned number)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->parts[i].number == number)
			return &u->parts[i];
	return NULL;
}

/* Its place among the parts; what was uploaded under the number before is gone. */
static struct part *part_make(struct s3_upload *u, unsigned number)
{
	struct part *p = part_find(u, number);
	size_t at = u->n;

	if (p) {
		free(p->body);
		return p;
	}
	mem_reserve(&u->parts, &u->cap, u->n + 1, sizeof(*u->parts));
	while (at > 0 && u->parts[at - 1].number > number)
		at--;
	memmove(u->parts + at + 1, u->parts + at, (u->n - at) * sizeof(*u->parts));
	u->n++;
	u->parts[at] = (struct part){.number = number};
	return &u->parts[at];
}

void s3_upload_part(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	char *end, etag[48];
	long number = strtol(parameter(r, "partNumber"), &end, 10);
	struct s3_upload *u;

	if (*end || number < 1 || number > PARTS_MAX) {
		s3_error(r, a, 400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
		return;
	}
	u = find(b, r, a);
	if (!u || !s3_check_md5(r, a))
		return;
	struct part *p = part_make(u, (unsigned)number);
	p->len = r->body.len;
	p->body = mem_dup_n(buf_str(&r->body), r->body.len);
	p->modified_ms = vclock_of_ms(&f->clock, SERVICE_S3) / 1000 * 1000;
	digest_md5(p->md5, p->body, p->len);
	etag_of(etag, p);
	reply_header(a, "ETag", etag);
}

/* --- completing --- */

struct named {
	unsigned number;
	char *etag; /* without quotes */
};

/* What the request's XML says. */
struct list {
	struct named *at;
	size_t n, cap;
	struct buf text;
	bool inside, root;
};

static void xml_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct list *l = arg;

	(void)attributes;
	buf_reset(&l->text);
	l->root = l->root || strcmp(name, "CompleteMultipartUpload") == 0;
	if (strcmp(name, "Part") != 0)
		return;
	l->inside = true;
	mem_reserve(&l->at, &l->cap, l->n + 1, sizeof(*l->at));
	l->at[l->n++] = (struct named){0};
}

static void xml_text(void *arg, const XML_Char *s, int n)
{
	text_put_n(&((struct list *)arg)->text, s, (size_t)n);
}

static void xml_end(void *arg, const XML_Char *name)
{
	struct list *l = arg;
	const char *text = buf_str(&l->text);
	size_t quote = *text == '"';

	if (strcmp(name, "Part") == 0) {
		l->inside = false;
	} else if (l->inside && strcmp(name, "PartNumber") == 0) {
		l->at[l->n - 1].number = (unsigned)strtoul(text, NULL, 10);
	} else if (l->inside && strcmp(name, "ETag") == 0) {
		free(l->at[l->n - 1].etag);
		l->at[l->n - 1].etag = mem_dup_n(text + quote, strcspn(text + quote, "\""));
	}
	buf_reset(&l->text);
}

static bool parse(const struct request *r, struct list *l)
{
	XML_Parser parser = XML_ParserCreate(NULL);
	bool good;

	if (!parser)
		abort();
	text_init(&l->text);
	XML_SetUserData(parser, l);
	XML_SetElementHandler(parser, xml_start, xml_end);
	XML_SetCharacterDataHandler(parser, xml_text);
	good = XML_Parse(parser, buf_str(&r->body), (int)r->body.len, 1) == XML_STATUS_OK && l->root && l->n > 0;
	XML_ParserFree(parser);
	buf_fini(&l->text);
	return good;
}

static bool is_uploaded(const struct s3_upload *u, const struct named *named)
{
	const struct part *p = part_find(u, named->number);
	char hex[33];

	if (!p || !named->etag)
		return false;
	digest_hex(hex, p->md5, sizeof(p->md5));
	return strcmp(hex, named->etag) == 0;
}

static bool check_parts(const struct fake *f, const struct s3_upload *u, const struct list *l, const struct request *r,
			struct reply *a)
{
	for (size_t i = 1; i < l->n; i++) {
		if (l->at[i].number <= l->at[i - 1].number) {
			s3_error(r, a, 400, "InvalidPartOrder",
				 "The list of parts was not in ascending order. The parts list must be specified in "
				 "order by part number.");
			return false;
		}
	}
	for (size_t i = 0; i < l->n; i++) {
		if (!is_uploaded(u, &l->at[i])) {
			s3_error(r, a, 400, "InvalidPart",
				 "One or more of the specified parts could not be found. The part might not have been "
				 "uploaded, or the specified entity tag might not have matched the part's entity tag.");
			return false;
		}
	}
	for (size_t i = 0; i + 1 < l->n && !f->s3.small_parts; i++) {
		if (part_find(u, l->at[i].number)->len < PART_BYTES_MIN) {
			s3_error(r, a, 400, "EntityTooSmall",
				 "Your proposed upload is smaller than the minimum allowed object size.");
			return false;
		}
	}
	return true;
}

static void upload_free(struct s3_bucket *b, struct s3_upload *u)
{
	size_t i = 0;

	while (b->uploads[i] != u)
		i++;
	memmove(b->uploads + i, b->uploads + i + 1, (--b->nuploads - i) * sizeof(struct s3_upload *));
	for (i = 0; i < u->n; i++)
		free(u->parts[i].body);
	free(u->parts);
	free(u->id);
	free(u->key);
	free(u->content_type);
	free(u->storage_class);
	pairs_free(&u->meta);
	free(u);
}

/* LastModified of such an object is when its upload began (User Guide, "System-defined object metadata"). */
static struct s3_version *put_together(struct fake *f, struct s3_bucket *b, struct s3_upload *u, const struct list *l,
				       uint64_t request)
{
	struct s3_version *v = s3_version_add(f, b, u->key, NULL, false, u->initiated_ms, request);
	unsigned char digest[DIGEST_MD5_BYTES];
	struct buf body, digests;
	char hex[33];

	text_init(&body);
	text_init(&digests);
	for (size_t i = 0; i < l->n; i++) {
		const struct part *p = part_find(u, l->at[i].number);
		text_put_n(&body, p->body, p->len);
		text_put_n(&digests, p->md5, sizeof(p->md5));
	}
	s3_version_fill(v, buf_str(&body), body.len);
	digest_md5(digest, digests.data, digests.len);
	digest_hex(hex, digest, sizeof(digest));
	snprintf(v->etag, sizeof(v->etag), "\"%s-%zu\"", hex, l->n);
	v->content_type = mem_dup(u->content_type);
	v->storage_class = u->storage_class ? mem_dup(u->storage_class) : NULL;
	v->meta = u->meta;
	u->meta = (struct pairs){0};
	buf_fini(&body);
	buf_fini(&digests);
	return v;
}

void s3_complete_upload(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	struct s3_upload *u = find(b, r, a);
	struct list l = {0};

	if (!u)
		return;
	if (!parse(r, &l)) {
		s3_error(r, a, 400, "MalformedXML",
			 "The XML you provided was not well-formed or did not validate against our published schema");
	} else if (check_parts(f, u, &l, r, a) && s3_check_condition(f, s3_object_find(b, r->key), r, a)) {
		const struct s3_version *v = put_together(f, b, u, &l, r->id);
		if (b->versioning != S3_UNVERSIONED)
			reply_header(a, "x-amz-version-id", v->id);
		s3_xml_begin(a, "CompleteMultipartUploadResult");
		text_printf(&a->body, "<Bucket>%s</Bucket><Key>", b->name);
		text_put_xml(&a->body, u->key);
		text_put(&a->body, "</Key><ETag>");
		text_put_xml(&a->body, v->etag);
		text_put(&a->body, "</ETag></CompleteMultipartUploadResult>");
		upload_free(b, u);
	}
	for (size_t i = 0; i < l.n; i++)
		free(l.at[i].etag);
	free(l.at);
}

void s3_abort_upload(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	struct s3_upload *u = find(b, r, a);

	(void)f;
	if (!u)
		return;
	upload_free(b, u);
	a->status = 204;
}

/* --- what is open --- */

void s3_list_parts(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const struct s3_upload *u = find(b, r, a);
	unsigned after = (unsigned)strtoul(parameter(r, "part-number-marker"), NULL, 10), last = after;
	size_t max = *parameter(r, "max-parts") ? strtoul(parameter(r, "max-parts"), NULL, 10) : PAGE_MAX, n = 0;
	bool truncated = false;
	char iso[40], etag[48];

	(void)f;
	if (!u)
		return;
	s3_xml_begin(a, "ListPartsResult");
	text_printf(&a->body, "<Bucket>%s</Bucket><Key>", b->name);
	text_put_xml(&a->body, u->key);
	text_printf(&a->body, "</Key><UploadId>%s</UploadId><StorageClass>STANDARD</StorageClass>", u->id);
	for (size_t i = 0; i < u->n && !truncated; i++) {
		const struct part *p = &u->parts[i];
		if (p->number <= after)
			continue;
		truncated = n == (max < PAGE_MAX ? max : PAGE_MAX);
		if (truncated)
			break;
		vclock_iso(iso, p->modified_ms);
		etag_of(etag, p);
		text_printf(&a->body, "<Part><PartNumber>%u</PartNumber><LastModified>%s</LastModified><ETag>",
			    p->number, iso);
		text_put_xml(&a->body, etag);
		text_printf(&a->body, "</ETag><Size>%zu</Size></Part>", p->len);
		last = p->number;
		n++;
	}
	if (truncated)
		text_printf(&a->body, "<NextPartNumberMarker>%u</NextPartNumberMarker>", last);
	text_printf(&a->body, "<MaxParts>%zu</MaxParts><IsTruncated>%s</IsTruncated></ListPartsResult>", max,
		    truncated ? "true" : "false");
}

/* By key, then by age. All are on one page, however many. */
static int compare_uploads(const void *a, const void *b)
{
	const struct s3_upload *const *x = a, *const *y = b;
	int order = strcmp((*x)->key, (*y)->key);

	if (order)
		return order;
	return (*x)->initiated_ms < (*y)->initiated_ms ? -1 : (*x)->initiated_ms > (*y)->initiated_ms;
}

void s3_list_uploads(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a)
{
	const char *prefix = parameter(r, "prefix");
	struct s3_upload **all = mem_new((b->nuploads + 1) * sizeof(struct s3_upload *));
	char iso[40];

	(void)f;
	memcpy(all, b->uploads ? b->uploads : all, b->nuploads * sizeof(struct s3_upload *));
	qsort(all, b->nuploads, sizeof(struct s3_upload *), compare_uploads);
	s3_xml_begin(a, "ListMultipartUploadsResult");
	text_printf(&a->body, "<Bucket>%s</Bucket><Prefix>", b->name);
	text_put_xml(&a->body, prefix);
	text_put(&a->body, "</Prefix><IsTruncated>false</IsTruncated>");
	for (size_t i = 0; i < b->nuploads; i++) {
		if (strncmp(all[i]->key, prefix, strlen(prefix)) != 0)
			continue;
		vclock_iso(iso, all[i]->initiated_ms);
		text_put(&a->body, "<Upload><Key>");
		text_put_xml(&a->body, all[i]->key);
		text_printf(
			&a->body,
			"</Key><UploadId>%s</UploadId><StorageClass>STANDARD</StorageClass><Initiated>%s</Initiated>"
			"</Upload>",
			all[i]->id, iso);
	}
	text_put(&a->body, "</ListMultipartUploadsResult>");
	free(all);
}

json_t *s3_uploads_json(const struct fake *f)
{
	json_t *all = json_array();

	for (size_t i = 0; i < f->s3.n; i++) {
		const struct s3_bucket *b = f->s3.buckets[i];
		for (size_t k = 0; k < b->nuploads; k++) {
			const struct s3_upload *u = b->uploads[k];
			size_t bytes = 0;
			for (size_t p = 0; p < u->n; p++)
				bytes += u->parts[p].len;
			json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "bucket", b->name, "key",
							     u->key, "id", u->id, "initiated_ms",
							     (json_int_t)u->initiated_ms, "parts", (json_int_t)u->n,
							     "bytes", (json_int_t)bytes));
		}
	}
	return all;
}
