#include "fill.h"

#include <stdlib.h>

#include "cli.h"

#define KEYS_MAX ((size_t)64 << 10)

struct fill_write {
	struct writer_job job;
	struct fill *fill;
	struct state_item *item;
	struct buf keys; /* of a delete */
	LIST_ENTRY(fill_write) link;
};

static void no_memory(struct fill *f)
{
	struct err e;
	int rc = err_set(&e, ERR_SYSTEM, "out of memory");
	state_fail(&f->state, rc, &e);
}

void fill_skip(struct fill *f, struct state_item *si)
{
	f->progress.seen = f->state.seen;
	state_done(si);
}

void fill_missing(struct fill *f, struct state_item *si, const char *problem)
{
	char shown[1100];
	f->figures->missing++;
	progress_clear(&f->progress);
	cli_say("%s: %s", state_key(si, shown), problem);
	fill_skip(f, si);
}

static void free_write(struct fill_write *w)
{
	LIST_REMOVE(w, link);
	buf_fini(&w->keys);
	free(w);
}

static void count(struct fill *f, const struct writer_job *j)
{
	if (j->write.remove) {
		f->figures->removed++;
	} else {
		f->progress.items = ++f->figures->items;
		f->progress.bytes = f->figures->bytes += j->write.attributes.len;
	}
}

static void on_written(struct writer_job *j, int rc, const struct err *e)
{
	struct fill_write *w = (struct fill_write *)j;
	struct fill *f = w->fill;
	struct state_item *si = w->item;
	if (rc == 0)
		count(f, j);
	free_write(w);
	if (rc == -ERR_INVALID || rc == -ERR_LIMIT) {
		if (f->refused != NULL)
			f->refused(si, f->arg);
		fill_missing(f, si, e->message);
		return;
	}
	/* An item that was not written is not given back: the journal must not pass it. */
	if (rc < 0)
		state_fail(&f->state, rc, e);
	else
		fill_skip(f, si);
}

static struct fill_write *new_write(struct fill *f, struct state_item *si, bool remove)
{
	struct fill_write *w = calloc(1, sizeof(*w));
	if (w == NULL) {
		no_memory(f);
		return NULL;
	}
	*w = (struct fill_write){.job = {.write = {.remove = remove}, .done = on_written}, .fill = f, .item = si};
	buf_init(&w->keys, KEYS_MAX);
	LIST_INSERT_HEAD(&f->writes, w, link);
	return w;
}

void fill_put(struct fill *f, struct state_item *si)
{
	struct fill_write *w = new_write(f, si, false);
	if (w == NULL)
		return;
	w->job.write.attributes = (struct span){buf_str(&si->at[0].body), si->at[0].body.len};
	writer_add(f->writer, &w->job);
}

void fill_delete(struct fill *f, struct state_item *si, struct span keys)
{
	struct fill_write *w = new_write(f, si, true);
	if (w == NULL)
		return;
	if (buf_append(&w->keys, keys.ptr, keys.len) < 0) {
		free_write(w);
		no_memory(f);
		return;
	}
	w->job.write.attributes = (struct span){buf_str(&w->keys), w->keys.len};
	writer_add(f->writer, &w->job);
}

static int before_save(struct journal *j, struct err *e)
{
	const struct fill *f = j->arg;
	(void)e;
	j->items = f->figures->items;
	j->bytes = f->figures->bytes;
	j->missing = f->figures->missing;
	return 0;
}

static void on_save_failed(int rc, const struct err *e, void *arg)
{
	struct fill *f = arg;
	state_fail(&f->state, rc, e);
}

int fill_init(struct fill *f, const struct restore_plan *p, const struct state_options *so, struct aws *a,
	      const char *table, struct restore_figures *out, struct err *e)
{
	*f = (struct fill){.plan = p, .figures = out};
	int rc = state_init(&f->state, p->session, so, e);
	if (rc < 0)
		return rc;
	f->writer = writer_new(a, table, p->units_per_s, e);
	return f->writer != NULL ? 0 : -(int)e->class;
}

int fill_run(struct fill *f, struct err *e)
{
	struct journal *j = f->plan->journal;
	struct err other;
	j->before = before_save;
	j->failed = on_save_failed;
	j->arg = f;
	progress_start(&f->progress, &f->plan->session->loop);
	f->progress.before = f->figures->items;
	f->progress.expected = f->expected;
	f->progress.by_keys = f->plan->options->in_place;
	journal_start(j, &f->plan->session->loop, &f->state.ranges);
	/* Noted before the first write: a run that is killed at once must be known to have begun. */
	int rc = journal_save(j, e);
	if (rc == 0) {
		state_start(&f->state);
		rc = state_run(&f->state, e);
	}
	int saved = journal_end(j, rc < 0, &other);
	if (rc < 0 && j->saved)
		err_prefix(e, "not finished; the same command and --resume go on");
	progress_end(&f->progress, rc == 0 ? "restored" : NULL);
	if (rc == 0 && saved < 0) {
		*e = other;
		rc = saved;
	}
	return rc;
}

void fill_fini(struct fill *f)
{
	if (f->writer != NULL)
		writer_free(f->writer);
	f->writer = NULL;
	struct fill_write *w, *next;
	for (w = LIST_FIRST(&f->writes); w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		free_write(w);
	}
	state_fini(&f->state);
}
