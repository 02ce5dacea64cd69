/*
 * s3: buckets, objects and their versions (Amazon S3 API Reference). All versions are kept, newest last.
 */
#ifndef FAKEAWS_S3_H
#define FAKEAWS_S3_H

#include "base/map.h"
#include "request.h"

struct s3_version {
	char *id; /* "null" when it was written without versioning */
	bool marker;
	int64_t modified_ms;
	uint64_t request;
	struct pairs meta; /* x-amz-meta-*, names without that */
	char *content_type;
	char *storage_class; /* NULL: STANDARD */
	char etag[48];	     /* with quotes */
	char sha256[65];
	char *body;
	size_t len;
};

struct s3_object {
	struct map_node node;
	char *key;
	struct s3_version **versions; /* oldest first */
	uint64_t verified;	      /* number of the request that compared it last: see verify.c */
	size_t n, cap;
};

enum s3_versioning { S3_UNVERSIONED, S3_ENABLED, S3_SUSPENDED };

struct s3_bucket {
	char *name;
	enum s3_versioning versioning;
	int64_t created_ms;
	struct map objects;
	struct s3_object **sorted; /* by key, from s3_lower_bound on: see s3_store.c */
	size_t n, cap, nsorted;
	struct s3_upload **uploads; /* open ones, oldest first: see s3_multipart.c */
	size_t nuploads, uploads_cap;
};

struct s3 {
	struct s3_bucket **buckets;
	size_t n, cap;
	uint64_t ids;
	/* set by control */
	bool ignore_conditions; /* If-None-Match and If-Match mean nothing */
	bool plain_next_marker; /* NextKeyMarker is not encoded */
	bool allow_version_delete;
	bool marker_get_404;   /* GET of a marker's version: 404, not 405 */
	bool no_marker_header; /* no x-amz-delete-marker with a 404 */
	bool skew_markers;     /* a delete marker's LastModified is a second early */
	bool small_parts;      /* a part may be of any size */
	int64_t list_page;     /* most versions of a page */
	bool list_random;      /* pages of random length up to that */
};

struct fake;

/* Sets service, op, table (the bucket) and key. */
void s3_identify(struct fake *f, struct request *r);
void s3_answer(struct fake *f, struct request *r, struct reply *a);
void s3_error(const struct request *r, struct reply *a, int status, const char *code, const char *message);
/* An answer in XML begins: "<NAME xmlns=...>". */
void s3_xml_begin(struct reply *a, const char *name);

struct s3_bucket *s3_bucket_find(struct fake *f, const char *name);

/* s3_store.c: what there is. Nothing is answered. */
struct s3_object *s3_object_find(const struct s3_bucket *b, const char *key);
/* Index in `sorted` of the first key that is not less than `key`. */
size_t s3_lower_bound(struct s3_bucket *b, const char *key);
/* NULL: there is none, or none of that id. `o` may be NULL. */
struct s3_version *s3_latest(const struct s3_object *o);
struct s3_version *s3_version_find(const struct s3_object *o, const char *id);
/* A new version on top. `id` NULL: a fresh one, or outside of versioning "null". A version "null" takes another's place. */
struct s3_version *s3_version_add(struct fake *f, struct s3_bucket *b, const char *key, const char *id, bool marker,
				  int64_t modified_ms, uint64_t request);
/* Its body, ETag and digest. */
void s3_version_fill(struct s3_version *v, const void *bytes, size_t n);
/* Forgets it for good. False when there is none of that id. */
bool s3_version_remove(struct s3_object *o, const char *id);
/* Whether S3 knows a storage class of this name. */
bool s3_is_storage_class(const char *name);

typedef void s3_handler(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a);

/* s3_object.c */
s3_handler s3_put_object, s3_get_object, s3_delete_object;
/* What a new object must keep to; false with the error answered. */
bool s3_check_put(const struct request *r, struct reply *a);
bool s3_check_md5(const struct request *r, struct reply *a);
bool s3_check_condition(const struct fake *f, const struct s3_object *o, const struct request *r, struct reply *a);
/* The request's x-amz-meta-*; returns their bytes. `out` may be NULL. */
size_t s3_take_meta(struct pairs *out, const struct request *r);
/* s3_multipart.c */
s3_handler s3_create_upload, s3_upload_part, s3_complete_upload, s3_abort_upload, s3_list_parts, s3_list_uploads;
/* The open uploads of all buckets. */
json_t *s3_uploads_json(const struct fake *f);
/* s3_list.c */
s3_handler s3_list_versions, s3_list_objects;

#endif
