/*
 * What only the bucket has: names that the Scan has not seen. An item that the table no longer has was removed while no stream told of
 * it, and gets its deletes object and its marker. The key is in the object's own body: names are not reversible in every format.
 * What is not an item of this table is left alone, and counted.
 *
 * One page of the listing at a time: when all of it is settled, its last name is where a restart goes on.
 */
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

#define CLOCK_GRAIN_MS 1000

static void ask_object(struct baseline_reader *r);
static void ask_item(struct baseline_reader *r);

void baseline_window_free(struct baseline *b)
{
	for (size_t i = 0; i < b->nwindow; i++)
		free(b->window[i]);
	free(b->window);
	b->window = NULL;
	b->nwindow = b->next_window = b->open_window = 0;
	b->window_taken = b->window_last = false;
}

void baseline_window_take(struct baseline *b, char **names, size_t n, bool last)
{
	baseline_window_free(b);
	b->window = names;
	b->nwindow = n;
	b->window_last = last;
	b->window_taken = true;
}

void baseline_window_settled(struct baseline *b, const struct baseline_page *p)
{
	struct position_baseline *total = b->position;
	b->open_window--;
	total->written += p->written;
	total->removed += p->removed;
	total->left_to_stream += p->left;
}

bool baseline_remove_is_done(const struct baseline *b)
{
	return b->removed_whole;
}

static struct span text(const struct buf *b)
{
	return (struct span){buf_str(b), b->len};
}

/* This name needs nothing (more). */
static void done(struct baseline_reader *r)
{
	r->reading = BASELINE_IDLE;
	r->failures = 0;
	r->baseline->used_bytes -= r->reserved_bytes;
	r->baseline->open_window--;
	baseline_well(r->baseline);
	baseline_go_on(r->baseline);
}

/* Asked again after a while, by the timer. */
static void failed(struct baseline_reader *r, const struct err *e, const char *what)
{
	r->failures++;
	r->rest_until_mono_ms = baseline_rest_until(r->baseline, e, r->failures);
	r->resting = true;
	baseline_trouble(r->baseline, e, what);
}

/* --- the table's answer --- */

/* Where the item lies now: with a tenant attribute it may have moved to another folder since. */
static int lies_elsewhere(struct baseline_reader *r, struct span item, bool *elsewhere, struct err *e)
{
	struct buf name;
	buf_init(&name, 2 * ITEMKEY_MAX);
	int rc = itemkey_append(&name, &r->baseline->table->schema, text(&r->keys), item, e);
	*elsewhere = rc == 0 && !span_eq(text(&name), text(&r->name));
	buf_fini(&name);
	return rc;
}

/* The candidate, alone on a page. */
static void wait_for_stream(struct baseline_reader *r, struct span image, bool remove)
{
	struct baseline *b = r->baseline;
	struct err e;
	struct baseline_page *p = baseline_page_new(b, NULL, r->asked_ms, ITEMS_PAGE_BYTES_MAX);
	int rc = p != NULL ? baseline_page_add(p, text(&r->keys), image, remove, true) : -ERR_SYSTEM;
	if (rc == 0) {
		p->items = 1;
		p->passed_ms = table_now_ms(b->table) + CLOCK_GRAIN_MS;
		if (remove)
			memcpy(p->version_id, r->head.version_id, sizeof(p->version_id));
		b->open_window++; /* the page's, beside the reader's */
		if (baseline_page_wait(p, r->arrivals)) {
			done(r);
			return;
		}
		b->open_window--;
		rc = -ERR_RETRY; /* more came from the stream than is remembered */
	}
	baseline_page_free(p);
	err_set(&e, (enum err_class) - rc, "an item that only the bucket has is looked at again");
	failed(r, &e, "items that only the bucket has");
}

static void on_item(struct aws_op *op, int rc, void *arg)
{
	struct baseline_reader *r = arg;
	struct baseline *b = r->baseline;
	struct err e;
	bool elsewhere = false;
	struct span item = r->item;
	if (rc < 0) {
		failed(r, &op->err, "GetItem");
		return;
	}
	b->position->units++;
	rate_take(&b->rate, 1, clock_mono_ms());
	if (item.len > 0)
		rc = canon_item(b->table->daemon->canon, item, &item, &e);
	if (rc == 0 && item.len > 0)
		rc = lies_elsewhere(r, item, &elsewhere, &e);
	if (rc < 0)
		failed(r, &e, "GetItem");
	else if (item.len == 0 || elsewhere)
		wait_for_stream(r, text(&r->body), true);
	else if (span_eq(item, text(&r->body)))
		done(r); /* it came since the Scan, or the Scan's marks are lost */
	else
		wait_for_stream(r, item, false);
}

