#include "shard_rest.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "baseline.h"
#include "daemon.h"
#include "table.h"

#define POLL_FLOOR_MS 250 /* GetRecords: at most 5 calls a second for a shard; we leave one to others */

/*
 * An empty page means nothing by itself: pages without records come in the middle of a shard. Only several in a row make
 * it likely that there is no more, and the lag may be counted from the time of asking. A page with records tells nothing of that kind:
 * any number of further ones may follow, however short it is. And a shard that is closed has no tip, only an end.
 */
#define TIP_EMPTY_PAGES 3

/* At the tip, changes younger than this may be on their way from the table to its stream: they are not claimed. */
#define SETTLE_MS 2000

/* After a longer silence a single partial page no longer shows that this is still the tip. */
#define TIP_SILENCE_MS 60000

/* A page at 80% of what one answer may hold (1,000 records or 1 MB) has more behind it. */
#define FULL_RECORDS 800
#define FULL_BYTES 800000

/* A closed shard that is listed and yet unknown so many times in a row is trimmed. */
#define MISSING_TIMES 8

static void on_timer(uv_timer_t *timer)
{
	struct shard *s = timer->data;
	struct table *t = s->stream->table;
	shard_move(s, SHARD_QUEUED);
	reader_want(&t->daemon->readers, &t->reads, s);
}

