/*
 * bench_scan: the reference of reading a whole table: a bare libcurl multi loop that asks for the same pages of a parallel
 * Scan, with consistent reads, and does nothing with the items. Of an answer it looks for the key to go on from, and the
 * number of items, in its first bytes, where bench_sink puts them. Requests are signed when their turn comes.
 *
 * usage: bench_scan -u ORIGIN -n ITEMS [-s SEGMENTS] [-l poll|epoll] [-j]
 *
 * -j: each answer goes through jansson, as it does with whoever wants to know what the items are.
 * The last line of the output tells, as JSON, the items and, between the first request and the last answer, the time and
 * the processor time.
 */
#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "bare.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "load.h"

#define SEGMENTS_MAX 64
#define HEAD_BYTES 512
#define ANSWER_BYTES_MAX ((size_t)16 << 20)

struct segment {
	struct bare_slot slot;
	struct buf body;
	char head[HEAD_BYTES + 1]; /* of the answer */
	size_t len;
	struct buf answer; /* with -j, all of it */
	char key[200];	   /* to go on from */
};

static struct bare_options options;
static size_t items, segments = 4, left, seen;
static bool parse;
static struct segment all[SEGMENTS_MAX];

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct segment *g = arg;
	size_t room = HEAD_BYTES - g->len, take = size * n < room ? size * n : room;

	memcpy(g->head + g->len, bytes, take);
	g->len += take;
	if (parse && buf_append(&g->answer, bytes, size * n) < 0)
		errx(EX_OSERR, "no memory for an answer");
	return size * n;
}

static void ask(struct segment *g)
{
	struct bare_request *r = &g->slot.request;
	uint8_t hash[DIGEST_SHA256_SIZE];
	char hex[2 * DIGEST_SHA256_SIZE];

	buf_reset(&g->body);
	if (buf_printf(&g->body,
		       "{\"TableName\":\"" LOAD_TABLE "\",\"ConsistentRead\":true,\"Segment\":%zu,\"TotalSegments\":%zu"
		       "%s%s,\"ReturnConsumedCapacity\":\"TOTAL\"}",
		       (size_t)(g - all), segments, g->key[0] ? ",\"ExclusiveStartKey\":" : "", g->key) < 0)
		errx(EX_OSERR, "no memory for a request");
	digest_sha256(hash, g->body.data, g->body.len);
	encode_hex(hex, hash, sizeof(hash));
	g->len = 0;
	bare_begin(r);
	if (buf_append_char(&r->text, '/') < 0)
		errx(EX_OSERR, "no memory for a request");
	bare_add_line(r, "content-type", SPAN_LIT("application/x-amz-json-1.0"));
	bare_add_line(r, "x-amz-target", SPAN_LIT("DynamoDB_20120810.Scan"));
	bare_sign(r, "POST", (struct span){hex, sizeof(hex)});
	bare_send(&g->slot, r, (struct span){g->body.data, g->body.len});
}

/* The key that the answer ends with, "" at the segment's end. */
static void take_key(struct segment *g)
{
	static const char name[] = "\"LastEvaluatedKey\":";
	const char *at = strstr(g->head, name), *end = at ? strstr(at, "}}") : NULL;

	g->key[0] = '\0';
	if (at && !end)
		errx(EX_DATAERR, "an answer that cannot be read");
	if (end)
		snprintf(g->key, sizeof(g->key), "%.*s", (int)(end + 2 - (at + sizeof(name) - 1)),
			 at + sizeof(name) - 1);
}

static void parse_answer(struct segment *g)
{
	json_t *root = json_loadb(g->answer.data, g->answer.len, 0, NULL);

	if (!root)
		errx(EX_DATAERR, "an answer that is no JSON");
	json_decref(root);
	buf_reset(&g->answer);
}

static bool on_ended(struct bare_slot *s)
{
	struct segment *g = &all[s->kind];
	const char *count;

	g->head[g->len] = '\0';
	count = strstr(g->head, "\"Count\":");
	if (!count)
		errx(EX_DATAERR, "an answer without a count");
	seen += strtoul(count + 8, NULL, 10);
	take_key(g);
	if (parse)
		parse_answer(g);
	if (g->key[0])
		ask(g);
	else
		left--;
	return left > 0;
}

static void arguments(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "u:n:s:l:j")) != -1) {
		switch (opt) {
		case 'u':
			options.origin = optarg;
			break;
		case 'n':
			items = strtoul(optarg, NULL, 10);
			break;
		case 's':
			segments = strtoul(optarg, NULL, 10);
			break;
		case 'l':
			options.use_epoll = strcmp(optarg, "epoll") == 0;
			break;
		case 'j':
			parse = true;
			break;
		default:
			options.origin = NULL;
			optind = argc;
		}
	}
	if (!options.origin || !strstr(options.origin, "://") || items == 0 || segments == 0 || segments > SEGMENTS_MAX)
		errx(EX_USAGE, "usage: bench_scan -u ORIGIN -n ITEMS [-s SEGMENTS] [-l poll|epoll] [-j]");
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double began_s, began_cpu_s;

	arguments(argc, argv);
	options.connections = left = segments;
	bare_init(&options);
	for (size_t i = 0; i < segments; i++) {
		struct segment *g = &all[i];

		bare_slot_init(&g->slot, "POST");
		g->slot.kind = (int)i;
		curl_easy_setopt(g->slot.easy, CURLOPT_WRITEFUNCTION, on_body);
		curl_easy_setopt(g->slot.easy, CURLOPT_WRITEDATA, g);
		buf_init(&g->body, 4096);
		buf_init(&g->answer, ANSWER_BYTES_MAX);
	}
	began_s = now_s();
	began_cpu_s = bare_cpu_s();
	for (size_t i = 0; i < segments; i++)
		ask(&all[i]);
	bare_run(on_ended);
	printf("{\"items\":%zu,\"seconds\":%.6f,\"cpu_s\":%.4f}\n", seen, now_s() - began_s,
	       bare_cpu_s() - began_cpu_s);
	for (size_t i = 0; i < segments; i++) {
		bare_slot_fini(&all[i].slot);
		buf_fini(&all[i].body);
		buf_fini(&all[i].answer);
	}
	bare_fini();
	return seen == items ? 0 : EX_DATAERR;
}
