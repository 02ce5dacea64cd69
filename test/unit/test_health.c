/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "health.h"
#include "sample_view.h"

#define DEADLINE_MS 5000 /* for what takes about a millisecond */

/* The server and its clients live on one loop in one thread: a client that waits turns the loop. */
static struct sample_view sample;
static struct metrics *metrics;
static struct health *health;
static uv_loop_t loop;
static unsigned views;

static const struct view *source_view(void *arg)
{
	views++;
	return &((struct sample_view *)arg)->view;
}

static const struct health_source source = {.view = source_view, .arg = &sample};

static struct health *start(const char *host, uint16_t port, struct err *e)
{
	struct health_source s = source;

	s.metrics = metrics;
	return health_new(&loop, host, port, &s, e);
}

static int setup(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_ERROR);
	sample_view_init(&sample);
	metrics = metrics_new(NULL);
	uv_loop_init(&loop);
	health = start("127.0.0.1", 0, NULL);
	return health ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	health_free(health);
	uv_run(&loop, UV_RUN_DEFAULT);
	metrics_free(metrics);
	return uv_loop_close(&loop);
}

static int dial(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(health_port(health)),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Turns the loop a few times without waiting for anything. */
static void turn(void)
{
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}

/* Reads until the server closes or `want` answers are there ("HTTP/1.1 " at their beginnings). */
static size_t hear(int fd, char *out, size_t size, unsigned want, bool *closed)
{
	int64_t deadline = clock_mono_ms() + DEADLINE_MS;
	size_t len = 0;
	unsigned quiet = 0;

	*closed = false;
	out[0] = '\0';
	while (clock_mono_ms() < deadline) {
		ssize_t n;
		unsigned have = 0;

		uv_run(&loop, UV_RUN_NOWAIT);
		n = recv(fd, out + len, size - 1 - len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			*closed = true;
			break;
		}
		quiet = n > 0 ? 0 : quiet + 1;
		len += n > 0 ? (size_t)n : 0;
		out[len] = '\0';
		for (const char *p = out; (p = strstr(p, "HTTP/1.1 ")); p++)
			have++;
		/* All have begun, and the last one has come to its end. */
		if (have >= want && want > 0 && quiet > 50)
			break;
	}
	return len;
}

static char answer[1 << 20];

static int get(const char *method, const char *path)
{
	char request[256];
	bool closed;
	int fd = dial(), status = 0;

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
	say(fd, request);
	hear(fd, answer, sizeof(answer), 0, &closed);
	assert_true(closed);
	close(fd);
	assert_int_equal(sscanf(answer, "HTTP/1.1 %d", &status), 1);
	return status;
}

static const char *body(void)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static void check_header(const char *line)
{
	char *end = strstr(answer, "\r\n\r\n"), *at = strcasestr(answer, line);

	if (!at || at > end)
		fail_msg("no header %s in: %s", line, answer);
	assert_int_equal(strncmp(at + strlen(line), "\r\n", 2), 0);
}

static void test_pages(void **state)
{
	(void)state;
	assert_int_equal(get("GET", "/healthz"), 200);
	assert_string_equal(body(), "ok\n");
	check_header("Content-Type: text/plain; charset=utf-8");
	check_header("Cache-Control: no-store");
	assert_int_equal(get("GET", "/readyz"), 200);
	assert_string_equal(body(), "ready\nlag 2.1s\n");
	assert_int_equal(get("GET", "/metrics"), 200);
	check_header("Content-Type: text/plain; version=0.0.4; charset=utf-8");
	check_header("Cache-Control: no-store");
	assert_non_null(strstr(body(), "\nddb_streamd_lag_seconds{table=\"orders\"} 2.100\n"));
	assert_int_equal(get("GET", "/status"), 200);
	check_header("Content-Type: application/json");
	assert_non_null(strstr(body(), "\"complete_through\": \"2026-11-23T12:40:33.095Z\""));
	assert_int_equal(get("GET", "/"), 200);
	assert_non_null(strstr(body(), "/readyz"));
	assert_int_equal(get("GET", "/healthz?verbose=1"), 200);
}

static void test_not_ready(void **state)
{
	(void)state;
	sample.tables[0].lag_ms = 41 * 60000;
	assert_int_equal(get("GET", "/readyz"), 503);
	assert_string_equal(body(), "orders: lag 41m over rpo 30m\n");
	check_header("Cache-Control: no-store");
	assert_int_equal(get("HEAD", "/readyz"), 503);
	/* The loop is alive all the same. */
	assert_int_equal(get("GET", "/healthz"), 200);
}

static void test_head(void **state)
{
	(void)state;
	assert_int_equal(get("HEAD", "/healthz"), 200);
	check_header("Content-Length: 3");
	assert_string_equal(body(), "");
}

static void test_wrong_method_and_path(void **state)
{
	static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "FROBNICATE"};

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		assert_int_equal(get(methods[i], "/healthz"), 405);
		check_header("Allow: GET, HEAD");
	}
	assert_int_equal(get("GET", "/nowhere"), 404);
	assert_non_null(strstr(body(), "/metrics"));
	assert_int_equal(get("GET", "/healthz/"), 404);
	assert_int_equal(get("GET", "/../healthz"), 404);
}

