#include "shard.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "reader.h"
#include "shard_rest.h"
#include "stream.h"
#include "table.h"

/* An allowed move is a bit: rows are from, bits are to. Any other is a bug, and stopping is the one safe answer to it. */
#define TO(s) (1u << (s))
static const unsigned moves[SHARD_STATES] = {
	[SHARD_WAITING] = TO(SHARD_RESTING) | TO(SHARD_FINISHED),
	[SHARD_RESTING] = TO(SHARD_QUEUED) | TO(SHARD_DRAINING),
	[SHARD_QUEUED] = TO(SHARD_READING) | TO(SHARD_RESTING) | TO(SHARD_DRAINING),
	[SHARD_READING] = TO(SHARD_RESTING) | TO(SHARD_DRAINING),
	[SHARD_DRAINING] = TO(SHARD_FINISHED),
	[SHARD_FINISHED] = 0,
};

const char *shard_state_name(enum shard_state s)
{
	static const char *const names[SHARD_STATES] = {
		"waiting", "resting", "queued", "reading", "draining", "finished",
	};
	return names[s];
}

void shard_move(struct shard *s, enum shard_state to)
{
	if (!(moves[s->state] & TO(to))) {
		log_error("bug: a shard made a move that is not allowed; stopping before harm is done",
			  LOG_S("shard", s->id), LOG_S("from", shard_state_name(s->state)),
			  LOG_S("to", shard_state_name(to)));
		log_flush(INT64_MAX);
		abort();
	}
	s->state = to;
}

struct shard *shard_new(struct stream *st, const char *id, const char *parent, const char *adjacent_parent)
{
	struct shard *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->id = strdup(id);
	s->parents[0] = parent != NULL ? strdup(parent) : NULL;
	s->parents[1] = adjacent_parent != NULL ? strdup(adjacent_parent) : NULL;
	if (s->id == NULL || (parent != NULL && s->parents[0] == NULL) ||
	    (adjacent_parent != NULL && s->parents[1] == NULL)) {
		free(s->id);
		free(s->parents[0]);
		free(s->parents[1]);
		free(s);
		return NULL;
	}
	s->stream = st;
	s->state = SHARD_WAITING;
	s->durable_event_ms = s->complete_ms = s->read_began_ms = CLOCK_UNKNOWN;
	s->reserve_bytes = READER_RESERVE_BYTES;
	s->expect_records = READER_EXPECT_RECORDS;
	buf_init(&s->iterator, STREAMS_ITERATOR_MAX);
	TAILQ_INIT(&s->batches);
	uv_timer_init(&st->table->daemon->loop, &s->timer);
	s->timer.data = s;
	return s;
}

static void on_closed(uv_handle_t *h)
{
	struct shard *s = h->data;
	free(s->id);
	free(s->parents[0]);
	free(s->parents[1]);
	buf_fini(&s->iterator);
	free(s);
}

void shard_free(struct shard *s)
{
	struct table *t = s->stream->table;
	struct batch *b;
	if (s->state == SHARD_QUEUED)
		reader_unwant(&t->daemon->readers, &t->reads, s);
	if (s->reader != NULL)
		s->reader->shard = NULL;
	while ((b = TAILQ_FIRST(&s->batches)) != NULL) {
		TAILQ_REMOVE(&s->batches, b, link);
		batch_free(b);
	}
	uv_close((uv_handle_t *)&s->timer, on_closed);
}

/* What is complete through so long ago has a backlog until a page shows that it has none. */
#define RECENT_MS 60000

void shard_start(struct shard *s)
{
	int64_t recent_ms = table_now_ms(s->stream->table) - RECENT_MS;
	s->behind = !s->from_latest && (s->complete_ms == CLOCK_UNKNOWN || s->complete_ms < recent_ms);
	shard_move(s, SHARD_RESTING);
	shard_rest(s, 0);
}

void shard_skip(struct shard *s)
{
	shard_move(s, SHARD_FINISHED);
}

