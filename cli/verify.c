/* verify: the verb: a table beside its backup. */
#include "verify.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "look.h"

const char verify_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] verify --table T [OPTION]...\n"
	"Compares the whole live table with what the bucket holds of it now. The table is read, the bucket is\n"
	"only listed: its ETags tell whether an item is the same. What differs is looked at again until it is\n"
	"certain, and named. The exit status is 0 when nothing differs, 3 when something does.\n"
	"\n"
	"      --table T              the table\n"
	"      --deep                 read every version of every item, too: bytes, form, metadata, the order of\n"
	"                             changes, markers and their deletes objects, and what a restore gives\n"
	"      --sample PERCENT       only such a part of the items (\"1%\"), another one each day\n"
	"      --seed TEXT            which part (default: the day, as 2026-11-23)\n"
	"      --repair               when something differs have the daemon make a baseline, and look again\n"
	"      --rate UNITS           at most so many read units of the table a second, also of the baseline\n"
	"      --dry-run              say what would be read, and what AWS would charge\n"
	"  -o, --output FORMAT        text (the default): a finding a line; or json: one report\n";

static void on_named(const struct finding *f, void *arg)
{
	struct verify *v = arg;
	char shown[1100];
	progress_clear(&v->progress);
	printf("%-14s  %s  (%s)\n", finding_name(f->kind), finding_shown(f, shown), f->detail);
}

static int check_usage(const struct options *o, struct verify *v)
{
	if (o->table == NULL)
		return cli_usage("verify: --table is missing");
	if (!sample_parse(o->sample, clock_wall_ms(), &v->sample))
		return cli_usage("--sample %s: a part in percent, over 0%% and up to 100%%, such as 1%%", o->sample);
	if (o->seed != NULL && (o->sample == NULL || strlen(o->seed) >= sizeof(v->sample.seed)))
		return cli_usage("--seed goes with --sample, and has less than %zu characters", sizeof(v->sample.seed));
	if (o->seed != NULL)
		snprintf(v->sample.seed, sizeof(v->sample.seed), "%s", o->seed);
	if (o->repair && (o->dry_run || o->sample != NULL))
		return cli_usage(
			"verify: --repair goes without --dry-run and --sample: a baseline is of the whole table");
	return options_rate(o, "read", &v->units_per_s);
}

/* What a person should know before differences come. */
static void tell_state(const struct verify *v)
{
	const struct watermark *w = &v->mark;
	const char *table = v->options->table;
	char at[CLOCK_ISO_SIZE];
	if (!v->has_mark) {
		cli_say("there is no %swatermark.json: of what differs it cannot be told whether the backup is only "
			"behind",
			v->session->meta_path);
		return;
	}
	if (w->baseline.present && w->baseline.since_ms == CLOCK_UNKNOWN)
		cli_say("the first baseline of table %s is not complete (%s): items that have not changed since the "
			"backup "
			"began are missing until then",
			table, w->baseline.state);
	if (watermark_open_gaps(w) > 0)
		cli_say("the history of table %s has %llu open gaps (ddb-streamctl gaps shows them)", table,
			(unsigned long long)watermark_open_gaps(w));
	if (watermark_is_silent(w->saved_ms, v->session))
		cli_say("the daemon of table %s has written nothing since %s: what changed later cannot be judged",
			table, watermark_time(at, w->saved_ms));
	if (v->sample.part < 1)
		cli_say("a sample of %g%% of the items, chosen by the seed %s", v->sample.part * 100, v->sample.seed);
}

static int load(struct verify *v)
{
	struct session *s = v->session;
	struct schema of_backup;
	struct err e;
	int code = schema_load(s, &of_backup);
	if (code == 0 && schema_load_live(s, v->options->table, &of_backup, &v->schema, &e) < 0)
		code = cli_fail(&e);
	if (code == 0 && watermark_load(s, s->meta_path, &v->mark, &v->has_mark, &e) < 0)
		code = cli_fail(&e);
	schema_fini(&of_backup);
	return code;
}

int verify_live(struct verify *v, struct err *e)
{
	const struct compare_options o = {
		.session = v->session,
		.table = v->options->table,
		.schema = &v->schema,
		.sample = &v->sample,
		.units_per_s = v->units_per_s,
		.walk = compare_walk_bucket,
		.walk_arg = &v->bucket,
		.since_ms = CLOCK_UNKNOWN,
		.findings = &v->live,
		.progress = &v->progress,
	};
	progress_start(&v->progress, &v->session->loop);
	int rc = compare_live(&o, &v->compared, e);
	progress_end(&v->progress, rc == 0 ? "compared" : NULL);
	/* Its timer is needed again. */
	uv_run(&v->session->loop, UV_RUN_NOWAIT);
	return rc;
}

static int look(struct verify *v, struct err *e)
{
	int rc = verify_live(v, e);
	if (rc == 0 && v->options->deep)
		rc = verify_past(v, e);
	else if (rc == 0)
		rc = verify_causes(v, e);
	return rc;
}

static int run(struct verify *v)
{
	struct err e;
	v->began_ms = session_now_ms(v->session);
	tell_state(v);
	if (v->options->dry_run)
		return verify_dry(v);
	int code = look(v, &e) < 0 ? cli_fail(&e) : 0;
	if (code == 0 && v->options->repair && findings_total(&v->live) > 0)
		code = verify_repair(v);
	else if (code == 0 && v->options->repair)
		cli_say("nothing differs that a baseline could mend: none was asked for");
	v->ended_ms = session_now_ms(v->session);
	return code == 0 ? verify_report(v) : code;
}

int verify_run(const struct options *o)
{
	struct session s;
	struct verify v = {.session = &s, .options = o, .bucket = {.session = &s}};
	int code = check_usage(o, &v);
	if (code != 0)
		return code;
	if (!o->json) {
		v.live.on_named = v.past.on_named = on_named;
		v.live.arg = v.past.arg = &v;
	}
	code = session_open(&s, o);
	if (code == 0)
		code = load(&v);
	if (code == 0)
		code = run(&v);
	findings_fini(&v.live);
	findings_fini(&v.past);
	watermark_fini(&v.mark);
	schema_fini(&v.schema);
	session_close(&s);
	return code;
}
