/*
 * options: how a table and its stream behave; see DESIGN for what each means. Set by control, by name, at any time.
 */
#ifndef FAKEAWS_OPTIONS_H
#define FAKEAWS_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum child_filter { CHILD_HONOUR, CHILD_REFUSE, CHILD_IGNORE };
enum shard_order { ORDER_AGE, ORDER_CHILD_FIRST };
enum page_cursor { CURSOR_RIGHT, CURSOR_EMPTY, CURSOR_REPEAT, CURSOR_ROUND };
enum time_format { TIME_SECONDS, TIME_FRACTION, TIME_EXPONENT, TIME_ABSENT };
enum identity { IDENTITY_LOWER, IDENTITY_UPPER };

struct options {
	int64_t shards; /* of a new stream */
	int64_t describe_page, describe_calls_per_s;
	int child_filter, order, cursor;
	bool adjacent; /* merged children tell of both parents */
	bool odd_ids;  /* shard ids with blanks and colons */
	int64_t child_empty, empty_pages, repeated_pages;
	bool last_page_empty; /* a closed shard's records come with a further iterator, and one empty page ends it */
	int64_t page_records, page_bytes;
	int64_t iterator_ms, retention_ms;
	int64_t shard_calls_per_s;
	int crc;
	bool gzip, gzip_unasked;
	int time;
	int identity;
	bool unknown_fields;
	int64_t seq_digits;
	int64_t create_ms, ttl_ms;		      /* CREATING; ENABLING and DISABLING of TTL */
	int64_t write_units_per_s, read_units_per_s;  /* 0: no limit */
	int64_t unprocessed_percent, unprocessed_nth; /* of the writes of batches come back; 0: none */
	int64_t read_empty_nth;			      /* page of Scan and Query has no items; 0: none */
	int64_t read_lag_ms;			      /* reads that are not consistent are so far behind */
	int64_t record_lag_ms;			      /* so long after a change its record can be read */
	bool lose_records;			      /* changes give none */
	int64_t import_calls;			      /* of DescribeImport tell that it is still in progress */
};

void options_init(struct options *o);
/* Sets each option that `values` has a member for. NULL, or what is wrong (malloc'd). Nothing is set then. */
char *options_set(struct options *o, const json_t *values);
/* All of them, as options_set takes them. */
json_t *options_json(const struct options *o);

#endif
