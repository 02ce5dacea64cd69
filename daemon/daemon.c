#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "drill.h"
#include "notify.h"
#include "process.h"
#include "shard.h"

#define ITEM_BYTES_MAX ((size_t)16 << 20) /* 400 KB of item, every byte of it escaped, and far more */
#define SECOND_MS 1000
#define STOPPING_TICK_MS 50
#define STUCK_PATIENCE_MS 2000 /* at a stop: how long items that keep failing are waited for */
#define START_MORE_MS 60000
#define STOP_MORE_MS 10000	/* on top of stop_timeout: positions, and what is in flight */
#define BASELINE_CONNECTIONS 16 /* that are kept for baselines */
#define READERS_MIN 4
#define READERS_MAX 64

static void stop(struct daemon *d, int exit_code);

static void observe(void *arg, const struct aws_op *op, enum aws_operation what, int rc, int http_status, int64_t us)
{
	struct daemon *d = arg;
	(void)op;
	metrics_observe(d->metrics, what, rc, http_status, us);
}

/* One process a state folder: two would overwrite each other's checkpoints. */
static int lock_state(struct daemon *d, int *exit_code)
{
	char path[4096];
	const char *dir = d->conf->state_dir;
	*exit_code = EX_OSERR;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		log_error("state_dir cannot be made; create it for the user of the daemon", LOG_S("state_dir", dir),
			  LOG_S("error", strerror(errno)));
		return -1;
	}
	snprintf(path, sizeof(path), "%s/lock", dir);
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock_fd < 0) {
		log_error("state_dir cannot be written; give it to the user of the daemon", LOG_S("path", path),
			  LOG_S("error", strerror(errno)));
		return -1;
	}
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		*exit_code = EX_TEMPFAIL;
		log_error("another ddb-streamd holds this state_dir; stop it, or give this one its own",
			  LOG_S("path", path));
		return -1;
	}
	return 0;
}

/* Tells this state folder from that of another host, in watermark.json. */
static int load_instance(struct daemon *d)
{
	char path[4096];
	struct err e;
	snprintf(path, sizeof(path), "%s/instance", d->conf->state_dir);
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(d->instance, 1, 32, f) : 0;
	if (f != NULL)
		fclose(f);
	d->instance[n] = '\0';
	if (n == 32 && strspn(d->instance, "0123456789abcdef") == 32)
		return 0;
	unsigned char random[16];
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -1;
	encode_hex(d->instance, random, sizeof(random));
	d->instance[32] = '\0';
	if (checkpoint_write(path, d->instance, 32, &e) < 0) {
		log_error("state_dir cannot be written", LOG_E(&e));
		return -1;
	}
	return 0;
}

static size_t reader_count(const struct config *c)
{
	size_t n = c->memory_limit_bytes / READER_RESERVE_BYTES;
	return n < READERS_MIN ? READERS_MIN : n > READERS_MAX ? READERS_MAX : n;
}

const struct view *daemon_view(void *arg)
{
	static const char *const phases[] = {"starting", "running", "stopping"};
	struct daemon *d = arg;
	const struct startup *s = &d->startup;
	size_t buffered = 0;
	for (size_t i = 0; i < d->ntables; i++) {
		table_view(&d->tables[i], &d->view_tables[i]);
		buffered += d->view_tables[i].buffered_bytes;
	}
	d->view = (struct view){
		.version = DDB_VERSION,
		.phase = phases[d->phase],
		.problem = s->problem.class != ERR_NONE ? s->problem.message : NULL,
		.bucket = d->conf->bucket,
		.region = d->aws.region,
		.identity = s->caller.arn,
		.credentials_source = creds_source(d->aws.creds),
		.credentials_expire_ms = creds_expires_ms(d->aws.creds),
		.conditional_writes = s->conditional,
		.conditional_known = s->conditional_known,
		.started_ms = d->started_ms,
		.clock_skew_ms = d->aws.clock_skew_ms,
		.workers = d->conf->workers,
		.workers_busy = (unsigned)d->workers.busy,
		.connections = http_connections(d->aws.http),
		.memory_limit_bytes = d->conf->memory_limit_bytes,
		.buffered_bytes = buffered,
		.tables = d->view_tables,
		.ntables = d->ntables,
	};
	return &d->view;
}

