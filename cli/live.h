/*
 * live: which items a live table has, in a file instead of memory: for each the first 127 bits of the SHA-256 of its
 * object's name, the MD5 of its canonical form, which is the ETag of the version that holds it, and whether it was seen.
 * 32 bytes an item, and at most twice that as empty room; three times as much for a moment while the table of these grows.
 *
 * An open-addressing hash table, and 2 MiB of memory for what comes anew. Its slots are read and written a block at a time with pread and pwrite, not mapped: a
 * failing disk is an error then and no signal, and what was touched does not count as this process's memory.
 *
 * The file has no name, and nothing of an item is in it but digests. It lies in TMPDIR, else /var/tmp.
 */
#ifndef DDB_CLI_LIVE_H
#define DDB_CLI_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "codec/digest.h"

struct live;

struct live_entry {
	uint64_t slot; /* valid until the next live_add */
	uint8_t md5[DIGEST_MD5_SIZE];
	bool marked;
};

/*
 * Errors of all functions: -ERR_SYSTEM, after which the list is good for live_free only, with the folder, and that TMPDIR chooses it. A full disk shows when the file is
 * made or grows, since its room is taken then. The signal SIGXFSZ is ignored from the first call on, for the whole process:
 * it would kill where an error can tell.
 */
struct live *live_new(struct err *e);
void live_free(struct live *l);

/* -ERR_CONFLICT when an item with that name is there already, which then stays as it is. */
int live_add(struct live *l, struct span s3_key, const uint8_t md5[DIGEST_MD5_SIZE], struct err *e);
/* 1 with *out, or 0 when there is none. */
int live_find(struct live *l, struct span s3_key, struct live_entry *out, struct err *e);
/* Marks what live_find has found as seen. Again does no harm. */
int live_mark(struct live *l, struct live_entry *entry, struct err *e);

uint64_t live_count(const struct live *l);
uint64_t live_unmarked(const struct live *l);

#endif
