/* A position as JSON, as the checkpoint and watermark.json both keep it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "position.h"

#define T0 INT64_C(1795435320195)

static const char smallest[] =
	"{\"version\":1,\"table\":\"t\",\"bucket\":\"b\",\"data_path\":\"t/\",\"instance\":\"i\","
	"\"gaps\":[],\"streams\":[]}";

static struct position_shard shards[] = {
	{.id = "shardId-1", .seq = "100000000000000000001", .finished = true, .complete_ms = T0},
	{.id = "a shard: of \"another\" kind", .parent = "shardId-1", .complete_ms = CLOCK_UNKNOWN},
	{.id = "shardId-3",
	 .parent = "shardId-1",
	 .seq = "000000000000000000000000000000000000000000000007", /* SEQ_DIGITS_MAX digits */
	 .latest = true,
	 .complete_ms = T0 + 1},
};

static struct position_stream streams[] = {
	{.arn = "arn:old", .label = "2026-11-22T00:00:00.000", .drained = true},
	{.arn = "arn:new", .label = "2026-11-23T00:00:00.000", .shards = shards, .nshards = 3},
};

static struct position_gap gaps[] = {
	{.reason = "trimmed", .stream = "s", .shard = "x", .from_ms = T0 - 2, .to_ms = T0 - 1, .noticed_ms = T0},
	{.reason = "stream recreated", .from_ms = CLOCK_UNKNOWN, .to_ms = CLOCK_UNKNOWN, .noticed_ms = T0},
};

static struct position whole = {
	.table = "orders \xc3\xa9",
	.bucket = "backup",
	.data_path = "p/orders/",
	.table_arn = "arn:aws:dynamodb:eu-west-1:1:table/orders",
	.table_id = "0e1d",
	.instance = "0123456789abcdef0123456789abcdef",
	.host = "db1",
	.since_ms = T0 - 100000,
	.saved_ms = T0 + 5,
	.complete_through_ms = T0 + 1,
	.gap_count = UINT64_C(9007199254740993), /* more than a double can tell apart */
	.gaps = gaps,
	.ngaps = 2,
	.streams = streams,
	.nstreams = 2,
};

static void assert_text(const char *got, const char *want)
{
	if (want == NULL)
		assert_null(got);
	else
		assert_string_equal(got, want);
}

static void assert_same(const struct position *a, const struct position *b)
{
	assert_text(a->table, b->table);
	assert_text(a->bucket, b->bucket);
	assert_text(a->data_path, b->data_path);
	assert_text(a->table_arn, b->table_arn);
	assert_text(a->table_id, b->table_id);
	assert_text(a->instance, b->instance);
	assert_text(a->host, b->host);
	assert_true(a->since_ms == b->since_ms && a->saved_ms == b->saved_ms);
	assert_true(a->complete_through_ms == b->complete_through_ms);
	assert_true(a->gap_count == b->gap_count);
	assert_int_equal(a->ngaps, b->ngaps);
	for (size_t i = 0; i < a->ngaps; i++) {
		assert_text(a->gaps[i].reason, b->gaps[i].reason);
		assert_text(a->gaps[i].stream, b->gaps[i].stream);
		assert_text(a->gaps[i].shard, b->gaps[i].shard);
		assert_true(a->gaps[i].from_ms == b->gaps[i].from_ms && a->gaps[i].to_ms == b->gaps[i].to_ms);
		assert_true(a->gaps[i].noticed_ms == b->gaps[i].noticed_ms);
	}
	assert_int_equal(a->nstreams, b->nstreams);
	for (size_t i = 0; i < a->nstreams; i++) {
		const struct position_stream *s = &a->streams[i], *t = &b->streams[i];

		assert_text(s->arn, t->arn);
		assert_text(s->label, t->label);
		assert_int_equal(s->drained, t->drained);
		assert_int_equal(s->nshards, t->nshards);
		for (size_t k = 0; k < s->nshards; k++) {
			assert_text(s->shards[k].id, t->shards[k].id);
			assert_text(s->shards[k].parent, t->shards[k].parent);
			assert_text(s->shards[k].seq, t->shards[k].seq);
			assert_int_equal(s->shards[k].finished, t->shards[k].finished);
			assert_int_equal(s->shards[k].latest, t->shards[k].latest);
			assert_true(s->shards[k].complete_ms == t->shards[k].complete_ms);
		}
	}
}

