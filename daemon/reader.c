#include "reader.h"

#include <errno.h>
#include <stdlib.h>

#include "shard.h"
#include "table.h"

int reader_pool_init(struct reader_pool *p, struct aws *aws, size_t n, size_t workers, struct err *e)
{
	*p = (struct reader_pool){.ahead_records = READER_AHEAD_RECORDS};
	if (p->ahead_records < workers * READER_AHEAD_WORKERS)
		p->ahead_records = workers * READER_AHEAD_WORKERS;
	TAILQ_INIT(&p->free);
	TAILQ_INIT(&p->turn);
	p->readers = calloc(n, sizeof(*p->readers));
	if (p->readers == NULL)
		return err_errno(e, ENOMEM, "readers");
	for (; p->n < n; p->n++) {
		struct reader *r = &p->readers[p->n];
		int rc = aws_op_init(&r->op, aws, READER_RESERVE_BYTES, e);
		if (rc < 0)
			return rc;
		r->pool = p;
		buf_init(&r->iterator, STREAMS_ITERATOR_MAX);
		TAILQ_INSERT_TAIL(&p->free, r, link);
	}
	return 0;
}

void reader_pool_stop(struct reader_pool *p)
{
	p->stopped = true;
	for (size_t i = 0; i < p->n; i++)
		if (p->readers[i].op.busy)
			aws_op_cancel(&p->readers[i].op);
}

void reader_pool_close(struct reader_pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		aws_op_fini(&p->readers[i].op, NULL);
}

void reader_pool_fini(struct reader_pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		buf_fini(&p->readers[i].iterator);
	free(p->readers);
	p->readers = NULL;
	p->n = 0;
}

void reader_queue_init(struct reader_queue *q, struct table *t, size_t limit_bytes)
{
	*q = (struct reader_queue){.table = t, .limit_bytes = limit_bytes};
	TAILQ_INIT(&q->heavy);
	for (int rank = 0; rank < READER_RANKS; rank++)
		TAILQ_INIT(&q->lines[rank].shards);
}

static bool may_read(const struct reader_queue *q, enum record_rank rank)
{
	return !q->full && !q->lines[rank].ahead && !TAILQ_EMPTY(&q->lines[rank].shards);
}

static void take_turns(struct reader_pool *p, struct reader_queue *q)
{
	bool wants = may_read(q, RECORD_NEW) || may_read(q, RECORD_BACKLOG);
	if (wants == q->in_turn)
		return;
	if (wants)
		TAILQ_INSERT_TAIL(&p->turn, q, turn);
	else
		TAILQ_REMOVE(&p->turn, q, turn);
	q->in_turn = wants;
}

static enum record_rank rank_of(const struct shard *s)
{
	return s->behind ? RECORD_BACKLOG : RECORD_NEW;
}

static void wait_in(struct shard_queue *line, struct shard *s)
{
	TAILQ_INSERT_TAIL(line, s, queued);
	s->waits_in = line;
}

static void wait_no_more(struct shard *s)
{
	TAILQ_REMOVE(s->waits_in, s, queued);
	s->waits_in = NULL;
}

/*
 * What waits for a worker, and what the answers in flight will add to it. What is new does not wait for the backlog, but the backlog
 * does for what is new: where there is always too much of that, pages become full, and it is backlog, too.
 */
static bool is_ahead(const struct reader_queue *q, enum record_rank rank, size_t records)
{
	size_t n = 0;
	for (int r = RECORD_NEW; r <= (int)rank; r++)
		n += q->table->lanes.nready[r] + q->lines[r].expect_records;
	return n >= records;
}

/* Half of the share at most, so that one record that cannot be written does not end all reading; unless one record needs more. */
static size_t wanted(const struct reader_queue *q, const struct shard *s)
{
	size_t most = q->limit_bytes / 2;
	return s->reserve_bytes < most || s->limit == 1 ? s->reserve_bytes : most;
}

/*
 * Is there room for one answer? A shard that holds several batches already, since their items wait for each other, leaves as much
 * as it holds to others: however many such shards there are, there is room for one that holds nothing.
 */
static bool has_room(const struct reader_queue *q, const struct shard *s)
{
	size_t held = shard_held_bytes(s);
	return q->used_bytes == 0 || q->used_bytes + wanted(q, s) + held <= q->limit_bytes;
}

