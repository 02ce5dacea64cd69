/* What the API reference says of CreateTable, DeleteTable, UpdateTimeToLive, ImportTable and DescribeImport. */
#include "aws_fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/import.h"
#include "aws/table.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ARN "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/import/01658528578619-c4d4e311"

static void answer(struct aws_fixture *f, const char *body)
{
	aws_fixture_answer(f, "200 OK", "x-amzn-RequestId: R1\r\n", body, strlen(body));
}

static void refuse(struct aws_fixture *f, const char *code)
{
	char body[200];

	snprintf(body, sizeof(body), "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\",\"message\":\"words\"}",
		 code);
	aws_fixture_answer(f, "400 Bad Request", "", body, strlen(body));
}

/* --- tables --- */

static int create(struct aws_fixture *f, const char *request)
{
	table_create(&f->op, "orders", span_of(request), NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static int delete_table(struct aws_fixture *f)
{
	table_delete(&f->op, "orders", NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static int set_ttl(struct aws_fixture *f)
{
	table_set_ttl(&f->op, "orders", "expires \"at\"", NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static void test_create(void **state)
{
	struct aws_fixture *f = *state;
	static const char request[] = "{\"TableName\":\"orders\",\"BillingMode\":\"PAY_PER_REQUEST\", \"Tags\":[]}";

	answer(f, "{\"TableDescription\":{\"TableStatus\":\"CREATING\"}}");
	assert_int_equal(create(f, request), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.CreateTable");
	assert_string_equal(aws_fixture_body(f), request);

	refuse(f, "ResourceInUseException");
	assert_int_equal(create(f, request), -ERR_CONFLICT);
	assert_non_null(strstr(f->op.err.message, "CreateTable orders: ResourceInUseException (400): words"));
	/* Too many tables are being made at this moment. */
	refuse(f, "LimitExceededException");
	assert_int_equal(create(f, request), -ERR_THROTTLE);
	refuse(f, "ValidationException");
	assert_int_equal(create(f, request), -ERR_INVALID);
	assert_non_null(strstr(f->op.err.message, "words"));
	answer(f, "{}");
	assert_int_equal(create(f, request), -ERR_CORRUPT);

	assert_int_equal(f->nrequests, 5);
	assert_int_equal(create(f, ""), -ERR_INVALID);
	assert_int_equal(create(f, "[]"), -ERR_INVALID);
	assert_int_equal(create(f, "{\"TableName\":}"), -ERR_INVALID);
	assert_non_null(strstr(f->op.err.message, "byte 13"));
	assert_int_equal(f->nrequests, 5);
}

static void test_delete(void **state)
{
	struct aws_fixture *f = *state;

	answer(f, "{\"TableDescription\":{\"TableStatus\":\"DELETING\"}}");
	assert_int_equal(delete_table(f), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.DeleteTable");
	assert_string_equal(aws_fixture_body(f), "{\"TableName\":\"orders\"}");
	refuse(f, "ResourceNotFoundException");
	assert_int_equal(delete_table(f), -ERR_NOT_FOUND);
	refuse(f, "ResourceInUseException");
	assert_int_equal(delete_table(f), -ERR_CONFLICT);
	answer(f, "{\"TableDescription\":[]}");
	assert_int_equal(delete_table(f), -ERR_CORRUPT);
}

static void test_set_ttl(void **state)
{
	struct aws_fixture *f = *state;

	answer(f, "{\"TimeToLiveSpecification\":{\"AttributeName\":\"expires\",\"Enabled\":true}}");
	assert_int_equal(set_ttl(f), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.UpdateTimeToLive");
	assert_string_equal(aws_fixture_body(f),
			    "{\"TableName\":\"orders\",\"TimeToLiveSpecification\":{\"Enabled\":true,"
			    "\"AttributeName\":\"expires \\\"at\\\"\"}}");
	refuse(f, "ValidationException");
	assert_int_equal(set_ttl(f), -ERR_INVALID);
	answer(f, "{}");
	assert_int_equal(set_ttl(f), -ERR_CORRUPT);
}

/* --- imports --- */

static int import(struct aws_fixture *f, struct import_description *d)
{
	import_table(&f->op, "snapshots", "orders/AWSDynamoDB/0165/data/", SPAN_LIT("{\"TableName\":\"orders\"}"),
		     "token-1", d, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static int describe(struct aws_fixture *f, struct import_description *d)
{
	import_describe(&f->op, ARN, d, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static void test_import(void **state)
{
	struct aws_fixture *f = *state;
	struct import_description d;

	answer(f, "{\"ImportTableDescription\":{\"ImportArn\":\"" ARN
		  "\",\"ImportStatus\":\"IN_PROGRESS\",\"ErrorCount\":0,"
		  "\"TableArn\":\"arn:t\",\"S3BucketSource\":{\"S3Bucket\":\"snapshots\"}}}");
	assert_int_equal(import(f, &d), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.ImportTable");
	assert_string_equal(
		aws_fixture_body(f),
		"{\"ClientToken\":\"token-1\",\"InputCompressionType\":\"GZIP\",\"InputFormat\":"
		"\"DYNAMODB_JSON\",\"S3BucketSource\":{\"S3Bucket\":\"snapshots\",\"S3KeyPrefix\":"
		"\"orders/AWSDynamoDB/0165/data/\"},\"TableCreationParameters\":{\"TableName\":\"orders\"}}");
	assert_string_equal(d.arn, ARN);
	assert_int_equal(d.status, IMPORT_IN_PROGRESS);
	assert_true(d.processed_bytes == 0 && d.processed_items == 0 && d.imported_items == 0 && d.errors == 0);
	assert_null(d.failure_code);
	assert_null(d.failure_message);
	import_description_fini(&d);
	assert_null(d.arn);

	refuse(f, "ImportConflictException");
	assert_int_equal(import(f, &d), -ERR_CONFLICT);
	refuse(f, "ResourceInUseException");
	assert_int_equal(import(f, &d), -ERR_CONFLICT);
	refuse(f, "LimitExceededException");
	assert_int_equal(import(f, &d), -ERR_THROTTLE);
	import_table(&f->op, "snapshots", "p", SPAN_LIT("{"), "t", &d, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_INVALID);
	assert_int_equal(f->nrequests, 4);
}

static void test_describe(void **state)
{
	struct aws_fixture *f = *state;
	struct import_description d;

	answer(f, "{\"ImportTableDescription\":{\"ImportArn\":\"" ARN "\",\"ImportStatus\":\"FAILED\",\"ErrorCount\":3,"
		  "\"ProcessedSizeBytes\":5000000000,\"ProcessedItemCount\":12,\"ImportedItemCount\":9,"
		  "\"FailureCode\":\"ItemValidationError\",\"FailureMessage\":\"Some items failed\"}}");
	assert_int_equal(describe(f, &d), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.DescribeImport");
	assert_string_equal(aws_fixture_body(f), "{\"ImportArn\":\"" ARN "\"}");
	assert_int_equal(d.status, IMPORT_FAILED);
	assert_true(d.processed_bytes == 5000000000);
	assert_int_equal(d.processed_items, 12);
	assert_int_equal(d.imported_items, 9);
	assert_int_equal(d.errors, 3);
	assert_string_equal(d.failure_code, "ItemValidationError");
	assert_string_equal(d.failure_message, "Some items failed");
	import_description_fini(&d);

	refuse(f, "ImportNotFoundException");
	assert_int_equal(describe(f, &d), -ERR_NOT_FOUND);
}

static void test_statuses(void **state)
{
	struct aws_fixture *f = *state;
	static const struct {
		const char *name;
		enum import_status status;
	} cases[] = {
		{"IN_PROGRESS", IMPORT_IN_PROGRESS},
		{"COMPLETED", IMPORT_COMPLETED},
		{"CANCELLING", IMPORT_CANCELLING},
		{"CANCELLED", IMPORT_CANCELLED},
		{"FAILED", IMPORT_FAILED},
		{"completed", IMPORT_STATUS_UNKNOWN},
		{"SOMETHING_NEW", IMPORT_STATUS_UNKNOWN},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct import_description d;
		char body[300];

		snprintf(body, sizeof(body),
			 "{\"ImportTableDescription\":{\"ImportArn\":\"a\",\"ImportStatus\":\"%s\"}}", cases[i].name);
		answer(f, body);
		assert_int_equal(describe(f, &d), 0);
		assert_int_equal(d.status, cases[i].status);
		import_description_fini(&d);
	}
}

#define FAILED_WITH(rest) ("{\"ImportTableDescription\":{\"ImportArn\":\"a\",\"ImportStatus\":\"FAILED\"," rest "}}")

static void test_malformed(void **state)
{
	struct aws_fixture *f = *state;
	static const char *const bodies[] = {
		"",
		"{}",
		"{\"ImportTableDescription\":[]}",
		"{\"ImportTableDescription\":{\"ImportArn\":\"a\"}}",
		"{\"ImportTableDescription\":{\"ImportStatus\":\"COMPLETED\"}}",
		"{\"ImportTableDescription\":{\"ImportArn\":\"\",\"ImportStatus\":\"COMPLETED\"}}",
		"{\"ImportTableDescription\":{\"ImportArn\":\"a\",\"ImportStatus\":7}}",
		FAILED_WITH("\"ErrorCount\":-1"),
		FAILED_WITH("\"ErrorCount\":\"1\""),
		FAILED_WITH("\"ProcessedItemCount\":1.5"),
		FAILED_WITH("\"FailureCode\":7"),
	};

	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct import_description d = {.errors = 4711};

		answer(f, bodies[i]);
		if (describe(f, &d) != -ERR_CORRUPT)
			fail_msg("good: %s", bodies[i]);
		assert_int_equal(d.errors, 4711);
		assert_null(d.arn);
		answer(f, bodies[i]);
		assert_int_equal(import(f, &d), -ERR_CORRUPT);
	}
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, aws_fixture_setup, aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),   TEST(test_delete),	  TEST(test_set_ttl),	TEST(test_import),
		TEST(test_describe), TEST(test_statuses), TEST(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
