/* restore: the verb: what is asked for, and whether the backup can give it. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "codec/seq.h"
#include "confirm.h"
#include "cover.h"
#include "restore.h"
#include "snapshot.h"

const char restore_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] restore --table T --at TIME TARGET [OPTION]...\n"
	"Restores the items of the table as they were at TIME.\n"
	"\n"
	"      --table T              the table, as it was called when it was backed up\n"
	"      --at TIME              2026-11-23T12:40:35Z (or another zone), -30m (ago), now, or latest: the last\n"
	"                             moment that is known to be complete\n"
	"      --at-seq NUMBER        of the changes in that very second only those up to this sequence number\n"
	"\n"
	"Target, one of:\n"
	"      --to-table NAME        a table, made from the saved definition when it is not there; it must be empty\n"
	"      --to-table NAME --in-place   an existing table: puts what differs, deletes what came after TIME,\n"
	"                             and leaves alone what the backup knows nothing of\n"
	"      --to-table NAME --via-import s3://BUCKET/PREFIX/   a new table that DynamoDB imports from a snapshot "
	"which\n"
	"                             is written there: for what is too large to be written item by item\n"
	"      --to-file FILE         one item a line, as {\"Item\":{...}}; must not exist; - is standard output\n"
	"\n"
	"Which items:\n"
	"      --key JSON             only the item with this key, such as {\"id\":{\"S\":\"x\"}}\n"
	"      --key-value HASH [RANGE]  the same by its values alone\n"
	"      --hash VALUE           only items with this partition key\n"
	"      --prefix TEXT          only items whose object name begins so (below the table's folder)\n"
	"      --tenant VALUE         the folder of the items, with a tenant attribute\n"
	"      --since TIME           only items that changed after TIME; with --in-place the table is not read\n"
	"\n"
	"How:\n"
	"      --dry-run              say what would be read and written, and what AWS would charge\n"
	"      --rate UNITS           at most so many write units a second\n"
	"      --resume               go on with the same command that was stopped\n"
	"      --clean-up             remove the snapshot of a --via-import that was stopped before its import began\n"
	"      --file-size SIZE       of that snapshot, as snapshot has it\n"
	"      --journal FILE         where that is noted (default: beside the file, or in "
	"~/.local/state/ddb-streamctl)\n"
	"      --to-region NAME       of the table that is written, when the bucket lies in another one\n"
	"      --yes                  do not ask before a table is changed in place\n"
	"      --force                even when the backup is not known to be complete at TIME\n"
	"  -o, --output FORMAT        of the last line: text (the default, on standard error) or json\n";

static void report_json(const struct restore_plan *p, const struct restore_figures *f)
{
	const struct options *o = p->options;
	char iso[CLOCK_ISO_SIZE];
	json_t *r = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "verb", "restore", "table",
			      o->table, "at", clock_iso(iso, p->at.ms), "target",
			      o->to_file ? o->to_file : restore_target_name(p), "items", (json_int_t)f->items, "bytes",
			      (json_int_t)f->bytes, "removed", (json_int_t)f->removed, "same", (json_int_t)f->same,
			      "unknown", (json_int_t)f->unknown, "missing", (json_int_t)f->missing);
	if (r != NULL)
		json_dumpf(r, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(r);
}

static int run_kind(const struct restore_plan *p, struct restore_figures *f)
{
	const struct options *o = p->options;
	if (o->dry_run)
		return o->via_import != NULL ? restore_import_dry(p, f) : restore_dry(p, f);
	if (o->to_file != NULL)
		return restore_to_file(p, f);
	if (o->clean_up)
		return restore_import_give_up(p, f);
	if (o->via_import != NULL)
		return restore_by_import(p, f);
	return o->in_place ? restore_in_place(p, f) : restore_to_table(p, f);
}

static int run(const struct restore_plan *p)
{
	struct restore_figures f = {0};
	int code = run_kind(p, &f);
	if (code != 0 || p->options->clean_up)
		return code;
	if (p->options->json && !p->options->dry_run)
		report_json(p, &f);
	else if (p->options->in_place && !p->options->dry_run)
		cli_say("table %s: %llu items put, %llu deleted, %llu were equal", restore_target_name(p),
			(unsigned long long)f.items, (unsigned long long)f.removed, (unsigned long long)f.same);
	if (f.unknown > 0)
		cli_say("%llu items of table %s are not in the backup at all, and were left as they are",
			(unsigned long long)f.unknown, restore_target_name(p));
	if (f.missing > 0)
		cli_say("%llu items could not be had; they are named above", (unsigned long long)f.missing);
	if (f.missing > 0 || f.unknown > 0)
		return CLI_INCOMPLETE;
	if (p->narrow->exact && f.items + f.removed + f.same == 0) {
		cli_say("table %s had no such item then", p->options->table);
		return EX_NOINPUT;
	}
	return 0;
}

/* --- what is asked for --- */

