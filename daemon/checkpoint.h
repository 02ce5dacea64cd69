/*
 * checkpoint: a table's position in a file of the state folder, <state_dir>/<table>.checkpoint.
 *
 *     ddb-streamd checkpoint 1
 *     {"horizon":...,"clean":false,"position":{...}}
 *     sha256 <hex of the two lines above>
 *
 * Saved by write, fsync, rename, fsync of the folder, on libuv's thread pool, one save at a time: what comes meanwhile is saved
 * next, once. A file that is damaged, of another table or bucket, or of a newer version is refused, never overwritten.
 */
#ifndef DDB_CHECKPOINT_H
#define DDB_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "position.h"

struct checkpoint {
	struct position *position;
	/*
	 * No record with an event time after this was written under this file (section "exactly once" of DESIGN): after an
	 * unclean stop S3 is asked only about records up to it.
	 */
	int64_t horizon_ms;
	bool clean; /* drained when it stopped: S3 needs not be asked about anything */
};

/*
 * -ERR_NOT_FOUND without a file (and no message is needed); -ERR_CORRUPT when it is damaged or foreign, with what to do;
 * -ERR_SYSTEM when it cannot be read. On success out->position is the caller's.
 */
int checkpoint_load(const char *path, const char *table, const char *bucket, const char *data_path,
		    struct checkpoint *out, struct err *e);

/* The text of a file, appended to `out`. */
int checkpoint_encode(const struct checkpoint *c, struct buf *out, struct err *e);

/* Writes `text` durably. Blocks: for the thread pool, and for tests. */
int checkpoint_write(const char *path, const char *text, size_t len, struct err *e);

/* The asynchronous saver of one file. */
struct checkpoint_saver {
	uv_work_t work;
	char *path;
	struct buf text; /* being saved */
	struct err err;	 /* of the last save */
	int rc;
	bool busy;
	void (*done)(struct checkpoint_saver *s, int rc, void *arg);
	void *arg;
};

/* `path` is copied. `done` is called on the loop after each save. -ERR_SYSTEM without memory. */
int checkpoint_saver_init(struct checkpoint_saver *s, const char *path,
			  void (*done)(struct checkpoint_saver *, int, void *), void *arg, struct err *e);
void checkpoint_saver_fini(struct checkpoint_saver *s); /* not while busy */
/* Starts saving c; the saver must not be busy. A failure to start comes back at once, and `done` is not called. */
int checkpoint_saver_start(struct checkpoint_saver *s, uv_loop_t *loop, const struct checkpoint *c, struct err *e);

#endif
