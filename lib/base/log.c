#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/utf8.h"

/* What follows the fields of a line at most; the fields are cut so that it always fits. */
#define TAIL_BYTES sizeof("...\" repeated=18446744073709551615\n")

/* A line that was written, and the last of those that were not because they were the same. */
struct repeat {
	uint64_t hash; /* of level, message and LOG_S fields */
	int64_t since_mono_ms;
	uint64_t count; /* 0: nothing to write when the time is over */
	enum log_level level;
	bool used;
	size_t len;
	char line[LOG_LINE_BYTES];
};

struct line {
	size_t len;
	bool cut;
	char text[LOG_LINE_BYTES];
};

static struct {
	enum log_level level;
	int fd;
	bool journal;
	uint64_t lines[LOG_LEVEL_DEBUG + 1];
	struct repeat repeats[LOG_REPEATS_MAX];
	int64_t volume_mono_ms; /* when the time for which volume_lines counts began */
	uint64_t volume_lines, left_out;
} state = {.level = LOG_LEVEL_INFO, .fd = STDERR_FILENO};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const int priorities[] = {3, 4, 6, 7}; /* syslog(3) */

/* systemd.exec(5): the variable is inherited, so only a match says that the journal is at the other end. */
static bool is_journal(int fd)
{
	const char *text = getenv("JOURNAL_STREAM");
	struct stat st;
	char mine[64];
	if (!text || fstat(fd, &st) < 0)
		return false;
	snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(text, mine) == 0;
}

void log_init(enum log_level level)
{
	state.level = level;
	state.journal = is_journal(state.fd);
}

void log_set_fd(int fd)
{
	state.fd = fd;
	state.journal = is_journal(fd);
}

bool log_enabled(enum log_level level)
{
	return level <= state.level;
}

uint64_t log_lines(enum log_level level)
{
	return state.lines[level];
}

