#include "export_upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define UPLOAD_ID_MAX 2048
#define PART_SLACK ((size_t)256 << 10) /* over the size at which a part is full */
#define PART_MAX ((size_t)64 << 20)
/* Up to this part they are small, so that memory is; the rest is larger, so that 10,000 make one file of 107 GiB. Only
 * one file that holds everything comes to that, and then its two parts have all the memory. */
#define SMALL_PARTS 2000

static void advance(struct export_upload *u);
static void start(struct export_upload *u);

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "out of memory");
}

void export_upload_remedy(struct err *e)
{
	bool no_bucket = strcmp(e->aws_code, "NoSuchBucket") == 0;
	char *end = e->message + strlen(e->message), *own = no_bucket ? strrchr(e->message, ';') : NULL;
	const char *remedy = "";
	if (e->class == ERR_DENIED)
		remedy = "; this identity needs s3:PutObject, s3:GetObject, s3:ListBucket, s3:AbortMultipartUpload and "
			 "s3:DeleteObject there";
	else if (no_bucket)
		remedy = "; make the bucket, or name another one";
	/* What is said of a bucket that is not there is meant for that of the backup, and would be a second remedy. */
	if (own != NULL)
		end = own;
	snprintf(end, sizeof(e->message) - (size_t)(end - e->message), "%s", remedy);
}

int export_upload_begin(struct export_uploads *all, const char *name, char *key, const char *type,
			struct export_file **out, struct err *e)
{
	struct export_upload *u = all->uploads;
	while (u < all->uploads + EXPORT_UPLOADS && u->used)
		u++;
	char *own = u < all->uploads + EXPORT_UPLOADS ? strdup(name) : NULL;
	if (own == NULL) {
		free(key);
		return u == all->uploads + EXPORT_UPLOADS ? 1 : no_memory(e);
	}
	u->file = (struct export_file){.place = all->place, .name = own};
	u->key = key;
	u->type = type;
	u->used = true;
	u->ended = false;
	u->nparts = 0;
	u->size_bytes = 0;
	u->step = EXPORT_IDLE;
	buf_reset(&u->upload_id);
	*out = &u->file;
	return 0;
}

static size_t full_bytes(const struct export_upload *u)
{
	size_t number = u->nparts + (u->flying != NULL ? 2 : 1);
	return number <= SMALL_PARTS ? u->all->part_bytes : u->all->part_bytes / 2 * 5;
}

static void fail(struct export_upload *u, int rc, struct err *e)
{
	export_upload_remedy(e);
	export_place_fail(u->file.place, rc, e);
}

bool export_upload_ready(struct export_file *file)
{
	struct export_upload *u = (struct export_upload *)file;
	struct export_uploads *all = u->all;
	struct export_part *part = u->filling;
	struct err e;
	for (size_t i = 0; part == NULL && i < EXPORT_PARTS; i++)
		if (!all->parts[i].used)
			part = &all->parts[i];
	if (part == NULL)
		return false;
	if (u->filling == NULL && buf_reserve(&part->bytes, full_bytes(u) + PART_SLACK) < 0) {
		fail(u, no_memory(&e), &e);
		return false;
	}
	part->used = true;
	u->filling = part;
	return part->bytes.len < full_bytes(u);
}

static void release(struct export_part **part)
{
	if (*part == NULL)
		return;
	buf_reset(&(*part)->bytes);
	(*part)->used = false;
	*part = NULL;
}

void export_upload_write(struct export_file *file, struct span bytes)
{
	struct export_upload *u = (struct export_upload *)file;
	struct err e;
	if (buf_append(&u->filling->bytes, bytes.ptr, bytes.len) < 0) {
		fail(u, no_memory(&e), &e);
		return;
	}
	u->size_bytes += bytes.len;
	advance(u);
}

void export_upload_end(struct export_file *file)
{
	struct export_upload *u = (struct export_upload *)file;
	u->ended = true;
	advance(u);
}

void export_upload_reset(struct export_upload *u)
{
	release(&u->filling);
	release(&u->flying);
	free(u->file.name);
	free(u->key);
	u->file.name = u->key = NULL;
	u->used = false;
}

static void whole(struct export_upload *u)
{
	u->file.done(&u->file, u->file.arg);
	export_upload_reset(u);
}

static void take_step(struct export_upload *u, enum export_step step)
{
	u->step = step;
	u->attempts = 0;
	u->maybe_done = false;
	start(u);
}

/* Room for the ETag of the part that is about to fly. */
static bool make_room(struct export_upload *u)
{
	struct err e;
	if (u->nparts == S3_PARTS_MAX) {
		int rc = err_set(
			&e, ERR_LIMIT,
			"%s%s: %d parts are all that S3 takes of a file; choose the format that has several files",
			u->all->place->root, u->file.name, S3_PARTS_MAX);
		export_place_fail(u->file.place, rc, &e);
		return false;
	}
	if (u->nparts < u->room)
		return true;
	size_t room = u->room > 0 ? 2 * u->room : 16;
	void *more = realloc(u->etags, room * sizeof(*u->etags));
	if (more == NULL) {
		fail(u, no_memory(&e), &e);
		return false;
	}
	u->etags = more;
	u->room = room;
	return true;
}

static void advance(struct export_upload *u)
{
	if (u->step != EXPORT_IDLE || u->all->place->rc < 0 || u->all->halted)
		return;
	bool some = u->filling != NULL && u->filling->bytes.len > 0;
	bool full = some && u->filling->bytes.len >= full_bytes(u);
	if (u->ended && some && u->upload_id.len == 0) {
		take_step(u, EXPORT_PUT);
	} else if (full && u->upload_id.len == 0) {
		take_step(u, EXPORT_CREATE);
	} else if ((full || (u->ended && some)) && make_room(u)) {
		u->flying = u->filling;
		u->filling = NULL;
		take_step(u, EXPORT_PART);
	} else if (u->ended && !some) {
		take_step(u, EXPORT_COMPLETE);
	}
}

