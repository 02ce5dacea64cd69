/*
 * merge: the listings of the data keys and of the deletes keys, page by page, become items in key order. Pure: pages come
 * from the caller. A page may split a key, hold only markers, or be empty.
 */
#ifndef DDB_CLI_MERGE_H
#define DDB_CLI_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "item.h"

/* One page of a listing; its entries hold offsets into `text`. */
struct merge_page {
	struct buf text;
	struct merge_entry {
		size_t key_off, key_len, id_off, id_len;
		struct item_listed listed; /* without version_id */
	} * entries;
	size_t n, cap;
	bool last;
};

struct merge_page *merge_page_new(void);
void merge_page_free(struct merge_page *p);
/* Adds an entry under `key` (without the side's path). 0 or -ERR_SYSTEM. */
int merge_page_add(struct merge_page *p, struct span key, const struct item_listed *l);

struct merge_side {
	struct merge_page *page; /* NULL: none yet, or used up */
	size_t at;
	bool ended;
};

struct merge {
	struct merge_side sides[ITEM_SIDES];
	struct item *item;  /* that is being put together */
	struct buf key;	    /* of the last item */
	bool any;	    /* there was one */
	const char *only;   /* end both sides at the first other key; NULL: all keys */
	struct buf through; /* end both sides at the first key behind this one; empty: none */
	int64_t old_ms;	    /* see item_add */
};

/* `only` must outlive the merge. */
void merge_init(struct merge *m, const char *only, int64_t old_ms);
/* Ends it with this key, which no page that was given has passed. 0 or -ERR_SYSTEM. */
int merge_end_at(struct merge *m, struct span through);
void merge_fini(struct merge *m);
/* Does the side need its next page now? */
bool merge_wants(const struct merge *m, enum item_side side);
/* Gives it (the merge frees it). Only when it is wanted. */
void merge_give(struct merge *m, enum item_side side, struct merge_page *p);

/* <0, 0, >0: keys in S3's order, by their bytes. */
int merge_compare(struct span a, struct span b);

enum { MERGE_WAIT, MERGE_ITEM, MERGE_END };
/*
 * MERGE_ITEM with the next item, arranged, the caller's to free; MERGE_WAIT until a wanted page is given; MERGE_END.
 * -ERR_CORRUPT when keys are not in ascending order, -ERR_SYSTEM.
 */
int merge_next(struct merge *m, struct item **out, struct err *e);

#endif
