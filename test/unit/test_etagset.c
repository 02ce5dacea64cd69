/* The list of names and ETags, which lies in a file. */
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

#include "base/etagset.h"
#include "codec/digest.h"

#define MILLION 1000000

static char folder[] = "/tmp/test_etagset.XXXXXX";

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

/* The name of item `n`. */
static const uint8_t *name_of(uint8_t out[static ETAGSET_NAME_BYTES], unsigned n)
{
	char key[32];
	int len = snprintf(key, sizeof(key), "item-%u", n);
	digest_name(out, key, (size_t)len);
	return out;
}

static void etag_of(uint8_t out[ETAGSET_ETAG_BYTES], unsigned n)
{
	for (unsigned i = 0; i < ETAGSET_ETAG_BYTES; i++)
		out[i] = (uint8_t)(n >> i % 4 * 8 ^ i);
}

static void add(struct etagset *set, unsigned n)
{
	uint8_t etag[ETAGSET_ETAG_BYTES];
	uint8_t name[ETAGSET_NAME_BYTES];
	struct err e;
	etag_of(etag, n);
	if (etagset_add(set, name_of(name, n), etag, &e) != 0)
		fail_msg("%u: %s", n, e.message);
}

/* Whether it is there, with the right digest. */
static bool find(struct etagset *set, unsigned n, struct etagset_entry *entry)
{
	uint8_t etag[ETAGSET_ETAG_BYTES];
	uint8_t name[ETAGSET_NAME_BYTES];
	struct err e;
	int rc = etagset_find(set, name_of(name, n), entry, &e);
	assert_true(rc >= 0);
	if (rc == 0)
		return false;
	etag_of(etag, n);
	assert_memory_equal(entry->etag, etag, sizeof(etag));
	return true;
}

static void test_few(void **state)
{
	(void)state;
	struct etagset_entry entry;
	struct err e;
	struct etagset *set = etagset_new(NULL, 0, 0, &e);
	assert_non_null(set);
	assert_int_equal(etagset_count(set), 0);
	assert_int_equal(etagset_unmarked(set), 0);
	assert_false(find(set, 1, &entry));
	add(set, 1);
	add(set, 2);
	assert_true(find(set, 1, &entry));
	assert_true(find(set, 2, &entry));
	assert_false(entry.marked);
	assert_false(find(set, 3, &entry));
	assert_int_equal(etagset_count(set), 2);
	assert_int_equal(etagset_unmarked(set), 2);
	etagset_free(set);
	etagset_free(NULL);
}

static void test_same_name(void **state)
{
	(void)state;
	static const uint8_t other[ETAGSET_ETAG_BYTES] = {1, 2, 3};
	struct etagset_entry entry;
	uint8_t name[ETAGSET_NAME_BYTES];
	struct err e = {0};
	struct etagset *set = etagset_new(NULL, 0, 0, &e);
	assert_non_null(set);
	add(set, 7);
	assert_int_equal(etagset_add(set, name_of(name, 7), other, &e), -ERR_CONFLICT);
	assert_int_equal(e.class, ERR_CONFLICT);
	assert_null(strstr(e.message, "item-7"));
	assert_true(find(set, 7, &entry)); /* with its own digest */
	assert_int_equal(etagset_count(set), 1);
	etagset_free(set);
}

static void test_marks(void **state)
{
	(void)state;
	struct etagset_entry entry;
	struct err e;
	struct etagset *set = etagset_new(NULL, 0, 0, &e);
	assert_non_null(set);
	for (unsigned n = 0; n < 1000; n++)
		add(set, n);
	for (unsigned n = 0; n < 1000; n += 3)
		for (int twice = 0; twice < 2; twice++) {
			assert_true(find(set, n, &entry));
			assert_int_equal(entry.marked, twice);
			assert_int_equal(etagset_mark(set, &entry, &e), 0);
			assert_true(entry.marked);
			assert_int_equal(etagset_mark(set, &entry, &e), 0);
		}
	assert_int_equal(etagset_unmarked(set), 1000 - 334);
	for (unsigned n = 0; n < 1000; n++) {
		assert_true(find(set, n, &entry));
		assert_int_equal(entry.marked, n % 3 == 0);
	}
	etagset_free(set);
}