void shard_stop(struct shard *s)
{
	struct table *t = s->stream->table;
	s->stopped = true;
	uv_timer_stop(&s->timer);
	if (s->state == SHARD_QUEUED) {
		reader_unwant(&t->daemon->readers, &t->reads, s);
		shard_move(s, SHARD_RESTING);
	}
}

void shard_drain(struct shard *s)
{
	shard_move(s, SHARD_DRAINING);
	buf_fini(&s->iterator);
	if (!TAILQ_EMPTY(&s->batches))
		return;
	shard_move(s, SHARD_FINISHED);
	log_debug("shard finished", LOG_S("table", s->stream->table->conf->name), LOG_S("shard", s->id));
	stream_shard_finished(s->stream, s);
}

void shard_trimmed(struct shard *s)
{
	struct table *t = s->stream->table;
	if (s->state == SHARD_DRAINING || s->state == SHARD_FINISHED)
		return;
	if (!s->from_horizon) /* else the gap has been noted */
		table_gap_trimmed(t, s->stream->label, s->id, "shard trimmed before it was read to its end",
				  shard_complete_ms(s));
	if (s->state == SHARD_WAITING) {
		shard_move(s, SHARD_FINISHED);
		stream_shard_finished(s->stream, s);
		return;
	}
	if (s->state == SHARD_QUEUED)
		reader_unwant(&t->daemon->readers, &t->reads, s);
	if (s->reader != NULL) {
		s->reader->shard = NULL;
		s->reader = NULL;
	}
	uv_timer_stop(&s->timer);
	shard_drain(s);
}

/* Takes the seq and event time of the records before `upto` over into the durable prefix. */
static void note_durable(struct shard *s, int64_t event_ms, struct span seq)
{
	memcpy(s->durable_seq, seq.ptr, seq.len);
	s->durable_seq[seq.len] = '\0';
	if (event_ms == CLOCK_UNKNOWN)
		return;
	if (s->durable_event_ms == CLOCK_UNKNOWN || event_ms > s->durable_event_ms)
		s->durable_event_ms = event_ms;
	/* Event times have whole seconds, or less: the next record may have the same. */
	if (event_ms - 1 > s->complete_ms)
		s->complete_ms = event_ms - 1;
}

static void advance_in_batch(struct shard *s, struct batch *b)
{
	size_t from = b->first_open;
	int64_t event_ms = CLOCK_UNKNOWN;
	while (b->first_open < b->nrecords && b->records[b->first_open].state == RECORD_DURABLE) {
		if (b->records[b->first_open].event_ms > event_ms) /* CLOCK_UNKNOWN is the least */
			event_ms = b->records[b->first_open].event_ms;
		b->first_open++;
	}
	if (b->first_open > from)
		note_durable(s, event_ms, batch_span(b, b->records[b->first_open - 1].seq));
}

static void drop_batch(struct shard *s, struct batch *b)
{
	struct table *t = s->stream->table;
	size_t bytes = b->bytes;
	TAILQ_REMOVE(&s->batches, b, link);
	batch_free(b);
	reader_give_back(&t->daemon->readers, &t->reads, bytes);
}

/*
 * A batch behind a hole is done: the one before it answers for it from now on, so that a single item that cannot be
 * written keeps one batch in memory and not all that follow.
 */
static void merge_into_previous(struct shard *s, struct batch *b)
{
	struct batch *before = TAILQ_PREV(b, batch_list, link);
	memcpy(before->last_seq, b->last_seq, sizeof(before->last_seq));
	if (b->last_event_ms > before->last_event_ms)
		before->last_event_ms = b->last_event_ms;
	drop_batch(s, b);
}

/* A record that is older than what was thought to be complete: the tip was none, and the claim is taken back. */
#define LATE_MS 90000

static void take_claim_back(struct shard *s, const struct batch *b)
{
	int64_t least = INT64_MAX;
	for (size_t i = 0; i < b->nrecords; i++)
		if (b->records[i].event_ms != CLOCK_UNKNOWN && b->records[i].event_ms < least)
			least = b->records[i].event_ms;
	if (least - 1 >= s->complete_ms)
		return;
	if (s->complete_ms - least > LATE_MS) /* event times may be whole minutes, and arrive a little late */
		s->tip = false;
	s->complete_ms = least - 1;
}

