/* http_fixture: a loop with a client, one slot and a scripted server, for the tests of lib/net/http.h. */
#ifndef DDB_TEST_HTTP_FIXTURE_H
#define DDB_TEST_HTTP_FIXTURE_H

#include <uv.h>

#include "httpd.h"
#include "net/http.h"

#define HTTP_FIXTURE_BODY_MAX 4096

struct http_fixture {
	uv_loop_t loop;
	struct httpd server;
	struct http *http;
	struct http_slot *slot;
	char url[256];
	char head[8192]; /* of the last request */
	char body[HTTP_FIXTURE_BODY_MAX];
	/* of the last completion */
	struct http_answer answer;
	int completions;
	int turns; /* of the loop */
	uv_prepare_t prepare;
};

/* Of a test, for cmocka. */
int http_fixture_setup(void **state);
int http_fixture_teardown(void **state);

/* Answers 200 "hello" and keeps what came. The server's answer until the test sets another one. */
void http_fixture_reply(struct httpd_conn *c, const struct httpd_request *r, void *arg);
/* Keeps the answer and counts. */
void http_fixture_done(struct http_slot *s, const struct http_answer *a, void *arg);

/* A call whose URL is kept in the fixture. */
struct http_call http_fixture_call(struct http_fixture *f, const char *method, const char *target);
/* Sends it. */
void http_fixture_send(struct http_fixture *f, const struct http_call *c);
/* Sends it and runs the loop until nothing is left to do. */
void http_fixture_run(struct http_fixture *f, const struct http_call *c);
/* The same with a plain call, with a body where the method has one. */
void http_fixture_run_method(struct http_fixture *f, const char *method, const char *target);

/* Of the last answer: that it came, its body, and how it failed. */
void http_fixture_whole(struct http_fixture *f);
void http_fixture_body_is(struct http_fixture *f, const char *text);
void http_fixture_failed_with(struct http_fixture *f, enum err_class class, int maybe_done);

#endif
