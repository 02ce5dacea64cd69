/* The rules of codec/itemkey.h, and the vectors of the older tools (dynamodb-replicator's md5 and sha256 keys). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/digest.h"
#include "codec/encode.h"
#include "codec/itemkey.h"

static const struct itemkey_schema path_hash = {.format = KEY_FORMAT_PATH, .hash_name = "id"};
static const struct itemkey_schema path_range = {.format = KEY_FORMAT_PATH, .hash_name = "id", .range_name = "range"};
static const struct itemkey_schema plain_hash = {.format = KEY_FORMAT_PLAIN, .hash_name = "id"};
static const struct itemkey_schema plain_range = {.format = KEY_FORMAT_PLAIN, .hash_name = "z", .range_name = "a"};

static void expect(const struct itemkey_schema *schema, const char *keys, const char *image, const char *expected)
{
	struct buf out;
	struct err e = {0};

	buf_init(&out, 8192);
	if (itemkey_append(&out, schema, span_of(keys), span_of(image), &e) < 0)
		fail_msg("%s: %s", keys, e.message);
	assert_string_equal(buf_str(&out), expected);
	assert_int_equal(out.len, strlen(expected));
	buf_fini(&out);
}

static void expect_failure(const struct itemkey_schema *schema, struct span keys, struct span image, int rc)
{
	struct buf out;
	struct err e = {0};

	buf_init(&out, 8192);
	assert_int_equal(buf_append_str(&out, "kept"), 0);
	if (itemkey_append(&out, schema, keys, image, &e) != rc)
		fail_msg("not %d for %.*s", rc, (int)keys.len, keys.ptr);
	assert_string_equal(buf_str(&out), "kept");
	assert_int_equal(e.class, -rc);
	assert_true(strlen(e.message) > 0);
	assert_int_equal(itemkey_append(&out, schema, keys, image, NULL), rc);
	buf_fini(&out);
}

static void test_path_values(void **state)
{
	(void)state;
	expect(&path_hash, "{\"id\":{\"S\":\"record-1\"}}", NULL, "record-1");
	expect(&path_hash, "{\"id\":{\"S\":\"aZ09-._~\"}}", NULL, "aZ09-._~");
	expect(&path_hash, "{\"id\":{\"S\":\"a b/c%d+e|f=g\"}}", NULL, "a%20b%2Fc%25d%2Be%7Cf%3Dg");
	expect(&path_hash, "{\"id\":{\"S\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}}", NULL,
	       "%C3%A9%E2%82%AC%F0%9F%98%80");
	expect(&path_hash, "{\"id\":{\"S\":\"\\\"\\\\\\n\\u0000\\u001f\"}}", NULL, "%22%5C%0A%00%1F");
	expect(&path_hash, "{\"id\":{\"N\":\"-12345678901234567890.5\"}}", NULL, "-12345678901234567890.5");
	expect(&path_hash, "{\"id\":{\"N\":\"1E+30\"}}", NULL, "1E%2B30");
	expect(&path_hash, "{\"id\":{\"B\":\"+//+/w==\"}}", NULL, "-__-_w");
	expect(&path_hash, "{\"id\":{\"B\":\"AA==\"}}", NULL, "AA");
}

static void test_path_first_byte(void **state)
{
	(void)state;
	expect(&path_hash, "{\"id\":{\"S\":\".\"}}", NULL, "%2E");
	expect(&path_hash, "{\"id\":{\"S\":\"..\"}}", NULL, "%2E.");
	expect(&path_hash, "{\"id\":{\"S\":\"...\"}}", NULL, "...");
	expect(&path_hash, "{\"id\":{\"S\":\".a\"}}", NULL, ".a");
	expect(&path_hash, "{\"id\":{\"S\":\"~\"}}", NULL, "%7E");
	expect(&path_hash, "{\"id\":{\"S\":\"~a~\"}}", NULL, "%7Ea~");
	expect(&path_hash, "{\"id\":{\"S\":\"a~\"}}", NULL, "a~");
	expect(&path_range, "{\"id\":{\"S\":\"..\"},\"range\":{\"S\":\"~\"}}", NULL, "%2E./%7E");
}

static void test_path_hash_comes_first(void **state)
{
	static const struct itemkey_schema reversed = {.format = KEY_FORMAT_PATH, .hash_name = "z", .range_name = "a"};
	/* Order of bytes, not of the alphabet. */
	static const struct itemkey_schema upper = {.format = KEY_FORMAT_PATH, .hash_name = "a", .range_name = "Z"};

	(void)state;
	expect(&path_range, "{\"id\":{\"S\":\"h\"},\"range\":{\"N\":\"1\"}}", NULL, "h/1");
	expect(&reversed, "{\"a\":{\"S\":\"range\"},\"z\":{\"S\":\"hash\"}}", NULL, "hash/range");
	expect(&upper, "{\"Z\":{\"S\":\"range\"},\"a\":{\"S\":\"hash\"}}", NULL, "hash/range");
}

