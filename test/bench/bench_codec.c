/*
 * bench_codec: how fast the codec layer is by itself, in the processor time of this thread.
 *
 * usage: bench_codec [-b ITEM_BYTES] [-t MILLISECONDS]
 * Prints, as JSON: megabytes a second of items that are brought into canonical form, of records that are split, and
 * microseconds for the signature of a PUT as the daemon sends it, without the digest of its body.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/canon.h"
#include "codec/digest.h"
#include "codec/records.h"
#include "codec/sigv4.h"
#include "load.h"

#define ITEMS 256 /* so many that their text does not stay in the first cache */
#define BODY_MAX ((size_t)256 << 20)

static size_t item_bytes = 1024;
static double enough_s = 0.5;

static struct buf text; /* of all items, one behind the other */
static struct span items[ITEMS];
static struct buf answer; /* of GetRecords, with a record for each item */
static struct canon *canon;
static struct sigv4_key key;
static struct buf authorization;

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for the items to measure with");
}

static void prepare(void)
{
	buf_init(&text, BODY_MAX);
	buf_init(&answer, BODY_MAX);
	buf_init(&authorization, 4096);
	kept(buf_reserve(&text, ITEMS * (item_bytes + 1024)));
	kept(buf_append_str(&answer, "{\"Records\":["));
	for (size_t i = 0; i < ITEMS; i++) {
		size_t begin = text.len;

		load_image(&text, i, item_bytes);
		items[i] = (struct span){text.data + begin, text.len - begin};
		if (i > 0)
			kept(buf_append_char(&answer, ','));
		load_record(&answer, i, i, item_bytes, 1700000000);
	}
	kept(buf_append_str(&answer, "]}"));
	canon = canon_new(BODY_MAX);
	if (!canon || digest_init(NULL) < 0)
		errx(EX_OSERR, "no memory to begin with");
}

/* Each of these does something once and tells how many bytes (of a signature: how many) that was. */

static size_t canonicalise(void)
{
	size_t bytes = 0;

	for (size_t i = 0; i < ITEMS; i++) {
		struct span form;
		struct err e;

		if (canon_item(canon, items[i], &form, &e) < 0)
			errx(EX_SOFTWARE, "%s", e.message);
		bytes += items[i].len;
	}
	return bytes;
}

static int count(void *arg, const struct records_entry *r)
{
	(void)r;
	++*(size_t *)arg;
	return 0;
}

static size_t split(void)
{
	struct records_answer found;
	struct err e;
	size_t n = 0;

	if (records_split(answer.data, answer.len, count, &n, &found, &e) < 0)
		errx(EX_SOFTWARE, "%s", e.message);
	if (n != ITEMS)
		errx(EX_SOFTWARE, "%zu records of %d", n, ITEMS);
	return answer.len;
}

static size_t sign(void)
{
	static const char hash[] = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
	char amz_date[17], day[9];
	struct sigv4_header headers[] = {
		{SPAN_LIT("host"), SPAN_LIT("bench.s3.us-east-1.amazonaws.com")},
		{SPAN_LIT("content-type"), SPAN_LIT("application/json")},
		{SPAN_LIT("content-md5"), SPAN_LIT("1B2M2Y8AsgTpgAmY7PhCfg==")},
		{SPAN_LIT("x-amz-meta-ddb-event"), SPAN_LIT("INSERT")},
		{SPAN_LIT("x-amz-meta-ddb-seq"), SPAN_LIT("1000000000000000000000042")},
		{SPAN_LIT("x-amz-meta-ddb-time"), SPAN_LIT("2026-01-01T00:00:00.000Z")},
		{SPAN_LIT("x-amz-meta-ddb-stream"), SPAN_LIT(LOAD_LABEL)},
		{SPAN_LIT("x-amz-meta-ddb-shard"), SPAN_LIT("shardId-00000001700000000000-00000001")},
		{SPAN_LIT("x-amz-date"), {amz_date, sizeof(amz_date) - 1}},
		{SPAN_LIT("x-amz-content-sha256"), SPAN_LIT(hash)},
	};
	struct sigv4_request r = {.method = "PUT",
				  .path = SPAN_LIT("/" LOAD_TABLE "/item-000000000042"),
				  .headers = headers,
				  .nheaders = sizeof(headers) / sizeof(headers[0]),
				  .payload_hash = SPAN_LIT(hash),
				  .amz_date = amz_date};

	clock_amz(amz_date, clock_wall_ms());
	snprintf(day, sizeof(day), "%.8s", amz_date);
	for (size_t i = 0; i < ITEMS; i++) {
		buf_reset(&authorization);
		sigv4_key_update(&key, day, LOAD_REGION, "s3", LOAD_ACCESS_KEY, LOAD_SECRET_KEY);
		kept(sigv4_sign(&key, &r, &authorization));
	}
	return ITEMS;
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* So much a second. */
static double rate(size_t (*once)(void))
{
	double began_s, now_s;
	size_t done = 0;

	once();
	began_s = cpu_s();
	do {
		done += once();
		now_s = cpu_s();
	} while (now_s - began_s < enough_s);
	return (double)done / (now_s - began_s);
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "b:t:")) != -1) {
		if (opt == 'b')
			item_bytes = strtoul(optarg, NULL, 10);
		else if (opt == 't')
			enough_s = strtod(optarg, NULL) / 1000;
		else
			errx(EX_USAGE, "usage: bench_codec [-b ITEM_BYTES] [-t MILLISECONDS]");
	}
	prepare();
	printf("{\"canonicalise_MBps\":%.1f,\"split_MBps\":%.1f,", rate(canonicalise) / 1e6, rate(split) / 1e6);
	printf("\"sigv4_us\":%.3f}\n", 1e6 / rate(sign));
	canon_free(canon);
	buf_fini(&text);
	buf_fini(&answer);
	buf_fini(&authorization);
	sigv4_cleanup();
	digest_cleanup();
	return 0;
}
