#include "aws/s3_request.h"

#include <stdio.h>
#include <string.h>

#define KEY_MAX 1024 /* Amazon S3 User Guide, "Naming Amazon S3 objects" */

static void begin(struct aws_op *op, enum aws_operation what, struct span key, aws_done_fn *done, void *arg)
{
	const struct aws_bucket *b = op->bucket;

	aws_op_begin(op, what, done, arg);
	op->refused = s3_request_refused;
	aws_op_origin(op, b->origin);
	if (b->path_style)
		aws_op_path(op, span_of(b->name));
	/* Of the bucket, path style is "/BUCKET", virtual-host style "/". */
	if (key.len > 0 || !b->path_style)
		aws_op_path(op, key);
}

void s3_request_bucket(struct aws_op *op, enum aws_operation what, aws_done_fn *done, void *arg)
{
	begin(op, what, (struct span){NULL, 0}, done, arg);
}

void s3_request_object(struct aws_op *op, enum aws_operation what, struct span key, aws_done_fn *done, void *arg)
{
	begin(op, what, key, done, arg);
	/* Without a key the request would be one on the bucket: DELETE would mean the bucket. */
	if (op->rc == 0 && (key.len == 0 || key.len > KEY_MAX))
		aws_op_fail(op, ERR_INVALID, "a key has 1 to %d bytes, this one has %zu", KEY_MAX, key.len);
}

int s3_request_refused(struct aws_op *op)
{
	struct span region = http_header_get(op->slot, "x-amz-bucket-region");
	size_t len = strlen(op->err.message);

	if (region.len > 0 && !span_eq_str(region, op->aws->region))
		snprintf(op->err.message + len, sizeof(op->err.message) - len,
			 "; the bucket is in region %.*s, not %s: set [aws] region or [s3] bucket",
			 region.len < 64 ? (int)region.len : 64, region.ptr, op->aws->region);
	return op->rc;
}