static void test_escaped_attribute_names(void **state)
{
	static const struct itemkey_schema odd = {.format = KEY_FORMAT_PATH,
						  .hash_name = "a\"b",
						  .range_name = "n\xc3\xa9"};

	(void)state;
	expect(&odd, "{\"a\\\"b\":{\"S\":\"h\"},\"n\xc3\xa9\":{\"S\":\"r\"}}", NULL, "h/r");
}

static void test_digest_vectors(void **state)
{
	static const char one[] = "{\"id\":{\"S\":\"record-1\"}}";
	static const char two[] = "{\"id\":{\"S\":\"record-1\"},\"range\":{\"N\":\"1\"}}";
	struct itemkey_schema s = {.format = KEY_FORMAT_MD5, .hash_name = "id"};

	(void)state;
	expect(&s, one, NULL, "ee2bdf43ab8f10ad6c66546714da218b");
	s.format = KEY_FORMAT_SHA256;
	expect(&s, one, NULL, "d9b6990bcccce4c29a5f27866bf6f105a0fe391a29c4092e795f0b3c6528e4ac");
	s.range_name = "range";
	expect(&s, two, NULL, "add745ab1f26043e6189f09079967dadb7308927a1ddb0b32ad0ce5522ac5579");
	s.format = KEY_FORMAT_MD5;
	expect(&s, two, NULL, "bf9a9db028bede6fa2fe5526d884cb92");
}

static void test_plain(void **state)
{
	(void)state;
	expect(&plain_hash, "{\"id\":{\"S\":\"a b/..\\n~\"}}", NULL, "a b/..\n~");
	expect(&plain_hash, "{\"id\":{\"B\":\"+//+/w==\"}}", NULL, "+//+/w==");
	expect(&plain_hash, "{\"id\":{\"N\":\"1.50\"}}", NULL, "1.50");
	/* In order of attribute name, whichever is the hash. */
	expect(&plain_range, "{\"a\":{\"S\":\"r\"},\"z\":{\"S\":\"h\"}}", NULL, "r | h");
}

static void test_tenant(void **state)
{
	static const char keys[] = "{\"id\":{\"S\":\"k\"}}";
	struct itemkey_schema s = path_hash;
	const enum key_format formats[] = {KEY_FORMAT_PATH, KEY_FORMAT_PLAIN};

	(void)state;
	s.tenant_attribute = "t";
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		s.format = formats[i];
		expect(&s, keys, "{\"id\":{\"S\":\"k\"},\"t\":{\"S\":\"acme\"}}", "acme/k");
		expect(&s, keys,
		       " { \"x\" : { \"M\" : { \"t\" : { \"S\" : \"no\" } } } , \"t\" : { \"S\" : \"a/\\u0062\" } } ",
		       "a%2Fb/k");
		expect(&s, keys, "{\"t\":{\"N\":\"-7\"}}", "-7/k");
		expect(&s, keys, "{\"t\":{\"B\":\"+//+\\/w==\"}}", "-__-_w/k");
		expect(&s, keys, "{\"t\":{\"S\":\"..\"}}", "%2E./k");
		expect(&s, keys, "{\"t\":{\"S\":\"~x\"}}", "%7Ex/k");
		expect(&s, keys, "{\"t\":{\"SS\":[\"x\"]}}", "_/k");
		expect(&s, keys, "{\"t\":{\"BOOL\":true}}", "_/k");
		expect(&s, keys, "{\"other\":{\"S\":\"x\"}}", "_/k");
		expect(&s, keys, "{}", "_/k");
		expect(&s, keys, NULL, "_/k");
	}
	s.format = KEY_FORMAT_MD5;
	expect(&s, "{\"id\":{\"S\":\"record-1\"}}", "{\"t\":{\"S\":\"acme\"}}",
	       "acme/ee2bdf43ab8f10ad6c66546714da218b");
	/* Without an image the Keys may tell. */
	s.format = KEY_FORMAT_PATH;
	s.tenant_attribute = "id";
	expect(&s, keys, NULL, "k/k");
}

