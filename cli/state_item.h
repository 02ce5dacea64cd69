/* state_item: the way of one item from the listing to being known. Private to state.c. */
#ifndef DDB_CLI_STATE_ITEM_H
#define DDB_CLI_STATE_ITEM_H

#include "state.h"

/* Takes `item`, but not on failure. NULL without memory. */
struct state_item *state_item_new(struct state *st, struct range *range, struct item *item);
void state_item_free(struct state_item *si);
/* Finds out what can be, asks for what cannot; sets `ready` in the end. */
void state_item_go_on(struct state_item *si);

/* Of state.c. */
void state_fail_no_memory(struct state *st);
void state_wake(struct state *st);

#endif
