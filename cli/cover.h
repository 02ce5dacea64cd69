/* cover: a time that an operator names, and whether the backup is known to be whole at it. */
#ifndef DDB_CLI_COVER_H
#define DDB_CLI_COVER_H

#include <stdint.h>

#include "base/when.h"
#include "options.h"
#include "session.h"

#define COVER_ALLOWED "latest, " WHEN_ALLOWED

/*
 * Reads `text`, the value of `option` ("--at"); "latest", the last moment that is known to be complete, is left to
 * cover_check. Returns 0, or the exit code after saying what is wrong.
 */
int cover_parse(const char *option, const char *text, int64_t *at_ms);

/*
 * Is all that happened up to `text` known to be in the bucket? *at_ms, from cover_parse, is filled for "latest". Returns 0,
 * with --force also after a warning; else the exit code after saying why not.
 */
int cover_check(struct session *s, const struct options *o, const char *option, const char *text, int64_t *at_ms);

#endif
