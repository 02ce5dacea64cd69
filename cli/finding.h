/*
 * finding: what a look at a backup has found wrong: all of it counted, the first ones named. Names of objects and keys of
 * items are kept, never their contents.
 */
#ifndef DDB_CLI_FINDING_H
#define DDB_CLI_FINDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define FINDING_NAMED_MAX 10000

enum finding_kind {
	FINDING_MISSING,    /* the table has an item that the backup has not */
	FINDING_DIFFERENT,  /* the backup's latest image of an item is another one */
	FINDING_EXTRA,	    /* the backup has an item that the table has not */
	FINDING_MISORDERED, /* versions of an item are not in the order of their changes */
	FINDING_MARKER,	    /* a delete marker that no deletes object tells of */
	FINDING_REMOVAL,    /* a deletes object whose delete marker is not there */
	FINDING_HOLE,	    /* a change between two versions is not there */
	FINDING_METADATA,   /* what a version's metadata must say is absent or malformed */
	FINDING_DAMAGED,    /* the bytes of a version are not those of its ETag */
	FINDING_FORM,	    /* a body is empty, no item, or not in canonical form */
	FINDING_FOREIGN,    /* an object that no item of the table has given its name */
	FINDING_SHARED,	    /* an object's name that two items of the table have */
	FINDING_UNREADABLE, /* archived, gone, or refused */
	FINDING_UNSETTLED,  /* differs, but the backup is not known to be complete up to then */
	FINDING_KINDS
};

struct finding {
	enum finding_kind kind;
	char *object; /* its name below the table's folder; NUL-terminated, `object_len` bytes */
	size_t object_len;
	char *keys; /* of the item as canonical JSON; NULL: not known */
	char *detail;
};

struct findings {
	uint64_t counts[FINDING_KINDS];
	struct finding *named;
	size_t nnamed, cap;
	/* Told of each one that is named, as it comes; may be NULL. */
	void (*on_named)(const struct finding *f, void *arg);
	void *arg;
};

/* `keys` may be empty. 0 or -ERR_SYSTEM. */
int findings_add(struct findings *f, enum finding_kind kind, struct span object, struct span keys, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void findings_fini(struct findings *f);
uint64_t findings_total(const struct findings *f);
/* "missing", ...: a stable name. */
const char *finding_name(enum finding_kind kind);
/* Can a baseline mend it? History it cannot. */
bool finding_mendable(enum finding_kind kind);

/* A name as a person may see it: what a terminal would take for a command is replaced. Returns `out`. */
const char *finding_shown(const struct finding *f, char out[static 1100]);
/* {"missing":0,...} of all kinds, and the named ones as a list; NULL without memory. */
json_t *findings_counts_json(const struct findings *f);
json_t *findings_json(const struct findings *f);

#endif
