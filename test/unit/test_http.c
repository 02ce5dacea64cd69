/* lib/net/http.h against a scripted server: what goes out, what comes back, every fault, and exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "httpd.h"
#include "net/http.h"

#define BODY_MAX 4096

struct fixture {
	uv_loop_t loop;
	struct httpd server;
	struct http *http;
	struct http_slot *slot;
	char url[256];
	char head[8192]; /* of the last request */
	char body[BODY_MAX];
	/* of the last completion */
	struct http_answer answer;
	int completions;
	int turns; /* of the loop */
	uv_prepare_t prepare;
};

static void reply_ok(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	struct fixture *f = arg;

	snprintf(f->head, sizeof(f->head), "%s", r->head);
	snprintf(f->body, sizeof(f->body), "%s", r->body);
	if (strcmp(r->method, "HEAD") == 0)
		httpd_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 123\r\nETag: \"e\"\r\n\r\n");
	else
		httpd_answer(c, 200, "X-Name:  first \r\nx-NAME:\tlast\t\r\nx-amz-meta-a: 1\r\nEmpty:\r\n", "hello");
}

static void on_prepare(uv_prepare_t *p)
{
	((struct fixture *)p->data)->turns++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct http_options o = {.connections = 8, .user_agent = "test/1"};

	assert_non_null(f);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	httpd_start(&f->server, &f->loop, reply_ok, f);
	uv_prepare_init(&f->loop, &f->prepare);
	f->prepare.data = f;
	uv_prepare_start(&f->prepare, on_prepare);
	uv_unref((uv_handle_t *)&f->prepare);
	f->http = http_new(&f->loop, &o, NULL);
	assert_non_null(f->http);
	f->slot = http_slot_new(f->http, BODY_MAX);
	assert_non_null(f->slot);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_slot_free(f->slot);
	http_free(f->http);
	httpd_stop(&f->server);
	uv_close((uv_handle_t *)&f->prepare, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	return 0;
}

static void on_done(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct fixture *f = arg;

	(void)s;
	f->answer = *a;
	f->completions++;
}

static struct http_call call_to(struct fixture *f, const char *method, const char *target)
{
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d%s", f->server.port, target);
	return (struct http_call){.method = method, .url = f->url};
}

static void send_call(struct fixture *f, const struct http_call *c)
{
	struct err e = {0};
	int before = f->completions;

	assert_int_equal(http_send(f->slot, c, on_done, f, &e), 0);
	assert_int_equal(f->completions, before);
	assert_true(http_busy(f->slot));
}

static void run_call(struct fixture *f, const struct http_call *c)
{
	int before = f->completions;

	send_call(f, c);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->completions, before + 1);
	assert_false(http_busy(f->slot));
}

static void run(struct fixture *f, const char *method, const char *target)
{
	struct http_call c = call_to(f, method, target);

	if (strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0)
		c.body = SPAN_LIT("payload");
	run_call(f, &c);
}

static void assert_whole(struct fixture *f)
{
	if (f->answer.err.class != ERR_NONE)
		print_error("%s\n", f->answer.err.message);
	assert_int_equal(f->answer.err.class, ERR_NONE);
}

static void assert_body(struct fixture *f, const char *text)
{
	assert_string_equal(buf_str(http_body(f->slot)), text);
	assert_int_equal(http_body(f->slot)->len, strlen(text));
}

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.ptr, text, s.len);
}

static void assert_failed(struct fixture *f, enum err_class class, int maybe_done)
{
	if (f->answer.err.class != class)
		print_error("%s: %s\n", err_class_name((int)f->answer.err.class), f->answer.err.message);
	assert_int_equal(f->answer.err.class, class);
	assert_int_equal(f->answer.err.maybe_done, maybe_done);
	assert_true(f->answer.err.message[0] != '\0');
}

static void count_meta(void *arg, struct span name, struct span value)
{
	if (name.len > 11 && strncasecmp(name.ptr, "x-amz-meta-", 11) == 0 && value.len == 1)
		++*(int *)arg;
}

/* Requests and answers. */

