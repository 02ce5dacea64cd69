#include "look_past.h"

#include <string.h>

#include "aws/s3.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "resolve.h"

#define PAGE_MAX ((size_t)8 << 20)
/* LastModified has whole seconds, by another clock than the Date header that ours was set by. */
#define BLUR_MS 3000

static void ask(struct look_past *p);

int look_past_init(struct look_past *p, struct session *s, struct err *e)
{
	*p = (struct look_past){.session = s};
	STAILQ_INIT(&p->queue);
	buf_init(&p->prefix, 4096);
	int rc = aws_op_init(&p->op, &s->aws, PAGE_MAX, e);
	if (rc < 0)
		return rc;
	uv_timer_init(&s->loop, &p->timer);
	p->timer.data = p;
	p->open = true;
	return 0;
}

void look_past_fini(struct look_past *p)
{
	if (p->open) {
		aws_op_fini(&p->op, NULL);
		uv_close((uv_handle_t *)&p->timer, NULL);
	}
	p->open = false;
	STAILQ_INIT(&p->queue);
	buf_fini(&p->prefix);
}

/* The versions of one object, newest first. */
struct reading {
	const struct look_past *past;
	char hex[2 * DIGEST_MD5_SIZE];
	bool found, near, unknown, over;
};

static bool is_sought(const struct reading *r, const struct s3xml_version *v)
{
	if (r->past->job->md5 == NULL)
		return v->is_marker;
	return !v->is_marker && v->etag.len == sizeof(r->hex) && memcmp(v->etag.ptr, r->hex, sizeof(r->hex)) == 0;
}

static int on_version(void *arg, const struct s3xml_version *v)
{
	struct reading *r = arg;
	const struct look_past_job *j = r->past->job;
	/* Of keys with the same beginning the shortest comes first. */
	if (r->over || !span_eq(v->key, (struct span){buf_str(&r->past->prefix), r->past->prefix.len}))
		return 0;
	if (j->strict && v->modified_ms < j->since_ms - RESOLVE_MARGIN_MS)
		r->over = true;
	else if (is_sought(r, v) && (j->strict || v->modified_ms > j->since_ms + BLUR_MS))
		r->found = true;
	else if (is_sought(r, v))
		r->near = true;
	r->unknown = r->unknown || (j->md5 != NULL && !v->is_marker && v->etag.len != sizeof(r->hex));
	r->over = r->over || (!j->strict && v->modified_ms < j->since_ms - BLUR_MS);
	return 0;
}

/* More than a page of versions since a moment ago is too much to tell. */
static enum look_past_answer judge(const struct reading *r, bool truncated)
{
	if (r->found)
		return LOOK_PAST_FOUND;
	if (r->near)
		return LOOK_PAST_NEAR;
	return r->unknown || (truncated && !r->over) ? LOOK_PAST_UNKNOWN : LOOK_PAST_NOT_FOUND;
}

static void on_timer(uv_timer_t *t)
{
	ask(t->data);
}

static void next(struct look_past *p)
{
	p->job = STAILQ_FIRST(&p->queue);
	if (p->job == NULL)
		return;
	STAILQ_REMOVE_HEAD(&p->queue, link);
	p->attempt = 1;
	ask(p);
}

static void on_page(struct aws_op *op, int rc, void *arg)
{
	struct look_past *p = arg;
	struct look_past_job *j = p->job;
	struct reading r = {.past = p};
	struct s3xml_page page = {0};
	struct err e = op->err;
	buf_init(&page.next_key_marker, 1024);
	buf_init(&page.next_version_marker, 1024);
	if (j->md5 != NULL)
		encode_hex(r.hex, j->md5, DIGEST_MD5_SIZE);
	if (rc == 0)
		rc = s3xml_versions((struct span){buf_str(http_body(op->slot)), http_body(op->slot)->len}, on_version,
				    &r, &page, &e);
	buf_fini(&page.next_key_marker);
	buf_fini(&page.next_version_marker);
	int wait_ms = rc < 0 ? session_retry_ms(&e, p->attempt++) : -1;
	if (wait_ms >= 0) {
		uv_timer_start(&p->timer, on_timer, (uint64_t)wait_ms, 0);
		return;
	}
	p->job = NULL;
	j->done(j, rc, &e, rc == 0 ? judge(&r, page.truncated) : LOOK_PAST_UNKNOWN);
	if (p->open && p->job == NULL)
		next(p);
}

static void ask(struct look_past *p)
{
	buf_reset(&p->prefix);
	buf_append_str(&p->prefix, p->session->data_path);
	buf_append(&p->prefix, p->job->name.ptr, p->job->name.len);
	const struct s3_list l = {.prefix = {buf_str(&p->prefix), p->prefix.len}};
	s3_list_versions(&p->op, &l, on_page, p);
}

void look_past_add(struct look_past *p, struct look_past_job *j)
{
	STAILQ_INSERT_TAIL(&p->queue, j, link);
	if (p->job == NULL)
		next(p);
}
