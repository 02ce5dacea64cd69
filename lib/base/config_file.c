#include "base/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/utf8.h"

#define SHOWN_PATH_BYTES 120

static const char blanks[] = " \t\r\n\v\f";

/*
 * inih splits "key = value" and knows comments. The lines come from this reader rather than from inih's own, since
 * inih joins indented lines to the one before, splits long lines silently, cuts section names at 49 bytes (a table's
 * name has up to 255), does not tell of sections without keys, and takes ':' for '='.
 */
struct reader {
	const char *path;
	const struct config_file_sink *sink;
	const char *next, *end; /* what is not read yet */
	int line;		/* of the line that inih has now */
	int result;
	struct err err;
};

int config_file_fail(struct err *e, const char *path, int line, const char *fmt, ...)
{
	struct err text;
	va_list ap;
	char number[16] = "";
	const size_t len = strlen(path);
	const bool cut = len > SHOWN_PATH_BYTES;
	va_start(ap, fmt);
	vsnprintf(text.message, sizeof(text.message), fmt, ap);
	va_end(ap);
	if (line > 0)
		snprintf(number, sizeof(number), ":%d", line);
	return err_set(e, ERR_INVALID, "%s%s%s: %s", cut ? "..." : "", cut ? path + len - SHOWN_PATH_BYTES : path,
		       number, text.message);
}

struct config_file_shown config_file_show(const char *text)
{
	struct config_file_shown s;
	size_t n = strlen(text);
	const bool cut = n > 64;
	if (cut) {
		n = 64;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(s.text, text, n);
	memcpy(s.text + n, cut ? "..." : "", cut ? 4 : 1);
	return s;
}

static bool is_blank(char c)
{
	return c != '\0' && strchr(blanks, c) != NULL;
}

/* A section's heading, which inih does not get to see. `s` is the stripped line, NUL-terminated. */
static int take_section(struct reader *r, char *s)
{
	size_t len = strlen(s);
	if (s[len - 1] != ']')
		return config_file_fail(&r->err, r->path, r->line,
					"\"%s\" does not end with ']'; a section is [NAME] on a line of its own",
					config_file_show(s).text);
	s[--len] = '\0';
	for (s++, len--; len > 0 && is_blank(s[len - 1]); len--)
		s[len - 1] = '\0';
	s += strspn(s, blanks);
	return r->sink->section(r->sink->user, r->line, s, &r->err);
}

/* `s` is the stripped line, NUL-terminated. */
static int check_pair(struct reader *r, const char *s)
{
	size_t key = strcspn(s, "=:");
	if (s[key] != '=')
		return config_file_fail(&r->err, r->path, r->line,
					"\"%s\" is neither a [section] nor \"key = value\"; a key ends with '='",
					config_file_show(s).text);
	if (key == 0)
		return config_file_fail(&r->err, r->path, r->line, "no key before '='; write key = value");
	return 0;
}

/* For inih: the next line without the blanks around it, or NULL at the end and after an error. */
static char *next_line(char *out, int size, void *user)
{
	struct reader *r = user;
	if (r->result < 0 || r->next == r->end)
		return NULL;
	const char *s = r->next;
	const char *newline = memchr(s, '\n', (size_t)(r->end - s));
	const char *stop = newline ? newline : r->end;
	r->next = newline ? newline + 1 : r->end;
	r->line++;
	if (memchr(s, '\0', (size_t)(stop - s)))
		r->result = config_file_fail(&r->err, r->path, r->line, "a NUL byte; this must be a text file");
	while (s < stop && is_blank(*s))
		s++;
	while (stop > s && is_blank(stop[-1]))
		stop--;
	size_t len = (size_t)(stop - s);
	if (r->result == 0 && (len > CONFIG_LINE_MAX_BYTES || len >= (size_t)size))
		r->result = config_file_fail(&r->err, r->path, r->line, "the line has %zu bytes; %d at most", len,
					     CONFIG_LINE_MAX_BYTES);
	if (r->result < 0)
		return NULL;
	memcpy(out, s, len);
	out[len] = '\0';
	if (out[0] == '[') {
		r->result = take_section(r, out);
		out[0] = '\0';
	} else if (out[0] != '\0' && out[0] != '#' && out[0] != ';') {
		r->result = check_pair(r, out);
	}
	return r->result < 0 ? NULL : out;
}

static int check_text(struct reader *r, const char *key, const char *value)
{
	size_t left = strlen(value), n;
	uint32_t cp;
	for (const char *s = value; left > 0; s += n, left -= n) {
		n = utf8_decode(s, left, &cp);
		if (n == 0)
			return config_file_fail(&r->err, r->path, r->line,
						"%s: byte %zu of the value is not UTF-8; save the file as UTF-8",
						config_file_show(key).text, (size_t)(s - value) + 1);
		if (utf8_is_control(cp))
			return config_file_fail(
				&r->err, r->path, r->line,
				"%s: byte %zu of the value is a control character; only text is allowed",
				config_file_show(key).text, (size_t)(s - value) + 1);
	}
	return 0;
}

/* For inih, whose handlers return 1 to go on. Its own idea of the section is cut short, and not used. */
static int take_pair(void *user, const char *section, const char *key, const char *value)
{
	struct reader *r = user;
	(void)section;
	r->result = check_text(r, key, value);
	if (r->result == 0)
		r->result = r->sink->key(r->sink->user, r->line, key, value, &r->err);
	return r->result == 0;
}

/* All of the file into `b`. Its size is not asked for beforehand, so that a pipe will do. */
static int slurp(const char *path, struct buf *b, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), result = 0;
	if (fd < 0)
		return err_errno(e, errno, "%s: the configuration file cannot be opened", path);
	for (;;) {
		char block[8192];
		ssize_t n = read(fd, block, sizeof(block));
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			result = err_errno(e, errno, "%s: the configuration file cannot be read", path);
			break;
		}
		result = buf_append(b, block, (size_t)n);
		if (result == -ERR_LIMIT)
			result = config_file_fail(e, path, 0, "the file is too large; %d bytes at most",
						  CONFIG_FILE_MAX_BYTES);
		else if (result < 0)
			result = err_errno(e, ENOMEM, "%s: the configuration file cannot be read", path);
		if (result < 0)
			break;
	}
	close(fd);
	return result;
}

/* Debian's inih takes its options from variables; nothing else in these programs uses inih. */
static void set_options(void)
{
	ini_max_line = CONFIG_LINE_MAX_BYTES + 3;
	ini_use_stack = true;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_no_value = false;
	ini_stop_on_first_error = true;
}

int config_file_read(const char *path, const struct config_file_sink *sink, struct err *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct reader r = {.path = path, .sink = sink};
	struct buf b;
	buf_init(&b, CONFIG_FILE_MAX_BYTES);
	int result = slurp(path, &b, e);
	if (result < 0)
		goto out;
	r.next = buf_str(&b);
	r.end = r.next + b.len;
	if (b.len >= 3 && memcmp(r.next, bom, 3) == 0)
		r.next += 3;
	set_options();
	int ini = ini_parse_stream(next_line, &r, take_pair, &r);
	result = r.result;
	if (result == 0 && ini != 0)
		result = config_file_fail(&r.err, path, r.line, "the line cannot be understood; write key = value");
	if (result < 0 && e)
		*e = r.err;
out:
	buf_fini(&b);
	return result;
}