static void test_bodies_are_not_read(void **state)
{
	static const char post[] = "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc";
	static const char odd[] =
		"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
	bool closed;
	int fd = dial();

	(void)state;
	say(fd, post);
	hear(fd, answer, sizeof(answer), 1, &closed);
	assert_int_equal(strncmp(answer, "HTTP/1.1 405", 12), 0);
	close(fd);
	fd = dial();
	say(fd, odd);
	hear(fd, answer, sizeof(answer), 0, &closed);
	assert_int_equal(strncmp(answer, "HTTP/1.1 200", 12), 0);
	assert_string_equal(body(), "ok\n");
	close(fd);
}

static void test_keep_alive_and_pipelining(void **state)
{
	char three[512] = "";
	bool closed;
	int fd = dial();
	unsigned found = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		strcat(three, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
	say(fd, three);
	hear(fd, answer, sizeof(answer), 3, &closed);
	for (const char *p = answer; (p = strstr(p, "\r\n\r\nready\nlag 2.1s\n")); p++)
		found++;
	assert_int_equal(found, 3);
	assert_false(closed);
	say(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, answer, sizeof(answer), 1, &closed);
	assert_string_equal(body(), "ok\n");
	close(fd);
	turn();
}

static void test_half_a_request(void **state)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	bool closed;
	int fd = dial(), other = dial();

	(void)state;
	/* One byte a turn is slow but right; somebody who stops in the middle holds nobody up. */
	say(other, "GET /healthz HT");
	for (const char *p = request; *p; p++) {
		assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	hear(fd, answer, sizeof(answer), 0, &closed);
	assert_string_equal(body(), "ok\n");
	close(fd);
	/* Gone in the middle. */
	close(other);
	turn();
	assert_int_equal(get("GET", "/healthz"), 200);
}

static void test_nonsense(void **state)
{
	static const char *const requests[] = {"GET\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02",
					       "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
					       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
	char long_header[20000];
	bool closed;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		fd = dial();
		say(fd, requests[i]);
		turn();
		/* Refused, dropped, or more is waited for; never taken for a request. */
		answer[0] = '\0';
		recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
		assert_int_not_equal(strncmp(answer, "HTTP/1.1 2", 10), 0);
		close(fd);
	}
	memset(long_header, 'a', sizeof(long_header));
	memcpy(long_header, "GET /", 5);
	long_header[sizeof(long_header) - 1] = '\0';
	fd = dial();
	say(fd, long_header);
	hear(fd, answer, sizeof(answer), 0, &closed);
	assert_true(closed);
	assert_int_equal(strncmp(answer, "HTTP/1.1 4", 10), 0);
	close(fd);
	assert_int_equal(get("GET", "/healthz"), 200);
}

/* Over the limit, connections wait for a place; they are not refused, and nothing breaks. */
static void test_too_many_connections(void **state)
{
	int fds[HEALTH_CONNECTIONS_MAX], waiting;
	bool closed;

	(void)state;
	for (size_t i = 0; i < HEALTH_CONNECTIONS_MAX; i++) {
		fds[i] = dial();
		say(fds[i], "GET /healthz HT");
		turn();
	}
	waiting = dial();
	say(waiting, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	turn();
	assert_int_equal(recv(waiting, answer, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(fds[0]);
	hear(waiting, answer, sizeof(answer), 0, &closed);
	assert_string_equal(body(), "ok\n");
	close(waiting);
	for (size_t i = 1; i < HEALTH_CONNECTIONS_MAX; i++) {
		say(fds[i], "TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
		hear(fds[i], answer, sizeof(answer), 0, &closed);
		assert_string_equal(body(), "ok\n");
		close(fds[i]);
	}
}

/* A client that does not read its answers: the rest waits, others are served. */
static void test_slow_reader(void **state)
{
	char request[64];
	int fd = dial(), small = 1024;
	size_t sent = 0;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 2000; i++) {
		ssize_t n = send(fd, request, strlen(request), MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	assert_true(sent > 0);
	assert_int_equal(get("GET", "/healthz"), 200);
	close(fd);
	turn();
	assert_int_equal(get("GET", "/healthz"), 200);
}

/* An answer is made by the loop: when it does not turn there is none. */
static void test_no_answer_without_the_loop(void **state)
{
	char byte;
	int fd = dial();

	(void)state;
	views = 0;
	say(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(views, 0);
	turn();
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(views, 1);
	close(fd);
	turn();
}

static void test_address_in_use(void **state)
{
	struct err e = {0};
	char port[8];

	(void)state;
	assert_null(start("127.0.0.1", health_port(health), &e));
	assert_int_equal(e.class, ERR_SYSTEM);
	assert_int_equal(e.sys_errno, EADDRINUSE);
	snprintf(port, sizeof(port), "%u", health_port(health));
	assert_non_null(strstr(e.message, "127.0.0.1:"));
	assert_non_null(strstr(e.message, port));
	assert_non_null(strstr(e.message, "listen ="));
}

static void test_wrong_address(void **state)
{
	struct err e = {0};

	(void)state;
	assert_null(start("192.0.2.1", 0, &e)); /* documentation range: never ours */
	assert_int_equal(e.class, ERR_SYSTEM);
	assert_int_equal(e.sys_errno, EADDRNOTAVAIL);
	assert_non_null(strstr(e.message, "192.0.2.1:0"));
	assert_null(start("no such host", 0, &e));
	assert_int_equal(e.class, ERR_INVALID);
	assert_non_null(strstr(e.message, "no such host"));
	assert_null(start("no such host", 0, NULL));
}

static void test_every_address(void **state)
{
	struct health *first = health;

	(void)state;
	health = start("", 0, NULL);
	assert_non_null(health);
	assert_int_not_equal(health_port(health), 0);
	assert_int_equal(get("GET", "/healthz"), 200); /* by IPv4 */
	health_free(health);
	health = first;
	turn();
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_free_leaves_nothing(void **state)
{
	unsigned before = open_fds();
	struct health *first = health;
	int idle, half;

	(void)state;
	health = start("127.0.0.1", 0, NULL);
	assert_non_null(health);
	idle = dial();
	half = dial();
	say(half, "GET /met");
	turn();
	assert_true(open_fds() > before + 2);
	health_free(health);
	health = first;
	turn();
	close(idle);
	close(half);
	assert_int_equal(open_fds(), before);
	health_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_head, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_method_and_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bodies_are_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep_alive_and_pipelining, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_a_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_answer_without_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_address_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_leaves_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
