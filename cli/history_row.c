#include "history_row.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "change.h"
#include "change_print.h"

#define INDENT "    "
#define KEY_ATTRIBUTES_MAX 2

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

/* --- what changed --- */

struct pair {
	struct span before, after; /* empty: the item was not there */
	char unknown[480];	   /* why it is not known what changed; "": it is */
};

static struct span body_of(const struct history_image *i)
{
	return (struct span){buf_str(&i->body), i->body.len};
}

struct tally {
	size_t of[CHANGE_KINDS];
};

static int tally(void *arg, const struct change *c)
{
	struct tally *t = arg;
	t->of[c->kind]++;
	return 0;
}

/*
 * A stream without old images leaves the item's key alone in the deletes object. Then it has one or two attributes, and
 * the version before has them and others.
 */
static bool is_key_only(struct span removed, struct span before)
{
	struct tally own = {0}, more = {0};
	struct err e;
	return change_each((struct span){0}, removed, tally, &own, &e) == 0 &&
	       change_each(removed, before, tally, &more, &e) == 0 && own.of[CHANGE_ADDED] <= KEY_ATTRIBUTES_MAX &&
	       more.of[CHANGE_ADDED] > 0 && more.of[CHANGE_REMOVED] + more.of[CHANGE_CHANGED] == 0;
}

static void pair_of_removal(struct pair *p, const struct history_image *now, const struct history_image *before)
{
	bool version = before != NULL && before->entry->kind == ITEM_VERSION;
	p->before = body_of(now);
	if (version && before->body.len > 0 && (p->before.len == 0 || is_key_only(p->before, body_of(before))))
		p->before = body_of(before);
	if (p->before.len > 0)
		return;
	if (version)
		snprintf(p->unknown, sizeof(p->unknown), "the version before it: %s", before->problem);
	else if (now->problem[0] != '\0')
		snprintf(p->unknown, sizeof(p->unknown), "what was removed: %s", now->problem);
	else if (before == NULL)
		snprintf(p->unknown, sizeof(p->unknown), "the version before it is not in the bucket");
}

static void pair_of_version(struct pair *p, const struct history_image *now, const struct history_image *before)
{
	const struct item_facts *f = now->entry->facts;
	p->after = body_of(now);
	if (now->body.len == 0)
		snprintf(p->unknown, sizeof(p->unknown), "this version: %s", now->problem);
	else if (before == NULL && f != NULL && f->event == ITEM_MODIFY)
		snprintf(p->unknown, sizeof(p->unknown), "the version before it is not in the bucket");
	else if (before != NULL && before->entry->kind == ITEM_VERSION && before->body.len == 0)
		snprintf(p->unknown, sizeof(p->unknown), "the version before it: %s", before->problem);
	else if (before != NULL && before->entry->kind == ITEM_VERSION)
		p->before = body_of(before);
}

static struct pair pair_of(const struct history_image *now, const struct history_image *before)
{
	struct pair p = {0};
	if (now->entry->kind == ITEM_VERSION)
		pair_of_version(&p, now, before);
	else
		pair_of_removal(&p, now, before);
	return p;
}

/* --- text --- */

static int print_text(const struct history_rows *r, const struct history_image *now, const struct pair *p,
		      struct err *e)
{
	struct shown s = show(r->item, now->entry);
	char iso[CLOCK_ISO_SIZE];
	const char *id = body_id(r->item, now->entry);
	printf("%s%c  %-8s  %-4s  %-21s  %s%s\n", clock_iso(iso, s.time_ms), s.event_time ? ' ' : '*', s.kind, s.who,
	       s.seq, id[0] ? id : s.marker_id, now->entry->latest ? "  latest" : "");
	if (!r->diff)
		return 0;
	if (p->unknown[0] != '\0') {
		printf(INDENT "? %s\n", p->unknown);
		return 0;
	}
	if (span_eq(p->before, p->after)) {
		puts(INDENT "= nothing changed");
		return 0;
	}
	return change_print_text(stdout, p->before, p->after, INDENT, r->columns, e);
}

/* --- JSON --- */

static void put_text(json_t *o, const char *name, const char *value)
{
	json_object_set_new(o, name, value[0] != '\0' && strcmp(value, "-") != 0 ? json_string(value) : json_null());
}

static json_t *row_json(const struct history_rows *r, struct item_entry *e)
{
	const struct item *it = r->item;
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
	put_text(o, "object", subject == NULL ? "" : r->keys[subject->kind == ITEM_DELETES ? ITEM_REMOVED : ITEM_DATA]);
	put_text(o, "version_id", body_id(it, e));
	put_text(o, "marker_id", s.marker_id);
	put_text(o, "stored", clock_iso(iso, e->modified_ms));
	json_object_set_new(o, "bytes", json_integer(subject != NULL ? (json_int_t)subject->size_bytes : 0));
	json_object_set_new(o, "latest", json_boolean(e->latest));
	return o;
}

static int print_json(const struct history_rows *r, const struct history_image *now, const struct pair *p,
		      struct err *e)
{
	json_t *o = row_json(r, now->entry);
	int rc = 0;
	if (r->diff && p->unknown[0] != '\0') {
		json_object_set_new(o, "diff", json_null());
		put_text(o, "diff_unknown", p->unknown);
	}
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	if (r->diff && p->unknown[0] == '\0') {
		/* jansson would read both images a second time. */
		text[strlen(text) - 1] = '\0';
		printf("%s,\"diff\":", text);
		rc = change_print_json(stdout, p->before, p->after, e);
		puts("}");
	} else {
		puts(text);
	}
	free(text);
	return rc;
}

void history_row_head(const struct history_rows *r)
{
	if (!r->json)
		printf("%-25s  %-8s  %-4s  %-21s  %s\n", "TIME", "KIND", "WHO", "SEQUENCE", "VERSION");
}

int history_row_print(struct history_rows *r, const struct history_image *now, const struct history_image *before,
		      struct err *e)
{
	struct pair p = {0};
	if (r->diff)
		p = pair_of(now, before);
	r->stored = r->stored || !show(r->item, now->entry).event_time;
	return r->json ? print_json(r, now, &p, e) : print_text(r, now, &p, e);
}

void history_row_foot(const struct history_rows *r)
{
	if (r->stored && !r->json)
		puts("* when it was stored; the time of the change is not known");
}
