#include "state_item.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define KEY_MAX 2048 /* a path that is longer than the one that was listed must not fail here */

static const char no_item[] = "its version is not an item in DynamoDB's JSON";

/* An answer that is awaited: metadata of `entry`, or with `into` its body. */
struct question {
	struct fetch_job job;
	struct state_item *item;
	struct item_entry *entry;
	struct buf *into;
};

static const char *path_of(const struct state_item *si, enum item_side side)
{
	const struct session *s = si->state->session;
	return side == ITEM_DATA ? s->data_path : s->deletes_path;
}

struct span state_whole_key(struct state_item *si, enum item_side side)
{
	struct buf *whole = &si->keys[side];
	const struct buf *key = &si->item->key;
	if (whole->len == 0 &&
	    (buf_append_str(whole, path_of(si, side)) < 0 || buf_append(whole, key->data, key->len) < 0)) {
		buf_reset(whole);
		state_fail_no_memory(si->state);
	}
	return (struct span){buf_str(whole), whole->len};
}

static void problem(struct state_item *si, const char *text)
{
	snprintf(si->problem, sizeof(si->problem), "%s", text);
}

static void on_answer(struct fetch_job *j, int rc, const struct err *e, struct span bytes);

static void ask(struct state_item *si, struct item_entry *entry, struct buf *into)
{
	struct question *q = calloc(1, sizeof(*q));
	if (q == NULL) {
		state_fail_no_memory(si->state);
		return;
	}
	q->item = si;
	q->entry = entry;
	q->into = into;
	q->job.key = state_whole_key(si, entry->kind == ITEM_DELETES ? ITEM_REMOVED : ITEM_DATA);
	q->job.version_id = item_version_id(si->item, entry);
	q->job.body = into != NULL;
	q->job.done = on_answer;
	if (q->job.key.len == 0) {
		free(q);
		return;
	}
	si->asked++;
	fetch_add(&si->state->fetch, &q->job);
}

static void ask_facts(struct state_item *si, const struct resolve_result *r)
{
	for (size_t i = 0; i < r->nask; i++)
		ask(si, r->ask[i], NULL);
}

/* --- answers --- */

static void take_facts(struct question *q)
{
	const struct s3_head *h = &q->job.head;
	int rc = h->exists ? item_set_facts(q->entry, h->event, h->seq, h->time, h->stream, h->by)
			   : item_set_gone(q->entry);
	if (rc < 0)
		state_fail_no_memory(q->item->state);
}

static void take_body(struct question *q, struct span bytes)
{
	struct state_item *si = q->item;
	struct state *st = si->state;
	struct span body;
	struct err e;
	if (!q->job.head.exists)
		problem(si, "its version is gone: it expired, or was removed for good");
	else if (q->job.damaged)
		problem(si, "its version is damaged: its bytes are not those of its ETag");
	else if (bytes.len == 0)
		problem(si, "its version is empty: it was written from a stream without new images");
	else if (canon_item(st->canon, bytes, &body, &e) < 0)
		problem(si, no_item);
	else if (buf_append(q->into, body.ptr, body.len) < 0)
		state_fail_no_memory(st);
	else
		st->bytes += body.len;
}

static void on_answer(struct fetch_job *j, int rc, const struct err *e, struct span bytes)
{
	struct question *q = (struct question *)j;
	struct state_item *si = q->item;
	struct state *st = si->state;
	/* What concerns this version alone must not end the whole. */
	bool own = q->into != NULL && (rc == -ERR_DENIED || rc == -ERR_LIMIT || rc == -ERR_INVALID);
	si->asked--;
	if (own)
		problem(si, e->message);
	else if (rc < 0)
		state_fail(st, rc, e);
	else if (q->into == NULL)
		take_facts(q);
	else
		take_body(q, bytes);
	free(q);
	if (si->asked == 0 && !st->finished)
		state_item_go_on(si);
	state_wake(st);
}

/* --- what is to be found out --- */

/* True when it is known whether the item changed after options.since_ms; then `skip` tells. */
static bool know_since(struct state_item *si)
{
	const struct state_options *o = &si->state->options;
	struct resolve_result r;
	if (o->since_ms == CLOCK_UNKNOWN || si->since_known)
		return true;
	bool changed = resolve_changed(si->item, o->since_ms, &r);
	ask_facts(si, &r);
	if (r.nask > 0)
		return false;
	si->since_known = true;
	si->skip = !changed;
	return true;
}

