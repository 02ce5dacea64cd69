#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/map.h"
#include "codec/canon.h"
#include "codec/encode.h"
#include "codec/itemkey.h"
#include "codec/itemsize.h"
#include "codec/primary.h"
#include "fetch.h"
#include "live_get.h"
#include "look_mark.h"
#include "look_past.h"
#include "state.h"

#define KEYS_MAX ((size_t)64 << 10)
/* Between our idea of DynamoDB's clock, from Date headers of whole seconds, and the daemon's. */
#define CLOCKS_MS 2000
#define ROUNDS_MAX 5

/* What an object was when it was read. */
struct view {
	bool there, item;
	uint64_t version; /* a hash of what tells versions apart */
	uint8_t md5[DIGEST_MD5_SIZE];
	int64_t at_ms;	    /* when that was known */
	int64_t changed_ms; /* event time of its version, else LastModified */
};

struct look {
	struct looks *looks;
	struct buf name, keys;
	bool scanned, wrong_key, second, item_there, foreign_form;
	uint8_t scan_md5[DIGEST_MD5_SIZE], item_md5[DIGEST_MD5_SIZE];
	struct view before, after;
	int64_t read_ms; /* the item was what it was at some moment up to then */
	unsigned rounds;
	struct live_get_job get;
	struct look_mark_wait wait;
	struct look_past_job past;
	TAILQ_ENTRY(look) link;
};

/* An object that is being read. */
struct question {
	struct fetch_job job;
	struct look *look;
	struct buf key;
};

struct looks {
	struct looks_options options;
	struct itemkey_schema naming;
	struct fetch fetch;
	struct live_get get;
	struct look_mark mark;
	struct look_past past;
	struct canon *canon;
	struct buf scratch;
	TAILQ_HEAD(, look) looks;
	size_t n;
	struct look_figures figures;
	int rc;
	struct err err;
};

static struct span span_buf(const struct buf *b)
{
	return (struct span){buf_str(b), b->len};
}

static void fail(struct looks *l, int rc, const struct err *e)
{
	if (l->rc != 0)
		return;
	l->rc = rc;
	l->err = *e;
}

static void no_memory(struct looks *l)
{
	struct err e;
	int rc = err_set(&e, ERR_SYSTEM, "out of memory");
	fail(l, rc, &e);
}

static void release(struct look *k)
{
	buf_fini(&k->name);
	buf_fini(&k->keys);
	free(k);
}

static void free_look(struct look *k)
{
	TAILQ_REMOVE(&k->looks->looks, k, link);
	k->looks->n--;
	release(k);
}

static void settle(struct look *k, struct look_result *r)
{
	struct looks *l = k->looks;
	r->name = span_buf(&k->name);
	r->keys = span_buf(&k->keys);
	l->options.settled(r, l->options.arg);
	free_look(k);
}

static void settle_as(struct look *k, enum finding_kind kind, const char *detail)
{
	struct look_result r = {.kind = kind};
	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	settle(k, &r);
}

static void on_removed(struct look_past_job *j, int rc, const struct err *e, enum look_past_answer answer)
{
	struct look *k = j->arg;
	if (rc < 0)
		fail(k->looks, rc, e);
	else if (answer != LOOK_PAST_NOT_FOUND)
		settle(k, &(struct look_result){.equal = true});
	else
		settle_as(k, FINDING_EXTRA,
			  "it was restored, and it is not there now, but no removal since then is in the backup");
}

/* The table and the bucket agree. Was a state of before rightly another one? */
static void settle_equal(struct look *k)
{
	const struct view *v = k->second ? &k->after : &k->before;
	int64_t since_ms = k->looks->options.since_ms;
	if (since_ms == CLOCK_UNKNOWN || (v->there && v->changed_ms > since_ms)) {
		settle(k, &(struct look_result){.equal = true, .foreign_form = k->foreign_form});
	} else if (v->there) {
		settle_as(k, FINDING_DIFFERENT,
			  "what was restored is another image, or none, although it has not changed since");
	} else {
		k->past = (struct look_past_job){
			.name = span_buf(&k->name), .since_ms = since_ms, .strict = true, .done = on_removed, .arg = k};
		look_past_add(&k->looks->past, &k->past);
	}
}

