/* live_get: single items of a live table, a bounded number at a time, tried again when that can help. */
#ifndef DDB_CLI_LIVE_GET_H
#define DDB_CLI_LIVE_GET_H

#include <sys/queue.h>

#include "aws/aws.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/canon.h"

#define LIVE_GET_SLOTS 16

struct live_get_job {
	struct span keys; /* canonical; must outlive the job */
	/*
	 * rc 0 or negative with `e`; `item` is canonical and lives during the call, empty: there is none. The job may be freed
	 * in it.
	 */
	void (*done)(struct live_get_job *j, int rc, const struct err *e, struct span item);
	void *arg;
	unsigned attempts;
	STAILQ_ENTRY(live_get_job) link;
};

struct live_get_slot {
	struct live_get *get;
	struct aws_op op;
	uv_timer_t timer;
	struct live_get_job *job; /* NULL: idle */
	struct span item;
};

struct live_get {
	const char *table;
	struct canon *canon;
	STAILQ_HEAD(, live_get_job) queue;
	struct live_get_slot slots[LIVE_GET_SLOTS];
	size_t nslots; /* that were set up */
};

/* `table` must outlive it. On failure call live_get_fini all the same. */
int live_get_init(struct live_get *g, struct aws *a, const char *table, struct err *e);
/* Gives up what waits or is in flight: each job's `done` is called with -ERR_CANCELLED. Run the loop once more. */
void live_get_fini(struct live_get *g);
/* Reads consistently. The completion comes on a later turn. */
void live_get_add(struct live_get *g, struct live_get_job *j);

#endif
