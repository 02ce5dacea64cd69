/* What the API reference says of BatchWriteItem, PutItem, DeleteItem, GetItem and of errors; answers as servers send them. */
#include "aws_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/items.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TOTAL "\"ReturnConsumedCapacity\":\"TOTAL\"}"
#define UNITS(n) "{\"TableName\":\"orders\",\"CapacityUnits\":" n "}"

static void answer(struct aws_fixture *f, const char *body)
{
	aws_fixture_answer(f, "200 OK", "x-amzn-RequestId: R1\r\n", body, strlen(body));
}

static void refuse(struct aws_fixture *f, const char *code, const char *message)
{
	char body[2000];

	snprintf(body, sizeof(body), "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\",\"message\":\"%s\"}", code,
		 message);
	aws_fixture_answer(f, "400 Bad Request", "x-amzn-RequestId: R1\r\nRetry-After: 3\r\n", body, strlen(body));
}

static int batch(struct aws_fixture *f, const struct items_write *w, size_t n, struct items_batch_result *r)
{
	memset(r, 0xa5, sizeof(*r));
	items_batch_write(&f->op, "orders", w, n, r, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

/* --- BatchWriteItem --- */

static const struct items_write four[] = {
	{SPAN_LIT("{\"id\":{\"S\":\"a\"},\"n\":{\"N\":\"1.50\"},\"s\":{\"SS\":[\"x\",\"y\"]}}"), false},
	{SPAN_LIT(" { \"id\" : {\"S\":\"b\\u00e9\"} } "), false},
	{SPAN_LIT("{\"id\":{\"S\":\"c\"}}"), true},
	{SPAN_LIT("{\"id\":{\"S\":\"d\"},\"m\":{\"M\":{\"p\":{\"NULL\":true},\"q\":{\"L\":[]}}}}"), false},
};

static void test_batch_request(void **state)
{
	struct aws_fixture *f = *state;
	struct items_batch_result r;

	answer(f, "{\"UnprocessedItems\":{},\"ConsumedCapacity\":[" UNITS("3.5") "," UNITS("1") "]}");
	assert_int_equal(batch(f, four, 4, &r), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.BatchWriteItem");
	assert_string_equal(aws_fixture_body(f),
			    "{\"RequestItems\":{\"orders\":["
			    "{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"a\"},\"n\":{\"N\":\"1.50\"},"
			    "\"s\":{\"SS\":[\"x\",\"y\"]}}}},"
			    "{\"PutRequest\":{\"Item\":{ \"id\" : {\"S\":\"b\\u00e9\"} }}},"
			    "{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"c\"}}}},"
			    "{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"d\"},\"m\":{\"M\":{\"p\":{\"NULL\":true},"
			    "\"q\":{\"L\":[]}}}}}}]}," TOTAL);
	assert_int_equal(r.nleft, 0);
	for (size_t i = 0; i < ITEMS_BATCH_MAX; i++)
		assert_false(r.left[i]);
	assert_true(r.consumed_units == 4.5);
	assert_int_equal(f->observed_what, AWS_ITEMS_BATCH_WRITE);

	/* Nothing told. */
	answer(f, "{}");
	assert_int_equal(batch(f, four, 4, &r), 0);
	assert_int_equal(r.nleft, 0);
	assert_true(r.consumed_units == 0);
	answer(f, "{\"UnprocessedItems\":null,\"ConsumedCapacity\":null,\"ItemCollectionMetrics\":{\"orders\":[{}]}}");
	assert_int_equal(batch(f, four, 4, &r), 0);
	assert_int_equal(r.nleft, 0);
}

/* `which` has a '1' for each write that must count as left. */
static void expect_left(struct aws_fixture *f, const struct items_write *w, size_t n, const char *unprocessed,
			const char *which)
{
	struct items_batch_result r;
	char body[4000];
	size_t count = 0;

	snprintf(body, sizeof(body), "{\"ConsumedCapacity\":[],\"UnprocessedItems\":%s}", unprocessed);
	answer(f, body);
	if (batch(f, w, n, &r) != 0)
		fail_msg("%s", f->op.err.message);
	for (size_t i = 0; i < ITEMS_BATCH_MAX; i++) {
		bool want = i < n && which[i] == '1';

		if (r.left[i] != want)
			fail_msg("write %zu is%s left, after %s", i, r.left[i] ? "" : " not", unprocessed);
		count += want;
	}
	assert_int_equal(r.nleft, count);
}

static void test_unprocessed(void **state)
{
	struct aws_fixture *f = *state;

	expect_left(f, four, 4, "{\"orders\":[{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"c\"}}}}]}", "0010");
	/* Members in another order, a set in another order, an escape or none, white space. */
	expect_left(f, four, 4,
		    "{\"orders\":[{\"PutRequest\":{\"Item\":{\"s\":{\"SS\":[\"y\",\"x\"]},\"n\":{\"N\":\"1.50\"},"
		    "\"id\":{\"S\":\"a\"}}}} , {\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"b\xc3\xa9\"}}}}]}",
		    "1100");
	expect_left(f, four, 4,
		    "{\"orders\":[{\"PutRequest\":{\"Item\":{\"m\":{\"M\":{\"q\":{\"L\":[]},\"p\":{\"NULL\":true}}},"
		    "\"id\":{\"S\":\"d\"}}}}]}",
		    "0001");
	/* An unused kind as null, a table under its ARN, one write twice. */
	expect_left(f, four, 4,
		    "{\"arn:aws:dynamodb:eu-west-1:1:table/orders\":["
		    "{\"PutRequest\":null,\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"c\"}}}},"
		    "{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"c\"}}},\"PutRequest\":null}]}",
		    "0010");
	expect_left(f, four, 4, "{\"orders\":[]}", "0000");
	expect_left(f, four, 4, "{ }", "0000");
}

/* A put and a delete of the same text are not the same write. */
static void test_unprocessed_kinds(void **state)
{
	struct aws_fixture *f = *state;
	static const struct items_write w[] = {
		{SPAN_LIT("{\"id\":{\"S\":\"a\"}}"), true},
		{SPAN_LIT("{\"id\":{\"S\":\"b\"}}"), true},
		{SPAN_LIT("{\"id\":{\"S\":\"a\"}}"), false},
	};

	expect_left(f, w, 3, "{\"orders\":[{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"a\"}}}}]}", "001");
	expect_left(f, w, 3, "{\"orders\":[{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"a\"}}}}]}", "100");
}

/* A number that comes back in another form: no write of that kind may count as done. */
static void test_unprocessed_strange(void **state)
{
	struct aws_fixture *f = *state;

	expect_left(f, four, 4,
		    "{\"orders\":[{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"a\"},\"n\":{\"N\":\"1.5\"},"
		    "\"s\":{\"SS\":[\"x\",\"y\"]}}}}]}",
		    "1101");
	expect_left(f, four, 4, "{\"orders\":[{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"z\"}}}}]}", "0010");
}

static void test_unprocessed_all(void **state)
{
	struct aws_fixture *f = *state;
	struct items_write w[ITEMS_BATCH_MAX];
	char items[ITEMS_BATCH_MAX][32], unprocessed[4000] = "{\"orders\":[";

	for (int i = ITEMS_BATCH_MAX - 1; i >= 0; i--) {
		snprintf(items[i], sizeof(items[i]), "{\"id\":{\"N\":\"%d\"}}", i);
		w[i] = (struct items_write){span_of(items[i]), false};
		sprintf(unprocessed + strlen(unprocessed), "{\"PutRequest\":{\"Item\":%s}}%s", items[i],
			i > 0 ? "," : "]}");
	}
	expect_left(f, w, ITEMS_BATCH_MAX, unprocessed, "1111111111111111111111111");
	w[7].attributes.ptr = "{\"id\":{\"N\":\"a\"}}"; /* of other bytes, and so none that came back */
	w[7].attributes.len = strlen(w[7].attributes.ptr);
	expect_left(f, w, ITEMS_BATCH_MAX, "{\"orders\":[{\"PutRequest\":{\"Item\":{\"id\":{\"N\":\"24\"}}}}]}",
		    "0000000000000000000000001");
}

static void test_batch_malformed(void **state)
{
	struct aws_fixture *f = *state;
	static const char *const bodies[] = {
		"",
		"[]",
		"{\"UnprocessedItems\":{}}x",
		"{\"UnprocessedItems\":{},\"UnprocessedItems\":{}}",
		"{\"UnprocessedItems\":[]}",
		"{\"UnprocessedItems\":7}",
		"{\"UnprocessedItems\":{\"orders\":{}}}",
		"{\"UnprocessedItems\":{\"orders\":[7]}}",
		"{\"UnprocessedItems\":{\"orders\":[{}]}}",
		"{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":null}]}}",
		"{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":7}]}}",
		"{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":{}}]}}",
		"{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":{\"Key\":{\"id\":{\"S\":\"a\"}}}}]}}",
		"{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":{\"Item\":\"secret\"}}]}}",
		"{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":{\"Item\":{\"secret\":7}}}]}}",
		("{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"a\"}}},"
		 "\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"a\"}}}}]}}"),
		"{\"ConsumedCapacity\":{}}",
		"{\"ConsumedCapacity\":[7]}",
		"{\"ConsumedCapacity\":[{\"CapacityUnits\":\"1\"}]}",
		"{\"ConsumedCapacity\":[{\"CapacityUnits\":-1}]}",
		"{\"ConsumedCapacity\":[{\"CapacityUnits\":1,\"CapacityUnits\":1}]}",
	};

	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct items_batch_result r, untouched;

		memset(&untouched, 0xa5, sizeof(untouched));
		answer(f, bodies[i]);
		if (batch(f, four, 4, &r) != -ERR_CORRUPT)
			fail_msg("good: %s", bodies[i]);
		assert_memory_equal(&r, &untouched, sizeof(r));
		assert_true(f->op.err.maybe_done);
		assert_string_equal(f->op.err.request_id, "R1");
		assert_null(strstr(f->op.err.message, "secret"));
		assert_non_null(strstr(f->op.err.message, "BatchWriteItem orders: "));
	}
}

