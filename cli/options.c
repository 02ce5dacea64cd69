#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define LONG_FIRST 256 /* values of options without a letter */

#define TEXT(field) .offset = offsetof(struct options, field)
#define FLAG(field) .flag = true, .offset = offsetof(struct options, field)
#define ALL (~0U & ~OPTIONS_COMMON)
#define ITEMS (OPTIONS_HISTORY | OPTIONS_RESTORE | OPTIONS_DIFF)

static const struct definition {
	const char *name;
	size_t offset;
	unsigned verbs;
	bool flag;
	char letter;
} definitions[] = {
	{"config", TEXT(config), OPTIONS_COMMON, .letter = 'c'},
	{"bucket", TEXT(bucket), OPTIONS_COMMON},
	{"bucket-prefix", TEXT(bucket_prefix), OPTIONS_COMMON},
	{"region", TEXT(region), OPTIONS_COMMON},
	{"profile", TEXT(profile), OPTIONS_COMMON},
	{"endpoint-url", TEXT(endpoint_url), OPTIONS_COMMON},
	{"addressing", TEXT(addressing), OPTIONS_COMMON},
	{"key-format", TEXT(key_format), OPTIONS_COMMON},
	{"tenant-attribute", TEXT(tenant_attribute), OPTIONS_COMMON},
	{"help", FLAG(help), OPTIONS_COMMON, .letter = 'h'},
	{"version", FLAG(version), OPTIONS_COMMON, .letter = 'V'},
	{"output", TEXT(output), ALL, .letter = 'o'},
	{"table", TEXT(table), ALL & ~OPTIONS_TABLES},
	{"key", TEXT(key), ITEMS},
	{"key-value", TEXT(key_value), ITEMS},
	{"tenant", TEXT(tenant), ITEMS | OPTIONS_SNAPSHOT},
	{"diff", FLAG(diff), OPTIONS_HISTORY},
	{"limit", TEXT(limit), OPTIONS_HISTORY},
	{"first", FLAG(first), OPTIONS_HISTORY},
	{"last", FLAG(last), OPTIONS_HISTORY},
	{"at", TEXT(at), OPTIONS_RESTORE | OPTIONS_DIFF | OPTIONS_SNAPSHOT | OPTIONS_DRILL},
	{"with", TEXT(with), OPTIONS_DIFF},
	{"detail", FLAG(detail), OPTIONS_DIFF},
	{"size", FLAG(size), OPTIONS_TABLES},
	{"prefix", TEXT(prefix), OPTIONS_RESTORE | OPTIONS_DIFF | OPTIONS_SNAPSHOT},
	{"at-seq", TEXT(at_seq), OPTIONS_RESTORE},
	{"since", TEXT(since), OPTIONS_RESTORE},
	{"hash", TEXT(hash), OPTIONS_RESTORE | OPTIONS_DIFF | OPTIONS_SNAPSHOT},
	{"to-file", TEXT(to_file), OPTIONS_RESTORE},
	{"to-table", TEXT(to_table), OPTIONS_RESTORE},
	{"to-region", TEXT(to_region), OPTIONS_RESTORE},
	{"via-import", TEXT(via_import), OPTIONS_RESTORE},
	{"in-place", FLAG(in_place), OPTIONS_RESTORE},
	{"rate", TEXT(rate), OPTIONS_RESTORE | OPTIONS_DIFF | OPTIONS_BACKFILL | OPTIONS_VERIFY | OPTIONS_DRILL},
	{"no-wait", FLAG(no_wait), OPTIONS_BACKFILL},
	{"cancel", FLAG(cancel), OPTIONS_BACKFILL},
	{"sample", TEXT(sample), OPTIONS_VERIFY},
	{"seed", TEXT(seed), OPTIONS_VERIFY},
	{"deep", FLAG(deep), OPTIONS_VERIFY},
	{"repair", FLAG(repair), OPTIONS_VERIFY},
	{"to-file", FLAG(to_scratch_file), OPTIONS_DRILL},
	{"into", TEXT(into), OPTIONS_DRILL},
	{"clean-up", FLAG(clean_up), OPTIONS_DRILL | OPTIONS_SNAPSHOT | OPTIONS_RESTORE},
	{"resume", FLAG(resume), OPTIONS_RESTORE | OPTIONS_SNAPSHOT},
	{"journal", TEXT(journal), OPTIONS_RESTORE | OPTIONS_SNAPSHOT},
	{"dry-run", FLAG(dry_run), OPTIONS_RESTORE | OPTIONS_SNAPSHOT | OPTIONS_VERIFY},
	{"force", FLAG(force), OPTIONS_RESTORE | OPTIONS_DIFF | OPTIONS_SNAPSHOT | OPTIONS_DRILL},
	{"to", TEXT(to), OPTIONS_SNAPSHOT},
	{"format", TEXT(format), OPTIONS_SNAPSHOT},
	{"file-size", TEXT(file_size), OPTIONS_SNAPSHOT | OPTIONS_RESTORE},
	{"accept", FLAG(accept), OPTIONS_GAPS},
	{"yes", FLAG(yes), OPTIONS_GAPS | OPTIONS_RESTORE},
};
#define DEFINITIONS (sizeof(definitions) / sizeof(definitions[0]))

