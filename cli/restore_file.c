#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "progress.h"
#include "restore.h"
#include "sink.h"

#define TABLE_JSON_MAX ((size_t)16 << 20)

struct file_target {
	const struct restore_plan *plan;
	struct state state;
	struct sink sink;
	struct progress progress;
	struct restore_figures *figures;
	struct buf line;
	bool broken; /* it may lack what was written to it */
};

static int write_line(struct file_target *f, const struct buf *body, struct err *e)
{
	buf_reset(&f->line);
	if (buf_append_str(&f->line, "{\"Item\":") < 0 || buf_append(&f->line, body->data, body->len) < 0 ||
	    buf_append_str(&f->line, "}\n") < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return sink_write(&f->sink, (struct span){buf_str(&f->line), f->line.len}, e);
}

static void deliver(struct state_item *si, void *arg)
{
	struct file_target *f = arg;
	const struct buf *body = &si->at[0].body;
	char shown[1100];
	struct err e;
	f->progress.seen = f->state.seen;
	if (si->problem[0] != '\0') {
		f->figures->missing++;
		progress_clear(&f->progress);
		cli_say("%s: %s", state_key(si, shown), si->problem);
	} else if (narrow_has(f->plan->narrow, (struct span){buf_str(body), body->len})) {
		int rc = write_line(f, body, &e);
		f->broken = f->broken || rc < 0;
		if (rc < 0)
			state_fail(&f->state, rc, &e);
		else
			f->progress.items = ++f->figures->items;
		f->progress.bytes = f->figures->bytes = f->sink.bytes;
	}
	state_done(si);
}

static int before_save(struct journal *j, struct err *e)
{
	struct file_target *f = j->arg;
	/* What a failed write has lost another one does not bring back: the journal stays as it was before. */
	if (f->broken)
		return err_set(e, ERR_SYSTEM, "%s could not be written", f->plan->options->to_file);
	int rc = sink_sync(&f->sink, e);
	f->broken = rc < 0;
	j->items = f->figures->items;
	j->bytes = f->sink.bytes;
	j->missing = f->figures->missing;
	return rc;
}

static void on_save_failed(int rc, const struct err *e, void *arg)
{
	struct file_target *f = arg;
	state_fail(&f->state, rc, e);
}

static int open_sink(struct file_target *f, struct err *e)
{
	const struct restore_plan *p = f->plan;
	*f->figures = restore_figures_before(p);
	if (!p->resumed)
		return sink_open(&f->sink, p->options->to_file, e);
	return sink_resume(&f->sink, p->options->to_file, p->journal->bytes, e);
}

static int run(struct file_target *f, struct err *e)
{
	struct journal *j = f->plan->journal;
	j->before = before_save;
	j->failed = on_save_failed;
	j->arg = f;
	journal_start(j, &f->plan->session->loop, &f->state.ranges);
	/* Noted before the first item: a run that is killed at once must be known to have begun. */
	int rc = journal_save(j, e);
	if (rc == 0) {
		state_start(&f->state);
		rc = state_run(&f->state, e);
	}
	if (rc == 0 && (rc = sink_commit(&f->sink, e)) < 0)
		f->broken = true;
	/* Without an item there is nothing to go on from. */
	bool keep = rc < 0 && j->path != NULL && (f->figures->items > 0 || f->plan->resumed);
	struct err other;
	int saved = journal_end(j, keep, &other);
	if (saved < 0 && rc == 0) {
		*e = other;
		rc = saved;
	}
	keep = keep && j->saved;
	if (keep)
		err_prefix(e, "not finished; the same command and --resume go on");
	sink_close(&f->sink, keep);
	return rc;
}

/* The table.json is of no other use here, so that whatever is wrong with it matters to nobody. */
static uint64_t load_expected(const struct restore_plan *p)
{
	struct session *s = p->session;
	struct schema sc = {0};
	struct buf text;
	struct err e;
	bool exists = false;
	char *key;
	uint64_t n = 0;
	if (asprintf(&key, "%stable.json", s->meta_path) < 0)
		return 0;
	buf_init(&text, TABLE_JSON_MAX);
	if (session_get(s, key, &text, &exists, &e) == 0 && exists &&
	    schema_parse((struct span){buf_str(&text), text.len}, &sc, &e) == 0)
		n = restore_expected(p, &sc);
	schema_fini(&sc);
	buf_fini(&text);
	free(key);
	return n;
}

int restore_to_file(const struct restore_plan *p, struct restore_figures *out)
{
	struct err e;
	struct file_target f = {.plan = p, .figures = out};
	struct state_options so = restore_state_options(p);
	uint64_t expected = load_expected(p);
	so.deliver = deliver;
	so.arg = &f;
	buf_init(&f.line, STATE_ITEM_MAX + 64);
	int rc = open_sink(&f, &e);
	if (rc < 0)
		return e.class == ERR_CONFLICT ? (cli_say("%s", e.message), EX_CANTCREAT) : cli_fail(&e);
	rc = state_init(&f.state, p->session, &so, &e);
	progress_start(&f.progress, &p->session->loop);
	f.progress.before = out->items;
	f.progress.expected = expected;
	if (rc == 0)
		rc = run(&f, &e);
	else
		sink_close(&f.sink, p->resumed);
	progress_end(&f.progress, rc == 0 ? "restored" : NULL);
	state_fini(&f.state);
	buf_fini(&f.line);
	return rc < 0 ? cli_fail(&e) : 0;
}
