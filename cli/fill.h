/*
 * fill: a state's items on their way into a table: each is written by the writer, and counts as done when DynamoDB has it.
 * Keeps the journal and the progress line.
 */
#ifndef DDB_CLI_FILL_H
#define DDB_CLI_FILL_H

#include <sys/queue.h>

#include "progress.h"
#include "restore.h"
#include "state.h"
#include "writer.h"

struct fill_write;

struct fill {
	const struct restore_plan *plan;
	struct restore_figures *figures;
	struct state state;
	struct writer *writer;
	struct progress progress;
	LIST_HEAD(fill_writes, fill_write) writes; /* that the writer has not answered yet */
	/* Set after fill_init: told of each item that the table refused, before it counts as missing. May stay NULL. */
	void (*refused)(struct state_item *si, void *arg);
	void *arg;
	uint64_t expected; /* about how many items there will be; set after fill_init; 0: not known */
};

/*
 * `so` with deliver and arg set; deliver calls one of fill_put, fill_delete, fill_skip and fill_missing for each item. On
 * failure call fill_fini all the same.
 */
int fill_init(struct fill *f, const struct restore_plan *p, const struct state_options *so, struct aws *a,
	      const char *table, struct restore_figures *out, struct err *e);
/* Writes at[0].body. */
void fill_put(struct fill *f, struct state_item *si);
/* Deletes the item with the key `keys` (canonical), which is copied. */
void fill_delete(struct fill *f, struct state_item *si, struct span keys);
/* Nothing is to be done about it. */
void fill_skip(struct fill *f, struct state_item *si);
/* It has a problem, which is said. */
void fill_missing(struct fill *f, struct state_item *si, const char *problem);
/* Runs to the end. What was stopped leaves its journal, and the message says so. 0 or a negative error. */
int fill_run(struct fill *f, struct err *e);
void fill_fini(struct fill *f);

#endif