static bool agree(const struct look *k, const struct view *v)
{
	if (!k->item_there || !v->there)
		return k->item_there == v->there;
	return v->item && memcmp(k->item_md5, v->md5, DIGEST_MD5_SIZE) == 0;
}

static void settle_different(struct look *k)
{
	const struct view *v = &k->after;
	char at[CLOCK_ISO_SIZE], detail[200];
	clock_iso(at, k->read_ms - CLOCKS_MS);
	if (!v->there) {
		snprintf(detail, sizeof(detail), "the table had it at %s; the bucket has no version of it on top", at);
		settle_as(k, FINDING_MISSING, detail);
	} else if (!k->item_there) {
		snprintf(detail, sizeof(detail), "the table had it no longer at %s", at);
		settle_as(k, FINDING_EXTRA, detail);
	} else if (!v->item) {
		settle_as(k, FINDING_FORM, "its latest version is not an item in DynamoDB's JSON");
	} else if (k->wrong_key) {
		settle_as(k, FINDING_FOREIGN, "its latest version is the image of another item");
	} else {
		snprintf(detail, sizeof(detail), "the latest version is not the item that the table had at %s", at);
		settle_as(k, FINDING_DIFFERENT, detail);
	}
}

/* --- the object --- */

static void ask_item(struct look *k);
static void ask_object(struct look *k);
static void on_object(struct look *k);
static void on_object_again(struct look *k);

/* The name that an item with these keys has. False when it has none. */
static bool is_named(struct looks *l, struct span keys, struct span item, struct span name)
{
	buf_reset(&l->scratch);
	return itemkey_append(&l->scratch, &l->naming, keys, item, NULL) == 0 && span_eq(span_buf(&l->scratch), name);
}

/* The key that the body has, which is the item's, or must be. */
static void take_keys(struct look *k, struct span body)
{
	struct looks *l = k->looks;
	struct buf keys;
	buf_init(&keys, KEYS_MAX);
	int rc = primary_key(body, l->naming.hash_name, l->naming.range_name, &keys, NULL);
	k->wrong_key = rc < 0 || !is_named(l, span_buf(&keys), body, span_buf(&k->name));
	if (rc == 0 && k->keys.len == 0 && !k->wrong_key)
		buf_take(&k->keys, &keys);
	else if (k->keys.len > 0 && !k->wrong_key)
		k->wrong_key = !span_eq(span_buf(&keys), span_buf(&k->keys));
	buf_fini(&keys);
}

static void take_view(struct look *k, const struct s3_head *h, struct span bytes, struct view *v)
{
	struct looks *l = k->looks;
	struct span body;
	v->there = h->exists;
	v->item = false;
	v->at_ms = session_now_ms(l->options.session);
	if (!h->exists)
		return;
	v->version = map_hash(h->version_id, strlen(h->version_id)) ^ map_hash(h->etag, strlen(h->etag)) ^
		     (uint64_t)h->modified_ms;
	if (!clock_parse_iso(h->time, &v->changed_ms))
		v->changed_ms = h->modified_ms;
	if (canon_item(l->canon, bytes, &body, NULL) < 0)
		return;
	v->item = true;
	k->foreign_form = !span_eq(body, bytes);
	digest_md5(v->md5, body.ptr, body.len);
	take_keys(k, body);
}

static void on_fetched(struct fetch_job *j, int rc, const struct err *e, struct span bytes)
{
	struct question *q = (struct question *)j;
	struct look *k = q->look;
	struct looks *l = k->looks;
	bool own = rc == -ERR_DENIED || rc == -ERR_LIMIT || rc == -ERR_INVALID;
	bool damaged = rc == 0 && j->damaged;
	if (rc < 0 && !own)
		fail(l, rc, e);
	else if (rc == 0)
		take_view(k, &j->head, bytes, k->second ? &k->after : &k->before);
	buf_fini(&q->key);
	free(q);
	if (l->rc < 0)
		return;
	if (own)
		settle_as(k, FINDING_UNREADABLE, e->message);
	else if (damaged)
		settle_as(k, FINDING_DAMAGED, "the bytes of its latest version are not those of its ETag");
	else if (k->second)
		on_object_again(k);
	else
		on_object(k);
}