static void test_get(void **state)
{
	struct fixture *f = *state;
	int meta = 0;

	run(f, "GET", "/x");
	assert_whole(f);
	assert_int_equal(f->answer.status, 200);
	assert_true(f->answer.duration_us > 0);
	assert_body(f, "hello");
	assert_span(http_header_get(f->slot, "X-NAME"), "last");
	assert_span(http_header_get(f->slot, "empty"), "");
	assert_span(http_header_get(f->slot, "absent"), "");
	assert_span(http_header_get(f->slot, "X-Nam"), "");
	http_header_each(f->slot, count_meta, &meta);
	assert_int_equal(meta, 1);
}

static void test_nothing_is_added_to_a_request(void **state)
{
	struct fixture *f = *state;
	struct http_header headers[] = {{"x-amz-date: now"}, {"x-empty;"}};
	struct http_call c = call_to(f, "PUT", "/a/../b/./c//%2e%2E?versionId=a%2Fb");
	char expected[512];

	c.headers = headers;
	c.nheaders = 2;
	c.body = SPAN_LIT("{\"Item\":{}}");
	run_call(f, &c);
	snprintf(expected, sizeof(expected),
		 "PUT /a/../b/./c//%%2e%%2E?versionId=a%%2Fb HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test/1\r\n"
		 "x-amz-date: now\r\nx-empty:\r\nContent-Length: 11\r\n\r\n",
		 f->server.port);
	assert_string_equal(f->head, expected);
	assert_string_equal(f->body, "{\"Item\":{}}");
}

static void test_own_type_and_accept_are_sent(void **state)
{
	struct fixture *f = *state;
	struct http_header headers[] = {{"Content-Type: application/json"}, {"Accept: text/xml"}};
	struct http_call c = call_to(f, "POST", "/");

	c.headers = headers;
	c.nheaders = 2;
	run_call(f, &c);
	assert_non_null(strstr(f->head, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(f->head, "\r\nAccept: text/xml\r\n"));
	assert_non_null(strstr(f->head, "\r\nContent-Length: 0\r\n"));
}

static void test_methods_in_turn_on_one_slot(void **state)
{
	static const char *const methods[] = {"HEAD", "PUT", "GET", "DELETE", "POST", "HEAD", "DELETE", "GET", "PUT"};
	struct fixture *f = *state;
	char start[16];

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		run(f, methods[i], "/m");
		assert_whole(f);
		snprintf(start, sizeof(start), "%s /m ", methods[i]);
		assert_memory_equal(f->head, start, strlen(start));
		assert_body(f, strcmp(methods[i], "HEAD") == 0 ? "" : "hello");
		assert_string_equal(f->body, *methods[i] == 'P' ? "payload" : "");
		if (*methods[i] != 'P')
			assert_null(strcasestr(f->head, "content-length"));
	}
	assert_int_equal(f->server.connections, 1);
	assert_int_equal(http_connections(f->http), 1);
}

static void test_empty_put(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_to(f, "PUT", "/");

	run_call(f, &c);
	assert_non_null(strstr(f->head, "\r\nContent-Length: 0\r\n"));
	assert_null(strcasestr(f->head, "expect"));
}

static void echo_length(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	char text[32];

	(void)arg;
	for (size_t i = 0; i < r->body_len; i++)
		assert_int_equal(r->body[i], (char)('a' + i % 26));
	assert_null(strcasestr(r->head, "expect"));
	snprintf(text, sizeof(text), "%zu", r->body_len);
	httpd_answer(c, 200, "", text);
}

static void test_large_put(void **state)
{
	struct fixture *f = *state;
	size_t len = 3000000;
	char *body = malloc(len);
	struct http_call c = call_to(f, "PUT", "/");

	assert_non_null(body);
	for (size_t i = 0; i < len; i++)
		body[i] = (char)('a' + i % 26);
	f->server.fn = echo_length;
	c.body = (struct span){body, len};
	run_call(f, &c);
	assert_whole(f);
	assert_body(f, "3000000");
	free(body);
}

static void reply_chunked(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_text(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: real\r\n\r\n"
		      "4\r\nabcd\r\n3\r\nefg\r\n0\r\nETag: trailer\r\n\r\n");
}

static void test_chunked_and_trailers(void **state)
{
	struct fixture *f = *state;

	f->server.fn = reply_chunked;
	run(f, "GET", "/");
	assert_whole(f);
	assert_body(f, "abcdefg");
	assert_span(http_header_get(f->slot, "etag"), "real");
}

static void reply_interim(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_text(c, "HTTP/1.1 100 Continue\r\nX-A: interim\r\n\r\n");
	httpd_answer(c, 503, "X-B: final\r\n", "busy");
}

