/*
 * process: what this process uses of its host, and how long the loop was held up.
 *
 * A turn's busy time is its length without the wait for events (uv_metrics_idle_time): while it lasts nothing else is
 * served. No timer of its own: an idle daemon is not woken for it.
 */
#ifndef DDB_PROCESS_H
#define DDB_PROCESS_H

#include <stdint.h>
#include <uv.h>

#include "base/err.h"

struct process;

/* From /proc/self; a value that could not be read is negative. */
struct process_usage {
	double cpu_seconds;
	double start_time_seconds; /* since 1970 */
	int64_t resident_bytes;
	int64_t virtual_bytes;
	int64_t open_fds;
	int64_t max_fds; /* INT64_MAX: no limit */
};

/* Watches `loop` from now on. Call it before the loop first runs: libuv measures idle time only when told beforehand. */
struct process *process_new(uv_loop_t *loop, struct err *e);
/* Its handle closes on the loop: run the loop once more before closing it. NULL is allowed. */
void process_free(struct process *p);

void process_usage(struct process_usage *u);

/* Time that the loop spent on work since process_new, in microseconds. */
uint64_t process_loop_busy_us(const struct process *p);
/* The longest turn of the last one to two minutes, in microseconds: every scraper sees a stall, whenever it comes. */
uint64_t process_loop_stall_max_us(const struct process *p);

#endif
