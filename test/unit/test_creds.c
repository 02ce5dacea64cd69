/* lib/net/creds.h: the chain, the shared files' format, and the instance metadata service against a scripted one. */
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

#include "base/clock.h"
#include "base/log.h"
#include "httpd.h"
#include "net/creds.h"

struct fixture {
	uv_loop_t loop;
	struct httpd server;
	struct http *http;
	struct creds *creds;
	struct creds_options options;
	uv_timer_t tick;
	char dir[64];
	char endpoint[64];
	/* the scripted service */
	int tokens;	       /* handed out */
	int token_status;      /* 200 */
	int role_status;       /* 200 */
	const char *role;      /* body of the role list */
	int keys_status;       /* 200 */
	const char *keys_body; /* NULL: a good one */
	int keys;	       /* handed out */
	int64_t lifetime_ms;   /* of keys */
	int refused;	       /* number of 401 to give from now on */
	int silent;
};

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

static void service(struct httpd_conn *c, const struct httpd_request *r, void *arg);

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
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

static int teardown(void **state)
{
	struct fixture *f = *state;

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

static void start(struct fixture *f)
{
	f->creds = creds_new(&f->loop, f->http, &f->options, NULL);
	assert_non_null(f->creds);
	assert_string_equal(creds_source(f->creds), "none");
	assert_true(creds_expires_ms(f->creds) == CLOCK_UNKNOWN);
}

static void use_imds(struct fixture *f)
{
	unsetenv("AWS_EC2_METADATA_DISABLED");
	f->options.imds_endpoint = f->endpoint;
	f->options.imds_timeout_ms = 200;
}

/* Writes `name` below the home directory. */
static void put_file(struct fixture *f, const char *name, const char *text)
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

static void assert_keys(struct fixture *f, const char *access_key, const char *secret_key, const char *token)
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

static void assert_fails(struct fixture *f, enum err_class class, const char *text)
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

/* One turn that lasts a millisecond at most, also when nothing but a refresh in the future waits. */
static void turn(struct fixture *f)
{
	uv_timer_start(&f->tick, on_tick, 1, 0);
	uv_run(&f->loop, UV_RUN_ONCE);
	uv_timer_stop(&f->tick);
}

/* Turns until the fetch that creds_get has begun is over. */
static void settle(struct fixture *f)
{
	struct err e = {0};

	for (int i = 0; i < 100000; i++) {
		if (creds_get(f->creds, &e) || e.class != ERR_RETRY)
			return;
		turn(f);
	}
	fail();
}

/* Environment. */

static void test_environment(void **state)
{
	struct fixture *f = *state;

	setenv("AWS_ACCESS_KEY_ID", "AKIA1", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "HUSH1", 1);
	put_file(f, "credentials", "[default]\naws_access_key_id=AKIA2\naws_secret_access_key=HUSH2\n");
	start(f);
	assert_keys(f, "AKIA1", "HUSH1", NULL);
	assert_string_equal(creds_source(f->creds), "environment");
	assert_true(creds_expires_ms(f->creds) == INT64_MAX);
	creds_rejected(f->creds);
	turn(f);
	assert_keys(f, "AKIA1", "HUSH1", NULL);
}

static void test_environment_with_token(void **state)
{
	struct fixture *f = *state;

	setenv("AWS_ACCESS_KEY_ID", "AKIA1", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "HUSH1", 1);
	setenv("AWS_SESSION_TOKEN", "TOKEN1", 1);
	start(f);
	assert_keys(f, "AKIA1", "HUSH1", "TOKEN1");
}

static void test_environment_half_set(void **state)
{
	struct fixture *f = *state;

	setenv("AWS_ACCESS_KEY_ID", "AKIA1", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "", 1);
	put_file(f, "credentials", "[default]\naws_access_key_id=AKIA2\naws_secret_access_key=HUSH2\n");
	start(f);
	assert_fails(f, ERR_AUTH, "AWS_SECRET_ACCESS_KEY is not");
	creds_free(f->creds);
	setenv("AWS_SECRET_ACCESS_KEY", "HUSH1", 1);
	unsetenv("AWS_ACCESS_KEY_ID");
	start(f);
	assert_fails(f, ERR_AUTH, "AWS_ACCESS_KEY_ID is not");
}

static void test_nothing_anywhere(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_fails(f, ERR_AUTH, "AWS_ACCESS_KEY_ID");
	assert_fails(f, ERR_AUTH, "/.aws/credentials");
	assert_fails(f, ERR_AUTH, "AWS_EC2_METADATA_DISABLED");
	assert_string_equal(creds_source(f->creds), "none");
}

/* Shared files. */

static void test_credentials_file(void **state)
{
	struct fixture *f = *state;
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
	start(f);
	assert_keys(f, "AKIA/#;1", "SE+C/R=ET==", token);
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
	struct fixture *f = *state;

	f->options.profile = "p";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file(f, "credentials", cases[i].credentials ? cases[i].credentials : "");
		put_file(f, "config", cases[i].config ? cases[i].config : "");
		start(f);
		assert_keys(f, cases[i].expected, "S", NULL);
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
	struct fixture *f = *state;

	setenv("AWS_PROFILE", "p", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file(f, "credentials", cases[i].credentials);
		put_file(f, "config", cases[i].config);
		start(f);
		assert_fails(f, ERR_AUTH, cases[i].text);
		creds_free(f->creds);
		f->creds = NULL;
	}
}

static void test_paths_from_the_environment(void **state)
{
	struct fixture *f = *state;
	char path[256];

	put_file(f, "elsewhere", "[default]\naws_access_key_id=A\naws_secret_access_key=S\n");
	put_file(f, "other", "[default]\nregion = eu-west-1 # here\n[profile p]\nregion=us-east-1\n");
	setenv("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/elsewhere", 1);
	snprintf(path, sizeof(path), "%s/.aws/other", f->dir);
	setenv("AWS_CONFIG_FILE", path, 1);
	start(f);
	assert_keys(f, "A", "S", NULL);
}

static void test_profile_region(void **state)
{
	struct fixture *f = *state;
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
	struct fixture *f = *state;
	char path[256];

	put_file(f, "x", "");
	snprintf(path, sizeof(path), "%s/.aws/fifo", f->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	snprintf(path, sizeof(path), "%s/.aws", f->dir);
	setenv("AWS_CONFIG_FILE", path, 1);
	start(f);
	assert_fails(f, ERR_AUTH, "Is a directory");
	creds_free(f->creds);
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/zero", 1);
	start(f);
	assert_fails(f, ERR_AUTH, "/dev/zero");
}

static void test_changed_file_is_read_again(void **state)
{
	struct fixture *f = *state;
	int64_t until_ms;
	const struct creds_keys *k = NULL;

	put_file(f, "credentials", "[default]\naws_access_key_id=OLD\naws_secret_access_key=S\n");
	start(f);
	assert_keys(f, "OLD", "S", NULL);
	put_file(f, "credentials", "[default]\naws_access_key_id=NEWER\naws_secret_access_key=S\n");
	/* A rejection makes it at once, on the next turn: whoever still holds the old keys may go on. */
	k = creds_get(f->creds, NULL);
	creds_rejected(f->creds);
	assert_string_equal(k->access_key, "OLD");
	turn(f);
	assert_keys(f, "NEWER", "S", NULL);
	/* A second one within 10 s is not heeded, */
	put_file(f, "credentials", "[default]\naws_access_key_id=THIRD1\naws_secret_access_key=S\n");
	creds_rejected(f->creds);
	turn(f);
	/* but the change of the file is seen within a second or two. */
	until_ms = clock_mono_ms() + 10000;
	do {
		k = creds_get(f->creds, NULL);
		assert_non_null(k);
		turn(f);
	} while (strcmp(creds_get(f->creds, NULL)->access_key, "THIRD1") != 0 && clock_mono_ms() < until_ms);
	assert_keys(f, "THIRD1", "S", NULL);
	/* A file that is broken later leaves the keys in use. */
	put_file(f, "credentials", "[default]\nbroken\n");
	until_ms = clock_mono_ms() + 1200;
	while (clock_mono_ms() < until_ms) {
		assert_keys(f, "THIRD1", "S", NULL);
		turn(f);
	}
}

/* Instance metadata. */

static void answer_keys(struct httpd_conn *c, struct fixture *f)
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
	struct fixture *f = arg;
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

static void test_imds(void **state)
{
	struct fixture *f = *state;
	int64_t left_ms;

	use_imds(f);
	/* Never through a proxy. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	start(f);
	assert_fails(f, ERR_RETRY, "being fetched");
	settle(f);
	assert_keys(f, "ASIA1", "HUSH/1", "TOKEN1");
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
	struct fixture *f = *state;

	use_imds(f);
	f->options.imds_endpoint = NULL;
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f->endpoint, 1);
	start(f);
	settle(f);
	assert_keys(f, "ASIA1", "HUSH/1", "TOKEN1");
}

static void test_imds_rejected_keys(void **state)
{
	struct fixture *f = *state;

	use_imds(f);
	start(f);
	settle(f);
	creds_rejected(f->creds);
	creds_rejected(f->creds);
	assert_keys(f, "ASIA1", "HUSH/1", "TOKEN1");
	turn(f);
	assert_keys(f, "ASIA1", "HUSH/1", "TOKEN1");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_keys(f, "ASIA2", "HUSH/2", "TOKEN2");
	/* The token is kept. */
	assert_int_equal(f->tokens, 1);
	creds_rejected(f->creds);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->keys, 2);
}

static void test_imds_token_expired(void **state)
{
	struct fixture *f = *state;

	use_imds(f);
	f->refused = 1;
	start(f);
	settle(f);
	assert_keys(f, "ASIA1", "HUSH/1", "TOKEN1");
	assert_int_equal(f->tokens, 2);
}

static void test_imds_token_never_accepted(void **state)
{
	struct fixture *f = *state;

	use_imds(f);
	f->refused = 1000;
	start(f);
	assert_fails(f, ERR_RETRY, "being fetched");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->tokens, 2);
}

