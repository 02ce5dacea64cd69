/* buf: growth up to the declared maximum, and nothing lost when an append fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

static void test_empty(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 10);
	assert_null(b.data);
	assert_string_equal(buf_str(&b), "");
	buf_reset(&b);
	buf_trim(&b, 0);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_string_equal(buf_str(&b), "");
	buf_fini(&b);
	assert_null(b.data);
	assert_int_equal(b.max, 10);
}

static void test_appends(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	assert_int_equal(buf_append(&b, "ab\0c", 4), 0);
	assert_int_equal(buf_append_char(&b, 'd'), 0);
	assert_int_equal(buf_append_str(&b, "ef"), 0);
	assert_int_equal(buf_printf(&b, "%s-%d", "gh", 42), 0);
	assert_int_equal(b.len, 12);
	assert_memory_equal(b.data, "ab\0cdefgh-42", 13);
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
	assert_true(b.cap > 12);
	buf_fini(&b);
}

static void test_maximum_is_exact(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 8);
	assert_int_equal(buf_append_str(&b, "1234567"), 0);
	assert_int_equal(buf_append_str(&b, "89"), -ERR_LIMIT);
	assert_int_equal(buf_printf(&b, "%d", 89), -ERR_LIMIT);
	assert_string_equal(buf_str(&b), "1234567");
	assert_int_equal(buf_append_char(&b, '8'), 0);
	assert_int_equal(buf_append_char(&b, '9'), -ERR_LIMIT);
	assert_string_equal(buf_str(&b), "12345678");
	assert_int_equal(b.len, 8);
	assert_int_equal(b.cap, 9);
	assert_int_equal(buf_append(&b, "", 0), 0);
	buf_fini(&b);
	buf_init(&b, 0);
	assert_int_equal(buf_append_char(&b, 'x'), -ERR_LIMIT);
	assert_int_equal(buf_append_str(&b, ""), 0);
	buf_fini(&b);
}

static void test_absurd_sizes_do_not_overflow(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_append_str(&b, "x"), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ERR_LIMIT);
	assert_int_equal(buf_reserve(&b, SIZE_MAX / 2), -ERR_LIMIT);
	assert_string_equal(buf_str(&b), "x");
	buf_fini(&b);
}

static void test_many_small_appends(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100000);
	size_t grown = 0, cap = 0;
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(buf_append_char(&b, (char)('a' + i % 26)), 0);
		grown += b.cap != cap;
		cap = b.cap;
	}
	assert_true(grown < 20);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	assert_int_equal(b.cap, 100001);
	buf_fini(&b);
}

static void test_trim(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100000);
	assert_int_equal(buf_append_str(&b, "hello"), 0);
	assert_int_equal(buf_reserve(&b, 50000), 0);
	buf_trim(&b, 1000);
	assert_in_range(b.cap, 1000, 1001);
	buf_trim(&b, 0);
	assert_in_range(b.cap, 5, 6);
	assert_string_equal(buf_str(&b), "hello");
	buf_trim(&b, SIZE_MAX);
	assert_string_equal(buf_str(&b), "hello");
	assert_int_equal(buf_append_str(&b, " again"), 0);
	assert_string_equal(buf_str(&b), "hello again");
	buf_reset(&b);
	buf_trim(&b, 0);
	assert_string_equal(buf_str(&b), "");
	assert_true(b.cap <= 1);
	buf_fini(&b);
}

static void test_take(void **state)
{
	(void)state;
	struct buf a, b;
	buf_init(&a, 4);
	buf_init(&b, 100);
	assert_int_equal(buf_append_str(&a, "old"), 0);
	assert_int_equal(buf_append_str(&b, "longer than four"), 0);
	const char *memory = b.data;
	buf_take(&a, &b);
	assert_ptr_equal(a.data, memory);
	assert_string_equal(buf_str(&a), "longer than four");
	assert_true(a.len <= a.max);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.max, 100);
	assert_int_equal(buf_append_str(&b, "new"), 0);
	assert_string_equal(buf_str(&a), "longer than four");
	buf_take(&a, &a);
	assert_string_equal(buf_str(&a), "longer than four");
	buf_fini(&a);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_maximum_is_exact),
		cmocka_unit_test(test_absurd_sizes_do_not_overflow),
		cmocka_unit_test(test_many_small_appends),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_take),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
