/*
 * ddb: DynamoDB and DynamoDB Streams, JSON protocol (Amazon DynamoDB API Reference), and Application Auto Scaling, which
 * speaks the same. Handlers get the request's JSON
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

/* The same, but it must be ACTIVE, too: what concerns items does not see another. */
struct table *ddb_active_table(struct fake *f, const struct request *r, struct reply *a);

#define DDB_TABLE_ARN "arn:aws:dynamodb:" FAKE_REGION ":" FAKE_ACCOUNT ":table/"

/* ddb_schema.c: a new table as CreateTable's or ImportTable's parameters have it. */
/* NULL, or why there can be no such table (malloc'd). */
char *schema_check(const json_t *params);
/* Makes it the table's schema. schema_check found it good. */
void schema_take(struct table *t, const json_t *params);

/* ddb_tables.c */
ddb_handler ddb_create_table, ddb_describe_table, ddb_update_table, ddb_delete_table, ddb_list_tables;
/* A new table, without a stream and not there yet (`exists`); NULL with an error answered. */
struct table *ddb_make_table(struct fake *f, const json_t *params, struct reply *a);
bool ddb_is_active(const struct fake *f, const struct table *t);
/* False with ResourceInUseException while it is being created. */
bool ddb_settled_table(const struct fake *f, const struct table *t, struct reply *a);

/* ddb_ttl.c: time to live, and tags */
ddb_handler ddb_describe_ttl, ddb_update_ttl, ddb_list_tags, ddb_tag, ddb_untag;

/* ddb_items.c */
ddb_handler ddb_put_item, ddb_delete_item, ddb_get_item;
/* An item as DynamoDB would keep it, and its history; NULL with an error answered. */
struct image *ddb_take_item(struct table *t, const json_t *item, struct history **h, struct reply *a);
/* The keys that a Key or an ExclusiveStartKey is, a new reference; NULL with an error answered. */
json_t *ddb_take_key(const struct table *t, const json_t *key, struct reply *a);
/* True with an error answered when the request has an expression that nobody here knows; NULL: none but these. */
bool ddb_refuse_expressions(const struct request *r, struct reply *a, bool query);
/* ddb_batch.c */
ddb_handler ddb_batch_write;
/* ddb_read.c */
ddb_handler ddb_scan, ddb_query;
/* ddb_import.c */
ddb_handler ddb_import_table, ddb_describe_import;
/* scaling.c */
ddb_handler scaling_register, scaling_deregister, scaling_describe_targets, scaling_put_policy, scaling_delete_policy,
	scaling_describe_policies;
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
