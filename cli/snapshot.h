/* snapshot: a table's state into files (export.h), for the verb snapshot and for a restore by import. */
#ifndef DDB_CLI_SNAPSHOT_H
#define DDB_CLI_SNAPSHOT_H

#include <stdint.h>

#include "export.h"
#include "journal.h"
#include "narrow.h"
#include "resolve.h"
#include "session.h"
#include "state.h"

struct snapshot {
	struct session *session;
	const struct narrow *narrow;
	struct resolve_point at;
	int64_t since_ms;  /* only items that changed after it; CLOCK_UNKNOWN: all */
	uint64_t expected; /* about how many items there will be; 0: not known */
	/* The files' state is under "export" in journal->more; when it was loaded, the run goes on from there. */
	struct journal *journal;
	bool resumed;
	struct export *export;
	uint64_t missing; /* items that cannot be had; each was named on standard error */
	/* private, the last ones as they were at the last cut */
	struct state state;
	struct export_keeper keeper;
	json_t *cut_position;
	uint64_t cut_items, cut_bytes, cut_missing;
};

/*
 * May an export go to `to`? Not among the objects of the backup, whose tables would then have items of no table. Returns 0,
 * or the exit code after saying so.
 */
int snapshot_check(const struct session *s, const char *to);
/* Is it s3://...? Else it is a folder. */
bool snapshot_is_bucket(const char *to);
/* Says what a damaged journal cannot tell any more, when that is why `code` is the exit code, which it returns. */
int snapshot_left(int code, const char *to);
/* Takes --file-size into `eo`. Returns 0, or the exit code after saying what is wrong. */
int snapshot_file_size(const struct options *o, struct export_options *eo);
/* How many PUT and POST requests an export of items of so many bytes takes there, at most. */
uint64_t snapshot_requests_most(uint64_t bytes);
/*
 * Writes it all; what stands before `export` is set, and eo->keeper and eo->resume are not. Returns 0, or the exit code
 * after saying what is wrong; also items that are missing are no error here. The journal stays when there is something to go
 * on with: after a failure, and when all is done, until journal_end. Call snapshot_close in every case.
 */
int snapshot_write(struct snapshot *sn, const struct export_options *eo);
void snapshot_close(struct snapshot *sn);
/* Removes what a run that was stopped has written, and its journal, which was loaded. Returns as snapshot_write. */
int snapshot_give_up(struct session *s, struct journal *j, const struct export_options *eo);

#endif
