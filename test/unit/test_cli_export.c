/* Exports into a folder, by the rules of the documents (see export_fixture.h); and what is left of one that fails. */
#include "export_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- a folder --- */

static void test_folder(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct export_seen s;
	char id[64];
	export_fixture_must_run(f, &o, 50, 20);
	export_fixture_id(f, id);
	export_fixture_check(f, false, "", id, 50, 20, &s);
	/* Several files, for an import reads them side by side. */
	assert_in_range(s.files, 2, 4);
	/* AWSDynamoDB, id, data, _started, two manifests with two checksums each: nothing else. */
	assert_int_equal(export_fixture_files(f->root), 3 + 1 + 6 + s.files);
}

static void test_folder_is_made(void **state)
{
	struct export_fixture *f = *state;
	char to[128];
	snprintf(to, sizeof(to), "%s/a/b/", f->root);
	struct export_options o = export_fixture_options(to);
	struct err e;
	struct export *x = export_new(&f->aws, &o, &e);
	bool stop = false;
	assert_non_null(x);
	assert_int_equal(export_finish(x, &stop, &e), 0);
	export_fixture_matches(export_manifest(x), "^/tmp/.*/a/b/AWSDynamoDB/[^/]+/manifest-summary\\.json$");
	export_fixture_matches(export_data(x), "^/tmp/.*/a/b/AWSDynamoDB/[^/]+/data/$");
	assert_int_equal(access(export_manifest(x), F_OK), 0);
	export_free(x);
}

static void test_unknown_table(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct buf text;
	char id[64], name[128];
	o.table_arn = "";
	o.table_id = NULL;
	export_fixture_must_run(f, &o, 1, 1);
	export_fixture_id(f, id);
	snprintf(name, sizeof(name), "AWSDynamoDB/%s/manifest-summary.json", id);
	export_fixture_read(f, false, name, &text);
	json_t *summary = export_fixture_parse(buf_str(&text), text.len);
	assert_true(json_is_null(json_object_get(summary, "tableArn")));
	assert_true(json_is_null(json_object_get(summary, "tableId")));
	assert_true(json_is_null(json_object_get(summary, "exportArn")));
	json_decref(summary);
	buf_fini(&text);
}

static void test_empty_table(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct export_seen s;
	char id[64];
	export_fixture_must_run(f, &o, 0, 0);
	export_fixture_id(f, id);
	export_fixture_check(f, false, "", id, 0, 0, &s);
	assert_int_equal(s.files, 1);
}

static void test_many_files_shuffled(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct export_seen s;
	char id[64];
	o.file_bytes = 200000;
	export_fixture_must_run(f, &o, 30000, 100);
	export_fixture_id(f, id);
	export_fixture_check(f, false, "", id, 30000, 100, &s);
	assert_in_range(s.files, 10, 40);
	/* 30,000 of them were, had nothing been shuffled; 300 if the order were that of the keys within each of the 4. */
	assert_true(s.side_by_side < 100);
}

/* Not one is closed before its time. */
static void test_no_file_too_many(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct export_seen s;
	char id[64];
	export_fixture_must_run(f, &o, 10000, 100);
	export_fixture_id(f, id);
	export_fixture_check(f, false, "", id, 10000, 100, &s);
	assert_int_equal(s.files, 4);
}

static void test_large_items(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct export_seen s;
	char id[64];
	export_fixture_must_run(f, &o, 40, 300000);
	export_fixture_id(f, id);
	export_fixture_check(f, false, "", id, 40, 300000, &s);
}

/* The bytes of all data files, in the order of the manifest. */
static void all_data(struct export_fixture *f, struct buf *out)
{
	struct buf manifest, one;
	char id[64], name[128];
	export_fixture_id(f, id);
	snprintf(name, sizeof(name), "AWSDynamoDB/%s/manifest-files.json", id);
	export_fixture_read(f, false, name, &manifest);
	buf_init(out, EXPORT_FIXTURE_MAX);
	for (const char *at = buf_str(&manifest), *end; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		json_t *o = export_fixture_parse(at, (size_t)(end - at));
		export_fixture_read(f, false, export_fixture_text(o, "dataFileS3Key"), &one);
		assert_int_equal(buf_append(out, buf_str(&one), one.len), 0);
		buf_fini(&one);
		json_decref(o);
	}
	assert_int_equal(buf_append(out, buf_str(&manifest), manifest.len), 0);
	buf_fini(&manifest);
}

static void test_seed_decides(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct buf data[3];
	o.file_bytes = 100000;
	for (int i = 0; i < 3; i++) {
		o.seed = i < 2 ? 7 : 8;
		export_fixture_must_run(f, &o, 6000, 100);
		all_data(f, &data[i]);
		export_fixture_empty(f);
	}
	assert_int_equal(data[0].len, data[1].len);
	assert_memory_equal(buf_str(&data[0]), buf_str(&data[1]), data[0].len);
	assert_true(data[0].len != data[2].len || memcmp(buf_str(&data[0]), buf_str(&data[2]), data[0].len) != 0);
	for (int i = 0; i < 3; i++)
		buf_fini(&data[i]);
}

