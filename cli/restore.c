#include "restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "resolve.h"

/* An item has 400 KB, of which every byte may take six as JSON. */
#define ITEM_MAX ((size_t)4 << 20)

#define KEY_MAX 2048 /* a path that is longer than the one that was listed must not fail here */

struct restore_item {
	struct restore *restore;
	struct item *item;
	struct buf keys[ITEM_SIDES]; /* whole */
	size_t asked;		     /* answers that are awaited */
	struct item_entry *chosen;
	struct buf line;
	bool ready;
	char problem[400]; /* "": none */
	STAILQ_ENTRY(restore_item) link;
};

struct question {
	struct fetch_job job;
	struct item_entry *entry;
};

static void pump(void *arg);
static void resolve(struct restore_item *ri);

static void stop(struct restore *r, int rc, const struct err *e)
{
	if (r->rc == 0) {
		r->rc = rc;
		r->err = *e;
	}
	r->done = true;
}

static void stop_no_memory(struct restore *r)
{
	struct err e;
	int rc = err_set(&e, ERR_SYSTEM, "out of memory");
	stop(r, rc, &e);
}

static void finish(struct restore_item *ri, const char *problem)
{
	snprintf(ri->problem, sizeof(ri->problem), "%s", problem);
	ri->ready = true;
}

static struct span key_of(const struct restore_item *ri, enum item_side side)
{
	return (struct span){buf_str(&ri->keys[side]), ri->keys[side].len};
}

/* --- what a version's metadata says --- */

static void on_facts(struct fetch_job *j, int rc, const struct err *e, struct span bytes)
{
	struct question *q = (struct question *)j;
	struct restore_item *ri = j->arg;
	struct restore *r = ri->restore;
	const struct s3_head *h = &j->head;
	(void)bytes;
	ri->asked--;
	if (rc < 0)
		stop(r, rc, e);
	else if (h->exists)
		rc = item_set_facts(q->entry, h->event, h->seq, h->time, h->stream, h->by);
	else
		rc = item_set_gone(q->entry);
	if (rc == -ERR_SYSTEM && !r->done)
		stop_no_memory(r);
	free(q);
	if (!r->done && ri->asked == 0)
		resolve(ri);
	pump(r);
}

static void ask(struct restore_item *ri, struct item_entry *entry)
{
	struct question *q = calloc(1, sizeof(*q));
	if (q == NULL) {
		stop_no_memory(ri->restore);
		return;
	}
	q->entry = entry;
	q->job = (struct fetch_job){
		.key = key_of(ri, entry->kind == ITEM_DELETES ? ITEM_REMOVED : ITEM_DATA),
		.version_id = item_version_id(ri->item, entry),
		.done = on_facts,
		.arg = ri,
	};
	ri->asked++;
	fetch_add(&ri->restore->fetch, &q->job);
}

/* --- the body --- */

static void take_body(struct restore_item *ri, const struct s3_head *head, struct span bytes)
{
	struct restore *r = ri->restore;
	struct span body;
	struct err e;
	if (!head->exists) {
		finish(ri, "its version is gone: it expired, or was removed for good");
	} else if (bytes.len == 0) {
		finish(ri, "its version is empty: it was written from a stream without new images");
	} else if (canon_item(r->canon, bytes, &body, &e) < 0) {
		finish(ri, "its version is not an item in DynamoDB's JSON");
	} else if (buf_append_str(&ri->line, "{\"Item\":") < 0 || buf_append(&ri->line, body.ptr, body.len) < 0 ||
		   buf_append_str(&ri->line, "}\n") < 0) {
		stop_no_memory(r);
	} else {
		finish(ri, "");
		r->bytes += ri->line.len;
	}
}

static void on_body(struct fetch_job *j, int rc, const struct err *e, struct span bytes)
{
	struct restore_item *ri = j->arg;
	struct restore *r = ri->restore;
	if (rc == 0) {
		take_body(ri, &j->head, bytes);
	} else if (rc == -ERR_DENIED || rc == -ERR_LIMIT || rc == -ERR_INVALID) {
		finish(ri, e->message);
	} else {
		stop(r, rc, e);
	}
	free(j);
	pump(r);
}

static void get_body(struct restore_item *ri)
{
	struct fetch_job *j = calloc(1, sizeof(*j));
	if (j == NULL) {
		stop_no_memory(ri->restore);
		return;
	}
	*j = (struct fetch_job){
		.key = key_of(ri, ITEM_DATA),
		.version_id = item_version_id(ri->item, ri->chosen),
		.body = true,
		.done = on_body,
		.arg = ri,
	};
	fetch_add(&ri->restore->fetch, j);
}

static void resolve(struct restore_item *ri)
{
	struct resolve_result result;
	resolve_at(ri->item, ri->restore->at_ms, ri->restore->folders, &result);
	switch (result.state) {
	case RESOLVE_ASK:
		for (size_t i = 0; i < result.nask; i++)
			ask(ri, result.ask[i]);
		break;
	case RESOLVE_ABSENT:
		finish(ri, "");
		break;
	case RESOLVE_LOST:
		finish(ri, "it existed then, but that version of it is not in the bucket");
		break;
	case RESOLVE_PRESENT:
		ri->chosen = result.chosen;
		if (result.chosen->archived)
			finish(ri, "its version is archived: restore it from its storage class first");
		else
			get_body(ri);
		break;
	}
}

