/* snapshot: the verb: a table's state as files that other tools read. */
#include <jansson.h>
#include <stdio.h>
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
	"      --prefix TEXT, --hash VALUE, --tenant VALUE   only a part of the table, as restore has them\n"
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
	int code = snapshot_write(sn, eo);
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

static int snapshot(struct session *s, const struct options *o, enum export_format format)
{
	struct schema sc = {0};
	struct narrow n;
	const char *at = o->at != NULL ? o->at : "latest";
	int64_t at_ms = 0;
	int code = narrow_init(&n, s, o);
	if (code == 0)
		code = snapshot_check(s, o->to);
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
		.stop = &s->stop,
	};
	struct snapshot sn = {.session = s, .narrow = &n, .at = {.ms = at_ms}, .since_ms = CLOCK_UNKNOWN};
	sn.expected = narrow_is_part(&n) ? 0 : schema_item_count(&sc);
	if (code == 0)
		code = o->dry_run ? look_ahead(s, o, &n, at_ms) : run(&sn, o, &eo);
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
