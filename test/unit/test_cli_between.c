/* A key between two keys: for a range of keys that is divided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cli/between.h"

#define PREFIX "orders/"

/* <0, 0, >0 in the order of S3's keys: by bytes. */
static int order(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int by_bytes = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
	return by_bytes != 0 ? by_bytes : (a.len > b.len) - (a.len < b.len);
}

/* Holds the answer to what the header says. Returns whether there is one. */
static bool divides(struct span low, struct span high, size_t prefix_len, struct buf *out)
{
	buf_reset(out);
	if (!between(low, high, prefix_len, out)) {
		assert_int_equal(out->len, 0);
		return false;
	}
	struct span key = {buf_str(out), out->len};
	assert_true(order(low, key) < 0);
	assert_true(high.len == 0 || order(key, high) < 0);
	assert_true(key.len >= prefix_len && memcmp(key.ptr, low.ptr, prefix_len) == 0);
	/* No half of a UTF-8 character: what is not in `low` is ASCII, and `low` is never cut inside of one. */
	assert_true(key.len <= low.len + 1);
	unsigned char last = (unsigned char)key.ptr[key.len - 1];
	assert_true(last >= 0x20 && last < 0x7f);
	assert_true(memcmp(key.ptr, low.ptr, key.len - 1) == 0);
	return true;
}

static void test_middle(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 2048);
	assert_true(divides(span_of(PREFIX "a"), span_of(PREFIX "c"), strlen(PREFIX), &out));
	assert_string_equal(buf_str(&out), PREFIX "b");
	assert_true(divides(span_of(PREFIX "10"), span_of(PREFIX "90"), strlen(PREFIX), &out));
	assert_string_equal(buf_str(&out), PREFIX "5");
	/* From the beginning of all keys to their end: about the middle of printable ASCII. */
	assert_true(divides(span_of(PREFIX), (struct span){NULL, 0}, strlen(PREFIX), &out));
	assert_in_range(buf_str(&out)[strlen(PREFIX)], 0x45, 0x5a);
	/* Neighbours: behind the lower one. */
	assert_true(divides(span_of(PREFIX "a"), span_of(PREFIX "b"), strlen(PREFIX), &out));
	assert_int_equal(strncmp(buf_str(&out), PREFIX "a", strlen(PREFIX "a")), 0);
	buf_fini(&out);
}

static void test_nothing_between(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 2048);
	assert_false(divides(span_of(PREFIX "a"), span_of(PREFIX "a "), strlen(PREFIX), &out));
	assert_false(divides(span_of(PREFIX "a"), span_of(PREFIX "a"), strlen(PREFIX), &out));
	assert_false(divides(span_of(PREFIX "b"), span_of(PREFIX "a"), strlen(PREFIX), &out));
	buf_fini(&out);
}

/* Dividing again and again, both ways, comes to an end and never leaves the range. */
static void test_again_and_again(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{PREFIX, ""},
		{PREFIX, PREFIX "~"},
		{PREFIX "a/1", PREFIX "a/2"},
		{PREFIX "0000", PREFIX "ffff"},
		{PREFIX "k\xc3\xa4se", PREFIX "k\xc3\xb6rner"},
		{PREFIX "k\xc3\xa4se", PREFIX "k\xf0\x9f\x98\x80"},
		{PREFIX "\x01", PREFIX "\x7f"},
	};
	struct buf low, high, out;
	buf_init(&low, 4096);
	buf_init(&high, 4096);
	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		for (int upwards = 0; upwards < 2; upwards++) {
			buf_reset(&low);
			buf_reset(&high);
			assert_int_equal(buf_append_str(&low, pairs[i][0]), 0);
			assert_int_equal(buf_append_str(&high, pairs[i][1]), 0);
			for (int n = 0; n < 100; n++) {
				if (!divides((struct span){buf_str(&low), low.len},
					     (struct span){buf_str(&high), high.len}, strlen(PREFIX), &out))
					break;
				struct buf *moved = upwards ? &low : &high;
				buf_reset(moved);
				assert_int_equal(buf_append(moved, out.data, out.len), 0);
			}
		}
	buf_fini(&low);
	buf_fini(&high);
	buf_fini(&out);
}

/* All pairs of short keys over bytes of every kind. An answer exists wherever one of these very keys lies between. */
static void test_all_short_keys(void **state)
{
	(void)state;
	static const char bytes[] = {' ', '!', '/', '5', 'a', 'b', '}', '~'};
	enum { N = sizeof(bytes), KEYS = 1 + N + N * N };
	static char keys[KEYS][16];
	size_t nkeys = 0, answers = 0;
	struct buf out;
	buf_init(&out, 64);
	strcpy(keys[nkeys++], "t/");
	for (size_t i = 0; i < N; i++) {
		snprintf(keys[nkeys++], sizeof(keys[0]), "t/%c", bytes[i]);
		for (size_t k = 0; k < N; k++)
			snprintf(keys[nkeys++], sizeof(keys[0]), "t/%c%c", bytes[i], bytes[k]);
	}
	for (size_t i = 0; i < nkeys; i++)
		for (size_t k = 0; k < nkeys; k++) {
			struct span low = span_of(keys[i]), high = span_of(keys[k]);
			bool any = divides(low, high, 2, &out);
			answers += any;
			for (size_t m = 0; m < nkeys && !any; m++) {
				struct span key = span_of(keys[m]);
				/* Only keys that prolong `low` by little are promised to be found. */
				if (key.len <= low.len && order(low, key) < 0 && order(key, high) < 0)
					fail_msg("\"%s\" lies between \"%s\" and \"%s\"", keys[m], keys[i], keys[k]);
			}
		}
	assert_true(answers > nkeys * (nkeys - 1) / 3);
	buf_fini(&out);
}

static void test_no_room(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 4);
	assert_int_equal(buf_append_str(&out, "xyz"), 0);
	assert_false(between(span_of("t/a"), span_of("t/c"), 2, &out));
	assert_string_equal(buf_str(&out), "xyz");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_middle),		cmocka_unit_test(test_nothing_between),
		cmocka_unit_test(test_again_and_again), cmocka_unit_test(test_all_short_keys),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
