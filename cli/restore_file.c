#include <stdlib.h>

#include "cli.h"
#include "progress.h"
#include "restore.h"
#include "sink.h"

struct file_target {
	struct state state;
	struct sink sink;
	struct progress progress;
	struct restore_figures *figures;
	struct buf line;
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
	char shown[1100];
	struct err e;
	f->progress.seen = f->state.seen;
	if (si->problem[0] != '\0') {
		f->figures->missing++;
		progress_clear(&f->progress);
		cli_say("%s: %s", state_key(si, shown), si->problem);
	} else {
		int rc = write_line(f, &si->at[0].body, &e);
		if (rc < 0)
			state_fail(&f->state, rc, &e);
		else
			f->progress.items = ++f->figures->items;
		f->progress.bytes = f->figures->bytes = f->sink.bytes;
	}
	state_done(si);
}

int restore_to_file(const struct restore_plan *p, struct restore_figures *out, struct err *e)
{
	struct file_target f = {.figures = out};
	struct state_options so = restore_state_options(p);
	so.deliver = deliver;
	so.arg = &f;
	buf_init(&f.line, STATE_ITEM_MAX + 64);
	int rc = sink_open(&f.sink, p->options->to_file, e);
	if (rc < 0)
		return rc;
	rc = state_init(&f.state, p->session, &so, e);
	progress_start(&f.progress, &p->session->loop);
	if (rc == 0) {
		state_start(&f.state);
		rc = state_run(&f.state, e);
	}
	if (rc == 0)
		rc = sink_commit(&f.sink, e);
	progress_end(&f.progress, rc == 0 ? "restored" : NULL);
	state_fini(&f.state);
	sink_close(&f.sink);
	buf_fini(&f.line);
	return rc;
}
