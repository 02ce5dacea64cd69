#include "config_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/test_config.XXXXXX";

static const char *const variables[] = {
	"STATE_DIRECTORY",
	"AWS_REGION",
	"AWS_DEFAULT_REGION",
	"AWS_PROFILE",
	"AWS_CA_BUNDLE",
	"AWS_ENDPOINT_URL",
	"AWS_ENDPOINT_URL_S3",
	"AWS_ENDPOINT_URL_DYNAMODB",
	"AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
	"AWS_ENDPOINT_URL_STS",
	"AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
};

int config_fixture_enter(void **state)
{
	(void)state;
	return !mkdtemp(folder) || chdir(folder) < 0;
}

int config_fixture_leave(void **state)
{
	(void)state;
	unlink("c");
	return chdir("/") < 0 || rmdir(folder) < 0;
}

int config_fixture_clear(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return 0;
}

void config_fixture_write(const void *bytes, size_t len)
{
	FILE *f = fopen("c", "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

struct config *config_fixture_load_bytes(const void *bytes, size_t len)
{
	struct config *c = NULL;
	struct err e = {0};
	config_fixture_write(bytes, len);
	if (config_load("c", &c, &e) != 0)
		fail_msg("%s", e.message);
	assert_non_null(c);
	return c;
}

struct config *config_fixture_load(const char *text)
{
	return config_fixture_load_bytes(text, strlen(text));
}

void config_fixture_refuse_bytes(const void *bytes, size_t len, const char *message)
{
	struct config untouched, *c = &untouched;
	struct err e = {0};
	config_fixture_write(bytes, len);
	assert_int_equal(config_load("c", &c, &e), -ERR_INVALID);
	assert_int_equal(e.class, ERR_INVALID);
	assert_string_equal(e.message, message);
	assert_ptr_equal(c, &untouched);
	assert_int_equal(config_load("c", &c, NULL), -ERR_INVALID);
}

void config_fixture_refuse(const char *text, const char *message)
{
	config_fixture_refuse_bytes(text, strlen(text), message);
}
