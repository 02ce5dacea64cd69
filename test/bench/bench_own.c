/*
 * bench_own: what a record costs in ddb-streamd itself: the whole daemon, with http_send replaced (--wrap of the
 * linker) by one that answers from memory. So libcurl, TLS and the kernel's sockets are left out; splitting,
 * canonicalising, keys, digests, signing, lanes, acknowledgements and checkpoints are in.
 *
 * usage: bench_own [-n RECORDS] [-b ITEM_BYTES]
 * Prints, as JSON, processor time a record from the first GetRecords to the last PUT, without what the answers cost.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "daemon.h"
#include "load.h"
#include "net/http_private.h"
#include "sink.h"

#define ORIGIN "http://127.0.0.1:1"

int __wrap_http_send(struct http_slot *s, const struct http_call *c, http_done_fn *done, void *arg, struct err *e);

static struct sink sink = {.records = 64000, .shards = 64, .page_records = 1000, .item_bytes = 1024};
static struct buf out, header;
static double answering_s, began_s, ended_s;

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for an answer");
}

/* Into the slot, as libcurl would have left it there. */
static void fill(struct http_slot *s, const struct sink_answer *a)
{
	const char *end = memmem(out.data, out.len, "\r\n\r\n", 4);
	const char *lines = memchr(out.data, '\n', out.len) + 1;
	size_t body = (size_t)(end + 4 - out.data);

	buf_reset(&s->header);
	buf_reset(&s->body);
	kept(buf_append(&s->header, lines, (size_t)(end + 2 - lines)));
	kept(buf_reserve(&s->body, out.len - body + a->page.len));
	kept(buf_append(&s->body, out.data + body, out.len - body));
	if (a->page.len > 0)
		kept(buf_append(&s->body, a->page.ptr, a->page.len));
	s->answer = (struct http_answer){.status = atoi(out.data + strlen("HTTP/1.1 ")), .duration_us = 1};
}

int __wrap_http_send(struct http_slot *s, const struct http_call *c, http_done_fn *done, void *arg, struct err *e)
{
	double at_s = cpu_s();
	const char *path = c->url + strlen(ORIGIN);
	struct sink_request r = {.method = span_of(c->method), .path = span_of(path), .body = c->body};
	struct sink_answer a = {.out = &out};

	(void)e;
	buf_reset(&header);
	buf_reset(&out);
	for (size_t i = 0; c->method[1] == 'O' && i < c->nheaders; i++)
		kept(buf_printf(&header, "\r\n%s", c->headers[i].line));
	kept(buf_append_str(&header, "\r\n"));
	r.header = (struct span){header.data, header.len};
	if (sink_answer(&sink, &r, &a)) {
		ended_s = at_s;
		raise(SIGTERM);
	}
	if (began_s == 0.0 && sink.reads > 0) {
		began_s = at_s;
		answering_s = 0.0;
	}
	fill(s, &a);
	s->url = c->url;
	s->done = done;
	s->arg = arg;
	s->state = HTTP_SLOT_FLYING;
	http_loop_started(s->http);
	http_loop_queue(s);
	if (ended_s == 0.0)
		answering_s += cpu_s() - at_s;
	return 0;
}

static void write_conf(const char *path, const char *folder)
{
	FILE *f = fopen(path, "we");

	if (!f)
		err(EX_CANTCREAT, "%s", path);
	fprintf(f,
		"[daemon]\nstate_dir = %s/state\nlisten = off\nlog_level = error\nworkers = 64\nmemory_limit = 16MiB\n"
		"[aws]\nregion = " LOAD_REGION "\nendpoint_url = " ORIGIN "\n[s3]\nbucket = " LOAD_BUCKET
		"\n[table \"" LOAD_TABLE "\"]\nbaseline = off\n",
		folder);
	if (fclose(f) != 0)
		err(EX_CANTCREAT, "%s", path);
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/ddb-streamd-own.XXXXXX", path[sizeof(folder) + 8], command[sizeof(folder) + 8];
	struct config *conf;
	struct err e;
	int opt, rc;

	while ((opt = getopt(argc, argv, "n:b:")) != -1) {
		if (opt == 'n')
			sink.records = strtoul(optarg, NULL, 10);
		else if (opt == 'b')
			sink.item_bytes = strtoul(optarg, NULL, 10);
		else
			errx(EX_USAGE, "usage: bench_own [-n RECORDS] [-b ITEM_BYTES]");
	}
	setenv("AWS_ACCESS_KEY_ID", LOAD_ACCESS_KEY, 1);
	setenv("AWS_SECRET_ACCESS_KEY", LOAD_SECRET_KEY, 1);
	if (!mkdtemp(folder))
		err(EX_CANTCREAT, "%s", folder);
	snprintf(path, sizeof(path), "%s/conf", folder);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	write_conf(path, folder);
	buf_init(&out, (size_t)1 << 20);
	buf_init(&header, (size_t)1 << 16);
	sink_init(&sink);
	if (config_load(path, &conf, &e) < 0)
		errx(EX_CONFIG, "%s", e.message);
	log_init(LOG_LEVEL_ERROR);
	rc = daemon_run(conf);
	config_free(conf);
	if (system(command) != 0)
		warnx("%s is left over", folder);
	if (rc != 0 || sink.distinct != sink.records || sink.repeated > 0)
		errx(EX_SOFTWARE, "ended with %d, %zu of %zu records, %zu twice", rc, sink.distinct, sink.records,
		     sink.repeated);
	printf("{\"us_per_record\":%.3f}\n", (ended_s - began_s - answering_s) / (double)sink.records * 1e6);
	return 0;
}
