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
	TAILQ_INIT(&q->shards);
}

static void take_turns(struct reader_pool *p, struct reader_queue *q)
{
	bool wants = !TAILQ_EMPTY(&q->shards) && !q->full && !q->ahead;
	if (wants == q->in_turn)
		return;
	if (wants)
		TAILQ_INSERT_TAIL(&p->turn, q, turn);
	else
		TAILQ_REMOVE(&p->turn, q, turn);
	q->in_turn = wants;
}

/* Room for one answer, by compacting batches if need be. False: the table waits until memory is given back. */
static bool reserve(struct reader_queue *q, size_t bytes)
{
	if (q->used_bytes + bytes <= q->limit_bytes)
		return true;
	table_compact(q->table);
	return q->used_bytes == 0 || q->used_bytes + bytes <= q->limit_bytes;
}

/* What waits for a worker, and what the answers in flight will add to it. */
static bool is_ahead(const struct reader_queue *q, size_t records)
{
	return q->table->lanes.nready + q->expect_records >= records;
}

/* Half of the share at most, so that one record that cannot be written does not end all reading; unless one record needs more. */
static size_t wanted(const struct reader_queue *q, const struct shard *s)
{
	size_t most = q->limit_bytes / 2;
	return s->reserve_bytes < most || s->limit == 1 ? s->reserve_bytes : most;
}

static void serve(struct reader_pool *p)
{
	while (!p->stopped && !TAILQ_EMPTY(&p->free) && !TAILQ_EMPTY(&p->turn)) {
		struct reader_queue *q = TAILQ_FIRST(&p->turn);
		struct shard *s = TAILQ_FIRST(&q->shards);
		size_t want = wanted(q, s);
		q->ahead = is_ahead(q, p->ahead_records);
		q->full = !q->ahead && !reserve(q, want);
		if (q->ahead || q->full) {
			take_turns(p, q);
			continue;
		}
		TAILQ_REMOVE(&q->shards, s, queued);
		TAILQ_REMOVE(&p->turn, q, turn);
		q->in_turn = false;
		take_turns(p, q);
		struct reader *r = TAILQ_FIRST(&p->free);
		TAILQ_REMOVE(&p->free, r, link);
		p->busy++;
		q->used_bytes += want;
		q->expect_records += s->expect_records;
		r->expect_records = s->expect_records;
		r->reserved_bytes = want;
		r->table = q->table;
		r->shard = s;
		shard_read(s, r);
	}
}

void reader_want(struct reader_pool *p, struct reader_queue *q, struct shard *s)
{
	TAILQ_INSERT_TAIL(&q->shards, s, queued);
	take_turns(p, q);
	serve(p);
}

void reader_unwant(struct reader_pool *p, struct reader_queue *q, struct shard *s)
{
	TAILQ_REMOVE(&q->shards, s, queued);
	q->full = q->ahead = false; /* it may have been the one that waited */
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
	q->expect_records -= r->expect_records;
	r->reserved_bytes = r->expect_records = 0;
	r->shard = NULL;
	r->table = NULL;
	p->busy--;
	TAILQ_INSERT_TAIL(&p->free, r, link);
	reader_give_back(p, q, reserved);
}

void reader_recheck(struct reader_pool *p, struct reader_queue *q)
{
	if (!q->ahead || is_ahead(q, p->ahead_records / 2))
		return;
	q->ahead = false;
	take_turns(p, q);
	serve(p);
}

void reader_give_back(struct reader_pool *p, struct reader_queue *q, size_t bytes)
{
	q->used_bytes -= bytes;
	q->full = false;
	q->ahead = q->ahead && is_ahead(q, p->ahead_records / 2);
	take_turns(p, q);
	serve(p);
}
