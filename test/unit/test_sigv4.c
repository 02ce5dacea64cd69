/*
 * The worked examples of AWS (Amazon S3 API, "Authenticating Requests: Using the Authorization Header"; AWS General
 * Reference, "Signature Version 4 signing process"), and requests signed by botocore (data/make_sigv4_vectors.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "codec/sigv4.h"

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "test/unit/data"
#endif

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define H(n, v)                          \
	{                                \
		SPAN_LIT(n), SPAN_LIT(v) \
	}

static void sign_s3_example(const struct sigv4_request *r, const char *signed_headers, const char *signature)
{
	struct sigv4_key key = {0};
	struct buf out;
	char expected[512];

	buf_init(&out, 4096);
	sigv4_key_update(&key, "20130524", "us-east-1", "s3", "AKIAIOSFODNN7EXAMPLE",
			 "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
	assert_int_equal(sigv4_sign(&key, r, &out), 0);
	snprintf(expected, sizeof(expected),
		 "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
		 "SignedHeaders=%s, Signature=%s",
		 signed_headers, signature);
	assert_string_equal(buf_str(&out), expected);
	buf_fini(&out);
}

static void test_aws_s3_get_object(void **state)
{
	static const struct sigv4_header headers[] = {
		H("x-amz-date", "20130524T000000Z"),
		H("range", "bytes=0-9"),
		H("host", "examplebucket.s3.amazonaws.com"),
		H("x-amz-content-sha256", EMPTY_SHA256),
	};
	const struct sigv4_request r = {"GET",		SPAN_LIT("/test.txt"),	{NULL, 0},	    headers,
					COUNT(headers), SPAN_LIT(EMPTY_SHA256), "20130524T000000Z", false};
	struct buf canonical;

	(void)state;
	buf_init(&canonical, 4096);
	assert_int_equal(sigv4_canonical_request(&r, &canonical), 0);
	assert_string_equal(buf_str(&canonical), "GET\n"
						 "/test.txt\n"
						 "\n"
						 "host:examplebucket.s3.amazonaws.com\n"
						 "range:bytes=0-9\n"
						 "x-amz-content-sha256:" EMPTY_SHA256 "\n"
						 "x-amz-date:20130524T000000Z\n"
						 "\n"
						 "host;range;x-amz-content-sha256;x-amz-date\n" EMPTY_SHA256);
	buf_fini(&canonical);
	sign_s3_example(&r, "host;range;x-amz-content-sha256;x-amz-date",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void test_aws_s3_put_object(void **state)
{
#define WELCOME "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
	static const struct sigv4_header headers[] = {
		H("x-amz-storage-class", "REDUCED_REDUNDANCY"),
		H("date", "Fri, 24 May 2013 00:00:00 GMT"),
		H("host", "examplebucket.s3.amazonaws.com"),
		H("x-amz-date", "20130524T000000Z"),
		H("x-amz-content-sha256", WELCOME),
	};
	const struct sigv4_request r = {"PUT",
					SPAN_LIT("/test%24file.text"),
					{NULL, 0},
					headers,
					COUNT(headers),
					SPAN_LIT(WELCOME),
					"20130524T000000Z",
					false};

	(void)state;
	sign_s3_example(&r, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void sign_s3_bucket_query(struct span query, const char *signature)
{
	static const struct sigv4_header headers[] = {
		H("host", "examplebucket.s3.amazonaws.com"),
		H("x-amz-content-sha256", EMPTY_SHA256),
		H("x-amz-date", "20130524T000000Z"),
	};
	const struct sigv4_request r = {
		"GET", SPAN_LIT("/"), query, headers, COUNT(headers), SPAN_LIT(EMPTY_SHA256), "20130524T000000Z",
		false};

	sign_s3_example(&r, "host;x-amz-content-sha256;x-amz-date", signature);
}

static void test_aws_s3_bucket_lifecycle(void **state)
{
	static const char signature[] = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";

	(void)state;
	sign_s3_bucket_query(SPAN_LIT("lifecycle"), signature);
	sign_s3_bucket_query(SPAN_LIT("lifecycle="), signature);
}

static void test_aws_s3_list_objects(void **state)
{
	static const char signature[] = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";

	(void)state;
	sign_s3_bucket_query(SPAN_LIT("max-keys=2&prefix=J"), signature);
	sign_s3_bucket_query(SPAN_LIT("prefix=J&max-keys=2"), signature);
	sign_s3_bucket_query(SPAN_LIT("prefix=%4a&max%2dkeys=2"), signature);
}

static void test_aws_iam_list_users(void **state)
{
	static const struct sigv4_header headers[] = {
		H("host", "iam.amazonaws.com"),
		H("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
		H("x-amz-date", "20150830T123600Z"),
	};
	const struct sigv4_request r = {"GET",
					SPAN_LIT("/"),
					SPAN_LIT("Action=ListUsers&Version=2010-05-08"),
					headers,
					COUNT(headers),
					SPAN_LIT(EMPTY_SHA256),
					"20150830T123600Z",
					true};
	struct sigv4_key key = {0};
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	sigv4_key_update(&key, "20150830", "us-east-1", "iam", "AKIDEXAMPLE",
			 "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
	assert_int_equal(buf_append_str(&out, "before: "), 0);
	assert_int_equal(sigv4_sign(&key, &r, &out), 0);
	assert_string_equal(buf_str(&out),
			    "before: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
			    "SignedHeaders=content-type;host;x-amz-date, "
			    "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
	buf_fini(&out);
}

static void expect_key(const struct sigv4_key *k, const char *hex)
{
	char got[65] = {0};

	encode_hex(got, k->key, sizeof(k->key));
	assert_string_equal(got, hex);
}

static void test_aws_key_derivation(void **state)
{
	static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
	struct sigv4_key key = {0};

	(void)state;
	sigv4_key_update(&key, "20120215", "us-east-1", "iam", "AKIDEXAMPLE", secret);
	expect_key(&key, "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
	sigv4_key_update(&key, "20150830", "us-east-1", "iam", "AKIDEXAMPLE", secret);
	expect_key(&key, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

static void test_key_is_kept_until_something_changes(void **state)
{
	static const char *const base[] = {"20260101", "r", "s3", "AK", "secret"};
	static const char *const other[] = {"20260102", "q", "dynamodb", "AL", "secres"};
	struct sigv4_key key = {0};

	(void)state;
	for (size_t changed = 0; changed < COUNT(base); changed++) {
		const char *now[COUNT(base)];
		static const uint8_t mark[32] = "derived earlier";

		sigv4_key_update(&key, base[0], base[1], base[2], base[3], base[4]);
		memcpy(key.key, mark, sizeof(mark));
		sigv4_key_update(&key, base[0], base[1], base[2], base[3], base[4]);
		assert_memory_equal(key.key, mark, sizeof(mark));

		memcpy(now, base, sizeof(base));
		now[changed] = other[changed];
		sigv4_key_update(&key, now[0], now[1], now[2], now[3], now[4]);
		assert_memory_not_equal(key.key, mark, sizeof(mark));
	}
}

static void test_key_wipe(void **state)
{
	static const struct sigv4_key zero;
	struct sigv4_key key = {0};

	(void)state;
	sigv4_key_update(&key, "20260101", "r", "s3", "AK", "secret");
	assert_memory_not_equal(&key, &zero, sizeof(key));
	sigv4_key_wipe(&key);
	assert_memory_equal(&key, &zero, sizeof(key));
}

static void test_overlong_fields_are_cut(void **state)
{
	char big[4096];
	struct sigv4_key key = {0};

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	sigv4_key_update(&key, big, big, big, big, big);
	assert_int_equal(strlen(key.date), sizeof(key.date) - 1);
	assert_int_equal(strlen(key.region), sizeof(key.region) - 1);
	assert_int_equal(strlen(key.service), sizeof(key.service) - 1);
	assert_int_equal(strlen(key.access_key), sizeof(key.access_key) - 1);
}

static void test_limits(void **state)
{
	struct sigv4_header headers[SIGV4_HEADERS_MAX + 1];
	struct sigv4_request r = {
		"GET", SPAN_LIT("/"), {NULL, 0}, headers, SIGV4_HEADERS_MAX, SPAN_LIT(EMPTY_SHA256), "20150830T123600Z",
		false};
	struct sigv4_key key = {0};
	struct buf out;
	char query[2 * (SIGV4_PARAMS_MAX + 1)];
	char *path = calloc(1, 70000);

	(void)state;
	assert_non_null(path);
	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT(headers); i++)
		headers[i] = (struct sigv4_header){SPAN_LIT("x-same"), SPAN_LIT("v")};
	assert_int_equal(sigv4_sign(&key, &r, &out), 0);
	assert_non_null(strstr(buf_str(&out), "SignedHeaders=x-same, "));
	buf_reset(&out);

	r.nheaders++;
	assert_int_equal(sigv4_sign(&key, &r, &out), -ERR_INVALID);
	assert_int_equal(sigv4_canonical_request(&r, &out), -ERR_INVALID);
	r.nheaders = 1;

	for (size_t i = 0; i < sizeof(query); i += 2)
		memcpy(query + i, "a&", 2);
	r.query = (struct span){query, 2 * SIGV4_PARAMS_MAX};
	assert_int_equal(sigv4_sign(&key, &r, &out), 0);
	buf_reset(&out);
	r.query.len = sizeof(query);
	assert_int_equal(sigv4_sign(&key, &r, &out), -ERR_INVALID);
	r.query.len = 0;

	r.path = (struct span){path, 70000};
	assert_int_equal(sigv4_sign(&key, &r, &out), -ERR_LIMIT);
	r.path = SPAN_LIT("/");
	assert_int_equal(out.len, 0);

	/* A failure leaves `out` alone, and the next call is a fresh one. */
	out.max = 100;
	assert_int_equal(buf_append_str(&out, "kept"), 0);
	assert_int_equal(sigv4_sign(&key, &r, &out), -ERR_LIMIT);
	assert_string_equal(buf_str(&out), "kept");
	out.max = 4096;
	assert_int_equal(sigv4_canonical_request(&r, &out), 0);
	assert_string_equal(buf_str(&out), "keptGET\n/\n\nx-same:v\n\nx-same\n" EMPTY_SHA256);
	buf_fini(&out);
	free(path);
}

