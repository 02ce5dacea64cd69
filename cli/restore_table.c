#include <unistd.h>

#include "cli.h"
#include "fill.h"
#include "restore.h"
#include "restore_aws.h"
#include "schema.h"
#include "target.h"

static void deliver(struct state_item *si, void *arg)
{
	struct fill *f = arg;
	const struct buf *body = &si->at[0].body;
	if (si->problem[0] != '\0')
		fill_missing(f, si, si->problem);
	else if (narrow_has(f->plan->narrow, (struct span){buf_str(body), body->len}))
		fill_put(f, si);
	else
		fill_skip(f, si);
}

int restore_fill(const struct restore_plan *p, const struct schema *sc, struct aws *a, struct restore_figures *out)
{
	struct fill f;
	struct err e;
	struct state_options so = restore_state_options(p);
	so.deliver = deliver;
	so.arg = &f;
	*out = restore_figures_before(p);
	int rc = fill_init(&f, p, &so, a, restore_target_name(p), out, &e);
	f.expected = restore_expected(p, sc);
	if (rc == 0)
		rc = fill_run(&f, &e);
	fill_fini(&f);
	return rc < 0 ? cli_fail(&e) : 0;
}

/*
 * Noted before the table is made, and as if it were already: of a run that is killed while it waits for the table, the time
 * to live is still to come. The journal of a run before this one stays: only an empty table is begun anew.
 */
static int note_begin(const struct restore_plan *p, bool *noted)
{
	struct journal *j = p->journal;
	struct err e;
	*noted = !p->resumed && access(j->path, F_OK) != 0;
	if (!*noted)
		return 0;
	j->created = true;
	return journal_save(j, &e) < 0 ? cli_fail(&e) : 0;
}

/* A table that is refused is nothing to go on with; one that is perhaps being made is. */
static void end_prepare(const struct restore_plan *p, const struct target *t, bool noted, int code)
{
	struct journal *j = p->journal;
	struct err e;
	if (code == 0)
		j->created = t->created;
	else if (t->created || (noted && p->session->stop))
		cli_say("not finished; the same command and --resume go on");
	else if (noted)
		journal_end(j, false, &e);
}

int restore_to_table(const struct restore_plan *p, struct restore_figures *out)
{
	struct restore_aws ra;
	struct schema sc = {0};
	struct target t = {0};
	bool noted;
	int code = restore_aws_open(&ra, p);
	if (code != 0)
		return code;
	code = schema_load(p->session, &sc);
	const struct target_options to = {
		.session = p->session,
		.aws = ra.aws,
		.table = restore_target_name(p),
		.schema = &sc,
		.may_have_items = p->resumed,
		.made_before = p->resumed && p->journal->created,
	};
	if (code == 0) {
		code = note_begin(p, &noted);
		if (code == 0) {
			code = target_prepare(&t, &to);
			end_prepare(p, &t, noted, code);
		}
		if (code == 0)
			code = restore_fill(p, &sc, ra.aws, out);
		if (code == 0)
			code = target_finish(&t);
		target_close(&t);
	}
	schema_fini(&sc);
	restore_aws_close(&ra, p);
	return code;
}