void daemon_refuse(struct daemon *d, int exit_code)
{
	stop(d, exit_code);
}

void daemon_checked(struct daemon *d)
{
	d->phase = DAEMON_RUNNING;
	for (size_t i = 0; i < d->ntables; i++)
		table_check(&d->tables[i]);
}

/* All tables refused at the start: better to fail loudly than to run and do nothing. One refused table stops no other. */
void daemon_table_settled(struct daemon *d)
{
	size_t refused = 0;
	for (size_t i = 0; i < d->ntables; i++) {
		if (!d->tables[i].settled)
			return;
		refused += d->tables[i].state == VIEW_TABLE_REFUSED;
	}
	if (d->ready_told)
		return;
	if (refused == d->ntables) {
		stop(d, d->tables[0].problem_exit);
		return;
	}
	d->ready_told = true;
	log_info("ready", LOG_U("tables", d->ntables), LOG_U("refused", refused));
	notify_ready(daemon_view(d));
}

static void save_due(struct daemon *d)
{
	for (size_t i = 0; i < d->ntables; i++)
		table_save_due(&d->tables[i], clock_mono_ms());
}

static void on_second(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	save_due(d);
	log_flush(clock_mono_ms());
	for (size_t i = 0; i < d->ntables; i++) {
		baseline_tick(d->tables[i].baseline);
		drill_tick(d->tables[i].drill, clock_mono_ms());
	}
	notify_status(daemon_view(d));
	if (!d->ready_told) /* the checks are tried for as long as it takes */
		notify_extend_timeout(START_MORE_MS);
}

static bool is_drained(struct daemon *d)
{
	bool only_failing = d->workers.busy == 0 && TAILQ_EMPTY(&d->lanes.turn) &&
			    clock_mono_ms() - d->stop_began_mono_ms >= STUCK_PATIENCE_MS;
	return d->lanes.records == 0 || only_failing;
}

static bool all_idle(struct daemon *d)
{
	if (d->startup.op.busy || d->readers.busy > 0 || d->workers.busy > 0)
		return false;
	for (size_t i = 0; i < d->ntables; i++)
		if (d->tables[i].op.busy || baseline_busy(d->tables[i].baseline))
			return false;
	return true;
}

/* A write of the thread pool cannot be given up, and the end of the loop would wait for it. */
static void leave_hung_disk(const struct daemon *d)
{
	for (size_t i = 0; i < d->ntables; i++) {
		if (!d->tables[i].saving.saver.busy)
			continue;
		log_error("the disk of state_dir does not answer; leaving without the last position: what was written "
			  "since the one before is asked about at the next start",
			  LOG_S("table", d->tables[i].conf->name));
		log_flush(INT64_MAX);
		_exit(EX_IOERR);
	}
}

/*
 * The stop in steps: what is buffered is written; then what is still in flight is given up; then positions are saved. Each
 * step is looked at again every 50 ms, and the deadline ends the first; the others are bounded by their own time-outs.
 */
static void on_stopping(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	int64_t now = clock_mono_ms();
	bool late = now >= d->stop_deadline_mono_ms, saved = true;
	log_flush(now);
	save_due(d);
	if (!is_drained(d) && !late)
		return;
	if (!d->workers.stopped)
		worker_pool_stop(&d->workers);
	if (!all_idle(d) && now < d->stop_deadline_mono_ms + SECOND_MS)
		return;
	for (size_t i = 0; i < d->ntables; i++)
		saved = table_save_final(&d->tables[i], table_clean(&d->tables[i])) && saved;
	if (!saved && now < d->stop_deadline_mono_ms + 5 * SECOND_MS)
		return;
	leave_hung_disk(d);
	for (size_t i = 0; i < d->ntables && d->exit_code == EX_OK; i++)
		if (d->tables[i].saving.err.class != ERR_NONE)
			d->exit_code = EX_IOERR;
	uv_timer_stop(timer);
	uv_stop(&d->loop);
}

