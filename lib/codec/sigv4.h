/*
 * sigv4: AWS Signature Version 4, Authorization header form
 * (AWS General Reference, "Signing AWS API requests"; Amazon S3 API, "Authenticating Requests: Using the Authorization
 * Header").
 */
#ifndef DDB_CODEC_SIGV4_H
#define DDB_CODEC_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* The derived signing key, good for one day, region, service and secret. Zeroed = empty. Wipe with sigv4_key_wipe. */
struct sigv4_key {
	char date[9]; /* "20261123" */
	char region[64];
	char service[32];
	char access_key[136];
	uint8_t secret_hash[32]; /* tells whether the secret changed, without keeping it */
	uint8_t key[32];
};

struct sigv4_header {
	struct span name;  /* lower case */
	struct span value; /* as sent; blanks at the ends and runs of blanks are folded for signing */
};

#define SIGV4_HEADERS_MAX 32
#define SIGV4_PARAMS_MAX 32

struct sigv4_request {
	const char *method;
	struct span path;  /* as sent, percent-encoded: no '?' */
	struct span query; /* as sent, without '?': parameters may be unsorted and value-less ("versions") */
	const struct sigv4_header *headers; /* all to be signed, `host` and `x-amz-date` among them; any order */
	size_t nheaders;		    /* SIGV4_HEADERS_MAX at most */
	struct span payload_hash;	    /* 64 hex digits, or "UNSIGNED-PAYLOAD" */
	const char *amz_date;		    /* as in the x-amz-date header */
	bool encode_path; /* true for every service but S3: dot segments and double slashes are folded, and the path is
			     encoded once more for signing */
};

/*
 * Derives the key when date, region, service, access key or secret differ from what `k` holds; else does nothing.
 * Date, region, service and access key are cut to the arrays of `k`, a secret to 1,024 bytes (AWS's have 40).
 */
void sigv4_key_update(struct sigv4_key *k, const char *date, const char *region, const char *service,
		      const char *access_key, const char *secret);
void sigv4_key_wipe(struct sigv4_key *k);

/*
 * Appends the value of the Authorization header to `out`. Allocates nothing else once its scratch has grown.
 * Header names that come twice are joined by ',' in their order. Query parameters are decoded ('+' is a plus sign) and
 * encoded again before they are sorted.
 * 0, -ERR_LIMIT when a buffer's cap is reached (64 KiB for what is signed), -ERR_INVALID for more than
 * SIGV4_HEADERS_MAX headers or SIGV4_PARAMS_MAX query parameters, -ERR_SYSTEM without memory. `out` is as before then.
 */
int sigv4_sign(const struct sigv4_key *k, const struct sigv4_request *r, struct buf *out);

/* What was signed, for tests: it holds the session token where there is one, so never log it. Appended to `out`. */
int sigv4_canonical_request(const struct sigv4_request *r, struct buf *out);

/* Frees the scratch memory; the functions above may be called again afterwards. Loop's thread only, as they are. */
void sigv4_cleanup(void);

#endif
