/*
 * compare: a live table, all of it, with what its backup holds: with the bucket as it is listed, or with a state that was
 * restored from it. Digests alone are kept, in a file (base/etagset.h). What differs is looked at again until it is certain.
 */
#ifndef DDB_CLI_COMPARE_H
#define DDB_CLI_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "finding.h"
#include "look.h"
#include "names.h"
#include "progress.h"
#include "sample.h"
#include "schema.h"
#include "session.h"

/* One thing that a side has. Valid during the call only. */
struct compare_one {
	struct span name;    /* of its object */
	struct span keys;    /* of the item; empty: not known */
	const uint8_t *etag; /* MD5 of its canonical image, or what is none */
};

/*
 * What a walk calls for each thing; its error ends the walk. `ready` false: the walk lets the loop turn until it is true,
 * before it brings many more.
 */
struct compare_each {
	int (*one)(const struct compare_one *one, void *arg, struct err *e);
	bool (*ready)(void *arg);
	void *arg;
};

struct compare_options {
	struct session *session;
	const char *table;	     /* the live one */
	const struct schema *schema; /* of it */
	const struct sample *sample;
	double units_per_s; /* read units of the live table; 0: as fast as it goes */
	/* Walks what the table is compared with: once, and once more when there is something that the table has not. */
	int (*walk)(void *walk_arg, const struct compare_each *each, struct err *e);
	void *walk_arg;
	uint64_t expected; /* about so many; 0: not known */
	int64_t since_ms;  /* CLOCK_UNKNOWN: with the bucket. Else with its state then, as it was restored */
	struct findings *findings;
	struct progress *progress;
	void (*looked)(const struct look_result *r, void *arg); /* told of each outcome; may be NULL */
	void *arg;
};

struct compare_figures {
	uint64_t items;	       /* of the table that were compared */
	uint64_t objects;      /* of the other side */
	uint64_t foreign_form; /* equal, but not in canonical form */
	double read_units;
	struct look_figures looks;
};

/* A walk of the bucket: walk_arg is a struct compare_bucket. */
struct compare_bucket {
	struct session *session;
	struct names_figures figures;
};
int compare_walk_bucket(void *walk_arg, const struct compare_each *each, struct err *e);

/* 0 or the negative error that ended it. *out is filled in every case. */
int compare_live(const struct compare_options *o, struct compare_figures *out, struct err *e);

#endif
