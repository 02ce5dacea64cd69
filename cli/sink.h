/* sink: where lines go: standard output, or a file that appears under its name only when it is whole. */
#ifndef DDB_CLI_SINK_H
#define DDB_CLI_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/span.h"

struct sink {
	FILE *file;
	const char *path; /* NULL: standard output */
	char *part;	  /* the file while it is being written: PATH.part */
	uint64_t bytes;
};

/* `path` "-" is standard output. A file that exists is refused with -ERR_CONFLICT, and so is PATH.part; -ERR_SYSTEM. */
int sink_open(struct sink *s, const char *path, struct err *e);
/* Goes on with PATH.part of an earlier run, of which the first `bytes` count. -ERR_CONFLICT when PATH exists, or when
 * there is no such file or it is shorter. */
int sink_resume(struct sink *s, const char *path, uint64_t bytes, struct err *e);
int sink_write(struct sink *s, struct span bytes, struct err *e);
/* Brings it to disk and gives the file its name. -ERR_SYSTEM. */
int sink_commit(struct sink *s, struct err *e);
/* Brings to disk what was written so far. -ERR_SYSTEM. */
int sink_sync(struct sink *s, struct err *e);
/* Frees; what was not committed is removed, or with `keep` left as PATH.part. */
void sink_close(struct sink *s, bool keep);

#endif
