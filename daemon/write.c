#include "write.h"

#include "base/log.h"
#include "baseline.h"
#include "batch.h"
#include "codec/itemkey.h"
#include "daemon.h"
#include "shard.h"
#include "table.h"

/* The image whose tenant names the folder: of what is put the new one, of what goes away the old one. */
static struct span folder_image(const struct record *r)
{
	return batch_span(r->batch, r->step == RECORD_PUT ? r->new_image : r->old_image);
}

static int make_key(struct worker *w, const char *path, struct err *e)
{
	const struct record *r = w->record;
	buf_reset(&w->key);
	int rc = buf_append_str(&w->key, path);
	if (rc < 0)
		return err_set(e, ERR_LIMIT, "prefix is too long for an S3 key");
	const struct itemkey_schema *schema = &worker_table(r)->schema;
	if (r->batch->shard != NULL)
		schema = &r->batch->shard->stream->schema;
	return itemkey_append(&w->key, schema, batch_span(r->batch, r->keys), folder_image(r), e);
}

int write_data_key(struct worker *w, struct err *e)
{
	return make_key(w, worker_table(w->record)->data_path, e);
}

int write_deletes_key(struct worker *w, struct err *e)
{
	return make_key(w, worker_table(w->record)->deletes_path, e);
}

static struct s3_meta metadata(const struct worker *w, const char *event)
{
	const struct record *r = w->record;
	const struct shard *s = r->batch->shard;
	return (struct s3_meta){
		.event = span_of(event),
		.seq = batch_span(r->batch, r->seq),
		.time = span_of(w->event_time),
		.stream = span_of(s->stream->label),
		.shard = span_of(s->id),
		.by = r->by_ttl ? SPAN_LIT("ttl") : (struct span){0},
	};
}

/*
 * A bucket whose versioning was suspended still takes writes, and each of them destroys history. Its answers give it away:
 * the version written is "null", or none at all.
 */
bool write_is_versioned(const struct aws_op *op, struct err *e)
{
	struct span id = http_header_get(op->slot, "x-amz-version-id");
	if (id.len > 0 && !span_eq_str(id, "null"))
		return true;
	err_set(e, ERR_INVALID,
		"bucket %s no longer keeps versions; enable its versioning again (aws s3api put-bucket-versioning "
		"--bucket %s "
		"--versioning-configuration Status=Enabled)",
		op->bucket->name, op->bucket->name);
	return false;
}

static void on_written(struct aws_op *op, int rc, void *arg)
{
	struct worker *w = arg;
	struct err e;
	if (rc < 0) {
		/* It may have been stored although we were not told: look before it is written again. */
		if (op->err.maybe_done)
			w->record->ask = true;
		worker_failed(w, &op->err);
		return;
	}
	if (!write_is_versioned(op, &e)) {
		w->record->ask = true;
		worker_failed(w, &e);
		return;
	}
	w->record->ask = false; /* it was not there, so what follows it is not either */
	write_next(w);
}

static void put(struct worker *w, struct records_slice *image, const char *event)
{
	const struct s3_put p = {
		.key = {buf_str(&w->key), w->key.len},
		.body = batch_span(w->record->batch, *image),
		.meta = metadata(w, event),
	};
	s3_put(&w->op, &p, on_written, w);
}

static int put_item(struct worker *w, struct err *e)
{
	struct record *r = w->record;
	int rc = 0;
	if (!r->new_canonical)
		rc = batch_canonicalize(r->batch, &r->new_image, w->pool->daemon->canon, e);
	if (rc < 0)
		return err_prefix(e, "new image");
	r->new_canonical = true;
	rc = write_data_key(w, e);
	if (rc == 0)
		put(w, &r->new_image, records_op_name((enum records_op)r->op));
	return rc;
}

/* Without an old image in the stream the keys are all that is known of what went away. */
static int put_deletes(struct worker *w, struct err *e)
{
	struct record *r = w->record;
	struct records_slice *image = r->old_image.len > 0 ? &r->old_image : &r->keys;
	int rc = 0;
	if (r->old_image.len > 0 && !r->old_canonical)
		rc = batch_canonicalize(r->batch, &r->old_image, w->pool->daemon->canon, e);
	if (rc < 0)
		return err_prefix(e, "old image");
	r->old_canonical = true;
	rc = write_deletes_key(w, e);
	if (rc == 0)
		put(w, image, records_op_name(RECORDS_REMOVE));
	return rc;
}

static int put_marker(struct worker *w, struct err *e)
{
	int rc = write_data_key(w, e);
	if (rc == 0)
		s3_delete(&w->op, (struct span){buf_str(&w->key), w->key.len}, on_written, w);
	return rc;
}

void write_step(struct worker *w)
{
	struct err e;
	int rc = 0;
	switch ((enum record_step)w->record->step) {
	case RECORD_PUT:
		rc = put_item(w, &e);
		break;
	case RECORD_DELETES:
		rc = put_deletes(w, &e);
		break;
	case RECORD_MARKER:
		rc = put_marker(w, &e);
		break;
	case RECORD_DONE:
		worker_done(w);
		return;
	}
	if (rc < 0)
		worker_failed(w, &e);
}

void write_begin(struct worker *w)
{
	if (w->record->batch->page != NULL)
		baseline_write(w);
	else if (w->record->ask)
		write_ask(w);
	else
		write_step(w);
}

void write_next(struct worker *w)
{
	struct record *r = w->record;
	if (r->step == RECORD_PUT && !r->moves)
		r->step = RECORD_DONE;
	else
		r->step++;
	if (r->step == RECORD_DONE)
		worker_done(w);
	else
		write_begin(w);
}
