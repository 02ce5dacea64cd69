/*
 * The answer of GetRecords (DynamoDB Streams API reference), as DynamoDB Local and AWS write it. Every body lies in a
 * heap block of exactly its size, so that AddressSanitizer sees a read past the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/records.h"

#define NAMES "\"eventID\":\"b84ec289-5f6c-49b5-89bf-99153a33974c\",\"eventVersion\":\"1.1\",\"awsRegion\":\"ddblocal\""
#define KEYS "\"Keys\":{\"pk\":{\"S\":\"a\"}}"
#define NEW "\"NewImage\":{\"pk\":{\"S\":\"a\"}}"
#define INSERT_1 "{\"eventName\":\"INSERT\",\"dynamodb\":{" KEYS "," NEW ",\"SequenceNumber\":\"1\"}}"

/* As it came over the wire from DynamoDB Local. */
static const char local[] =
	"{\"Records\":[{\"eventID\":\"4be6b98c-0aa0-4821-a7c6-376653780df0\",\"eventName\":\"INSERT\",\"eventVersion\":"
	"\"1.1\",\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"ddblocal\",\"dynamodb\":{"
	"\"ApproximateCreationDateTime\":"
	"1795435320.000,\"Keys\":{\"sk\":{\"N\":\"1.5\"},\"pk\":{\"S\":\"a|b\"}},\"NewImage\":{\"ss\":{\"SS\":[\"x\","
	"\"y\"]},"
	"\"bs\":{\"BS\":[\"QUFFPQ==\",\"QWc9PQ==\"]},\"b\":{\"B\":\"QUFFQw==\"},\"ns\":{\"NS\":[\"1\",\"2.5\"]},\"sk\":"
	"{"
	"\"N\":\"1.5\"},\"pk\":{\"S\":\"a|b\"},\"l\":{\"L\":[{\"S\":\"q\"},{\"NULL\":true}]},\"m\":{\"M\":{\"u\":{"
	"\"S\":"
	"\"\xc3\xa9\xe6\xbc\xa2\\uD83D\\uDE00\\u0001\\\"/\"},\"k\":{\"BOOL\":false}}},\"n\":{\"N\":"
	"\"12345678901234567890123456789.12345678\"}},\"SequenceNumber\":\"000000000000000000001\",\"SizeBytes\":96,"
	"\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}},{\"eventID\":\"9310da0c-73e4-463b-9b2e-1e1c8e880b05\","
	"\"eventName\":"
	"\"MODIFY\",\"eventVersion\":\"1.1\",\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"ddblocal\",\"dynamodb\":{"
	"\"ApproximateCreationDateTime\":1795435380.000,\"Keys\":{\"sk\":{\"N\":\"-7\"},\"pk\":{\"S\":\"k2\"}},"
	"\"NewImage\":"
	"{\"sk\":{\"N\":\"-7\"},\"pk\":{\"S\":\"k2\"}},\"OldImage\":{\"pk\":{\"S\":\"k2\"},\"sk\":{\"N\":\"-7\"}},"
	"\"SequenceNumber\":\"000000000000000000003\",\"SizeBytes\":18,\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}},{"
	"\"eventID\":\"e855ec91-fe78-47e1-8ba5-d39e8504af50\",\"eventName\":\"REMOVE\",\"eventVersion\":\"1.1\","
	"\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"ddblocal\",\"dynamodb\":{\"ApproximateCreationDateTime\":"
	"1795436820.000,\"Keys\":{\"pk\":{\"S\":\"ttlx\"}},\"OldImage\":{\"pk\":{\"S\":\"ttlx\"},\"ttl\":{\"N\":"
	"\"1795436864\"}},\"SequenceNumber\":\"000000000000000000018\",\"SizeBytes\":21,\"StreamViewType\":"
	"\"NEW_AND_OLD_IMAGES\"},\"userIdentity\":{\"PrincipalId\":\"dynamodb.amazonaws.com\",\"Type\":\"Service\"}}],"
	"\"NextShardIterator\":\"000|arn:aws:dynamodb:ddblocal:000000000000:table/tab1/stream/"
	"2026-11-23T12:02:59.379|c2hh\"}";

