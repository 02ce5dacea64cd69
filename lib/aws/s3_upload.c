#include "aws/s3_upload.h"

#include <stdio.h>

#include "aws/s3_request.h"
#include "codec/awserr.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "codec/s3xml.h"

static struct span answer_body(const struct aws_op *op)
{
	const struct buf *b = http_body(op->slot);

	return (struct span){buf_str(b), b->len};
}

/* Buckets with an Object Lock take no object and no part without it. */
static void add_md5(struct aws_op *op, struct span body)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	char text[(DIGEST_MD5_SIZE + 2) / 3 * 4];

	digest_md5(md5, body.ptr, body.len);
	encode_base64(text, md5, sizeof(md5));
	aws_op_header(op, "content-md5", (struct span){text, sizeof(text)});
}

static void add_upload(struct aws_op *op, const char *upload_id)
{
	/* Without an id these would be other requests: DELETE would mean the object. */
	if (op->rc == 0 && !*upload_id)
		aws_op_fail(op, ERR_INVALID, "the upload's id is empty");
	aws_op_query(op, "uploadId", span_of(upload_id));
}

static bool etag_good(struct span etag)
{
	if (etag.len == 0 || etag.len >= S3_ETAG_SIZE)
		return false;
	for (size_t i = 0; i < etag.len; i++)
		if (etag.ptr[i] <= 0x20 || etag.ptr[i] > 0x7e || strchr("\"<>&", etag.ptr[i]))
			return false;
	return true;
}

/* To op->result if that wants it. */
static int take_etag(struct aws_op *op, struct span etag)
{
	char *out = op->result;

	if (out) {
		memcpy(out, etag.ptr, etag.len);
		out[etag.len] = '\0';
	}
	return 0;
}

static int bad_etag(struct aws_op *op)
{
	return aws_op_fail(op, ERR_CORRUPT, "ETag in the answer is missing or malformed");
}

static int parse_etag(struct aws_op *op)
{
	struct span etag = http_header_get(op->slot, "etag");

	if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
		etag = (struct span){etag.ptr + 1, etag.len - 2};
	return etag_good(etag) ? take_etag(op, etag) : bad_etag(op);
}

void s3_put_plain(struct aws_op *op, struct span key, struct span body, const char *content_type,
		  char etag[S3_ETAG_SIZE], aws_done_fn *done, void *arg)
{
	s3_request_object(op, AWS_S3_PUT_OBJECT, key, done, arg);
	op->parse = parse_etag;
	op->result = etag;
	aws_op_header(op, "content-type", span_of(content_type));
	add_md5(op, body);
	aws_op_send(op, "PUT", body);
}

static int parse_create(struct aws_op *op)
{
	return s3xml_upload_id(answer_body(op), op->result, &op->err);
}

void s3_upload_create(struct aws_op *op, struct span key, const char *content_type, struct buf *upload_id,
		      aws_done_fn *done, void *arg)
{
	s3_request_object(op, AWS_S3_CREATE_UPLOAD, key, done, arg);
	op->parse = parse_create;
	op->result = upload_id;
	aws_op_query(op, "uploads", (struct span){NULL, 0});
	aws_op_header(op, "content-type", span_of(content_type));
	aws_op_send(op, "POST", (struct span){NULL, 0});
}

void s3_upload_part(struct aws_op *op, struct span key, const char *upload_id, unsigned number, struct span body,
		    char etag[S3_ETAG_SIZE], aws_done_fn *done, void *arg)
{
	char text[16];

	s3_request_object(op, AWS_S3_UPLOAD_PART, key, done, arg);
	op->parse = parse_etag;
	op->result = etag;
	if (op->rc == 0 && (number == 0 || number > S3_PARTS_MAX))
		aws_op_fail(op, ERR_INVALID, "a part's number is 1 to %d, not %u", S3_PARTS_MAX, number);
	snprintf(text, sizeof(text), "%u", number);
	aws_op_query(op, "partNumber", span_of(text));
	add_upload(op, upload_id);
	add_md5(op, body);
	aws_op_send(op, "PUT", body);
}

/*
 * S3 answers 200 before it begins to put the parts together, and blanks while it does; what became of it is in the
 * body. An error there means what it means with a status of its own.
 */
static int parse_complete(struct aws_op *op)
{
	struct span body = answer_body(op);
	struct buf etag;
	int rc;

	if (s3xml_error(body, NULL, NULL, NULL))
		return awserr_xml(&op->err, op->http_status, body, http_header_get(op->slot, "x-amz-request-id"));
	buf_init(&etag, 2 * S3_ETAG_SIZE); /* what is too long is malformed, not over a limit */
	rc = s3xml_upload_etag(body, &etag, &op->err);
	if (rc == 0) {
		struct span text = {buf_str(&etag), etag.len};
		rc = text.len == 0 || etag_good(text) ? take_etag(op, text) : bad_etag(op);
	}
	buf_fini(&etag);
	return rc;
}

static void append_parts(struct aws_op *op, const char (*etags)[S3_ETAG_SIZE], size_t n)
{
	int rc = buf_append_str(&op->body,
				"<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (!etag_good((struct span){etags[i], strnlen(etags[i], S3_ETAG_SIZE)})) {
			aws_op_fail(op, ERR_INVALID, "the ETag of part %zu is missing or malformed", i + 1);
			return;
		}
		rc = buf_printf(&op->body, "<Part><PartNumber>%zu</PartNumber><ETag>\"%s\"</ETag></Part>", i + 1,
				etags[i]);
	}
	if (rc == 0)
		rc = buf_append_str(&op->body, "</CompleteMultipartUpload>");
	if (rc < 0)
		aws_op_fail(op, ERR_SYSTEM, "out of memory");
}

void s3_upload_complete(struct aws_op *op, struct span key, const char *upload_id, const char (*etags)[S3_ETAG_SIZE],
			size_t n, char etag[S3_ETAG_SIZE], aws_done_fn *done, void *arg)
{
	s3_request_object(op, AWS_S3_COMPLETE_UPLOAD, key, done, arg);
	op->parse = parse_complete;
	op->result = etag;
	if (op->rc == 0 && (n == 0 || n > S3_PARTS_MAX))
		aws_op_fail(op, ERR_INVALID, "an upload has 1 to %d parts, this one has %zu", S3_PARTS_MAX, n);
	add_upload(op, upload_id);
	aws_op_header(op, "content-type", SPAN_LIT("application/xml"));
	if (op->rc == 0)
		append_parts(op, etags, n);
	aws_op_send(op, "POST", (struct span){buf_str(&op->body), op->body.len});
}

static int abort_refused(struct aws_op *op)
{
	if (strcmp(op->err.aws_code, "NoSuchUpload") == 0) {
		op->err = (struct err){0};
		return 0;
	}
	return s3_request_refused(op);
}

void s3_upload_abort(struct aws_op *op, struct span key, const char *upload_id, aws_done_fn *done, void *arg)
{
	s3_request_object(op, AWS_S3_ABORT_UPLOAD, key, done, arg);
	op->refused = abort_refused;
	add_upload(op, upload_id);
	aws_op_send(op, "DELETE", (struct span){NULL, 0});
}
