/*
 * s3xml: the XML answers of S3, read with expat (Amazon S3 API Reference: ListObjectVersions, ListObjectsV2,
 * GetBucketVersioning, CreateMultipartUpload, CompleteMultipartUpload, "Error responses").
 *
 * Blanks ahead of a document are passed over: S3 sends them while a CompleteMultipartUpload takes its time.
 * Namespaces, prefixes and unknown elements are passed over. A document type declaration, and so every entity that is
 * not XML's own, is refused. Every string in a result is capped; a malformed document is -ERR_CORRUPT.
 */
#ifndef DDB_CODEC_S3XML_H
#define DDB_CODEC_S3XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum s3xml_versioning { S3XML_VERSIONING_OFF, S3XML_VERSIONING_ENABLED, S3XML_VERSIONING_SUSPENDED };

/* GetBucketVersioning. */
int s3xml_versioning(struct span body, enum s3xml_versioning *out, struct err *e);

/*
 * One <Version> or <DeleteMarker> of ListObjectVersions, or one <Contents> of ListObjectsV2. Strings live during the
 * callback only.
 */
struct s3xml_version {
	struct span key;	/* URL-decoded when the listing says encoding-type url */
	struct span version_id; /* "null" for a null version; empty in ListObjectsV2, which does not tell it */
	struct span etag;	/* without quotes; empty for a marker */
	struct span storage_class;
	uint64_t size_bytes;
	int64_t modified_ms; /* LastModified */
	bool is_latest;	     /* always in ListObjectsV2 */
	bool is_marker;	     /* never there */
};

struct s3xml_page {
	bool truncated;
	struct buf next_key_marker; /* decoded; buf_init them with a max of 1,024 before the call */
	struct buf next_version_marker;
};

typedef int s3xml_version_fn(void *arg, const struct s3xml_version *v);

/*
 * ListObjectVersions: calls `each` in document order (S3 lists by key, newest first). An error of `each` ends it and is
 * returned. The document is checked in full before the first call, so a malformed page calls nothing; `page` is filled
 * when every call has succeeded. A page that is truncated must say where to go on: without NextKeyMarker it is
 * malformed; NextVersionIdMarker may be missing.
 */
int s3xml_versions(struct span body, s3xml_version_fn *each, void *arg, struct s3xml_page *page, struct err *e);

struct s3xml_objects_page {
	bool truncated;
	struct buf next_token; /* buf_init it with a max of S3XML_TOKEN_MAX before the call */
};

#define S3XML_TOKEN_MAX ((size_t)3072)

/*
 * ListObjectsV2, in the same manner: of a key whose latest version is a delete marker there is nothing. A page that is
 * truncated must have a NextContinuationToken. Common prefixes are passed over: list without a delimiter.
 */
int s3xml_objects(struct span body, s3xml_version_fn *each, void *arg, struct s3xml_objects_page *page, struct err *e);

/*
 * CreateMultipartUpload's UploadId, which must be there, and CompleteMultipartUpload's ETag (without quotes), which RADOS
 * Gateway leaves empty in a versioned bucket: then nothing is appended. -ERR_CORRUPT for another document (look for an
 * <Error> with s3xml_error first) and a text that is too long for S3; errors of buf_append.
 */
int s3xml_upload_id(struct span body, struct buf *out, struct err *e);
int s3xml_upload_etag(struct span body, struct buf *out, struct err *e);

/*
 * <Error>, or STS's <ErrorResponse> around one: code, message and request id appended to buffers of the caller (each may
 * be NULL), cut to what they hold. True when a whole <Code> was read, whatever follows it; false, with nothing appended,
 * when it is no error document.
 */
bool s3xml_error(struct span body, struct buf *code, struct buf *message, struct buf *request_id);

#endif
