#include "live_scan.h"

#include <string.h>

#include "aws/items.h"
#include "base/clock.h"
#include "base/rate.h"
#include "codec/canon.h"
#include "codec/itemkey.h"
#include "codec/primary.h"
#include "state.h"

#define KEYS_MAX ((size_t)64 << 10)
#define LOOK_AGAIN_MS 20
/* Read units are 4 KB of an item each; an answer has somewhat more bytes than its items count. */
#define UNIT_BYTES 4096.0
#define FIRST_LIMIT 25 /* items of the first pages under a cap, while it is not known how large they are */
#define LIMIT_MAX 100000.0

struct scan;

struct segment {
	struct scan *scan;
	struct aws_op op;
	uv_timer_t timer; /* for waiting; with the op it is this segment's two handles */
	struct items_read read;
	struct buf start_key;
	unsigned attempt;
	uint64_t pages;	 /* of the scan, when this segment's patience began */
	double expected; /* units that were taken for the page under way */
	bool open;
};

struct scan {
	const struct live_scan_options *options;
	struct live_scan_figures *figures;
	struct itemkey_schema naming;
	struct rate rate;
	struct canon *canon;
	struct buf keys, s3_key;
	struct segment segments[LIVE_SCAN_SEGMENTS_MAX];
	unsigned nsegments;
	unsigned handles; /* that are not closed yet */
	uint64_t pages;	  /* that were read */
	int rc;
	struct err err;
};

static void begin_page(struct segment *g);

static void on_op_closed(struct aws_op *op)
{
	struct segment *g = op->arg;
	g->scan->handles--;
}

static void on_timer_closed(uv_handle_t *h)
{
	struct segment *g = h->data;
	g->scan->handles--;
}

static void close_segment(struct segment *g)
{
	if (!g->open)
		return;
	g->open = false;
	g->op.arg = g;
	aws_op_fini(&g->op, on_op_closed);
	uv_close((uv_handle_t *)&g->timer, on_timer_closed);
}

static void end(struct scan *sc, int rc, const struct err *e)
{
	if (sc->rc == 0) {
		sc->rc = rc;
		sc->err = *e;
	}
	for (unsigned i = 0; i < sc->nsegments; i++)
		close_segment(&sc->segments[i]);
}

static void on_stop(void *arg)
{
	struct err e;
	int rc = err_set(&e, ERR_CANCELLED, "interrupted");
	end(arg, rc, &e);
}

static void on_timer(uv_timer_t *t)
{
	begin_page(t->data);
}

static void wait_ms(struct segment *g, int64_t ms)
{
	uv_timer_start(&g->timer, on_timer, (uint64_t)ms, 0);
}

/* So many items as the cap allows a segment in a second: a full page would be a burst, and then a long silence. */
static unsigned limit(const struct scan *sc)
{
	const struct live_scan_figures *f = sc->figures;
	if (sc->options->units_per_s <= 0)
		return 0;
	if (f->items == 0 || f->units <= 0)
		return FIRST_LIMIT;
	double items = sc->options->units_per_s / sc->nsegments / (f->units / (double)f->items);
	return items < 1 ? 1 : items > LIMIT_MAX ? (unsigned)LIMIT_MAX : (unsigned)items;
}

static int take(struct scan *sc, struct span text, struct err *e)
{
	const struct live_scan_options *o = sc->options;
	struct live_item item;
	uint8_t name[DIGEST_NAME_SIZE];
	buf_reset(&sc->keys);
	buf_reset(&sc->s3_key);
	int rc = canon_item(sc->canon, text, &item.item, e);
	if (rc == 0)
		rc = primary_key(item.item, sc->naming.hash_name, sc->naming.range_name, &sc->keys, e);
	item.keys = (struct span){buf_str(&sc->keys), sc->keys.len};
	if (rc == 0)
		rc = itemkey_append(&sc->s3_key, &sc->naming, item.keys, item.item, e);
	if (rc < 0)
		return rc;
	item.s3_key = (struct span){buf_str(&sc->s3_key), sc->s3_key.len};
	digest_md5(item.md5, item.item.ptr, item.item.len);
	sc->figures->items++;
	rc = o->each != NULL ? o->each(&item, o->arg, e) : 1;
	if (rc <= 0)
		return rc;
	sc->figures->taken++;
	if (o->into == NULL)
		return 0;
	digest_name(name, item.s3_key.ptr, item.s3_key.len);
	rc = etagset_add(o->into, name, item.md5, e);
	if (rc == -ERR_CONFLICT)
		return err_set(e, ERR_CONFLICT,
			       "two of its items have the same object name, so that the backup cannot tell them apart "
			       "(key_format = plain): restore into another table");
	return rc;
}

/* What is done with the items of a page. */
struct page_walk {
	struct scan *scan;
	struct err *err;
};

static int on_item(void *arg, struct span text)
{
	struct page_walk *w = arg;
	int rc = take(w->scan, text, w->err);
	if (rc < 0)
		err_prefix(w->err, "table %s", w->scan->options->table);
	return rc;
}

static int pass_by(void *arg, struct span text)
{
	(void)arg;
	(void)text;
	return 0;
}

/* Again after a wait, when that can help. */
static void failed(struct segment *g, int rc, const struct err *e)
{
	struct scan *sc = g->scan;
	/* A table of few units lets one segment wait for long while it serves others: that is no failure. */
	if (g->attempt + 1 >= SESSION_TRIES && g->pages != sc->pages) {
		g->attempt = SESSION_TRIES / 2;
		g->pages = sc->pages;
	}
	int again_ms = session_retry_ms(e, g->attempt++);
	rate_take(&sc->rate, -g->expected, clock_mono_ms());
	sc->figures->throttles += e->class == ERR_THROTTLE;
	if (again_ms >= 0)
		wait_ms(g, again_ms);
	else
		end(sc, rc, e);
}

