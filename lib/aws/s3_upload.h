/*
 * s3_upload: multipart uploads, and objects that are not versions of items (Amazon S3 API Reference: CreateMultipartUpload,
 * UploadPart, CompleteMultipartUpload, AbortMultipartUpload, PutObject). On the op's bucket (aws_op.bucket).
 */
#ifndef DDB_AWS_S3_UPLOAD_H
#define DDB_AWS_S3_UPLOAD_H

#include <stddef.h>

#include "aws/aws.h"
#include "base/span.h"

#define S3_PART_BYTES_MIN ((size_t)5 << 20) /* of every part but the last */
#define S3_PARTS_MAX 10000
#define S3_ETAG_SIZE 72

/* PutObject with this Content-Type and Content-MD5. The ETag without quotes goes to `etag` (may be NULL). */
void s3_put_plain(struct aws_op *op, struct span key, struct span body, const char *content_type,
		  char etag[S3_ETAG_SIZE], aws_done_fn *done, void *arg);
/* The upload's id is appended to `upload_id`, which the caller has reset. */
void s3_upload_create(struct aws_op *op, struct span key, const char *content_type, struct buf *upload_id,
		      aws_done_fn *done, void *arg);
/* `number` from 1 to S3_PARTS_MAX. */
void s3_upload_part(struct aws_op *op, struct span key, const char *upload_id, unsigned number, struct span body,
		    char etag[S3_ETAG_SIZE], aws_done_fn *done, void *arg);
/*
 * `etags` of parts 1 to n. S3 may answer 200 and an <Error> inside: that is an error here too. The object's ETag goes to
 * `etag` (may be NULL); it is "" from RADOS Gateway, which does not tell it for a versioned bucket: HEAD does. After a
 * lost answer -ERR_NOT_FOUND (NoSuchUpload) may mean that the first try was completed.
 */
void s3_upload_complete(struct aws_op *op, struct span key, const char *upload_id, const char (*etags)[S3_ETAG_SIZE],
			size_t n, char etag[S3_ETAG_SIZE], aws_done_fn *done, void *arg);
/* An upload that is not there any more is no error. */
void s3_upload_abort(struct aws_op *op, struct span key, const char *upload_id, aws_done_fn *done, void *arg);

#endif
