/* verify: what is to be verified, and what was found. */
#ifndef DDB_CLI_VERIFY_H
#define DDB_CLI_VERIFY_H

#include "compare.h"
#include "deep.h"
#include "finding.h"
#include "options.h"
#include "progress.h"
#include "sample.h"
#include "schema.h"
#include "session.h"
#include "watermark.h"

struct verify {
	struct session *session;
	const struct options *options;
	struct sample sample;
	double units_per_s;
	struct schema schema; /* of the live table */
	bool has_mark;
	struct watermark mark; /* as it was at the beginning */
	int64_t began_ms, ended_ms;
	struct progress progress;
	struct findings live; /* of items beside the table */
	struct findings past; /* of histories in the bucket */
	struct compare_bucket bucket;
	struct compare_figures compared;
	struct deep_figures read;
	/* With --repair: what was found before, and how the baseline ended. */
	bool repaired;
	uint64_t found_before;
	struct watermark_baseline baseline;
};

/* Each returns 0 or a negative error. */

/* The table beside the bucket, into v->live. */
int verify_live(struct verify *v, struct err *e);
/* The histories of all items, into v->past. */
int verify_past(struct verify *v, struct err *e);
/* The histories of the first items in v->live: what lies wrong about them, into v->past. */
int verify_causes(struct verify *v, struct err *e);

/* What it would take: the exit code. */
int verify_dry(struct verify *v);
/* Has the daemon make a baseline, then looks at what differed again. 0 or the exit code after saying what is wrong. */
int verify_repair(struct verify *v);
/* The end of a run: the summary, or the JSON report. Returns the exit code. */
int verify_report(struct verify *v);

#endif