void shard_rest(struct shard *s, int64_t delay_ms)
{
	if (s->state != SHARD_RESTING)
		shard_move(s, SHARD_RESTING);
	if (!s->stopped)
		uv_timer_start(&s->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

bool shard_page_is_full(const struct shard *s, size_t records, size_t bytes)
{
	return records >= FULL_RECORDS || bytes >= FULL_BYTES || (s->limit > 0 && records >= s->limit);
}

/* A baseline holds in memory what it found until the stream has passed it: the sooner that is seen, the faster it is. */
#define BASELINE_POLL_MS 1000

static int64_t slowest_ms(const struct table *t)
{
	const struct position_baseline *baseline = baseline_position(t->baseline);
	int64_t ms = t->daemon->conf->poll_interval_ms;
	bool waits = baseline != NULL && position_baseline_runs(baseline);
	return waits && ms > BASELINE_POLL_MS ? BASELINE_POLL_MS : ms;
}

/* Polls of idle shards that come so close together are sent together: a turn of the loop for each cost as much as the poll itself. */
#define TOGETHER_MS 20

/*
 * When to ask again, from when it was asked. Shards that were found together part while their pace slows down. The slowest is kept to:
 * any more would be added to the latency, any less to the bill.
 */
static int64_t next_ms(const struct shard *s, size_t records, int64_t most_ms)
{
	int64_t ms = s->rest_ms;
	if (records == 0)
		ms += (int64_t)backoff_random((uint64_t)(s->tip ? ms : ms / 4) + 1);
	if (records > 0 || ms < most_ms)
		return s->asked_mono_ms + ms;
	/* One that was asked a little late comes a little early, and so stays with the others. */
	ms = s->asked_mono_ms + most_ms;
	return ms - ms % TOGETHER_MS;
}

void shard_rest_after_page(struct shard *s, size_t records, size_t bytes)
{
	int64_t most_ms = slowest_ms(s->stream->table);
	int64_t silence_ms = s->read_began_ms == CLOCK_UNKNOWN ? 0 : s->asked_ms - s->read_began_ms;
	bool full = shard_page_is_full(s, records, bytes);
	s->failures = s->missing = 0;
	s->paged = true;
	s->read_began_ms = s->asked_ms;
	s->expect_records = records;
	if (s->limit > 0 && (s->limit *= 2) > 500)
		s->limit = 0; /* what did not fit is behind us */
	if (s->reserve_bytes > s->stream->table->reads.limit_bytes)
		s->reserve_bytes = READER_RESERVE_BYTES;
	if (records > 0) {
		s->empty_pages = 0;
		s->rest_ms = POLL_FLOOR_MS;
		s->tip = s->tip && !full && silence_ms < TIP_SILENCE_MS;
	} else {
		s->empty_pages++;
		/* Quick at first: until the tip is confirmed the lag is not known. */
		s->rest_ms = s->tip ? s->rest_ms * 2 : POLL_FLOOR_MS;
		s->tip = s->open && (s->tip || s->empty_pages >= TIP_EMPTY_PAGES);
		if (s->tip && s->asked_ms - SETTLE_MS > s->complete_ms)
			s->complete_ms = s->asked_ms - SETTLE_MS;
	}
	if (s->rest_ms > most_ms)
		s->rest_ms = most_ms;
	shard_rest(s, next_ms(s, records, most_ms) - clock_mono_ms());
}

/* An answer that did not fit: ask for more memory first, then for fewer records. False: neither can be had. */
static bool make_it_fit(struct shard *s)
{
	const struct table *t = s->stream->table;
	if (s->reserve_bytes < t->reads.limit_bytes / 2) {
		s->reserve_bytes *= 2;
		return true;
	}
	if (s->limit == 1) { /* one record alone may take more than a table's share */
		bool can_grow = s->reserve_bytes < t->daemon->conf->memory_limit_bytes;
		s->reserve_bytes *= can_grow ? 2 : 1;
		return can_grow;
	}
	s->limit = s->limit == 0 ? 500 : s->limit / 2;
	return true;
}

/*
 * A shard that the server does not know: perhaps it is trimmed, perhaps the whole stream is gone, perhaps it is a passing fault. A
 * sweep tells. One that is open cannot be trimmed: it is asked for again until sweeps no longer list it.
 */
static bool is_missing(struct shard *s)
{
	s->missing++;
	table_sweep_soon(s->stream->table);
	return !s->open && s->missing >= MISSING_TIMES;
}

/*
 * "Trimmed" for an iterator that came with a page says little: DynamoDB Local says so of the first record of a shard that was empty.
 * So the iterator is derived again from the position; when that is trimmed, too, there is a gap. Without a position (nothing of the
 * shard was ever read) something is missing only if what is known to be complete lies further back than a stream keeps records.
 * True when it is to be tried again at once.
 */
static bool note_trim(struct shard *s)
{
	struct table *t = s->stream->table;
	bool continued = s->paged, first = !s->from_horizon;
	bool positioned = s->durable_seq[0] != '\0' || s->read_seq[0] != '\0';
	buf_reset(&s->iterator);
	s->paged = false;
	if (continued)
		return true;
	if (first && (positioned || table_gap_overdue(t, s->complete_ms)))
		table_gap_trimmed(t, s->stream->label, s->id, "records trimmed before they were read",
				  shard_complete_ms(s));
	s->from_horizon = true;
	return first;
}

void shard_rest_after_failure(struct shard *s)
{
	struct table *t = s->stream->table;
	bool at_once = false;
	s->failures++;
	if (s->err.class != ERR_TRIMMED && s->err.class != ERR_NOT_FOUND)
		s->missing = 0;
	switch (s->err.class) {
	case ERR_EXPIRED: /* older than 15 minutes: derived again from the position */
		buf_reset(&s->iterator);
		at_once = s->failures == 1;
		break;
	case ERR_TRIMMED:
		at_once = note_trim(s);
		if (!at_once && is_missing(s)) { /* its very beginning is gone, time and again */
			shard_trimmed(s);
			return;
		}
		break;
	case ERR_LIMIT:
		at_once = make_it_fit(s);
		break;
	case ERR_NOT_FOUND:
		buf_reset(&s->iterator);
		if (is_missing(s)) {
			shard_trimmed(s);
			return;
		}
		break;
	case ERR_INVALID: /* an iterator that the server does not like: derived again */
		buf_reset(&s->iterator);
		break;
	default:
		break;
	}
	if (!at_once) {
		t->read_errors++;
		log_warn("shard cannot be read; trying again", LOG_S("table", t->conf->name), LOG_D("shard", s->id),
			 LOG_E(&s->err), LOG_U("failures", s->failures));
	}
	shard_rest(s, at_once ? POLL_FLOOR_MS : backoff_delay_ms(&s->err, s->failures));
}
