/* diff: the verb: what is asked for, and whether the backup can tell. */
#include "diff.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "change_print.h"
#include "cli.h"
#include "cover.h"
#include "schema.h"

#define DIFFERENT 1 /* exit code, as of diff(1) */

const char diff_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] diff --table T --at TIME --with TIME|live [OPTION]...\n"
	"Lists the items that differ between two times, or between a time and the live table: A added,\n"
	"M modified, D deleted, from the first to the second. The exit status is 0 when nothing differs,\n"
	"1 when something does, 3 when an item could not be compared, and 64 or higher after an error.\n"
	"\n"
	"      --table T              the table\n"
	"      --at TIME, --with TIME   2026-11-23T12:40:35Z (or another zone), -30m (ago), now, or latest: the\n"
	"                             last moment that is known to be complete\n"
	"      --with live            the table as it is now: all of it is read, and once more when it has items that\n"
	"                             the backup had not\n"
	"      --rate UNITS           at most so many read units of the live table a second\n"
	"      --detail               below each item its attributes: + added, - removed, ~ changed; with -o json\n"
	"                             as \"diff\"\n"
	"      --key JSON             only the item with this key, such as {\"id\":{\"S\":\"x\"}}\n"
	"      --key-value HASH [RANGE]  the same by its values alone\n"
	"      --hash VALUE           only items with this partition key\n"
	"      --prefix TEXT          only items whose object name begins so (below the table's folder)\n"
	"      --tenant VALUE         the folder of the items, with a tenant attribute\n"
	"      --force                even when the backup is not known to be complete at these times\n"
	"  -o, --output FORMAT        text (the default) or json, one object a line, with both images\n";

static void summary(const struct diff_plan *p, int64_t began_mono_ms)
{
	const struct diff_rows *r = &p->rows;
	char at[CLOCK_ISO_SIZE], with[CLOCK_ISO_SIZE] = "the live table";
	if (!p->live)
		clock_iso(with, p->with_ms);
	cli_say("table %s from %s to %s: %llu items added, %llu modified, %llu deleted, of %llu keys in %.1f s",
		p->options->table, clock_iso(at, p->at_ms), with, (unsigned long long)r->added,
		(unsigned long long)r->changed, (unsigned long long)r->removed, (unsigned long long)p->seen,
		(double)(clock_mono_ms() - began_mono_ms) / 1000);
	if (p->read_units > 0)
		cli_say("reading the live table took %.0f read units", p->read_units);
	if (p->missing > 0)
		cli_say("%llu items could not be compared; they are named above", (unsigned long long)p->missing);
}

static uint64_t differences(const struct diff_plan *p)
{
	return p->rows.added + p->rows.changed + p->rows.removed;
}

/* Differences that nobody could read were not told. */
static int tell_result(const struct diff_plan *p)
{
	if (fflush(stdout) != 0) {
		cli_say("standard output could not be written");
		return EX_IOERR;
	}
	if (p->missing > 0)
		return CLI_INCOMPLETE;
	return differences(p) > 0 ? DIFFERENT : 0;
}

static int run(struct diff_plan *p)
{
	int64_t began_mono_ms = clock_mono_ms();
	struct err e;
	if ((p->live ? diff_live(p, &e) : diff_times(p, &e)) < 0) {
		int code = cli_fail(&e);
		return ferror(stdout) ? EX_IOERR : code;
	}
	if (p->narrow->exact && p->seen == 0 && differences(p) == 0) {
		cli_say("bucket %s%s nothing of this item", p->session->conf->bucket,
			p->live ? " and the live table have" : " has");
		return EX_NOINPUT;
	}
	summary(p, began_mono_ms);
	return tell_result(p);
}

static int check_usage(const struct options *o, struct diff_plan *p)
{
	if (o->table == NULL)
		return cli_usage("diff: --table is missing");
	if (o->at == NULL)
		return cli_usage("diff: --at is missing: " COVER_ALLOWED);
	if (o->with == NULL)
		return cli_usage("diff: --with is missing: live, " COVER_ALLOWED);
	p->live = strcmp(o->with, "live") == 0;
	if (o->rate != NULL && !p->live)
		return cli_usage("diff: --rate goes with --with live alone: nothing else reads a table");
	int code = narrow_usage(o);
	if (code == 0)
		code = cover_parse("--at", o->at, &p->at_ms);
	if (code == 0 && !p->live)
		code = cover_parse("--with", o->with, &p->with_ms);
	return code == 0 ? options_rate(o, "read", &p->units_per_s) : code;
}

static int load(struct session *s, const struct options *o, struct diff_plan *p, struct narrow *narrow,
		struct schema *schema)
{
	int code = narrow_init(narrow, s, o);
	if (code == 0)
		code = schema_load(s, schema);
	if (code == 0)
		code = cover_check(s, o, "--at", o->at, &p->at_ms);
	if (code == 0 && !p->live)
		code = cover_check(s, o, "--with", o->with, &p->with_ms);
	p->session = s;
	p->narrow = narrow;
	p->rows.schema = schema;
	p->rows.folder = s->data_path;
	p->rows.names_tell = s->table->key_format == KEY_FORMAT_PATH;
	return code;
}

int diff_run(const struct options *o)
{
	struct session s;
	struct narrow narrow = {0};
	struct schema schema = {0};
	struct diff_plan plan = {
		.options = o,
		.rows = {.json = o->json, .detail = o->detail, .columns = change_columns()},
	};
	int code = check_usage(o, &plan);
	if (code != 0)
		return code;
	diff_rows_init(&plan.rows);
	code = session_open(&s, o);
	if (code == 0)
		code = load(&s, o, &plan, &narrow, &schema);
	if (code == 0)
		code = run(&plan);
	session_close(&s);
	schema_fini(&schema);
	narrow_fini(&narrow);
	diff_rows_fini(&plan.rows);
	return code;
}