/* --- from the listing, and to the sink --- */

static void free_item(struct restore_item *ri)
{
	item_free(ri->item);
	buf_fini(&ri->line);
	buf_fini(&ri->keys[ITEM_DATA]);
	buf_fini(&ri->keys[ITEM_REMOVED]);
	free(ri);
}

static void begin(struct restore *r, struct item *item)
{
	struct restore_item *ri = calloc(1, sizeof(*ri));
	if (ri == NULL) {
		item_free(item);
		stop_no_memory(r);
		return;
	}
	ri->restore = r;
	ri->item = item;
	buf_init(&ri->line, ITEM_MAX + 64);
	STAILQ_INSERT_TAIL(&r->items, ri, link);
	r->nitems++;
	for (size_t i = 0; i < ITEM_SIDES; i++) {
		buf_init(&ri->keys[i], KEY_MAX);
		if (buf_append_str(&ri->keys[i], i == ITEM_DATA ? r->session->data_path : r->session->deletes_path) <
			    0 ||
		    buf_append(&ri->keys[i], item->key.data, item->key.len) < 0) {
			stop_no_memory(r);
			return;
		}
	}
	resolve(ri);
}

/* A key can have anything in it, also what a terminal takes for a command. */
static void say_problem(const struct restore_item *ri)
{
	char shown[1100];
	size_t n = 0;
	for (size_t i = 0; i < ri->keys[ITEM_DATA].len && n < sizeof(shown) - 1; i++) {
		unsigned char c = (unsigned char)ri->keys[ITEM_DATA].data[i];
		shown[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	shown[n] = '\0';
	cli_say("%s: %s", shown, ri->problem);
}

/* The first of the queue, which is ready. */
static void write_item(struct restore *r, struct restore_item *ri)
{
	struct err e;
	r->progress.seen++;
	if (ri->problem[0] != '\0') {
		r->missing++;
		progress_clear(&r->progress);
		say_problem(ri);
	} else if (ri->line.len > 0) {
		int rc = sink_write(&r->sink, (struct span){buf_str(&ri->line), ri->line.len}, &e);
		if (rc < 0)
			stop(r, rc, &e);
		r->bytes -= ri->line.len;
		r->progress.items = ++r->written;
		r->progress.bytes = r->sink.bytes;
	}
	STAILQ_REMOVE_HEAD(&r->items, link);
	r->nitems--;
	free_item(ri);
}

static void write_ready(struct restore *r)
{
	struct restore_item *ri;
	while (!r->done && (ri = STAILQ_FIRST(&r->items)) != NULL && ri->ready)
		write_item(r, ri);
}

/* Moves everything on as far as it can. */
static void pump(void *arg)
{
	struct restore *r = arg;
	struct item *item;
	struct err e;
	write_ready(r);
	while (!r->done && !r->listed && r->nitems < RESTORE_WINDOW && r->bytes < RESTORE_WINDOW_BYTES) {
		int rc = listing_next(&r->listing, &item, &e);
		if (rc == MERGE_WAIT)
			break;
		if (rc < 0)
			stop(r, rc, &e);
		else if (rc == MERGE_END)
			r->listed = true;
		else
			begin(r, item);
		write_ready(r);
	}
	if (r->listed && r->nitems == 0)
		r->done = true;
}

/* --- the whole --- */

static void on_stop(void *arg)
{
	struct restore *r = arg;
	struct err e;
	int rc = err_set(&e, ERR_CANCELLED, "interrupted; nothing was written to the file's name");
	stop(r, rc, &e);
}

int restore_init(struct restore *r, struct session *s, int64_t at_ms, const char *prefix, bool exact,
		 const char *to_file, struct err *e)
{
	*r = (struct restore){.session = s, .at_ms = at_ms, .folders = s->table->tenant_attribute != NULL};
	STAILQ_INIT(&r->items);
	r->canon = canon_new(ITEM_MAX);
	if (r->canon == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	int rc = sink_open(&r->sink, to_file, e);
	if (rc == 0)
		rc = listing_init(&r->listing, s, prefix, exact, at_ms - RESOLVE_MARGIN_MS, 0, e);
	if (rc == 0)
		rc = fetch_init(&r->fetch, s, e);
	return rc;
}

int restore_all(struct restore *r, struct err *e)
{
	r->session->on_stop = on_stop;
	r->session->on_stop_arg = r;
	progress_start(&r->progress, &r->session->loop);
	listing_start(&r->listing, pump, r);
	while (!r->done)
		uv_run(&r->session->loop, UV_RUN_ONCE);
	if (r->rc == 0) {
		int rc = sink_commit(&r->sink, &r->err);
		if (rc < 0)
			r->rc = rc;
	}
	progress_end(&r->progress, r->rc == 0 ? "restored" : NULL);
	if (r->rc < 0)
		*e = r->err;
	return r->rc;
}

void restore_fini(struct restore *r)
{
	struct restore_item *ri;
	r->session->on_stop = NULL;
	progress_end(&r->progress, NULL);
	fetch_fini(&r->fetch);
	listing_fini(&r->listing);
	uv_run(&r->session->loop, UV_RUN_NOWAIT);
	while ((ri = STAILQ_FIRST(&r->items)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->items, link);
		free_item(ri);
	}
	sink_close(&r->sink);
	canon_free(r->canon);
}
