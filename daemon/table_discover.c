/*
 * Discovery: which streams a table has, and which shards they have.
 *
 *     once:       ListStreams, to its last page -> streams in order of their labels, with what the checkpoint knows
 *     each time:  DescribeTable (a new stream?) -> DescribeStream of the active one, to its last page -> merge
 *     when a shard has ended: DescribeStream with ShardFilter CHILD_SHARDS -> merge; without an answer, a whole sweep; and
 *                 both again each time until there is a child
 *
 * Only a description that is complete is merged: from half a graph a child could seem to have no parent (I3).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "stream.h"
#include "table.h"

#define CHILD_AGAIN_MS 1000
#define UNLISTED_AGAIN_MS 2000
#define SIBLINGS_AGAIN_MS 5000
#define SOON_MS 50
#define FRUITLESS_DOUBLINGS 6
#define STREAM_MISSING_TIMES 5 /* so often in a row DescribeStream says that a stream is gone before it is believed */
/* Of one table, far beyond what AWS has: 24 hours of 40,000 partitions that each rolls every four. */
#define SHARDS_MAX ((size_t)1000000)
#define STREAMS_MAX ((size_t)10000)

static void begin(struct table *t);
static void list_streams(struct table *t);
static void sweep(struct table *t, struct stream *st);

static void on_timer(uv_timer_t *timer)
{
	begin(timer->data);
}

void table_discover_init(struct table *t)
{
	uv_timer_init(&t->daemon->loop, &t->discovery.timer);
	t->discovery.timer.data = t;
}

static void drop_pages(struct table_discovery *d)
{
	struct streams_description whole = {.shards = d->shards, .nshards = d->nshards};
	streams_description_fini(&whole);
	streams_description_fini(&d->page);
	streams_list_fini(&d->list);
	streams_list_fini(&d->list_page);
	d->page = (struct streams_description){0};
	d->list = d->list_page = (struct streams_list){0};
	d->shards = NULL;
	d->nshards = 0;
	free(d->cursor);      // NOLINT(clang-analyzer-unix.Malloc): it loses track of who owns the cursors in add_page
	free(d->cursor_mark); // NOLINT(clang-analyzer-unix.Malloc)
	free(d->parent);
	d->cursor = d->cursor_mark = d->parent = NULL;
	d->pages = 0;
}

void table_discover_stop(struct table *t)
{
	if (!uv_is_closing((uv_handle_t *)&t->discovery.timer))
		uv_close((uv_handle_t *)&t->discovery.timer, NULL);
}

void table_discover_fini(struct table *t)
{
	drop_pages(&t->discovery);
}

static void wait_for(struct table *t, int64_t delay_ms)
{
	struct table_discovery *d = &t->discovery;
	d->busy = false;
	drop_pages(d);
	if (t->daemon->phase == DAEMON_STOPPING)
		return;
	if (d->again && delay_ms > SOON_MS)
		delay_ms = SOON_MS;
	d->again = false;
	uv_timer_start(&d->timer, on_timer, (uint64_t)delay_ms, 0);
}

static void failed(struct table *t, const struct err *e)
{
	struct table_discovery *d = &t->discovery;
	if (e->class == ERR_CANCELLED) {
		d->busy = false;
		drop_pages(d);
		return;
	}
	d->failures++;
	t->read_errors++;
	t->problem = *e;
	d->again = false;
	log_warn("streams and shards cannot be looked up; trying again", LOG_S("table", t->conf->name), LOG_E(e),
		 LOG_U("failures", d->failures));
	wait_for(t, backoff_delay_ms(e, d->failures));
}

static void no_memory(struct table *t)
{
	struct err e;
	err_errno(&e, ENOMEM, "discovery");
	failed(t, &e);
}

/* The oldest stream that is not drained becomes the active one. */
static void activate(struct table *t)
{
	struct stream *st;
	t->active = NULL;
	TAILQ_FOREACH (st, &t->streams, link) {
		if (stream_check_drained(st))
			continue;
		t->active = st;
		if (!st->started)
			stream_start(st);
		return;
	}
}

