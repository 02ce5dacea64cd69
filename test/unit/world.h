/*
 * world: items as the daemon and older tools leave them in a bucket, for tests of merge and resolve: listed in pages,
 * asked about, resolved.
 */
#ifndef DDB_TEST_WORLD_H
#define DDB_TEST_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "cli/merge.h"
#include "cli/resolve.h"

#define ENTRIES_MAX 96
#define ITEMS_MAX 4
#define START_MS INT64_C(1795000000000)
#define GONE (-1)
#define LOST (-2)

/* One object in the bucket, in the order in which it was stored. */
struct object {
	enum item_kind kind;
	int64_t modified_ms;
	int seq;     /* 0: of another tool, or a baseline's */
	int content; /* of a version */
	char event[12], time[CLOCK_ISO_SIZE];
};

struct change {
	int64_t time_ms;
	int seq;
	int content; /* GONE: a removal */
	bool update; /* MODIFY */
	bool baseline;
};

struct model {
	struct object objects[ENTRIES_MAX];
	size_t nobjects;
	struct change own[48], foreign[16]; /* what the daemon stored, in the order in which it happened */
	size_t nown, nforeign;
};

struct world {
	struct model items[ITEMS_MAX];
	size_t nitems;
	bool whole_seconds; /* LastModified as AWS lists it */
	size_t page_size;
	uint64_t asked, resolved;
};

struct world_cursor {
	size_t item, object; /* objects left of that item */
};

/* Random numbers (xorshift64): the same histories everywhere. Not 0. */
extern uint64_t world_seed;
uint64_t world_draw(uint64_t bound);
bool world_chance(unsigned percent);

/* The next page of a side: by key, newest first. The caller's. */
struct merge_page *world_page(const struct world *w, struct world_cursor *c, enum item_side side);
/* The whole of one item. The caller's. */
struct item *world_listed(const struct model *m);
/* Fills in the facts of an entry that resolve asks about. */
void world_answer(const struct model *m, const struct item *it, struct item_entry *e);
/* What resolve makes of the item: content, GONE or LOST. Counts in `w`. */
int world_state(struct world *w, const struct model *m, struct item *it, int64_t at_ms, bool folders);
void world_explain(const struct model *m, int64_t at_ms, int want, int got);

#endif
