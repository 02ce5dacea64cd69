/* The primary key of an item, cut out of its canonical form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "codec/canon.h"
#include "codec/primary.h"

#define MAX_BYTES ((size_t)1 << 20)

/* The text in a heap block of its own size, so that AddressSanitizer sees a read past its end. */
static struct span block(const char *text)
{
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	return (struct span){copy, len};
}

static void key_is(const char *item, const char *hash, const char *range, const char *expected)
{
	struct span s = block(item);
	struct buf out;
	struct err e = {0};
	buf_init(&out, MAX_BYTES);
	assert_int_equal(buf_append_str(&out, "before "), 0);
	int rc = primary_key(s, hash, range, &out, &e);
	if (expected != NULL) {
		assert_int_equal(rc, 0);
		assert_string_equal(buf_str(&out) + 7, expected);
	} else {
		assert_int_equal(rc, -ERR_CORRUPT);
		assert_int_equal(e.class, ERR_CORRUPT);
		assert_string_equal(buf_str(&out), "before ");
		assert_null(strstr(e.message, "secret"));
	}
	buf_fini(&out);
	free((char *)s.ptr);
}

static void test_one_attribute(void **state)
{
	(void)state;
	key_is("{\"id\":{\"S\":\"x\"}}", "id", NULL, "{\"id\":{\"S\":\"x\"}}");
	key_is("{\"a\":{\"L\":[{\"M\":{\"id\":{\"S\":\"inner\"}}}]},\"id\":{\"N\":\"1.0E2\"},\"z\":{\"NULL\":true}}",
	       "id", NULL, "{\"id\":{\"N\":\"1.0E2\"}}");
	key_is("{\"id\":{\"B\":\"AAE=\"}}", "id", NULL, "{\"id\":{\"B\":\"AAE=\"}}");
	/* Names that begin alike are others. */
	key_is("{\"i\":{\"S\":\"1\"},\"id\":{\"S\":\"2\"},\"id2\":{\"S\":\"3\"}}", "id", NULL,
	       "{\"id\":{\"S\":\"2\"}}");
}

static void test_two_attributes(void **state)
{
	(void)state;
	const char *item = "{\"id\":{\"S\":\"x\"},\"other\":{\"BOOL\":true},\"range\":{\"N\":\"1\"}}";
	const char *keys = "{\"id\":{\"S\":\"x\"},\"range\":{\"N\":\"1\"}}";
	key_is(item, "id", "range", keys);
	/* By name, whichever of the two is the partition key. */
	key_is(item, "range", "id", keys);
	/* By the bytes of the names: capitals first, then UTF-8. */
	key_is("{\"Z\":{\"S\":\"1\"},\"a\":{\"S\":\"2\"}}", "a", "Z", "{\"Z\":{\"S\":\"1\"},\"a\":{\"S\":\"2\"}}");
	key_is("{\"z\":{\"S\":\"1\"},\"\xc3\xa4\":{\"S\":\"2\"}}", "\xc3\xa4", "z",
	       "{\"z\":{\"S\":\"1\"},\"\xc3\xa4\":{\"S\":\"2\"}}");
}

static void test_escapes_stay(void **state)
{
	(void)state;
	key_is("{\"a\\\"b\":{\"S\":\"q\\\\\\n\\u0001\"},\"z\":{\"S\":\"\"}}", "a\"b", NULL,
	       "{\"a\\\"b\":{\"S\":\"q\\\\\\n\\u0001\"}}");
}

static void test_what_is_no_key(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"null",
		"{\"id\"",
		"{\"other\":{\"S\":\"secret\"}}",
		"{\"id\":\"secret\"}",
		"{\"id\":{}}",
		"{\"id\":{\"S\":1}}",
		"{\"id\":{\"SS\":[\"secret\"]}}",
		"{\"id\":{\"BOOL\":true}}",
		"{\"id\":{\"M\":{\"S\":\"secret\"}}}",
		"{\"id\":{\"S\":\"secret\",\"N\":\"1\"}}",
		"{\"x\":{\"S\":\"secret},\"id\":{\"S\":\"x\"}}",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		key_is(bad[i], "id", NULL, NULL);
	key_is("{\"id\":{\"S\":\"secret\"}}", "id", "range", NULL);
	key_is("{\"id\":{\"S\":\"secret\"},\"range\":{\"BOOL\":true}}", "id", "range", NULL);
}

static void test_no_room(void **state)
{
	(void)state;
	const char *item = "{\"id\":{\"S\":\"0123456789\"}}";
	struct err e = {0};
	for (size_t room = 0; room < strlen(item); room++) {
		struct buf out;
		buf_init(&out, room);
		assert_int_equal(primary_key(span_of(item), "id", NULL, &out, &e), -ERR_LIMIT);
		assert_int_equal(out.len, 0);
		assert_string_equal(buf_str(&out), "");
		buf_fini(&out);
	}
}

/* Whatever order an item came in, its Keys are what the stream's Keys are in canonical form. */
static void test_equals_canonical_keys(void **state)
{
	(void)state;
	struct canon *c = canon_new(MAX_BYTES);
	struct span canonical, expected;
	struct buf out;
	struct err e;
	buf_init(&out, MAX_BYTES);
	assert_non_null(c);
	assert_int_equal(canon_item(c,
				    span_of("{ \"z\":{\"N\":\"-1\"}, \"data\":{\"SS\":[\"b\",\"a\"]}, "
					    "\"\\u0061\":{\"S\":\"\\u00e4\\/\"} }"),
				    &canonical, &e),
			 0);
	assert_int_equal(primary_key(canonical, "z", "a", &out, &e), 0);
	assert_int_equal(canon_item(c, span_of("{\"z\":{\"N\":\"-1\"},\"a\":{\"S\":\"\\u00e4\\/\"}}"), &expected, &e),
			 0);
	assert_true(span_eq(expected, (struct span){buf_str(&out), out.len}));
	buf_fini(&out);
	canon_free(c);
}

static void test_value(void **state)
{
	(void)state;
	struct span item = block("{\"a\":{\"S\":\"1\"},\"b\":{\"L\":[]},\"c\\n\":{\"N\":\"2\"}}"), value = {"x", 1};
	assert_int_equal(primary_value(item, "d", &value), -ERR_NOT_FOUND);
	assert_true(span_eq_str(value, "x"));
	assert_int_equal(primary_value(item, "a", &value), 0);
	assert_true(span_eq_str(value, "{\"S\":\"1\"}"));
	assert_int_equal(primary_value(item, "b", &value), 0);
	assert_true(span_eq_str(value, "{\"L\":[]}"));
	assert_int_equal(primary_value(item, "c\n", &value), 0);
	assert_true(span_eq_str(value, "{\"N\":\"2\"}"));
	assert_int_equal(primary_value((struct span){item.ptr, item.len - 1}, "d", &value), -ERR_CORRUPT);
	assert_int_equal(primary_value(span_of("[]"), "d", &value), -ERR_CORRUPT);
	free((char *)item.ptr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_attribute), cmocka_unit_test(test_two_attributes),
		cmocka_unit_test(test_escapes_stay),  cmocka_unit_test(test_what_is_no_key),
		cmocka_unit_test(test_no_room),	      cmocka_unit_test(test_equals_canonical_keys),
		cmocka_unit_test(test_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
