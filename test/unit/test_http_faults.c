/* lib/net/http.h against a scripted server: every fault, exactly once, timeouts, cancelling and freeing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_fixture.h"

/* Faults. */

static void test_refused(void **state)
{
	struct http_fixture *f = *state;
	struct httpd other;
	struct http_call c = http_fixture_call(f, "PUT", "/secret?X-Amz-Signature=abc");
	char place[32];

	httpd_start(&other, &f->loop, http_fixture_reply, f);
	httpd_stop(&other);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	snprintf(f->url, sizeof(f->url), "http://user:word@127.0.0.1:%d/secret?X-Amz-Signature=abc", other.port);
	http_fixture_run(f, &c);
	http_fixture_failed_with(f, ERR_RETRY, 0);
	assert_int_equal(f->answer.status, 0);
	snprintf(place, sizeof(place), "127.0.0.1:%d", other.port);
	assert_non_null(strstr(f->answer.err.message, place));
	assert_null(strstr(f->answer.err.message, "secret"));
	assert_null(strstr(f->answer.err.message, "word"));
	assert_int_equal(http_connections(f->http), 0);
}

static void test_no_tls_there(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = {.method = "PUT", .url = f->url};

	f->server.reset_after_bytes = 1;
	snprintf(f->url, sizeof(f->url), "https://127.0.0.1:%d/", f->server.port);
	http_fixture_run(f, &c);
	http_fixture_failed_with(f, ERR_RETRY, 0);
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
	struct http_fixture *f = *state;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		f->server.fn = faults[i];
		http_fixture_run_method(f, "PUT", "/");
		http_fixture_failed_with(f, ERR_RETRY, 1);
		assert_null(strstr(f->answer.err.message, "TOPSECRET"));
		assert_int_equal(f->server.requests, (int)i + 1);
	}
}

static void test_reset_in_the_middle_of_the_request(void **state)
{
	struct http_fixture *f = *state;
	char *body = calloc(1, 4000000);
	struct http_call c = http_fixture_call(f, "PUT", "/");

	assert_non_null(body);
	f->server.reset_after_bytes = 100000;
	c.body = (struct span){body, 4000000};
	http_fixture_run(f, &c);
	http_fixture_failed_with(f, ERR_RETRY, 1);
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
		http_fixture_reply(c, r, arg);
}

static void fault_on_a_kept_connection(struct http_fixture *f, const char *method, httpd_fn *fault)
{
	f->server.fn = ok_then_fault;
	f->server.requests = 0;
	second_request = fault;
	http_fixture_run_method(f, "GET", "/1");
	http_fixture_whole(f);
	http_fixture_run_method(f, method, "/2");
}

static void test_writes_are_never_sent_twice(void **state)
{
	static const char *const methods[] = {"PUT", "POST", "DELETE"};
	httpd_fn *const faults[] = {do_close, do_reset};
	struct http_fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 2; k++) {
			fault_on_a_kept_connection(f, methods[i], faults[k]);
			http_fixture_failed_with(f, ERR_RETRY, 1);
			assert_int_equal(f->answer.status, 0);
			assert_int_equal(f->server.requests, 2);
			/* The slot and the client go on working. */
			http_fixture_run_method(f, methods[i], "/3");
			http_fixture_whole(f);
			assert_int_equal(f->server.requests, 3);
		}
	}
}

static void test_reads_may_be_sent_twice(void **state)
{
	struct http_fixture *f = *state;

	fault_on_a_kept_connection(f, "GET", do_close);
	http_fixture_whole(f);
	assert_int_equal(f->server.requests, 3);
	fault_on_a_kept_connection(f, "HEAD", do_reset);
	http_fixture_whole(f);
	assert_int_equal(f->server.requests, 3);
}

static void ok_then_close(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	http_fixture_reply(c, r, arg);
	httpd_close(c);
}

