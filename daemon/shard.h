/*
 * shard: reads one shard of a stream from its position to its end, and knows how far of it is durable (I1).
 *
 *     waiting --> resting <--> queued --> reading --> draining --> finished
 *
 * waiting for its parents (I3); resting until the next poll or the end of a back-off; queued for a reader; reading
 * (GetShardIterator, GetRecords); draining: the stream has no more of it, S3 has not acknowledged all; finished.
 */
#ifndef DDB_SHARD_H
#define DDB_SHARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "batch.h"
#include "codec/seq.h"
#include "record.h"

struct reader;
struct stream;

enum shard_state {
	SHARD_WAITING,
	SHARD_RESTING,
	SHARD_QUEUED,
	SHARD_READING,
	SHARD_DRAINING,
	SHARD_FINISHED,
	SHARD_STATES
};

struct shard {
	struct map_node by_id;	 /* of its stream */
	TAILQ_ENTRY(shard) link; /* of its stream, parents before children where both were listed */
	TAILQ_ENTRY(shard) queued;
	struct shard_queue *waits_in; /* while it is queued; the reader's */
	struct stream *stream;
	char *id;
	char *parents[2]; /* NULL: none; the second after a merge only */
	enum shard_state state;
	bool listed;	   /* by the last sweep */
	bool open;	   /* by the last sweep: it has no ending sequence number */
	bool latest;	   /* its reading began at LATEST: what is older than the backup is not wanted */
	bool from_latest;  /* start = latest, first discovery, nothing read yet */
	bool paged;	   /* the iterator came with a page: it was not derived from the position */
	bool from_horizon; /* what was asked for is trimmed: TRIM_HORIZON whatever the position says */
	bool child_found;  /* a shard names it as parent */
	bool ended_before; /* it had finished when the sweep in progress began */
	bool children_known; /* finished, and a whole sweep since then has told its children: it no longer counts for the lag */
	bool tip;	     /* the stream had nothing more when last asked, several times over */
	bool behind; /* its last page was a full one, or it has not been read for long: there is more where it came from */
	bool stopped;			      /* the daemon stops: no further polls */
	char durable_seq[SEQ_DIGITS_MAX + 1]; /* I1; "" at its beginning */
	char read_seq[SEQ_DIGITS_MAX + 1];    /* of the last record read */
	struct buf iterator;		      /* "" : must be derived */
	struct batch_list batches;
	size_t open_records;
	int64_t durable_event_ms;	 /* newest event time in the durable prefix, CLOCK_UNKNOWN */
	int64_t complete_ms;		 /* see shard_complete_ms; inherited from the parents at first */
	int64_t read_began_ms;		 /* wall; of the last request that was answered well, CLOCK_UNKNOWN */
	int64_t asked_ms, asked_mono_ms; /* when the request in flight began */
	unsigned empty_pages;		 /* in a row */
	unsigned missing;		 /* answers in a row that the server does not know it, or what it held */
	unsigned unlisted;		 /* whole sweeps in a row that did not list it */
	unsigned failures;		 /* in a row */
	unsigned limit;			 /* records asked for, 0: the server's */
	size_t expect_records;		 /* what its next page will hold, as far as the last one tells */
	size_t reserve_bytes;
	int64_t rest_ms;       /* between polls while empty */
	struct reader *reader; /* while reading */
	uv_timer_t timer;
	struct err err; /* of the last failure, while failures > 0 */
};

TAILQ_HEAD(shard_list, shard);

/* A shard that waits. NULL without memory. Parents may be NULL. Strings are copied. */
struct shard *shard_new(struct stream *st, const char *id, const char *parent, const char *adjacent_parent);
/* Stops it, forgets its records (none may be with a worker) and frees it when its timer has closed. */
void shard_free(struct shard *s);

/* Its parents are done: begins to read. From waiting only. */
void shard_start(struct shard *s);
/* It needs not be read (a closed shard under start = latest, or a checkpoint says so): finished at once. From waiting only. */
void shard_skip(struct shard *s);
/* The stream no longer has it: what was not read is a gap; what was read is written to its end. */
void shard_trimmed(struct shard *s);
/* Reads with `r` now. Called by the pool only. */
void shard_read(struct shard *s, struct reader *r);
/* Stops polling for good (the daemon stops). Records that were read go on being written. */
void shard_stop(struct shard *s);

/* The batch, which has records, is the newest that was read of it. Takes it. */
void shard_take(struct shard *s, struct batch *b);
/* S3 has the record: moves the durable prefix on. `r` and its batch may be gone afterwards. */
void shard_durable(struct shard *s, struct record *r);

/* Every change of this shard up to this event time is in S3; CLOCK_UNKNOWN until something is known. */
int64_t shard_complete_ms(const struct shard *s);
/* Every record of it with an event time up to this is durable: a later one is, or its tip has been seen for long. */
bool shard_is_past(const struct shard *s, int64_t event_ms);
/* True when S3 has records of it beyond the durable prefix. */
bool shard_ahead(const struct shard *s);

/* Memory of its batches, when it has more than one: a single one may be of a record that cannot be written. */
size_t shard_held_bytes(const struct shard *s);

const char *shard_state_name(enum shard_state s);

#endif
