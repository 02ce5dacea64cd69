/*
 * One read of a shard: an iterator when there is none, then one page of records.
 *
 * The iterator is derived from the last record that was read, else from the durable position, else TRIM_HORIZON; LATEST only for
 * a shard that was open when a table with start = latest was first seen, and only until one iterator was had.
 */
#include "aws/streams.h"
#include "base/clock.h"
#include "base/log.h"
#include "codec/json.h"
#include "daemon.h"
#include "reader.h"
#include "shard.h"
#include "shard_rest.h"
#include "table.h"

static void ask_iterator(struct shard *s);
static void ask_records(struct shard *s);

void shard_read(struct shard *s, struct reader *r)
{
	shard_move(s, SHARD_READING);
	s->reader = r;
	s->asked_ms = table_now_ms(s->stream->table);
	s->asked_mono_ms = clock_mono_ms();
	if (s->iterator.len == 0)
		ask_iterator(s);
	else
		ask_records(s);
}

/* The shard a completion is for; NULL when it went away meanwhile, and then the reader is free. */
static struct shard *shard_of(struct reader *r)
{
	struct shard *s = r->shard;
	if (s == NULL)
		reader_release(r, 0); /* which may hand it to another shard at once */
	return s;
}

static void give_reader_back(struct shard *s, size_t keep_bytes)
{
	struct reader *r = s->reader;
	s->reader = NULL;
	reader_release(r, keep_bytes);
}

static void failed(struct shard *s, const struct err *e)
{
	s->err = *e; /* `e` may be the op's own, which the next request uses anew */
	give_reader_back(s, 0);
	if (s->err.class == ERR_CANCELLED)
		shard_move(s, SHARD_RESTING); /* for good: only a stop cancels */
	else
		shard_rest_after_failure(s);
}

static void on_iterator(struct aws_op *op, int rc, void *arg)
{
	struct reader *r = arg;
	struct shard *s = shard_of(r);
	if (s == NULL)
		return;
	if (rc < 0) {
		failed(s, &op->err);
		return;
	}
	/* From here on "latest" is over: whatever comes after this moment is ours to keep. */
	s->from_latest = s->paged = false;
	if (s->stopped) {
		give_reader_back(s, 0);
		shard_move(s, SHARD_RESTING);
		return;
	}
	buf_reset(&s->iterator);
	if (buf_append(&s->iterator, buf_str(&r->iterator), r->iterator.len) < 0) {
		struct err e;
		err_set(&e, ERR_CORRUPT, "iterator of %zu bytes is too long", r->iterator.len);
		failed(s, &e);
		return;
	}
	ask_records(s);
}

/*
 * TRIM_HORIZON never fails: it leaves out silently what is gone. A shard that had to wait for its parents until what they were
 * complete through was a day old may have lost its beginning.
 */
static void begin_at_horizon(struct shard *s)
{
	if (s->from_horizon || !table_gap_overdue(s->stream->table, s->complete_ms))
		return;
	table_gap_trimmed(s->stream->table, s->stream->label, s->id, "records trimmed before they were read",
			  s->complete_ms);
	s->from_horizon = true;
}

static void ask_iterator(struct shard *s)
{
	struct reader *r = s->reader;
	const char *seq = s->read_seq[0] != '\0' ? s->read_seq : s->durable_seq;
	enum streams_iterator_type type = STREAMS_TRIM_HORIZON;
	if (s->from_latest)
		type = STREAMS_LATEST;
	else if (!s->from_horizon && seq[0] != '\0')
		type = STREAMS_AFTER_SEQUENCE;
	else
		begin_at_horizon(s);
	buf_reset(&r->iterator);
	streams_get_iterator(&r->op, s->stream->arn, s->id, type, seq, &r->iterator, on_iterator, r);
}

/* An event time so far ahead is no time: it would move the horizon, and the lag, for ever. */
#define EVENT_AHEAD_MAX_MS (INT64_C(24) * 3600 * 1000)

/* What each record must know before it joins its lane. */
static int prepare(struct table *t, struct batch *b, struct err *e)
{
	const struct itemkey_schema *schema = &b->shard->stream->schema;
	int64_t believable_ms = table_now_ms(t) + EVENT_AHEAD_MAX_MS;
	for (size_t i = 0; i < b->nrecords; i++) {
		struct record *r = &b->records[i];
		if (r->event_ms > believable_ms)
			r->event_ms = CLOCK_UNKNOWN;
		r->ask = table_must_ask(t, r->event_ms);
		if (schema->tenant_attribute == NULL || r->op != RECORDS_MODIFY || r->old_image.len == 0)
			continue;
		bool moves;
		int rc = itemkey_tenant_differs(schema, batch_span(b, r->keys), batch_span(b, r->old_image),
						batch_span(b, r->new_image), &moves, e);
		if (rc < 0)
			return rc;
		r->moves = moves;
	}
	return 0;
}

