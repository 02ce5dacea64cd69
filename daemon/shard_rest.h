/* shard_rest: what the files of a shard share: its moves, its rests and what follows a request. */
#ifndef DDB_SHARD_REST_H
#define DDB_SHARD_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard.h"

/* Moves along the table of allowed moves; stops the process on any other. */
void shard_move(struct shard *s, enum shard_state to);
/* The shard has ended: finishes once everything that was read of it is durable. */
void shard_drain(struct shard *s);

/* Resting now: polls after `delay_ms`, at once with 0. */
void shard_rest(struct shard *s, int64_t delay_ms);
/* A page of so many records and bytes is full: there is more where it came from. */
bool shard_page_is_full(const struct shard *s, size_t records, size_t bytes);
/* A page was read well, with `records` in it: sets pace and tip, and rests. */
void shard_rest_after_page(struct shard *s, size_t records, size_t bytes);
/* A request failed (s->err tells): decides what is tried next, and rests. */
void shard_rest_after_failure(struct shard *s);

#endif