static void test_round_trip(void **state)
{
	struct position *back = NULL;
	struct err e;

	(void)state;
	json_t *j = position_to_json(&whole);
	assert_non_null(j);
	/* Through text, as it is kept. */
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	j = json_loads(text, 0, NULL);
	assert_non_null(j);
	assert_int_equal(position_from_json(j, &back, &e), 0);
	assert_same(back, &whole);
	position_free(back);
	json_decref(j);
	free(text);
}

static void test_what_is_unknown_is_left_out(void **state)
{
	struct position *p = NULL;
	struct err e;

	(void)state;
	json_t *j = json_loads(smallest, 0, NULL);
	assert_int_equal(position_from_json(j, &p, &e), 0);
	json_decref(j);
	assert_true(p->saved_ms == CLOCK_UNKNOWN && p->since_ms == CLOCK_UNKNOWN);
	assert_true(p->complete_through_ms == CLOCK_UNKNOWN);
	assert_null(p->table_arn);
	assert_null(p->host);
	j = position_to_json(p);
	assert_null(json_object_get(j, "saved"));
	assert_null(json_object_get(j, "table_arn"));
	json_decref(j);
	position_free(p);
}

/* Tries the small position with one member put in the place of another; NULL leaves it out. */
static void assert_refused(const char *member, const char *value)
{
	struct position *p = NULL;
	struct err e = {0};
	json_t *j = json_loads(smallest, 0, NULL);

	assert_non_null(j);
	if (value == NULL)
		json_object_del(j, member);
	else
		assert_int_equal(json_object_set_new(j, member, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
	assert_int_equal(position_from_json(j, &p, &e), -ERR_CORRUPT);
	assert_int_equal(e.class, ERR_CORRUPT);
	assert_null(p);
	json_decref(j);
}

static void test_what_is_wrong_is_refused_by_name(void **state)
{
	static const char *const needed[] = {"version", "table", "bucket", "data_path", "instance", "gaps", "streams"};
	static const char *const wrong[][2] = {
		{"version", "2"},
		{"version", "\"1\""},
		{"table", "1"},
		{"table_arn", "{}"},
		{"host", "[]"},
		{"saved", "17"},
		{"saved", "\"yesterday\""},
		{"complete_through", "\"2026-11-23\""},
		{"gaps", "{}"},
		{"gaps", "[{}]"},
		{"gaps", "[1]"},
		{"gaps", "[{\"reason\":\"x\",\"from\":1}]"},
		{"streams", "\"\""},
		{"streams", "[null]"},
		{"streams", "[{\"arn\":\"a\",\"label\":\"l\"}]"},
		{"streams", "[{\"label\":\"l\",\"shards\":[]}]"},
		{"streams", "[{\"arn\":\"a\",\"label\":\"l\",\"shards\":[{}]}]"},
		{"streams", "[{\"arn\":\"a\",\"label\":\"l\",\"shards\":[{\"id\":\"x\",\"seq\":\"\"}]}]"},
		{"streams", "[{\"arn\":\"a\",\"label\":\"l\",\"shards\":[{\"id\":\"x\",\"seq\":\"12a\"}]}]"},
		{"streams", "[{\"arn\":\"a\",\"label\":\"l\",\"shards\":[{\"id\":\"x\",\"seq\":12}]}]"},
		{"streams", "[{\"arn\":\"a\",\"label\":\"l\",\"shards\":[{\"id\":\"x\",\"seq\":"
			    "\"0000000000000000000000000000000000000000000000001\"}]}]"},
	};
	struct position *p = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		assert_refused(needed[i], NULL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(wrong[i][0], wrong[i][1]);
	assert_int_equal(position_from_json(NULL, &p, &e), -ERR_CORRUPT);
	json_t *j = json_array();
	assert_int_equal(position_from_json(j, &p, &e), -ERR_CORRUPT);
	json_decref(j);
}

static void test_the_message_names_the_member(void **state)
{
	struct position *p = NULL;
	struct err e;
	json_t *j = json_loads(smallest, 0, NULL);

	(void)state;
	json_object_set_new(j, "saved", json_integer(1));
	assert_int_equal(position_from_json(j, &p, &e), -ERR_CORRUPT);
	assert_non_null(strstr(e.message, "saved"));
	json_object_del(j, "saved");
	json_object_set_new(j, "version", json_integer(2));
	assert_int_equal(position_from_json(j, &p, &e), -ERR_CORRUPT);
	assert_non_null(strstr(e.message, "version"));
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_what_is_unknown_is_left_out),
		cmocka_unit_test(test_what_is_wrong_is_refused_by_name),
		cmocka_unit_test(test_the_message_names_the_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
