/* look_past: has a version of an object that is not older than a moment a certain MD5, or was the object removed? */
#ifndef DDB_CLI_LOOK_PAST_H
#define DDB_CLI_LOOK_PAST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "session.h"

enum look_past_answer {
	LOOK_PAST_FOUND,
	LOOK_PAST_NEAR, /* found, but so near to the moment that it may be of before */
	LOOK_PAST_NOT_FOUND,
	LOOK_PAST_UNKNOWN /* ETags that are no MD5s do not tell */
};

struct look_past_job {
	struct span name;   /* of the object, behind the table's folder; must outlive the job, as md5 */
	int64_t since_ms;   /* by S3's clock: what was on top then counts, too */
	const uint8_t *md5; /* NULL: a delete marker */
	bool strict; /* what was on top then does not count; but for the difference of two clocks (RESOLVE_MARGIN_MS) */
	/* rc 0 or negative with `e`. The job may be freed in it. */
	void (*done)(struct look_past_job *j, int rc, const struct err *e, enum look_past_answer answer);
	void *arg;
	STAILQ_ENTRY(look_past_job) link;
};

struct look_past {
	struct session *session;
	struct aws_op op;
	uv_timer_t timer;
	struct buf prefix;
	STAILQ_HEAD(, look_past_job) queue;
	struct look_past_job *job; /* under way */
	unsigned attempt;
	bool open;
};

/* On failure call look_past_fini all the same. */
int look_past_init(struct look_past *p, struct session *s, struct err *e);
void look_past_add(struct look_past *p, struct look_past_job *j);
/* Forgets what waits, without a word. Run the loop once more. */
void look_past_fini(struct look_past *p);

#endif
