#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/units.h"
#include "cli.h"
#include "export_place.h"
#include "progress.h"

struct run {
	struct snapshot *snapshot;
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
		state_fail(&r->snapshot->state, rc, &e);
	r->progress.items = export_figures(x)->items;
	r->progress.bytes = export_figures(x)->bytes;
	state_done(si);
	return true;
}

static void deliver(struct state_item *si, void *arg)
{
	struct run *r = arg;
	const struct span body = {buf_str(&si->at[0].body), si->at[0].body.len};
	r->progress.seen = r->snapshot->state.seen;
	if (si->problem[0] != '\0')
		missing(r, si);
	else if (!narrow_has(r->snapshot->narrow, body))
		state_done(si);
	else if (!offer(r, si))
		state_block(&r->snapshot->state, r->waiting = si);
}

static void on_ready(void *arg)
{
	struct run *r = arg;
	struct state_item *si = r->waiting;
	if (si == NULL || r->snapshot->state.finished)
		return;
	r->waiting = NULL;
	if (offer(r, si))
		state_block(&r->snapshot->state, NULL);
	else
		r->waiting = si;
}

/* --- the journal --- */

static void on_cut(void *arg)
{
	struct snapshot *sn = arg;
	const struct export_figures *f = export_figures(sn->export);
	const struct journal now = {.ranges = &sn->state.ranges};
	json_decref(sn->cut_position);
	sn->cut_position = journal_position(&now);
	sn->cut_items = f->items;
	sn->cut_bytes = f->bytes;
	sn->cut_missing = sn->missing;
}

static int keep(void *arg, json_t *state, bool whole, struct err *e)
{
	struct snapshot *sn = arg;
	struct journal *j = sn->journal;
	if (j->more == NULL)
		j->more = json_object();
	if (state == NULL || json_object_set_new(j->more, "export", state) < 0 || (whole && sn->cut_position == NULL))
		return err_set(e, ERR_SYSTEM, "out of memory");
	if (whole) {
		json_decref(j->position);
		j->position = json_incref(sn->cut_position);
		j->items = sn->cut_items;
		j->bytes = sn->cut_bytes;
		j->missing = sn->cut_missing;
	}
	return journal_save(j, e);
}

/* After a failure. What was saved last is what stays: what could not be saved tells of files that are taken away. */
static void end_journal(const struct snapshot *sn, bool kept, struct err *e)
{
	if (kept)
		err_prefix(e, "not finished; the same command and --resume go on");
	else
		journal_end(sn->journal, false, NULL);
}

static int write_all(struct run *r, struct err *e)
{
	struct session *s = r->snapshot->session;
	progress_start(&r->progress, &s->loop);
	r->progress.before = export_figures(r->snapshot->export)->items;
	r->progress.expected = r->snapshot->expected;
	export_on_ready(r->snapshot->export, on_ready, r);
	state_start(&r->snapshot->state);
	int rc = state_run(&r->snapshot->state, e);
	if (rc == 0)
		rc = export_finish(r->snapshot->export, &s->stop, e);
	progress_end(&r->progress, rc == 0 ? "written" : NULL);
	return rc;
}

/* Is the object `key`, or what lies below it, in `folder`, which ends in a slash? */
static bool is_within(const char *key, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(key, folder, n) == 0 || (strlen(key) == n - 1 && strncmp(key, folder, n - 1) == 0);
}

/* Refuses `key` among the objects of a table, or where those lie that tell of tables. */
static int check_table(const struct config_table *t, const char *to, const char *key)
{
	char *data = config_data_path(t), *meta = config_meta_path(t);
	const char *among = NULL;
	int code = 0;
	if (data == NULL || meta == NULL) {
		cli_say("out of memory");
		code = EX_OSERR;
		goto out;
	}
	meta[strlen(meta) - strlen(t->name) - 1] = '\0';
	if (is_within(key, data))
		among = data;
	else if (is_within(key, meta))
		among = meta;
	if (among != NULL)
		code = cli_usage("%s lies among the objects of the backup (%s): name another place", to, among);
out:
	free(data);
	free(meta);
	return code;
}

