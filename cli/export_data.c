#include "export_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)128 << 10) /* of lines, that are compressed at a time */
#define CHUNK_MAX ((size_t)16 << 20)	/* with one very long line in it */
#define FILES_DOUBLE 500
#define FILE_DOUBLINGS 6

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "out of memory");
}

static void fail(struct export_data *d, int rc, const struct err *e)
{
	export_place_fail(d->place, rc, e);
}

static void fail_no_memory(struct export_data *d)
{
	struct err e;
	fail(d, no_memory(&e), &e);
}

/* --- files --- */

static struct export_entry *new_entry(struct export_data *d, uint64_t number)
{
	if (d->nentries == d->room) {
		size_t room = d->room > 0 ? 2 * d->room : 16;
		struct export_entry *more = realloc(d->entries, room * sizeof(*more));
		if (more == NULL)
			return NULL;
		d->entries = more;
		d->room = room;
	}
	struct export_entry *entry = &d->entries[d->nentries];
	*entry = (struct export_entry){.number = number};
	export_file_name(entry->name, d->id, d->seed, number);
	return entry;
}

static void on_whole(struct export_file *f, void *arg)
{
	struct export_data *d = arg;
	for (size_t i = d->nentries; i-- > 0;) {
		struct export_entry *entry = &d->entries[i];
		const char *name = strrchr(f->name, '/');
		if (d->one != NULL || (name != NULL && strcmp(name + 1, entry->name) == 0)) {
			memcpy(entry->etag, f->etag, sizeof(entry->etag));
			entry->whole = true;
			break;
		}
	}
	d->nwhole++;
	d->figures.files++;
}

/* 0, 1 for not now, or a negative error. */
static int begin_file(struct export_lane *l, struct err *e)
{
	struct export_data *d = l->data;
	struct export_entry *entry = new_entry(d, l->next);
	char *name;
	if (entry == NULL ||
	    asprintf(&name, "%s%s", d->one != NULL ? d->one : d->folder, d->one != NULL ? "" : entry->name) < 0)
		return no_memory(e);
	int rc = d->place->ops->begin(d->place, name, EXPORT_GZIP_TYPE, &l->file, e);
	free(name);
	if (rc == 0)
		rc = export_gzip_begin(&l->gzip, d->md5, e);
	if (rc != 0)
		return rc;
	l->file->done = on_whole;
	l->file->arg = d;
	l->entry = d->nentries++;
	l->next += d->nlanes;
	return 0;
}

static void end_file(struct export_lane *l)
{
	struct export_data *d = l->data;
	struct export_entry *entry = &d->entries[l->entry];
	struct export_file *file = l->file;
	memcpy(entry->md5, l->gzip.md5, sizeof(entry->md5));
	entry->stored_bytes = l->gzip.bytes;
	export_gzip_fini(&l->gzip);
	l->file = NULL;
	d->place->ops->end(file);
}

/* --- lanes --- */

static void work(uv_work_t *w)
{
	struct export_lane *l = w->data;
	const struct span chunk = {buf_str(&l->chunk), l->chunk.len};
	l->rc = export_gzip_add(&l->gzip, chunk, l->last, &l->out);
}

static void take_work(struct export_lane *l)
{
	struct export_data *d = l->data;
	if (l->rc < 0) {
		fail_no_memory(d);
	} else if (d->place->rc == 0) {
		d->figures.stored_bytes += l->out.len;
		d->place->ops->write(l->file, (struct span){buf_str(&l->out), l->out.len});
		if (l->rc == 1 && d->place->rc == 0)
			end_file(l);
	}
	buf_reset(&l->chunk);
	buf_trim(&l->chunk, 2 * CHUNK_BYTES);
	buf_reset(&l->out);
	buf_trim(&l->out, 2 * CHUNK_BYTES);
}

static void after_work(uv_work_t *w, int status)
{
	struct export_lane *l = w->data;
	struct export_data *d = l->data;
	(void)status;
	l->busy = false;
	d->pumping = true;
	take_work(l);
	d->pumping = false;
	export_data_wake(d);
}

/* Nothing more will come to its lines. */
static bool drained(const struct export_data *d)
{
	return (d->ending || d->closing) && d->shuffle.n == 0;
}

/* Is there something to be compressed, or a file to be ended? An export without items has an empty file, as AWS's. */
static bool wants_work(const struct export_lane *l)
{
	const struct export_data *d = l->data;
	if (l->lines.len >= CHUNK_BYTES)
		return true;
	return drained(d) && (l->lines.len > 0 || l->file != NULL || (d->figures.items == 0 && d->nentries == 0));
}

