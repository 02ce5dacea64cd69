/*
 * The JSON scanner against RFC 8259. Every text lies in a heap block of exactly its size, so that AddressSanitizer sees
 * a read past the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "codec/json.h"

static char *exact(const char *text, size_t len)
{
	char *copy = malloc(len);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

static bool valid(const char *text, size_t len)
{
	char *copy = exact(text, len);
	struct json j;

	json_init(&j, copy, len);
	bool ok = json_value(&j, NULL) && json_end(&j);
	assert_true(ok == (j.error == NULL));
	assert_true(j.p >= j.start && j.p <= j.end);
	free(copy);
	return ok;
}

static void check_valid(const char *text, bool want)
{
	if (valid(text, strlen(text)) != want)
		fail_msg("%s is %s", text, want ? "refused" : "accepted");
}

static void test_valid_documents(void **state)
{
	static const char *const good[] = {
		"{}",
		"[]",
		"\"\"",
		"0",
		"-0",
		"10",
		"-1.5",
		"1e5",
		"1E+20",
		"0.0e-7",
		"1e400",
		"123456789012345678901234567890123456789012345678901234567890",
		"true",
		"false",
		"null",
		" \t\r\n[ 1 ,\t{ \"a\" : [ ] , \"b\" : { } } ] \n",
		"{\"a\":1,\"a\":2}",
		"{\"\":{\"\":[[[],[]]]}}",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u007F\\u00e9\\uFFFF\\ud83d\\uDE00\"",
		("\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf"
		 "\xbf"
		 "\""),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		check_valid(good[i], true);
}

static void test_invalid_documents(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"[",
		"]",
		"\"",
		",",
		":",
		"{]",
		"[}",
		"[,]",
		"[1,]",
		"[1 2]",
		"[,1]",
		"{,}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\" 1}",
		"{\"a\":1,}",
		"{\"a\":1 \"b\":2}",
		"{a:1}",
		"{1:1}",
		"{\"a\":1]",
		"[1}",
		"1 2",
		"{}{}",
		"[] x",
		"01",
		"-01",
		"-",
		"+1",
		".5",
		"1.",
		"1.e5",
		"1e",
		"1e+",
		"1e-",
		"0x10",
		"1_0",
		"Infinity",
		"NaN",
		"-Infinity",
		"tru",
		"truex",
		"True",
		"nul",
		"fals",
		"falsey",
		"'a'",
		"\"a",
		"\"\\\"",
		"\"\\",
		"\"\\x41\"",
		"\"\\u\"",
		"\"\\u12\"",
		"\"\\u123g\"",
		"\"\\U0041\"",
		"\"\\u 041\"",
		"\"\\a\"",
		"\"\\'\"",
		"\"a\nb\"",
		"\"\t\"",
		"\xef\xbb\xbf{}",
		"/* */ 1",
		"1 // x",
		"\xc2\xa0 1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_valid(bad[i], false);
}

static void test_bytes_nul_are_not_blanks_or_ends(void **state)
{
	(void)state;
	assert_false(valid("{}\0", 3));
	assert_false(valid("\0{}", 3));
	assert_false(valid("[1\0]", 4));
	assert_false(valid("\"\0\"", 3));
	assert_false(valid("\0", 1));
}

static void test_blanks_are_four(void **state)
{
	(void)state;
	for (int b = 0; b < 256; b++) {
		char text[2] = {(char)b, '1'};
		bool blank = b == ' ' || b == '\t' || b == '\n' || b == '\r';
		assert_int_equal(valid(text, 2), blank || b == '-' || (b >= '1' && b <= '9'));
		text[0] = '1';
		text[1] = (char)b;
		assert_int_equal(valid(text, 2), blank || (b >= '0' && b <= '9'));
	}
}