static void hashed(char out[66], const char *text)
{
	uint8_t digest[DIGEST_SHA256_SIZE];

	digest_sha256(digest, text, strlen(text));
	out[0] = '~';
	out[1 + encode_hex(out + 1, digest, sizeof(digest))] = '\0';
}

static void test_long_tenant(void **state)
{
	static const char keys[] = "{\"id\":{\"S\":\"k\"}}";
	struct itemkey_schema s = path_hash;
	char tenant[400] = {0}, image[500], expected[500], hash[66];

	(void)state;
	s.tenant_attribute = "t";
	memset(tenant, 'x', 256);
	snprintf(image, sizeof(image), "{\"t\":{\"S\":\"%s\"}}", tenant);
	snprintf(expected, sizeof(expected), "%s/k", tenant);
	expect(&s, keys, image, expected);

	tenant[256] = 'x';
	snprintf(image, sizeof(image), "{\"t\":{\"S\":\"%s\"}}", tenant);
	hashed(hash, tenant);
	snprintf(expected, sizeof(expected), "%s/k", hash);
	expect(&s, keys, image, expected);

	/* 86 blanks are 258 bytes when encoded. */
	memset(tenant, 0, sizeof(tenant));
	memset(tenant, ' ', 86);
	snprintf(image, sizeof(image), "{\"t\":{\"S\":\"%s\"}}", tenant);
	hashed(hash, tenant);
	snprintf(expected, sizeof(expected), "%s/k", hash);
	expect(&s, keys, image, expected);
}

static void test_tenant_differs(void **state)
{
	static const struct {
		const char *a, *b;
		bool differs;
	} cases[] = {
		{"{\"t\":{\"S\":\"x\"}}", "{\"t\":{\"S\":\"x\"},\"u\":{\"S\":\"1\"}}", false},
		{"{\"t\":{\"S\":\"x\"}}", "{ \"t\": {\"S\":\"\\u0078\"}}", false},
		{"{\"t\":{\"S\":\"x\"}}", "{\"t\":{\"S\":\"y\"}}", true},
		{"{\"t\":{\"S\":\"x\"}}", "{}", true},
		{"{}", "{\"t\":{\"NULL\":true}}", false},
	};
	struct itemkey_schema s = path_hash;
	const struct span keys = SPAN_LIT("{\"id\":{\"S\":\"k\"}}");
	bool differs = true;
	struct err e = {0};

	(void)state;
	assert_int_equal(itemkey_tenant_differs(&s, keys, SPAN_LIT("{"), SPAN_LIT("}"), &differs, &e), 0);
	assert_false(differs); /* no tenants, no folders */
	s.tenant_attribute = "t";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		differs = !cases[i].differs;
		assert_int_equal(itemkey_tenant_differs(&s, keys, span_of(cases[i].a), span_of(cases[i].b), &differs,
							&e),
				 0);
		assert_int_equal(differs, cases[i].differs);
	}
	assert_int_equal(itemkey_tenant_differs(&s, keys, SPAN_LIT("{}"), SPAN_LIT("[]"), &differs, &e), -ERR_CORRUPT);
}

