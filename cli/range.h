/*
 * range: the items of a table, or of a part of it, listed in several ranges of keys at the same time. It begins with one
 * range; one that turns out to be long is divided while it is being listed, where probes have found keys. Within a
 * range items come in the order of their keys; between ranges in any.
 *
 * What was dealt with is given back, so that each range knows up to which key all is done: that is what a run that was
 * stopped goes on from.
 */
#ifndef DDB_CLI_RANGE_H
#define DDB_CLI_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "item.h"
#include "listing.h"
#include "session.h"

#define RANGES_MAX 8	/* that are listed at the same time */
#define RANGES_PROBES 8 /* that are under way at the same time */

struct range {
	struct listing listing;
	bool open;	    /* `listing` is set up */
	bool active;	    /* it has keys that are not done */
	bool listed;	    /* to its end */
	size_t items;	    /* handed out and not given back */
	struct buf after;   /* everything up to this key is done */
	struct buf through; /* the last key that may be in it; empty: there is no such bound */
	struct buf empty; /* the data keys have nothing from here to its end, as far as probes tell; empty: not known */
	uint64_t first_page; /* of its data keys, when it began or was divided */
	/* Where its keys end is looked for on the ladder (see there) of `from`; empty: it is not. */
	struct buf from;
	size_t filled,
		vacant;	 /* rungs: there are keys behind the one, and none behind the other, as far as probes tell */
	unsigned search; /* number of the ladder */
	unsigned probes; /* on it */
	bool whole;	 /* it cannot be divided */
};

/* A question whether there are keys behind a rung. */
struct range_probe {
	struct ranges *ranges;
	struct aws_op op;
	struct range *of; /* NULL: none is under way */
	unsigned search;  /* of it */
	size_t rung;
	struct buf marker;
	bool open;
};

/* Bounds of a range, for a run that goes on. */
struct range_bounds {
	struct span after, through;
};

struct ranges_options {
	const char *prefix;		   /* of the items' keys; "": all. Must outlive the ranges */
	bool exact;			   /* only the item with that very key */
	int64_t old_ms;			   /* see item_add */
	unsigned max_keys;		   /* of a page; 0: the server's */
	bool current;			   /* see listing_options */
	bool sparing;			   /* a request counts for more than the seconds that it may save */
	size_t most;			   /* ranges at the same time; 0: RANGES_MAX */
	const struct range_bounds *bounds; /* of `nbounds` ranges (RANGES_MAX at most) that are left; NULL: all keys */
	size_t nbounds;
};

struct ranges {
	struct session *session;
	struct ranges_options options;
	struct range slots[RANGES_MAX];
	size_t turn; /* whose listing is asked next */
	uint64_t pages, versions, probes;
	struct range_probe probe[RANGES_PROBES];
	bool look;	 /* something has come that may allow to divide */
	bool known[128]; /* bytes that keys have */
	int rc;		 /* of what failed for good */
	struct err err;
	void (*wake)(void *arg);
	void *arg;
};

/* On failure call ranges_fini all the same. */
int ranges_init(struct ranges *rs, struct session *s, const struct ranges_options *o, struct err *e);
/* Begins to list. `wake` is called from the loop when ranges_next may have more to say. */
void ranges_start(struct ranges *rs, void (*wake)(void *arg), void *arg);

enum { RANGES_WAIT, RANGES_ITEM, RANGES_END };
/*
 * RANGES_ITEM with the next item (the caller's to free) and its range; RANGES_WAIT until `wake`; RANGES_END when everything
 * was handed out. Negative errors of the listing.
 */
int ranges_next(struct ranges *rs, struct range **from, struct item **out, struct err *e);
/* Gives items back: in each range in the order in which they came. -ERR_SYSTEM. */
int range_done(struct range *r, struct span key);
/* The range's number, from 0 to RANGES_MAX - 1. */
size_t range_number(const struct ranges *rs, const struct range *r);
/* Gives up what is in flight. Run the loop once more. */
void ranges_fini(struct ranges *rs);

#endif
