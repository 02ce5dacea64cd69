/* digest: OpenSSL's digests as bytes, hex and base64. */
#ifndef FAKEAWS_DIGEST_H
#define FAKEAWS_DIGEST_H

#include <stddef.h>

enum { DIGEST_MD5_BYTES = 16, DIGEST_SHA256_BYTES = 32 };

void digest_md5(unsigned char out[DIGEST_MD5_BYTES], const void *bytes, size_t n);
void digest_sha256(unsigned char out[DIGEST_SHA256_BYTES], const void *bytes, size_t n);
/* 65 bytes with NUL. */
void digest_sha256_hex(char out[65], const void *bytes, size_t n);
void digest_hmac(unsigned char out[DIGEST_SHA256_BYTES], const void *key, size_t key_len, const void *bytes, size_t n);
/* 2 * n + 1 bytes. */
void digest_hex(char *out, const unsigned char *bytes, size_t n);
/* (n + 2) / 3 * 4 + 1 bytes. */
void digest_base64(char *out, const void *bytes, size_t n);
/* Bytes that `text` stands for, malloc'd and with a NUL behind them; NULL when it is not base64. */
unsigned char *digest_base64_decode(const char *text, size_t *n);

#endif