struct seen {
	struct records_entry entries[8];
	size_t n;
	size_t fail_at; /* 1 is the first; 0 none */
};

static int see(void *arg, const struct records_entry *r)
{
	struct seen *s = arg;

	if (s->n < 8)
		s->entries[s->n] = *r;
	s->n++;
	return s->n == s->fail_at ? -ERR_CANCELLED : 0;
}

static struct err last;

static int split(const char *text, size_t len, struct seen *s, struct records_answer *a)
{
	char *body = malloc(len);

	assert_non_null(body);
	memcpy(body, text, len);
	memset(&last, 0, sizeof(last));
	memset(a, 0x55, sizeof(*a));
	s->n = 0;
	int rc = records_split(body, len, see, s, a, &last);
	if (rc != 0)
		assert_int_equal(a->next_iterator.len, 0x55555555);
	if (rc != 0 && rc != -ERR_CANCELLED)
		assert_int_equal(last.class, -rc);
	free(body);
	return rc;
}

static void check_fails(const char *text)
{
	struct seen s = {0};
	struct records_answer a;

	if (split(text, strlen(text), &s, &a) != -ERR_CORRUPT)
		fail_msg("accepted: %s", text);
	assert_non_null(strstr(last.message, "byte "));
}

/* A record with `members` inside and the rest as it should be. */
static int split_one(const char *members, struct records_entry *r)
{
	char text[4096];
	struct seen s = {0};
	struct records_answer a;
	int n = snprintf(text, sizeof(text), "{\"Records\":[{%s}]}", members);
	int rc = split(text, (size_t)n, &s, &a);

	if (rc == 0) {
		assert_int_equal(s.n, 1);
		*r = s.entries[0];
	}
	return rc;
}

static void check_slice(const char *text, struct records_slice got, const char *want)
{
	if (!want) {
		assert_int_equal(got.len, 0);
		return;
	}
	if (got.len != strlen(want) || memcmp(text + got.off, want, got.len) != 0)
		fail_msg("got %.*s, want %s", (int)got.len, text + got.off, want);
}

static void test_a_real_answer(void **state)
{
	struct seen s = {0};
	struct records_answer a;

	(void)state;
	assert_int_equal(split(local, sizeof(local) - 1, &s, &a), 0);
	assert_int_equal(s.n, 3);
	check_slice(local, a.next_iterator,
		    "000|arn:aws:dynamodb:ddblocal:000000000000:table/tab1/stream/2026-11-23T12:02:59.379|c2hh");
	const struct records_entry *r = &s.entries[0];
	assert_int_equal(r->op, RECORDS_INSERT);
	assert_int_equal(r->event_ms, 1795435320000);
	assert_false(r->by_ttl);
	check_slice(local, r->keys, "{\"sk\":{\"N\":\"1.5\"},\"pk\":{\"S\":\"a|b\"}}");
	check_slice(local, r->seq, "000000000000000000001");
	check_slice(local, r->old_image, NULL);
	assert_memory_equal(local + r->new_image.off, "{\"ss\":", 6);
	assert_memory_equal(local + r->new_image.off + r->new_image.len - 12, ".12345678\"}}", 12);
	r = &s.entries[1];
	assert_int_equal(r->op, RECORDS_MODIFY);
	check_slice(local, r->new_image, "{\"sk\":{\"N\":\"-7\"},\"pk\":{\"S\":\"k2\"}}");
	check_slice(local, r->old_image, "{\"pk\":{\"S\":\"k2\"},\"sk\":{\"N\":\"-7\"}}");
	r = &s.entries[2];
	assert_int_equal(r->op, RECORDS_REMOVE);
	assert_true(r->by_ttl);
	check_slice(local, r->new_image, NULL);
	check_slice(local, r->old_image, "{\"pk\":{\"S\":\"ttlx\"},\"ttl\":{\"N\":\"1795436864\"}}");
	check_slice(local, r->seq, "000000000000000000018");
}

static void test_truncated_everywhere(void **state)
{
	struct seen s = {0};
	struct records_answer a;

	(void)state;
	for (size_t n = 0; n < sizeof(local) - 1; n++)
		assert_int_equal(split(local, n, &s, &a), -ERR_CORRUPT);
}

