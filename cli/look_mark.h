/* look_mark: waits until the backup of a table is complete through a moment, by reading watermark.json once a second. */
#ifndef DDB_CLI_LOOK_MARK_H
#define DDB_CLI_LOOK_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "session.h"

struct look_mark_wait {
	int64_t through_ms;
	/* `passed`, or why it cannot be waited for. The wait may be freed in it. */
	void (*done)(struct look_mark_wait *w, bool passed, const char *why);
	void *arg;
	int64_t since_mono_ms;
	TAILQ_ENTRY(look_mark_wait) link;
};

struct look_mark {
	struct session *session;
	struct aws_op op;
	struct s3_head head;
	uv_timer_t timer;
	struct buf key;
	TAILQ_HEAD(, look_mark_wait) waits; /* in the order of their moments, nearly */
	int64_t complete_ms, saved_ms;	    /* CLOCK_UNKNOWN where it does not say */
	bool exists, open, busy;
	unsigned attempt;
	uint64_t reads;
};

/* On failure call look_mark_fini all the same. */
int look_mark_init(struct look_mark *m, struct session *s, struct err *e);
void look_mark_add(struct look_mark *m, struct look_mark_wait *w);
/* Forgets what waits, without a word. Run the loop once more. */
void look_mark_fini(struct look_mark *m);

#endif
