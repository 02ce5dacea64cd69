/* The checkpoint file: what was saved is loaded, what is damaged or foreign is refused, and no failure harms the old file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "checkpoint.h"
#include "codec/digest.h"
#include "codec/encode.h"

#define T0 INT64_C(1795435320195)
#define TEXT_MAX ((size_t)1 << 20)

static char dir[64], path[128];

static struct position_shard shard = {.id = "shardId-1", .seq = "123", .complete_ms = T0};
static struct position_stream stream = {.arn = "arn", .label = "label", .shards = &shard, .nshards = 1};
static struct position position = {
	.table = "orders",
	.bucket = "backup",
	.data_path = "p/orders/",
	.instance = "i",
	.since_ms = T0,
	.saved_ms = T0,
	.complete_through_ms = T0,
	.streams = &stream,
	.nstreams = 1,
};

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_checkpoint.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/orders.checkpoint", dir);
	return 0;
}

static int tear_down(void **state)
{
	char tmp[160];

	(void)state;
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	chmod(dir, 0700);
	rmdir(tmp);
	unlink(tmp);
	unlink(path);
	rmdir(path);
	return rmdir(dir);
}

static void encode(struct buf *out, int64_t horizon_ms, bool clean)
{
	const struct checkpoint c = {.position = &position, .horizon_ms = horizon_ms, .clean = clean};
	struct err e;

	buf_init(out, TEXT_MAX);
	assert_int_equal(checkpoint_encode(&c, out, &e), 0);
}

/* Puts bytes there without the code under test. */
static void put_file(const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void assert_file_is(const char *text, size_t len)
{
	char *got = malloc(len + 2);
	FILE *f = fopen(path, "r");

	assert_non_null(got);
	assert_non_null(f);
	assert_int_equal(fread(got, 1, len + 1, f), len);
	assert_memory_equal(got, text, len);
	fclose(f);
	free(got);
}

static int load(struct checkpoint *c, struct err *e)
{
	*e = (struct err){0};
	return checkpoint_load(path, "orders", "backup", "p/orders/", c, e);
}

/* Refused, with the file's name and something to do; and the file is as it was. */
static void assert_refused(const char *text, size_t len)
{
	struct checkpoint c = {.horizon_ms = 77};
	struct err e;

	put_file(text, len);
	assert_int_equal(load(&c, &e), -ERR_CORRUPT);
	assert_int_equal(e.class, ERR_CORRUPT);
	assert_non_null(strstr(e.message, path));
	assert_null(c.position);
	assert_int_equal(c.horizon_ms, 77);
	assert_file_is(text, len);
}

static void test_round_trip(void **state)
{
	struct checkpoint c;
	struct buf text;
	struct err e;

	(void)state;
	for (int clean = 0; clean < 2; clean++) {
		encode(&text, T0 + 60000 + clean, clean != 0);
		assert_int_equal(checkpoint_write(path, text.data, text.len, &e), 0);
		assert_int_equal(load(&c, &e), 0);
		assert_true(c.horizon_ms == T0 + 60000 + clean);
		assert_int_equal(c.clean, clean);
		assert_string_equal(c.position->table, "orders");
		assert_int_equal(c.position->nstreams, 1);
		assert_string_equal(c.position->streams[0].shards[0].seq, "123");
		position_free(c.position);
		buf_fini(&text);
	}
}

static void test_the_file_is_ours_alone(void **state)
{
	struct buf text;
	struct stat st;
	struct err e;

	(void)state;
	encode(&text, T0, false);
	assert_int_equal(checkpoint_write(path, text.data, text.len, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	buf_fini(&text);
}

static void test_no_file_is_a_beginning(void **state)
{
	struct checkpoint c;
	struct err e;

	(void)state;
	assert_int_equal(load(&c, &e), -ERR_NOT_FOUND);
}

static void test_every_flipped_byte_is_found(void **state)
{
	struct buf text;

	(void)state;
	encode(&text, T0, true);
	for (size_t i = 0; i < text.len; i++) {
		for (int bit = 0; bit < 8; bit += 3) {
			text.data[i] = (char)(text.data[i] ^ 1 << bit);
			assert_refused(text.data, text.len);
			text.data[i] = (char)(text.data[i] ^ 1 << bit);
		}
	}
	buf_fini(&text);
}

static void test_every_truncation_is_found(void **state)
{
	struct buf text;

	(void)state;
	encode(&text, T0, true);
	for (size_t len = 0; len < text.len; len++)
		assert_refused(text.data, len); /* 0: the empty file that a power cut can leave */
	buf_append_char(&text, '\n');
	assert_refused(text.data, text.len);
	buf_fini(&text);
}

/* A file with this text in it and a checksum that fits. */
static void frame(struct buf *out, const char *header, const char *json)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	char hex[2 * DIGEST_SHA256_SIZE];

	buf_init(out, TEXT_MAX);
	buf_printf(out, "%s\n%s\n", header, json);
	digest_sha256(digest, out->data, out->len);
	encode_hex(hex, digest, sizeof(digest));
	assert_int_equal(buf_printf(out, "sha256 %.*s\n", (int)sizeof(hex), hex), 0);
}

static void test_a_right_checksum_does_not_make_it_right(void **state)
{
	static const char *const bodies[] = {
		"",
		"{}",
		"[]",
		"null",
		"{\"horizon\":\"\",\"clean\":true,\"position\":{}}",
		"{\"horizon\":\"2026-11-23T12:00:00.000Z\",\"clean\":true}",
		"{\"horizon\":\"2026-11-23T12:00:00.000Z\",\"clean\":true,\"position\":{\"version\":2}}",
	};
	struct buf text;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		frame(&text, "ddb-streamd checkpoint 1", bodies[i]);
		assert_refused(text.data, text.len);
		buf_fini(&text);
	}
}

static void test_a_newer_version_is_not_guessed_at(void **state)
{
	static const char *const headers[] = {"ddb-streamd checkpoint 2", "ddb-streamd checkpoint 10",
					      "ddb-streamd checkpoint 1 ", "ddb-streamd checkpoint"};
	struct checkpoint c;
	struct buf text;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		frame(&text, headers[i], "{}");
		assert_refused(text.data, text.len);
		buf_fini(&text);
	}
	frame(&text, headers[0], "{}");
	put_file(text.data, text.len);
	assert_int_equal(load(&c, &e), -ERR_CORRUPT);
	assert_non_null(strstr(e.message, "newer"));
	buf_fini(&text);
}

