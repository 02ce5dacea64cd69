/*
 * Ranges, on a bucket that answers all that was asked once nothing more comes: a round. What matters is that each item comes
 * once, in how few rounds, and at how few requests beside the pages that must be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_fixture.h"
#include "base/config.h"
#include "cli/range.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "httpd.h"

#define DATA "orders/"
#define DELETES ".ddb-streamd/orders/deletes/"
#define KEYS_MAX 20000
#define MANY 4000
#define PAGE_KEYS 10
#define ROUND_MS 4
#define ASKED_MAX 32

struct bucket {
	struct httpd server;
	struct session session;
	struct config config;
	char url[64];
	uv_timer_t round;
	struct {
		struct httpd_conn *conn;
		char *target;
	} asked[ASKED_MAX];
	size_t nasked, rounds, requests, most; /* at a time */
	char *keys[KEYS_MAX];		       /* in order; each of them has `versions` */
	size_t nkeys, versions;
	bool current; /* objects are listed, not versions */
	bool sparing;
	const struct range_bounds *bounds;
	size_t nbounds;
	bool inclusive; /* it takes a marker to be among what is asked for, as some stores do */
	size_t refused; /* probes that are answered by an error, from the first one on */
	/* what the ranges handed out */
	struct ranges ranges;
	size_t seen[KEYS_MAX], nseen;
	char last[RANGES_MAX][256];
	struct buf held[RANGES_MAX]; /* key of the item that is given back next */
	bool done;
};

/* --- the bucket --- */

static char *parameter(const char *target, const char *name)
{
	char *value = calloc(1, strlen(target) + 1);
	size_t n = strlen(name), len = 0;
	assert_non_null(value);
	for (const char *at = strpbrk(target, "?&"); at != NULL; at = strpbrk(at + 1, "&"))
		if (strncmp(at + 1, name, n) == 0 && at[1 + n] == '=')
			assert_true(encode_percent_decode(value, &len, at + 2 + n, strcspn(at + 2 + n, "&"), false));
	value[len] = '\0';
	return value;
}

static void add_version(struct buf *out, const char *key, size_t version)
{
	char *encoded = malloc(3 * strlen(key) + 1);
	assert_non_null(encoded);
	encoded[encode_percent(encoded, key, strlen(key), "/")] = '\0';
	assert_int_equal(buf_printf(out,
				    "<Version><Key>%s</Key><VersionId>v%zu</VersionId><IsLatest>%s</IsLatest>"
				    "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"e\"</ETag>"
				    "<Size>1</Size><StorageClass>STANDARD</StorageClass></Version>",
				    encoded, version, version == 0 ? "true" : "false"),
			 0);
	free(encoded);
}