static void test_interim_answer(void **state)
{
	struct fixture *f = *state;

	f->server.fn = reply_interim;
	run(f, "PUT", "/");
	assert_whole(f);
	assert_int_equal(f->answer.status, 503);
	assert_span(http_header_get(f->slot, "x-a"), "");
	assert_span(http_header_get(f->slot, "x-b"), "final");
}

static void reply_redirect(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_answer(c, 307, "Location: /elsewhere\r\n", "");
}

static void test_redirect_is_an_answer(void **state)
{
	struct fixture *f = *state;

	f->server.fn = reply_redirect;
	run(f, "PUT", "/");
	assert_whole(f);
	assert_int_equal(f->answer.status, 307);
	assert_int_equal(f->server.requests, 1);
}

static const char *retry_header;

static void reply_retry(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_answer(c, 503, retry_header, "");
}

static void test_retry_after(void **state)
{
	static const struct {
		const char *header;
		int ms;
	} cases[] = {
		{"", 0},
		{"Retry-After: 7\r\n", 7000},
		{"Retry-After: 0\r\n", 0},
		{"x-amz-retry-after: 250\r\nRetry-After: 7\r\n", 250},
		{"Retry-After: Mon, 23 Nov 2026 12:42:05 GMT\r\n", 5000},
		{"Retry-After: Mon, 23 Nov 2026 12:41:05 GMT\r\n", 0},
		{"Retry-After: soon\r\n", 0},
		{"Retry-After: -5\r\n", 0},
		{"Retry-After: 99999999999999999999999\r\n", INT32_MAX},
	};
	struct fixture *f = *state;

	f->server.fn = reply_retry;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		retry_header = cases[i].header;
		run(f, "GET", "/");
		assert_int_equal(http_retry_after_ms(f->slot, 1795437720000), cases[i].ms);
	}
}

/* Caps. */

static size_t flood_bytes;

