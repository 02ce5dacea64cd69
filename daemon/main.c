/* ddb-streamd: the command line; everything else is in daemon.c. */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/config.h"
#include "base/log.h"
#include "daemon.h"

#define DEFAULT_CONFIG "/etc/ddb-streamd.conf"

static const char usage[] = "Usage: ddb-streamd [-c FILE] [-t] [-v]\n"
			    "Backs up DynamoDB tables continuously into a versioned S3 bucket.\n"
			    "\n"
			    "  -c, --config FILE  configuration (default " DEFAULT_CONFIG "); see ddb-streamd.conf(5)\n"
			    "  -t, --test         test the configuration and exit: 0 when it is good, 78 when not\n"
			    "  -v, --verbose      log at level debug, whatever log_level says\n"
			    "      --version      print the version and exit\n"
			    "      --help         print this and exit\n"
			    "\n"
			    "See ddb-streamd(8).\n";

struct options {
	const char *config;
	bool test, verbose;
};

/* Returns -1 to go on, or the exit code. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"test", no_argument, NULL, 't'},
		{"verbose", no_argument, NULL, 'v'},	  {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	int c;
	while ((c = getopt_long(argc, argv, "c:tv", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 't':
			o->test = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'V':
			puts("ddb-streamd " DDB_VERSION);
			return EX_OK;
		case 'h':
			fputs(usage, stdout);
			return EX_OK;
		default:
			fputs("Try 'ddb-streamd --help'.\n", stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ddb-streamd: unexpected argument '%s'\nTry 'ddb-streamd --help'.\n", argv[optind]);
		return EX_USAGE;
	}
	return -1;
}

/*
 * Answers of up to a megabyte come and go all the time. A fixed threshold makes each its own mapping, which goes back to the kernel
 * when freed; with malloc's sliding one, resident memory would stay at its highest mark.
 */
static void settle_malloc(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	mallopt(M_ARENA_MAX, 2);
}

int main(int argc, char **argv)
{
	struct options o = {.config = DEFAULT_CONFIG};
	struct config *conf;
	struct err e;
	int code = parse(argc, argv, &o);
	if (code >= 0)
		return code;
	if (config_load(o.config, &conf, &e) < 0) {
		fprintf(stderr, "ddb-streamd: %s\n", e.message);
		return EX_CONFIG;
	}
	if (o.test) {
		printf("%s: configuration is good\n", o.config);
		config_free(conf);
		return EX_OK;
	}
	log_init(o.verbose ? LOG_LEVEL_DEBUG : conf->log_level);
	settle_malloc();
	signal(SIGPIPE, SIG_IGN);
	code = daemon_run(conf);
	config_free(conf);
	return code;
}
