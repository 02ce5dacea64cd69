#include "aws_fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "aws/streams.h"
#include "aws/table.h"

#define ARN "arn:aws:dynamodb:ddblocal:000000000000:table/tab1/stream/2026-11-23T12:02:59.379"

/* Answers of DynamoDB Local, as they came. */
static const char describe_table[] =
	"{\"Table\":{\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},"
	"{\"AttributeName\":\"sk\",\"AttributeType\":\"N\"}],\"TableName\":\"tab1\",\"KeySchema\":["
	"{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}],"
	"\"TableStatus\":\"ACTIVE\",\"CreationDateTime\":1795435379.379,\"ProvisionedThroughput\":{"
	"\"LastIncreaseDateTime\":0.000,\"LastDecreaseDateTime\":0.000,\"NumberOfDecreasesToday\":0,"
	"\"ReadCapacityUnits\":0,\"WriteCapacityUnits\":0},\"TableSizeBytes\":9,\"ItemCount\":1,"
	"\"TableArn\":\"arn:aws:dynamodb:ddblocal:000000000000:table/tab1\",\"BillingModeSummary\":{"
	"\"BillingMode\":\"PAY_PER_REQUEST\",\"LastUpdateToPayPerRequestDateTime\":1795435379.379},"
	"\"StreamSpecification\":{\"StreamEnabled\":true,\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"},"
	"\"LatestStreamLabel\":\"2026-11-23T12:02:59.379\",\"LatestStreamArn\":\"" ARN "\"}}";

static const char describe_stream[] =
	"{\"StreamDescription\":{\"StreamArn\":\"" ARN "\",\"StreamLabel\":\"2026-11-23T12:02:59.379\","
	"\"StreamStatus\":\"ENABLED\",\"StreamViewType\":\"NEW_AND_OLD_IMAGES\","
	"\"CreationRequestDateTime\":1795435379.379,\"TableName\":\"tab1\",\"KeySchema\":["
	"{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}],\"Shards\":["
	"{\"ShardId\":\"shardId-00000001795435379393-c27e24ae\",\"SequenceNumberRange\":{"
	"\"StartingSequenceNumber\":\"000000000000000000001\",\"EndingSequenceNumber\":\"000000000000000000004\"}},"
	"{\"ShardId\":\"shardId-00000001795436815405-f9e464d3\",\"SequenceNumberRange\":{"
	"\"StartingSequenceNumber\":\"000000000000000000009\"},"
	"\"ParentShardId\":\"shardId-00000001795435379393-c27e24ae\"}],"
	"\"LastEvaluatedShardId\":\"shardId-00000001795436815405-f9e464d3\"}}";

static const char list_streams[] =
	"{\"Streams\":[{\"StreamArn\":\"" ARN "\",\"TableName\":\"tab1\",\"StreamLabel\":\"2026-11-23T12:02:59.379\"}],"
	"\"LastEvaluatedStreamArn\":\"" ARN "\"}";

static const char get_iterator[] = "{\"ShardIterator\":\"000|" ARN "|c2hhcmRJZC0wMDAw\"}";
static const char describe_ttl[] = "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"DISABLED\"}}";
static const char update_table[] = "{\"TableDescription\":{\"TableName\":\"tab1\"}}";
static void answer_json(struct aws_fixture *f, const char *status, const char *body, size_t len)
{
	char headers[200];

	snprintf(headers, sizeof(headers), "x-amzn-RequestId: 0b4b1e5d\r\nx-amz-crc32: %lu\r\n",
		 crc32(0, (const unsigned char *)body, (uInt)len));
	aws_fixture_answer(f, status, headers, body, len);
}

/* Each operation with its answer, so that every one can be shown the same bad ones. What comes out is thrown away. */
struct subject {
	const char *name;
	const char *answer;
	int (*run)(struct aws_fixture *f);
	const char *required; /* members that must be there, separated by blanks */
};

static int run_describe_table(struct aws_fixture *f)
{
	struct table_description d = {0};
	int rc;

	table_describe(&f->op, "tab1", &d, NULL, NULL);
	rc = aws_wait(&f->op, NULL);
	assert_true(rc == 0 || !d.arn);
	table_description_fini(&d);
	return rc;
}

