/* cli/writer.h against a scripted table: what each answer does to each write, and what ends it. */
#include "writer_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* --- what answers do --- */

static void test_batches(void **state)
{
	struct writer_fixture *f = *state;
	writer_fixture_start(f, 0);
	f->units_each = 2;
	writer_fixture_add(f, 55, false);
	writer_fixture_add(f, 5, true);
	assert_int_equal(writer_pending(f->w), 60);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 60, 0);
	assert_int_equal(f->requests, 3);
	assert_int_equal(f->sizes[0], 25);
	assert_int_equal(f->sizes[1], 25);
	assert_int_equal(f->sizes[2], 10);
	const struct writer_figures *g = writer_figures(f->w);
	assert_int_equal(g->puts, 55);
	assert_int_equal(g->deletes, 5);
	assert_int_equal(g->requests, 3);
	assert_int_equal(g->refused + g->throttles + g->left, 0);
	assert_true(g->units == 120);
}

/* Counted here when the server does not tell: one for each KiB begun. */
static void test_units_counted(void **state)
{
	struct writer_fixture *f = *state;
	static char text[1200] = "{\"id\":{\"S\":\"0 ";
	writer_fixture_start(f, 0);
	memset(text + strlen(text), 'x', 1100);
	strcat(text, "\"}}");
	writer_fixture_add_text(f, span_of(text), false);
	writer_fixture_add(f, 3, true);
	writer_fixture_run(f);
	assert_true(writer_figures(f->w)->units == 5);
}

static void script_three_left(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	writer_fixture_answer_left(f, r, number == 1 ? 3 : 0);
}

static void test_some_unprocessed(void **state)
{
	struct writer_fixture *f = *state;
	f->script = script_three_left;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 8, false);
	writer_fixture_add(f, 2, true);
	while (f->done == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	/* The others are not kept waiting. */
	assert_int_equal(f->done, 7);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 10, 0);
	assert_int_equal(f->requests, 2);
	assert_int_equal(f->sizes[1], 3);
	assert_int_equal(writer_figures(f->w)->left, 3);
	assert_int_equal(writer_figures(f->w)->puts, 8);
	assert_int_equal(writer_figures(f->w)->deletes, 2);
	assert_true(writer_figures(f->w)->units == 10);
}

static void script_all_left(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	writer_fixture_answer_left(f, r, number <= 2 ? r->n : 0);
}

static void test_all_unprocessed(void **state)
{
	struct writer_fixture *f = *state;
	f->script = script_all_left;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 10, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 10, 0);
	assert_int_equal(f->requests, 3);
	assert_int_equal(writer_figures(f->w)->left, 20);
	/* The waits grow with this. */
	assert_int_equal(f->jobs[0].job.attempts, 2);
	/* It waits for its timer, not in circles. */
	assert_in_range(f->turns, 1, 200);
}

/* What came back goes first, and is filled up with what has come since. */
static void test_left_joins_new(void **state)
{
	struct writer_fixture *f = *state;
	f->script = script_three_left;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 10, false);
	while (f->done == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	f->script = writer_fixture_hold;
	writer_fixture_add(f, 25, false);
	writer_fixture_add(f, 25, false);
	writer_fixture_run_until_held(f, 1);
	assert_int_equal(f->held[0].n, 25);
	assert_int_equal(f->held[0].ids[0], 7);
	assert_int_equal(f->held[0].ids[2], 9);
	assert_int_equal(f->held[0].ids[3], 10);
	f->script = writer_fixture_ok;
	writer_fixture_answer_ok(f, &f->held[0]);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 60, 0);
	size_t total = 0;
	for (int i = 0; i < f->requests; i++)
		total += f->sizes[i];
	assert_int_equal(total, 63);
}

static void script_throttle(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	if (number == 1)
		writer_fixture_answer_error(f, r, 400, "ProvisionedThroughputExceededException");
	else if (number == 2)
		writer_fixture_answer_error(f, r, 400, "ThrottlingException");
	else
		writer_fixture_answer_ok(f, r);
}

static void test_throttle(void **state)
{
	struct writer_fixture *f = *state;
	f->script = script_throttle;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 10, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 10, 0);
	assert_int_equal(f->requests, 3);
	assert_int_equal(writer_figures(f->w)->throttles, 2);
	assert_int_equal(writer_figures(f->w)->left, 0);
	assert_true(writer_figures(f->w)->units == 10);
}

