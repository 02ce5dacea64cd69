/* history: every version of one item, with who made it and when. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "fetch.h"
#include "key.h"
#include "listing.h"
#include "session.h"

const char history_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] history --table T (--key JSON | --key-value HASH [RANGE])\n"
	"           [--tenant VALUE] [--first | --last] [-o text|json]\n"
	"Lists every version and removal of one item.\n"
	"\n"
	"      --table T              the table\n"
	"      --key JSON             the item's key, such as {\"id\":{\"S\":\"x\"}}\n"
	"      --key-value HASH [RANGE]  the same by its values alone\n"
	"      --tenant VALUE         the item's folder, with a tenant attribute\n"
	"      --first, --last        the newest comes first (the default), or last\n"
	"  -o, --output FORMAT        text (the default) or json, one object a line\n";

struct history {
	struct session *session;
	struct listing listing;
	struct fetch fetch;
	struct item *item; /* NULL: there is none */
	char *keys[ITEM_SIDES];
	size_t asked; /* answers that are awaited */
	size_t next;  /* in item->order: the next to ask about */
	bool listed, done;
	int rc;
	struct err err;
};

struct question {
	struct fetch_job job;
	struct item_entry *entry;
};

#define ASK_AT_ONCE (2 * SESSION_SLOTS)

static void ask_more(struct history *h);

static void stop(struct history *h, int rc, const struct err *e)
{
	if (h->rc == 0) {
		h->rc = rc;
		h->err = *e;
	}
	h->done = true;
}

static void stop_no_memory(struct history *h)
{
	struct err e;
	int rc = err_set(&e, ERR_SYSTEM, "out of memory");
	stop(h, rc, &e);
}

static void on_facts(struct fetch_job *j, int rc, const struct err *e, struct span bytes)
{
	struct question *q = (struct question *)j;
	struct history *h = j->arg;
	const struct s3_head *head = &j->head;
	(void)bytes;
	h->asked--;
	if (rc < 0)
		stop(h, rc, e);
	else if ((head->exists ? item_set_facts(q->entry, head->event, head->seq, head->time, head->stream, head->by)
			       : item_set_gone(q->entry)) < 0)
		stop_no_memory(h);
	free(q);
	ask_more(h);
}

static void ask_more(struct history *h)
{
	while (!h->done && h->next < h->item->norder && h->asked < ASK_AT_ONCE) {
		struct item_entry *entry = item_subject(h->item->order[h->next++]);
		if (entry == NULL)
			continue;
		struct question *q = calloc(1, sizeof(*q));
		if (q == NULL) {
			stop_no_memory(h);
			return;
		}
		q->entry = entry;
		q->job = (struct fetch_job){
			.key = span_of(h->keys[entry->kind == ITEM_DELETES ? ITEM_REMOVED : ITEM_DATA]),
			.version_id = item_version_id(h->item, entry),
			.done = on_facts,
			.arg = h,
		};
		h->asked++;
		fetch_add(&h->fetch, &q->job);
	}
	if (h->asked == 0 && h->next == h->item->norder)
		h->done = true;
}

static void on_listing(void *arg)
{
	struct history *h = arg;
	struct item *item;
	struct err e;
	while (!h->listed) {
		int rc = listing_next(&h->listing, &item, &e);
		if (rc == MERGE_WAIT)
			return;
		if (rc == MERGE_ITEM) {
			item_free(h->item);
			h->item = item;
			continue;
		}
		h->listed = true;
		if (rc < 0)
			stop(h, rc, &e);
		else if (h->item == NULL)
			h->done = true;
		else
			ask_more(h);
	}
}

static void on_stop(void *arg)
{
	struct history *h = arg;
	struct err e;
	int rc = err_set(&e, ERR_CANCELLED, "interrupted");
	stop(h, rc, &e);
}

/* --- what is printed of an entry --- */

struct shown {
	int64_t time_ms;
	bool event_time;
	const char *seq, *stream, *kind, *who, *marker_id;
};

static const char *who_of(const struct item_facts *f)
{
	if (!f->own || f->event == ITEM_BASELINE)
		return "-";
	return f->by_ttl ? "ttl" : "user";
}

static struct shown show(const struct item *it, struct item_entry *e)
{
	const struct item_entry *subject = item_subject(e);
	const struct item_facts *f = subject != NULL ? subject->facts : NULL;
	struct shown s = {.time_ms = e->modified_ms, .seq = "-", .stream = "", .who = "-", .marker_id = ""};
	s.kind = e->kind == ITEM_VERSION ? "PUT" : "REMOVE";
	if (e->kind == ITEM_MARKER)
		s.marker_id = item_version_id(it, e);
	if (f == NULL || f->gone) {
		if (f != NULL && e->kind == ITEM_VERSION)
			s.kind = "GONE";
		return s;
	}
	s.time_ms = f->time_ms;
	s.event_time = f->event_time;
	s.who = who_of(f);
	if (f->own) {
		s.seq = f->seq;
		s.stream = f->stream;
	}
	if (f->event != ITEM_EVENT_UNKNOWN)
		s.kind = item_event_name(f->event);
	return s;
}

