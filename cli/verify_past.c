/*
 * Histories in the bucket. Two listings that are read one after the other may show a removal half, and what is being written
 * while it is listed looks wrong. So what seems wrong is looked at again, alone, when the backup is complete past that time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "look_mark.h"
#include "verify.h"

#define CAUSES_MAX 1000

/* Names of objects that are to be looked at again. */
struct suspects {
	char **names;
	size_t n, cap;
	struct findings *uncounted; /* those past the ones that are named count as they were seen */
	bool no_memory;
};

struct recheck {
	struct findings *findings;
	bool causes; /* only what tells why an item differs */
	bool no_memory;
};

static void no_memory(struct err *e, int *rc)
{
	*rc = err_set(e, ERR_SYSTEM, "out of memory");
}

static void on_suspect(const struct deep_item *item, void *arg)
{
	struct suspects *s = arg;
	if (s->n == FINDING_NAMED_MAX) {
		for (size_t i = 0; i < item->n; i++)
			s->uncounted->counts[item->problems[i].kind]++;
		return;
	}
	if (s->n == s->cap) {
		size_t cap = s->cap > 0 ? 2 * s->cap : 64;
		char **names = reallocarray(s->names, cap, sizeof(*names));
		if (names == NULL) {
			s->no_memory = true;
			return;
		}
		s->names = names;
		s->cap = cap;
	}
	s->names[s->n] = strndup(item->name.ptr, item->name.len);
	s->no_memory = s->no_memory || s->names[s->n] == NULL;
	s->n += s->names[s->n] != NULL;
}

static void on_certain(const struct deep_item *item, void *arg)
{
	struct recheck *r = arg;
	for (size_t i = 0; i < item->n; i++) {
		const struct deep_problem *p = &item->problems[i];
		bool cause = p->kind == FINDING_MISORDERED || p->kind == FINDING_MARKER || p->kind == FINDING_REMOVAL;
		if (r->causes && !cause)
			continue;
		if (findings_add(r->findings, p->kind, item->name, (struct span){0}, "%s", p->detail) < 0)
			r->no_memory = true;
	}
}

static struct deep_options options(const struct verify *v, const char *prefix)
{
	return (struct deep_options){
		.session = v->session,
		.schema = &v->schema,
		.sample = &v->sample,
		.prefix = prefix,
		.since_ms = v->has_mark ? v->mark.since_ms : CLOCK_UNKNOWN,
		.gaps = !v->has_mark || v->mark.gap_count > 0,
	};
}

/* One item, by its name. */
static int look_again(struct verify *v, const char *name, struct recheck *r, struct err *e)
{
	struct deep_options o = options(v, name);
	struct deep_figures again = {0};
	o.exact = true;
	o.each = on_certain;
	o.arg = r;
	int rc = deep_walk(&o, &again, e);
	v->read.lists += again.lists;
	v->read.gets += again.gets;
	if (rc == 0 && r->no_memory)
		no_memory(e, &rc);
	return rc;
}

static void on_mark(struct look_mark_wait *w, bool passed, const char *why)
{
	/* A backup that does not come there will not change what lies in the bucket either. */
	(void)passed;
	(void)why;
	*(bool *)w->arg = true;
}

/* Until the backup is complete through now, or will not be. */
static int wait_for_backup(struct verify *v, struct err *e)
{
	struct session *s = v->session;
	struct look_mark mark;
	bool over = false;
	struct look_mark_wait wait = {.through_ms = session_now_ms(s) + 2000, .done = on_mark, .arg = &over};
	int rc = look_mark_init(&mark, s, e);
	if (rc == 0)
		look_mark_add(&mark, &wait);
	while (rc == 0 && !over && !s->stop)
		uv_run(&s->loop, UV_RUN_ONCE);
	look_mark_fini(&mark);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	if (rc == 0 && s->stop)
		rc = err_set(e, ERR_CANCELLED, "interrupted");
	return rc;
}

int verify_past(struct verify *v, struct err *e)
{
	struct suspects s = {.uncounted = &v->past};
	struct recheck r = {.findings = &v->past};
	struct deep_options o = options(v, "");
	o.progress = &v->progress;
	o.each = on_suspect;
	o.arg = &s;
	progress_start(&v->progress, &v->session->loop);
	int rc = deep_walk(&o, &v->read, e);
	progress_end(&v->progress, rc == 0 ? "read the histories" : NULL);
	uv_run(&v->session->loop, UV_RUN_NOWAIT);
	if (rc == 0 && s.no_memory)
		no_memory(e, &rc);
	if (rc == 0 && s.n > 0)
		rc = wait_for_backup(v, e);
	for (size_t i = 0; i < s.n && rc == 0; i++)
		rc = look_again(v, s.names[i], &r, e);
	for (size_t i = 0; i < s.n; i++)
		free(s.names[i]);
	free(s.names);
	return rc;
}

int verify_causes(struct verify *v, struct err *e)
{
	struct recheck r = {.findings = &v->past, .causes = true};
	size_t looked = 0;
	int rc = 0;
	for (size_t i = 0; i < v->live.nnamed && looked < CAUSES_MAX && rc == 0; i++) {
		const struct finding *f = &v->live.named[i];
		if (f->kind != FINDING_MISSING && f->kind != FINDING_DIFFERENT && f->kind != FINDING_EXTRA)
			continue;
		looked++;
		rc = look_again(v, f->object, &r, e);
	}
	return rc;
}
