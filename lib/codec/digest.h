/* digest: MD5, SHA-256 and HMAC-SHA-256 on OpenSSL, without an allocation per call. Loop's thread only. */
#ifndef DDB_CODEC_DIGEST_H
#define DDB_CODEC_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_MD5_SIZE 16
#define DIGEST_SHA256_SIZE 32

void digest_md5(uint8_t out[DIGEST_MD5_SIZE], const void *bytes, size_t len);
void digest_sha256(uint8_t out[DIGEST_SHA256_SIZE], const void *bytes, size_t len);
void digest_hmac_sha256(uint8_t out[DIGEST_SHA256_SIZE], const void *key, size_t key_len, const void *bytes,
			size_t len);
/* Frees what the functions above keep between calls; they may be called again afterwards. */
void digest_cleanup(void);

#endif