/* The version that holds what was put or removed; "" when nothing does. */
static const char *body_id(const struct item *it, struct item_entry *e)
{
	const struct item_entry *subject = item_subject(e);
	return subject != NULL ? item_version_id(it, subject) : "";
}

static void print_text(const struct item *it, struct item_entry *e)
{
	struct shown s = show(it, e);
	char iso[CLOCK_ISO_SIZE];
	const char *id = body_id(it, e);
	printf("%s%c  %-8s  %-4s  %-21s  %s%s\n", clock_iso(iso, s.time_ms), s.event_time ? ' ' : '*', s.kind, s.who,
	       s.seq, id[0] ? id : s.marker_id, e->latest ? "  latest" : "");
}

static void put_text(json_t *o, const char *name, const char *value)
{
	json_object_set_new(o, name, value[0] != '\0' && strcmp(value, "-") != 0 ? json_string(value) : json_null());
}

static void print_json(const struct history *h, struct item_entry *e)
{
	const struct item *it = h->item;
	struct shown s = show(it, e);
	const struct item_entry *subject = item_subject(e);
	char iso[CLOCK_ISO_SIZE];
	json_t *o = json_object();
	put_text(o, "time", clock_iso(iso, s.time_ms));
	put_text(o, "time_is", s.event_time ? "event" : "stored");
	put_text(o, "kind", s.kind);
	put_text(o, "by", s.who);
	put_text(o, "sequence", s.seq);
	put_text(o, "stream", s.stream);
	put_text(o, "object", subject == NULL ? "" : h->keys[subject->kind == ITEM_DELETES ? ITEM_REMOVED : ITEM_DATA]);
	put_text(o, "version_id", body_id(it, e));
	put_text(o, "marker_id", s.marker_id);
	put_text(o, "stored", clock_iso(iso, e->modified_ms));
	json_object_set_new(o, "bytes", json_integer(subject != NULL ? (json_int_t)subject->size_bytes : 0));
	json_object_set_new(o, "latest", json_boolean(e->latest));
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void print(const struct history *h, const struct options *o)
{
	size_t n = h->item->norder;
	bool stored = false;
	if (!o->json)
		printf("%-25s  %-8s  %-4s  %-21s  %s\n", "TIME", "KIND", "WHO", "SEQUENCE", "VERSION");
	for (size_t i = 0; i < n; i++) {
		struct item_entry *e = h->item->order[o->last ? n - 1 - i : i];
		if (o->json)
			print_json(h, e);
		else
			print_text(h->item, e);
		stored = stored || !show(h->item, e).event_time;
	}
	if (stored && !o->json)
		puts("* when it was stored; the time of the change is not known");
}

static int read_all(struct history *h, const char *key, struct err *e)
{
	struct session *s = h->session;
	if (asprintf(&h->keys[ITEM_DATA], "%s%s", s->data_path, key) < 0)
		h->keys[ITEM_DATA] = NULL;
	if (asprintf(&h->keys[ITEM_REMOVED], "%s%s", s->deletes_path, key) < 0)
		h->keys[ITEM_REMOVED] = NULL;
	if (h->keys[ITEM_DATA] == NULL || h->keys[ITEM_REMOVED] == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	const struct listing_options only = {.prefix = key, .exact = true, .old_ms = INT64_MIN};
	int rc = listing_init(&h->listing, s, &only, e);
	if (rc == 0)
		rc = fetch_init(&h->fetch, s, e);
	if (rc < 0)
		return rc;
	s->on_stop = on_stop;
	s->on_stop_arg = h;
	listing_start(&h->listing, on_listing, h);
	while (!h->done)
		uv_run(&s->loop, UV_RUN_ONCE);
	s->on_stop = NULL;
	if (h->rc < 0)
		*e = h->err;
	return h->rc;
}

static int run(struct session *s, const struct options *o, const char *key)
{
	struct history h = {.session = s};
	struct err e;
	int code = 0;
	if (read_all(&h, key, &e) < 0) {
		code = cli_fail(&e);
	} else if (h.item == NULL || h.item->norder == 0) {
		cli_say("bucket %s has nothing of this item", s->conf->bucket);
		code = EX_NOINPUT;
	} else {
		print(&h, o);
	}
	fetch_fini(&h.fetch);
	listing_fini(&h.listing);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	item_free(h.item);
	free(h.keys[ITEM_DATA]);
	free(h.keys[ITEM_REMOVED]);
	return code;
}

int history_run(const struct options *o)
{
	struct session s;
	struct buf key;
	if (o->table == NULL)
		return cli_usage("history: --table is missing");
	if (o->key == NULL && o->key_value == NULL)
		return cli_usage("history: --key or --key-value is missing");
	if (o->first && o->last)
		return cli_usage("history: --first and --last cannot be given together");
	buf_init(&key, 1024);
	int code = session_open(&s, o);
	if (code == 0)
		code = key_resolve(&s, o, &key);
	if (code == 0)
		code = run(&s, o, buf_str(&key));
	session_close(&s);
	buf_fini(&key);
	return code;
}
