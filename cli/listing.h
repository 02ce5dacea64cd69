/* listing: the items of a table, or of a part of it, in key order, with both listings read a page ahead. */
#ifndef DDB_CLI_LISTING_H
#define DDB_CLI_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/aws.h"
#include "aws/s3.h"
#include "base/buf.h"
#include "base/err.h"
#include "merge.h"
#include "session.h"

struct listing;

struct listing_side {
	struct listing *listing;
	enum item_side side;
	struct aws_op op;
	uv_timer_t timer;
	char *prefix;	 /* of the keys that are listed */
	size_t path_len; /* how much of each key is the path */
	struct buf key_marker, version_marker;
	struct merge_page *ahead; /* read, but not wanted yet */
	bool busy, last;
	unsigned attempts;
};

struct listing {
	struct session *session;
	struct merge merge;
	struct listing_side sides[ITEM_SIDES];
	size_t nsides; /* that were set up */
	unsigned max_keys;
	uint64_t pages, versions;
	int rc; /* of what failed for good */
	struct err err;
	void (*wake)(void *arg); /* listing_next may have more to say */
	void *arg;
};

/*
 * Items whose key begins with `prefix`, or with `exact` only the one with that key. `old_ms`: see item_add. `prefix` must
 * outlive the listing. `max_keys` 0: the server's page size. On failure call listing_fini all the same.
 */
int listing_init(struct listing *l, struct session *s, const char *prefix, bool exact, int64_t old_ms,
		 unsigned max_keys, struct err *e);
/* Begins to list. `wake` is called from the loop. */
void listing_start(struct listing *l, void (*wake)(void *arg), void *arg);
/* As merge_next, and the errors of the listing. */
int listing_next(struct listing *l, struct item **out, struct err *e);
/* Gives up what is in flight. Run the loop once more. */
void listing_fini(struct listing *l);

#endif
