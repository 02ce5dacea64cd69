/*
 * source: the stream of a measurement: shards of equal length, whose pages are made before the first request, or as they
 * are asked for. Nothing is said of what a shard's reader did before: an iterator is "SHARD:POSITION".
 *
 * Each record is the change of an item of its own, but for the hot item: so many changes of it lie evenly between the others
 * of the first shard, or have that for themselves. Its number is that of records.
 */
#ifndef DDB_BENCH_SOURCE_H
#define DDB_BENCH_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct source_options {
	size_t records; /* but the hot item's; 0: there is nothing in the stream, ever */
	size_t shards, page_records, item_bytes;
	size_t hot;	    /* changes of the hot item */
	bool hot_alone;	    /* it has the first shard for itself */
	double per_s;	    /* not 0: so many records a second come to a shard, from the first question on ... */
	bool first_only;    /* ... to the first one; the others have theirs from the beginning */
	bool when_asked;    /* pages are made as they are asked for: hot and per_s need that */
	double event_gap_s; /* event times of a shard's records lie so far apart */
};

struct source;

/* Ends the program when memory is short, as do the others. */
struct source *source_new(const struct source_options *o);
void source_free(struct source *s);

/* The answer to GetRecords as `page`, which is the source's own, and its CRC. `lives`: the page lasts as long as the source, else
 * until the next call. False for an iterator that is not the source's. */
bool source_page(struct source *s, struct span question, int64_t now_ns, struct span *page, unsigned long *crc,
		 bool *lives);
/* Appends the answer to GetShardIterator. False for a shard that is not the source's. */
bool source_iterator(const struct source *s, struct span question, struct buf *out);
/* Appends the answer to DescribeStream, of a hundred shards at most. */
void source_describe(const struct source *s, struct span question, struct buf *out);

/* When item `number` came into the stream, and when it was handed out in a page. False when that is not kept of its shard, and for
 * what came before a second after each shard had been read once: connections are made then, and what is far behind is known. */
bool source_times(const struct source *s, size_t number, int64_t *came_ns, int64_t *handed_ns);

#endif