static void test_destination_is_shared(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct err e = {0};
	export_fixture_must_run(f, &o, 10, 10);
	unsigned before = export_fixture_files(f->root);
	/* The same again is refused, and touches nothing. */
	assert_int_equal(export_fixture_run(f, &o, 10, 10, &e), -ERR_CONFLICT);
	export_fixture_matches(e.message, "manifest-summary.json exists.*remove it");
	assert_int_equal(export_fixture_files(f->root), before);
	o.start_ms++;
	export_fixture_must_run(f, &o, 10, 10);
	assert_true(export_fixture_files(f->root) > before + 8);
}

static void test_killed_run_is_in_the_way(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct err e = {0};
	char id[64], path[256];
	export_fixture_must_run(f, &o, 10, 10);
	export_fixture_id(f, id);
	snprintf(path, sizeof(path), "%s/AWSDynamoDB/%s/manifest-summary.json", f->root, id);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(export_fixture_run(f, &o, 10, 10, &e), -ERR_CONFLICT);
	export_fixture_matches(e.message, "_started exists");
}

static void test_bad_destinations(void **state)
{
	struct export_fixture *f = *state;
	static const char *const bad[] = {"", "\xff", "s3://", "s3://no bucket"};
	struct err e = {0};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct export_options o = export_fixture_options(bad[i]);
		assert_int_equal(export_fixture_run(f, &o, 1, 1, &e), -ERR_INVALID);
	}
	char file[128];
	snprintf(file, sizeof(file), "%s/file", f->root);
	fclose(fopen(file, "we"));
	struct export_options o = export_fixture_options(file);
	assert_int_equal(export_fixture_run(f, &o, 1, 1, &e), -ERR_SYSTEM);
	export_fixture_matches(e.message, "file.*Not a directory");
	assert_int_equal(export_fixture_files(f->root), 1);
}

static void test_cancelled(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct export_run r = {0};
	struct err e = {0};
	bool stop = true;
	o.file_bytes = 50000;
	r.x = export_new(&f->aws, &o, &e);
	assert_non_null(r.x);
	assert_int_equal(export_fixture_add(f, &r, 10000, 100, &e), 0);
	assert_true(export_fixture_files(f->root) > 4);
	assert_int_equal(export_finish(r.x, &stop, &e), -ERR_CANCELLED);
	export_free(r.x);
	assert_int_equal(export_fixture_files(f->root), 0);
}

static void test_given_up_before_the_end(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct export_run r = {0};
	struct err e;
	r.x = export_new(&f->aws, &o, &e);
	assert_int_equal(export_fixture_add(f, &r, 10000, 100, &e), 0);
	export_free(r.x);
	assert_int_equal(export_fixture_files(f->root), 0);
}

static void test_full_disk(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options(f->root);
	struct rlimit old, small;
	struct err e = {0};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){100000, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = export_fixture_run(f, &o, 20000, 100, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, -ERR_SYSTEM);
	export_fixture_matches(e.message, "\\.json\\.gz\\.part: .*; make room, or choose another folder");
	assert_int_equal(export_fixture_files(f->root), 0);
}

/* --- the one file of incremental-snapshot --- */

static void test_replicator_file(void **state)
{
	struct export_fixture *f = *state;
	char to[128];
	struct buf stored;
	struct err e = {0};
	snprintf(to, sizeof(to), "%s/snap/primary", f->root);
	struct export_options o = export_fixture_options(to);
	o.format = EXPORT_REPLICATOR;
	export_fixture_must_run(f, &o, 5000, 50);
	export_fixture_read(f, false, "snap/primary", &stored);
	export_fixture_check_replicator(&stored, 5000, 50);
	assert_int_equal(export_fixture_files(f->root), 2);
	assert_int_equal(export_fixture_run(f, &o, 1, 1, &e), -ERR_CONFLICT);
	export_fixture_matches(e.message, "snap/primary exists");
	struct buf again;
	export_fixture_read(f, false, "snap/primary", &again);
	assert_int_equal(again.len, stored.len);
	buf_fini(&again);
	buf_fini(&stored);
	o.to = f->root;
	assert_int_equal(export_fixture_run(f, &o, 1, 1, &e), -ERR_INVALID);
	o.to = "s3://out/snap/";
	assert_int_equal(export_fixture_run(f, &o, 1, 1, &e), -ERR_INVALID);
}

static void test_replicator_given_up(void **state)
{
	struct export_fixture *f = *state;
	char to[128];
	struct export_run r = {0};
	struct err e;
	snprintf(to, sizeof(to), "%s/primary", f->root);
	struct export_options o = export_fixture_options(to);
	o.format = EXPORT_REPLICATOR;
	r.x = export_new(&f->aws, &o, &e);
	assert_int_equal(export_fixture_add(f, &r, 5000, 50, &e), 0);
	export_free(r.x);
	assert_int_equal(export_fixture_files(f->root), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, export_fixture_setup, export_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_folder),
		TEST(test_folder_is_made),
		TEST(test_unknown_table),
		TEST(test_empty_table),
		TEST(test_many_files_shuffled),
		TEST(test_no_file_too_many),
		TEST(test_large_items),
		TEST(test_seed_decides),
		TEST(test_destination_is_shared),
		TEST(test_killed_run_is_in_the_way),
		TEST(test_bad_destinations),
		TEST(test_cancelled),
		TEST(test_given_up_before_the_end),
		TEST(test_full_disk),
		TEST(test_replicator_file),
		TEST(test_replicator_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
