/*
 * model: tables, their streams, shards and records, and every item's history: the truth that a backup is held against.
 * A table lives on under its name when it is deleted, with its streams and histories, as AWS keeps streams for a day
 * and a backup keeps versions for ever. Nothing here is freed before the process ends, except images.
 */
#ifndef FAKEAWS_MODEL_H
#define FAKEAWS_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "options.h"

/* Attributes as JSON text in the order in which they were written. Shared: the new image of one record is the old of the next. */
struct image {
	unsigned refs;
	size_t bytes; /* as DynamoDB counts them */
	size_t len;
	char text[];
};

struct image *image_new(const json_t *attributes);
struct image *image_ref(struct image *i); /* NULL gives NULL */
void image_unref(struct image *i);

enum event { EVENT_INSERT, EVENT_MODIFY, EVENT_REMOVE };
const char *event_name(enum event e);

struct record {
	struct record *next; /* of the same item */
	struct shard *shard;
	struct history *item;
	char *seq;
	int64_t time_ms;
	enum event event;
	bool ttl, trimmed;
	struct image *keys, *new_image, *old_image; /* images may be NULL */
};

/* What an item was until some moment. */
struct past {
	struct past *next;
	struct image *image; /* NULL: there was no such item */
	int64_t until_ms;
};

/* One primary key of one table, for ever. */
struct history {
	struct map_node node;
	size_t number;	 /* in the table's list */
	char *keys_text; /* canonical */
	uint64_t place;	 /* in the ring of hashes that shards divide */
	struct image *keys;
	struct image *now; /* NULL: there is no such item */
	struct past *past; /* what it was, for reads that lag behind; oldest first */
	struct record *first, *last;
	size_t records;
};

struct shard {
	struct stream *stream;
	char *id;
	struct shard *parent, *adjacent; /* NULL: none */
	uint64_t low, high;		 /* places, both included */
	char *start_seq, *end_seq;	 /* end_seq NULL: open */
	int64_t opened_ms, closed_ms;
	bool hidden;   /* DescribeStream does not tell of it, and GetShardIterator does not know it */
	bool unlisted; /* DescribeStream does not tell of it */
	bool gone;     /* trimmed away with all that it held */
	struct record **records;
	size_t n, cap, first; /* records before `first` are trimmed */
	unsigned empty_pages; /* that are still to be given */
	unsigned child_empty; /* answers to CHILD_SHARDS that are still to be empty */
	int64_t window_ms;    /* of the call limit */
	unsigned calls;
	/* audit */
	uint64_t reads, iterators[4];
};

enum stream_status { STREAM_ENABLING, STREAM_ENABLED, STREAM_DISABLING, STREAM_DISABLED };
const char *stream_status_name(enum stream_status s);

struct stream {
	struct table *table;
	unsigned number; /* of all streams of the server, for iterators */
	char *arn, *label, *view;
	json_t *key_schema; /* the table's when the stream was made; a table of the same name may get another */
	enum stream_status status;
	int64_t created_ms;
	bool gone; /* ListStreams and all else know it no more */
	struct shard **shards;
	size_t n, cap;
};

/* A secondary index: what an item must keep to that has its keys. */
struct index {
	char *name, *names[2]; /* of the index; of its hash and range attributes, NULL: no range */
	char types[2];
};

/* Units a second: see capacity.h. */
struct meter {
	double left;
	int64_t at_ms; /* when so much was left; 0: never asked */
};

struct table {
	char *name, *id;
	bool exists, deletion_protected, importing;
	int64_t created_ms;
	char *hash_name, *range_name, hash_type, range_type; /* range_name NULL: none */
	json_t *description;				     /* what DescribeTable tells that does not change */
	json_t *tags;					     /* a list; NULL: none */
	struct index *indexes;
	size_t nindexes;
	char *ttl_attribute; /* NULL: it never had one */
	bool ttl_on;
	int64_t ttl_changed_ms;
	struct meter writes_left, reads_left;
	uint64_t nwrites, nreads;	      /* writes of batches, pages of Scan and Query: for faults by number */
	char *import_failure, *import_reason; /* of the next import; NULL: it succeeds */
	struct stream *stream;		      /* the latest, NULL: never had one */
	struct stream **streams;
	size_t nstreams, streams_cap;
	struct map items; /* struct history by keys_text */
	struct history **list;
	size_t nitems, items_cap;
	uint64_t nrecords;
	unsigned __int128 last_seq;
	struct options options;
};

struct fake;

/* NULL when there is none of the name; `exists` may be false. */
struct table *model_table(struct fake *f, const char *name);
/* Its entry under this name, made when there is none. */
struct table *model_table_make(struct fake *f, const char *name);
struct stream *model_stream(struct fake *f, const char *arn);
/* The history of these keys (attribute map), made when `make`. */
struct history *model_item(struct table *t, const json_t *keys, bool make);
/* A new stream for the table, ENABLED, with `shards` shards that divide the ring evenly. */
struct stream *model_stream_new(struct fake *f, struct table *t, const char *view, unsigned shards);
/* Closes every shard and leaves it readable. */
void model_stream_disable(struct fake *f, struct stream *s);

/*
 * Makes `now` (NULL: none) the item's state, and appends the record of it to the shard that its place belongs to, if the
 * table has a stream and there is a change. Takes `now`. The record, or NULL.
 */
struct record *model_write(struct fake *f, struct table *t, struct history *item, struct image *now, bool ttl);
/* The item as a read sees it: as it is, or if the read is not consistent, as it was the table's read_lag_ms ago. */
const struct image *model_read(const struct fake *f, const struct table *t, const struct history *item,
			       bool consistent);
/* Appends a record that says what the caller wants; takes the images. `seq` NULL: the next one. */
struct record *model_record(struct fake *f, struct shard *s, struct history *item, enum event event,
			    struct image *old_image, struct image *new_image, const char *seq, int64_t time_ms,
			    bool ttl);
/* A fresh number, larger than every one before. */
char *model_next_seq(struct fake *f, struct table *t);
/* Sequence numbers are compared as numbers: <0, 0, >0. */
int model_compare_seq(const char *a, const char *b);

#endif
