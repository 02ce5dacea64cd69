#include "look_mark.h"

#include <stdio.h>

#include "base/clock.h"
#include "watermark.h"

#define MARK_MAX ((size_t)64 << 20)
#define EVERY_MS 1000
#define PATIENCE_MS 900000 /* of a daemon that writes, and yet does not get there */

static void read_mark(struct look_mark *m);

int look_mark_init(struct look_mark *m, struct session *s, struct err *e)
{
	*m = (struct look_mark){.session = s, .complete_ms = CLOCK_UNKNOWN, .saved_ms = CLOCK_UNKNOWN};
	TAILQ_INIT(&m->waits);
	buf_init(&m->key, 2048);
	if (buf_printf(&m->key, "%swatermark.json", s->meta_path) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	int rc = aws_op_init(&m->op, &s->aws, MARK_MAX, e);
	if (rc < 0)
		return rc;
	uv_timer_init(&s->loop, &m->timer);
	m->timer.data = m;
	m->open = true;
	return 0;
}

void look_mark_fini(struct look_mark *m)
{
	if (m->open) {
		aws_op_fini(&m->op, NULL);
		uv_close((uv_handle_t *)&m->timer, NULL);
	}
	m->open = false;
	TAILQ_INIT(&m->waits);
	buf_fini(&m->key);
}

/* Why this one is waited for in vain; "": it is not. */
static void judge(const struct look_mark *m, const struct look_mark_wait *w, char *why, size_t size)
{
	char a[CLOCK_ISO_SIZE], b[CLOCK_ISO_SIZE];
	why[0] = '\0';
	if (!m->exists)
		snprintf(why, size,
			 "it differs, and there is no watermark.json to tell what the backup is complete "
			 "through");
	else if (watermark_is_silent(m->saved_ms, m->session))
		snprintf(why, size,
			 "it differs, but the backup is complete through %s only, and the daemon has written nothing "
			 "since %s: it may have changed since",
			 watermark_time(a, m->complete_ms), watermark_time(b, m->saved_ms));
	else if (clock_mono_ms() - w->since_mono_ms > PATIENCE_MS)
		snprintf(why, size, "it differs, but in %d minutes the backup came through %s only",
			 PATIENCE_MS / 60000, watermark_time(a, m->complete_ms));
}

static void serve(struct look_mark *m)
{
	struct look_mark_wait *w, *next;
	char why[300];
	for (w = TAILQ_FIRST(&m->waits); w != NULL && m->open; w = next) {
		next = TAILQ_NEXT(w, link);
		bool passed = m->exists && m->complete_ms != CLOCK_UNKNOWN && m->complete_ms >= w->through_ms;
		if (!passed)
			judge(m, w, why, sizeof(why));
		if (!passed && why[0] == '\0')
			continue;
		TAILQ_REMOVE(&m->waits, w, link);
		w->done(w, passed, passed ? NULL : why);
	}
}

static void on_timer(uv_timer_t *t)
{
	read_mark(t->data);
}

static void on_mark(struct aws_op *op, int rc, void *arg)
{
	struct look_mark *m = arg;
	const struct buf *body = http_body(op->slot);
	struct watermark w;
	m->busy = false;
	if (rc == 0)
		m->exists = m->head.exists;
	/* What cannot be read now is read later; what was known stays. */
	if (rc == 0 && m->head.exists && watermark_parse(buf_str(body), body->len, &w, NULL) == 0) {
		m->complete_ms = w.complete_ms;
		m->saved_ms = w.saved_ms;
		watermark_fini(&w);
	}
	if (rc == 0 || m->attempt++ >= SESSION_TRIES) {
		m->attempt = 1;
		serve(m);
	}
	if (m->open && !TAILQ_EMPTY(&m->waits) && !m->busy)
		uv_timer_start(&m->timer, on_timer, EVERY_MS, 0);
}

static void read_mark(struct look_mark *m)
{
	m->busy = true;
	m->reads++;
	s3_get(&m->op, (struct span){buf_str(&m->key), m->key.len}, (struct span){0}, &m->head, on_mark, m);
}

void look_mark_add(struct look_mark *m, struct look_mark_wait *w)
{
	w->since_mono_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&m->waits, w, link);
	if (!m->busy && !uv_is_active((uv_handle_t *)&m->timer))
		read_mark(m);
}
