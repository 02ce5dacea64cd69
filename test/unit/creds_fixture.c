#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "creds_fixture.h"

static const char *const variables[] = {
	"AWS_ACCESS_KEY_ID",
	"AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN",
	"AWS_PROFILE",
	"AWS_SHARED_CREDENTIALS_FILE",
	"AWS_CONFIG_FILE",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	"http_proxy",
	"all_proxy",
	"ALL_PROXY",
};

static void answer_keys(struct httpd_conn *c, struct creds_fixture *f)
{
	char when[CLOCK_ISO_SIZE];
	char body[1000];

	f->keys++;
	if (f->keys_body) {
		httpd_answer(c, f->keys_status, "", f->keys_body);
		return;
	}
	clock_iso(when, clock_wall_ms() + f->lifetime_ms);
	snprintf(body, sizeof(body),
		 "{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"2026-11-23T12:00:00Z\",\n"
		 "  \"Type\" : \"AWS-HMAC\",\n  \"AccessKeyId\" : \"ASIA%d\",\n"
		 "  \"SecretAccessKey\" : \"HUSH\\/%d\",\n  \"Token\" : \"TOKEN%d\",\n  \"Expiration\" : \"%s\"\n}",
		 f->keys, f->keys, f->keys, when);
	httpd_answer(c, f->keys_status, "", body);
}

static void service(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	struct creds_fixture *f = arg;
	char body[64];

	if (f->silent)
		return;
	if (strcmp(r->target, "/latest/api/token") == 0) {
		assert_string_equal(r->method, "PUT");
		assert_non_null(strstr(r->head, "\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
		snprintf(body, sizeof(body), "token-%d", ++f->tokens);
		httpd_answer(c, f->token_status, "", body);
		return;
	}
	assert_string_equal(r->method, "GET");
	snprintf(body, sizeof(body), "\r\nx-aws-ec2-metadata-token: token-%d\r\n", f->tokens);
	assert_non_null(strstr(r->head, body));
	if (f->refused > 0) {
		f->refused--;
		httpd_answer(c, 401, "", "");
	} else if (strcmp(r->target, "/latest/meta-data/iam/security-credentials/") == 0) {
		httpd_answer(c, f->role_status, "", f->role);
	} else {
		assert_string_equal(r->target, "/latest/meta-data/iam/security-credentials/web-role");
		answer_keys(c, f);
	}
}

int creds_fixture_setup(void **state)
{
	struct creds_fixture *f = calloc(1, sizeof(*f));
	struct http_options o = {.connections = 4};

	assert_non_null(f);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	snprintf(f->dir, sizeof(f->dir), "/tmp/test_creds.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	setenv("HOME", f->dir, 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	httpd_start(&f->server, &f->loop, service, f);
	snprintf(f->endpoint, sizeof(f->endpoint), "http://127.0.0.1:%d/", f->server.port);
	uv_timer_init(&f->loop, &f->tick);
	f->http = http_new(&f->loop, &o, NULL);
	assert_non_null(f->http);
	f->token_status = 200;
	f->role_status = 200;
	f->keys_status = 200;
	f->role = "web-role\n";
	f->lifetime_ms = 6 * 3600 * 1000;
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

int creds_fixture_teardown(void **state)
{
	struct creds_fixture *f = *state;

	creds_free(f->creds);
	http_free(f->http);
	httpd_stop(&f->server);
	uv_close((uv_handle_t *)&f->tick, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

void creds_fixture_start(struct creds_fixture *f)
{
	f->creds = creds_new(&f->loop, f->http, &f->options, NULL);
	assert_non_null(f->creds);
	assert_string_equal(creds_source(f->creds), "none");
	assert_true(creds_expires_ms(f->creds) == CLOCK_UNKNOWN);
}

void creds_fixture_keys_are(struct creds_fixture *f, const char *access_key, const char *secret_key, const char *token)
{
	struct err e = {0};
	const struct creds_keys *k = creds_get(f->creds, &e);

	if (!k)
		print_error("%s\n", e.message);
	assert_non_null(k);
	assert_string_equal(k->access_key, access_key);
	assert_string_equal(k->secret_key, secret_key);
	if (token)
		assert_string_equal(k->session_token, token);
	else
		assert_null(k->session_token);
}

void creds_fixture_fails(struct creds_fixture *f, enum err_class class, const char *text)
{
	struct err e = {0};

	assert_null(creds_get(f->creds, &e));
	if (e.class != class || !strstr(e.message, text))
		print_error("%s: %s\n", err_class_name((int)e.class), e.message);
	assert_int_equal(e.class, class);
	assert_non_null(strstr(e.message, text));
	assert_null(strstr(e.message, "HUSH"));
}

static void on_tick(uv_timer_t *t)
{
	(void)t;
}

void creds_fixture_turn(struct creds_fixture *f)
{
	uv_timer_start(&f->tick, on_tick, 1, 0);
	uv_run(&f->loop, UV_RUN_ONCE);
	uv_timer_stop(&f->tick);
}

void creds_fixture_settle(struct creds_fixture *f)
{
	struct err e = {0};

	for (int i = 0; i < 100000; i++) {
		if (creds_get(f->creds, &e) || e.class != ERR_RETRY)
			return;
		creds_fixture_turn(f);
	}
	fail();
}
