/* lib/net/creds.h: the chain, the environment and the shared files' format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "creds_fixture.h"

/* Writes `name` below the home directory. */
static void put_file(struct creds_fixture *f, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/.aws", f->dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/.aws/%s", f->dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
}

/* Environment. */

static void test_environment(void **state)
{
	struct creds_fixture *f = *state;

	setenv("AWS_ACCESS_KEY_ID", "AKIA1", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "HUSH1", 1);
	put_file(f, "credentials", "[default]\naws_access_key_id=AKIA2\naws_secret_access_key=HUSH2\n");
	creds_fixture_start(f);
	creds_fixture_keys_are(f, "AKIA1", "HUSH1", NULL);
	assert_string_equal(creds_source(f->creds), "environment");
	assert_true(creds_expires_ms(f->creds) == INT64_MAX);
	creds_rejected(f->creds);
	creds_fixture_turn(f);
	creds_fixture_keys_are(f, "AKIA1", "HUSH1", NULL);
}

static void test_environment_with_token(void **state)
{
	struct creds_fixture *f = *state;

	setenv("AWS_ACCESS_KEY_ID", "AKIA1", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "HUSH1", 1);
	setenv("AWS_SESSION_TOKEN", "TOKEN1", 1);
	creds_fixture_start(f);
	creds_fixture_keys_are(f, "AKIA1", "HUSH1", "TOKEN1");
}

static void test_environment_half_set(void **state)
{
	struct creds_fixture *f = *state;

	setenv("AWS_ACCESS_KEY_ID", "AKIA1", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "", 1);
	put_file(f, "credentials", "[default]\naws_access_key_id=AKIA2\naws_secret_access_key=HUSH2\n");
	creds_fixture_start(f);
	creds_fixture_fails(f, ERR_AUTH, "AWS_SECRET_ACCESS_KEY is not");
	creds_free(f->creds);
	setenv("AWS_SECRET_ACCESS_KEY", "HUSH1", 1);
	unsetenv("AWS_ACCESS_KEY_ID");
	creds_fixture_start(f);
	creds_fixture_fails(f, ERR_AUTH, "AWS_ACCESS_KEY_ID is not");
}

static void test_nothing_anywhere(void **state)
{
	struct creds_fixture *f = *state;

	creds_fixture_start(f);
	creds_fixture_fails(f, ERR_AUTH, "AWS_ACCESS_KEY_ID");
	creds_fixture_fails(f, ERR_AUTH, "/.aws/credentials");
	creds_fixture_fails(f, ERR_AUTH, "AWS_EC2_METADATA_DISABLED");
	assert_string_equal(creds_source(f->creds), "none");
}

/* Shared files. */

static void test_credentials_file(void **state)
{
	struct creds_fixture *f = *state;
	char text[4000];
	char token[1500];

	memset(token, 'T', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	snprintf(text, sizeof(text),
		 "\xEF\xBB\xBF# comment\r\n\r\n[other]\r\naws_access_key_id = WRONG\r\n"
		 "[default]\r\n; comment\r\n  \r\n"
		 "AWS_Access_Key_ID=AKIA/#;1 \t# why\r\n"
		 "aws_secret_access_key \t=\t SE+C/R=ET== \r\n"
		 "aws_session_token = %s\r\n"
		 "s3 =\r\n  aws_access_key_id = NESTED\r\n[last]\r\naws_access_key_id = WRONG",
		 token);
	put_file(f, "credentials", text);
	creds_fixture_start(f);
	creds_fixture_keys_are(f, "AKIA/#;1", "SE+C/R=ET==", token);
	assert_string_equal(creds_source(f->creds), "shared file [default]");
}

static void test_profiles(void **state)
{
	static const struct {
		const char *credentials;
		const char *config;
		const char *expected;
	} cases[] = {
		{"[p]\naws_access_key_id=A\naws_secret_access_key=S\n", NULL, "A"},
		{NULL, "[profile p]\naws_access_key_id=B\naws_secret_access_key=S\n", "B"},
		{NULL, "[profile\t p ]\naws_access_key_id=B\naws_secret_access_key=S", "B"},
		{"[p]\naws_access_key_id=A\naws_secret_access_key=S\n",
		 "[profile p]\naws_access_key_id=B\naws_secret_access_key=S\n", "A"},
		{"[p]\nregion=x\n", "[profile p]\naws_access_key_id=B\naws_secret_access_key=S\n", "B"},
		{"[p]\naws_access_key_id=A\naws_access_key_id=A2\naws_secret_access_key=S\n", NULL, "A2"},
		{"[p]\naws_access_key_id=A\naws_secret_access_key=S\n", "[profile p]\ncredential_process=/bin/x\n",
		 "A"},
		{"[p]\naws_access_key_id=A\naws_secret_access_key=S\n",
		 "[profile pp]\nrole_arn=x\n[profilep]\n"
		 "role_arn=x\n[p]\nrole_arn=x\n",
		 "A"},
	};
	struct creds_fixture *f = *state;

	f->options.profile = "p";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file(f, "credentials", cases[i].credentials ? cases[i].credentials : "");
		put_file(f, "config", cases[i].config ? cases[i].config : "");
		creds_fixture_start(f);
		creds_fixture_keys_are(f, cases[i].expected, "S", NULL);
		assert_string_equal(creds_source(f->creds), "shared file [p]");
		creds_free(f->creds);
		f->creds = NULL;
	}
}