static void test_imds_refresh_ahead(void **state)
{
	struct fixture *f = *state;
	int64_t until_ms = clock_mono_ms() + 10000;

	/* The keys live 10.3 s and are fetched anew 10 s (and up to a tenth) ahead: at half of what is left then. */
	use_imds(f);
	f->lifetime_ms = 10300;
	f->options.refresh_ahead_ms = 10000;
	start(f);
	settle(f);
	f->lifetime_ms = 3600000;
	assert_keys(f, "ASIA1", "HUSH/1", "TOKEN1");
	while (f->keys < 2 && clock_mono_ms() < until_ms) {
		/* Old keys while the new ones are on their way; never a hold-up. */
		assert_non_null(creds_get(f->creds, NULL));
		turn(f);
	}
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_keys(f, "ASIA2", "HUSH/2", "TOKEN2");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->keys, 2);
}

static void test_imds_refresh_fails_and_recovers(void **state)
{
	struct fixture *f = *state;
	int64_t until_ms;
	int requests;

	use_imds(f);
	f->lifetime_ms = 400;
	f->options.refresh_ahead_ms = 200;
	start(f);
	settle(f);
	f->role_status = 500;
	f->lifetime_ms = 3600000;
	until_ms = clock_wall_ms() + 10000;
	requests = f->server.requests;
	while (creds_get(f->creds, NULL) && clock_wall_ms() < until_ms)
		turn(f);
	/* Tried while the old ones were good, with pauses; given up only when they had expired. */
	assert_true(f->server.requests > requests);
	assert_true(f->server.requests < requests + 30);
	assert_true(clock_wall_ms() >= creds_expires_ms(f->creds));
	uv_run(&f->loop, UV_RUN_DEFAULT);
	f->role_status = 200;
	while (!creds_get(f->creds, NULL) && clock_wall_ms() < until_ms)
		turn(f);
	assert_keys(f, "ASIA2", "HUSH/2", "TOKEN2");
}

