/*
 * config_draft: a configuration while it is being read, and what is done to it after the last line.
 * For config.c and config_resolve.c only.
 */
#ifndef DDB_BASE_CONFIG_DRAFT_H
#define DDB_BASE_CONFIG_DRAFT_H

#include <stdint.h>

#include "base/config.h"
#include "base/config_keys.h"
#include "base/err.h"

#define CONFIG_META_FOLDER ".ddb-streamd"

struct config_draft {
	struct config *c;
	struct config_table defaults; /* [s3]: what tables take over */
	struct config_extra extra;
	enum config_section section;		 /* that lines belong to now */
	int section_lines[CONFIG_SECTION_COUNT]; /* 0: not there. Of [table], the latest */
	int key_lines[CONFIG_KEYS_MAX];		 /* 0: not there. Of [table]'s keys, in the latest */
	uint64_t *table_keys;			 /* for each table, the bits of the keys that it has */
};

/* Fills in what the file leaves open: the environment, then the defaults, then what tables take over from [s3]. */
int config_resolve(struct config_draft *d, struct err *e);
/* What one key alone cannot tell: missing ones, memory for all tables, tables that share a path. */
int config_check(const struct config_draft *d, struct err *e);
/* Fills `e` for a failed allocation. Returns -ERR_SYSTEM. */
int config_no_memory(struct err *e, const struct config *c);

#endif
