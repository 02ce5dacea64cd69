/*
 * backup: what a bucket answers that holds the backup of a table: one version of each item, stored and complete long
 * before the times that are asked about, and no removals. Pages of listings and bodies are made as they are asked for,
 * by patching the item's number into texts that were prepared, so a million items take no memory.
 */
#ifndef DDB_BENCH_BACKUP_H
#define DDB_BENCH_BACKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

struct backup;

/* Ends the program when memory is short, as do the others. */
struct backup *backup_new(size_t items, size_t item_bytes);
void backup_free(struct backup *b);

/* Appends the answer to a GET of what a backup has: ListObjectVersions with encoding-type=url, a version of an item,
 * watermark.json, table.json. False for anything else. */
bool backup_answer(const struct backup *b, struct span path, struct buf *out);

#endif
