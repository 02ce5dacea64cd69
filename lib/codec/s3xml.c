#include "codec/s3xml.h"

#include <string.h>

#include "base/clock.h"
#include "codec/encode.h"
#include "codec/s3xml_reader.h"

#define VERSION_ID_MAX 1024 /* Amazon S3 User Guide, "How S3 Versioning works" */
#define ETAG_MAX 128
#define UPLOAD_ID_MAX 1024 /* S3 gives no bound; its own have about 130 bytes */
#define STORAGE_CLASS_MAX 64

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

/* --- ListObjectVersions --- */

#define ROOT "ListVersionsResult"

/* Which members of one <Version> or <DeleteMarker> were there. */
enum {
	HAS_KEY = 1,
	HAS_VERSION_ID = 2,
	HAS_ETAG = 4,
	HAS_SIZE = 8,
	HAS_MODIFIED = 16,
	HAS_LATEST = 32,
	MARKER_NEEDS = HAS_KEY | HAS_VERSION_ID | HAS_MODIFIED | HAS_LATEST,
	VERSION_NEEDS = MARKER_NEEDS | HAS_ETAG | HAS_SIZE,
};

struct versions_reader {
	struct s3xml_reader base; /* first: the callbacks get a pointer to it */
	s3xml_version_fn *each;	  /* NULL in the first pass */
	void *arg;
	bool url_encoded;
	bool bad_if_encoded, bad_if_plain; /* a key is malformed when keys are URL-encoded, when they are not */
	bool truncated, truncated_known;
	struct s3xml_version v;
	unsigned has;
	char key[S3XML_TEXT_MAX], version_id[VERSION_ID_MAX], etag[ETAG_MAX], storage_class[STORAGE_CLASS_MAX];
	char next_key[S3XML_TEXT_MAX], next_version[VERSION_ID_MAX];
	size_t next_key_len, next_version_len; /* the key marker as it came, not decoded */
	char last_key[S3XML_TEXT_MAX];	       /* of the last version, as it came */
	size_t last_key_len;
};

static void take(struct versions_reader *p, const char *path, char *to, size_t max, struct span text, struct span *out)
{
	if (text.len > max) {
		s3xml_reader_malformed(&p->base, "too long a text", path);
		return;
	}
	memcpy(to, text.ptr, text.len);
	*out = (struct span){to, text.len};
}

/*
 * A key. S3 may put <EncodingType> behind the versions, so the first pass notes what is wrong with a key
 * in either reading, and the end of the page tells which one counts.
 */
static void take_key(struct versions_reader *p, char *to, struct span text, struct span *out)
{
	size_t len;

	if (!encode_percent_decode(to, &len, text.ptr, text.len, true) || len > S3XML_KEY_MAX)
		p->bad_if_encoded = true;
	if (text.len > S3XML_KEY_MAX)
		p->bad_if_plain = true;
	if (!p->url_encoded) {
		memcpy(to, text.ptr, text.len);
		len = text.len;
	}
	*out = (struct span){to, len};
}

static bool take_bool(struct versions_reader *p, const char *path, struct span text)
{
	if (!span_eq_str(text, "true") && !span_eq_str(text, "false"))
		s3xml_reader_malformed(&p->base, "neither true nor false", path);
	return span_eq_str(text, "true");
}

