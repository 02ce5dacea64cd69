/*
 * Items that were read and differ. Between the read and the write stands the stream: the read may hold a change that the stream has
 * still to tell of, or the stream may tell of one that came after the read. So an item waits until the stream has passed the
 * moment of the read, and when a record of it came since that moment, the item is the stream's. What is left then differs for no
 * reason that the stream knows, and is written through the item's lane, in front of whatever comes next.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "baseline_run.h"
#include "daemon.h"
#include "table.h"

#define RECORD_OF_NODE(n) ((struct record *)((char *)(n)-offsetof(struct record, by_item)))
#define GIVE_WAY 4 /* while the stream has work, one worker in so many is the baseline's */

static uint64_t item_hash(const uint8_t item[16])
{
	uint64_t h;
	memcpy(&h, item, sizeof(h));
	return h;
}

static bool same_item(const struct map_node *n, const void *key)
{
	return memcmp(RECORD_OF_NODE(n)->item, key, 16) == 0;
}

struct baseline_page *baseline_page_of(const struct record *r)
{
	return r->batch->page;
}

struct table *baseline_table(const struct record *r)
{
	return r->batch->page->baseline->table;
}

struct baseline_page *baseline_page_new(struct baseline *b, struct baseline_segment *s, int64_t asked_ms,
					size_t max_bytes)
{
	struct baseline_page *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->baseline = b;
	p->segment = s;
	p->asked_ms = asked_ms;
	p->batch.page = p;
	buf_init(&p->batch.body, max_bytes);
	return p;
}

/* Nothing of it waits any more. */
static void end_wait(struct baseline_page *p)
{
	struct baseline *b = p->baseline;
	if (!p->waits)
		return;
	p->waits = false;
	TAILQ_REMOVE(&b->waiting, p, wait);
	for (size_t i = p->next; i < p->batch.nrecords; i++)
		if (p->batch.records[i].state == RECORD_QUEUED)
			map_remove(&b->candidates, &p->batch.records[i].by_item);
}

/* Out of its lists, with its candidates. */
static void detach(struct baseline_page *p)
{
	end_wait(p);
	if (p->linked && p->segment != NULL) {
		TAILQ_REMOVE(&p->segment->pages, p, link);
		p->segment->npages--;
	}
	if (p->linked)
		p->baseline->used_bytes -= p->bytes;
	p->linked = false;
}

void baseline_page_free(struct baseline_page *p)
{
	if (p == NULL)
		return;
	if (p->orphan)
		TAILQ_REMOVE(&p->baseline->orphans, p, wait);
	else
		detach(p);
	buf_fini(&p->batch.body);
	free(p->batch.records);
	free(p->last_key);
	free(p);
}

void baseline_page_drop(struct baseline_page *p)
{
	detach(p);
	if (p->laned == 0) {
		baseline_page_free(p);
		return;
	}
	p->orphan = true;
	TAILQ_INSERT_TAIL(&p->baseline->orphans, p, wait);
}

static int grow_records(struct batch *b)
{
	/* A power of two, or none: then it is full. */
	if (b->nrecords != 0 && (b->nrecords & (b->nrecords - 1)) != 0)
		return 0;
	size_t cap = b->nrecords == 0 ? 1 : 2 * b->nrecords;
	struct record *grown = reallocarray(b->records, cap, sizeof(*grown));
	if (grown == NULL)
		return -ERR_SYSTEM;
	b->records = grown;
	return 0;
}

int baseline_page_add(struct baseline_page *p, struct span keys, struct span image, bool remove, bool ask)
{
	struct batch *b = &p->batch;
	struct records_slice k = {(uint32_t)b->body.len, (uint32_t)keys.len};
	struct records_slice i = {(uint32_t)(b->body.len + keys.len), (uint32_t)image.len};
	int rc = buf_reserve(&b->body, keys.len + image.len);
	if (rc == 0)
		rc = grow_records(b);
	if (rc < 0)
		return rc;
	buf_append(&b->body, keys.ptr, keys.len);
	buf_append(&b->body, image.ptr, image.len);
	struct record *r = &b->records[b->nrecords];
	*r = (struct record){
		.batch = b,
		.keys = k,
		.event_ms = p->asked_ms,
		.state = RECORD_QUEUED,
		.step = remove ? RECORD_DELETES : RECORD_PUT,
		.op = remove ? RECORDS_REMOVE : RECORDS_INSERT,
		.rank = RECORD_BACKLOG,
		.ask = ask,
		.new_canonical = true,
		.old_canonical = true,
	};
	if (remove)
		r->old_image = i;
	else
		r->new_image = i;
	struct buf *scratch = &p->baseline->scratch;
	buf_reset(scratch);
	rc = buf_reserve(scratch, BATCH_DIGEST_EXTRA_BYTES + keys.len);
	if (rc < 0)
		return rc;
	batch_item_digest(r->item, keys, p->baseline->table->salt, scratch->data);
	b->nrecords++;
	return 0;
}

/* Nothing of the page is left. In order, so that a restart never begins behind what is not settled. */
static void page_done(struct baseline_page *p)
{
	struct baseline *b = p->baseline;
	struct baseline_segment *s = p->segment;
	end_wait(p);
	if (s == NULL) {
		baseline_window_settled(b, p);
		baseline_page_free(p);
	} else {
		baseline_scan_settled(b, s);
	}
}

