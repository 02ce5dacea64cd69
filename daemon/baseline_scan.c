/*
 * The table: segments of a parallel Scan, side by side, with consistent reads. What the bucket lists with the same bytes needs
 * nothing more; the rest waits in pages. A segment goes on from the last page before which everything is settled.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "baseline_run.h"
#include "codec/canon.h"
#include "codec/digest.h"
#include "codec/itemkey.h"
#include "codec/primary.h"
#include "daemon.h"
#include "table.h"

#define PAGE_UNITS 256	    /* of 1 MB, read consistently */
#define ITEMS_PER_UNIT 4    /* before the first page tells */
#define CLOCK_GRAIN_MS 1000 /* Date headers have whole seconds */
#define LIMIT_NONE 10000
#define LIMIT_AFTER_FAT 256 /* items asked for when an answer was too large */

bool baseline_scan_is_done(const struct baseline *b)
{
	const struct position_baseline *p = b->position;
	if (p->nsegments == 0)
		return false;
	for (size_t i = 0; i < p->nsegments; i++)
		if (!p->segments[i].done)
			return false;
	return true;
}

/* --- what was read --- */

struct filling {
	struct baseline *b;
	struct baseline_page *page;
	struct buf *name, *keys;
	struct err *err;
};

/* 1: the bucket lists it with these bytes; 0: it must be looked at, and *ask says whether S3 has to be asked first. */
static int is_listed(struct filling *f, struct span name, struct span item, bool *ask)
{
	struct baseline *b = f->b;
	uint8_t digest[DIGEST_NAME_SIZE], md5[DIGEST_MD5_SIZE];
	struct etagset_entry found;
	/*
	 * What the first run finds absent was never there, and need not be asked about if a condition guards the write. Later it may
	 * lie under a marker, and then the change that the marker is of must be known.
	 */
	bool never = b->position->reason == BASELINE_FIRST && b->table->daemon->startup.conditional;
	*ask = true;
	if (b->names == NULL) {
		*ask = b->nnames > 0 || !never;
		return 0;
	}
	digest_name(digest, name.ptr, name.len);
	struct err e;
	int rc = etagset_find(b->names, digest, &found, &e);
	if (rc == 0) {
		*ask = !never;
		return 0;
	}
	if (rc < 0 || etagset_mark(b->names, &found, &e) < 0) {
		baseline_list_give_up(b, &e);
		return 0;
	}
	digest_md5(md5, item.ptr, item.len);
	return memcmp(md5, found.etag, sizeof(md5)) == 0;
}

static int fill_item(void *arg, struct span raw)
{
	struct filling *f = arg;
	struct table *t = f->b->table;
	struct span item;
	bool ask;
	buf_reset(f->name);
	buf_reset(f->keys);
	int rc = canon_item(t->daemon->canon, raw, &item, f->err);
	if (rc == 0)
		rc = primary_key(item, t->schema.hash_name, t->schema.range_name, f->keys, f->err);
	struct span keys = {buf_str(f->keys), f->keys->len};
	if (rc == 0)
		rc = itemkey_append(f->name, &t->schema, keys, item, f->err);
	if (rc < 0)
		return rc;
	f->page->items++;
	rc = is_listed(f, (struct span){buf_str(f->name), f->name->len}, item, &ask);
	f->page->equal += rc > 0;
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = baseline_page_add(f->page, keys, item, false, ask);
	return rc < 0 ? err_set(f->err, (enum err_class)(-rc), "a page of the table takes too much memory") : 0;
}

static int fill_page(struct baseline_reader *r, struct baseline_page *p, struct items_page *page, struct err *e)
{
	struct buf *body = http_body(r->op.slot);
	struct filling f = {.b = r->baseline, .page = p, .name = &r->name, .keys = &r->keys, .err = e};
	int rc = items_page_each((struct span){buf_str(body), body->len}, fill_item, &f, page, e);
	if (rc == 0 && page->last_key.len > 0) {
		p->last_key = strndup(page->last_key.ptr, page->last_key.len);
		if (p->last_key == NULL)
			rc = err_set(e, ERR_SYSTEM, "out of memory");
	}
	return rc;
}

static void note_units(struct baseline *b, const struct items_page *page, uint64_t items)
{
	double units = page->consumed_units > 0 ? page->consumed_units : 1;
	rate_take(&b->rate, units, clock_mono_ms());
	b->position->units += units;
	if (items > 0)
		b->units_per_item = units / (double)items;
}

static void failed(struct baseline_reader *r, const struct err *e)
{
	struct baseline *b = r->baseline;
	r->failures++;
	r->rest_until_mono_ms = baseline_rest_until(b, e, r->failures);
	/* An answer that is larger than the room for it: fewer items the next time. */
	if (e->class == ERR_LIMIT && b->limit != 1)
		b->limit = b->limit == 0 ? LIMIT_AFTER_FAT : b->limit / 2 > 0 ? b->limit / 2 : 1;
	else
		baseline_trouble(b, e, "Scan");
}