static uint64_t take_size(struct versions_reader *p, const char *path, struct span text)
{
	uint64_t size = 0;
	bool good = text.len > 0 && text.len <= 18; /* so it fits */

	for (size_t i = 0; i < text.len && good; i++) {
		good = text.ptr[i] >= '0' && text.ptr[i] <= '9';
		size = size * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	if (!good)
		s3xml_reader_malformed(&p->base, "not a size", path);
	return size;
}

static int64_t take_time(struct versions_reader *p, const char *path, struct span text)
{
	char iso[CLOCK_ISO_SIZE];
	int64_t ms = CLOCK_UNKNOWN;

	if (text.len >= sizeof(iso)) {
		s3xml_reader_malformed(&p->base, "not a time", path);
		return ms;
	}
	memcpy(iso, text.ptr, text.len);
	iso[text.len] = '\0';
	if (strlen(iso) != text.len || !clock_parse_iso(iso, &ms))
		s3xml_reader_malformed(&p->base, "not a time", path);
	return ms;
}

static void take_etag(struct versions_reader *p, const char *path, struct span text)
{
	if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
		text = (struct span){text.ptr + 1, text.len - 2};
	take(p, path, p->etag, sizeof(p->etag), text, &p->v.etag);
}

/* A member of <Version> or <DeleteMarker>. */
static void version_member(struct versions_reader *p, const char *path, const char *name, struct span text)
{
	unsigned member = 0;

	if (strcmp(name, "Key") == 0) {
		take_key(p, p->key, text, &p->v.key);
		memcpy(p->last_key, text.ptr, text.len);
		p->last_key_len = text.len;
		member = HAS_KEY;
	} else if (strcmp(name, "VersionId") == 0) {
		take(p, path, p->version_id, sizeof(p->version_id), text, &p->v.version_id);
		member = HAS_VERSION_ID;
	} else if (strcmp(name, "ETag") == 0) {
		take_etag(p, path, text);
		member = HAS_ETAG;
	} else if (strcmp(name, "Size") == 0) {
		p->v.size_bytes = take_size(p, path, text);
		member = HAS_SIZE;
	} else if (strcmp(name, "LastModified") == 0) {
		p->v.modified_ms = take_time(p, path, text);
		member = HAS_MODIFIED;
	} else if (strcmp(name, "IsLatest") == 0) {
		p->v.is_latest = take_bool(p, path, text);
		member = HAS_LATEST;
	} else if (strcmp(name, "StorageClass") == 0) {
		take(p, path, p->storage_class, sizeof(p->storage_class), text, &p->v.storage_class);
	}
	if (p->has & member)
		s3xml_reader_malformed(&p->base, "given twice", path);
	p->has |= member;
}

static void version_end(struct versions_reader *p, const char *path)
{
	unsigned needs = p->v.is_marker ? MARKER_NEEDS : VERSION_NEEDS;

	if ((p->has & needs) != needs || p->v.key.len == 0 || p->v.version_id.len == 0) {
		s3xml_reader_malformed(&p->base, "Key, VersionId, LastModified, IsLatest, ETag or Size is missing",
				       path);
		return;
	}
	if (p->each) {
		int rc = p->each(p->arg, &p->v);

		if (rc < 0)
			s3xml_reader_stop(&p->base, rc);
	}
}

static void versions_begin(struct s3xml_reader *r, const char *path)
{
	struct versions_reader *p = (struct versions_reader *)r;
	bool marker = strcmp(path, ROOT "/DeleteMarker") == 0;

	if (!marker && strcmp(path, ROOT "/Version") != 0)
		return;
	p->v = (struct s3xml_version){.is_marker = marker};
	p->has = 0;
}

static void page_end(struct versions_reader *p, const char *path)
{
	if (!p->truncated_known || (p->truncated && p->next_key_len == 0))
		s3xml_reader_malformed(&p->base, "IsTruncated is missing, or true without a NextKeyMarker", path);
	else if (p->url_encoded ? p->bad_if_encoded : p->bad_if_plain)
		s3xml_reader_malformed(&p->base,
				       "a key of over 1,024 bytes, or not URL-encoded although the page says so", path);
}

static void versions_end(struct s3xml_reader *r, const char *path, struct span text)
{
	static const char version[] = ROOT "/Version", marker[] = ROOT "/DeleteMarker";
	struct versions_reader *p = (struct versions_reader *)r;
	struct span taken = {NULL, 0};

	if (strncmp(path, version, sizeof(version) - 1) == 0 && path[sizeof(version) - 1] == '/') {
		version_member(p, path, path + sizeof(version), text);
	} else if (strncmp(path, marker, sizeof(marker) - 1) == 0 && path[sizeof(marker) - 1] == '/') {
		version_member(p, path, path + sizeof(marker), text);
	} else if (strcmp(path, version) == 0 || strcmp(path, marker) == 0) {
		version_end(p, path);
	} else if (strcmp(path, ROOT "/EncodingType") == 0) {
		p->url_encoded = p->url_encoded || span_eq_str(text, "url");
	} else if (strcmp(path, ROOT "/IsTruncated") == 0) {
		p->truncated = take_bool(p, path, text);
		p->truncated_known = true;
	} else if (strcmp(path, ROOT "/NextKeyMarker") == 0) {
		take(p, path, p->next_key, sizeof(p->next_key), text, &taken);
		p->next_key_len = taken.len;
	} else if (strcmp(path, ROOT "/NextVersionIdMarker") == 0) {
		take(p, path, p->next_version, sizeof(p->next_version), text, &taken);
		p->next_version_len = taken.len;
	} else if (strcmp(path, ROOT) == 0) {
		page_end(p, path);
	}
}

static int versions_pass(struct versions_reader *p, struct span body, bool url_encoded, s3xml_version_fn *each,
			 void *arg, struct err *e)
{
	memset(p, 0, offsetof(struct versions_reader, key));
	p->next_key_len = p->next_version_len = p->last_key_len = 0;
	p->base.root = ROOT;
	p->base.begin = versions_begin;
	p->base.end = versions_end;
	p->base.e = e;
	p->each = each;
	p->arg = arg;
	p->url_encoded = url_encoded;
	return s3xml_reader_run(&p->base, body);
}

/*
 * S3 URL-encodes NextKeyMarker as it does keys. RADOS Gateway encodes the keys alone: its marker, decoded once more, would begin the
 * next page in another place, and what lies between would be missing. It shows in a marker that is the last key as it is.
 */
static int decode_marker(struct versions_reader *p, struct err *e)
{
	size_t len;
	char decoded[S3XML_TEXT_MAX];
	struct span raw = {p->next_key, p->next_key_len};
	bool known = encode_percent_decode(decoded, &len, p->last_key, p->last_key_len, true);

	if (!p->url_encoded || (known && span_eq(raw, (struct span){decoded, len})))
		return raw.len > S3XML_KEY_MAX ? err_set(e, ERR_CORRUPT, "NextKeyMarker has over 1,024 bytes") : 0;
	if (!encode_percent_decode(decoded, &len, raw.ptr, raw.len, true) || len > S3XML_KEY_MAX)
		return err_set(e, ERR_CORRUPT, "NextKeyMarker is not URL-encoded although the page says so");
	memcpy(p->next_key, decoded, len);
	p->next_key_len = len;
	return 0;
}

static int page_fill(struct s3xml_page *page, const struct versions_reader *p, struct err *e)
{
	int rc;

	buf_reset(&page->next_key_marker);
	buf_reset(&page->next_version_marker);
	page->truncated = p->truncated;
	if (!p->truncated)
		return 0;
	rc = buf_append(&page->next_key_marker, p->next_key, p->next_key_len);
	if (rc == 0)
		rc = buf_append(&page->next_version_marker, p->next_version, p->next_version_len);
	if (rc < 0)
		return err_set(e, (enum err_class) - rc, "no room for the markers of the next page of a listing");
	return 0;
}

/*
 * Two passes: the first checks the whole page and finds <EncodingType>, the second delivers. Parsing takes a few
 * milliseconds a page, and half a page must never be taken for a whole one.
 */
int s3xml_versions(struct span body, s3xml_version_fn *each, void *arg, struct s3xml_page *page, struct err *e)
{
	struct versions_reader p;
	int rc = versions_pass(&p, body, false, NULL, NULL, e);

	/* What is wrong with the page shows before the first call of `each`. */
	if (rc == 0)
		rc = decode_marker(&p, e);
	if (rc == 0)
		rc = versions_pass(&p, body, p.url_encoded, each, arg, e);
	if (rc == 0)
		rc = decode_marker(&p, e); /* the second pass has read it anew */
	return rc == 0 ? page_fill(page, &p, e) : rc;
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