static void on_page(struct aws_op *op, int rc, void *arg)
{
	struct segment *g = arg;
	struct scan *sc = g->scan;
	const struct buf *body = http_body(op->slot);
	const struct span text = {buf_str(body), body->len};
	struct items_page page;
	struct err e;
	if (rc < 0) {
		failed(g, rc, &op->err);
		return;
	}
	/* All of it before any of it: a page that turns out to be damaged is read again, and nothing must come twice. */
	rc = items_page_each(text, pass_by, NULL, &page, &e);
	if (rc < 0) {
		failed(g, rc, &e);
		return;
	}
	double units = page.consumed_units > 0 ? page.consumed_units : (double)text.len / UNIT_BYTES;
	rate_take(&sc->rate, units - g->expected, clock_mono_ms());
	g->expected = units;
	g->attempt = 1;
	g->pages = ++sc->pages;
	sc->figures->units += units;
	sc->figures->bytes += text.len;
	rc = items_page_each(text, on_item, &(struct page_walk){sc, &e}, &page, &e);
	if (rc < 0) {
		end(sc, rc, &e);
		return;
	}
	if (sc->options->progress != NULL)
		sc->options->progress(sc->figures, sc->options->arg);
	buf_reset(&g->start_key);
	if (page.last_key.len == 0) {
		close_segment(g);
	} else if (buf_append(&g->start_key, page.last_key.ptr, page.last_key.len) < 0) {
		rc = err_set(&e, ERR_SYSTEM, "out of memory");
		end(sc, rc, &e);
	} else {
		begin_page(g);
	}
}

static void begin_page(struct segment *g)
{
	struct scan *sc = g->scan;
	const struct live_scan_options *o = sc->options;
	if (o->ready != NULL && !o->ready(o->arg)) {
		wait_ms(g, LOOK_AGAIN_MS);
		return;
	}
	int64_t now_ms = clock_mono_ms(), rest_ms = rate_wait_ms(&sc->rate, g->expected, now_ms);
	if (rest_ms > 0) {
		wait_ms(g, rest_ms);
		return;
	}
	rate_take(&sc->rate, g->expected, now_ms);
	g->read.limit = limit(sc);
	g->read.start_key = (struct span){buf_str(&g->start_key), g->start_key.len};
	items_read(&g->op, &g->read, on_page, g);
}

static int open_segment(struct scan *sc, unsigned number)
{
	const struct live_scan_options *o = sc->options;
	struct segment *g = &sc->segments[number];
	bool one_partition = o->hash_value.len > 0;
	*g = (struct segment){
		.scan = sc,
		.attempt = 1,
		.expected = 1,
		.read =
			{
				.table = o->table,
				.consistent = true,
				.segment = number,
				.segments = one_partition ? 0 : sc->nsegments,
				.hash_name = one_partition ? sc->naming.hash_name : NULL,
				.hash_value = o->hash_value,
			},
	};
	buf_init(&g->start_key, KEYS_MAX);
	int rc = aws_op_init(&g->op, o->aws, ITEMS_PAGE_BYTES_MAX, &sc->err);
	if (rc < 0)
		return rc;
	uv_timer_init(o->aws->loop, &g->timer);
	g->timer.data = g;
	g->open = true;
	sc->handles += 2;
	return 0;
}

static void run(struct scan *sc)
{
	struct session *s = sc->options->session;
	void (*const former)(void *arg) = s->on_stop;
	void *const former_arg = s->on_stop_arg;
	s->on_stop = on_stop;
	s->on_stop_arg = sc;
	if (s->stop)
		on_stop(sc);
	for (unsigned i = 0; i < sc->nsegments; i++)
		if (sc->segments[i].open)
			begin_page(&sc->segments[i]);
	while (sc->handles > 0)
		uv_run(sc->options->aws->loop, UV_RUN_ONCE);
	s->on_stop = former;
	s->on_stop_arg = former_arg;
}

int live_scan(const struct live_scan_options *o, struct live_scan_figures *figures, struct err *e)
{
	struct scan sc = {
		.options = o,
		.figures = figures,
		.naming = schema_itemkey(o->session, o->schema),
		.canon = canon_new(STATE_ITEM_MAX),
	};
	unsigned wanted = o->segments > 0 ? o->segments : LIVE_SCAN_SEGMENTS;
	*figures = (struct live_scan_figures){0};
	if (sc.canon == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	buf_init(&sc.keys, KEYS_MAX);
	buf_init(&sc.s3_key, 2 * ITEMKEY_MAX);
	rate_init(&sc.rate, o->units_per_s, clock_mono_ms());
	sc.nsegments = wanted < LIVE_SCAN_SEGMENTS_MAX ? wanted : LIVE_SCAN_SEGMENTS_MAX;
	if (o->hash_value.len > 0)
		sc.nsegments = 1;
	for (unsigned i = 0; i < sc.nsegments && sc.rc == 0; i++)
		sc.rc = open_segment(&sc, i);
	if (sc.rc < 0)
		end(&sc, sc.rc, &sc.err);
	run(&sc);
	for (unsigned i = 0; i < sc.nsegments; i++)
		buf_fini(&sc.segments[i].start_key);
	buf_fini(&sc.keys);
	buf_fini(&sc.s3_key);
	canon_free(sc.canon);
	if (sc.rc < 0)
		*e = sc.err;
	return sc.rc;
}
