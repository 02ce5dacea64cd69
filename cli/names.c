#include "names.h"

#include <string.h>

#include "aws/s3.h"

struct walk {
	struct session *session;
	int (*each)(const struct names_object *o, void *arg, struct err *e);
	void *arg;
	struct names_figures *figures;
	struct err *err;
	bool failed; /* `each` did */
};

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False when it is no MD5; then it is something that no MD5 is but by chance. */
static bool read_etag(struct span text, uint8_t out[DIGEST_MD5_SIZE])
{
	bool ok = text.len == 2 * DIGEST_MD5_SIZE;
	for (size_t i = 0; ok && i < DIGEST_MD5_SIZE; i++) {
		int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);
		ok = high >= 0 && low >= 0;
		out[i] = (uint8_t)(ok ? high << 4 | low : 0);
	}
	if (!ok)
		digest_name(out, text.ptr, text.len);
	return ok;
}

static int on_object(void *arg, const struct s3xml_version *v)
{
	struct walk *w = arg;
	size_t skip = strlen(w->session->data_path);
	struct names_object o = {.size_bytes = v->size_bytes};
	if (v->key.len < skip || memcmp(v->key.ptr, w->session->data_path, skip) != 0) {
		w->failed = true;
		return err_set(w->err, ERR_CORRUPT, "ListObjectsV2: a key without the prefix that was asked for");
	}
	/* A folder that a console made is no item. */
	if (v->key.len == skip)
		return 0;
	o.name = (struct span){v->key.ptr + skip, v->key.len - skip};
	read_etag(v->etag, o.etag);
	w->figures->objects++;
	w->figures->bytes += v->size_bytes;
	int rc = w->each(&o, w->arg, w->err);
	w->failed = rc < 0;
	return rc;
}

/* 0, or 1 when the page is to be asked for again. */
static int read_page(struct walk *w, struct buf *token, bool *more, unsigned attempt)
{
	struct session *s = w->session;
	const struct s3_list_objects l = {.prefix = span_of(s->data_path), .token = {buf_str(token), token->len}};
	struct s3xml_objects_page page = {0};
	w->figures->requests++;
	s3_list_objects(&s->op, &l, NULL, NULL);
	int rc = session_settle(s, &s->op, attempt);
	if (rc != 0) {
		*w->err = s->op.err;
		return rc;
	}
	buf_init(&page.next_token, S3XML_TOKEN_MAX);
	/* The document is checked in full before the first object, so that a damaged page can be asked for again. */
	rc = s3xml_objects((struct span){buf_str(http_body(s->op.slot)), http_body(s->op.slot)->len}, on_object, w,
			   &page, w->err);
	if (rc == 0) {
		*more = page.truncated;
		buf_take(token, &page.next_token);
	} else if (!w->failed && session_retry_ms(w->err, attempt) >= 0) {
		session_pause(s, session_retry_ms(w->err, attempt));
		rc = 1;
	}
	buf_fini(&page.next_token);
	return rc;
}

int names_each(struct session *s, int (*each)(const struct names_object *o, void *arg, struct err *e), void *arg,
	       struct names_figures *figures, struct err *e)
{
	struct walk w = {.session = s, .each = each, .arg = arg, .figures = figures, .err = e};
	struct buf token;
	bool more = true;
	unsigned attempt = 1;
	int rc = 0;
	buf_init(&token, S3XML_TOKEN_MAX);
	while (rc >= 0 && more && !s->stop) {
		rc = read_page(&w, &token, &more, attempt);
		attempt = rc > 0 ? attempt + 1 : 1;
	}
	buf_fini(&token);
	if (rc >= 0 && s->stop)
		rc = err_set(e, ERR_CANCELLED, "interrupted");
	return rc < 0 ? rc : 0;
}