static void test_imds_expired_error(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	int64_t until_ms = clock_mono_ms() + 10000;

	use_imds(f);
	f->lifetime_ms = 50;
	start(f);
	settle(f);
	f->role_status = 500;
	do {
		e.class = ERR_NONE;
		creds_get(f->creds, &e);
		turn(f);
	} while (e.class != ERR_AUTH && clock_mono_ms() < until_ms);
	assert_int_equal(e.class, ERR_AUTH);
	assert_non_null(strstr(e.message, "expired at"));
	assert_non_null(strstr(e.message, "500"));
}

static void test_imds_static_stability(void **state)
{
	struct fixture *f = *state;
	uint64_t warnings = log_lines(LOG_LEVEL_WARN);

	use_imds(f);
	f->lifetime_ms = -3600000;
	start(f);
	settle(f);
	assert_keys(f, "ASIA1", "HUSH/1", "TOKEN1");
	assert_true(creds_expires_ms(f->creds) < clock_wall_ms());
	assert_int_equal(log_lines(LOG_LEVEL_WARN) - warnings, 1);
	creds_rejected(f->creds);
	turn(f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_keys(f, "ASIA2", "HUSH/2", "TOKEN2");
	assert_int_equal(log_lines(LOG_LEVEL_WARN) - warnings, 1);
}

static void imds_fails(struct fixture *f, enum err_class class, const char *text)
{
	struct err e = {0};

	start(f);
	assert_fails(f, ERR_RETRY, "being fetched");
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_null(creds_get(f->creds, &e));
	/* A transient one may already be on its next try. */
	if (class == ERR_AUTH || !strstr(e.message, "being fetched"))
		assert_fails(f, class, text);
	creds_free(f->creds);
	f->creds = NULL;
	uv_run(&f->loop, UV_RUN_DEFAULT);
}

static void test_imds_no_role(void **state)
{
	struct fixture *f = *state;

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
	struct fixture *f = *state;

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
	struct fixture *f = *state;

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
	struct fixture *f = *state;

	use_imds(f);
	for (int turns = 0; turns < 15; turns++) {
		start(f);
		creds_get(f->creds, NULL);
		for (int i = 0; i < turns; i++)
			turn(f);
		creds_free(f->creds);
		f->creds = NULL;
		uv_run(&f->loop, UV_RUN_DEFAULT);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
