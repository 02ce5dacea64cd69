/* gaps: the holes in a table's history, and an operator's word that closes them. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli.h"
#include "confirm.h"
#include "person.h"
#include "session.h"
#include "watermark.h"

const char gaps_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] gaps --table T [--accept [--yes]] [-o text|json]\n"
	"Lists the gaps of the table's history, or closes those that are open.\n"
	"\n"
	"      --table T              the table\n"
	"      --accept               close the open ones, after the table's name was typed: their items were\n"
	"                             compared and written again, or are known not to matter\n"
	"      --yes                  do not ask\n"
	"  -o, --output FORMAT        text (the default) or json, one gap a line\n";

#define ACCEPTED "gaps-accepted.json"
/* Between the daemon's idea of AWS's clock and ours; the daemon bears as much. Date headers have whole seconds. */
#define CLOCKS_MS 3000

static bool is_open(const struct watermark_gap *g)
{
	return g->closed_ms == CLOCK_UNKNOWN;
}

static void print_json(const char *table, const struct watermark_gap *g)
{
	json_t *o = watermark_gap_json(g);
	if (o != NULL && json_object_set_new(o, "table", json_string(table)) == 0) {
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
	}
	json_decref(o);
}

static void print_text(const struct watermark_gap *g)
{
	char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE], noticed[CLOCK_ISO_SIZE], closed[CLOCK_ISO_SIZE];
	printf("%-24s  %-24s  %-24s  %-24s  %s\n", watermark_time(from, g->from_ms), watermark_time(to, g->to_ms),
	       watermark_time(noticed, g->noticed_ms), is_open(g) ? "open" : watermark_time(closed, g->closed_ms),
	       g->reason);
}

static void list(const struct options *o, const struct watermark *w)
{
	size_t shown = 0;
	for (size_t i = 0; i < w->ngaps; i++) {
		const struct watermark_gap *g = &w->gaps[i];
		if (o->accept && !is_open(g))
			continue;
		if (shown++ == 0 && !o->json)
			printf("%-24s  %-24s  %-24s  %-24s  %s\n", "FROM", "TO", "NOTICED", "CLOSED", "REASON");
		if (o->json)
			print_json(o->table, g);
		else
			print_text(g);
	}
	if (!o->accept && w->gap_count == 0 && w->ngaps == 0)
		cli_say("table %s has no gaps", o->table);
	if (!o->accept && w->gap_count > w->ngaps)
		cli_say("%llu older gaps are no longer listed", (unsigned long long)(w->gap_count - w->ngaps));
}

/* Through when the open gaps were noticed; CLOCK_UNKNOWN when none tells. */
static int64_t newest_noticed(const struct watermark *w)
{
	int64_t newest = CLOCK_UNKNOWN;
	for (size_t i = 0; i < w->ngaps; i++)
		if (is_open(&w->gaps[i]) && w->gaps[i].noticed_ms > newest)
			newest = w->gaps[i].noticed_ms;
	return newest;
}

static void explain(const struct options *o, const struct watermark *w)
{
	uint64_t open = watermark_open_gaps(w), unlisted = open;
	for (size_t i = 0; i < w->ngaps; i++)
		unlisted -= is_open(&w->gaps[i]);
	fflush(stdout);
	fprintf(stderr,
		"\nAccepting closes the %llu open %s of table %s. It repairs nothing:\n"
		"- Items that changed in these times may be missing from the backup, or stale in it. Accept only "
		"after\n"
		"  they were compared with the table and written again, or when they are known not to matter.\n"
		"- Restores to times between a gap's beginning and the moment of its closing stay refused without "
		"--force.\n"
		"- Later restores are no longer refused because of it, and the daemon's /readyz no longer tells of "
		"it.\n",
		(unsigned long long)open, open == 1 ? "gap" : "gaps", o->table);
	if (unlisted > 0)
		fprintf(stderr, "- Of these, %llu are older than those above, and their times are no longer known.\n",
			(unsigned long long)unlisted);
}

static int put_word(struct session *s, int64_t through_ms)
{
	char through[CLOCK_ISO_SIZE], at[CLOCK_ISO_SIZE], by[PERSON_SIZE];
	char *key = NULL, *text = NULL;
	struct err e;
	int code = 0;
	json_t *o = json_pack("{s:i,s:s,s:s,s:s}", "version", 1, "accepted_through", clock_iso(through, through_ms),
			      "by", person_name(by), "at", clock_iso(at, session_now_ms(s)));
	if (o != NULL)
		text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL || asprintf(&key, "%s" ACCEPTED, s->meta_path) < 0) {
		key = NULL;
		cli_say("out of memory");
		code = EX_OSERR;
	} else if (session_put(s, key, span_of(text), &e) < 0) {
		code = cli_fail(&e);
		if (e.class == ERR_DENIED)
			cli_say("no gap was accepted; allow s3:PutObject on %s", key);
		else /* a write whose answer was lost may have been done */
			cli_say("it is not sure that %s was written; accept again", key);
	}
	free(key);
	free(text);
	return code;
}

static int accept_open(struct session *s, const struct options *o, const struct watermark *w)
{
	int64_t through_ms = newest_noticed(w);
	int code = 0;
	if (watermark_open_gaps(w) == 0) {
		cli_say("table %s has no open gap; there is nothing to accept", o->table);
		return 0;
	}
	if (through_ms == CLOCK_UNKNOWN) {
		cli_say("%swatermark.json does not tell when the gaps of table %s were noticed, so none can be "
			"accepted",
			s->meta_path, o->table);
		return EX_DATAERR;
	}
	list(o, w);
	/*
	 * By AWS's clock, since the daemon holds the word against that one. A word from the future would close what is
	 * noticed until then, seen by nobody.
	 */
	if (through_ms > session_now_ms(s) + CLOCKS_MS) {
		char through[CLOCK_ISO_SIZE], now[CLOCK_ISO_SIZE];
		fflush(stdout);
		cli_say("the newest gap was noticed at %s, and it is %s only: a clock was or is wrong; nothing was "
			"accepted: set the clock of the daemon's host right, or accept after that time",
			clock_iso(through, through_ms), clock_iso(now, session_now_ms(s)));
		return EX_DATAERR;
	}
	explain(o, w);
	if (!o->yes)
		code = confirm_word(s, "table's name", o->table);
	if (code == 0)
		code = put_word(s, through_ms);
	if (code == 0)
		cli_say("accepted; the daemon of this table, when it runs, closes them within a minute");
	return code;
}

int gaps_run(const struct options *o)
{
	struct session s;
	struct watermark w = {0};
	struct err e;
	bool exists;
	if (o->table == NULL)
		return cli_usage("gaps: --table is missing");
	if (o->yes && !o->accept)
		return cli_usage("gaps: --yes goes with --accept");
	int code = session_open(&s, o);
	if (code != 0)
		goto out;
	if (watermark_load(&s, s.meta_path, &w, &exists, &e) < 0) {
		code = cli_fail(&e);
	} else if (!exists) {
		cli_say("there is no %swatermark.json to tell the gaps of table %s", s.meta_path, o->table);
		code = EX_NOINPUT;
	} else if (o->accept) {
		code = accept_open(&s, o, &w);
	} else {
		list(o, &w);
	}
out:
	watermark_fini(&w);
	session_close(&s);
	return code;
}