/* What is said when a table's newest stream is off: nothing new can be backed up until it is on again. */
static void note_health(struct table *t)
{
	if (t->active != NULL && t->active->status != STREAMS_DISABLED) {
		t->problem.class = ERR_NONE;
		return;
	}
	err_set(&t->problem, ERR_INVALID,
		"its stream is off: nothing that changes now is backed up; turn the stream on again with "
		"NEW_AND_OLD_IMAGES, "
		"and the daemon goes on by itself");
	log_error("table is not backed up", LOG_S("table", t->conf->name), LOG_E(&t->problem));
}

static void finished(struct table *t)
{
	struct table_discovery *d = &t->discovery;
	struct stream *before = t->active;
	d->failures = 0;
	t->complete_before_ms = table_complete_ms(t);
	activate(t);
	note_health(t);
	if (t->active != NULL && t->active != before) {
		sweep(t, t->active);
		return;
	}
	int64_t delay_ms = t->daemon->conf->discovery_interval_ms;
	if (t->active != NULL && stream_childless(t->active) != NULL) {
		int64_t soon_ms = (int64_t)CHILD_AGAIN_MS
				  << (d->fruitless < FRUITLESS_DOUBLINGS ? d->fruitless : FRUITLESS_DOUBLINGS);
		d->fruitless++;
		d->again = false;
		if (soon_ms < delay_ms)
			delay_ms = soon_ms;
	} else {
		d->fruitless = 0;
	}
	if (t->active != NULL && stream_has_unlisted(t->active) && delay_ms > UNLISTED_AGAIN_MS)
		delay_ms = UNLISTED_AGAIN_MS;
	if (t->active != NULL && stream_has_unsettled(t->active) && delay_ms > SIBLINGS_AGAIN_MS)
		delay_ms = SIBLINGS_AGAIN_MS;
	wait_for(t, delay_ms);
}

/*
 * -ERR_CORRUPT for a cursor that goes nowhere: it would be followed for ever. A mark that moves on at each power of two meets
 * every cursor that goes round (Brent, "An improved Monte Carlo factorization algorithm", 1980).
 */
static int check_cursor(struct table_discovery *d, const char *cursor, const char *operation, struct err *e)
{
	if (cursor == NULL)
		return 0;
	if (cursor[0] == '\0' || (d->cursor_mark != NULL && strcmp(cursor, d->cursor_mark) == 0))
		return err_set(e, ERR_CORRUPT, "%s repeats its page cursor \"%.80s\"", operation, cursor);
	if ((d->pages & (d->pages - 1)) == 0) {
		free(d->cursor_mark);
		d->cursor_mark = strdup(cursor);
		if (d->cursor_mark == NULL)
			return err_errno(e, ENOMEM, "page cursor");
	}
	d->pages++;
	return 0;
}

/* Adds the page to those before it. */
static int add_page(struct table_discovery *d, struct err *e)
{
	const struct streams_description *p = &d->page;
	int rc = check_cursor(d, p->last_shard, "DescribeStream", e);
	if (rc < 0)
		return rc;
	if (d->nshards + p->nshards > SHARDS_MAX)
		return err_set(e, ERR_LIMIT, "DescribeStream tells of over %zu shards", SHARDS_MAX);
	if (p->nshards > 0) {
		struct streams_shard *all = realloc(d->shards, (d->nshards + p->nshards) * sizeof(*all));
		if (all == NULL)
			return err_errno(e, ENOMEM, "shards");
		memcpy(all + d->nshards, p->shards, p->nshards * sizeof(*all));
		d->shards = all;
		d->nshards += p->nshards;
	}
	/* The strings of the shards, and the cursor, have a new owner; the rest goes. */
	struct streams_description rest = d->page;
	d->page = (struct streams_description){0};
	d->stream->status = rest.status;
	free(d->cursor);
	d->cursor = rest.last_shard;
	rest.last_shard = NULL;
	rest.nshards = 0;
	streams_description_fini(&rest);
	return 0;
}

static void next_page(struct table *t);

