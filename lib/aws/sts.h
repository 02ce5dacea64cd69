/* sts: who we are (AWS Security Token Service API Reference, GetCallerIdentity). */
#ifndef DDB_AWS_STS_H
#define DDB_AWS_STS_H

#include "aws/aws.h"

struct sts_caller {
	char account[16];
	char arn[256];
};

/* GetCallerIdentity. Needs no permission: an error means bad credentials or no way to the endpoint. */
void sts_get_caller(struct aws_op *op, struct sts_caller *out, aws_done_fn *done, void *arg);

#endif
