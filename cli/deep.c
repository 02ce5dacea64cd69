#include "deep.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/canon.h"
#include "codec/itemkey.h"
#include "codec/primary.h"
#include "deep_private.h"
#include "state.h"

#define KEYS_MAX ((size_t)64 << 10)
#define FLIGHT_MAX 8 /* versions of one item that are read at the same time */

struct deep {
	const struct deep_options *options;
	struct deep_figures *figures;
	struct itemkey_schema naming;
	struct state state;
	struct canon *canon;
	struct buf keys, name; /* scratch */
};

/* An item whose versions are being read. */
struct subject {
	struct deep *deep;
	struct state_item *si;
	size_t side, next; /* what is asked for next */
	size_t flight;
	struct deep_report report;
};

struct question {
	struct fetch_job job;
	struct subject *subject;
	struct item_entry *entry;
};

static struct span span_buf(const struct buf *b)
{
	return (struct span){buf_str(b), b->len};
}

static void fail_no_memory(struct deep *d)
{
	struct err e;
	int rc = err_set(&e, ERR_SYSTEM, "out of memory");
	state_fail(&d->state, rc, &e);
}

/* --- one version --- */

static const char *wrong_metadata(const struct s3_head *h, bool removal)
{
	int64_t ms;
	bool baseline = strcmp(h->event, "BASELINE") == 0;
	bool fits = removal ? strcmp(h->event, "REMOVE") == 0 || strcmp(h->event, "MODIFY") == 0
			    : strcmp(h->event, "INSERT") == 0 || strcmp(h->event, "MODIFY") == 0;
	if (!baseline && !fits)
		return "ddb-event";
	if (!baseline && !seq_valid(span_of(h->seq)))
		return "ddb-seq";
	if (!clock_parse_iso(h->time, &ms))
		return "ddb-time";
	return h->stream[0] == '\0' ? "ddb-stream" : NULL;
}

/* True when the version is of this backup, and not of another tool from before it. */
static bool check_metadata(struct subject *s, const struct item_entry *entry, const struct s3_head *h)
{
	struct deep *d = s->deep;
	const char *id = item_version_id(s->si->item, entry);
	bool none = h->event[0] == '\0' && h->seq[0] == '\0' && h->time[0] == '\0' && h->stream[0] == '\0';
	if (none && !deep_is_ours(entry, d->options->since_ms)) {
		d->figures->foreign++;
		return false;
	}
	const char *wrong = none ? NULL : wrong_metadata(h, entry->kind == ITEM_DELETES);
	if (none)
		deep_note(&s->report, FINDING_METADATA, "version %s has no metadata", id);
	else if (wrong != NULL)
		deep_note(&s->report, FINDING_METADATA, "version %s: %s is missing or wrong", id, wrong);
	return true;
}

static bool is_named(struct deep *d, struct span body, struct span name)
{
	buf_reset(&d->name);
	return itemkey_append(&d->name, &d->naming, span_buf(&d->keys), body, NULL) == 0 &&
	       span_eq(span_buf(&d->name), name);
}

static void check_body(struct subject *s, const struct item_entry *entry, bool ours, struct span bytes)
{
	struct deep *d = s->deep;
	const char *id = item_version_id(s->si->item, entry);
	struct span body;
	if (bytes.len == 0) {
		deep_note(&s->report, FINDING_FORM, "version %s is empty", id);
		return;
	}
	if (canon_item(d->canon, bytes, &body, NULL) < 0) {
		deep_note(&s->report, FINDING_FORM, "version %s is not an item in DynamoDB's JSON", id);
		return;
	}
	bool canonical = span_eq(body, bytes);
	d->figures->foreign_form += !canonical && !ours;
	if (!canonical && ours)
		deep_note(&s->report, FINDING_FORM, "version %s is not in canonical form", id);
	buf_reset(&d->keys);
	if (primary_key(body, d->naming.hash_name, d->naming.range_name, &d->keys, NULL) < 0) {
		deep_note(&s->report, FINDING_FOREIGN, "version %s has not the table's key", id);
		return;
	}
	/* A removal of a stream without old images has the key alone, which does not tell the folder. */
	bool folder_unknown =
		entry->kind == ITEM_DELETES && d->naming.tenant_attribute != NULL && span_eq(span_buf(&d->keys), body);
	if (!folder_unknown && !is_named(d, body, span_buf(&s->si->item->key)))
		deep_note(&s->report, FINDING_FOREIGN, "version %s is the image of another item", id);
}

/* --- all versions of an item --- */

static void go_on(struct subject *s);