static void on_page(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct table_discovery *d = &t->discovery;
	struct err e;
	/* DescribeTable names a new stream before DescribeStream knows it. */
	bool current = !t->gone && t->about.stream_enabled && strcmp(t->about.stream_arn, d->stream->arn) == 0;
	/* Of a later page it is the shard of the cursor that is gone: trimmed while we were paging. */
	d->stream->missing = rc == -ERR_NOT_FOUND && !current && d->cursor == NULL ? d->stream->missing + 1 : 0;
	if (d->stream->missing >= STREAM_MISSING_TIMES) {
		stream_gone(d->stream);
		finished(t);
		return;
	}
	if (rc < 0) {
		failed(t, &op->err);
		return;
	}
	rc = stream_set_keys(d->stream, d->page.hash_name, d->page.range_name);
	if (rc < 0)
		err_errno(&e, ENOMEM, "key schema");
	if (rc == 0)
		rc = add_page(d, &e);
	if (rc == 0 && d->cursor != NULL) {
		next_page(t);
		return;
	}
	if (rc == 0)
		rc = stream_merge(d->stream, d->shards, d->nshards, true, &e);
	if (rc < 0) {
		failed(t, &e);
		return;
	}
	d->stream->swept_ms = d->began_ms;
	finished(t);
}

static void next_page(struct table *t)
{
	struct table_discovery *d = &t->discovery;
	streams_describe(&t->op, d->stream->arn, d->cursor, &d->page, on_page, t);
}

static void sweep(struct table *t, struct stream *st)
{
	drop_pages(&t->discovery);
	t->discovery.stream = st;
	t->discovery.began_ms = table_now_ms(t);
	stream_sweep_begins(st);
	next_page(t);
}

static void on_children(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct table_discovery *d = &t->discovery;
	struct err e;
	size_t n = 0;
	if (rc < 0 && (op->err.class == ERR_CANCELLED || op->err.class == ERR_AUTH)) {
		failed(t, &op->err);
		return;
	}
	/* A server that does not know the filter refuses it, or ignores it and sends everybody: only children count. */
	for (size_t i = 0; rc == 0 && i < d->page.nshards; i++) {
		struct streams_shard *s = &d->page.shards[i];
		bool is_child = (s->parent != NULL && strcmp(s->parent, d->parent) == 0) ||
				(s->adjacent_parent != NULL && strcmp(s->adjacent_parent, d->parent) == 0);
		if (!is_child)
			continue;
		struct streams_shard child = *s;
		*s = d->page.shards[n];
		d->page.shards[n++] = child;
	}
	if (n == 0) {
		sweep(t, t->active);
		return;
	}
	rc = stream_merge(t->active, d->page.shards, n, false, &e);
	if (rc < 0)
		failed(t, &e);
	else
		finished(t);
}

/* Asks for the children of a finished shard that has none yet; false when there is no such shard. */
static bool ask_children(struct table *t)
{
	struct table_discovery *d = &t->discovery;
	const struct shard *parent = t->active != NULL ? stream_childless(t->active) : NULL;
	d->parent = parent != NULL ? strdup(parent->id) : NULL;
	if (d->parent == NULL)
		return false;
	streams_describe_children(&t->op, t->active->arn, d->parent, &d->page, on_children, t);
	return true;
}

static struct stream *find_stream(struct table *t, const char *arn)
{
	struct stream *st;
	TAILQ_FOREACH (st, &t->streams, link)
		if (strcmp(st->arn, arn) == 0)
			return st;
	return NULL;
}

/* By label: labels are the times of their creation. */
static struct stream *insert_stream(struct table *t, const char *arn, const char *label)
{
	struct stream *st = find_stream(t, arn), *after;
	if (st != NULL)
		return st;
	st = stream_new(t, arn, label);
	if (st == NULL)
		return NULL;
	TAILQ_FOREACH_REVERSE (after, &t->streams, stream_list, link)
		if (strcmp(after->label, label) < 0)
			break;
	if (after != NULL)
		TAILQ_INSERT_AFTER(&t->streams, after, st, link);
	else
		TAILQ_INSERT_HEAD(&t->streams, st, link);
	return st;
}

