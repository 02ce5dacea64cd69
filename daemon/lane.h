/*
 * lane: one queue an item, so that an item's versions are written in sequence order with one request in flight (I2),
 * while different items go in parallel. Items are known by digest; a lane exists only while it holds records, as a chain
 * of them, so nothing is allocated for a lane either.
 *
 * Records of one table form a group; workers take from the groups in turn, so that no table starves another. Within a group they
 * take from the ranks in turn, so that nothing new waits for a backlog, and an item with many changes takes no longer than they
 * do one after the other.
 */
#ifndef DDB_LANE_H
#define DDB_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/wheel.h"
#include "record.h"

struct lane_group {
	TAILQ_ENTRY(lane_group) turn;
	struct record_list ready[RECORD_RANKS];
	size_t nready[RECORD_RANKS];
	enum record_rank next; /* whose turn it is */
	size_t waiting;	       /* on the wheel */
	bool blocked;	       /* nothing may start: the checkpoint must be saved first */
	bool in_turn;
};

struct lanes {
	struct map items;
	struct wheel wheel;
	TAILQ_HEAD(lane_turn, lane_group) turn; /* groups with ready records that are not blocked */
	size_t records;				/* in all lanes */
};

void lanes_init(struct lanes *l, int64_t mono_ms);
void lanes_fini(struct lanes *l);
void lane_group_init(struct lane_group *g);

/* Makes room for `more` records. 0 or -ERR_SYSTEM. Before lane_push. */
int lanes_reserve(struct lanes *l, size_t more);
/* The record goes behind the others of its item, or becomes ready. */
void lane_push(struct lanes *l, struct lane_group *g, struct record *r);
/* Has the item a record that is not durable? */
bool lane_has(const struct lanes *l, const uint8_t item[16]);
/* The next ready record, in turn over the groups, and its group; NULL when there is none. The caller has it then. */
struct record *lane_take(struct lanes *l, struct lane_group **g);
/* Gives a record back that was taken but not started; it stays the first of its group. */
void lane_untake(struct lanes *l, struct lane_group *g, struct record *r);
/* The record is durable: the next one of its item becomes ready. */
void lane_done(struct lanes *l, struct lane_group *g, struct record *r);
/* The record failed: it is ready again after `delay_ms`; its item waits with it. */
void lane_retry(struct lanes *l, struct lane_group *g, struct record *r, int64_t mono_ms, int64_t delay_ms);
/* Records whose wait is over become ready. `group_of` tells a record's group. */
void lanes_wake(struct lanes *l, int64_t mono_ms, struct lane_group *(*group_of)(const struct record *));
/* Blocks or unblocks a group. */
void lane_block(struct lanes *l, struct lane_group *g, bool blocked);

#endif