#define FIELDS 12

/* Splits at `sep` in place; returns the number of parts. */
static size_t split(char *text, char sep, char **parts, size_t max)
{
	size_t n = 0;

	while (n < max) {
		char *next = strchr(text, sep);

		parts[n++] = text;
		if (!next)
			break;
		*next = '\0';
		text = next + 1;
	}
	return n;
}

static void check_vector(char *line)
{
	enum { NAME, SERVICE, REGION, ACCESS, SECRET, DATE, METHOD, PATH, QUERY, HEADERS, HASH, AUTHORIZATION };
	char *f[FIELDS], *given[SIGV4_HEADERS_MAX], day[9] = {0};
	struct sigv4_header headers[SIGV4_HEADERS_MAX];
	struct sigv4_key key = {0};
	struct buf out;

	assert_int_equal(split(line, '\t', f, FIELDS), FIELDS);
	size_t n = split(f[HEADERS], '&', given, SIGV4_HEADERS_MAX);

	for (size_t i = 0; i < n; i++) {
		char *value = strchr(given[i], '=');
		size_t len;

		assert_non_null(value);
		*value++ = '\0';
		assert_true(encode_percent_decode(value, &len, value, strlen(value), false));
		headers[i] = (struct sigv4_header){span_of(given[i]), {value, len}};
	}
	struct sigv4_request r = {f[METHOD], span_of(f[PATH]), span_of(f[QUERY]), headers,
				  n,	     span_of(f[HASH]), f[DATE],		  strcmp(f[SERVICE], "s3") != 0};

	buf_init(&out, 65536);
	memcpy(day, f[DATE], 8);
	sigv4_key_update(&key, day, f[REGION], f[SERVICE], f[ACCESS], f[SECRET]);
	assert_int_equal(sigv4_sign(&key, &r, &out), 0);
	if (strcmp(buf_str(&out), f[AUTHORIZATION]) != 0) {
		buf_reset(&out);
		sigv4_canonical_request(&r, &out);
		fail_msg("%s: not signed as botocore does; signed was:\n%s", f[NAME], buf_str(&out));
	}
	buf_fini(&out);
}

static void test_requests_signed_by_botocore(void **state)
{
	FILE *file = fopen(TEST_DATA_DIR "/sigv4_vectors.tsv", "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int checked = 0;

	(void)state;
	if (!file)
		fail_msg("cannot open " TEST_DATA_DIR "/sigv4_vectors.tsv");
	while ((len = getline(&line, &size, file)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		check_vector(line);
		checked++;
	}
	free(line);
	fclose(file);
	assert_true(checked >= 300);
}

static int teardown(void **state)
{
	(void)state;
	sigv4_cleanup();
	digest_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aws_s3_get_object),
		cmocka_unit_test(test_aws_s3_put_object),
		cmocka_unit_test(test_aws_s3_bucket_lifecycle),
		cmocka_unit_test(test_aws_s3_list_objects),
		cmocka_unit_test(test_aws_iam_list_users),
		cmocka_unit_test(test_aws_key_derivation),
		cmocka_unit_test(test_key_is_kept_until_something_changes),
		cmocka_unit_test(test_key_wipe),
		cmocka_unit_test(test_overlong_fields_are_cut),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_requests_signed_by_botocore),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