static void leave(struct record *r)
{
	struct baseline_page *p = r->batch->page;
	map_remove(&p->baseline->candidates, &r->by_item);
	r->state = RECORD_DURABLE;
	p->left++;
	p->batch.open--;
}

/* The candidate of this page; two pages may have one of the same item, under two names. */
static struct record *find_own(const struct baseline_page *p, const uint8_t item[16])
{
	const struct batch *batch = &p->batch;
	struct map_node *n = map_find(&p->baseline->candidates, item_hash(item), same_item, item);
	if (n == NULL || RECORD_OF_NODE(n)->batch == batch)
		return n != NULL ? RECORD_OF_NODE(n) : NULL;
	for (size_t i = 0; i < batch->nrecords; i++)
		if (batch->records[i].state == RECORD_QUEUED && memcmp(batch->records[i].item, item, 16) == 0)
			return &batch->records[i];
	return NULL;
}

bool baseline_page_wait(struct baseline_page *p, uint64_t arrivals)
{
	struct baseline *b = p->baseline;
	struct batch *batch = &p->batch;
	if (b->arrivals - arrivals > BASELINE_ARRIVALS ||
	    map_reserve(&b->candidates, b->candidates.count + batch->nrecords) < 0)
		return false;
	buf_trim(&batch->body, 0);
	batch->open = batch->nrecords;
	p->bytes = sizeof(*p) + batch->body.cap + 2 * batch->nrecords * sizeof(struct record);
	b->used_bytes += p->bytes;
	p->waits = p->linked = true;
	TAILQ_INSERT_TAIL(&b->waiting, p, wait);
	if (p->segment != NULL) {
		TAILQ_INSERT_TAIL(&p->segment->pages, p, link);
		p->segment->npages++;
	}
	for (size_t i = 0; i < batch->nrecords; i++)
		map_add(&b->candidates, &batch->records[i].by_item, item_hash(batch->records[i].item));
	for (uint64_t i = arrivals; i < b->arrivals; i++) {
		/* Of other pages it was seen when it came. */
		struct record *r = find_own(p, b->arrived[i % BASELINE_ARRIVALS]);
		if (r != NULL)
			leave(r);
	}
	if (batch->open == 0)
		page_done(p);
	return true;
}

void baseline_touch(struct baseline *b, const struct batch *records)
{
	if (b == NULL || !b->running)
		return;
	for (size_t i = 0; i < records->nrecords; i++) {
		const uint8_t *item = records->records[i].item;
		struct map_node *n;
		memcpy(b->arrived[b->arrivals++ % BASELINE_ARRIVALS], item, sizeof(*b->arrived));
		while ((n = map_find(&b->candidates, item_hash(item), same_item, item)) != NULL) {
			struct record *r = RECORD_OF_NODE(n);
			struct baseline_page *p = r->batch->page;
			leave(r);
			if (p->batch.open == 0)
				page_done(p);
		}
	}
}

/* How many may be with their lanes at once. */
static size_t lanes_limit(const struct baseline *b)
{
	const struct daemon *d = b->table->daemon;
	size_t n = d->workers.n / GIVE_WAY;
	if (d->lanes.records <= b->writing)
		return d->workers.n;
	return n > 0 ? n : 1;
}

/* Gives one to its lane. False when there is no room. */
static bool offer(struct baseline *b, struct record *r)
{
	struct table *t = b->table;
	struct lanes *l = &t->daemon->lanes;
	if (lanes_reserve(l, 1) < 0)
		return false;
	/* A record that came before the read and is not written yet: the stream is not past it after all. */
	if (lane_has(l, r->item)) {
		leave(r);
		return true;
	}
	map_remove(&b->candidates, &r->by_item);
	r->batch->page->laned++;
	b->writing++;
	lane_push(l, &t->lanes, r);
	return true;
}

void baseline_page_offer(struct baseline *b)
{
	struct baseline_page *p, *next;
	for (p = TAILQ_FIRST(&b->waiting); p != NULL && p->passed_ms <= b->complete_ms; p = next) {
		next = TAILQ_NEXT(p, wait);
		for (; p->next < p->batch.nrecords; p->next++) {
			struct record *r = &p->batch.records[p->next];
			if (r->state != RECORD_QUEUED)
				continue;
			if (b->writing >= lanes_limit(b) || !offer(b, r))
				goto full;
		}
		if (p->batch.open == 0)
			page_done(p);
	}
full:
	worker_kick(&b->table->daemon->workers);
}

static void count(struct baseline_page *p, const struct record *r)
{
	bool there = r->skipped && r->failures == 0; /* after a failure it was we who wrote it */
	if (r->op == RECORDS_REMOVE)
		p->removed += !there;
	else if (there)
		p->equal++;
	else
		p->written++;
}

void baseline_settled(struct record *r)
{
	struct baseline_page *p = r->batch->page;
	struct baseline *b = p->baseline;
	count(p, r);
	p->laned--;
	p->batch.open--;
	b->writing--;
	if (p->orphan) {
		if (p->laned == 0)
			baseline_page_free(p);
		return;
	}
	if (p->batch.open == 0)
		page_done(p);
	baseline_go_on(b);
}
