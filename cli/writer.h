/*
 * writer: puts and deletes into one table: batches of BatchWriteItem, several in flight, under a cap of write units a
 * second, until each write has either taken effect or is refused for good.
 *
 * What DynamoDB leaves unprocessed or throttles comes again after a wait (full jitter), and the number of batches in
 * flight shrinks and grows with it. A batch that is refused as a whole (ValidationException) is sent again write by write,
 * so that only the write at fault fails. Every outcome comes through the job's `done`, on a later turn of the loop.
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

#define WRITER_SLOTS 16 /* batches in flight, at most */

struct writer_job {
	struct items_write write; /* must live until `done` */
	/*
	 * rc 0: it took effect. Negative with `e`: the write itself is refused and can never work (-ERR_INVALID,
	 * -ERR_LIMIT), or nothing will (-ERR_DENIED, -ERR_AUTH, -ERR_NOT_FOUND, what was tried too often). The job may be
	 * freed in it.
	 */
	void (*done)(struct writer_job *j, int rc, const struct err *e);
	void *arg;
	/* below: the writer's */
	size_t bytes; /* of the item, as DynamoDB counts it */
	unsigned attempts;
	STAILQ_ENTRY(writer_job) link;
};

struct writer;

struct writer_figures {
	uint64_t puts, deletes, refused; /* writes that took effect; that never can */
	uint64_t requests, throttles,
		left; /* requests; refused whole for throughput; writes that came back unprocessed */
	double units; /* write units consumed, as the server told or else as counted here */
};

/* Writes to `table` through `a`. `units_per_s` 0: as fast as the table takes it. NULL on failure. */
struct writer *writer_new(struct aws *a, const char *table, double units_per_s, struct err *e);
/*
 * Takes a write. Two writes of the same key must not be under way at the same time: the caller's to see to. Batches wait a
 * short moment to fill, so that the last ones need no call.
 */
void writer_add(struct writer *w, struct writer_job *j);
/* Jobs that are neither done nor refused. */
size_t writer_pending(const struct writer *w);
const struct writer_figures *writer_figures(const struct writer *w);
/* Gives up what is under way, without completions (a write in flight may still take effect); frees nothing of the jobs.
 * Run the loop once more. */
void writer_free(struct writer *w);

#endif