static int run_describe_stream(struct aws_fixture *f)
{
	struct streams_description d = {0};
	int rc;

	streams_describe(&f->op, ARN, NULL, &d, NULL, NULL);
	rc = aws_wait(&f->op, NULL);
	assert_true(rc == 0 || !d.label);
	streams_description_fini(&d);
	return rc;
}

static int run_list_streams(struct aws_fixture *f)
{
	struct streams_list l = {0};
	int rc;

	streams_list(&f->op, "tab1", NULL, &l, NULL, NULL);
	rc = aws_wait(&f->op, NULL);
	assert_true(rc == 0 || l.n == 0);
	streams_list_fini(&l);
	return rc;
}

static int run_get_iterator(struct aws_fixture *f)
{
	struct buf out;
	int rc;

	buf_init(&out, STREAMS_ITERATOR_MAX);
	streams_get_iterator(&f->op, ARN, "shardId-1", STREAMS_TRIM_HORIZON, NULL, &out, NULL, NULL);
	rc = aws_wait(&f->op, NULL);
	assert_true(rc == 0 || out.len == 0);
	buf_fini(&out);
	return rc;
}

static int run_describe_ttl(struct aws_fixture *f)
{
	json_t *ttl = NULL;
	int rc;

	table_describe_ttl(&f->op, "tab1", &ttl, NULL, NULL);
	rc = aws_wait(&f->op, NULL);
	assert_int_equal(rc == 0, ttl != NULL);
	json_decref(ttl);
	return rc;
}

static int run_update_table(struct aws_fixture *f)
{
	table_enable_stream(&f->op, "tab1", NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static const struct subject subjects[] = {
	{"DescribeTable tab1: ", describe_table, run_describe_table,
	 "Table AttributeDefinitions AttributeName AttributeType KeySchema KeyType TableStatus TableArn "
	 "StreamEnabled StreamViewType LatestStreamLabel LatestStreamArn"},
	{"DescribeStream of " ARN ": ", describe_stream, run_describe_stream,
	 "StreamDescription StreamLabel StreamStatus StreamViewType Shards ShardId AttributeName KeyType"},
	{"ListStreams of table tab1: ", list_streams, run_list_streams, "Streams StreamArn StreamLabel"},
	{"GetShardIterator of shard shardId-1 of tab1/stream/2026-11-23T12:02:59.379: ", get_iterator, run_get_iterator,
	 "ShardIterator"},
	{"DescribeTimeToLive tab1: ", describe_ttl, run_describe_ttl, "TimeToLiveDescription"},
	{"UpdateTable tab1: ", update_table, run_update_table, "TableDescription"},
};

#define EACH_SUBJECT(s) \
	for (const struct subject *s = subjects; s < subjects + sizeof(subjects) / sizeof(*subjects); s++)

static void expect_corrupt(struct aws_fixture *f, const struct subject *s, int rc, const char *what)
{
	if (rc != -ERR_CORRUPT)
		print_error("%s%s: rc %d\n", s->name, what, rc);
	assert_int_equal(rc, -ERR_CORRUPT);
	assert_ptr_equal(strstr(f->op.err.message, s->name), f->op.err.message);
	assert_string_equal(f->op.err.request_id, "0b4b1e5d");
	assert_int_equal(f->op.err.http_status, 200);
}

static void test_good(void **state)
{
	EACH_SUBJECT(s)
	{
		answer_json(*state, "200 OK", s->answer, strlen(s->answer));
		assert_int_equal(s->run(*state), 0);
	}
}

static void test_truncated(void **state)
{
	EACH_SUBJECT(s)
	{
		for (size_t len = 0; len < strlen(s->answer); len++) {
			answer_json(*state, "200 OK", s->answer, len);
			expect_corrupt(*state, s, s->run(*state), "truncated");
		}
	}
}

static void test_other_json(void **state)
{
	static const char *const bodies[] = {"[]", "null", "1", "\"x\"", "{}", "{} {}", "<xml/>", "{\"a\":\"\xff\"}"};

	EACH_SUBJECT(s)
	{
		for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
			answer_json(*state, "200 OK", bodies[i], strlen(bodies[i]));
			expect_corrupt(*state, s, s->run(*state), bodies[i]);
		}
	}
}

/*
 * Calls `fn` with every object inside of `v`, and each name in it. Objects of the answer are changed and put back.
 */
typedef void place_fn(json_t *object, const char *name, void *arg);

static void each_place(json_t *v, place_fn *fn, void *arg)
{
	size_t n = json_is_object(v) ? json_object_size(v) : 0, i = 0;
	const char *names[64];
	const char *name;
	json_t *child;

	assert_true(n <= 64);
	json_object_foreach(v, name, child) names[i++] = name;
	for (i = 0; i < n; i++) {
		each_place(json_object_get(v, names[i]), fn, arg);
		fn(v, names[i], arg);
	}
	for (i = 0; i < json_array_size(v); i++)
		each_place(json_array_get(v, i), fn, arg);
}

struct mutation {
	struct aws_fixture *f;
	const struct subject *s;
	json_t *root;
};

static bool in_list(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strstr(list, name); p; p = strstr(p + 1, name)) {
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	}
	return false;
}