static void test_empty_answers(void **state)
{
	struct seen s = {0};
	struct records_answer a;

	(void)state;
	assert_int_equal(split("{\"Records\":[]}", 14, &s, &a), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(a.next_iterator.len, 0);
	assert_int_equal(split("{\"NextShardIterator\":null,\"Records\":[]}", 39, &s, &a), 0);
	assert_int_equal(a.next_iterator.len, 0);
	assert_int_equal(split("{\"NextShardIterator\":\"x\",\"Records\":[],\"MillisBehindLatest\":0}", 61, &s, &a), 0);
	assert_int_equal(a.next_iterator.len, 1);
}

static void test_answers_that_are_none(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"NextShardIterator\":\"x\"}",
		"{\"Records\":null}",
		"{\"Records\":{}}",
		"{\"Records\":[null]}",
		"{\"Records\":[1]}",
		"{\"Records\":[{}]}",
		"{\"Records\":[[]]}",
		"{\"Records\":[]}x",
		"{\"Records\":[]}{}",
		"{\"Records\":[],}",
		"{\"Records\":[,]}",
		"{\"Records\":[" INSERT_1 ",]}",
		"{\"Records\":[" INSERT_1 "}",
		"{\"Records\":[],\"Records\":[]}",
		"{\"Records\":[],\"NextShardIterator\":1}",
		"{\"Records\":[],\"NextShardIterator\":\"\"}",
		"{\"Records\":[],\"NextShardIterator\":null,\"NextShardIterator\":\"x\"}",
		"{\"Records\":[],\"Other\":\"\xff\"}",
		"{\"Records\":[],\"Other\":\"\\ud800\"}",
		"{\"Records\":[],\"Other\":nul}",
		"{\"__type\":\"com.amazonaws#ExpiredIteratorException\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_fails(bad[i]);
}

static void test_records_that_are_none(void **state)
{
	static const char *const bad[] = {
		/* What must be there. */
		"\"dynamodb\":{" KEYS "," NEW ",\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"INSERT\"",
		"\"eventName\":\"INSERT\",\"dynamodb\":{" NEW ",\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"INSERT\",\"dynamodb\":{" KEYS "," NEW "}",
		"\"eventName\":\"INSERT\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"MODIFY\",\"dynamodb\":{" KEYS ",\"OldImage\":{},\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"MODIFY\",\"dynamodb\":{" KEYS ",\"NewImage\":null,\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{\"Keys\":null,\"SequenceNumber\":\"1\"}",
		/* Of what form. */
		"\"eventName\":\"insert\",\"dynamodb\":{" KEYS "," NEW ",\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"DELETE\",\"dynamodb\":{" KEYS "," NEW ",\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"\",\"dynamodb\":{" KEYS "," NEW ",\"SequenceNumber\":\"1\"}",
		"\"eventName\":null,\"dynamodb\":{" KEYS "," NEW ",\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":null",
		"\"eventName\":\"REMOVE\",\"dynamodb\":[]",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{\"Keys\":[],\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{\"Keys\":\"x\",\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":1}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":null}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"1x\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"-1\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS
		",\"SequenceNumber\":\"1234567890123456789012345678901234567890123456789\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"1\"},\"userIdentity\":\"x\"",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"1\"},\"userIdentity\":[]",
		/* Twice. */
		"\"eventName\":\"REMOVE\",\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS "," KEYS ",\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"K\\u0065ys\":{},\"SequenceNumber\":\"1\"}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"1\",\"SequenceNumber\":\"2\"}",
		/* Malformed inside what is not read. */
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"1\",\"SizeBytes\":01}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS
		",\"SequenceNumber\":\"1\",\"OldImage\":{\"a\":{\"S\":\"\xff\"}}}",
		"\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"1\"},\"eventID\":\"\\x\"",
	};
	struct records_entry r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (split_one(bad[i], &r) != -ERR_CORRUPT)
			fail_msg("accepted: %s", bad[i]);
}

static void test_any_order_and_unknown_members(void **state)
{
	static const char text[] =
		" { \"X\" : [ { \"Records\" : 1 } ] , \"NextShardIterator\" : \"n\\/1\" , \"Records\" : [ { \"y\" : "
		"null , "
		"\"userIdentity\" : null , \"dynamodb\" : { \"StreamViewType\" : {} , \"OldImage\" : { } , \"Sequence"
		"Number\" : \"7\" , \"NewImage\" : null , \"Keys\" : { \"k\" : {\"S\":\"v\"} } , \"eventName\" : "
		"\"INSERT\" } "
		", \"eventName\" : \"RE\\u004dOVE\" } ] } \n";
	struct seen s = {0};
	struct records_answer a;

	(void)state;
	assert_int_equal(split(text, sizeof(text) - 1, &s, &a), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.entries[0].op, RECORDS_REMOVE);
	assert_int_equal(s.entries[0].event_ms, CLOCK_UNKNOWN);
	check_slice(text, s.entries[0].keys, "{ \"k\" : {\"S\":\"v\"} }");
	check_slice(text, s.entries[0].old_image, "{ }");
	check_slice(text, s.entries[0].new_image, NULL);
	check_slice(text, s.entries[0].seq, "7");
	check_slice(text, a.next_iterator, "n\\/1");
}

/* A name of a member inside an item must not be taken for one of the record's. */
static void test_items_with_names_of_ours(void **state)
{
	struct records_entry r;

	(void)state;
	assert_int_equal(
		split_one("\"eventName\":\"INSERT\",\"dynamodb\":{\"Keys\":{\"SequenceNumber\":{\"N\":\"99\"}},"
			  "\"NewImage\":{\"SequenceNumber\":{\"N\":\"99\"},\"Keys\":{\"M\":{\"OldImage\":{\"S\":\"\"}"
			  "}}},\"SequenceNumber\":\"1\"}",
			  &r),
		0);
	assert_int_equal(r.seq.len, 1);
	assert_int_equal(r.old_image.len, 0);
}

static int event_time(const char *number, int64_t *ms)
{
	char members[1000];
	struct records_entry r;

	snprintf(members, sizeof(members),
		 "\"eventName\":\"REMOVE\",\"dynamodb\":{\"ApproximateCreationDateTime\":%s," KEYS
		 ",\"SequenceNumber\":\"1\"}",
		 number);
	int rc = split_one(members, &r);
	*ms = rc == 0 ? r.event_ms : -1;
	return rc;
}

static void test_event_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"1.46480646E9", 1464806460000},
		{"1479499740", 1479499740000},
		{"1795435320.000", 1795435320000},
		{"1479499740.123", 1479499740123},
		{"1479499740.1239999", 1479499740123},
		{"1479499740.9999", 1479499740999},
		{"1.479499740123e9", 1479499740123},
		{"1.479499740123E+09", 1479499740123},
		{"147949974012300000e-8", 1479499740123},
		{"0.00000000000000000000147949974012345e30", 1479499740123},
		{"1479499740123000000000000000000000000e-27", 1479499740123},
		{"1479499740.12300000000000000000000000000000000000001", 1479499740123},
		{"0", 0},
		{"-0", 0},
		{"-0.0000e5", 0},
		{"0.001", 1},
		{"0.0009", 0},
		{"0e999999999999999999999", 0},
		{"1e-999999999999999999999", 0},
		{"253402300799.999", 253402300799999},
		{"null", CLOCK_UNKNOWN},
	};
	static const char *const bad[] = {"253402300800",
					  "-1",
					  "-0.001",
					  "1e12",
					  "1e999999999999999999999",
					  "99999999999999999999",
					  "1e400",
					  "\"1479499740\"",
					  "true",
					  "{}",
					  "[]",
					  "01",
					  "1.",
					  "1e"};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (event_time(good[i].text, &ms) != 0)
			fail_msg("refused: %s", good[i].text);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (event_time(bad[i], &ms) != -ERR_CORRUPT)
			fail_msg("accepted: %s", bad[i]);
}

