/* options: the command line. Strings point into argv. */
#ifndef DDB_CLI_OPTIONS_H
#define DDB_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Which verbs take an option. */
#define OPTIONS_COMMON 1U
#define OPTIONS_TABLES 2U
#define OPTIONS_HISTORY 4U
#define OPTIONS_RESTORE 8U
#define OPTIONS_GAPS 16U
#define OPTIONS_SNAPSHOT 32U
#define OPTIONS_DIFF 64U
#define OPTIONS_BACKFILL 128U
#define OPTIONS_VERIFY 256U
#define OPTIONS_DRILL 512U

struct options {
	/* where the backup is */
	char *config, *bucket, *bucket_prefix, *region, *profile, *endpoint_url, *addressing, *key_format,
		*tenant_attribute;
	/* what of it */
	char *table, *key, *key_value, *key_range, *hash, *tenant, *prefix, *at, *with, *at_seq, *since, *limit;
	/* what to do with it */
	char *output, *to, *format, *file_size, *to_file, *to_table, *to_region, *via_import, *rate, *journal, *sample,
		*seed, *into;
	bool in_place, resume, dry_run, no_wait, cancel;
	bool deep, repair, to_scratch_file, clean_up;
	bool diff, size, detail;
	bool first, last, force, accept, yes;
	bool help, version;
	bool json; /* output is "json" */
};

/*
 * Reads options that `verbs` allow into `o`. Stops at the first argument that is none when `stop` is set; else such an
 * argument is the sort key after --key-value. Returns the index of the first argument not read, or -1 when something
 * is wrong, which was said.
 */
int options_parse(struct options *o, int argc, char **argv, unsigned verbs, bool stop);

/*
 * Reads the value of --rate, "WHAT units a second". Returns 0, or the exit code after saying what is wrong. NULL leaves
 * *units_per_s as it is.
 */
int options_rate(const struct options *o, const char *what, double *units_per_s);

/* The options that every verb takes, for --help. */
extern const char options_common_help[];

#endif