static void test_surrogates_come_in_pairs(void **state)
{
	(void)state;
	check_valid("\"\\ud800\\udc00\"", true);
	check_valid("\"\\uDBFF\\uDFFF\"", true);
	check_valid("\"\\ud800\"", false);
	check_valid("\"\\udc00\"", false);
	check_valid("\"\\udc00\\ud800\"", false);
	check_valid("\"\\udc00\\udc00\"", false);
	check_valid("\"\\ud800\\udbff\"", false);
	check_valid("\"\\ud800\\ue000\"", false);
	check_valid("\"\\ud800\\ud800\"", false);
	check_valid("\"\\ud800x\"", false);
	check_valid("\"\\ud800\\n\"", false);
	check_valid("\"\\ud800\\u0041\"", false);
	check_valid("\"\\ud800\\udc0\"", false);
	check_valid("\"\\ud800\\\"", false);
}

/* Eight bytes are looked at at a time: every byte at every place of such a word, and behind the last whole word. */
static void test_every_byte_at_every_place(void **state)
{
	(void)state;
	for (size_t at = 0; at < 24; at++) {
		for (int b = 0; b < 256; b++) {
			char text[26];
			memset(text, 'a', sizeof(text));
			text[0] = text[sizeof(text) - 1] = '"';
			text[1 + at] = (char)b;
			char *copy = exact(text, sizeof(text));
			struct json j;
			struct span raw;
			json_init(&j, copy, sizeof(text));
			bool plain = b >= 0x20 && b < 0x80 && b != '\\';
			assert_int_equal(json_raw_string(&j, &raw), plain);
			if (plain) {
				assert_ptr_equal(raw.ptr, copy + 1);
				assert_int_equal(raw.len, b == '"' ? at : 24);
			}
			free(copy);
		}
	}
}

static void test_every_code_point(void **state)
{
	(void)state;
	for (uint32_t cp = 0x80; cp < 0x110000; cp++) {
		char text[6] = {'"'};
		size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
		for (size_t i = n - 1; i > 0; i--)
			text[1 + i] = (char)(0x80 | (cp >> (6 * (n - 1 - i)) & 0x3f));
		text[1] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | cp >> (6 * (n - 1)));
		text[1 + n] = '"';
		struct json j;
		struct span raw;
		json_init(&j, text, n + 2);
		assert_int_equal(json_raw_string(&j, &raw), cp < 0xd800 || cp > 0xdfff);
	}
}

/* How many sequences of two and three bytes are UTF-8 follows from Unicode alone. */
static void test_number_of_accepted_sequences(void **state)
{
	unsigned two = 0, three = 0;
	char text[5] = {'"'};
	struct json j;
	struct span raw;

	(void)state;
	for (int a = 0x80; a < 0x100; a++) {
		text[1] = (char)a;
		for (int b = 0x80; b < 0x100; b++) {
			text[2] = (char)b;
			text[3] = '"';
			json_init(&j, text, 4);
			two += json_raw_string(&j, &raw);
			for (int c = 0x80; c < 0x100; c++) {
				text[3] = (char)c;
				text[4] = '"';
				json_init(&j, text, 5);
				three += json_raw_string(&j, &raw);
			}
		}
	}
	assert_int_equal(two, 0x800 - 0x80);
	assert_int_equal(three, 0x10000 - 0x800 - 0x800);
}

static void test_bad_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xfe",
		"\xc2",
		"\xe2\x82",
		"\xf0\x9f\x98",
		"\xc2\x41",
		"\xe2\x82\x41",
		"\xf0\x9f\x98\x41",
		"\xf0\x9f\x41\x80",
		"\xf8\x88\x80\x80\x80",
		"\xed\xa0\xbd\xed\xb8\x80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[64];
		int n = snprintf(text, sizeof(text), "\"%s\"", bad[i]);
		assert_false(valid(text, (size_t)n));
		n = snprintf(text, sizeof(text), "\"ascii before %s and after\"", bad[i]);
		assert_false(valid(text, (size_t)n));
		/* The text ends in the middle of a sequence. */
		n = snprintf(text, sizeof(text), "\"%s", bad[i]);
		assert_false(valid(text, (size_t)n));
	}
}

static void test_depth(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 2];
	struct json j;

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_true(valid(text + 1, 2 * JSON_DEPTH_MAX));
	json_init(&j, text, sizeof(text));
	assert_false(json_value(&j, NULL));
	assert_ptr_equal(j.error, json_too_deep);
	assert_int_equal(j.p - j.start, JSON_DEPTH_MAX);
}

