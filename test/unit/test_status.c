/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "sample_view.h"
#include "status.h"

static struct sample_view sample;

static int setup(void **state)
{
	(void)state;
	sample_view_init(&sample);
	return 0;
}

static json_t *render(void)
{
	struct buf out;
	json_error_t error;
	json_t *j;

	buf_init(&out, 1 << 20);
	assert_int_equal(status_render(&sample.view, &out), 0);
	assert_int_equal(out.data[out.len - 1], '\n');
	j = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(j);
	buf_fini(&out);
	return j;
}

static void check_text(json_t *j, const char *key, const char *expected)
{
	json_t *value = json_object_get(j, key);

	assert_non_null(value);
	if (!expected) {
		assert_true(json_is_null(value));
		return;
	}
	assert_true(json_is_string(value));
	assert_string_equal(json_string_value(value), expected);
}

static void check_number(json_t *j, const char *key, json_int_t expected)
{
	json_t *value = json_object_get(j, key);

	assert_true(json_is_integer(value));
	assert_int_equal(json_integer_value(value), expected);
}

static void test_daemon(void **state)
{
	json_t *j = render();

	(void)state;
	check_text(j, "version", "1.2.3");
	check_text(j, "phase", "running");
	assert_true(json_is_true(json_object_get(j, "ready")));
	check_text(j, "reason", NULL);
	check_text(j, "problem", NULL);
	check_number(j, "lag_ms", 2100);
	check_text(j, "started", "2026-11-22T12:40:35.195Z");
	check_text(j, "bucket", "backups");
	check_text(j, "region", "eu-west-1");
	check_text(json_object_get(j, "credentials"), "source", "instance role backup");
	check_text(json_object_get(j, "credentials"), "expire", "2026-11-23T13:40:35.195Z");
	check_text(json_object_get(j, "credentials"), "identity", "arn:aws:sts::123456789012:assumed-role/backup/i-1");
	check_number(j, "clock_skew_ms", -1500);
	check_number(j, "workers", 64);
	check_number(j, "workers_busy", 7);
	check_number(j, "http_connections", 65);
	check_number(j, "memory_limit_bytes", 67108864);
	check_number(j, "buffered_bytes", 4001);
	assert_true(json_is_true(json_object_get(j, "conditional_writes")));
	assert_int_equal(json_array_size(json_object_get(j, "tables")), 2);
	json_decref(j);
}

static void test_table(void **state)
{
	json_t *j = render(), *t = json_array_get(json_object_get(j, "tables"), 0), *part;

	(void)state;
	check_text(t, "name", "orders");
	check_text(t, "state", "running");
	check_text(t, "problem", NULL);
	check_text(t, "stream_arn", sample.tables[0].stream_arn);
	check_number(t, "rpo_ms", 1800000);
	check_number(t, "lag_ms", 2100);
	check_text(t, "complete_through", "2026-11-23T12:40:33.095Z");
	check_text(t, "last_durable_event", "2026-11-23T12:39:35.195Z");
	check_number(t, "records_read", 316);
	check_number(t, "read_bytes", 999999);
	check_number(t, "read_errors", 12);
	part = json_object_get(t, "records");
	check_number(part, "insert", 101);
	check_number(part, "modify", 102);
	check_number(part, "remove", 103);
	check_number(part, "ttl", 33);
	check_number(part, "skipped", 5);
	check_number(t, "write_retries", 11);
	check_number(t, "gaps", 1);
	check_number(t, "gaps_open", 0);
	part = json_object_get(t, "shards");
	check_number(part, "open", 9);
	check_number(part, "waiting", 8);
	check_number(part, "finished", 13);
	check_number(part, "failing", 2);
	check_number(t, "buffered_records", 10);
	check_number(t, "buffered_bytes", 4000);
	check_number(t, "memory_limit_bytes", 33554432);
	assert_true(json_is_true(json_object_get(t, "memory_full")));
	check_number(t, "in_flight", 6);
	check_number(t, "waiting_retry", 4);
	check_number(t, "stuck_items", 0);
	check_text(t, "stuck_reason", NULL);
	check_text(t, "checkpoint_saved", "2026-11-23T12:40:34.195Z");
	check_number(t, "checkpoint_errors", 14);
	check_text(t, "checkpoint_problem", NULL);
	check_text(t, "watermark_saved", "2026-11-23T12:40:05.195Z");
	json_decref(j);
}

