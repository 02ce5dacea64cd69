/*
 * The bucket at a time, and the live table. The table is read once, as digests; then the state is walked, and what has not
 * the digest of its version is asked for. What is in the table and was not met on that walk came later: it is found by
 * reading the table a second time. Of a single item nothing but that item is read.
 *
 * A table that is being written to is compared as each item was when it was read.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "aws/items.h"
#include "aws/table.h"
#include "base/clock.h"
#include "base/etagset.h"
#include "base/map.h"
#include "cli.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "codec/itemkey.h"
#include "codec/primary.h"
#include "diff.h"
#include "live_get.h"
#include "live_scan.h"
#include "progress.h"
#include "state.h"

#define KEYS_MAX ((size_t)64 << 10)

/* What state_item.note says of an item that is in the bucket. */
enum { NOTE_SAME, NOTE_OTHER, NOTE_REMOVED };

struct diff_live {
	struct diff_plan *plan;
	struct schema schema; /* of the live table */
	struct etagset *live; /* NULL: a single item is compared */
	struct live_get get;
	struct state state;
	bool met;	 /* that item is in the bucket, and was dealt with */
	struct buf name; /* scratch */
	struct progress progress;
};

/* An item of the table that is asked for once more. */
struct question {
	struct live_get_job job;
	struct diff_live *live;
	struct state_item *si;
	struct buf keys;
};

static struct span span_buf(const struct buf *b)
{
	return (struct span){buf_str(b), b->len};
}

/* --- what the table has --- */

static bool belongs(const struct diff_live *d, const struct live_item *item)
{
	const struct narrow *n = d->plan->narrow;
	const struct span prefix = span_buf(&n->prefix);
	return item->s3_key.len >= prefix.len && memcmp(item->s3_key.ptr, prefix.ptr, prefix.len) == 0 &&
	       narrow_has(n, item->item);
}

static int on_first(const struct live_item *item, void *arg, struct err *e)
{
	(void)e;
	return belongs(arg, item);
}

/* What was not there the first time is younger than this comparison. */
static int on_second(const struct live_item *item, void *arg, struct err *e)
{
	struct diff_live *d = arg;
	struct etagset_entry entry;
	uint8_t name[DIGEST_NAME_SIZE];
	const struct diff_row row = {.object = item->s3_key, .after = true, .new = item->item};
	if (!belongs(d, item))
		return 0;
	digest_name(name, item->s3_key.ptr, item->s3_key.len);
	int rc = etagset_find(d->live, name, &entry, e);
	if (rc <= 0 || entry.marked)
		return rc;
	rc = etagset_mark(d->live, &entry, e);
	progress_clear(&d->progress);
	return rc < 0 ? rc : diff_row_print(&d->plan->rows, &row, e);
}

static void on_scanned(const struct live_scan_figures *figures, void *arg)
{
	struct diff_live *d = arg;
	d->progress.seen = d->progress.items = figures->items;
	d->progress.bytes = figures->bytes;
}

static int scan(struct diff_live *d, bool first, struct err *e)
{
	struct live_scan_figures figures;
	const struct live_scan_options o = {
		.session = d->plan->session,
		.aws = &d->plan->session->aws,
		.table = d->plan->options->table,
		.schema = &d->schema,
		.hash_value = span_buf(&d->plan->narrow->hash_value),
		.units_per_s = d->plan->units_per_s,
		.into = first ? d->live : NULL,
		.each = first ? on_first : on_second,
		.progress = on_scanned,
		.arg = d,
	};
	progress_start(&d->progress, &d->plan->session->loop);
	int rc = live_scan(&o, &figures, e);
	progress_end(&d->progress, NULL);
	/* Its timer is needed again. */
	uv_run(&d->plan->session->loop, UV_RUN_NOWAIT);
	d->plan->read_units += figures.units;
	return rc;
}

/* --- the walk --- */

static void fail(struct diff_live *d, int rc, const struct err *e)
{
	state_fail(&d->state, rc, e);
}

static bool has_digest(const struct item_entry *e, const uint8_t md5[DIGEST_MD5_SIZE])
{
	char hex[2 * DIGEST_MD5_SIZE];
	encode_hex(hex, md5, DIGEST_MD5_SIZE);
	return e->etag_hash == map_hash(hex, sizeof(hex));
}

/* Looks the item up in what was read of the table; true when it is there, and then marks it as met. */
static bool look_up(struct diff_live *d, const struct state_item *si, struct etagset_entry *out)
{
	uint8_t name[DIGEST_NAME_SIZE];
	struct err e;
	digest_name(name, buf_str(&si->item->key), si->item->key.len);
	int rc = etagset_find(d->live, name, out, &e);
	int marked = rc > 0 ? etagset_mark(d->live, out, &e) : 0;
	if (rc < 0 || marked < 0)
		fail(d, rc < 0 ? rc : marked, &e);
	return rc > 0 && marked == 0;
}