static void ask_object(struct look *k)
{
	struct looks *l = k->looks;
	struct question *q = calloc(1, sizeof(*q));
	if (q == NULL) {
		no_memory(l);
		return;
	}
	q->look = k;
	buf_init(&q->key, 2 * ITEMKEY_MAX);
	if (buf_append_str(&q->key, l->options.session->data_path) < 0 ||
	    buf_append(&q->key, k->name.data, k->name.len) < 0) {
		buf_fini(&q->key);
		free(q);
		settle_as(k, FINDING_UNREADABLE, "its name is too long for S3");
		return;
	}
	q->job = (struct fetch_job){.key = span_buf(&q->key), .version_id = "", .body = true, .done = on_fetched};
	fetch_add(&l->fetch, &q->job);
}

static void on_object(struct look *k)
{
	const struct view *v = &k->before;
	if (k->scanned && v->item && !k->wrong_key && memcmp(v->md5, k->scan_md5, DIGEST_MD5_SIZE) == 0)
		settle_equal(k);
	else if (k->keys.len > 0)
		ask_item(k);
	else if (!v->there) /* it was listed, and is gone */
		settle_equal(k);
	else if (!v->item)
		settle_as(k, FINDING_FOREIGN, "its body is not an item in DynamoDB's JSON");
	else
		settle_as(k, FINDING_FOREIGN, "its body is no item of the table, or one that has another name");
}

/* --- the item --- */

static void on_mark(struct look_mark_wait *w, bool passed, const char *why)
{
	struct look *k = w->arg;
	if (!passed) {
		settle_as(k, FINDING_UNSETTLED, why);
		return;
	}
	k->second = true;
	ask_object(k);
}

static void on_item(struct live_get_job *j, int rc, const struct err *e, struct span item)
{
	struct look *k = j->arg;
	struct looks *l = k->looks;
	if (rc < 0) {
		fail(l, rc, e);
		return;
	}
	k->read_ms = session_now_ms(l->options.session) + CLOCKS_MS;
	uint64_t units = item.len / 4096 + 1;
	l->figures.read_units += (double)units;
	/* With a tenant attribute it may lie in another folder now. */
	k->item_there = item.len > 0 && is_named(l, span_buf(&k->keys), item, span_buf(&k->name));
	if (k->item_there)
		digest_md5(k->item_md5, item.ptr, item.len);
	if (agree(k, &k->before)) {
		settle_equal(k);
		return;
	}
	k->wait = (struct look_mark_wait){.through_ms = k->read_ms, .done = on_mark, .arg = k};
	l->figures.waited++;
	look_mark_add(&l->mark, &k->wait);
}

static void ask_item(struct look *k)
{
	k->get = (struct live_get_job){.keys = span_buf(&k->keys), .done = on_item, .arg = k};
	live_get_add(&k->looks->get, &k->get);
}

/* --- the object, once the backup has passed that moment --- */

static void on_past(struct look_past_job *j, int rc, const struct err *e, enum look_past_answer answer)
{
	struct look *k = j->arg;
	if (rc < 0) {
		fail(k->looks, rc, e);
	} else if (answer == LOOK_PAST_FOUND) {
		settle_equal(k);
	} else if (answer == LOOK_PAST_NOT_FOUND) {
		settle_different(k);
	} else if (++k->rounds == ROUNDS_MAX) {
		settle_as(k, FINDING_UNSETTLED, "it changes too often to be compared");
	} else {
		k->second = false;
		k->before = k->after;
		ask_item(k);
	}
}

