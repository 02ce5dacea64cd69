/* restore: what is to be restored, and what came of it. One file for each kind of target: restore_*.c. */
#ifndef DDB_CLI_RESTORE_H
#define DDB_CLI_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "options.h"
#include "resolve.h"
#include "session.h"
#include "state.h"

struct restore_plan {
	struct session *session;
	const struct options *options;
	struct resolve_point at;
	int64_t since_ms;   /* CLOCK_UNKNOWN: all items, not only those that changed after it */
	const char *prefix; /* of the items' keys, or with `exact` the key */
	bool exact;
};

struct restore_figures {
	uint64_t items;	  /* that were written */
	uint64_t bytes;	  /* of them */
	uint64_t missing; /* that cannot be had; each was named on standard error */
};

/* To a file of lines {"Item":{...}}, or standard output. -ERR_CONFLICT when the file exists. */
int restore_to_file(const struct restore_plan *p, struct restore_figures *out, struct err *e);

/* The options of a state that every kind of restore begins with. */
struct state_options restore_state_options(const struct restore_plan *p);

#endif
