/*
 * heal: asks the daemon of a table for a baseline, and follows it to its end by watermark.json. The daemon is the only one
 * that writes the items of a backup; this writes baseline-request.json alone.
 */
#ifndef DDB_CLI_HEAL_H
#define DDB_CLI_HEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "session.h"
#include "watermark.h"

#define HEAL_ID_SIZE 64 /* as in struct watermark_baseline; those made here have 32 digits */

struct heal {
	struct session *session;
	const char *table;
	char id[HEAL_ID_SIZE];		/* of the request; "": none was made */
	int64_t saved_ms;		/* when the daemon last wrote */
	struct watermark_baseline seen; /* what it said then */
};

/*
 * What watermark.json says. Each of these returns 0, or the exit code after saying what is wrong: EX_NOINPUT without a
 * watermark.json, EX_UNAVAILABLE without a daemon that writes it.
 */
int heal_look(struct heal *h);
/* Puts a request, after heal_look. `units_per_s` 0: the daemon's own rate. */
int heal_request(struct heal *h, double units_per_s);
/* Has the run of a request ended; CLI_INCOMPLETE when none is under way that a request began. */
int heal_cancel(struct heal *h);
/*
 * Waits until the run of the request has ended: 0 when it is done, CLI_INCOMPLETE when it was cancelled or another one
 * came after it, EX_UNAVAILABLE when the daemon does not take it or has gone. After a signal EX_TEMPFAIL: it goes on.
 */
int heal_follow(struct heal *h);

#endif
