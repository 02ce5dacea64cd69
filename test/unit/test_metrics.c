/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "metrics.h"
#include "process.h"
#include "sample_view.h"

static struct sample_view sample;
static struct metrics *metrics;
static struct buf text;

static int setup(void **state)
{
	(void)state;
	sample_view_init(&sample);
	metrics = metrics_new(NULL);
	buf_init(&text, 1 << 20);
	return metrics ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	metrics_free(metrics);
	buf_fini(&text);
	return 0;
}

static void render(void)
{
	buf_reset(&text);
	assert_int_equal(metrics_render(metrics, &sample.view, &text), 0);
}

/* The value of the line that starts with `series` and a blank; NULL when there is none. */
static const char *find(const char *series)
{
	static char value[128];
	size_t len = strlen(series);

	for (const char *line = buf_str(&text); line && *line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, series, len) == 0 && line[len] == ' ') {
			snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
			return value;
		}
	}
	return NULL;
}

static void check(const char *series, const char *expected)
{
	const char *value = find(series);

	if (!value)
		fail_msg("no series %s", series);
	assert_string_equal(value, expected);
}

#define ORDERS(name, value) check("ddb_streamd_" name "{table=\"orders\"}", value)

static void test_table(void **state)
{
	(void)state;
	render();
	ORDERS("lag_seconds", "2.100");
	ORDERS("lag_known", "1");
	ORDERS("rpo_seconds", "1800.000");
	ORDERS("complete_through_timestamp_seconds", "1795437633.095");
	ORDERS("last_durable_event_timestamp_seconds", "1795437575.195");
	check("ddb_streamd_records_total{table=\"orders\",kind=\"insert\"}", "101");
	check("ddb_streamd_records_total{table=\"orders\",kind=\"modify\"}", "102");
	check("ddb_streamd_records_total{table=\"orders\",kind=\"remove\"}", "103");
	check("ddb_streamd_records_total{table=\"users\",kind=\"insert\"}", "0");
	ORDERS("records_ttl_total", "33");
	ORDERS("records_skipped_total", "5");
	ORDERS("records_read_total", "316");
	ORDERS("read_bytes_total", "999999");
	ORDERS("write_retries_total", "11");
	ORDERS("read_errors_total", "12");
	ORDERS("gaps_total", "1");
	ORDERS("gaps_open", "0");
	ORDERS("buffered_records", "10");
	ORDERS("buffered_bytes", "4000");
	ORDERS("table_memory_limit_bytes", "33554432");
	ORDERS("memory_full", "1");
	ORDERS("in_flight", "6");
	ORDERS("waiting_retry", "4");
	ORDERS("stuck_items", "0");
	check("ddb_streamd_shards{table=\"orders\",state=\"open\"}", "9");
	check("ddb_streamd_shards{table=\"orders\",state=\"waiting\"}", "8");
	check("ddb_streamd_shards{table=\"orders\",state=\"finished\"}", "13");
	check("ddb_streamd_shards{table=\"orders\",state=\"failing\"}", "2");
	ORDERS("table_ready", "1");
	ORDERS("checkpoint_saved_timestamp_seconds", "1795437634.195");
	ORDERS("checkpoint_errors_total", "14");
	ORDERS("watermark_saved_timestamp_seconds", "1795437605.195");
	check("ddb_streamd_memory_full{table=\"users\"}", "0");
}

static void test_daemon(void **state)
{
	(void)state;
	render();
	check("ddb_streamd_build_info{version=\"1.2.3\"}", "1");
	check("ddb_streamd_ready", "1");
	check("ddb_streamd_workers", "64");
	check("ddb_streamd_workers_busy", "7");
	check("ddb_streamd_http_connections", "65");
	check("ddb_streamd_memory_limit_bytes", "67108864");
	check("ddb_streamd_memory_buffered_bytes", "4001");
	check("ddb_streamd_clock_skew_seconds", "-1.500");
	check("ddb_streamd_credentials_expire_timestamp_seconds", "1795441235.195");
	check("ddb_streamd_conditional_writes", "1");
	assert_non_null(find("ddb_streamd_log_lines_total{level=\"error\"}"));
	assert_non_null(find("ddb_streamd_log_lines_total{level=\"debug\"}"));
}

static void test_drill(void **state)
{
	(void)state;
	sample.tables[0].drill = (struct view_drill){
		.known = true,
		.ended_ms = 1700000090000,
		.last_success_ms = CLOCK_UNKNOWN,
		.duration_ms = 90000,
		.items = 7,
		.mismatches = 3,
	};
	render();
	check("ddb_streamd_drill_ended_timestamp_seconds{table=\"orders\"}", "1700000090.000");
	check("ddb_streamd_drill_last_success_timestamp_seconds{table=\"orders\"}", "0.000");
	check("ddb_streamd_drill_duration_seconds{table=\"orders\"}", "90.000");
	check("ddb_streamd_drill_items{table=\"orders\"}", "7");
	check("ddb_streamd_drill_mismatches{table=\"orders\"}", "3");
}

