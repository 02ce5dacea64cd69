/*
 * journal: how far a run has come, so that one that was stopped can go on: a small file beside what it writes, saved once
 * a second and again at the end, by write, fsync and rename. It names what was asked for; another request does not go on
 * from it.
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
	/* Filled by journal_load: bounds of what is left, inside of memory of the journal. */
	struct range_bounds bounds[RANGES_MAX];
	size_t nbounds;
	struct buf keys;
};

/* Takes `path` (malloc'd; NULL: no journal) and `what`. */
void journal_init(struct journal *j, char *path, json_t *what);
/* Where the journal of such a request lies when it has no file beside which it could: malloc'd, below $XDG_STATE_HOME, or
 * ~/.local/state, or the working directory. NULL on failure. */
char *journal_default_path(const json_t *what, struct err *e);

/*
 * Reads what a run left. *exists tells whether there is anything. -ERR_CONFLICT when it is of another request (the message
 * names the first difference), -ERR_CORRUPT, -ERR_SYSTEM.
 */
int journal_load(struct journal *j, bool *exists, struct err *e);
/* Saves once a second from now on. */
void journal_start(struct journal *j, uv_loop_t *loop, const struct ranges *ranges);
int journal_save(struct journal *j, struct err *e);
/*
 * Ends the saving; with `keep` saves once more (when that fails, an older one stays), else removes the file. Run the loop
 * once more. 0 or a negative error.
 */
int journal_end(struct journal *j, bool keep, struct err *e);
void journal_fini(struct journal *j);

#endif
