/* restore: what is to be restored, and what came of it. One file for each kind of target: restore_*.c. */
#ifndef DDB_CLI_RESTORE_H
#define DDB_CLI_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "journal.h"
#include "narrow.h"
#include "options.h"
#include "resolve.h"
#include "schema.h"
#include "session.h"
#include "state.h"

struct restore_plan {
	struct session *session;
	const struct options *options;
	struct resolve_point at;
	int64_t since_ms; /* CLOCK_UNKNOWN: all items, not only those that changed after it */
	const struct narrow *narrow;
	double units_per_s;	 /* cap of write units; 0: none */
	struct journal *journal; /* with what an earlier run left, when it goes on from that */
	bool resumed;
};

struct restore_figures {
	uint64_t items;	  /* that were written */
	uint64_t bytes;	  /* of them */
	uint64_t removed; /* in place: items that were deleted */
	uint64_t same;	  /* in place: items that were equal already */
	uint64_t unknown; /* in place: items of the table that the backup knows nothing of; left alone */
	uint64_t missing; /* that cannot be had; each was named on standard error */
};

/* Each returns 0, or the exit code after saying what is wrong. */

/* To a file of lines {"Item":{...}}, or standard output. */
int restore_to_file(const struct restore_plan *p, struct restore_figures *out);
/* Into a table, which is made when it is not there, and refused when it has items. */
int restore_to_table(const struct restore_plan *p, struct restore_figures *out);
/* The part of it between making the table and finishing it: writes the state's items into restore_target_name. */
int restore_fill(const struct restore_plan *p, const struct schema *sc, struct aws *a, struct restore_figures *out);
/* Makes a table equal to the state. */
int restore_in_place(const struct restore_plan *p, struct restore_figures *out);
/* Into a table that DynamoDB's import makes from a snapshot. */
int restore_by_import(const struct restore_plan *p, struct restore_figures *out);
/* Removes what such a run has written that was stopped before its import began. */
int restore_import_give_up(const struct restore_plan *p, struct restore_figures *out);
/* Says whether that can be done, and what it would take. */
int restore_import_dry(const struct restore_plan *p, struct restore_figures *out);
/* Says what it would take: of a restore into a file or a table, or of a snapshot (options->to). */
int restore_dry(const struct restore_plan *p, struct restore_figures *out);

/* The options of a state that every kind of restore begins with. */
struct state_options restore_state_options(const struct restore_plan *p);
/* Of a run that goes on what was done before; else nothing. */
struct restore_figures restore_figures_before(const struct restore_plan *p);
/* About how many items there will be, of a table with this table.json; 0: not known. */
uint64_t restore_expected(const struct restore_plan *p, const struct schema *sc);
/* The table that is written. */
const char *restore_target_name(const struct restore_plan *p);
/* What the journal must agree on: a new reference, NULL without memory. */
json_t *restore_what(const struct session *s, const struct options *o);

#endif
