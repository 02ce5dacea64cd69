/* lib/net/creds.h: keys of the instance role against a scripted metadata service, and when they are fetched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "creds_fixture.h"

static void use_imds(struct creds_fixture *f)
{
	unsetenv("AWS_EC2_METADATA_DISABLED");
	f->options.imds_endpoint = f->endpoint;
	f->options.imds_timeout_ms = 200;
}

static void test_imds(void **state)
{
	struct creds_fixture *f = *state;
	int64_t left_ms;

	use_imds(f);
	/* Never through a proxy. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	creds_fixture_start(f);
	creds_fixture_fails(f, ERR_RETRY, "being fetched");
	creds_fixture_settle(f);
	creds_fixture_keys_are(f, "ASIA1", "HUSH/1", "TOKEN1");
	assert_string_equal(creds_source(f->creds), "instance role web-role");
	left_ms = creds_expires_ms(f->creds) - clock_wall_ms();
	assert_in_range(left_ms, f->lifetime_ms - 60000, f->lifetime_ms);
	assert_int_equal(f->server.requests, 3);
	/* Good keys are not asked for again, and their timer does not keep the loop alive. */
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->server.requests, 3);
}

static void test_imds_endpoint_from_the_environment(void **state)
{
	struct creds_fixture *f = *state;

	use_imds(f);
	f->options.imds_endpoint = NULL;
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f->endpoint, 1);
	creds_fixture_start(f);
	creds_fixture_settle(f);
	creds_fixture_keys_are(f, "ASIA1", "HUSH/1", "TOKEN1");
}

static void test_imds_rejected_keys(void **state)
{
	struct creds_fixture *f = *state;

	use_imds(f);
	creds_fixture_start(f);
	creds_fixture_settle(f);
	creds_rejected(f->creds);
	creds_rejected(f->creds);
	creds_fixture_keys_are(f, "ASIA1", "HUSH/1", "TOKEN1");
	creds_fixture_turn(f);
	creds_fixture_keys_are(f, "ASIA1", "HUSH/1", "TOKEN1");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	creds_fixture_keys_are(f, "ASIA2", "HUSH/2", "TOKEN2");
	/* The token is kept. */
	assert_int_equal(f->tokens, 1);
	creds_rejected(f->creds);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->keys, 2);
}

static void test_imds_token_expired(void **state)
{
	struct creds_fixture *f = *state;

	use_imds(f);
	f->refused = 1;
	creds_fixture_start(f);
	creds_fixture_settle(f);
	creds_fixture_keys_are(f, "ASIA1", "HUSH/1", "TOKEN1");
	assert_int_equal(f->tokens, 2);
}

static void test_imds_token_never_accepted(void **state)
{
	struct creds_fixture *f = *state;

	use_imds(f);
	f->refused = 1000;
	creds_fixture_start(f);
	creds_fixture_fails(f, ERR_RETRY, "being fetched");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->tokens, 2);
}

static void test_imds_refresh_ahead(void **state)
{
	struct creds_fixture *f = *state;
	int64_t until_ms = clock_mono_ms() + 10000;

	/* The keys live 10.3 s and are fetched anew 10 s (and up to a tenth) ahead: at half of what is left then. */
	use_imds(f);
	f->lifetime_ms = 10300;
	f->options.refresh_ahead_ms = 10000;
	creds_fixture_start(f);
	creds_fixture_settle(f);
	f->lifetime_ms = 3600000;
	creds_fixture_keys_are(f, "ASIA1", "HUSH/1", "TOKEN1");
	while (f->keys < 2 && clock_mono_ms() < until_ms) {
		/* Old keys while the new ones are on their way; never a hold-up. */
		assert_non_null(creds_get(f->creds, NULL));
		creds_fixture_turn(f);
	}
	uv_run(&f->loop, UV_RUN_DEFAULT);
	creds_fixture_keys_are(f, "ASIA2", "HUSH/2", "TOKEN2");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->keys, 2);
}

static void test_imds_refresh_fails_and_recovers(void **state)
{
	struct creds_fixture *f = *state;
	int64_t until_ms;
	int requests;

	use_imds(f);
	f->lifetime_ms = 400;
	f->options.refresh_ahead_ms = 200;
	creds_fixture_start(f);
	creds_fixture_settle(f);
	f->role_status = 500;
	f->lifetime_ms = 3600000;
	until_ms = clock_wall_ms() + 10000;
	requests = f->server.requests;
	while (creds_get(f->creds, NULL) && clock_wall_ms() < until_ms)
		creds_fixture_turn(f);
	/* Tried while the old ones were good, with pauses; given up only when they had expired. */
	assert_true(f->server.requests > requests);
	assert_true(f->server.requests < requests + 30);
	assert_true(clock_wall_ms() >= creds_expires_ms(f->creds));
	uv_run(&f->loop, UV_RUN_DEFAULT);
	f->role_status = 200;
	while (!creds_get(f->creds, NULL) && clock_wall_ms() < until_ms)
		creds_fixture_turn(f);
	creds_fixture_keys_are(f, "ASIA2", "HUSH/2", "TOKEN2");
}

