/* cli/writer.h against a scripted table: how much at a time, how fast, and freeing it in every state. */
#include "writer_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* --- sizes --- */

/* {"id":{"S":"NUMBER xxx"}} that counts as `bytes`. */
static char *large(size_t number, size_t bytes)
{
	char *text = malloc(bytes + 64);
	assert_non_null(text);
	int n = snprintf(text, 64, "{\"id\":{\"S\":\"%zu ", number);
	size_t value = bytes - 2, have = (size_t)n - strlen("{\"id\":{\"S\":\"");
	memset(text + n, 'x', value - have);
	memcpy(text + (size_t)n + value - have, "\"}}", 4);
	return text;
}

static void test_item_limit(void **state)
{
	struct writer_fixture *f = *state;
	char *fits = large(0, ITEMS_ITEM_BYTES_MAX), *more = large(1, ITEMS_ITEM_BYTES_MAX + 1);
	writer_fixture_start(f, 0);
	writer_fixture_add_text(f, span_of(fits), false);
	writer_fixture_add_text(f, span_of(more), false);
	writer_fixture_add_text(f, SPAN_LIT("{\"id\":\"private\"}"), false);
	writer_fixture_add_text(f, SPAN_LIT(""), false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 1, 0);
	writer_fixture_check(f, 1, 1, -ERR_LIMIT);
	writer_fixture_check(f, 2, 2, -ERR_INVALID);
	assert_non_null(strstr(f->jobs[1].message, "409601"));
	assert_non_null(strstr(f->jobs[1].message, "409600"));
	for (size_t i = 1; i < 4; i++) {
		assert_null(strstr(f->jobs[i].message, "xxx"));
		assert_null(strstr(f->jobs[i].message, "private"));
	}
	assert_int_equal(f->requests, 1);
	assert_int_equal(writer_figures(f->w)->refused, 3);
	assert_true(writer_figures(f->w)->units == 400);
	free(fits);
	free(more);
}

static void script_measure(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	(void)number;
	assert_in_range(r->body_len, 1, WRITER_BATCH_BYTES + 1024);
	writer_fixture_answer_ok(f, r);
}

static void test_large_items(void **state)
{
	struct writer_fixture *f = *state;
	char *texts[25];
	f->script = script_measure;
	writer_fixture_start(f, 0);
	for (size_t i = 0; i < 25; i++) {
		texts[i] = large(i, 100000);
		writer_fixture_add_text(f, span_of(texts[i]), false);
	}
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 25, 0);
	assert_int_equal(f->requests, 3);
	assert_int_equal(f->sizes[0], 10);
	for (size_t i = 0; i < 25; i++)
		free(texts[i]);
}

/* --- how many at a time --- */

/* All that is held: with an error, or so many of each come back. */
static void answer_held(struct writer_fixture *f, const char *error, size_t left)
{
	struct writer_fixture_request held[WRITER_FIXTURE_HELD];
	size_t n = f->nheld;
	memcpy(held, f->held, sizeof(held));
	f->nheld = 0;
	for (size_t i = 0; i < n; i++) {
		if (error)
			writer_fixture_answer_error(f, &held[i], 400, error);
		else
			writer_fixture_answer_left(f, &held[i], left);
	}
}

static void test_window(void **state)
{
	struct writer_fixture *f = *state;
	uint64_t sent = 0;
	f->script = writer_fixture_hold;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 1600, false);
	for (size_t n = 2; n <= 16; n *= 2) {
		writer_fixture_run_until_held(f, n);
		sent += n;
		assert_int_equal(writer_figures(f->w)->requests, sent);
		answer_held(f, NULL, 0);
	}
	writer_fixture_run_until_held(f, 16);
	sent += 16;
	assert_int_equal(writer_figures(f->w)->requests, sent);
	/* All of one round: halved once. */
	answer_held(f, "ThrottlingException", 0);
	writer_fixture_run_until_held(f, 8);
	sent += 8;
	assert_int_equal(writer_figures(f->w)->requests, sent);
	/* From here on it grows by one a round. */
	answer_held(f, NULL, 0);
	writer_fixture_run_until_held(f, 8);
	sent += 8;
	assert_int_equal(writer_figures(f->w)->requests, sent);
	answer_held(f, NULL, 0);
	writer_fixture_run_until_held(f, 9);
	sent += 9;
	assert_int_equal(writer_figures(f->w)->requests, sent);
	/* What comes back of a batch halves it too; but never below one. */
	for (size_t n = 4; n >= 1; n /= 2) {
		answer_held(f, NULL, 1);
		writer_fixture_run_until_held(f, n);
		sent += n;
		assert_int_equal(writer_figures(f->w)->requests, sent);
	}
	answer_held(f, NULL, 1);
	writer_fixture_run_until_held(f, 1);
	assert_int_equal(writer_figures(f->w)->requests, ++sent);
	f->script = writer_fixture_ok;
	answer_held(f, NULL, 0);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 1600, 0);
}

/* --- the rate: never faster than told; how much slower is the machine's affair --- */

static void test_rate(void **state)
{
	struct writer_fixture *f = *state;
	writer_fixture_start(f, 5);
	int64_t since_ms = clock_mono_ms();
	writer_fixture_add(f, 12, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 12, 0);
	/* Five at once, five when there is a second's worth again, and the rest as soon as it may. */
	assert_in_range(clock_mono_ms() - since_ms, 1395, INT32_MAX);
	assert_int_equal(f->requests, 3);
	assert_int_equal(f->sizes[0], 5);
	assert_int_equal(f->sizes[1], 5);
	assert_int_equal(f->sizes[2], 2);
	assert_in_range(f->turns, 1, 300);
}