/* Keys with components of `hash_len` and `range_len` bytes. */
static void long_keys(char *keys, size_t hash_len, size_t range_len)
{
	char *p = stpcpy(keys, "{\"id\":{\"S\":\"");

	memset(p, 'h', hash_len);
	p = stpcpy(p + hash_len, "\"},\"range\":{\"S\":\"");
	memset(p, 'r', range_len);
	strcpy(p + range_len, "\"}}");
}

static void expect_cut(size_t path_bytes, size_t hash_len, size_t range_len, bool hash_cut, bool range_cut)
{
	struct itemkey_schema s = path_range;
	char keys[8192], hash[66], expected[8192], *p = expected;

	s.path_bytes = path_bytes;
	long_keys(keys, hash_len, range_len);
	hashed(hash, keys);
	if (hash_cut) {
		p = stpcpy(p, hash);
	} else {
		memset(p, 'h', hash_len);
		p += hash_len;
	}
	*p++ = '/';
	if (range_cut) {
		strcpy(p, hash);
	} else {
		memset(p, 'r', range_len);
		p[range_len] = '\0';
	}
	assert_true(path_bytes + strlen(expected) <= 1024);
	expect(&s, keys, NULL, expected);
}

static void test_path_length_caps(void **state)
{
	(void)state;
	/* 1,023, 1,024 and 1,025 bytes in all. */
	expect_cut(0, 511, 511, false, false);
	expect_cut(0, 512, 511, false, false);
	expect_cut(0, 513, 511, true, false);
	expect_cut(0, 511, 513, false, true);
	expect_cut(100, 412, 511, false, false);
	expect_cut(101, 412, 511, false, true);
	/* The hash on a tie. */
	expect_cut(0, 512, 512, true, false);
	expect_cut(200, 450, 450, true, false);
	/* Both: 958 bytes of range beside a cut hash are the most. */
	expect_cut(0, 2000, 958, true, false);
	expect_cut(0, 2000, 959, true, true);
	expect_cut(0, 2000, 1024, true, true);
	expect_cut(0, 1024, 2000, true, true);
	/* A short one stays however long the other is. */
	expect_cut(0, 2048, 1, true, false);
	expect_cut(0, 1, 2048, false, true);
	/* The least room: two digests and a slash. */
	expect_cut(1024 - 131, 500, 500, true, true);
}

static void test_hash_only_length_caps(void **state)
{
	char keys[2100], value[1100] = {0}, hash[66];

	(void)state;
	for (size_t len = 1023; len <= 1025; len++) {
		memset(value, 'x', len);
		snprintf(keys, sizeof(keys), "{\"id\":{\"S\":\"%s\"}}", value);
		hashed(hash, keys);
		expect(&path_hash, keys, NULL, len <= 1024 ? value : hash);
		expect(&plain_hash, keys, NULL, len <= 1024 ? value : hash);
	}
	/* What counts is the encoded length. */
	memset(value, 0, sizeof(value));
	memset(value, '/', 342);
	snprintf(keys, sizeof(keys), "{\"id\":{\"S\":\"%s\"}}", value);
	hashed(hash, keys);
	expect(&path_hash, keys, NULL, hash);
	expect(&plain_hash, keys, NULL, value);
}

static void test_tenant_counts(void **state)
{
	struct itemkey_schema s = path_hash;
	char keys[1100], value[1024] = {0}, hash[80] = "ten/", expected[1100];

	(void)state;
	s.tenant_attribute = "t";
	s.path_bytes = 20;
	memset(value, 'x', 1000);
	snprintf(keys, sizeof(keys), "{\"id\":{\"S\":\"%s\"}}", value);
	snprintf(expected, sizeof(expected), "ten/%s", value);
	expect(&s, keys, "{\"t\":{\"S\":\"ten\"}}", expected); /* 20 + 4 + 1,000 */
	s.path_bytes = 21;
	hashed(hash + 4, keys);
	expect(&s, keys, "{\"t\":{\"S\":\"ten\"}}", hash);
}

