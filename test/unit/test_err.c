/* err: messages, classes, and what a failure leaves in the struct. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

static void test_set_fills_and_clears(void **state)
{
	(void)state;
	struct err e = {.http_status = 503, .sys_errno = 5, .maybe_done = true, .aws_code = "Old", .request_id = "r"};
	assert_int_equal(err_set(&e, ERR_INVALID, "table %s: %d", "orders", 7), -ERR_INVALID);
	assert_int_equal(e.class, ERR_INVALID);
	assert_string_equal(e.message, "table orders: 7");
	assert_int_equal(e.http_status, 0);
	assert_int_equal(e.sys_errno, 0);
	assert_false(e.maybe_done);
	assert_string_equal(e.aws_code, "");
	assert_string_equal(e.request_id, "");
}

static void test_null_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_LIMIT, "%d", 1), -ERR_LIMIT);
	assert_int_equal(err_errno(NULL, ENOENT, "x"), -ERR_SYSTEM);
	assert_true(err_prefix(NULL, "x") < 0);
}

static void test_errno_appends_reason(void **state)
{
	(void)state;
	struct err e;
	assert_int_equal(err_errno(&e, ENOENT, "/etc/%s", "x.conf"), -ERR_SYSTEM);
	assert_int_equal(e.class, ERR_SYSTEM);
	assert_int_equal(e.sys_errno, ENOENT);
	assert_string_equal(e.message, "/etc/x.conf: No such file or directory");
}

static void test_prefix_keeps_the_rest(void **state)
{
	(void)state;
	struct err e;
	err_set(&e, ERR_DENIED, "not allowed");
	e.http_status = 403;
	snprintf(e.aws_code, sizeof(e.aws_code), "AccessDenied");
	assert_int_equal(err_prefix(&e, "table %s", "orders"), -ERR_DENIED);
	assert_string_equal(e.message, "table orders: not allowed");
	assert_int_equal(e.http_status, 403);
	assert_string_equal(e.aws_code, "AccessDenied");
}

static void test_arguments_may_point_into_the_struct(void **state)
{
	(void)state;
	struct err e;
	err_set(&e, ERR_RETRY, "reset");
	err_set(&e, ERR_AUTH, "after %s", e.message);
	assert_string_equal(e.message, "after reset");
	err_prefix(&e, "twice %s", e.message);
	assert_string_equal(e.message, "twice after reset: after reset");
	err_errno(&e, EIO, "%s", e.message);
	assert_string_equal(e.message, "twice after reset: after reset: Input/output error");
}

static void test_long_messages_are_cut_at_a_character(void **state)
{
	(void)state;
	struct err e;
	char text[1001];
	/* With each of four offsets, a character of four bytes lies across the end at least once. */
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'a', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x98\x80", 5);
		err_set(&e, ERR_INVALID, "%s", text);
		size_t len = strlen(e.message);
		assert_in_range(len, sizeof(e.message) - 5, sizeof(e.message) - 1);
		assert_string_equal(e.message + len - 3, "...");
		assert_int_equal((len - 3 - shift) % 4, 0);
		err_prefix(&e, "context");
		assert_memory_equal(e.message, "context: ", 9);
		assert_string_equal(e.message + strlen(e.message) - 3, "...");
	}
}

static void test_messages_are_one_line(void **state)
{
	(void)state;
	struct err e;
	err_set(&e, ERR_CORRUPT, "%s", "a\nb\tc\x1b[0m\x7f");
	assert_string_equal(e.message, "a b c [0m ");
	err_prefix(&e, "%s", "x\ny");
	assert_string_equal(e.message, "x y: a b c [0m ");
}

static void test_class_names(void **state)
{
	(void)state;
	assert_string_equal(err_class_name(ERR_RETRY), "retry");
	assert_string_equal(err_class_name(-ERR_RETRY), "retry");
	assert_string_equal(err_class_name(ERR_NOT_FOUND), "not_found");
	assert_string_equal(err_class_name(ERR_CLASSES), "unknown");
	assert_string_equal(err_class_name(-ERR_CLASSES), "unknown");
	assert_string_equal(err_class_name(INT32_MIN), "unknown");
	for (int a = 0; a < ERR_CLASSES; a++) {
		assert_non_null(err_class_name(a));
		assert_string_not_equal(err_class_name(a), "unknown");
		for (int b = 0; b < a; b++)
			assert_string_not_equal(err_class_name(a), err_class_name(b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_fills_and_clears),
		cmocka_unit_test(test_null_is_allowed),
		cmocka_unit_test(test_errno_appends_reason),
		cmocka_unit_test(test_prefix_keeps_the_rest),
		cmocka_unit_test(test_arguments_may_point_into_the_struct),
		cmocka_unit_test(test_long_messages_are_cut_at_a_character),
		cmocka_unit_test(test_messages_are_one_line),
		cmocka_unit_test(test_class_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
