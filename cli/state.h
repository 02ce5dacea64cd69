/*
 * state: what a table, or a part of it, was at a time, or at two: what is listed is resolved, asked about where that is
 * needed, fetched, and delivered, in the order of the keys within a range. A bounded number of items is under way.
 */
#ifndef DDB_CLI_STATE_H
#define DDB_CLI_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "codec/canon.h"
#include "fetch.h"
#include "range.h"
#include "resolve.h"
#include "session.h"

#define STATE_TIMES 2
/* An item has 400 KB, of which every byte may take six as JSON. */
#define STATE_ITEM_MAX ((size_t)4 << 20)
#define STATE_WINDOW 1024		      /* items under way */
#define STATE_WINDOW_BYTES ((size_t)16 << 20) /* of bodies among them */

struct state;

/* What is known of an item at one time. */
struct state_at {
	enum resolve_state what;   /* PRESENT, ABSENT or LOST */
	struct item_entry *chosen; /* of PRESENT */
	bool wanted;		   /* its body is to be fetched */
	struct buf body;	   /* canonical; empty unless it was fetched */
};

struct state_item {
	struct state *state;
	struct range *range;
	struct item *item;
	struct state_at at[STATE_TIMES];
	/* The body of some version or removal, which has the item's key: for an item that is absent, with options.witness. */
	struct buf witness;
	int note; /* the receiver's own */
	/* Why it cannot be had, for a person; "": it can. Then nothing above but the item is certain. */
	char problem[400];
	/* below: private */
	struct buf keys[ITEM_SIDES]; /* whole; empty until it is needed */
	size_t asked;		     /* answers that are awaited */
	bool since_known, settled, skip, ready, delivered, done;
	STAILQ_ENTRY(state_item) link;
};

struct state_options {
	struct resolve_point at[STATE_TIMES];
	size_t ntimes;
	int64_t since_ms; /* only items that changed after it; CLOCK_UNKNOWN: all */
	bool absent;	  /* deliver what was absent, too */
	bool all;	  /* keep every version of an item, however old */
	bool witness;	  /* with the body that tells its key */
	bool bodies;	  /* false: fetch none, for a look at what there is */
	const char *prefix;
	bool exact;
	const struct range_bounds *bounds; /* see ranges_options */
	size_t nbounds;
	/* Is the body at that time needed, or of an absent item the witness? NULL: always. */
	bool (*wants)(struct state_item *si, size_t time, void *arg);
	/* An item is known. It is the receiver's until state_done, which may be called in it. */
	void (*deliver)(struct state_item *si, void *arg);
	void *arg;
};

struct state {
	struct session *session;
	struct state_options options;
	bool folders; /* items lie in folders by tenant */
	struct ranges ranges;
	struct fetch fetch;
	struct canon *canon;
	STAILQ_HEAD(state_items, state_item) items[RANGES_MAX]; /* of each range in its order */
	size_t nitems;
	size_t bytes;		  /* of bodies */
	struct state_item *block; /* that could not be taken yet: nothing further is delivered */
	bool pumping, again;
	bool listed;   /* to the end */
	bool finished; /* everything was delivered and given back, or it failed */
	uint64_t seen; /* items that were listed and dealt with */
	int rc;	       /* of what ended it */
	struct err err;
};

/* On failure call state_fini all the same. */
int state_init(struct state *st, struct session *s, const struct state_options *o, struct err *e);
void state_start(struct state *st);
/* Gives an item back, whose memory goes; within a range, what was not given back before it is waited for. */
void state_done(struct state_item *si);
/* Delivers nothing further, until it is called again with NULL. `si` is the one that has to wait. */
void state_block(struct state *st, struct state_item *si);
/* Ends it with an error; the first one counts. */
void state_fail(struct state *st, int rc, const struct err *e);
/* Runs the loop until it is finished. 0 or the negative error that ended it. */
int state_run(struct state *st, struct err *e);
void state_fini(struct state *st);

/* The item's key as a person may see it: whole, and without what a terminal would take for a command. */
const char *state_key(const struct state_item *si, char out[static 1100]);
/* The whole key of its object on that side, for as long as the item lives; empty without memory, and then the state fails. */
struct span state_whole_key(struct state_item *si, enum item_side side);

#endif
