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
	HAS_STORAGE_CLASS = 64,
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

/* An entry as it is kept until the whole page is known to be good; its four texts follow it. */
struct kept {
	uint64_t size_bytes;
	int64_t modified_ms;
	uint32_t key_len, version_id_len, etag_len, storage_class_len;
	bool is_latest, is_marker;
};

struct list_reader {
	struct s3xml_reader base; /* first: the callbacks get a pointer to it */
	const struct document *document;
	bool url_encoded;
	bool bad_if_encoded, bad_if_plain; /* a key is malformed when keys are URL-encoded, when they are not */
	bool truncated, truncated_known;
	bool inside; /* of an entry */
	struct s3xml_version v;
	unsigned has;
	struct buf kept;
	size_t next_len, next_version_len; /* the key marker as it came, not decoded, or the token */
	size_t key_len;			   /* of the last entry's, as it came */
	char key[S3XML_TEXT_MAX], version_id[VERSION_ID_MAX], etag[ETAG_MAX], storage_class[STORAGE_CLASS_MAX];
	char next[S3XML_TEXT_MAX], next_version[VERSION_ID_MAX];
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
 * A key. S3 may put <EncodingType> behind the entries, so it is noted what is wrong with a key in either reading, and the
 * end of the page tells which one counts.
 */
static void take_key(struct list_reader *p, struct span text)
{
	char decoded[S3XML_TEXT_MAX];
	size_t len;

	if (!encode_percent_decode(decoded, &len, text.ptr, text.len, true) || len > S3XML_KEY_MAX)
		p->bad_if_encoded = true;
	if (text.len > S3XML_KEY_MAX)
		p->bad_if_plain = true;
	memcpy(p->key, text.ptr, text.len);
	p->key_len = text.len;
	p->v.key = (struct span){p->key, text.len};
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

/* Which member of an entry a name stands for; 0: none that is read. By its length first: there are many. */
static unsigned member_of(const char *name, size_t len)
{
	static const struct {
		const char *name;
		size_t len;
		unsigned member;
	} known[] = {
		{"Key", 3, HAS_KEY},
		{"ETag", 4, HAS_ETAG},
		{"Size", 4, HAS_SIZE},
		{"IsLatest", 8, HAS_LATEST},
		{"VersionId", 9, HAS_VERSION_ID},
		{"LastModified", 12, HAS_MODIFIED},
		{"StorageClass", 12, HAS_STORAGE_CLASS},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].len == len && memcmp(known[i].name, name, len) == 0)
			return known[i].member;
	return 0;
}

static void version_member(struct list_reader *p, const char *path, struct span name, struct span text)
{
	unsigned member = member_of(name.ptr, name.len);

	switch (member) {
	case HAS_KEY:
		take_key(p, text);
		break;
	case HAS_VERSION_ID:
		take(p, path, p->version_id, sizeof(p->version_id), text, &p->v.version_id);
		break;
	case HAS_ETAG:
		take_etag(p, path, text);
		break;
	case HAS_SIZE:
		p->v.size_bytes = take_size(p, path, text);
		break;
	case HAS_MODIFIED:
		p->v.modified_ms = take_time(p, path, text);
		break;
	case HAS_LATEST:
		p->v.is_latest = take_bool(p, path, text);
		break;
	case HAS_STORAGE_CLASS:
		take(p, path, p->storage_class, sizeof(p->storage_class), text, &p->v.storage_class);
		break;
	default:
		break;
	}
	if (p->has & member)
		s3xml_reader_malformed(&p->base, "given twice", path);
	p->has |= member;
}

static int keep(struct list_reader *p)
{
	const struct s3xml_version *v = &p->v;
	const struct span texts[] = {v->key, v->version_id, v->etag, v->storage_class};
	const struct kept kept = {
		.size_bytes = v->size_bytes,
		.modified_ms = v->modified_ms,
		.key_len = (uint32_t)v->key.len,
		.version_id_len = (uint32_t)v->version_id.len,
		.etag_len = (uint32_t)v->etag.len,
		.storage_class_len = (uint32_t)v->storage_class.len,
		.is_latest = v->is_latest,
		.is_marker = v->is_marker,
	};
	int rc = buf_append(&p->kept, &kept, sizeof(kept));

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && rc == 0; i++)
		if (texts[i].len > 0)
			rc = buf_append(&p->kept, texts[i].ptr, texts[i].len);
	return rc;
}

