#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/digest.h"
#include "codec/encode.h"

#define HEADER "ddb-streamd checkpoint "
#define VERSION "1"
#define FILE_BYTES_MAX ((size_t)256 << 20) /* a million shards; a larger file is not ours */
#define CHECKSUM_LINE (sizeof("sha256 ") - 1 + 64 + 1)
#define REMEDY                                                                                                    \
	"; move the file away to resume from watermark.json in the bucket (nothing is lost: records of the last " \
	"24 hours are read again and compared with S3)"

static void checksum_line(char out[CHECKSUM_LINE], const char *text, size_t len)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	digest_sha256(digest, text, len);
	memcpy(out, "sha256 ", 7);
	encode_hex(out + 7, digest, sizeof(digest));
	out[CHECKSUM_LINE - 1] = '\n';
}

int checkpoint_encode(const struct checkpoint *c, struct buf *out, struct err *e)
{
	char iso[CLOCK_ISO_SIZE], *text = NULL;
	json_t *o = json_object(), *position = position_to_json(c->position);
	int rc = -ERR_SYSTEM;
	if (o == NULL || position == NULL) {
		json_decref(position);
		goto out;
	}
	json_object_set_new(o, "horizon", json_string(clock_iso(iso, c->horizon_ms)));
	json_object_set_new(o, "clean", json_boolean(c->clean));
	json_object_set_new(o, "position", position);
	text = json_dumps(o, JSON_COMPACT);
	if (text == NULL)
		goto out;
	size_t start = out->len;
	rc = buf_printf(out, HEADER VERSION "\n%s\n", text);
	if (rc < 0)
		goto out;
	char line[CHECKSUM_LINE];
	checksum_line(line, out->data + start, out->len - start);
	rc = buf_append(out, line, sizeof(line));
out:
	free(text);
	json_decref(o);
	return rc < 0 ? err_set(e, (enum err_class) - rc, "checkpoint does not fit in memory") : 0;
}

static int read_file(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, "%s does not exist", path);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot be opened", path);
	int rc = 0;
	char piece[65536];
	ssize_t n;
	while (rc == 0 && (n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? err_errno(e, errno, "%s: cannot be read", path) : buf_append(out, piece, (size_t)n);
		if (rc == -ERR_SYSTEM && n > 0)
			err_errno(e, ENOMEM, "%s", path);
		if (rc == -ERR_LIMIT)
			err_set(e, ERR_CORRUPT, "%s: is too large to be a checkpoint" REMEDY, path);
	}
	close(fd);
	return rc == -ERR_LIMIT ? -ERR_CORRUPT : rc;
}

/* Finds the JSON line of a file whose frame and checksum are right. */
static int unframe(const char *path, struct span text, struct span *json, struct err *e)
{
	const size_t header = sizeof(HEADER) - 1;
	if (text.len < header || memcmp(text.ptr, HEADER, header) != 0)
		return err_set(e, ERR_CORRUPT, "%s: is not a checkpoint of ddb-streamd" REMEDY, path);
	if (text.len < header + 2 || memcmp(text.ptr + header, VERSION "\n", 2) != 0)
		return err_set(e, ERR_CORRUPT,
			       "%s: has a format that this version does not know; use the ddb-streamd that wrote it, "
			       "or a newer one",
			       path);
	char line[CHECKSUM_LINE];
	size_t start = header + 2;
	if (text.len < start + CHECKSUM_LINE)
		return err_set(e, ERR_CORRUPT, "%s: is cut off" REMEDY, path);
	checksum_line(line, text.ptr, text.len - CHECKSUM_LINE);
	if (memcmp(line, text.ptr + text.len - CHECKSUM_LINE, CHECKSUM_LINE) != 0)
		return err_set(e, ERR_CORRUPT, "%s: is damaged (its checksum does not fit)" REMEDY, path);
	*json = (struct span){text.ptr + start, text.len - start - CHECKSUM_LINE};
	return 0;
}

static int same(const char *path, const char *what, const char *has, const char *want, struct err *e)
{
	if (strcmp(has, want) == 0)
		return 0;
	return err_set(e, ERR_CORRUPT,
		       "%s: belongs to %s \"%s\", the configuration says \"%s\"; give this one a state_dir of its own, "
		       "or move the "
		       "file away to start anew",
		       path, what, has, want);
}

