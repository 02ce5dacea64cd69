/*
 * live_scan: walks the items of a live table: by a parallel Scan, or one partition of it by a Query; with consistent reads,
 * under a cap of read units a second. Fills a list of them (base/etagset.h), or just shows them.
 *
 * Not from a callback of the loop, which it runs. Memory: a page of a few MB for each segment.
 */
#ifndef DDB_CLI_LIVE_SCAN_H
#define DDB_CLI_LIVE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws.h"
#include "base/err.h"
#include "base/etagset.h"
#include "base/span.h"
#include "codec/digest.h"
#include "schema.h"
#include "session.h"

#define LIVE_SCAN_SEGMENTS 4
#define LIVE_SCAN_SEGMENTS_MAX 16

/* Valid during the call only. */
struct live_item {
	struct span item;	      /* canonical */
	struct span keys;	      /* canonical */
	struct span s3_key;	      /* of its object, behind the table's data path */
	uint8_t md5[DIGEST_MD5_SIZE]; /* of `item` */
};

struct live_scan_figures {
	uint64_t items; /* that were looked at */
	uint64_t taken;
	uint64_t bytes; /* of answers */
	double units;	/* read units, as the server told or else as counted here */
	uint64_t throttles;
};

struct live_scan_options {
	struct session *session; /* whose signals count, and whose table names the objects */
	struct aws *aws;	 /* on the session's loop */
	const char *table;
	const struct schema *schema; /* of that table */
	struct span hash_value;	     /* {"S":"x"}: only items with this partition key; empty: all */
	unsigned segments;	     /* 0: LIVE_SCAN_SEGMENTS */
	double units_per_s;	     /* 0: as fast as the table takes it */
	struct etagset *into;	     /* NULL: none */
	/* 1: it is wanted; 0: not; negative with *e: the scan ends with that. NULL: every item is. */
	int (*each)(const struct live_item *item, void *arg, struct err *e);
	/* false: begin no further page now; asked again in a moment. NULL: always. */
	bool (*ready)(void *arg);
	void (*progress)(const struct live_scan_figures *figures, void *arg); /* after each page; may be NULL */
	void *arg;
};

/*
 * Returns 0 or the error that ended it; -ERR_CANCELLED after a signal. Two items with the same object name (key format
 * plain) are -ERR_CONFLICT, when they go into a list. *figures is filled in every case.
 */
int live_scan(const struct live_scan_options *o, struct live_scan_figures *figures, struct err *e);

#endif
