/*
 * The canonical form (I7). Every item lies in a heap block of exactly its size, so that AddressSanitizer sees a read
 * past the end; every result is held to be its own canonical form and not longer than the item.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/canon.h"
#include "codec/json.h"

#define MAX_BYTES (4 << 20)

static struct canon *canon;

static int setup(void **state)
{
	(void)state;
	canon = canon_new(MAX_BYTES);
	return canon ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	canon_free(canon);
	canon_free(NULL);
	return 0;
}

/* The canonical form in memory of the caller; NULL and *rc on failure. */
static char *canonical(const char *text, size_t len, size_t *out_len, int *rc)
{
	char *copy = malloc(len), *result;
	struct span out = {NULL, 12345};
	struct err e = {0};

	assert_non_null(copy);
	memcpy(copy, text, len);
	*rc = canon_item(canon, (struct span){copy, len}, &out, &e);
	free(copy);
	if (*rc != 0) {
		assert_int_equal(e.class, -*rc);
		assert_true(e.message[0] != 0);
		assert_int_equal(out.len, 12345);
		return NULL;
	}
	assert_true(out.len <= len);
	result = malloc(out.len + 1);
	assert_non_null(result);
	memcpy(result, out.ptr, out.len);
	result[out.len] = 0;
	*out_len = out.len;
	return result;
}

static void check_bytes(const char *in, size_t in_len, const char *want, size_t want_len)
{
	size_t len, again_len;
	int rc;
	char *got = canonical(in, in_len, &len, &rc);

	if (!got)
		fail_msg("refused (%d): %.200s", rc, in);
	if (len != want_len || memcmp(got, want, len) != 0)
		fail_msg("\n in   %.300s\n got  %.300s\n want %.300s", in, got, want);
	char *again = canonical(got, len, &again_len, &rc);
	assert_non_null(again);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, got, len);
	free(again);
	free(got);
}

static void check(const char *in, const char *want)
{
	check_bytes(in, strlen(in), want, strlen(want));
}

static void check_fails(const char *in, size_t len, int want)
{
	size_t out_len;
	int rc;
	char *got = canonical(in, len, &out_len, &rc);

	if (got)
		fail_msg("accepted: %.200s", in);
	assert_int_equal(rc, want);
}

static void test_order_and_blanks(void **state)
{
	(void)state;
	check("{}", "{}");
	check(" { } ", "{}");
	check("{\"id\":{\"S\":\"x\"}}", "{\"id\":{\"S\":\"x\"}}");
	check("{\"b\":{\"S\":\"1\"},\"a\":{\"S\":\"2\"}}", "{\"a\":{\"S\":\"2\"},\"b\":{\"S\":\"1\"}}");
	check("\r\n{ \"b\" :\t{ \"S\" : \" 1 \" } , \"a\" : { \"L\" : [ { \"N\" : \"2\" } , { \"NULL\" : true } ] } "
	      "}\n",
	      "{\"a\":{\"L\":[{\"N\":\"2\"},{\"NULL\":true}]},\"b\":{\"S\":\" 1 \"}}");
	check("{\"c\":{\"M\":{\"z\":{\"M\":{\"2\":{\"S\":\"\"},\"1\":{\"S\":\"\"}}},\"y\":{\"S\":\"\"}}},\"a\":{\"S\":"
	      "\"\"}}",
	      "{\"a\":{\"S\":\"\"},\"c\":{\"M\":{\"y\":{\"S\":\"\"},\"z\":{\"M\":{\"1\":{\"S\":\"\"},\"2\":{\"S\":\"\"}"
	      "}}}}}");
	check("{\"b\":{\"M\":{}},\"a\":{\"L\":[]},\"Z\":{\"SS\":[]},\"\":{\"S\":\"\"}}",
	      "{\"\":{\"S\":\"\"},\"Z\":{\"SS\":[]},\"a\":{\"L\":[]},\"b\":{\"M\":{}}}");
}

