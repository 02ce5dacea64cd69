/* log: whole lines, as they reach the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static int fd = -1;
static char text[1 << 20];

/* Each test has an empty file and nothing held back. */
static int setup(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	log_flush(INT64_MAX);
	fd = memfd_create("log", MFD_CLOEXEC);
	log_set_fd(fd);
	log_init(LOG_LEVEL_DEBUG);
	return fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	return close(fd);
}

/* All that was written since the last call, the times replaced by "T". */
static const char *written(void)
{
	static char raw[sizeof(text)];
	ssize_t n = pread(fd, raw, sizeof(raw) - 1, 0);
	assert_true(n >= 0);
	raw[n] = '\0';
	char *out = text;
	for (const char *s = raw; *s;) {
		int64_t ms;
		char stamp[25] = "";
		if (strncmp(s, "ts=", 3) == 0 && strlen(s) > 27) {
			memcpy(stamp, s + 3, 24);
			assert_true(clock_parse_iso(stamp, &ms));
			assert_true(llabs(clock_wall_ms() - ms) < 60000);
			memcpy(out, "ts=T", 4);
			out += 4;
			s += 27;
		}
		const char *end = strchr(s, '\n');
		assert_non_null(end);
		memcpy(out, s, (size_t)(end + 1 - s));
		out += end + 1 - s;
		s = end + 1;
	}
	*out = '\0';
	assert_int_equal(ftruncate(fd, 0), 0);
	lseek(fd, 0, SEEK_SET);
	return text;
}

/* The clock passes a millisecond or two. */
static void let_time_pass(void)
{
	for (int64_t now = clock_mono_ms(); clock_mono_ms() < now + 2;)
		;
}

static void test_all_kinds(void **state)
{
	(void)state;
	log_warn("shard iterator expired", LOG_S("table", "orders"), LOG_D("why", "x"), LOG_I("a", INT64_MIN),
		 LOG_U("b", UINT64_MAX), LOG_T("at", 0), LOG_T("never", CLOCK_UNKNOWN), LOG_S("none", NULL),
		 LOG_D("none", NULL));
	assert_string_equal(written(), "ts=T level=warn msg=\"shard iterator expired\" table=orders why=x "
				       "a=-9223372036854775808 b=18446744073709551615 at=1970-01-01T00:00:00.000Z\n");
	log_info("started");
	assert_string_equal(written(), "ts=T level=info msg=started\n");
}

static void test_errors(void **state)
{
	(void)state;
	struct err e;
	err_set(&e, ERR_RETRY, "no answer");
	log_error("a", LOG_E(&e));
	assert_string_equal(written(), "ts=T level=error msg=a class=retry error=\"no answer\"\n");
	e.http_status = 503;
	snprintf(e.aws_code, sizeof(e.aws_code), "SlowDown");
	snprintf(e.request_id, sizeof(e.request_id), "R1");
	log_error("b", LOG_E(&e), LOG_E(NULL));
	assert_string_equal(written(), "ts=T level=error msg=b class=retry code=SlowDown status=503 request_id=R1 "
				       "error=\"no answer\"\n");
}

static void test_quoting(void **state)
{
	(void)state;
	log_debug("q", LOG_D("a", ""), LOG_D("b", "x y"), LOG_D("c", "x=y"), LOG_D("d", "say \"hi\""),
		  LOG_D("e", "1\n2\t3\r4\x1b\x7f"), LOG_D("f", "back\\slash"), LOG_D("g", "caf\xc3\xa9"),
		  LOG_D("h", "bad\xff\xc3"), LOG_D("i", "c1\xc2\x9b"), LOG_D("j", "a,b;c/d'e{}"));
	assert_string_equal(written(), "ts=T level=debug msg=q a=\"\" b=\"x y\" c=\"x=y\" d=\"say \\\"hi\\\"\" "
				       "e=\"1\\n2\\t3\\u000d4\\u001b\\u007f\" f=\"back\\\\slash\" g=caf\xc3\xa9 "
				       "h=\"bad\\ufffd\\ufffd\" i=\"c1\\u009b\" j=a,b;c/d'e{}\n");
}

