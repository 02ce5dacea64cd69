/*
 * daemon_fixture: a daemon with one table on a real loop and without a network: no reader and no worker is free, so a
 * shard that wants to read stays in the queue, and the test plays the part of both.
 */
#ifndef DDB_TEST_DAEMON_FIXTURE_H
#define DDB_TEST_DAEMON_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon.h"

struct daemon_fixture {
	struct daemon d;
	struct config conf;
	struct config_table conf_table;
	struct table t;
};

/* Fails the test on an error. */
struct daemon_fixture *daemon_fixture_new(void);
/* Every stream that is still in the table's list goes with it. */
void daemon_fixture_free(struct daemon_fixture *f);

/* A stream in the table's list: the active one, whose turn has come. */
struct stream *daemon_fixture_stream(struct daemon_fixture *f, const char *label);

/* The one shard of the stream, in the middle of a request. */
struct shard *daemon_fixture_shard(struct stream *st);

/* One record of an answer. */
struct daemon_record {
	const char *op;	   /* INSERT, MODIFY, REMOVE */
	const char *id;	   /* of the item */
	const char *image; /* members of the image beside the key, with a comma before them; NULL: none */
	uint64_t seq;
	int64_t event_s; /* 0: not told */
};

/* An answer of GetRecords with these records, and a next iterator unless `last`. In `out`, which is empty. */
void daemon_fixture_page(struct buf *out, const struct daemon_record *records, size_t n, bool last);
/* The same as a batch of its own. */
struct batch *daemon_fixture_batch(struct daemon_fixture *f, const struct daemon_record *records, size_t n);
/* The same as read by the shard: the batch is its newest, and counts in the table's memory. */
struct batch *daemon_fixture_read(struct daemon_fixture *f, struct shard *s, const struct daemon_record *records,
				  size_t n);
/* S3 has the record. It, and its batch, may be gone afterwards. */
void daemon_fixture_acknowledge(struct record *r);

/* The shard's state is as after a request was begun: it was waiting or resting before. */
void daemon_fixture_reading(struct shard *s);

#endif
