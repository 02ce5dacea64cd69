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
	const char *path; /* that each key begins with */
	char *prefix;	  /* of the keys that are listed */
	struct buf key_marker, version_marker;
	struct merge_page *ahead; /* read, but not wanted yet */
	bool busy, last;
	uint64_t pages;
	bool past; /* what was read reaches past the listing's end */
	unsigned attempts;
};

struct listing {
	struct session *session;
	struct merge merge;
	struct listing_side sides[ITEM_SIDES];
	size_t nsides; /* that were set up */
	unsigned max_keys;
	bool current;
	struct buf after, reached;
	uint64_t pages, versions;
	int rc; /* of what failed for good */
	struct err err;
	void (*wake)(void *arg); /* listing_next may have more to say */
	void *arg;
};

struct listing_options {
	const char *prefix;	    /* of the items' keys; "": all. Must outlive the listing */
	bool exact;		    /* only the item with that very key */
	struct span after, through; /* only keys behind `after` and up to `through`; empty: no bound */
	int64_t old_ms;		    /* see item_add */
	unsigned max_keys;	    /* of a page; 0: the server's */
	/* Objects as they are now instead of all versions, and no deletes keys; an ETag stands in the place of a version's id. */
	bool current;
};

/* On failure call listing_fini all the same. */
int listing_init(struct listing *l, struct session *s, const struct listing_options *o, struct err *e);
/* The same listing for other bounds, once it is idle; its memory and its counts stay. */
int listing_again(struct listing *l, const struct listing_options *o, struct err *e);
/* Nothing is in flight. */
bool listing_idle(const struct listing *l);
/* No more data keys are asked for. */
bool listing_ends(const struct listing *l);
/* Ends it with this key, which must lie behind listing_reached. 0 or -ERR_SYSTEM. */
int listing_end_at(struct listing *l, struct span through);
/* The last key that was listed, also of a page that was only read ahead; empty before the first page. */
struct span listing_reached(const struct listing *l);
/* Begins to list. `wake` is called from the loop. */
void listing_start(struct listing *l, void (*wake)(void *arg), void *arg);
/* As merge_next, and the errors of the listing. */
int listing_next(struct listing *l, struct item **out, struct err *e);
/* Gives up what is in flight. Run the loop once more. */
void listing_fini(struct listing *l);

#endif
