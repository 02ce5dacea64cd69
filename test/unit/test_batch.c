/* A batch: one answer of GetRecords, its records in place, and what may be thrown away of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "batch.h"

#define BODY_MAX ((size_t)1 << 20)
#define RECORD(name, body) "{\"eventName\":\"" name "\",\"dynamodb\":{" body "}}"
#define TAIL "],\"NextShardIterator\":\"it\"}"
#define SALT 7

static const struct batch_skip none = {.after_seq = "", .before_ms = CLOCK_UNKNOWN};
static struct canon *canon;

static int set_up(void **state)
{
	(void)state;
	canon = canon_new(BODY_MAX);
	return canon == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	canon_free(canon);
	return 0;
}

static int make(struct batch **out, const char *text, const char *after_seq, struct batch_answer *answer, struct err *e)
{
	const struct batch_skip skip = {.after_seq = after_seq, .before_ms = CLOCK_UNKNOWN};
	struct buf body;

	buf_init(&body, BODY_MAX);
	assert_int_equal(buf_append_str(&body, text), 0);
	int rc = batch_new(out, &body, SALT, &skip, canon, answer, e);
	assert_int_equal(body.len, 0);
	assert_null(body.data);
	return rc;
}

static struct batch *must_make(const char *text, const char *after_seq, struct batch_answer *answer)
{
	struct batch *b = NULL;
	struct err e = {0};

	if (make(&b, text, after_seq, answer, &e) < 0)
		fail_msg("%s", e.message);
	return b;
}

static void assert_slice(const struct batch *b, struct records_slice s, const char *want)
{
	struct span got = batch_span(b, s);

	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.ptr, want, got.len);
}

static const char three[] =
	"{\"Records\":[" RECORD("INSERT",
				"\"ApproximateCreationDateTime\":1000,\"Keys\":{\"id\":{\"S\":\"a\"}},"
				"\"NewImage\":{\"id\":{\"S\":\"a\"},\"v\":{\"N\":\"1\"}},\"SequenceNumber\":"
				"\"9\"") "," RECORD("MODIFY",
						    "\"ApproximateCreationDateTime\":1003,\"Keys\":{\"id\":{"
						    "\"S\":\"b\"}},"
						    "\"NewImage\":{\"id\":{\"S\":\"b\"},\"v\":{\"N\":\"2\"}},"
						    "\"OldImage\":{\"id\":{\"S\":\"b\"},\"v\":{\"N\":\"0\"}},"
						    "\"SequenceNumber\":\"10\"") "," RECORD("REMOVE", "\"ApproximateCre"
												      "ationDateTime\":"
												      "1002,\"Keys\":{"
												      "\"id\":{\"S\":"
												      "\"a\"}},"
												      "\"OldImage\":{"
												      "\"id\":{\"S\":"
												      "\"a\"},\"v\":{"
												      "\"N\":\"1\"}},"
												      "\"SequenceNumber"
												      "\":\"100\"")
		TAIL;

static void test_records_and_what_the_batch_says(void **state)
{
	struct batch_answer answer;
	struct batch *b = must_make(three, "", &answer);

	(void)state;
	assert_int_equal(b->nrecords, 3);
	assert_int_equal(b->open, 3);
	assert_int_equal(b->first_open, 0);
	assert_string_equal(b->last_seq, "100");
	assert_int_equal(b->last_event_ms, 1003000); /* the newest, not the last */
	assert_int_equal(answer.dropped, 0);
	assert_true(span_eq_str(answer.next_iterator, "it"));
	assert_true(b->bytes >= sizeof(three) - 1 + 3 * sizeof(struct record));
	assert_int_equal(b->records[0].step, RECORD_PUT);
	assert_int_equal(b->records[1].step, RECORD_PUT);
	assert_int_equal(b->records[2].step, RECORD_DELETES);
	for (size_t i = 0; i < 3; i++) {
		assert_ptr_equal(b->records[i].batch, b);
		assert_int_equal(b->records[i].state, RECORD_QUEUED);
		assert_false(b->records[i].ask);
	}
	batch_free(b);
}

static void test_items_are_told_apart_by_their_digest(void **state)
{
	struct batch_answer answer;
	struct batch *b = must_make(three, "", &answer), *other;
	struct buf body;
	struct err e;

	(void)state;
	assert_memory_equal(b->records[0].item, b->records[2].item, sizeof(b->records[0].item));
	assert_memory_not_equal(b->records[0].item, b->records[1].item, sizeof(b->records[0].item));
	/* The same key in another table is another item. */
	buf_init(&body, BODY_MAX);
	assert_int_equal(buf_append_str(&body, three), 0);
	assert_int_equal(batch_new(&other, &body, SALT + 1, &none, canon, &answer, &e), 0);
	assert_memory_not_equal(b->records[0].item, other->records[0].item, sizeof(b->records[0].item));
	batch_free(other);
	batch_free(b);
}