static void test_levels(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_WARN);
	assert_true(log_enabled(LOG_LEVEL_ERROR));
	assert_true(log_enabled(LOG_LEVEL_WARN));
	assert_false(log_enabled(LOG_LEVEL_INFO));
	uint64_t warns = log_lines(LOG_LEVEL_WARN), infos = log_lines(LOG_LEVEL_INFO);
	log_info("dropped");
	log_debug("dropped");
	log_warn("kept");
	assert_string_equal(written(), "ts=T level=warn msg=kept\n");
	assert_true(log_lines(LOG_LEVEL_WARN) == warns + 1);
	assert_true(log_lines(LOG_LEVEL_INFO) == infos);
}

static void test_journal(void **state)
{
	(void)state;
	struct stat st;
	char stream[64];
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_set_fd(fd);
	log_error("a");
	log_warn("b");
	log_info("c");
	log_debug("d");
	assert_string_equal(written(), "<3>level=error msg=a\n<4>level=warn msg=b\n<6>level=info msg=c\n"
				       "<7>level=debug msg=d\n");
	/* Inherited from a parent whose standard error was the journal: not for this file. */
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_set_fd(fd);
	log_error("e");
	assert_string_equal(written(), "ts=T level=error msg=e\n");
}

static void test_repeats_are_collapsed(void **state)
{
	(void)state;
	struct err e;
	for (int i = 0; i < 5; i++) {
		let_time_pass();
		err_set(&e, ERR_RETRY, "try %d", i);
		log_warn("failed", LOG_S("table", "orders"), LOG_I("n", i), LOG_E(&e));
	}
	assert_string_equal(written(), "ts=T level=warn msg=failed table=orders n=0 class=retry error=\"try 0\"\n");
	int64_t now = clock_mono_ms();
	log_flush(now + 20000);
	assert_string_equal(written(), "");
	uint64_t lines = log_lines(LOG_LEVEL_WARN);
	log_flush(now + 30000);
	assert_string_equal(written(),
			    "ts=T level=warn msg=failed table=orders n=4 class=retry error=\"try 4\" repeated=4\n");
	assert_true(log_lines(LOG_LEVEL_WARN) == lines + 1);
	log_flush(now + 90000);
	assert_string_equal(written(), "");
	/* The time is over: the next one is news again. */
	log_warn("failed", LOG_S("table", "orders"));
	assert_string_equal(written(), "ts=T level=warn msg=failed table=orders\n");
	log_flush(INT64_MAX);
	assert_string_equal(written(), "");
}

static void test_what_makes_lines_differ(void **state)
{
	(void)state;
	log_warn("failed", LOG_S("table", "a"));
	log_warn("failed", LOG_S("table", "b"));
	log_warn("failed", LOG_S("shard", "a"));
	log_warn("failed");
	log_error("failed");
	log_warn("failed2", LOG_S("table", "a"));
	log_warn("failed", LOG_S("table", "a"), LOG_S("shard", "s"));
	log_warn("failed", LOG_S("table", "a"), LOG_D("detail", "does not count"), LOG_U("n", 1), LOG_T("t", 1));
	assert_string_equal(written(), "ts=T level=warn msg=failed table=a\n"
				       "ts=T level=warn msg=failed table=b\n"
				       "ts=T level=warn msg=failed shard=a\n"
				       "ts=T level=warn msg=failed\n"
				       "ts=T level=error msg=failed\n"
				       "ts=T level=warn msg=failed2 table=a\n"
				       "ts=T level=warn msg=failed table=a shard=s\n");
	log_flush(INT64_MAX);
	assert_string_equal(written(), "ts=T level=warn msg=failed table=a detail=\"does not count\" n=1 "
				       "t=1970-01-01T00:00:00.001Z repeated=1\n");
}

/* A line of each of many shards is no repeat, and yet too much. */
static void test_volume_is_capped(void **state)
{
	(void)state;
	log_flush(INT64_MAX); /* whatever other tests have counted is over */
	written();
	for (uint64_t i = 0; i < 3 * LOG_VOLUME_LINES; i++) {
		char name[32];
		snprintf(name, sizeof(name), "shard-%u", (unsigned)i);
		log_warn("failed", LOG_S("shard", name));
	}
	size_t lines = 0;
	for (const char *s = written(); (s = strchr(s, '\n')) != NULL; s++)
		lines++;
	assert_in_range(lines, LOG_VOLUME_LINES / 2, LOG_VOLUME_LINES);
	log_debug("asked for");
	assert_non_null(strstr(written(), "asked for"));
	log_flush(clock_mono_ms() + LOG_VOLUME_MS);
	assert_non_null(strstr(written(), "more to log than is allowed"));
	log_warn("again");
	assert_non_null(strstr(written(), "again"));
	/* The time in which lines are counted lies ahead now: it must not hold up the tests that follow. */
	log_flush(INT64_MAX);
}