static void test_unknown_is_visible(void **state)
{
	(void)state;
	sample.tables[0].lag_ms = -1;
	sample.tables[0].complete_through_ms = CLOCK_UNKNOWN;
	sample.tables[0].state = VIEW_TABLE_STARTING;
	sample.view.credentials_expire_ms = INT64_MAX;
	sample.view.conditional_known = false;
	render();
	ORDERS("lag_seconds", "+Inf");
	ORDERS("lag_known", "0");
	ORDERS("complete_through_timestamp_seconds", "0.000");
	ORDERS("table_ready", "0");
	check("ddb_streamd_ready", "0");
	check("ddb_streamd_credentials_expire_timestamp_seconds", "+Inf");
	check("ddb_streamd_conditional_writes", "0");
	sample.view.credentials_expire_ms = CLOCK_UNKNOWN;
	render();
	check("ddb_streamd_credentials_expire_timestamp_seconds", "0.000");
}

static void test_requests(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		metrics_observe(metrics, AWS_S3_PUT_OBJECT, 0, 200, 1000);
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, -ERR_RETRY, 503, 2000);
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, -ERR_RETRY, 0, 30000001);
	metrics_observe(metrics, AWS_STREAMS_GET_RECORDS, -ERR_THROTTLE, 400, 5);
	metrics_observe(metrics, AWS_STREAMS_GET_RECORDS, -ERR_EXPIRED, 400, 5);
	metrics_observe(metrics, AWS_S3_HEAD_OBJECT, 0, 404, 5);
	render();
	check("ddb_streamd_aws_requests_total{service=\"s3\",operation=\"PutObject\",code=\"200\",error=\"\"}", "3");
	check("ddb_streamd_aws_requests_total{service=\"s3\",operation=\"PutObject\",code=\"503\",error=\"retry\"}",
	      "1");
	check("ddb_streamd_aws_requests_total{service=\"s3\",operation=\"PutObject\",code=\"none\",error=\"retry\"}",
	      "1");
	check("ddb_streamd_aws_requests_total{service=\"streams\",operation=\"GetRecords\",code=\"400\",error="
	      "\"throttle\"}",
	      "1");
	check("ddb_streamd_aws_requests_total{service=\"streams\",operation=\"GetRecords\",code=\"400\",error="
	      "\"expired\"}",
	      "1");
	check("ddb_streamd_aws_requests_total{service=\"s3\",operation=\"HeadObject\",code=\"404\",error=\"\"}", "1");
}

#define PUT_DURATION(part) "ddb_streamd_aws_request_duration_seconds_" part "{service=\"s3\",operation=\"PutObject\""

static void test_histogram(void **state)
{
	(void)state;
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, 0, 200, 0);
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, 0, 200, 1000);
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, 0, 200, 1001);
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, 0, 200, 30000000);
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, -ERR_RETRY, 0, 30000001);
	/* Never left: no time of S3. */
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, -ERR_AUTH, 0, 0);
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, -ERR_RETRY, 0, 0);
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, -ERR_CANCELLED, 0, 77);
	render();
	check(PUT_DURATION("bucket") ",le=\"0.001\"}", "2"); /* a bound belongs to its bucket */
	check(PUT_DURATION("bucket") ",le=\"0.0025\"}", "3");
	check(PUT_DURATION("bucket") ",le=\"10\"}", "3");
	check(PUT_DURATION("bucket") ",le=\"30\"}", "4");
	check(PUT_DURATION("bucket") ",le=\"+Inf\"}", "5");
	check(PUT_DURATION("count") "}", "5");
	check(PUT_DURATION("sum") "}", "60.002002");
}

/* A server that answers with every status there is cannot grow memory or the page without end. */
static void test_outcomes_are_bounded(void **state)
{
	unsigned lines = 0;
	uint64_t sum = 0;

	(void)state;
	for (int status = 100; status < 1000; status++)
		metrics_observe(metrics, AWS_S3_PUT_OBJECT, -ERR_RETRY, status, 1);
	metrics_observe(metrics, AWS_OPERATIONS, 0, 200, 1);
	metrics_observe(metrics, (enum aws_operation) - 1, 0, 200, 1);
	render();
	for (const char *p = buf_str(&text); (p = strstr(p, "\nddb_streamd_aws_requests_total{")); p++) {
		sum += strtoull(strchr(p, '}') + 2, NULL, 10);
		lines++;
	}
	assert_int_equal(lines, METRICS_OUTCOMES + 1);
	assert_int_equal(sum, 900);
}

static void test_label_values_are_escaped(void **state)
{
	(void)state;
	sample.tables[0].name = "a\"b\\c\nd";
	render();
	check("ddb_streamd_lag_seconds{table=\"a\\\"b\\\\c\\nd\"}", "2.100");
	sample.tables[0].name = "\"";
	render();
	check("ddb_streamd_lag_seconds{table=\"\\\"\"}", "2.100");
	sample.view.version = NULL;
	render();
	check("ddb_streamd_build_info{version=\"\"}", "1");
}