static int decode(const char *path, struct span json, struct checkpoint *out, struct err *e)
{
	json_error_t je;
	json_t *o = json_loadb(json.ptr, json.len, 0, &je);
	const char *horizon = json_string_value(json_object_get(o, "horizon"));
	int rc;
	if (o == NULL || horizon == NULL || !clock_parse_iso(horizon, &out->horizon_ms)) {
		rc = err_set(e, ERR_CORRUPT, "%s: is damaged (%s)" REMEDY, path, o == NULL ? je.text : "no horizon");
		goto out;
	}
	out->clean = json_is_true(json_object_get(o, "clean"));
	rc = position_from_json(json_object_get(o, "position"), &out->position, e);
	if (rc < 0)
		rc = err_prefix(e, "%s", path);
out:
	json_decref(o);
	return rc;
}

int checkpoint_load(const char *path, const char *table, const char *bucket, const char *data_path,
		    struct checkpoint *out, struct err *e)
{
	struct buf text;
	struct span json = {0};
	struct checkpoint c = {0};
	buf_init(&text, FILE_BYTES_MAX);
	int rc = read_file(path, &text, e);
	if (rc == 0)
		rc = unframe(path, (struct span){buf_str(&text), text.len}, &json, e);
	if (rc == 0)
		rc = decode(path, json, &c, e);
	if (rc == 0)
		rc = same(path, "table", c.position->table, table, e);
	if (rc == 0)
		rc = same(path, "bucket", c.position->bucket, bucket, e);
	if (rc == 0)
		rc = same(path, "path", c.position->data_path, data_path, e);
	buf_fini(&text);
	if (rc < 0) {
		position_free(c.position);
		return rc;
	}
	*out = c;
	return 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The rename itself must survive a power cut too. */
static int sync_folder_of(const char *path)
{
	char copy[PATH_MAX];
	if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int rc = fsync(fd), saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

int checkpoint_write(const char *path, const char *text, size_t len, struct err *e)
{
	char tmp[PATH_MAX];
	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
		return err_errno(e, ENAMETOOLONG, "%s", path);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot be created", tmp);
	int rc = 0;
	if (write_all(fd, text, len) < 0)
		rc = err_errno(e, errno, "%s: cannot be written", tmp);
	else if (fsync(fd) < 0)
		rc = err_errno(e, errno, "%s: cannot be synced to disk", tmp);
	if (close(fd) < 0 && rc == 0)
		rc = err_errno(e, errno, "%s: cannot be closed", tmp);
	if (rc == 0 && rename(tmp, path) < 0)
		rc = err_errno(e, errno, "%s: cannot be renamed to %s", tmp, path);
	else if (rc == 0 && sync_folder_of(path) < 0)
		rc = err_errno(e, errno, "the folder of %s cannot be synced to disk", path);
	if (rc < 0)
		unlink(tmp);
	return rc;
}

int checkpoint_saver_init(struct checkpoint_saver *s, const char *path,
			  void (*done)(struct checkpoint_saver *, int, void *), void *arg, struct err *e)
{
	*s = (struct checkpoint_saver){.done = done, .arg = arg};
	buf_init(&s->text, FILE_BYTES_MAX);
	s->path = strdup(path);
	return s->path == NULL ? err_errno(e, ENOMEM, "%s", path) : 0;
}

void checkpoint_saver_fini(struct checkpoint_saver *s)
{
	buf_fini(&s->text);
	free(s->path);
	s->path = NULL;
}

static void on_pool(uv_work_t *w)
{
	struct checkpoint_saver *s = w->data;
	s->rc = checkpoint_write(s->path, buf_str(&s->text), s->text.len, &s->err);
}

static void on_saved(uv_work_t *w, int status)
{
	struct checkpoint_saver *s = w->data;
	s->busy = false;
	buf_trim(&s->text, 64 << 10);
	if (status != 0)
		s->rc = err_set(&s->err, ERR_CANCELLED, "%s: save was cancelled", s->path);
	s->done(s, s->rc, s->arg);
}

int checkpoint_saver_start(struct checkpoint_saver *s, uv_loop_t *loop, const struct checkpoint *c, struct err *e)
{
	buf_reset(&s->text);
	int rc = checkpoint_encode(c, &s->text, e);
	if (rc < 0)
		return rc;
	s->work.data = s;
	rc = uv_queue_work(loop, &s->work, on_pool, on_saved);
	if (rc < 0)
		return err_set(e, ERR_SYSTEM, "%s: thread pool: %s", s->path, uv_strerror(rc));
	s->busy = true;
	return 0;
}