static void test_a_million_brackets(void **state)
{
	size_t len = 1000000;
	char *text = malloc(len);
	struct json j;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i + 4 < len; i += 5)
		memcpy(text + i, "{\"\":[", 5);
	json_init(&j, text, len);
	assert_false(json_value(&j, NULL));
	assert_ptr_equal(j.error, json_too_deep);
	free(text);
}

static void test_depth_is_given_back(void **state)
{
	char text[3 * 1000 + 2];
	size_t n = 0;

	(void)state;
	text[n++] = '[';
	for (int i = 0; i < 1000; i++) {
		memcpy(text + n, "[],", 3);
		n += 3;
	}
	text[n - 1] = ']';
	assert_true(valid(text, n));
}

static void test_truncated_everywhere(void **state)
{
	static const char text[] =
		"{\"a\":[1.5e+7,true,false,null,{\"b\\u00e9\\n\":\"caf\xc3\xa9 \\ud83d\\ude00\"}],\"c\":-0}";

	(void)state;
	assert_true(valid(text, sizeof(text) - 1));
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_false(valid(text, n));
}

static void test_walk(void **state)
{
	static const char text[] = " { \"a\" : [ 1 , \"x\\ty\" , {} ] , \"b\\u0041\" : null } ";
	struct json j;
	struct span name, value;
	bool first = true, more, first_element = true;

	(void)state;
	json_init(&j, text, sizeof(text) - 1);
	assert_int_equal(json_peek(&j), '{');
	assert_true(json_member(&j, &first, &more, &name) && more);
	assert_true(span_eq_str(name, "a"));
	assert_false(j.escaped);
	assert_true(json_element(&j, &first_element, &more) && more);
	assert_true(json_value(&j, &value));
	assert_true(span_eq_str(value, "1"));
	assert_true(json_element(&j, &first_element, &more) && more);
	assert_true(json_raw_string(&j, &value));
	assert_true(span_eq_str(value, "x\\ty"));
	assert_true(j.escaped);
	assert_true(json_element(&j, &first_element, &more) && more);
	assert_true(json_value(&j, &value));
	assert_true(span_eq_str(value, "{}"));
	assert_true(json_element(&j, &first_element, &more) && !more);
	assert_true(json_member(&j, &first, &more, &name) && more);
	assert_true(span_eq_str(name, "b\\u0041"));
	assert_true(j.escaped);
	assert_true(json_value(&j, &value));
	assert_true(span_eq_str(value, "null"));
	assert_true(json_member(&j, &first, &more, &name) && !more);
	assert_true(json_end(&j));
	assert_int_equal(json_peek(&j), 0);
	assert_null(j.error);
}

static void test_the_first_error_stays(void **state)
{
	struct json j;
	struct span raw;

	(void)state;
	json_init(&j, "[1,x]", 5);
	assert_false(json_value(&j, NULL));
	assert_int_equal(j.p - j.start, 3);
	const char *error = j.error;
	assert_non_null(error);
	assert_false(json_raw_string(&j, &raw));
	assert_false(json_end(&j));
	assert_ptr_equal(j.error, error);
}

static void test_expect(void **state)
{
	struct json j;

	(void)state;
	json_init(&j, " : ,", 4);
	assert_true(json_expect(&j, ':'));
	assert_true(json_expect(&j, ','));
	assert_false(json_expect(&j, ','));
	assert_non_null(j.error);
	json_init(&j, NULL, 0);
	assert_int_equal(json_peek(&j), 0);
	assert_true(json_end(&j));
	assert_false(json_expect(&j, 0));
}

static void test_unescape(void **state)
{
	static const char raw[] = "a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u0000\\u00e9\\u6F22\\ud83d\\ude00z";
	static const char want[] = "a\"\\/\b\f\n\r\tA\0\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80z";
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_append_str(&b, "before "), 0);
	assert_int_equal(json_unescape((struct span){raw, sizeof(raw) - 1}, &b), 0);
	assert_int_equal(b.len, 7 + sizeof(want) - 1);
	assert_memory_equal(b.data, "before ", 7);
	assert_memory_equal(b.data + 7, want, sizeof(want) - 1);
	assert_int_equal(json_unescape((struct span){NULL, 0}, &b), 0);
	buf_fini(&b);
}

