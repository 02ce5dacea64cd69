/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"
#include "sample_view.h"

/* The service manager's end: an abstract socket, so that nothing is left on disk. */
static int manager = -1;
static struct sample_view sample;

static int setup(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char name[64];
	int n = snprintf(name, sizeof(name), "@ddb-streamd-test-notify-%d", getpid());

	(void)state;
	sample_view_init(&sample);
	memcpy(sa.sun_path + 1, name + 1, (size_t)n - 1);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (manager < 0 ||
	    bind(manager, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) != 0)
		return -1;
	setenv("NOTIFY_SOCKET", name, 1);
	notify_stopping(); /* whatever the test before said last is forgotten */
	recv(manager, name, sizeof(name), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(manager);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return 0;
}

/* A datagram to a socket of this host is there when the send returns. */
static void check_message(const char *expected)
{
	char text[2048];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, expected);
}

static void check_silence(void)
{
	char text[64];

	assert_int_equal(recv(manager, text, sizeof(text), 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_ready(void **state)
{
	(void)state;
	notify_ready(&sample.view);
	check_message("READY=1\nSTATUS=2 tables, lag 2.1s");
	check_silence();
	notify_status(&sample.view);
	check_silence();
}

static void test_status_only_when_changed(void **state)
{
	(void)state;
	notify_status(&sample.view);
	check_message("STATUS=2 tables, lag 2.1s");
	notify_status(&sample.view);
	check_silence();
	sample.tables[0].lag_ms = 2500;
	notify_status(&sample.view);
	check_message("STATUS=2 tables, lag 2.5s");
	sample.tables[0].stuck = 1;
	notify_status(&sample.view);
	check_message("STATUS=2 tables, lag 2.5s, 1 item stuck");
	sample.tables[1].stuck = 2;
	sample.view.ntables = 2;
	notify_status(&sample.view);
	check_message("STATUS=2 tables, lag 2.5s, 3 items stuck");
	sample.tables[0].stuck = 0;
	sample.view.ntables = 1;
	notify_status(&sample.view);
	check_message("STATUS=1 table, lag 2.5s");
	sample.tables[0].lag_ms = 41 * 60000;
	notify_status(&sample.view);
	check_message("STATUS=orders: lag 41m over rpo 30m");
	sample.view.phase = "starting";
	sample.view.problem = "no credentials";
	notify_status(&sample.view);
	check_message("STATUS=starting: no credentials");
}

static void test_a_reason_cannot_add_a_key(void **state)
{
	(void)state;
	sample.view.problem = "bad\nREADY=1\r\x7f"
			      "end";
	notify_status(&sample.view);
	check_message("STATUS=bad READY=1  end");
}

static void test_long_reason_is_cut(void **state)
{
	char problem[2000], text[2048];
	ssize_t n;

	(void)state;
	memset(problem, 'x', sizeof(problem) - 1);
	problem[sizeof(problem) - 1] = '\0';
	sample.view.problem = problem;
	notify_status(&sample.view);
	n = recv(manager, text, sizeof(text), 0);
	assert_true(n > 100 && n < 1000);
}

static void test_stopping(void **state)
{
	(void)state;
	notify_stopping();
	check_message("STOPPING=1\nSTATUS=stopping");
	sample.view.phase = "stopping";
	notify_status(&sample.view);
	check_silence();
}

static void test_extend_timeout(void **state)
{
	(void)state;
	notify_extend_timeout(90000);
	check_message("EXTEND_TIMEOUT_USEC=90000000");
	notify_extend_timeout(0);
	notify_extend_timeout(-5);
	notify_extend_timeout(INT64_MAX);
	check_silence();
}

static void test_watchdog(void **state)
{
	char pid[32];

	(void)state;
	assert_int_equal(notify_watchdog_interval_ms(), 0);
	setenv("WATCHDOG_USEC", "60000000", 1);
	assert_int_equal(notify_watchdog_interval_ms(), 30000);
	/* Meant for another process: a child that inherited the variables. */
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_interval_ms(), 0);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog_interval_ms(), 30000);
	setenv("WATCHDOG_USEC", "1", 1);
	assert_int_equal(notify_watchdog_interval_ms(), 1);
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_int_equal(notify_watchdog_interval_ms(), 0);
	notify_watchdog();
	check_message("WATCHDOG=1");
}

static void test_silent_without_a_manager(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_ready(&sample.view);
	notify_status(&sample.view);
	notify_watchdog();
	notify_extend_timeout(1000);
	notify_stopping();
	check_silence();
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	notify_ready(&sample.view);
	notify_watchdog();
	check_silence();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status_only_when_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reason_cannot_add_a_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_reason_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopping, setup, teardown),
		cmocka_unit_test_setup_teardown(test_extend_timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watchdog, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silent_without_a_manager, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
