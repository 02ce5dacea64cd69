/* when: a point of time as an operator types it. */
#ifndef DDB_BASE_WHEN_H
#define DDB_BASE_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * "now", a duration ago ("-30m", "-1d12h", as units_duration_ms reads it), or RFC 3339 with a zone. Wall clock, ms.
 * False, with `*wall_ms` as it was, on anything else and on what lies before 1970.
 */
bool when_parse(const char *s, int64_t now_ms, int64_t *wall_ms);

/* What when_parse takes, for messages. */
#define WHEN_ALLOWED "now, an age such as -30m or -1d12h, or a time with its zone such as 2026-11-23T12:40:35Z"

#endif
