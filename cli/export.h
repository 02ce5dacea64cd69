/*
 * export: files of items in DynamoDB's own export format (Amazon DynamoDB Developer Guide, "DynamoDB table export output
 * format"), so that ImportTable, Athena, Glue and EMR read them; or the one file that dynamodb-replicator's
 * incremental-snapshot writes. Into a bucket by multipart upload, without temporary files, or into a folder.
 *
 * Nothing is complete before export_finish has written the manifests, the summary last: a reader that goes by it never
 * sees half an export. What is not finished is taken away again (uploads aborted, part files removed).
 */
#ifndef DDB_CLI_EXPORT_H
#define DDB_CLI_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws.h"
#include "base/err.h"
#include "base/span.h"

enum export_format { EXPORT_DYNAMODB_JSON, EXPORT_REPLICATOR };

struct export_options {
	const char *to; /* s3://BUCKET/PREFIX/ or a folder, which is made when it is not there */
	enum export_format format;
	/* For the manifests. */
	const char *table_name;
	const char *table_arn; /* NULL or "" when it is not known */
	const char *table_id;  /* the same */
	int64_t at_ms;	       /* the state's time: exportTime */
	int64_t start_ms;      /* when the export began */
	uint64_t seed;	       /* of shuffling: the same seed and the same items give the same files */
};

struct export;

struct export_figures {
	uint64_t items, bytes, stored_bytes, files; /* bytes: of the lines; stored_bytes: gzip */
};

/* -ERR_CONFLICT when there is an export already; the destination is not touched then. NULL on failure. */
struct export *export_new(struct aws *a, const struct export_options *o, struct err *e);
/* Called from the loop when export_add can take more, or has failed. */
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
/* What was not finished is removed, as far as the server lets it: runs the loop for that. */
void export_free(struct export *x);

#endif
