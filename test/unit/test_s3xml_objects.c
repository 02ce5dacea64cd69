/* Pages of ListObjectsV2 as the Amazon S3 API Reference has them, and as Ceph's RADOS Gateway sends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/s3xml.h"

struct listing {
	struct buf notes; /* "KEY size etag time class\n" of each */
	int calls, fail_at;
	struct s3xml_objects_page page;
	struct err e;
	int rc;
};

static int note(void *arg, const struct s3xml_version *v)
{
	struct listing *l = arg;
	char iso[CLOCK_ISO_SIZE];

	if (++l->calls == l->fail_at)
		return -ERR_CANCELLED;
	assert_true(v->is_latest);
	assert_false(v->is_marker);
	assert_int_equal(v->version_id.len, 0);
	clock_iso(iso, v->modified_ms);
	return buf_printf(&l->notes, "%.*s %llu %.*s %s %.*s\n", (int)v->key.len, v->key.ptr,
			  (unsigned long long)v->size_bytes, (int)v->etag.len, v->etag.ptr, iso,
			  (int)v->storage_class.len, v->storage_class.ptr);
}

static void listing_read(struct listing *l, struct span body)
{
	buf_init(&l->notes, 1 << 20);
	buf_init(&l->page.next_token, S3XML_TOKEN_MAX);
	l->rc = s3xml_objects(body, note, l, &l->page, &l->e);
}

static void listing_fini(struct listing *l)
{
	buf_fini(&l->notes);
	buf_fini(&l->page.next_token);
}

static void expect(const char *body, const char *notes, bool truncated, const char *token)
{
	struct listing l = {.page.truncated = !truncated};

	listing_read(&l, span_of(body));
	if (l.rc != 0)
		fail_msg("%s in %s", l.e.message, body);
	assert_string_equal(buf_str(&l.notes), notes);
	assert_int_equal(l.page.truncated, truncated);
	assert_string_equal(buf_str(&l.page.next_token), token);
	listing_fini(&l);
}

/* Malformed: an error that names itself, and no object delivered. */
static void expect_corrupt(struct span body, const char *word)
{
	struct listing l = {0};

	listing_read(&l, body);
	if (l.rc != -ERR_CORRUPT || l.calls != 0)
		fail_msg("rc %d, %d objects from: %.*s", l.rc, l.calls, (int)body.len, body.ptr);
	if (!strstr(l.e.message, word))
		fail_msg("no \"%s\" in: %s", word, l.e.message);
	listing_fini(&l);
}

#define HEAD                                                           \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult " \
	"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define TAIL "</ListBucketResult>"
#define WHOLE "<IsTruncated>false</IsTruncated>"
#define MORE(token) "<IsTruncated>true</IsTruncated><NextContinuationToken>" token "</NextContinuationToken>"
#define URL "<EncodingType>url</EncodingType>"
#define OBJECT(key)                                                                         \
	"<Contents><Key>" key "</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>" \
	"<ETag>&quot;e1&quot;</ETag><Size>2</Size><StorageClass>STANDARD</StorageClass></Contents>"
#define NOTED(key) key " 2 e1 2009-10-12T17:50:30.000Z STANDARD\n"

