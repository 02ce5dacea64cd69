/*
 * restore: the way of an item from the listing to the sink: what is listed is resolved, asked about where that is needed,
 * fetched, and written in the order of the listing. A bounded number of items is under way at a time.
 */
#ifndef DDB_CLI_RESTORE_H
#define DDB_CLI_RESTORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "codec/canon.h"
#include "fetch.h"
#include "listing.h"
#include "progress.h"
#include "session.h"
#include "sink.h"

#define RESTORE_WINDOW 256			/* items under way */
#define RESTORE_WINDOW_BYTES ((size_t)16 << 20) /* of bodies that wait for their turn */

struct restore_item;

struct restore {
	struct session *session;
	int64_t at_ms;
	bool folders; /* items lie in folders by tenant */
	struct listing listing;
	struct fetch fetch;
	struct canon *canon;
	struct sink sink;
	struct progress progress;
	STAILQ_HEAD(restore_items, restore_item) items; /* in the order of the listing */
	size_t nitems;
	size_t bytes; /* of bodies that wait */
	bool listed;  /* to the end */
	bool done;
	uint64_t written, missing;
	int rc; /* of what ended it */
	struct err err;
};

/* As listing_init says of `prefix` and `exact`. On failure call restore_fini all the same. */
int restore_init(struct restore *r, struct session *s, int64_t at_ms, const char *prefix, bool exact,
		 const char *to_file, struct err *e);
/* Runs to the end. 0, or a negative error; items that cannot be had are said, and counted in `missing`. */
int restore_all(struct restore *r, struct err *e);
void restore_fini(struct restore *r);

#endif
