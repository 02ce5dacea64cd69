/*
 * wheel: a timer wheel for thousands of waiting things without an allocation or a libuv timer each.
 * 1,024 slots of 64 ms: a delay is rounded up to the next slot and capped at 60 s. Nodes are embedded in what waits.
 */
#ifndef DDB_BASE_WHEEL_H
#define DDB_BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_SLOTS 1024
#define WHEEL_TICK_MS 64
#define WHEEL_DELAY_MAX_MS 60000

struct wheel_node {
	struct wheel_node *next, *prev; /* NULL when not waiting */
	int64_t due_tick;
};

struct wheel {
	struct wheel_node slots[WHEEL_SLOTS]; /* list heads */
	int64_t now_tick;		      /* slots up to this one are done */
	size_t count;			      /* nodes waiting */
};

/* `mono_ms` (0 or more) is the time from which the wheel counts. The wheel must not be moved afterwards. */
void wheel_init(struct wheel *w, int64_t mono_ms);
/* `n` waits until mono_ms + delay_ms, 1 ms at least. It must not be waiting already; zero it before its first use. */
void wheel_add(struct wheel *w, struct wheel_node *n, int64_t mono_ms, int64_t delay_ms);
/* Takes `n` out; nothing when it is not waiting. */
void wheel_remove(struct wheel *w, struct wheel_node *n);
bool wheel_waiting(const struct wheel_node *n);
/* Takes one node that is due at `mono_ms` out and returns it; NULL when none is left. Call until NULL. */
struct wheel_node *wheel_due(struct wheel *w, int64_t mono_ms);

#endif
