/*
 * look: single items of a live table beside their objects in the bucket, looked at until they agree or it is certain that
 * they do not.
 *
 * An item is read with GetItem, consistently; what it was then must be in the backup once that is complete through then
 * (watermark.json). So the object is read before, and again when the backup has passed that time. When it is still the same
 * version, and another image than the item's, that is certain. When it is a newer one, some version since then must have the
 * item's image.
 */
#ifndef DDB_CLI_LOOK_H
#define DDB_CLI_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "codec/digest.h"
#include "finding.h"
#include "schema.h"
#include "session.h"

#define LOOK_MAX 32768 /* at the same time */

/* Valid during the call only. */
struct look_result {
	bool equal;		/* else `kind` and `detail` */
	bool foreign_form;	/* equal, but the body is not in canonical form, as other tools write it */
	enum finding_kind kind; /* MISSING, DIFFERENT, EXTRA, FOREIGN, DAMAGED, UNREADABLE or UNSETTLED */
	struct span name, keys; /* of the object; of the item, empty when it is not known */
	char detail[400];
};

struct looks_options {
	struct session *session;
	const char *table;	     /* the live one */
	const struct schema *schema; /* of it */
	/* Not CLOCK_UNKNOWN: what agrees must have changed after it, since a state of then was another one. */
	int64_t since_ms;
	void (*settled)(const struct look_result *r, void *arg);
	void *arg;
};

struct look_figures {
	uint64_t looks, waited, gets, lists, marks;
	double read_units; /* of GetItem, as counted here */
};

struct looks;

/* NULL on failure. What the options point to must outlive it. */
struct looks *looks_new(const struct looks_options *o, struct err *e);
/*
 * Looks at one: its object's name; its item's key when it is known, else empty: then the object's body tells; and the MD5
 * of the item as it was read a moment ago, NULL: it was not. Outcomes come by `settled` on a later turn. 0,
 * -ERR_SYSTEM, or the error that has ended it.
 */
int looks_add(struct looks *l, struct span name, struct span keys, const uint8_t *md5, struct err *e);
/* How many are under way; 0 after a failure, which the next call tells. */
size_t looks_count(const struct looks *l);
/* Runs the loop until fewer than `below` are. 0, the negative error that ended it, -ERR_CANCELLED after a signal. */
int looks_drain(struct looks *l, size_t below, struct err *e);
struct look_figures looks_figures(const struct looks *l);
/* Gives up what is under way. Runs the loop for a moment. */
void looks_free(struct looks *l);

#endif
