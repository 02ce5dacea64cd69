/* A bucket as the place of an export: what is done step by step. The files that grow are export_upload.c's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "export_upload.h"
#include "session.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define TIDY_MS 10000 /* for what is taken away after a failure */

struct bucket {
	struct export_place place;
	struct aws *aws;
	struct aws_bucket where;
	char *prefix, *root;
	struct aws_op op; /* for step by step */
	bool op_open;
	uv_timer_t timer; /* of pauses */
	uv_timer_t tidy;
	bool late; /* tidying up has taken long enough */
	struct export_uploads uploads;
};

static struct bucket *bucket_of(struct export_place *p)
{
	return (struct bucket *)p;
}

static char *key_of(const struct bucket *b, const char *name)
{
	char *key;
	return asprintf(&key, "%s%s%s", b->prefix, b->prefix[0] != '\0' ? "/" : "", name) < 0 ? NULL : key;
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "out of memory");
}

/* --- step by step --- */

static void on_flag(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

static void pause_ms(struct bucket *b, int ms, const bool *stop)
{
	bool over = false;
	b->timer.data = &over;
	uv_timer_start(&b->timer, on_flag, (uint64_t)ms, 0);
	while (!over && !(stop != NULL && *stop))
		uv_run(b->aws->loop, UV_RUN_ONCE);
	uv_timer_stop(&b->timer);
}

/* Waits for the request under way. 0 when it succeeded, 1 when it is to be started again, or its error. */
static int settle(struct bucket *b, unsigned attempt, const bool *stop, struct err *e)
{
	int rc = aws_wait(&b->op, stop);
	if (rc == 0)
		return 0;
	*e = b->op.err;
	int wait_ms = session_retry_ms(e, attempt);
	if (wait_ms >= 0) {
		pause_ms(b, wait_ms, stop);
		return stop != NULL && *stop ? err_set(e, ERR_CANCELLED, "interrupted") : 1;
	}
	export_upload_remedy(e);
	return rc;
}

static void keep(char *out, size_t size, struct span value)
{
	snprintf(out, size, "%.*s", value.len < size ? (int)value.len : 0, value.len > 0 ? value.ptr : "");
}

/* What the manifest says of encryption: ExportDescription of the DynamoDB API Reference has two names for it. */
static void learn_encryption(struct bucket *b)
{
	struct span told = http_header_get(b->op.slot, "x-amz-server-side-encryption");
	struct span key = http_header_get(b->op.slot, "x-amz-server-side-encryption-aws-kms-key-id");
	if (told.len == 0)
		return;
	keep(b->place.sse, sizeof(b->place.sse), span_eq_str(told, "AES256") ? told : SPAN_LIT("KMS"));
	keep(b->place.sse_key, sizeof(b->place.sse_key), key);
}

static int bucket_exists(struct export_place *p, const char *name, bool *exists, const bool *stop, struct err *e)
{
	struct bucket *b = bucket_of(p);
	char *key = key_of(b, name);
	struct s3_head head;
	unsigned attempt = 1;
	int rc;
	if (key == NULL)
		return no_memory(e);
	do {
		s3_head(&b->op, span_of(key), (struct span){0}, &head, NULL, NULL);
		rc = settle(b, attempt++, stop, e);
	} while (rc > 0);
	if (rc == 0)
		*exists = head.exists;
	free(key);
	return rc;
}

static int bucket_make_folder(struct export_place *p, const char *name, struct err *e)
{
	(void)p;
	(void)name;
	(void)e;
	return 0;
}

static int bucket_put(struct export_place *p, const char *name, const char *type, struct span body, const bool *stop,
		      struct err *e)
{
	struct bucket *b = bucket_of(p);
	char *key = key_of(b, name);
	unsigned attempt = 1;
	int rc;
	if (key == NULL)
		return no_memory(e);
	do {
		s3_put_plain(&b->op, span_of(key), body, type, NULL, NULL, NULL);
		rc = settle(b, attempt++, stop, e);
	} while (rc > 0);
	if (rc == 0)
		learn_encryption(b);
	free(key);
	return rc;
}

static int bucket_begin(struct export_place *p, const char *name, const char *type, struct export_file **out,
			struct err *e)
{
	struct bucket *b = bucket_of(p);
	char *key = key_of(b, name);
	return key == NULL ? no_memory(e) : export_upload_begin(&b->uploads, name, key, type, out, e);
}

/* --- the end --- */

/* A CREATE is waited for: cancelled, it may leave an upload whose id nobody knows. */
static void calm(struct bucket *b, struct export_upload *u)
{
	uv_timer_stop(&u->timer);
	/* An answer that does not come, or does not count, may have been a good one. */
	u->maybe_done |= u->op.busy;
	while (u->op.busy) {
		if (u->step != EXPORT_CREATE || b->late)
			aws_op_cancel(&u->op);
		uv_run(b->aws->loop, UV_RUN_ONCE);
	}
}

static int abort_key(struct bucket *b, const char *key, const char *upload_id, const bool *stop, struct err *e)
{
	unsigned attempt = 1;
	int rc;
	do {
		s3_upload_abort(&b->op, span_of(key), upload_id, NULL, NULL);
		rc = settle(b, attempt++, stop, e);
	} while (rc > 0);
	return rc;
}

static void abort_upload(struct bucket *b, const struct export_upload *u)
{
	struct err e;
	if (abort_key(b, u->key, buf_str(&u->upload_id), &b->late, &e) < 0)
		cli_say("%s%s: the unfinished upload could not be aborted (%s); it is stored, and charged for, until a "
			"lifecycle rule or abort-multipart-upload ends it",
			b->root, u->file.name, e.message);
}

static int bucket_remove(struct export_place *p, const char *name, const bool *stop, struct err *e)
{
	struct bucket *b = bucket_of(p);
	char *key = key_of(b, name);
	unsigned attempt = 1;
	int rc;
	if (key == NULL)
		return no_memory(e);
	do {
		s3_delete(&b->op, span_of(key), NULL, NULL);
		/* To tidy up once only: what cannot be taken away is said, and a person waits. */
		rc = stop == NULL ? aws_wait(&b->op, &b->late) : settle(b, attempt++, stop, e);
	} while (rc > 0);
	if (rc < 0 && stop == NULL)
		*e = b->op.err;
	free(key);
	return rc;
}

static void bucket_halt(struct export_place *p)
{
	struct bucket *b = bucket_of(p);
	struct err e;
	if (!b->uploads.halted)
		uv_timer_start(&b->tidy, on_flag, TIDY_MS, 0);
	b->uploads.halted = true;
	for (size_t i = 0; i < b->uploads.n; i++)
		calm(b, &b->uploads.uploads[i]);
	for (size_t i = 0; i < b->uploads.n; i++) {
		struct export_upload *u = &b->uploads.uploads[i];
		if (!u->used)
			continue;
		if (u->upload_id.len > 0)
			abort_upload(b, u);
		else if (u->step == EXPORT_CREATE)
			b->uploads.lost |= u->op.err.maybe_done;
		bool unsure = u->step == EXPORT_LOOK || (u->step > EXPORT_PART && u->maybe_done);
		if (unsure && bucket_remove(p, u->file.name, NULL, &e) < 0)
			cli_say("%s%s may be there, and is of no use: remove it (%s)", b->root, u->file.name,
				e.message);
		export_upload_reset(u);
	}
}

/* --- what another run has left --- */

struct survey {
	struct bucket *bucket;
	export_place_found *found;
	void *arg;
	struct err *err;
	size_t skip; /* of a key: what a name lacks */
};

static int on_object(void *arg, const struct s3xml_version *v)
{
	struct survey *s = arg;
	char etag[S3_ETAG_SIZE];
	if (v->key.len < s->skip)
		return 0;
	char *name = strndup(v->key.ptr + s->skip, v->key.len - s->skip);
	if (name == NULL)
		return no_memory(s->err);
	keep(etag, sizeof(etag), v->etag);
	int rc = s->found(s->arg, name, v->size_bytes, etag, s->err);
	free(name);
	return rc;
}

/* The next page; *token tells where it begins, and then where the one behind it does: empty when there is none. */
static int survey_page(struct survey *s, const char *prefix, struct buf *token, const bool *stop)
{
	struct bucket *b = s->bucket;
	const struct s3_list_objects l = {.prefix = span_of(prefix), .token = {buf_str(token), token->len}};
	struct s3xml_objects_page page = {0};
	unsigned attempt = 1;
	int rc;
	do {
		s3_list_objects(&b->op, &l, NULL, NULL);
		rc = settle(b, attempt++, stop, s->err);
	} while (rc > 0);
	if (rc < 0)
		return rc;
	buf_init(&page.next_token, S3XML_TOKEN_MAX);
	const struct buf *body = http_body(b->op.slot);
	rc = s3xml_objects((struct span){buf_str(body), body->len}, on_object, s, &page, s->err);
	buf_reset(token);
	if (rc == 0 && page.truncated)
		buf_take(token, &page.next_token);
	buf_fini(&page.next_token);
	return rc;
}

static int bucket_survey(struct export_place *p, const char *folder, export_place_found *found, void *arg,
			 const bool *stop, struct err *e)
{
	struct bucket *b = bucket_of(p);
	char *prefix = key_of(b, folder);
	if (prefix == NULL)
		return no_memory(e);
	struct survey s = {b, found, arg, e, strlen(prefix) - strlen(folder)};
	struct buf token;
	int rc;
	buf_init(&token, S3XML_TOKEN_MAX);
	do
		rc = survey_page(&s, prefix, &token, stop);
	while (rc == 0 && token.len > 0);
	buf_fini(&token);
	free(prefix);
	return rc;
}

static void bucket_uploads(struct export_place *p, void (*each)(void *arg, const char *name, const char *upload_id),
			   void *arg)
{
	struct bucket *b = bucket_of(p);
	for (size_t i = 0; i < b->uploads.n; i++) {
		const struct export_upload *u = &b->uploads.uploads[i];
		if (u->used && u->upload_id.len > 0)
			each(arg, u->file.name, buf_str(&u->upload_id));
	}
}

static int bucket_abort(struct export_place *p, const char *name, const char *upload_id, const bool *stop,
			struct err *e)
{
	struct bucket *b = bucket_of(p);
	char *key = key_of(b, name);
	if (key == NULL)
		return no_memory(e);
	int rc = abort_key(b, key, upload_id, stop, e);
	free(key);
	return rc;
}

static void bucket_free(struct export_place *p)
{
	struct bucket *b = bucket_of(p);
	if (b->uploads.lost)
		cli_say("%s: an upload whose beginning was not answered may be left, without parts; "
			"a lifecycle rule or abort-multipart-upload ends it",
			b->root);
	export_uploads_fini(&b->uploads);
	if (b->op_open)
		aws_op_fini(&b->op, NULL);
	uv_close((uv_handle_t *)&b->timer, NULL);
	uv_close((uv_handle_t *)&b->tidy, NULL);
	uv_run(b->aws->loop, UV_RUN_NOWAIT);
	export_uploads_free(&b->uploads);
	aws_bucket_fini(&b->where);
	free(b->prefix);
	free(b->root);
	free(b);
}

static int set_up(struct bucket *b, const char *prefix, size_t part_bytes, struct err *e)
{
	b->prefix = strdup(prefix);
	if (b->prefix == NULL ||
	    asprintf(&b->root, "s3://%s/%s%s", b->where.name, prefix, prefix[0] != '\0' ? "/" : "") < 0) {
		b->root = NULL;
		return no_memory(e);
	}
	b->place.root = b->root;
	b->place.bucket = b->where.name;
	b->place.prefix = prefix[0] != '\0' ? b->prefix : NULL;
	int rc = aws_op_init(&b->op, b->aws, ANSWER_MAX, e);
	if (rc < 0)
		return rc;
	b->op_open = true;
	b->op.bucket = &b->where;
	return export_uploads_init(&b->uploads, &b->place, b->aws, &b->where, part_bytes, e);
}

struct export_place *export_bucket_new(struct aws *a, const char *bucket, const char *prefix, size_t part_bytes,
				       struct err *e)
{
	static const struct export_place_ops ops = {
		.exists = bucket_exists,
		.make_folder = bucket_make_folder,
		.put = bucket_put,
		.begin = bucket_begin,
		.ready = export_upload_ready,
		.write = export_upload_write,
		.end = export_upload_end,
		.halt = bucket_halt,
		.remove = bucket_remove,
		.survey = bucket_survey,
		.uploads = bucket_uploads,
		.abort = bucket_abort,
		.free = bucket_free,
	};
	struct bucket *b = calloc(1, sizeof(*b));
	if (b == NULL) {
		no_memory(e);
		return NULL;
	}
	b->aws = a;
	if (aws_bucket_init(&b->where, a, bucket, e) < 0) {
		free(b);
		return NULL;
	}
	b->place.ops = &ops;
	uv_timer_init(a->loop, &b->timer);
	uv_timer_init(a->loop, &b->tidy);
	b->tidy.data = &b->late;
	if (set_up(b, prefix, part_bytes, e) < 0) {
		bucket_free(&b->place);
		return NULL;
	}
	return &b->place;
}
