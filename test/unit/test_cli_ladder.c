/* The rungs of a ladder: keys behind a key, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/ladder.h"

#define PREFIX "orders/"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

static const struct span no_end = {NULL, 0};

/* <0, 0, >0 in the order of S3's keys: by bytes. */
static int order(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int by_bytes = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
	return by_bytes != 0 ? by_bytes : (a.len > b.len) - (a.len < b.len);
}

/* Every rung holds to what the header says; returns how many there are. */
static size_t climb(struct span low, struct span high)
{
	const size_t n = ladder_count(low, high, PREFIX_LEN), all = ladder_count(low, no_end, PREFIX_LEN);
	struct buf rung, before;
	buf_init(&rung, 4096);
	buf_init(&before, 4096);
	assert_int_equal(buf_append(&before, low.ptr, low.len), 0);
	assert_true(n <= all);
	for (size_t i = 1; i <= all; i++) {
		buf_reset(&rung);
		assert_int_equal(ladder_rung(low, i, &rung), 0);
		const struct span key = {buf_str(&rung), rung.len};
		assert_true(order((struct span){buf_str(&before), before.len}, key) < 0);
		if (high.len > 0)
			assert_int_equal(order(key, high) < 0, i <= n);
		assert_true(key.len > PREFIX_LEN && key.len <= low.len + 1);
		assert_memory_equal(key.ptr, low.ptr, key.len - 1);
		/* No half of a character: what is not in `low` is ASCII, and no byte of a longer one is replaced. */
		assert_in_range((unsigned char)key.ptr[key.len - 1], 0x20, 0x7e);
		assert_true(key.len - 1 == low.len || (unsigned char)low.ptr[key.len - 1] < 0x7f);
		/* The number of rungs before a key behind this rung, and before the rung itself. */
		assert_int_equal(ladder_count(low, key, PREFIX_LEN), i - 1);
		assert_int_equal(buf_append_str(&rung, "!"), 0);
		assert_true(ladder_count(low, (struct span){buf_str(&rung), rung.len}, PREFIX_LEN) >= i);
		rung.len--;
		buf_reset(&before);
		assert_int_equal(buf_append(&before, rung.data, rung.len), 0);
	}
	buf_fini(&rung);
	buf_fini(&before);
	return n;
}

static void test_order(void **state)
{
	static const char *const first[] = {"it-07 ", "it-07!"};
	struct buf rung;
	(void)state;
	buf_init(&rung, 64);
	for (size_t i = 0; i < 2; i++) {
		buf_reset(&rung);
		assert_int_equal(ladder_rung(span_of("it-07"), i + 1, &rung), 0);
		assert_string_equal(buf_str(&rung), first[i]);
	}
	/* 95 bytes may follow; then come those above '7'. */
	buf_reset(&rung);
	assert_int_equal(ladder_rung(span_of("it-07"), 95 + 1, &rung), 0);
	assert_string_equal(buf_str(&rung), "it-08");
	buf_reset(&rung);
	assert_int_equal(ladder_rung(span_of("it-07"), ladder_count(span_of("it-07"), no_end, 0), &rung), 0);
	assert_string_equal(buf_str(&rung), "~");
	buf_fini(&rung);
}

static void test_all_rungs(void **state)
{
	static const char *const pairs[][2] = {
		{PREFIX, ""},
		{PREFIX, PREFIX "~"},
		{PREFIX "a/1", PREFIX "a/2"},
		{PREFIX "a/1", PREFIX "a/17"},
		{PREFIX "0000", PREFIX "ffff"},
		{PREFIX "item-000000001999", PREFIX "item-0000002"},
		{PREFIX "item-000000001999", ""},
		{PREFIX "k\xc3\xa4se", PREFIX "k\xc3\xb6rner"},
		{PREFIX "k\xc3\xa4se", PREFIX "k\xf0\x9f\x98\x80"},
		{PREFIX "k\xc3\xa4se", ""},
		{PREFIX "\x01", PREFIX "\x7f"},
		{PREFIX "~~\x7f", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_true(climb(span_of(pairs[i][0]), span_of(pairs[i][1])) > 0);
}

static void test_no_rungs(void **state)
{
	(void)state;
	assert_int_equal(climb(span_of(PREFIX "a"), span_of(PREFIX "a ")), 0);
	assert_int_equal(climb(span_of(PREFIX "a"), span_of(PREFIX "a")), 0);
	assert_int_equal(climb(span_of(PREFIX "b"), span_of(PREFIX "a")), 0);
	assert_int_equal(climb(span_of(PREFIX "ab"), span_of(PREFIX "a")), 0);
}

/* All pairs of short keys over bytes of every kind. */
static void test_all_short_keys(void **state)
{
	static const char bytes[] = {' ', '!', '/', '5', 'a', 'b', '}', '~', '\x7f'};
	enum { N = sizeof(bytes), KEYS = 1 + N + N * N };
	static char keys[KEYS][16];
	size_t nkeys = 0;
	(void)state;
	strcpy(keys[nkeys++], PREFIX);
	for (size_t i = 0; i < N; i++) {
		snprintf(keys[nkeys++], sizeof(keys[0]), PREFIX "%c", bytes[i]);
		for (size_t k = 0; k < N; k++)
			snprintf(keys[nkeys++], sizeof(keys[0]), PREFIX "%c%c", bytes[i], bytes[k]);
	}
	for (size_t i = 0; i < nkeys; i++)
		for (size_t k = 1; k < nkeys; k++)
			climb(span_of(keys[i]), span_of(keys[k]));
}

static void test_no_room(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, 4);
	assert_int_equal(ladder_rung(span_of("t/abc"), 1, &out), -ERR_LIMIT);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	 cmocka_unit_test(test_all_rungs),
		cmocka_unit_test(test_no_rungs), cmocka_unit_test(test_all_short_keys),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
