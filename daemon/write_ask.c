/*
 * Asking S3 what it has of a record, after a crash or a lost answer (DESIGN, "exactly once").
 *
 * An item's versions are written in order, one at a time. So whatever is found with a higher number than the record's proves
 * that the record was written too, and what is found with its own number is the record itself:
 *
 *     put:      the item's latest version is this record or a later one; or there is none, and a later REMOVE is on file
 *     deletes:  the deletes object is this record (its marker is then asked about), or a later one (all is done)
 *     marker:   the item's latest version is a later one, or a delete marker
 */
#include "base/log.h"
#include "batch.h"
#include "codec/seq.h"
#include "shard.h"
#include "stream.h"
#include "table.h"
#include "write.h"

static struct span key_of(const struct worker *w)
{
	return (struct span){buf_str(&w->key), w->key.len};
}

/* A baseline's version names the change of the stream that it lies on top of: that one, and all before it, had been written. */
static bool is_baseline_after(const struct worker *w)
{
	const struct record *r = w->record;
	const char *after = w->head.after, *slash = strrchr(after, '/');
	size_t n = slash != NULL ? (size_t)(slash - after) : 0;
	const char *label = r->batch->shard->stream->label;
	if (strcmp(w->head.event, "BASELINE") != 0 || slash == NULL || !seq_valid(span_of(slash + 1)))
		return false;
	int order = strncmp(after, label, n);
	if (order == 0 && label[n] != '\0')
		order = -1;
	return order != 0 ? order > 0 : seq_cmp(span_of(slash + 1), batch_span(r->batch, r->seq)) >= 0;
}

/* <0: the object in w->head is of an older change than the record; 0: of this very one; >0: of a later one. */
static int found(const struct worker *w)
{
	const struct record *r = w->record;
	const char *label = r->batch->shard->stream->label;
	struct span seq = span_of(w->head.seq);
	if (!w->head.exists)
		return -1;
	if (is_baseline_after(w))
		return 1;
	if (!seq_valid(seq))
		return -1; /* of another tool, or written by hand: not by us for this record */
	if (strcmp(w->head.version_id, "null") == 0)
		return -1; /* written while versioning was suspended: the next write of that kind would destroy it */
	int order = strcmp(w->head.stream, label);
	return order != 0 ? order : seq_cmp(seq, batch_span(r->batch, r->seq));
}

static void must_write(struct worker *w)
{
	w->record->ask = w->record->skipped = false;
	write_step(w);
}

/* S3 has this step; whether it has those after it is asked about next. */
static void has_step(struct worker *w)
{
	w->record->skipped = true;
	write_next(w);
}

/* S3 has a later change of the item: this one is done, with all its steps. */
static void has_later(struct worker *w)
{
	w->record->skipped = true;
	w->record->step = RECORD_DONE;
	worker_done(w);
}

static void head(struct worker *w, int (*make_key)(struct worker *, struct err *), aws_done_fn *done)
{
	struct err e;
	if (make_key(w, &e) < 0)
		worker_failed(w, &e);
	else
		s3_head(&w->op, key_of(w), (struct span){0}, &w->head, done, w);
}

static void on_put_deletes(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	if (rc < 0)
		worker_failed(w, &op->err);
	else if (found(w) > 0)
		has_later(w);
	else
		must_write(w);
}

static void on_put_item(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	if (rc < 0)
		worker_failed(w, &op->err);
	else if (w->head.exists && found(w) >= 0)
		has_step(w);
	else if (w->head.exists)
		must_write(w);
	else
		head(w, write_deletes_key, on_put_deletes);
}

static void on_deletes(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	if (rc < 0)
		worker_failed(w, &op->err);
	else if (found(w) > 0)
		has_later(w);
	else if (found(w) == 0)
		has_step(w);
	else
		must_write(w);
}

/* Is the latest of exactly this key a delete marker? A listing by prefix names longer keys too. */
static int on_version(void *arg, const struct s3xml_version *v)
{
	struct worker *w = arg;
	if (!span_eq(v->key, key_of(w)) || !v->is_latest)
		return 0;
	w->key_listed = true;
	w->marker_latest = v->is_marker;
	return 0;
}

static void on_versions(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	struct s3xml_page page = {0};
	struct err e;
	struct buf *body = http_body(op->slot);
	if (rc < 0) {
		worker_failed(w, &op->err);
		return;
	}
	buf_init(&page.next_key_marker, 1024);
	buf_init(&page.next_version_marker, 1024);
	w->key_listed = w->marker_latest = false;
	rc = s3xml_versions((struct span){buf_str(body), body->len}, on_version, w, &page, &e);
	buf_fini(&page.next_key_marker);
	buf_fini(&page.next_version_marker);
	if (rc < 0)
		worker_failed(w, &e);
	else if (w->marker_latest)
		has_step(w);
	else
		must_write(w);
}

static void on_marker_item(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	if (rc < 0) {
		worker_failed(w, &op->err);
		return;
	}
	if (w->head.exists) {
		if (found(w) > 0)
			has_later(w);
		else
			must_write(w);
		return;
	}
	/* A marker, or a key that never was: only a listing tells them apart on every server. The key itself sorts first. */
	const struct s3_list list = {.prefix = key_of(w), .max_keys = 10};
	s3_list_versions(&w->op, &list, on_versions, w);
}

void write_ask(struct worker *w)
{
	switch ((enum record_step)w->record->step) {
	case RECORD_PUT:
		head(w, write_data_key, on_put_item);
		break;
	case RECORD_DELETES:
		head(w, write_deletes_key, on_deletes);
		break;
	case RECORD_MARKER:
		head(w, write_data_key, on_marker_item);
		break;
	case RECORD_DONE:
		worker_done(w);
		break;
	}
}
