/* s3_request: what the S3 operations have in common. Private to lib/aws. */
#ifndef DDB_AWS_S3_REQUEST_H
#define DDB_AWS_S3_REQUEST_H

#include "aws/aws_op.h"

/* Begins a request on the bucket itself. */
void s3_request_bucket(struct aws_op *op, enum aws_operation what, aws_done_fn *done, void *arg);
/* Begins a request on the object `key`. -ERR_INVALID for an empty key and one of over 1,024 bytes. */
void s3_request_object(struct aws_op *op, enum aws_operation what, struct span key, aws_done_fn *done, void *arg);
/* For aws_op.refused: says so when the bucket lies in another region than the configured one. Returns op->rc. */
int s3_request_refused(struct aws_op *op);

#endif
