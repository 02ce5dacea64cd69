#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)256 << 10) /* instead of 4 KiB, which would be a call of the kernel for some items */

/* PATH.part, or NULL and an error, as when there is PATH already. */
static int name_part(struct sink *s, const char *path, struct err *e)
{
	*s = (struct sink){0};
	if (access(path, F_OK) == 0)
		return err_set(e, ERR_CONFLICT, "%s exists: name another file, or remove it", path);
	if (asprintf(&s->part, "%s.part", path) < 0) {
		s->part = NULL;
		return err_set(e, ERR_SYSTEM, "out of memory");
	}
	return 0;
}

static int attach(struct sink *s, const char *path, int fd, struct err *e)
{
	s->path = path;
	s->file = fdopen(fd, "w");
	if (s->file != NULL) {
		setvbuf(s->file, NULL, _IOFBF, BUFFER_BYTES);
		return 0;
	}
	int rc = err_errno(e, errno, "%s", s->part);
	close(fd);
	sink_close(s, true);
	return rc;
}

/* A file that is not ours to remove is forgotten. */
static int forget(struct sink *s, int rc)
{
	free(s->part);
	s->part = NULL;
	return rc;
}

int sink_open(struct sink *s, const char *path, struct err *e)
{
	if (strcmp(path, "-") == 0) {
		*s = (struct sink){.file = stdout};
		return 0;
	}
	int rc = name_part(s, path, e);
	if (s->part == NULL)
		return rc;
	/* Items are nobody else's business. */
	int fd = open(s->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		return attach(s, path, fd, e);
	rc = errno == EEXIST ? err_set(e, ERR_CONFLICT,
				       "%s exists: another run writes it, or one was stopped; go on with that one by "
				       "--resume, or remove the file",
				       s->part)
			     : err_errno(e, errno, "%s", s->part);
	return forget(s, rc);
}

int sink_resume(struct sink *s, const char *path, uint64_t bytes, struct err *e)
{
	struct stat st;
	int rc = name_part(s, path, e);
	if (s->part == NULL)
		return rc;
	int fd = open(s->part, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		rc = errno == ENOENT
			     ? err_set(e, ERR_CONFLICT, "%s is not there: begin anew, without --resume", s->part)
			     : err_errno(e, errno, "%s", s->part);
		return forget(s, rc);
	}
	if (fstat(fd, &st) < 0)
		rc = err_errno(e, errno, "%s", s->part);
	else if ((uint64_t)st.st_size < bytes)
		rc = err_set(e, ERR_CONFLICT, "%s is shorter than its journal says: remove both, and begin anew",
			     s->part);
	else if (ftruncate(fd, (off_t)bytes) < 0 || lseek(fd, 0, SEEK_END) < 0)
		rc = err_errno(e, errno, "%s", s->part);
	if (rc < 0) {
		close(fd);
		return forget(s, rc);
	}
	rc = attach(s, path, fd, e);
	s->bytes = bytes;
	return rc;
}

int sink_sync(struct sink *s, struct err *e)
{
	if (fflush(s->file) != 0 || (s->path != NULL && fdatasync(fileno(s->file)) != 0))
		return err_errno(e, errno, "%s", s->path ? s->part : "standard output");
	return 0;
}

int sink_write(struct sink *s, struct span bytes, struct err *e)
{
	if (fwrite(bytes.ptr, 1, bytes.len, s->file) != bytes.len)
		return err_errno(e, errno, "%s", s->path ? s->part : "standard output");
	s->bytes += bytes.len;
	return 0;
}

/* The new name must outlive a power failure too. */
static int sync_folder(const char *path)
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

int sink_commit(struct sink *s, struct err *e)
{
	if (fflush(s->file) != 0)
		return err_errno(e, errno, "%s", s->path ? s->part : "standard output");
	if (s->path == NULL)
		return 0;
	if (fsync(fileno(s->file)) != 0 || rename(s->part, s->path) != 0 || sync_folder(s->path) != 0)
		return err_errno(e, errno, "%s", s->path);
	free(s->part);
	s->part = NULL;
	return 0;
}

void sink_close(struct sink *s, bool keep)
{
	if (s->path != NULL && s->file != NULL)
		fclose(s->file);
	if (s->part != NULL && !keep)
		unlink(s->part);
	free(s->part);
	*s = (struct sink){0};
}
