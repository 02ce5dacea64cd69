/* config_tools: a configuration from flags obeys the rules of the file's keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_tools.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int clear_environment(void **state)
{
	(void)state;
	unsetenv("AWS_ENDPOINT_URL");
	unsetenv("AWS_ENDPOINT_URL_S3");
	setenv("AWS_REGION", "us-east-2", 1);
	return 0;
}

static void test_values(void **state)
{
	(void)state;
	const struct config_tools_value values[] = {
		{"s3", "bucket", "my-bucket", "--bucket"},
		{"s3", "prefix", "a/b/", "--bucket-prefix"},
		{"s3", "key_format", "sha256", "--key-format"},
		{"s3", "tenant_attribute", "who", "--tenant-attribute"},
		{"aws", "endpoint_url", "http://127.0.0.1:1/", "--endpoint-url"},
		{"aws", "profile", NULL, "--profile"},
	};
	struct config *c;
	struct err e;
	assert_int_equal(config_tools_new("orders", values, COUNT(values), &c, &e), 0);
	assert_string_equal(c->bucket, "my-bucket");
	assert_string_equal(c->region, "us-east-2");
	assert_string_equal(c->endpoints[CONFIG_S3], "http://127.0.0.1:1");
	assert_int_equal(c->ntables, 1);
	assert_string_equal(c->tables[0].prefix, "a/b/");
	assert_int_equal(c->tables[0].key_format, KEY_FORMAT_SHA256);
	assert_string_equal(c->tables[0].tenant_attribute, "who");
	char *path = config_meta_path(&c->tables[0]);
	assert_string_equal(path, "a/b/.ddb-streamd/orders/");
	free(path);
	config_free(c);
}

static void test_defaults(void **state)
{
	(void)state;
	const struct config_tools_value values[] = {{"s3", "bucket", "my-bucket", "--bucket"}};
	struct config *c;
	struct err e;
	assert_int_equal(config_tools_new("", values, COUNT(values), &c, &e), 0);
	assert_string_equal(c->tables[0].prefix, "");
	assert_null(c->tables[0].tenant_attribute);
	assert_int_equal(c->tables[0].key_format, KEY_FORMAT_PATH);
	assert_null(c->endpoints[CONFIG_S3]);

	const struct config_tools_value more[] = {
		{"aws", "region", "eu-west-1", "--region"},
		{"aws", "endpoint_url", "https://s3.example", "--endpoint-url"},
	};
	assert_int_equal(config_tools_override(c, more, COUNT(more), &e), 0);
	assert_string_equal(c->region, "eu-west-1");
	assert_string_equal(c->endpoints[CONFIG_S3], "https://s3.example");
	config_free(c);
}

static void test_refused(void **state)
{
	(void)state;
	const struct config_tools_value cases[] = {
		{"s3", "bucket", "B", "--bucket"},
		{"s3", "prefix", "/a", "--bucket-prefix"},
		{"s3", "key_format", "sha1", "--key-format"},
		{"aws", "endpoint_url", "127.0.0.1", "--endpoint-url"},
		{"aws", "bucket", "my-bucket", "--bucket"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config *c = NULL;
		struct err e;
		assert_int_equal(config_tools_new("t", &cases[i], 1, &c, &e), -ERR_INVALID);
		assert_null(c);
		assert_ptr_equal(strstr(e.message, cases[i].flag), e.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_values, clear_environment),
		cmocka_unit_test_setup(test_defaults, clear_environment),
		cmocka_unit_test_setup(test_refused, clear_environment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
