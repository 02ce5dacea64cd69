/* tables_size: how much the bucket holds of a table, by its listing. */
#ifndef DDB_CLI_TABLES_SIZE_H
#define DDB_CLI_TABLES_SIZE_H

#include <stdint.h>

#include "base/err.h"
#include "session.h"

struct tables_size {
	uint64_t items, bytes;		   /* whose latest version is no delete marker; of these versions */
	uint64_t older, older_bytes;	   /* versions behind the latest one */
	uint64_t markers;		   /* delete markers */
	uint64_t removals, removals_bytes; /* versions of deletes objects */
	uint64_t requests;		   /* that it took */
};

/*
 * Of the table whose objects lie in these folders ("<prefix><table>/", "<prefix>.ddb-streamd/<table>/deletes/"); the
 * session is on that table afterwards. Errors of the listing; -ERR_CANCELLED after a signal.
 */
int tables_size(struct session *s, const char *data_path, const char *deletes_path, struct tables_size *out,
		struct err *e);

#endif
