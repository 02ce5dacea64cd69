/*
 * daemon: everything that one process holds, and its life: start-up checks, running, a clean stop.
 * One loop, one thread; only checkpoint saves run on libuv's pool.
 */
#ifndef DDB_DAEMON_H
#define DDB_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "aws/aws.h"
#include "base/config.h"
#include "base/err.h"
#include "codec/canon.h"
#include "health.h"
#include "lane.h"
#include "metrics.h"
#include "reader.h"
#include "startup.h"
#include "table.h"
#include "view.h"
#include "worker.h"

enum daemon_phase { DAEMON_STARTING, DAEMON_RUNNING, DAEMON_STOPPING };

struct daemon {
	uv_loop_t loop;
	const struct config *conf;
	struct aws aws;
	struct canon *canon;
	struct metrics *metrics;
	struct health *health; /* NULL with listen = off */
	struct startup startup;
	struct lanes lanes;
	struct worker_pool workers;
	struct reader_pool readers;
	struct table *tables;
	size_t ntables;
	size_t baselines;  /* that are under way */
	char instance[33]; /* of the state folder: random, made at the first start */
	char host[256];
	int lock_fd; /* of state_dir/lock */
	enum daemon_phase phase;
	int64_t started_ms;
	int64_t stop_deadline_mono_ms;
	int64_t stop_began_mono_ms;
	int exit_code;
	bool ready_told; /* to the service manager */
	uv_signal_t sigterm, sigint;
	uv_timer_t second; /* once a second: status, log repeats, saves */
	uv_timer_t tick;   /* while items wait to be tried again */
	uv_timer_t watchdog;
	struct view view;
	struct view_table *view_tables;
};

/*
 * Runs until a signal or a start-up failure. Returns the exit code of ddb-streamd(8); messages are logged.
 */
int daemon_run(const struct config *conf);

/* What health, metrics and the service manager show. Valid until the loop's next turn. */
const struct view *daemon_view(void *daemon);

/* The start-up checks of the daemon as a whole passed: tables may start. */
void daemon_checked(struct daemon *d);
/* They cannot pass: stop with `exit_code`; the reason has been logged. */
void daemon_refuse(struct daemon *d, int exit_code);
/* A table settled (running or refused); tells the service manager READY when all have. */
void daemon_table_settled(struct daemon *d);

#endif