static void ask_item(struct baseline_reader *r)
{
	r->reading = BASELINE_ITEM;
	r->arrivals = r->baseline->arrivals;
	r->asked_ms = table_now_ms(r->baseline->table);
	items_get(&r->op, r->baseline->table->conf->name, text(&r->keys), &r->item, on_item, r);
}

/* --- the bucket's answer --- */

/* Is it an item of this table, under the name that such an item has? Then keys and body are in the reader. */
static int take_object(struct baseline_reader *r, bool *ours)
{
	struct table *t = r->baseline->table;
	struct buf *raw = http_body(r->op.slot), name;
	struct span item;
	*ours = false;
	buf_reset(&r->keys);
	buf_reset(&r->body);
	if (canon_item(t->daemon->canon, text(raw), &item, NULL) < 0)
		return 0;
	if (primary_key(item, t->schema.hash_name, t->schema.range_name, &r->keys, NULL) < 0)
		return 0;
	buf_init(&name, 2 * ITEMKEY_MAX);
	if (itemkey_append(&name, &t->schema, text(&r->keys), item, NULL) == 0)
		*ours = span_eq(text(&name), text(&r->name));
	buf_fini(&name);
	return buf_append(&r->body, item.ptr, item.len);
}

static void on_object(struct aws_op *op, int rc, void *arg)
{
	struct baseline_reader *r = arg;
	struct err e;
	bool ours;
	if (rc < 0 && op->err.class != ERR_LIMIT) {
		failed(r, &op->err, "GetObject");
		return;
	}
	if (rc == 0 && !r->head.exists) {
		done(r); /* removed since it was listed */
		return;
	}
	/* What is larger than any item is none. */
	if (rc < 0)
		ours = false;
	else if (take_object(r, &ours) < 0) {
		err_set(&e, ERR_SYSTEM, "out of memory");
		failed(r, &e, "GetObject");
		return;
	}
	if (ours) {
		ask_item(r);
		return;
	}
	r->baseline->position->foreign++;
	done(r);
}

static void ask_object(struct baseline_reader *r)
{
	struct table *t = r->baseline->table;
	r->reading = BASELINE_OBJECT;
	buf_reset(&r->key);
	buf_append_str(&r->key, t->data_path);
	buf_append(&r->key, buf_str(&r->name), r->name.len);
	http_slot_body_max(r->op.slot, r->reserved_bytes);
	s3_get(&r->op, text(&r->key), (struct span){0}, &r->head, on_object, r);
}

/* --- what is asked next --- */

static void begin(struct baseline_reader *r)
{
	struct baseline *b = r->baseline;
	r->reserved_bytes = BASELINE_ANSWER_BYTES;
	b->used_bytes += r->reserved_bytes;
	b->open_window++;
	buf_reset(&r->name);
	buf_append_str(&r->name, b->window[b->next_window++]);
	ask_object(r);
}

static void ask_more(struct baseline *b)
{
	int64_t now_ms = clock_mono_ms();
	for (size_t i = 0; i < b->nreaders; i++) {
		struct baseline_reader *r = &b->readers[i];
		if (now_ms < r->rest_until_mono_ms)
			continue;
		if (r->resting) {
			r->resting = false;
			ask_object(r); /* anew: what is there may have changed */
			continue;
		}
		if (r->reading != BASELINE_IDLE || b->next_window == b->nwindow)
			continue;
		bool room = b->used_bytes == 0 || b->used_bytes + BASELINE_ANSWER_BYTES <= b->limit_bytes;
		if (room && rate_wait_ms(&b->rate, 1, now_ms) == 0)
			begin(r);
	}
}

/* All of a page of the listing is settled. */
static void window_done(struct baseline *b)
{
	struct position_baseline *p = b->position;
	b->removed_whole = b->window_last;
	if (b->list_after.len > 0) {
		char *after = strdup(buf_str(&b->list_after));
		if (after == NULL)
			return; /* looked at again by the timer */
		free(p->removed_after);
		p->removed_after = after;
	}
	baseline_window_free(b);
	baseline_moved(b);
}

void baseline_remove(struct baseline *b)
{
	bool nothing = b->nnames == 0 || (b->names != NULL && etagset_unmarked(b->names) == 0);
	if (nothing || b->removed_whole) {
		b->removed_whole = true;
		return;
	}
	if (!b->window_taken) {
		baseline_list_window(b);
		return;
	}
	ask_more(b);
	if (b->next_window == b->nwindow && b->open_window == 0)
		window_done(b);
	if (!b->window_taken && !b->removed_whole)
		baseline_list_window(b);
}
