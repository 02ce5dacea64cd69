/*
 * resolve: the state of one item at a point of time (I8), from what the bucket has of it. Pure: it asks for metadata by
 * answering which entries it must know more of. The reasoning is in DESIGN, "Which version".
 */
#ifndef DDB_CLI_RESOLVE_H
#define DDB_CLI_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "item.h"

/* S3 never dates an object earlier than its event by more than this: the difference of S3's and DynamoDB's clocks. */
#define RESOLVE_MARGIN_MS INT64_C(600000)
/* A request is refused that is signed over 15 minutes off S3's clock: one whose answer was lost arrives within twice that. */
#define RESOLVE_LATE_MS INT64_C(1800000)
#define RESOLVE_ASK_MAX 16

enum resolve_state {
	RESOLVE_PRESENT, /* `chosen` is the item */
	RESOLVE_ABSENT,
	RESOLVE_LOST, /* a version of that time, or from then until the next change, is not in the bucket */
	RESOLVE_ASK   /* fill in the facts of `ask`, then call again */
};

struct resolve_result {
	enum resolve_state state;
	struct item_entry *chosen;
	struct item_entry *ask[RESOLVE_ASK_MAX];
	size_t nask;
};

/* A moment: everything with event time <= ms; with `seq`, of the changes of that second only those up to it. */
struct resolve_point {
	int64_t ms;
	const char *seq; /* NULL: the whole second counts */
};

/*
 * `it` was arranged. With `folders` (a tenant attribute) an item's first change under a key may be a MODIFY, so that a
 * lost version cannot be told from an item that came from another folder.
 */
void resolve_at(const struct item *it, const struct resolve_point *at, bool folders, struct resolve_result *r);

/*
 * Did the item change after `since_ms`? When r->nask > 0 it is not known yet: fill in those facts, then call again. A
 * version that vanished meanwhile tells nothing.
 */
bool resolve_changed(const struct item *it, int64_t since_ms, struct resolve_result *r);

#endif
