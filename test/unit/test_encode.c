/* Vectors: RFC 4648 section 10; RFC 3986 section 2.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "codec/encode.h"

static void test_hex(void **state)
{
	char out[9] = {0};

	(void)state;
	assert_int_equal(encode_hex(out, "\x00\x0f\xa5\xff", 4), 8);
	assert_string_equal(out, "000fa5ff");
	assert_int_equal(encode_hex(out, NULL, 0), 0);
}

static void test_hex_decoded(void **state)
{
	uint8_t out[4] = {1, 2, 3, 4};
	static const char *const wrong[] = {"0", "000", "0g", "-1", " 1", "00 0"};

	(void)state;
	assert_true(encode_hex_decode(out, "000fA5fF", 8));
	assert_memory_equal(out, "\x00\x0f\xa5\xff", 4);
	assert_true(encode_hex_decode(out, NULL, 0));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(encode_hex_decode(out, wrong[i], strlen(wrong[i])));
	assert_memory_equal(out, "\x00\x0f\xa5\xff", 4);
}

static const struct {
	const char *plain, *base64;
} rfc4648[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
};

static void test_base64_vectors(void **state)
{
	char text[16];
	uint8_t bytes[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(rfc4648) / sizeof(rfc4648[0]); i++) {
		size_t len = strlen(rfc4648[i].plain);

		n = encode_base64(text, rfc4648[i].plain, len);
		assert_int_equal(n, encode_base64_size(len));
		assert_int_equal(n, strlen(rfc4648[i].base64));
		assert_memory_equal(text, rfc4648[i].base64, n);
		assert_true(encode_base64_decode(bytes, &n, rfc4648[i].base64, strlen(rfc4648[i].base64)));
		assert_int_equal(n, len);
		assert_memory_equal(bytes, rfc4648[i].plain, len);
	}
}

static void test_base64_alphabets(void **state)
{
	char out[8] = {0};

	(void)state;
	assert_int_equal(encode_base64(out, "\xfb\xff\xfe\xff", 4), 8);
	assert_memory_equal(out, "+//+/w==", 8);
	memset(out, 0, sizeof(out));
	assert_int_equal(encode_base64url(out, "\xfb\xff\xfe\xff", 4), 6);
	assert_string_equal(out, "-__-_w");
}

static void test_base64_round_trip(void **state)
{
	uint8_t in[256], back[256];
	char text[344];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 167 + 13);
	for (size_t len = 0; len <= sizeof(in); len++) {
		size_t n = encode_base64(text, in, len), back_len = 0;

		assert_int_equal(n, encode_base64_size(len));
		assert_true(encode_base64_decode(back, &back_len, text, n));
		assert_int_equal(back_len, len);
		assert_memory_equal(back, in, len);
	}
}

static void test_base64_malformed(void **state)
{
	static const char *const bad[] = {
		"A",	    "AA",   "AAA",		       /* no padding */
		"=",	    "====", "A===",		       /* too much */
		"Zg==Zg==", "Zg=a", "=AAA",		       /* not at the end */
		"Zm9v\n",   "Zm 9", "Zm9-", "Zm9_", "Zm9\x80", /* other characters */
		"Zh==",	    "Zm9=",			       /* bits that stand for nothing */
	};
	uint8_t out[16];
	size_t n = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (encode_base64_decode(out, &n, bad[i], strlen(bad[i])))
			fail_msg("accepted \"%s\"", bad[i]);
	}
	assert_false(encode_base64_decode(out, &n, "AA\0A", 4));
	assert_int_equal(n, 77);
}

static void test_percent_every_byte(void **state)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	(void)state;
	for (int c = 0; c < 256; c++) {
		char in = (char)c, out[4] = {0}, expected[4] = {0}, back[3];
		size_t back_len = 0, n = encode_percent(out, &in, 1, NULL);

		if (c != 0 && strchr(unreserved, c)) {
			expected[0] = in;
		} else {
			static const char digits[] = "0123456789ABCDEF";

			expected[0] = '%';
			expected[1] = digits[c / 16];
			expected[2] = digits[c % 16];
		}
		assert_int_equal(n, strlen(expected));
		assert_string_equal(out, expected);
		assert_true(encode_percent_decode(back, &back_len, out, n, true));
		assert_int_equal(back_len, 1);
		assert_int_equal((uint8_t)back[0], c);
	}
}

static void test_percent_keep(void **state)
{
	char out[32] = {0};

	(void)state;
	assert_int_equal(encode_percent(out, "a/b c", 5, "/"), 7);
	assert_string_equal(out, "a/b%20c");
	/* The terminator of `keep` is not in it. */
	assert_int_equal(encode_percent(out, "\0", 1, "/"), 3);
	assert_memory_equal(out, "%00", 3);
}

static void expect_decoded(const char *text, bool plus_is_blank, bool well_formed, const char *expected)
{
	char out[64] = {0};
	size_t n = 0;

	assert_int_equal(encode_percent_decode(out, &n, text, strlen(text), plus_is_blank), well_formed);
	assert_string_equal(out, expected);
	assert_int_equal(n, strlen(expected));
}

static void test_percent_decode(void **state)
{
	(void)state;
	expect_decoded("", false, true, "");
	expect_decoded("a%20b+c", false, true, "a b+c");
	expect_decoded("a%20b+c%2B", true, true, "a b c+");
	expect_decoded("%e2%82%aC", false, true, "\xe2\x82\xac");
	expect_decoded("%2525", false, true, "%25");
	expect_decoded("%", false, false, "%");
	expect_decoded("%4", false, false, "%4");
	expect_decoded("%4g%41", false, false, "%4gA");
	expect_decoded("%%41", false, false, "%A");
	expect_decoded("%-1", false, false, "%-1");
}

static void test_percent_decode_in_place(void **state)
{
	char text[] = "x%2Fy%00";
	size_t n = 0;

	(void)state;
	assert_true(encode_percent_decode(text, &n, text, 8, false));
	assert_int_equal(n, 4);
	assert_memory_equal(text, "x/y\0", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_hex_decoded),
		cmocka_unit_test(test_base64_vectors),
		cmocka_unit_test(test_base64_alphabets),
		cmocka_unit_test(test_base64_round_trip),
		cmocka_unit_test(test_base64_malformed),
		cmocka_unit_test(test_percent_every_byte),
		cmocka_unit_test(test_percent_keep),
		cmocka_unit_test(test_percent_decode),
		cmocka_unit_test(test_percent_decode_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