static void version_end(struct list_reader *p, const char *path)
{
	unsigned needs = p->v.is_marker ? MARKER_NEEDS : p->document->version_needs;

	p->inside = false;
	if ((p->has & needs) != needs || p->v.key.len == 0 || (needs & HAS_VERSION_ID && p->v.version_id.len == 0)) {
		s3xml_reader_malformed(&p->base, p->document->incomplete, path);
		return;
	}
	if (keep(p) < 0)
		s3xml_reader_stop(&p->base, err_set(p->base.e, ERR_SYSTEM, "no memory for a page of a listing"));
}

static bool is(const char *path, const char *known)
{
	return known != NULL && strcmp(path, known) == 0;
}

static void list_begin(struct s3xml_reader *r, const char *path)
{
	struct list_reader *p = (struct list_reader *)r;

	/* Most elements lie deeper. */
	if (r->depth != 2)
		return;
	bool marker = is(path, p->document->marker);

	if (!marker && !is(path, p->document->version))
		return;
	/* What ListObjectsV2 gives is the latest version each. */
	p->v = (struct s3xml_version){.is_marker = marker, .is_latest = true};
	p->has = 0;
	p->inside = true;
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
	struct span taken = {NULL, 0};

	if (p->inside && r->depth == 3) {
		size_t at = r->path_len[2] + 1;
		version_member(p, path, (struct span){path + at, r->path_len[3] - at}, text);
	} else if (p->inside) {
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

/* Reads the whole page. p->kept is to be freed in every case. */
static int read_page(struct list_reader *p, const struct document *d, struct span body, struct err *e)
{
	/* Not the texts, which have their lengths. */
	memset(p, 0, offsetof(struct list_reader, key));
	p->base.root = d->root;
	p->base.begin = list_begin;
	p->base.end = list_end;
	p->base.e = e;
	p->document = d;
	/* The tags of an entry alone are longer than what is kept beside its texts. */
	buf_init(&p->kept, body.len);
	return s3xml_reader_run(&p->base, body);
}

static struct span next_text(const char **at, size_t len)
{
	struct span text = {*at, len};

	*at += len;
	return text;
}

/* Calls back for each entry of a page that is good: half a page must never be taken for a whole one. */
static int deliver(struct list_reader *p, s3xml_version_fn *each, void *arg)
{
	const char *at = buf_str(&p->kept), *end = at + p->kept.len;
	int rc = 0;

	while (at < end && rc >= 0) {
		struct kept kept;

		memcpy(&kept, at, sizeof(kept));
		at += sizeof(kept);
		struct s3xml_version v = {
			.size_bytes = kept.size_bytes,
			.modified_ms = kept.modified_ms,
			.is_latest = kept.is_latest,
			.is_marker = kept.is_marker,
		};
		v.key = next_text(&at, kept.key_len);
		v.version_id = next_text(&at, kept.version_id_len);
		v.etag = next_text(&at, kept.etag_len);
		v.storage_class = next_text(&at, kept.storage_class_len);
		/* It was tried when it was read. */
		if (p->url_encoded && encode_percent_decode(p->key, &p->key_len, v.key.ptr, v.key.len, true))
			v.key = (struct span){p->key, p->key_len};
		rc = each(arg, &v);
	}
	return rc < 0 ? rc : 0;
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
	bool known = encode_percent_decode(decoded, &len, p->key, p->key_len, true);

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

int s3xml_versions(struct span body, s3xml_version_fn *each, void *arg, struct s3xml_page *page, struct err *e)
{
	struct list_reader p;
	int rc = read_page(&p, &versions_document, body, e);

	if (rc == 0)
		rc = decode_marker(&p, e);
	if (rc == 0)
		rc = deliver(&p, each, arg);
	buf_fini(&p.kept);
	return rc == 0 ? page_fill(page, &p, e) : rc;
}

/* The token is the server's own, and goes back as it came: unlike markers it is never URL-encoded. */
int s3xml_objects(struct span body, s3xml_version_fn *each, void *arg, struct s3xml_objects_page *page, struct err *e)
{
	struct list_reader p;
	int rc = read_page(&p, &objects_document, body, e);

	if (rc == 0)
		rc = deliver(&p, each, arg);
	buf_fini(&p.kept);
	if (rc < 0)
		return rc;
	buf_reset(&page->next_token);
	page->truncated = p.truncated;
	rc = p.truncated ? buf_append(&page->next_token, p.next, p.next_len) : 0;
	if (rc < 0)
		return err_set(e, (enum err_class) - rc, "no room for the token of the next page of a listing");
	return 0;
}
