/*
 * Saving a table's position: the checkpoint file about once a second while records flow, watermark.json once a minute.
 *
 * The horizon (checkpoint.h) is what makes a restart cheap: before a record is written, the file on disk must already say that
 * records of its event time may have been written. It is moved a margin ahead at each save, so that this seldom waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "shard.h"
#include "table.h"

/* How far event times may lie ahead of this host's clock without a wait, on top of the skew that Date headers tell. */
#define MARGIN_MS INT64_C(60000)
#define WATERMARK_RETRY_MS 10000

static int64_t margin_ms(const struct table *t)
{
	int64_t skew = t->daemon->aws.clock_skew_ms;
	return MARGIN_MS + (skew < 0 ? -skew : skew);
}

static void on_saved(struct checkpoint_saver *s, int rc, void *arg);

int table_save_init(struct table *t, struct err *e)
{
	struct table_saving *s = &t->saving;
	s->horizon_ms = s->horizon_want_ms = s->saved_ms = s->watermark_ms = CLOCK_UNKNOWN;
	buf_init(&s->watermark, TABLE_WATERMARK_MAX);
	if (asprintf(&s->checkpoint_path, "%s/%s.checkpoint", t->daemon->conf->state_dir, t->conf->name) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	s->watermark_key = table_meta_key(t, "watermark.json");
	if (s->watermark_key == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	int rc = checkpoint_saver_init(&s->saver, s->checkpoint_path, on_saved, t, e);
	return rc < 0 ? rc : aws_op_init(&s->op, &t->daemon->aws, 64 << 10, e);
}

void table_save_close(struct table *t)
{
	aws_op_fini(&t->saving.op, NULL);
}

void table_save_fini(struct table *t)
{
	checkpoint_saver_fini(&t->saving.saver);
	buf_fini(&t->saving.watermark);
	free(t->saving.checkpoint_path);
	free(t->saving.watermark_key);
}

static size_t count_streams(const struct table *t)
{
	const struct stream *st;
	size_t n = 0;
	TAILQ_FOREACH (st, &t->streams, link)
		n++;
	return n;
}

/* Of a shard that nothing is known of, nothing is said: it is found again, and read from its beginning. */
static bool worth_saving(const struct shard *s)
{
	return s->state != SHARD_WAITING || s->durable_seq[0] != '\0';
}

/* Strings are borrowed from the stream. Drained streams are kept by name only. */
static bool fill_stream(struct position_stream *p, const struct stream *st)
{
	const struct shard *s;
	*p = (struct position_stream){.arn = st->arn, .label = st->label, .drained = st->drained};
	if (st->drained || st->nshards == 0)
		return true;
	p->shards = calloc(st->nshards, sizeof(*p->shards));
	if (p->shards == NULL)
		return false;
	TAILQ_FOREACH (s, &st->shards, link) {
		if (!worth_saving(s))
			continue;
		struct position_shard *ps = &p->shards[p->nshards++];
		ps->id = s->id;
		ps->parent = s->parents[0];
		ps->adjacent_parent = s->parents[1];
		memcpy(ps->seq, s->durable_seq, sizeof(ps->seq));
		ps->finished = s->state == SHARD_FINISHED;
		ps->latest = s->latest;
		ps->complete_ms = shard_complete_ms(s);
	}
	return true;
}

/* A position with borrowed strings; free with drop_position. */
static bool fill_position(struct table *t, struct position *p)
{
	const struct stream *st;
	*p = (struct position){
		.table = t->conf->name,
		.bucket = t->daemon->conf->bucket,
		.data_path = t->data_path,
		.table_arn = t->about.arn,
		.table_id = t->about.id,
		.instance = t->daemon->instance,
		.host = t->daemon->host,
		.since_ms = t->since_ms,
		.saved_ms = clock_wall_ms(),
		.complete_through_ms = table_complete_ms(t),
		.gap_count = t->gap_count,
		.gaps = t->gaps,
		.ngaps = t->ngaps,
		.baseline = (struct position_baseline *)baseline_position(t->baseline),
	};
	p->streams = calloc(count_streams(t) + 1, sizeof(*p->streams));
	if (p->streams == NULL)
		return false;
	TAILQ_FOREACH (st, &t->streams, link)
		if (!fill_stream(&p->streams[p->nstreams++], st))
			return false;
	return true;
}

static void drop_position(struct position *p)
{
	for (size_t i = 0; i < p->nstreams; i++)
		free(p->streams[i].shards);
	free(p->streams);
}

static void set_problem(struct table *t, const struct err *e, const char *what)
{
	struct table_saving *s = &t->saving;
	s->errors++;
	snprintf(s->problem, sizeof(s->problem), "%s: %s", what, e->message);
	log_error("position cannot be saved; trying again", LOG_S("table", t->conf->name), LOG_S("what", what),
		  LOG_E(e));
}

/*
 * When every shard has been read past the last run's horizon, nothing is left to ask. Until then not even a stop in good order is
 * clean: what S3 has beyond the position may not have been read again yet. Completeness would not do here: it is claimed after a
 * few empty pages, and a wrong claim costs nothing there, but a second version of each record here.
 */
static bool questions_are_over(struct table *t)
{
	const struct stream *st;
	if (t->ask_until_ms == CLOCK_UNKNOWN)
		return true;
	if (!t->questions_over) {
		t->questions_over = true;
		TAILQ_FOREACH (st, &t->streams, link)
			t->questions_over = t->questions_over && stream_is_past(st, t->ask_until_ms);
	}
	return t->questions_over;
}

static int start_save(struct table *t, bool clean)
{
	struct table_saving *s = &t->saving;
	struct position p;
	int rc;
	bool over = questions_are_over(t);
	struct checkpoint c = {.position = &p, .clean = clean && over};
	int64_t now_ms = table_now_ms(t);
	s->horizon_next_ms = now_ms + margin_ms(t);
	if (s->horizon_want_ms > s->horizon_next_ms)
		s->horizon_next_ms = s->horizon_want_ms;
	if (s->horizon_ms > s->horizon_next_ms)
		s->horizon_next_ms = s->horizon_ms;
	/* Until the records before the last run's horizon have been asked about, a crash must have them asked about again. */
	if (!over && t->ask_until_ms > s->horizon_next_ms)
		s->horizon_next_ms = t->ask_until_ms;
	c.horizon_ms = s->horizon_next_ms;
	rc = fill_position(t, &p) ? checkpoint_saver_start(&s->saver, &t->daemon->loop, &c, &s->err)
				  : err_set(&s->err, ERR_SYSTEM, "out of memory");
	drop_position(&p);
	s->dirty = false;
	s->saved_mono_ms = clock_mono_ms();
	if (rc < 0) {
		s->dirty = true;
		set_problem(t, &s->err, "checkpoint");
	}
	return rc;
}

/* Writing goes on when both are on file: the horizon here, and in the bucket a watermark to resume from without this host. */
static void unblock(struct table *t)
{
	const struct table_saving *s = &t->saving;
	if (!t->lanes.blocked || s->horizon_ms < s->horizon_want_ms || s->watermark_ms == CLOCK_UNKNOWN)
		return;
	lane_block(&t->daemon->lanes, &t->lanes, false);
	worker_kick(&t->daemon->workers);
}

static void on_saved(struct checkpoint_saver *saver, int rc, void *arg)
{
	struct table *t = arg;
	struct table_saving *s = &t->saving;
	if (rc < 0) {
		s->err = saver->err;
		s->dirty = true;
		set_problem(t, &s->err, "checkpoint");
		return;
	}
	s->err.class = ERR_NONE;
	s->problem[0] = '\0';
	s->saved_ms = clock_wall_ms();
	s->horizon_ms = s->horizon_next_ms;
	unblock(t);
}

void table_moved(struct table *t)
{
	t->saving.dirty = true;
}

bool table_may_write(struct table *t, int64_t event_ms)
{
	struct table_saving *s = &t->saving;
	/* An unknown time is the least: after an unclean stop it is always asked about. */
	bool covered = s->horizon_ms != CLOCK_UNKNOWN && event_ms <= s->horizon_ms;
	int64_t now_ms = table_now_ms(t);
	if (covered && s->watermark_ms != CLOCK_UNKNOWN)
		return true;
	lane_block(&t->daemon->lanes, &t->lanes, true);
	if (covered)
		return false;
	s->horizon_want_ms = event_ms > now_ms ? event_ms + margin_ms(t) : now_ms;
	if (!s->saver.busy)
		start_save(t, false);
	else
		s->dirty = true;
	return false;
}

bool table_must_ask(const struct table *t, int64_t event_ms)
{
	if (event_ms == CLOCK_UNKNOWN)
		return t->ask_until_ms != CLOCK_UNKNOWN && !t->questions_over;
	return event_ms <= t->ask_until_ms;
}

int table_watermark_encode(struct table *t, struct buf *out, struct err *e)
{
	struct position p;
	json_t *j = fill_position(t, &p) ? position_to_json(&p) : NULL;
	drop_position(&p);
	char *text = j != NULL ? json_dumps(j, JSON_INDENT(1)) : NULL;
	json_decref(j);
	if (text == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	int rc = buf_append_str(out, text);
	free(text);
	return rc < 0 ? err_set(e, ERR_LIMIT, "watermark.json is over %d MiB", (int)(TABLE_WATERMARK_MAX >> 20)) : 0;
}

static void on_watermark(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct table_saving *s = &t->saving;
	s->putting = false;
	buf_trim(&s->watermark, 64 << 10);
	if (rc < 0) {
		s->watermark_failures++;
		s->watermark_err = op->err;
		if (op->err.class != ERR_CANCELLED)
			set_problem(t, &op->err, "watermark.json in the bucket");
		return;
	}
	if (s->watermark_failures > 0 && s->err.class == ERR_NONE)
		s->problem[0] = '\0';
	s->watermark_failures = 0;
	s->watermark_ms = clock_wall_ms();
	unblock(t);
}

static void put_watermark(struct table *t)
{
	struct table_saving *s = &t->saving;
	struct err e;
	s->watermark_mono_ms = clock_mono_ms();
	buf_reset(&s->watermark);
	if (table_watermark_encode(t, &s->watermark, &e) < 0) {
		set_problem(t, &e, "watermark.json in the bucket");
		return;
	}
	const struct s3_put put = {
		.key = span_of(s->watermark_key),
		.body = {buf_str(&s->watermark), s->watermark.len},
	};
	s->putting = true;
	s3_put(&s->op, &put, on_watermark, t);
}

void table_save_enable(struct table *t)
{
	t->saving.enabled = t->saving.dirty = true;
	put_watermark(t);
}

void table_save_watermark_soon(struct table *t)
{
	t->saving.watermark_mono_ms = 0;
}

void table_save_due(struct table *t, int64_t mono_ms)
{
	const struct config *conf = t->daemon->conf;
	struct table_saving *s = &t->saving;
	if (!s->enabled || s->final_saved)
		return;
	bool waits = t->lanes.blocked && s->err.class == ERR_NONE;
	if (s->dirty && !s->saver.busy && (waits || mono_ms - s->saved_mono_ms >= conf->checkpoint_interval_ms))
		start_save(t, false);
	int64_t every_ms = conf->watermark_interval_ms;
	if (s->watermark_failures > 0 && every_ms > WATERMARK_RETRY_MS)
		every_ms = WATERMARK_RETRY_MS;
	if (!s->putting && mono_ms - s->watermark_mono_ms >= every_ms)
		put_watermark(t);
}

bool table_save_final(struct table *t, bool clean)
{
	struct table_saving *s = &t->saving;
	if (!s->enabled)
		return true;
	if (s->saver.busy)
		return false;
	if (!s->final_saved) {
		s->final_saved = true;
		return start_save(t, clean) < 0;
	}
	if (s->putting)
		return false;
	if (!s->final_put) {
		s->final_put = true;
		put_watermark(t);
		return !s->putting;
	}
	return true;
}
