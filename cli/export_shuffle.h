/*
 * export_shuffle: a pool of lines that come out in random order, so that what has adjacent keys does not lie side by side:
 * an import that reads sorted items writes to one partition after the other. The order is the seed's alone.
 */
#ifndef DDB_CLI_EXPORT_SHUFFLE_H
#define DDB_CLI_EXPORT_SHUFFLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define EXPORT_SHUFFLE_LINES 4096
#define EXPORT_SHUFFLE_BYTES ((size_t)3 << 20)

struct export_line {
	char *bytes;
	size_t len;
};

struct export_shuffle {
	uint64_t state; /* of the generator */
	size_t n, bytes;
	struct export_line lines[EXPORT_SHUFFLE_LINES];
};

void export_shuffle_init(struct export_shuffle *s, uint64_t seed);
void export_shuffle_fini(struct export_shuffle *s);
/* Uniform in [0, bound), bound > 0. */
uint64_t export_shuffle_random(struct export_shuffle *s, uint64_t bound);
/* Lines must be drawn before the next one can be added. */
bool export_shuffle_full(const struct export_shuffle *s);
/* A line of three pieces, which are copied. Not when it is full. 0 or -ERR_SYSTEM. */
int export_shuffle_add(struct export_shuffle *s, struct span before, struct span item, struct span after);
/* One at random, which is the caller's to free. Not when it is empty. */
struct export_line export_shuffle_draw(struct export_shuffle *s);

#endif
