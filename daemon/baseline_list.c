/*
 * What the bucket has: ListObjectsV2 over the data prefix, current versions only. Once at the beginning, all of it into a set on disk;
 * and once at the end, for the names of what the Scan has not seen.
 *
 * Without room on disk for the set the baseline goes on, and asks S3 about each item instead.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "baseline_run.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "daemon.h"
#include "table.h"

#define SET_BYTES_MAX (UINT64_C(4) << 30) /* of the set, on the disk of state_dir: about 100 million items */

/* One page of names being collected for the window. */
struct collecting {
	struct baseline *b;
	char **names;
	size_t n, cap;
};

static struct span name_of(const struct baseline *b, struct span key)
{
	size_t n = strlen(b->table->data_path);
	if (key.len <= n || memcmp(key.ptr, b->table->data_path, n) != 0)
		return (struct span){NULL, 0};
	return (struct span){key.ptr + n, key.len - n};
}

static int keep_last(struct baseline *b, struct span name)
{
	buf_reset(&b->list_after);
	return buf_append(&b->list_after, name.ptr, name.len);
}

void baseline_list_give_up(struct baseline *b, const struct err *e)
{
	log_warn("the list of the bucket's objects cannot be kept on disk; S3 is asked about each item instead",
		 LOG_S("table", b->table->conf->name), LOG_E(e));
	etagset_free(b->names);
	b->names = NULL;
}

/* An ETag that is no MD5 (of a multipart upload, say) equals none: then the item is looked at. */
static void etag_bytes(uint8_t out[ETAGSET_ETAG_BYTES], struct span etag)
{
	memset(out, 0, ETAGSET_ETAG_BYTES);
	if (etag.len == 2 * ETAGSET_ETAG_BYTES)
		encode_hex_decode(out, etag.ptr, etag.len);
}

static int add_listed(void *arg, const struct s3xml_version *v)
{
	struct baseline *b = arg;
	struct span name = name_of(b, v->key);
	uint8_t digest[DIGEST_NAME_SIZE], etag[ETAGSET_ETAG_BYTES];
	struct err e;
	if (name.len == 0)
		return 0;
	b->nnames++;
	if (keep_last(b, name) < 0)
		return -ERR_LIMIT;
	if (b->names == NULL)
		return 0;
	digest_name(digest, name.ptr, name.len);
	etag_bytes(etag, v->etag);
	int rc = etagset_add(b->names, digest, etag, &e);
	if (rc < 0 && rc != -ERR_CONFLICT) /* a page that was read again: it is there */
		baseline_list_give_up(b, &e);
	return 0;
}

/* The window has those names that the Scan has not seen; what came into the bucket since the first listing is the stream's. */
static int add_unseen(void *arg, const struct s3xml_version *v)
{
	struct collecting *c = arg;
	struct baseline *b = c->b;
	struct span name = name_of(b, v->key);
	uint8_t digest[DIGEST_NAME_SIZE];
	struct etagset_entry found;
	if (name.len == 0)
		return 0;
	if (keep_last(b, name) < 0)
		return -ERR_LIMIT;
	if (b->names != NULL) {
		digest_name(digest, name.ptr, name.len);
		struct err e;
		int rc = etagset_find(b->names, digest, &found, &e);
		if (rc < 0)
			baseline_list_give_up(b, &e);
		else if (rc == 0 || found.marked)
			return 0;
	}
	if (c->n == c->cap) {
		size_t cap = c->cap == 0 ? 16 : 2 * c->cap;
		char **grown = reallocarray(c->names, cap, sizeof(*grown));
		if (grown == NULL)
			return -ERR_SYSTEM;
		c->names = grown;
		c->cap = cap;
	}
	c->names[c->n] = strndup(name.ptr, name.len);
	return c->names[c->n] != NULL ? (int)(c->n++, 0) : -ERR_SYSTEM;
}

static void failed(struct baseline *b, const struct err *e)
{
	b->list_failures++;
	b->not_before_mono_ms = baseline_rest_until(b, e, b->list_failures);
	baseline_trouble(b, e, "ListObjectsV2");
}

/* Reads one page. 1 when there are more, 0 at the end, negative with *e. */
static int read_page(struct baseline *b, s3xml_version_fn *each, void *arg, struct err *e)
{
	struct buf *body = http_body(b->list_op.slot);
	struct s3xml_objects_page page = {0};
	buf_init(&page.next_token, S3XML_TOKEN_MAX);
	struct err parse = {0};
	int rc = s3xml_objects((struct span){buf_str(body), body->len}, each, arg, &page, &parse);
	buf_fini(&page.next_token);
	if (rc < 0 && parse.class == ERR_NONE)
		return err_set(e, rc == -ERR_LIMIT ? ERR_LIMIT : ERR_SYSTEM,
			       "a page of the bucket's listing cannot be kept");
	if (rc < 0) {
		*e = parse;
		return rc;
	}
	b->list_failures = 0;
	b->moved_mono_ms = clock_mono_ms();
	baseline_well(b);
	return page.truncated;
}

/* By names, not by tokens: so a page that failed is asked for again, and a restart goes on. */
static void ask(struct baseline *b, aws_done_fn *done)
{
	struct table *t = b->table;
	struct s3_list_objects list = {.prefix = span_of(t->data_path)};
	buf_reset(&b->list_key);
	if (b->list_after.len > 0) {
		buf_append_str(&b->list_key, t->data_path);
		buf_append(&b->list_key, buf_str(&b->list_after), b->list_after.len);
		list.start_after = (struct span){buf_str(&b->list_key), b->list_key.len};
	}
	b->listing = true;
	s3_list_objects(&b->list_op, &list, done, b);
}

static void on_listed(struct aws_op *op, int rc, void *arg)
{
	struct baseline *b = arg;
	struct err e = {0};
	b->listing = false;
	if (rc < 0)
		e = op->err;
	else
		rc = read_page(b, add_listed, b, &e);
	if (rc < 0)
		failed(b, &e);
	b->listed = rc == 0;
	if (b->listed && b->nnames == 0) {
		etagset_free(b->names);
		b->names = NULL;
	}
	baseline_go_on(b);
}

static bool may_send(const struct baseline *b)
{
	return !b->listing && clock_mono_ms() >= b->not_before_mono_ms;
}

void baseline_list(struct baseline *b)
{
	struct err e;
	if (!may_send(b))
		return;
	if (b->list_after.len == 0) {
		b->nnames = 0;
		etagset_free(b->names);
		b->names = etagset_new(b->table->daemon->conf->state_dir, b->position->total, SET_BYTES_MAX, &e);
		if (b->names == NULL)
			baseline_list_give_up(b, &e);
	}
	ask(b, on_listed);
}

static void drop(struct collecting *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->names[i]);
	free(c->names);
}

static void on_window(struct aws_op *op, int rc, void *arg)
{
	struct baseline *b = arg;
	struct err e = {0};
	struct collecting c = {.b = b};
	b->listing = false;
	if (rc < 0)
		e = op->err;
	else
		rc = read_page(b, add_unseen, &c, &e);
	if (rc < 0) {
		drop(&c);
		failed(b, &e);
	} else {
		baseline_window_take(b, c.names, c.n, rc == 0);
	}
	baseline_go_on(b);
}

void baseline_list_window(struct baseline *b)
{
	if (!may_send(b))
		return;
	const char *after = b->position->removed_after;
	buf_reset(&b->list_after);
	if (after != NULL && buf_append_str(&b->list_after, after) < 0)
		return;
	ask(b, on_window);
}
