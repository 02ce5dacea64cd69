#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/s3.h"
#include "aws/s3_request.h"
#include "base/clock.h"
#include "codec/digest.h"
#include "codec/encode.h"

static void add_meta(struct aws_op *op, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	if (value.len >= S3_META_VALUE_MAX)
		aws_op_fail(op, ERR_INVALID, "the value for header %s has %zu bytes, %d are possible", name, value.len,
			    S3_META_VALUE_MAX - 1);
	else
		aws_op_header(op, name, value);
}

static void add_condition(struct aws_op *op, const struct s3_put *p)
{
	char quoted[80];

	if (p->condition == S3_IF_NONE_MATCH_ANY)
		aws_op_header(op, "if-none-match", SPAN_LIT("*"));
	if (p->condition != S3_IF_MATCH)
		return;
	if (p->etag.len == 0 || p->etag.len > sizeof(quoted) - 3 || memchr(p->etag.ptr, '"', p->etag.len)) {
		aws_op_fail(op, ERR_INVALID, "an ETag to compare with is missing or malformed");
		return;
	}
	snprintf(quoted, sizeof(quoted), "\"%.*s\"", (int)p->etag.len, p->etag.ptr);
	aws_op_header(op, "if-match", span_of(quoted));
}

void s3_put(struct aws_op *op, const struct s3_put *p, aws_done_fn *done, void *arg)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	char md5_text[(DIGEST_MD5_SIZE + 2) / 3 * 4];
	const struct s3_meta *m = &p->meta;

	digest_md5(md5, p->body.ptr, p->body.len);
	encode_base64(md5_text, md5, sizeof(md5));

	s3_request_object(op, AWS_S3_PUT_OBJECT, p->key, done, arg);
	aws_op_header(op, "content-type", SPAN_LIT("application/json"));
	aws_op_header(op, "content-md5", (struct span){md5_text, sizeof(md5_text)});
	add_meta(op, "x-amz-meta-ddb-event", m->event);
	add_meta(op, "x-amz-meta-ddb-seq", m->seq);
	add_meta(op, "x-amz-meta-ddb-time", m->time);
	add_meta(op, "x-amz-meta-ddb-stream", m->stream);
	add_meta(op, "x-amz-meta-ddb-shard", m->shard);
	add_meta(op, "x-amz-meta-ddb-by", m->by);
	add_meta(op, "x-amz-meta-ddb-after", m->after);
	add_condition(op, p);
	aws_op_send(op, "PUT", p->body);
}

void s3_delete(struct aws_op *op, struct span key, aws_done_fn *done, void *arg)
{
	s3_request_object(op, AWS_S3_DELETE_OBJECT, key, done, arg);
	aws_op_send(op, "DELETE", (struct span){NULL, 0});
}

/* Where the header lines of an answer go. Each is looked at once: there are about twenty, with every item of a restore. */
struct head_reading {
	struct s3_head head;
	char modified[40], length[24], encryption[32], customer[32];
};

#define READ(name, field)                                                                                          \
	{                                                                                                          \
		SPAN_LIT(name), offsetof(struct head_reading, field), sizeof(((struct head_reading *)NULL)->field) \
	}

static void read_header(void *arg, struct span name, struct span value)
{
	static const struct {
		struct span name;
		size_t offset, size;
	} known[] = {
		READ("x-amz-meta-ddb-event", head.event),
		READ("x-amz-meta-ddb-seq", head.seq),
		READ("x-amz-meta-ddb-time", head.time),
		READ("x-amz-meta-ddb-stream", head.stream),
		READ("x-amz-meta-ddb-shard", head.shard),
		READ("x-amz-meta-ddb-by", head.by),
		READ("x-amz-meta-ddb-after", head.after),
		READ("x-amz-version-id", head.version_id),
		READ("etag", head.etag),
		READ("last-modified", modified),
		READ("content-length", length),
		READ("x-amz-server-side-encryption", encryption),
		READ("x-amz-server-side-encryption-customer-algorithm", customer),
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (name.len != known[i].name.len || strncasecmp(name.ptr, known[i].name.ptr, name.len) != 0)
			continue;
		char *out = (char *)arg + known[i].offset;
		/* A value that does not fit was not written by us, and counts as not there. */
		bool fits = value.len < known[i].size && memchr(value.ptr, '\0', value.len) == NULL;
		memcpy(out, value.ptr, fits ? value.len : 0);
		out[fits ? value.len : 0] = '\0';
		return;
	}
}