static void reply_length(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	char *body = malloc(flood_bytes);

	(void)r;
	(void)arg;
	assert_non_null(body);
	memset(body, 'x', flood_bytes);
	httpd_text(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", flood_bytes);
	httpd_write(c, body, flood_bytes);
	free(body);
}

static void reply_until_close(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	char body[BODY_MAX + 1];

	(void)r;
	(void)arg;
	memset(body, 'x', sizeof(body));
	httpd_text(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	httpd_write(c, body, flood_bytes);
	httpd_close(c);
}

static void test_body_at_and_over_the_cap(void **state)
{
	struct fixture *f = *state;
	httpd_fn *const fns[] = {reply_length, reply_until_close};

	for (int i = 0; i < 2; i++) {
		f->server.fn = fns[i];
		flood_bytes = BODY_MAX;
		run(f, "GET", "/");
		assert_whole(f);
		assert_int_equal(http_body(f->slot)->len, BODY_MAX);
		flood_bytes = BODY_MAX + 1;
		run(f, "PUT", "/");
		assert_failed(f, ERR_LIMIT, 1);
		assert_int_equal(f->answer.err.http_status, 200);
		assert_true(http_body(f->slot)->cap <= BODY_MAX + 1);
	}
}

static void test_body_max_can_grow(void **state)
{
	struct fixture *f = *state;

	f->server.fn = reply_length;
	flood_bytes = 1000000;
	http_slot_body_max(f->slot, flood_bytes);
	run(f, "GET", "/");
	assert_whole(f);
	assert_int_equal(http_body(f->slot)->len, flood_bytes);
	flood_bytes = 10;
	run(f, "GET", "/");
	assert_int_equal(http_body(f->slot)->len, 10);
	assert_true(http_body(f->slot)->cap <= 65537);
}

static void reply_header_flood(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_text(c, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 400; i++)
		httpd_text(c, "X-Number-%d: %0100d\r\n", i, i);
	httpd_text(c, "Content-Length: 0\r\n\r\n");
}

static void reply_interim_flood(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	for (int i = 0; i < 2000; i++)
		httpd_text(c, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void test_header_floods(void **state)
{
	struct fixture *f = *state;

	f->server.fn = reply_header_flood;
	run(f, "PUT", "/");
	assert_failed(f, ERR_LIMIT, 1);
	f->server.fn = reply_interim_flood;
	run(f, "PUT", "/");
	assert_failed(f, ERR_LIMIT, 1);
	f->server.fn = reply_ok;
	run(f, "PUT", "/");
	assert_whole(f);
}

/* Faults. */

static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct httpd other;
	struct http_call c = call_to(f, "PUT", "/secret?X-Amz-Signature=abc");
	char place[32];

	httpd_start(&other, &f->loop, reply_ok, f);
	httpd_stop(&other);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	snprintf(f->url, sizeof(f->url), "http://user:word@127.0.0.1:%d/secret?X-Amz-Signature=abc", other.port);
	run_call(f, &c);
	assert_failed(f, ERR_RETRY, 0);
	assert_int_equal(f->answer.status, 0);
	snprintf(place, sizeof(place), "127.0.0.1:%d", other.port);
	assert_non_null(strstr(f->answer.err.message, place));
	assert_null(strstr(f->answer.err.message, "secret"));
	assert_null(strstr(f->answer.err.message, "word"));
	assert_int_equal(http_connections(f->http), 0);
}

static void test_no_tls_there(void **state)
{
	struct fixture *f = *state;
	struct http_call c = {.method = "PUT", .url = f->url};

	f->server.reset_after_bytes = 1;
	snprintf(f->url, sizeof(f->url), "https://127.0.0.1:%d/", f->server.port);
	run_call(f, &c);
	assert_failed(f, ERR_RETRY, 0);
}

static void do_reset(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_reset(c);
}

static void do_close(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_close(c);
}

static void do_half_header(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_text(c, "HTTP/1.1 200 OK\r\nContent-Le");
	httpd_close(c);
}

static void do_half_body(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
	httpd_close(c);
}

static void do_half_chunk(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_text(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
	httpd_close(c);
}

static void do_garbage(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_text(c, "\x16\x03\x01 TOPSECRET is not HTTP\r\n\r\n");
	httpd_close(c);
}

static void do_bad_version(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)r;
	(void)arg;
	httpd_text(c, "HTTP/7.1 200 TOPSECRET\r\nContent-Length: -5\r\n\r\n");
	httpd_close(c);
}

static void test_lost_answers_on_a_fresh_connection(void **state)
{
	httpd_fn *const faults[] = {do_reset,	   do_close,   do_half_header, do_half_body,
				    do_half_chunk, do_garbage, do_bad_version};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		f->server.fn = faults[i];
		run(f, "PUT", "/");
		assert_failed(f, ERR_RETRY, 1);
		assert_null(strstr(f->answer.err.message, "TOPSECRET"));
		assert_int_equal(f->server.requests, (int)i + 1);
	}
}

static void test_reset_in_the_middle_of_the_request(void **state)
{
	struct fixture *f = *state;
	char *body = calloc(1, 4000000);
	struct http_call c = call_to(f, "PUT", "/");

	assert_non_null(body);
	f->server.reset_after_bytes = 100000;
	c.body = (struct span){body, 4000000};
	run_call(f, &c);
	assert_failed(f, ERR_RETRY, 1);
	assert_int_equal(f->server.connections, 1);
	free(body);
}

/* Exactly once: what libcurl would send again on its own. */

static httpd_fn *second_request;

static void ok_then_fault(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	if (r->number == 2)
		second_request(c, r, arg);
	else
		reply_ok(c, r, arg);
}

static void fault_on_a_kept_connection(struct fixture *f, const char *method, httpd_fn *fault)
{
	f->server.fn = ok_then_fault;
	f->server.requests = 0;
	second_request = fault;
	run(f, "GET", "/1");
	assert_whole(f);
	run(f, method, "/2");
}

static void test_writes_are_never_sent_twice(void **state)
{
	static const char *const methods[] = {"PUT", "POST", "DELETE"};
	httpd_fn *const faults[] = {do_close, do_reset};
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 2; k++) {
			fault_on_a_kept_connection(f, methods[i], faults[k]);
			assert_failed(f, ERR_RETRY, 1);
			assert_int_equal(f->answer.status, 0);
			assert_int_equal(f->server.requests, 2);
			/* The slot and the client go on working. */
			run(f, methods[i], "/3");
			assert_whole(f);
			assert_int_equal(f->server.requests, 3);
		}
	}
}

