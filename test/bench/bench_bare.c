/*
 * bench_bare: the reference of the throughput: a bare libcurl multi loop that does nothing but PUT the bodies that
 * ddb-streamd would PUT, with the same header lines, from the same number of slots.
 *
 * usage: bench_bare -u ORIGIN [-n RECORDS] [-w SLOTS] [-b ITEM_BYTES] [-c CA_BUNDLE] [-m ahead|inline] [-l poll|epoll]
 *
 * Bodies are there before the first request is sent. -m ahead: so is the rest of all requests, digests and signatures
 * included. inline: a request is made when its turn comes.
 * -l: curl_multi_poll and curl_multi_perform, or the multi-socket interface on epoll.
 * The last line of the output tells, as JSON, the processor time between the first request and the last answer.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "bare.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/canon.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "load.h"

static struct bare_options options;
static size_t records = 10000, slots = 64, item_bytes = 1024;
static bool ahead = true;
static struct bare_request *requests_ahead;
static struct buf *bodies;
static size_t begun, ended;

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for a request");
}

/* The request for one item, as ddb-streamd makes it. */
static void make(struct bare_request *r, size_t number)
{
	uint8_t md5[DIGEST_MD5_SIZE], sha256[DIGEST_SHA256_SIZE];
	char md5_text[24], hash[64], seq[32], shard[64], event_time[CLOCK_ISO_SIZE];
	struct span body = {bodies[number].data, bodies[number].len};

	digest_md5(md5, body.ptr, body.len);
	encode_base64(md5_text, md5, sizeof(md5));
	digest_sha256(sha256, body.ptr, body.len);
	encode_hex(hash, sha256, sizeof(sha256));
	load_seq(seq, number);
	load_shard(shard, 0);

	bare_begin(r);
	kept(buf_printf(&r->text, "/" LOAD_BUCKET "/" LOAD_TABLE "/" LOAD_KEY_FORMAT, number));
	bare_add_line(r, "content-type", SPAN_LIT("application/json"));
	bare_add_line(r, "content-md5", (struct span){md5_text, sizeof(md5_text)});
	bare_add_line(r, "x-amz-meta-ddb-event", SPAN_LIT("INSERT"));
	bare_add_line(r, "x-amz-meta-ddb-seq", span_of(seq));
	bare_add_line(r, "x-amz-meta-ddb-time", span_of(clock_iso(event_time, clock_wall_ms())));
	bare_add_line(r, "x-amz-meta-ddb-stream", SPAN_LIT(LOAD_LABEL));
	bare_add_line(r, "x-amz-meta-ddb-shard", span_of(shard));
	bare_sign(r, "PUT", (struct span){hash, sizeof(hash)});
}

/* The canonical images of all items. */
static void make_bodies(void)
{
	struct canon *canon = canon_new((size_t)1 << 20);
	struct buf image;
	struct span body;
	struct err e;

	bodies = calloc(records, sizeof(*bodies));
	if (!bodies || !canon)
		errx(EX_OSERR, "no memory for %zu bodies", records);
	buf_init(&image, (size_t)1 << 20);
	for (size_t i = 0; i < records; i++) {
		buf_reset(&image);
		load_image(&image, i, item_bytes);
		if (canon_item(canon, (struct span){image.data, image.len}, &body, &e) < 0)
			errx(EX_SOFTWARE, "%s", e.message);
		buf_init(&bodies[i], (size_t)1 << 20);
		kept(buf_append(&bodies[i], body.ptr, body.len));
	}
	buf_fini(&image);
	canon_free(canon);
}

static void make_ahead(void)
{
	requests_ahead = calloc(records, sizeof(*requests_ahead));
	if (!requests_ahead)
		errx(EX_OSERR, "no memory for %zu requests", records);
	for (size_t i = 0; i < records; i++) {
		bare_request_init(&requests_ahead[i]);
		make(&requests_ahead[i], i);
	}
}

static void send_next(struct bare_slot *s)
{
	const struct bare_request *r = &s->request;
	const struct buf *body = &bodies[begun];

	if (ahead)
		r = &requests_ahead[begun];
	else
		make(&s->request, begun);
	begun++;
	bare_send(s, r, (struct span){body->data, body->len});
}

static bool on_ended(struct bare_slot *s)
{
	ended++;
	if (begun < records)
		send_next(s);
	return ended < records;
}

static void arguments(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "u:n:w:b:c:m:l:")) != -1) {
		switch (opt) {
		case 'u':
			options.origin = optarg;
			break;
		case 'n':
			records = strtoul(optarg, NULL, 10);
			break;
		case 'w':
			slots = strtoul(optarg, NULL, 10);
			break;
		case 'b':
			item_bytes = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			options.ca_bundle = optarg;
			break;
		case 'm':
			ahead = strcmp(optarg, "ahead") == 0;
			break;
		case 'l':
			options.use_epoll = strcmp(optarg, "epoll") == 0;
			break;
		default:
			options.origin = NULL;
			optind = argc;
		}
	}
	if (!options.origin || !strstr(options.origin, "://") || records == 0 || slots == 0)
		errx(EX_USAGE, "usage: bench_bare -u ORIGIN [-n RECORDS] [-w SLOTS] [-b ITEM_BYTES] [-c CA_BUNDLE] "
			       "[-m ahead|inline] [-l poll|epoll]");
}

static void free_all(struct bare_slot *all)
{
	for (size_t i = 0; i < slots; i++) {
		if (all[i].easy)
			bare_slot_fini(&all[i]);
	}
	for (size_t i = 0; i < records; i++) {
		buf_fini(&bodies[i]);
		if (requests_ahead)
			bare_request_fini(&requests_ahead[i]);
	}
	free(all);
	free(bodies);
	free(requests_ahead);
	bare_fini();
}

int main(int argc, char **argv)
{
	struct bare_slot *all;
	double began_s;

	arguments(argc, argv);
	all = calloc(slots, sizeof(*all));
	if (!all)
		errx(EX_OSERR, "no memory to begin with");
	options.connections = slots;
	bare_init(&options);
	make_bodies();
	if (ahead)
		make_ahead();
	began_s = bare_cpu_s();
	for (size_t i = 0; i < slots && begun < records; i++) {
		bare_slot_init(&all[i], "PUT");
		send_next(&all[i]);
	}
	bare_run(on_ended);
	printf("{\"cpu_s\":%.4f}\n", bare_cpu_s() - began_s);
	free_all(all);
	return 0;
}
