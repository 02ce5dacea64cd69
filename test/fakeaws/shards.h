/*
 * shards: the lineage of a stream. Open shards always divide the ring of places without gap or overlap.
 */
#ifndef FAKEAWS_SHARDS_H
#define FAKEAWS_SHARDS_H

#include "model.h"

/* `n` open shards for a new stream. */
void shards_create(struct fake *f, struct stream *s, unsigned n);
/* The open shard of that place. */
struct shard *shards_of_place(const struct stream *s, uint64_t place);
struct shard *shards_find(const struct stream *s, const char *id);
void shards_close(struct fake *f, struct shard *p);
/* Closes an open shard and opens one child of the same places, or two of half of them each. The first child. */
struct shard *shards_rotate(struct fake *f, struct shard *p);
struct shard *shards_split(struct fake *f, struct shard *p);
/* Closes two neighbours and opens one child of `a`; NULL when they are not neighbours. */
struct shard *shards_merge(struct fake *f, struct shard *a, struct shard *b);
/* A further open shard that is told to be a child of `p`, which stays open: the places of `p` go to it. */
struct shard *shards_child_of_open(struct fake *f, struct shard *p);
/* Trims the first `records` that are not trimmed yet. */
void shards_trim(struct shard *p, size_t records);
/* Trims what is older than the retention, and closed shards that are empty and as old. */
void shards_age(struct fake *f, struct stream *s);

#endif