/* The same, by compacting batches if need be. False: the shard waits until memory is given back, and so do others unless it is heavy. */
static bool find_room(struct reader_queue *q, struct shard *s)
{
	if (has_room(q, s))
		return true;
	table_compact(q->table);
	if (has_room(q, s))
		return true;
	if (q->used_bytes + wanted(q, s) > q->limit_bytes) {
		q->full = true;
		return false;
	}
	wait_no_more(s);
	wait_in(&q->heavy, s);
	return false;
}

#define NEW_TURNS 4 /* of so many, one is the backlog's */

static enum record_rank next_rank(struct reader_queue *q)
{
	if (!may_read(q, RECORD_NEW))
		return RECORD_BACKLOG;
	return may_read(q, RECORD_BACKLOG) && ++q->turns % NEW_TURNS == 0 ? RECORD_BACKLOG : RECORD_NEW;
}

static void read_shard(struct reader_pool *p, struct reader_queue *q, struct shard *s, enum record_rank rank)
{
	struct reader *r = TAILQ_FIRST(&p->free);
	wait_no_more(s);
	TAILQ_REMOVE(&p->turn, q, turn); /* to the end of the turn */
	q->in_turn = false;
	take_turns(p, q);
	TAILQ_REMOVE(&p->free, r, link);
	p->busy++;
	r->reserved_bytes = wanted(q, s);
	r->expect_records = s->expect_records;
	r->rank = rank;
	r->table = q->table;
	r->shard = s;
	q->used_bytes += r->reserved_bytes;
	q->lines[rank].expect_records += r->expect_records;
	shard_read(s, r);
}

static void serve(struct reader_pool *p)
{
	while (!p->stopped && !TAILQ_EMPTY(&p->free) && !TAILQ_EMPTY(&p->turn)) {
		struct reader_queue *q = TAILQ_FIRST(&p->turn);
		enum record_rank rank = next_rank(q);
		struct shard *s = TAILQ_FIRST(&q->lines[rank].shards);
		q->lines[rank].ahead = is_ahead(q, rank, p->ahead_records);
		if (!q->lines[rank].ahead && find_room(q, s))
			read_shard(p, q, s, rank);
		else
			take_turns(p, q);
	}
}

void reader_want(struct reader_pool *p, struct reader_queue *q, struct shard *s)
{
	wait_in(&q->lines[rank_of(s)].shards, s);
	take_turns(p, q);
	serve(p);
}

/* Those that wait for memory are asked again, and the heavy ones behind the others. */
static void ask_again(struct reader_queue *q)
{
	struct shard *s;
	q->full = false;
	while ((s = TAILQ_FIRST(&q->heavy)) != NULL) {
		wait_no_more(s);
		wait_in(&q->lines[rank_of(s)].shards, s);
	}
}

void reader_unwant(struct reader_pool *p, struct reader_queue *q, struct shard *s)
{
	wait_no_more(s);
	ask_again(q); /* it may have been the one that waited */
	for (int rank = 0; rank < READER_RANKS; rank++)
		q->lines[rank].ahead = false;
	take_turns(p, q);
	serve(p);
}

void reader_release(struct reader *r, size_t keep_bytes)
{
	struct reader_pool *p = r->pool;
	struct reader_queue *q = &r->table->reads;
	size_t reserved = r->reserved_bytes;
	/* An answer may come out larger than what was reserved by its record array: the share is passed once, then reading pauses. */
	q->used_bytes += keep_bytes;
	q->lines[r->rank].expect_records -= r->expect_records;
	r->reserved_bytes = r->expect_records = 0;
	r->shard = NULL;
	r->table = NULL;
	p->busy--;
	TAILQ_INSERT_HEAD(&p->free, r, link); /* its memory is there already */
	reader_give_back(p, q, reserved);
}

/* Reading goes on when half of what made it stop is written. */
static bool falls_behind(const struct reader_pool *p, struct reader_queue *q)
{
	bool any = false;
	for (int rank = 0; rank < READER_RANKS; rank++) {
		struct reader_line *line = &q->lines[rank];
		if (!line->ahead || is_ahead(q, (enum record_rank)rank, p->ahead_records / 2))
			continue;
		line->ahead = false;
		any = true;
	}
	return any;
}

void reader_recheck(struct reader_pool *p, struct reader_queue *q)
{
	if (!falls_behind(p, q))
		return;
	take_turns(p, q);
	serve(p);
}

void reader_give_back(struct reader_pool *p, struct reader_queue *q, size_t bytes)
{
	q->used_bytes -= bytes;
	ask_again(q);
	falls_behind(p, q);
	take_turns(p, q);
	serve(p);
}
