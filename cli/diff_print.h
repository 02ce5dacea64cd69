/* diff_print: what is printed of an item that differs between two states. */
#ifndef DDB_CLI_DIFF_PRINT_H
#define DDB_CLI_DIFF_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "schema.h"

struct diff_rows {
	const struct schema *schema;
	const char *folder; /* that the objects of the table lie in */
	bool names_tell;    /* the name of an object is its item's key */
	bool json, detail;
	size_t columns;	      /* see change_print_text */
	struct buf key, line; /* scratch */
	uint64_t added, changed, removed;
};

struct diff_row {
	struct span object;   /* its name below the folder */
	bool before, after;   /* was there, is there */
	struct span old, new; /* canonical; empty when they are not there, or not needed */
};

void diff_rows_init(struct diff_rows *r);
void diff_rows_fini(struct diff_rows *r);
/* Is a body needed for what is printed, whatever the other one is? */
bool diff_rows_want(const struct diff_rows *r);
/* To standard output; counts it. 0, -ERR_SYSTEM, -ERR_CORRUPT. */
int diff_row_print(struct diff_rows *r, const struct diff_row *row, struct err *e);

#endif
