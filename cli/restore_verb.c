/* restore: the verb: what is asked for, and whether the backup can give it. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/when.h"
#include "cli.h"
#include "key.h"
#include "restore.h"
#include "watermark.h"

const char restore_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] restore --table T --at TIME --to-file FILE\n"
	"           [--key JSON | --key-value HASH [RANGE] | --prefix TEXT] [--tenant VALUE] [--force]\n"
	"Writes the items of the table as they were at TIME, one a line, as {\"Item\":{...}}.\n"
	"\n"
	"      --table T              the table\n"
	"      --at TIME              2026-11-23T12:40:35Z (or another zone), -30m (ago), now, or latest: the last\n"
	"                             moment that is known to be complete\n"
	"      --to-file FILE         must not exist; - is standard output\n"
	"      --key JSON             only the item with this key, such as {\"id\":{\"S\":\"x\"}}\n"
	"      --key-value HASH [RANGE]  the same by its values alone\n"
	"      --tenant VALUE         the folder of that item, with a tenant attribute\n"
	"      --prefix TEXT          only items whose object name begins so (below the table's folder)\n"
	"      --force                even when the backup is not known to be complete at TIME\n";

#define AT_LATEST "latest"

/* Whether TIME is covered; *at_ms is filled for "latest". Returns 0 or the exit code. */
static int check_time(struct session *s, const struct options *o, int64_t *at_ms)
{
	struct watermark w;
	struct err e;
	bool exists;
	char why[300], iso[CLOCK_ISO_SIZE];
	int code = 0;
	if (watermark_load(s, s->meta_path, &w, &exists, &e) < 0)
		return cli_fail(&e);
	if (strcmp(o->at, AT_LATEST) == 0 && (!exists || w.complete_ms == CLOCK_UNKNOWN)) {
		cli_say("--at latest: nothing is known to be complete for table %s; name a time, and --force",
			o->table);
		code = EX_DATAERR;
		goto out;
	}
	if (strcmp(o->at, AT_LATEST) == 0)
		*at_ms = w.complete_ms;
	clock_iso(iso, *at_ms);
	if (!exists)
		snprintf(why, sizeof(why), "there is no %swatermark.json to tell what is complete", s->meta_path);
	if (exists && watermark_covers(&w, *at_ms, why, sizeof(why)))
		goto out;
	if (o->force) {
		cli_say("warning: table %s at %s may lack changes: %s", o->table, iso, why);
		goto out;
	}
	cli_say("table %s at %s cannot be restored for certain: %s; take another time (latest is the last that is "
		"complete), or give --force",
		o->table, iso, why);
	code = EX_DATAERR;
out:
	if (exists)
		watermark_fini(&w);
	return code;
}

static int run(const struct restore_plan *p)
{
	struct restore_figures done = {0};
	struct err e;
	int rc = restore_to_file(p, &done, &e);
	if (rc < 0)
		return e.class == ERR_CONFLICT ? (cli_say("%s", e.message), EX_CANTCREAT) : cli_fail(&e);
	if (done.missing > 0) {
		cli_say("%llu items could not be had; they are named above", (unsigned long long)done.missing);
		return CLI_INCOMPLETE;
	}
	if (p->exact && done.items == 0) {
		cli_say("table %s had no such item then", p->options->table);
		return EX_NOINPUT;
	}
	return 0;
}

static int check_usage(const struct options *o)
{
	if (o->table == NULL)
		return cli_usage("restore: --table is missing");
	if (o->at == NULL)
		return cli_usage("restore: --at is missing: %s", WHEN_ALLOWED);
	if (o->to_file == NULL)
		return cli_usage("restore: --to-file is missing (- is standard output)");
	if (o->prefix != NULL && (o->key != NULL || o->key_value != NULL))
		return cli_usage("restore: --prefix goes without --key and --key-value");
	return 0;
}

int restore_run(const struct options *o)
{
	struct session s;
	struct buf key;
	int64_t at_ms = 0;
	int code = check_usage(o);
	if (code == 0 && strcmp(o->at, AT_LATEST) != 0 && !when_parse(o->at, clock_wall_ms(), &at_ms))
		code = cli_usage("--at %s: allowed are latest, " WHEN_ALLOWED, o->at);
	if (code != 0)
		return code;
	bool exact = o->key != NULL || o->key_value != NULL;
	buf_init(&key, 1024);
	code = session_open(&s, o);
	if (code == 0)
		code = check_time(&s, o, &at_ms);
	if (code == 0 && exact)
		code = key_resolve(&s, o, &key);
	const struct restore_plan plan = {
		.session = &s,
		.options = o,
		.at = {.ms = at_ms},
		.since_ms = CLOCK_UNKNOWN,
		.prefix = exact	      ? buf_str(&key)
			  : o->prefix ? o->prefix
				      : "",
		.exact = exact,
	};
	if (code == 0)
		code = run(&plan);
	session_close(&s);
	buf_fini(&key);
	return code;
}
