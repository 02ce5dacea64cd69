/*
 * writer_fixture: a writer, and a scripted table for it on 127.0.0.1, on one loop. The table sees to it that no write is
 * in flight twice, and keeps what took effect; a job's number is its id.
 */
#ifndef DDB_TEST_WRITER_FIXTURE_H
#define DDB_TEST_WRITER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <uv.h>

#include "aws/aws.h"
#include "base/config.h"
#include "cli/writer.h"
#include "httpd.h"

#define WRITER_FIXTURE_JOBS 2000
#define WRITER_FIXTURE_HELD 32

struct writer_fixture;

struct writer_fixture_put {
	struct writer_job job;
	struct writer_fixture *f;
	char text[64];
	int calls, rc;
	enum err_class class;
	char message[400];
};

/* A request as the table sees it. */
struct writer_fixture_request {
	struct httpd_conn *conn;
	bool single;
	size_t n, ids[ITEMS_BATCH_MAX];
	bool removes[ITEMS_BATCH_MAX];
	size_t body_len;
};

/* Is called with each request; `number` counts them from 1. */
typedef void writer_fixture_script(struct writer_fixture *f, const struct writer_fixture_request *r, int number);

struct writer_fixture {
	uv_loop_t loop;
	uv_prepare_t prepare;
	int turns;
	struct httpd server;
	char url[40];
	struct config config;
	struct aws aws;
	struct writer *w;
	writer_fixture_script *script;
	const char *error; /* of writer_fixture_fail */
	double units_each; /* told of each write; 0: nothing is told */
	int requests;
	size_t sizes[WRITER_FIXTURE_JOBS]; /* writes of each request */
	struct writer_fixture_request held[WRITER_FIXTURE_HELD];
	size_t nheld;
	struct writer_fixture_put jobs[WRITER_FIXTURE_JOBS];
	int stored[WRITER_FIXTURE_JOBS], in_flight[WRITER_FIXTURE_JOBS];
	size_t njobs, done;
	size_t free_after; /* completions; then the writer is freed in one */
};

/* Answers, from a script or later. */

/* All of it took effect. */
void writer_fixture_answer_ok(struct writer_fixture *f, const struct writer_fixture_request *r);
/* So did all but the last `left` writes of a batch, which come back. */
void writer_fixture_answer_left(struct writer_fixture *f, const struct writer_fixture_request *r, size_t left);
void writer_fixture_answer_error(struct writer_fixture *f, const struct writer_fixture_request *r, int status,
				 const char *type);
/* For an answer that the test makes itself: the request is no longer in flight. */
void writer_fixture_over(struct writer_fixture *f, const struct writer_fixture_request *r);

/* Scripts: all is well (the first one); keep the request for the test; 400 with f->error; one write of each batch. */
writer_fixture_script writer_fixture_ok, writer_fixture_hold, writer_fixture_fail, writer_fixture_one_by_one;

int writer_fixture_setup(void **state);
/* Frees the writer in whatever state it is, and sees to it that no completion follows. */
int writer_fixture_teardown(void **state);
/* Makes f->w. */
void writer_fixture_start(struct writer_fixture *f, double units_per_s);
/* A job of this text; it must live until the end. */
struct writer_fixture_put *writer_fixture_add_text(struct writer_fixture *f, struct span text, bool remove);
/* Jobs of small items. */
void writer_fixture_add(struct writer_fixture *f, size_t n, bool remove);
/* Until no job is pending. */
void writer_fixture_run(struct writer_fixture *f);
void writer_fixture_run_until_held(struct writer_fixture *f, size_t n);
/* That `n` jobs from `from` on were called once, with this outcome, and took effect accordingly. */
void writer_fixture_check(const struct writer_fixture *f, size_t from, size_t n, int rc);

#endif
