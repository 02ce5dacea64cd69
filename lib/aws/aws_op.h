/*
 * aws_op: how the operations make a request. Private to lib/aws.
 *
 * aws_op_begin, then origin, path, queries and headers in this order, then aws_op_send. The first failure is kept in
 * op->rc and op->err, the calls after it do nothing, and aws_op_send delivers it on a later turn: a starting function
 * is a straight line.
 */
#ifndef DDB_AWS_AWS_OP_H
#define DDB_AWS_AWS_OP_H

#include "aws/aws.h"
#include "base/span.h"

void aws_op_begin(struct aws_op *op, enum aws_operation what, aws_done_fn *done, void *arg);
/* Records a failure of building or reading. Returns op->rc. */
int aws_op_fail(struct aws_op *op, enum err_class class, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What the request is about; goes into messages behind the operation's name. */
void aws_op_label(struct aws_op *op, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Where the request goes: scheme://HOST[:PORT]. */
void aws_op_origin(struct aws_op *op, const char *origin);
/* "/" and `raw` percent-encoded; slashes in it stay. */
void aws_op_path(struct aws_op *op, struct span raw);
/* name=VALUE, VALUE percent-encoded; only the name when the value is empty. */
void aws_op_query(struct aws_op *op, const char *name, struct span value);
/*
 * `name` in lower case; signed when it is x-amz-*, content-type or content-md5. -ERR_INVALID for a value with bytes
 * outside printable ASCII or blanks at its ends: it could end the header, or reach the server in another form than was
 * signed. The message names the header, not the value.
 */
void aws_op_header(struct aws_op *op, const char *name, struct span value);

/* Signs and sends. `body` must live until the completion. */
void aws_op_send(struct aws_op *op, const char *method, struct span body);

#endif
