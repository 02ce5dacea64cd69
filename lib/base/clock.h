/*
 * clock: the two clocks, and times as text.
 * Wall times are milliseconds since 1970 UTC, monotonic times milliseconds since some point. Unknown is CLOCK_UNKNOWN.
 */
#ifndef DDB_BASE_CLOCK_H
#define DDB_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_UNKNOWN INT64_MIN
#define CLOCK_ISO_SIZE 32 /* room for clock_iso */

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);

/* "2026-11-23T12:40:35.195Z", always with milliseconds; "" for CLOCK_UNKNOWN or years outside 0000-9999. Returns `out`.
 */
char *clock_iso(char out[CLOCK_ISO_SIZE], int64_t wall_ms);
/*
 * RFC 3339 with a zone ("Z" or +hh:mm), with or without fraction; fractions past milliseconds are cut.
 * A leap second (23:59:60 UTC) counts as the next second. False when `s` is anything else.
 */
bool clock_parse_iso(const char *s, int64_t *wall_ms);
/* RFC 9110 IMF-fixdate, "Mon, 23 Nov 2026 12:42:05 GMT". False when `s` is anything else. */
bool clock_parse_http(const char *s, int64_t *wall_ms);
/* AWS "basic" form as SigV4 wants it: "20261123T124205Z" (17 bytes with NUL); "" as clock_iso. Returns `out`. */
char *clock_amz(char out[17], int64_t wall_ms);

#endif
