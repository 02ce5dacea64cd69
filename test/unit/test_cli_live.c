/* The list of a live table's items, which lies in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/live.h"

#define MILLION 1000000

static char folder[] = "/tmp/test_cli_live.XXXXXX";

static int setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL || setenv("TMPDIR", folder, 1) != 0)
		return -1;
	return digest_init(NULL);
}

static int teardown(void **state)
{
	(void)state;
	digest_cleanup();
	return rmdir(folder); /* fails when something was left in it */
}

static struct span key_of(char out[static 32], unsigned n)
{
	return (struct span){out, (size_t)snprintf(out, 32, "item-%u", n)};
}

static void md5_of(uint8_t out[DIGEST_MD5_SIZE], unsigned n)
{
	for (unsigned i = 0; i < DIGEST_MD5_SIZE; i++)
		out[i] = (uint8_t)(n >> i % 4 * 8 ^ i);
}

static void add(struct live *l, unsigned n)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	char key[32];
	struct err e;
	md5_of(md5, n);
	if (live_add(l, key_of(key, n), md5, &e) != 0)
		fail_msg("%u: %s", n, e.message);
}

/* Whether it is there, with the right digest. */
static bool find(struct live *l, unsigned n, struct live_entry *entry)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	char key[32];
	struct err e;
	int rc = live_find(l, key_of(key, n), entry, &e);
	assert_true(rc >= 0);
	if (rc == 0)
		return false;
	md5_of(md5, n);
	assert_memory_equal(entry->md5, md5, sizeof(md5));
	return true;
}

static void test_few(void **state)
{
	(void)state;
	struct live_entry entry;
	struct err e;
	struct live *l = live_new(&e);
	assert_non_null(l);
	assert_int_equal(live_count(l), 0);
	assert_int_equal(live_unmarked(l), 0);
	assert_false(find(l, 1, &entry));
	add(l, 1);
	add(l, 2);
	assert_true(find(l, 1, &entry));
	assert_true(find(l, 2, &entry));
	assert_false(entry.marked);
	assert_false(find(l, 3, &entry));
	assert_int_equal(live_count(l), 2);
	assert_int_equal(live_unmarked(l), 2);
	live_free(l);
	live_free(NULL);
}

static void test_same_name(void **state)
{
	(void)state;
	static const uint8_t other[DIGEST_MD5_SIZE] = {1, 2, 3};
	struct live_entry entry;
	struct err e = {0};
	struct live *l = live_new(&e);
	assert_non_null(l);
	add(l, 7);
	assert_int_equal(live_add(l, SPAN_LIT("item-7"), other, &e), -ERR_CONFLICT);
	assert_int_equal(e.class, ERR_CONFLICT);
	assert_null(strstr(e.message, "item-7"));
	assert_true(find(l, 7, &entry)); /* with its own digest */
	assert_int_equal(live_count(l), 1);
	live_free(l);
}

static void test_marks(void **state)
{
	(void)state;
	struct live_entry entry;
	struct err e;
	struct live *l = live_new(&e);
	assert_non_null(l);
	for (unsigned n = 0; n < 1000; n++)
		add(l, n);
	for (unsigned n = 0; n < 1000; n += 3)
		for (int twice = 0; twice < 2; twice++) {
			assert_true(find(l, n, &entry));
			assert_int_equal(entry.marked, twice);
			assert_int_equal(live_mark(l, &entry, &e), 0);
			assert_true(entry.marked);
			assert_int_equal(live_mark(l, &entry, &e), 0);
		}
	assert_int_equal(live_unmarked(l), 1000 - 334);
	for (unsigned n = 0; n < 1000; n++) {
		assert_true(find(l, n, &entry));
		assert_int_equal(entry.marked, n % 3 == 0);
	}
	live_free(l);
}

/* Through all growing, with marks set on the way: everything stays. */
static void test_million(void **state)
{
	(void)state;
	struct live_entry entry;
	struct err e;
	struct live *l = live_new(&e);
	assert_non_null(l);
	for (unsigned n = 0; n < MILLION; n++) {
		add(l, n);
		if (n % 1000 != 0)
			continue;
		assert_true(find(l, n, &entry));
		assert_int_equal(live_mark(l, &entry, &e), 0);
	}
	assert_int_equal(live_count(l), MILLION);
	assert_int_equal(live_unmarked(l), MILLION - MILLION / 1000);
	for (unsigned n = 0; n < MILLION; n++) {
		assert_true(find(l, n, &entry));
		assert_int_equal(entry.marked, n % 1000 == 0);
	}
	for (unsigned n = MILLION; n < MILLION + 10000; n++)
		assert_false(find(l, n, &entry));
	static const uint8_t md5[DIGEST_MD5_SIZE];
	assert_int_equal(live_add(l, SPAN_LIT("item-123456"), md5, &e), -ERR_CONFLICT);
	live_free(l);
}