/* Through all growing, with marks set on the way: everything stays. */
static void test_million(void **state)
{
	(void)state;
	struct etagset_entry entry;
	uint8_t name[ETAGSET_NAME_BYTES];
	struct err e;
	struct etagset *set = etagset_new(NULL, 0, 0, &e);
	assert_non_null(set);
	for (unsigned n = 0; n < MILLION; n++) {
		add(set, n);
		if (n % 1000 != 0)
			continue;
		assert_true(find(set, n, &entry));
		assert_int_equal(etagset_mark(set, &entry, &e), 0);
	}
	assert_int_equal(etagset_count(set), MILLION);
	assert_int_equal(etagset_unmarked(set), MILLION - MILLION / 1000);
	for (unsigned n = 0; n < MILLION; n++) {
		assert_true(find(set, n, &entry));
		assert_int_equal(entry.marked, n % 1000 == 0);
	}
	for (unsigned n = MILLION; n < MILLION + 10000; n++)
		assert_false(find(set, n, &entry));
	static const uint8_t etag[ETAGSET_ETAG_BYTES];
	assert_int_equal(etagset_add(set, name_of(name, 123456), etag, &e), -ERR_CONFLICT);
	etagset_free(set);
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
	struct etagset *set = etagset_new(NULL, 0, 0, &e);
	assert_non_null(set);
	assert_int_equal(names_in(folder), 0);
	etagset_free(set);
	assert_int_equal(names_in(folder), 0);
}

static void test_no_folder(void **state)
{
	(void)state;
	struct err e = {0};
	setenv("TMPDIR", "/tmp/test_etagset.absent/x", 1);
	assert_null(etagset_new(NULL, 0, 0, &e));
	assert_int_equal(e.class, ERR_SYSTEM);
	assert_int_equal(e.sys_errno, ENOENT);
	assert_non_null(strstr(e.message, "/tmp/test_etagset.absent/x"));
	assert_non_null(strstr(e.message, "TMPDIR"));
	/* An empty one is none. */
	setenv("TMPDIR", "", 1);
	struct etagset *set = etagset_new(NULL, 0, 0, &e);
	assert_non_null(set);
	etagset_free(set);
	setenv("TMPDIR", folder, 1);
}