/* A double holds not every millisecond; digits do. */
static void test_every_millisecond_is_exact(void **state)
{
	(void)state;
	for (int64_t ms = 1795435320000; ms < 1795435321000; ms++) {
		char text[40];
		int64_t got;
		snprintf(text, sizeof(text), "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
		assert_int_equal(event_time(text, &got), 0);
		assert_int_equal(got, ms);
	}
}

static void test_user_identity(void **state)
{
	static const struct {
		const char *text;
		bool by_ttl;
	} cases[] = {
		{"{\"type\":\"Service\",\"principalId\":\"dynamodb.amazonaws.com\"}", true},
		{"{\"PrincipalId\":\"dynamodb.amazonaws.com\",\"Type\":\"Service\"}", true},
		{"{\"x\":[1],\"Type\":\"Service\",\"y\":{},\"PrincipalId\":\"dynamodb.amazonaws.com\"}", true},
		{"{\"Type\":\"Service\"}", false},
		{"{\"PrincipalId\":\"dynamodb.amazonaws.com\"}", false},
		{"{\"Type\":\"User\",\"PrincipalId\":\"dynamodb.amazonaws.com\"}", false},
		{"{\"Type\":\"Service\",\"PrincipalId\":\"replication.dynamodb.amazonaws.com\"}", false},
		{"{\"Type\":\"dynamodb.amazonaws.com\",\"PrincipalId\":\"Service\"}", false},
		{"{\"Type\":null,\"PrincipalId\":null}", false},
		{"{}", false},
		{"null", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char members[1000];
		struct records_entry r;
		snprintf(members, sizeof(members),
			 NAMES ",\"userIdentity\":%s,\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS
			       ",\"SequenceNumber\":\"1\"}",
			 cases[i].text);
		assert_int_equal(split_one(members, &r), 0);
		assert_int_equal(r.by_ttl, cases[i].by_ttl);
	}
}

static int split_two(const char *a, const char *b)
{
	char text[1000];
	struct seen s = {0};
	struct records_answer answer;
	int n = snprintf(text, sizeof(text),
			 "{\"Records\":[{\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"%s\"}},"
			 "{\"eventName\":\"REMOVE\",\"dynamodb\":{" KEYS ",\"SequenceNumber\":\"%s\"}}]}",
			 a, b);

	return split(text, (size_t)n, &s, &answer);
}

static void test_sequence_numbers_grow(void **state)
{
	(void)state;
	assert_int_equal(split_two("9", "10"), 0);
	assert_int_equal(split_two("000000000000000000001", "000000000000000000002"), 0);
	assert_int_equal(split_two("999999999999999999999", "1000000000000000000000"), 0);
	assert_int_equal(split_two("10", "9"), -ERR_CORRUPT);
	assert_int_equal(split_two("5", "5"), -ERR_CORRUPT);
	assert_int_equal(split_two("5", "005"), -ERR_CORRUPT);
}

static void test_an_error_of_the_callback_ends_it(void **state)
{
	struct seen s = {.fail_at = 2};
	struct records_answer a;

	(void)state;
	assert_int_equal(split(local, sizeof(local) - 1, &s, &a), -ERR_CANCELLED);
	assert_int_equal(s.n, 2);
	assert_int_equal(last.class, ERR_NONE);
}

static void test_errors_hold_no_contents(void **state)
{
	struct records_entry r;

	(void)state;
	assert_int_equal(split_one("\"eventName\":\"secret\",\"dynamodb\":{\"Keys\":{\"secret\":{\"S\":\"secret\"}}}",
				   &r),
			 -ERR_CORRUPT);
	assert_null(strstr(last.message, "secret"));
	assert_int_equal(records_split("x", 1, see, NULL, NULL, NULL), -ERR_CORRUPT);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(records_op_name(RECORDS_INSERT), "INSERT");
	assert_string_equal(records_op_name(RECORDS_MODIFY), "MODIFY");
	assert_string_equal(records_op_name(RECORDS_REMOVE), "REMOVE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_real_answer),
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_empty_answers),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_records_that_are_none),
		cmocka_unit_test(test_any_order_and_unknown_members),
		cmocka_unit_test(test_items_with_names_of_ours),
		cmocka_unit_test(test_event_times),
		cmocka_unit_test(test_every_millisecond_is_exact),
		cmocka_unit_test(test_user_identity),
		cmocka_unit_test(test_sequence_numbers_grow),
		cmocka_unit_test(test_an_error_of_the_callback_ends_it),
		cmocka_unit_test(test_errors_hold_no_contents),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
