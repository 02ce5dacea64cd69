/* A folder as the place of an export: NAME.part is written, brought to disk and renamed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export_place.h"

/* Items are nobody else's business. */
#define FILE_MODE 0600
#define FOLDER_MODE 0700

struct folder {
	struct export_place place;
	uv_loop_t *loop;
	char *path;
	struct folder_file *files; /* that are not done */
};

struct folder_file {
	struct export_file file;
	struct folder_file *next;
	int fd;
	char *path, *part; /* `part` NULL: it has its name */
	bool ended, halted;
	uv_work_t work; /* `ended`: in use */
	int rc;		/* of the work */
	struct err err;
};

static struct folder *folder_of(struct export_place *p)
{
	return (struct folder *)p;
}

static char *path_of(const struct folder *d, const char *name, const char *suffix)
{
	char *path;
	return asprintf(&path, "%s%s%s", d->place.root, name, suffix) < 0 ? NULL : path;
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "out of memory");
}

static int refused(struct err *e, int errnum, const char *path)
{
	int rc = err_errno(e, errnum, "%s", path);
	if (e != NULL && (errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG)) {
		size_t len = strlen(e->message);
		snprintf(e->message + len, sizeof(e->message) - len, "; make room, or choose another folder");
	}
	return rc;
}

/* A new name must outlive a power failure too. */
static int sync_parent(const char *path)
{
	char *copy = strdup(path);
	if (copy == NULL)
		return -1;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -1;
	int rc = fsync(fd);
	close(fd);
	return rc;
}

static int folder_exists(struct export_place *p, const char *name, bool *exists, const bool *stop, struct err *e)
{
	(void)stop;
	char *path = path_of(folder_of(p), name, "");
	if (path == NULL)
		return no_memory(e);
	*exists = access(path, F_OK) == 0;
	int rc = *exists || errno == ENOENT ? 0 : err_errno(e, errno, "%s", path);
	free(path);
	return rc;
}

static int folder_make(struct export_place *p, const char *name, struct err *e)
{
	char *path = path_of(folder_of(p), name, "/");
	int rc = 0;
	if (path == NULL)
		return no_memory(e);
	for (char *slash = strchr(path + 1, '/'); slash != NULL && rc == 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, FOLDER_MODE) == 0 ? sync_parent(path) != 0 : errno != EEXIST)
			rc = refused(e, errno, path);
		*slash = '/';
	}
	free(path);
	return rc;
}

/* --- files that grow --- */

static void free_file(struct folder_file *f)
{
	struct folder_file **at = &folder_of(f->file.place)->files;
	while (*at != NULL && *at != f)
		at = &(*at)->next;
	if (*at != NULL)
		*at = f->next;
	if (f->fd >= 0)
		close(f->fd);
	if (f->part != NULL)
		unlink(f->part);
	free(f->part);
	free(f->path);
	free(f->file.name);
	free(f);
}

static int open_part(struct folder_file *f, struct err *e)
{
	f->fd = open(f->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (f->fd >= 0)
		return 0;
	int rc = errno == EEXIST
			 ? err_set(e, ERR_CONFLICT,
				   "%s exists: another run writes it, or one was killed; then remove it", f->part)
			 : refused(e, errno, f->part);
	/* So that it is not taken away: it is not ours. */
	free(f->part);
	f->part = NULL;
	return rc;
}

/* NULL on failure. */
static struct folder_file *new_file(struct export_place *p, const char *name, struct err *e)
{
	struct folder *d = folder_of(p);
	struct folder_file *f = calloc(1, sizeof(*f));
	if (f == NULL) {
		no_memory(e);
		return NULL;
	}
	f->file.place = p;
	f->fd = -1;
	f->file.name = strdup(name);
	f->path = path_of(d, name, "");
	f->part = path_of(d, name, ".part");
	bool all = f->file.name != NULL && f->path != NULL && f->part != NULL;
	if (!all)
		no_memory(e);
	if (!all || open_part(f, e) < 0) {
		free_file(f);
		return NULL;
	}
	f->next = d->files;
	d->files = f;
	return f;
}

static int folder_begin(struct export_place *p, const char *name, const char *type, struct export_file **out,
			struct err *e)
{
	struct folder_file *f = new_file(p, name, e);
	(void)type;
	if (f == NULL)
		return -(int)e->class;
	*out = &f->file;
	return 0;
}

static bool folder_ready(struct export_file *file)
{
	(void)file;
	return true;
}

static int write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			bytes = (struct span){bytes.ptr + n, bytes.len - (size_t)n};
	}
	return 0;
}

static void folder_write(struct export_file *file, struct span bytes)
{
	struct folder_file *f = (struct folder_file *)file;
	struct err e;
	if (write_all(f->fd, bytes) < 0) {
		int rc = refused(&e, errno, f->part);
		export_place_fail(file->place, rc, &e);
	}
}

static int settle(struct folder_file *f, struct err *e)
{
	if (fsync(f->fd) != 0)
		return refused(e, errno, f->part);
	if (rename(f->part, f->path) != 0 || sync_parent(f->path) != 0)
		return refused(e, errno, f->path);
	return 0;
}

