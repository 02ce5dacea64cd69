/*
 * export_place: where the files of an export go: a bucket (export_bucket.c) or a folder (export_folder.c). A file is
 * there under its name when it is whole, and never before. Names are relative to the place's root, with slashes.
 */
#ifndef DDB_CLI_EXPORT_PLACE_H
#define DDB_CLI_EXPORT_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "aws/aws.h"
#include "aws/s3_upload.h"
#include "base/err.h"
#include "base/span.h"

#define EXPORT_LANES 4 /* files that are filled at a time */
#define EXPORT_GZIP_TYPE "application/octet-stream"

struct export_place;

/* A file that is being stored. */
struct export_file {
	struct export_place *place;
	char *name;
	char etag[S3_ETAG_SIZE];			/* once it is whole, as the server told; "" in a folder */
	void (*done)(struct export_file *f, void *arg); /* it is whole; `f` is gone after the call */
	void *arg;
};

/* A file of `bytes`, by its whole name; `etag` is "" in a folder. 0 or a negative error, which ends it. */
typedef int export_place_found(void *arg, const char *name, uint64_t bytes, const char *etag, struct err *e);

struct export_place_ops {
	int (*exists)(struct export_place *p, const char *name, bool *exists, const bool *stop, struct err *e);
	/* With the folders above it. Those that are there are none of its business. */
	int (*make_folder)(struct export_place *p, const char *name, struct err *e);
	/* A small file at once. */
	int (*put)(struct export_place *p, const char *name, const char *type, struct span body, const bool *stop,
		   struct err *e);
	/* 1: not now, come again at the next wake. */
	int (*begin)(struct export_place *p, const char *name, const char *type, struct export_file **out,
		     struct err *e);
	/* Can it take a write? Otherwise come again at the next wake. */
	bool (*ready)(struct export_file *f);
	/* After `ready`. The bytes are copied. What fails ends up in p->rc. */
	void (*write)(struct export_file *f, struct span bytes);
	/* That was all; f->done is called later. Of EXPORT_LANES files no more than this many may be ended and not done. */
	void (*end)(struct export_file *f);
	/* Gives up what is not whole; f->done is not called any more. Runs the loop. */
	void (*halt)(struct export_place *p);
	/*
	 * A file, or an empty folder; one that is not there is no error. With `stop` NULL it is to tidy up after `halt`: in a
	 * bucket the two have 10 s.
	 */
	int (*remove)(struct export_place *p, const char *name, const bool *stop, struct err *e);
	/* The files right in a folder, whose name ends in a slash. A folder that is not there has none. */
	int (*survey)(struct export_place *p, const char *folder, export_place_found *found, void *arg,
		      const bool *stop, struct err *e);
	/* Uploads that are begun and not whole. */
	void (*uploads)(struct export_place *p, void (*each)(void *arg, const char *name, const char *upload_id),
			void *arg);
	/* Ends an upload of another run; one that is not there any more is no error. */
	int (*abort)(struct export_place *p, const char *name, const char *upload_id, const bool *stop, struct err *e);
	void (*free)(struct export_place *p); /* after `halt`; runs the loop */
};

struct export_place {
	const struct export_place_ops *ops;
	const char *root;	     /* for messages: "s3://BUCKET/PREFIX/", "FOLDER/" */
	const char *bucket, *prefix; /* for manifests; NULL in a folder, and without a prefix */
	char sse[8];		     /* "AES256" or "KMS" once something was stored; "": not told */
	char sse_key[256];
	/* Something has become ready or whole, or has failed. May be called from any call above but exists and put. */
	void (*wake)(void *arg);
	void (*begun)(void *arg); /* an upload has an id, and no parts yet */
	void *arg;
	int rc; /* of what failed for good */
	struct err err;
};

/* `part_bytes` 0: S3_PART_BYTES_MIN. `prefix` without a slash at the end, "" for none. NULL on failure. */
struct export_place *export_bucket_new(struct aws *a, const char *bucket, const char *prefix, size_t part_bytes,
				       struct err *e);
/* The folder `path`, which need not be there yet. NULL on failure. */
struct export_place *export_folder_new(uv_loop_t *loop, const char *path, struct err *e);

/* Notes the first failure, and wakes. */
void export_place_fail(struct export_place *p, int rc, const struct err *e);

#endif
