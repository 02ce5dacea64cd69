/*
 * export_fixture: runs exports into a folder, or into the bucket "out" of a scripted server (export_server.c), and checks
 * what came of it by every rule of the documents: Amazon DynamoDB Developer Guide, "DynamoDB table export output format"
 * and "Amazon S3 import formats for DynamoDB".
 */
#ifndef DDB_TEST_EXPORT_FIXTURE_H
#define DDB_TEST_EXPORT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "base/buf.h"
#include "cli/export.h"
#include "httpd.h"

#define START_MS 1693685827463 /* 2023-09-02T20:17:07.463Z */
#define AT_MS 1693685000000
#define ARN "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog"
#define TABLE_ID "12345a12-abcd-123a-ab12-1234abc12345"
#define EXPORT_FIXTURE_MAX ((size_t)1 << 28)
#define EXPORT_FIXTURE_KEYS 256

struct export_object {
	char key[256];
	char type[64];
	struct buf bytes;
	unsigned parts; /* 0: by PutObject */
};

struct export_multipart {
	bool open;
	char key[256];
	char type[64];
	struct buf parts[64];
	unsigned nparts;
};

enum export_fault {
	EXPORT_NONE,
	EXPORT_SLOW_DOWN,
	EXPORT_INTERNAL,
	EXPORT_DENIED,
	EXPORT_SILENT,
	EXPORT_RESET_BEFORE,
	EXPORT_RESET_AFTER
};

struct export_fixture {
	uv_loop_t loop;
	struct aws aws;
	struct config config;
	struct httpd server;
	char url[64];
	char root[64]; /* a folder */
	struct export_object objects[EXPORT_FIXTURE_KEYS];
	size_t nobjects;
	struct export_multipart uploads[EXPORT_FIXTURE_KEYS];
	size_t nuploads;
	size_t aborted, deletes;
	/* The first `faults` requests that are `what` end so. */
	const char *what;
	enum export_fault fault;
	unsigned faults;
	bool lose_object; /* EXPORT_RESET_AFTER of a completion that did not work after all */
	bool no_etag;	  /* in the answer to a completion, as Ceph's gateway */
};

struct export_run {
	struct export *x;
	bool ready;
	unsigned waits;
};

struct export_seen {
	unsigned n;
	unsigned *times;
	unsigned side_by_side; /* items whose neighbour in the file is their neighbour by key */
	unsigned files;
	size_t noise;
};

/* --- the server: export_server.c --- */

struct export_object *export_server_object(struct export_fixture *f, const char *key); /* NULL: not there */
void export_server_etag(char out[64], const struct export_object *o);
void export_server_answer(struct httpd_conn *c, const struct httpd_request *r, void *arg);

/* --- running one --- */

int export_fixture_setup(void **state);
int export_fixture_teardown(void **state);
struct export_options export_fixture_options(const char *to);
/* The i-th item, with noise in it that gzip cannot make smaller than `noise` bytes. */
void export_fixture_item(struct buf *out, unsigned i, size_t noise);
/* Adds items [0, n). */
int export_fixture_add(struct export_fixture *f, struct export_run *r, unsigned n, size_t noise, struct err *e);
int export_fixture_run(struct export_fixture *f, const struct export_options *o, unsigned n, size_t noise,
		       struct err *e);
void export_fixture_must_run(struct export_fixture *f, const struct export_options *o, unsigned n, size_t noise);

/* --- reading one --- */

/* A file of the folder, or an object of the bucket; `out` is set up. */
void export_fixture_read(struct export_fixture *f, bool bucket, const char *name, struct buf *out);
void export_fixture_gunzip(const struct buf *in, struct buf *out);
void export_fixture_matches(const char *text, const char *pattern);
json_t *export_fixture_parse(const char *text, size_t len);
const char *export_fixture_text(json_t *o, const char *name);
/* Every rule of the documents on the whole export, with items [0, n). */
void export_fixture_check(struct export_fixture *f, bool bucket, const char *prefix, const char *id, unsigned n,
			  size_t noise, struct export_seen *s);
/* What incremental-snapshot writes: gzip of the items [0, n), one a line, in order. */
void export_fixture_check_replicator(const struct buf *stored, unsigned n, size_t noise);
/* Of the only export in the folder. */
void export_fixture_id(struct export_fixture *f, char id[64]);
/* Files and folders below. */
unsigned export_fixture_files(const char *path);
void export_fixture_empty(struct export_fixture *f);

#endif