const char options_common_help[] =
	"Where the backup is:\n"
	"  -c, --config FILE          the daemon's configuration (default /etc/ddb-streamd.conf)\n"
	"      --bucket NAME          without a configuration: the bucket, or s3://NAME/PREFIX\n"
	"      --bucket-prefix TEXT   what the names of its objects begin with\n"
	"      --key-format NAME      path (the default), md5, sha256 or plain\n"
	"      --tenant-attribute A   items lie in folders by this attribute\n"
	"      --region, --profile, --endpoint-url, --addressing   as [aws] and [s3] in ddb-streamd.conf(5)\n";

static bool allows(const struct definition *d, unsigned verbs)
{
	return (d->verbs & (verbs | OPTIONS_COMMON)) != 0;
}

static int store(struct options *o, const struct definition *d)
{
	char *field = (char *)o + d->offset;
	if (d->flag) {
		*(bool *)(void *)field = true;
		return 0;
	}
	if (*(char **)(void *)field != NULL) {
		cli_usage("--%s is there twice", d->name);
		return -1;
	}
	*(char **)(void *)field = optarg;
	return 0;
}

static const struct definition *find(int c)
{
	for (size_t i = 0; i < DEFINITIONS; i++)
		if (c == LONG_FIRST + (int)i || (definitions[i].letter != 0 && c == definitions[i].letter))
			return &definitions[i];
	return NULL;
}

/* What is left over: the sort key of --key-value, and nothing else. */
static int take_rest(struct options *o, int argc, char **argv)
{
	if (optind < argc && o->key_value != NULL && o->key_range == NULL)
		o->key_range = argv[optind++];
	if (optind < argc) {
		cli_usage("unexpected argument '%s'", argv[optind]);
		return -1;
	}
	return optind;
}

int options_parse(struct options *o, int argc, char **argv, unsigned verbs, bool stop)
{
	struct option longs[DEFINITIONS + 1] = {0};
	char letters[3 * DEFINITIONS + 2];
	size_t n = 0, nletters = 0;
	int c;
	if (stop)
		letters[nletters++] = '+';
	for (size_t i = 0; i < DEFINITIONS; i++) {
		const struct definition *d = &definitions[i];
		if (!allows(d, verbs))
			continue;
		longs[n++] =
			(struct option){d->name, d->flag ? no_argument : required_argument, NULL, LONG_FIRST + (int)i};
		if (d->letter == 0)
			continue;
		letters[nletters++] = d->letter;
		if (!d->flag)
			letters[nletters++] = ':';
	}
	letters[nletters] = '\0';
	optind = 0; /* glibc: begin anew */
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct definition *d = find(c);
		if (d == NULL) {
			fputs("Try 'ddb-streamctl --help'.\n", stderr);
			return -1;
		}
		if (store(o, d) < 0)
			return -1;
	}
	if (stop)
		return optind;
	if (!o->help && o->output != NULL && strcmp(o->output, "text") != 0 && strcmp(o->output, "json") != 0) {
		cli_usage("--output %s: allowed are text and json", o->output);
		return -1;
	}
	o->json = o->output != NULL && strcmp(o->output, "json") == 0;
	return take_rest(o, argc, argv);
}

int options_rate(const struct options *o, const char *what, double *units_per_s)
{
	char *end;
	double value;
	if (o->rate == NULL)
		return 0;
	value = strtod(o->rate, &end);
	if (*end != '\0' || end == o->rate || !(value >= 1 && value <= 1e9))
		return cli_usage("--rate %s: %s units a second, from 1 to 1000000000", o->rate, what);
	*units_per_s = value;
	return 0;
}
