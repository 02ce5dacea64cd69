#include "lane.h"

#include <string.h>

#define RECORD_OF_NODE(n, member) ((struct record *)((char *)(n)-offsetof(struct record, member)))

static bool same_item(const struct map_node *n, const void *key)
{
	const struct record *r = (const struct record *)((const char *)n - offsetof(struct record, by_item));
	return memcmp(r->item, key, sizeof(r->item)) == 0;
}

/* The digest is uniform already: its first bytes are the hash. */
static uint64_t hash_of(const uint8_t item[16])
{
	uint64_t h;
	memcpy(&h, item, sizeof(h));
	return h;
}

static uint64_t item_hash(const struct record *r)
{
	return hash_of(r->item);
}

bool lane_has(const struct lanes *l, const uint8_t item[16])
{
	return map_find(&l->items, hash_of(item), same_item, item) != NULL;
}

void lanes_init(struct lanes *l, int64_t mono_ms)
{
	map_init(&l->items);
	wheel_init(&l->wheel, mono_ms);
	TAILQ_INIT(&l->turn);
	l->records = 0;
}

void lanes_fini(struct lanes *l)
{
	map_fini(&l->items);
}

void lane_group_init(struct lane_group *g)
{
	*g = (struct lane_group){0};
	for (int rank = 0; rank < RECORD_RANKS; rank++)
		TAILQ_INIT(&g->ready[rank]);
}

int lanes_reserve(struct lanes *l, size_t more)
{
	return map_reserve(&l->items, l->records + more);
}

static size_t nready(const struct lane_group *g)
{
	size_t n = 0;
	for (int rank = 0; rank < RECORD_RANKS; rank++)
		n += g->nready[rank];
	return n;
}

static void take_turns(struct lanes *l, struct lane_group *g)
{
	bool wants = !g->blocked && nready(g) > 0;
	if (wants == g->in_turn)
		return;
	if (wants)
		TAILQ_INSERT_TAIL(&l->turn, g, turn);
	else
		TAILQ_REMOVE(&l->turn, g, turn);
	g->in_turn = wants;
}

static void make_ready(struct lanes *l, struct lane_group *g, struct record *r, bool first)
{
	r->state = RECORD_READY;
	if (first)
		TAILQ_INSERT_HEAD(&g->ready[r->rank], r, ready);
	else
		TAILQ_INSERT_TAIL(&g->ready[r->rank], r, ready);
	g->nready[r->rank]++;
	take_turns(l, g);
}

void lane_push(struct lanes *l, struct lane_group *g, struct record *r)
{
	struct map_node *n = map_find(&l->items, item_hash(r), same_item, r->item);
	l->records++;
	r->behind = NULL;
	r->last_behind = r;
	if (n != NULL) {
		struct record *head = RECORD_OF_NODE(n, by_item);
		head->last_behind->behind = r;
		head->last_behind = r;
		r->state = RECORD_QUEUED;
		return;
	}
	map_add(&l->items, &r->by_item, item_hash(r));
	make_ready(l, g, r, false);
}

/* The group has a ready record. */
static struct record *take_in_turn(struct lane_group *g)
{
	while (g->nready[g->next] == 0)
		g->next = (g->next + 1) % RECORD_RANKS;
	struct record *r = TAILQ_FIRST(&g->ready[g->next]);
	TAILQ_REMOVE(&g->ready[g->next], r, ready);
	g->nready[g->next]--;
	g->next = (g->next + 1) % RECORD_RANKS;
	return r;
}

struct record *lane_take(struct lanes *l, struct lane_group **g)
{
	struct lane_group *group = TAILQ_FIRST(&l->turn);
	if (group == NULL)
		return NULL;
	struct record *r = take_in_turn(group);
	/* To the end of the turn: the next record comes from another table. */
	TAILQ_REMOVE(&l->turn, group, turn);
	group->in_turn = false;
	take_turns(l, group);
	r->state = RECORD_WRITING;
	*g = group;
	return r;
}

void lane_untake(struct lanes *l, struct lane_group *g, struct record *r)
{
	g->next = r->rank;
	make_ready(l, g, r, true);
}

void lane_done(struct lanes *l, struct lane_group *g, struct record *r)
{
	struct record *next = r->behind;
	map_remove(&l->items, &r->by_item);
	l->records--;
	r->state = RECORD_DURABLE;
	if (next == NULL)
		return;
	next->last_behind = r->last_behind;
	next->rank = RECORD_NEXT;
	map_add(&l->items, &next->by_item, item_hash(next));
	make_ready(l, g, next, false);
}

void lane_retry(struct lanes *l, struct lane_group *g, struct record *r, int64_t mono_ms, int64_t delay_ms)
{
	r->state = RECORD_WAITING;
	g->waiting++;
	wheel_add(&l->wheel, &r->wait, mono_ms, delay_ms);
}

void lanes_wake(struct lanes *l, int64_t mono_ms, struct lane_group *(*group_of)(const struct record *))
{
	struct wheel_node *n;
	while ((n = wheel_due(&l->wheel, mono_ms)) != NULL) {
		struct record *r = RECORD_OF_NODE(n, wait);
		struct lane_group *g = group_of(r);
		g->waiting--;
		make_ready(l, g, r, false);
	}
}

void lane_block(struct lanes *l, struct lane_group *g, bool blocked)
{
	g->blocked = blocked;
	take_turns(l, g);
}
