/*
 * log: logfmt lines on standard error.
 *
 *     log_warn("shard iterator expired", LOG_S("table", name), LOG_S("shard", id), LOG_U("age_s", 901));
 *     ts=2026-11-23T12:40:35.195Z level=warn msg="shard iterator expired" table=orders shard=shardId-1 age_s=901
 *
 * Under journald (JOURNAL_STREAM names the device and inode of standard error) each line starts with the
 * priority "<4>" (sd-daemon(3)) and has no ts=. Values with blanks, '=', '"', '\' or control
 * characters, empty ones and what is not UTF-8 are quoted and escaped as in JSON.
 *
 * Repeats are collapsed: of lines with the same level, message and LOG_S fields, the first is written at once,
 * further ones within 30 s are counted, and the last of them is written with repeated=N when the 30 s end.
 * LOG_D, numbers, times and errors do not take part in that comparison. Debug lines are never collapsed.
 * LOG_REPEATS_MAX different lines are remembered; past that the oldest is written out early.
 * A line takes LOG_LINE_BYTES at most, and is cut with "..." past that.
 *
 * Volume is capped: past LOG_VOLUME_LINES lines in LOG_VOLUME_MS the rest of that time is only counted, and one line then tells
 * how many were left out. Debug lines are written all the same: somebody asked for them.
 *
 * Never pass secrets or item contents (keys included): name a record by shard and sequence number.
 * Not thread-safe: the loop's thread only.
 */
#ifndef DDB_BASE_LOG_H
#define DDB_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LOG_LINE_BYTES 4096
#define LOG_REPEATS_MAX 64
#define LOG_REPEATS_MS 30000
#define LOG_VOLUME_LINES 1000 /* in LOG_VOLUME_MS */
#define LOG_VOLUME_MS 60000

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_kind {
	LOG_KIND_NONE,
	LOG_KIND_IDENTITY,
	LOG_KIND_DETAIL,
	LOG_KIND_INT,
	LOG_KIND_UINT,
	LOG_KIND_TIME,
	LOG_KIND_ERR
};

struct log_field {
	const char *key;
	enum log_kind kind;
	union {
		const char *str; /* NULL leaves the field out */
		int64_t i;
		uint64_t u;
		const struct err *err; /* class=, and code=, status=, request_id= where known, then error="message" */
	} v;
};

#define LOG_S(k, s) ((struct log_field){.key = (k), .kind = LOG_KIND_IDENTITY, .v.str = (s)})
#define LOG_D(k, s) ((struct log_field){.key = (k), .kind = LOG_KIND_DETAIL, .v.str = (s)})
#define LOG_I(k, n) ((struct log_field){.key = (k), .kind = LOG_KIND_INT, .v.i = (n)})
#define LOG_U(k, n) ((struct log_field){.key = (k), .kind = LOG_KIND_UINT, .v.u = (n)})
#define LOG_T(k, wall_ms) ((struct log_field){.key = (k), .kind = LOG_KIND_TIME, .v.i = (wall_ms)})
#define LOG_E(e) ((struct log_field){.key = "error", .kind = LOG_KIND_ERR, .v.err = (e)})

#define log_at(level, msg, ...)                                                   \
	log_event((level), (msg), (const struct log_field[]){{0}, ##__VA_ARGS__}, \
		  sizeof((const struct log_field[]){{0}, ##__VA_ARGS__}) / sizeof(struct log_field))
#define log_error(msg, ...) log_at(LOG_LEVEL_ERROR, msg, ##__VA_ARGS__)
#define log_warn(msg, ...) log_at(LOG_LEVEL_WARN, msg, ##__VA_ARGS__)
#define log_info(msg, ...) log_at(LOG_LEVEL_INFO, msg, ##__VA_ARGS__)
#define log_debug(msg, ...) log_at(LOG_LEVEL_DEBUG, msg, ##__VA_ARGS__)

/* Lines below `level` are dropped. Decides once whether standard error is the journal. Default: info. */
void log_init(enum log_level level);
/* Writes to `fd` instead of standard error from now on, and decides about the journal anew. The caller keeps `fd`. */
void log_set_fd(int fd);
/* True when a line of `level` would be written: for callers with costly fields. */
bool log_enabled(enum log_level level);
/* Use the macros. `fields[0]` is a filler; `n` counts it. */
void log_event(enum log_level level, const char *msg, const struct log_field *fields, size_t n);
/* Writes out the counted repeats whose 30 s are over at `mono_ms`. Call about once a second; INT64_MAX flushes all (at exit). */
void log_flush(int64_t mono_ms);
/* Lines written so far, for /metrics. */
uint64_t log_lines(enum log_level level);

#endif