/* On another thread: a disk may take seconds for it, in which the loop has requests to see to. */
static void work(uv_work_t *w)
{
	struct folder_file *f = w->data;
	f->rc = settle(f, &f->err);
}

static void after_work(uv_work_t *w, int status)
{
	struct folder_file *f = w->data;
	struct export_place *p = f->file.place;
	(void)status;
	f->ended = false;
	if (f->halted)
		return;
	if (f->rc < 0) {
		export_place_fail(p, f->rc, &f->err);
		return;
	}
	free(f->part);
	f->part = NULL;
	f->file.done(&f->file, f->file.arg);
	free_file(f);
	p->wake(p->arg);
}

static void folder_end(struct export_file *file)
{
	struct folder_file *f = (struct folder_file *)file;
	struct err e;
	f->work.data = f;
	int rc = uv_queue_work(folder_of(file->place)->loop, &f->work, work, after_work);
	if (rc == 0) {
		f->ended = true;
		return;
	}
	rc = err_errno(&e, -rc, "%s", f->part);
	export_place_fail(file->place, rc, &e);
}

static void folder_halt(struct export_place *p)
{
	struct folder *d = folder_of(p);
	while (d->files != NULL) {
		struct folder_file *f = d->files;
		f->halted = true;
		while (f->ended)
			uv_run(d->loop, UV_RUN_ONCE);
		/* It may have got its name by now. */
		unlink(f->path);
		free_file(f);
	}
}

static int folder_remove(struct export_place *p, const char *name, const bool *stop, struct err *e)
{
	(void)stop;
	char *path = path_of(folder_of(p), name, "");
	if (path == NULL)
		return no_memory(e);
	int rc = remove(path) == 0 || errno == ENOENT ? 0 : err_errno(e, errno, "%s", path);
	free(path);
	return rc;
}

/* --- what another run has left --- */

static int survey_one(struct folder *d, const char *folder, const char *file, export_place_found *found, void *arg,
		      struct err *e)
{
	char *name = NULL, *path = NULL;
	struct stat st;
	int rc = 0;
	if (asprintf(&name, "%s%s", folder, file) < 0)
		return no_memory(e);
	path = path_of(d, name, "");
	if (path == NULL)
		rc = no_memory(e);
	else if (lstat(path, &st) < 0)
		rc = errno == ENOENT ? 0 : err_errno(e, errno, "%s", path);
	else if (!S_ISDIR(st.st_mode))
		rc = found(arg, name, (uint64_t)st.st_size, "", e);
	free(name);
	free(path);
	return rc;
}

static int folder_survey(struct export_place *p, const char *folder, export_place_found *found, void *arg,
			 const bool *stop, struct err *e)
{
	char *path = path_of(folder_of(p), folder, "");
	if (path == NULL)
		return no_memory(e);
	DIR *dir = opendir(path);
	int rc = dir != NULL || errno == ENOENT ? 0 : err_errno(e, errno, "%s", path);
	for (const struct dirent *one; rc == 0 && dir != NULL && (one = readdir(dir)) != NULL;)
		rc = survey_one(folder_of(p), folder, one->d_name, found, arg, e);
	(void)stop;
	if (dir != NULL)
		closedir(dir);
	free(path);
	return rc;
}

static void folder_uploads(struct export_place *p, void (*each)(void *arg, const char *name, const char *upload_id),
			   void *arg)
{
	(void)p;
	(void)each;
	(void)arg;
}

static int folder_abort(struct export_place *p, const char *name, const char *upload_id, const bool *stop,
			struct err *e)
{
	(void)p;
	(void)name;
	(void)upload_id;
	(void)stop;
	(void)e;
	return 0;
}

/* --- small files --- */

static int folder_put(struct export_place *p, const char *name, const char *type, struct span body, const bool *stop,
		      struct err *e)
{
	struct folder_file *f = new_file(p, name, e);
	(void)type;
	(void)stop;
	if (f == NULL)
		return -(int)e->class;
	int rc = write_all(f->fd, body) < 0 ? refused(e, errno, f->part) : settle(f, e);
	if (rc == 0) {
		free(f->part);
		f->part = NULL;
	}
	free_file(f);
	return rc;
}

static void folder_free(struct export_place *p)
{
	struct folder *d = folder_of(p);
	free(d->path);
	free(d);
}

struct export_place *export_folder_new(uv_loop_t *loop, const char *path, struct err *e)
{
	static const struct export_place_ops ops = {
		.exists = folder_exists,
		.make_folder = folder_make,
		.put = folder_put,
		.begin = folder_begin,
		.ready = folder_ready,
		.write = folder_write,
		.end = folder_end,
		.halt = folder_halt,
		.remove = folder_remove,
		.survey = folder_survey,
		.uploads = folder_uploads,
		.abort = folder_abort,
		.free = folder_free,
	};
	struct folder *d = calloc(1, sizeof(*d));
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	if (d == NULL || asprintf(&d->path, "%.*s%s", (int)len, path, path[len - 1] == '/' ? "" : "/") < 0) {
		free(d);
		no_memory(e);
		return NULL;
	}
	d->place.ops = &ops;
	d->place.root = d->path;
	d->loop = loop;
	return &d->place;
}