static bool know_states(struct state_item *si)
{
	const struct state_options *o = &si->state->options;
	for (size_t t = 0; t < o->ntimes; t++) {
		struct resolve_result r;
		resolve_at(si->item, &o->at[t], si->state->folders, &r);
		si->at[t].what = r.state;
		si->at[t].chosen = r.chosen;
		if (r.state == RESOLVE_ASK) {
			/* The other time's questions may be the same ones. */
			ask_facts(si, &r);
			return false;
		}
	}
	return true;
}

/* Two times with the same state are of no interest. */
static bool is_same(const struct state_item *si)
{
	const struct state_at *a = &si->at[0], *b = &si->at[1];
	if (a->what != b->what)
		return false;
	return a->what == RESOLVE_ABSENT ||
	       (a->what == RESOLVE_PRESENT && (a->chosen == b->chosen || a->chosen->etag_hash == b->chosen->etag_hash));
}

/* Something that has the item's key in it. */
static struct item_entry *find_witness(const struct state_item *si)
{
	for (size_t i = 0; i < si->item->norder; i++) {
		struct item_entry *e = item_subject(si->item->order[i]);
		if (e != NULL && !e->archived && e->size_bytes > 0 && (e->facts == NULL || !e->facts->gone))
			return e;
	}
	return NULL;
}

static void want(struct state_item *si, struct item_entry *entry, struct buf *into)
{
	if (entry->archived)
		problem(si, "its version is archived: restore it from its storage class first");
	else
		ask(si, entry, into);
}

static void want_bodies(struct state_item *si)
{
	const struct state_options *o = &si->state->options;
	bool present = false;
	for (size_t t = 0; t < o->ntimes; t++) {
		struct state_at *at = &si->at[t];
		if (at->what == RESOLVE_LOST)
			problem(si,
				"what it was then is not in the bucket: that version expired, or was lost in a gap");
		present = present || at->what == RESOLVE_PRESENT;
	}
	if (si->problem[0] != '\0' || !o->bodies)
		return;
	for (size_t t = 0; t < o->ntimes; t++) {
		struct state_at *at = &si->at[t];
		at->wanted = at->what == RESOLVE_PRESENT && (o->wants == NULL || o->wants(si, t, o->arg));
		if (at->wanted)
			want(si, at->chosen, &at->body);
	}
	struct item_entry *witness = NULL;
	if (!present && o->witness && (o->wants == NULL || o->wants(si, 0, o->arg)))
		witness = find_witness(si);
	if (witness != NULL)
		want(si, witness, &si->witness);
}

static void settle(struct state_item *si)
{
	const struct state_options *o = &si->state->options;
	if (si->skip || (o->ntimes > 1 && is_same(si)) ||
	    (o->ntimes == 1 && si->at[0].what == RESOLVE_ABSENT && !o->absent)) {
		si->skip = si->ready = true;
		return;
	}
	if (!si->settled) {
		si->settled = true;
		want_bodies(si);
	}
	si->ready = si->asked == 0;
}

void state_item_go_on(struct state_item *si)
{
	if (!si->settled && (!know_since(si) || (!si->skip && !know_states(si))))
		return;
	settle(si);
}

/* --- memory --- */

struct state_item *state_item_new(struct state *st, struct range *range, struct item *item)
{
	struct state_item *si = calloc(1, sizeof(*si));
	if (si == NULL)
		return NULL;
	si->state = st;
	si->range = range;
	buf_init(&si->witness, STATE_ITEM_MAX);
	for (size_t t = 0; t < STATE_TIMES; t++)
		buf_init(&si->at[t].body, STATE_ITEM_MAX);
	for (size_t i = 0; i < ITEM_SIDES; i++)
		buf_init(&si->keys[i], KEY_MAX);
	si->item = item;
	return si;
}

void state_item_free(struct state_item *si)
{
	item_free(si->item);
	for (size_t t = 0; t < STATE_TIMES; t++) {
		si->state->bytes -= si->at[t].body.len;
		buf_fini(&si->at[t].body);
	}
	si->state->bytes -= si->witness.len;
	buf_fini(&si->witness);
	for (size_t i = 0; i < ITEM_SIDES; i++)
		buf_fini(&si->keys[i]);
	free(si);
}

const char *state_key(const struct state_item *si, char out[static 1100])
{
	const struct buf *key = &si->item->key;
	const struct span parts[] = {span_of(path_of(si, ITEM_DATA)), {buf_str(key), key->len}};
	size_t n = 0;
	for (size_t p = 0; p < 2; p++)
		for (size_t i = 0; i < parts[p].len && n < 1099; i++) {
			unsigned char c = (unsigned char)parts[p].ptr[i];
			out[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
		}
	out[n] = '\0';
	return out;
}
