#include "aws_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "aws/s3.h"
#include "aws/table.h"
#include "base/clock.h"

static const struct s3_put small = {.key = SPAN_LIT("k"), .body = SPAN_LIT("{}")};

struct outcome {
	int calls, rc;
	bool again, give_up;
	struct aws_fixture *f;
};

static void on_done(struct aws_op *op, int rc, void *arg)
{
	struct outcome *o = arg;

	o->calls++;
	o->rc = rc;
	assert_false(op->busy);
	/* So that a turn whose timers ended the request does not go on to wait for another event. */
	uv_stop(op->aws->loop);
	if (o->again) {
		o->again = false;
		s3_put(op, &small, on_done, o);
	} else if (o->give_up) {
		aws_op_fini(op, NULL);
	}
}

static void run_until(struct aws_fixture *f, const int *calls, int n)
{
	while (*calls < n)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static void test_next_from_completion(void **state)
{
	struct aws_fixture *f = *state;
	struct outcome o = {.again = true};

	aws_fixture_answer(f, "200 OK", "", "", 0);
	aws_fixture_answer(f, "200 OK", "", "", 0);
	s3_put(&f->op, &small, on_done, &o);
	assert_int_equal(o.calls, 0);
	run_until(f, &o.calls, 2);
	assert_int_equal(o.rc, 0);
	assert_int_equal(f->nrequests, 2);
	assert_int_equal(f->nobserved, 2);
}

static void test_fini_from_completion(void **state)
{
	struct aws_fixture *f = *state;
	struct outcome o = {.give_up = true};

	aws_fixture_answer(f, "200 OK", "", "", 0);
	s3_put(&f->op, &small, on_done, &o);
	run_until(f, &o.calls, 1);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(o.calls, 1);
	assert_null(f->op.slot);
}

static void test_fini_in_flight(void **state)
{
	struct aws_fixture *f = *state;
	struct outcome o = {0};

	aws_fixture_answer_raw(f, "", 0);
	s3_put(&f->op, &small, on_done, &o);
	while (f->nrequests == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	aws_op_fini(&f->op, NULL);
	for (int i = 0; i < 10; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(o.calls, 0);
}

static int nclosed;

static void on_op_closed(struct aws_op *op)
{
	nclosed++;
	memset(op, 0xff, sizeof(*op));
	free(op);
}

static void test_closed_frees(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_op *op = malloc(sizeof(*op));
	struct outcome o = {0};

	nclosed = 0;
	assert_non_null(op);
	assert_int_equal(aws_op_init(op, &f->aws, 1024, NULL), 0);
	/* One that waits for its turn to fail. */
	s3_delete(op, (struct span){0}, on_done, &o);
	aws_op_fini(op, on_op_closed);
	assert_int_equal(nclosed, 0);
	while (nclosed == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(o.calls, 0);
}

static void test_cancel(void **state)
{
	struct aws_fixture *f = *state;
	struct outcome o = {0};

	aws_fixture_answer_raw(f, "", 0);
	s3_put(&f->op, &small, on_done, &o);
	while (f->nrequests == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	aws_op_cancel(&f->op);
	assert_int_equal(o.calls, 0);
	run_until(f, &o.calls, 1);
	assert_int_equal(o.rc, -ERR_CANCELLED);
	assert_int_equal(f->observed_rc, -ERR_CANCELLED);

	/* Cancelling what failed before it was sent, and what is idle. */
	s3_delete(&f->op, (struct span){0}, on_done, &o);
	aws_op_cancel(&f->op);
	run_until(f, &o.calls, 2);
	assert_int_equal(o.rc, -ERR_CANCELLED);
	aws_op_cancel(&f->op);

	/* The op is good for more. */
	aws_fixture_answer(f, "200 OK", "", "", 0);
	s3_put(&f->op, &small, on_done, &o);
	run_until(f, &o.calls, 3);
	assert_int_equal(o.rc, 0);
}

static void set_stop(uv_timer_t *t)
{
	*(bool *)t->data = true;
	uv_close((uv_handle_t *)t, NULL);
}

static void test_wait_stop(void **state)
{
	struct aws_fixture *f = *state;
	bool stop = false;
	uv_timer_t t;

	aws_fixture_answer_raw(f, "", 0);
	uv_timer_init(&f->loop, &t);
	t.data = &stop;
	uv_timer_start(&t, set_stop, 1, 0);
	s3_put(&f->op, &small, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, &stop), -ERR_CANCELLED);
	/* Already true: at once. */
	s3_put(&f->op, &small, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, &stop), -ERR_CANCELLED);
	/* Nothing to wait for: the last rc. */
	assert_int_equal(aws_wait(&f->op, &stop), -ERR_CANCELLED);
}

/* A signal handler cannot wake the loop: it has to look by itself. */
static volatile bool *signalled;

static void on_alarm(int sig)
{
	(void)sig;
	*signalled = true;
}

static void test_wait_stop_by_signal(void **state)
{
	struct aws_fixture *f = *state;
	volatile bool stop = false;
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval in = {.it_value.tv_usec = 1000};

	signalled = &stop;
	sigaction(SIGALRM, &sa, NULL);
	aws_fixture_answer_raw(f, "", 0);
	s3_put(&f->op, &small, NULL, NULL);
	while (f->nrequests == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	setitimer(ITIMER_REAL, &in, NULL);
	assert_int_equal(aws_wait(&f->op, (const bool *)&stop), -ERR_CANCELLED);
}

static void test_no_credentials(void **state)
{
	struct aws_fixture *f = *state;
	struct outcome o = {.again = true};

	s3_put(&f->op, &small, on_done, &o);
	assert_int_equal(o.calls, 0);
	run_until(f, &o.calls, 2);
	assert_int_equal(o.rc, -ERR_AUTH);
	assert_non_null(strstr(f->op.err.message, "PutObject in bucket bkt: "));
	assert_int_equal(f->nrequests, 0);
	assert_int_equal(f->nobserved, 2);
	assert_int_equal(f->observed_status, 0);
}

static void test_session_token(void **state)
{
	struct aws_fixture *f = *state;

	aws_fixture_answer(f, "200 OK", "", "", 0);
	s3_put(&f->op, &small, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-security-token"), "FwoGZXIvYXdzE/token+1==");
	assert_non_null(strstr(aws_fixture_header(f, "authorization"), "x-amz-date;x-amz-security-token,"));
}

/* The Date header that a server whose clock differs by `s` seconds would send now. */
static void answer_dated(struct aws_fixture *f, int64_t s)
{
	time_t t = (time_t)(clock_wall_ms() / 1000 + s);
	char line[64];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(line, sizeof(line), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
	aws_fixture_answer(f, "200 OK", line, "", 0);
}

static void put_dated(struct aws_fixture *f, int64_t s)
{
	answer_dated(f, s);
	s3_put(&f->op, &small, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
}

static void test_clock_skew(void **state)
{
	struct aws_fixture *f = *state;

	assert_false(f->aws.clock_skew_known);
	aws_fixture_answer(f, "200 OK", "Date: not a date\r\n", "", 0);
	s3_put(&f->op, &small, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_false(f->aws.clock_skew_known);

	put_dated(f, 600);
	assert_true(f->aws.clock_skew_known);
	assert_in_range(f->aws.clock_skew_ms, 599000, 601500);
	/* A small change is taken over bit by bit, a set clock at once. */
	f->aws.clock_skew_ms = 601500;
	put_dated(f, 600);
	assert_in_range(f->aws.clock_skew_ms, 601000, 601500);
	put_dated(f, -600);
	assert_in_range(-f->aws.clock_skew_ms, 598000, 601500);
}

static void test_clock_skew_is_told(void **state)
{
	struct aws_fixture *f = *state;
	static const char body[] = "<Error><Code>RequestTimeTooSkewed</Code><Message>m</Message></Error>";

	put_dated(f, 1200);
	aws_fixture_answer(f, "403 Forbidden", "", body, strlen(body));
	s3_put(&f->op, &small, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_AUTH);
	assert_non_null(strstr(f->op.err.message, " s behind the server's"));
}

static void test_lost_answer(void **state)
{
	struct aws_fixture *f = *state;

	/* No answer is queued: the server closes. */
	s3_put(&f->op, &small, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_RETRY);
	assert_true(f->op.err.maybe_done);
	assert_int_equal(f->op.http_status, 0);

	/* Cut in the middle of its body. */
	aws_fixture_answer(f, "200 OK", "Content-Length: 50\r\nConnection: close\r\n", "half", 4);
	table_describe(&f->op, "orders", &(struct table_description){0}, NULL, NULL);
	while (f->next_answer == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	aws_fixture_disconnect(f);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_RETRY);
	assert_non_null(strstr(f->op.err.message, "DescribeTable orders: "));
}

static void test_answer_too_long(void **state)
{
	struct aws_fixture *f = *state;
	static char big[300 * 1024];
	struct s3_head h;

	memset(big, 'x', sizeof(big));
	aws_fixture_answer(f, "200 OK", "Last-Modified: Mon, 23 Nov 2026 12:42:05 GMT\r\n", big, sizeof(big));
	s3_get(&f->op, SPAN_LIT("k"), (struct span){0}, &h, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_LIMIT);
}

static int setup_no_credentials(void **state)
{
	aws_fixture_environment(NULL, NULL, NULL);
	return aws_fixture_start(state);
}

static int setup_token(void **state)
{
	aws_fixture_environment("AKIDEXAMPLE", "secret", "FwoGZXIvYXdzE/token+1==");
	return aws_fixture_start(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_next_from_completion, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_fini_from_completion, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_fini_in_flight, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_closed_frees, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_cancel, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_wait_stop, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_wait_stop_by_signal, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_no_credentials, setup_no_credentials, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_session_token, setup_token, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_clock_skew, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_clock_skew_is_told, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_lost_answer, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_answer_too_long, aws_fixture_setup, aws_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
