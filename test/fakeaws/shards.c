#include "shards.h"

#include <stdio.h>
#include <string.h>

#include "fake.h"
#include "mem.h"
#include "rng.h"

static struct shard *open_shard(struct fake *f, struct stream *s, struct shard *parent, uint64_t low, uint64_t high)
{
	struct shard *p = mem_new(sizeof(*p));
	struct options *o = &s->table->options;
	int64_t now_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);

	p->stream = s;
	p->parent = parent;
	p->low = low;
	p->high = high;
	p->opened_ms = now_ms;
	p->start_seq = model_next_seq(f, s->table);
	p->empty_pages = (unsigned)o->empty_pages;
	p->child_empty = (unsigned)o->child_empty;
	/* As AWS: 20 digits of time, and 8 that tell shards apart. 28 to 65 bytes. */
	p->id = mem_printf(o->odd_ids ? "shard id: %020lld : %08x" : "shardId-%020lld-%08x", (long long)now_ms,
			   (unsigned)(rng_next(&f->rng) >> 44 << 12 | (s->n & 0xfff)));
	mem_reserve(&s->shards, &s->cap, s->n + 1, sizeof(*s->shards));
	s->shards[s->n++] = p;
	return p;
}

void shards_create(struct fake *f, struct stream *s, unsigned n)
{
	uint64_t step = UINT64_MAX / n;
	for (unsigned i = 0; i < n; i++)
		open_shard(f, s, NULL, i * step, i + 1 == n ? UINT64_MAX : (i + 1) * step - 1);
}

struct shard *shards_of_place(const struct stream *s, uint64_t place)
{
	/* The youngest first: of a parent and a child that are both open, the child takes what comes. */
	for (size_t i = s->n; i-- > 0;) {
		struct shard *p = s->shards[i];
		if (!p->end_seq && p->low <= place && place <= p->high)
			return p;
	}
	return s->shards[s->n - 1];
}

struct shard *shards_find(const struct stream *s, const char *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->shards[i]->id, id) == 0)
			return s->shards[i];
	return NULL;
}

void shards_close(struct fake *f, struct shard *p)
{
	p->end_seq = p->n ? mem_dup(p->records[p->n - 1]->seq) : model_next_seq(f, p->stream->table);
	p->closed_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
}

struct shard *shards_rotate(struct fake *f, struct shard *p)
{
	shards_close(f, p);
	return open_shard(f, p->stream, p, p->low, p->high);
}

struct shard *shards_split(struct fake *f, struct shard *p)
{
	uint64_t middle = p->low + (p->high - p->low) / 2;

	shards_close(f, p);
	struct shard *first = open_shard(f, p->stream, p, p->low, middle);
	open_shard(f, p->stream, p, middle + 1, p->high);
	return first;
}

/* The last shard ends at the highest number there is: behind it comes nobody, least of all the first one. */
static bool borders(const struct shard *a, const struct shard *b)
{
	return a->high != UINT64_MAX && a->high + 1 == b->low;
}

struct shard *shards_merge(struct fake *f, struct shard *a, struct shard *b)
{
	if (a->stream != b->stream || (!borders(a, b) && !borders(b, a)))
		return NULL;
	shards_close(f, a);
	shards_close(f, b);
	struct shard *child =
		open_shard(f, a->stream, a, a->low < b->low ? a->low : b->low, a->high > b->high ? a->high : b->high);
	child->adjacent = b;
	return child;
}

struct shard *shards_child_of_open(struct fake *f, struct shard *p)
{
	return open_shard(f, p->stream, p, p->low, p->high);
}

void shards_trim(struct shard *p, size_t records)
{
	while (records-- && p->first < p->n)
		p->records[p->first++]->trimmed = true;
}

void shards_age(struct fake *f, struct stream *s)
{
	int64_t before_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB) - s->table->options.retention_ms;

	for (size_t i = 0; i < s->n; i++) {
		struct shard *p = s->shards[i];
		while (p->first < p->n && p->records[p->first]->time_ms < before_ms)
			shards_trim(p, 1);
		if (p->end_seq && p->first == p->n && p->closed_ms < before_ms)
			p->gone = true;
	}
	if (s->status == STREAM_DISABLED && s->n && s->shards[s->n - 1]->gone)
		s->gone = true;
}
