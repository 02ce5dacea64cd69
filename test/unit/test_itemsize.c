/*
 * Sizes by the rules of "DynamoDB item sizes and formats" in the Amazon DynamoDB Developer Guide. Where the page says
 * "approximately" (numbers) or nothing (sets), the sizes are those at which DynamoDB Local begins to count one unit more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/itemsize.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static size_t size_of(const char *item)
{
	size_t n = 99999;
	struct err e;

	if (itemsize_bytes(span_of(item), &n, &e) != 0)
		fail_msg("%s: %s", item, e.message);
	return n;
}

static size_t size_of_value(const char *value)
{
	char item[512];

	snprintf(item, sizeof(item), "{\"v\":%s}", value);
	return size_of(item) - 1;
}

static void test_numbers(void **state)
{
	static const struct {
		const char *number;
		size_t bytes;
	} cases[] = {
		{"0", 1},
		{"-0", 1},
		{"0.000", 1},
		{"000", 1},
		{"1", 2},
		{"-1", 3},
		{"12", 2},
		{"123", 3},
		{"-123", 4},
		{"1234", 3},
		{"12345", 4},
		{"10", 2},
		{"100", 2},
		{"1000", 2},
		{"101", 3},
		{"-101", 4},
		{"0001", 2},
		{"1.000", 2},
		{"0.5", 2},
		{"0.05", 2},
		{"0.10", 2},
		{"1.23", 3},
		{"12.3", 3},
		{"9.99", 3},
		{"-1.5E10", 3},
		{"-1.5e+10", 3},
		{"1e-130", 2},
		{"1E+125", 2},
		{"1.0E0", 2},
		{"00100.00100", 4},
		{"0e999", 1},
		{"15000000", 2},
		{"9.9999999999999999999999999999999999999E+125", 20},
		{"12345678901234567890123456789012345678", 20},
		{"-12345678901234567890123456789012345678", 21},
		{"0.00012345678901234567890123456789012345678", 20},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char value[100];
		size_t n;

		snprintf(value, sizeof(value), "{\"N\":\"%s\"}", cases[i].number);
		n = size_of_value(value);
		if (n != cases[i].bytes)
			fail_msg("%s has %zu bytes, not %zu", cases[i].number, n, cases[i].bytes);
	}
	/* A digit may be written as an escape. */
	assert_int_equal(size_of_value("{\"N\":\"\\u0031\\u0030\\u0031\"}"), 3);
}