static int run_mutated(const struct mutation *m)
{
	char *text = json_dumps(m->root, JSON_COMPACT);

	answer_json(m->f, "200 OK", text, strlen(text));
	free(text);
	return m->s->run(m->f);
}

/* Replaces one member by each JSON type, then leaves it out. Required ones must be refused by name. */
static void mutate(json_t *object, const char *name, void *arg)
{
	const struct mutation *m = arg;
	json_t *kept = json_incref(json_object_get(object, name));
	bool required = in_list(m->s->required, name);
	json_t *others[] = {json_object(), json_array(), json_integer(7),
			    json_true(),   json_null(),	 json_pack("[o]", json_array())};
	char key[64];
	int rc;

	snprintf(key, sizeof(key), "%s", name);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		json_object_set(object, key, others[i]);
		rc = run_mutated(m);
		/* An empty array of streams or shards is a good answer; a boolean may stand for a boolean. */
		if (required && json_typeof(others[i]) != json_typeof(kept))
			expect_corrupt(m->f, m->s, rc, key);
		if (required && json_typeof(others[i]) != json_typeof(kept))
			assert_non_null(strstr(m->f->op.err.message, key));
		assert_true(rc == 0 || rc == -ERR_CORRUPT);
		json_decref(others[i]);
	}
	json_object_del(object, key);
	rc = run_mutated(m);
	if (required)
		expect_corrupt(m->f, m->s, rc, key);
	else
		assert_int_equal(rc, 0);
	json_object_set_new(object, key, kept);
}

static void test_mutated(void **state)
{
	EACH_SUBJECT(s)
	{
		struct mutation m = {.f = *state, .s = s, .root = json_loads(s->answer, 0, NULL)};

		assert_non_null(m.root);
		each_place(m.root, mutate, &m);
		json_decref(m.root);
	}
}