static void test_drill(void **state)
{
	json_t *root, *drill;

	(void)state;
	root = render();
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(root, "tables"), 0), "drill")));
	json_decref(root);
	sample.tables[0].drill = (struct view_drill){
		.known = true,
		.outcome = "failed",
		.message = "3 of what was restored is not as it was",
		.target = "orders-drill-x",
		.began_ms = SAMPLE_NOW_MS - 90000,
		.ended_ms = SAMPLE_NOW_MS,
		.at_ms = CLOCK_UNKNOWN,
		.last_success_ms = CLOCK_UNKNOWN,
		.items = 7,
		.mismatches = 3,
		.recovery_point_s = -1,
		.recovery_time_s = 30.5,
	};
	root = render();
	drill = json_object_get(json_array_get(json_object_get(root, "tables"), 0), "drill");
	check_text(drill, "outcome", "failed");
	check_text(drill, "target", "orders-drill-x");
	check_text(drill, "last_success", NULL);
	check_number(drill, "items", 7);
	check_number(drill, "mismatches", 3);
	assert_true(json_is_null(json_object_get(drill, "recovery_point_seconds")));
	assert_true(json_real_value(json_object_get(drill, "recovery_time_seconds")) > 30);
	json_decref(root);
}

static void test_unknown_is_null(void **state)
{
	json_t *j, *t;

	(void)state;
	sample.view.phase = "starting";
	sample.view.identity = "";
	sample.view.credentials_expire_ms = CLOCK_UNKNOWN;
	sample.view.conditional_known = false;
	sample.tables[0].state = VIEW_TABLE_REFUSED;
	sample.tables[0].problem = "no such table";
	sample.tables[0].stream_arn = NULL;
	sample.tables[0].lag_ms = -1;
	sample.tables[0].complete_through_ms = CLOCK_UNKNOWN;
	sample.tables[0].checkpoint_saved_ms = CLOCK_UNKNOWN;
	sample.tables[1].state = VIEW_TABLE_STARTING;
	j = render();
	assert_true(json_is_false(json_object_get(j, "ready")));
	check_text(j, "reason", "starting: orders: no such table");
	check_text(j, "lag_ms", NULL);
	check_text(j, "conditional_writes", NULL);
	check_text(json_object_get(j, "credentials"), "identity", NULL);
	check_text(json_object_get(j, "credentials"), "expire", NULL);
	t = json_array_get(json_object_get(j, "tables"), 0);
	check_text(t, "state", "refused");
	check_text(t, "problem", "no such table");
	check_text(t, "stream_arn", NULL);
	check_text(t, "lag_ms", NULL);
	check_text(t, "complete_through", NULL);
	check_text(t, "checkpoint_saved", NULL);
	check_text(json_array_get(json_object_get(j, "tables"), 1), "state", "starting");
	json_decref(j);

	sample.view.credentials_expire_ms = INT64_MAX;
	j = render();
	check_text(json_object_get(j, "credentials"), "expire", "never");
	json_decref(j);
}

static void test_text_that_is_not_utf8(void **state)
{
	json_t *j;

	(void)state;
	sample.tables[0].stuck_reason = "caf\xc3";
	sample.tables[0].checkpoint_problem = "\"quoted\"\n\x01 caf\xc3\xa9";
	j = render();
	check_text(json_array_get(json_object_get(j, "tables"), 0), "stuck_reason", "caf?");
	check_text(json_array_get(json_object_get(j, "tables"), 0), "checkpoint_problem",
		   sample.tables[0].checkpoint_problem);
	json_decref(j);
}

static void test_numbers_past_json(void **state)
{
	json_t *j;

	(void)state;
	sample.tables[0].bytes_read = UINT64_MAX;
	j = render();
	check_number(json_array_get(json_object_get(j, "tables"), 0), "read_bytes", INT64_MAX);
	json_decref(j);
}

static void test_too_long_for_the_buffer(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_int_equal(status_render(&sample.view, &out), -ERR_LIMIT);
	assert_true(out.len <= 1000);
	buf_fini(&out);
}

static void test_no_tables(void **state)
{
	json_t *j;

	(void)state;
	sample.view.ntables = 0;
	sample.view.tables = NULL;
	j = render();
	assert_int_equal(json_array_size(json_object_get(j, "tables")), 0);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_daemon, setup),
		cmocka_unit_test_setup(test_table, setup),
		cmocka_unit_test_setup(test_drill, setup),
		cmocka_unit_test_setup(test_unknown_is_null, setup),
		cmocka_unit_test_setup(test_text_that_is_not_utf8, setup),
		cmocka_unit_test_setup(test_numbers_past_json, setup),
		cmocka_unit_test_setup(test_too_long_for_the_buffer, setup),
		cmocka_unit_test_setup(test_no_tables, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
