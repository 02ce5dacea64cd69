/* key: from the key that an operator types to the name of the item's object. */
#ifndef DDB_CLI_KEY_H
#define DDB_CLI_KEY_H

#include "base/buf.h"
#include "options.h"
#include "session.h"

/*
 * Appends the item key (without the data path) of --key or --key-value, with --tenant's folder. The table's key schema
 * comes from its table.json; without one (a bucket of another tool), --key's first attribute is the partition key.
 * Returns 0, or the exit code after saying what is wrong.
 */
int key_resolve(struct session *s, const struct options *o, struct buf *out);

/* Appends an attribute map with --tenant's value in the table's tenant attribute; nothing without --tenant. As above. */
int key_tenant_image(const struct session *s, const struct options *o, struct buf *out);

#endif
