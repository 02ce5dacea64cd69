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
 * sees half an export. What is not finished is taken away again: uploads are aborted, files removed. But with a keeper
 * whole files stay, and another run can go on behind them: with what the keeper was given last.
 *
 * Memory: 35 MiB at most, whatever the number of items, and 144 bytes a file.
 */
#ifndef DDB_CLI_EXPORT_H
#define DDB_CLI_EXPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "aws/aws.h"
#include "base/err.h"
#include "base/span.h"

enum export_format { EXPORT_DYNAMODB_JSON, EXPORT_REPLICATOR };

/*
 * Lines of a data file, about, and a fourth of what a run that goes on has to do again at most. Doubled for each 500 files,
 * up to 64 times: an import takes no more than 5,000 objects (Developer Guide, "Import format quotas and validation").
 */
#define EXPORT_FILE_BYTES ((uint64_t)32 << 20)
#define EXPORT_FILE_BYTES_MIN ((uint64_t)64 << 10)
#define EXPORT_FILE_BYTES_MAX ((uint64_t)4 << 30)
#define EXPORT_SMALL_FILES 7 /* beside the data files */

struct export_keeper {
	/*
	 * A cut, behind which another run can begin once its files are whole: they have the items that were added until now,
	 * and no others. Called from the loop, never within export_add.
	 */
	void (*cut)(void *arg);
	/*
	 * Brings `state` (whose reference it gets; NULL without memory), and with `whole` what was known at the last cut, to
	 * disk. 0 or a negative error, which ends the export.
	 */
	int (*keep)(void *arg, json_t *state, bool whole, struct err *e);
	void *arg;
};

struct export_options {
	/*
	 * s3://BUCKET/PREFIX/ or a folder, which is made when it is not there. With EXPORT_REPLICATOR the file itself,
	 * s3://BUCKET/KEY or a path: what incremental-snapshot takes.
	 */
	const char *to;
	enum export_format format;
	/* For the manifests. */
	const char *table_name;
	const char *table_arn;		    /* NULL or "" when it is not known */
	const char *table_id;		    /* the same */
	int64_t at_ms;			    /* the state's time: exportTime */
	int64_t start_ms;		    /* when the export began */
	uint64_t seed;			    /* of shuffling: the same seed, times and items give the same files */
	const bool *stop;		    /* turning true cancels export_new; may be NULL */
	const struct export_keeper *keeper; /* NULL: what is not finished is taken away */
	const json_t *resume;		    /* what the keeper of a run that was stopped has kept; NULL: begin anew */
	uint64_t file_bytes;		    /* 0: EXPORT_FILE_BYTES; else from _MIN to _MAX, but in tests */
	size_t part_bytes;		    /* of an upload; 0: what is sensible. For tests */
};

struct export;

struct export_figures {
	uint64_t items, bytes, stored_bytes,
		files; /* bytes: of the lines; stored_bytes: gzip; files: whole data files */
};

/* Is it what a keeper was given of an export in this format? */
bool export_can_resume(const json_t *state, enum export_format format);
/*
 * ERR_CONFLICT when there is an export of this id already, or for EXPORT_REPLICATOR the file; the destination is not
 * touched then. ERR_INVALID for a destination that cannot be one. NULL on failure. Runs the loop. What `o` points to must
 * live until export_free.
 *
 * With a keeper, that is told before anything is written. With o->resume (which export_can_resume) the files that are kept
 * are looked at: ERR_CONFLICT when one of them is not what it was; else whatever other file and upload that run has left is
 * removed. The items and bytes that they hold are export_figures' from then on. EXPORT_REPLICATOR begins anew, since it has
 * one file, unless that is whole.
 */
struct export *export_new(struct aws *a, const struct export_options *o, struct err *e);
/* Gives up what o->resume tells of: removes all that is there of it. 0 or a negative error. Runs the loop. */
int export_discard(struct aws *a, const struct export_options *o, struct err *e);
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
/* Is there something that another run can go on with? */
bool export_kept(const struct export *x);
/*
 * What was not finished, and is not kept, is removed, as far as the server lets it, within 10 s or so; what is left is said
 * on standard error. Runs the loop for that.
 */
void export_free(struct export *x);

#endif
