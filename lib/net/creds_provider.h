/*
 * creds_provider: one place where credentials may come from. Private to lib/net/creds*.c.
 *
 * To add one: embed a struct creds_provider, fill in its ops, and name its _new function in the chain in creds.c.
 */
#ifndef DDB_NET_CREDS_PROVIDER_H
#define DDB_NET_CREDS_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "net/creds.h"

struct creds_provider;

enum creds_outcome {
	CREDS_FOUND,
	CREDS_NONE,  /* nothing is set up here: the next provider is asked; the error tells what was looked at */
	CREDS_FAILED /* something is set up here but does not work: the chain ends, and is tried again later */
};

struct creds_provider_ops {
	/* Ends in exactly one creds_fetched, from inside or from a later turn. Never called while one is under way. */
	void (*fetch)(struct creds_provider *p);
	/* A cheap look whether fetch would now find something else. NULL: never. */
	bool (*changed)(struct creds_provider *p);
	/* For creds_source. */
	const char *(*source)(const struct creds_provider *p);
	/* Ends a fetch without creds_fetched, wipes, frees. */
	void (*free)(struct creds_provider *p);
};

struct creds_provider {
	const struct creds_provider_ops *ops;
	struct creds *creds;
};

/* `keys` are taken over and cleared when the outcome is CREDS_FOUND; otherwise `e` says why not. Neither is NULL. */
void creds_fetched(struct creds_provider *p, enum creds_outcome outcome, struct creds_keys *keys, const struct err *e);

/* Wipes and frees what it holds, and clears it. */
void creds_keys_fini(struct creds_keys *k);
/* malloc'd copies; `token` of length 0 is none. False without memory, with `k` cleared. */
bool creds_keys_set(struct creds_keys *k, struct span access_key, struct span secret_key, struct span token,
		    int64_t expires_ms);
/* Wipes a malloc'd string and frees it. */
void creds_wipe_free(char *s);

/* NULL without memory; that of the instance metadata also when it is switched off, with *off = true. */
struct creds_provider *creds_env_new(void);
struct creds_provider *creds_file_new(const char *profile);
struct creds_provider *creds_imds_new(struct http *http, const char *endpoint, int timeout_ms, bool *off);

/* creds_ini.c: the shared files' format. */

#define CREDS_FILE_MAX_BYTES (1024 * 1024)

typedef void creds_ini_fn(void *arg, struct span section, struct span key, struct span value);

/*
 * Calls `fn` for each "key = value" in order; for a section header with len 0 key and value. 0, or a negative error:
 * -ERR_NOT_FOUND when the file does not exist, ERR_SYSTEM with sys_errno otherwise, ERR_LIMIT when it is too large,
 * ERR_INVALID with the line of a syntax error. Spans are valid during the call; the text is wiped.
 */
int creds_ini_read(const char *path, creds_ini_fn *fn, void *arg, struct err *e);

#endif
