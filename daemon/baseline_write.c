/*
 * What becomes of one item of a baseline in S3. The item's lane is ours meanwhile, so nothing of the stream comes in between; a
 * condition guards against everybody else, where the store has conditions.
 *
 *     put:     (HEAD: equal? done) -> PutObject with event BASELINE
 *     remove:  HEAD: still what was looked at? -> deletes object with event BASELINE -> delete marker
 *
 * Every try after one whose answer was lost begins with the HEAD, so that nothing is written twice.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "baseline_run.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "codec/itemkey.h"
#include "codec/seq.h"
#include "daemon.h"
#include "table.h"
#include "worker.h"
#include "write.h"

#define COMPARE_EXTRA_BYTES 1024

static struct baseline *baseline_of(const struct worker *w)
{
	return w->record->batch->page->baseline;
}

static struct span key_of(const struct worker *w)
{
	return (struct span){buf_str(&w->key), w->key.len};
}

static struct span image_of(const struct record *r)
{
	return batch_span(r->batch, r->op == RECORDS_REMOVE ? r->old_image : r->new_image);
}

/* Something that is not this daemon wrote the item: what was read of it may be older than that. */
static void give_up(struct worker *w)
{
	baseline_of(w)->again = true;
	w->record->skipped = true;
	worker_done(w);
}

static void is_there(struct worker *w)
{
	w->record->skipped = true;
	worker_done(w);
}

/* The change of the stream that the version on top is of, or was put on top of: a replay of that one must not cover ours. */
static void note_after(struct worker *w)
{
	const struct s3_head *h = &w->head;
	w->after[0] = '\0';
	if (!h->exists)
		return;
	if (seq_valid(span_of(h->seq)))
		snprintf(w->after, sizeof(w->after), "%s/%s", h->stream, h->seq);
	else if (strlen(h->after) < sizeof(w->after))
		snprintf(w->after, sizeof(w->after), "%s", h->after);
}

static struct s3_meta metadata(struct worker *w)
{
	const struct stream *st = baseline_of(w)->table->active;
	return (struct s3_meta){
		.event = SPAN_LIT("BASELINE"),
		.time = span_of(w->event_time),
		.stream = st != NULL ? span_of(st->label) : (struct span){0},
		.after = span_of(w->after),
	};
}

static void head(struct worker *w, int (*make_key)(struct worker *, struct err *), aws_done_fn *done)
{
	struct err e;
	if (make_key(w, &e) < 0)
		worker_failed(w, &e);
	else
		s3_head(&w->op, key_of(w), (struct span){0}, &w->head, done, w);
}

/* True when the write was done; else worker_failed was called, and the next try asks first. */
static bool was_written(struct worker *w, int rc)
{
	struct err e;
	if (rc == 0 && write_is_versioned(&w->op, &e))
		return true;
	w->record->ask = true;
	worker_failed(w, rc < 0 ? &w->op.err : &e);
	return false;
}

/* --- put --- */

static void on_put(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	(void)op;
	if (rc == -ERR_CONFLICT && !w->record->ask) {
		/* The stream's own record put it there since the bucket was listed. */
		w->record->ask = true;
		baseline_write(w);
	} else if (rc == -ERR_CONFLICT)
		give_up(w);
	else if (was_written(w, rc))
		worker_done(w);
}

static void put(struct worker *w)
{
	struct err e;
	bool conditional = w->pool->daemon->startup.conditional;
	w->record->skipped = false;
	if (write_data_key(w, &e) < 0) {
		worker_failed(w, &e);
		return;
	}
	const struct s3_put p = {
		.key = key_of(w),
		.body = image_of(w->record),
		.meta = metadata(w),
		.condition = !conditional ? S3_ALWAYS
			     : w->found	  ? S3_IF_MATCH
					  : S3_IF_NONE_MATCH_ANY,
		.etag = span_of(w->etag),
	};
	s3_put(&w->op, &p, on_put, w);
}

/* Under a marker, or nothing: a deletes object tells which removal the marker is of. */
static void on_deletes(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	if (rc < 0) {
		worker_failed(w, &op->err);
		return;
	}
	note_after(w);
	put(w);
}

/* Of an object whose ETag is not the MD5 of its bytes (encrypted by KMS, say) only the bytes tell. */
static void on_body(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	struct buf *body = http_body(op->slot);
	if (rc < 0) {
		worker_failed(w, &op->err);
		return;
	}
	struct span there = {buf_str(body), body->len};
	if (w->head.exists && span_eq(there, image_of(w->record)))
		is_there(w);
	else
		put(w);
}

static void on_item(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	struct span image = image_of(w->record);
	uint8_t md5[DIGEST_MD5_SIZE];
	char hex[2 * DIGEST_MD5_SIZE + 1];
	if (rc < 0) {
		worker_failed(w, &op->err);
		return;
	}
	w->found = w->head.exists;
	snprintf(w->etag, sizeof(w->etag), "%s", w->head.etag);
	if (!w->found) {
		head(w, write_deletes_key, on_deletes);
		return;
	}
	digest_md5(md5, image.ptr, image.len);
	encode_hex(hex, md5, sizeof(md5));
	note_after(w);
	if (strcmp(hex, w->etag) == 0) {
		is_there(w);
	} else if (w->head.size_bytes == image.len) {
		http_slot_body_max(op->slot, image.len + COMPARE_EXTRA_BYTES);
		s3_get(&w->op, key_of(w), (struct span){0}, &w->head, on_body, w);
	} else {
		put(w);
	}
}

/* --- remove --- */

static void on_marker(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	(void)op;
	if (was_written(w, rc))
		worker_done(w);
}

static void put_marker(struct worker *w)
{
	struct err e;
	w->record->step = RECORD_MARKER;
	w->record->skipped = false;
	if (write_data_key(w, &e) < 0)
		worker_failed(w, &e);
	else
		s3_delete(&w->op, key_of(w), on_marker, w);
}

static void on_deletes_put(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	(void)op;
	if (was_written(w, rc))
		put_marker(w);
}

static void on_removal_known(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	if (rc < 0) {
		worker_failed(w, &op->err);
		return;
	}
	if (w->head.exists && strcmp(w->head.event, "BASELINE") == 0 && strcmp(w->head.time, w->event_time) == 0) {
		put_marker(w); /* an earlier try came so far */
		return;
	}
	const struct s3_put p = {.key = key_of(w), .body = image_of(w->record), .meta = metadata(w)};
	s3_put(&w->op, &p, on_deletes_put, w);
}

static void on_victim(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	if (rc < 0) {
		worker_failed(w, &op->err);
		return;
	}
	note_after(w);
	if (!w->head.exists)
		is_there(w);
	else if (strcmp(w->head.version_id, w->record->batch->page->version_id) != 0)
		give_up(w);
	else
		head(w, write_deletes_key, on_removal_known);
}

void baseline_write(struct worker *w)
{
	struct record *r = w->record;
	w->after[0] = '\0';
	w->found = false;
	w->etag[0] = '\0';
	if (r->op == RECORDS_REMOVE)
		head(w, write_data_key, on_victim);
	else if (r->ask)
		head(w, write_data_key, on_item);
	else
		put(w);
}
