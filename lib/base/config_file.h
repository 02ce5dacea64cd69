/*
 * config_file: a configuration file's sections and keys, line by line. For config.c only.
 *
 *     # a comment; so is a line that starts with ';', and only at the start of a line
 *     [section]
 *     key = value with ; and # in it
 *
 * Blanks around keys, values and lines do not count, quotes are not special, a byte order mark is skipped. Refused: a
 * line without '=', one over CONFIG_LINE_MAX_BYTES, a file over CONFIG_FILE_MAX_BYTES, NUL bytes, and values with
 * control characters or not in UTF-8.
 */
#ifndef DDB_BASE_CONFIG_FILE_H
#define DDB_BASE_CONFIG_FILE_H

#include <stddef.h>

#include "base/err.h"

#define CONFIG_LINE_MAX_BYTES 1000
#define CONFIG_FILE_MAX_BYTES (1024 * 1024)

/* What to do with what is read. Both return 0, or a negative error with `e` filled, which ends the reading. */
struct config_file_sink {
	void *user;
	int (*section)(void *user, int line, const char *section, struct err *e);
	int (*key)(void *user, int line, const char *key, const char *value, struct err *e);
};

/* Reads all of `path`. 0, the first error of the sink, -ERR_INVALID, or -ERR_SYSTEM when it cannot be read. */
int config_file_read(const char *path, const struct config_file_sink *sink, struct err *e);

/*
 * Fills `e` with "PATH:LINE: " and the message; line 0 leaves ":LINE" out. A long path keeps its end.
 * Returns -ERR_INVALID.
 */
int config_file_fail(struct err *e, const char *path, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* `text` for a message: past 64 bytes it is cut, with "...". */
struct config_file_shown {
	char text[72];
};
struct config_file_shown config_file_show(const char *text);

#endif