static void test_all_ten_types(void **state)
{
	(void)state;
	check("{\"ss\":{\"SS\":[\"y\",\"x\"]},\"s\":{\"S\":\"\xc3\xa9\"},\"ns\":{\"NS\":[\"2.5\",\"-1\",\"10\"]},"
	      "\"null\":{\"NULL\":true},\"n\":{\"N\":\"12345678901234567890123456789.12345678\"},"
	      "\"m\":{\"M\":{\"u\":{\"S\":\"\"},\"k\":{\"BOOL\":false}}},\"l\":{\"L\":[{\"S\":\"q\"},{\"BOOL\":true}]},"
	      "\"bs\":{\"BS\":[\"QWc9PQ==\",\"QUFFPQ==\"]},\"bool\":{\"BOOL\":true},\"b\":{\"B\":\"QUFFQw==\"}}",
	      "{\"b\":{\"B\":\"QUFFQw==\"},\"bool\":{\"BOOL\":true},\"bs\":{\"BS\":[\"QUFFPQ==\",\"QWc9PQ==\"]},"
	      "\"l\":{\"L\":[{\"S\":\"q\"},{\"BOOL\":true}]},\"m\":{\"M\":{\"k\":{\"BOOL\":false},\"u\":{\"S\":\"\"}}},"
	      "\"n\":{\"N\":\"12345678901234567890123456789.12345678\"},\"ns\":{\"NS\":[\"-1\",\"10\",\"2.5\"]},"
	      "\"null\":{\"NULL\":true},\"s\":{\"S\":\"\xc3\xa9\"},\"ss\":{\"SS\":[\"x\",\"y\"]}}");
	check("{\"a\":{\"NULL\":false}}", "{\"a\":{\"NULL\":false}}");
}

static void test_numbers_stay_text(void **state)
{
	static const char *const numbers[] = {"0",
					      "-0",
					      "1.0",
					      "1E+20",
					      "1e-130",
					      "9.9999999999999999999999999999999999999E+125",
					      "99999999999999999999999999999999999999",
					      "-1E-130",
					      "0.10"};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char text[200];
		snprintf(text, sizeof(text), "{\"n\":{\"N\":\"%s\"},\"s\":{\"NS\":[\"%s\"]}}", numbers[i], numbers[i]);
		check(text, text);
	}
}

static void test_names_that_look_like_types(void **state)
{
	(void)state;
	check("{\"SS\":{\"S\":\"b\"},\"M\":{\"S\":\"a\"},\"L\":{\"M\":{\"SS\":{\"L\":[]},\"S\":{\"N\":\"1\"}}}}",
	      "{\"L\":{\"M\":{\"S\":{\"N\":\"1\"},\"SS\":{\"L\":[]}}},\"M\":{\"S\":\"a\"},\"SS\":{\"S\":\"b\"}}");
	check("{\"a\":{\"M\":{\"L\":{\"L\":[{\"S\":\"z\"},{\"S\":\"a\"}]}}}}",
	      "{\"a\":{\"M\":{\"L\":{\"L\":[{\"S\":\"z\"},{\"S\":\"a\"}]}}}}");
}

static void test_lists_keep_their_order(void **state)
{
	(void)state;
	check("{\"l\":{\"L\":[{\"S\":\"c\"},{\"M\":{\"y\":{\"S\":\"\"},\"x\":{\"S\":\"\"}}},{\"S\":\"a\"},{\"SS\":["
	      "\"2\",\"1\"]}]}}",
	      "{\"l\":{\"L\":[{\"S\":\"c\"},{\"M\":{\"x\":{\"S\":\"\"},\"y\":{\"S\":\"\"}}},{\"S\":\"a\"},{\"SS\":["
	      "\"1\",\"2\"]}]}}");
}

