/*
 * export: files of items in DynamoDB's own export format (Amazon DynamoDB Developer Guide, "DynamoDB table export output
 * format"), so that ImportTable, Athena, Glue and EMR read them; or the one file that dynamodb-replicator's
 * incremental-snapshot writes. Into a bucket by multipart upload, without temporary files, or into a folder.
 *
 * AWSDynamoDB/<export id>/ below the destination then has what DynamoDB puts there: _started, data/<name>.json.gz, both
 * manifests, and their MD5s twice: as .checksum, which the guide says, and as .md5, which DynamoDB writes. Items come in
 * random order, in several files at a time. Several exports may share a destination. In a folder, keys in the manifests
 * begin below the folder, as if it were the bucket, and an ETag is what S3 gives for the file put as a whole.
 * incremental-snapshot's file is gzip of one item a line (plain, without "Item"), in the order in which they come.
 *
 * Nothing is complete before export_finish has written the manifests, the summary last: a reader that goes by it never
 * sees half an export. What is not finished is taken away again: uploads are aborted, files removed.
 *
 * Memory: 35 MiB at most, whatever the number of items, and 136 bytes a file.
 */
#ifndef DDB_CLI_EXPORT_H
#define DDB_CLI_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws.h"
#include "base/err.h"
#include "base/span.h"

enum export_format { EXPORT_DYNAMODB_JSON, EXPORT_REPLICATOR };

/*
 * Of a data file, stored. Doubled for each thousand files, up to 4 GiB: an import takes no more than 5,000 objects
 * (Developer Guide, "Import format quotas and validation").
 */
#define EXPORT_FILE_BYTES ((uint64_t)64 << 20)
#define EXPORT_SMALL_FILES 7 /* beside the data files */

struct export_options {
	/*
	 * s3://BUCKET/PREFIX/ or a folder, which is made when it is not there. With EXPORT_REPLICATOR the file itself,
	 * s3://BUCKET/KEY or a path: what incremental-snapshot takes.
	 */
	const char *to;
	enum export_format format;
	/* For the manifests. */
	const char *table_name;
	const char *table_arn; /* NULL or "" when it is not known */
	const char *table_id;  /* the same */
	int64_t at_ms;	       /* the state's time: exportTime */
	int64_t start_ms;      /* when the export began */
	uint64_t seed;	       /* of shuffling: the same seed, times and items give the same files */
	const bool *stop;      /* turning true cancels export_new; may be NULL */
	/* 0: what is sensible. For tests. */
	uint64_t file_bytes; /* at which a data file is closed (64 MiB, and more from the 1,000th file on) */
	size_t part_bytes;   /* of an upload */
};

struct export;

struct export_figures {
	uint64_t items, bytes, stored_bytes,
		files; /* bytes: of the lines; stored_bytes: gzip; files: whole data files */
};

/*
 * ERR_CONFLICT when there is an export of this id already, or for EXPORT_REPLICATOR the file; the destination is not
 * touched then. ERR_INVALID for a destination that cannot be one. NULL on failure. Runs the loop. What `o` points to must
 * live until export_free.
 */
struct export *export_new(struct aws *a, const struct export_options *o, struct err *e);
/* Called from the loop when export_add can take more after it said that it cannot, or has failed. */
void export_on_ready(struct export *x, void (*ready)(void *arg), void *arg);
/*
 * Adds an item (a canonical attribute map); its bytes are copied. 0: taken. 1: not now; come again when `ready` is called.
 * Negative: the export has failed for good.
 */
int export_add(struct export *x, struct span item, struct err *e);
/* Runs the loop until everything is stored and the manifests are written. *stop turning true cancels: -ERR_CANCELLED. */
int export_finish(struct export *x, const bool *stop, struct err *e);
const struct export_figures *export_figures(const struct export *x);
/* The name of manifest-summary.json (or of the one file), for the last message. Valid until export_free. */
const char *export_manifest(const struct export *x);
/*
 * What the names of the data files begin with, in a bucket without s3://BUCKET/: ImportTable's S3KeyPrefix, for it takes
 * every object there for data. Valid until export_free.
 */
const char *export_data(const struct export *x);
/*
 * What was not finished is removed, as far as the server lets it, within 10 s or so; what is left is said on standard
 * error. Runs the loop for that.
 */
void export_free(struct export *x);

#endif
