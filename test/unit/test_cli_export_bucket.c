/* Exports into a bucket, by the rules of the documents (see export_fixture.h), with a server that has its moods. */
#include "export_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void id_in_bucket(const struct export_fixture *f, char id[64])
{
	const char *at = strstr(f->objects[0].key, "AWSDynamoDB/");
	assert_non_null(at);
	snprintf(id, 64, "%.*s", (int)strcspn(at + 12, "/"), at + 12);
}

static void test_bucket(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/2020-Nov/a/");
	struct export_seen s;
	char id[64];
	export_fixture_must_run(f, &o, 50, 20);
	id_in_bucket(f, id);
	export_fixture_check(f, true, "2020-Nov/a", id, 50, 20, &s);
	assert_int_equal(f->nuploads, 0);
	assert_int_equal(f->nobjects, 7 + s.files);
	/* Who goes by the summary never sees half an export. */
	export_fixture_matches(f->objects[f->nobjects - 1].key, "/manifest-summary.json$");
	assert_string_equal(f->objects[f->nobjects - 1].type, "application/json");
}

static void test_bucket_without_prefix(void **state)
{
	struct export_fixture *f = *state;
	static const char *const to[] = {"s3://out", "s3://out/"};
	for (int i = 0; i < 2; i++) {
		struct export_options o = export_fixture_options(to[i]);
		struct export_seen s;
		struct err e = {0};
		char id[64];
		if (i > 0) {
			assert_int_equal(export_fixture_run(f, &o, 1, 1, &e), -ERR_CONFLICT);
			continue;
		}
		export_fixture_must_run(f, &o, 3, 3);
		id_in_bucket(f, id);
		export_fixture_check(f, true, "", id, 3, 3, &s);
	}
}

static void test_names_for_an_import(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/p/");
	struct err e;
	bool stop = false;
	struct export *x = export_new(&f->aws, &o, &e);
	assert_non_null(x);
	assert_int_equal(export_finish(x, &stop, &e), 0);
	export_fixture_matches(export_manifest(x), "^s3://out/p/AWSDynamoDB/[^/]+/manifest-summary\\.json$");
	export_fixture_matches(export_data(x), "^p/AWSDynamoDB/[^/]+/data/$");
	/* ImportTable takes all that is there for data. */
	size_t matching = 0;
	for (size_t i = 0; i < f->nobjects; i++)
		matching += strncmp(f->objects[i].key, export_data(x), strlen(export_data(x))) == 0;
	assert_int_equal(matching, 1);
	export_free(x);
}

static void test_multipart(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/p");
	struct export_seen s;
	char id[64];
	o.part_bytes = 60000;
	o.file_bytes = 400000;
	export_fixture_must_run(f, &o, 30000, 100);
	id_in_bucket(f, id);
	export_fixture_check(f, true, "p", id, 30000, 100, &s);
	assert_true(s.files > 4);
	assert_true(f->nuploads > 4);
	for (size_t i = 0; i < f->nuploads; i++) {
		const struct export_multipart *u = &f->uploads[i];
		assert_false(u->open);
		for (unsigned p = 0; p + 1 < u->nparts; p++)
			assert_true(u->parts[p].len >= o.part_bytes);
	}
	assert_int_equal(f->aborted, 0);
}

static void survive(void **state, const char *what, enum export_fault fault, unsigned times)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/p");
	struct export_seen s;
	char id[64];
	f->what = what;
	f->fault = fault;
	f->faults = times;
	o.part_bytes = 60000;
	o.file_bytes = 400000;
	export_fixture_must_run(f, &o, 10000, 100);
	assert_int_equal(f->faults, 0);
	id_in_bucket(f, id);
	export_fixture_check(f, true, "p", id, 10000, 100, &s);
	for (size_t i = 0; i < f->nuploads; i++)
		assert_true(!f->uploads[i].open || strcmp(what, "create") == 0);
}

static void test_part_is_tried_again(void **state)
{
	survive(state, "part", EXPORT_INTERNAL, 3);
}

static void test_part_is_throttled(void **state)
{
	survive(state, "part", EXPORT_SLOW_DOWN, 2);
}

static void test_answer_to_part_is_lost(void **state)
{
	survive(state, "part", EXPORT_RESET_AFTER, 2);
}

static void test_create_is_tried_again(void **state)
{
	survive(state, "create", EXPORT_INTERNAL, 2);
}

static void test_put_is_tried_again(void **state)
{
	survive(state, "put", EXPORT_RESET_BEFORE, 3);
}

static void test_complete_is_tried_again(void **state)
{
	survive(state, "complete", EXPORT_INTERNAL, 2);
}

static void test_answer_to_complete_is_lost(void **state)
{
	survive(state, "complete", EXPORT_RESET_AFTER, 2);
}

static void test_etag_is_asked_for(void **state)
{
	((struct export_fixture *)*state)->no_etag = true;
	survive(state, "head", EXPORT_NONE, 0);
}

static void test_write_only_destination(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/p");
	f->what = "head";
	f->fault = EXPORT_DENIED;
	f->faults = 1000;
	export_fixture_must_run(f, &o, 10, 10);
}

/* Fails with `class`, and leaves nothing. */
static void succumb(void **state, const char *what, enum export_fault fault, unsigned times, enum err_class class,
		    const char *pattern)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/p");
	struct err e = {0};
	f->what = what;
	f->fault = fault;
	f->faults = times;
	o.part_bytes = 60000;
	o.file_bytes = 150000;
	assert_int_equal(export_fixture_run(f, &o, 30000, 100, &e), -(int)class);
	export_fixture_matches(e.message, pattern);
	assert_int_equal(f->nobjects, 0);
	for (size_t i = 0; i < f->nuploads; i++)
		assert_false(f->uploads[i].open);
}