static void script_trouble(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	switch (number) {
	case 1: /* cut short on its way */
		writer_fixture_over(f, r);
		httpd_answer(r->conn, 200, "", "{\"UnprocessedItems\":{\"ord");
		break;
	case 2:
		writer_fixture_answer_error(f, r, 500, "InternalServerError");
		break;
	case 3:
		writer_fixture_over(f, r);
		httpd_reset(r->conn);
		break;
	case 4:
		writer_fixture_answer_error(f, r, 503, "ServiceUnavailable");
		break;
	default:
		writer_fixture_answer_ok(f, r);
	}
}

static void test_trouble(void **state)
{
	struct writer_fixture *f = *state;
	f->script = script_trouble;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 7, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 7, 0);
	assert_int_equal(f->requests, 5);
	assert_int_equal(writer_figures(f->w)->requests, 5);
	assert_int_equal(writer_figures(f->w)->throttles, 0);
}

static void script_one_invalid(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	if (!r->single || r->ids[0] == 7)
		writer_fixture_answer_error(f, r, 400, "ValidationException");
	else if (number == 2)
		writer_fixture_answer_error(f, r, 400, "ThrottlingException");
	else
		writer_fixture_answer_ok(f, r);
}

/* Which of the batch it is, is found out; one of those that go singly is throttled meanwhile, and remains single. */
static void test_one_invalid(void **state)
{
	struct writer_fixture *f = *state;
	f->script = script_one_invalid;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 20, false);
	writer_fixture_add(f, 5, true);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 7, 0);
	writer_fixture_check(f, 7, 1, -ERR_INVALID);
	writer_fixture_check(f, 8, 17, 0);
	assert_non_null(strstr(f->jobs[7].message, "orders"));
	assert_int_equal(f->requests, 27);
	for (int i = 1; i < f->requests; i++)
		assert_int_equal(f->sizes[i], 1);
	assert_int_equal(writer_figures(f->w)->refused, 1);
	assert_int_equal(writer_figures(f->w)->puts, 19);
	assert_int_equal(writer_figures(f->w)->deletes, 5);
	/* The writer goes on. */
	f->script = writer_fixture_ok;
	writer_fixture_add(f, 30, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 25, 30, 0);
}

/* A batch of one needs no second opinion. */
static void test_invalid_alone(void **state)
{
	struct writer_fixture *f = *state;
	f->script = writer_fixture_fail;
	f->error = "ValidationException";
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 1, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 1, -ERR_INVALID);
	assert_int_equal(f->requests, 1);
}

/* --- what ends it --- */

static void test_fatal(void **state)
{
	struct writer_fixture *f = *state;
	static const struct {
		const char *type;
		int rc;
	} cases[] = {
		{"ResourceNotFoundException", -ERR_NOT_FOUND},
		{"AccessDeniedException", -ERR_DENIED},
		{"UnrecognizedClientException", -ERR_AUTH},
	};
	f->script = writer_fixture_fail;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t from = f->njobs;
		f->error = cases[i].type;
		writer_fixture_start(f, 0);
		writer_fixture_add(f, 130, false);
		writer_fixture_run(f);
		writer_fixture_check(f, from, 130, cases[i].rc);
		int requests = f->requests;
		/* Nothing more is asked. */
		writer_fixture_add(f, 30, false);
		assert_int_equal(writer_pending(f->w), 30);
		writer_fixture_run(f);
		writer_fixture_check(f, from + 130, 30, cases[i].rc);
		assert_string_equal(f->jobs[f->njobs - 1].message, f->jobs[from].message);
		assert_int_equal(f->requests, requests);
		assert_int_equal(writer_figures(f->w)->refused, 0);
		writer_free(f->w);
		f->w = NULL;
	}
}

/* What is in flight at the end may have taken effect: its own answer tells. */
static void test_fatal_in_flight(void **state)
{
	struct writer_fixture *f = *state;
	f->script = writer_fixture_hold;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 75, false);
	writer_fixture_run_until_held(f, 2);
	writer_fixture_answer_error(f, &f->held[0], 400, "ResourceNotFoundException");
	while (f->done < 50)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(writer_pending(f->w), 25);
	writer_fixture_answer_ok(f, &f->held[1]);
	writer_fixture_run(f);
	for (size_t i = 0; i < f->held[1].n; i++)
		writer_fixture_check(f, f->held[1].ids[i], 1, 0);
	for (size_t i = 0; i < f->held[0].n; i++)
		writer_fixture_check(f, f->held[0].ids[i], 1, -ERR_NOT_FOUND);
	writer_fixture_check(f, 50, 25, -ERR_NOT_FOUND);
	assert_int_equal(f->requests, 2);
}