static void test_reads_may_be_sent_twice(void **state)
{
	struct fixture *f = *state;

	fault_on_a_kept_connection(f, "GET", do_close);
	assert_whole(f);
	assert_int_equal(f->server.requests, 3);
	fault_on_a_kept_connection(f, "HEAD", do_reset);
	assert_whole(f);
	assert_int_equal(f->server.requests, 3);
}

static void ok_then_close(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	reply_ok(c, r, arg);
	httpd_close(c);
}

static void test_connection_closed_while_idle(void **state)
{
	struct fixture *f = *state;

	/* libcurl sees the close before it sends: no failure, one request each. */
	f->server.fn = ok_then_close;
	for (int i = 1; i <= 5; i++) {
		run(f, "PUT", "/");
		assert_whole(f);
		assert_int_equal(f->server.requests, i);
		/* The close arrives; the loop must not spin on it, nor stay alive for it. */
		for (int k = 0; k < 5; k++)
			uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(f->server.connections, 5);
}

/* Timeouts. */

static void never(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	(void)c;
	(void)r;
	(void)arg;
}

static void test_total_timeout(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_to(f, "PUT", "/");

	f->server.fn = never;
	c.total_timeout_ms = 50;
	run_call(f, &c);
	assert_failed(f, ERR_RETRY, 1);
	assert_true(f->answer.duration_us >= 50000);
	assert_non_null(strstr(f->answer.err.message, "50 ms"));
	/* The next request has none. */
	f->server.fn = reply_ok;
	c.total_timeout_ms = 0;
	run_call(f, &c);
	assert_whole(f);
}

static void test_stall_timeout(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_to(f, "PUT", "/");

	f->server.fn = never;
	c.stall_timeout_ms = 1;
	run_call(f, &c);
	assert_failed(f, ERR_RETRY, 1);
	assert_true(f->answer.duration_us >= 900000);
	assert_true(f->answer.duration_us < 9000000);
}

struct drip {
	uv_timer_t timer;
	struct httpd_conn *c;
	int left;
};

static struct drip drip;

static void on_drip(uv_timer_t *t)
{
	httpd_text(drip.c, "x");
	if (--drip.left == 0)
		uv_close((uv_handle_t *)t, NULL);
}

static void start_drip(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	struct fixture *f = arg;

	(void)r;
	drip.c = c;
	drip.left = 20;
	httpd_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
	uv_timer_init(&f->loop, &drip.timer);
	uv_timer_start(&drip.timer, on_drip, 5, 5);
}

static void test_slow_answer(void **state)
{
	struct fixture *f = *state;

	f->server.fn = start_drip;
	run(f, "GET", "/");
	assert_whole(f);
	assert_body(f, "xxxxxxxxxxxxxxxxxxxx");
}

/* Cancel and free. */

static void test_cancel_at_every_turn(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_to(f, "PUT", "/");

	c.body = SPAN_LIT("x");
	http_cancel(f->slot);
	for (int turns = 0; turns < 12; turns++) {
		int before = f->completions;

		send_call(f, &c);
		for (int i = 0; i < turns && f->completions == before; i++)
			uv_run(&f->loop, UV_RUN_NOWAIT);
		if (f->completions > before) {
			assert_whole(f);
			continue;
		}
		http_cancel(f->slot);
		http_cancel(f->slot);
		assert_int_equal(f->completions, before);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		assert_int_equal(f->completions, before + 1);
		assert_failed(f, ERR_CANCELLED, f->answer.err.maybe_done);
		if (turns == 0)
			assert_false(f->answer.err.maybe_done);
	}
}

static void test_cancel_after_the_server_has_it(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_to(f, "PUT", "/");

	f->server.fn = never;
	send_call(f, &c);
	while (f->server.requests == 0)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	http_cancel(f->slot);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_failed(f, ERR_CANCELLED, 1);
}

static void test_free_at_every_turn(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_to(f, "PUT", "/");

	for (int turns = 0; turns < 12; turns++) {
		int before = f->completions;

		send_call(f, &c);
		for (int i = 0; i < turns && f->completions == before; i++)
			uv_run(&f->loop, UV_RUN_NOWAIT);
		before = f->completions;
		http_slot_free(f->slot);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		assert_int_equal(f->completions, before);
		f->slot = http_slot_new(f->http, BODY_MAX);
		assert_non_null(f->slot);
	}
}

static void free_in_completion(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct fixture *f = arg;

	on_done(s, a, arg);
	http_slot_free(s);
	f->slot = NULL;
}

static void test_free_in_own_completion(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_to(f, "GET", "/");

	assert_int_equal(http_send(f->slot, &c, free_in_completion, f, NULL), 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->completions, 1);
	assert_null(f->slot);
}

static void free_all_in_completion(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct fixture *f = arg;

	free_in_completion(s, a, arg);
	http_free(f->http);
	f->http = NULL;
}

static void test_free_everything_in_completion(void **state)
{
	struct fixture *f = *state;
	struct http_options o = {.connections = 1};
	struct http_call c = call_to(f, "GET", "/");

	assert_int_equal(http_send(f->slot, &c, free_all_in_completion, f, NULL), 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->completions, 1);
	assert_null(f->http);
	f->http = http_new(&f->loop, &o, NULL);
	assert_non_null(f->http);
}

struct pair {
	struct fixture *f;
	struct http_slot *other;
	int in_completion;
	int other_turn;
	int completions;
};

static void other_done(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct pair *p = arg;

	(void)s;
	assert_false(p->in_completion);
	assert_int_equal(a->err.class, ERR_CANCELLED);
	p->other_turn = p->f->turns;
	p->completions++;
}

static void cancel_other(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct pair *p = arg;

	(void)s;
	assert_int_equal(a->err.class, ERR_NONE);
	p->in_completion = 1;
	http_cancel(p->other);
	p->in_completion = 0;
	p->f->completions = p->f->turns;
}

static void test_cancel_in_a_completion_comes_a_turn_later(void **state)
{
	struct fixture *f = *state;
	struct pair p = {.f = f, .other = http_slot_new(f->http, BODY_MAX)};
	struct http_call c = call_to(f, "GET", "/");

	assert_int_equal(http_send(f->slot, &c, cancel_other, &p, NULL), 0);
	f->server.fn = reply_ok;
	assert_int_equal(http_send(p.other, &c, other_done, &p, NULL), 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(p.completions, 1);
	assert_true(p.other_turn > f->completions);
	http_slot_free(p.other);
}

static void send_again(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct fixture *f = arg;
	struct http_call c = call_to(f, "GET", "/");

	on_done(s, a, arg);
	assert_false(http_busy(s));
	if (f->completions < 100)
		assert_int_equal(http_send(s, &c, send_again, f, NULL), 0);
}

static void test_send_again_from_the_completion(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_to(f, "GET", "/");

	assert_int_equal(http_send(f->slot, &c, send_again, f, NULL), 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->completions, 100);
	assert_int_equal(f->server.connections, 1);
}

#define MANY 200

static void count_turn(struct http_slot *s, const struct http_answer *a, void *arg)
{
	int *per_turn = arg;

	(void)s;
	assert_int_equal(a->err.class, ERR_CANCELLED);
	++*per_turn;
}

static void test_completions_a_turn_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct http_slot *slots[MANY];
	struct http_call c = call_to(f, "GET", "/");
	int total = 0;

	for (int i = 0; i < MANY; i++) {
		slots[i] = http_slot_new(f->http, 100);
		assert_non_null(slots[i]);
	}
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(http_send(slots[i], &c, count_turn, &total, NULL), 0);
		http_cancel(slots[i]);
	}
	for (int turn = 1; turn <= MANY / 64 + 1; turn++) {
		assert_int_not_equal(uv_run(&f->loop, UV_RUN_NOWAIT) + total, 0);
		assert_true(total <= 64 * turn);
	}
	assert_int_equal(total, MANY);
	for (int i = 0; i < MANY; i++)
		http_slot_free(slots[i]);
}

