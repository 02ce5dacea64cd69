/*
 * export_upload: files that grow in a bucket. One that fits into one part is put at once; a larger one is a multipart
 * upload, of which one part is on its way while the next one fills. The parts of all files share a few buffers, and a file
 * without one waits. None waits for ever: there is a buffer more than files that fill, so when all are in use, one at least
 * is on its way.
 */
#ifndef DDB_CLI_EXPORT_UPLOAD_H
#define DDB_CLI_EXPORT_UPLOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "aws/aws.h"
#include "aws/s3.h"
#include "base/buf.h"
#include "export_place.h"

#define EXPORT_UPLOADS \
	(2 * EXPORT_LANES) /* each lane's: the one that fills, and the one that is ended and not whole yet */
#define EXPORT_PARTS (EXPORT_LANES + 1)

/* What is being asked for. */
enum export_step { EXPORT_IDLE, EXPORT_CREATE, EXPORT_PART, EXPORT_COMPLETE, EXPORT_PUT, EXPORT_LOOK };

struct export_part {
	struct buf bytes;
	bool used;
};

struct export_upload {
	struct export_file file;
	struct export_uploads *all;
	struct aws_op op;
	uv_timer_t timer;
	bool used, ended;
	char *key;
	const char *type;
	struct export_part *filling, *flying; /* NULL: none */
	struct buf upload_id;
	char (*etags)[S3_ETAG_SIZE];
	size_t nparts, room;
	uint64_t size_bytes;
	enum export_step step;
	unsigned attempts;
	bool maybe_done; /* a try of this step may have had its effect */
	struct s3_head head;
};

struct export_uploads {
	struct export_place *place;
	struct aws *aws;
	size_t part_bytes;
	bool halted; /* nothing more is begun, and no answer counts */
	bool lost;   /* an upload may have been begun whose id nobody knows */
	struct export_part parts[EXPORT_PARTS];
	struct export_upload uploads[EXPORT_UPLOADS];
	size_t n; /* that were set up */
};

/* On `where`, which must live as long. On failure call export_uploads_fini all the same. */
int export_uploads_init(struct export_uploads *all, struct export_place *p, struct aws *a,
			const struct aws_bucket *where, size_t part_bytes, struct err *e);
/* Gives up what is in flight. Run the loop once more, then call export_uploads_free. */
void export_uploads_fini(struct export_uploads *all);
void export_uploads_free(struct export_uploads *all);

/* As in export_place.h; `key` is malloc'd and taken over. */
int export_upload_begin(struct export_uploads *all, const char *name, char *key, const char *type,
			struct export_file **out, struct err *e);
bool export_upload_ready(struct export_file *file);
void export_upload_write(struct export_file *file, struct span bytes);
void export_upload_end(struct export_file *file);
/* Forgets the file, whose op is idle. */
void export_upload_reset(struct export_upload *u);
/* Says what an operator can do about `e`, where that is known. */
void export_upload_remedy(struct err *e);

#endif