static void test_values(void **state)
{
	static const struct {
		const char *value;
		size_t bytes;
	} cases[] = {
		{"{\"S\":\"\"}", 0},
		{"{\"S\":\"abc\"}", 3},
		{"{\"S\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}", 9},
		/* The same, and controls, as escapes. */
		{"{\"S\":\"\\u00e9\\u20ac\\ud83d\\ude00\"}", 9},
		{"{\"S\":\"\\u0000\\n\\\"\\\\\\/\"}", 5},
		{"{\"B\":\"\"}", 0},
		{"{\"B\":\"YQ==\"}", 1},
		{"{\"B\":\"YWI=\"}", 2},
		{"{\"B\":\"YWJj\"}", 3},
		{"{\"B\":\"YWJjZA==\"}", 4},
		{"{\"B\":\"\\u0059Q\\u003d\\u003d\"}", 1},
		{"{\"B\":\"\\/\\/\\/\\/\"}", 3},
		{"{\"NULL\":true}", 1},
		{"{\"BOOL\":true}", 1},
		{"{\"BOOL\":false}", 1},
		{"{\"L\":[]}", 3},
		{"{\"M\":{}}", 3},
		{"{\"L\":[{\"S\":\"a\"},{\"S\":\"bc\"}]}", 3 + 1 + 1 + 1 + 2},
		{"{\"L\":[{\"NULL\":true},{\"L\":[]}]}", 3 + 1 + 1 + 1 + 3},
		{"{\"M\":{\"a\":{\"S\":\"b\"}}}", 3 + 1 + 1 + 1},
		{"{\"M\":{\"a\":{\"M\":{\"bb\":{\"N\":\"12\"}}},\"c\":{\"L\":[{\"BOOL\":true}]}}}",
		 3 + (1 + 1 + 3 + (1 + 2 + 2)) + (1 + 1 + 3 + (1 + 1))},
		{"{\"SS\":[\"a\",\"bc\"]}", 3},
		{"{\"NS\":[\"1\",\"-2\"]}", 5},
		{"{\"BS\":[\"YWJj\",\"YQ==\"]}", 4},
		{" { \"S\" : \"a\" } ", 1},
		{"{\"\\u0053\":\"abc\"}", 3},
		/* What is not known counts as it stands. */
		{"{\"XY\":[1, 2]}", 6},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (size_of_value(cases[i].value) != cases[i].bytes)
			fail_msg("%s has %zu bytes, not %zu", cases[i].value, size_of_value(cases[i].value),
				 cases[i].bytes);
}

static void test_items(void **state)
{
	(void)state;
	assert_int_equal(size_of("{}"), 0);
	assert_int_equal(size_of("{\"id\":{\"S\":\"x\"}}"), 3);
	/* Names count as UTF-8. */
	assert_int_equal(size_of("{\"\\u00e9\":{\"S\":\"x\"},\"\xc3\xa9t\":{\"N\":\"7\"}}"), 2 + 1 + 3 + 2);
	assert_int_equal(size_of("{\"shirt-color\":{\"S\":\"R\"},\"shirt-size\":{\"S\":\"M\"}}"), 23);
}

static void test_not_items(void **state)
{
	static const char *const cases[] = {
		"",
		"null",
		"[]",
		"\"x\"",
		"{\"a\"}",
		"{\"a\":1}",
		"{\"a\":{}}",
		"{\"a\":\"b\"}",
		"{\"a\":{\"S\":1}}",
		"{\"a\":{\"N\":1}}",
		"{\"a\":{\"B\":null}}",
		"{\"a\":{\"BOOL\":\"true\"}}",
		"{\"a\":{\"NULL\":1}}",
		"{\"a\":{\"L\":{}}}",
		"{\"a\":{\"M\":[]}}",
		"{\"a\":{\"L\":[1]}}",
		"{\"a\":{\"SS\":[1]}}",
		"{\"a\":{\"SS\":\"a\"}}",
		"{\"a\":{\"NS\":[1]}}",
		"{\"a\":{\"BS\":[{}]}}",
		"{\"a\":{\"S\":\"x\",\"N\":\"1\"}}",
		"{\"a\":{\"S\":\"secret\\ud800\"}}",
		"{\"a\":{\"S\":\"secret\"}} x",
		"{\"a\":{\"S\":\"secret\"}}{}",
		"{\"a\":{\"XX\":}}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = 4711;
		struct err e = {0};

		if (itemsize_bytes(span_of(cases[i]), &n, &e) != -ERR_CORRUPT)
			fail_msg("%s is taken for an item", cases[i]);
		assert_int_equal(n, 4711);
		assert_int_equal(e.class, ERR_CORRUPT);
		assert_non_null(strstr(e.message, "byte"));
		assert_null(strstr(e.message, "secret"));
		assert_int_equal(itemsize_bytes(span_of(cases[i]), &n, NULL), -ERR_CORRUPT);
	}
	assert_int_equal(itemsize_bytes((struct span){NULL, 0}, &(size_t){0}, NULL), -ERR_CORRUPT);
}

/* At its exact length, so that a read past the end shows. */
static void test_truncated_everywhere(void **state)
{
	static const char item[] =
		"{\"a\":{\"M\":{\"b\":{\"L\":[{\"N\":\"-1.5E1\"},{\"B\":\"YQ==\"},{\"BOOL\":true}]},\"c\":"
		"{\"SS\":[\"\\u00e9\"]}}}}";

	(void)state;
	for (size_t len = 0; len < strlen(item); len++) {
		char *copy = malloc(len ? len : 1);
		size_t n;

		assert_non_null(copy);
		memcpy(copy, item, len);
		assert_int_equal(itemsize_bytes((struct span){copy, len}, &n, NULL), -ERR_CORRUPT);
		free(copy);
	}
	assert_int_equal(size_of(item), 1 + 3 + (1 + 1 + 3 + (1 + 3) + (1 + 1) + (1 + 1)) + (1 + 1 + 2));
}

/* DynamoDB's 32 levels are possible; what is far deeper is refused and does not end the process. */
static void test_nesting(void **state)
{
	static char item[1 << 20];
	size_t n;

	(void)state;
	for (int levels = 32; levels <= 32 * 1024; levels *= 32) {
		char *p = item + sprintf(item, "{\"a\":");

		for (int i = 0; i < levels; i++)
			p += sprintf(p, "{\"L\":[");
		for (int i = 0; i < levels; i++)
			p += sprintf(p, "]}");
		sprintf(p, "}");
		if (levels == 32)
			assert_int_equal(size_of(item), 1 + 32 * 3 + 31);
		else
			assert_int_equal(itemsize_bytes(span_of(item), &n, NULL), -ERR_CORRUPT);
	}
}

static void test_write_units(void **state)
{
	(void)state;
	assert_int_equal(itemsize_write_units(0), 1);
	assert_int_equal(itemsize_write_units(1), 1);
	assert_int_equal(itemsize_write_units(1024), 1);
	assert_int_equal(itemsize_write_units(1025), 2);
	assert_int_equal(itemsize_write_units(2048), 2);
	assert_int_equal(itemsize_write_units(409600), 400);
	assert_int_equal(itemsize_write_units(SIZE_MAX), SIZE_MAX / 1024 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_not_items),
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_write_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