static void test_no_room(void **state)
{
	const struct span keys = SPAN_LIT("{\"id\":{\"S\":\"0123456789\"}}");
	struct itemkey_schema s = path_hash;

	(void)state;
	s.path_bytes = 1014;
	expect(&s, keys.ptr, NULL, "0123456789");
	s.path_bytes = 1015;
	expect_failure(&s, keys, (struct span){NULL, 0}, -ERR_LIMIT);
	s.path_bytes = 100000;
	expect_failure(&s, keys, (struct span){NULL, 0}, -ERR_LIMIT);
	s.format = KEY_FORMAT_PLAIN;
	expect_failure(&s, keys, (struct span){NULL, 0}, -ERR_LIMIT);
	s.format = KEY_FORMAT_MD5;
	s.path_bytes = 1024 - 32;
	expect(&s, "{\"id\":{\"S\":\"record-1\"}}", NULL, "ee2bdf43ab8f10ad6c66546714da218b");
	s.path_bytes++;
	expect_failure(&s, keys, (struct span){NULL, 0}, -ERR_LIMIT);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"null",
		"{\"id\":{\"S\":\"x\"}",
		"{\"id\":{\"S\":\"x\"}}}",
		"{\"id\":{\"S\":\"x\"}} ",
		"{ \"id\":{\"S\":\"x\"}}",
		"{\"id\":{\"S\": \"x\"}}",
		"{\"id\":\"x\"}",
		"{\"id\":{\"S\":7}}",
		"{\"id\":{\"N\":7}}",
		"{\"id\":{}}",
		"{\"id\":{\"S\":\"x\",\"N\":\"1\"}}",
		"{\"id\":{\"SS\":[\"x\"]}}",
		"{\"id\":{\"BOOL\":true}}",
		"{\"other\":{\"S\":\"x\"}}",
		"{\"id\":{\"S\":\"x\"},\"more\":{\"S\":\"y\"}}",
		"{\"id\":{\"S\":\"x\"},\"id\":{\"S\":\"y\"}}",
		"{\"id\":{\"B\":\"A\"}}",
		"{\"id\":{\"B\":\"AB==\"}}",
		"{\"id\":{\"S\":\"\\ud800\"}}",
		"{\"id\":{\"S\":\"\xff\"}}",
	};
	static const char *const bad_pairs[] = {
		"{\"id\":{\"S\":\"x\"}}",
		"{\"range\":{\"S\":\"x\"}}",
		"{\"range\":{\"S\":\"x\"},\"id\":{\"S\":\"y\"}}",
		"{\"id\":{\"S\":\"x\"},\"range\":{\"S\":\"y\"},\"z\":{\"S\":\"y\"}}",
	};
	static const char *const bad_images[] = {
		"[]", "{", "{\"t\"", "{\"t\":{\"S\":\"x\"", "{\"t\":\"x\"}", "7", "{\"t\":{\"B\":\"!\"}}"};
	struct itemkey_schema s = path_hash;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_failure(&path_hash, span_of(bad[i]), (struct span){NULL, 0}, -ERR_CORRUPT);
	for (size_t i = 0; i < sizeof(bad_pairs) / sizeof(bad_pairs[0]); i++)
		expect_failure(&path_range, span_of(bad_pairs[i]), (struct span){NULL, 0}, -ERR_CORRUPT);
	s.tenant_attribute = "t";
	for (size_t i = 0; i < sizeof(bad_images) / sizeof(bad_images[0]); i++)
		expect_failure(&s, SPAN_LIT("{\"id\":{\"S\":\"x\"}}"), span_of(bad_images[i]), -ERR_CORRUPT);
}

static void test_output_cap(void **state)
{
	struct buf out;
	struct err e = {0};

	(void)state;
	buf_init(&out, 5);
	assert_int_equal(buf_append_str(&out, "ab"), 0);
	assert_int_equal(itemkey_append(&out, &path_hash, SPAN_LIT("{\"id\":{\"S\":\"1234\"}}"), (struct span){NULL, 0},
					&e),
			 -ERR_LIMIT);
	assert_string_equal(buf_str(&out), "ab");
	assert_int_equal(itemkey_append(&out, &path_hash, SPAN_LIT("{\"id\":{\"S\":\"123\"}}"), (struct span){NULL, 0},
					&e),
			 0);
	assert_string_equal(buf_str(&out), "ab123");
	buf_fini(&out);
}

