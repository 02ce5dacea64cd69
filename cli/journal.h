/*
 * journal: how far a run has come, so that one that was stopped can go on: a small file beside what it writes, saved once
 * a second and again at the end, by write, fsync and rename. It names what was asked for; another request does not go on
 * from it; and while a run has it, no other run does.
 */
#ifndef DDB_CLI_JOURNAL_H
#define DDB_CLI_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "range.h"

struct journal {
	char *path;   /* NULL: no journal is kept */
	bool folders; /* those of `path` are made when it is saved */
	json_t *what; /* what was asked for: an object of strings */
	uv_timer_t timer;
	bool ticking;
	/* Brings what the counts tell of to disk, and fills the counts; before each save. 0 or a negative error. */
	int (*before)(struct journal *j, struct err *e);
	/* After a save that failed on the timer. */
	void (*failed)(int rc, const struct err *e, void *arg);
	void *arg;
	const struct ranges *ranges; /* NULL: nothing is listed yet */
	/* What a save holds beside the ranges, and what a load gives back. */
	int64_t at_ms, since_ms;
	uint64_t items, bytes, missing;
	bool created; /* the run made its target itself */
	bool saved;   /* there is a file */
	bool fresh;   /* there was none, and the first save must find none */
	int fd;	      /* of the file, which is locked; -1: none is */
	/* Of a run that says itself up to where it may go on: saved in place of the ranges. NULL: the ranges. */
	json_t *position;
	json_t *more; /* what else the kind of run notes; NULL: nothing */
	/* Filled by journal_load: bounds of what is left, inside of memory of the journal. */
	struct range_bounds bounds[RANGES_MAX];
	size_t nbounds;
	struct buf keys;
};

/* Takes `path` (malloc'd; NULL: no journal) and `what`. */
void journal_init(struct journal *j, char *path, json_t *what);
/* Where the journal of such a request lies when it has no file beside which it could: malloc'd, in `folder`; when that is
 * NULL, below $XDG_STATE_HOME, or ~/.local/state, in folders that are still to be made, or in the working directory. NULL on
 * failure. */
char *journal_default_path(const json_t *what, const char *folder, struct err *e);

/*
 * Reads what a run left. *exists tells whether there is anything. -ERR_CONFLICT when it is of another request (the message
 * names the first difference), -ERR_RETRY when it is of a run that goes on, -ERR_CORRUPT, -ERR_SYSTEM.
 */
int journal_load(struct journal *j, bool *exists, struct err *e);
/* The same for --resume: returns 0, or the exit code after saying what is wrong, also when there is nothing. */
int journal_resume(struct journal *j);
/*
 * For a run that must not begin while there is something to go on with: the same. Of two that begin at the same time, the
 * first save of one fails with -ERR_RETRY.
 */
int journal_refuse(struct journal *j);
/* Says that what it holds cannot be gone on from. -ERR_CORRUPT. */
int journal_damaged(const struct journal *j, struct err *e);
/* Where the ranges are now: a new reference, NULL without memory. */
json_t *journal_position(const struct journal *j);
/* Saves once a second from now on, where the ranges are. */
void journal_start(struct journal *j, uv_loop_t *loop, const struct ranges *ranges);
int journal_save(struct journal *j, struct err *e);
/*
 * Ends the saving; with `keep` saves once more (when that fails, an older one stays), else removes the file. Run the loop
 * once more. 0 or a negative error.
 */
int journal_end(struct journal *j, bool keep, struct err *e);
void journal_fini(struct journal *j);

#endif
