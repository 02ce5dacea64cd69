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
	char etag[35]; /* with quotes */
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
	struct s3_object **sorted; /* by key */
	size_t n, cap;
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
	int64_t list_page;     /* most versions of a page */
	bool list_random;      /* pages of random length up to that */
};

struct fake;

/* Sets service, op, table (the bucket) and key. */
void s3_identify(struct fake *f, struct request *r);
void s3_answer(struct fake *f, struct request *r, struct reply *a);
void s3_error(const struct request *r, struct reply *a, int status, const char *code, const char *message);

struct s3_bucket *s3_bucket_find(struct fake *f, const char *name);
struct s3_object *s3_object_find(const struct s3_bucket *b, const char *key);
/* Index in `sorted` of the first key that is not less than `key`. */
size_t s3_lower_bound(const struct s3_bucket *b, const char *key);

/* Of s3_object.c and s3_list.c. */
void s3_put_object(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a);
void s3_get_object(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a);
void s3_delete_object(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a);
void s3_list_versions(struct fake *f, struct s3_bucket *b, struct request *r, struct reply *a);

#endif