static void test_connection_closed_while_idle(void **state)
{
	struct http_fixture *f = *state;

	/* libcurl sees the close before it sends: no failure, one request each. */
	f->server.fn = ok_then_close;
	for (int i = 1; i <= 5; i++) {
		http_fixture_run_method(f, "PUT", "/");
		http_fixture_whole(f);
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
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "PUT", "/");

	f->server.fn = never;
	c.total_timeout_ms = 50;
	http_fixture_run(f, &c);
	http_fixture_failed_with(f, ERR_RETRY, 1);
	assert_true(f->answer.duration_us >= 50000);
	assert_non_null(strstr(f->answer.err.message, "50 ms"));
	/* The next request has none. */
	f->server.fn = http_fixture_reply;
	c.total_timeout_ms = 0;
	http_fixture_run(f, &c);
	http_fixture_whole(f);
}

static void test_stall_timeout(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "PUT", "/");

	f->server.fn = never;
	c.stall_timeout_ms = 1;
	http_fixture_run(f, &c);
	http_fixture_failed_with(f, ERR_RETRY, 1);
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
	struct http_fixture *f = arg;

	(void)r;
	drip.c = c;
	drip.left = 20;
	httpd_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
	uv_timer_init(&f->loop, &drip.timer);
	uv_timer_start(&drip.timer, on_drip, 5, 5);
}

static void test_slow_answer(void **state)
{
	struct http_fixture *f = *state;

	f->server.fn = start_drip;
	http_fixture_run_method(f, "GET", "/");
	http_fixture_whole(f);
	http_fixture_body_is(f, "xxxxxxxxxxxxxxxxxxxx");
}

/* Cancel and free. */

static void test_cancel_at_every_turn(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "PUT", "/");

	c.body = SPAN_LIT("x");
	http_cancel(f->slot);
	for (int turns = 0; turns < 12; turns++) {
		int before = f->completions;

		http_fixture_send(f, &c);
		for (int i = 0; i < turns && f->completions == before; i++)
			uv_run(&f->loop, UV_RUN_NOWAIT);
		if (f->completions > before) {
			http_fixture_whole(f);
			continue;
		}
		http_cancel(f->slot);
		http_cancel(f->slot);
		assert_int_equal(f->completions, before);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		assert_int_equal(f->completions, before + 1);
		http_fixture_failed_with(f, ERR_CANCELLED, f->answer.err.maybe_done);
		if (turns == 0)
			assert_false(f->answer.err.maybe_done);
	}
}

static void test_cancel_after_the_server_has_it(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "PUT", "/");

	f->server.fn = never;
	http_fixture_send(f, &c);
	while (f->server.requests == 0)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	http_cancel(f->slot);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	http_fixture_failed_with(f, ERR_CANCELLED, 1);
}

/* A port where connecting takes for ever: its queue is full. fds[0] is the listener's. */
static int full_port(int fds[5])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	for (int i = 0; i < 5; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
		if (i > 0)
			(void)connect(fds[i], (struct sockaddr *)&a, len);
		else
			assert_int_equal(bind(fds[i], (struct sockaddr *)&a, len) + listen(fds[i], 0), 0);
		assert_int_equal(getsockname(fds[0], (struct sockaddr *)&a, &len), 0);
	}
	return ntohs(a.sin_port);
}

/* libcurl 7.88 forgets to tell that it closes such a socket. Twice: its number is taken anew. */
static void test_cancel_while_connecting(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "PUT", "/");
	int fds[5];

	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d/", full_port(fds));
	for (int i = 0; i < 2; i++) {
		http_fixture_send(f, &c);
		for (int turns = 0; turns < 5; turns++)
			uv_run(&f->loop, UV_RUN_NOWAIT);
		assert_int_equal(http_connections(f->http), 1);
		http_cancel(f->slot);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		http_fixture_failed_with(f, ERR_CANCELLED, 0);
		assert_int_equal(http_connections(f->http), 0);
	}
	for (int i = 0; i < 5; i++)
		close(fds[i]);
}