/* Is what a lost answer was about there after all? */
static bool found(const struct export_upload *u)
{
	const char *dash = strrchr(u->head.etag, '-');
	return u->head.exists && u->head.size_bytes == u->size_bytes && dash != NULL &&
	       strtoul(dash + 1, NULL, 10) == u->nparts;
}

static void on_timer(uv_timer_t *t)
{
	struct export_upload *u = t->data;
	if (!u->all->halted)
		start(u);
}

static void on_failure(struct export_upload *u, int rc, struct err *e)
{
	u->maybe_done |= e->maybe_done;
	u->all->lost |= u->step == EXPORT_CREATE && e->maybe_done;
	if (u->step == EXPORT_COMPLETE && u->maybe_done && strcmp(e->aws_code, "NoSuchUpload") == 0) {
		take_step(u, EXPORT_LOOK);
		return;
	}
	int wait_ms = session_retry_ms(e, ++u->attempts);
	if (wait_ms >= 0)
		uv_timer_start(&u->timer, on_timer, (uint64_t)wait_ms, 0);
	else
		fail(u, rc, e);
}

static void on_answer(struct aws_op *op, int rc, void *arg)
{
	struct export_upload *u = arg;
	struct export_place *p = u->file.place;
	enum export_step step = u->step;
	struct err e = op->err;
	/* The answer to a CREATE is wanted all the same, so that the upload can be aborted. */
	if (u->all->halted)
		return;
	if (rc == 0 && step == EXPORT_LOOK && !found(u))
		rc = err_set(&e, ERR_NOT_FOUND,
			     "%s%s: the upload is gone, and the object is not there; run the export again",
			     u->all->place->root, u->file.name);
	if (rc < 0) {
		on_failure(u, rc, &e);
		return;
	}
	u->step = EXPORT_IDLE;
	if (step == EXPORT_LOOK)
		memcpy(u->file.etag, u->head.etag, sizeof(u->file.etag));
	if (step == EXPORT_PART) {
		u->nparts++;
		release(&u->flying);
	}
	/* Parts cost money from then on, which somebody may have to end who knows this run's notes only. */
	if (step == EXPORT_CREATE)
		p->begun(p->arg);
	if (step == EXPORT_CREATE || step == EXPORT_PART)
		advance(u);
	else if (step == EXPORT_COMPLETE && u->file.etag[0] == '\0')
		take_step(u, EXPORT_LOOK); /* not every server tells it here */
	else
		whole(u);
	p->wake(p->arg);
}

static void start(struct export_upload *u)
{
	const struct span key = span_of(u->key);
	const struct export_part *part = u->step == EXPORT_PUT ? u->filling : u->flying;
	const struct span body =
		part != NULL ? (struct span){buf_str(&part->bytes), part->bytes.len} : (struct span){0};
	switch (u->step) {
	case EXPORT_CREATE:
		buf_reset(&u->upload_id);
		s3_upload_create(&u->op, key, u->type, &u->upload_id, on_answer, u);
		break;
	case EXPORT_PART:
		s3_upload_part(&u->op, key, buf_str(&u->upload_id), (unsigned)u->nparts + 1, body, u->etags[u->nparts],
			       on_answer, u);
		break;
	case EXPORT_COMPLETE:
		s3_upload_complete(&u->op, key, buf_str(&u->upload_id), (const char(*)[S3_ETAG_SIZE])u->etags,
				   u->nparts, u->file.etag, on_answer, u);
		break;
	case EXPORT_PUT:
		s3_put_plain(&u->op, key, body, u->type, u->file.etag, on_answer, u);
		break;
	case EXPORT_LOOK:
		s3_head(&u->op, key, (struct span){0}, &u->head, on_answer, u);
		break;
	case EXPORT_IDLE:
		break;
	}
}

/* --- the whole --- */

int export_uploads_init(struct export_uploads *all, struct export_place *p, struct aws *a,
			const struct aws_bucket *where, size_t part_bytes, struct err *e)
{
	all->place = p;
	all->aws = a;
	all->part_bytes = part_bytes > 0 ? part_bytes : S3_PART_BYTES_MIN;
	for (size_t i = 0; i < EXPORT_PARTS; i++)
		buf_init(&all->parts[i].bytes, PART_MAX);
	for (size_t i = 0; i < EXPORT_UPLOADS; i++) {
		struct export_upload *u = &all->uploads[i];
		int rc = aws_op_init(&u->op, a, ANSWER_MAX, e);
		if (rc < 0)
			return rc;
		u->all = all;
		u->op.bucket = where;
		uv_timer_init(a->loop, &u->timer);
		u->timer.data = u;
		buf_init(&u->upload_id, UPLOAD_ID_MAX);
		all->n++;
	}
	return 0;
}

void export_uploads_fini(struct export_uploads *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct export_upload *u = &all->uploads[i];
		aws_op_fini(&u->op, NULL);
		uv_close((uv_handle_t *)&u->timer, NULL);
		export_upload_reset(u);
	}
}

void export_uploads_free(struct export_uploads *all)
{
	for (size_t i = 0; i < all->n; i++) {
		buf_fini(&all->uploads[i].upload_id);
		free(all->uploads[i].etags);
	}
	for (size_t i = 0; i < EXPORT_PARTS; i++)
		buf_fini(&all->parts[i].bytes);
}
