#include "aws_fixture.h"

#include <stdio.h>

#include "aws/s3.h"
#include "base/clock.h"

#define RGW_HEADERS                                                             \
	"x-amz-request-id: tx00000fc74ad402e65eb3c-006b04349d-100a-default\r\n" \
	"Date: Mon, 23 Nov 2026 12:42:05 GMT\r\n"

static int put(struct aws_fixture *f, const struct s3_put *p)
{
	s3_put(&f->op, p, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static void test_put(void **state)
{
	struct aws_fixture *f = *state;
	/* The vector of RFC 1321's "abc" and FIPS 180's. */
	struct s3_put p = {
		.key = SPAN_LIT("orders/a b"),
		.body = SPAN_LIT("abc"),
		.meta = {.event = SPAN_LIT("INSERT"),
			 .seq = SPAN_LIT("000000000000000000001"),
			 .shard = SPAN_LIT("shardId-1")},
	};
	char auth[512];

	aws_fixture_answer(f, "200 OK", "ETag: \"900150983cd24fb0d6963f7d28e17f72\"\r\n" RGW_HEADERS, "", 0);
	assert_int_equal(put(f, &p), 0);
	assert_string_equal(aws_fixture_request_line(f), "PUT /bkt/orders/a%20b HTTP/1.1");
	assert_string_equal(aws_fixture_header(f, "host"), f->host);
	assert_string_equal(aws_fixture_header(f, "content-md5"), "kAFQmDzST7DWlj99KOF/cg==");
	assert_string_equal(aws_fixture_header(f, "content-type"), "application/json");
	assert_string_equal(aws_fixture_header(f, "content-length"), "3");
	assert_string_equal(aws_fixture_header(f, "x-amz-content-sha256"),
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(aws_fixture_header(f, "x-amz-meta-ddb-event"), "INSERT");
	assert_string_equal(aws_fixture_header(f, "x-amz-meta-ddb-seq"), "000000000000000000001");
	assert_string_equal(aws_fixture_header(f, "x-amz-meta-ddb-shard"), "shardId-1");
	assert_null(strcasestr(buf_str(&f->request), "x-amz-meta-ddb-time"));
	assert_null(strcasestr(buf_str(&f->request), "x-amz-meta-ddb-by"));
	assert_null(strcasestr(buf_str(&f->request), "x-amz-security-token"));
	assert_null(strcasestr(buf_str(&f->request), "if-none-match"));
	assert_null(strcasestr(buf_str(&f->request), "accept-encoding"));
	assert_string_equal(aws_fixture_body(f), "abc");

	snprintf(auth, sizeof(auth), "%s", aws_fixture_header(f, "authorization"));
	assert_non_null(strstr(auth, "AWS4-HMAC-SHA256"));
	assert_non_null(strstr(auth, "AKIDEXAMPLE/"));
	assert_non_null(strstr(auth, "/eu-west-1/s3/aws4_request"));
	assert_non_null(strstr(auth, "SignedHeaders=content-md5;content-type;host;x-amz-content-sha256;x-amz-date;"
				     "x-amz-meta-ddb-event;x-amz-meta-ddb-seq;x-amz-meta-ddb-shard,"));
	assert_int_equal(f->nobserved, 1);
	assert_int_equal(f->observed_what, AWS_S3_PUT_OBJECT);
	assert_int_equal(f->observed_status, 200);
}

static void test_put_all_meta(void **state)
{
	struct aws_fixture *f = *state;
	struct s3_put p = {
		.key = SPAN_LIT("k"),
		.meta = {.event = SPAN_LIT("REMOVE"),
			 .seq = SPAN_LIT("2"),
			 .time = SPAN_LIT("2026-11-23T12:40:35.195Z"),
			 .stream = SPAN_LIT("2026-11-23T12:02:59.379"),
			 .shard = SPAN_LIT("shardId-00000001795435379393-c27e24ae"),
			 .by = SPAN_LIT("ttl"),
			 .after = SPAN_LIT("2026-11-23T12:02:59.379/42")},
	};

	aws_fixture_answer(f, "200 OK", "", "", 0);
	assert_int_equal(put(f, &p), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-meta-ddb-time"), "2026-11-23T12:40:35.195Z");
	assert_string_equal(aws_fixture_header(f, "x-amz-meta-ddb-stream"), "2026-11-23T12:02:59.379");
	assert_string_equal(aws_fixture_header(f, "x-amz-meta-ddb-by"), "ttl");
	assert_string_equal(aws_fixture_header(f, "x-amz-meta-ddb-after"), "2026-11-23T12:02:59.379/42");
	assert_string_equal(aws_fixture_header(f, "content-length"), "0");
	assert_string_equal(aws_fixture_header(f, "x-amz-content-sha256"),
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_put_conditions(void **state)
{
	struct aws_fixture *f = *state;
	static const char body[] = "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>";
	struct s3_put p = {.key = SPAN_LIT("k"), .condition = S3_IF_NONE_MATCH_ANY};

	aws_fixture_answer(f, "200 OK", "", "", 0);
	assert_int_equal(put(f, &p), 0);
	assert_string_equal(aws_fixture_header(f, "if-none-match"), "*");
	assert_string_equal(aws_fixture_header(f, "if-match"), "");

	p.condition = S3_IF_MATCH;
	p.etag = SPAN_LIT("900150983cd24fb0d6963f7d28e17f72");
	aws_fixture_answer(f, "412 Precondition Failed", "", body, strlen(body));
	assert_int_equal(put(f, &p), -ERR_CONFLICT);
	assert_string_equal(aws_fixture_header(f, "if-match"), "\"900150983cd24fb0d6963f7d28e17f72\"");
	assert_string_equal(aws_fixture_header(f, "if-none-match"), "");

	p.etag = SPAN_LIT("a\"b");
	assert_int_equal(put(f, &p), -ERR_INVALID);
	p.etag = SPAN_LIT("");
	assert_int_equal(put(f, &p), -ERR_INVALID);
	assert_int_equal(f->nrequests, 2);
}

static void test_put_unsafe_meta(void **state)
{
	struct aws_fixture *f = *state;
	static const struct span bad[] = {
		{"a\r\nx-evil: 1", 12}, {"a\n", 2},	 {"\t", 1}, {"a\0b", 3},
		{"a\x7f", 2},		{"\xc3\xbc", 2}, {" a", 2}, {"a ", 2},
	};
	char longest[S3_META_VALUE_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct s3_put p = {.key = SPAN_LIT("secret-key"), .meta.shard = bad[i]};

		assert_int_equal(put(f, &p), -ERR_INVALID);
		assert_non_null(strstr(f->op.err.message, "PutObject in bucket bkt"));
		assert_non_null(strstr(f->op.err.message, "x-amz-meta-ddb-shard"));
		assert_null(strstr(f->op.err.message, "secret-key"));
	}
	memset(longest, 'x', sizeof(longest));
	struct s3_put p = {.key = SPAN_LIT("k"), .meta.shard = {longest, sizeof(longest)}};

	assert_int_equal(put(f, &p), -ERR_INVALID);
	assert_int_equal(f->nrequests, 0);
	p.meta.shard.len--;
	aws_fixture_answer(f, "200 OK", "", "", 0);
	assert_int_equal(put(f, &p), 0);
}

static void test_keys(void **state)
{
	struct aws_fixture *f = *state;
	static const struct {
		struct span key;
		const char *path;
	} cases[] = {
		{SPAN_LIT("a/b"), "a/b"},
		{SPAN_LIT("/a"), "/a"},
		{SPAN_LIT("a/"), "a/"},
		{SPAN_LIT("a//b"), "a//b"},
		{SPAN_LIT("a/../b"), "a/../b"},
		{SPAN_LIT("."), "."},
		{SPAN_LIT(".."), ".."},
		{SPAN_LIT("a + b|c"), "a%20%2B%20b%7Cc"},
		{SPAN_LIT("100%25=x"), "100%2525%3Dx"},
		{SPAN_LIT("a?b#c&d"), "a%3Fb%23c%26d"},
		{SPAN_LIT("\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80"), "%C3%A9%E6%BC%A2%F0%9F%98%80"},
		{SPAN_LIT("a\x01\r\n\x7f"), "a%01%0D%0A%7F"},
		{{"a\0b", 3}, "a%00b"},
		{SPAN_LIT("-._~"), "-._~"},
		{SPAN_LIT("*'()!"), "%2A%27%28%29%21"},
	};
	char line[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		aws_fixture_answer(f, "204 No Content", "", "", 0);
		s3_delete(&f->op, cases[i].key, NULL, NULL);
		assert_int_equal(aws_wait(&f->op, NULL), 0);
		snprintf(line, sizeof(line), "DELETE /bkt/%s HTTP/1.1", cases[i].path);
		assert_string_equal(aws_fixture_request_line(f), line);
	}
}

static void test_key_length(void **state)
{
	struct aws_fixture *f = *state;
	char key[1025], line[3 * 1024 + 64] = "DELETE /bkt/";

	memset(key, ' ', sizeof(key));
	for (int i = 0; i < 1024; i++)
		strcat(line, "%20");
	strcat(line, " HTTP/1.1");
	aws_fixture_answer(f, "204 No Content", "", "", 0);
	s3_delete(&f->op, (struct span){key, 1024}, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f), line);

	s3_delete(&f->op, (struct span){key, 1025}, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_INVALID);
	/* Without a key it would be the bucket that is deleted. */
	s3_delete(&f->op, (struct span){key, 0}, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_INVALID);
	assert_int_equal(f->nrequests, 1);
}

static void test_head(void **state)
{
	struct aws_fixture *f = *state;
	struct s3_head h;
	int64_t modified;

	aws_fixture_answer(f, "200 OK",
			   "Content-Length: 17\r\nETag: \"abc\"\r\nLast-Modified: Mon, 23 Nov 2026 12:42:05 GMT\r\n"
			   "x-amz-version-id: v1\r\nX-Amz-Meta-Ddb-Event: MODIFY\r\nx-amz-meta-ddb-seq: 42\r\n"
			   "x-amz-meta-ddb-time: 2026-11-23T12:40:35.195Z\r\nx-amz-meta-ddb-stream: L\r\n"
			   "x-amz-meta-ddb-shard: S\r\nx-amz-meta-ddb-by: ttl\r\nx-amz-meta-ddb-after: L/7\r\n",
			   "", 0);
	s3_head(&f->op, SPAN_LIT("k"), SPAN_LIT("v+1"), &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f), "HEAD /bkt/k?versionId=v%2B1 HTTP/1.1");
	assert_true(h.exists);
	assert_false(h.delete_marker);
	assert_string_equal(h.event, "MODIFY");
	assert_string_equal(h.seq, "42");
	assert_string_equal(h.time, "2026-11-23T12:40:35.195Z");
	assert_string_equal(h.stream, "L");
	assert_string_equal(h.shard, "S");
	assert_string_equal(h.by, "ttl");
	assert_string_equal(h.after, "L/7");
	assert_string_equal(h.etag, "abc");
	assert_string_equal(h.version_id, "v1");
	assert_int_equal(h.size_bytes, 17);
	assert_true(clock_parse_http("Mon, 23 Nov 2026 12:42:05 GMT", &modified));
	assert_int_equal(h.modified_ms, modified);
}

static void test_head_foreign(void **state)
{
	struct aws_fixture *f = *state;
	struct s3_head h;

	/* Not written by us: no metadata, and one value that is too long to be ours. */
	aws_fixture_answer(f, "200 OK",
			   "Content-Length: 1\r\nLast-Modified: Mon, 23 Nov 2026 12:42:05 GMT\r\n"
			   "x-amz-meta-ddb-event: AN-EVENT-OF-ANOTHER-KIND\r\n",
			   "", 0);
	s3_head(&f->op, SPAN_LIT("k"), (struct span){0}, &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f), "HEAD /bkt/k HTTP/1.1");
	assert_true(h.exists);
	assert_string_equal(h.event, "");
	assert_string_equal(h.seq, "");
	assert_string_equal(h.etag, "");
}

static void test_head_absent(void **state)
{
	struct aws_fixture *f = *state;
	struct s3_head h = {.exists = true};

	aws_fixture_answer(f, "404 Not Found", "x-amz-delete-marker: true\r\n", "", 0);
	s3_head(&f->op, SPAN_LIT("k"), (struct span){0}, &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_false(h.exists);
	assert_true(h.delete_marker);
	assert_int_equal(f->observed_rc, 0);
	assert_int_equal(f->observed_status, 404);

	aws_fixture_answer(f, "404 Not Found", "", "", 0);
	s3_head(&f->op, SPAN_LIT("k"), (struct span){0}, &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_false(h.exists);
	assert_false(h.delete_marker);

	/* A version that is a marker. */
	aws_fixture_answer(f, "405 Method Not Allowed", "x-amz-delete-marker: true\r\n", "", 0);
	s3_head(&f->op, SPAN_LIT("k"), SPAN_LIT("v"), &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_false(h.exists);
	assert_true(h.delete_marker);

	aws_fixture_answer(f, "405 Method Not Allowed", "", "", 0);
	s3_head(&f->op, SPAN_LIT("k"), SPAN_LIT("v"), &h, NULL, NULL);
	assert_true(aws_wait(&f->op, NULL) < 0);
}

static void test_head_malformed(void **state)
{
	struct aws_fixture *f = *state;
	struct s3_head h = {.seq = "untouched"};

	aws_fixture_answer(f, "200 OK", "Content-Length: 1\r\nLast-Modified: yesterday\r\n", "", 0);
	s3_head(&f->op, SPAN_LIT("k"), (struct span){0}, &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	assert_non_null(strstr(f->op.err.message, "HeadObject in bucket bkt: Last-Modified"));
	assert_string_equal(h.seq, "untouched");
}

static void test_get(void **state)
{
	struct aws_fixture *f = *state;
	static const char no_key[] = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>";
	static const char no_bucket[] = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code></Error>";
	struct s3_head h;

	aws_fixture_answer(f, "200 OK", "Last-Modified: Mon, 23 Nov 2026 12:42:05 GMT\r\nx-amz-meta-ddb-seq: 7\r\n",
			   "{\"a\":1}", 7);
	s3_get(&f->op, SPAN_LIT("k"), (struct span){0}, &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_true(h.exists);
	assert_string_equal(h.seq, "7");
	assert_int_equal(h.size_bytes, 7);
	assert_string_equal(buf_str(http_body(f->op.slot)), "{\"a\":1}");

	aws_fixture_answer(f, "404 Not Found", "", no_key, strlen(no_key));
	s3_get(&f->op, SPAN_LIT("k"), (struct span){0}, &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_false(h.exists);

	aws_fixture_answer(f, "404 Not Found", "", no_bucket, strlen(no_bucket));
	s3_get(&f->op, SPAN_LIT("k"), (struct span){0}, &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_NOT_FOUND);
	assert_string_equal(f->op.err.aws_code, "NoSuchBucket");
}

static void test_versioning(void **state)
{
	struct aws_fixture *f = *state;
	static const char on[] = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
				 "<Status>Enabled</Status></VersioningConfiguration>";
	enum s3xml_versioning v = S3XML_VERSIONING_OFF;

	aws_fixture_answer(f, "200 OK", "", on, strlen(on));
	s3_get_versioning(&f->op, &v, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f), "GET /bkt?versioning HTTP/1.1");
	assert_int_equal(v, S3XML_VERSIONING_ENABLED);

	aws_fixture_answer(f, "200 OK", "", on, strlen(on) - 10);
	s3_get_versioning(&f->op, &v, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	assert_non_null(strstr(f->op.err.message, "GetBucketVersioning in bucket bkt: "));
}

static void test_list(void **state)
{
	struct aws_fixture *f = *state;
	struct s3_list all = {0};
	struct s3_list some = {.prefix = SPAN_LIT("a b/"),
			       .key_marker = SPAN_LIT("a b/\xc3\xa9"),
			       .version_marker = SPAN_LIT("v1"),
			       .delimiter = SPAN_LIT("/"),
			       .max_keys = 10};

	aws_fixture_answer(f, "200 OK", "", "<x/>", 4);
	s3_list_versions(&f->op, &all, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f), "GET /bkt?versions&encoding-type=url HTTP/1.1");
	assert_string_equal(buf_str(http_body(f->op.slot)), "<x/>");

	aws_fixture_answer(f, "200 OK", "", "<x/>", 4);
	s3_list_versions(&f->op, &some, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f),
			    "GET /bkt?versions&encoding-type=url&prefix=a%20b%2F&delimiter=%2F"
			    "&key-marker=a%20b%2F%C3%A9&version-id-marker=v1&max-keys=10 HTTP/1.1");
}

static void test_list_objects(void **state)
{
	struct aws_fixture *f = *state;
	struct s3_list_objects all = {0};
	struct s3_list_objects some = {.prefix = SPAN_LIT("a b/"),
				       .start_after = SPAN_LIT("a b/\xc3\xa9"),
				       .token = SPAN_LIT("1ueG/w+M="),
				       .max_keys = 10};

	aws_fixture_answer(f, "200 OK", "", "<x/>", 4);
	s3_list_objects(&f->op, &all, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f), "GET /bkt?list-type=2&encoding-type=url HTTP/1.1");
	assert_string_equal(buf_str(http_body(f->op.slot)), "<x/>");
	assert_int_equal(f->observed_what, AWS_S3_LIST_OBJECTS);

	aws_fixture_answer(f, "200 OK", "", "<x/>", 4);
	s3_list_objects(&f->op, &some, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f),
			    "GET /bkt?list-type=2&encoding-type=url&prefix=a%20b%2F&start-after=a%20b%2F%C3%A9"
			    "&continuation-token=1ueG%2Fw%2BM%3D&max-keys=10 HTTP/1.1");
}

static void test_errors(void **state)
{
	struct aws_fixture *f = *state;
	static const struct {
		const char *status, *code;
		enum err_class class;
	} cases[] = {
		{"403 Forbidden", "SignatureDoesNotMatch", ERR_AUTH},
		{"403 Forbidden", "InvalidAccessKeyId", ERR_AUTH},
		{"403 Forbidden", "AccessDenied", ERR_DENIED},
		{"404 Not Found", "NoSuchBucket", ERR_NOT_FOUND},
		{"503 Service Unavailable", "SlowDown", ERR_THROTTLE},
		{"500 Internal Server Error", "InternalError", ERR_RETRY},
	};
	struct s3_put p = {.key = SPAN_LIT("secret-key"), .body = SPAN_LIT("{}")};
	char body[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(body, sizeof(body),
			 "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>%s</Code><Message></Message>"
			 "<RequestId>tx1</RequestId><HostId>h</HostId></Error>",
			 cases[i].code);
		aws_fixture_answer(f, cases[i].status, "x-amz-request-id: tx1\r\nRetry-After: 3\r\n", body,
				   strlen(body));
		assert_int_equal(put(f, &p), -(int)cases[i].class);
		assert_string_equal(f->op.err.aws_code, cases[i].code);
		assert_string_equal(f->op.err.request_id, "tx1");
		assert_int_equal(f->op.err.retry_after_ms, 3000);
		assert_int_equal(f->op.err.http_status, f->op.http_status);
		assert_ptr_equal(strstr(f->op.err.message, "PutObject in bucket bkt: "), f->op.err.message);
		assert_null(strstr(f->op.err.message, "secret-key"));
	}
	assert_int_equal(f->nobserved, sizeof(cases) / sizeof(*cases));
}

static void test_wrong_region(void **state)
{
	struct aws_fixture *f = *state;
	struct s3_put p = {.key = SPAN_LIT("k")};

	aws_fixture_answer(f, "301 Moved Permanently",
			   "x-amz-bucket-region: us-west-2\r\nLocation: http://127.0.0.1:1/\r\n", "", 0);
	assert_true(put(f, &p) < 0);
	assert_non_null(strstr(f->op.err.message, "the bucket is in region us-west-2, not eu-west-1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_put_all_meta, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_put_conditions, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_put_unsafe_meta, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_keys, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_key_length, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_head, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_head_foreign, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_head_absent, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_head_malformed, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_get, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_versioning, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_list, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_list_objects, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_errors, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_region, aws_fixture_setup, aws_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