/* DescribeTable names the current stream: is it one that is not known yet, or one that was given up too early? */
static int take_newest(struct table *t)
{
	const struct table_description *about = &t->about;
	const struct stream *newest = TAILQ_LAST(&t->streams, stream_list);
	bool newer = about->stream_arn != NULL && (newest == NULL || strcmp(newest->label, about->stream_label) < 0);
	struct stream *st = about->stream_arn != NULL ? find_stream(t, about->stream_arn) : NULL;
	if (st != NULL) {
		if (about->stream_enabled && (st->gone || st->drained))
			stream_revive(st);
		return 0;
	}
	/* None; or an answer that is older than what is known, as long as what is known lives. */
	bool alive = newest != NULL && !newest->gone && !newest->drained;
	if (about->stream_arn == NULL || (!newer && (alive || !about->stream_enabled)))
		return 0;
	st = insert_stream(t, about->stream_arn, about->stream_label);
	if (st == NULL)
		return -ERR_SYSTEM;
	st->known_before = true; /* "latest" is for the first start of a backup only */
	log_warn("the table has a new stream: it was turned off and on, or the table was made anew; changes while it "
		 "was off "
		 "are in no stream",
		 LOG_S("table", t->conf->name), LOG_S("stream", st->label));
	table_gap_recreated(t, st->label, "stream recreated", table_complete_ms(t));
	return 0;
}

static void on_table(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	if (rc == -ERR_NOT_FOUND && t->active != NULL) {
		/* The table was deleted: its stream can be read for a day, and what is in it is not lost. */
		t->gone = true;
		log_error("the table no longer exists; its stream is read to the end", LOG_S("table", t->conf->name));
		sweep(t, t->active);
		return;
	}
	if (rc < 0) {
		failed(t, &op->err);
		return;
	}
	table_described(t);
	table_schema_described(t);
	if (take_newest(t) < 0) {
		no_memory(t);
		return;
	}
	activate(t);
	if (t->active == NULL)
		finished(t);
	else if (!ask_children(t))
		sweep(t, t->active);
}

static void discover(struct table *t, int rc)
{
	struct table_discovery *d = &t->discovery;
	d->again = false;
	if (rc == -ERR_CANCELLED) {
		d->busy = false;
		return;
	}
	if (!d->ordered) {
		list_streams(t);
		return;
	}
	if (d->fruitless == 0 && ask_children(t)) /* a shard has just ended: straight to what comes after it */
		return;
	table_describe(&t->op, t->conf->name, &t->fresh, on_table, t);
}

static void look_for_request(struct table *t, int rc)
{
	if (rc == -ERR_CANCELLED)
		t->discovery.busy = false;
	else
		table_request_look(t, discover);
}

static void begin(struct table *t)
{
	t->discovery.busy = true;
	if (table_gaps_open(t) > 0)
		table_gap_look(t, look_for_request);
	else
		look_for_request(t, 0);
}

void table_discover(struct table *t)
{
	if (!t->discovery.busy && !uv_is_active((uv_handle_t *)&t->discovery.timer))
		begin(t);
}

void table_sweep_soon(struct table *t)
{
	struct table_discovery *d = &t->discovery;
	if (t->daemon->phase == DAEMON_STOPPING || uv_is_closing((uv_handle_t *)&d->timer))
		return;
	if (d->busy)
		d->again = true;
	else if (uv_timer_get_due_in(&d->timer) > SOON_MS)
		uv_timer_start(&d->timer, on_timer, SOON_MS, 0);
}

static int restore_streams(struct table *t)
{
	const struct position *p = t->restored;
	if (p == NULL)
		return 0;
	t->since_ms = p->since_ms;
	t->gap_count = p->gap_count;
	for (size_t i = 0; i < p->nstreams; i++) {
		struct stream *st = insert_stream(t, p->streams[i].arn, p->streams[i].label);
		if (st == NULL || stream_restore(st, &p->streams[i]) < 0)
			return -ERR_SYSTEM;
	}
	baseline_restore(t->baseline, t->restored->baseline);
	t->restored->baseline = NULL; /* taken */
	for (size_t i = 0; i < p->ngaps && t->ngaps < TABLE_GAPS_KEPT; i++)
		table_gap_restore(t, &p->gaps[i]);
	return 0;
}

/*
 * Which of the listed streams are ours to read: without a position all of them (under start = latest only the current one), with
 * one those that came after what it knows.
 */
