/* narrow: the part of a table that is asked for by --key, --key-value, --hash, --prefix and --tenant. */
#ifndef DDB_CLI_NARROW_H
#define DDB_CLI_NARROW_H

#include <stdbool.h>

#include "base/buf.h"
#include "options.h"
#include "session.h"

struct narrow {
	struct buf prefix; /* that the keys of the items' objects begin with, or with `exact` the key */
	bool exact;
	/* Only items whose partition key has this value, where the objects' names do not tell; NULL: any. */
	char *hash_name;
	struct buf hash_value; /* {"S":"x"} as in an item */
};

/* At most one of the options may be given. 0 or the exit code after saying what is wrong. */
int narrow_usage(const struct options *o);
/* Afterwards narrow_fini, in every case. Returns 0, or the exit code after saying what is wrong. */
int narrow_init(struct narrow *n, struct session *s, const struct options *o);
void narrow_fini(struct narrow *n);
/* Is it less than the whole table? */
bool narrow_is_part(const struct narrow *n);
/* Does the item, a canonical attribute map, belong to it? What its name tells was seen to by the prefix. */
bool narrow_has(const struct narrow *n, struct span item);

#endif
