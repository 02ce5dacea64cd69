/* The pages of listings: ListObjectVersions and ListObjectsV2. */
#include <string.h>

#include "base/clock.h"
#include "codec/encode.h"
#include "codec/s3xml.h"
#include "codec/s3xml_reader.h"

#define VERSION_ID_MAX 1024 /* Amazon S3 User Guide, "How S3 Versioning works" */
#define ETAG_MAX 128
#define STORAGE_CLASS_MAX 64

/* Which members of one entry were there. */
enum {
	HAS_KEY = 1,
	HAS_VERSION_ID = 2,
	HAS_ETAG = 4,
	HAS_SIZE = 8,
	HAS_MODIFIED = 16,
	HAS_LATEST = 32,
	MARKER_NEEDS = HAS_KEY | HAS_VERSION_ID | HAS_MODIFIED | HAS_LATEST,
	VERSION_NEEDS = MARKER_NEEDS | HAS_ETAG | HAS_SIZE,
	OBJECT_NEEDS = HAS_KEY | HAS_MODIFIED | HAS_ETAG | HAS_SIZE,
};

/* The paths of what is read of a page; NULL: there is no such thing. */
struct document {
	const char *root, *version, *marker;
	const char *encoding, *truncated, *next_key, *next_version, *next_token;
	unsigned version_needs;
	const char *incomplete, *no_next; /* what is wrong then */
};

static const struct document versions_document = {
	.root = "ListVersionsResult",
	.version = "ListVersionsResult/Version",
	.marker = "ListVersionsResult/DeleteMarker",
	.encoding = "ListVersionsResult/EncodingType",
	.truncated = "ListVersionsResult/IsTruncated",
	.next_key = "ListVersionsResult/NextKeyMarker",
	.next_version = "ListVersionsResult/NextVersionIdMarker",
	.version_needs = VERSION_NEEDS,
	.incomplete = "Key, VersionId, LastModified, IsLatest, ETag or Size is missing",
	.no_next = "IsTruncated is missing, or true without a NextKeyMarker",
};

static const struct document objects_document = {
	.root = "ListBucketResult",
	.version = "ListBucketResult/Contents",
	.encoding = "ListBucketResult/EncodingType",
	.truncated = "ListBucketResult/IsTruncated",
	.next_token = "ListBucketResult/NextContinuationToken",
	.version_needs = OBJECT_NEEDS,
	.incomplete = "Key, LastModified, ETag or Size is missing",
	.no_next = "IsTruncated is missing, or true without a NextContinuationToken",
};

struct list_reader {
	struct s3xml_reader base; /* first: the callbacks get a pointer to it */
	const struct document *document;
	s3xml_version_fn *each; /* NULL in the first pass */
	void *arg;
	bool url_encoded;
	bool bad_if_encoded, bad_if_plain; /* a key is malformed when keys are URL-encoded, when they are not */
	bool truncated, truncated_known;
	struct s3xml_version v;
	unsigned has;
	char key[S3XML_TEXT_MAX], version_id[VERSION_ID_MAX], etag[ETAG_MAX], storage_class[STORAGE_CLASS_MAX];
	char next[S3XML_TEXT_MAX], next_version[VERSION_ID_MAX];
	size_t next_len, next_version_len; /* the key marker as it came, not decoded, or the token */
	char last_key[S3XML_TEXT_MAX];	   /* of the last version, as it came */
	size_t last_key_len;
};

static void take(struct list_reader *p, const char *path, char *to, size_t max, struct span text, struct span *out)
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
static void take_key(struct list_reader *p, char *to, struct span text, struct span *out)
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

static bool take_bool(struct list_reader *p, const char *path, struct span text)
{
	if (!span_eq_str(text, "true") && !span_eq_str(text, "false"))
		s3xml_reader_malformed(&p->base, "neither true nor false", path);
	return span_eq_str(text, "true");
}

static uint64_t take_size(struct list_reader *p, const char *path, struct span text)
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

static int64_t take_time(struct list_reader *p, const char *path, struct span text)
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

static void take_etag(struct list_reader *p, const char *path, struct span text)
{
	if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
		text = (struct span){text.ptr + 1, text.len - 2};
	take(p, path, p->etag, sizeof(p->etag), text, &p->v.etag);
}

/* A member of an entry. */
static void version_member(struct list_reader *p, const char *path, const char *name, struct span text)
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

static void version_end(struct list_reader *p, const char *path)
{
	unsigned needs = p->v.is_marker ? MARKER_NEEDS : p->document->version_needs;

	if ((p->has & needs) != needs || p->v.key.len == 0 || (needs & HAS_VERSION_ID && p->v.version_id.len == 0)) {
		s3xml_reader_malformed(&p->base, p->document->incomplete, path);
		return;
	}
	if (p->each) {
		int rc = p->each(p->arg, &p->v);

		if (rc < 0)
			s3xml_reader_stop(&p->base, rc);
	}
}

static bool is(const char *path, const char *known)
{
	return known != NULL && strcmp(path, known) == 0;
}

