/* diff: what differs between two states of a table: both from the bucket (diff_times.c), or one of it live (diff_live.c). */
#ifndef DDB_CLI_DIFF_H
#define DDB_CLI_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "diff_print.h"
#include "narrow.h"
#include "options.h"
#include "session.h"

struct diff_plan {
	struct session *session;
	const struct options *options;
	const struct narrow *narrow;
	int64_t at_ms, with_ms;
	bool live;	    /* with the live table, not with_ms */
	double units_per_s; /* cap of read units of the live table; 0: none */
	double read_units;  /* that it took */
	struct diff_rows rows;
	uint64_t seen;	  /* keys that were looked at */
	uint64_t missing; /* items that cannot be had; each was named on standard error */
};

/* The bucket at the two times. */
int diff_times(struct diff_plan *p, struct err *e);
/* The bucket at at_ms, and the live table. -ERR_NOT_FOUND without that table, -ERR_INVALID when it has another key. */
int diff_live(struct diff_plan *p, struct err *e);

#endif