static void start_work(struct export_lane *l)
{
	struct export_data *d = l->data;
	struct err e;
	if (l->busy || !wants_work(l))
		return;
	int rc = l->file == NULL ? begin_file(l, &e) : 0;
	if (rc < 0)
		fail(d, rc, &e);
	if (rc != 0 || !d->place->ops->ready(l->file))
		return;
	struct buf full = l->lines;
	l->lines = l->chunk;
	l->chunk = full;
	d->entries[l->entry].items += l->items;
	l->items = 0;
	l->last = drained(d);
	l->work.data = l;
	rc = uv_queue_work(d->loop, &l->work, work, after_work);
	if (rc < 0)
		fail(d, err_errno(&e, -rc, "a thread that compresses"), &e);
	else
		l->busy = true;
}

static bool has_room(const struct export_data *d)
{
	for (size_t i = 0; i < d->nlanes; i++)
		if (d->lanes[i].lines.len >= CHUNK_BYTES)
			return false;
	return true;
}

/* A full lane stops them all: the draws, and so the files, must not depend on how fast a server answers. */
static void drain(struct export_data *d)
{
	while (d->place->rc == 0 && d->shuffle.n > 0 && (d->ending || d->closing || export_shuffle_full(&d->shuffle)) &&
	       has_room(d)) {
		struct export_line line = export_shuffle_draw(&d->shuffle);
		struct export_lane *l = &d->lanes[export_shuffle_random(&d->shuffle, d->nlanes)];
		if (buf_append(&l->lines, line.bytes, line.len) < 0)
			fail_no_memory(d);
		l->items++;
		free(line.bytes);
		if (l->lines.len >= CHUNK_BYTES)
			start_work(l);
	}
}

static bool can_take(const struct export_data *d)
{
	return !d->due && !d->closing && has_room(d) && !export_shuffle_full(&d->shuffle);
}

/* --- cuts --- */

static bool lanes_idle(const struct export_data *d)
{
	for (size_t i = 0; i < d->nlanes; i++)
		if (d->lanes[i].busy || d->lanes[i].file != NULL || d->lanes[i].lines.len > 0)
			return false;
	return true;
}

/* Bytes of lines from one cut to the next; the lanes have about equal parts of them. */
static uint64_t cut_bytes(const struct export_data *d)
{
	uint64_t number = d->lanes[0].next;
	uint64_t times = number / FILES_DOUBLE < FILE_DOUBLINGS ? number / FILES_DOUBLE : FILE_DOUBLINGS;
	return d->nlanes * d->file_bytes << times;
}

static void on_due(uv_timer_t *t)
{
	struct export_data *d = t->data;
	/* The end is a cut of its own. */
	if (!d->due || d->ending || d->place->rc < 0)
		return;
	d->due = false;
	d->closing = true;
	d->since_cut = 0;
	d->keeper.cut(d->keeper.arg);
	export_data_wake(d);
}

/* Who adds items may be in the middle of something, and could not tell how far it has come: so from the loop. */
static void arm(struct export_data *d)
{
	if (!d->settling)
		uv_timer_start(&d->timer, on_due, 0, 0);
}

static int note(struct export_data *d, bool whole, struct err *e)
{
	int rc = d->keeper.note(d->keeper.arg, whole, e);
	if (rc < 0)
		fail(d, rc, e);
	return rc;
}

static void settle(struct export_data *d)
{
	struct err e;
	if (d->closing && drained(d) && lanes_idle(d)) {
		d->closing = false;
		d->settling = true;
		d->nbefore = d->nentries;
	}
	if (!d->settling)
		return;
	for (size_t i = d->nkept; i < d->nbefore; i++)
		if (!d->entries[i].whole)
			return;
	size_t kept = d->nkept;
	d->settling = false;
	d->nkept = d->nbefore;
	if (note(d, true, &e) < 0)
		d->nkept = kept;
	else if (d->due)
		arm(d);
}

int export_data_last_cut(struct export_data *d, struct err *e)
{
	size_t kept = d->nkept;
	d->keeper.cut(d->keeper.arg);
	d->nkept = d->nentries;
	int rc = note(d, true, e);
	if (rc < 0)
		d->nkept = kept;
	return rc;
}

void export_data_begun(void *arg)
{
	struct err e;
	note(arg, false, &e);
}

static void pump(struct export_data *d)
{
	d->pumping = true;
	for (size_t i = 0; i < d->nlanes && d->place->rc == 0; i++)
		start_work(&d->lanes[i]);
	drain(d);
	for (size_t i = 0; i < d->nlanes && d->place->rc == 0 && drained(d); i++)
		start_work(&d->lanes[i]);
	if (d->place->rc == 0)
		settle(d);
	d->pumping = false;
}

void export_data_wake(void *arg)
{
	struct export_data *d = arg;
	/* What is started in there may fail at once, and wake. */
	if (d->pumping)
		return;
	pump(d);
	if (d->waiting && (d->place->rc < 0 || can_take(d))) {
		d->waiting = false;
		d->ready(d->arg);
	}
}

static int failure(const struct export_data *d, struct err *e)
{
	if (e != NULL)
		*e = d->place->err;
	return d->place->rc;
}