static void test_sets(void **state)
{
	(void)state;
	check("{\"s\":{\"SS\":[\"b\",\"\",\"ab\",\"a\",\"B\"]}}", "{\"s\":{\"SS\":[\"\",\"B\",\"a\",\"ab\",\"b\"]}}");
	check("{\"s\":{\"SS\":[ \"b\" , \"a\" ]}}", "{\"s\":{\"SS\":[\"a\",\"b\"]}}");
	/* By unescaped bytes: \n (0x0a), space, quote (0x22), backslash (0x5c), a. */
	check("{\"s\":{\"SS\":[\"a\",\"\\\\\",\"\\\"\",\" \",\"\\n\"]}}",
	      "{\"s\":{\"SS\":[\"\\n\",\" \",\"\\\"\",\"\\\\\",\"a\"]}}");
	check("{\"s\":{\"SS\":[\"\xf0\x90\x80\x80\",\"\xef\xbf\xbd\",\"\\u00e9\",\"z\"]}}",
	      "{\"s\":{\"SS\":[\"z\",\"\xc3\xa9\",\"\xef\xbf\xbd\",\"\xf0\x90\x80\x80\"]}}");
	check("{\"s\":{\"SS\":[\"b\",\"a\",\"b\"]}}", "{\"s\":{\"SS\":[\"a\",\"b\",\"b\"]}}");
}

static void test_order_of_names_with_escapes(void **state)
{
	(void)state;
	check("{\"a\\\\\":{\"S\":\"\"},\"a[\":{\"S\":\"\"},\"a]\":{\"S\":\"\"}}",
	      "{\"a[\":{\"S\":\"\"},\"a\\\\\":{\"S\":\"\"},\"a]\":{\"S\":\"\"}}");
	check("{\"\\u0062\":{\"S\":\"\"},\"\\u0061\":{\"S\":\"\"}}", "{\"a\":{\"S\":\"\"},\"b\":{\"S\":\"\"}}");
	/* The same first eight bytes, and escapes behind and across them. */
	check("{\"12345678z\":{\"S\":\"\"},\"1234567\\u00388\":{\"S\":\"\"},\"12345678\\ny\":{\"S\":\"\"},\"12345678\":"
	      "{\"S\":\"\"}}",
	      "{\"12345678\":{\"S\":\"\"},\"12345678\\ny\":{\"S\":\"\"},\"123456788\":{\"S\":\"\"},\"12345678z\":{"
	      "\"S\":\"\"}}");
	check("{\"a\":{\"S\":\"\"},\"a\\u0000\":{\"S\":\"\"}}", "{\"a\":{\"S\":\"\"},\"a\\u0000\":{\"S\":\"\"}}");
	check("{\"a\\u0000\":{\"S\":\"\"},\"a\":{\"S\":\"\"}}", "{\"a\":{\"S\":\"\"},\"a\\u0000\":{\"S\":\"\"}}");
	/* A character that straddles the eighth byte. */
	check("{\"123456\\ud83d\\ude01\":{\"S\":\"\"},\"123456\\ud83d\\ude00\":{\"S\":\"\"}}",
	      "{\"123456\xf0\x9f\x98\x80\":{\"S\":\"\"},\"123456\xf0\x9f\x98\x81\":{\"S\":\"\"}}");
}

static void test_escapes_have_one_form(void **state)
{
	(void)state;
	check("{\"\\u0061\\/\":{\"S\":\"\\/\\u0041\\u00e9\\u6f22\\ud83d\\ude00\\u007f\\u2028\"}}",
	      "{\"a/\":{\"S\":\"/A\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80\x7f\xe2\x80\xa8\"}}");
	check("{\"a\":{\"S\":\"\\u0022\\u005c\\u002f\\u0008\\u000c\\u000A\\u000d\\u0009\"}}",
	      "{\"a\":{\"S\":\"\\\"\\\\/\\b\\f\\n\\r\\t\"}}");
	check("{\"a\":{\"S\":\"\\\"\\\\\\b\\f\\n\\r\\t\"}}", "{\"a\":{\"S\":\"\\\"\\\\\\b\\f\\n\\r\\t\"}}");
	check("{\"a\":{\"S\":\"x\\u001F\\u000By\"}}", "{\"a\":{\"S\":\"x\\u001f\\u000by\"}}");
	check("{\"b\":{\"B\":\"\\/\\/8=\"},\"a\":{\"BS\":[\"\\/w==\",\"+w==\"]}}",
	      "{\"a\":{\"BS\":[\"+w==\",\"/w==\"]},\"b\":{\"B\":\"//8=\"}}");
	/* A type name may be written with escapes as well. */
	check("{\"a\":{\"\\u0053\\u0053\":[\"b\",\"a\"]}}", "{\"a\":{\"SS\":[\"a\",\"b\"]}}");
}

