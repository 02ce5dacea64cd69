/* fetch: HEAD and GET of versions, a bounded number at a time, in the order asked for, tried again when that can help. */
#ifndef DDB_CLI_FETCH_H
#define DDB_CLI_FETCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "aws/s3.h"
#include "base/buf.h"
#include "base/err.h"
#include "session.h"

struct fetch_job {
	struct span key; /* whole; must outlive the job, as the id */
	const char *version_id;
	bool body;	     /* GET, else HEAD */
	struct s3_head head; /* the answer; head.exists false when it is gone */
	bool damaged;	     /* of a GET: the bytes are not those of the ETag, which is an MD5, each time it was read */
	/* rc 0 or negative with `e`; `bytes` is the body of a GET during the call. The job may be freed in it. */
	void (*done)(struct fetch_job *j, int rc, const struct err *e, struct span bytes);
	void *arg;
	unsigned attempts;
	STAILQ_ENTRY(fetch_job) link;
};

struct fetch_slot {
	struct fetch *fetch;
	struct aws_op op;
	uv_timer_t timer;
	struct fetch_job *job; /* NULL: idle */
};

struct fetch {
	STAILQ_HEAD(, fetch_job) queue;
	struct fetch_slot slots[SESSION_SLOTS];
	size_t nslots; /* that were set up */
	uint64_t heads, gets, retries, bytes;
};

int fetch_init(struct fetch *f, struct session *s, struct err *e);
/* Gives up what waits or is in flight: each job's `done` is called with -ERR_CANCELLED. Run the loop once more. */
void fetch_fini(struct fetch *f);
/* The completion comes on a later turn. */
void fetch_add(struct fetch *f, struct fetch_job *j);

#endif