static void test_part_is_refused(void **state)
{
	succumb(state, "part", EXPORT_DENIED, 1000, ERR_DENIED, "UploadPart.*bucket out.*no.*needs s3:PutObject");
	assert_true(((struct export_fixture *)*state)->aborted > 0);
}

static void test_create_is_refused(void **state)
{
	succumb(state, "create", EXPORT_DENIED, 1000, ERR_DENIED, "CreateMultipartUpload.*needs s3:PutObject");
}

static void test_put_is_refused(void **state)
{
	succumb(state, "put", EXPORT_DENIED, 1000, ERR_DENIED, "PutObject.*needs s3:PutObject");
	/* Nothing was there to be taken away. */
	assert_int_equal(((struct export_fixture *)*state)->deletes, 0);
}

static void test_complete_did_not_work(void **state)
{
	((struct export_fixture *)*state)->lose_object = true;
	succumb(state, "complete", EXPORT_RESET_AFTER, 1000, ERR_NOT_FOUND, "s3://out/p/.*the upload is gone.*again");
}

static void test_cleaning_up_is_refused(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/p");
	struct export_run r = {0};
	struct err e;
	o.file_bytes = 50000;
	r.x = export_new(&f->aws, &o, &e);
	assert_int_equal(export_fixture_add(f, &r, 40000, 100, &e), 0);
	f->what = "delete";
	f->fault = EXPORT_DENIED;
	f->faults = 1000;
	export_free(r.x);
	/* One refusal is enough, and one each for what was on its way. */
	assert_in_range(f->faults, 999 - 8, 999);
	assert_true(f->nobjects > 20);
}

struct stopping {
	const struct export_fixture *f;
	bool stop;
	int ticks;
};

/* Once a part was swallowed. */
static void on_tick(uv_timer_t *t)
{
	struct stopping *s = t->data;
	s->stop = s->f->faults < 1000 || ++s->ticks > 1000;
}

/* A server that says nothing to parts: an operator who stops it is not kept. */
static void test_cancelled_while_a_server_is_silent(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/p");
	struct export_run r = {0};
	struct err e = {0};
	struct stopping s = {.f = f};
	uv_timer_t timer;
	f->what = "part";
	f->fault = EXPORT_SILENT;
	f->faults = 1000;
	o.part_bytes = 30000;
	r.x = export_new(&f->aws, &o, &e);
	/* So few that all go into the first parts, the pool, and what waits to be compressed. */
	assert_int_equal(export_fixture_add(f, &r, 4200, 100, &e), 0);
	uv_timer_init(&f->loop, &timer);
	timer.data = &s;
	uv_timer_start(&timer, on_tick, 10, 10);
	assert_int_equal(export_finish(r.x, &s.stop, &e), -ERR_CANCELLED);
	uv_close((uv_handle_t *)&timer, NULL);
	export_free(r.x);
	assert_true(f->nuploads > 0);
	assert_int_equal(f->nobjects, 0);
	for (size_t i = 0; i < f->nuploads; i++)
		assert_false(f->uploads[i].open);
}

/* With every buffer on its way, items must wait, and go on when a part is there. */
static void test_slow_server_holds_items_back(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/p");
	struct export_run r = {0};
	struct err e = {0};
	bool stop = false;
	o.part_bytes = 30000;
	f->what = "part";
	f->fault = EXPORT_SLOW_DOWN;
	f->faults = 4;
	r.x = export_new(&f->aws, &o, &e);
	assert_int_equal(export_fixture_add(f, &r, 20000, 100, &e), 0);
	assert_true(r.waits > 0);
	assert_int_equal(export_finish(r.x, &stop, &e), 0);
	export_free(r.x);
}

static void test_replicator_object(void **state)
{
	struct export_fixture *f = *state;
	struct export_options o = export_fixture_options("s3://out/snapshots/primary");
	o.format = EXPORT_REPLICATOR;
	o.part_bytes = 100000;
	export_fixture_must_run(f, &o, 5000, 100);
	assert_int_equal(f->nobjects, 1);
	assert_string_equal(f->objects[0].key, "snapshots/primary");
	assert_true(f->objects[0].parts > 3);
	export_fixture_check_replicator(&f->objects[0].bytes, 5000, 100);
	struct err e = {0};
	assert_int_equal(export_fixture_run(f, &o, 1, 1, &e), -ERR_CONFLICT);
	export_fixture_matches(e.message, "^s3://out/snapshots/primary exists");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, export_fixture_setup, export_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bucket),
		TEST(test_bucket_without_prefix),
		TEST(test_names_for_an_import),
		TEST(test_multipart),
		TEST(test_part_is_tried_again),
		TEST(test_part_is_throttled),
		TEST(test_answer_to_part_is_lost),
		TEST(test_create_is_tried_again),
		TEST(test_put_is_tried_again),
		TEST(test_complete_is_tried_again),
		TEST(test_answer_to_complete_is_lost),
		TEST(test_etag_is_asked_for),
		TEST(test_write_only_destination),
		TEST(test_part_is_refused),
		TEST(test_create_is_refused),
		TEST(test_put_is_refused),
		TEST(test_complete_did_not_work),
		TEST(test_cleaning_up_is_refused),
		TEST(test_cancelled_while_a_server_is_silent),
		TEST(test_slow_server_holds_items_back),
		TEST(test_replicator_object),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
