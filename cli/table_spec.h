/*
 * table_spec: from what DescribeTable told of a table to the request that makes such a table again under another name
 * (Amazon DynamoDB API Reference: TableDescription, CreateTable, TableCreationParameters). Pure.
 *
 * Taken over: key, attributes in use, secondary indexes, billing mode with its units or limits, stream, encryption, table
 * class, deletion protection, tags. Time to live and auto scaling (scaling_spec.h) take other requests. Alarms, resource
 * policies, Kinesis destinations and point-in-time recovery are in no table.json.
 *
 * Encryption: a table with an AWS owned key gets one again. Which of the account's KMS keys are AWS managed a description
 * does not tell, so the new table gets the very key of the old one, whoever manages it; but not in another region, where
 * that key does not exist: there it gets the account's AWS managed key, and a note.
 */
#ifndef DDB_CLI_TABLE_SPEC_H
#define DDB_CLI_TABLE_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

#define TABLE_SPEC_NOTES 32

struct table_spec {
	struct span request; /* JSON, NUL-terminated */
	/* What the new table will not have of the old one, and why: lines for a person. */
	char *notes[TABLE_SPEC_NOTES];
	size_t nnotes;
	bool lacks_local_indexes; /* which cannot be added to a table afterwards */
	bool lacks_stream;	  /* which the old one had */
};

/*
 * `table` is the "Table" object of a table.json, `name` and `region` those of the table to be made. -ERR_CORRUPT for a
 * table.json that lacks something, with the member's name; -ERR_SYSTEM. table_spec_fini on success.
 */
int table_spec_create(const json_t *table, const char *name, const char *region, struct table_spec *out, struct err *e);
/*
 * The same for ImportTable, which takes no local secondary indexes, stream, table class or deletion protection: each that
 * the old table had is in the notes.
 */
int table_spec_import(const json_t *table, const char *name, const char *region, struct table_spec *out, struct err *e);
/*
 * Adds tags, a list of {"Key","Value"} (table_spec_tags), to the request of a table_spec_create. -ERR_SYSTEM, and then the
 * request stays as it was.
 */
int table_spec_tag(struct table_spec *spec, const json_t *tags, struct err *e);
/* Those of the tags that anybody may set: not AWS's own. A new reference; NULL when there is none, or no memory. */
json_t *table_spec_tags(const json_t *tags);
void table_spec_fini(struct table_spec *spec);

#endif
