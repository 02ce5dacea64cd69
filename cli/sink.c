#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sink_open(struct sink *s, const char *path, struct err *e)
{
	*s = (struct sink){0};
	if (strcmp(path, "-") == 0) {
		s->file = stdout;
		return 0;
	}
	if (access(path, F_OK) == 0)
		return err_set(e, ERR_CONFLICT, "%s exists: name another file, or remove it", path);
	char *part;
	if (asprintf(&part, "%s.part", path) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	/* Items are nobody else's business. */
	int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		int rc = errno == EEXIST
				 ? err_set(e, ERR_CONFLICT,
					   "%s exists: another run writes it, or one was killed; then remove it", part)
				 : err_errno(e, errno, "%s", part);
		free(part);
		return rc;
	}
	s->part = part;
	s->path = path;
	s->file = fdopen(fd, "w");
	if (s->file == NULL) {
		int rc = err_errno(e, errno, "%s", part);
		close(fd);
		sink_close(s);
		return rc;
	}
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

void sink_close(struct sink *s)
{
	if (s->path != NULL && s->file != NULL)
		fclose(s->file);
	if (s->part != NULL)
		unlink(s->part);
	free(s->part);
	*s = (struct sink){0};
}
