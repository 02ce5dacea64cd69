/* snapshot: the verb: a table's state as files that other tools read. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "cover.h"
#include "restore.h"
#include "schema.h"
#include "snapshot.h"

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
	"      --file-size SIZE       lines of a data file, about (default 32MiB); a run that goes on does again what "
	"is "
	"in\n"
	"                             four of them at most\n"
	"      --prefix TEXT, --hash VALUE, --tenant VALUE   only a part of the table, as restore has them\n"
	"      --resume               go on with the same command that was stopped, behind the files that are whole\n"
	"      --clean-up             remove what the same command has left that was stopped\n"
	"      --journal FILE         where that is noted (default: in the folder, or beside the one file; of a bucket "
	"in\n"
	"                             ~/.local/state/ddb-streamctl)\n"
	"      --dry-run              say what would be read and written, and what AWS would charge\n"
	"      --force                even when the backup is not known to be complete at TIME\n"
	"  -o, --output FORMAT        text (the default) or json\n";

static void report(const struct options *o, const struct snapshot *sn)
{
	const struct export_figures *f = export_figures(sn->export);
	char iso[CLOCK_ISO_SIZE];
	clock_iso(iso, sn->at.ms);
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

static int run(struct snapshot *sn, const struct options *o, const struct export_options *eo)
{
	struct err e;
	int code = snapshot_write(sn, eo);
	if (code == 0 && journal_end(sn->journal, false, &e) < 0)
		code = cli_fail(&e);
	if (code == 0)
		report(o, sn);
	if (code == 0 && sn->missing > 0) {
		cli_say("%llu items could not be had; they are named above", (unsigned long long)sn->missing);
		code = CLI_INCOMPLETE;
	}
	snapshot_close(sn);
	return code;
}

static int look_ahead(struct session *s, const struct options *o, const struct narrow *n, int64_t at_ms)
{
	const struct restore_plan plan = {
		.session = s,
		.options = o,
		.at = {.ms = at_ms},
		.since_ms = CLOCK_UNKNOWN,
		.narrow = n,
	};
	struct restore_figures f = {0};
	int code = restore_dry(&plan, &f);
	return code == 0 && f.missing > 0 ? CLI_INCOMPLETE : code;
}

/* --- the journal --- */

/* malloc'd; NULL without memory, or after a failure that `e` tells. */
static char *journal_path(const struct options *o, const json_t *what, struct err *e)
{
	char *path = NULL;
	err_set(e, ERR_SYSTEM, "out of memory");
	if (o->journal != NULL)
		return strdup(o->journal);
	if (snapshot_is_bucket(o->to))
		return journal_default_path(what, NULL, e);
	if (o->format == NULL || strcmp(o->format, "replicator") != 0)
		return journal_default_path(what, o->to, e);
	return asprintf(&path, "%s.journal", o->to) < 0 ? NULL : path;
}

static int open_journal(struct session *s, const struct options *o, struct journal *j)
{
	json_t *what = restore_what(s, o);
	struct err e;
	char *path = what != NULL ? journal_path(o, what, &e) : NULL;
	if (path == NULL) {
		json_decref(what);
		return what != NULL ? cli_fail(&e) : (cli_say("out of memory"), EX_OSERR);
	}
	journal_init(j, path, what);
	j->folders = o->journal == NULL && snapshot_is_bucket(o->to);
	/* A run that was stopped has files and uploads, which nobody else knows of. */
	if (!o->resume && !o->clean_up)
		return snapshot_left(journal_refuse(j), o->to);
	return snapshot_left(journal_resume(j), o->to);
}

/* The moment; that of a run that goes on is the one that it began with. */
static int find_time(struct session *s, const struct options *o, struct journal *j)
{
	const char *at = o->at != NULL ? o->at : "latest";
	int code = 0;
	if (o->resume || o->clean_up)
		return 0;
	code = cover_parse("--at", at, &j->at_ms);
	return code == 0 ? cover_check(s, o, "--at", at, &j->at_ms) : code;
}

static int act(struct session *s, const struct options *o, const struct narrow *n, struct journal *j,
	       struct export_options *eo)
{
	struct schema sc = {0};
	int code = schema_load(s, &sc);
	eo->table_arn = json_string_value(json_object_get(sc.table, "TableArn"));
	eo->table_id = json_string_value(json_object_get(sc.table, "TableId"));
	eo->at_ms = j->at_ms;
	struct snapshot sn = {
		.session = s,
		.narrow = n,
		.at = {.ms = j->at_ms},
		.since_ms = CLOCK_UNKNOWN,
		.expected = narrow_is_part(n) ? 0 : schema_item_count(&sc),
		.journal = j,
		.resumed = o->resume,
	};
	if (code == 0)
		code = o->dry_run ? look_ahead(s, o, n, j->at_ms) : run(&sn, o, eo);
	schema_fini(&sc);
	return code;
}

static int snapshot(struct session *s, const struct options *o, struct export_options *eo)
{
	struct narrow n;
	struct journal j;
	journal_init(&j, NULL, NULL);
	eo->stop = &s->stop;
	int code = narrow_init(&n, s, o);
	if (code == 0)
		code = snapshot_check(s, o->to);
	if (code == 0 && !o->dry_run)
		code = open_journal(s, o, &j);
	if (code == 0)
		code = find_time(s, o, &j);
	if (code == 0)
		code = o->clean_up ? snapshot_give_up(s, &j, eo) : act(s, o, &n, &j, eo);
	narrow_fini(&n);
	journal_fini(&j);
	return code;
}

static int check_usage(const struct options *o, struct export_options *eo)
{
	int64_t ms;
	if (o->table == NULL)
		return cli_usage("snapshot: --table is missing");
	if (o->to == NULL || o->to[0] == '\0')
		return cli_usage("snapshot: --to is missing: s3://BUCKET/PREFIX/, or a folder");
	if (o->format != NULL && strcmp(o->format, "replicator") == 0)
		eo->format = EXPORT_REPLICATOR;
	else if (o->format != NULL && strcmp(o->format, "dynamodb") != 0)
		return cli_usage("--format %s: allowed are dynamodb and replicator", o->format);
	if (o->dry_run + o->resume + o->clean_up > 1)
		return cli_usage("snapshot: of --dry-run, --resume and --clean-up only one can be given");
	int code = snapshot_file_size(o, eo);
	if (code == 0)
		code = narrow_usage(o);
	return code == 0 && o->at != NULL ? cover_parse("--at", o->at, &ms) : code;
}

int snapshot_run(const struct options *o)
{
	struct session s;
	struct export_options eo = {
		.to = o->to,
		.table_name = o->table,
		.start_ms = clock_wall_ms(),
		.seed = (uint64_t)clock_wall_ms(),
	};
	int code = check_usage(o, &eo);
	if (code != 0)
		return code;
	code = session_open(&s, o);
	if (code == 0)
		code = snapshot(&s, o, &eo);
	session_close(&s);
	return code;
}