int snapshot_check(const struct session *s, const char *to)
{
	const struct config *c = s->conf;
	size_t n = strlen(c->bucket);
	int code = 0;
	if (!snapshot_is_bucket(to) || strncmp(to + 5, c->bucket, n) != 0 || to[5 + n] != '/')
		return 0;
	for (size_t i = 0; code == 0 && i < c->ntables; i++)
		code = check_table(&c->tables[i], to, to + 5 + n + 1);
	return code;
}

bool snapshot_is_bucket(const char *to)
{
	return strncmp(to, "s3://", 5) == 0;
}

int snapshot_left(int code, const char *to)
{
	if (code == EX_DATAERR)
		cli_say("what that run has written lies below %s, in a folder without manifest-summary.json, and in "
			"unfinished uploads: remove them, too",
			to);
	return code;
}

int snapshot_file_size(const struct options *o, struct export_options *eo)
{
	if (o->file_size == NULL ||
	    (units_size_bytes(o->file_size, &eo->file_bytes) && eo->file_bytes >= EXPORT_FILE_BYTES_MIN &&
	     eo->file_bytes <= EXPORT_FILE_BYTES_MAX))
		return 0;
	return cli_usage("--file-size %s: with a unit, from 64KiB to 4GiB, such as 32MiB", o->file_size);
}

/* As if nothing could be compressed: a part each 5 MiB, two more requests for a file, and what lies beside them. */
uint64_t snapshot_requests_most(uint64_t bytes)
{
	return bytes / S3_PART_BYTES_MIN + 3 * (bytes / EXPORT_FILE_BYTES + EXPORT_LANES) + EXPORT_SMALL_FILES;
}

/* Says why there is no export. */
static int refuse(const struct err *e)
{
	bool usage = e->class == ERR_INVALID && e->http_status == 0;
	int code = cli_fail(e);
	return usage ? EX_USAGE : e->class == ERR_CONFLICT ? EX_CANTCREAT : code;
}

static const json_t *noted(const struct journal *j)
{
	return json_object_get(j->more, "export");
}

int snapshot_write(struct snapshot *sn, const struct export_options *given)
{
	struct run r = {.snapshot = sn};
	struct journal *j = sn->journal;
	struct export_options eo = *given;
	const struct state_options so = {
		.at = {sn->at},
		.ntimes = 1,
		.since_ms = sn->since_ms,
		.bodies = true,
		.prefix = buf_str(&sn->narrow->prefix),
		.exact = sn->narrow->exact,
		.bounds = sn->resumed ? j->bounds : NULL,
		.nbounds = sn->resumed ? j->nbounds : 0,
		.deliver = deliver,
		.arg = &r,
	};
	struct err e;
	if (sn->resumed && !export_can_resume(noted(j), eo.format)) {
		journal_damaged(j, &e);
		return snapshot_left(cli_fail(&e), eo.to);
	}
	sn->missing = j->missing;
	sn->keeper = (struct export_keeper){.cut = on_cut, .keep = keep, .arg = sn};
	eo.keeper = &sn->keeper;
	eo.resume = sn->resumed ? noted(j) : NULL;
	sn->export = export_new(&sn->session->aws, &eo, &e);
	if (sn->export == NULL) {
		if (!sn->resumed)
			journal_end(j, false, NULL);
		return refuse(&e);
	}
	int rc = state_init(&sn->state, sn->session, &so, &e);
	if (rc == 0)
		rc = write_all(&r, &e);
	state_fini(&sn->state);
	if (rc < 0)
		end_journal(sn, export_kept(sn->export), &e);
	return rc < 0 ? cli_fail(&e) : 0;
}

void snapshot_close(struct snapshot *sn)
{
	if (sn->export != NULL)
		export_free(sn->export);
	sn->export = NULL;
	json_decref(sn->cut_position);
	sn->cut_position = NULL;
}

int snapshot_give_up(struct session *s, struct journal *j, const struct export_options *given)
{
	struct export_options eo = *given;
	struct err e;
	eo.resume = noted(j);
	if (!export_can_resume(eo.resume, eo.format)) {
		journal_damaged(j, &e);
		return snapshot_left(cli_fail(&e), eo.to);
	}
	int rc = export_discard(&s->aws, &eo, &e);
	if (rc == 0)
		rc = journal_end(j, false, &e);
	return rc < 0 ? refuse(&e) : 0;
}