static int add_listed(struct table *t)
{
	const struct table_discovery *d = &t->discovery;
	const struct stream *newest = TAILQ_LAST(&t->streams, stream_list);
	bool begins = newest == NULL;
	char *known = newest != NULL ? strdup(newest->label) : NULL;
	int rc = newest != NULL && known == NULL ? -ERR_SYSTEM : 0;
	for (size_t i = 0; i < d->list.n && rc == 0; i++) {
		const struct streams_stream *s = &d->list.items[i];
		bool current = strcmp(s->arn, t->about.stream_arn) == 0;
		bool ours =
			begins ? t->conf->start == CONFIG_START_TRIM_HORIZON || current : strcmp(s->label, known) > 0;
		if (ours && insert_stream(t, s->arn, s->label) == NULL)
			rc = -ERR_SYSTEM;
	}
	free(known);
	return rc;
}

/* Drained streams that the server has forgotten need not be remembered either. */
static void forget_drained(struct table *t)
{
	struct stream *st, *next;
	for (st = TAILQ_FIRST(&t->streams); st != NULL; st = next) {
		bool listed = strcmp(st->arn, t->about.stream_arn) == 0;
		next = TAILQ_NEXT(st, link);
		for (size_t i = 0; i < t->discovery.list.n; i++)
			listed = listed || strcmp(t->discovery.list.items[i].arn, st->arn) == 0;
		if (!st->drained || listed)
			continue;
		TAILQ_REMOVE(&t->streams, st, link);
		stream_free(st);
	}
}

static void order_streams(struct table *t)
{
	struct table_discovery *d = &t->discovery;
	bool resumed = t->restored != NULL;
	t->since_ms = table_now_ms(t); /* by the clock that event times have: it is known by now */
	if (restore_streams(t) < 0 || add_listed(t) < 0 ||
	    insert_stream(t, t->about.stream_arn, t->about.stream_label) == NULL) {
		no_memory(t);
		return;
	}
	struct stream *newest = TAILQ_LAST(&t->streams, stream_list);
	const struct stream *current = find_stream(t, t->about.stream_arn);
	if (resumed && !current->known_before)
		table_gap_recreated(t, current->label, "stream recreated while the daemon was away",
				    t->complete_before_ms);
	if (resumed && table_gap_overdue(t, t->complete_before_ms))
		table_gap_trimmed(t, newest->label, NULL, "away for longer than the stream keeps records",
				  t->complete_before_ms);
	for (struct stream *st = newest; resumed && st != NULL; st = TAILQ_PREV(st, stream_list, link))
		st->known_before = true; /* "latest" is for the first start of a backup only */
	forget_drained(t);
	position_free(t->restored);
	t->restored = NULL;
	d->ordered = true;
	table_save_enable(t);
	activate(t);
	if (t->active == NULL)
		finished(t);
	else
		sweep(t, t->active);
}

/* Adds the page to those before it. */
static int add_list_page(struct table_discovery *d, struct err *e)
{
	const struct streams_list *p = &d->list_page;
	int rc = check_cursor(d, p->last_arn, "ListStreams", e);
	if (rc < 0)
		return rc;
	if (d->list.n + p->n > STREAMS_MAX)
		return err_set(e, ERR_LIMIT, "ListStreams tells of over %zu streams", STREAMS_MAX);
	if (p->n > 0) {
		struct streams_stream *all = realloc(d->list.items, (d->list.n + p->n) * sizeof(*all));
		if (all == NULL)
			return err_errno(e, ENOMEM, "streams");
		memcpy(all + d->list.n, p->items, p->n * sizeof(*all));
		d->list.items = all;
		d->list.n += p->n;
	}
	struct streams_list rest = d->list_page;
	d->list_page = (struct streams_list){0};
	free(d->list.last_arn);
	d->list.last_arn = rest.last_arn;
	rest.last_arn = NULL;
	rest.n = 0;
	streams_list_fini(&rest);
	return 0;
}

static void on_streams(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct err e;
	if (rc < 0) {
		failed(t, &op->err);
		return;
	}
	if (add_list_page(&t->discovery, &e) < 0)
		failed(t, &e);
	else if (t->discovery.list.last_arn != NULL)
		list_streams(t);
	else
		order_streams(t);
}

static void list_streams(struct table *t)
{
	struct table_discovery *d = &t->discovery;
	streams_list(&t->op, t->conf->name, d->list.last_arn, &d->list_page, on_streams, t);
}