static void stop_tables(struct daemon *d)
{
	struct stream *st;
	struct shard *s;
	for (size_t i = 0; i < d->ntables; i++) {
		struct table *t = &d->tables[i];
		baseline_stop(t->baseline);
		uv_timer_stop(&t->check_timer);
		uv_timer_stop(&t->discovery.timer);
		if (t->op.busy)
			aws_op_cancel(&t->op);
		table_schema_stop(t);
		TAILQ_FOREACH (st, &t->streams, link)
			TAILQ_FOREACH (s, &st->shards, link)
				shard_stop(s);
	}
}

static void stop(struct daemon *d, int exit_code)
{
	if (d->phase == DAEMON_STOPPING)
		return;
	d->phase = DAEMON_STOPPING;
	d->exit_code = exit_code;
	d->stop_began_mono_ms = clock_mono_ms();
	d->stop_deadline_mono_ms = d->stop_began_mono_ms + d->conf->stop_timeout_ms;
	notify_stopping();
	notify_extend_timeout(d->conf->stop_timeout_ms + STOP_MORE_MS);
	startup_stop(&d->startup);
	reader_pool_stop(&d->readers);
	stop_tables(d);
	uv_timer_start(&d->second, on_stopping, 0, STOPPING_TICK_MS);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct daemon *d = handle->data;
	if (d->phase == DAEMON_STOPPING) {
		log_warn("second signal: leaving at once; what was in flight is asked about at the next start");
		log_flush(INT64_MAX);
		_exit(128 + signum);
	}
	log_info("stopping", LOG_S("signal", strsignal(signum)), LOG_U("records_buffered", d->lanes.records));
	stop(d, EX_OK);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	notify_watchdog();
}

static void start_timers(struct daemon *d)
{
	int64_t watchdog_ms = notify_watchdog_interval_ms();
	uint64_t every_ms = SECOND_MS;
	if (d->conf->checkpoint_interval_ms < SECOND_MS)
		every_ms = (uint64_t)d->conf->checkpoint_interval_ms;
	uv_timer_start(&d->second, on_second, every_ms, every_ms);
	if (watchdog_ms > 0)
		uv_timer_start(&d->watchdog, on_watchdog, 0, (uint64_t)watchdog_ms);
	uv_signal_start(&d->sigterm, on_signal, SIGTERM);
	uv_signal_start(&d->sigint, on_signal, SIGINT);
}

static void init_handles(struct daemon *d)
{
	uv_timer_init(&d->loop, &d->second);
	uv_timer_init(&d->loop, &d->tick);
	uv_timer_init(&d->loop, &d->watchdog);
	uv_signal_init(&d->loop, &d->sigterm);
	uv_signal_init(&d->loop, &d->sigint);
	d->second.data = d->tick.data = d->watchdog.data = d->sigterm.data = d->sigint.data = d;
}

static int exit_code_of(const struct err *e, int otherwise)
{
	return e->class == ERR_CORRUPT ? EX_DATAERR : e->class == ERR_SYSTEM ? EX_OSERR : otherwise;
}

