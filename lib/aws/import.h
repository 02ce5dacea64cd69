/* import: DynamoDB's import of a table from S3 (Amazon DynamoDB API Reference: ImportTable, DescribeImport). */
#ifndef DDB_AWS_IMPORT_H
#define DDB_AWS_IMPORT_H

#include <stdint.h>

#include "aws/aws.h"
#include "base/span.h"

enum import_status {
	IMPORT_IN_PROGRESS,
	IMPORT_COMPLETED,
	IMPORT_CANCELLING,
	IMPORT_CANCELLED,
	IMPORT_FAILED,
	IMPORT_STATUS_UNKNOWN
};

struct import_description {
	char *arn;
	enum import_status status;
	uint64_t processed_bytes, processed_items, imported_items, errors;
	char *failure_code, *failure_message; /* NULL when it did not fail */
};
void import_description_fini(struct import_description *d);

/*
 * ImportTable of gzip files of DynamoDB JSON below `key_prefix` of `bucket` into a new table. `table` is
 * TableCreationParameters as JSON; `token` (ClientToken, 1 to 64 bytes) makes a repetition the same import for 8 hours.
 */
void import_table(struct aws_op *op, const char *bucket, const char *key_prefix, struct span table, const char *token,
		  struct import_description *out, aws_done_fn *done, void *arg);
void import_describe(struct aws_op *op, const char *arn, struct import_description *out, aws_done_fn *done, void *arg);

#endif