/* The other batch waits to be tried again, or its answer would have it tried again. */
static void test_fatal_while_waiting(void **state)
{
	struct writer_fixture *f = *state;
	f->script = writer_fixture_hold;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 50, false);
	writer_fixture_run_until_held(f, 2);
	writer_fixture_answer_error(f, &f->held[0], 400, "ThrottlingException");
	while (writer_figures(f->w)->throttles == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	writer_fixture_answer_error(f, &f->held[1], 400, "AccessDeniedException");
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 50, -ERR_DENIED);

	size_t from = f->njobs;
	writer_free(f->w);
	f->nheld = 0;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 50, false);
	writer_fixture_run_until_held(f, 2);
	writer_fixture_answer_error(f, &f->held[0], 400, "AccessDeniedException");
	while (f->done < from + 25)
		uv_run(&f->loop, UV_RUN_ONCE);
	writer_fixture_answer_error(f, &f->held[1], 400, "ThrottlingException");
	writer_fixture_run(f);
	writer_fixture_check(f, from, 50, -ERR_DENIED);
}

static void test_no_progress(void **state)
{
	struct writer_fixture *f = *state;
	f->script = writer_fixture_fail;
	f->error = "ThrottlingException";
	writer_fixture_start(f, 0);
	writer_set_patience(f->w, 200);
	writer_fixture_add(f, 60, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 60, -ERR_THROTTLE);
	assert_non_null(strstr(f->jobs[0].message, "nothing was written for "));
	assert_non_null(strstr(f->jobs[0].message, "ThrottlingException"));
	assert_true(f->requests > 1);
}

/* Without any patience, but a little goes through each time. */
static void test_slow_progress(void **state)
{
	struct writer_fixture *f = *state;
	f->script = writer_fixture_one_by_one;
	writer_fixture_start(f, 0);
	writer_set_patience(f->w, 0);
	writer_fixture_add(f, 4, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 4, 0);
	assert_int_equal(writer_figures(f->w)->left, 3 + 2 + 1);
}

/* A write comes back in words that are nobody's: all count as left, yet something was paid for. */
static void script_strange(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	if (number > 1) {
		writer_fixture_answer_ok(f, r);
		return;
	}
	writer_fixture_over(f, r);
	httpd_answer(r->conn, 200, "",
		     "{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"x\"}}}}]},"
		     "\"ConsumedCapacity\":[{\"TableName\":\"orders\",\"CapacityUnits\":9}]}");
}

static void test_strange_progress(void **state)
{
	struct writer_fixture *f = *state;
	f->script = script_strange;
	writer_fixture_start(f, 0);
	writer_set_patience(f->w, 0);
	writer_fixture_add(f, 10, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 10, 0);
	assert_int_equal(f->requests, 2);
}

/* Refused after a throttle: the next throttle, however much later, is not the second one in a row. */
static void script_throttle_then_invalid(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	if (number == 1 || number == 3)
		writer_fixture_answer_error(f, r, 400, "ThrottlingException");
	else if (number == 2)
		writer_fixture_answer_error(f, r, 400, "ValidationException");
	else
		writer_fixture_answer_ok(f, r);
}

static void test_patience_begins_anew(void **state)
{
	struct writer_fixture *f = *state;
	f->script = script_throttle_then_invalid;
	writer_fixture_start(f, 0);
	writer_set_patience(f->w, 1000000);
	writer_fixture_add(f, 1, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 1, -ERR_INVALID);
	int64_t since_ms = clock_mono_ms();
	writer_set_patience(f->w, 2);
	while (clock_mono_ms() < since_ms + 3)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	writer_fixture_add(f, 1, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 1, 1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_fixture_setup, writer_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_batches),	     TEST(test_units_counted),
		TEST(test_some_unprocessed), TEST(test_all_unprocessed),
		TEST(test_left_joins_new),   TEST(test_throttle),
		TEST(test_trouble),	     TEST(test_one_invalid),
		TEST(test_invalid_alone),    TEST(test_fatal),
		TEST(test_fatal_in_flight),  TEST(test_fatal_while_waiting),
		TEST(test_no_progress),	     TEST(test_slow_progress),
		TEST(test_strange_progress), TEST(test_patience_begins_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
