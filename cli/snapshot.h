/* snapshot: a table's state into files (export.h), for the verb snapshot and for a restore by import. */
#ifndef DDB_CLI_SNAPSHOT_H
#define DDB_CLI_SNAPSHOT_H

#include <stdint.h>

#include "export.h"
#include "narrow.h"
#include "resolve.h"
#include "session.h"

struct snapshot {
	struct session *session;
	const struct narrow *narrow;
	struct resolve_point at;
	int64_t since_ms;  /* only items that changed after it; CLOCK_UNKNOWN: all */
	uint64_t expected; /* about how many items there will be; 0: not known */
	struct export *export;
	uint64_t missing; /* items that cannot be had; each was named on standard error */
};

/*
 * May an export go to `to`? Not among the objects of the backup, whose tables would then have items of no table. Returns 0,
 * or the exit code after saying so.
 */
int snapshot_check(const struct session *s, const char *to);
/* Is it s3://...? Else it is a folder. */
bool snapshot_is_bucket(const char *to);
/* How many PUT and POST requests an export of items of so many bytes takes there, at most. */
uint64_t snapshot_requests_most(uint64_t bytes);
/*
 * Writes it all; session, narrow, at and since_ms are set. Returns 0, or the exit code after saying what is wrong; also
 * items that are missing are no error here. Call snapshot_close in every case.
 */
int snapshot_write(struct snapshot *sn, const struct export_options *eo);
void snapshot_close(struct snapshot *sn);

#endif