static int init_tables(struct daemon *d, struct err *e)
{
	size_t share = (size_t)d->conf->memory_limit_bytes / d->conf->ntables;
	d->tables = calloc(d->conf->ntables, sizeof(*d->tables));
	d->view_tables = calloc(d->conf->ntables, sizeof(*d->view_tables));
	if (d->tables == NULL || d->view_tables == NULL)
		return err_errno(e, ENOMEM, "tables");
	for (; d->ntables < d->conf->ntables; d->ntables++) {
		int rc = table_init(&d->tables[d->ntables], d, &d->conf->tables[d->ntables], share, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int init_parts(struct daemon *d, struct process *process, struct err *e)
{
	size_t readers = reader_count(d->conf);
	struct health_source source = {.view = daemon_view, .arg = d};
	int rc = digest_init(e);
	if (rc < 0)
		return rc;
	rc = aws_init(&d->aws, &d->loop, d->conf,
		      d->conf->workers + readers + BASELINE_CONNECTIONS + 3 * d->conf->ntables + 4, e);
	if (rc < 0)
		return rc;
	d->canon = canon_new(ITEM_BYTES_MAX);
	d->metrics = source.metrics = metrics_new(process);
	if (d->canon == NULL || d->metrics == NULL)
		return err_errno(e, ENOMEM, "daemon");
	d->aws.observe = observe;
	d->aws.observe_arg = d;
	lanes_init(&d->lanes, clock_mono_ms());
	rc = startup_init(&d->startup, d, e);
	if (rc == 0)
		rc = worker_pool_init(&d->workers, d, d->conf->workers, e);
	if (rc == 0)
		rc = reader_pool_init(&d->readers, &d->aws, readers, d->conf->workers, e);
	if (rc == 0)
		rc = init_tables(d, e);
	if (rc == 0 && !d->conf->listen_off) {
		d->health = health_new(&d->loop, d->conf->listen_host, d->conf->listen_port, &source, e);
		rc = d->health == NULL ? -(int)e->class : 0;
	}
	return rc;
}

static void free_parts(struct daemon *d)
{
	health_free(d->health);
	startup_close(&d->startup);
	for (size_t i = 0; i < d->ntables; i++)
		table_close(&d->tables[i]);
	worker_pool_close(&d->workers);
	reader_pool_close(&d->readers);
	uv_close((uv_handle_t *)&d->second, NULL);
	uv_close((uv_handle_t *)&d->tick, NULL);
	uv_close((uv_handle_t *)&d->watchdog, NULL);
	uv_close((uv_handle_t *)&d->sigterm, NULL);
	uv_close((uv_handle_t *)&d->sigint, NULL);
	uv_run(&d->loop, UV_RUN_NOWAIT);
	aws_fini(&d->aws);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	worker_pool_fini(&d->workers);
	reader_pool_fini(&d->readers);
	startup_fini(&d->startup);
	for (size_t i = 0; i < d->ntables; i++)
		table_fini(&d->tables[i]);
	lanes_fini(&d->lanes);
	metrics_free(d->metrics);
	canon_free(d->canon);
	free(d->tables);
	free(d->view_tables);
	itemkey_cleanup();
	sigv4_cleanup();
	digest_cleanup();
}

/* The parts exist: run until something stops the loop. */
static void run(struct daemon *d)
{
	start_timers(d);
	log_info("starting", LOG_S("version", DDB_VERSION), LOG_S("config", d->conf->path), LOG_U("tables", d->ntables),
		 LOG_U("workers", d->conf->workers));
	startup_begin(&d->startup);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	log_info("stopped", LOG_I("exit_code", d->exit_code), LOG_U("records_left", d->lanes.records));
}

int daemon_run(const struct config *conf)
{
	struct daemon *d = calloc(1, sizeof(*d));
	struct err e = {0};
	int code = EX_OSERR;
	if (d == NULL)
		return EX_OSERR;
	d->conf = conf;
	d->lock_fd = -1;
	d->started_ms = clock_wall_ms();
	if (gethostname(d->host, sizeof(d->host) - 1) < 0)
		d->host[0] = '\0';
	if (lock_state(d, &code) < 0 || load_instance(d) < 0)
		goto out;
	uv_loop_init(&d->loop);
	struct process *process = process_new(&d->loop, &e);
	init_handles(d);
	if (process == NULL || init_parts(d, process, &e) < 0) {
		log_error("cannot start", LOG_E(&e));
		/* Half of the parts may exist: the kernel takes them back better than we could. */
		code = exit_code_of(&e, EX_CONFIG);
		log_flush(INT64_MAX);
		exit(code);
	}
	run(d);
	code = d->exit_code;
	process_free(process);
	free_parts(d);
	uv_loop_close(&d->loop);
out:
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	free(d);
	log_flush(INT64_MAX);
	return code;
}
