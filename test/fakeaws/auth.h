/*
 * auth: AWS Signature Version 4 of a request, checked (IAM User Guide, "Create a signed AWS API request"), and who may do
 * what. Nothing in here comes from the project's own signer.
 */
#ifndef FAKEAWS_AUTH_H
#define FAKEAWS_AUTH_H

#include <stddef.h>
#include <stdint.h>

#include "request.h"
#include "vclock.h"

#define AUTH_SKEW_MAX_MS ((int64_t)15 * 60 * 1000)

struct identity_key {
	char *id, *secret;
	char *token;	    /* NULL: none */
	int64_t expires_ms; /* 0: never; the server's clock */
	char *denied;	    /* operations it may not do, ",PutObject,GetRecords,"; "" for none */
};

struct auth {
	struct identity_key *keys;
	size_t n, cap;
};

enum auth_verdict {
	AUTH_GOOD,
	AUTH_MISSING,
	AUTH_MALFORMED,
	AUTH_UNKNOWN_KEY,
	AUTH_BAD_TOKEN,
	AUTH_EXPIRED_TOKEN,
	AUTH_SKEWED,
	AUTH_BAD_SCOPE,
	AUTH_BAD_PAYLOAD,
	AUTH_BAD_SIGNATURE,
	AUTH_DENIED
};

/* Adds the key, or replaces the one of that id. token and denied may be NULL. */
void auth_add(struct auth *a, const char *id, const char *secret, const char *token, int64_t expires_ms,
	      const char *denied);
/* False when there is no such key. */
bool auth_remove(struct auth *a, const char *id);

/* What speaks against the request; `why` gets a sentence for the client, "" when nothing does. */
enum auth_verdict auth_check(const struct auth *a, const struct vclock *clock, const struct request *r, char *why,
			     size_t why_size);

#endif
