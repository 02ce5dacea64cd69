/*
 * item: all that the bucket has of one item: the versions and delete markers of its data key, and the versions of its
 * deletes key, which carry what a marker cannot. (Design, "What lies in the bucket".)
 */
#ifndef DDB_CLI_ITEM_H
#define DDB_CLI_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "codec/seq.h"

enum item_kind { ITEM_VERSION, ITEM_MARKER, ITEM_DELETES };
enum item_side { ITEM_DATA, ITEM_REMOVED, ITEM_SIDES };
/* What a marker without a deletes version is: a removal by hand or by another tool, or a second marker of one that is told. */
enum item_sense { ITEM_SENSE_UNKNOWN, ITEM_COUNTS, ITEM_REPEATS };
enum item_event { ITEM_EVENT_UNKNOWN, ITEM_INSERT, ITEM_MODIFY, ITEM_REMOVE, ITEM_BASELINE };

/* What the metadata of one version says. */
struct item_facts {
	bool gone; /* it is no longer there */
	bool own;  /* it carries a sequence number, so it is a change of the stream */
	bool by_ttl;
	enum item_event event;
	int64_t time_ms; /* event time; where the metadata has none, LastModified */
	bool event_time; /* it is an event time */
	char seq[SEQ_DIGITS_MAX + 1];
	char stream[64]; /* label */
};

struct item_entry {
	enum item_kind kind;
	bool latest, archived;
	bool matched;	     /* a deletes version: it has a marker */
	int64_t modified_ms; /* LastModified */
	uint64_t size_bytes;
	uint64_t etag_hash;
	size_t version_off;	    /* of the version id in item.text */
	struct item_entry *removal; /* of a marker: its deletes version; NULL when it has none */
	enum item_sense sense;	    /* of a marker without one; the same at every time */
	struct item_facts *facts;   /* NULL until asked for */
};

struct item_list {
	struct item_entry *entries; /* newest first, as listed */
	size_t n, cap;
	size_t old; /* how many of them are older than `old_ms` */
	/* Of what item_add did not keep: how many, how many of them markers, and their bytes. */
	uint64_t left, left_markers, left_bytes;
};

struct item {
	struct buf key; /* without the data path */
	struct buf text;
	struct item_list lists[ITEM_SIDES];
	/* After item_arrange: all of it, newest first, as it was stored; deletes versions that have a marker are left out. */
	struct item_entry **order;
	size_t norder;
	bool odd; /* some marker has no deletes version, or some deletes version no marker */
};

/* What a listing says of one version. */
struct item_listed {
	struct span version_id;
	int64_t modified_ms;
	uint64_t size_bytes;
	uint64_t etag_hash;
	bool marker, latest, archived;
};

/* NULL without memory. */
struct item *item_new(struct span key);
void item_free(struct item *it);

/*
 * Adds the next older entry of a side. Of those with LastModified <= old_ms only the newest ITEM_OLD_MAX of a side are
 * kept: INT64_MIN keeps all. 0 or -ERR_SYSTEM.
 */
int item_add(struct item *it, enum item_side side, const struct item_listed *l, int64_t old_ms);
#define ITEM_OLD_MAX 64

/* Finds each marker's deletes version and fills `order`. Call once, when everything was added. 0 or -ERR_SYSTEM. */
int item_arrange(struct item *it);

/* The entry whose metadata tells about `e`: itself, of a marker its deletes version, or NULL when nothing can tell. */
struct item_entry *item_subject(struct item_entry *e);
/* "" for an unknown one. Valid until the next item_add. */
const char *item_version_id(const struct item *it, const struct item_entry *e);
/* The facts in metadata values ("" where there is none). New memory in e->facts. 0 or -ERR_SYSTEM. */
int item_set_facts(struct item_entry *e, const char *event, const char *seq, const char *time, const char *stream,
		   const char *by);
/* The version has gone since it was listed. 0 or -ERR_SYSTEM. */
int item_set_gone(struct item_entry *e);

/* "INSERT", ...; "" for unknown. */
const char *item_event_name(enum item_event e);

#endif
