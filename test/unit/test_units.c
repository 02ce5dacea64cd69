/* units: what an operator may write, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/units.h"

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"0", 0},	    {"0s", 0},
		{"250ms", 250},	    {"1s", 1000},
		{"30m", 1800000},   {"2h", 7200000},
		{"1d", 86400000},   {"1h30m", 5400000},
		{"007s", 7000},	    {"1d1h1m1s1ms", 90061001},
		{"1m500ms", 60500}, {"9223372036854775807ms", INT64_MAX},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = -7;
		if (!units_duration_ms(cases[i].text, &ms))
			fail_msg("refused: %s", cases[i].text);
		assert_int_equal(ms, cases[i].ms);
	}
	static const char *const refused[] = {
		"",
		"1",
		"00",
		"s",
		"-1s",
		"+1s",
		"1 s",
		" 1s",
		"1s ",
		"1S",
		"1sec",
		"1.5s",
		"1w",
		"1min",
		"1ss",
		"1s1m",
		"1s1s",
		"1s1",
		"ms",
		"0x1s",
		"106751991168d",
		"9223372036854775808ms",
		"99999999999999999999ms",
		"9223372036854775807ms1ms",
		"9223372036854775s999ms",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		int64_t ms = -7;
		if (units_duration_ms(refused[i], &ms))
			fail_msg("accepted: %s", refused[i]);
		assert_int_equal(ms, -7);
	}
}

static void test_duration_text(void **state)
{
	(void)state;
	static const int64_t cases[] = {0, 1, 250, 1000, 1500, 60000, 1800000, 5400000, 86400000, 90061001, INT64_MAX};
	static const char *const texts[] = {"0s",
					    "1ms",
					    "250ms",
					    "1s",
					    "1s500ms",
					    "1m",
					    "30m",
					    "1h30m",
					    "1d",
					    "1d1h1m1s1ms",
					    "106751991167d7h12m55s807ms"};
	char out[64];
	int64_t back;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ptr_equal(units_duration_text(out, sizeof(out), cases[i]), out);
		assert_string_equal(out, texts[i]);
		assert_true(units_duration_ms(out, &back));
		assert_int_equal(back, cases[i]);
	}
	assert_string_equal(units_duration_text(out, sizeof(out), -1500), "-1s500ms");
	assert_string_equal(units_duration_text(out, sizeof(out), INT64_MIN), "-106751991167d7h12m55s808ms");
	/* Too little room: cut, and never written past. */
	memset(out, 'x', sizeof(out));
	units_duration_text(out, 4, 90061001);
	assert_true(memchr(out, '\0', 4) != NULL);
	for (size_t i = 4; i < sizeof(out); i++)
		assert_int_equal(out[i], 'x');
	units_duration_text(out, 0, 1);
}

static void test_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{"0", 0},
		{"0B", 0},
		{"4096B", 4096},
		{"512KiB", 524288},
		{"64MiB", 67108864},
		{"1GiB", 1073741824},
		{"1KB", 1000},
		{"2MB", 2000000},
		{"3GB", 3000000000},
		{"18446744073709551615B", UINT64_MAX},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 7;
		if (!units_size_bytes(cases[i].text, &bytes))
			fail_msg("refused: %s", cases[i].text);
		assert_true(bytes == cases[i].bytes);
	}
	static const char *const refused[] = {
		"",
		"1",
		"64",
		"64M",
		"64mib",
		"64 MiB",
		"MiB",
		"-1B",
		"+1B",
		"1.5GiB",
		"1MiB1KiB",
		"1MiB ",
		" 1MiB",
		"1K",
		"00",
		"18446744073709551616B",
		"17179869184GiB",
		"18446744073709551615KB",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		uint64_t bytes = 7;
		if (units_size_bytes(refused[i], &bytes))
			fail_msg("accepted: %s", refused[i]);
		assert_true(bytes == 7);
	}
}

static void test_counts(void **state)
{
	(void)state;
	uint64_t n = 7;
	assert_true(units_count("0", &n));
	assert_true(n == 0);
	assert_true(units_count("0064", &n));
	assert_true(n == 64);
	assert_true(units_count("18446744073709551615", &n));
	assert_true(n == UINT64_MAX);
	static const char *const refused[] = {"",   " ",   "-1",   "+1",  "1 ",
					      " 1", "1.0", "0x10", "1e3", "18446744073709551616"};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		n = 7;
		if (units_count(refused[i], &n))
			fail_msg("accepted: %s", refused[i]);
		assert_true(n == 7);
	}
}

static void test_host_port(void **state)
{
	(void)state;
	static const struct {
		const char *text, *host;
		uint16_t port;
	} cases[] = {
		{"127.0.0.1:9464", "127.0.0.1", 9464},
		{"[::1]:9464", "::1", 9464},
		{"[fd00:ec2::254]:80", "fd00:ec2::254", 80},
		{":9464", "", 9464},
		{"localhost:0", "localhost", 0},
		{"a-b.example:65535", "a-b.example", 65535},
	};
	char host[64];
	uint16_t port;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!units_host_port(cases[i].text, host, sizeof(host), &port))
			fail_msg("refused: %s", cases[i].text);
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
	static const char *const refused[] = {
		"",	     "9464",	"host",		  "host:",    "host:65536", "host:-1", "host:+1",
		"host: 1",   "host:1 ", "::1:80",	  "[::1]",    "[::1:80",    "::1]:80", "[]:80",
		"[host]:80", "h st:80", "http://host:80", "host/:80", "[::1]x:80",  "[:80",    "a:b:80",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memcpy(host, "kept", 5);
		port = 7;
		if (units_host_port(refused[i], host, sizeof(host), &port))
			fail_msg("accepted: %s", refused[i]);
		assert_string_equal(host, "kept");
		assert_int_equal(port, 7);
	}
	assert_false(units_host_port("abcd:1", host, 4, &port));
	assert_true(units_host_port("abcd:1", host, 5, &port));
	char longer[400];
	memset(longer, 'a', sizeof(longer));
	memcpy(longer + 300, ":80", 4);
	char room[400];
	assert_false(units_host_port(longer, room, sizeof(room), &port));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations), cmocka_unit_test(test_duration_text), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_counts),	  cmocka_unit_test(test_host_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