static void test_file_errors(void **state)
{
	static const struct {
		const char *credentials;
		const char *config;
		const char *text;
	} cases[] = {
		{"[p]\naws_access_key_id=A\n", "", "not aws_secret_access_key"},
		{"", "[profile p]\naws_secret_access_key=HUSH\n", "not aws_access_key_id"},
		{"[q]\naws_access_key_id=A\n", "[profile q]\n", "profile \"p\" is neither in"},
		{"[p]\naws_access_key_id=A\naws_secret_access_key=HUSH\n",
		 "[profile p]\nrole_arn=arn:aws:iam::1:role/r\n", "role_arn, which is not supported"},
		{"", "[profile p]\nsso_session=x\n", "sso_session, which is not supported"},
		{"", "[profile p]\nsso_start_url=x\n", "sso_start_url, which is not supported"},
		{"", "[profile p]\nweb_identity_token_file=x\n", "web_identity_token_file, which is not supported"},
		{"", "[profile p]\ncredential_process = /bin/HUSH\n", "credential_process, which is not supported"},
		{"[p]\naws_access_key_id\n", "", "credentials:2: expected"},
		{"aws_access_key_id = HUSH\n", "", "credentials:1: expected"},
		{"[p]\nregion=x\n[p\n", "", "credentials:3: expected"},
	};
	struct creds_fixture *f = *state;

	setenv("AWS_PROFILE", "p", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file(f, "credentials", cases[i].credentials);
		put_file(f, "config", cases[i].config);
		creds_fixture_start(f);
		creds_fixture_fails(f, ERR_AUTH, cases[i].text);
		creds_free(f->creds);
		f->creds = NULL;
	}
}

static void test_paths_from_the_environment(void **state)
{
	struct creds_fixture *f = *state;
	char path[256];

	put_file(f, "elsewhere", "[default]\naws_access_key_id=A\naws_secret_access_key=S\n");
	put_file(f, "other", "[default]\nregion = eu-west-1 # here\n[profile p]\nregion=us-east-1\n");
	setenv("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/elsewhere", 1);
	snprintf(path, sizeof(path), "%s/.aws/other", f->dir);
	setenv("AWS_CONFIG_FILE", path, 1);
	creds_fixture_start(f);
	creds_fixture_keys_are(f, "A", "S", NULL);
}

static void test_profile_region(void **state)
{
	struct creds_fixture *f = *state;
	char *region;

	assert_null(creds_profile_region(NULL));
	put_file(f, "config", "[default]\nRegion = eu-west-1 # here\n[profile p]\nregion=us-east-1\n[profile q]\n");
	region = creds_profile_region(NULL);
	assert_string_equal(region, "eu-west-1");
	free(region);
	region = creds_profile_region("p");
	assert_string_equal(region, "us-east-1");
	free(region);
	assert_null(creds_profile_region("q"));
	setenv("AWS_PROFILE", "p", 1);
	region = creds_profile_region(NULL);
	assert_string_equal(region, "us-east-1");
	free(region);
}

static void test_odd_files_are_no_trouble(void **state)
{
	struct creds_fixture *f = *state;
	char path[256];

	put_file(f, "x", "");
	snprintf(path, sizeof(path), "%s/.aws/fifo", f->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	snprintf(path, sizeof(path), "%s/.aws", f->dir);
	setenv("AWS_CONFIG_FILE", path, 1);
	creds_fixture_start(f);
	creds_fixture_fails(f, ERR_AUTH, "Is a directory");
	creds_free(f->creds);
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/zero", 1);
	creds_fixture_start(f);
	creds_fixture_fails(f, ERR_AUTH, "/dev/zero");
}

static void test_changed_file_is_read_again(void **state)
{
	struct creds_fixture *f = *state;
	int64_t until_ms;
	const struct creds_keys *k = NULL;

	put_file(f, "credentials", "[default]\naws_access_key_id=OLD\naws_secret_access_key=S\n");
	creds_fixture_start(f);
	creds_fixture_keys_are(f, "OLD", "S", NULL);
	put_file(f, "credentials", "[default]\naws_access_key_id=NEWER\naws_secret_access_key=S\n");
	/* A rejection makes it at once, on the next turn: whoever still holds the old keys may go on. */
	k = creds_get(f->creds, NULL);
	creds_rejected(f->creds);
	assert_string_equal(k->access_key, "OLD");
	creds_fixture_turn(f);
	creds_fixture_keys_are(f, "NEWER", "S", NULL);
	/* A second one within 10 s is not heeded, */
	put_file(f, "credentials", "[default]\naws_access_key_id=THIRD1\naws_secret_access_key=S\n");
	creds_rejected(f->creds);
	creds_fixture_turn(f);
	/* but the change of the file is seen within a second or two. */
	until_ms = clock_mono_ms() + 10000;
	do {
		k = creds_get(f->creds, NULL);
		assert_non_null(k);
		creds_fixture_turn(f);
	} while (strcmp(creds_get(f->creds, NULL)->access_key, "THIRD1") != 0 && clock_mono_ms() < until_ms);
	creds_fixture_keys_are(f, "THIRD1", "S", NULL);
	/* A file that is broken later leaves the keys in use. */
	put_file(f, "credentials", "[default]\nbroken\n");
	until_ms = clock_mono_ms() + 1200;
	while (clock_mono_ms() < until_ms) {
		creds_fixture_keys_are(f, "THIRD1", "S", NULL);
		creds_fixture_turn(f);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, creds_fixture_setup, creds_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_environment),
		T(test_environment_with_token),
		T(test_environment_half_set),
		T(test_nothing_anywhere),
		T(test_credentials_file),
		T(test_profiles),
		T(test_file_errors),
		T(test_paths_from_the_environment),
		T(test_profile_region),
		T(test_odd_files_are_no_trouble),
		T(test_changed_file_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
