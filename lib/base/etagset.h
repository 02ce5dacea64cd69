/*
 * etagset: a set of objects' names with their ETags, and a mark for each, in a file instead of memory: of a name the first
 * 127 bits of its digest (codec/digest.h: digest_name), of an ETag 16 bytes, which is what an MD5 has. 32 bytes an object, and at
 * most twice that as empty room; three times as much for a moment while the table of these grows.
 *
 * An open-addressing hash table, and 2 MiB of memory for what comes anew. Its slots are read and written a block at a time
 * with pread and pwrite, not mapped: a failing disk is an error then and no signal, and what was touched does not count as
 * this process's memory.
 *
 * The file has no name, and nothing of an object is in it but digests.
 */
#ifndef DDB_BASE_ETAGSET_H
#define DDB_BASE_ETAGSET_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define ETAGSET_NAME_BYTES 16
#define ETAGSET_ETAG_BYTES 16

struct etagset;

struct etagset_entry {
	uint64_t slot; /* valid until the next etagset_add */
	uint8_t etag[ETAGSET_ETAG_BYTES];
	bool marked;
};

/*
 * The file lies in `folder`; NULL: in TMPDIR, else /var/tmp. It is made large enough for `expected_count` objects, since
 * growing reads and writes all of it at once. `max_bytes` caps its size; 0: no cap.
 *
 * Errors of all functions, after which the set is good for etagset_free only: -ERR_SYSTEM, with the folder, and that TMPDIR
 * chooses it when it does; -ERR_LIMIT when it would grow past `max_bytes`. A full disk shows when the file is made or grows,
 * since its room is taken then. The signal SIGXFSZ is ignored from the first call on, for the whole process: it would kill
 * where an error can tell.
 */
struct etagset *etagset_new(const char *folder, uint64_t expected_count, uint64_t max_bytes, struct err *e);
void etagset_free(struct etagset *set);

/* -ERR_CONFLICT when that name is there already, which then stays as it is; that error harms nothing. */
int etagset_add(struct etagset *set, const uint8_t name[ETAGSET_NAME_BYTES], const uint8_t etag[ETAGSET_ETAG_BYTES],
		struct err *e);
/* 1 with *out, or 0 when there is none. */
int etagset_find(struct etagset *set, const uint8_t name[ETAGSET_NAME_BYTES], struct etagset_entry *out, struct err *e);
/* Marks what etagset_find has found. Again does no harm. */
int etagset_mark(struct etagset *set, struct etagset_entry *entry, struct err *e);
/*
 * Moves what was added from memory into the file: by itself after 49,152 objects and before a search, which takes as long
 * as so many reads and writes of a block. Who may not stall calls it more often.
 */
int etagset_flush(struct etagset *set, struct err *e);

uint64_t etagset_count(const struct etagset *set);
uint64_t etagset_unmarked(const struct etagset *set);

#endif
