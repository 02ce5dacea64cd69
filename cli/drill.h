/* drill: a restore into something that is thrown away, compared, timed, and put on record. */
#ifndef DDB_CLI_DRILL_H
#define DDB_CLI_DRILL_H

#include <stdbool.h>
#include <stdint.h>

#include "compare.h"
#include "finding.h"
#include "options.h"
#include "progress.h"
#include "schema.h"
#include "session.h"
#include "target.h"

#define DRILL_TAG "ddb-streamd:drill"

struct drill {
	struct session *session;
	const struct options *options;
	struct schema schema; /* of the backup */
	int64_t at_ms;
	bool latest;		 /* --at is the last moment that is known to be complete */
	char id[33];		 /* the value of the tag */
	char name[256];		 /* of the throwaway table */
	char *file;		 /* of the throwaway file; NULL: a table */
	struct schema throwaway; /* how the table is made */
	struct target target;
	bool opened; /* `target` is to be closed */
	bool made;   /* it may be there */
	struct progress progress;
	struct findings findings;
	/* The result. */
	int64_t began_ms, restored_ms, ended_ms;
	uint64_t items;	  /* that were restored */
	uint64_t missing; /* that could not be */
	const char *outcome;
	char message[400];
};

/* Each that returns int without an err: 0, or the exit code after saying what is wrong. */

/* Makes the throwaway table, with its tag. drill_table_drop in every case. */
int drill_table_make(struct drill *d);
/* Removes it, when its name and its tag say that this run has made it. Also after a signal. */
int drill_table_drop(struct drill *d);
/* Names what earlier drills of the table have left behind for over a day, or with --clean-up removes it. */
int drill_table_leftovers(struct drill *d);

/* A walk (compare.h) of what was restored: walk_arg is the struct drill. */
int drill_walk(void *walk_arg, const struct compare_each *each, struct err *e);
/* What was restored beside the state of that time in the bucket. 0 or a negative error. */
int drill_state(struct drill *d, struct err *e);

/* Puts the result on record: in the state folder of the configuration, and in the bucket. */
void drill_record(struct drill *d);
/* The same as JSON, with the findings when they are wanted; NULL without memory. */
json_t *drill_json(const struct drill *d, int64_t last_success_ms, bool findings);

#endif