static void test_unescape_fails_without_a_trace(void **state)
{
	static const char *const bad[] = {"x\\ud800", "x\\udc00y", "x\\", "x\\q", "x\\u12"};
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	assert_int_equal(json_unescape(SPAN_LIT("\\ud800"), &b), -ERR_CORRUPT);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_append_str(&b, "abc"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(json_unescape(span_of(bad[i]), &b), -ERR_CORRUPT);
		assert_string_equal(buf_str(&b), "abc");
	}
	assert_int_equal(json_unescape(SPAN_LIT("12\\n3456"), &b), -ERR_LIMIT);
	assert_string_equal(buf_str(&b), "abc");
	/* It is the unescaped length that counts against the maximum. */
	assert_int_equal(json_unescape(SPAN_LIT("\\u0031\\u0032345"), &b), 0);
	assert_string_equal(buf_str(&b), "abc12345");
	buf_fini(&b);
}

static void test_raw_eq(void **state)
{
	(void)state;
	assert_true(json_raw_eq(SPAN_LIT("Keys"), "Keys"));
	assert_true(json_raw_eq(SPAN_LIT("K\\u0065y\\u0073"), "Keys"));
	assert_true(json_raw_eq(SPAN_LIT("a\\/\\n"), "a/\n"));
	assert_true(json_raw_eq(SPAN_LIT("\\ud83d\\ude00"), "\xf0\x9f\x98\x80"));
	assert_true(json_raw_eq((struct span){NULL, 0}, ""));
	assert_false(json_raw_eq((struct span){NULL, 0}, "a"));
	assert_false(json_raw_eq(SPAN_LIT("Key"), "Keys"));
	assert_false(json_raw_eq(SPAN_LIT("Keys"), "Key"));
	assert_false(json_raw_eq(SPAN_LIT("keys"), "Keys"));
	assert_false(json_raw_eq(SPAN_LIT("a\\u0000"), "a"));
}

static void check_order(const char *a, const char *b, int want)
{
	char *ca = exact(a, strlen(a)), *cb = exact(b, strlen(b));
	int ab = json_raw_cmp((struct span){ca, strlen(a)}, (struct span){cb, strlen(b)});
	int ba = json_raw_cmp((struct span){cb, strlen(b)}, (struct span){ca, strlen(a)});

	assert_int_equal((ab > 0) - (ab < 0), want);
	assert_int_equal((ba > 0) - (ba < 0), -want);
	free(ca);
	free(cb);
}

static void test_raw_cmp(void **state)
{
	(void)state;
	check_order("", "", 0);
	check_order("", "a", -1);
	check_order("a", "ab", -1);
	check_order("Z", "a", -1);
	check_order("abc\\u0064", "abcd", 0);
	check_order("abc\\u0064e", "abcd", 1);
	check_order("a\\nb", "a b", -1);
	check_order("a\\t", "a\\n", -1);
	check_order("a\\\"", "a#", -1);
	check_order("a\\\\", "a]", -1);
	check_order("a\\\\", "a[", 1);
	check_order("a\\u0000", "a", 1);
	check_order("z", "\xc3\xa9", -1);
	/* By UTF-8 bytes, not by UTF-16 units: U+FFFD comes before U+10000. */
	check_order("\xef\xbf\xbd", "\\ud800\\udc00", -1);
	check_order("\\uffff", "\xf0\x90\x80\x80", -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_documents),
		cmocka_unit_test(test_invalid_documents),
		cmocka_unit_test(test_bytes_nul_are_not_blanks_or_ends),
		cmocka_unit_test(test_blanks_are_four),
		cmocka_unit_test(test_surrogates_come_in_pairs),
		cmocka_unit_test(test_every_byte_at_every_place),
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_number_of_accepted_sequences),
		cmocka_unit_test(test_bad_utf8),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_a_million_brackets),
		cmocka_unit_test(test_depth_is_given_back),
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_the_first_error_stays),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_unescape_fails_without_a_trace),
		cmocka_unit_test(test_raw_eq),
		cmocka_unit_test(test_raw_cmp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
