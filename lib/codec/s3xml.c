#include "codec/s3xml.h"

#include <string.h>

#include "codec/s3xml_reader.h"

#define ETAG_MAX 128
#define UPLOAD_ID_MAX 1024 /* S3 gives no bound; its own have about 130 bytes */

/* --- GetBucketVersioning --- */

struct versioning_reader {
	struct s3xml_reader base; /* first: the callbacks get a pointer to it */
	enum s3xml_versioning status;
};

static void versioning_end(struct s3xml_reader *r, const char *path, struct span text)
{
	struct versioning_reader *v = (struct versioning_reader *)r;

	if (strcmp(path, "VersioningConfiguration/Status") != 0)
		return;
	if (span_eq_str(text, "Enabled"))
		v->status = S3XML_VERSIONING_ENABLED;
	else if (span_eq_str(text, "Suspended"))
		v->status = S3XML_VERSIONING_SUSPENDED;
	else
		s3xml_reader_malformed(r, "neither Enabled nor Suspended", path);
}

int s3xml_versioning(struct span body, enum s3xml_versioning *out, struct err *e)
{
	struct versioning_reader v = {
		.base = {.root = "VersioningConfiguration", .end = versioning_end, .e = e},
		.status = S3XML_VERSIONING_OFF, /* a bucket that never had versioning has no <Status> */
	};
	int rc = s3xml_reader_run(&v.base, body);

	if (rc == 0)
		*out = v.status;
	return rc;
}

/* --- CreateMultipartUpload, CompleteMultipartUpload --- */

/* Of these documents one text is wanted. */
struct text_reader {
	struct s3xml_reader base; /* first: the callbacks get a pointer to it */
	const char *path;
	size_t max;
	bool optional;
	bool found;
	size_t len;
	char text[UPLOAD_ID_MAX];
};

static void text_end(struct s3xml_reader *r, const char *path, struct span text)
{
	struct text_reader *t = (struct text_reader *)r;

	if (strcmp(path, t->path) != 0)
		return;
	if (t->found || (text.len == 0 && !t->optional) || text.len > t->max) {
		s3xml_reader_malformed(r, "empty, too long or given twice", path);
		return;
	}
	memcpy(t->text, text.ptr, text.len);
	t->len = text.len;
	t->found = true;
}

static int text_run(struct text_reader *t, struct span body, struct span *out, struct err *e)
{
	int rc;

	t->base.end = text_end;
	t->base.e = e;
	rc = s3xml_reader_run(&t->base, body);
	if (rc == 0 && !t->found && !t->optional)
		rc = err_set(e, ERR_CORRUPT, "S3's XML answer has no <%s>", t->path);
	*out = (struct span){t->text, t->len};
	return rc;
}

static int append_text(struct buf *out, struct span text, const char *what, struct err *e)
{
	int rc = buf_append(out, text.ptr, text.len);

	return rc == 0 ? 0 : err_set(e, (enum err_class) - rc, "no room for %s of %zu bytes", what, text.len);
}

int s3xml_upload_id(struct span body, struct buf *out, struct err *e)
{
	struct text_reader t = {
		.base = {.root = "InitiateMultipartUploadResult"},
		.path = "InitiateMultipartUploadResult/UploadId",
		.max = UPLOAD_ID_MAX,
	};
	struct span text;
	int rc = text_run(&t, body, &text, e);

	return rc == 0 ? append_text(out, text, "an upload's id", e) : rc;
}

int s3xml_upload_etag(struct span body, struct buf *out, struct err *e)
{
	struct text_reader t = {
		.base = {.root = "CompleteMultipartUploadResult"},
		.path = "CompleteMultipartUploadResult/ETag",
		.max = ETAG_MAX,
		.optional = true,
	};
	struct span text;
	int rc = text_run(&t, body, &text, e);

	if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
		text = (struct span){text.ptr + 1, text.len - 2};
	return rc == 0 ? append_text(out, text, "an ETag", e) : rc;
}

/* --- Error --- */

struct error_reader {
	struct s3xml_reader base; /* first: the callbacks get a pointer to it */
	struct buf *code, *message, *request_id;
	bool has_code;
};

static void append_cut(struct buf *out, struct span text)
{
	if (!out)
		return;
	if (text.len > out->max - out->len)
		text.len = out->max - out->len;
	/* Without memory the message says less; status and code still tell what to do. */
	(void)buf_append(out, text.ptr, text.len);
}

static void error_end(struct s3xml_reader *r, const char *path, struct span text)
{
	struct error_reader *x = (struct error_reader *)r;

	if (strncmp(path, "ErrorResponse/", 14) == 0)
		path += 14;
	if (strcmp(path, "Error/Code") == 0) {
		append_cut(x->code, text);
		x->has_code = true;
	} else if (strcmp(path, "Error/Message") == 0) {
		append_cut(x->message, text);
	} else if (strcmp(path, "Error/RequestId") == 0 || strcmp(path, "RequestId") == 0) {
		append_cut(x->request_id, text);
	}
}

bool s3xml_error(struct span body, struct buf *code, struct buf *message, struct buf *request_id)
{
	struct error_reader x = {
		.base = {.cut_is_good = true, .end = error_end},
		.code = code,
		.message = message,
		.request_id = request_id,
	};
	struct buf *const outs[] = {code, message, request_id};
	size_t before[3];

	for (size_t i = 0; i < 3; i++)
		before[i] = outs[i] ? outs[i]->len : 0;
	(void)s3xml_reader_run(&x.base, body); /* a body that was cut short may still name its code */
	if (x.has_code)
		return true;
	for (size_t i = 0; i < 3; i++) {
		if (outs[i] && outs[i]->data) {
			outs[i]->len = before[i];
			outs[i]->data[before[i]] = '\0';
		}
	}
	return false;
}