static void test_a_file_of_another_is_refused(void **state)
{
	static const char *const names[][3] = {{"other", "backup", "p/orders/"},
					       {"orders", "other", "p/orders/"},
					       {"orders", "backup", "q/orders/"}};
	struct checkpoint c;
	struct buf text;
	struct err e;

	(void)state;
	encode(&text, T0, true);
	put_file(text.data, text.len);
	for (size_t i = 0; i < 3; i++) {
		c = (struct checkpoint){0};
		assert_int_equal(checkpoint_load(path, names[i][0], names[i][1], names[i][2], &c, &e), -ERR_CORRUPT);
		assert_null(c.position);
		assert_non_null(strstr(e.message, path));
		assert_file_is(text.data, text.len);
	}
	buf_fini(&text);
}

static void test_a_folder_or_a_closed_file_is_an_error_not_a_beginning(void **state)
{
	struct checkpoint c;
	struct err e;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(load(&c, &e), -ERR_SYSTEM);
	assert_int_equal(e.class, ERR_SYSTEM);
	assert_int_equal(e.sys_errno, EISDIR);
	assert_int_equal(rmdir(path), 0);
	/* Its own name in a loop: nobody can open it, root included. */
	assert_int_equal(symlink("orders.checkpoint", path), 0);
	assert_int_equal(load(&c, &e), -ERR_SYSTEM);
	assert_int_equal(e.sys_errno, ELOOP);
}

/* Any time that the daemon may have to keep must come back, or the next start refuses its own file. */
static void test_every_horizon_can_be_read_again(void **state)
{
	static const int64_t horizons[] = {0, T0, INT64_C(253402300799999)};
	struct checkpoint c;
	struct buf text;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(horizons) / sizeof(horizons[0]); i++) {
		encode(&text, horizons[i], false);
		put_file(text.data, text.len);
		assert_int_equal(load(&c, &e), 0);
		assert_true(c.horizon_ms == horizons[i]);
		position_free(c.position);
		buf_fini(&text);
	}
}

static void save_old(struct buf *old)
{
	struct err e;

	encode(old, T0, false);
	assert_int_equal(checkpoint_write(path, old->data, old->len, &e), 0);
}

/* A failed save: an error with a name in it, the old file whole, and no half one beside it. */
static void assert_save_fails(const struct buf *old, const char *text, size_t len, int want_errno)
{
	struct checkpoint c;
	struct err e = {0};

	assert_int_equal(checkpoint_write(path, text, len, &e), -ERR_SYSTEM);
	assert_int_equal(e.sys_errno, want_errno);
	assert_non_null(strstr(e.message, path));
	assert_file_is(old->data, old->len);
	assert_int_equal(load(&c, &e), 0);
	position_free(c.position);
}

