/*
 * change_show: attribute values for a person: as JSON without DynamoDB's letters, "text", 12.50, true, null, {"map":1},
 * [1,"list"]; sets as {"a","b"} or {1,2}, and binary as B"AQI=", in base64. What a terminal would take for a command is
 * shown as \u009b and the like; so nothing shown here holds one.
 */
#ifndef DDB_CLI_CHANGE_SHOW_H
#define DDB_CLI_CHANGE_SHOW_H

#include "base/buf.h"
#include "base/span.h"

/* Each appends to `out`; errors of buf_append, and -ERR_CORRUPT for what is no attribute value or no map of them. */
int change_show_value(struct buf *out, struct span value);
int change_show_map(struct buf *out, struct span map);
/* Any text, as it is otherwise. */
int change_show_text(struct buf *out, struct span text);
/* The same for a number, or a set's member that is one: without its quotes. */
int change_show_number(struct buf *out, struct span text);
/* The same for base64 in its quotes. */
int change_show_binary(struct buf *out, struct span text);

#endif
