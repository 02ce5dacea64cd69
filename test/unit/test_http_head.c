/* Headers of requests, byte by byte: those that go with the target, and those that libcurl is given line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_fixture.h"

static struct http_header signed_lines[] = {{"x-amz-date: now"}, {"authorization: AWS4 a=b, c=d"}};

static struct http_call signed_call(struct http_fixture *f, const char *method, const char *target)
{
	struct http_call c = http_fixture_call(f, method, target);

	c.headers = signed_lines;
	c.nheaders = 2;
	return c;
}

static void assert_head(struct http_fixture *f, const char *fmt, ...)
{
	char expected[1024];
	va_list ap;

	http_fixture_whole(f);
	va_start(ap, fmt);
	vsnprintf(expected, sizeof(expected), fmt, ap);
	va_end(ap);
	assert_string_equal(f->head, expected);
}

static void test_lines_go_with_the_target(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = signed_call(f, "PUT", "/a/../b/./c//%2e%2E?versionId=a%2Fb");

	c.body = SPAN_LIT("{\"Item\":{}}");
	http_fixture_run(f, &c);
	assert_head(f,
		    "PUT /a/../b/./c//%%2e%%2E?versionId=a%%2Fb HTTP/1.1\r\nx-amz-date: now\r\n"
		    "authorization: AWS4 a=b, c=d\r\nUser-Agent: test/1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
		    "Content-Length: 11\r\n\r\n",
		    f->server.port);
	assert_string_equal(f->body, "{\"Item\":{}}");
}

static void test_what_the_target_cannot_say(void **state)
{
	static const struct {
		const char *target, *line, *sent;
	} cases[] = {
		{"", "x-a: 1", "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test/1\r\nx-a: 1\r\n\r\n"},
		{"?q", "x-a: 1", "GET /?q HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test/1\r\nx-a: 1\r\n\r\n"},
		{"/p#part", "x-a: 1", "GET /p HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test/1\r\nx-a: 1\r\n\r\n"},
		{"/p", "x-a;", "GET /p HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test/1\r\nx-a:\r\n\r\n"},
		{"/p", "x-a:", "GET /p HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test/1\r\n\r\n"},
		{"/p", "hOst: other", "GET /p HTTP/1.1\r\nHost: other\r\nUser-Agent: test/1\r\n\r\n"},
	};
	struct http_fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_header line = {cases[i].line};
		struct http_call c = http_fixture_call(f, "GET", cases[i].target);

		c.headers = &line;
		c.nheaders = 1;
		http_fixture_run(f, &c);
		if (strstr(cases[i].sent, "%d"))
			assert_head(f, cases[i].sent, f->server.port);
		else
			assert_head(f, "%s", cases[i].sent);
	}
}

/* What one request was given must not be there in the next. */
static void test_both_ways_in_turn(void **state)
{
	struct http_fixture *f = *state;
	struct http_call fast = signed_call(f, "DELETE", "/x?versionId=1"), slow;
	char other[300];

	snprintf(other, sizeof(other), "http://127.0.0.1:%d/y#z", f->server.port);
	slow = (struct http_call){.method = "GET", .url = other};
	for (int i = 0; i < 3; i++) {
		http_fixture_run(f, &fast);
		assert_head(f,
			    "DELETE /x?versionId=1 HTTP/1.1\r\nx-amz-date: now\r\nauthorization: AWS4 a=b, c=d\r\n"
			    "User-Agent: test/1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
			    f->server.port);
		http_fixture_run(f, &slow);
		assert_head(f, "GET /y HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test/1\r\n\r\n", f->server.port);
	}
	assert_int_equal(f->server.connections, 1);
}

static void test_another_server(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = signed_call(f, "GET", "/x");
	struct httpd other;

	httpd_start(&other, &f->loop, http_fixture_reply, f);
	for (int i = 0; i < 2; i++) {
		http_fixture_run(f, &c);
		assert_non_null(strstr(f->head, "\r\nHost: 127.0.0.1:"));
		assert_int_equal(atoi(strstr(f->head, "127.0.0.1:") + 10), f->server.port);
		snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d/x", other.port);
		http_fixture_run(f, &c);
		assert_int_equal(atoi(strstr(f->head, "127.0.0.1:") + 10), other.port);
		snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d/x", f->server.port);
	}
	httpd_stop(&other);
	uv_run(&f->loop, UV_RUN_DEFAULT); /* closes what lies in this frame */
}

/* It must be told the whole URL. */
static void test_proxy_of_the_environment(void **state)
{
	static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
	struct http_fixture *f = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct http_options o = {.connections = 1};
		struct http_slot *mine = f->slot;
		struct http_call c = {.method = "GET", .url = "http://s3.example/b/k?q", signed_lines, 2};
		struct http *proxied;
		char proxy[64];

		snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", f->server.port);
		setenv(names[i], proxy, 1);
		proxied = http_new(&f->loop, &o, NULL);
		assert_non_null(proxied);
		f->slot = http_slot_new(proxied, HTTP_FIXTURE_BODY_MAX);
		http_fixture_run(f, &c);
		assert_head(f,
			    "GET http://s3.example/b/k?q HTTP/1.1\r\nHost: s3.example\r\nUser-Agent: ddb-streamd\r\n"
			    "Proxy-Connection: Keep-Alive\r\nx-amz-date: now\r\nauthorization: AWS4 a=b, c=d\r\n\r\n");
		http_slot_free(f->slot);
		http_free(proxied);
		f->slot = mine;
		unsetenv(names[i]);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, http_fixture_setup, http_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_lines_go_with_the_target), T(test_what_the_target_cannot_say), T(test_both_ways_in_turn),
		T(test_another_server),		  T(test_proxy_of_the_environment),
	};

	/* The environment of whoever runs this must not send loopback requests through a proxy. */
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
