/* snapshot: the verb: a table's state as files that other tools read. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli.h"
#include "cover.h"
#include "export.h"
#include "narrow.h"
#include "progress.h"
#include "schema.h"
#include "state.h"

const char snapshot_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] snapshot --table T --to DESTINATION [OPTION]...\n"
	"Writes the items of the table as they were at a time, in DynamoDB's own export format, which ImportTable,\n"
	"Athena, Glue and EMR read.\n"
	"\n"
	"      --table T              the table\n"
	"      --to DESTINATION       s3://BUCKET/PREFIX/, or a folder; with --format replicator the file itself\n"
	"      --at TIME              2026-11-23T12:40:35Z (or another zone), -30m (ago), now, or latest (the\n"
	"                             default): the last moment that is known to be complete\n"
	"      --format NAME          dynamodb (the default), or replicator: the one file that dynamodb-replicator's\n"
	"                             incremental-snapshot writes\n"
	"      --prefix TEXT, --hash VALUE, --tenant VALUE   only a part of the table, as restore has them\n"
	"      --force                even when the backup is not known to be complete at TIME\n"
	"  -o, --output FORMAT        text (the default) or json\n";

struct snapshot {
	struct state state;
	struct export *export;
	struct progress progress;
	const struct narrow *narrow;
	struct state_item *waiting; /* the export had no room for it */
	uint64_t missing;
};

static void missing(struct snapshot *sn, struct state_item *si)
{
	char shown[1100];
	sn->missing++;
	progress_clear(&sn->progress);
	cli_say("%s: %s", state_key(si, shown), si->problem);
	state_done(si);
}

/* Offers the item to the export; false when it has to wait. */
static bool offer(struct snapshot *sn, struct state_item *si)
{
	const struct span body = {buf_str(&si->at[0].body), si->at[0].body.len};
	struct err e;
	int rc = export_add(sn->export, body, &e);
	if (rc == 1)
		return false;
	if (rc < 0)
		state_fail(&sn->state, rc, &e);
	sn->progress.items = export_figures(sn->export)->items;
	sn->progress.bytes = export_figures(sn->export)->bytes;
	state_done(si);
	return true;
}

static void deliver(struct state_item *si, void *arg)
{
	struct snapshot *sn = arg;
	sn->progress.seen = sn->state.seen;
	if (si->problem[0] != '\0')
		missing(sn, si);
	else if (!narrow_has(sn->narrow, (struct span){buf_str(&si->at[0].body), si->at[0].body.len}))
		state_done(si);
	else if (!offer(sn, si))
		state_block(&sn->state, sn->waiting = si);
}

static void on_ready(void *arg)
{
	struct snapshot *sn = arg;
	struct state_item *si = sn->waiting;
	if (si == NULL || sn->state.finished)
		return;
	sn->waiting = NULL;
	if (offer(sn, si))
		state_block(&sn->state, NULL);
	else
		sn->waiting = si;
}

static void report(const struct options *o, const struct snapshot *sn, int64_t at_ms)
{
	const struct export_figures *f = export_figures(sn->export);
	char iso[CLOCK_ISO_SIZE];
	clock_iso(iso, at_ms);
	if (!o->json) {
		printf("%s: table %s at %s, %llu items in %llu files, %llu bytes (%llu stored)\n",
		       export_manifest(sn->export), o->table, iso, (unsigned long long)f->items,
		       (unsigned long long)f->files, (unsigned long long)f->bytes, (unsigned long long)f->stored_bytes);
		return;
	}
	json_t *r = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "verb", "snapshot", "table", o->table,
			      "at", iso, "manifest", export_manifest(sn->export), "items", (json_int_t)f->items,
			      "files", (json_int_t)f->files, "bytes", (json_int_t)f->bytes, "stored_bytes",
			      (json_int_t)f->stored_bytes, "missing", (json_int_t)sn->missing);
	if (r != NULL)
		json_dumpf(r, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(r);
}

static int write_all(struct session *s, struct snapshot *sn, struct err *e)
{
	progress_start(&sn->progress, &s->loop);
	export_on_ready(sn->export, on_ready, sn);
	state_start(&sn->state);
	int rc = state_run(&sn->state, e);
	if (rc == 0)
		rc = export_finish(sn->export, &s->stop, e);
	progress_end(&sn->progress, rc == 0 ? "written" : NULL);
	return rc;
}

static int run(struct session *s, const struct options *o, const struct narrow *n, const struct export_options *eo)
{
	struct snapshot sn = {.narrow = n};
	const struct state_options so = {
		.at = {{.ms = eo->at_ms}},
		.ntimes = 1,
		.since_ms = CLOCK_UNKNOWN,
		.bodies = true,
		.prefix = buf_str(&n->prefix),
		.exact = n->exact,
		.deliver = deliver,
		.arg = &sn,
	};
	struct err e;
	int code = 0;
	sn.export = export_new(&s->aws, eo, &e);
	if (sn.export == NULL)
		return e.class == ERR_CONFLICT ? (cli_say("%s", e.message), EX_CANTCREAT) : cli_fail(&e);
	if (state_init(&sn.state, s, &so, &e) < 0 || write_all(s, &sn, &e) < 0)
		code = cli_fail(&e);
	else
		report(o, &sn, eo->at_ms);
	if (code == 0 && sn.missing > 0) {
		cli_say("%llu items could not be had; they are named above", (unsigned long long)sn.missing);
		code = CLI_INCOMPLETE;
	}
	state_fini(&sn.state);
	export_free(sn.export);
	return code;
}

static int snapshot(struct session *s, const struct options *o, enum export_format format)
{
	struct schema sc = {0};
	struct narrow n;
	const char *at = o->at != NULL ? o->at : "latest";
	int64_t at_ms = 0;
	int code = narrow_init(&n, s, o);
	if (code == 0)
		code = cover_parse("--at", at, &at_ms);
	if (code == 0)
		code = cover_check(s, o, "--at", at, &at_ms);
	if (code == 0)
		code = schema_load(s, &sc);
	const struct export_options eo = {
		.to = o->to,
		.format = format,
		.table_name = o->table,
		.table_arn = json_string_value(json_object_get(sc.table, "TableArn")),
		.table_id = json_string_value(json_object_get(sc.table, "TableId")),
		.at_ms = at_ms,
		.start_ms = clock_wall_ms(),
		.seed = (uint64_t)clock_wall_ms(),
	};
	if (code == 0)
		code = run(s, o, &n, &eo);
	schema_fini(&sc);
	narrow_fini(&n);
	return code;
}

int snapshot_run(const struct options *o)
{
	struct session s;
	enum export_format format = EXPORT_DYNAMODB_JSON;
	int64_t ms;
	if (o->table == NULL)
		return cli_usage("snapshot: --table is missing");
	if (o->to == NULL)
		return cli_usage("snapshot: --to is missing: s3://BUCKET/PREFIX/, or a folder");
	if (o->format != NULL && strcmp(o->format, "replicator") == 0)
		format = EXPORT_REPLICATOR;
	else if (o->format != NULL && strcmp(o->format, "dynamodb") != 0)
		return cli_usage("--format %s: allowed are dynamodb and replicator", o->format);
	int code = narrow_usage(o);
	if (code == 0 && o->at != NULL)
		code = cover_parse("--at", o->at, &ms);
	if (code != 0)
		return code;
	code = session_open(&s, o);
	if (code == 0)
		code = snapshot(&s, o, format);
	session_close(&s);
	return code;
}
