/* Sequence numbers: order and validity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/seq.h"

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void check_order(const char *a, const char *b, int want)
{
	assert_int_equal(sign(seq_cmp(span_of(a), span_of(b))), want);
	assert_int_equal(sign(seq_cmp(span_of(b), span_of(a))), -want);
}

static void test_order_is_numeric(void **state)
{
	(void)state;
	check_order("9", "10", -1);
	check_order("99", "100", -1);
	check_order("2", "10", -1);
	check_order("100000000003498069978", "100000000003498069979", -1);
	check_order("999999999999999999999", "1000000000000000000000", -1);
	check_order("49590338271490256608559692538361571095921575989136588898",
		    "49590338271490256608559692538361571095921575989136588899", -1);
	check_order("18446744073709551615", "18446744073709551616", -1);
	check_order("5", "5", 0);
}

static void test_leading_zeros_do_not_count(void **state)
{
	(void)state;
	check_order("000000000000000000012", "12", 0);
	check_order("000000000000000000012", "000000000000000000013", -1);
	check_order("0000000009", "10", -1);
	check_order("0", "000", 0);
	check_order("000", "1", -1);
}

static void test_an_empty_one_is_before_all(void **state)
{
	(void)state;
	assert_true(seq_cmp((struct span){NULL, 0}, SPAN_LIT("1")) < 0);
	assert_int_equal(seq_cmp((struct span){NULL, 0}, (struct span){NULL, 0}), 0);
}

static void test_the_end_is_the_length(void **state)
{
	(void)state;
	assert_int_equal(seq_cmp((struct span){"123", 2}, (struct span){"124", 2}), 0);
	assert_true(seq_valid((struct span){"12x", 2}));
	assert_false(seq_valid((struct span){"12x", 3}));
}

static void test_valid(void **state)
{
	char digits[SEQ_DIGITS_MAX + 1];

	(void)state;
	memset(digits, '9', sizeof(digits));
	assert_true(seq_valid(SPAN_LIT("0")));
	assert_true(seq_valid(SPAN_LIT("000000000000000000001")));
	assert_true(seq_valid((struct span){digits, SEQ_DIGITS_MAX}));
	assert_false(seq_valid((struct span){digits, SEQ_DIGITS_MAX + 1}));
	assert_false(seq_valid((struct span){NULL, 0}));
}

static void test_every_byte_that_is_not_a_digit(void **state)
{
	(void)state;
	for (int b = 0; b < 256; b++) {
		char text[3] = {'1', (char)b, '2'};
		assert_int_equal(seq_valid((struct span){text, 3}), b >= '0' && b <= '9');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_is_numeric),
		cmocka_unit_test(test_leading_zeros_do_not_count),
		cmocka_unit_test(test_an_empty_one_is_before_all),
		cmocka_unit_test(test_the_end_is_the_length),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_every_byte_that_is_not_a_digit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