/* The samples of the API Reference, ListObjectsV2. */
static void test_samples(void **state)
{
	(void)state;
	expect("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	       "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
	       "  <Name>amzn-s3-demo-bucket</Name>\n  <Prefix/>\n  <KeyCount>205</KeyCount>\n"
	       "  <MaxKeys>1000</MaxKeys>\n  <IsTruncated>false</IsTruncated>\n"
	       "  <Contents>\n    <Key>my-image.jpg</Key>\n    <LastModified>2009-10-12T17:50:30.000Z</LastModified>\n"
	       "    <ETag>\"fba9dede5f27731c9771645a39863328\"</ETag>\n    <Size>434234</Size>\n"
	       "    <StorageClass>STANDARD</StorageClass>\n  </Contents>\n</ListBucketResult>",
	       "my-image.jpg 434234 fba9dede5f27731c9771645a39863328 2009-10-12T17:50:30.000Z STANDARD\n", false, "");
	expect("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
	       "  <Name>amzn-s3-demo-bucket</Name>\n  <Prefix></Prefix>\n"
	       "  <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>\n"
	       "  <KeyCount>1000</KeyCount>\n  <MaxKeys>1000</MaxKeys>\n  <IsTruncated>true</IsTruncated>\n"
	       "  <Contents>\n    <Key>happyface.jpg</Key>\n    <LastModified>2014-11-21T19:40:05.000Z</LastModified>\n"
	       "    <ETag>\"70ee1738b6b21e2c8a43f3a5ab0eee71\"</ETag>\n    <Size>11</Size>\n"
	       "    <StorageClass>STANDARD</StorageClass>\n  </Contents>\n</ListBucketResult>",
	       "happyface.jpg 11 70ee1738b6b21e2c8a43f3a5ab0eee71 2014-11-21T19:40:05.000Z STANDARD\n", true,
	       "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=");
	expect("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>amzn-s3-demo-bucket</Name>"
	       "<Prefix></Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter>"
	       "<IsTruncated>false</IsTruncated><Contents><Key>sample.jpg</Key>"
	       "<LastModified>2011-02-26T01:56:20.000Z</LastModified>"
	       "<ETag>\"bf1d737a4d46a19f3bced6905cc8b902\"</ETag><Size>142863</Size>"
	       "<StorageClass>STANDARD</StorageClass></Contents>"
	       "<CommonPrefixes><Prefix>photos/</Prefix></CommonPrefixes></ListBucketResult>",
	       "sample.jpg 142863 bf1d737a4d46a19f3bced6905cc8b902 2011-02-26T01:56:20.000Z STANDARD\n", false, "");
}

/* As it came over the wire: keys are URL-encoded in a way of its own, the token is a key as it is. */
static void test_radosgw(void **state)
{
	(void)state;
	expect(HEAD URL
	       "<Name>b-9387997c6f75</Name><Prefix>t/</Prefix><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated>"
	       "<Contents><Key>t%2Fb%20%2541%2B%26%3Cx</Key><LastModified>2026-11-29T12:51:09.605Z</LastModified>"
	       "<ETag>&quot;99914b932bd37a50b983c5e7c90ae93b&quot;</ETag><Size>2</Size>"
	       "<StorageClass>STANDARD</StorageClass><Type>Normal</Type></Contents>"
	       "<Contents><Key>t%2F%C3%A4|</Key><LastModified>2026-11-29T12:51:09.610Z</LastModified>"
	       "<ETag>&quot;99914b932bd37a50b983c5e7c90ae93b&quot;</ETag><Size>2</Size>"
	       "<StorageClass>STANDARD</StorageClass><Type>Normal</Type></Contents>"
	       "<ContinuationToken>t/a%</ContinuationToken><NextContinuationToken>t/\xc3\xa4|</NextContinuationToken>"
	       "<KeyCount>2</KeyCount>" TAIL,
	       "t/b %41+&<x 2 99914b932bd37a50b983c5e7c90ae93b 2026-11-29T12:51:09.605Z STANDARD\n"
	       "t/\xc3\xa4| 2 99914b932bd37a50b983c5e7c90ae93b 2026-11-29T12:51:09.610Z STANDARD\n",
	       true, "t/\xc3\xa4|");
	expect(HEAD URL "<Name>b</Name><Prefix>nothing/</Prefix>" WHOLE "<KeyCount>0</KeyCount>" TAIL, "", false, "");
}

static void test_encoding(void **state)
{
	(void)state;
	expect(HEAD WHOLE URL OBJECT("a%2Fb+c%2B%01") TAIL, NOTED("a/b c+\x01"), false, "");
	expect(HEAD WHOLE OBJECT("a%2Fb+c") TAIL, NOTED("a%2Fb+c"), false, "");
	/* Where it stands in the page does not matter; a token is never decoded. */
	expect(HEAD OBJECT("a%2Fb") MORE("t%2B+") URL TAIL, NOTED("a/b"), true, "t%2B+");
	expect_corrupt(SPAN_LIT(HEAD WHOLE URL OBJECT("100%") TAIL), "URL-encoded");
	/* A page that is whole has no token, whatever it says. */
	expect(HEAD WHOLE "<NextContinuationToken>t</NextContinuationToken>" TAIL, "", false, "");
}

