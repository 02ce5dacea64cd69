/* cli: what every verb shares: the table of verbs, exit codes, messages. */
#ifndef DDB_CLI_CLI_H
#define DDB_CLI_CLI_H

#include <sysexits.h>

#include "base/err.h"
#include "options.h"

#define CLI_INCOMPLETE 3 /* done, but something could not be had; standard error tells what */

struct cli_verb {
	const char *name;
	unsigned bit; /* OPTIONS_*: which options it takes */
	const char *summary;
	const char *help;		     /* its usage line and its own options */
	int (*run)(const struct options *o); /* returns the exit code */
};

int tables_run(const struct options *o);
int history_run(const struct options *o);
int diff_run(const struct options *o);
int restore_run(const struct options *o);
int snapshot_run(const struct options *o);
int gaps_run(const struct options *o);
int backfill_run(const struct options *o);
int verify_run(const struct options *o);
int drill_run(const struct options *o);
extern const char tables_help[], history_help[], diff_help[], restore_help[], snapshot_help[], gaps_help[],
	backfill_help[], verify_help[], drill_help[];

/* "ddb-streamctl: ..." on standard error. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Says e->message. Returns the exit code for its class. */
int cli_fail(const struct err *e);
/* As cli_fail, for wrong use of the command line. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
