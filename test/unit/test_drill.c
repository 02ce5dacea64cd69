/* The result of a restore drill, as the daemon reads it from its state folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/drill.h"

#define GOOD                                                                                                          \
	"{\"version\":1,\"table\":\"orders\",\"began\":\"2026-11-29T03:00:00Z\",\"ended\":\"2026-11-29T03:01:40Z\","  \
	"\"at\":\"2026-11-29T02:59:30Z\",\"outcome\":\"passed\",\"message\":\"every item is as it was\",\"items\":7," \
	"\"mismatches\":0,\"missing\":0,\"extra\":0,\"different\":0,\"recovery_point_seconds\":30.5,"                 \
	"\"recovery_time_seconds\":90,\"target\":\"orders-drill-x\",\"last_success\":\"2026-11-29T03:01:40Z\"}"
#define BAD                                                                                                        \
	"{\"version\":1,\"ended\":\"2026-11-30T03:01:40Z\",\"outcome\":\"failed\",\"mismatches\":3,\"missing\":2," \
	"\"last_success\":\"2026-11-29T03:01:40Z\",\"recovery_point_seconds\":null}"

static int parse(const char *text, struct drill_result *r)
{
	struct err e;
	return drill_parse(span_of(text), r, &e);
}

static void test_parse(void **state)
{
	struct drill_result r;
	(void)state;
	assert_int_equal(parse(GOOD, &r), 0);
	assert_string_equal(r.outcome, "passed");
	assert_string_equal(r.target, "orders-drill-x");
	assert_int_equal(r.items, 7);
	assert_int_equal(r.ended_ms - r.began_ms, 100000);
	assert_int_equal(r.last_success_ms, r.ended_ms);
	assert_true(r.recovery_point_s > 30.4 && r.recovery_time_s > 89);
	assert_int_equal(parse(BAD, &r), 0);
	assert_int_equal(r.mismatches, 3);
	assert_int_equal(r.began_ms, CLOCK_UNKNOWN);
	assert_true(r.recovery_point_s < 0 && r.recovery_time_s < 0);
}

static void test_damaged(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{}",
		"null",
		"{\"version\":2,\"ended\":\"2026-11-30T03:01:40Z\",\"outcome\":\"failed\"}",
		"{\"version\":1,\"ended\":\"2026-11-30T03:01:40Z\",\"outcome\":\"good\"}",
		"{\"version\":1,\"ended\":7,\"outcome\":\"passed\"}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct drill_result r = {.items = 5};
		assert_int_equal(parse(texts[i], &r), -ERR_CORRUPT);
		assert_int_equal(r.items, 5);
	}
}

struct fixture {
	uv_loop_t loop;
	struct drill *drill;
	char folder[64], path[128];
	int64_t mono_ms;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char sub[100];
	uv_loop_init(&f->loop);
	snprintf(f->folder, sizeof(f->folder), "/tmp/test_drill.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(sub, sizeof(sub), "%s/drill", f->folder);
	assert_int_equal(mkdir(sub, 0700), 0);
	snprintf(f->path, sizeof(f->path), "%s/drill/orders.json", f->folder);
	f->drill = drill_new(&f->loop, f->folder, "orders");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char sub[100];
	drill_free(f->drill);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	unlink(f->path);
	snprintf(sub, sizeof(sub), "%s/drill", f->folder);
	rmdir(sub);
	rmdir(f->folder);
	free(f);
	return 0;
}

static void put(struct fixture *f, const char *text, size_t len)
{
	char part[140];
	snprintf(part, sizeof(part), "%s.part", f->path);
	FILE *file = fopen(part, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(part, f->path), 0);
}

static struct view_drill look(struct fixture *f, int64_t later_ms)
{
	struct view_drill v;
	f->mono_ms += later_ms;
	drill_tick(f->drill, f->mono_ms);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	drill_view(f->drill, &v);
	return v;
}

static void test_watch(void **state)
{
	struct fixture *f = *state;
	struct view_drill v = look(f, 0);
	assert_false(v.known);
	assert_int_equal(v.ended_ms, CLOCK_UNKNOWN);
	put(f, GOOD, strlen(GOOD));
	assert_false(look(f, 9999).known);
	v = look(f, 1);
	assert_true(v.known);
	assert_int_equal(v.duration_ms, 100000);
	put(f, BAD, strlen(BAD));
	assert_string_equal(look(f, 9999).outcome, "passed");
	v = look(f, 1);
	assert_string_equal(v.outcome, "failed");
	assert_int_equal(v.mismatches, 3);
	/* A drill that is forgotten is still the last one that this daemon has seen. */
	unlink(f->path);
	assert_string_equal(look(f, 10000).outcome, "failed");
}

static unsigned warnings(void)
{
	return (unsigned)log_lines(LOG_LEVEL_WARN);
}

static void test_damaged_file(void **state)
{
	struct fixture *f = *state;
	char *huge = malloc(DRILL_TEXT_MAX + 1);
	put(f, GOOD, strlen(GOOD));
	look(f, 0);
	unsigned before = warnings();
	put(f, GOOD, strlen(GOOD) - 5);
	assert_string_equal(look(f, 10000).outcome, "passed");
	assert_int_equal(warnings(), before + 1);
	/* Said once. */
	look(f, 10000);
	assert_int_equal(warnings(), before + 1);
	memset(huge, ' ', DRILL_TEXT_MAX + 1);
	put(f, huge, DRILL_TEXT_MAX + 1);
	look(f, 10000);
	assert_int_equal(warnings(), before + 2);
	free(huge);
	put(f, BAD, strlen(BAD));
	assert_string_equal(look(f, 10000).outcome, "failed");
	/* What is no file. */
	unlink(f->path);
	mkdir(f->path, 0700);
	look(f, 10000);
	assert_int_equal(warnings(), before + 3);
	rmdir(f->path);
}

/* Given up while a read is under way. */
static void test_free_early(void **state)
{
	struct fixture *f = *state;
	drill_tick(f->drill, 0);
	drill_free(f->drill);
	f->drill = NULL;
	struct view_drill v;
	drill_view(NULL, &v);
	assert_false(v.known);
}

int main(void)
{
	log_init(LOG_LEVEL_WARN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_early, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
