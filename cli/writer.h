/*
 * writer: puts and deletes into one table: batches of BatchWriteItem, several in flight, under a cap of write units a
 * second, until each write has either taken effect or is refused for good.
 *
 * What DynamoDB leaves unprocessed or throttles, and what fails on the way, comes again after a wait (full jitter), for as
 * long as any write goes through now and then. The number of batches in flight is halved when the table throttles, and
 * grows while it does not. A batch that is refused as a whole (ValidationException) is sent again write by write, so that
 * only the write at fault fails. Every outcome comes through the job's `done`, on a later turn of the loop.
 *
 * Once nothing can work any more (the table is gone, no permission, no progress for WRITER_PATIENCE_MS) the writer is
 * spent: every pending job gets that error, and so does each that is added later. Only what is in flight at that moment
 * waits for its own answer, since it may have taken effect.
 */
#ifndef DDB_CLI_WRITER_H
#define DDB_CLI_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "aws/aws.h"
#include "aws/items.h"
#include "base/err.h"
#include "base/span.h"

#define WRITER_SLOTS 16		  /* batches in flight, at most */
#define WRITER_PATIENCE_MS 600000 /* without any write going through, before it gives up */
/*
 * Of a batch's text. DynamoDB takes 16 MB, but a larger batch is no faster, and each slot holds one. A larger item goes
 * alone.
 */
#define WRITER_BATCH_BYTES ((size_t)1 << 20)

struct writer_job {
	struct items_write write; /* must live until `done` */
	/*
	 * rc 0: it took effect. Negative with `e`: the write itself is refused and can never work (-ERR_INVALID,
	 * -ERR_LIMIT), or nothing will (-ERR_DENIED, -ERR_AUTH, -ERR_NOT_FOUND, what was tried too long). `e` is NULL
	 * on success. The job may be freed in it, other jobs added, and the writer freed.
	 */
	void (*done)(struct writer_job *j, int rc, const struct err *e);
	void *arg;
	/* below: the writer's */
	size_t bytes;	   /* of the item, as DynamoDB counts it */
	unsigned attempts; /* in a row by which nothing of its batch went through */
	STAILQ_ENTRY(writer_job) link;
};

struct writer;

struct writer_figures {
	uint64_t puts, deletes; /* writes that took effect */
	uint64_t refused;	/* that never can, of themselves */
	uint64_t requests;
	uint64_t throttles; /* requests that were refused whole for throughput */
	uint64_t left;	    /* writes that came back unprocessed */
	double units;	    /* write units consumed, as the server told or else as counted here */
};

/*
 * Writes to `table` through `a`. `units_per_s` 0: as fast as the table takes it. NULL on failure: run the loop once more
 * then, too.
 */
struct writer *writer_new(struct aws *a, const char *table, double units_per_s, struct err *e);
/*
 * Takes a write. Two writes of the same key must not be under way at the same time: the caller's to see to. Batches wait a
 * short moment to fill, so that the last ones need no call.
 */
void writer_add(struct writer *w, struct writer_job *j);
/* Another patience than WRITER_PATIENCE_MS; with 0 the first request that achieves nothing ends it. */
void writer_set_patience(struct writer *w, int64_t patience_ms);
/* Jobs that are neither done nor refused. */
size_t writer_pending(const struct writer *w);
const struct writer_figures *writer_figures(const struct writer *w);
/*
 * Gives up what is under way, without completions (a write in flight may still take effect); frees nothing of the jobs.
 * The memory goes on the loop's next turn: run it once more. NULL is fine.
 */
void writer_free(struct writer *w);

#endif