static void test_a_disk_that_is_full_leaves_the_old_file(void **state)
{
	struct rlimit before, small = {.rlim_cur = 10};
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old_action;
	struct buf old, next;
	struct err e;
	char tmp[160];

	(void)state;
	save_old(&old);
	encode(&next, T0 + 1, true);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	sigaction(SIGXFSZ, &ignore, &old_action);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = checkpoint_write(path, next.data, next.len, &e);
	setrlimit(RLIMIT_FSIZE, &before); /* first: a failed assertion writes, too */
	sigaction(SIGXFSZ, &old_action, NULL);
	assert_int_equal(rc, -ERR_SYSTEM);
	assert_int_equal(e.sys_errno, EFBIG);
	assert_file_is(old.data, old.len);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	assert_int_equal(access(tmp, F_OK), -1);
	/* And when there is room again it works as if nothing had been. */
	assert_int_equal(checkpoint_write(path, next.data, next.len, &e), 0);
	assert_file_is(next.data, next.len);
	buf_fini(&old);
	buf_fini(&next);
}

static void test_a_name_that_is_taken_leaves_the_old_file(void **state)
{
	struct buf old;
	char tmp[160];

	(void)state;
	save_old(&old);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	assert_int_equal(mkdir(tmp, 0700), 0);
	assert_save_fails(&old, "x", 1, EISDIR);
	buf_fini(&old);
}

static void test_a_rename_that_fails_leaves_what_was_there(void **state)
{
	struct stat st;
	struct err e;
	char tmp[160];

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(checkpoint_write(path, "x", 1, &e), -ERR_SYSTEM);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	assert_int_equal(access(tmp, F_OK), -1);
}

static void test_what_a_crash_left_beside_it_does_not_matter(void **state)
{
	struct checkpoint c;
	struct buf old;
	struct err e;
	char tmp[160];

	(void)state;
	save_old(&old);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	FILE *f = fopen(tmp, "w");
	assert_non_null(f);
	for (int i = 0; i < 100000; i++)
		fputs("half of a longer file", f);
	fclose(f);
	assert_int_equal(load(&c, &e), 0);
	position_free(c.position);
	assert_int_equal(checkpoint_write(path, old.data, old.len, &e), 0);
	assert_file_is(old.data, old.len);
	buf_fini(&old);
}

struct told {
	int calls, rc;
};

static void on_saved(struct checkpoint_saver *s, int rc, void *arg)
{
	struct told *t = arg;

	assert_false(s->busy);
	t->calls++;
	t->rc = rc;
}

static void test_the_saver(void **state)
{
	struct checkpoint c = {.position = &position, .horizon_ms = T0, .clean = true};
	struct checkpoint_saver s;
	struct told told = {0};
	uv_loop_t loop;
	struct err e;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(checkpoint_saver_init(&s, path, on_saved, &told, &e), 0);
	assert_int_equal(checkpoint_saver_start(&s, &loop, &c, &e), 0);
	assert_true(s.busy);
	assert_int_equal(told.calls, 0); /* never from within */
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.rc, 0);
	assert_int_equal(load(&c, &e), 0);
	position_free(c.position);

	/* A save that fails is told too, with why. */
	char tmp[160];
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	assert_int_equal(mkdir(tmp, 0700), 0);
	c.position = &position;
	assert_int_equal(checkpoint_saver_start(&s, &loop, &c, &e), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(told.calls, 2);
	assert_int_equal(told.rc, -ERR_SYSTEM);
	assert_int_equal(s.err.sys_errno, EISDIR);
	checkpoint_saver_fini(&s);
	assert_int_equal(uv_loop_close(&loop), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_the_file_is_ours_alone),
		TEST(test_no_file_is_a_beginning),
		TEST(test_every_flipped_byte_is_found),
		TEST(test_every_truncation_is_found),
		TEST(test_a_right_checksum_does_not_make_it_right),
		TEST(test_a_newer_version_is_not_guessed_at),
		TEST(test_a_file_of_another_is_refused),
		TEST(test_a_folder_or_a_closed_file_is_an_error_not_a_beginning),
		TEST(test_every_horizon_can_be_read_again),
		TEST(test_a_disk_that_is_full_leaves_the_old_file),
		TEST(test_a_name_that_is_taken_leaves_the_old_file),
		TEST(test_a_rename_that_fails_leaves_what_was_there),
		TEST(test_what_a_crash_left_beside_it_does_not_matter),
		TEST(test_the_saver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