static void test_keys_become_canonical_in_place(void **state)
{
	static const char text[] =
		"{\"Records\":[" RECORD("INSERT", "\"Keys\": { \"sk\" : {\"N\": \"1\"}, \"id\" : "
						  "{\"S\":\"\\u0061\\/\"} } ,"
						  "\"NewImage\":{\"id\":{\"S\":\"a/"
						  "\"},\"sk\":{\"N\":\"1\"}},\"SequenceNumber\":"
						  "\"1\"") "," RECORD("INSERT", "\"Keys\":{\"id\":{\"S\":\"a/"
										"\"},\"sk\":{\"N\":\"1\"}},"
										"\"NewImage\":{\"id\":{\"S\":"
										"\"a/"
										"\"},\"sk\":{\"N\":\"1\"}},"
										"\"SequenceNumber\":\"2\"") TAIL;
	struct batch_answer answer;
	struct batch *b = must_make(text, "", &answer);

	(void)state;
	assert_slice(b, b->records[0].keys, "{\"id\":{\"S\":\"a/\"},\"sk\":{\"N\":\"1\"}}");
	assert_slice(b, b->records[0].seq, "1"); /* what lies behind the keys is where it was */
	assert_memory_equal(b->records[0].item, b->records[1].item, sizeof(b->records[0].item));
	batch_free(b);
}

static void test_images_become_canonical_in_place(void **state)
{
	static const char text[] = "{\"Records\":[" RECORD(
		"MODIFY", "\"Keys\":{\"id\":{\"S\":\"a\"}},\"NewImage\":{ \"z\":{\"NS\":[\"2\", \"10\", \"1\"]}, "
			  "\"id\":{\"S\":\"a\"} },\"OldImage\":{\"id\":{\"S\":\"a\"},\"z\":{\"N\":\"0\"}},"
			  "\"SequenceNumber\":\"1\"") TAIL;
	struct batch_answer answer;
	struct batch *b = must_make(text, "", &answer);
	struct err e;

	(void)state;
	assert_int_equal(batch_canonicalize(b, &b->records[0].new_image, canon, &e), 0);
	assert_slice(b, b->records[0].new_image, "{\"id\":{\"S\":\"a\"},\"z\":{\"NS\":[\"1\",\"10\",\"2\"]}}");
	assert_slice(b, b->records[0].old_image, "{\"id\":{\"S\":\"a\"},\"z\":{\"N\":\"0\"}}");
	/* Twice is as good as once. */
	assert_int_equal(batch_canonicalize(b, &b->records[0].new_image, canon, &e), 0);
	assert_slice(b, b->records[0].new_image, "{\"id\":{\"S\":\"a\"},\"z\":{\"NS\":[\"1\",\"10\",\"2\"]}}");
	batch_free(b);
}

static void test_a_bad_image_is_left_as_it_is(void **state)
{
	static const char text[] = "{\"Records\":[" RECORD(
		"INSERT", "\"Keys\":{\"id\":{\"S\":\"a\"}},\"NewImage\":{\"id\":{\"S\":\"a\"},\"id\":{\"S\":\"b\"}},"
			  "\"SequenceNumber\":\"1\"") TAIL;
	struct batch_answer answer;
	struct batch *b = must_make(text, "", &answer);
	struct err e;

	(void)state;
	assert_int_equal(batch_canonicalize(b, &b->records[0].new_image, canon, &e), -ERR_CORRUPT);
	assert_slice(b, b->records[0].new_image, "{\"id\":{\"S\":\"a\"},\"id\":{\"S\":\"b\"}}");
	batch_free(b);
}

static void test_records_read_before_are_left_out(void **state)
{
	struct batch_answer answer;
	struct batch *b = must_make(three, "9", &answer);

	(void)state;
	assert_int_equal(answer.dropped, 1);
	assert_int_equal(b->nrecords, 2);
	assert_slice(b, b->records[0].seq, "10"); /* after 9 as a number, before it as text */
	batch_free(b);

	b = must_make(three, "00000000000000000000099", &answer);
	assert_int_equal(answer.dropped, 2);
	assert_int_equal(b->nrecords, 1);
	assert_slice(b, b->records[0].seq, "100");
	batch_free(b);

	b = must_make(three, "100", &answer);
	assert_int_equal(answer.dropped, 3);
	assert_int_equal(b->nrecords, 0);
	assert_int_equal(b->open, 0);
	assert_true(span_eq_str(answer.next_iterator, "it"));
	batch_free(b);
}

