#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "codec/s3xml.h"

/* 1,000 keys of 1,024 bytes, each byte percent-encoded, and what stands around them. */
#define PAGE_MAX ((size_t)8 << 20)

static void ask(struct listing_side *s);

static int side_init(struct listing *l, enum item_side side, struct err *e)
{
	struct listing_side *s = &l->sides[side];
	int rc = aws_op_init(&s->op, &l->session->aws, PAGE_MAX, e);
	if (rc < 0)
		return rc;
	s->listing = l;
	s->side = side;
	s->path = side == ITEM_DATA ? l->session->data_path : l->session->deletes_path;
	uv_timer_init(&l->session->loop, &s->timer);
	s->timer.data = s;
	/* A key that is too long for one path may lie below the other. */
	buf_init(&s->key_marker, 2048);
	buf_init(&s->version_marker, S3XML_TOKEN_MAX);
	l->nsides++;
	return 0;
}

/* Where a side begins. */
static int side_begin(struct listing_side *s, const struct listing_options *o)
{
	merge_page_free(s->ahead);
	s->ahead = NULL;
	s->last = s->listing->current && s->side == ITEM_REMOVED;
	s->past = false;
	free(s->prefix);
	if (asprintf(&s->prefix, "%s%s", s->path, o->prefix) < 0) {
		s->prefix = NULL;
		return -ERR_SYSTEM;
	}
	buf_reset(&s->key_marker);
	buf_reset(&s->version_marker);
	/* S3 goes on behind the marker, whether there is such a key or not. */
	if (o->after.len == 0)
		return 0;
	int rc = buf_append_str(&s->key_marker, s->path);
	return rc < 0 ? rc : buf_append(&s->key_marker, o->after.ptr, o->after.len);
}

