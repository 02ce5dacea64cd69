/* sink: where lines go: standard output, or a file that appears under its name only when it is whole. */
#ifndef DDB_CLI_SINK_H
#define DDB_CLI_SINK_H

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
int sink_write(struct sink *s, struct span bytes, struct err *e);
/* Brings it to disk and gives the file its name. -ERR_SYSTEM. */
int sink_commit(struct sink *s, struct err *e);
/* Frees; what was not committed is removed. */
void sink_close(struct sink *s);

#endif
