/* What the API reference says of Scan and Query; pages as servers send them. */
#include "aws_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/items.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TOTAL "\"ReturnConsumedCapacity\":\"TOTAL\"}"

static void answer(struct aws_fixture *f, const char *body)
{
	aws_fixture_answer(f, "200 OK", "", body, strlen(body));
}

static void test_scan_request(void **state)
{
	struct aws_fixture *f = *state;
	struct items_read r = {.table = "orders"};

	answer(f, "{\"Items\":[]}");
	items_read(&f->op, &r, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.Scan");
	assert_string_equal(aws_fixture_body(f), "{\"TableName\":\"orders\"," TOTAL);
	assert_string_equal(buf_str(http_body(f->op.slot)), "{\"Items\":[]}");

	r.consistent = true;
	r.limit = 100;
	r.segment = 3;
	r.segments = 4;
	r.start_key = SPAN_LIT("{\"id\":{\"S\":\"a\\u0000\"}}");
	answer(f, "{\"Items\":[]}");
	items_read(&f->op, &r, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_body(f),
			    "{\"TableName\":\"orders\",\"ConsistentRead\":true,\"Limit\":100,\"Segment\":3,"
			    "\"TotalSegments\":4,\"ExclusiveStartKey\":{\"id\":{\"S\":\"a\\u0000\"}}," TOTAL);

	aws_fixture_answer(f, "400 Bad Request", "", "{\"__type\":\"x#ThrottlingException\"}", 34);
	items_read(&f->op, &r, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_THROTTLE);
	assert_non_null(strstr(f->op.err.message, "Scan orders, segment 3 of 4: "));

	r.start_key = SPAN_LIT("{\"id\":{\"S\":\"secret\"}");
	items_read(&f->op, &r, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_INVALID);
	assert_non_null(strstr(f->op.err.message, "ExclusiveStartKey"));
	assert_null(strstr(f->op.err.message, "secret"));
	assert_int_equal(f->nrequests, 3);
}

static void test_query_request(void **state)
{
	struct aws_fixture *f = *state;
	struct items_read r = {
		.table = "orders",
		.hash_name = "order \"id\"",
		.hash_value = SPAN_LIT("{\"S\":\"x\"}"),
		.start_key = SPAN_LIT("{\"id\":{\"S\":\"x\"}}"),
		.segments = 4, /* of a Scan only */
	};

	answer(f, "{\"Items\":[]}");
	items_read(&f->op, &r, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.Query");
	assert_string_equal(aws_fixture_body(f), "{\"TableName\":\"orders\",\"KeyConditionExpression\":\"#h = :h\","
						 "\"ExpressionAttributeNames\":{\"#h\":\"order \\\"id\\\"\"},"
						 "\"ExpressionAttributeValues\":{\":h\":{\"S\":\"x\"}},"
						 "\"ExclusiveStartKey\":{\"id\":{\"S\":\"x\"}}," TOTAL);
	r.hash_value = SPAN_LIT("\"secret\"");
	items_read(&f->op, &r, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_INVALID);
	assert_null(strstr(f->op.err.message, "secret"));
}

struct seen {
	struct buf text; /* the items, a line each */
	int calls, fail_at;
};

static int see(void *arg, struct span item)
{
	struct seen *s = arg;

	if (++s->calls == s->fail_at)
		return -ERR_SYSTEM;
	buf_append(&s->text, item.ptr, item.len);
	return buf_append_char(&s->text, '\n');
}

static int walk(const char *body, size_t len, struct seen *s, struct items_page *page, struct err *e)
{
	/* At its exact length, so that a read past the end shows. */
	char *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, body, len);
	buf_reset(&s->text);
	s->calls = 0;
	rc = items_page_each((struct span){copy, len}, see, s, page, e);
	if (rc == 0 && page->last_key.len > 0) {
		assert_true(page->last_key.ptr > copy && page->last_key.ptr + page->last_key.len < copy + len);
		page->last_key.ptr = body + (page->last_key.ptr - copy);
	}
	free(copy);
	return rc;
}

static const char good_page[] =
	"{\"Count\":2,\"Items\":[{\"n\":{\"N\":\"1.50\"}, \"id\":{\"S\":\"}\\\"\"}},{ }],\"LastEvaluatedKey\":{\"id\":"
	"{\"S\":\"k\"}},\"ScannedCount\":17,\"ConsumedCapacity\":"
	"{\"TableName\":\"orders\",\"CapacityUnits\":128.5}"
	",\"New\":[{}]}";

static void test_page(void **state)
{
	static const char last[] = "{\"Items\":[],\"LastEvaluatedKey\":null,\"ConsumedCapacity\":null}";
	static const char empty[] = "{\"LastEvaluatedKey\":{\"id\":{\"S\":\"k\"}},\"Items\":[]}";
	struct seen s = {0};
	struct items_page page;
	struct err e;

	(void)state;
	buf_init(&s.text, 1 << 16);
	assert_int_equal(walk(good_page, strlen(good_page), &s, &page, &e), 0);
	assert_string_equal(buf_str(&s.text), "{\"n\":{\"N\":\"1.50\"}, \"id\":{\"S\":\"}\\\"\"}}\n{ }\n");
	assert_true(span_eq_str(page.last_key, "{\"id\":{\"S\":\"k\"}}"));
	assert_int_equal(page.scanned, 17);
	assert_true(page.consumed_units == 128.5);

	assert_int_equal(walk(last, strlen(last), &s, &page, &e), 0);
	assert_int_equal(s.calls, 0);
	assert_int_equal(page.last_key.len, 0);
	assert_int_equal(page.scanned, 0);
	assert_true(page.consumed_units == 0);

	/* A page may be empty and not the last. */
	assert_int_equal(walk(empty, strlen(empty), &s, &page, &e), 0);
	assert_true(page.last_key.len > 0);
	buf_fini(&s.text);
}

static void test_page_callback(void **state)
{
	struct seen s = {.fail_at = 2};
	struct items_page page = {.scanned = 4711};
	struct err e = {.class = ERR_NONE};

	(void)state;
	buf_init(&s.text, 1 << 16);
	assert_int_equal(walk(good_page, strlen(good_page), &s, &page, &e), -ERR_SYSTEM);
	assert_int_equal(s.calls, 2);
	assert_int_equal(page.scanned, 4711);
	assert_int_equal(e.class, ERR_NONE);
	buf_fini(&s.text);
}

static void test_page_malformed(void **state)
{
	static const char *const bodies[] = {
		"",
		"[]",
		"{}",
		"{\"Count\":0}",
		"{\"Items\":null}",
		"{\"Items\":{}}",
		"{\"Items\":[7]}",
		"{\"Items\":[\"secret\"]}",
		"{\"Items\":[{\"secret\"}]}",
		"{\"Items\":[{}{}]}",
		"{\"Items\":[],\"Items\":[]}",
		"{\"Items\":[]}{}",
		"{\"Items\":[{}],\"Count\":2}",
		"{\"Items\":[{}],\"Count\":0}",
		"{\"Items\":[],\"Count\":-1}",
		"{\"Items\":[],\"Count\":\"0\"}",
		"{\"Items\":[],\"ScannedCount\":1.5}",
		"{\"Items\":[],\"ScannedCount\":9999999999999999999}",
		/* The next page would begin at the first item again. */
		"{\"Items\":[],\"LastEvaluatedKey\":{}}",
		"{\"Items\":[],\"LastEvaluatedKey\":\"secret\"}",
		"{\"Items\":[],\"ConsumedCapacity\":[]}",
		"{\"Items\":[],\"ConsumedCapacity\":{\"CapacityUnits\":null}}",
	};
	struct seen s = {0};

	(void)state;
	buf_init(&s.text, 1 << 16);
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct items_page page = {.scanned = 4711};
		struct err e = {0};

		if (walk(bodies[i], strlen(bodies[i]), &s, &page, &e) != -ERR_CORRUPT)
			fail_msg("good: %s", bodies[i]);
		assert_int_equal(page.scanned, 4711);
		assert_int_equal(e.class, ERR_CORRUPT);
		assert_non_null(strstr(e.message, "byte"));
		assert_null(strstr(e.message, "secret"));
		assert_int_equal(walk(bodies[i], strlen(bodies[i]), &s, &page, NULL), -ERR_CORRUPT);
	}
	for (size_t len = 0; len < strlen(good_page); len++) {
		struct items_page page;

		assert_int_equal(walk(good_page, len, &s, &page, NULL), -ERR_CORRUPT);
	}
	buf_fini(&s.text);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, aws_fixture_setup, aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scan_request),
		TEST(test_query_request),
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_page_callback),
		cmocka_unit_test(test_page_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