/* Puts all of `bytes` or, past the cap, nothing from here on. */
static void put(struct line *l, const char *bytes, size_t len)
{
	if (l->cut || len > sizeof(l->text) - TAIL_BYTES - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

static bool needs_quotes(const char *s)
{
	size_t left = strlen(s), n;
	uint32_t cp;
	if (left == 0)
		return true;
	for (; left > 0; s += n, left -= n) {
		n = utf8_decode(s, left, &cp);
		if (n == 0 || utf8_is_control(cp) || cp == ' ' || cp == '=' || cp == '"' || cp == '\\')
			return true;
	}
	return false;
}

/* Escapes as in a JSON string; what is not UTF-8 becomes U+FFFD, since journald hides lines that are not text. */
static void put_escaped(struct line *l, const char *s)
{
	size_t left = strlen(s), n;
	for (; left > 0 && !l->cut; s += n, left -= n) {
		uint32_t cp;
		char esc[16];
		n = utf8_decode(s, left, &cp);
		if (n == 0) {
			put_str(l, "\\ufffd");
			n = 1;
		} else if (cp == '"' || cp == '\\') {
			put(l, (const char[]){'\\', (char)cp}, 2);
		} else if (cp == '\n') {
			put_str(l, "\\n");
		} else if (cp == '\t') {
			put_str(l, "\\t");
		} else if (utf8_is_control(cp)) {
			snprintf(esc, sizeof(esc), "\\u%04x", (unsigned)cp);
			put_str(l, esc);
		} else {
			put(l, s, n);
		}
	}
}

/* For the tail alone, whose room is kept free. */
static void put_tail(struct line *l, const char *s)
{
	size_t n = strlen(s);
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

/* " key=value"; the first pair of a line has another `separator`. */
static void put_pair(struct line *l, const char *separator, const char *key, const char *value)
{
	if (l->cut)
		return;
	const bool quoted = needs_quotes(value);
	put_str(l, separator);
	put_str(l, key);
	put(l, "=\"", quoted ? 2 : 1);
	const bool opened = quoted && !l->cut;
	put_escaped(l, value);
	if (opened)
		put(l, "\"", 1);
	if (l->cut)
		put_tail(l, opened ? "...\"" : "...");
}

static void put_field_pair(struct line *l, const char *key, const char *value)
{
	put_pair(l, " ", key, value);
}

static void put_err(struct line *l, const char *key, const struct err *e)
{
	char number[16];
	put_field_pair(l, "class", err_class_name((int)e->class));
	if (e->aws_code[0])
		put_field_pair(l, "code", e->aws_code);
	if (e->http_status) {
		snprintf(number, sizeof(number), "%d", e->http_status);
		put_field_pair(l, "status", number);
	}
	if (e->request_id[0])
		put_field_pair(l, "request_id", e->request_id);
	put_field_pair(l, key, e->message);
}

static void put_field(struct line *l, const struct log_field *f)
{
	char text[CLOCK_ISO_SIZE];
	switch (f->kind) {
	case LOG_KIND_NONE:
		break;
	case LOG_KIND_IDENTITY:
	case LOG_KIND_DETAIL:
		if (f->v.str)
			put_field_pair(l, f->key, f->v.str);
		break;
	case LOG_KIND_INT:
		snprintf(text, sizeof(text), "%" PRId64, f->v.i);
		put_field_pair(l, f->key, text);
		break;
	case LOG_KIND_UINT:
		snprintf(text, sizeof(text), "%" PRIu64, f->v.u);
		put_field_pair(l, f->key, text);
		break;
	case LOG_KIND_TIME:
		if (clock_iso(text, f->v.i)[0])
			put_field_pair(l, f->key, text);
		break;
	case LOG_KIND_ERR:
		if (f->v.err)
			put_err(l, f->key, f->v.err);
		break;
	}
}

static void render(struct line *l, enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
	char text[CLOCK_ISO_SIZE];
	l->len = 0;
	l->cut = false;
	if (state.journal)
		snprintf(text, sizeof(text), "<%d>", priorities[level]);
	else
		put_pair(l, "", "ts", clock_iso(text, clock_wall_ms()));
	put_pair(l, state.journal ? text : " ", "level", level_names[level]);
	put_field_pair(l, "msg", msg);
	for (size_t i = 0; i < n; i++)
		put_field(l, &fields[i]);
}

static void write_out(enum log_level level, char *text, size_t len)
{
	text[len++] = '\n';
	state.lines[level]++;
	while (len > 0) {
		ssize_t n = write(state.fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		/* There is nobody left to tell; a reader that is too slow must not stop the daemon. */
		if (n < 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static uint64_t identity(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
	uint64_t h[4] = {level, map_hash(msg, strlen(msg))};
	for (size_t i = 0; i < n; i++) {
		if (fields[i].kind != LOG_KIND_IDENTITY || !fields[i].v.str)
			continue;
		h[2] = map_hash(fields[i].key, strlen(fields[i].key));
		h[3] = map_hash(fields[i].v.str, strlen(fields[i].v.str));
		h[0] = map_hash(h, sizeof(h));
	}
	return map_hash(h, sizeof(h));
}

/* Ends the time of `r`; what was held back is written. */
static void finish(struct repeat *r)
{
	r->used = false;
	if (r->count == 0)
		return;
	size_t len = r->len;
	len += (size_t)snprintf(r->line + len, sizeof(r->line) - len, " repeated=%" PRIu64, r->count);
	write_out(r->level, r->line, len);
}

/* True when the line is a repeat and was kept back. */
static bool hold_back(const struct line *l, enum log_level level, uint64_t hash, int64_t mono_ms)
{
	struct repeat *victim = &state.repeats[0];
	for (size_t i = 0; i < LOG_REPEATS_MAX; i++) {
		struct repeat *r = &state.repeats[i];
		if (r->used && r->hash == hash) {
			if (mono_ms - r->since_mono_ms < LOG_REPEATS_MS) {
				r->count++;
				r->len = l->len;
				memcpy(r->line, l->text, l->len);
				return true;
			}
			victim = r;
			break;
		}
		if (victim->used && (!r->used || r->since_mono_ms < victim->since_mono_ms))
			victim = r;
	}
	if (victim->used)
		finish(victim);
	victim->used = true;
	victim->hash = hash;
	victim->since_mono_ms = mono_ms;
	victim->count = 0;
	victim->level = level;
	return false;
}

/* Ends the time for which lines are counted; what was left out of the log in it is told. */
static void end_volume(int64_t mono_ms)
{
	char text[128];
	const uint64_t n = state.left_out;
	state.volume_mono_ms = mono_ms == INT64_MAX ? clock_mono_ms() : mono_ms;
	state.volume_lines = state.left_out = 0;
	if (n == 0)
		return;
	struct line l;
	const struct log_field fields[] = {{0}, LOG_U("lines", n), LOG_U("allowed", LOG_VOLUME_LINES)};
	snprintf(text, sizeof(text), "there was more to log than is allowed in %d s", LOG_VOLUME_MS / 1000);
	render(&l, LOG_LEVEL_WARN, text, fields, sizeof(fields) / sizeof(*fields));
	write_out(LOG_LEVEL_WARN, l.text, l.len);
}

static bool over_volume(int64_t mono_ms)
{
	if (mono_ms - state.volume_mono_ms >= LOG_VOLUME_MS)
		end_volume(mono_ms);
	if (state.volume_lines >= LOG_VOLUME_LINES) {
		state.left_out++;
		return true;
	}
	state.volume_lines++;
	return false;
}

void log_event(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
	if (!log_enabled(level))
		return;
	const int saved_errno = errno;
	struct line l;
	render(&l, level, msg, fields, n);
	const int64_t now = clock_mono_ms();
	if (level == LOG_LEVEL_DEBUG ||
	    (!hold_back(&l, level, identity(level, msg, fields, n), now) && !over_volume(now)))
		write_out(level, l.text, l.len);
	errno = saved_errno;
}

void log_flush(int64_t mono_ms)
{
	const int saved_errno = errno;
	for (size_t i = 0; i < LOG_REPEATS_MAX; i++) {
		struct repeat *r = &state.repeats[i];
		if (r->used && mono_ms - LOG_REPEATS_MS >= r->since_mono_ms)
			finish(r);
	}
	if (state.left_out > 0 && mono_ms - LOG_VOLUME_MS >= state.volume_mono_ms)
		end_volume(mono_ms);
	errno = saved_errno;
}
