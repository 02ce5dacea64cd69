#include "base/map.h"

#include <stdlib.h>

#include "base/err.h"

#define MAP_FIRST_BUCKETS 16

/* Digests and FNV-1a differ in all bits, but folding costs nothing and forgives a weaker hash. */
static size_t slot_of(const struct map *m, uint64_t hash)
{
	return (size_t)(hash ^ hash >> 32) & (m->nbuckets - 1);
}

void map_init(struct map *m)
{
	*m = (struct map){0};
}

void map_fini(struct map *m)
{
	free(m->buckets);
	map_init(m);
}

int map_reserve(struct map *m, size_t count)
{
	size_t n = MAP_FIRST_BUCKETS;
	while (n < count) {
		if (n > SIZE_MAX / 2 / sizeof(struct map_node *))
			return -ERR_SYSTEM;
		n *= 2;
	}
	if (n <= m->nbuckets)
		return 0;
	struct map larger = {.nbuckets = n};
	larger.buckets = calloc(n, sizeof(struct map_node *));
	if (!larger.buckets)
		return -ERR_SYSTEM;
	for (size_t i = 0; i < m->nbuckets; i++) {
		struct map_node *next;
		for (struct map_node *node = m->buckets[i]; node; node = next) {
			next = node->next;
			map_add(&larger, node, node->hash);
		}
	}
	free(m->buckets);
	*m = larger;
	return 0;
}

struct map_node *map_find(const struct map *m, uint64_t hash, map_eq_fn *eq, const void *key)
{
	if (m->nbuckets == 0)
		return NULL;
	for (struct map_node *n = m->buckets[slot_of(m, hash)]; n; n = n->next)
		if (n->hash == hash && eq(n, key))
			return n;
	return NULL;
}

void map_add(struct map *m, struct map_node *n, uint64_t hash)
{
	struct map_node **head = &m->buckets[slot_of(m, hash)];
	n->hash = hash;
	n->next = *head;
	*head = n;
	m->count++;
}

void map_remove(struct map *m, struct map_node *n)
{
	struct map_node **link = &m->buckets[slot_of(m, n->hash)];
	while (*link && *link != n)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = n->next;
	n->next = NULL;
	m->count--;
}

/* http://www.isthe.com/chongo/tech/comp/fnv/ */
uint64_t map_hash(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < len; i++) {
		h ^= p[i];
		h *= UINT64_C(0x100000001b3);
	}
	return h;
}
