/* units: durations, sizes and addresses as an operator writes them. */
#ifndef DDB_BASE_UNITS_H
#define DDB_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * "250ms", "1s", "30m", "2h", "1d", or several of them with falling units, "1h30m"; a unit is required except for 0.
 * False on anything else or overflow.
 */
bool units_duration_ms(const char *s, int64_t *ms);
/* "64MiB", "512KiB", "1GiB", "4096B"; KB/MB/GB are powers of 1000. A unit is required except for 0. */
bool units_size_bytes(const char *s, uint64_t *bytes);
/* Whole decimal number, no sign, no blanks. */
bool units_count(const char *s, uint64_t *n);
/* "30m", "1h30m", "250ms", "0s": exact, each unit once, what units_duration_ms reads. Returns `out`. */
char *units_duration_text(char *out, size_t size, int64_t ms);
/* "127.0.0.1:9464", "[::1]:9464", ":9464" (every address), "localhost:0". `host` gets the part before the port, without
 * brackets. */
bool units_host_port(const char *s, char *host, size_t host_size, uint16_t *port);

#endif
