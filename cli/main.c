/* ddb-streamctl: the verbs, and which one was meant. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli.h"

static const struct cli_verb verbs[] = {
	{"tables", OPTIONS_TABLES, "what the bucket holds, since when, and how far it is complete", tables_help,
	 tables_run},
	{"history", OPTIONS_HISTORY, "every version of one item", history_help, history_run},
	{"diff", OPTIONS_DIFF, "what changed between two times, or since then in the live table", diff_help, diff_run},
	{"restore", OPTIONS_RESTORE, "a table, or a part of it, as it was at any second", restore_help, restore_run},
	{"snapshot", OPTIONS_SNAPSHOT, "a table as files that ImportTable and Athena read", snapshot_help,
	 snapshot_run},
	{"gaps", OPTIONS_GAPS, "holes in a table's history, and a word that closes them", gaps_help, gaps_run},
	{"verify", OPTIONS_VERIFY, "is the backup equal to the live table, and its history whole?", verify_help,
	 verify_run},
	{"drill", OPTIONS_DRILL, "prove that the backup can be restored, and how fast", drill_help, drill_run},
	{"backfill", OPTIONS_BACKFILL, "have the daemon write what the backup does not hold", backfill_help,
	 backfill_run},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_help(void)
{
	puts("Usage: ddb-streamctl [-c FILE | --bucket NAME] VERB [OPTION]...\n"
	     "Reads what ddb-streamd has backed up.\n"
	     "\n"
	     "Verbs ('ddb-streamctl VERB --help' tells more):");
	for (size_t i = 0; i < VERBS; i++)
		printf("  %-9s%s\n", verbs[i].name, verbs[i].summary);
	printf("\n%s\n"
	       "      --version              print the version and exit\n"
	       "      --help                 print this and exit\n"
	       "\n"
	       "See ddb-streamctl(1).\n",
	       options_common_help);
}

static const struct cli_verb *find(const char *name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* Output that did not reach its file is no output: a full disk must not look like success. */
static int finish(int code)
{
	if (fclose(stdout) == 0 || code != 0)
		return code;
	cli_say("standard output could not be written");
	return EX_IOERR;
}

static int run(int argc, char **argv)
{
	struct options o = {0};
	int next = options_parse(&o, argc, argv, OPTIONS_COMMON, true);
	if (next < 0)
		return EX_USAGE;
	if (o.version) {
		puts("ddb-streamctl " DDB_VERSION);
		return EX_OK;
	}
	if (o.help) {
		print_help();
		return EX_OK;
	}
	if (next >= argc)
		return cli_usage("a verb is missing");
	const struct cli_verb *verb = find(argv[next]);
	if (verb == NULL)
		return cli_usage("'%s' is not a verb", argv[next]);
	if (options_parse(&o, argc - next, argv + next, verb->bit, false) < 0)
		return EX_USAGE;
	if (o.help) {
		printf("%s\n%s\nSee ddb-streamctl(1).\n", verb->help, options_common_help);
		return EX_OK;
	}
	return verb->run(&o);
}

int main(int argc, char **argv)
{
	log_init(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	return finish(run(argc, argv));
}
