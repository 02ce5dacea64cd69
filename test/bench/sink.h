/*
 * sink: what the servers of a measurement answer: just enough of DynamoDB, DynamoDB Streams and S3 for one table and
 * one bucket. Everything is prepared before the first request. The records are in shards of equal length; each
 * GetRecords gives one page. Or they are the items of the table, which a Scan gives, and the stream has one shard with
 * nothing in it.
 */
#ifndef DDB_BENCH_SINK_H
#define DDB_BENCH_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backup.h"
#include "base/buf.h"
#include "base/span.h"
#include "whole.h"

struct sink_page {
	struct buf body;
	unsigned long crc;
};

struct sink {
	size_t records, shards, page_records, item_bytes;
	bool stored;  /* the bucket has the backup of all records; there is nothing in the stream */
	bool scanned; /* the table has all records */
	bool listed;  /* with `scanned`: the bucket has them, too */
	struct backup *backup;
	struct whole *whole;
	size_t pages_per_shard;
	struct sink_page *pages; /* shard after shard */
	uint8_t *seen;		 /* by item number */
	/* figures */
	size_t distinct, repeated, reads;
	size_t s3, dynamodb, streams; /* requests that came */
	int64_t first_ns, last_ns; /* of the first GetRecords (or PUT, when nothing was read) and the last new item */
	double cpu_s;		   /* of this process between the two */
};

struct sink_request {
	struct span method, path, header; /* header: all lines */
	struct span body;		  /* of a POST; a PUT's is not kept */
};

struct sink_answer {
	struct buf *out;  /* header, and a short body */
	struct span page; /* to be sent after it; len 0: nothing */
};

/* Ends the program when memory is short or a number makes no sense. */
void sink_init(struct sink *s);
void sink_fini(struct sink *s);
/* Appends to a->out. True when this request was the one that brought the last item. */
bool sink_answer(struct sink *s, const struct sink_request *r, struct sink_answer *a);

#endif