static unsigned names_in(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;
	assert_non_null(d);
	for (const struct dirent *entry; (entry = readdir(d)) != NULL;)
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

static void test_file_has_no_name(void **state)
{
	(void)state;
	struct err e;
	struct live *l = live_new(&e);
	assert_non_null(l);
	assert_int_equal(names_in(folder), 0);
	live_free(l);
	assert_int_equal(names_in(folder), 0);
}

static void test_no_folder(void **state)
{
	(void)state;
	struct err e = {0};
	setenv("TMPDIR", "/tmp/test_cli_live.absent/x", 1);
	assert_null(live_new(&e));
	assert_int_equal(e.class, ERR_SYSTEM);
	assert_int_equal(e.sys_errno, ENOENT);
	assert_non_null(strstr(e.message, "/tmp/test_cli_live.absent/x"));
	assert_non_null(strstr(e.message, "TMPDIR"));
	/* An empty one is none. */
	setenv("TMPDIR", "", 1);
	struct live *l = live_new(&e);
	assert_non_null(l);
	live_free(l);
	setenv("TMPDIR", folder, 1);
}

/* Adds until it fails. */
static unsigned add_until_full(struct live *l, struct err *e)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	char key[32];
	for (unsigned n = 0; n < MILLION; n++) {
		md5_of(md5, n);
		int rc = live_add(l, key_of(key, n), md5, e);
		if (rc == 0)
			continue;
		assert_int_equal(rc, -ERR_SYSTEM);
		return n;
	}
	fail_msg("it never became full");
	return 0;
}

/* No room to grow: an error, not a signal. */
static void test_no_room(void **state)
{
	(void)state;
	struct rlimit before, small;
	struct err e = {0};
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = 3 << 20, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct live *l = live_new(&e);
	assert_non_null(l);
	unsigned n = add_until_full(l, &e);
	assert_int_equal(e.class, ERR_SYSTEM);
	assert_int_equal(e.sys_errno, EFBIG);
	assert_non_null(strstr(e.message, folder));
	assert_non_null(strstr(e.message, "TMPDIR"));
	assert_true(n > 1000);
	assert_int_equal(live_count(l), n);
	live_free(l);
	/* None at all. */
	small.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_null(live_new(&e));
	assert_int_equal(e.sys_errno, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

/* Marks that were set before it grows stay with their items. */
static void test_add_after_marks(void **state)
{
	(void)state;
	struct live_entry entry;
	struct err e;
	struct live *l = live_new(&e);
	assert_non_null(l);
	for (unsigned n = 0; n < 200000; n++) {
		add(l, n);
		if (n % 4999 != 0)
			continue;
		/* Of the last ones, which may still be in memory, too. */
		for (unsigned k = n > 10 ? n - 10 : 0; k <= n; k += 2) {
			assert_true(find(l, k, &entry));
			assert_int_equal(live_mark(l, &entry, &e), 0);
		}
	}
	unsigned marked = 0;
	for (unsigned n = 0; n < 200000; n++) {
		assert_true(find(l, n, &entry));
		assert_int_equal(entry.marked, (n + 10) % 4999 <= 10 && (n + 10) % 4999 % 2 == 0);
		marked += entry.marked;
	}
	assert_int_equal(live_unmarked(l), 200000 - marked);
	live_free(l);
}

/* The file of `l`: the only one of this process that lies in the folder. */
static int file_of(void)
{
	char link[64], target[4096];
	for (int fd = 3; fd < 64; fd++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, target, sizeof(target) - 1);
		if (n > 0 && strncmp(target, folder, strlen(folder)) == 0)
			return fd;
	}
	fail_msg("there is no file");
	return -1;
}

/* A file that lost its end, or that is full of nonsense, gives errors and no endless search. */
static void test_damaged_file(void **state)
{
	(void)state;
	struct live_entry entry;
	struct err e = {0};
	char key[32];
	struct live *l = live_new(&e);
	assert_non_null(l);
	int fd = file_of();
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	static char nonsense[1 << 16];
	memset(nonsense, 0xff, sizeof(nonsense));
	for (off_t off = 0; off < st.st_size; off += (off_t)sizeof(nonsense))
		assert_int_equal(pwrite(fd, nonsense, sizeof(nonsense), off), sizeof(nonsense));
	assert_int_equal(live_find(l, key_of(key, 1), &entry, &e), -ERR_SYSTEM);
	assert_int_equal(e.sys_errno, EIO);
	assert_int_equal(ftruncate(fd, 0), 0);
	unsigned failures = 0;
	for (unsigned n = 0; n < 100; n++)
		failures += live_find(l, key_of(key, n), &entry, &e) < 0;
	assert_true(failures > 90); /* a block may still be in memory */
	live_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few),
		cmocka_unit_test(test_same_name),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_million),
		cmocka_unit_test(test_file_has_no_name),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_add_after_marks),
		cmocka_unit_test(test_damaged_file),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
