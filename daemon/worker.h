/*
 * worker: slots of the loop that write records to S3; no threads. A worker has one request in flight, with its own
 * easy handle and buffers. How many work at once adapts: halved when S3 throttles or fails, one more with each success; at
 * one, a pause between tries (I6).
 */
#ifndef DDB_WORKER_H
#define DDB_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "aws/aws.h"
#include "aws/s3.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/seq.h"
#include "lane.h"
#include "record.h"

struct daemon;
struct table;

struct worker {
	TAILQ_ENTRY(worker) link; /* of the idle ones */
	struct worker_pool *pool;
	struct aws_op op;
	struct record *record; /* NULL when idle */
	struct lane_group *group;
	struct buf key; /* S3 key of the request in flight */
	struct s3_head head;
	char event_time[CLOCK_ISO_SIZE];
	bool marker_latest, key_listed; /* what a listing said */
	/* of an item of a baseline: what is there, and the change of the stream that was there last, LABEL/SEQUENCE NUMBER */
	bool found;
	char etag[72], after[S3_META_VALUE_MAX + SEQ_DIGITS_MAX + 2];
};

TAILQ_HEAD(worker_list, worker);

struct worker_pool {
	struct daemon *daemon;
	struct worker *workers;
	size_t n, busy;
	size_t limit; /* how many may work at once */
	struct worker_list idle;
	unsigned failed_rounds; /* failures in a row at limit 1 */
	int64_t cut_mono_ms;	/* when the limit was last halved */
	bool stopped;
	bool paused;
	bool kicking;
	uv_timer_t pause;
};

int worker_pool_init(struct worker_pool *p, struct daemon *d, size_t n, struct err *e);
/* Cancels what is in flight; nothing is started any more. */
void worker_pool_stop(struct worker_pool *p);
void worker_pool_close(struct worker_pool *p);
void worker_pool_fini(struct worker_pool *p);

/* Starts as many ready records as may be. */
void worker_kick(struct worker_pool *p);

/* Called by write.c: the record is in S3. */
void worker_done(struct worker *w);
/* Called by write.c: the request failed; the record is tried again. */
void worker_failed(struct worker *w, const struct err *e);

/* Which table a record belongs to. */
struct table *worker_table(const struct record *r);

#endif