static void test_debug_lines_repeat(void **state)
{
	(void)state;
	log_debug("poll");
	log_debug("poll");
	assert_string_equal(written(), "ts=T level=debug msg=poll\nts=T level=debug msg=poll\n");
	log_flush(INT64_MAX);
	assert_string_equal(written(), "");
}

static void test_full_table_flushes_the_oldest(void **state)
{
	(void)state;
	char name[16];
	log_warn("x", LOG_S("n", "oldest"));
	log_warn("x", LOG_S("n", "oldest"));
	let_time_pass(); /* so that there is an oldest */
	for (int i = 1; i < LOG_REPEATS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		log_warn("x", LOG_S("n", name));
	}
	assert_null(strstr(written(), "repeated"));
	log_warn("x", LOG_S("n", "one more"));
	assert_string_equal(written(),
			    "ts=T level=warn msg=x n=oldest repeated=1\nts=T level=warn msg=x n=\"one more\"\n");
}

static void test_long_lines_are_cut(void **state)
{
	(void)state;
	static char value[LOG_LINE_BYTES * 2];
	for (size_t shift = 0; shift < 8; shift++) {
		memset(value, 'a', sizeof(value) - 1);
		/* Two bytes a character, and blanks so that it is quoted in every other round. */
		for (size_t i = shift; i + 2 < sizeof(value); i += 2)
			memcpy(value + i, "\xc3\xa9", 2);
		if (shift % 2)
			value[0] = ' ';
		log_debug("long", LOG_D("v", value), LOG_D("after", "gone"));
		const char *line = written();
		size_t len = strlen(line);
		assert_in_range(len, LOG_LINE_BYTES - 100, LOG_LINE_BYTES);
		assert_string_equal(line + len - (shift % 2 ? 5 : 4), shift % 2 ? "...\"\n" : "...\n");
		assert_null(strstr(line, "after"));
		/* No half character before the dots. */
		size_t last = len - (shift % 2 ? 6 : 5);
		assert_int_equal((unsigned char)line[last], 0xa9);
	}
}

static void test_cut_lines_have_room_for_the_count(void **state)
{
	(void)state;
	static char value[LOG_LINE_BYTES * 2];
	memset(value, '"', sizeof(value) - 1);
	log_warn("long", LOG_D("v", value));
	written();
	log_warn("long", LOG_D("v", value));
	log_flush(INT64_MAX);
	const char *line = written();
	assert_true(strlen(line) <= LOG_LINE_BYTES);
	assert_string_equal(line + strlen(line) - strlen("...\" repeated=1\n"), "...\" repeated=1\n");
}

static void test_every_length_is_well_formed(void **state)
{
	(void)state;
	static char value[LOG_LINE_BYTES + 100];
	/* Across the place where the cut begins, also within keys and closing quotes. */
	for (size_t n = LOG_LINE_BYTES - 150; n < LOG_LINE_BYTES; n++) {
		memset(value, 'a', n);
		value[0] = ' ';
		value[n] = '\0';
		log_debug("l", LOG_D("v", value), LOG_D("next", "x y"));
		const char *line = written();
		size_t quotes = 0;
		assert_true(strlen(line) <= LOG_LINE_BYTES);
		for (const char *s = line; *s; s++)
			quotes += *s == '"';
		assert_int_equal(quotes % 2, 0);
		assert_true(strstr(line, "next=\"x y\"\n") || strstr(line, "..."));
	}
}

static void test_errno_survives(void **state)
{
	(void)state;
	log_set_fd(-1);
	errno = EXDEV;
	log_error("nowhere to go");
	assert_int_equal(errno, EXDEV);
	log_set_fd(fd);
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(test_all_kinds),
		LOG_TEST(test_errors),
		LOG_TEST(test_quoting),
		LOG_TEST(test_levels),
		LOG_TEST(test_journal),
		LOG_TEST(test_repeats_are_collapsed),
		LOG_TEST(test_what_makes_lines_differ),
		LOG_TEST(test_volume_is_capped),
		LOG_TEST(test_debug_lines_repeat),
		LOG_TEST(test_full_table_flushes_the_oldest),
		LOG_TEST(test_long_lines_are_cut),
		LOG_TEST(test_cut_lines_have_room_for_the_count),
		LOG_TEST(test_every_length_is_well_formed),
		LOG_TEST(test_errno_survives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