/* Entry n is version n % versions of key n / versions; the first one behind the markers. */
static size_t first_behind(const struct bucket *b, const char *key_marker, const char *version_marker)
{
	size_t low = 0, high = b->nkeys;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (strcmp(b->keys[middle], key_marker) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	bool same = low < b->nkeys && strcmp(b->keys[low], key_marker) == 0;
	if (same && version_marker[0] != '\0')
		return low * b->versions + strtoul(version_marker + 1, NULL, 10) + 1;
	return (low + (same && !b->inclusive)) * b->versions;
}

/* ListObjectsV2: the newest version of each key. The token is the last key, in its own words. */
static void answer_objects(struct bucket *b, struct httpd_conn *c, const char *target)
{
	char *prefix = parameter(target, "prefix"), *after = parameter(target, "start-after"),
	     *token = parameter(target, "continuation-token"), *max = parameter(target, "max-keys");
	size_t most = max[0] != '\0' ? strtoul(max, NULL, 10) : 1000, n = 0, at = 0;
	const char *from = token[0] != '\0' ? token + 1 : after;
	struct buf body;
	buf_init(&body, (size_t)1 << 20);
	assert_true(token[0] == '\0' || after[0] == '\0');
	assert_int_equal(buf_append_str(&body, "<ListBucketResult><EncodingType>url</EncodingType>"), 0);
	for (; at < b->nkeys && n < most; at++) {
		const char *key = b->keys[at];
		if (strncmp(key, prefix, strlen(prefix)) != 0 || strcmp(key, from) <= 0)
			continue;
		char *encoded = malloc(3 * strlen(key) + 1);
		assert_non_null(encoded);
		encoded[encode_percent(encoded, key, strlen(key), "/")] = '\0';
		assert_int_equal(
			buf_printf(&body,
				   "<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
				   "<ETag>\"e%zu\"</ETag><Size>1</Size></Contents>",
				   encoded, at),
			0);
		free(encoded);
		n++;
	}
	bool more = n == most && at < b->nkeys && strncmp(b->keys[at], prefix, strlen(prefix)) == 0;
	assert_int_equal(buf_printf(&body, "<IsTruncated>%s</IsTruncated>", more ? "true" : "false"), 0);
	if (more)
		assert_int_equal(buf_printf(&body, "<NextContinuationToken>+%s</NextContinuationToken>",
					    b->keys[at - 1]),
				 0);
	assert_int_equal(buf_append_str(&body, "</ListBucketResult>"), 0);
	httpd_answer(c, 200, "", buf_str(&body));
	buf_fini(&body);
	free(prefix);
	free(after);
	free(token);
	free(max);
}

static void answer(struct bucket *b, struct httpd_conn *c, const char *target)
{
	assert_int_equal(strstr(target, "list-type=2") != NULL, b->current);
	if (b->current) {
		answer_objects(b, c, target);
		return;
	}
	char *prefix = parameter(target, "prefix"), *key_marker = parameter(target, "key-marker"),
	     *version_marker = parameter(target, "version-id-marker"), *max = parameter(target, "max-keys");
	size_t most = max[0] != '\0' ? strtoul(max, NULL, 10) : 1000, n = 0, at;
	struct buf body;
	buf_init(&body, (size_t)1 << 20);
	assert_int_equal(buf_append_str(&body, "<ListVersionsResult><EncodingType>url</EncodingType>"), 0);
	for (at = first_behind(b, key_marker, version_marker); at < b->nkeys * b->versions && n < most; at++) {
		const char *key = b->keys[at / b->versions];
		if (strncmp(key, prefix, strlen(prefix)) != 0) {
			if (strcmp(key, prefix) > 0)
				break;
			continue;
		}
		add_version(&body, key, at % b->versions);
		n++;
	}
	bool more = n == most && at < b->nkeys * b->versions &&
		    strncmp(b->keys[at / b->versions], prefix, strlen(prefix)) == 0;
	assert_int_equal(buf_printf(&body, "<IsTruncated>%s</IsTruncated>", more ? "true" : "false"), 0);
	if (more) {
		char encoded[1024];
		const char *key = b->keys[(at - 1) / b->versions];
		encoded[encode_percent(encoded, key, strlen(key), "/")] = '\0';
		assert_int_equal(buf_printf(&body,
					    "<NextKeyMarker>%s</NextKeyMarker>"
					    "<NextVersionIdMarker>v%zu</NextVersionIdMarker>",
					    encoded, (at - 1) % b->versions),
				 0);
	}
	assert_int_equal(buf_append_str(&body, "</ListVersionsResult>"), 0);
	if (most == 1 && b->refused > 0 && b->refused-- > 0)
		httpd_answer(c, 403, "", "<Error><Code>AccessDenied</Code></Error>");
	else
		httpd_answer(c, 200, "", buf_str(&body));
	buf_fini(&body);
	free(prefix);
	free(key_marker);
	free(version_marker);
	free(max);
}

static void on_round(uv_timer_t *t)
{
	struct bucket *b = t->data;
	size_t n = b->nasked;
	b->rounds++;
	b->most = n > b->most ? n : b->most;
	b->nasked = 0;
	for (size_t i = 0; i < n; i++) {
		answer(b, b->asked[i].conn, b->asked[i].target);
		free(b->asked[i].target);
	}
}

static void on_request(struct httpd_conn *c, const struct httpd_request *r, void *arg)
{
	struct bucket *b = arg;
	assert_true(b->nasked < ASKED_MAX);
	b->asked[b->nasked].conn = c;
	b->asked[b->nasked++].target = strdup(r->target);
	b->requests++;
	/* Anew with each request: the round begins when no more come. */
	uv_timer_start(&b->round, on_round, ROUND_MS, 0);
}

static int setup(void **state)
{
	struct bucket *b = calloc(1, sizeof(*b));
	struct err e;
	assert_non_null(b);
	aws_fixture_environment("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL);
	assert_int_equal(digest_init(&e), 0);
	uv_loop_init(&b->session.loop);
	httpd_start(&b->server, &b->session.loop, on_request, b);
	uv_timer_init(&b->session.loop, &b->round);
	b->round.data = b;
	snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%d", b->server.port);
	b->config = (struct config){.region = (char *)"eu-west-1", .bucket = (char *)"bkt"};
	b->config.endpoints[CONFIG_S3] = b->url;
	assert_int_equal(aws_init(&b->session.aws, &b->session.loop, &b->config, 40, &e), 0);
	b->session.data_path = (char *)DATA;
	b->session.deletes_path = (char *)DELETES;
	b->versions = 1;
	for (size_t i = 0; i < RANGES_MAX; i++)
		buf_init(&b->held[i], 1024);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bucket *b = *state;
	aws_fini(&b->session.aws);
	httpd_stop(&b->server);
	uv_close((uv_handle_t *)&b->round, NULL);
	uv_run(&b->session.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->session.loop), 0);
	for (size_t i = 0; i < b->nkeys; i++)
		free(b->keys[i]);
	for (size_t i = 0; i < b->nasked; i++)
		free(b->asked[i].target);
	for (size_t i = 0; i < RANGES_MAX; i++)
		buf_fini(&b->held[i]);
	free(b);
	digest_cleanup();
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void __attribute__((format(printf, 2, 3))) add_key(struct bucket *b, const char *fmt, ...)
{
	char *key;
	va_list ap;
	assert_true(b->nkeys < KEYS_MAX);
	va_start(ap, fmt);
	assert_true(vasprintf(&key, fmt, ap) >= 0);
	va_end(ap);
	b->keys[b->nkeys++] = key;
}

/* --- what comes of it --- */

static void take(struct bucket *b, struct range *r, struct item *it)
{
	char whole[512];
	const char *key = buf_str(&it->key), *looked = whole;
	size_t number = range_number(&b->ranges, r);
	snprintf(whole, sizeof(whole), DATA "%s", key);
	char **found = bsearch(&looked, b->keys, b->nkeys, sizeof(b->keys[0]), by_bytes);
	assert_non_null(found);
	b->seen[found - b->keys]++;
	b->nseen++;
	assert_int_equal(it->lists[ITEM_DATA].n, b->current ? 1 : b->versions);
	if (b->current) {
		char etag[32];
		snprintf(etag, sizeof(etag), "e%zu", (size_t)(found - b->keys));
		assert_string_equal(item_version_id(it, &it->lists[ITEM_DATA].entries[0]), etag);
	}
	/* A slot that takes another range goes back only when all of its items were given back. */
	if (r->items > 1)
		assert_true(strcmp(b->last[number], key) < 0);
	snprintf(b->last[number], sizeof(b->last[number]), "%s", key);
	/* Each item is given back when the next one comes, so that ranges end late. */
	if (b->held[number].len > 0)
		assert_int_equal(range_done(r, (struct span){buf_str(&b->held[number]), b->held[number].len}), 0);
	buf_reset(&b->held[number]);
	if (r->items > 0)
		assert_int_equal(buf_append_str(&b->held[number], key), 0);
	item_free(it);
}

static void give_back(struct bucket *b)
{
	for (size_t i = 0; i < RANGES_MAX; i++) {
		if (b->held[i].len == 0)
			continue;
		assert_int_equal(range_done(&b->ranges.slots[i], (struct span){buf_str(&b->held[i]), b->held[i].len}),
				 0);
		buf_reset(&b->held[i]);
	}
}

static void on_wake(void *arg)
{
	struct bucket *b = arg;
	struct range *r;
	struct item *it;
	struct err e;
	int rc;
	while (!b->done && (rc = ranges_next(&b->ranges, &r, &it, &e)) != RANGES_WAIT) {
		assert_true(rc >= 0);
		if (rc == RANGES_ITEM)
			take(b, r, it);
		b->done = rc == RANGES_END;
	}
	give_back(b);
}

/* Lists everything; returns how many pages the keys have. */
static size_t list(struct bucket *b, const char *prefix)
{
	const struct ranges_options o = {.prefix = prefix,
					 .old_ms = INT64_MIN,
					 .max_keys = PAGE_KEYS,
					 .bounds = b->bounds,
					 .nbounds = b->nbounds,
					 .current = b->current,
					 .sparing = b->sparing};
	struct err e;
	size_t wanted = 0;
	qsort(b->keys, b->nkeys, sizeof(b->keys[0]), by_bytes);
	assert_int_equal(ranges_init(&b->ranges, &b->session, &o, &e), 0);
	ranges_start(&b->ranges, on_wake, b);
	while (!b->done)
		uv_run(&b->session.loop, UV_RUN_ONCE);
	for (size_t i = 0; i < b->nkeys; i++) {
		bool in = strncmp(b->keys[i], DATA, strlen(DATA)) == 0 &&
			  strncmp(b->keys[i] + strlen(DATA), prefix, strlen(prefix)) == 0;
		assert_int_equal(b->seen[i], in);
		wanted += in;
	}
	assert_int_equal(b->nseen, wanted);
	uint64_t probes = b->ranges.probes, pages = b->ranges.pages;
	/* A probe may be under way, and so may pages that were read ahead. */
	assert_in_range(b->requests + RANGES_PROBES, pages + probes, pages + probes + RANGES_PROBES + 2 * RANGES_MAX);
	ranges_fini(&b->ranges);
	uv_run(&b->session.loop, UV_RUN_NOWAIT);
	return (wanted * (b->current ? 1 : b->versions) + PAGE_KEYS - 1) / PAGE_KEYS;
}

/* In less than three times of what eight listings would take that know where the keys are. */
static void list_fast(struct bucket *b, const char *prefix)
{
	size_t pages = list(b, prefix);
	if (b->rounds > 8 + 3 * pages / RANGES_MAX || b->requests > 64 + 2 * pages)
		fail_msg("%zu pages took %zu rounds and %zu requests", pages, b->rounds, b->requests);
}

static void test_numbers(void **state)
{
	struct bucket *b = *state;
	for (int i = 0; i < 2000; i++)
		add_key(b, DATA "item-%012d", i);
	list_fast(b, "");
}

static void test_random_hex(void **state)
{
	struct bucket *b = *state;
	uint64_t chance = 1;
	for (int i = 0; i < 2000; i++) {
		chance = chance * 6364136223846793005 + 1442695040888963407;
		add_key(b, DATA "%08llx-%04d", (unsigned long long)(chance >> 32), i);
	}
	list_fast(b, "");
}

static void test_folders_and_versions(void **state)
{
	struct bucket *b = *state;
	b->versions = 3;
	for (int i = 0; i < 1000; i++)
		add_key(b, DATA "customer%%23%d/2026-01-%02dT00", i / 20 + 7, i % 20 + 1);
	add_key(b, "before");
	add_key(b, "zzz");
	list_fast(b, "");
}

static void test_prefix(void **state)
{
	struct bucket *b = *state;
	for (int i = 0; i < 1500; i++)
		add_key(b, DATA "b/%d", i);
	for (int i = 0; i < 100; i++) {
		add_key(b, DATA "a/%d", i);
		add_key(b, DATA "c/%d", i);
	}
	list_fast(b, "b/");
}

static void test_current_objects(void **state)
{
	struct bucket *b = *state;
	b->current = true;
	for (int i = 0; i < 2000; i++)
		add_key(b, DATA "item-%012d", i);
	add_key(b, DELETES "item-000000000003");
	list_fast(b, "");
}

/* Where requests count, a table of a few pages costs no more than these, and a larger one a hundredth more. */
static void test_sparing(void **state)
{
	struct bucket *b = *state;
	b->current = b->sparing = true;
	for (int i = 0; i < 7 * PAGE_KEYS; i++)
		add_key(b, DATA "item-%012d", i);
	assert_int_equal(list(b, ""), 7);
	assert_int_equal(b->requests, 7);
}

static void test_sparing_and_large(void **state)
{
	struct bucket *b = *state;
	b->current = b->sparing = true;
	for (int i = 0; i < KEYS_MAX; i++)
		add_key(b, DATA "item-%012d", i);
	size_t pages = list(b, "");
	assert_in_range(b->requests, pages, pages + pages / 100 + 2 * RANGES_MAX);
	assert_in_range(b->rounds, pages / RANGES_MAX, pages - 1);
}

/* What is not ASCII is never cut, and lists as it comes. */
static void test_other_bytes(void **state)
{
	struct bucket *b = *state;
	for (int i = 0; i < 600; i++) {
		add_key(b, DATA "k\xc3\xa4se-%d", i);
		add_key(b, DATA "\xf0\x9f\x98\x80%d", i);
		add_key(b, DATA "\x01 %d", i);
	}
	list(b, "");
	assert_in_range(b->most, 2, 2 * RANGES_MAX + RANGES_PROBES);
}

/* A table of four pages is not worth asking about, and comes in the order of its keys. */
static void test_small(void **state)
{
	struct bucket *b = *state;
	for (int i = 0; i < 4 * PAGE_KEYS; i++)
		add_key(b, DATA "item-%04d", i);
	list(b, "");
	assert_int_equal(b->requests, 5);
}

static void test_empty(void **state)
{
	struct bucket *b = *state;
	add_key(b, "before");
	list(b, "");
	assert_int_equal(b->requests, 2);
}

/* A range of a run that goes on begins behind its marker all the same, and no item comes twice. */
static void test_inclusive(void **state)
{
	static const struct range_bounds bounds[] = {
		{{"", 0}, {"item-0003", 9}},
		{{"item-0003", 9}, {"item-0017", 9}},
		{{"item-0017", 9}, {"", 0}},
	};
	struct bucket *b = *state;
	b->inclusive = true;
	b->versions = 3;
	b->bounds = bounds;
	b->nbounds = 3;
	for (int i = 0; i < 50; i++)
		add_key(b, DATA "item-%04d", i);
	list(b, "");
}

/* Probes that fail cost the chance to divide, and are not sent again and again. */
static void test_probes_fail(void **state)
{
	struct bucket *b = *state;
	b->refused = 1000;
	for (int i = 0; i < 500; i++)
		add_key(b, DATA "item-%012d", i);
	size_t pages = list(b, "");
	assert_in_range(b->requests, pages, pages + 2 + RANGES_PROBES);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_numbers),	 T(test_random_hex), T(test_folders_and_versions), T(test_prefix),
		T(test_current_objects), T(test_sparing),    T(test_sparing_and_large),	   T(test_other_bytes),
		T(test_small),		 T(test_empty),	     T(test_probes_fail),	   T(test_inclusive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
