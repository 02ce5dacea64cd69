/* drill: the verb. */
#include "drill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "codec/encode.h"
#include "cover.h"
#include "restore.h"

const char drill_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] drill --table T [--at TIME] [--to-file] [OPTION]...\n"
	"Restores the table into a throwaway one, compares that with the bucket and, without --at, with the\n"
	"live table, deletes it, and puts on record whether that worked, how old the data were and how long it\n"
	"took. The exit status is 0 when it passed, 3 when something differs.\n"
	"\n"
	"      --table T              the table\n"
	"      --at TIME              as it was then (default: latest, the last moment that is known to be complete)\n"
	"      --into NAME            of the throwaway table (default: T-drill-, and the time)\n"
	"      --to-file              into a throwaway file instead, in TMPDIR: without writing to DynamoDB\n"
	"      --clean-up             delete what earlier drills have left behind for over a day\n"
	"      --rate UNITS           at most so many write units of the throwaway table, and read units of the live\n"
	"                             one, a second\n"
	"      --force                even when the backup is not known to be complete at TIME\n"
	"  -o, --output FORMAT        text (the default): a finding a line; or json: the result with all findings\n";

#define NAME_MAX_LENGTH 255

static int check_usage(const struct options *o, double *units_per_s, int64_t *at_ms)
{
	if (o->table == NULL)
		return cli_usage("drill: --table is missing");
	if (o->into != NULL && o->to_scratch_file)
		return cli_usage("drill: --into goes without --to-file");
	if (o->into != NULL && (strcmp(o->into, o->table) == 0 || strlen(o->into) > NAME_MAX_LENGTH))
		return cli_usage("--into %s: another name than the table's, of %d characters at most", o->into,
				 NAME_MAX_LENGTH);
	int code = cover_parse("--at", o->at != NULL ? o->at : "latest", at_ms);
	return code == 0 ? options_rate(o, "capacity", units_per_s) : code;
}

static int make_names(struct drill *d)
{
	uint8_t bytes[16];
	char amz[17];
	const struct options *o = d->options;
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		cli_say("the kernel gives no random bytes");
		return EX_OSERR;
	}
	encode_hex(d->id, bytes, sizeof(bytes));
	d->id[2 * sizeof(bytes)] = '\0';
	int n = o->into != NULL
			? snprintf(d->name, sizeof(d->name), "%s", o->into)
			: snprintf(d->name, sizeof(d->name), "%s-drill-%s", o->table, clock_amz(amz, d->began_ms));
	if (n > NAME_MAX_LENGTH)
		return cli_usage("table %s has too long a name for %s-drill-...: give --into", o->table, o->table);
	const char *folder = getenv("TMPDIR");
	if (folder == NULL || folder[0] == '\0')
		folder = "/var/tmp";
	if (o->to_scratch_file && asprintf(&d->file, "%s/ddb-streamctl-drill-%s", folder, d->id) < 0) {
		d->file = NULL;
		cli_say("out of memory");
		return EX_OSERR;
	}
	return 0;
}

static int restore(struct drill *d, double units_per_s)
{
	struct options o = *d->options;
	struct narrow everything = {0};
	struct journal none;
	struct restore_figures figures = {0};
	const struct restore_plan plan = {
		.session = d->session,
		.options = &o,
		.at = {.ms = d->at_ms},
		.since_ms = CLOCK_UNKNOWN,
		.narrow = &everything,
		.units_per_s = units_per_s,
		.journal = &none,
	};
	o.to_table = d->file == NULL ? d->name : NULL;
	o.to_file = d->file;
	journal_init(&none, NULL, NULL);
	buf_init(&everything.prefix, 1);
	int code = d->file == NULL ? drill_table_make(d) : 0;
	if (code == 0)
		code = d->file == NULL ? restore_fill(&plan, &d->schema, &d->session->aws, &figures)
				       : restore_to_file(&plan, &figures);
	uv_run(&d->session->loop, UV_RUN_NOWAIT);
	d->items = figures.items;
	d->missing = figures.missing;
	if (code == 0)
		d->restored_ms = session_now_ms(d->session);
	journal_fini(&none);
	return code;
}

/* With the table as it is now: what has changed since is looked up in the bucket. */
static int beside_source(struct drill *d, double units_per_s, struct err *e)
{
	const struct sample all = {.part = 1};
	struct schema live = {0};
	struct compare_figures figures;
	const struct compare_options o = {
		.session = d->session,
		.table = d->options->table,
		.schema = &live,
		.sample = &all,
		.units_per_s = units_per_s,
		.walk = drill_walk,
		.walk_arg = d,
		.expected = d->items,
		.since_ms = d->at_ms,
		.findings = &d->findings,
		.progress = &d->progress,
	};
	int rc = schema_load_live(d->session, d->options->table, &d->schema, &live, e);
	if (rc == 0) {
		progress_start(&d->progress, &d->session->loop);
		rc = compare_live(&o, &figures, e);
		progress_end(&d->progress, rc == 0 ? "compared with the live table" : NULL);
		uv_run(&d->session->loop, UV_RUN_NOWAIT);
	}
	schema_fini(&live);
	return rc;
}

