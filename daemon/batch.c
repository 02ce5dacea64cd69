#include "batch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/digest.h"

/* What a record's slices may hold of a compacted body, in a fixed order. */
#define SLICES 4

struct split {
	struct batch *batch;
	size_t cap;
	const struct batch_skip *skip;
	size_t dropped;
};

static int add_record(void *arg, const struct records_entry *r)
{
	struct split *s = arg;
	struct batch *b = s->batch;
	struct span seq = batch_span(b, r->seq);
	bool old = r->event_ms != CLOCK_UNKNOWN && r->event_ms < s->skip->before_ms;
	if (old || (s->skip->after_seq[0] != '\0' && seq_cmp(seq, span_of(s->skip->after_seq)) <= 0)) {
		s->dropped++;
		return 0;
	}
	if (b->nrecords == s->cap) {
		size_t cap = s->cap == 0 ? 64 : s->cap * 2;
		struct record *grown = realloc(b->records, cap * sizeof(*grown));
		if (grown == NULL)
			return -ERR_SYSTEM;
		b->records = grown;
		s->cap = cap;
	}
	struct record *rec = &b->records[b->nrecords++];
	*rec = (struct record){
		.batch = b,
		.keys = r->keys,
		.new_image = r->new_image,
		.old_image = r->old_image,
		.seq = r->seq,
		.event_ms = r->event_ms,
		.state = RECORD_QUEUED,
		.step = r->op == RECORDS_REMOVE ? RECORD_DELETES : RECORD_PUT,
		.op = (uint8_t)r->op,
		.by_ttl = r->by_ttl,
	};
	if (r->event_ms != CLOCK_UNKNOWN && (b->last_event_ms == CLOCK_UNKNOWN || r->event_ms > b->last_event_ms))
		b->last_event_ms = r->event_ms;
	return 0;
}

void batch_item_digest(uint8_t item[16], struct span keys, uint64_t table_salt, char *scratch)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	memcpy(scratch, &table_salt, sizeof(table_salt));
	memcpy(scratch + sizeof(table_salt), keys.ptr, keys.len);
	digest_sha256(digest, scratch, sizeof(table_salt) + keys.len);
	memcpy(item, digest, 16);
}

static int key_records(struct batch *b, uint64_t table_salt, struct canon *canon, struct err *e)
{
	size_t longest = 0;
	for (size_t i = 0; i < b->nrecords; i++)
		if (b->records[i].keys.len > longest)
			longest = b->records[i].keys.len;
	char *scratch = malloc(BATCH_DIGEST_EXTRA_BYTES + longest);
	if (scratch == NULL)
		return err_errno(e, ENOMEM, "records of one answer");
	int rc = 0;
	for (size_t i = 0; i < b->nrecords && rc == 0; i++) {
		struct record *r = &b->records[i];
		rc = batch_canonicalize(b, &r->keys, canon, e);
		if (rc == 0)
			batch_item_digest(r->item, batch_span(b, r->keys), table_salt, scratch);
	}
	free(scratch);
	return rc;
}

static void count_bytes(struct batch *b)
{
	b->bytes = sizeof(*b) + b->body.cap + b->nrecords * sizeof(struct record);
}

int batch_new(struct batch **out, struct buf *body, uint64_t table_salt, const struct batch_skip *skip,
	      struct canon *canon, struct batch_answer *answer, struct err *e)
{
	struct batch *b = calloc(1, sizeof(*b));
	if (b == NULL) {
		buf_fini(body);
		return err_errno(e, ENOMEM, "one answer of GetRecords");
	}
	buf_init(&b->body, body->max);
	buf_take(&b->body, body);
	buf_trim(&b->body, 0);
	b->last_event_ms = CLOCK_UNKNOWN;
	struct split s = {.batch = b, .skip = skip};
	struct records_answer found;
	int rc = records_split(buf_str(&b->body), b->body.len, add_record, &s, &found, e);
	if (rc == -ERR_SYSTEM)
		rc = err_errno(e, ENOMEM, "records of one answer");
	if (rc == 0)
		rc = key_records(b, table_salt, canon, e);
	if (rc < 0) {
		batch_free(b);
		return rc;
	}
	if (b->nrecords > 0) {
		struct span last = batch_span(b, b->records[b->nrecords - 1].seq);
		memcpy(b->last_seq, last.ptr, last.len);
		struct record *exact = realloc(b->records, b->nrecords * sizeof(*exact));
		if (exact != NULL)
			b->records = exact;
	}
	b->open = b->nrecords;
	count_bytes(b);
	answer->next_iterator = batch_span(b, found.next_iterator);
	answer->dropped = s.dropped;
	*out = b;
	return 0;
}

void batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	buf_fini(&b->body);
	free(b->records);
	free(b);
}

struct span batch_span(const struct batch *b, struct records_slice s)
{
	return (struct span){buf_str(&b->body) + s.off, s.len};
}

int batch_canonicalize(struct batch *b, struct records_slice *image, struct canon *canon, struct err *e)
{
	struct span form;
	int rc = canon_item(canon, batch_span(b, *image), &form, e);
	if (rc < 0)
		return rc;
	/* Canonical form is never longer than what it was made from, so it fits in its place. */
	if (form.len > image->len)
		return err_set(e, ERR_CORRUPT, "canonical form of %zu bytes is longer than its source of %u", form.len,
			       image->len);
	memcpy(b->body.data + image->off, form.ptr, form.len);
	image->len = (uint32_t)form.len;
	return 0;
}

/* What must be kept of a record: all of one that is open; of a durable one only the number that the checkpoint may take next. */
static int slices_of(struct record *r, struct records_slice *out[SLICES])
{
	int n = 0;
	out[n++] = &r->seq;
	if (r->state == RECORD_DURABLE)
		return n;
	out[n++] = &r->keys;
	out[n++] = &r->new_image;
	out[n++] = &r->old_image;
	return n;
}

static size_t bytes_needed(struct batch *b)
{
	struct records_slice *slices[SLICES];
	size_t need = 0;
	for (size_t i = b->first_open; i < b->nrecords; i++) {
		int n = slices_of(&b->records[i], slices);
		for (int k = 0; k < n; k++)
			need += slices[k]->len;
	}
	return need;
}

size_t batch_compact(struct batch *b)
{
	if (b->compacted || b->writing > 0)
		return 0;
	size_t need = bytes_needed(b);
	struct buf kept;
	buf_init(&kept, b->body.max);
	if (need * 2 > b->body.cap || buf_reserve(&kept, need) < 0)
		return 0;
	for (size_t i = b->first_open; i < b->nrecords; i++) {
		struct records_slice *slices[SLICES];
		int n = slices_of(&b->records[i], slices);
		for (int k = 0; k < n; k++) {
			/* The room was reserved. */
			memcpy(kept.data + kept.len, buf_str(&b->body) + slices[k]->off, slices[k]->len);
			slices[k]->off = (uint32_t)kept.len;
			kept.len += slices[k]->len;
		}
	}
	kept.data[kept.len] = '\0';
	size_t before = b->bytes;
	buf_take(&b->body, &kept);
	buf_trim(&b->body, 0);
	b->compacted = true;
	count_bytes(b);
	return before > b->bytes ? before - b->bytes : 0;
}