void shard_take(struct shard *s, struct batch *b)
{
	b->shard = s;
	take_claim_back(s, b);
	b->floor_ms = shard_complete_ms(s);
	memcpy(s->read_seq, b->last_seq, sizeof(s->read_seq));
	TAILQ_INSERT_TAIL(&s->batches, b, link);
	s->open_records += b->nrecords;
}

void shard_durable(struct shard *s, struct record *r)
{
	struct batch *b = r->batch;
	b->open--;
	s->open_records--;
	if (b != TAILQ_FIRST(&s->batches)) {
		if (b->open == 0)
			merge_into_previous(s, b);
		return;
	}
	advance_in_batch(s, b);
	if (b->open == 0) {
		note_durable(s, b->last_event_ms, span_of(b->last_seq));
		drop_batch(s, b);
		/* The next batch was written in part while this one held the prefix. It is open, else it had been merged. */
		if ((b = TAILQ_FIRST(&s->batches)) != NULL)
			advance_in_batch(s, b);
	}
	table_moved(s->stream->table);
	if (s->state == SHARD_DRAINING && TAILQ_EMPTY(&s->batches)) {
		shard_move(s, SHARD_FINISHED);
		log_debug("shard finished", LOG_S("table", s->stream->table->conf->name), LOG_S("shard", s->id));
		stream_shard_finished(s->stream, s);
	}
}

size_t shard_held_bytes(const struct shard *s)
{
	const struct batch *b;
	size_t bytes = 0;
	if (TAILQ_FIRST(&s->batches) == TAILQ_LAST(&s->batches, batch_list))
		return 0;
	TAILQ_FOREACH (b, &s->batches, link)
		bytes += b->bytes;
	return bytes;
}

/* The least of what the open records of a batch leave as complete. */
static int64_t batch_complete_ms(const struct batch *b)
{
	int64_t least = INT64_MAX;
	for (size_t i = b->first_open; i < b->nrecords; i++) {
		const struct record *r = &b->records[i];
		if (r->state == RECORD_DURABLE)
			continue;
		int64_t ms = r->event_ms != CLOCK_UNKNOWN ? r->event_ms - 1 : b->floor_ms;
		if (ms < least)
			least = ms;
	}
	return least;
}

int64_t shard_complete_ms(const struct shard *s)
{
	const struct batch *b;
	int64_t least = INT64_MAX;
	/* Event times need not grow with the sequence: the least of all that is open counts. */
	TAILQ_FOREACH (b, &s->batches, link) {
		int64_t ms = batch_complete_ms(b);
		if (ms < least)
			least = ms;
	}
	return least == INT64_MAX ? s->complete_ms : least;
}

/* Far more than a shard has without a record between two that have one. */
#define SURE_EMPTY_PAGES 60

bool shard_is_past(const struct shard *s, int64_t event_ms)
{
	if (s->durable_event_ms > event_ms) /* CLOCK_UNKNOWN is the least */
		return true;
	return s->tip && s->empty_pages >= SURE_EMPTY_PAGES && shard_complete_ms(s) > event_ms;
}

/* Something of the record may be in S3: it was written, or its answer was lost, or it is one of the last run's. */
static bool may_be_there(const struct record *r)
{
	bool begun = r->step != (r->op == RECORDS_REMOVE ? RECORD_DELETES : RECORD_PUT);
	return r->state == RECORD_DURABLE || r->state == RECORD_WRITING || r->ask || begun;
}

bool shard_ahead(const struct shard *s)
{
	const struct batch *b = TAILQ_FIRST(&s->batches);
	if (b == NULL)
		return false;
	if (TAILQ_NEXT(b, link) != NULL)
		return true; /* a later batch may hold durable records, or have been merged in */
	for (size_t i = b->first_open; i < b->nrecords; i++)
		if (may_be_there(&b->records[i]))
			return true;
	struct span last = batch_span(b, b->records[b->nrecords - 1].seq);
	return !span_eq_str(last, b->last_seq);
}