static void test_many_at_once_reuse_connections(void **state)
{
	struct fixture *f = *state;
	struct http_slot *slots[8];
	struct http_call c = call_to(f, "PUT", "/");

	for (int i = 0; i < 8; i++)
		slots[i] = http_slot_new(f->http, 100);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 8; i++)
			assert_int_equal(http_send(slots[i], &c, on_done, f, NULL), 0);
		uv_run(&f->loop, UV_RUN_DEFAULT);
	}
	assert_int_equal(f->completions, 160);
	assert_int_equal(f->server.requests, 160);
	assert_int_equal(f->server.connections, 8);
	assert_int_equal(http_connections(f->http), 8);
	for (int i = 0; i < 8; i++)
		http_slot_free(slots[i]);
}

/* What cannot be sent. */

static void test_refused_calls(void **state)
{
	struct fixture *f = *state;
	struct http_header headers[HTTP_HEADERS_MAX + 1];
	struct http_header split = {"X-A: 1\r\nX-B: 2"};
	struct http_call c = call_to(f, "GET", "/");
	struct err e = {0};

	for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
		headers[i].line = "X: y";
	c.headers = headers;
	c.nheaders = HTTP_HEADERS_MAX + 1;
	assert_int_equal(http_send(f->slot, &c, on_done, f, &e), -ERR_INVALID);
	c.headers = &split;
	c.nheaders = 1;
	assert_int_equal(http_send(f->slot, &c, on_done, f, &e), -ERR_INVALID);
	c = call_to(f, "TRACE", "/");
	assert_int_equal(http_send(f->slot, &c, on_done, f, &e), -ERR_INVALID);
	c = call_to(f, "DELETE", "/");
	c.body = SPAN_LIT("x");
	assert_int_equal(http_send(f->slot, &c, on_done, f, &e), -ERR_INVALID);
	assert_false(http_busy(f->slot));
	c = call_to(f, "GET", "/");
	c.headers = headers;
	c.nheaders = HTTP_HEADERS_MAX;
	send_call(f, &c);
	assert_int_equal(http_send(f->slot, &c, on_done, f, &e), -ERR_INVALID);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->completions, 1);
	assert_whole(f);
}