/* "NAME{...} VALUE" or a comment; HELP and TYPE once for a family, before its lines, and its lines together. */
static void test_format(void **state)
{
	char seen[128][80], current[80] = "", *save = NULL;
	size_t nseen = 0;

	(void)state;
	metrics_observe(metrics, AWS_S3_PUT_OBJECT, 0, 200, 1000);
	metrics_observe(metrics, AWS_STREAMS_GET_RECORDS, 0, 200, 1000);
	render();
	assert_int_equal(text.data[text.len - 1], '\n');
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[80], type[16], *end;
		size_t len = strlen(current);

		if (sscanf(line, "# HELP %79s", name) == 1) {
			for (size_t i = 0; i < nseen; i++)
				assert_string_not_equal(seen[i], name);
			assert_true(nseen < 128);
			strcpy(seen[nseen++], name);
			strcpy(current, name);
			continue;
		}
		if (sscanf(line, "# TYPE %79s %15s", name, type) == 2) {
			assert_string_equal(name, current);
			assert_true(!strcmp(type, "gauge") || !strcmp(type, "counter") || !strcmp(type, "histogram"));
			end = current + len - 6;
			assert_int_equal(!strcmp(type, "counter"), len > 6 && !strcmp(end, "_total"));
			continue;
		}
		assert_int_equal(strncmp(line, current, len), 0);
		assert_true(line[len] == '{' || line[len] == ' ' || !strncmp(line + len, "_bucket{", 8) ||
			    !strncmp(line + len, "_sum{", 5) || !strncmp(line + len, "_count{", 7));
		end = strrchr(line, ' ');
		assert_non_null(end);
		assert_true(isdigit((unsigned char)end[1]) || end[1] == '-' || !strcmp(end + 1, "+Inf"));
		strtod(end + 1, &end);
		assert_int_equal(*end, '\0');
	}
	assert_true(nseen >= 40);
}

static void test_too_long(void **state)
{
	struct buf small;

	(void)state;
	buf_init(&small, 3000);
	assert_int_equal(metrics_render(metrics, &sample.view, &small), -ERR_LIMIT);
	buf_fini(&small);
}

static void test_process(void **state)
{
	struct process_usage u, again;
	int fd;

	(void)state;
	process_usage(&u);
	assert_true(u.cpu_seconds >= 0 && u.cpu_seconds < 600);
	assert_true(u.resident_bytes > 100000 && u.resident_bytes <= u.virtual_bytes);
	assert_true(u.open_fds >= 3 && u.open_fds <= u.max_fds);
	/* Not after now, and this test does not run for ten minutes. */
	assert_true(u.start_time_seconds * 1000 <= (double)clock_wall_ms() + 20);
	assert_true(u.start_time_seconds * 1000 > (double)clock_wall_ms() - 600000);
	fd = dup(0);
	assert_true(fd >= 0);
	process_usage(&again);
	close(fd);
	assert_int_equal(again.open_fds, u.open_fds + 1);
	assert_true(again.start_time_seconds <= u.start_time_seconds &&
		    again.start_time_seconds >= u.start_time_seconds);
	render();
	assert_non_null(find("process_cpu_seconds_total"));
	assert_non_null(find("process_start_time_seconds"));
	assert_non_null(find("process_resident_memory_bytes"));
	assert_non_null(find("process_virtual_memory_bytes"));
	assert_non_null(find("process_open_fds"));
	assert_non_null(find("process_max_fds"));
	assert_null(find("ddb_streamd_loop_stall_max_seconds"));
}

/* Holds the loop up for 30 ms, as a long callback does. */
static void stall(uv_timer_t *timer)
{
	int64_t until = clock_mono_ms() + 30;

	while (clock_mono_ms() < until)
		;
	uv_close((uv_handle_t *)timer, NULL);
}

static void wake(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, NULL);
}

static void test_loop_stall(void **state)
{
	uv_loop_t loop;
	uv_timer_t timer, late;
	struct process *p;

	(void)state;
	uv_loop_init(&loop);
	p = process_new(&loop, NULL);
	assert_non_null(p);
	/* Waiting is not work. */
	uv_timer_init(&loop, &timer);
	uv_timer_start(&timer, wake, 60, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(process_loop_stall_max_us(p) < 30000);
	uv_timer_init(&loop, &timer);
	uv_timer_start(&timer, stall, 0, 0);
	uv_timer_init(&loop, &late);
	uv_timer_start(&late, wake, 1, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_timer_init(&loop, &late);
	uv_timer_start(&late, wake, 1, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(process_loop_stall_max_us(p) >= 29000);
	assert_true(process_loop_busy_us(p) >= 29000);
	metrics_free(metrics);
	metrics = metrics_new(p);
	render();
	assert_true(atof(find("ddb_streamd_loop_stall_max_seconds")) >= 0.029);
	assert_true(atof(find("ddb_streamd_loop_busy_seconds_total")) >= 0.029);
	process_free(p);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_daemon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_is_visible, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outcomes_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_label_values_are_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_format, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loop_stall, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