static void on_object_again(struct look *k)
{
	const struct view *a = &k->before, *b = &k->after;
	if (agree(k, b)) {
		settle_equal(k);
		return;
	}
	if (a->there && b->there && a->version == b->version) {
		settle_different(k);
		return;
	}
	k->past = (struct look_past_job){
		.name = span_buf(&k->name),
		.since_ms = a->at_ms,
		.md5 = k->item_there ? k->item_md5 : NULL,
		.done = on_past,
		.arg = k,
	};
	k->looks->figures.lists++;
	look_past_add(&k->looks->past, &k->past);
}

/* --- all of them --- */

struct looks *looks_new(const struct looks_options *o, struct err *e)
{
	struct looks *l = calloc(1, sizeof(*l));
	int rc = l != NULL ? 0 : err_set(e, ERR_SYSTEM, "out of memory");
	if (l == NULL)
		return NULL;
	l->options = *o;
	l->naming = schema_itemkey(o->session, o->schema);
	TAILQ_INIT(&l->looks);
	buf_init(&l->scratch, KEYS_MAX);
	l->canon = canon_new(STATE_ITEM_MAX);
	if (l->canon == NULL)
		rc = err_set(e, ERR_SYSTEM, "out of memory");
	if (rc == 0)
		rc = fetch_init(&l->fetch, o->session, e);
	if (rc == 0)
		rc = live_get_init(&l->get, &o->session->aws, o->table, e);
	if (rc == 0)
		rc = look_mark_init(&l->mark, o->session, e);
	if (rc == 0)
		rc = look_past_init(&l->past, o->session, e);
	if (rc == 0)
		return l;
	looks_free(l);
	return NULL;
}

int looks_add(struct looks *l, struct span name, struct span keys, const uint8_t *md5, struct err *e)
{
	struct look *k;
	if (l->rc < 0) {
		*e = l->err;
		return l->rc;
	}
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	k->looks = l;
	TAILQ_INSERT_TAIL(&l->looks, k, link);
	l->n++;
	l->figures.looks++;
	buf_init(&k->name, 2 * ITEMKEY_MAX);
	buf_init(&k->keys, KEYS_MAX);
	if (buf_append(&k->name, name.ptr, name.len) < 0 || buf_append(&k->keys, keys.ptr, keys.len) < 0) {
		free_look(k);
		return err_set(e, ERR_SYSTEM, "out of memory");
	}
	k->scanned = md5 != NULL;
	if (k->scanned)
		memcpy(k->scan_md5, md5, DIGEST_MD5_SIZE);
	ask_object(k);
	return 0;
}

size_t looks_count(const struct looks *l)
{
	return l->rc < 0 ? 0 : l->n;
}

int looks_drain(struct looks *l, size_t below, struct err *e)
{
	struct session *s = l->options.session;
	while (l->rc == 0 && l->n >= below && l->n > 0 && !s->stop)
		uv_run(&s->loop, UV_RUN_ONCE);
	if (l->rc == 0 && s->stop)
		return err_set(e, ERR_CANCELLED, "interrupted");
	if (l->rc < 0)
		*e = l->err;
	return l->rc;
}

struct look_figures looks_figures(const struct looks *l)
{
	struct look_figures f = l->figures;
	f.gets = l->fetch.gets;
	f.marks = l->mark.reads;
	return f;
}

void looks_free(struct looks *l)
{
	struct look *k;
	struct err e;
	int rc;
	if (l == NULL)
		return;
	/* What is given up calls back: nothing is settled then. */
	rc = err_set(&e, ERR_CANCELLED, "given up");
	fail(l, rc, &e);
	fetch_fini(&l->fetch);
	live_get_fini(&l->get);
	look_mark_fini(&l->mark);
	look_past_fini(&l->past);
	uv_run(&l->options.session->loop, UV_RUN_NOWAIT);
	while ((k = TAILQ_FIRST(&l->looks)) != NULL) {
		TAILQ_REMOVE(&l->looks, k, link);
		release(k);
	}
	buf_fini(&l->scratch);
	canon_free(l->canon);
	free(l);
}
