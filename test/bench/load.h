/*
 * load: what the measurements move: items of a table "items", made from their number, so that the source, the
 * reference and the sink agree on them without talking. The records are as DynamoDB Streams gives them.
 */
#ifndef DDB_BENCH_LOAD_H
#define DDB_BENCH_LOAD_H

#include <stddef.h>

#include "base/buf.h"

#define LOAD_REGION "us-east-1"
#define LOAD_TABLE "items"
#define LOAD_BUCKET "bench"
#define LOAD_LABEL "2026-01-01T00:00:00.000"
#define LOAD_STREAM_ARN "arn:aws:dynamodb:" LOAD_REGION ":000000000000:table/" LOAD_TABLE "/stream/" LOAD_LABEL
/* Of the item's number, which has so many digits in each. */
#define LOAD_DIGITS 12
#define LOAD_KEY_FORMAT "item-%012zu"
#define LOAD_VERSION_FORMAT "kqtJlcpXroDTDmJrmSpX%012zu"
/* When a version was stored, and its change made. */
#define LOAD_STORED_ISO "2026-01-01T00:00:00.000Z"
#define LOAD_STORED_HTTP "Thu, 01 Jan 2026 00:00:00 GMT"
#define LOAD_ACCESS_KEY "AKIABENCHBENCHBENCH0"
#define LOAD_SECRET_KEY "bench/bench/bench/bench/bench/bench/ben0"

/* Appends the image of an item, members not in canonical order, of about `bytes` (at least 100), which compresses about
 * as prose does. Ends the program when memory is short, as all functions here do. */
void load_image(struct buf *out, size_t number, size_t bytes);

/* Appends one INSERT record of item `number`, event time `event_s`; its sequence number is that of `position`. */
void load_record(struct buf *out, size_t number, size_t position, size_t bytes, long event_s);

/* The sequence number of a position in the stream, and the name of a shard. */
void load_seq(char out[32], size_t position);
void load_shard(char out[64], size_t shard);

#endif
