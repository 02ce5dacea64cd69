#include "export_shuffle.h"

#include <stdlib.h>

#include "base/err.h"

void export_shuffle_init(struct export_shuffle *s, uint64_t seed)
{
	s->state = seed;
	s->n = s->bytes = 0;
}

void export_shuffle_fini(struct export_shuffle *s)
{
	while (s->n > 0)
		free(s->lines[--s->n].bytes);
	s->bytes = 0;
}

/* splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): any seed is a good one. */
static uint64_t next(struct export_shuffle *s)
{
	uint64_t z = s->state += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t export_shuffle_random(struct export_shuffle *s, uint64_t bound)
{
	/* The values below 2^64 mod bound would make the small remainders likelier. */
	uint64_t least = (0 - bound) % bound, r;
	do
		r = next(s);
	while (r < least);
	return r % bound;
}

bool export_shuffle_full(const struct export_shuffle *s)
{
	return s->n == EXPORT_SHUFFLE_LINES || s->bytes > EXPORT_SHUFFLE_BYTES;
}

int export_shuffle_add(struct export_shuffle *s, struct span before, struct span item, struct span after)
{
	struct export_line line = {.len = before.len + item.len + after.len};
	line.bytes = malloc(line.len);
	if (line.bytes == NULL)
		return -ERR_SYSTEM;
	memcpy(line.bytes, before.ptr, before.len);
	memcpy(line.bytes + before.len, item.ptr, item.len);
	memcpy(line.bytes + before.len + item.len, after.ptr, after.len);
	s->lines[s->n++] = line;
	s->bytes += line.len;
	return 0;
}

struct export_line export_shuffle_draw(struct export_shuffle *s)
{
	size_t i = export_shuffle_random(s, s->n);
	struct export_line line = s->lines[i];
	s->lines[i] = s->lines[--s->n];
	s->bytes -= line.len;
	return line;
}