/* Every beginning of an answer that is shorter than the answer is malformed. */
static void test_batch_truncated(void **state)
{
	struct aws_fixture *f = *state;
	static const char body[] =
		"{\"UnprocessedItems\":{\"orders\":[{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"c\"}}}}]},"
		"\"ConsumedCapacity\":[" UNITS("1.0") "]}";

	for (size_t len = 0; len < strlen(body); len++) {
		struct items_batch_result r;

		aws_fixture_answer(f, "200 OK", "", body, len);
		assert_int_equal(batch(f, four, 4, &r), -ERR_CORRUPT);
	}
}

static void test_batch_refused_before_sending(void **state)
{
	struct aws_fixture *f = *state;
	static const char *const bad[] = {
		"",
		"7",
		"[]",
		"null",
		"{\"id\":{\"S\":\"secret\"}",
		"{\"id\":{\"S\":\"secret\"}}}",
		/* This would close the write and open another one. */
		"{\"id\":{\"S\":\"secret\"}}}},{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"b\"}}",
	};
	struct items_write w[ITEMS_BATCH_MAX + 1];
	struct items_batch_result r;

	for (size_t i = 0; i < COUNT(w); i++)
		w[i] = four[0];
	assert_int_equal(batch(f, w, 0, &r), -ERR_INVALID);
	assert_int_equal(batch(f, w, ITEMS_BATCH_MAX + 1, &r), -ERR_INVALID);
	assert_non_null(strstr(f->op.err.message, "1 to 25"));
	for (size_t i = 0; i < COUNT(bad); i++) {
		w[2].attributes = span_of(bad[i]);
		assert_int_equal(batch(f, w, 4, &r), -ERR_INVALID);
		assert_non_null(strstr(f->op.err.message, "BatchWriteItem orders: write 3 of 4 is not "));
		assert_null(strstr(f->op.err.message, "secret"));
	}
	w[2].attributes = (struct span){NULL, 0};
	assert_int_equal(batch(f, w, 4, &r), -ERR_INVALID);
	assert_int_equal(f->nrequests, 0);
}

