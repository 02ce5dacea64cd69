/* Vectors: RFC 1321 appendix A.5, FIPS 180-4 examples (NIST CSRC), RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "codec/digest.h"
#include "codec/encode.h"

static unsigned long allocations, live;

static void *count_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	allocations++;
	live++;
	return malloc(n);
}

static void *count_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	allocations++;
	live += p == NULL;
	return realloc(p, n);
}

static void count_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	live -= p != NULL;
	free(p);
}

/* Ubuntu's libcrypto allocates from its constructor on, and then takes no other functions: so before all constructors. */
static void count_from_the_start(void)
{
	CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_constructors)(void) = count_from_the_start;

static void expect_hex(const uint8_t *digest, size_t len, const char *hex)
{
	char got[2 * DIGEST_SHA256_SIZE + 1] = {0};

	encode_hex(got, digest, len);
	assert_string_equal(got, hex);
}

static void test_init_finds_both(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(digest_init(&e), 0);
	assert_int_equal(digest_init(NULL), 0);
}

static void test_md5_vectors(void **state)
{
	static const struct {
		const char *text, *hex;
	} vectors[] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e"},
		{"a", "0cc175b9c0f1b6a831c399e269772661"},
		{"abc", "900150983cd24fb0d6963f7d28e17f72"},
		{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
		 "57edf4a22be3c955ac49da2e2107b67a"},
	};
	uint8_t out[DIGEST_MD5_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		digest_md5(out, vectors[i].text, strlen(vectors[i].text));
		expect_hex(out, sizeof(out), vectors[i].hex);
	}
}

static void test_sha256_vectors(void **state)
{
	static const struct {
		const char *text, *hex;
	} vectors[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	uint8_t out[DIGEST_SHA256_SIZE];
	char *million = malloc(1000000);

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		digest_sha256(out, vectors[i].text, strlen(vectors[i].text));
		expect_hex(out, sizeof(out), vectors[i].hex);
	}
	assert_non_null(million);
	memset(million, 'a', 1000000);
	digest_sha256(out, million, 1000000);
	expect_hex(out, sizeof(out), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

static void test_empty_input_may_be_null(void **state)
{
	uint8_t out[DIGEST_SHA256_SIZE];

	(void)state;
	digest_sha256(out, NULL, 0);
	expect_hex(out, sizeof(out), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_hmac_sha256(out, NULL, 0, NULL, 0);
	expect_hex(out, sizeof(out), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_hmac_vectors(void **state)
{
	uint8_t out[DIGEST_SHA256_SIZE], key[131], data[152];

	(void)state;
	memset(key, 0x0b, 20);
	digest_hmac_sha256(out, key, 20, "Hi There", 8);
	expect_hex(out, sizeof(out), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");

	digest_hmac_sha256(out, "Jefe", 4, "what do ya want for nothing?", 28);
	expect_hex(out, sizeof(out), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, 50);
	digest_hmac_sha256(out, key, 20, data, 50);
	expect_hex(out, sizeof(out), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");

	/* A key longer than a block is hashed first. */
	digest_hmac_sha256(out, key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54);
	expect_hex(out, sizeof(out), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* SigV4 chains keys in place. */
static void test_hmac_output_may_be_its_key(void **state)
{
	uint8_t expected[DIGEST_SHA256_SIZE], chained[DIGEST_SHA256_SIZE];

	(void)state;
	digest_sha256(chained, "k", 1);
	digest_hmac_sha256(expected, chained, sizeof(chained), "x", 1);
	digest_hmac_sha256(chained, chained, sizeof(chained), "x", 1);
	assert_memory_equal(chained, expected, sizeof(expected));
}

/* OpenSSL 3.0 frees and allocates its state at each start of a digest: once for a hash, twice for an HMAC. */
static void test_calls_keep_nothing(void **state)
{
	uint8_t out[DIGEST_SHA256_SIZE];
	unsigned long allocations_before, live_before;

	(void)state;
	assert_int_equal(digest_init(NULL), 0);
	digest_md5(out, "warm", 4);
	digest_hmac_sha256(out, "warm", 4, "warm", 4);
	allocations_before = allocations;
	live_before = live;
	assert_true(live > 0); /* the counter counts */
	for (int i = 0; i < 100; i++) {
		digest_md5(out, "abc", 3);
		digest_sha256(out, "abc", 3);
		digest_hmac_sha256(out, "key", 3, "abc", 3);
	}
	assert_true(allocations - allocations_before <= 400);
	assert_int_equal(live, live_before);
}

static void test_works_again_after_cleanup(void **state)
{
	uint8_t out[DIGEST_SHA256_SIZE];

	(void)state;
	digest_cleanup();
	digest_cleanup();
	digest_sha256(out, "abc", 3);
	expect_hex(out, sizeof(out), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static int teardown(void **state)
{
	(void)state;
	digest_cleanup();
	return 0;
}

/* FIPS 180-4, "abc": its first half. */
static void test_name(void **state)
{
	(void)state;
	static const uint8_t expected[DIGEST_NAME_SIZE] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
							   0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23};
	uint8_t out[DIGEST_NAME_SIZE];
	digest_name(out, "abc", 3);
	assert_memory_equal(out, expected, sizeof(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_finds_both),
		cmocka_unit_test(test_md5_vectors),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_sha256_vectors),
		cmocka_unit_test(test_empty_input_may_be_null),
		cmocka_unit_test(test_hmac_vectors),
		cmocka_unit_test(test_hmac_output_may_be_its_key),
		cmocka_unit_test(test_calls_keep_nothing),
		cmocka_unit_test(test_works_again_after_cleanup),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
