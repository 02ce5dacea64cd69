/*
 * scaling: the operations of Application Auto Scaling on tables (Application Auto Scaling API Reference), service namespace
 * "dynamodb". A resource is "table/TABLE" or "table/TABLE/index/INDEX".
 */
#ifndef DDB_AWS_SCALING_H
#define DDB_AWS_SCALING_H

#include <jansson.h>

#include "aws/aws.h"
#include "aws/json_page.h"
#include "base/span.h"

#define SCALING_RESOURCES_MAX 50 /* of one request */

/*
 * DescribeScalableTargets: a page of those of these resources, an array of texts; `token` NULL: the first. json_page_fini on
 * success. `table` is for messages.
 */
void scaling_targets(struct aws_op *op, const char *table, const json_t *resources, const char *token,
		     struct json_page *out, aws_done_fn *done, void *arg);
/* DescribeScalingPolicies of one resource, in the same manner. */
void scaling_policies(struct aws_op *op, const char *resource, const char *token, struct json_page *out,
		      aws_done_fn *done, void *arg);
/* RegisterScalableTarget and PutScalingPolicy with this request as JSON. What is there already becomes equal to it. */
void scaling_register(struct aws_op *op, const char *resource, struct span request, aws_done_fn *done, void *arg);
void scaling_put_policy(struct aws_op *op, const char *resource, struct span request, aws_done_fn *done, void *arg);

#endif