/* A line into the pool, or the next line of the one file. */
static int add_line(struct export_data *d, struct span item)
{
	const struct span before = SPAN_LIT("{\"Item\":"), after = SPAN_LIT("}\n");
	struct export_lane *l = &d->lanes[0];
	if (d->one == NULL) {
		d->figures.bytes += before.len + item.len + after.len;
		d->since_cut += before.len + item.len + after.len;
		return export_shuffle_add(&d->shuffle, before, item, after);
	}
	d->figures.bytes += item.len + 1;
	l->items++;
	int rc = buf_append(&l->lines, item.ptr, item.len);
	return rc < 0 ? rc : buf_append_char(&l->lines, '\n');
}

int export_data_add(struct export_data *d, struct span item, struct err *e)
{
	if (d->place->rc == 0 && !can_take(d))
		pump(d);
	if (d->place->rc < 0)
		return failure(d, e);
	if (!can_take(d)) {
		d->waiting = d->ready != NULL;
		return 1;
	}
	d->figures.items++;
	if (add_line(d, item) < 0)
		fail_no_memory(d);
	if (d->since_cut >= cut_bytes(d)) {
		d->due = true;
		arm(d);
	}
	if (!can_take(d))
		pump(d);
	return d->place->rc < 0 ? failure(d, e) : 0;
}

void export_data_on_ready(struct export_data *d, void (*ready)(void *arg), void *arg)
{
	d->ready = ready;
	d->arg = arg;
}

/* --- the whole --- */

int export_data_init(struct export_data *d, uv_loop_t *loop, struct export_place *p, const struct export_options *o,
		     const struct export_data_keeper *keeper, const char *id, const char *folder, const char *one,
		     struct err *e)
{
	*d = (struct export_data){
		.loop = loop,
		.place = p,
		.id = id,
		.folder = folder,
		.one = one,
		.seed = o->seed,
		.file_bytes = o->file_bytes > 0 ? o->file_bytes : EXPORT_FILE_BYTES,
		.nlanes = one != NULL ? 1 : EXPORT_LANES,
		.keeper = *keeper,
		.timing = true,
	};
	uv_timer_init(loop, &d->timer);
	d->timer.data = d;
	export_shuffle_init(&d->shuffle, o->seed);
	for (size_t i = 0; i < d->nlanes; i++) {
		struct export_lane *l = &d->lanes[i];
		l->data = d;
		l->next = i;
		buf_init(&l->lines, CHUNK_MAX);
		buf_init(&l->chunk, CHUNK_MAX);
		buf_init(&l->out, CHUNK_MAX);
	}
	/* "-fips": a checksum, never a protection. */
	d->md5 = EVP_MD_fetch(NULL, "MD5", "-fips");
	if (d->md5 != NULL)
		return 0;
	return err_set(e, ERR_SYSTEM,
		       "OpenSSL offers no MD5 on this host; activate its default provider in openssl.cnf "
		       "(section [provider_sect], see config(5ssl))");
}

void export_data_end(struct export_data *d)
{
	d->ending = true;
	d->waiting = false;
	pump(d);
}

bool export_data_whole(const struct export_data *d)
{
	return lanes_idle(d) && drained(d) && d->nentries > 0 && d->nwhole == d->nentries;
}

int export_data_restore(struct export_data *d, const struct export_entry *entry)
{
	struct export_entry *own = new_entry(d, entry->number);
	if (own == NULL)
		return -ERR_SYSTEM;
	*own = *entry;
	own->whole = true;
	d->nwhole = d->nbefore = d->nkept = ++d->nentries;
	d->figures.files++;
	d->figures.stored_bytes += entry->stored_bytes;
	for (size_t i = 0; i < d->nlanes; i++)
		while (d->lanes[i].next <= entry->number)
			d->lanes[i].next += d->nlanes;
	return 0;
}

void export_data_stop(struct export_data *d)
{
	d->waiting = false;
	if (d->place != NULL && d->place->rc == 0)
		d->place->rc = -ERR_CANCELLED;
	for (size_t i = 0; i < d->nlanes; i++)
		while (d->lanes[i].busy)
			uv_run(d->loop, UV_RUN_ONCE);
	if (!d->timing)
		return;
	uv_close((uv_handle_t *)&d->timer, NULL);
	d->timing = false;
	uv_run(d->loop, UV_RUN_NOWAIT);
}

void export_data_fini(struct export_data *d)
{
	for (size_t i = 0; i < d->nlanes; i++) {
		struct export_lane *l = &d->lanes[i];
		export_gzip_fini(&l->gzip);
		buf_fini(&l->lines);
		buf_fini(&l->chunk);
		buf_fini(&l->out);
	}
	export_shuffle_fini(&d->shuffle);
	EVP_MD_free(d->md5);
	free(d->entries);
}
