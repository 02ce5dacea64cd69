/* history_row: what is printed of one version or removal of an item, and what it changed. */
#ifndef DDB_CLI_HISTORY_ROW_H
#define DDB_CLI_HISTORY_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "item.h"

/* One of them, with its facts, and what it holds. */
struct history_image {
	struct item_entry *entry;
	struct buf body; /* canonical: what a version holds, or what a removal removed; empty: none, or not asked for */
	char problem[400]; /* why a body that was asked for could not be had; "" otherwise */
};

struct history_rows {
	const struct item *item;
	const char *keys[ITEM_SIDES]; /* of its objects */
	bool json, diff;
	size_t columns; /* see change_print_text */
	bool stored;	/* a row was printed whose event time is not known */
};

void history_row_head(const struct history_rows *r);
/* To standard output. `before` is the one that was stored before it, NULL: there is none. 0, or -ERR_CORRUPT, -ERR_SYSTEM. */
int history_row_print(struct history_rows *r, const struct history_image *now, const struct history_image *before,
		      struct err *e);
void history_row_foot(const struct history_rows *r);

#endif