/* With indexes, a write costs more than is seen here. */
static void test_rate_as_told(void **state)
{
	struct writer_fixture *f = *state;
	writer_fixture_start(f, 30);
	f->units_each = 3;
	writer_fixture_add(f, 10, false);
	writer_fixture_run(f);
	int64_t since_ms = clock_mono_ms();
	writer_fixture_add(f, 10, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 20, 0);
	/* 30 units are gone with the first ten; the next ten need 10 again. */
	assert_in_range(clock_mono_ms() - since_ms, 250, INT32_MAX);
	assert_true(writer_figures(f->w)->units == 60);
}

static void script_left_then_throttle(struct writer_fixture *f, const struct writer_fixture_request *r, int number)
{
	if (number == 1)
		writer_fixture_answer_left(f, r, r->n);
	else if (number == 2)
		writer_fixture_answer_error(f, r, 400, "ThrottlingException");
	else
		writer_fixture_answer_ok(f, r);
}

/* What was not consumed is given back: at this rate it would take minutes to come again. */
static void test_rate_gives_back(void **state)
{
	struct writer_fixture *f = *state;
	f->script = script_left_then_throttle;
	writer_fixture_start(f, 0.01);
	writer_fixture_add(f, 1, false);
	writer_fixture_run(f);
	writer_fixture_check(f, 0, 1, 0);
	assert_int_equal(f->requests, 3);
}

/* --- every way to end --- */

static void test_free_idle(void **state)
{
	struct writer_fixture *f = *state;
	writer_fixture_start(f, 0);
	writer_free(NULL);
}

static void test_free_lingering(void **state)
{
	struct writer_fixture *f = *state;
	writer_fixture_start(f, 1);
	writer_fixture_add(f, 3, false);
	writer_fixture_add_text(f, SPAN_LIT("no item"), false);
	assert_int_equal(writer_pending(f->w), 4);
}

static void test_free_in_flight(void **state)
{
	struct writer_fixture *f = *state;
	f->script = writer_fixture_hold;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 100, false);
	writer_fixture_run_until_held(f, 2);
}

static void test_free_waiting(void **state)
{
	struct writer_fixture *f = *state;
	f->script = writer_fixture_fail;
	f->error = "ThrottlingException";
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 100, false);
	while (writer_figures(f->w)->throttles < 2)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static void test_free_waiting_for_rate(void **state)
{
	struct writer_fixture *f = *state;
	writer_fixture_start(f, 1);
	writer_fixture_add(f, 100, false);
	while (f->done < 1)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static void run_until_freed(struct writer_fixture *f)
{
	while (f->w != NULL)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->done, f->free_after);
}

static void test_free_in_completion(void **state)
{
	struct writer_fixture *f = *state;
	f->free_after = 5;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 100, false);
	run_until_freed(f);
	/* Of refused ones. */
	f->free_after = f->done + 2;
	writer_fixture_start(f, 0);
	for (int i = 0; i < 4; i++)
		writer_fixture_add_text(f, SPAN_LIT("no item"), false);
	run_until_freed(f);
	/* Of all at once. */
	f->free_after = f->done + 30;
	f->script = writer_fixture_fail;
	f->error = "ResourceNotFoundException";
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 100, false);
	run_until_freed(f);
	/* Of some of a batch. */
	f->free_after = f->done + 2;
	f->script = writer_fixture_one_by_one;
	f->requests = 0;
	writer_fixture_start(f, 0);
	writer_fixture_add(f, 50, false);
	run_until_freed(f);
}

/* Jobs of their own memory that add the next ones. */
struct link {
	struct writer_job job;
	struct writer_fixture *f;
	char text[64];
};

static void add_link(struct writer_fixture *f);

static void on_link(struct writer_job *j, int rc, const struct err *e)
{
	struct writer_fixture *f = ((struct link *)j)->f;
	(void)e;
	assert_int_equal(rc, 0);
	free(j);
	f->done++;
	if (f->njobs < 1000)
		add_link(f);
}

static void add_link(struct writer_fixture *f)
{
	struct link *l = calloc(1, sizeof(*l));
	assert_non_null(l);
	l->f = f;
	snprintf(l->text, sizeof(l->text), "{\"id\":{\"S\":\"%zu\"}}", f->njobs++);
	l->job = (struct writer_job){.write = {.attributes = span_of(l->text)}, .done = on_link};
	writer_add(f->w, &l->job);
}

static void test_add_in_completion(void **state)
{
	struct writer_fixture *f = *state;
	writer_fixture_start(f, 0);
	for (int i = 0; i < 60; i++)
		add_link(f);
	writer_fixture_run(f);
	assert_int_equal(f->done, 1000);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(f->stored[i], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_fixture_setup, writer_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_item_limit),
		TEST(test_large_items),
		TEST(test_window),
		TEST(test_rate),
		TEST(test_rate_as_told),
		TEST(test_rate_gives_back),
		TEST(test_free_idle),
		TEST(test_free_lingering),
		TEST(test_free_in_flight),
		TEST(test_free_waiting),
		TEST(test_free_waiting_for_rate),
		TEST(test_free_in_completion),
		TEST(test_add_in_completion),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