static void test_crc(void **state)
{
	struct aws_fixture *f = *state;

	/* RFC 3720's and everybody's check value of CRC-32, over "123456789". */
	aws_fixture_answer(f, "200 OK", "x-amz-crc32: 3421780262\r\n", "123456789", 9);
	streams_get_records(&f->op, "it", 0, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);

	aws_fixture_answer(f, "200 OK", "x-amz-crc32: 3421780263\r\n", "123456789", 9);
	streams_get_records(&f->op, "it", 0, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	assert_non_null(strstr(f->op.err.message, "GetRecords: "));
	assert_non_null(strstr(f->op.err.message, "x-amz-crc32"));
	assert_int_equal(f->observed_rc, -ERR_CORRUPT);

	aws_fixture_answer(f, "200 OK", "x-amz-crc32: banana\r\n", "123456789", 9);
	streams_get_records(&f->op, "it", 0, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);

	aws_fixture_answer(f, "200 OK", "", "123456789", 9);
	streams_get_records(&f->op, "it", 0, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);

	/* An error answer is checked as well. */
	aws_fixture_answer(f, "400 Bad Request", "x-amz-crc32: 1\r\n", "{\"__type\":\"x#ExpiredIteratorException\"}",
			   38);
	streams_get_records(&f->op, "it", 0, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);

	aws_fixture_answer(f, "200 OK", "Content-Encoding: gzip\r\n", "123456789", 9);
	streams_get_records(&f->op, "it", 0, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	assert_non_null(strstr(f->op.err.message, "gzip"));

	aws_fixture_answer(f, "200 OK", "Content-Encoding: br\r\n", "123456789", 9);
	streams_get_records(&f->op, "it", 0, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	assert_non_null(strstr(f->op.err.message, "\"br\""));
}

static void test_describe_table(void **state)
{
	struct aws_fixture *f = *state;
	struct table_description d;

	answer_json(f, "200 OK", describe_table, strlen(describe_table));
	table_describe(&f->op, "tab\"1\\\x01", &d, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f), "POST / HTTP/1.1");
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.DescribeTable");
	assert_string_equal(aws_fixture_header(f, "content-type"), "application/x-amz-json-1.0");
	assert_non_null(strstr(aws_fixture_header(f, "authorization"), "/eu-west-1/dynamodb/aws4_request"));
	assert_non_null(strstr(aws_fixture_header(f, "authorization"),
			       "SignedHeaders=content-type;host;x-amz-date;x-amz-target,"));
	assert_null(strcasestr(buf_str(&f->request), "accept-encoding"));
	assert_string_equal(aws_fixture_body(f), "{\"TableName\":\"tab\\\"1\\\\\\u0001\"}");
	assert_string_equal(d.arn, "arn:aws:dynamodb:ddblocal:000000000000:table/tab1");
	assert_null(d.id);
	assert_string_equal(d.status, "ACTIVE");
	assert_string_equal(d.hash_name, "pk");
	assert_int_equal(d.hash_type, 'S');
	assert_string_equal(d.range_name, "sk");
	assert_int_equal(d.range_type, 'N');
	assert_true(d.stream_enabled);
	assert_int_equal(d.stream_view, STREAMS_NEW_AND_OLD_IMAGES);
	assert_string_equal(d.stream_arn, ARN);
	assert_string_equal(d.stream_label, "2026-11-23T12:02:59.379");
	assert_string_equal(json_string_value(json_object_get(d.json, "TableName")), "tab1");
	table_description_fini(&d);
}

static void test_describe_table_plain(void **state)
{
	struct aws_fixture *f = *state;
	static const char body[] =
		"{\"Table\":{\"AttributeDefinitions\":[{\"AttributeName\":\"id\",\"AttributeType\":\"B\"}],"
		"\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}],\"TableStatus\":\"CREATING\","
		"\"TableId\":\"b4a1\",\"TableArn\":\"arn:t\"}}";
	struct table_description d;

	answer_json(f, "200 OK", body, strlen(body));
	table_describe(&f->op, "t", &d, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(d.id, "b4a1");
	assert_int_equal(d.hash_type, 'B');
	assert_null(d.range_name);
	assert_int_equal(d.range_type, 0);
	assert_false(d.stream_enabled);
	assert_int_equal(d.stream_view, STREAMS_VIEW_NONE);
	assert_null(d.stream_arn);
	table_description_fini(&d);
}

static void test_describe_stream(void **state)
{
	struct aws_fixture *f = *state;
	struct streams_description d;

	answer_json(f, "200 OK", describe_stream, strlen(describe_stream));
	streams_describe(&f->op, ARN, "shardId-0", &d, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDBStreams_20120810.DescribeStream");
	assert_string_equal(aws_fixture_body(f), "{\"StreamArn\":\"" ARN "\",\"Limit\":100,"
						 "\"ExclusiveStartShardId\":\"shardId-0\"}");
	assert_string_equal(d.label, "2026-11-23T12:02:59.379");
	assert_int_equal(d.status, STREAMS_ENABLED);
	assert_int_equal(d.view, STREAMS_NEW_AND_OLD_IMAGES);
	assert_int_equal(d.nshards, 2);
	assert_string_equal(d.shards[0].id, "shardId-00000001795435379393-c27e24ae");
	assert_null(d.shards[0].parent);
	assert_string_equal(d.shards[0].start_seq, "000000000000000000001");
	assert_string_equal(d.shards[0].end_seq, "000000000000000000004");
	assert_string_equal(d.shards[1].parent, d.shards[0].id);
	assert_null(d.shards[1].end_seq);
	assert_string_equal(d.last_shard, d.shards[1].id);
	streams_description_fini(&d);
	assert_int_equal(d.nshards, 0);
}

static void test_describe_stream_full_page(void **state)
{
	struct aws_fixture *f = *state;
	struct streams_description d;
	struct buf b;

	buf_init(&b, 64 * 1024);
	buf_append_str(&b, "{\"StreamDescription\":{\"StreamLabel\":\"l\",\"StreamStatus\":\"NEW\","
			   "\"StreamViewType\":\"KEYS_ONLY\",\"Shards\":[");
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "%s{\"ShardId\":\"shardId-%d\"}", i ? "," : "", i);
	buf_append_str(&b, "]}}");
	answer_json(f, "200 OK", b.data, b.len);
	streams_describe_children(&f->op, ARN, "shardId-p", &d, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_body(f),
			    "{\"StreamArn\":\"" ARN "\",\"ShardFilter\":{\"Type\":\"CHILD_SHARDS\","
			    "\"ShardId\":\"shardId-p\"}}");
	assert_int_equal(d.status, STREAMS_STATUS_UNKNOWN);
	assert_int_equal(d.view, STREAMS_KEYS_ONLY);
	assert_int_equal(d.nshards, 100);
	assert_string_equal(d.shards[99].id, "shardId-99");
	assert_null(d.shards[99].start_seq);
	assert_null(d.last_shard);
	streams_description_fini(&d);
	buf_fini(&b);
}

static void test_bad_sequence_number(void **state)
{
	struct aws_fixture *f = *state;
	static const char body[] = "{\"StreamDescription\":{\"StreamLabel\":\"l\",\"StreamStatus\":\"ENABLED\","
				   "\"StreamViewType\":\"NEW_IMAGE\",\"Shards\":[{\"ShardId\":\"s\","
				   "\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"12x\"}}]}}";
	struct streams_description d;

	answer_json(f, "200 OK", body, strlen(body));
	streams_describe(&f->op, ARN, NULL, &d, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	assert_non_null(strstr(f->op.err.message, "SequenceNumberRange.StartingSequenceNumber"));
}

static void test_views(void **state)
{
	(void)state;
	for (int v = STREAMS_KEYS_ONLY; v <= STREAMS_NEW_AND_OLD_IMAGES; v++)
		assert_int_equal(streams_view_parse(streams_view_name((enum streams_view)v)), v);
	assert_int_equal(streams_view_parse(NULL), STREAMS_VIEW_NONE);
	assert_int_equal(streams_view_parse("none"), STREAMS_VIEW_NONE);
	assert_int_equal(streams_view_parse("new_image"), STREAMS_VIEW_NONE);
}

static void test_iterator(void **state)
{
	struct aws_fixture *f = *state;
	struct buf out;

	buf_init(&out, STREAMS_ITERATOR_MAX);
	answer_json(f, "200 OK", get_iterator, strlen(get_iterator));
	streams_get_iterator(&f->op, ARN, "s", STREAMS_AFTER_SEQUENCE, "42", &out, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_body(f),
			    "{\"StreamArn\":\"" ARN "\",\"ShardId\":\"s\","
			    "\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\",\"SequenceNumber\":\"42\"}");
	assert_string_equal(buf_str(&out), "000|" ARN "|c2hhcmRJZC0wMDAw");
	buf_fini(&out);
}

static void test_iterator_too_long(void **state)
{
	struct aws_fixture *f = *state;
	char body[STREAMS_ITERATOR_MAX + 64] = "{\"ShardIterator\":\"";
	size_t len = strlen(body);
	struct buf out;

	buf_init(&out, 2 * STREAMS_ITERATOR_MAX);
	memset(body + len, 'x', STREAMS_ITERATOR_MAX + 1);
	strcat(body, "\"}");
	answer_json(f, "200 OK", body, strlen(body));
	streams_get_iterator(&f->op, ARN, "s", STREAMS_LATEST, NULL, &out, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	assert_int_equal(out.len, 0);
}

static void test_get_records(void **state)
{
	struct aws_fixture *f = *state;

	answer_json(f, "200 OK", "{\"Records\":[]}", 14);
	streams_get_records(&f->op, "000|" ARN "|c2hh", 1000, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDBStreams_20120810.GetRecords");
	assert_string_equal(aws_fixture_body(f), "{\"ShardIterator\":\"000|" ARN "|c2hh\",\"Limit\":1000}");
	assert_string_equal(buf_str(http_body(f->op.slot)), "{\"Records\":[]}");
}

static void test_errors(void **state)
{
	struct aws_fixture *f = *state;
	static const struct {
		const char *body;
		enum err_class class;
		const char *code;
	} cases[] = {
		{"{\"__type\":\"com.amazonaws.dynamodb.v20120810#ExpiredIteratorException\",\"message\":\"\"}",
		 ERR_EXPIRED, "ExpiredIteratorException"},
		{"{\"__type\":\"com.amazon.coral.validate#ValidationException\",\"message\":\"Invalid ShardIterator\"}",
		 ERR_INVALID, "ValidationException"},
		{"{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\",\"message\":\"Requested "
		 "resource not found\"}",
		 ERR_NOT_FOUND, "ResourceNotFoundException"},
		{"{\"__type\":\"com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException\"}", ERR_TRIMMED,
		 "TrimmedDataAccessException"},
		{"{\"__type\":\"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException\"}",
		 ERR_THROTTLE, "ProvisionedThroughputExceededException"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		answer_json(f, "400 Bad Request", cases[i].body, strlen(cases[i].body));
		streams_get_records(&f->op, "000|" ARN "|c2hh", 0, NULL, NULL);
		assert_int_equal(aws_wait(&f->op, NULL), -(int)cases[i].class);
		assert_string_equal(f->op.err.aws_code, cases[i].code);
		assert_string_equal(f->op.err.request_id, "0b4b1e5d");
		assert_non_null(strstr(f->op.err.message, "GetRecords of tab1/stream/2026-11-23T12:02:59.379: "));
		assert_null(strstr(f->op.err.message, "c2hh"));
	}
}

static void test_list_streams(void **state)
{
	struct aws_fixture *f = *state;
	struct streams_list l;

	answer_json(f, "200 OK", list_streams, strlen(list_streams));
	streams_list(&f->op, "tab1", "arn:before", &l, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_body(f), "{\"TableName\":\"tab1\",\"ExclusiveStartStreamArn\":\"arn:before\"}");
	assert_int_equal(l.n, 1);
	assert_string_equal(l.items[0].arn, ARN);
	assert_string_equal(l.items[0].label, "2026-11-23T12:02:59.379");
	assert_string_equal(l.last_arn, ARN);
	streams_list_fini(&l);
}

static void test_enable_stream(void **state)
{
	struct aws_fixture *f = *state;

	answer_json(f, "200 OK", update_table, strlen(update_table));
	assert_int_equal(run_update_table(f), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.UpdateTable");
	assert_string_equal(aws_fixture_body(f),
			    "{\"TableName\":\"tab1\",\"StreamSpecification\":{\"StreamEnabled\":true,"
			    "\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_truncated, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_other_json, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_mutated, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_crc, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_describe_table, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_describe_table_plain, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_describe_stream, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_describe_stream_full_page, aws_fixture_setup,
						aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_bad_sequence_number, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test(test_views),
		cmocka_unit_test_setup_teardown(test_iterator, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_iterator_too_long, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_get_records, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_errors, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_list_streams, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_enable_stream, aws_fixture_setup, aws_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