static void test_free_at_every_turn(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "PUT", "/");

	for (int turns = 0; turns < 12; turns++) {
		int before = f->completions;

		http_fixture_send(f, &c);
		for (int i = 0; i < turns && f->completions == before; i++)
			uv_run(&f->loop, UV_RUN_NOWAIT);
		before = f->completions;
		http_slot_free(f->slot);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		assert_int_equal(f->completions, before);
		f->slot = http_slot_new(f->http, HTTP_FIXTURE_BODY_MAX);
		assert_non_null(f->slot);
	}
}

static void free_in_completion(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct http_fixture *f = arg;

	http_fixture_done(s, a, arg);
	http_slot_free(s);
	f->slot = NULL;
}

static void test_free_in_own_completion(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "GET", "/");

	assert_int_equal(http_send(f->slot, &c, free_in_completion, f, NULL), 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->completions, 1);
	assert_null(f->slot);
}

static void free_all_in_completion(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct http_fixture *f = arg;

	free_in_completion(s, a, arg);
	http_free(f->http);
	f->http = NULL;
}

static void test_free_everything_in_completion(void **state)
{
	struct http_fixture *f = *state;
	struct http_options o = {.connections = 1};
	struct http_call c = http_fixture_call(f, "GET", "/");

	assert_int_equal(http_send(f->slot, &c, free_all_in_completion, f, NULL), 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->completions, 1);
	assert_null(f->http);
	f->http = http_new(&f->loop, &o, NULL);
	assert_non_null(f->http);
}

struct pair {
	struct http_fixture *f;
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
	struct http_fixture *f = *state;
	struct pair p = {.f = f, .other = http_slot_new(f->http, HTTP_FIXTURE_BODY_MAX)};
	struct http_call c = http_fixture_call(f, "GET", "/");

	assert_int_equal(http_send(f->slot, &c, cancel_other, &p, NULL), 0);
	f->server.fn = http_fixture_reply;
	assert_int_equal(http_send(p.other, &c, other_done, &p, NULL), 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(p.completions, 1);
	assert_true(p.other_turn > f->completions);
	http_slot_free(p.other);
}

static void send_again(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct http_fixture *f = arg;
	struct http_call c = http_fixture_call(f, "GET", "/");

	http_fixture_done(s, a, arg);
	assert_false(http_busy(s));
	if (f->completions < 100)
		assert_int_equal(http_send(s, &c, send_again, f, NULL), 0);
}

static void test_send_again_from_the_completion(void **state)
{
	struct http_fixture *f = *state;
	struct http_call c = http_fixture_call(f, "GET", "/");

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
	struct http_fixture *f = *state;
	struct http_slot *slots[MANY];
	struct http_call c = http_fixture_call(f, "GET", "/");
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
	struct http_fixture *f = *state;
	struct http_slot *slots[8];
	struct http_call c = http_fixture_call(f, "PUT", "/");

	for (int i = 0; i < 8; i++)
		slots[i] = http_slot_new(f->http, 100);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 8; i++)
			assert_int_equal(http_send(slots[i], &c, http_fixture_done, f, NULL), 0);
		uv_run(&f->loop, UV_RUN_DEFAULT);
	}
	assert_int_equal(f->completions, 160);
	assert_int_equal(f->server.requests, 160);
	assert_int_equal(f->server.connections, 8);
	assert_int_equal(http_connections(f->http), 8);
	for (int i = 0; i < 8; i++)
		http_slot_free(slots[i]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, http_fixture_setup, http_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		T(test_cancel_while_connecting),
		T(test_free_at_every_turn),
		T(test_free_in_own_completion),
		T(test_free_everything_in_completion),
		T(test_cancel_in_a_completion_comes_a_turn_later),
		T(test_send_again_from_the_completion),
		T(test_completions_a_turn_are_bounded),
		T(test_many_at_once_reuse_connections),
	};

	/* The environment of whoever runs this must not send loopback requests through a proxy. */
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
