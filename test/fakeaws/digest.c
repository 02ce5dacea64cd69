#include "digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

void digest_md5(unsigned char out[DIGEST_MD5_BYTES], const void *bytes, size_t n)
{
	EVP_Digest(bytes, n, out, NULL, EVP_md5(), NULL);
}

void digest_sha256(unsigned char out[DIGEST_SHA256_BYTES], const void *bytes, size_t n)
{
	EVP_Digest(bytes, n, out, NULL, EVP_sha256(), NULL);
}

void digest_sha256_hex(char out[65], const void *bytes, size_t n)
{
	unsigned char raw[DIGEST_SHA256_BYTES];
	digest_sha256(raw, bytes, n);
	digest_hex(out, raw, sizeof(raw));
}

void digest_hmac(unsigned char out[DIGEST_SHA256_BYTES], const void *key, size_t key_len, const void *bytes, size_t n)
{
	HMAC(EVP_sha256(), key, (int)key_len, bytes, n, out, NULL);
}

void digest_hex(char *out, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

void digest_base64(char *out, const void *bytes, size_t n)
{
	EVP_EncodeBlock((unsigned char *)out, bytes, (int)n);
}

unsigned char *digest_base64_decode(const char *text, size_t *n)
{
	size_t len = strlen(text);
	unsigned char *out;
	int got;

	if (len % 4 || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != len)
		return NULL;
	out = mem_new(len / 4 * 3 + 1);
	got = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
	if (got < 0) {
		free(out);
		return NULL;
	}
	for (size_t i = len; i > 0 && text[i - 1] == '='; i--)
		got--;
	*n = got > 0 ? (size_t)got : 0;
	out[*n] = '\0';
	return out;
}
