/* lib/net/http.h against a scripted server: what goes out, what comes back, and the caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_fixture.h"

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.ptr, text, s.len);
}

static void count_meta(void *arg, struct span name, struct span value)
{
	if (name.len > 11 && strncasecmp(name.ptr, "x-amz-meta-", 11) == 0 && value.len == 1)
		++*(int *)arg;
}

/* Requests and answers. */

static void test_get(void **state)
{
	struct http_fixture *f = *state;
	int meta = 0;

	http_fixture_run_method(f, "GET", "/x");
	http_fixture_whole(f);
	assert_int_equal(f->answer.status, 200);
	assert_true(f->answer.duration_us > 0);
	http_fixture_body_is(f, "hello");
	assert_span(http_header_get(f->slot, "X-NAME"), "last");
	assert_span(http_header_get(f->slot, "empty"), "");
	assert_span(http_header_get(f->slot, "absent"), "");
	assert_span(http_header_get(f->slot, "X-Nam"), "");
	http_header_each(f->slot, count_meta, &meta);
	assert_int_equal(meta, 1);
}

static void test_nothing_is_added_to_a_request(void **state)
{
	struct http_fixture *f = *state;
	struct http_header headers[] = {{"x-amz-date: now"}, {"x-empty;"}};
	struct http_call c = http_fixture_call(f, "PUT", "/a/../b/./c//%2e%2E?versionId=a%2Fb");
	char expected[512];

	c.headers = headers;
	c.nheaders = 2;
	c.body = SPAN_LIT("{\"Item\":{}}");
	http_fixture_run(f, &c);
	snprintf(expected, sizeof(expected),
		 "PUT /a/../b/./c//%%2e%%2E?versionId=a%%2Fb HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test/1\r\n"
		 "x-amz-date: now\r\nx-empty:\r\nContent-Length: 11\r\n\r\n",
		 f->server.port);
	assert_string_equal(f->head, expected);
	assert_string_equal(f->body, "{\"Item\":{}}");
}

static void test_own_type_and_accept_are_sent(void **state)
{
	struct http_fixture *f = *state;
	struct http_header headers[] = {{"Content-Type: application/json"}, {"Accept: text/xml"}};
	struct http_call c = http_fixture_call(f, "POST", "/");

	c.headers = headers;
	c.nheaders = 2;
	http_fixture_run(f, &c);
	assert_non_null(strstr(f->head, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(f->head, "\r\nAccept: text/xml\r\n"));
	assert_non_null(strstr(f->head, "\r\nContent-Length: 0\r\n"));
}

static void test_methods_in_turn_on_one_slot(void **state)
{
	static const char *const methods[] = {"HEAD", "PUT", "GET", "DELETE", "POST", "HEAD", "DELETE", "GET", "PUT"};
	struct http_fixture *f = *state;
	char start[16];

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		http_fixture_run_method(f, methods[i], "/m");
		http_fixture_whole(f);
		snprintf(start, sizeof(start), "%s /m ", methods[i]);
		assert_memory_equal(f->head, start, strlen(start));
		http_fixture_body_is(f, strcmp(methods[i], "HEAD") == 0 ? "" : "hello");
		assert_string_equal(f->body, *methods[i] == 'P' ? "payload" : "");
		if (*methods[i] != 'P')
			assert_null(strcasestr(f->head, "content-length"));
	}
	assert_int_equal(f->server.connections, 1);
	assert_int_equal(http_connections(f->http), 1);
}