static void test_bad_urls(void **state)
{
	static const char *const urls[] = {
		"", "http://", "ftp://127.0.0.1/", "file:///etc/passwd", "http://a b/", "http://127.0.0.1:99999/"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct http_call c = {.method = "PUT", .url = urls[i]};
		struct err e = {0};

		if (http_send(f->slot, &c, on_done, f, &e) < 0) {
			assert_int_equal(e.class, ERR_INVALID);
			continue;
		}
		uv_run(&f->loop, UV_RUN_DEFAULT);
		assert_failed(f, ERR_INVALID, 0);
	}
}

static void test_missing_ca_bundle(void **state)
{
	struct fixture *f = *state;
	struct http_options o = {.connections = 1, .ca_bundle = "/nowhere/ca.pem"};
	struct err e = {0};

	assert_null(http_new(&f->loop, &o, &e));
	assert_int_equal(e.class, ERR_INVALID);
	assert_non_null(strstr(e.message, "/nowhere/ca.pem"));
}

static void test_direct_ignores_the_proxy(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_to(f, "PUT", "/");

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	run_call(f, &c);
	assert_failed(f, ERR_RETRY, 0);
	c.direct = true;
	run_call(f, &c);
	assert_whole(f);
	c.direct = false;
	run_call(f, &c);
	assert_failed(f, ERR_RETRY, 0);
	unsetenv("http_proxy");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_get),
		T(test_nothing_is_added_to_a_request),
		T(test_own_type_and_accept_are_sent),
		T(test_methods_in_turn_on_one_slot),
		T(test_empty_put),
		T(test_large_put),
		T(test_chunked_and_trailers),
		T(test_interim_answer),
		T(test_redirect_is_an_answer),
		T(test_retry_after),
		T(test_body_at_and_over_the_cap),
		T(test_body_max_can_grow),
		T(test_header_floods),
		T(test_refused),
		T(test_no_tls_there),
		T(test_lost_answers_on_a_fresh_connection),
		T(test_reset_in_the_middle_of_the_request),
		T(test_writes_are_never_sent_twice),
		T(test_reads_may_be_sent_twice),
		T(test_connection_closed_while_idle),
		T(test_total_timeout),
		T(test_stall_timeout),
		T(test_slow_answer),
		T(test_cancel_at_every_turn),
		T(test_cancel_after_the_server_has_it),
		T(test_free_at_every_turn),
		T(test_free_in_own_completion),
		T(test_free_everything_in_completion),
		T(test_cancel_in_a_completion_comes_a_turn_later),
		T(test_send_again_from_the_completion),
		T(test_completions_a_turn_are_bounded),
		T(test_many_at_once_reuse_connections),
		T(test_refused_calls),
		T(test_bad_urls),
		T(test_missing_ca_bundle),
		T(test_direct_ignores_the_proxy),
	};

	/* The environment of whoever runs this must not send loopback requests through a proxy. */
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