/* Adds until it fails. */
static unsigned add_until_full(struct etagset *set, struct err *e)
{
	uint8_t etag[ETAGSET_ETAG_BYTES];
	uint8_t name[ETAGSET_NAME_BYTES];
	for (unsigned n = 0; n < MILLION; n++) {
		etag_of(etag, n);
		int rc = etagset_add(set, name_of(name, n), etag, e);
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
	struct etagset *set = etagset_new(NULL, 0, 0, &e);
	assert_non_null(set);
	unsigned n = add_until_full(set, &e);
	assert_int_equal(e.class, ERR_SYSTEM);
	assert_int_equal(e.sys_errno, EFBIG);
	assert_non_null(strstr(e.message, folder));
	assert_non_null(strstr(e.message, "TMPDIR"));
	assert_true(n > 1000);
	assert_int_equal(etagset_count(set), n);
	etagset_free(set);
	/* None at all. */
	small.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_null(etagset_new(NULL, 0, 0, &e));
	assert_int_equal(e.sys_errno, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

/* Marks that were set before it grows stay with their items. */
static void test_add_after_marks(void **state)
{
	(void)state;
	struct etagset_entry entry;
	struct err e;
	struct etagset *set = etagset_new(NULL, 0, 0, &e);
	assert_non_null(set);
	for (unsigned n = 0; n < 200000; n++) {
		add(set, n);
		if (n % 4999 != 0)
			continue;
		/* Of the last ones, which may still be in memory, too. */
		for (unsigned k = n > 10 ? n - 10 : 0; k <= n; k += 2) {
			assert_true(find(set, k, &entry));
			assert_int_equal(etagset_mark(set, &entry, &e), 0);
		}
	}
	unsigned marked = 0;
	for (unsigned n = 0; n < 200000; n++) {
		assert_true(find(set, n, &entry));
		assert_int_equal(entry.marked, (n + 10) % 4999 <= 10 && (n + 10) % 4999 % 2 == 0);
		marked += entry.marked;
	}
	assert_int_equal(etagset_unmarked(set), 200000 - marked);
	etagset_free(set);
}

/* The file of `set`: the only one of this process that lies in the folder. */
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

static off_t size_of(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

/* What is expected fits without growing, and the cap is kept. */
static void test_size(void **state)
{
	(void)state;
	struct etagset_entry entry;
	struct err e = {0};
	const unsigned expected = 98304 + 1; /* three quarters of 2^17, and one */
	const off_t bytes = (32 << 18) + (1 << 15);
	struct etagset *set = etagset_new(folder, expected, (uint64_t)bytes, &e);
	assert_non_null(set);
	int fd = file_of();
	assert_int_equal(size_of(fd), bytes);
	unsigned n = 0;
	for (; n < expected; n++)
		add(set, n);
	assert_true(find(set, 5, &entry));
	assert_int_equal(etagset_flush(set, &e), 0);
	assert_int_equal(etagset_flush(set, &e), 0);
	assert_int_equal(file_of(), fd);
	assert_int_equal(size_of(fd), bytes);
	for (; n < 196608; n++)
		add(set, n);
	assert_int_equal(etagset_flush(set, &e), 0);
	add(set, n++);
	assert_int_equal(etagset_flush(set, &e), -ERR_LIMIT);
	assert_non_null(strstr(e.message, "196609"));
	assert_non_null(strstr(e.message, "8421376"));
	etagset_free(set);
	/* More is expected than the cap allows: as much as it allows, since what is expected may be wrong. */
	set = etagset_new(folder, UINT64_MAX, (uint64_t)bytes, &e);
	assert_non_null(set);
	assert_int_equal(size_of(file_of()), bytes);
	etagset_free(set);
}

/* A folder that is given comes before the environment's, of which its errors then say nothing. */
static void test_folder(void **state)
{
	(void)state;
	struct err e = {0};
	setenv("TMPDIR", "/tmp/test_etagset.absent", 1);
	struct etagset *set = etagset_new(folder, 0, 0, &e);
	assert_non_null(set);
	file_of();
	etagset_free(set);
	assert_null(etagset_new("/tmp/test_etagset.absent/x", 0, 0, &e));
	assert_non_null(strstr(e.message, "/tmp/test_etagset.absent/x"));
	assert_null(strstr(e.message, "TMPDIR"));
	setenv("TMPDIR", folder, 1);
}

/* A file that lost its end, or that is full of nonsense, gives errors and no endless search. */
static void test_damaged_file(void **state)
{
	(void)state;
	struct etagset_entry entry;
	struct err e = {0};
	uint8_t name[ETAGSET_NAME_BYTES];
	struct etagset *set = etagset_new(NULL, 0, 0, &e);
	assert_non_null(set);
	int fd = file_of();
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	static char nonsense[1 << 16];
	memset(nonsense, 0xff, sizeof(nonsense));
	for (off_t off = 0; off < st.st_size; off += (off_t)sizeof(nonsense))
		assert_int_equal(pwrite(fd, nonsense, sizeof(nonsense), off), sizeof(nonsense));
	assert_int_equal(etagset_find(set, name_of(name, 1), &entry, &e), -ERR_SYSTEM);
	assert_int_equal(e.sys_errno, EIO);
	assert_int_equal(ftruncate(fd, 0), 0);
	unsigned failures = 0;
	for (unsigned n = 0; n < 100; n++)
		failures += etagset_find(set, name_of(name, n), &entry, &e) < 0;
	assert_true(failures > 90); /* a block may still be in memory */
	etagset_free(set);
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
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_damaged_file),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