static void test_imds_expired_error(void **state)
{
	struct creds_fixture *f = *state;
	struct err e = {0};
	int64_t until_ms = clock_mono_ms() + 10000;

	use_imds(f);
	f->lifetime_ms = 50;
	creds_fixture_start(f);
	creds_fixture_settle(f);
	f->role_status = 500;
	do {
		e.class = ERR_NONE;
		creds_get(f->creds, &e);
		creds_fixture_turn(f);
	} while (e.class != ERR_AUTH && clock_mono_ms() < until_ms);
	assert_int_equal(e.class, ERR_AUTH);
	assert_non_null(strstr(e.message, "expired at"));
	assert_non_null(strstr(e.message, "500"));
}

static void test_imds_static_stability(void **state)
{
	struct creds_fixture *f = *state;
	uint64_t warnings = log_lines(LOG_LEVEL_WARN);

	use_imds(f);
	f->lifetime_ms = -3600000;
	creds_fixture_start(f);
	creds_fixture_settle(f);
	creds_fixture_keys_are(f, "ASIA1", "HUSH/1", "TOKEN1");
	assert_true(creds_expires_ms(f->creds) < clock_wall_ms());
	assert_int_equal(log_lines(LOG_LEVEL_WARN) - warnings, 1);
	creds_rejected(f->creds);
	creds_fixture_turn(f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	creds_fixture_keys_are(f, "ASIA2", "HUSH/2", "TOKEN2");
	assert_int_equal(log_lines(LOG_LEVEL_WARN) - warnings, 1);
}

static void imds_fails(struct creds_fixture *f, enum err_class class, const char *text)
{
	struct err e = {0};

	creds_fixture_start(f);
	creds_fixture_fails(f, ERR_RETRY, "being fetched");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_null(creds_get(f->creds, &e));
	/* A transient one may already be on its next try. */
	if (class == ERR_AUTH || !strstr(e.message, "being fetched"))
		creds_fixture_fails(f, class, text);
	creds_free(f->creds);
	f->creds = NULL;
	uv_run(&f->loop, UV_RUN_DEFAULT);
}

static void test_imds_no_role(void **state)
{
	struct creds_fixture *f = *state;

	use_imds(f);
	f->role = "";
	imds_fails(f, ERR_AUTH, "has no role");
	f->role_status = 404;
	imds_fails(f, ERR_AUTH, "has no role");
	f->token_status = 403;
	imds_fails(f, ERR_AUTH, "switched off");
}

static void test_imds_not_there(void **state)
{
	struct creds_fixture *f = *state;

	use_imds(f);
	f->silent = 1;
	imds_fails(f, ERR_AUTH, "instance metadata: 127.0.0.1:");
}

static void test_imds_bad_answers(void **state)
{
	static const char *const bodies[] = {
		"",
		"not JSON",
		"[]",
		"{",
		"{}",
		"{\"Code\":\"Failed\"}",
		"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"HUSH\",\"Token\":\"T\"}",
		"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":null,\"Token\":\"T\","
		"\"Expiration\":\"2099-01-01T00:00:00Z\"}",
		"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"HU\\nSH\",\"Token\":\"T\","
		"\"Expiration\":\"2099-01-01T00:00:00Z\"}",
		"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"HUSH\",\"Token\":\"T\","
		"\"Expiration\":\"tomorrow\"}",
		"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"HUSH\",\"Token\":\"T\","
		"\"Expiration\":\"2099-01-01T00:00:00Z\"} trailing",
	};
	struct creds_fixture *f = *state;

	use_imds(f);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		f->keys_body = bodies[i];
		imds_fails(f, ERR_RETRY, "instance metadata at ");
	}
	f->role = "../../x\n";
	imds_fails(f, ERR_RETRY, "name of the role");
	f->role = "a b\n";
	imds_fails(f, ERR_RETRY, "name of the role");
}

static void test_free_while_fetching(void **state)
{
	struct creds_fixture *f = *state;

	use_imds(f);
	for (int turns = 0; turns < 15; turns++) {
		creds_fixture_start(f);
		creds_get(f->creds, NULL);
		for (int i = 0; i < turns; i++)
			creds_fixture_turn(f);
		creds_free(f->creds);
		f->creds = NULL;
		uv_run(&f->loop, UV_RUN_DEFAULT);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, creds_fixture_setup, creds_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_imds),
		T(test_imds_endpoint_from_the_environment),
		T(test_imds_rejected_keys),
		T(test_imds_token_expired),
		T(test_imds_token_never_accepted),
		T(test_imds_refresh_ahead),
		T(test_imds_refresh_fails_and_recovers),
		T(test_imds_expired_error),
		T(test_imds_static_stability),
		T(test_imds_no_role),
		T(test_imds_not_there),
		T(test_imds_bad_answers),
		T(test_free_while_fetching),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