static void strip_quotes(char *etag)
{
	size_t len = strlen(etag);

	if (len >= 2 && etag[0] == '"' && etag[len - 1] == '"') {
		memmove(etag, etag + 1, len - 2);
		etag[len - 2] = '\0';
	}
}

/* Amazon S3 API Reference, Object: "The ETag may or may not be an MD5 digest of the object data". */
static bool is_md5(const struct head_reading *r)
{
	const char *etag = r->head.etag;

	return strlen(etag) == 2 * DIGEST_MD5_SIZE && strspn(etag, "0123456789abcdef") == 2 * DIGEST_MD5_SIZE &&
	       r->customer[0] == '\0' && (r->encryption[0] == '\0' || strcmp(r->encryption, "AES256") == 0);
}

static bool read_size(const struct aws_op *op, const char *text, uint64_t *out)
{
	uint64_t n = 0;

	if (op->what == AWS_S3_GET_OBJECT) {
		*out = http_body(op->slot)->len;
		return true;
	}
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	*out = n;
	return text[0] != '\0';
}

static int parse_head(struct aws_op *op)
{
	struct head_reading r = {.head = {.exists = true, .modified_ms = CLOCK_UNKNOWN}};

	http_header_each(op->slot, read_header, &r);
	strip_quotes(r.head.etag);
	r.head.etag_is_md5 = is_md5(&r);
	if (!read_size(op, r.length, &r.head.size_bytes))
		return aws_op_fail(op, ERR_CORRUPT, "Content-Length in the answer is missing or not a number");
	if (!clock_parse_http(r.modified, &r.head.modified_ms))
		return aws_op_fail(op, ERR_CORRUPT, "Last-Modified in the answer is missing or not a date");
	*(struct s3_head *)op->result = r.head;
	return 0;
}

/*
 * No such key is an answer, not an error. A HEAD has no body and so no error code: a missing bucket looks the same
 * there. 405 is what S3 says of a version that is a delete marker.
 */
static int head_refused(struct aws_op *op)
{
	const char *code = op->err.aws_code;
	bool marker = span_eq_str(http_header_get(op->slot, "x-amz-delete-marker"), "true");
	bool no_key =
		op->what == AWS_S3_HEAD_OBJECT || strcmp(code, "NoSuchKey") == 0 || strcmp(code, "NoSuchVersion") == 0;

	if ((op->http_status == 404 && no_key) || (op->http_status == 405 && marker)) {
		*(struct s3_head *)op->result = (struct s3_head){.delete_marker = marker, .modified_ms = CLOCK_UNKNOWN};
		op->err = (struct err){0};
		return 0;
	}
	return s3_request_refused(op);
}

static void start_read(struct aws_op *op, enum aws_operation what, struct span key, struct span version_id,
		       struct s3_head *out, aws_done_fn *done, void *arg)
{
	s3_request_object(op, what, key, done, arg);
	op->parse = parse_head;
	op->refused = head_refused;
	op->result = out;
	if (version_id.len > 0)
		aws_op_query(op, "versionId", version_id);
	aws_op_send(op, what == AWS_S3_HEAD_OBJECT ? "HEAD" : "GET", (struct span){NULL, 0});
}

void s3_head(struct aws_op *op, struct span key, struct span version_id, struct s3_head *out, aws_done_fn *done,
	     void *arg)
{
	start_read(op, AWS_S3_HEAD_OBJECT, key, version_id, out, done, arg);
}

void s3_get(struct aws_op *op, struct span key, struct span version_id, struct s3_head *out, aws_done_fn *done,
	    void *arg)
{
	start_read(op, AWS_S3_GET_OBJECT, key, version_id, out, done, arg);
}