static void test_records_older_than_the_backup_are_left_out(void **state)
{
	static const char timeless[] =
		"{\"Records\":[" RECORD("REMOVE", "\"Keys\":{\"id\":{\"S\":\"a\"}},\"SequenceNumber\":\"1\"") TAIL;
	const struct batch_skip skip = {.after_seq = "", .before_ms = 1002000};
	struct batch_answer answer;
	struct batch *b;
	struct buf body;
	struct err e;

	(void)state;
	buf_init(&body, BODY_MAX);
	assert_int_equal(buf_append_str(&body, three), 0);
	assert_int_equal(batch_new(&b, &body, SALT, &skip, canon, &answer, &e), 0);
	assert_int_equal(answer.dropped, 1);
	assert_int_equal(b->nrecords, 2); /* the one of that very moment stays */
	assert_slice(b, b->records[0].seq, "10");
	assert_slice(b, b->records[1].seq, "100");
	batch_free(b);
	/* Whose time is not known may be new. */
	assert_int_equal(buf_append_str(&body, timeless), 0);
	assert_int_equal(batch_new(&b, &body, SALT, &skip, canon, &answer, &e), 0);
	assert_int_equal(b->nrecords, 1);
	batch_free(b);
}

static void test_an_empty_answer_and_the_end_of_a_shard(void **state)
{
	struct batch_answer answer;
	struct batch *b = must_make("{\"Records\":[],\"NextShardIterator\":\"x\"}", "", &answer);

	(void)state;
	assert_int_equal(b->nrecords, 0);
	assert_int_equal(answer.next_iterator.len, 1);
	batch_free(b);
	b = must_make("{\"Records\":[]}", "", &answer);
	assert_int_equal(answer.next_iterator.len, 0);
	assert_int_equal(b->last_event_ms, CLOCK_UNKNOWN);
	batch_free(b);
	b = must_make("{\"Records\":[],\"NextShardIterator\":null}", "5", &answer);
	assert_int_equal(answer.next_iterator.len, 0);
	batch_free(b);
}

/* Under AddressSanitizer this also shows that nothing of a refused answer stays. */
static void test_malformed_answers_leave_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"Records\":[{}]}",
		"{\"Records\":[" RECORD("INSERT", "\"Keys\":{\"id\":{\"S\":\"a\"}},\"SequenceNumber\":\"1\"") TAIL,
		"{\"Records\":[" RECORD("INSERT",
					"\"Keys\":{\"id\":{\"S\":\"a\"}},\"NewImage\":{},\"SequenceNumber\":\"x\"")
			TAIL,
		"{\"Records\":[" RECORD("CHANGE",
					"\"Keys\":{\"id\":{\"S\":\"a\"}},\"NewImage\":{},\"SequenceNumber\":\"1\"")
			TAIL,
		/* keys that are JSON but no keys: found only when they are brought into canonical form */
		"{\"Records\":[" RECORD("REMOVE",
					"\"Keys\":{\"id\":{\"S\":\"a\"},\"id\":{\"S\":\"a\"}},\"SequenceNumber\":\"1\"")
			TAIL,
		"{\"Records\":[" RECORD("REMOVE", "\"Keys\":{\"id\":\"a\"},\"SequenceNumber\":\"1\"") TAIL,
	};
	struct batch_answer answer;
	struct batch *b = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e = (struct err){0};
		assert_int_equal(make(&b, bad[i], "", &answer, &e), -ERR_CORRUPT);
		assert_int_equal(e.class, ERR_CORRUPT);
		assert_null(b);
	}
	/* Every truncation of a good answer. */
	for (size_t len = 0; len < sizeof(three) - 1; len++) {
		char *cut = strndup(three, len);

		assert_non_null(cut);
		assert_int_equal(make(&b, cut, "", &answer, &e), -ERR_CORRUPT);
		assert_null(b);
		free(cut);
	}
}

static void durable(struct batch *b, size_t i)
{
	b->records[i].state = RECORD_DURABLE;
	b->open--;
}

/* `n` records with images of `size` bytes each. */
static struct batch *large_batch(size_t n, size_t size)
{
	struct batch_answer answer;
	struct batch *b;
	struct buf body;
	struct err e;

