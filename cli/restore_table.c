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

static int fill_table(const struct restore_plan *p, struct aws *a, struct restore_figures *out)
{
	struct fill f;
	struct err e;
	struct state_options so = restore_state_options(p);
	so.deliver = deliver;
	so.arg = &f;
	*out = restore_figures_before(p);
	int rc = fill_init(&f, p, &so, a, restore_target_name(p), out, &e);
	if (rc == 0)
		rc = fill_run(&f, &e);
	fill_fini(&f);
	return rc < 0 ? cli_fail(&e) : 0;
}

int restore_to_table(const struct restore_plan *p, struct restore_figures *out)
{
	struct restore_aws ra;
	struct schema sc = {0};
	struct target t;
	struct err e;
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
		code = target_prepare(&t, &to);
		p->journal->created = t.created;
		/* Its time to live is still to come, also when its making is not waited for. */
		if (code != 0 && t.created && journal_save(p->journal, &e) == 0)
			cli_say("not finished; the same command and --resume go on");
		if (code == 0)
			code = fill_table(p, ra.aws, out);
		if (code == 0)
			code = target_finish(&t);
		target_close(&t);
	}
	schema_fini(&sc);
	restore_aws_close(&ra, p);
	return code;
}
