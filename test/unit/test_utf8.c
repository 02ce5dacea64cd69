/* utf8: RFC 3629, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/utf8.h"

static void test_characters(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t cp;
	} cases[] = {
		{"", 1, 0}, /* a NUL is a character */
		{"A", 1, 'A'},
		{"\x7f", 1, 0x7f},
		{"\xc2\x80", 2, 0x80},
		{"\xdf\xbf", 2, 0x7ff},
		{"\xe0\xa0\x80", 3, 0x800},
		{"\xed\x9f\xbf", 3, 0xd7ff},
		{"\xee\x80\x80", 3, 0xe000},
		{"\xef\xbf\xbf", 3, 0xffff},
		{"\xf0\x90\x80\x80", 4, 0x10000},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t cp = 0xffffffff;
		assert_int_equal(utf8_decode(cases[i].bytes, cases[i].len, &cp), cases[i].len);
		assert_int_equal(cp, cases[i].cp);
		/* No character is read past its end. */
		for (size_t n = 0; n < cases[i].len; n++)
			assert_int_equal(utf8_decode(cases[i].bytes, n, &cp), 0);
	}
}

static void test_refuses(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"\x80",		"\xbf",		"\xc0\x80",	    "\xc1\xbf",		"\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
		"\xfe",		"\xff",		"\xc2\x41",	    "\xe2\x82\x41",	"\xf0\x90\x80\x41",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t cp = 7;
		assert_int_equal(utf8_decode(cases[i], strlen(cases[i]), &cp), 0);
		assert_int_equal(cp, 7);
	}
}

static void test_controls(void **state)
{
	(void)state;
	for (uint32_t cp = 0; cp < 0x200; cp++)
		assert_int_equal(utf8_is_control(cp), cp < 0x20 || (cp >= 0x7f && cp <= 0x9f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_controls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