/* Every prefix of good Keys, at its exact length, so that a read past the end shows. */
static void test_truncated_everywhere(void **state)
{
	static const char keys[] = "{\"id\":{\"S\":\"a\\u0041\"},\"range\":{\"B\":\"AAAA\"}}";

	(void)state;
	for (size_t len = 0; len < strlen(keys); len++) {
		char *copy = malloc(len + 1);

		assert_non_null(copy);
		memcpy(copy, keys, len);
		copy = realloc(copy, len ? len : 1);
		assert_non_null(copy);
		expect_failure(&path_range, (struct span){copy, len}, (struct span){NULL, 0}, -ERR_CORRUPT);
		free(copy);
	}
	expect(&path_range, keys, NULL, "aA/AAAA");
}

static uint32_t random_state = 2463534242;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % bound;
}

/* A random value as JSON text and as what it means. */
static void random_value(char *json, char *text, size_t *text_len)
{
	static const struct {
		const char *json, *text;
		size_t len;
	} pieces[] = {
		{"a", "a", 1}, {"/", "/", 1},	   {".", ".", 1},     {"~", "~", 1},
		{"%", "%", 1}, {"%2F", "%2F", 3},  {" ", " ", 1},     {"\\\"", "\"", 1},
		{"_", "_", 1}, {"\\u0000", "", 1}, {"\\n", "\n", 1},  {"\xc3\xa9", "\xc3\xa9", 2},
		{"+", "+", 1}, {"|", "|", 1},	   {"\\\\", "\\", 1}, {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 4},
	};
	uint32_t n = 1 + random_below(6);

	*text_len = 0;
	while (n-- > 0) {
		uint32_t i = random_below(sizeof(pieces) / sizeof(pieces[0]));

		json = stpcpy(json, pieces[i].json);
		memcpy(text + *text_len, pieces[i].text, pieces[i].len);
		*text_len += pieces[i].len;
	}
}

static void expect_reversed(const char *component, size_t len, const char *text, size_t text_len)
{
	char back[256];
	size_t n;

	assert_true(len > 0 && component[0] != '~');
	assert_null(memchr(component, '/', len));
	assert_true(encode_percent_decode(back, &n, component, len, false));
	assert_int_equal(n, text_len);
	assert_memory_equal(back, text, n);
}

static void test_path_is_reversible(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		char keys[512], json[2][128], text[2][64];
		size_t len[2];
		struct buf out;
		const char *slash;

		random_value(json[0], text[0], &len[0]);
		random_value(json[1], text[1], &len[1]);
		snprintf(keys, sizeof(keys), "{\"id\":{\"S\":\"%s\"},\"range\":{\"S\":\"%s\"}}", json[0], json[1]);
		buf_init(&out, 1024);
		assert_int_equal(itemkey_append(&out, &path_range, span_of(keys), (struct span){NULL, 0}, NULL), 0);
		slash = strchr(buf_str(&out), '/');
		assert_non_null(slash);
		expect_reversed(out.data, (size_t)(slash - out.data), text[0], len[0]);
		expect_reversed(slash + 1, strlen(slash + 1), text[1], len[1]);
		assert_int_not_equal(strncmp(out.data, "./", 2), 0);
		assert_int_not_equal(strncmp(out.data, "../", 3), 0);
		assert_string_not_equal(slash + 1, ".");
		assert_string_not_equal(slash + 1, "..");
		buf_fini(&out);
	}
}

static int teardown(void **state)
{
	(void)state;
	itemkey_cleanup();
	digest_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_values),
		cmocka_unit_test(test_path_first_byte),
		cmocka_unit_test(test_path_hash_comes_first),
		cmocka_unit_test(test_escaped_attribute_names),
		cmocka_unit_test(test_digest_vectors),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_tenant),
		cmocka_unit_test(test_long_tenant),
		cmocka_unit_test(test_tenant_differs),
		cmocka_unit_test(test_path_length_caps),
		cmocka_unit_test(test_hash_only_length_caps),
		cmocka_unit_test(test_tenant_counts),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_output_cap),
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_path_is_reversible),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
