#include "aws_fixture.h"

#include <stdlib.h>

#include "aws/aws_endpoint.h"

static void test_parse(void **state)
{
	static const struct {
		const char *url, *origin; /* NULL: refused */
	} cases[] = {
		{"http://127.0.0.1:8000", "http://127.0.0.1:8000"},
		{"http://127.0.0.1:8000/", "http://127.0.0.1:8000"},
		{"HTTPS://S3.Example.COM", "https://s3.example.com"},
		{"https://s3.example.com:443", "https://s3.example.com"},
		{"http://s3.example.com:80/", "http://s3.example.com"},
		{"https://s3.example.com:80", "https://s3.example.com:80"},
		{"http://s3.example.com:443", "http://s3.example.com:443"},
		{"http://localhost:0080", "http://localhost"},
		{"http://[::1]:9000", "http://[::1]:9000"},
		{"http://[0:0::0001]", "http://[::1]"},
		{"https://minio_1:9000", "https://minio_1:9000"},
		{"", NULL},
		{"s3.example.com", NULL},
		{"ftp://s3.example.com", NULL},
		{"http://", NULL},
		{"http:///", NULL},
		{"http://:80", NULL},
		{"http://a b", NULL},
		{"http://a/path", NULL},
		{"http://a//", NULL},
		{"http://a?x", NULL},
		{"http://a#x", NULL},
		{"http://a..b", NULL},
		{"http://.a", NULL},
		{"http://a.", NULL},
		{"http://a:", NULL},
		{"http://a:0", NULL},
		{"http://a:65536", NULL},
		{"http://a:8x", NULL},
		{"http://a:80:80", NULL},
		{"http://user:pw@a", NULL},
		{"http://127.1", NULL},
		{"http://0x7f.0.0.1", NULL},
		{"http://[::1", NULL},
		{"http://[::1%25lo]", NULL},
		{"http://[]", NULL},
		{"http://[::1]x", NULL},
		{"http://a\r\nb", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *origin = NULL;
		struct err e = {0};
		int rc = aws_endpoint_parse(CONFIG_S3, cases[i].url, &origin, &e);

		if (cases[i].origin) {
			assert_int_equal(rc, 0);
			assert_string_equal(origin, cases[i].origin);
		} else {
			if (rc == 0)
				print_error("accepted: %s\n", cases[i].url);
			assert_int_equal(rc, -ERR_INVALID);
			assert_null(origin);
			assert_non_null(strstr(e.message, "endpoint of S3"));
			assert_null(strstr(e.message, "pw"));
		}
		free(origin);
	}
}

static void expect_default(enum config_service s, const char *region, const char *origin)
{
	char *got = aws_endpoint_default(s, region);

	assert_string_equal(got, origin);
	free(got);
}

static void test_defaults(void **state)
{
	(void)state;
	expect_default(CONFIG_S3, "eu-west-1", "https://s3.eu-west-1.amazonaws.com");
	expect_default(CONFIG_DYNAMODB, "us-east-1", "https://dynamodb.us-east-1.amazonaws.com");
	expect_default(CONFIG_STREAMS, "us-east-1", "https://streams.dynamodb.us-east-1.amazonaws.com");
	expect_default(CONFIG_STS, "us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com");
	expect_default(CONFIG_SCALING, "eu-west-1", "https://application-autoscaling.eu-west-1.amazonaws.com");
	expect_default(CONFIG_STREAMS, "cn-north-1", "https://streams.dynamodb.cn-north-1.amazonaws.com.cn");
}

/* aws_init alone, with the loop around it. */
static int init(struct aws *a, const struct config *c, struct err *e, void (*check)(const struct aws *a))
{
	uv_loop_t loop;
	int rc;

	uv_loop_init(&loop);
	rc = aws_init(a, &loop, c, 1, e);
	if (rc == 0) {
		if (check)
			check(a);
		aws_fini(a);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return rc;
}

static const char *expected_origin;
static bool expected_path_style;

static void check_s3(const struct aws *a)
{
	assert_string_equal(a->bucket.origin, expected_origin);
	assert_int_equal(a->bucket.path_style, expected_path_style);
}

static void test_addressing(void **state)
{
	static const struct {
		const char *bucket, *endpoint;
		enum config_addressing addressing;
		const char *origin;
		bool path_style;
	} cases[] = {
		{"bkt", NULL, CONFIG_ADDRESSING_AUTO, "https://bkt.s3.eu-west-1.amazonaws.com", false},
		{"bkt", NULL, CONFIG_ADDRESSING_PATH, "https://s3.eu-west-1.amazonaws.com", true},
		{"bkt", "http://localhost:9000", CONFIG_ADDRESSING_AUTO, "http://localhost:9000", true},
		{"bkt", "http://localhost:9000", CONFIG_ADDRESSING_VIRTUAL, "http://bkt.localhost:9000", false},
		{"b.k.t", "http://localhost:9000", CONFIG_ADDRESSING_VIRTUAL, "http://b.k.t.localhost:9000", false},
		{"b.k.t", NULL, CONFIG_ADDRESSING_AUTO, "https://s3.eu-west-1.amazonaws.com", true},
		{"Bkt", NULL, CONFIG_ADDRESSING_AUTO, "https://s3.eu-west-1.amazonaws.com", true},
		{"bkt", "http://127.0.0.1:9000", CONFIG_ADDRESSING_VIRTUAL, "http://127.0.0.1:9000", true},
		{"bkt", "http://[::1]:9000", CONFIG_ADDRESSING_VIRTUAL, "http://[::1]:9000", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config c = {.region = (char *)"eu-west-1",
				   .bucket = (char *)cases[i].bucket,
				   .addressing = cases[i].addressing};
		struct aws a;
		struct err e;

		c.endpoints[CONFIG_S3] = (char *)cases[i].endpoint;
		expected_origin = cases[i].origin;
		expected_path_style = cases[i].path_style;
		assert_int_equal(init(&a, &c, &e, check_s3), 0);
	}
}

static void test_region_missing(void **state)
{
	struct config c = {.bucket = (char *)"bkt"};
	struct aws a;
	struct err e;

	(void)state;
	assert_int_equal(init(&a, &c, &e, NULL), -ERR_INVALID);
	assert_non_null(strstr(e.message, "AWS_REGION"));
	assert_non_null(strstr(e.message, "[aws] region"));
	assert_int_equal(init(&a, &c, NULL, NULL), -ERR_INVALID);
}

static void test_bad_names(void **state)
{
	static const char *const regions[] = {"", "eu west", "a.example.com/", "eu-west-1\r\n"};
	static const char *const buckets[] = {"", "ab", "a/b", "b kt", "b?t", "b\xc3\xbcx", "..."};
	struct aws a;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(regions) / sizeof(*regions); i++) {
		struct config c = {.region = (char *)regions[i], .bucket = (char *)"bkt"};

		assert_int_equal(init(&a, &c, &e, NULL), -ERR_INVALID);
	}
	for (size_t i = 0; i < sizeof(buckets) / sizeof(*buckets); i++) {
		struct config c = {.region = (char *)"eu-west-1", .bucket = (char *)buckets[i]};

		assert_int_equal(init(&a, &c, &e, NULL), -ERR_INVALID);
		assert_non_null(strstr(e.message, "[s3] bucket"));
	}
}

static void test_bad_endpoint(void **state)
{
	struct config c = {.region = (char *)"eu-west-1", .bucket = (char *)"bkt"};
	struct aws a;
	struct err e;

	(void)state;
	c.endpoints[CONFIG_STREAMS] = (char *)"streams.example.com";
	assert_int_equal(init(&a, &c, &e, NULL), -ERR_INVALID);
	assert_non_null(strstr(e.message, "DynamoDB Streams streams.example.com"));
}

static void test_operation_names(void **state)
{
	(void)state;
	assert_string_equal(aws_operation_name(AWS_S3_LIST_VERSIONS), "ListObjectVersions");
	assert_int_equal(aws_operation_service(AWS_STREAMS_GET_RECORDS), CONFIG_STREAMS);
	assert_string_equal(aws_operation_name(AWS_S3_LIST_OBJECTS), "ListObjectsV2");
	assert_int_equal(aws_operation_service(AWS_SCALING_POLICIES), CONFIG_SCALING);
	for (int i = 0; i < AWS_OPERATIONS; i++)
		assert_non_null(aws_operation_name((enum aws_operation)i));
}

static int environment(void **state)
{
	(void)state;
	aws_fixture_environment("AKIDEXAMPLE", "secret", NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_addressing),	cmocka_unit_test(test_region_missing),
		cmocka_unit_test(test_bad_names),	cmocka_unit_test(test_bad_endpoint),
		cmocka_unit_test(test_operation_names),
	};

	return cmocka_run_group_tests(tests, environment, NULL);
}
