#include "fetch.h"

#include <string.h>

#include "codec/digest.h"
#include "codec/encode.h"

/* An item has 400 KB, of which every byte may take six as JSON. */
#define BODY_MAX ((size_t)4 << 20)

static void start(struct fetch_slot *slot);

int fetch_init(struct fetch *f, struct session *s, struct err *e)
{
	*f = (struct fetch){0};
	STAILQ_INIT(&f->queue);
	for (size_t i = 0; i < SESSION_SLOTS; i++) {
		struct fetch_slot *slot = &f->slots[i];
		int rc = aws_op_init(&slot->op, &s->aws, BODY_MAX, e);
		if (rc < 0)
			return rc;
		slot->fetch = f;
		uv_timer_init(&s->loop, &slot->timer);
		slot->timer.data = slot;
		f->nslots++;
	}
	return 0;
}

static void give_up(struct fetch_job *j)
{
	struct err e;
	int rc = err_set(&e, ERR_CANCELLED, "given up");
	j->done(j, rc, &e, (struct span){0});
}

void fetch_fini(struct fetch *f)
{
	struct fetch_job *j;
	size_t n = f->nslots;
	/* A completion may not begin anything new. */
	f->nslots = 0;
	for (size_t i = 0; i < n; i++) {
		struct fetch_slot *slot = &f->slots[i];
		aws_op_fini(&slot->op, NULL);
		uv_close((uv_handle_t *)&slot->timer, NULL);
		if (slot->job != NULL)
			give_up(slot->job);
		slot->job = NULL;
	}
	while (n > 0 && (j = STAILQ_FIRST(&f->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&f->queue, link);
		give_up(j);
	}
}

static void on_timer(uv_timer_t *t)
{
	start(t->data);
}

static void next(struct fetch *f, struct fetch_slot *slot)
{
	struct fetch_job *j = STAILQ_FIRST(&f->queue);
	if (j == NULL)
		return;
	STAILQ_REMOVE_HEAD(&f->queue, link);
	slot->job = j;
	start(slot);
}

/* What the network does to bytes it does not do twice. */
static bool is_damaged(const struct fetch_job *j, struct span bytes)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	char hex[2 * DIGEST_MD5_SIZE];
	if (!j->head.etag_is_md5)
		return false;
	digest_md5(md5, bytes.ptr, bytes.len);
	encode_hex(hex, md5, sizeof(md5));
	return memcmp(hex, j->head.etag, sizeof(hex)) != 0;
}

static void on_answer(struct aws_op *op, int rc, void *arg)
{
	struct fetch_slot *slot = arg;
	struct fetch *f = slot->fetch;
	struct fetch_job *j = slot->job;
	struct span bytes = {0};
	j->attempts++;
	if (rc < 0) {
		int wait_ms = session_retry_ms(&op->err, j->attempts);
		if (wait_ms >= 0) {
			f->retries++;
			uv_timer_start(&slot->timer, on_timer, (uint64_t)wait_ms, 0);
			return;
		}
	} else if (j->body && j->head.exists) {
		bytes = (struct span){buf_str(http_body(op->slot)), http_body(op->slot)->len};
		f->bytes += bytes.len;
		bool again = !j->damaged;
		j->damaged = is_damaged(j, bytes);
		if (j->damaged && again) {
			f->retries++;
			start(slot);
			return;
		}
	}
	j->done(j, rc, &op->err, bytes);
	slot->job = NULL;
	if (f->nslots > 0)
		next(f, slot);
}

static void start(struct fetch_slot *slot)
{
	struct fetch_job *j = slot->job;
	if (j->body) {
		slot->fetch->gets++;
		s3_get(&slot->op, j->key, span_of(j->version_id), &j->head, on_answer, slot);
	} else {
		slot->fetch->heads++;
		s3_head(&slot->op, j->key, span_of(j->version_id), &j->head, on_answer, slot);
	}
}

void fetch_add(struct fetch *f, struct fetch_job *j)
{
	STAILQ_INSERT_TAIL(&f->queue, j, link);
	for (size_t i = 0; i < f->nslots; i++) {
		if (f->slots[i].job == NULL) {
			next(f, &f->slots[i]);
			return;
		}
	}
}
