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
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] diff --table T --at TIME --with TIME [OPTION]...\n"
	"Lists the items that differ between two times: A added, M modified, D deleted, from the first to the\n"
	"second. The exit status is 0 when nothing differs, 1 when something does, 3 when an item could not be\n"
	"compared, and 64 or higher after an error.\n"
	"\n"
	"      --table T              the table\n"
	"      --at TIME, --with TIME   2026-11-23T12:40:35Z (or another zone), -30m (ago), now, or latest: the\n"
	"                             last moment that is known to be complete\n"
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
	char at[CLOCK_ISO_SIZE], with[CLOCK_ISO_SIZE];
	cli_say("table %s from %s to %s: %llu items added, %llu modified, %llu deleted, of %llu keys in %.1f s",
		p->options->table, clock_iso(at, p->at_ms), clock_iso(with, p->with_ms), (unsigned long long)r->added,
		(unsigned long long)r->changed, (unsigned long long)r->removed, (unsigned long long)p->seen,
		(double)(clock_mono_ms() - began_mono_ms) / 1000);
	if (p->missing > 0)
		cli_say("%llu items could not be compared; they are named above", (unsigned long long)p->missing);
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
	return p->rows.added + p->rows.changed + p->rows.removed > 0 ? DIFFERENT : 0;
}

static int run(struct diff_plan *p)
{
	int64_t began_mono_ms = clock_mono_ms();
	struct err e;
	if (diff_times(p, &e) < 0) {
		int code = cli_fail(&e);
		return ferror(stdout) ? EX_IOERR : code;
	}
	if (p->narrow->exact && p->seen == 0) {
		cli_say("bucket %s has nothing of this item", p->session->conf->bucket);
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
		return cli_usage("diff: --with is missing: " COVER_ALLOWED);
	int code = narrow_usage(o);
	if (code == 0)
		code = cover_parse("--at", o->at, &p->at_ms);
	return code == 0 ? cover_parse("--with", o->with, &p->with_ms) : code;
}

static int compare(struct session *s, const struct options *o, struct diff_plan *p)
{
	struct schema schema = {0};
	struct narrow narrow;
	int code = narrow_init(&narrow, s, o);
	if (code == 0)
		code = schema_load(s, &schema);
	if (code == 0)
		code = cover_check(s, o, "--at", o->at, &p->at_ms);
	if (code == 0)
		code = cover_check(s, o, "--with", o->with, &p->with_ms);
	if (code == 0) {
		p->session = s;
		p->narrow = &narrow;
		p->rows.schema = &schema;
		p->rows.folder = s->data_path;
		p->rows.names_tell = s->table->key_format == KEY_FORMAT_PATH;
		code = run(p);
	}
	schema_fini(&schema);
	narrow_fini(&narrow);
	return code;
}

int diff_run(const struct options *o)
{
	struct session s;
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
		code = compare(&s, o, &plan);
	session_close(&s);
	diff_rows_fini(&plan.rows);
	return code;
}
