/*
 * record: one change of one item, from GetRecords until S3 has it. Lives in its batch's array; whoever must wait for it
 * (lanes, workers, the retry wheel) links it through the nodes in here, so that nothing is allocated for it.
 */
#ifndef DDB_RECORD_H
#define DDB_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/span.h"
#include "base/wheel.h"
#include "codec/records.h"

struct batch;

/* What is still to be done at S3, in this order; see write.h. */
enum record_step { RECORD_PUT, RECORD_DELETES, RECORD_MARKER, RECORD_DONE };

enum record_state {
	RECORD_QUEUED,	/* behind an older record of its item */
	RECORD_READY,	/* next of its item, waits for a worker */
	RECORD_WRITING, /* a worker has it */
	RECORD_WAITING, /* failed, waits on the wheel to be tried again */
	RECORD_DURABLE
};

/* Ranks take turns at the workers. */
enum record_rank {
	RECORD_NEW,
	RECORD_BACKLOG, /* of a full page, which has more behind it, or found by a baseline */
	RECORD_NEXT,	/* waited for an older record of its item, which is done */
	RECORD_RANKS
};

struct record {
	struct batch *batch;
	struct map_node by_item;    /* in the lanes' map while it is the head of its item */
	struct record *behind;	    /* next record of the same item */
	struct record *last_behind; /* of the head: the newest of the item, itself when alone */
	TAILQ_ENTRY(record) ready;
	struct wheel_node wait;
	uint8_t item[16]; /* digest of table and canonical Keys */
	struct records_slice keys, new_image, old_image, seq;
	int64_t event_ms; /* CLOCK_UNKNOWN when the stream did not tell */
	uint16_t failures;
	uint8_t state; /* enum record_state */
	uint8_t step;  /* enum record_step: what comes next */
	uint8_t op;    /* enum records_op */
	uint8_t rank;  /* enum record_rank */
	bool by_ttl : 1;
	bool ask : 1;		/* S3 may have this step already: look before writing */
	bool skipped : 1;	/* S3 had it */
	bool moves : 1;		/* MODIFY that changes the tenant: the old key gets a delete marker too */
	bool new_canonical : 1; /* the image was brought into canonical form in place */
	bool old_canonical : 1;
	bool stuck : 1; /* counted in table.stuck */
};

TAILQ_HEAD(record_list, record);

#endif