static void test_missing_members(void **state)
{
	static const char *const members[] = {
		"<Key>k</Key>",
		"<LastModified>2026-11-23T12:39:34.509Z</LastModified>",
		"<ETag>e1</ETag>",
		"<Size>2</Size>",
	};
	const size_t n = sizeof(members) / sizeof(*members);

	(void)state;
	for (size_t one = 0; one < n; one++) {
		for (int times = 0; times <= 2; times++) {
			struct buf body;

			buf_init(&body, 65536);
			buf_append_str(&body, HEAD WHOLE "<Contents>");
			for (size_t i = 0; i < n; i++)
				for (int k = 0; k < (i == one ? times : 1); k++)
					buf_append_str(&body, members[i]);
			buf_append_str(&body, "</Contents>" TAIL);
			if (times == 1)
				expect(buf_str(&body), "k 2 e1 2026-11-23T12:39:34.509Z \n", false, "");
			else
				expect_corrupt(span_of(buf_str(&body)), times > 1 ? "twice" : "missing");
			buf_fini(&body);
		}
	}
	expect_corrupt(SPAN_LIT(HEAD OBJECT("k") TAIL), "IsTruncated");
	expect_corrupt(SPAN_LIT(HEAD "<IsTruncated>true</IsTruncated>" OBJECT("k") TAIL), "NextContinuationToken");
	expect_corrupt(SPAN_LIT(HEAD MORE("") OBJECT("k") TAIL), "NextContinuationToken");
	expect_corrupt(SPAN_LIT(HEAD WHOLE OBJECT("") TAIL), "Key");
}

/* What the two listings have in common is not taken for the other's. */
static void test_other_documents(void **state)
{
	(void)state;
	expect_corrupt(SPAN_LIT("<ListVersionsResult>" WHOLE "</ListVersionsResult>"), "ListBucketResult");
	expect_corrupt(SPAN_LIT("<Error><Code>SlowDown</Code></Error>"), "<Error>");
	expect_corrupt(SPAN_LIT(""), "no element");
	expect(HEAD WHOLE "<Version><Key>no</Key></Version><NextKeyMarker>x</NextKeyMarker>"
			  "<Future><Contents><Key>no</Key></Contents></Future>" OBJECT("k") TAIL,
	       NOTED("k"), false, "");
}

static void test_lengths(void **state)
{
	char token[S3XML_TOKEN_MAX + 2], body[S3XML_TOKEN_MAX + 1024];
	struct listing l = {0};

	(void)state;
	memset(token, 't', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	snprintf(body, sizeof(body), HEAD MORE("%s") TAIL, token);
	expect_corrupt(span_of(body), "long");
	snprintf(body, sizeof(body), HEAD MORE("%s") TAIL, token + 1);
	expect(body, "", true, token + 1);
	token[1025] = '\0';
	snprintf(body, sizeof(body), HEAD WHOLE OBJECT("%s") TAIL, token);
	expect_corrupt(span_of(body), "1,024");
	/* A buffer of the caller that is too small. */
	buf_init(&l.page.next_token, 3);
	assert_int_equal(s3xml_objects(SPAN_LIT(HEAD MORE("four") TAIL), note, &l, &l.page, &l.e), -ERR_LIMIT);
	buf_fini(&l.page.next_token);
}

/* At its exact length, so that a read past the end shows. */
static void test_truncated_everywhere(void **state)
{
	static const char body[] = HEAD URL MORE("t") OBJECT("a%20b&amp;") OBJECT("c") TAIL;

	(void)state;
	for (size_t len = 0; len < strlen(body); len++) {
		char *copy = malloc(len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, body, len);
		expect_corrupt((struct span){copy, len}, "");
		free(copy);
	}
	expect(body, NOTED("a b&") NOTED("c"), true, "t");
}

static void test_error_of_the_callback_ends_it(void **state)
{
	struct listing l = {.fail_at = 2};

	(void)state;
	listing_read(&l, SPAN_LIT(HEAD MORE("t") OBJECT("a") OBJECT("b") OBJECT("c") TAIL));
	assert_int_equal(l.rc, -ERR_CANCELLED);
	assert_int_equal(l.calls, 2);
	assert_false(l.page.truncated);
	assert_int_equal(l.page.next_token.len, 0);
	listing_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_radosgw),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_missing_members),
		cmocka_unit_test(test_other_documents),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_error_of_the_callback_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