/* The name of the member of `entry` that lies at the path, or NULL. */
static const char *member_of(const char *path, const char *entry)
{
	size_t len = entry != NULL ? strlen(entry) : 0;

	return len > 0 && strncmp(path, entry, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static void list_begin(struct s3xml_reader *r, const char *path)
{
	struct list_reader *p = (struct list_reader *)r;
	bool marker = is(path, p->document->marker);

	if (!marker && !is(path, p->document->version))
		return;
	/* What ListObjectsV2 gives is the latest version each. */
	p->v = (struct s3xml_version){.is_marker = marker, .is_latest = true};
	p->has = 0;
}

static void page_end(struct list_reader *p, const char *path)
{
	if (!p->truncated_known || (p->truncated && p->next_len == 0))
		s3xml_reader_malformed(&p->base, p->document->no_next, path);
	else if (p->url_encoded ? p->bad_if_encoded : p->bad_if_plain)
		s3xml_reader_malformed(&p->base,
				       "a key of over 1,024 bytes, or not URL-encoded although the page says so", path);
}

static void list_end(struct s3xml_reader *r, const char *path, struct span text)
{
	struct list_reader *p = (struct list_reader *)r;
	const struct document *d = p->document;
	const char *name = member_of(path, d->version);
	struct span taken = {NULL, 0};

	if (name != NULL || (name = member_of(path, d->marker)) != NULL) {
		version_member(p, path, name, text);
	} else if (is(path, d->version) || is(path, d->marker)) {
		version_end(p, path);
	} else if (is(path, d->encoding)) {
		p->url_encoded = p->url_encoded || span_eq_str(text, "url");
	} else if (is(path, d->truncated)) {
		p->truncated = take_bool(p, path, text);
		p->truncated_known = true;
	} else if (is(path, d->next_key) || is(path, d->next_token)) {
		take(p, path, p->next, sizeof(p->next), text, &taken);
		p->next_len = taken.len;
	} else if (is(path, d->next_version)) {
		take(p, path, p->next_version, sizeof(p->next_version), text, &taken);
		p->next_version_len = taken.len;
	} else if (is(path, d->root)) {
		page_end(p, path);
	}
}

static int pass(struct list_reader *p, const struct document *d, struct span body, bool url_encoded,
		s3xml_version_fn *each, void *arg, struct err *e)
{
	memset(p, 0, offsetof(struct list_reader, key));
	p->next_len = p->next_version_len = p->last_key_len = 0;
	p->base.root = d->root;
	p->base.begin = list_begin;
	p->base.end = list_end;
	p->base.e = e;
	p->document = d;
	p->each = each;
	p->arg = arg;
	p->url_encoded = url_encoded;
	return s3xml_reader_run(&p->base, body);
}

/*
 * S3 URL-encodes NextKeyMarker as it does keys. RADOS Gateway encodes the keys alone: its marker, decoded once more, would begin the
 * next page in another place, and what lies between would be missing. It shows in a marker that is the last key as it is.
 */
static int decode_marker(struct list_reader *p, struct err *e)
{
	size_t len;
	char decoded[S3XML_TEXT_MAX];
	struct span raw = {p->next, p->next_len};
	bool known = encode_percent_decode(decoded, &len, p->last_key, p->last_key_len, true);

	if (!p->url_encoded || (known && span_eq(raw, (struct span){decoded, len})))
		return raw.len > S3XML_KEY_MAX ? err_set(e, ERR_CORRUPT, "NextKeyMarker has over 1,024 bytes") : 0;
	if (!encode_percent_decode(decoded, &len, raw.ptr, raw.len, true) || len > S3XML_KEY_MAX)
		return err_set(e, ERR_CORRUPT, "NextKeyMarker is not URL-encoded although the page says so");
	memcpy(p->next, decoded, len);
	p->next_len = len;
	return 0;
}

static int page_fill(struct s3xml_page *page, const struct list_reader *p, struct err *e)
{
	int rc;

	buf_reset(&page->next_key_marker);
	buf_reset(&page->next_version_marker);
	page->truncated = p->truncated;
	if (!p->truncated)
		return 0;
	rc = buf_append(&page->next_key_marker, p->next, p->next_len);
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
	struct list_reader p;
	int rc = pass(&p, &versions_document, body, false, NULL, NULL, e);

	/* What is wrong with the page shows before the first call of `each`. */
	if (rc == 0)
		rc = decode_marker(&p, e);
	if (rc == 0)
		rc = pass(&p, &versions_document, body, p.url_encoded, each, arg, e);
	if (rc == 0)
		rc = decode_marker(&p, e); /* the second pass has read it anew */
	return rc == 0 ? page_fill(page, &p, e) : rc;
}

/* The token is the server's own, and goes back as it came: unlike markers it is never URL-encoded. */
int s3xml_objects(struct span body, s3xml_version_fn *each, void *arg, struct s3xml_objects_page *page, struct err *e)
{
	struct list_reader p;
	int rc = pass(&p, &objects_document, body, false, NULL, NULL, e);

	if (rc == 0)
		rc = pass(&p, &objects_document, body, p.url_encoded, each, arg, e);
	if (rc < 0)
		return rc;
	buf_reset(&page->next_token);
	page->truncated = p.truncated;
	rc = p.truncated ? buf_append(&page->next_token, p.next, p.next_len) : 0;
	if (rc < 0)
		return err_set(e, (enum err_class) - rc, "no room for the token of the next page of a listing");
	return 0;
}
