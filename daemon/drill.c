#include "drill.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define EVERY_MS 10000

/* What tells one file from the next. */
struct stamp {
	struct timespec mtime;
	ino_t inode;
	off_t size;
};

struct drill {
	uv_loop_t *loop;
	const char *table;
	char *path;
	uv_work_t work;
	bool busy, freed;
	int64_t looked_mono_ms;
	bool known;
	struct drill_result result;
	/* Of the read under way, in the thread pool. */
	struct stamp stamp;
	bool changed;
	int rc;
	struct err err;
	struct drill_result read;
};

struct drill *drill_new(uv_loop_t *loop, const char *state_dir, const char *table)
{
	struct drill *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	*d = (struct drill){.loop = loop, .table = table, .looked_mono_ms = INT64_MIN / 2};
	if (asprintf(&d->path, "%s/drill/%s.json", state_dir, table) < 0) {
		free(d);
		return NULL;
	}
	d->work.data = d;
	return d;
}

static void release(struct drill *d)
{
	free(d->path);
	free(d);
}

void drill_free(struct drill *d)
{
	if (!d)
		return;
	d->freed = true;
	if (!d->busy)
		release(d);
	else
		uv_cancel((uv_req_t *)&d->work);
}

/* --- the text --- */

static void text_of(const json_t *o, const char *name, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(o, name));

	snprintf(out, size, "%s", text ? text : "");
}

static int64_t time_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));
	int64_t ms;

	return text && clock_parse_iso(text, &ms) ? ms : CLOCK_UNKNOWN;
}

static uint64_t count_of(const json_t *o, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(o, name));

	return n > 0 ? (uint64_t)n : 0;
}

static double seconds_of(const json_t *o, const char *name)
{
	const json_t *n = json_object_get(o, name);

	return json_is_number(n) ? json_number_value(n) : -1;
}

int drill_parse(struct span text, struct drill_result *out, struct err *e)
{
	json_t *o = json_loadb(text.ptr, text.len, 0, NULL);
	struct drill_result r = {0};

	text_of(o, "outcome", r.outcome, sizeof(r.outcome));
	text_of(o, "message", r.message, sizeof(r.message));
	text_of(o, "target", r.target, sizeof(r.target));
	r.began_ms = time_of(o, "began");
	r.ended_ms = time_of(o, "ended");
	r.at_ms = time_of(o, "at");
	r.last_success_ms = time_of(o, "last_success");
	r.items = count_of(o, "items");
	r.mismatches = count_of(o, "mismatches");
	r.missing = count_of(o, "missing");
	r.extra = count_of(o, "extra");
	r.different = count_of(o, "different");
	r.recovery_point_s = seconds_of(o, "recovery_point_seconds");
	r.recovery_time_s = seconds_of(o, "recovery_time_seconds");
	bool right = json_integer_value(json_object_get(o, "version")) == 1 && r.ended_ms != CLOCK_UNKNOWN &&
		     (strcmp(r.outcome, "passed") == 0 || strcmp(r.outcome, "failed") == 0 ||
		      strcmp(r.outcome, "error") == 0);
	json_decref(o);
	if (!right)
		return err_set(e, ERR_CORRUPT, "it is no result of a drill, or of a newer ddb-streamctl");
	*out = r;
	return 0;
}

/* --- the file, in the thread pool: a disk may hang --- */

static int read_file(int fd, struct drill_result *out, struct err *e)
{
	char *text = malloc(DRILL_TEXT_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;
	int rc = 0;

	if (!text)
		return err_set(e, ERR_SYSTEM, "out of memory");
	while (len <= DRILL_TEXT_MAX && n > 0) {
		n = read(fd, text + len, DRILL_TEXT_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		rc = err_errno(e, errno, "it cannot be read");
	else if (len > DRILL_TEXT_MAX)
		rc = err_set(e, ERR_LIMIT, "it is over %zu KiB", DRILL_TEXT_MAX >> 10);
	else
		rc = drill_parse((struct span){text, len}, out, e);
	free(text);
	return rc;
}

static void look(uv_work_t *work)
{
	struct drill *d = work->data;
	struct stat st;
	int fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	d->changed = false;
	/* No drill yet; or one that this user may not see, which its own log has said. */
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0) {
		struct stamp now = {.mtime = st.st_mtim, .inode = st.st_ino, .size = st.st_size};
		const struct stamp *was = &d->stamp;
		d->changed = now.mtime.tv_sec != was->mtime.tv_sec || now.mtime.tv_nsec != was->mtime.tv_nsec ||
			     now.inode != was->inode || now.size != was->size;
		d->stamp = now;
	}
	if (d->changed)
		d->rc = S_ISREG(st.st_mode) ? read_file(fd, &d->read, &d->err)
					    : err_set(&d->err, ERR_CORRUPT, "it is no regular file");
	close(fd);
}

static void on_looked(uv_work_t *work, int status)
{
	struct drill *d = work->data;

	d->busy = false;
	if (d->freed) {
		release(d);
		return;
	}
	if (status < 0 || !d->changed)
		return;
	if (d->rc < 0) {
		log_warn("the result of the last drill is not shown: drill again, or remove the file",
			 LOG_S("table", d->table), LOG_S("file", d->path), LOG_S("error", d->err.message));
		return;
	}
	d->result = d->read;
	d->known = true;
}

void drill_tick(struct drill *d, int64_t mono_ms)
{
	if (d->busy || mono_ms - d->looked_mono_ms < EVERY_MS)
		return;
	d->looked_mono_ms = mono_ms;
	d->busy = uv_queue_work(d->loop, &d->work, look, on_looked) == 0;
}

void drill_view(const struct drill *d, struct view_drill *out)
{
	*out = (struct view_drill){.ended_ms = CLOCK_UNKNOWN, .last_success_ms = CLOCK_UNKNOWN};
	if (!d || !d->known)
		return;
	const struct drill_result *r = &d->result;
	*out = (struct view_drill){
		.known = true,
		.outcome = r->outcome,
		.message = r->message,
		.target = r->target,
		.began_ms = r->began_ms,
		.ended_ms = r->ended_ms,
		.at_ms = r->at_ms,
		.last_success_ms = r->last_success_ms,
		.duration_ms =
			r->began_ms != CLOCK_UNKNOWN && r->ended_ms > r->began_ms ? r->ended_ms - r->began_ms : 0,
		.items = r->items,
		.mismatches = r->mismatches,
		.missing = r->missing,
		.extra = r->extra,
		.different = r->different,
		.recovery_point_s = r->recovery_point_s,
		.recovery_time_s = r->recovery_time_s,
	};
}