static char *long_item(char *out, size_t len)
{
	int n = sprintf(out, "{\"id\":{\"S\":\"x\"},\"v\":{\"S\":\"");

	memset(out + n, 'v', len - (size_t)n - 3);
	memcpy(out + len - 3, "\"}}", 3);
	out[len] = '\0';
	return out;
}

/* Requests of over 64 KiB go out, those of over 16 MiB do not, and their memory is given back. */
static void test_batch_sizes(void **state)
{
	struct aws_fixture *f = *state;
	struct items_write w[ITEMS_BATCH_MAX];
	struct items_batch_result r;
	size_t each = ITEMS_BATCH_BYTES_MAX / ITEMS_BATCH_MAX;
	char *item = malloc(each + 1);

	assert_non_null(item);
	w[0] = (struct items_write){{long_item(item, 600000), 600000}, false};
	answer(f, "{}");
	assert_int_equal(batch(f, w, 1, &r), 0);
	assert_true(strlen(aws_fixture_body(f)) > 600000);
	assert_non_null(strstr(aws_fixture_body(f), "vvv\"}}}}]}," TOTAL));
	assert_true(f->op.body.cap < 300000);

	for (size_t i = 0; i < ITEMS_BATCH_MAX; i++)
		w[i] = (struct items_write){{long_item(item, each), each}, false};
	assert_int_equal(batch(f, w, ITEMS_BATCH_MAX, &r), -ERR_INVALID);
	assert_non_null(strstr(f->op.err.message, "send fewer at once"));
	assert_int_equal(f->nrequests, 1);
	free(item);
}