static int compare(struct drill *d, double units_per_s)
{
	struct err e;
	int rc = drill_state(d, &e);
	/* The two comparisons tell the same of what is wrong in the bucket. */
	if (rc == 0 && d->latest)
		rc = beside_source(d, units_per_s, &e);
	return rc < 0 ? cli_fail(&e) : 0;
}

static void conclude(struct drill *d, int code)
{
	uint64_t wrong = findings_total(&d->findings);
	d->ended_ms = session_now_ms(d->session);
	if (code != 0) {
		d->outcome = "error";
		snprintf(d->message, sizeof(d->message), "%s",
			 d->session->stop ? "interrupted" : "it could not be carried out: its log tells why");
	} else if (wrong > 0 || d->missing > 0) {
		d->outcome = "failed";
		snprintf(d->message, sizeof(d->message), "%llu of what was restored is not as it was",
			 (unsigned long long)(wrong > d->missing ? wrong : d->missing));
	} else {
		d->outcome = "passed";
		snprintf(d->message, sizeof(d->message), "every item is as it was");
	}
}

static void report(struct drill *d)
{
	fflush(stdout);
	if (d->options->json) {
		json_t *o = drill_json(d, CLOCK_UNKNOWN, true);
		if (o != NULL)
			json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
		return;
	}
	cli_say("drill of table %s %s: %s; %llu items, %llu mismatches", d->options->table, d->outcome, d->message,
		(unsigned long long)d->items, (unsigned long long)findings_total(&d->findings));
	if (d->restored_ms != CLOCK_UNKNOWN)
		cli_say("recovery time %.1f s", (double)(d->restored_ms - d->began_ms) / 1000);
	if (d->restored_ms != CLOCK_UNKNOWN && d->latest)
		cli_say("recovery point %.1f s before its beginning", (double)(d->began_ms - d->at_ms) / 1000);
}

static int drill(struct drill *d, double units_per_s)
{
	int code = d->file == NULL ? drill_table_leftovers(d) : 0;
	if (code == 0)
		code = restore(d, units_per_s);
	if (code == 0)
		code = compare(d, units_per_s);
	int dropped = drill_table_drop(d);
	if (d->file != NULL)
		unlink(d->file);
	if (code == 0)
		code = dropped;
	conclude(d, code);
	drill_record(d);
	report(d);
	return code == 0 && strcmp(d->outcome, "passed") != 0 ? CLI_INCOMPLETE : code;
}

static void on_named(const struct finding *f, void *arg)
{
	struct drill *d = arg;
	char shown[1100];
	progress_clear(&d->progress);
	printf("%-14s  %s  (%s)\n", finding_name(f->kind), finding_shown(f, shown), f->detail);
}

static int load(struct drill *d)
{
	const char *at = d->options->at != NULL ? d->options->at : "latest";
	struct err e;
	int code = schema_load(d->session, &d->schema);
	if (code == 0)
		code = cover_check(d->session, d->options, "--at", at, &d->at_ms);
	d->latest = strcmp(at, "latest") == 0;
	if (code == 0 && d->schema.n == 0 && d->file == NULL && !d->options->to_scratch_file) {
		cli_say("the backup of table %s has no table.json that tells how to make a table: drill with --to-file",
			d->options->table);
		code = EX_NOINPUT;
	}
	const struct schema unknown = {0};
	if (code == 0 && d->schema.n == 0 &&
	    schema_load_live(d->session, d->options->table, &unknown, &d->schema, &e) < 0)
		code = cli_fail(&e);
	d->began_ms = session_now_ms(d->session);
	return code == 0 ? make_names(d) : code;
}

int drill_run(const struct options *o)
{
	struct session s;
	struct drill d = {.session = &s, .options = o, .restored_ms = CLOCK_UNKNOWN, .outcome = "error"};
	double units_per_s = 0;
	int code = check_usage(o, &units_per_s, &d.at_ms);
	if (code != 0)
		return code;
	if (!o->json) {
		d.findings.on_named = on_named;
		d.findings.arg = &d;
	}
	code = session_open(&s, o);
	if (code == 0)
		code = load(&d);
	if (code == 0)
		code = drill(&d, units_per_s);
	findings_fini(&d.findings);
	schema_fini(&d.schema);
	schema_fini(&d.throwaway);
	free(d.file);
	session_close(&s);
	return code;
}
