/* backfill: asks the daemon for a baseline of a table. */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli.h"
#include "heal.h"

const char backfill_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] backfill --table T [--rate UNITS] [--no-wait] [-o text|json]\n"
	"       ddb-streamctl [-c FILE | --bucket NAME] backfill --table T --cancel\n"
	"Has the daemon read the whole table, and write every item that the backup does not hold as it is. The\n"
	"daemon must be running: it alone writes items, so that none overtakes a change of the stream.\n"
	"\n"
	"      --table T              the table\n"
	"      --rate UNITS           at most so many read units a second (default: baseline_rate of the daemon)\n"
	"      --no-wait              do not wait for the end\n"
	"      --cancel               end the run that was asked for; what it wrote stays\n"
	"  -o, --output FORMAT        of the last line: text (the default, on standard error) or json\n"
	"\n"
	"The exit status is 0 when it is done, 3 when it was cancelled, and 64 or higher after an error. An\n"
	"interrupt ends the waiting, not the run.\n";

static void report(const struct options *o, const struct heal *h)
{
	const struct watermark_baseline *b = &h->seen;
	char since[CLOCK_ISO_SIZE];
	json_t *r;
	if (!o->json) {
		cli_say("table %s: %llu items: %llu were there, %llu written, %llu removed, %llu left to the stream; "
			"%.0f "
			"read units",
			o->table, (unsigned long long)b->items, (unsigned long long)b->equal,
			(unsigned long long)b->written, (unsigned long long)b->removed, (unsigned long long)b->left,
			b->units);
		if (b->foreign > 0)
			cli_say("%llu objects below the table's folder are no items of it, and were left alone "
				"(ddb-streamctl verify names them)",
				(unsigned long long)b->foreign);
		cli_say("the backup holds the whole table since %s", watermark_time(since, b->since_ms));
		return;
	}
	r = json_pack("{s:s,s:s,s:s,s:o}", "verb", "backfill", "table", o->table, "id", h->id, "baseline",
		      watermark_baseline_json(b));
	if (r != NULL)
		json_dumpf(r, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(r);
}

static int ask(struct heal *h, const struct options *o, double units_per_s)
{
	int code = heal_request(h, units_per_s);
	if (code != 0)
		return code;
	if (watermark_baseline_runs(&h->seen))
		cli_say("another baseline of table %s is under way (%s); this one comes after it", o->table,
			h->seen.reason);
	if (o->no_wait) {
		cli_say("asked the daemon of table %s for a baseline; ddb-streamctl tables shows how far it is",
			o->table);
		return 0;
	}
	code = heal_follow(h);
	if (code == 0)
		report(o, h);
	return code;
}

int backfill_run(const struct options *o)
{
	struct session s;
	double units_per_s = 0;
	struct heal h = {.session = &s, .table = o->table};
	if (o->table == NULL)
		return cli_usage("backfill: --table is missing");
	if (o->cancel && (o->rate != NULL || o->no_wait))
		return cli_usage("backfill: --cancel goes without --rate and --no-wait");
	int code = options_rate(o, "read", &units_per_s);
	if (code != 0)
		return code;
	code = session_open(&s, o);
	if (code == 0)
		code = heal_look(&h);
	if (code == 0 && o->cancel) {
		code = heal_cancel(&h);
		if (code == 0)
			cli_say("asked the daemon of table %s to end its baseline", o->table);
	} else if (code == 0) {
		code = ask(&h, o, units_per_s);
	}
	session_close(&s);
	return code;
}