static void push(struct shard *s, struct batch *b)
{
	struct table *t = s->stream->table;
	struct daemon *d = t->daemon;
	shard_take(s, b);
	t->records_read += b->nrecords;
	baseline_touch(t->baseline, b);
	for (size_t i = 0; i < b->nrecords; i++) {
		b->records[i].rank = s->behind ? RECORD_BACKLOG : RECORD_NEW;
		lane_push(&d->lanes, &t->lanes, &b->records[i]);
	}
	worker_kick(&d->workers);
}

/* Takes the iterator that the page gives; false when the shard ends with this page. */
static int next_iterator(struct shard *s, struct span raw, bool *ends, struct err *e)
{
	struct buf text;
	buf_init(&text, STREAMS_ITERATOR_MAX);
	int rc = raw.len == 0 ? 0 : json_unescape(raw, &text);
	*ends = raw.len == 0;
	if (rc == 0)
		buf_take(&s->iterator, &text);
	else
		err_set(e, ERR_CORRUPT, "NextShardIterator cannot be used");
	buf_fini(&text);
	return rc < 0 ? -ERR_CORRUPT : 0;
}

/*
 * A shard that began at LATEST and has no position yet is read from TRIM_HORIZON after a restart or an expired iterator, so that
 * nothing is missed. What is older than the backup is still not wanted; event times are approximate, hence a margin.
 */
#define LATEST_MARGIN_MS (INT64_C(5) * 60 * 1000)

/* A page that is malformed in any way is thrown away whole and asked for again: the iterator has not moved. */
static int take_page(struct shard *s, struct buf *body, struct batch **out, size_t *dropped, bool *ends, struct err *e)
{
	struct table *t = s->stream->table;
	struct daemon *d = t->daemon;
	struct batch *b;
	struct batch_answer answer;
	const struct batch_skip skip = {
		.after_seq = s->read_seq[0] != '\0' ? s->read_seq : s->durable_seq,
		.before_ms = s->latest && s->durable_seq[0] == '\0' ? t->since_ms - LATEST_MARGIN_MS : CLOCK_UNKNOWN,
	};
	int rc = batch_new(&b, body, t->salt, &skip, d->canon, &answer, e);
	if (rc < 0)
		return rc;
	b->shard = s;
	if (b->nrecords > 0)
		rc = prepare(t, b, e);
	if (rc == 0)
		rc = lanes_reserve(&d->lanes, b->nrecords);
	if (rc == 0)
		rc = next_iterator(s, answer.next_iterator, ends, e);
	if (rc < 0) {
		batch_free(b);
		return rc;
	}
	if (answer.dropped > 0)
		log_debug("records read before were left out", LOG_S("table", t->conf->name), LOG_S("shard", s->id),
			  LOG_U("records", answer.dropped));
	*out = b;
	*dropped = answer.dropped;
	return 0;
}

static void on_records(struct aws_op *op, int rc, void *arg)
{
	struct reader *r = arg;
	struct shard *s = shard_of(r);
	struct batch *b;
	struct err e;
	bool ends = false;
	size_t dropped = 0;
	if (s == NULL)
		return;
	if (rc < 0) {
		failed(s, &op->err);
		return;
	}
	size_t bytes = http_body(op->slot)->len;
	s->stream->table->bytes_read += bytes;
	rc = take_page(s, http_body(op->slot), &b, &dropped, &ends, &e);
	if (rc < 0) {
		err_prefix(&e, "GetRecords");
		failed(s, &e);
		return;
	}
	size_t n = b->nrecords, kept = n > 0 ? b->bytes : 0;
	if (s->from_horizon)
		table_gap_passed(s->stream->table, s->complete_ms);
	s->from_horizon = false;
	s->behind = shard_page_is_full(s, n + dropped, bytes);
	if (n > 0)
		push(s, b);
	else
		batch_free(b);
	if (ends)
		shard_drain(s);
	else
		shard_rest_after_page(s, n + dropped, bytes);
	give_reader_back(s, kept);
}

static void ask_records(struct shard *s)
{
	struct reader *r = s->reader;
	http_slot_body_max(r->op.slot, r->reserved_bytes);
	streams_get_records(&r->op, buf_str(&s->iterator), s->limit, on_records, r);
}