/* Amazon DynamoDB Developer Guide, "Naming rules". */
static bool is_table_name(const char *name)
{
	size_t len = strlen(name);
	return len >= 3 && len <= 255 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

static int check_target(const struct options *o)
{
	if (o->to_table != NULL && !is_table_name(o->to_table))
		return cli_usage("--to-table %s: a table's name has 3 to 255 of A-Z, a-z, 0-9, _, . and -",
				 o->to_table);
	if (o->to_file == NULL && o->to_table == NULL && !o->in_place)
		return cli_usage("restore: --to-table or --to-file is missing (- is standard output)");
	if (o->to_file != NULL && (o->to_table != NULL || o->in_place || o->to_region != NULL || o->rate != NULL))
		return cli_usage("restore: --to-file goes without --to-table, --in-place, --to-region and --rate");
	if (o->to_file != NULL && strcmp(o->to_file, "-") == 0 && (o->resume || o->json))
		return cli_usage("restore: --to-file - goes without --resume and --output json");
	if (o->via_import != NULL && (o->to_table == NULL || o->in_place || o->rate != NULL))
		return cli_usage("restore: --via-import needs --to-table, and goes without --in-place and --rate");
	if (o->via_import == NULL && (o->clean_up || o->file_size != NULL))
		return cli_usage("restore: --clean-up and --file-size are for --via-import");
	struct export_options eo = {0};
	if (snapshot_file_size(o, &eo) != 0)
		return EX_USAGE;
	if (o->via_import != NULL && strncmp(o->via_import, "s3://", 5) != 0)
		return cli_usage("--via-import %s: s3://BUCKET/PREFIX/, where the snapshot is written", o->via_import);
	if (o->dry_run + o->resume + o->clean_up > 1)
		return cli_usage("restore: of --dry-run, --resume and --clean-up only one can be given");
	return 0;
}

static int check_usage(const struct options *o, double *units_per_s)
{
	int64_t ms;
	if (o->table == NULL)
		return cli_usage("restore: --table is missing");
	if (o->at == NULL)
		return cli_usage("restore: --at is missing: %s", COVER_ALLOWED);
	int code = check_target(o);
	if (code == 0)
		code = narrow_usage(o);
	if (code == 0)
		code = cover_parse("--at", o->at, &ms);
	if (code == 0 && o->since != NULL)
		code = cover_parse("--since", o->since, &ms);
	if (code == 0 && o->at_seq != NULL && !seq_valid(span_of(o->at_seq)))
		code = cli_usage("--at-seq %s: a sequence number is digits, as history shows it", o->at_seq);
	return code == 0 ? options_rate(o, "write", units_per_s) : code;
}

/* --- the journal --- */

static int open_journal(struct session *s, const struct options *o, struct journal *j)
{
	struct err e;
	char *path = NULL;
	bool wanted = !o->dry_run && (o->to_file == NULL || strcmp(o->to_file, "-") != 0);
	json_t *what = restore_what(s, o);
	if (what == NULL) {
		cli_say("out of memory");
		return EX_OSERR;
	}
	if (wanted && o->journal != NULL)
		path = strdup(o->journal);
	else if (wanted && o->to_file != NULL && asprintf(&path, "%s.journal", o->to_file) < 0)
		path = NULL;
	else if (wanted && o->to_file == NULL && (path = journal_default_path(what, NULL, &e)) == NULL) {
		json_decref(what);
		return cli_fail(&e);
	}
	journal_init(j, path, what);
	j->folders = o->journal == NULL && o->to_file == NULL;
	/* What a run that was stopped has written to a bucket is known by its journal alone. */
	if (wanted && o->via_import != NULL && !o->resume && !o->clean_up)
		return snapshot_left(journal_refuse(j), o->via_import);
	if (!o->resume && !o->clean_up)
		return 0;
	int code = journal_resume(j);
	return o->via_import != NULL ? snapshot_left(code, o->via_import) : code;
}

static int find_time(struct session *s, const struct options *o, const char *option, const char *text, int64_t *ms)
{
	int code = cover_parse(option, text, ms);
	return code == 0 ? cover_check(s, o, option, text, ms) : code;
}

/* The moments; those of a run that goes on are the ones that it began with. */
static int find_times(struct session *s, const struct options *o, struct restore_plan *p)
{
	struct journal *j = p->journal;
	int code = 0;
	if (o->resume || o->clean_up) {
		p->at.ms = j->at_ms;
		p->since_ms = j->since_ms;
	} else {
		code = find_time(s, o, "--at", o->at, &p->at.ms);
		if (code == 0 && o->since != NULL)
			code = find_time(s, o, "--since", o->since, &p->since_ms);
		j->at_ms = p->at.ms;
		j->since_ms = p->since_ms;
	}
	if (o->at_seq != NULL) {
		/* Event times have whole seconds: the number decides within all of that one. */
		p->at.seq = o->at_seq;
		p->at.ms += 999 - p->at.ms % 1000;
	}
	return code;
}

static int confirm(struct session *s, const struct restore_plan *p)
{
	const struct options *o = p->options;
	char iso[CLOCK_ISO_SIZE];
	if (!o->in_place || o->dry_run || o->yes)
		return 0;
	cli_say("table %s will be made equal to table %s as it was at %s", restore_target_name(p), o->table,
		clock_iso(iso, p->at.ms));
	return confirm_word(s, "table's name", restore_target_name(p));
}

static int restore(struct session *s, const struct options *o, double units_per_s)
{
	struct journal j;
	struct narrow n;
	struct restore_plan plan = {
		.session = s,
		.options = o,
		.since_ms = CLOCK_UNKNOWN,
		.narrow = &n,
		.units_per_s = units_per_s,
		.journal = &j,
		.resumed = o->resume,
	};
	journal_init(&j, NULL, NULL);
	int code = narrow_init(&n, s, o);
	if (code == 0)
		code = open_journal(s, o, &j);
	if (code == 0)
		code = find_times(s, o, &plan);
	if (code == 0)
		code = confirm(s, &plan);
	if (code == 0)
		code = run(&plan);
	narrow_fini(&n);
	journal_fini(&j);
	return code;
}

int restore_run(const struct options *o)
{
	struct session s;
	double units_per_s = 0;
	int code = check_usage(o, &units_per_s);
	if (code != 0)
		return code;
	code = session_open(&s, o);
	if (code == 0)
		code = restore(&s, o, units_per_s);
	session_close(&s);
	return code;
}
