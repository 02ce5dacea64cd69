/*
 * change: what changed between two images of an item, attribute by attribute, inside of maps and lists down to the leaf.
 * Pure, and holds nothing but the path that it is at and the elements of the lists above it.
 *
 * A path is an attribute's name and what follows inside of it: address.city, tags[2]. A name that would be taken for
 * something else stands as ["a.b"], with JSON's escapes. Lists are compared without what both begin and end with, so
 * that an element more is one change; what lies between is compared element by element. Of what was removed the number is
 * that of the old list, else of the new one.
 */
#ifndef DDB_CLI_CHANGE_H
#define DDB_CLI_CHANGE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

enum change_kind { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_CHANGED, CHANGE_KINDS };

struct change {
	enum change_kind kind;
	struct span path;
	struct span before, after; /* attribute values such as {"N":"1"}, verbatim; empty where there is none */
	bool set;		   /* both are sets of the same type: change_members tells more */
};

/* What `change` points to lives during the call. A negative result ends the walk and is returned. */
typedef int change_fn(void *arg, const struct change *c);

/*
 * Calls `each` for every change from `before` to `after`, in the order of the names. Both are attribute maps in canonical
 * form (codec/canon.h), or empty for an item that is not there. -ERR_CORRUPT for anything else, -ERR_SYSTEM.
 */
int change_each(struct span before, struct span after, change_fn *each, void *arg, struct err *e);

/* `member` is a set's member as JSON text, with its quotes. */
typedef int change_member_fn(void *arg, struct span member);

/*
 * Of a change with `set`: calls `each` for every member that came (`which` CHANGE_ADDED) or went (CHANGE_REMOVED), in the
 * order of the set. Errors as change_each.
 */
int change_members(const struct change *c, enum change_kind which, change_member_fn *each, void *arg);

/*
 * The one member of an attribute value: {"N":"1"} has the type N and the inner text "1". False for anything else; the
 * inner text is checked to be JSON.
 */
bool change_split(struct span value, struct span *type, struct span *inner);

#endif
