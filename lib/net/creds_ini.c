/*
 * creds_ini: the format of AWS's shared credentials and config files (AWS SDKs and Tools Reference Guide, "Shared config
 * and credentials files").
 *
 * Not inih: it cuts a line at 200 bytes as it is built in Debian, and a session token is several times that; and it
 * leaves copies of the secrets on the stack.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/creds_provider.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
	while (s.len > 0 && blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* A value ends at a blank and a comment sign; without the blank the sign belongs to the value. */
static struct span cut_comment(struct span s)
{
	for (size_t i = 1; i < s.len; i++)
		if ((s.ptr[i] == '#' || s.ptr[i] == ';') && blank(s.ptr[i - 1]))
			return trim((struct span){s.ptr, i});
	return s;
}

static int parse_line(struct span line, struct span *section, creds_ini_fn *fn, void *arg)
{
	struct span text = trim(line);
	const char *sign;

	if (text.len == 0 || text.ptr[0] == '#' || text.ptr[0] == ';')
		return 0;
	if (text.ptr[0] == '[') {
		sign = memchr(text.ptr, ']', text.len);
		if (!sign)
			return -ERR_INVALID;
		*section = trim((struct span){text.ptr + 1, (size_t)(sign - text.ptr - 1)});
		fn(arg, *section, SPAN_LIT(""), SPAN_LIT(""));
		return 0;
	}
	/* An indented line belongs to the setting above it, such as "s3 =": none of those is ours. */
	if (blank(line.ptr[0]))
		return 0;
	sign = memchr(text.ptr, '=', text.len);
	if (!sign || sign == text.ptr || section->len == 0)
		return -ERR_INVALID;
	fn(arg, *section, trim((struct span){text.ptr, (size_t)(sign - text.ptr)}),
	   cut_comment(trim((struct span){sign + 1, text.len - (size_t)(sign + 1 - text.ptr)})));
	return 0;
}

static int parse(const char *path, struct span text, creds_ini_fn *fn, void *arg, struct err *e)
{
	struct span section = SPAN_LIT("");
	const char *end = text.ptr + text.len;

	/* A byte order mark, as some editors write it. */
	if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0)
		text.ptr += 3;
	for (unsigned number = 1; text.ptr < end; number++) {
		const char *stop = memchr(text.ptr, '\n', (size_t)(end - text.ptr));

		if (!stop)
			stop = end;
		if (stop > text.ptr &&
		    parse_line((struct span){text.ptr, (size_t)(stop - text.ptr)}, &section, fn, arg) < 0)
			return err_set(e, ERR_INVALID, "%s:%u: expected [PROFILE] or NAME = VALUE below one", path,
				       number);
		text.ptr = stop + 1;
	}
	return 0;
}

/* Reads up to `size` bytes; the number read, or -1 with errno. */
static ssize_t read_all(int fd, char *to, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, to + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

int creds_ini_read(const char *path, creds_ini_fn *fn, void *arg, struct err *e)
{
	/* Not blocking: a FIFO in the place of the file would otherwise hold the loop up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	ssize_t len;
	size_t size;
	int rc;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_NOT_FOUND, "%s: no such file", path);
	if (fd < 0)
		return err_errno(e, errno, "%s", path);
	if (fstat(fd, &st) < 0) {
		rc = err_errno(e, errno, "%s", path);
		goto out;
	}
	if (S_ISDIR(st.st_mode)) {
		rc = err_errno(e, EISDIR, "%s", path);
		goto out;
	}
	if (st.st_size > CREDS_FILE_MAX_BYTES) {
		rc = err_set(e, ERR_LIMIT, "%s: larger than %d bytes", path, CREDS_FILE_MAX_BYTES);
		goto out;
	}
	/* A file that grows meanwhile is read up to its old size, and again at its next change. */
	size = S_ISREG(st.st_mode) ? (size_t)st.st_size : CREDS_FILE_MAX_BYTES;
	text = malloc(size + 1);
	if (!text) {
		rc = err_errno(e, ENOMEM, "%s", path);
		goto out;
	}
	len = read_all(fd, text, size);
	if (len < 0)
		rc = err_errno(e, errno, "%s", path);
	else
		rc = parse(path, (struct span){text, (size_t)len}, fn, arg, e);
	explicit_bzero(text, size + 1);
out:
	free(text);
	close(fd);
	return rc;
}
