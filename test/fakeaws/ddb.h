/*
 * ddb: DynamoDB and DynamoDB Streams, JSON protocol (Amazon DynamoDB API Reference). Handlers get the request's JSON
 * object and fill a reply; errors through ddb_error.
 */
#ifndef FAKEAWS_DDB_H
#define FAKEAWS_DDB_H

#include "model.h"
#include "request.h"

typedef void ddb_handler(struct fake *f, struct request *r, struct reply *a);

/* Sets service, op, json, and table, shard and key where the request names them. */
void ddb_identify(struct fake *f, struct request *r, const char *target);
void ddb_answer(struct fake *f, struct request *r, struct reply *a);
void ddb_error(struct reply *a, const char *code, const char *message);
/* Takes `body`. */
void ddb_json(struct reply *a, json_t *body);

/* A member of the request; "" when it is not a string. */
const char *ddb_text(const struct request *r, const char *name);
/* A whole number of least..most; false with an error answered. Absent: `otherwise`. */
bool ddb_number(const struct request *r, struct reply *a, const char *name, int64_t least, int64_t most,
		int64_t otherwise, int64_t *out);
/* The table that the request names, or NULL with ResourceNotFoundException. */
struct table *ddb_table(struct fake *f, const struct request *r, struct reply *a);

/* ddb_tables.c */
ddb_handler ddb_create_table, ddb_describe_table, ddb_update_table, ddb_delete_table, ddb_list_tables, ddb_describe_ttl;
/* ddb_items.c */
ddb_handler ddb_put_item, ddb_delete_item, ddb_get_item, ddb_batch_write, ddb_scan;
/* streams.c */
ddb_handler streams_list, streams_describe;
/* streams_read.c */
ddb_handler streams_iterator, streams_records;

/* What an iterator says: for ddb_identify. False when it is none of ours. */
struct iterator {
	unsigned stream;
	size_t shard, position;
	int64_t issued_ms;
	int type;
};
bool streams_parse_iterator(const char *text, struct iterator *out);
extern const char *const streams_iterator_types[4];

#endif
