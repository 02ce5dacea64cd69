/*
 * s3: the S3 operations (Amazon S3 API Reference), on the bucket of the configuration.
 *
 * Keys are bytes and go out as they are (percent-encoded once in the URL; no dot segment is touched). Starting
 * functions return nothing: every outcome comes through `done` on a later turn, with op->err on failure. What a call
 * points to must live until then.
 */
#ifndef DDB_AWS_S3_H
#define DDB_AWS_S3_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws.h"
#include "base/span.h"
#include "codec/s3xml.h"

/* x-amz-meta-ddb-* of one version; empty spans are not sent, or were not there. */
struct s3_meta {
	struct span event; /* INSERT, MODIFY, REMOVE, BASELINE */
	struct span seq;
	struct span time;   /* ISO 8601 */
	struct span stream; /* stream label */
	struct span shard;
	struct span by;	   /* "ttl", or empty */
	struct span after; /* of a BASELINE: STREAM LABEL/SEQUENCE NUMBER of the item's last change before it */
};

enum s3_condition { S3_ALWAYS, S3_IF_NONE_MATCH_ANY, S3_IF_MATCH };

struct s3_put {
	struct span key;
	struct span body;
	struct s3_meta meta;
	enum s3_condition condition;
	struct span etag; /* for S3_IF_MATCH, without quotes */
};

/* PutObject with Content-MD5, Content-Type: application/json and a signed payload hash. A failed condition is
 * -ERR_CONFLICT. */
void s3_put(struct aws_op *op, const struct s3_put *p, aws_done_fn *done, void *arg);

/* DeleteObject without a version: writes a delete marker. */
void s3_delete(struct aws_op *op, struct span key, aws_done_fn *done, void *arg);

#define S3_META_VALUE_MAX 256

struct s3_head {
	bool exists;	    /* false: no such key, or its latest is a delete marker (404; no error) */
	bool delete_marker; /* the server said so (x-amz-delete-marker); not every server does */
	char event[16], seq[64], time[40], stream[S3_META_VALUE_MAX], shard[S3_META_VALUE_MAX], by[32];
	char after[S3_META_VALUE_MAX];
	char etag[72];	  /* without quotes */
	bool etag_is_md5; /* of the body: neither a multipart upload nor encryption by KMS or a customer's key */
	char version_id[128];
	uint64_t size_bytes;
	int64_t modified_ms; /* Last-Modified; whole seconds */
};

/* HeadObject of the latest version (version_id empty) or of one. `out` is filled before `done`. */
void s3_head(struct aws_op *op, struct span key, struct span version_id, struct s3_head *out, aws_done_fn *done,
	     void *arg);
/* GetObject: headers into `out`, the body is http_body(op->slot) until the op's next use. A missing key is rc 0 with
 * exists = false. */
void s3_get(struct aws_op *op, struct span key, struct span version_id, struct s3_head *out, aws_done_fn *done,
	    void *arg);

void s3_get_versioning(struct aws_op *op, enum s3xml_versioning *out, aws_done_fn *done, void *arg);

struct s3_list {
	struct span prefix;
	struct span key_marker, version_marker; /* where to go on; empty at first */
	struct span delimiter;			/* empty: none */
	unsigned max_keys;			/* 0: the server's 1,000 */
};

/* ListObjectVersions with encoding-type=url. The page's raw XML is http_body(op->slot): read it with s3xml_versions in
 * `done`. */
void s3_list_versions(struct aws_op *op, const struct s3_list *l, aws_done_fn *done, void *arg);

struct s3_list_objects {
	struct span prefix;
	struct span start_after; /* only keys after it; empty: all */
	struct span token;	 /* where to go on, from the page before; empty at first */
	unsigned max_keys;	 /* 0: the server's 1,000 */
};

/* ListObjectsV2, in the same manner: current versions only. Read the page with s3xml_objects. */
void s3_list_objects(struct aws_op *op, const struct s3_list_objects *l, aws_done_fn *done, void *arg);

#endif
