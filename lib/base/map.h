/*
 * map: an intrusive hash map: nodes live in the things that are mapped, so that adding allocates nothing.
 * Chains; the bucket array is sized by map_reserve and never shrinks.
 */
#ifndef DDB_BASE_MAP_H
#define DDB_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
	struct map_node *next;
	uint64_t hash;
};

struct map {
	struct map_node **buckets; /* power of two */
	size_t nbuckets;
	size_t count;
};

/* True when node `n` holds `key`. Called for equal hashes only. */
typedef bool map_eq_fn(const struct map_node *n, const void *key);

void map_init(struct map *m);
/* Frees the buckets, not the nodes. */
void map_fini(struct map *m);
/* Makes room for `count` nodes in all. 0 or -ERR_SYSTEM. */
int map_reserve(struct map *m, size_t count);
struct map_node *map_find(const struct map *m, uint64_t hash, map_eq_fn *eq, const void *key);
/* Adds without looking for a double. map_reserve must have succeeded at least once. */
void map_add(struct map *m, struct map_node *n, uint64_t hash);
/* Takes out a node that is in the map. */
void map_remove(struct map *m, struct map_node *n);
/* FNV-1a, for strings that come from configuration or AWS. */
uint64_t map_hash(const void *bytes, size_t len);

#endif