	buf_init(&body, BODY_MAX);
	buf_append_str(&body, "{\"Records\":[");
	for (size_t i = 0; i < n; i++) {
		buf_printf(&body, "%s{\"eventName\":\"MODIFY\",\"dynamodb\":{\"Keys\":{\"id\":{\"S\":\"i%zu\"}},",
			   i ? "," : "", i);
		buf_printf(&body, "\"NewImage\":{\"id\":{\"S\":\"i%zu\"},\"v\":{\"S\":\"%0*zu\"}},", i, (int)size, i);
		buf_printf(&body, "\"OldImage\":{\"id\":{\"S\":\"i%zu\"}},\"SequenceNumber\":\"%zu\"}}", i, 1000 + i);
	}
	assert_int_equal(buf_append_str(&body, TAIL), 0);
	assert_int_equal(batch_new(&b, &body, SALT, &none, canon, &answer, &e), 0);
	assert_int_equal(b->nrecords, n);
	return b;
}

static void assert_open_record(const struct batch *b, size_t i, size_t size)
{
	char want[8192];

	snprintf(want, sizeof(want), "{\"id\":{\"S\":\"i%zu\"}}", i);
	assert_slice(b, b->records[i].keys, want);
	assert_slice(b, b->records[i].old_image, want);
	snprintf(want, sizeof(want), "{\"id\":{\"S\":\"i%zu\"},\"v\":{\"S\":\"%0*zu\"}}", i, (int)size, i);
	assert_slice(b, b->records[i].new_image, want);
}

static void test_compaction_keeps_what_is_open(void **state)
{
	struct batch *b = large_batch(100, 1000);
	size_t before = b->bytes;
	char seq[16];

	(void)state;
	for (size_t i = 0; i < 100; i++)
		if (i != 30 && i != 77)
			durable(b, i);
	b->first_open = 30;
	size_t saved = batch_compact(b);
	assert_true(saved > 90 * 1000);
	assert_int_equal(b->bytes, before - saved);
	assert_true(b->bytes >= b->body.cap + 100 * sizeof(struct record));
	assert_open_record(b, 30, 1000);
	assert_open_record(b, 77, 1000);
	/* The durable prefix may end at any record from here on: each has kept its number. */
	for (size_t i = 30; i < 100; i++) {
		snprintf(seq, sizeof(seq), "%zu", 1000 + i);
		assert_slice(b, b->records[i].seq, seq);
	}
	assert_string_equal(b->last_seq, "1099");
	/* What was freed once is not freed again. */
	assert_int_equal(batch_compact(b), 0);
	batch_free(b);
}

static void test_compaction_waits_for_workers_and_for_worth(void **state)
{
	struct batch *b = large_batch(10, 1000);

	(void)state;
	assert_int_equal(batch_compact(b), 0); /* all open */
	for (size_t i = 1; i < 10; i++)
		durable(b, i);
	b->writing = 1; /* a request points into the body */
	const char *where = b->body.data;
	assert_int_equal(batch_compact(b), 0);
	assert_ptr_equal(b->body.data, where);
	assert_open_record(b, 0, 1000);
	b->writing = 0;
	assert_true(batch_compact(b) > 8000);
	assert_open_record(b, 0, 1000);
	batch_free(b);
}

static void test_compaction_of_an_image_that_was_made_canonical(void **state)
{
	struct batch *b = large_batch(4, 500);
	struct err e;

	(void)state;
	assert_int_equal(batch_canonicalize(b, &b->records[3].new_image, canon, &e), 0);
	for (size_t i = 0; i < 3; i++)
		durable(b, i);
	b->first_open = 3;
	assert_true(batch_compact(b) > 0);
	assert_open_record(b, 3, 500);
	assert_int_equal(batch_canonicalize(b, &b->records[3].old_image, canon, &e), 0);
	assert_open_record(b, 3, 500);
	batch_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_and_what_the_batch_says),
		cmocka_unit_test(test_items_are_told_apart_by_their_digest),
		cmocka_unit_test(test_keys_become_canonical_in_place),
		cmocka_unit_test(test_images_become_canonical_in_place),
		cmocka_unit_test(test_a_bad_image_is_left_as_it_is),
		cmocka_unit_test(test_records_read_before_are_left_out),
		cmocka_unit_test(test_records_older_than_the_backup_are_left_out),
		cmocka_unit_test(test_an_empty_answer_and_the_end_of_a_shard),
		cmocka_unit_test(test_malformed_answers_leave_nothing),
		cmocka_unit_test(test_compaction_keeps_what_is_open),
		cmocka_unit_test(test_compaction_waits_for_workers_and_for_worth),
		cmocka_unit_test(test_compaction_of_an_image_that_was_made_canonical),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
