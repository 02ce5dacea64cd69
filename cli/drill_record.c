#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "drill.h"
#include "watermark.h"

json_t *drill_json(const struct drill *d, int64_t last_success_ms, bool findings)
{
	char began[CLOCK_ISO_SIZE], ended[CLOCK_ISO_SIZE], at[CLOCK_ISO_SIZE];
	const uint64_t *n = d->findings.counts;
	uint64_t total = findings_total(&d->findings);
	uint64_t missing = n[FINDING_MISSING] + n[FINDING_UNREADABLE];
	uint64_t different = total - missing - n[FINDING_EXTRA];
	bool restored = d->restored_ms != CLOCK_UNKNOWN;
	json_t *o =
		json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:s,s:o}", "version", 1, "table",
			  d->options->table, "began", clock_iso(began, d->began_ms), "ended",
			  clock_iso(ended, d->ended_ms), "at", clock_iso(at, d->at_ms), "outcome", d->outcome,
			  "message", d->message, "items", (json_int_t)d->items, "mismatches", (json_int_t)total,
			  "missing", (json_int_t)missing, "extra", (json_int_t)n[FINDING_EXTRA], "different",
			  (json_int_t)different, "recovery_point_seconds",
			  d->latest ? json_real((double)(d->began_ms - d->at_ms) / 1000) : json_null(),
			  "recovery_time_seconds",
			  restored ? json_real((double)(d->restored_ms - d->began_ms) / 1000) : json_null(), "target",
			  d->file != NULL ? d->file : d->name, "last_success", watermark_time_json(last_success_ms));
	if (o != NULL && findings)
		json_object_set_new(o, "findings", findings_json(&d->findings));
	return o;
}

/* Of the file of a drill before this one. */
static int64_t former_success(const char *path)
{
	json_t *o = json_load_file(path, 0, NULL);
	const char *text = json_string_value(json_object_get(o, "last_success"));
	int64_t ms = CLOCK_UNKNOWN;
	if (text == NULL || !clock_parse_iso(text, &ms))
		ms = CLOCK_UNKNOWN;
	json_decref(o);
	return ms;
}

static int write_all(int fd, const char *text, struct err *e)
{
	size_t left = strlen(text);
	while (left > 0) {
		ssize_t n = write(fd, text, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(e, n < 0 ? errno : ENOSPC, "cannot write");
		text += n;
		left -= (size_t)n;
	}
	return fsync(fd) == 0 ? 0 : err_errno(e, errno, "cannot write");
}

/* Whole or not at all. */
static int replace(const char *folder, const char *path, const char *text, struct err *e)
{
	char *part = NULL;
	int rc = -ERR_SYSTEM;
	if (asprintf(&part, "%s.XXXXXX", path) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	int fd = mkostemp(part, O_CLOEXEC);
	if (fd < 0) {
		rc = err_errno(e, errno, "cannot make a file");
	} else {
		rc = write_all(fd, text, e);
		if (close(fd) != 0 && rc == 0)
			rc = err_errno(e, errno, "cannot write");
		if (rc == 0 && rename(part, path) != 0)
			rc = err_errno(e, errno, "cannot rename");
		if (rc < 0)
			unlink(part);
	}
	int dir = rc == 0 ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir >= 0) {
		fsync(dir);
		close(dir);
	}
	free(part);
	return rc;
}

/* "<state_dir>/drill/<table>.json", malloc'd, with its folder in *folder; NULL where there is no state folder. */
static char *local_path(const struct drill *d, char **folder)
{
	const char *state_dir = d->session->conf->state_dir;
	char *path = NULL;
	*folder = NULL;
	if (d->options->bucket != NULL || access(state_dir, F_OK) != 0)
		return NULL;
	if (asprintf(folder, "%s/drill", state_dir) < 0) {
		*folder = NULL;
		return NULL;
	}
	if (asprintf(&path, "%s/%s.json", *folder, d->options->table) < 0)
		return NULL;
	return path;
}

static void put_in_bucket(struct drill *d, const char *text)
{
	char amz[17], *key;
	struct err e;
	/* Also what a signal has ended is put on record. */
	bool stopped = d->session->stop;
	d->session->stop = false;
	if (asprintf(&key, "%sdrills/%s.json", d->session->meta_path, clock_amz(amz, d->began_ms)) < 0) {
		cli_say("out of memory");
	} else {
		if (session_put(d->session, key, span_of(text), &e) < 0)
			cli_say("the result is not in the bucket: %s; allow s3:PutObject on %s", e.message, key);
		free(key);
	}
	d->session->stop = d->session->stop || stopped;
}

void drill_record(struct drill *d)
{
	struct err e;
	char *folder, *path = local_path(d, &folder);
	int64_t success_ms = path != NULL ? former_success(path) : CLOCK_UNKNOWN;
	if (strcmp(d->outcome, "passed") == 0)
		success_ms = d->ended_ms;
	json_t *o = drill_json(d, success_ms, false);
	char *text = o != NULL ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	if (text == NULL)
		cli_say("out of memory: the result is not on record");
	if (text != NULL && path != NULL) {
		mkdir(folder, 0700);
		if (replace(folder, path, text, &e) < 0)
			cli_say("%s: %s: the daemon does not show this drill", path, e.message);
	}
	if (text != NULL)
		put_in_bucket(d, text);
	free(text);
	free(path);
	free(folder);
}
