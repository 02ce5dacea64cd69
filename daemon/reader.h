/*
 * reader: the requests with which shards are read, and the memory that their answers may take (I6). A shard that wants to read
 * joins its table's queue; it gets a reader when one is free and its table's share of memory_limit has room for an answer.
 * Tables take turns. Within a table shards that are behind, by their last page, take one turn in four while others wait, and it is
 * first come, first served among each.
 */
#ifndef DDB_READER_H
#define DDB_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "aws/aws.h"
#include "base/buf.h"
#include "base/err.h"
#include "record.h"

struct daemon;
struct shard;
struct table;

TAILQ_HEAD(shard_queue, shard);

/* One request in flight. */
struct reader {
	TAILQ_ENTRY(reader) link; /* of the free ones */
	struct aws_op op;
	struct reader_pool *pool;
	struct shard *shard; /* NULL when free, or when the shard went away meanwhile */
	struct buf iterator;
	size_t reserved_bytes; /* of the table's share */
	size_t expect_records; /* counted in the queue's, of this rank */
	enum record_rank rank;
	struct table *table; /* whose share it is */
};

TAILQ_HEAD(reader_list, reader);

/* Shards are new or behind: RECORD_NEW or RECORD_BACKLOG. */
#define READER_RANKS RECORD_NEXT

/* Shards that wait, and how much of their rank is on its way to the workers. */
struct reader_line {
	struct shard_queue shards;
	size_t expect_records; /* of the answers in flight */
	bool ahead;	       /* they wait until fewer records wait for a worker */
};

/* A table's share of the memory, and its shards that wait for a reader. */
struct reader_queue {
	TAILQ_ENTRY(reader_queue) turn;
	struct reader_line lines[READER_RANKS];
	struct shard_queue heavy; /* they wait until they, or others, hold less */
	struct table *table;
	size_t used_bytes, limit_bytes;
	unsigned turns;
	bool full; /* a shard waits for memory */
	bool in_turn;
};

struct reader_pool {
	struct reader *readers;
	size_t n, busy;
	size_t ahead_records; /* a table with so many ready records of a rank reads no further in it */
	struct reader_list free;
	TAILQ_HEAD(reader_turn, reader_queue) turn;
	bool stopped;
};

/* READER_RESERVE is asked for at first, and doubled for a shard whose answer did not fit, up to the whole share. */
#define READER_RESERVE_BYTES ((size_t)2 << 20)

/*
 * Records that wait for a worker bring nothing but memory in use. So a table reads no further while it has this many of them, or
 * this many times the number of workers; what waits behind an older record of its item, or to be tried again, does not count.
 */
#define READER_AHEAD_RECORDS 2000
#define READER_EXPECT_RECORDS 250 /* of a shard that was not read before */
#define READER_AHEAD_WORKERS 8

int reader_pool_init(struct reader_pool *p, struct aws *aws, size_t n, size_t workers, struct err *e);
/* Cancels what is in flight; nothing is read any more. */
void reader_pool_stop(struct reader_pool *p);
/* Its handles close on the loop's next turns. */
void reader_pool_close(struct reader_pool *p);
/* After they have. */
void reader_pool_fini(struct reader_pool *p);

void reader_queue_init(struct reader_queue *q, struct table *t, size_t limit_bytes);
/* `s` wants to read: shard_read follows, perhaps at once. */
void reader_want(struct reader_pool *p, struct reader_queue *q, struct shard *s);
/* `s` no longer wants to. */
void reader_unwant(struct reader_pool *p, struct reader_queue *q, struct shard *s);
/* The reader is free again, and `keep_bytes` of its reservation belong to a batch now. */
void reader_release(struct reader *r, size_t keep_bytes);
/* Records of the table were written: perhaps its shards may read again. */
void reader_recheck(struct reader_pool *p, struct reader_queue *q);
/* A batch gave `bytes` back. */
void reader_give_back(struct reader_pool *p, struct reader_queue *q, size_t bytes);

#endif