int listing_again(struct listing *l, const struct listing_options *o, struct err *e)
{
	merge_fini(&l->merge);
	merge_init(&l->merge, o->exact ? o->prefix : NULL, o->old_ms);
	l->merge.sides[ITEM_REMOVED].ended = l->current;
	buf_reset(&l->reached);
	buf_reset(&l->after);
	int rc = buf_append(&l->after, o->after.ptr, o->after.len);
	for (size_t i = 0; rc == 0 && i < ITEM_SIDES; i++)
		rc = side_begin(&l->sides[i], o);
	if (rc == 0)
		rc = listing_end_at(l, o->through);
	return rc < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

int listing_init(struct listing *l, struct session *s, const struct listing_options *o, struct err *e)
{
	*l = (struct listing){.session = s, .max_keys = o->max_keys, .current = o->current};
	buf_init(&l->after, 1024);
	buf_init(&l->reached, 1024);
	merge_init(&l->merge, NULL, o->old_ms);
	int rc = side_init(l, ITEM_DATA, e);
	if (rc == 0)
		rc = side_init(l, ITEM_REMOVED, e);
	return rc < 0 ? rc : listing_again(l, o, e);
}

bool listing_idle(const struct listing *l)
{
	return !l->sides[ITEM_DATA].busy && !l->sides[ITEM_REMOVED].busy;
}

bool listing_ends(const struct listing *l)
{
	return l->sides[ITEM_DATA].last || l->sides[ITEM_DATA].past;
}

int listing_end_at(struct listing *l, struct span through)
{
	return merge_end_at(&l->merge, through);
}

struct span listing_reached(const struct listing *l)
{
	return (struct span){buf_str(&l->reached), l->reached.len};
}

void listing_fini(struct listing *l)
{
	for (size_t i = 0; i < l->nsides; i++) {
		struct listing_side *s = &l->sides[i];
		aws_op_fini(&s->op, NULL);
		uv_close((uv_handle_t *)&s->timer, NULL);
		merge_page_free(s->ahead);
		buf_fini(&s->key_marker);
		buf_fini(&s->version_marker);
		free(s->prefix);
	}
	l->nsides = 0;
	buf_fini(&l->reached);
	buf_fini(&l->after);
	merge_fini(&l->merge);
}

/* GLACIER_IR answers at once; Intelligent-Tiering tells its archive tiers only when an object is asked for. */
static bool is_archived(struct span storage_class)
{
	return span_eq_str(storage_class, "GLACIER") || span_eq_str(storage_class, "DEEP_ARCHIVE");
}

struct reading {
	const struct listing_side *side;
	struct merge_page *page;
};

static int on_version(void *arg, const struct s3xml_version *v)
{
	const struct reading *r = arg;
	size_t skip = strlen(r->side->path);
	const char *prefix = r->side->prefix;
	if (v->key.len < strlen(prefix) || memcmp(v->key.ptr, prefix, strlen(prefix)) != 0)
		return -ERR_CORRUPT;
	const struct span key = {v->key.ptr + skip, v->key.len - skip};
	const struct buf *after = &r->side->listing->after;
	/* A folder that a console made is no item; and a store may take a marker to be included. */
	if (key.len == 0 || (after->len > 0 && merge_compare(key, (struct span){buf_str(after), after->len}) <= 0))
		return 0;
	const struct item_listed listed = {
		.version_id = r->side->listing->current ? v->etag : v->version_id,
		.modified_ms = v->modified_ms,
		.size_bytes = v->size_bytes,
		.etag_hash = map_hash(v->etag.ptr, v->etag.len),
		.marker = v->is_marker,
		.latest = v->is_latest,
		.archived = is_archived(v->storage_class),
	};
	return merge_page_add(r->page, key, &listed);
}

static int read_versions(struct listing_side *s, struct span body, struct reading *r, struct err *e)
{
	struct s3xml_page answer = {0};
	buf_init(&answer.next_key_marker, 1024);
	buf_init(&answer.next_version_marker, 1024);
	int rc = s3xml_versions(body, on_version, r, &answer, e);
	if (rc == 0) {
		r->page->last = !answer.truncated;
		buf_take(&s->key_marker, &answer.next_key_marker);
		buf_take(&s->version_marker, &answer.next_version_marker);
	}
	buf_fini(&answer.next_key_marker);
	buf_fini(&answer.next_version_marker);
	return rc;
}

static int read_objects(struct listing_side *s, struct span body, struct reading *r, struct err *e)
{
	struct s3xml_objects_page answer = {0};
	buf_init(&answer.next_token, S3XML_TOKEN_MAX);
	int rc = s3xml_objects(body, on_version, r, &answer, e);
	if (rc == 0) {
		r->page->last = !answer.truncated;
		buf_take(&s->version_marker, &answer.next_token);
	}
	buf_fini(&answer.next_token);
	return rc;
}

static int read_page(struct listing_side *s, struct merge_page *page, struct err *e)
{
	const bool current = s->listing->current;
	const struct buf *body = http_body(s->op.slot);
	const struct span text = {buf_str(body), body->len};
	struct reading reading = {.side = s, .page = page};
	*e = (struct err){0};
	int rc = current ? read_objects(s, text, &reading, e) : read_versions(s, text, &reading, e);
	if (rc == -ERR_SYSTEM)
		err_set(e, ERR_SYSTEM, "out of memory");
	else if (rc < 0 && e->class == ERR_NONE)
		err_set(e, ERR_CORRUPT, "%s: a key without the prefix that was asked for",
			current ? "ListObjectsV2" : "ListObjectVersions");
	return rc;
}

static void on_timer(uv_timer_t *t)
{
	ask(t->data);
}

static struct span last_key(const struct merge_page *page)
{
	const struct merge_entry *last = &page->entries[page->n - 1];
	return (struct span){buf_str(&page->text) + last->key_off, last->key_len};
}

static bool is_past(const struct listing *l, const struct merge_page *page)
{
	const struct buf *through = &l->merge.through;
	return page->n > 0 && through->len > 0 &&
	       merge_compare(last_key(page), (struct span){buf_str(through), through->len}) > 0;
}

/* Hands the page over when it is wanted, and reads the next one ahead. */
static void hand_over(struct listing_side *s)
{
	struct listing *l = s->listing;
	if (s->ahead != NULL && merge_wants(&l->merge, s->side)) {
		s->past = is_past(l, s->ahead);
		merge_give(&l->merge, s->side, s->ahead);
		s->ahead = NULL;
	}
	if (s->ahead == NULL && !s->busy && !s->last && !s->past && !l->merge.sides[s->side].ended) {
		s->busy = true;
		s->attempts = 0;
		ask(s);
	}
}

static int note_reached(struct listing *l, const struct merge_page *page, struct err *e)
{
	if (page->n == 0)
		return 0;
	struct span key = last_key(page);
	if (merge_compare(key, listing_reached(l)) <= 0)
		return 0;
	buf_reset(&l->reached);
	return buf_append(&l->reached, key.ptr, key.len) < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static void on_page(struct aws_op *op, int rc, void *arg)
{
	struct listing_side *s = arg;
	struct listing *l = s->listing;
	struct err e = op->err;
	struct merge_page *page = rc == 0 ? merge_page_new() : NULL;
	if (page != NULL) {
		rc = read_page(s, page, &e);
	} else if (rc == 0) {
		err_set(&e, ERR_SYSTEM, "out of memory");
		rc = -ERR_SYSTEM;
	}
	if (rc == 0)
		rc = note_reached(l, page, &e);
	if (rc == 0) {
		l->pages++;
		s->pages++;
		l->versions += page->n;
		s->ahead = page;
		s->last = page->last;
	} else {
		merge_page_free(page);
		int wait_ms = session_retry_ms(&e, ++s->attempts);
		if (wait_ms >= 0) {
			uv_timer_start(&s->timer, on_timer, (uint64_t)wait_ms, 0);
			return;
		}
		l->err = e;
		l->rc = rc;
	}
	s->busy = false;
	l->wake(l->arg);
}

static void ask_objects(struct listing_side *s)
{
	const struct s3_list_objects list = {
		.prefix = span_of(s->prefix),
		.start_after = {buf_str(&s->key_marker), s->version_marker.len > 0 ? 0 : s->key_marker.len},
		.token = {buf_str(&s->version_marker), s->version_marker.len},
		.max_keys = s->listing->max_keys,
	};
	s3_list_objects(&s->op, &list, on_page, s);
}

static void ask(struct listing_side *s)
{
	const struct s3_list list = {
		.prefix = span_of(s->prefix),
		.key_marker = {buf_str(&s->key_marker), s->key_marker.len},
		.version_marker = {buf_str(&s->version_marker), s->version_marker.len},
		.max_keys = s->listing->max_keys,
	};
	if (s->listing->current)
		ask_objects(s);
	else
		s3_list_versions(&s->op, &list, on_page, s);
}

void listing_start(struct listing *l, void (*wake)(void *arg), void *arg)
{
	l->wake = wake;
	l->arg = arg;
	for (size_t i = 0; i < l->nsides; i++)
		hand_over(&l->sides[i]);
}

int listing_next(struct listing *l, struct item **out, struct err *e)
{
	for (;;) {
		if (l->rc < 0) {
			*e = l->err;
			return l->rc;
		}
		int rc = merge_next(&l->merge, out, e);
		for (size_t i = 0; i < l->nsides; i++)
			hand_over(&l->sides[i]);
		/* What was wanted may have been read ahead. */
		bool ready = !merge_wants(&l->merge, ITEM_DATA) && !merge_wants(&l->merge, ITEM_REMOVED);
		if (rc != MERGE_WAIT || !ready)
			return rc;
	}
}
