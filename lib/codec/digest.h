/*
 * digest: MD5, SHA-256 and HMAC-SHA-256 (RFC 1321, FIPS 180-4, RFC 2104) on OpenSSL. Loop's thread only.
 * A call allocates nothing itself; OpenSSL 3.0 replaces its own state of about 100 bytes each time a digest begins.
 */
#ifndef DDB_CODEC_DIGEST_H
#define DDB_CODEC_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DIGEST_MD5_SIZE 16
#define DIGEST_SHA256_SIZE 32
#define DIGEST_NAME_SIZE 16

/*
 * Fetches MD5 and SHA-256 from OpenSSL. Call it at start, so that a host whose OpenSSL offers no MD5 (a FIPS
 * configuration without the default provider) is told so with a remedy: -ERR_SYSTEM. Calling again does nothing.
 */
int digest_init(struct err *e);

/*
 * These cannot fail once digest_init has succeeded. Without it the first use fetches, and a host that cannot is logged
 * and ended with exit status 78 (EX_CONFIG): no result would be a right one.
 */
void digest_md5(uint8_t out[DIGEST_MD5_SIZE], const void *bytes, size_t len);
void digest_sha256(uint8_t out[DIGEST_SHA256_SIZE], const void *bytes, size_t len);
void digest_hmac_sha256(uint8_t out[DIGEST_SHA256_SIZE], const void *key, size_t key_len, const void *bytes,
			size_t len);
/* What stands for an object's name in a set of them (base/etagset.h): the beginning of its SHA-256. */
void digest_name(uint8_t out[DIGEST_NAME_SIZE], const void *name, size_t len);
/* Frees what the functions above keep between calls; they may be called again afterwards. */
void digest_cleanup(void);

#endif