static void test_empty_put(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "PUT", "/");

	http_fixture_run(f, &c);
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
	struct http_fixture *f = *state;
	size_t len = 3000000;
	char *body = malloc(len);
	struct http_call c = http_fixture_call(f, "PUT", "/");

	assert_non_null(body);
	for (size_t i = 0; i < len; i++)
		body[i] = (char)('a' + i % 26);
	f->server.fn = echo_length;
	c.body = (struct span){body, len};
	http_fixture_run(f, &c);
	http_fixture_whole(f);
	http_fixture_body_is(f, "3000000");
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
	struct http_fixture *f = *state;

	f->server.fn = reply_chunked;
	http_fixture_run_method(f, "GET", "/");
	http_fixture_whole(f);
	http_fixture_body_is(f, "abcdefg");
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
	struct http_fixture *f = *state;

	f->server.fn = reply_interim;
	http_fixture_run_method(f, "PUT", "/");
	http_fixture_whole(f);
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
	struct http_fixture *f = *state;

	f->server.fn = reply_redirect;
	http_fixture_run_method(f, "PUT", "/");
	http_fixture_whole(f);
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
	struct http_fixture *f = *state;

	f->server.fn = reply_retry;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		retry_header = cases[i].header;
		http_fixture_run_method(f, "GET", "/");
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
	char body[HTTP_FIXTURE_BODY_MAX + 1];

	(void)r;
	(void)arg;
	memset(body, 'x', sizeof(body));
	httpd_text(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	httpd_write(c, body, flood_bytes);
	httpd_close(c);
}

static void test_body_at_and_over_the_cap(void **state)
{
	struct http_fixture *f = *state;
	httpd_fn *const fns[] = {reply_length, reply_until_close};

	for (int i = 0; i < 2; i++) {
		f->server.fn = fns[i];
		flood_bytes = HTTP_FIXTURE_BODY_MAX;
		http_fixture_run_method(f, "GET", "/");
		http_fixture_whole(f);
		assert_int_equal(http_body(f->slot)->len, HTTP_FIXTURE_BODY_MAX);
		flood_bytes = HTTP_FIXTURE_BODY_MAX + 1;
		http_fixture_run_method(f, "PUT", "/");
		http_fixture_failed_with(f, ERR_LIMIT, 1);
		assert_int_equal(f->answer.err.http_status, 200);
		assert_true(http_body(f->slot)->cap <= HTTP_FIXTURE_BODY_MAX + 1);
	}
}

static void test_body_max_can_grow(void **state)
{
	struct http_fixture *f = *state;

	f->server.fn = reply_length;
	flood_bytes = 1000000;
	http_slot_body_max(f->slot, flood_bytes);
	http_fixture_run_method(f, "GET", "/");
	http_fixture_whole(f);
	assert_int_equal(http_body(f->slot)->len, flood_bytes);
	flood_bytes = 10;
	http_fixture_run_method(f, "GET", "/");
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
	struct http_fixture *f = *state;

	f->server.fn = reply_header_flood;
	http_fixture_run_method(f, "PUT", "/");
	http_fixture_failed_with(f, ERR_LIMIT, 1);
	f->server.fn = reply_interim_flood;
	http_fixture_run_method(f, "PUT", "/");
	http_fixture_failed_with(f, ERR_LIMIT, 1);
	f->server.fn = http_fixture_reply;
	http_fixture_run_method(f, "PUT", "/");
	http_fixture_whole(f);
}

/* What cannot be sent. */

static void test_refused_calls(void **state)
{
	struct http_fixture *f = *state;
	struct http_header headers[HTTP_HEADERS_MAX + 1];
	struct http_header split = {"X-A: 1\r\nX-B: 2"};
	struct http_call c = http_fixture_call(f, "GET", "/");
	struct err e = {0};

	for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
		headers[i].line = "X: y";
	c.headers = headers;
	c.nheaders = HTTP_HEADERS_MAX + 1;
	assert_int_equal(http_send(f->slot, &c, http_fixture_done, f, &e), -ERR_INVALID);
	c.headers = &split;
	c.nheaders = 1;
	assert_int_equal(http_send(f->slot, &c, http_fixture_done, f, &e), -ERR_INVALID);
	c = http_fixture_call(f, "TRACE", "/");
	assert_int_equal(http_send(f->slot, &c, http_fixture_done, f, &e), -ERR_INVALID);
	c = http_fixture_call(f, "DELETE", "/");
	c.body = SPAN_LIT("x");
	assert_int_equal(http_send(f->slot, &c, http_fixture_done, f, &e), -ERR_INVALID);
	assert_false(http_busy(f->slot));
	c = http_fixture_call(f, "GET", "/");
	c.headers = headers;
	c.nheaders = HTTP_HEADERS_MAX;
	http_fixture_send(f, &c);
	assert_int_equal(http_send(f->slot, &c, http_fixture_done, f, &e), -ERR_INVALID);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->completions, 1);
	http_fixture_whole(f);
}