/* What the header says is room enough for what is around the writes. */
static void test_batch_extra_bytes(void **state)
{
	struct aws_fixture *f = *state;
	struct items_write w[ITEMS_BATCH_MAX];
	struct items_batch_result r;
	char table[256];
	size_t text = 0;

	for (size_t i = 0; i < ITEMS_BATCH_MAX; i++) {
		w[i] = (struct items_write){SPAN_LIT("{\"id\":{\"S\":\"c\"}}"), true};
		text += w[i].attributes.len;
	}
	memset(table, 't', 255);
	table[255] = '\0';
	answer(f, "{}");
	items_batch_write(&f->op, table, w, ITEMS_BATCH_MAX, &r, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_true(strlen(aws_fixture_body(f)) <=
		    text + ITEMS_BATCH_EXTRA_BYTES + ITEMS_BATCH_MAX * ITEMS_WRITE_EXTRA_BYTES);
}

/* --- PutItem, DeleteItem, GetItem --- */

static void test_single_writes(void **state)
{
	struct aws_fixture *f = *state;
	double units = 99;

	answer(f, "{\"ConsumedCapacity\":" UNITS("2.0") "}");
	items_write(&f->op, "orders", &four[0], &units, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.PutItem");
	assert_string_equal(aws_fixture_body(f), "{\"TableName\":\"orders\",\"Item\":{\"id\":{\"S\":\"a\"},"
						 "\"n\":{\"N\":\"1.50\"},\"s\":{\"SS\":[\"x\",\"y\"]}}," TOTAL);
	assert_true(units == 2);

	answer(f, "{}");
	items_write(&f->op, "orders", &four[2], NULL, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.DeleteItem");
	assert_string_equal(aws_fixture_body(f), "{\"TableName\":\"orders\",\"Key\":{\"id\":{\"S\":\"c\"}}," TOTAL);

	units = 99;
	answer(f, "{\"ConsumedCapacity\":" UNITS("1e0") "");
	items_write(&f->op, "orders", &four[2], &units, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	assert_true(units == 99);
}

static void test_get(void **state)
{
	struct aws_fixture *f = *state;
	struct span item = SPAN_LIT("untouched");
	struct span key = SPAN_LIT("{\"id\":{\"S\":\"a\"}}");

	answer(f, "{\"Item\": {\"n\":{\"N\":\"1.50\"} , \"id\":{\"S\":\"a\"}} }");
	items_get(&f->op, "orders", key, &item, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.GetItem");
	assert_string_equal(aws_fixture_body(f),
			    "{\"TableName\":\"orders\",\"Key\":{\"id\":{\"S\":\"a\"}},\"ConsistentRead\":true}");
	assert_true(span_eq_str(item, "{\"n\":{\"N\":\"1.50\"} , \"id\":{\"S\":\"a\"}}"));

	answer(f, "{}");
	items_get(&f->op, "orders", key, &item, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_int_equal(item.len, 0);

	item = SPAN_LIT("untouched");
	answer(f, "{\"Item\":[\"secret\"]}");
	items_get(&f->op, "orders", key, &item, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	assert_true(span_eq_str(item, "untouched"));
	assert_null(strstr(f->op.err.message, "secret"));
}

/* --- errors --- */

static void test_errors(void **state)
{
	struct aws_fixture *f = *state;
	static const struct {
		const char *code, *message, *words; /* words that must be in the message; NULL: none of the server's */
		enum err_class class;
	} cases[] = {
		{"ProvisionedThroughputExceededException", "The level of configured throughput was exceeded",
		 "The level of", ERR_THROTTLE},
		{"ThrottlingException", "Rate of requests", "Rate of requests", ERR_THROTTLE},
		{"RequestLimitExceeded", "Too many", "Too many", ERR_THROTTLE},
		{"ResourceNotFoundException", "Requested resource not found", "Requested resource", ERR_NOT_FOUND},
		{"AccessDeniedException", "User: arn:aws:iam::1:user/u is not authorized", "arn:aws:iam::1",
		 ERR_DENIED},
		{"ItemCollectionSizeLimitExceededException", "secret", NULL, ERR_LIMIT},
		{"ValidationException", "Item size has exceeded the maximum allowed size",
		 "Item size has exceeded the maximum allowed size", ERR_INVALID},
		{"ValidationException",
		 "One or more parameter values were invalid: Type mismatch for key secret expected: S actual: N",
		 "Type mismatch for key", ERR_INVALID},
		{"ValidationException",
		 "1 validation error detected: Value "
		 "'{orders=[WriteRequest(putRequest=PutRequest(item={id={S=secret,}}",
		 "1 validation error detected", ERR_INVALID},
		{"ValidationException", "Input collection [secret, secret] contains duplicates.", "contains duplicates",
		 ERR_INVALID},
		{"ValidationException", "The parameter cannot be converted to a numeric value: secret",
		 "cannot be converted to a numeric value", ERR_INVALID},
		{"ValidationException", "Something new about secret", NULL, ERR_INVALID},
		{"SerializationException", "Unrecognized token 'secret'", NULL, ERR_INVALID},
		{"ConditionalCheckFailedException", "secret", NULL, ERR_CONFLICT},
		{"NeverHeardOf", "secret", NULL, ERR_INVALID},
	};
	struct items_batch_result r;
	struct span item;

	for (size_t i = 0; i < 4 * COUNT(cases); i++) {
		const char *message = f->op.err.message;
		size_t c = i / 4;

		refuse(f, cases[c].code, cases[c].message);
		if (i % 4 == 0)
			items_batch_write(&f->op, "orders", four, 4, &r, NULL, NULL);
		else if (i % 4 == 1)
			items_write(&f->op, "orders", &four[0], NULL, NULL, NULL);
		else if (i % 4 == 2)
			items_get(&f->op, "orders", four[2].attributes, &item, NULL, NULL);
		else
			items_read(&f->op, &(struct items_read){.table = "orders"}, NULL, NULL);
		assert_int_equal(aws_wait(&f->op, NULL), -(int)cases[c].class);
		assert_string_equal(f->op.err.aws_code, cases[c].code);
		assert_string_equal(f->op.err.request_id, "R1");
		assert_int_equal(f->op.err.http_status, 400);
		assert_int_equal(f->op.err.retry_after_ms, 3000);
		assert_false(f->op.err.maybe_done);
		assert_non_null(strstr(message, cases[c].code));
		assert_non_null(strstr(message, " orders: "));
		assert_null(strstr(message, "secret"));
		if (cases[c].words)
			assert_non_null(strstr(message, cases[c].words));
		else
			assert_non_null(strstr(message, "left out"));
	}
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, aws_fixture_setup, aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_batch_request),
		TEST(test_unprocessed),
		TEST(test_unprocessed_kinds),
		TEST(test_unprocessed_strange),
		TEST(test_unprocessed_all),
		TEST(test_batch_malformed),
		TEST(test_batch_truncated),
		TEST(test_batch_refused_before_sending),
		TEST(test_batch_sizes),
		TEST(test_batch_extra_bytes),
		TEST(test_single_writes),
		TEST(test_get),
		TEST(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
