/*
 * deep: the history of items in the bucket, every version and every marker of it read: are bytes, form, names and metadata
 * right, do versions lie in the order of their changes, does each delete marker have its deletes object and the other way
 * round, and does a restore of now give what lies on top?
 */
#ifndef DDB_CLI_DEEP_H
#define DDB_CLI_DEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "finding.h"
#include "progress.h"
#include "sample.h"
#include "schema.h"
#include "session.h"

#define DEEP_PROBLEMS_MAX 16 /* of one item that are told */

struct deep_problem {
	enum finding_kind kind;
	char detail[300];
};

/* Valid during the call only. */
struct deep_item {
	struct span name; /* of its object, behind the table's folder */
	const struct deep_problem *problems;
	size_t n;
};

struct deep_options {
	struct session *session;
	const struct schema *schema; /* the table's key */
	const struct sample *sample;
	const char *prefix; /* of the names; "": all. Must outlive the walk */
	bool exact;	    /* only the item with that very name */
	int64_t since_ms; /* what was stored before needs no metadata: other tools have none. CLOCK_UNKNOWN: nothing */
	bool gaps;	  /* changes may be missing, and no hole is told */
	struct progress *progress;
	void (*each)(const struct deep_item *item, void *arg); /* of each that has problems */
	void *arg;
};

struct deep_figures {
	uint64_t items, versions, markers, removals;
	uint64_t foreign;      /* versions without metadata, from before the backup */
	uint64_t foreign_form; /* of these, not in canonical form */
	uint64_t lists, gets;
};

/* Runs the loop to the end of the walk. 0 or the negative error that ended it. *out counts on. */
int deep_walk(const struct deep_options *o, struct deep_figures *out, struct err *e);

#endif