static void test_bad_urls(void **state)
{
	static const char *const urls[] = {
		"", "http://", "ftp://127.0.0.1/", "file:///etc/passwd", "http://a b/", "http://127.0.0.1:99999/"};
	struct http_fixture *f = *state;

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct http_call c = {.method = "PUT", .url = urls[i]};
		struct err e = {0};

		if (http_send(f->slot, &c, http_fixture_done, f, &e) < 0) {
			assert_int_equal(e.class, ERR_INVALID);
			continue;
		}
		uv_run(&f->loop, UV_RUN_DEFAULT);
		http_fixture_failed_with(f, ERR_INVALID, 0);
	}
}

static void test_missing_ca_bundle(void **state)
{
	struct http_fixture *f = *state;
	struct http_options o = {.connections = 1, .ca_bundle = "/nowhere/ca.pem"};
	struct err e = {0};

	assert_null(http_new(&f->loop, &o, &e));
	assert_int_equal(e.class, ERR_INVALID);
	assert_non_null(strstr(e.message, "/nowhere/ca.pem"));
}

static void test_direct_ignores_the_proxy(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "PUT", "/");

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	http_fixture_run(f, &c);
	http_fixture_failed_with(f, ERR_RETRY, 0);
	c.direct = true;
	http_fixture_run(f, &c);
	http_fixture_whole(f);
	c.direct = false;
	http_fixture_run(f, &c);
	http_fixture_failed_with(f, ERR_RETRY, 0);
	unsetenv("http_proxy");
}

/* A proxy gets the whole URL; what goes straight to the server only the path. */
static void test_proxy_gets_the_whole_url(void **state)
{
	struct http_fixture *f = *state;
	const struct http_options o = {.connections = 1};
	struct http_call c = http_fixture_call(f, "GET", "/");
	struct http *direct = f->http;
	struct http_slot *direct_slot = f->slot;
	struct err e;
	char proxy[64];

	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", f->server.port);
	setenv("http_proxy", proxy, 1);
	f->http = http_new(&f->loop, &o, &e);
	assert_non_null(f->http);
	f->slot = http_slot_new(f->http, HTTP_FIXTURE_BODY_MAX);
	c.url = "http://nowhere.invalid/bucket/a%2Fb/../c?x=%20&versions";
	http_fixture_run(f, &c);
	http_fixture_whole(f);
	assert_memory_equal(f->head, "GET http://nowhere.invalid/bucket/a%2Fb/../c?x=%20&versions HTTP/1.1\r\n", 70);
	unsetenv("http_proxy");
	http_slot_free(f->slot);
	http_free(f->http);
	f->http = direct;
	f->slot = direct_slot;
	c = http_fixture_call(f, "GET", "/bucket/a%2Fb/../c?x=%20&versions");
	http_fixture_run(f, &c);
	assert_memory_equal(f->head, "GET /bucket/a%2Fb/../c?x=%20&versions HTTP/1.1\r\n", 48);
}

#define T(name) cmocka_unit_test_setup_teardown(name, http_fixture_setup, http_fixture_teardown)

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
		T(test_refused_calls),
		T(test_bad_urls),
		T(test_missing_ca_bundle),
		T(test_direct_ignores_the_proxy),
		T(test_proxy_gets_the_whole_url),
	};

	/* The environment of whoever runs this must not send loopback requests through a proxy. */
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
