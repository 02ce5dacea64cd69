/*
 * stream: the shards of one stream (one ARN) and their lineage (I3).
 * A table has one stream after another: enabling a stream anew gives a new ARN.
 */
#ifndef DDB_STREAM_H
#define DDB_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "aws/streams.h"
#include "base/err.h"
#include "base/map.h"
#include "codec/itemkey.h"
#include "position.h"
#include "shard.h"

struct table;

struct stream {
	TAILQ_ENTRY(stream) link; /* of its table, oldest label first */
	struct table *table;
	char *arn, *label;
	struct map by_id;
	struct shard_list shards;
	size_t nshards;
	char *hash_name, *range_name; /* of its own key schema: the table may have been made anew with another */
	struct itemkey_schema schema;
	bool settled;	   /* no shard has finished since the last whole sweep began */
	bool finish_seen;  /* one has, since the sweep in progress began */
	bool started;	   /* its turn has come: shards may be read */
	bool swept;	   /* described in full at least once by this process */
	bool known_before; /* the checkpoint or the watermark knows it: `latest` no longer applies */
	bool drained;
	bool gone;	  /* the server no longer knows it */
	unsigned missing; /* answers in a row that it does not */
	enum streams_status status;
	int64_t swept_ms; /* wall time when the last good sweep began */
};

TAILQ_HEAD(stream_list, stream);

struct stream *stream_new(struct table *t, const char *arn, const char *label);
/* Frees its shards too. */
void stream_free(struct stream *st);
struct shard *stream_find(const struct stream *st, const char *id);

/* Takes over what a checkpoint or watermark knows. 0 or -ERR_SYSTEM. */
int stream_restore(struct stream *st, const struct position_stream *p);

/*
 * Merges one complete description (all pages): new shards join, shards that are listed no more are finished or trimmed.
 * `whole` false: only the children of one shard were described. Then starts what may be read.
 */
int stream_merge(struct stream *st, const struct streams_shard *shards, size_t n, bool whole, struct err *e);

/* The key schema that DescribeStream told; without one (NULL) the table's counts. 0 or -ERR_SYSTEM. */
int stream_set_keys(struct stream *st, const char *hash_name, const char *range_name);
/* A whole sweep of the stream begins now. Before its first page. */
void stream_sweep_begins(struct stream *st);
/* A finished shard has a child, and no whole sweep since its end has told whether it has another. */
bool stream_has_unsettled(const struct stream *st);
/* Some shard was not listed by the last sweep: a further one tells whether it is gone. */
bool stream_has_unlisted(const struct stream *st);
/* Every record of it with an event time up to this has been read and is durable, as surely as can be told. */
bool stream_is_past(const struct stream *st, int64_t event_ms);
/* The server knows it after all: it is read again. */
void stream_revive(struct stream *st);

/* Its turn has come (older streams are drained): starts every shard whose parents are done. */
void stream_start(struct stream *st);
/* A shard has finished: starts its children if they are known, else has them looked for. */
void stream_shard_finished(struct stream *st, struct shard *s);
/* Looks whether the stream is drained: status no longer ENABLED (or gone), every shard finished. */
bool stream_check_drained(struct stream *st);
/* The finished shard whose children are still to be looked for, NULL when there is none. */
struct shard *stream_childless(const struct stream *st);
/* The server no longer knows the stream: everything unread is a gap. */
void stream_gone(struct stream *st);

#endif
