/* change_print: what changed between two images of an item, for a person or for a machine. */
#ifndef DDB_CLI_CHANGE_PRINT_H
#define DDB_CLI_CHANGE_PRINT_H

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/span.h"

/*
 * One line a change: "+ name  value", "- name  value", "~ name  old -> new", and of a set its members that came and went:
 * "~ name  +{"a"} -{"b"}". `before` and `after` as for change_each.
 * Values are shown as change_show.h has it.
 *
 * Each line begins with `indent`. Lines are cut to `columns` (0: never) with an ellipsis, two long values so that the
 * first difference is seen. Errors of change_each; what `out` says to writing is the caller's to ask.
 */
int change_print_text(FILE *out, struct span before, struct span after, const char *indent, size_t columns,
		      struct err *e);

/*
 * {"added":{PATH:VALUE,...},"removed":{PATH:VALUE,...},"changed":{PATH:{"old":VALUE,"new":VALUE},...}} with DynamoDB's
 * values verbatim; a changed set has its members that came and went, too: "added":{"SS":[...]},"removed":{"SS":[...]}.
 */
int change_print_json(FILE *out, struct span before, struct span after, struct err *e);

/* The width of the terminal that is standard output; 0 when it is none. */
size_t change_columns(void);

#endif
