/*
 * creds_fixture: a loop with a client, a private home directory and a scripted instance metadata service, for the tests
 * of lib/net/creds.h.
 */
#ifndef DDB_TEST_CREDS_FIXTURE_H
#define DDB_TEST_CREDS_FIXTURE_H

#include <uv.h>

#include "base/clock.h"
#include "httpd.h"
#include "net/creds.h"

struct creds_fixture {
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

/* Of a test, for cmocka. The metadata service is switched off. */
int creds_fixture_setup(void **state);
int creds_fixture_teardown(void **state);

/* Makes f->creds from f->options. */
void creds_fixture_start(struct creds_fixture *f);
/* That creds_get has these; `token` NULL is none. */
void creds_fixture_keys_are(struct creds_fixture *f, const char *access_key, const char *secret_key, const char *token);
/* That creds_get fails with `text` in its message. Secrets of the tests are called HUSH, and must not be in it. */
void creds_fixture_fails(struct creds_fixture *f, enum err_class class, const char *text);
/* One turn that lasts a millisecond at most, also when nothing but a refresh in the future waits. */
void creds_fixture_turn(struct creds_fixture *f);
/* Turns until the fetch that creds_get has begun is over. */
void creds_fixture_settle(struct creds_fixture *f);

#endif