/* Is the item's body needed? */
static bool wants(struct state_item *si, size_t time, void *arg)
{
	struct diff_live *d = arg;
	const struct diff_plan *p = d->plan;
	struct etagset_entry entry;
	si->note = NOTE_OTHER;
	if (d->live == NULL)
		return true;
	if (!look_up(d, si, &entry))
		si->note = NOTE_REMOVED;
	else if (has_digest(si->at[time].chosen, entry.etag))
		si->note = NOTE_SAME;
	return si->note == NOTE_OTHER ||
	       (si->note == NOTE_REMOVED && (diff_rows_want(&p->rows) || p->narrow->hash_name != NULL));
}

static void row(struct diff_live *d, struct span object, bool before, struct span old, bool after, struct span new)
{
	struct diff_plan *p = d->plan;
	const struct diff_row r = {.object = object, .before = before, .after = after, .old = old, .new = new};
	struct err e;
	int rc = 0;
	progress_clear(&d->progress);
	if (!before || !after || !span_eq(old, new))
		rc = diff_row_print(&p->rows, &r, &e);
	d->progress.items = p->rows.added + p->rows.changed + p->rows.removed;
	if (rc < 0)
		fail(d, rc, &e);
}

static void missing(struct diff_live *d, const struct state_item *si, const char *why)
{
	char shown[1100];
	d->plan->missing++;
	progress_clear(&d->progress);
	cli_say("%s: %s", state_key(si, shown), why);
}

/* Does the item, with this key, lie under that name? With a tenant attribute it may have moved to another folder. */
static bool lies_there(struct diff_live *d, struct span object, struct span keys, struct span item)
{
	const struct itemkey_schema naming = schema_itemkey(d->plan->session, &d->schema);
	buf_reset(&d->name);
	return item.len > 0 && itemkey_append(&d->name, &naming, keys, item, NULL) == 0 &&
	       span_eq(span_buf(&d->name), object);
}

static void on_item(struct live_get_job *j, int rc, const struct err *e, struct span item)
{
	struct question *q = j->arg;
	struct diff_live *d = q->live;
	struct state_item *si = q->si;
	if (rc < 0)
		fail(d, rc, e);
	else if (lies_there(d, span_buf(&si->item->key), j->keys, item))
		row(d, span_buf(&si->item->key), true, span_buf(&si->at[0].body), true, item);
	else
		row(d, span_buf(&si->item->key), true, span_buf(&si->at[0].body), false, (struct span){0});
	buf_fini(&q->keys);
	free(q);
	/* After a failure it is the state's. */
	if (rc == 0)
		state_done(si);
}

static void ask(struct diff_live *d, struct state_item *si)
{
	struct question *q = calloc(1, sizeof(*q));
	struct err e;
	int rc = -ERR_SYSTEM;
	if (q == NULL) {
		err_set(&e, ERR_SYSTEM, "out of memory");
		fail(d, rc, &e);
		return;
	}
	buf_init(&q->keys, KEYS_MAX);
	rc = primary_key(span_buf(&si->at[0].body), d->schema.names[0], d->schema.names[1], &q->keys, &e);
	if (rc < 0) {
		buf_fini(&q->keys);
		free(q);
		missing(d, si, e.message);
		state_done(si);
		return;
	}
	q->live = d;
	q->si = si;
	q->job = (struct live_get_job){.keys = span_buf(&q->keys), .done = on_item, .arg = q};
	live_get_add(&d->get, &q->job);
}

/* The same item in another form, as other tools write it. */
static bool is_equal(struct diff_live *d, const struct state_item *si)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	struct etagset_entry entry;
	if (d->live == NULL || !look_up(d, si, &entry))
		return false;
	digest_md5(md5, buf_str(&si->at[0].body), si->at[0].body.len);
	return memcmp(md5, entry.etag, sizeof(md5)) == 0;
}

static void deliver(struct state_item *si, void *arg)
{
	struct diff_live *d = arg;
	const struct span body = span_buf(&si->at[0].body);
	struct etagset_entry entry;
	d->progress.seen = d->state.seen;
	d->met = true;
	if (si->problem[0] != '\0') {
		/* It did not come later. */
		if (d->live != NULL)
			look_up(d, si, &entry);
		missing(d, si, si->problem);
	} else if (si->note == NOTE_OTHER && !is_equal(d, si)) {
		ask(d, si);
		return;
	} else if (si->note == NOTE_REMOVED && narrow_has(d->plan->narrow, body)) {
		row(d, span_buf(&si->item->key), true, body, false, (struct span){0});
	}
	state_done(si);
}

