#include "metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* Upper bounds of the histogram: an S3 PUT takes some 20 ms, a timeout 30 s. */
static const struct {
	int64_t us;
	const char *le;
} bounds[] = {{1000, "0.001"},	{2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"}, {25000, "0.025"},
	      {50000, "0.05"},	{100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"}, {1000000, "1"},
	      {2500000, "2.5"}, {5000000, "5"},	  {10000000, "10"}, {30000000, "30"}};

#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

struct outcome {
	uint64_t count; /* 0: unused */
	int status;
	int class;
};

struct operation {
	struct outcome outcomes[METRICS_OUTCOMES];
	uint64_t others;
	uint64_t buckets[BOUNDS + 1]; /* not cumulative; the last one is past every bound */
	uint64_t sum_us;
};

struct metrics {
	const struct process *process;
	struct operation operations[AWS_OPERATIONS];
};

struct metrics *metrics_new(const struct process *p)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (m)
		m->process = p;
	return m;
}

void metrics_free(struct metrics *m)
{
	free(m);
}

void metrics_observe(struct metrics *m, enum aws_operation op, int rc, int http_status, int64_t duration_us)
{
	struct operation *o;
	int class = rc < 0 ? -rc : rc;
	size_t i;

	if ((unsigned)op >= AWS_OPERATIONS)
		return;
	o = &m->operations[op];
	for (i = 0; i < METRICS_OUTCOMES; i++) {
		struct outcome *u = &o->outcomes[i];

		if (u->count == 0) {
			u->status = http_status;
			u->class = class;
		} else if (u->status != http_status || u->class != class) {
			continue;
		}
		u->count++;
		break;
	}
	if (i == METRICS_OUTCOMES)
		o->others++;

	/* What never left (no credentials, cancelled) would only make the service look quick. */
	if (http_status == 0 && (class != ERR_RETRY || duration_us <= 0))
		return;
	for (i = 0; i < BOUNDS && duration_us > bounds[i].us; i++)
		;
	o->buckets[i]++;
	o->sum_us += duration_us > 0 ? (uint64_t)duration_us : 0;
}

/* The text. The first failed append is kept: callers write on and look at the end. */
struct page {
	struct buf *out;
	int rc;
};

#define put(p, ...)                                                  \
	do {                                                         \
		if ((p)->rc == 0)                                    \
			(p)->rc = buf_printf((p)->out, __VA_ARGS__); \
	} while (0)

static void family(struct page *p, const char *name, const char *type, const char *help)
{
	put(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label value: backslash, double quote and line feed are escaped. */
static void put_label(struct page *p, const char *key, const char *value)
{
	put(p, "%s=\"", key);
	for (const char *s = value ? value : ""; *s; s++) {
		size_t plain = strcspn(s, "\\\"\n");

		put(p, "%.*s", (int)plain, s);
		s += plain;
		if (*s == '\0')
			break;
		put(p, "\\%c", *s == '\n' ? 'n' : *s);
	}
	put(p, "\"");
}

enum unit {
	UNIT_COUNT,	/* uint64_t */
	UNIT_SIZE,	/* size_t */
	UNIT_BOOL,	/* bool */
	UNIT_LAG,	/* int64_t milliseconds; negative is unknown: +Inf */
	UNIT_LAG_KNOWN, /* the same, as 0 or 1 */
	UNIT_MS,	/* int64_t milliseconds */
	UNIT_TIME,	/* int64_t milliseconds since 1970; CLOCK_UNKNOWN is 0, INT64_MAX is +Inf */
	UNIT_RUNNING	/* enum view_table_state */
};

static void put_ms(struct page *p, int64_t ms)
{
	uint64_t size = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;

	put(p, "%s%" PRIu64 ".%03" PRIu64 "\n", ms < 0 ? "-" : "", size / 1000, size % 1000);
}

static void put_value(struct page *p, const void *at, enum unit unit)
{
	int64_t ms = 0;

	if (unit == UNIT_LAG || unit == UNIT_LAG_KNOWN || unit == UNIT_MS || unit == UNIT_TIME)
		memcpy(&ms, at, sizeof(ms));
	switch (unit) {
	case UNIT_COUNT:
		put(p, "%" PRIu64 "\n", *(const uint64_t *)at);
		return;
	case UNIT_SIZE:
		put(p, "%zu\n", *(const size_t *)at);
		return;
	case UNIT_BOOL:
		put(p, "%d\n", *(const bool *)at ? 1 : 0);
		return;
	case UNIT_RUNNING:
		put(p, "%d\n", *(const enum view_table_state *)at == VIEW_TABLE_RUNNING ? 1 : 0);
		return;
	case UNIT_LAG_KNOWN:
		put(p, "%d\n", ms >= 0 ? 1 : 0);
		return;
	case UNIT_LAG:
		if (ms < 0)
			put(p, "+Inf\n");
		else
			put_ms(p, ms);
		return;
	case UNIT_TIME:
		if (ms == INT64_MAX)
			put(p, "+Inf\n");
		else
			put_ms(p, ms == CLOCK_UNKNOWN ? 0 : ms);
		return;
	case UNIT_MS:
		put_ms(p, ms);
		return;
	}
}

struct table_metric {
	const char *name; /* NULL: one more line of the family above */
	const char *type;
	const char *help;
	size_t offset; /* in struct view_table */
	enum unit unit;
	const char *label, *value; /* beside table="..."; or NULL */
};

#define AT(member) offsetof(struct view_table, member)

static const struct table_metric table_metrics[] = {
	{"lag_seconds", "gauge", "Age of the oldest change that may not be in S3 yet; +Inf when unknown.", AT(lag_ms),
	 UNIT_LAG, NULL, NULL},
	{"lag_known", "gauge", "1 when the lag is known.", AT(lag_ms), UNIT_LAG_KNOWN, NULL, NULL},
	{"rpo_seconds", "gauge", "The lag that the operator allows.", AT(rpo_ms), UNIT_MS, NULL, NULL},
	{"complete_through_timestamp_seconds", "gauge", "Every change up to this event time is in S3; 0 when unknown.",
	 AT(complete_through_ms), UNIT_TIME, NULL, NULL},
	{"last_durable_event_timestamp_seconds", "gauge", "Event time of the newest change in S3; 0 when unknown.",
	 AT(last_durable_event_ms), UNIT_TIME, NULL, NULL},
	{"records_total", "counter", "Stream records made durable in S3, by kind of change.",
	 AT(records[RECORDS_INSERT]), UNIT_COUNT, "kind", "insert"},
	{NULL, NULL, NULL, AT(records[RECORDS_MODIFY]), UNIT_COUNT, "kind", "modify"},
	{NULL, NULL, NULL, AT(records[RECORDS_REMOVE]), UNIT_COUNT, "kind", "remove"},
	{"records_ttl_total", "counter", "Removals made durable that were made by time to live.", AT(records_ttl),
	 UNIT_COUNT, NULL, NULL},
	{"records_skipped_total", "counter", "Records that were found to be in S3 already.", AT(records_skipped),
	 UNIT_COUNT, NULL, NULL},
	{"records_read_total", "counter", "Records read from the stream.", AT(records_read), UNIT_COUNT, NULL, NULL},
	{"read_bytes_total", "counter", "Bytes of GetRecords answers.", AT(bytes_read), UNIT_COUNT, NULL, NULL},
	{"write_retries_total", "counter", "Writes to S3 that had to be tried again.", AT(retries), UNIT_COUNT, NULL,
	 NULL},
	{"read_errors_total", "counter", "Failed calls to the stream.", AT(read_errors), UNIT_COUNT, NULL, NULL},
	{"gaps_total", "counter", "Holes in the history: trimmed records and recreated streams.", AT(gaps), UNIT_COUNT,
	 NULL, NULL},
	{"gaps_open", "gauge", "Of these, neither healed nor accepted by an operator.", AT(gaps_open), UNIT_SIZE, NULL,
	 NULL},
	{"baseline_running", "gauge", "1 while the whole table is read, or that is waited for.", AT(baseline.running),
	 UNIT_BOOL, NULL, NULL},
	{"baseline_missing", "gauge", "1 until the first baseline of a table that wants one has ended.",
	 AT(baseline.missing), UNIT_BOOL, NULL, NULL},
	{"baseline_items", "gauge", "Items that the baseline under way, or the last one, has looked at.",
	 AT(baseline.items), UNIT_COUNT, NULL, NULL},
	{"baseline_table_items", "gauge", "Items of the table, as DescribeTable told when it began.",
	 AT(baseline.total), UNIT_COUNT, NULL, NULL},
	{"baseline_written", "gauge", "Items that it has written.", AT(baseline.written), UNIT_COUNT, NULL, NULL},
	{"baseline_removed", "gauge", "Items that it has removed from the latest state.", AT(baseline.removed),
	 UNIT_COUNT, NULL, NULL},
	{"baseline_ended_timestamp_seconds", "gauge", "When the last baseline ended; 0 when none has.",
	 AT(baseline.ended_ms), UNIT_TIME, NULL, NULL},
	{"drill_ended_timestamp_seconds", "gauge", "When the last restore drill ended; 0 when none is known.",
	 AT(drill.ended_ms), UNIT_TIME, NULL, NULL},
	{"drill_last_success_timestamp_seconds", "gauge", "When a restore drill last passed; 0 when none has.",
	 AT(drill.last_success_ms), UNIT_TIME, NULL, NULL},
	{"drill_duration_seconds", "gauge", "How long the last restore drill took.", AT(drill.duration_ms), UNIT_MS,
	 NULL, NULL},
	{"drill_items", "gauge", "Items that it restored.", AT(drill.items), UNIT_COUNT, NULL, NULL},
	{"drill_mismatches", "gauge", "What was not as it should be.", AT(drill.mismatches), UNIT_COUNT, NULL, NULL},
	{"buffered_records", "gauge", "Records that are read and not in S3 yet.", AT(buffered_records), UNIT_SIZE, NULL,
	 NULL},
	{"buffered_bytes", "gauge", "Bytes of records that are read and not in S3 yet.", AT(buffered_bytes), UNIT_SIZE,
	 NULL, NULL},
	{"table_memory_limit_bytes", "gauge", "The table's share of the memory limit.", AT(memory_limit_bytes),
	 UNIT_COUNT, NULL, NULL},
	{"memory_full", "gauge", "1 while reading pauses because the table's share of memory is used up.",
	 AT(memory_full), UNIT_BOOL, NULL, NULL},
	{"in_flight", "gauge", "Writes at S3 now.", AT(in_flight), UNIT_SIZE, NULL, NULL},
	{"waiting_retry", "gauge", "Items that wait to be tried again.", AT(waiting_retry), UNIT_SIZE, NULL, NULL},
	{"stuck_items", "gauge", "Items whose write failed 5 times or more, or was refused.", AT(stuck), UNIT_SIZE,
	 NULL, NULL},
	{"shards", "gauge", "Listed shards; failing ones are open ones whose last call failed.", AT(shards_open),
	 UNIT_SIZE, "state", "open"},
	{NULL, NULL, NULL, AT(shards_waiting), UNIT_SIZE, "state", "waiting"},
	{NULL, NULL, NULL, AT(shards_finished), UNIT_SIZE, "state", "finished"},
	{NULL, NULL, NULL, AT(shards_failing), UNIT_SIZE, "state", "failing"},
	{"table_ready", "gauge", "1 when the table's start-up checks have passed.", AT(state), UNIT_RUNNING, NULL,
	 NULL},
	{"checkpoint_saved_timestamp_seconds", "gauge", "When the checkpoint was last saved; 0 when never.",
	 AT(checkpoint_saved_ms), UNIT_TIME, NULL, NULL},
	{"checkpoint_errors_total", "counter", "Checkpoints that could not be saved.", AT(checkpoint_errors),
	 UNIT_COUNT, NULL, NULL},
	{"watermark_saved_timestamp_seconds", "gauge",
	 "When the watermark was last written to the bucket; 0 when never.", AT(watermark_saved_ms), UNIT_TIME, NULL,
	 NULL},
};

#define NTABLE_METRICS (sizeof(table_metrics) / sizeof(table_metrics[0]))

/* All lines of a family must stand together, so tables are the inner loop. */
static void render_tables(struct page *p, const struct view *v)
{
	for (size_t first = 0, next; first < NTABLE_METRICS && p->rc == 0; first = next) {
		const struct table_metric *head = &table_metrics[first];

		for (next = first + 1; next < NTABLE_METRICS && !table_metrics[next].name; next++)
			;
		put(p, "# HELP ddb_streamd_%s %s\n# TYPE ddb_streamd_%s %s\n", head->name, head->help, head->name,
		    head->type);
		for (size_t t = 0; t < v->ntables; t++) {
			for (size_t i = first; i < next; i++) {
				const struct table_metric *m = &table_metrics[i];

				put(p, "ddb_streamd_%s{", head->name);
				put_label(p, "table", v->tables[t].name);
				if (m->label)
					put(p, ",%s=\"%s\"", m->label, m->value);
				put(p, "} ");
				put_value(p, (const char *)&v->tables[t] + m->offset, m->unit);
			}
		}
	}
}

static const char *service_name(enum aws_operation op)
{
	switch (aws_operation_service(op)) {
	case CONFIG_S3:
		return "s3";
	case CONFIG_DYNAMODB:
		return "dynamodb";
	case CONFIG_STREAMS:
		return "streams";
	case CONFIG_STS:
		return "sts";
	case CONFIG_SCALING:
		return "application-autoscaling";
	case CONFIG_SERVICES:
		break;
	}
	return "other";
}

static void put_operation(struct page *p, const char *name, enum aws_operation op)
{
	put(p, "ddb_streamd_%s{service=\"%s\",operation=\"%s\"", name, service_name(op), aws_operation_name(op));
}

static void render_requests(struct page *p, const struct metrics *m)
{
	family(p, "ddb_streamd_aws_requests_total", "counter",
	       "Finished AWS requests; code is the HTTP status, or none without an answer; error is empty on success.");
	for (enum aws_operation op = 0; op < AWS_OPERATIONS; op++) {
		const struct operation *o = &m->operations[op];

		for (size_t i = 0; i < METRICS_OUTCOMES && o->outcomes[i].count > 0; i++) {
			const struct outcome *u = &o->outcomes[i];

			put_operation(p, "aws_requests_total", op);
			if (u->status > 0)
				put(p, ",code=\"%d\"", u->status);
			else
				put(p, ",code=\"none\"");
			put(p, ",error=\"%s\"} %" PRIu64 "\n", u->class == ERR_NONE ? "" : err_class_name(u->class),
			    u->count);
		}
		if (o->others > 0) {
			put_operation(p, "aws_requests_total", op);
			put(p, ",code=\"other\",error=\"other\"} %" PRIu64 "\n", o->others);
		}
	}
}

static void render_durations(struct page *p, const struct metrics *m)
{
	family(p, "ddb_streamd_aws_request_duration_seconds", "histogram",
	       "How long AWS requests took, from sending to the last byte of the answer.");
	for (enum aws_operation op = 0; op < AWS_OPERATIONS; op++) {
		const struct operation *o = &m->operations[op];
		uint64_t count = 0;

		if (o->outcomes[0].count == 0)
			continue;
		for (size_t i = 0; i <= BOUNDS; i++) {
			count += o->buckets[i];
			put_operation(p, "aws_request_duration_seconds_bucket", op);
			put(p, ",le=\"%s\"} %" PRIu64 "\n", i < BOUNDS ? bounds[i].le : "+Inf", count);
		}
		put_operation(p, "aws_request_duration_seconds_sum", op);
		put(p, "} %" PRIu64 ".%06" PRIu64 "\n", o->sum_us / 1000000, o->sum_us % 1000000);
		put_operation(p, "aws_request_duration_seconds_count", op);
		put(p, "} %" PRIu64 "\n", count);
	}
}

static void single(struct page *p, const char *name, const char *type, const char *help, const void *at, enum unit unit)
{
	family(p, name, type, help);
	put(p, "%s ", name);
	put_value(p, at, unit);
}

static void render_daemon(struct page *p, const struct view *v)
{
	char reason[256];
	bool ready = view_not_ready(v, reason, sizeof(reason)) == NULL;
	uint64_t workers = v->workers, busy = v->workers_busy;
	static const char *const levels[] = {"error", "warn", "info", "debug"};

	family(p, "ddb_streamd_build_info", "gauge", "Always 1; the version is a label.");
	put(p, "ddb_streamd_build_info{");
	put_label(p, "version", v->version);
	put(p, "} 1\n");
	single(p, "ddb_streamd_ready", "gauge", "1 when /readyz answers 200.", &ready, UNIT_BOOL);
	single(p, "ddb_streamd_workers", "gauge", "Writes to S3 that may be in flight at once.", &workers, UNIT_COUNT);
	single(p, "ddb_streamd_workers_busy", "gauge", "Workers with a write in flight.", &busy, UNIT_COUNT);
	single(p, "ddb_streamd_http_connections", "gauge", "Open connections to AWS.", &v->connections, UNIT_SIZE);
	single(p, "ddb_streamd_memory_limit_bytes", "gauge", "Most bytes of stream records that are buffered.",
	       &v->memory_limit_bytes, UNIT_COUNT);
	single(p, "ddb_streamd_memory_buffered_bytes", "gauge", "Bytes of stream records that are buffered, in all.",
	       &v->buffered_bytes, UNIT_SIZE);
	single(p, "ddb_streamd_clock_skew_seconds", "gauge", "The clock of AWS minus this host's.", &v->clock_skew_ms,
	       UNIT_MS);
	single(p, "ddb_streamd_credentials_expire_timestamp_seconds", "gauge",
	       "When the credentials expire: +Inf never, 0 when there are none.", &v->credentials_expire_ms, UNIT_TIME);
	single(p, "ddb_streamd_conditional_writes", "gauge", "1 when the store is known to honour conditional writes.",
	       &(bool){v->conditional_known && v->conditional_writes}, UNIT_BOOL);
	family(p, "ddb_streamd_log_lines_total", "counter", "Log lines written, by level.");
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		put(p, "ddb_streamd_log_lines_total{level=\"%s\"} %" PRIu64 "\n", levels[i],
		    log_lines((enum log_level)i));
}

static void render_loop(struct page *p, const struct process *process)
{
	uint64_t busy = process_loop_busy_us(process), stall = process_loop_stall_max_us(process);

	family(p, "ddb_streamd_loop_busy_seconds_total", "counter", "Time that the event loop spent on work.");
	put(p, "ddb_streamd_loop_busy_seconds_total %" PRIu64 ".%06" PRIu64 "\n", busy / 1000000, busy % 1000000);
	family(p, "ddb_streamd_loop_stall_max_seconds", "gauge",
	       "Longest turn of the event loop in the last one to two minutes.");
	put(p, "ddb_streamd_loop_stall_max_seconds %" PRIu64 ".%06" PRIu64 "\n", stall / 1000000, stall % 1000000);
}

static void process_value(struct page *p, const char *name, const char *type, const char *help, int64_t value)
{
	if (value < 0)
		return;
	family(p, name, type, help);
	if (value == INT64_MAX)
		put(p, "%s +Inf\n", name);
	else
		put(p, "%s %" PRId64 "\n", name, value);
}

/* Names that every exporter has, without the prefix. */
static void render_process(struct page *p)
{
	struct process_usage u;

	process_usage(&u);
	if (u.cpu_seconds >= 0) {
		family(p, "process_cpu_seconds_total", "counter", "User and system CPU time spent.");
		put(p, "process_cpu_seconds_total %.2f\n", u.cpu_seconds);
	}
	if (u.start_time_seconds >= 0) {
		family(p, "process_start_time_seconds", "gauge", "When the process started, since 1970.");
		put(p, "process_start_time_seconds %.2f\n", u.start_time_seconds);
	}
	process_value(p, "process_resident_memory_bytes", "gauge", "Resident memory.", u.resident_bytes);
	process_value(p, "process_virtual_memory_bytes", "gauge", "Virtual memory.", u.virtual_bytes);
	process_value(p, "process_open_fds", "gauge", "Open file descriptors.", u.open_fds);
	process_value(p, "process_max_fds", "gauge", "Most open file descriptors allowed.", u.max_fds);
}

int metrics_render(const struct metrics *m, const struct view *v, struct buf *out)
{
	struct page p = {.out = out};

	render_daemon(&p, v);
	render_tables(&p, v);
	render_requests(&p, m);
	render_durations(&p, m);
	if (m->process)
		render_loop(&p, m->process);
	render_process(&p);
	return p.rc;
}
