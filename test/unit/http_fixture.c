#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_fixture.h"

void http_fixture_reply(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	struct http_fixture *f = arg;

	snprintf(f->head, sizeof(f->head), "%s", r->head);
	snprintf(f->body, sizeof(f->body), "%s", r->body);
	if (strcmp(r->method, "HEAD") == 0)
		httpd_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 123\r\nETag: \"e\"\r\n\r\n");
	else
		httpd_answer(c, 200, "X-Name:  first \r\nx-NAME:\tlast\t\r\nx-amz-meta-a: 1\r\nEmpty:\r\n", "hello");
}

static void on_prepare(uv_prepare_t *p)
{
	((struct http_fixture *)p->data)->turns++;
}

int http_fixture_setup(void **state)
{
	struct http_fixture *f = calloc(1, sizeof(*f));
	struct http_options o = {.connections = 8, .user_agent = "test/1"};

	assert_non_null(f);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	httpd_start(&f->server, &f->loop, http_fixture_reply, f);
	uv_prepare_init(&f->loop, &f->prepare);
	f->prepare.data = f;
	uv_prepare_start(&f->prepare, on_prepare);
	uv_unref((uv_handle_t *)&f->prepare);
	f->http = http_new(&f->loop, &o, NULL);
	assert_non_null(f->http);
	f->slot = http_slot_new(f->http, HTTP_FIXTURE_BODY_MAX);
	assert_non_null(f->slot);
	*state = f;
	return 0;
}

int http_fixture_teardown(void **state)
{
	struct http_fixture *f = *state;

	http_slot_free(f->slot);
	http_free(f->http);
	httpd_stop(&f->server);
	uv_close((uv_handle_t *)&f->prepare, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	return 0;
}

void http_fixture_done(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct http_fixture *f = arg;

	(void)s;
	f->answer = *a;
	f->completions++;
}

struct http_call http_fixture_call(struct http_fixture *f, const char *method, const char *target)
{
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d%s", f->server.port, target);
	return (struct http_call){.method = method, .url = f->url};
}

void http_fixture_send(struct http_fixture *f, const struct http_call *c)
{
	struct err e = {0};
	int before = f->completions;

	assert_int_equal(http_send(f->slot, c, http_fixture_done, f, &e), 0);
	assert_int_equal(f->completions, before);
	assert_true(http_busy(f->slot));
}

void http_fixture_run(struct http_fixture *f, const struct http_call *c)
{
	int before = f->completions;

	http_fixture_send(f, c);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->completions, before + 1);
	assert_false(http_busy(f->slot));
}

void http_fixture_run_method(struct http_fixture *f, const char *method, const char *target)
{
	struct http_call c = http_fixture_call(f, method, target);

	if (strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0)
		c.body = SPAN_LIT("payload");
	http_fixture_run(f, &c);
}

void http_fixture_whole(struct http_fixture *f)
{
	if (f->answer.err.class != ERR_NONE)
		print_error("%s\n", f->answer.err.message);
	assert_int_equal(f->answer.err.class, ERR_NONE);
}

void http_fixture_body_is(struct http_fixture *f, const char *text)
{
	assert_string_equal(buf_str(http_body(f->slot)), text);
	assert_int_equal(http_body(f->slot)->len, strlen(text));
}

void http_fixture_failed_with(struct http_fixture *f, enum err_class class, int maybe_done)
{
	if (f->answer.err.class != class)
		print_error("%s: %s\n", err_class_name((int)f->answer.err.class), f->answer.err.message);
	assert_int_equal(f->answer.err.class, class);
	assert_int_equal(f->answer.err.maybe_done, maybe_done);
	assert_true(f->answer.err.message[0] != '\0');
}
