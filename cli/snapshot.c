#include "snapshot.h"

#include <string.h>

#include "cli.h"
#include "progress.h"
#include "state.h"

struct run {
	struct snapshot *snapshot;
	struct state state;
	struct progress progress;
	struct state_item *waiting; /* the export had no room for it */
};

static void missing(struct run *r, struct state_item *si)
{
	char shown[1100];
	r->snapshot->missing++;
	progress_clear(&r->progress);
	cli_say("%s: %s", state_key(si, shown), si->problem);
	state_done(si);
}

/* Offers the item to the export; false when it has to wait. */
static bool offer(struct run *r, struct state_item *si)
{
	const struct span body = {buf_str(&si->at[0].body), si->at[0].body.len};
	struct export *x = r->snapshot->export;
	struct err e;
	int rc = export_add(x, body, &e);
	if (rc == 1)
		return false;
	if (rc < 0)
		state_fail(&r->state, rc, &e);
	r->progress.items = export_figures(x)->items;
	r->progress.bytes = export_figures(x)->bytes;
	state_done(si);
	return true;
}

static void deliver(struct state_item *si, void *arg)
{
	struct run *r = arg;
	const struct span body = {buf_str(&si->at[0].body), si->at[0].body.len};
	r->progress.seen = r->state.seen;
	if (si->problem[0] != '\0')
		missing(r, si);
	else if (!narrow_has(r->snapshot->narrow, body))
		state_done(si);
	else if (!offer(r, si))
		state_block(&r->state, r->waiting = si);
}

static void on_ready(void *arg)
{
	struct run *r = arg;
	struct state_item *si = r->waiting;
	if (si == NULL || r->state.finished)
		return;
	r->waiting = NULL;
	if (offer(r, si))
		state_block(&r->state, NULL);
	else
		r->waiting = si;
}

static int write_all(struct run *r, struct err *e)
{
	struct session *s = r->snapshot->session;
	progress_start(&r->progress, &s->loop);
	export_on_ready(r->snapshot->export, on_ready, r);
	state_start(&r->state);
	int rc = state_run(&r->state, e);
	if (rc == 0)
		rc = export_finish(r->snapshot->export, &s->stop, e);
	progress_end(&r->progress, rc == 0 ? "written" : NULL);
	return rc;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

int snapshot_check(const struct session *s, const char *to)
{
	const char *bucket = s->conf->bucket, *key;
	const char *const ours[] = {s->data_path, s->meta_path};
	if (!begins(to, "s3://") || !begins(to + 5, bucket))
		return 0;
	key = to + 5 + strlen(bucket);
	if (*key != '/')
		return 0;
	for (size_t i = 0; i < 2; i++)
		if (begins(key + 1, ours[i]))
			return cli_usage("%s lies among the objects of the backup (%s): name another place", to,
					 ours[i]);
	return 0;
}

int snapshot_write(struct snapshot *sn, const struct export_options *eo)
{
	struct run r = {.snapshot = sn};
	const struct state_options so = {
		.at = {sn->at},
		.ntimes = 1,
		.since_ms = sn->since_ms,
		.bodies = true,
		.prefix = buf_str(&sn->narrow->prefix),
		.exact = sn->narrow->exact,
		.deliver = deliver,
		.arg = &r,
	};
	struct err e;
	sn->missing = 0;
	sn->export = export_new(&sn->session->aws, eo, &e);
	if (sn->export == NULL)
		return e.class == ERR_CONFLICT ? (cli_say("%s", e.message), EX_CANTCREAT) : cli_fail(&e);
	int rc = state_init(&r.state, sn->session, &so, &e);
	if (rc == 0)
		rc = write_all(&r, &e);
	state_fini(&r.state);
	return rc < 0 ? cli_fail(&e) : 0;
}

void snapshot_close(struct snapshot *sn)
{
	if (sn->export != NULL)
		export_free(sn->export);
	sn->export = NULL;
}