static void on_version(struct fetch_job *j, int rc, const struct err *e, struct span bytes)
{
	struct question *q = (struct question *)j;
	struct subject *s = q->subject;
	struct deep *d = s->deep;
	struct item_entry *entry = q->entry;
	const struct s3_head *h = &j->head;
	bool own = rc == -ERR_DENIED || rc == -ERR_LIMIT || rc == -ERR_INVALID;
	s->flight--;
	if (rc < 0 && !own) {
		state_fail(&d->state, rc, e);
	} else if (own) {
		deep_note(&s->report, FINDING_UNREADABLE, "version %s: %s", item_version_id(s->si->item, entry),
			  e->message);
	} else if (!h->exists) {
		if (item_set_gone(entry) < 0)
			fail_no_memory(d);
	} else {
		bool ours = check_metadata(s, entry, h);
		if (item_set_facts(entry, h->event, h->seq, h->time, h->stream, h->by) < 0)
			fail_no_memory(d);
		if (j->damaged)
			deep_note(&s->report, FINDING_DAMAGED, "the bytes of version %s are not those of its ETag",
				  item_version_id(s->si->item, entry));
		else if (j->body)
			check_body(s, entry, ours, bytes);
	}
	free(q);
	if (d->state.finished) {
		if (s->flight == 0)
			free(s);
		return;
	}
	go_on(s);
}

static int ask(struct subject *s, struct item_entry *entry)
{
	struct question *q = calloc(1, sizeof(*q));
	struct state_item *si = s->si;
	const struct span key = state_whole_key(si, entry->kind == ITEM_DELETES ? ITEM_REMOVED : ITEM_DATA);
	if (q == NULL || key.len == 0) {
		free(q);
		return -ERR_SYSTEM;
	}
	*q = (struct question){.subject = s, .entry = entry};
	q->job = (struct fetch_job){
		.key = key,
		.version_id = item_version_id(si->item, entry),
		.body = !entry->archived,
		.done = on_version,
	};
	s->flight++;
	s->deep->figures->gets++;
	fetch_add(&si->state->fetch, &q->job);
	return 0;
}

static struct item_entry *next_version(struct subject *s)
{
	while (s->side < ITEM_SIDES) {
		struct item_list *list = &s->si->item->lists[s->side];
		while (s->next < list->n) {
			struct item_entry *entry = &list->entries[s->next++];
			if (entry->kind != ITEM_MARKER)
				return entry;
			s->deep->figures->markers++;
		}
		s->side++;
		s->next = 0;
	}
	return NULL;
}

static void finish(struct subject *s)
{
	struct deep *d = s->deep;
	const struct deep_options *o = d->options;
	struct state_item *si = s->si;
	deep_judge(si->item, o->since_ms, o->gaps, d->naming.tenant_attribute != NULL, &s->report);
	const struct deep_item told = {.name = span_buf(&si->item->key),
				       .problems = s->report.problems,
				       .n = s->report.n};
	if (told.n > 0)
		o->each(&told, o->arg);
	d->figures->items++;
	d->figures->versions += si->item->lists[ITEM_DATA].n;
	d->figures->removals += si->item->lists[ITEM_REMOVED].n;
	if (o->progress != NULL) {
		o->progress->items = d->figures->items;
		o->progress->bytes = d->state.fetch.bytes;
	}
	free(s);
	state_done(si);
}

static void go_on(struct subject *s)
{
	struct item_entry *entry;
	while (s->flight < FLIGHT_MAX && (entry = next_version(s)) != NULL) {
		if (ask(s, entry) < 0) {
			fail_no_memory(s->deep);
			break;
		}
	}
	if (s->flight == 0 && !s->deep->state.finished)
		finish(s);
	else if (s->flight == 0)
		free(s);
}

static void deliver(struct state_item *si, void *arg)
{
	struct deep *d = arg;
	if (d->options->progress != NULL)
		d->options->progress->seen = d->state.seen;
	if (!sample_has(d->options->sample, span_buf(&si->item->key))) {
		state_done(si);
		return;
	}
	struct subject *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		fail_no_memory(d);
		return;
	}
	s->deep = d;
	s->si = si;
	go_on(s);
}

int deep_walk(const struct deep_options *o, struct deep_figures *out, struct err *e)
{
	struct deep d = {.options = o, .figures = out, .naming = schema_itemkey(o->session, o->schema)};
	const struct state_options so = {
		/* Nothing is asked to be resolved before all is read. */
		.at = {{.ms = INT64_MAX / 2}},
		.ntimes = 1,
		.since_ms = CLOCK_UNKNOWN,
		.absent = true,
		.all = true,
		.prefix = o->prefix,
		.exact = o->exact,
		.deliver = deliver,
		.arg = &d,
	};
	buf_init(&d.keys, KEYS_MAX);
	buf_init(&d.name, 2 * ITEMKEY_MAX);
	d.canon = canon_new(STATE_ITEM_MAX);
	int rc = d.canon != NULL ? state_init(&d.state, o->session, &so, e) : err_set(e, ERR_SYSTEM, "out of memory");
	if (rc == 0) {
		state_start(&d.state);
		rc = state_run(&d.state, e);
		out->lists += d.state.ranges.pages + d.state.ranges.probes;
	}
	if (d.canon != NULL)
		state_fini(&d.state);
	buf_fini(&d.keys);
	buf_fini(&d.name);
	canon_free(d.canon);
	return rc;
}
