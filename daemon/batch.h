/*
 * batch: one answer of GetRecords. Its body is the only copy of the payload; the records are offsets into it.
 * Freed when its last record is durable.
 */
#ifndef DDB_BATCH_H
#define DDB_BATCH_H

#include <stddef.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/err.h"
#include "codec/canon.h"
#include "codec/seq.h"
#include "record.h"

struct baseline_page;
struct shard;

struct batch {
	TAILQ_ENTRY(batch) link; /* of its shard, oldest first */
	struct shard *shard;	 /* NULL: of a baseline, then `page` */
	struct baseline_page *page;
	struct buf body;
	struct record *records;
	size_t nrecords;
	size_t first_open; /* every record before this index is durable */
	size_t open;	   /* records that are not durable */
	size_t writing;	   /* records that a worker has: their bytes may not move */
	char last_seq[SEQ_DIGITS_MAX +
		      1];      /* durable through here once `open` is 0; later batches may have been merged in */
	int64_t floor_ms;      /* what its shard was complete through when it came: for records without an event time */
	int64_t last_event_ms; /* newest event time it stands for, CLOCK_UNKNOWN when none is known */
	size_t bytes;	       /* of memory: body, records, itself */
	bool compacted;
};

TAILQ_HEAD(batch_list, batch);

struct batch_answer {
	struct span next_iterator; /* raw JSON string content, into the batch's body; len 0: the shard ends */
	size_t dropped;		   /* records that were left out */
};

/* Which records of an answer are left out. */
struct batch_skip {
	const char *after_seq; /* those at or before it; "": none */
	int64_t before_ms;     /* those with an event time before it; CLOCK_UNKNOWN: none */
};

/*
 * Takes the memory of `body` and finds its records. Keys are brought into canonical form in place, and the item digest covers
 * `table_salt` and them. What `skip` names is left out. *out has nrecords 0 for an empty
 * answer. On failure (-ERR_CORRUPT for anything malformed, -ERR_SYSTEM, -ERR_LIMIT) nothing is kept, and `body` is empty.
 */
int batch_new(struct batch **out, struct buf *body, uint64_t table_salt, const struct batch_skip *skip,
	      struct canon *canon, struct batch_answer *answer, struct err *e);
void batch_free(struct batch *b);

/* Frees the payload of records that are durable, when that saves at least half. Returns the bytes saved. No record may be `writing`. */
size_t batch_compact(struct batch *b);

/*
 * The digest that names a record's lane: of its canonical Keys, salted by table, since two tables may hold equal keys. `scratch` has
 * room for the keys and BATCH_DIGEST_EXTRA_BYTES.
 */
#define BATCH_DIGEST_EXTRA_BYTES sizeof(uint64_t)
void batch_item_digest(uint8_t item[16], struct span keys, uint64_t table_salt, char *scratch);

/* What a slice of a record of this batch says. */
struct span batch_span(const struct batch *b, struct records_slice s);

/* Brings an image (or Keys) into canonical form in place, once: `done` is the record's flag. Errors of canon_item. */
int batch_canonicalize(struct batch *b, struct records_slice *image, struct canon *canon, struct err *e);

#endif
