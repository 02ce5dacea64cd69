/* table: the DynamoDB operations on tables (Amazon DynamoDB API Reference), target DynamoDB_20120810. */
#ifndef DDB_AWS_TABLE_H
#define DDB_AWS_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "aws/aws.h"
#include "aws/json_page.h"
#include "aws/streams.h"
#include "base/span.h"

struct table_description {
	char *arn;
	char *id;		      /* TableId; NULL where the server has none */
	char *status;		      /* "ACTIVE", ... */
	char *hash_name, *range_name; /* range_name NULL without a sort key */
	char hash_type, range_type;   /* 'S', 'N', 'B'; 0 without */
	bool stream_enabled;
	enum streams_view stream_view;
	char *stream_arn, *stream_label; /* LatestStreamArn and -Label; NULL when there never was one */
	json_t *json;			 /* the "Table" object whole, for table.json */
};
void table_description_fini(struct table_description *d);

void table_describe(struct aws_op *op, const char *table, struct table_description *out, aws_done_fn *done, void *arg);
/* TimeToLiveDescription as JSON (new reference in *out), for table.json. */
void table_describe_ttl(struct aws_op *op, const char *table, json_t **out, aws_done_fn *done, void *arg);
/* UpdateTable: turns the stream on with NEW_AND_OLD_IMAGES. */
void table_enable_stream(struct aws_op *op, const char *table, aws_done_fn *done, void *arg);

/* CreateTable with this request as JSON. ERR_CONFLICT when there is a table of that name. */
void table_create(struct aws_op *op, const char *table, struct span request, aws_done_fn *done, void *arg);
/* DeleteTable. */
void table_delete(struct aws_op *op, const char *table, aws_done_fn *done, void *arg);
/* UpdateTimeToLive: on, by this attribute. */
void table_set_ttl(struct aws_op *op, const char *table, const char *attribute, aws_done_fn *done, void *arg);

/*
 * ListTables: a page of names, in their order, behind `after` (NULL: the first), which no table need have; next_token is
 * the next `after`. json_page_fini on success.
 */
void table_list(struct aws_op *op, const char *after, struct json_page *out, aws_done_fn *done, void *arg);

/* ListTagsOfResource: a page of {"Key","Value"}; `token` NULL: the first. json_page_fini on success. */
void table_list_tags(struct aws_op *op, const char *table, const char *arn, const char *token, struct json_page *out,
		     aws_done_fn *done, void *arg);
/* TagResource: adds these tags, a JSON array. */
void table_tag(struct aws_op *op, const char *table, const char *arn, const char *tags, aws_done_fn *done, void *arg);

#endif
