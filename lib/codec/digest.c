#include "codec/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"

#define SHA256_BLOCK_SIZE 64

/*
 * Fetched once, since EVP_sha256() would look the algorithm up on every call.
 * The deprecated SHA256_Init would save OpenSSL's one small allocation a digest, but it passes by the host's providers.
 */
struct algorithm {
	const char *name;
	const char *properties;
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

/* "-fips" lets MD5 be found when the host's default is "fips=yes" but the default provider is loaded too: here it is a
 * checksum on the wire and a name, never a protection. */
static struct algorithm md5 = {.name = "MD5", .properties = "-fips"};
static struct algorithm sha256 = {.name = "SHA256"};

static void algorithm_release(struct algorithm *a)
{
	EVP_MD_CTX_free(a->ctx);
	EVP_MD_free(a->md);
	a->ctx = NULL;
	a->md = NULL;
}

static int algorithm_fetch(struct algorithm *a, struct err *e)
{
	if (a->ctx)
		return 0;
	a->md = EVP_MD_fetch(NULL, a->name, a->properties);
	if (!a->md)
		return err_set(e, ERR_SYSTEM,
			       "OpenSSL offers no %s on this host; activate its default provider in openssl.cnf "
			       "(section [provider_sect], see config(5ssl))",
			       a->name);
	a->ctx = EVP_MD_CTX_new();
	if (!a->ctx) {
		algorithm_release(a);
		return err_set(e, ERR_SYSTEM, "no memory for a %s context", a->name);
	}
	return 0;
}

int digest_init(struct err *e)
{
	int rc = algorithm_fetch(&md5, e);

	if (rc == 0)
		rc = algorithm_fetch(&sha256, e);
	return rc;
}

static _Noreturn void give_up(const struct err *e)
{
	log_error("cannot compute digests", LOG_E(e));
	exit(EX_CONFIG);
}

/* The digest of two pieces, one after the other. */
static void digest(struct algorithm *a, uint8_t *out, const void *first, size_t first_len, const void *second,
		   size_t second_len)
{
	struct err e;

	if (!a->ctx && algorithm_fetch(a, &e) < 0)
		give_up(&e);
	if (EVP_DigestInit_ex2(a->ctx, a->md, NULL) != 1 || EVP_DigestUpdate(a->ctx, first, first_len) != 1 ||
	    EVP_DigestUpdate(a->ctx, second, second_len) != 1 || EVP_DigestFinal_ex(a->ctx, out, NULL) != 1) {
		err_set(&e, ERR_SYSTEM, "OpenSSL failed to compute %s", a->name);
		give_up(&e);
	}
}

void digest_md5(uint8_t out[DIGEST_MD5_SIZE], const void *bytes, size_t len)
{
	digest(&md5, out, bytes, len, NULL, 0);
}

void digest_sha256(uint8_t out[DIGEST_SHA256_SIZE], const void *bytes, size_t len)
{
	digest(&sha256, out, bytes, len, NULL, 0);
}

void digest_name(uint8_t out[DIGEST_NAME_SIZE], const void *name, size_t len)
{
	uint8_t whole[DIGEST_SHA256_SIZE];
	digest_sha256(whole, name, len);
	memcpy(out, whole, DIGEST_NAME_SIZE);
}

void digest_hmac_sha256(uint8_t out[DIGEST_SHA256_SIZE], const void *key, size_t key_len, const void *bytes, size_t len)
{
	uint8_t block[SHA256_BLOCK_SIZE] = {0};
	uint8_t inner[DIGEST_SHA256_SIZE];

	if (key_len > sizeof(block))
		digest_sha256(block, key, key_len);
	else if (key_len > 0)
		memcpy(block, key, key_len);

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	digest(&sha256, inner, block, sizeof(block), bytes, len);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	digest(&sha256, out, block, sizeof(block), inner, sizeof(inner));

	/* Both tell the key, or half of it, to whoever reads this stack later. */
	OPENSSL_cleanse(block, sizeof(block));
	OPENSSL_cleanse(inner, sizeof(inner));
}

void digest_cleanup(void)
{
	algorithm_release(&md5);
	algorithm_release(&sha256);
}