static int copy_key(const struct baseline_page *p, char **out, struct err *e)
{
	*out = p->last_key != NULL ? strdup(p->last_key) : NULL;
	return p->last_key != NULL && *out == NULL ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static void take_answer(struct baseline_reader *r)
{
	struct baseline *b = r->baseline;
	struct baseline_segment *s = &b->segments[r->segment];
	struct items_page page = {0};
	struct err e = {0};
	char *next_key = NULL;
	struct baseline_page *p = baseline_page_new(b, s, r->asked_ms, ITEMS_PAGE_BYTES_MAX);
	if (p == NULL) {
		err_set(&e, ERR_SYSTEM, "out of memory");
		failed(r, &e);
		return;
	}
	if (fill_page(r, p, &page, &e) < 0 || copy_key(p, &next_key, &e) < 0) {
		baseline_page_free(p);
		failed(r, &e);
		return;
	}
	note_units(b, &page, p->items);
	p->passed_ms = table_now_ms(b->table) + CLOCK_GRAIN_MS;
	r->failures = 0;
	baseline_well(b);
	/* It may be fat items that did not fit: behind them there is room for more again. */
	if (b->limit > 0)
		b->limit += b->limit / 4 + 1;
	if (b->limit > LIMIT_NONE)
		b->limit = 0;
	if (!baseline_page_wait(p, r->arrivals)) {
		/* More has come from the stream meanwhile than is remembered: the page is read again. */
		baseline_page_free(p);
		free(next_key);
		return;
	}
	free(s->next_key);
	s->next_key = next_key;
	s->whole = next_key == NULL;
}

static void on_page(struct aws_op *op, int rc, void *arg)
{
	struct baseline_reader *r = arg;
	struct baseline *b = r->baseline;
	r->reading = BASELINE_IDLE;
	b->used_bytes -= r->reserved_bytes;
	b->segments[r->segment].reading = false;
	if (rc < 0)
		failed(r, &op->err);
	else
		take_answer(r);
	baseline_go_on(b);
}

/* --- what is read next --- */

/* How many items a page may have, so that it costs about as much as half a second's units; 0: as many as fit 1 MB. */
static unsigned page_limit(const struct baseline *b)
{
	double units = b->rate.per_s > 0 ? b->rate.per_s / 2 : PAGE_UNITS;
	double per_item = b->units_per_item > 0 ? b->units_per_item : 1.0 / ITEMS_PER_UNIT;
	double items = units >= PAGE_UNITS ? 0 : fmax(1, floor(units / per_item));
	if (b->limit > 0 && (items == 0 || items > b->limit))
		return b->limit;
	return (unsigned)fmin(items, 1000000);
}

static void read_segment(struct baseline_reader *r)
{
	struct baseline *b = r->baseline;
	struct baseline_segment *s = &b->segments[r->segment];
	size_t n = b->position->nsegments;
	const struct items_read read = {
		.table = b->table->conf->name,
		.consistent = true,
		.limit = page_limit(b),
		.start_key = span_of(s->next_key),
		.segment = (unsigned)r->segment,
		.segments = n > 1 ? (unsigned)n : 0,
	};
	r->reading = BASELINE_SCAN;
	s->reading = true;
	b->used_bytes += r->reserved_bytes;
	r->arrivals = b->arrivals;
	r->asked_ms = table_now_ms(b->table);
	http_slot_body_max(r->op.slot, r->reserved_bytes);
	items_read(&r->op, &read, on_page, r);
}

/* The segment that has the fewest pages waiting; SIZE_MAX when none is to be read. */
static size_t next_segment(const struct baseline *b)
{
	size_t best = SIZE_MAX;
	for (size_t i = 0; i < b->position->nsegments; i++) {
		const struct baseline_segment *s = &b->segments[i];
		if (s->reading || s->whole)
			continue;
		if (best == SIZE_MAX || s->npages < b->segments[best].npages)
			best = i;
	}
	return best;
}

/* Room for one more answer. A single item may need more than the share: then alone. */
static bool has_room(struct baseline *b, struct baseline_reader *r)
{
	r->reserved_bytes = b->limit == 1 ? ITEMS_PAGE_BYTES_MAX : BASELINE_ANSWER_BYTES;
	return b->used_bytes == 0 || b->used_bytes + r->reserved_bytes <= b->limit_bytes;
}

void baseline_scan(struct baseline *b)
{
	struct position_baseline *p = b->position;
	int64_t now_ms = clock_mono_ms();
	if (p->nsegments == 0)
		p->nsegments = b->table->conf->baseline_segments;
	for (size_t i = 0; i < b->nreaders; i++) {
		struct baseline_reader *r = &b->readers[i];
		if (r->reading != BASELINE_IDLE || now_ms < r->rest_until_mono_ms)
			continue;
		r->segment = next_segment(b);
		if (r->segment == SIZE_MAX || rate_wait_ms(&b->rate, 1, now_ms) > 0 || !has_room(b, r))
			return;
		read_segment(r);
	}
}

/* --- what is settled --- */

static void save_segment(struct baseline *b, struct baseline_segment *s, struct baseline_page *p)
{
	struct position_segment *saved = &b->position->segments[s - b->segments];
	free(saved->after);
	saved->after = p->last_key;
	saved->done = p->last_key == NULL;
	p->last_key = NULL;
}

void baseline_scan_settled(struct baseline *b, struct baseline_segment *s)
{
	struct position_baseline *total = b->position;
	struct baseline_page *p;
	while ((p = TAILQ_FIRST(&s->pages)) != NULL && !p->waits) {
		total->items += p->items;
		total->equal += p->equal;
		total->written += p->written;
		total->left_to_stream += p->left;
		save_segment(b, s, p);
		baseline_page_free(p);
	}
	baseline_moved(b);
}
