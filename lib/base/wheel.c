#include "base/wheel.h"

static struct wheel_node *slot_of(struct wheel *w, int64_t tick)
{
	return &w->slots[(uint64_t)tick % WHEEL_SLOTS];
}

void wheel_init(struct wheel *w, int64_t mono_ms)
{
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		w->slots[i].next = w->slots[i].prev = &w->slots[i];
	w->now_tick = mono_ms / WHEEL_TICK_MS;
	w->count = 0;
}

void wheel_add(struct wheel *w, struct wheel_node *n, int64_t mono_ms, int64_t delay_ms)
{
	/* 1 ms at least, so that what is added again while the due nodes are taken out waits for the next turn. */
	if (delay_ms < 1)
		delay_ms = 1;
	if (delay_ms > WHEEL_DELAY_MAX_MS)
		delay_ms = WHEEL_DELAY_MAX_MS;
	n->due_tick = (mono_ms + delay_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
	if (n->due_tick <= w->now_tick)
		n->due_tick = w->now_tick + 1;
	struct wheel_node *head = slot_of(w, n->due_tick);
	n->next = head;
	n->prev = head->prev;
	head->prev->next = n;
	head->prev = n;
	w->count++;
}

void wheel_remove(struct wheel *w, struct wheel_node *n)
{
	if (!wheel_waiting(n))
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
	w->count--;
}

bool wheel_waiting(const struct wheel_node *n)
{
	return n->next != NULL;
}

struct wheel_node *wheel_due(struct wheel *w, int64_t mono_ms)
{
	int64_t target = mono_ms / WHEEL_TICK_MS;
	if (w->count == 0 && w->now_tick < target)
		w->now_tick = target;
	/* One whole turn passes every slot. */
	if (target - w->now_tick > WHEEL_SLOTS)
		w->now_tick = target - WHEEL_SLOTS;
	for (; w->now_tick < target; w->now_tick++) {
		struct wheel_node *head = slot_of(w, w->now_tick + 1);
		for (struct wheel_node *n = head->next; n != head; n = n->next) {
			/* A stalled caller may have added what is due more than one turn ahead of now_tick. */
			if (n->due_tick > target)
				continue;
			wheel_remove(w, n);
			return n;
		}
	}
	return NULL;
}
