/* schema: what is known of a table: from the table.json of its backup, or from the live table. */
#ifndef DDB_CLI_SCHEMA_H
#define DDB_CLI_SCHEMA_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/table.h"
#include "base/err.h"
#include "base/span.h"
#include "codec/itemkey.h"
#include "session.h"

/* All strings belong to `root`. Without a table.json everything is NULL and 0. */
struct schema {
	json_t *root;
	const json_t *table;	   /* the "Table" object of DescribeTable; NULL when only the key is known */
	const char *names[2];	   /* of the partition key and of the sort key (NULL: there is none) */
	const char *types[2];	   /* "S", "N", "B"; NULL: not known */
	size_t n;		   /* how many of these there are */
	const char *ttl_attribute; /* NULL: time to live is off, or not known */
	/* Lists, NULL when they are not known: ListTagsOfResource, DescribeScalableTargets, DescribeScalingPolicies. */
	const json_t *tags, *scalable_targets, *scaling_policies;
};

/*
 * The table.json of the session's table. Returns 0 (also when the bucket has none: sc->n is 0), or the exit code after
 * saying what is wrong. schema_fini in every case.
 */
int schema_load(struct session *s, struct schema *sc);
/* The same from text. -ERR_CORRUPT with what is missing. */
int schema_parse(struct span text, struct schema *sc, struct err *e);
/* Of a live table, whose time to live stays unknown. `d` may go afterwards. -ERR_CORRUPT, -ERR_SYSTEM. */
int schema_from_description(const struct table_description *d, struct schema *sc, struct err *e);
/*
 * Asks DynamoDB what keys the live table has, which must be those of `of_backup` when that knows its own. 0 or a negative
 * error; on success schema_fini.
 */
int schema_load_live(struct session *s, const char *table, const struct schema *of_backup, struct schema *sc,
		     struct err *e);
/* Only the names, in the order in which a key in DynamoDB's JSON has them. -ERR_INVALID for what is no such key. */
int schema_from_key(const char *text, struct schema *sc);
void schema_fini(struct schema *sc);

/* About how many items the table had when it was described last; 0: not known. */
uint64_t schema_item_count(const struct schema *sc);

/* -ERR_INVALID, with what differs, when the two have not the same key. */
int schema_same_key(const struct schema *a, const struct schema *b, struct err *e);

/* How the session's table names the object of an item with this key. Valid as long as both are. */
struct itemkey_schema schema_itemkey(const struct session *s, const struct schema *sc);

#endif