static int walk(struct diff_live *d, struct err *e)
{
	const struct diff_plan *p = d->plan;
	const struct state_options so = {
		.at = {{.ms = p->at_ms}},
		.ntimes = 1,
		.since_ms = CLOCK_UNKNOWN,
		.bodies = true,
		.prefix = buf_str(&p->narrow->prefix),
		.exact = p->narrow->exact,
		.wants = wants,
		.deliver = deliver,
		.arg = d,
	};
	int rc = state_init(&d->state, p->session, &so, e);
	progress_start(&d->progress, &p->session->loop);
	if (rc == 0) {
		state_start(&d->state);
		rc = state_run(&d->state, e);
	}
	d->plan->seen = d->state.seen;
	progress_end(&d->progress, NULL);
	/* What was asked refers to the state's items. */
	live_get_fini(&d->get);
	state_fini(&d->state);
	return rc;
}

/* --- a single item --- */

/* The key that was typed, in canonical form. */
static int typed_key(const struct diff_live *d, struct buf *out, struct err *e)
{
	const struct options *o = d->plan->options;
	const struct schema *sc = &d->schema;
	const char *const values[2] = {o->key_value != NULL ? o->key_value : o->hash, o->key_range};
	struct canon *c = canon_new(KEYS_MAX);
	struct span canonical = {0};
	json_t *keys = o->key != NULL ? json_loads(o->key, 0, NULL) : json_object();
	for (size_t i = 0; i < sc->n && i < 2 && o->key == NULL; i++)
		if (values[i] != NULL)
			json_object_set_new(keys, sc->names[i], json_pack("{s:s}", sc->types[i], values[i]));
	char *text = json_dumps(keys, JSON_COMPACT);
	int rc = c != NULL && text != NULL ? canon_item(c, span_of(text), &canonical, e)
					   : err_set(e, ERR_SYSTEM, "out of memory");
	if (rc == 0 && buf_append(out, canonical.ptr, canonical.len) < 0)
		rc = err_set(e, ERR_LIMIT, "the key is too long");
	free(text);
	json_decref(keys);
	canon_free(c);
	return rc;
}

/* It was not there at the time. Is it now? */
static int look_for_one(struct diff_live *d, struct err *e)
{
	struct diff_plan *p = d->plan;
	struct session *s = p->session;
	const struct span object = span_buf(&p->narrow->prefix);
	struct canon *c = canon_new(STATE_ITEM_MAX);
	struct span item = {0};
	struct buf keys;
	unsigned attempt = 1;
	buf_init(&keys, KEYS_MAX);
	int rc = c != NULL ? typed_key(d, &keys, e) : err_set(e, ERR_SYSTEM, "out of memory");
	while (rc >= 0) {
		items_get(&s->op, p->options->table, span_buf(&keys), &item, NULL, NULL);
		rc = session_settle(s, &s->op, attempt++);
		if (rc == 0)
			break;
		*e = s->op.err;
	}
	if (rc == 0 && item.len > 0)
		rc = canon_item(c, item, &item, e);
	if (rc == 0 && lies_there(d, object, span_buf(&keys), item)) {
		const struct diff_row r = {.object = object, .after = true, .new = item};
		rc = diff_row_print(&p->rows, &r, e);
	}
	buf_fini(&keys);
	canon_free(c);
	return rc;
}

/* --- all of it --- */

static int compare(struct diff_live *d, struct err *e)
{
	const struct diff_plan *p = d->plan;
	int rc = schema_load_live(p->session, p->options->table, p->rows.schema, &d->schema, e);
	if (rc < 0)
		return rc;
	d->plan->rows.schema = &d->schema;
	if (!p->narrow->exact) {
		d->live = etagset_new(NULL, 0, 0, e);
		if (d->live == NULL)
			return -(int)e->class;
		rc = scan(d, true, e);
	}
	if (rc == 0)
		rc = live_get_init(&d->get, &p->session->aws, p->options->table, e);
	if (rc == 0)
		rc = walk(d, e);
	else
		live_get_fini(&d->get);
	if (rc == 0 && d->live != NULL && etagset_unmarked(d->live) > 0)
		rc = scan(d, false, e);
	if (rc == 0 && d->live == NULL && !d->met)
		rc = look_for_one(d, e);
	return rc;
}

int diff_live(struct diff_plan *p, struct err *e)
{
	struct diff_live *d = calloc(1, sizeof(*d));
	const struct schema *of_backup = p->rows.schema;
	if (d == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	d->plan = p;
	buf_init(&d->name, KEYS_MAX);
	int rc = compare(d, e);
	p->rows.schema = of_backup;
	uv_run(&p->session->loop, UV_RUN_NOWAIT);
	etagset_free(d->live);
	schema_fini(&d->schema);
	buf_fini(&d->name);
	free(d);
	return rc;
}