static void test_every_control_character(void **state)
{
	(void)state;
	for (unsigned b = 0; b < 0x20; b++) {
		static const char *const short_forms[0x20] = {
			['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t"};
		char in[100], want[100], form[8];
		snprintf(form, sizeof(form), "\\u%04x", b);
		snprintf(in, sizeof(in), "{\"k\\u%04Xk\":{\"S\":\"v\\u%04Xv\"}}", b, b);
		const char *f = short_forms[b] ? short_forms[b] : form;
		snprintf(want, sizeof(want), "{\"k%sk\":{\"S\":\"v%sv\"}}", f, f);
		check(in, want);
		int n = snprintf(in, sizeof(in), "{\"k\":{\"S\":\"v#v\"}}");
		*strchr(in, '#') = (char)b;
		check_fails(in, (size_t)n, -ERR_CORRUPT);
	}
}

static void test_unknown_types_are_kept(void **state)
{
	(void)state;
	check("{\"a\":{\"X\":{\"b\":[3,1,{\"z\":null,\"y\":-1.50e+3}],\"a\":\"\\u0041\"}}}",
	      "{\"a\":{\"X\":{\"a\":\"A\",\"b\":[3,1,{\"y\":-1.50e+3,\"z\":null}]}}}");
	check("{\"a\":{\"s\":[ 2 , 1.0 ]},\"b\":{\"\":[]},\"c\":{\"BOOLS\":{ }}}",
	      "{\"a\":{\"s\":[2,1.0]},\"b\":{\"\":[]},\"c\":{\"BOOLS\":{}}}");
	check("{\"a\":{\"X\":100000000000000000000000000000000000000001}}",
	      "{\"a\":{\"X\":100000000000000000000000000000000000000001}}");
	check_fails("{\"a\":{\"X\":{\"b\":1,\"b\":2}}}", 25, -ERR_CORRUPT);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"[]",
		"null",
		"\"\"",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1}",
		"{\"a\":\"S\"}",
		"{\"a\":null}",
		"{\"a\":[]}",
		"{\"a\":{}}",
		"{\"a\":{\"S\":\"x\",\"N\":\"1\"}}",
		"{\"a\":{\"S\":\"x\"},}",
		"{\"a\":{\"S\":\"x\",}}",
		"{\"a\":{\"S\":1}}",
		"{\"a\":{\"N\":1}}",
		"{\"a\":{\"B\":null}}",
		"{\"a\":{\"S\":{}}}",
		"{\"a\":{\"S\":[]}}",
		"{\"a\":{\"SS\":\"x\"}}",
		"{\"a\":{\"SS\":[1]}}",
		"{\"a\":{\"NS\":[1]}}",
		"{\"a\":{\"BS\":[[]]}}",
		"{\"a\":{\"SS\":{}}}",
		"{\"a\":{\"SS\":[\"x\",]}}",
		"{\"a\":{\"SS\":[\"x\" \"y\"]}}",
		"{\"a\":{\"SS\":[,]}}",
		"{\"a\":{\"SS\":[\"x\"}}",
		"{\"a\":{\"BOOL\":\"true\"}}",
		"{\"a\":{\"BOOL\":null}}",
		"{\"a\":{\"BOOL\":1}}",
		"{\"a\":{\"NULL\":null}}",
		"{\"a\":{\"NULL\":\"\"}}",
		"{\"a\":{\"L\":{}}}",
		"{\"a\":{\"L\":[\"x\"]}}",
		"{\"a\":{\"L\":[{\"S\":\"x\"},]}}",
		"{\"a\":{\"L\":[{\"S\":\"x\"}{\"S\":\"x\"}]}}",
		"{\"a\":{\"M\":[]}}",
		"{\"a\":{\"M\":{\"S\":\"x\"}}}",
		"{\"a\":{\"M\":null}}",
		"{\"a\":{\"X\":}}",
		"{\"a\":{\"X\":[1,]}}",
		"{\"a\":{\"X\":[1}}",
		"{\"a\":{\"X\":nul}}",
		"{\"a\":{\"X\":01}}",
		"{\"a\":{\"S\":\"x\"}}x",
		"{\"a\":{\"S\":\"x\"}}{}",
		"{\"a\":{\"S\":\"\\ud800\"}}",
		"{\"a\\udc00\":{\"S\":\"\"}}",
		"{\"a\":{\"S\":\"\xff\"}}",
		"{\"a\xc3\":{\"S\":\"\"}}",
		"{\"a\":{\"S\":\"\xed\xa0\x80\"}}",
		"{\"a\":{\"S\":\"\xc0\xaf\"}}",
		"{\"a\":{\"S\":\"\xf4\x90\x80\x80\"}}",
		"{\"a\":{\"\xff\":\"\"}}",
		"{\"a\" {\"S\":\"x\"}}",
		"{\"a\":{\"S\" \"x\"}}",
		"{a:{\"S\":\"x\"}}",
		"{\"a\":{S:\"x\"}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_fails(bad[i], strlen(bad[i]), -ERR_CORRUPT);
	check_fails("{}\0", 3, -ERR_CORRUPT);
	check_fails("{\0}", 3, -ERR_CORRUPT);
}

static void test_a_name_twice(void **state)
{
	static const char *const bad[] = {
		"{\"a\":{\"S\":\"1\"},\"a\":{\"S\":\"1\"}}",
		"{\"a\":{\"S\":\"1\"},\"\\u0061\":{\"S\":\"2\"}}",
		"{\"a\":{\"S\":\"1\"},\"b\":{\"S\":\"1\"},\"a\":{\"S\":\"1\"}}",
		"{\"x\":{\"M\":{\"\":{\"S\":\"1\"},\"\":{\"S\":\"1\"}}}}",
		"{\"a long name, over 8\":{\"S\":\"1\"},\"a long name, over 8\":{\"S\":\"1\"}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_fails(bad[i], strlen(bad[i]), -ERR_CORRUPT);
}

static void test_errors_hold_no_contents(void **state)
{
	static const char item[] = "{\"secretname\":{\"S\":\"secretvalue\"},\"x\":{\"S\":\"secretvalue\\q\"}}";
	struct span out;
	struct err e;

	(void)state;
	assert_int_equal(canon_item(canon, SPAN_LIT(item), &out, &e), -ERR_CORRUPT);
	assert_null(strstr(e.message, "secret"));
	assert_non_null(strstr(e.message, "byte 55 of"));
	assert_int_equal(canon_item(canon, SPAN_LIT(item), &out, NULL), -ERR_CORRUPT);
}

/* {"a":{"L":[{"L":[ ... {"S":"x"} ... ]}]}}, or the same with maps. */
static size_t nested(char *text, int levels, bool maps)
{
	size_t n = (size_t)sprintf(text, "{\"a\":");

	for (int i = 0; i < levels; i++)
		n += (size_t)sprintf(text + n, maps ? "{\"M\":{\"k\":" : "{\"L\":[");
	n += (size_t)sprintf(text + n, "{\"S\":\"x\"}");
	for (int i = 0; i < levels; i++)
		n += (size_t)sprintf(text + n, maps ? "}}" : "]}");
	return n + (size_t)sprintf(text + n, "}");
}

static void test_nesting(void **state)
{
	char text[4096];
	/* The item, its last value, and two for each level between them. */
	int most = (JSON_DEPTH_MAX - 2) / 2;

	(void)state;
	for (int maps = 0; maps < 2; maps++) {
		size_t len = nested(text, 32, maps);
		check_bytes(text, len, text, len);
		len = nested(text, most, maps);
		check_bytes(text, len, text, len);
		len = nested(text, most + 1, maps);
		check_fails(text, len, -ERR_LIMIT);
	}
}

static void test_the_last_level(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 20];

	(void)state;
	/* The item and the attribute value are the first two. */
	for (int arrays = JSON_DEPTH_MAX - 2; arrays <= JSON_DEPTH_MAX - 1; arrays++) {
		size_t n = (size_t)sprintf(text, "{\"a\":{\"X\":");
		memset(text + n, '[', (size_t)arrays);
		memset(text + n + arrays, ']', (size_t)arrays);
		n += 2 * (size_t)arrays;
		n += (size_t)sprintf(text + n, "}}");
		if (arrays == JSON_DEPTH_MAX - 2)
			check_bytes(text, n, text, n);
		else
			check_fails(text, n, -ERR_LIMIT);
	}
}

/* Out of order at each level, so that each level is moved once more. */
static void test_nesting_out_of_order(void **state)
{
	char in[4096], want[4096];
	size_t ni = (size_t)sprintf(in, "{\"z\":"), nw = (size_t)sprintf(want, "{\"a\":{\"S\":\"\"},\"z\":");

	(void)state;
	for (int i = 0; i < 32; i++) {
		ni += (size_t)sprintf(in + ni, "{\"M\":{\"z\":");
		nw += (size_t)sprintf(want + nw, "{\"M\":{\"a\":{\"S\":\"\"},\"z\":");
	}
	ni += (size_t)sprintf(in + ni, "{\"SS\":[\"b\",\"a\"]}");
	nw += (size_t)sprintf(want + nw, "{\"SS\":[\"a\",\"b\"]}");
	for (int i = 0; i < 32; i++) {
		ni += (size_t)sprintf(in + ni, ",\"a\":{\"S\":\"\"}}}");
		nw += (size_t)sprintf(want + nw, "}}");
	}
	ni += (size_t)sprintf(in + ni, ",\"a\":{\"S\":\"\"}}");
	nw += (size_t)sprintf(want + nw, "}");
	check_bytes(in, ni, want, nw);
}

static void test_a_million_brackets(void **state)
{
	static const char *const starts[] = {"{\"a\":", "{\"a\":{\"X\":"};
	static const char *const units[] = {"{\"L\":[", "[", "{\"M\":{\"a\":", "{\"\":"};
	size_t len = 1000000;
	char *text = malloc(len);

	(void)state;
	assert_non_null(text);
	for (size_t s = 0; s < 2; s++) {
		for (size_t u = 0; u < 4; u++) {
			size_t n = strlen(starts[s]), unit = strlen(units[u]);
			memset(text, ' ', len);
			memcpy(text, starts[s], n);
			for (; n + unit <= len; n += unit)
				memcpy(text + n, units[u], unit);
			/* A bare array is no attribute value, which is seen first. */
			check_fails(text, n, s == 0 && u == 1 ? -ERR_CORRUPT : -ERR_LIMIT);
		}
	}
	free(text);
}

static void test_truncated_everywhere(void **state)
{
	static const char text[] =
		"{\"b\":{\"M\":{\"y\":{\"SS\":[\"b\\u00e9\",\"a\"]},\"x\":{\"N\":\"1\"}}},\"a\":{\"L\":[{\"BOOL\":true}"
		","
		"{\"NULL\":true},{\"B\":\"AA==\"}]},\"c\xc3\xa9\":{\"S\":\"caf\xc3\xa9 \xf0\x9f\x98\x80 "
		"\\ud83d\\ude00\\n\"},\"d\":{\"X\":[1.5e+7,{\"b\":0,\"a\":1}]}}";

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		check_fails(text, n, -ERR_CORRUPT);
}

static void test_a_400_kb_string(void **state)
{
	size_t len = 400 * 1024;
	char *in = malloc(len + 100), *want = malloc(len + 100);

	(void)state;
	assert_non_null(in);
	assert_non_null(want);
	size_t ni = (size_t)sprintf(in, "{\"b\":{\"S\":\""),
	       nw = (size_t)sprintf(want, "{\"a\":{\"N\":\"1\"},\"b\":{\"S\":\"");
	for (size_t i = 0; i < len; i++)
		in[ni + i] = want[nw + i] = (char)('#' + i % 50);
	ni += len;
	nw += len;
	ni += (size_t)sprintf(in + ni, "\"},\"a\":{\"N\":\"1\"}}");
	nw += (size_t)sprintf(want + nw, "\"}}");
	check_bytes(in, ni, want, nw);
	free(in);
	free(want);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A map and a set of `n` members each in an order of no order, against qsort. */
static void check_many(size_t n, uint32_t random)
{
	char **names = calloc(n, sizeof(*names)), *in = malloc(n * 80 + 100), *want = malloc(n * 80 + 100);

	assert_true(names && in && want);
	for (size_t i = 0; i < n; i++) {
		names[i] = malloc(40);
		assert_non_null(names[i]);
		random = random * 1664525 + 1013904223;
		snprintf(names[i], 40, "%s%u-%zu", random & 0x10000 ? "a common start " : "", random >> 20, i);
	}
	for (int pass = 0; pass < 2; pass++) {
		char *to = pass ? want : in;
		to += sprintf(to, "{\"m\":{\"M\":{");
		for (size_t i = 0; i < n; i++)
			to += sprintf(to, "%s\"%s\":{\"N\":\"1\"}", i ? "," : "", names[i]);
		to += sprintf(to, "}},\"s\":{\"SS\":[");
		for (size_t i = 0; i < n; i++)
			to += sprintf(to, "%s\"%s\"", i ? "," : "", names[i]);
		sprintf(to, "]}}");
		qsort(names, n, sizeof(*names), compare_text);
	}
	check(in, want);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	free(in);
	free(want);
}

static void test_many_members(void **state)
{
	(void)state;
	for (size_t n = 2; n < 70; n++)
		check_many(n, (uint32_t)n);
	check_many(1000, 7);
	check_many(20000, 8);
}

static void test_limits_and_reuse(void **state)
{
	struct canon *small = canon_new(30);
	struct span out;
	struct err e;

	(void)state;
	assert_non_null(small);
	assert_int_equal(canon_item(small, SPAN_LIT("{\"a\":{\"S\":\"12345678901234567\"}}"), &out, &e), -ERR_LIMIT);
	assert_int_equal(canon_item(small, SPAN_LIT("{\"a\":{\"S\":\"1234567890123456\"}}"), &out, &e), 0);
	assert_int_equal(out.len, 30);
	const char *memory = out.ptr;
	assert_int_equal(canon_item(small, SPAN_LIT("{\"b\":{\"S\":\"\"},\"a\":{\"S"), &out, &e), -ERR_CORRUPT);
	assert_int_equal(canon_item(small, SPAN_LIT("{\"b\":{\"M\":{}},\"a\":{\"L\":[]}}"), &out, &e), 0);
	assert_true(span_eq_str(out, "{\"a\":{\"L\":[]},\"b\":{\"M\":{}}}"));
	assert_ptr_equal(out.ptr, memory);
	assert_int_equal(canon_item(small, (struct span){NULL, 0}, &out, &e), -ERR_CORRUPT);
	canon_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_blanks),
		cmocka_unit_test(test_all_ten_types),
		cmocka_unit_test(test_numbers_stay_text),
		cmocka_unit_test(test_names_that_look_like_types),
		cmocka_unit_test(test_lists_keep_their_order),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_order_of_names_with_escapes),
		cmocka_unit_test(test_escapes_have_one_form),
		cmocka_unit_test(test_every_control_character),
		cmocka_unit_test(test_unknown_types_are_kept),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_a_name_twice),
		cmocka_unit_test(test_errors_hold_no_contents),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_the_last_level),
		cmocka_unit_test(test_nesting_out_of_order),
		cmocka_unit_test(test_a_million_brackets),
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_a_400_kb_string),
		cmocka_unit_test(test_many_members),
		cmocka_unit_test(test_limits_and_reuse),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
