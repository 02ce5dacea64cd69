/*
 * aws_json: the JSON protocol of DynamoDB, DynamoDB Streams and Application Auto Scaling (Amazon DynamoDB Developer Guide,
 * "DynamoDB low-level API"; Application Auto Scaling API Reference, "Making API requests"): POST / with the operation in X-Amz-Target. Private to lib/aws.
 *
 * Reading goes like building: the first failure stays in op->rc and op->err and later calls do nothing, so that a
 * parser is a straight line that ends with `return op->rc`. Failures are -ERR_CORRUPT and name the member.
 */
#ifndef DDB_AWS_AWS_JSON_H
#define DDB_AWS_AWS_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "aws/aws_op.h"
#include "aws/json_page.h"

void aws_json_begin(struct aws_op *op, enum aws_operation what, aws_done_fn *done, void *arg);
/* Adds "name":"value", escaped. */
void aws_json_add(struct aws_op *op, const char *name, const char *value);
/* Adds "name":text, where `text` is JSON. */
void aws_json_add_raw(struct aws_op *op, const char *name, const char *text);
/* Adds "name":{...} of strings: name and value in turn, then NULL. */
void aws_json_add_object(struct aws_op *op, const char *name, const char *const *members);
/* Adds "name":text, where `text` is one JSON object of somebody else; see aws_json_append_object. */
void aws_json_add_span(struct aws_op *op, const char *name, struct span text);
/* For what is nested deeper: appends `text` as it is, and `s` as a string, escaped. */
void aws_json_append(struct aws_op *op, const char *text);
void aws_json_append_quoted(struct aws_op *op, const char *s);
/*
 * Appends one JSON object byte for byte, once it is known to be one: a broken one could change what the request around
 * it means. Otherwise -ERR_INVALID with `what` it is and the byte, never contents.
 */
void aws_json_append_object(struct aws_op *op, const char *what, struct span text);
void aws_json_send(struct aws_op *op);

/* The answer's body; an object. New reference, NULL on failure. */
json_t *aws_json_load(struct aws_op *op);
/*
 * Members of `parent`, borrowed; NULL on failure, and when one that is not `required` is absent or null. `parent` may
 * be NULL after a failure. `where` is the way to the parent with a dot at its end ("Table."), for messages.
 */
const json_t *aws_json_object(struct aws_op *op, const json_t *parent, const char *where, const char *name,
			      bool required);
const json_t *aws_json_array(struct aws_op *op, const json_t *parent, const char *where, const char *name,
			     bool required);
const char *aws_json_string(struct aws_op *op, const json_t *parent, const char *where, const char *name,
			    bool required);
/* The same, malloc'd. */
char *aws_json_strdup(struct aws_op *op, const json_t *parent, const char *where, const char *name, bool required);

/* For aws_op.parse: the answer's array `name`, which must be there, and its NextToken, into the json_page in op->result. */
int aws_json_parse_page(struct aws_op *op, const char *name);

#endif
