/* Answers of S3 as the Amazon S3 API Reference has them, and as Ceph's RADOS Gateway sends them. */
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

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Notes each version as "KEY@VERSION[*] size etag time class\n", '*' for the latest; a marker is "KEY@VERSION[*] - time\n". */
struct notes {
	struct buf text;
	int calls;
	int fail_at; /* the call that fails, from 1 */
};

static int note(void *arg, const struct s3xml_version *v)
{
	struct notes *n = arg;
	char iso[CLOCK_ISO_SIZE];

	if (++n->calls == n->fail_at)
		return -ERR_CANCELLED;
	buf_append(&n->text, v->key.ptr, v->key.len);
	buf_append_char(&n->text, '@');
	buf_append(&n->text, v->version_id.ptr, v->version_id.len);
	if (v->is_latest)
		buf_append_char(&n->text, '*');
	clock_iso(iso, v->modified_ms);
	if (v->is_marker) {
		assert_int_equal(v->etag.len, 0);
		return buf_printf(&n->text, " - %s\n", iso);
	}
	buf_printf(&n->text, " %llu ", (unsigned long long)v->size_bytes);
	buf_append(&n->text, v->etag.ptr, v->etag.len);
	buf_printf(&n->text, " %s ", iso);
	buf_append(&n->text, v->storage_class.ptr, v->storage_class.len);
	return buf_append_char(&n->text, '\n');
}

struct listing {
	struct notes notes;
	struct s3xml_page page;
	struct err e;
	int rc;
};

static void listing_read(struct listing *l, struct span body)
{
	*l = (struct listing){0};
	buf_init(&l->notes.text, 1 << 20);
	buf_init(&l->page.next_key_marker, 1024);
	buf_init(&l->page.next_version_marker, 1024);
	l->rc = s3xml_versions(body, note, &l->notes, &l->page, &l->e);
}

static void listing_fini(struct listing *l)
{
	buf_fini(&l->notes.text);
	buf_fini(&l->page.next_key_marker);
	buf_fini(&l->page.next_version_marker);
}

static void expect_listing(const char *body, const char *notes, bool truncated, const char *next_key,
			   const char *next_version)
{
	struct listing l;

	listing_read(&l, span_of(body));
	if (l.rc != 0)
		fail_msg("%s in %s", l.e.message, body);
	assert_string_equal(buf_str(&l.notes.text), notes);
	assert_int_equal(l.page.truncated, truncated);
	assert_string_equal(buf_str(&l.page.next_key_marker), next_key);
	assert_string_equal(buf_str(&l.page.next_version_marker), next_version);
	listing_fini(&l);
}

/* Malformed: an error that names itself, and no version delivered. */
static void expect_corrupt(struct span body, const char *word)
{
	struct listing l;

	listing_read(&l, body);
	if (l.rc != -ERR_CORRUPT || l.notes.calls != 0)
		fail_msg("rc %d, %d versions from: %.*s", l.rc, l.notes.calls, (int)body.len, body.ptr);
	assert_int_equal(l.e.class, ERR_CORRUPT);
	if (!strstr(l.e.message, word))
		fail_msg("no \"%s\" in: %s", word, l.e.message);
	listing_fini(&l);
}

#define HEAD                                                             \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListVersionsResult " \
	"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define TAIL "</ListVersionsResult>"
#define WHOLE "<IsTruncated>false</IsTruncated>"
#define OWNER "<Owner><ID>test</ID><DisplayName>test</DisplayName></Owner>"
#define VERSION(key, id)                                                                                 \
	"<Version><Key>" key "</Key><VersionId>" id "</VersionId><IsLatest>true</IsLatest>"              \
	"<LastModified>2026-11-23T12:39:34.509Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>2</Size>" \
	"<StorageClass>STANDARD</StorageClass>" OWNER "</Version>"
#define NOTED(key, id) key "@" id "* 2 e1 2026-11-23T12:39:34.509Z STANDARD\n"

static void test_radosgw_page(void **state)
{
	(void)state;
	expect_listing(HEAD "<Name>bkt1</Name><Prefix></Prefix><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
			    "<KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker>"
			    "<DeleteMarker><Key>cs</Key><VersionId>YnJnK3iTms1a8HzkzNFsx-4BeN05VNe</VersionId>"
			    "<IsLatest>true</IsLatest><LastModified>2026-11-23T12:40:35.195Z</LastModified>" OWNER
			    "<Type>Normal</Type></DeleteMarker>"
			    "<Version><Key>cs</Key><VersionId>X1a6w6YvtTFbJYwHvID-n0ZapjHFtsC</VersionId>"
			    "<IsLatest>false</IsLatest><LastModified>2026-11-23T12:39:34.509Z</LastModified>"
			    "<ETag>&quot;1414c9756505ddfb8ba0a3b6fc9d691f&quot;</ETag><Size>2</Size>"
			    "<StorageClass>STANDARD</StorageClass>" OWNER "<Type>Normal</Type></Version>"
			    "<Version><Key>mp</Key><VersionId>VagzpHgTU6LBxkwOOfGuOGnvXme-FaS</VersionId>"
			    "<IsLatest>false</IsLatest><LastModified>2026-11-23T12:39:34.796Z</LastModified>"
			    "<ETag>&quot;e5a8c5272b26fc10581a21089559b006-2&quot;</ETag><Size>5242881</Size>"
			    "<StorageClass>STANDARD</StorageClass>" OWNER "<Type>Normal</Type></Version>"
			    "<DeleteMarker><Key>inm</Key><VersionId>4Rs1MrXStj4SYdqc5h5ERZtn3qzSHZX</VersionId>"
			    "<IsLatest>false</IsLatest><LastModified>2026-11-23T12:39:34.333Z</LastModified>" OWNER
			    "<Type>Normal</Type></DeleteMarker>"
			    "<Version><Key>pre</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>"
			    "<LastModified>2026-11-23T12:39:33.800Z</LastModified>"
			    "<ETag>&quot;b8a9f715dbb64fd5c56e7783c6820a61&quot;</ETag><Size>3</Size>"
			    "<StorageClass>STANDARD</StorageClass>" OWNER "<Type>Normal</Type></Version>" TAIL,
		       "cs@YnJnK3iTms1a8HzkzNFsx-4BeN05VNe* - 2026-11-23T12:40:35.195Z\n"
		       "cs@X1a6w6YvtTFbJYwHvID-n0ZapjHFtsC 2 1414c9756505ddfb8ba0a3b6fc9d691f "
		       "2026-11-23T12:39:34.509Z STANDARD\n"
		       "mp@VagzpHgTU6LBxkwOOfGuOGnvXme-FaS 5242881 e5a8c5272b26fc10581a21089559b006-2 "
		       "2026-11-23T12:39:34.796Z STANDARD\n"
		       "inm@4Rs1MrXStj4SYdqc5h5ERZtn3qzSHZX - 2026-11-23T12:39:34.333Z\n"
		       "pre@null 3 b8a9f715dbb64fd5c56e7783c6820a61 2026-11-23T12:39:33.800Z STANDARD\n",
		       false, "", "");
}

static void test_empty_page(void **state)
{
	(void)state;
	expect_listing(HEAD "<Name>b</Name>" WHOLE TAIL, "", false, "", "");
}

static void test_truncated_page(void **state)
{
	(void)state;
	expect_listing(HEAD "<IsTruncated>true</IsTruncated><NextKeyMarker>k+1</NextKeyMarker>"
			    "<NextVersionIdMarker>v.1</NextVersionIdMarker>" VERSION("a", "1") TAIL,
		       NOTED("a", "1"), true, "k+1", "v.1");
	/* Markers behind the versions, and no version marker. */
	expect_listing(HEAD VERSION("a", "1") "<NextKeyMarker>k</NextKeyMarker><IsTruncated>true</IsTruncated>" TAIL,
		       NOTED("a", "1"), true, "k", "");
	/* A page that is whole has none, whatever it says. */
	expect_listing(HEAD WHOLE "<NextKeyMarker>k</NextKeyMarker>" TAIL, "", false, "", "");
}

static void test_page_of_markers_only(void **state)
{
#define MARKER(key, id)                                                                           \
	"<DeleteMarker><Key>" key "</Key><VersionId>" id "</VersionId><IsLatest>false</IsLatest>" \
	"<LastModified>2026-11-23T12:39:34Z</LastModified></DeleteMarker>"
	(void)state;
	expect_listing(HEAD WHOLE MARKER("a", "2") MARKER("a", "1") TAIL,
		       "a@2 - 2026-11-23T12:39:34.000Z\na@1 - 2026-11-23T12:39:34.000Z\n", false, "", "");
}

static void test_page_is_reset(void **state)
{
	struct s3xml_page page = {.truncated = true};
	struct notes notes = {0};

	(void)state;
	buf_init(&page.next_key_marker, 1024);
	buf_init(&page.next_version_marker, 1024);
	buf_append_str(&page.next_key_marker, "old");
	buf_append_str(&page.next_version_marker, "old");
	/* Untouched by a failure, replaced by a success. */
	assert_int_equal(s3xml_versions(SPAN_LIT("<x/>"), note, &notes, &page, NULL), -ERR_CORRUPT);
	assert_true(page.truncated);
	assert_string_equal(buf_str(&page.next_key_marker), "old");
	assert_int_equal(s3xml_versions(SPAN_LIT(HEAD WHOLE TAIL), note, &notes, &page, NULL), 0);
	assert_false(page.truncated);
	assert_string_equal(buf_str(&page.next_key_marker), "");
	assert_string_equal(buf_str(&page.next_version_marker), "");
	buf_fini(&page.next_key_marker);
	buf_fini(&page.next_version_marker);
}

static void test_url_encoding(void **state)
{
#define URL "<EncodingType>url</EncodingType>"
	(void)state;
	expect_listing(HEAD WHOLE URL VERSION("a%2Fb+c%2B%C3%A9%01", "1+2") TAIL, NOTED("a/b c+\xc3\xa9\x01", "1+2"),
		       false, "", "");
	/* Without it nothing is decoded. */
	expect_listing(HEAD WHOLE VERSION("a%2Fb+c", "1") TAIL, NOTED("a%2Fb+c", "1"), false, "", "");
	expect_listing(HEAD WHOLE VERSION("100%", "1") TAIL, NOTED("100%", "1"), false, "", "");
	/* Where it stands in the page does not matter. */
	expect_listing(HEAD VERSION("a%2Fb", "1") "<NextKeyMarker>x%7Cy+z</NextKeyMarker>"
						  "<IsTruncated>true</IsTruncated>" URL TAIL,
		       NOTED("a/b", "1"), true, "x|y z", "");
	expect_corrupt(SPAN_LIT(HEAD WHOLE URL VERSION("100%", "1") TAIL), "URL-encoded");
	expect_corrupt(SPAN_LIT(HEAD WHOLE VERSION("100%zz", "1") URL TAIL), "URL-encoded");
}

/* RADOS Gateway encodes keys and leaves the marker as it is; AWS encodes both. */
static void test_marker_that_is_not_encoded(void **state)
{
#define NEXT(m) "<IsTruncated>true</IsTruncated><NextKeyMarker>" m "</NextKeyMarker>"
	(void)state;
	expect_listing(HEAD URL NEXT("a%25b+c") VERSION("a%2525b%2Bc", "1") TAIL, NOTED("a%25b+c", "1"), true,
		       "a%25b+c", "");
	expect_listing(HEAD URL NEXT("a%2525b%2Bc") VERSION("a%2525b%2Bc", "1") TAIL, NOTED("a%25b+c", "1"), true,
		       "a%25b+c", "");
	expect_listing(HEAD URL NEXT("100%") VERSION("100%25", "1") TAIL, NOTED("100%", "1"), true, "100%", "");
	expect_corrupt(SPAN_LIT(HEAD URL NEXT("99%") VERSION("100%25", "1") TAIL), "URL-encoded");
}

static void test_xml_forms(void **state)
{
	(void)state;
	/* References, CDATA, comments, a text in pieces. */
	expect_listing(HEAD WHOLE VERSION("a&amp;&lt;&#xe9;&#8364;", "1") TAIL, NOTED("a&<\xc3\xa9\xe2\x82\xac", "1"),
		       false, "", "");
	expect_listing(HEAD WHOLE VERSION("a<![CDATA[<b>]]>c<!-- no -->d", "1") TAIL, NOTED("a<b>cd", "1"), false, "",
		       "");
	/* Any namespace, any prefix, none. */
	expect_listing("<s3:ListVersionsResult xmlns:s3=\"urn:x\"><s3:IsTruncated>false</s3:IsTruncated>"
		       "</s3:ListVersionsResult>",
		       "", false, "", "");
	expect_listing("<ListVersionsResult>" WHOLE VERSION("k", "1") TAIL, NOTED("k", "1"), false, "", "");
	/* Blanks between elements. */
	expect_listing("\n<ListVersionsResult a='b'>\n  " WHOLE "\n  " VERSION("k", "1") "\n" TAIL "\n",
		       NOTED("k", "1"), false, "", "");
}

static void test_unknown_elements_are_passed_over(void **state)
{
	(void)state;
	expect_listing(HEAD WHOLE
		       "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"
		       "<Future><Version><Key>no</Key></Version><IsTruncated>x</IsTruncated></Future>"
		       "<Version><Key>k</Key><VersionId>1</VersionId><IsLatest>true</IsLatest>"
		       "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Deep><Key>no</Key><Size>x</Size></Deep>"
		       "<ANameThatIsLongerThanAnyNameThatWeKnow><Key>no</Key></ANameThatIsLongerThanAnyNameThatWeKnow>"
		       "<LastModified>2026-11-23T12:39:34.509Z</LastModified><ETag>e1</ETag><Size>2</Size>"
		       "<StorageClass>STANDARD</StorageClass></Version>" TAIL,
		       NOTED("k", "1"), false, "", "");
}

static void test_missing_members(void **state)
{
	static const char *const members[] = {
		"<Key>k</Key>",
		"<VersionId>1</VersionId>",
		"<IsLatest>true</IsLatest>",
		"<LastModified>2026-11-23T12:39:34.509Z</LastModified>",
		"<ETag>&quot;e1&quot;</ETag>",
		"<Size>2</Size>",
	};

	(void)state;
	for (size_t missing = 0; missing < COUNT(members); missing++) {
		for (int twice = 0; twice < 2; twice++) {
			struct buf body;

			buf_init(&body, 65536);
			buf_append_str(&body, HEAD WHOLE "<Version>");
			for (size_t i = 0; i < COUNT(members); i++) {
				if (i != missing || twice)
					buf_append_str(&body, members[i]);
				if (i == missing && twice)
					buf_append_str(&body, members[i]);
			}
			buf_append_str(&body, "</Version>" TAIL);
			expect_corrupt(span_of(buf_str(&body)), twice ? "twice" : "missing");
			buf_fini(&body);
		}
	}
	expect_corrupt(SPAN_LIT(HEAD VERSION("k", "1") TAIL), "IsTruncated");
	expect_corrupt(SPAN_LIT(HEAD "<IsTruncated>true</IsTruncated>" VERSION("k", "1") TAIL), "NextKeyMarker");
	expect_corrupt(SPAN_LIT(HEAD WHOLE VERSION("", "1") TAIL), "Key");
	expect_corrupt(SPAN_LIT(HEAD WHOLE VERSION("k", "") TAIL), "Key");
}

static void test_bad_values(void **state)
{
#define WITH(latest, time, size)                                                                                   \
	SPAN_LIT(HEAD WHOLE VERSION("first", "0") "<Version><Key>k</Key><VersionId>1</VersionId><IsLatest>" latest \
						  "</IsLatest><LastModified>" time                                 \
						  "</LastModified><ETag>e</ETag><Size>" size "</Size></Version>" TAIL)
#define T "2026-11-23T12:39:34Z"
	(void)state;
	expect_corrupt(WITH("yes", T, "1"), "true");
	expect_corrupt(WITH("", T, "1"), "true");
	expect_corrupt(WITH("TRUE", T, "1"), "true");
	expect_corrupt(WITH("true", "yesterday", "1"), "time");
	expect_corrupt(WITH("true", "", "1"), "time");
	expect_corrupt(WITH("true", "2026-11-23T12:39:34.0000000000000000000000000000000000Z", "1"), "time");
	expect_corrupt(WITH("true", T, ""), "size");
	expect_corrupt(WITH("true", T, "-1"), "size");
	expect_corrupt(WITH("true", T, "1x"), "size");
	expect_corrupt(WITH("true", T, "99999999999999999999"), "size");
}

/* A <Version> whose element `name` has `len` bytes. */
static void expect_length(const char *name, size_t len, bool url, bool good)
{
	char *filler = malloc(len + 1);
	struct buf body;
	struct listing l;

	assert_non_null(filler);
	memset(filler, 'x', len);
	filler[len] = '\0';
	buf_init(&body, 1 << 20);
	buf_printf(&body, HEAD WHOLE "%s<Version>", url ? URL : "");
	buf_printf(&body, "<Key>%s</Key>", strcmp(name, "Key") == 0 ? filler : "k");
	buf_printf(&body, "<VersionId>%s</VersionId>", strcmp(name, "VersionId") == 0 ? filler : "1");
	buf_printf(&body, "<ETag>%s</ETag>", strcmp(name, "ETag") == 0 ? filler : "e");
	buf_printf(&body, "<StorageClass>%s</StorageClass>", strcmp(name, "StorageClass") == 0 ? filler : "s");
	buf_append_str(&body,
		       "<IsLatest>true</IsLatest><LastModified>" T "</LastModified><Size>1</Size></Version>" TAIL);
	if (good) {
		listing_read(&l, span_of(buf_str(&body)));
		assert_int_equal(l.rc, 0);
		assert_int_equal(l.notes.calls, 1);
		assert_non_null(strstr(buf_str(&l.notes.text), filler));
		listing_fini(&l);
	} else {
		expect_corrupt(span_of(buf_str(&body)), "");
	}
	buf_fini(&body);
	free(filler);
}

static void test_oversize_values(void **state)
{
	(void)state;
	expect_length("Key", 1024, false, true);
	expect_length("Key", 1025, false, false);
	expect_length("Key", 1024, true, true);
	expect_length("Key", 1025, true, false);
	expect_length("Key", 3072, false, false);
	expect_length("Key", 3073, false, false);
	expect_length("Key", 300000, true, false);
	expect_length("VersionId", 1024, false, true);
	expect_length("VersionId", 1025, false, false);
	expect_length("ETag", 70, false, true);
	expect_length("ETag", 300000, false, false);
	expect_length("StorageClass", 20, false, true);
	expect_length("StorageClass", 4000, false, false);
}

static void test_longest_encoded_key(void **state)
{
	struct buf body, decoded;
	struct listing l;

	(void)state;
	buf_init(&body, 1 << 16);
	buf_init(&decoded, 1 << 16);
	buf_append_str(&body, HEAD URL "<IsTruncated>true</IsTruncated><NextKeyMarker>");
	for (int i = 0; i < 1024; i++) {
		buf_append_str(&body, "%7C");
		buf_append_char(&decoded, '|');
	}
	buf_append_str(&body, "</NextKeyMarker>" TAIL);
	listing_read(&l, span_of(buf_str(&body)));
	assert_int_equal(l.rc, 0);
	assert_string_equal(buf_str(&l.page.next_key_marker), buf_str(&decoded));
	listing_fini(&l);
	buf_fini(&body);
	buf_fini(&decoded);
}

static void test_malformed_documents(void **state)
{
	static const struct {
		const char *body, *word;
	} cases[] = {
		{"", "no element"},
		{"not xml", ""},
		{"{\"json\":1}", ""},
		{"<Error><Code>SlowDown</Code></Error>", "<Error>"},
		{"<ListBucketResult/>", "ListVersionsResult"},
		{HEAD WHOLE "</Wrong>", "mismatched"},
		{HEAD WHOLE TAIL "<More/>", "junk"},
		{HEAD WHOLE "&unknown;" TAIL, "undefined entity"},
		{HEAD WHOLE VERSION("\x01", "1") TAIL, ""},
		{HEAD WHOLE VERSION("\xff\xfe", "1") TAIL, ""},
		{HEAD WHOLE VERSION("&#0;", "1") TAIL, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_corrupt(span_of(cases[i].body), cases[i].word);
	expect_corrupt((struct span){NULL, 0}, "no element");
}

static void test_entities_are_refused(void **state)
{
	(void)state;
	expect_corrupt(SPAN_LIT("<!DOCTYPE ListVersionsResult [<!ENTITY a \"k\">]><ListVersionsResult>" WHOLE
				"<Name>&a;</Name></ListVersionsResult>"),
		       "document type");
	expect_corrupt(SPAN_LIT("<!DOCTYPE ListVersionsResult SYSTEM \"file:///etc/passwd\"><ListVersionsResult>" WHOLE
				"</ListVersionsResult>"),
		       "document type");
}

static void test_nesting_is_limited(void **state)
{
	struct buf body;

	(void)state;
	buf_init(&body, 1 << 20);
	buf_append_str(&body, HEAD WHOLE);
	for (int i = 0; i < 1000; i++)
		buf_append_str(&body, "<x>");
	for (int i = 0; i < 1000; i++)
		buf_append_str(&body, "</x>");
	buf_append_str(&body, TAIL);
	expect_corrupt(span_of(buf_str(&body)), "deep");
	buf_fini(&body);
}

/* At its exact length, so that a read past the end shows. */
static void test_truncated_everywhere(void **state)
{
	static const char body[] = HEAD URL WHOLE VERSION("a%20b&amp;", "1") MARKER("c", "2") TAIL;

	(void)state;
	for (size_t len = 0; len < strlen(body); len++) {
		char *copy = malloc(len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, body, len);
		expect_corrupt((struct span){copy, len}, "");
		free(copy);
	}
	expect_listing(body, NOTED("a b&", "1") "c@2 - 2026-11-23T12:39:34.000Z\n", false, "", "");
}

static void test_error_of_the_callback_ends_it(void **state)
{
	struct notes notes = {.fail_at = 2};
	struct s3xml_page page = {.truncated = true};

	(void)state;
	buf_init(&notes.text, 4096);
	assert_int_equal(s3xml_versions(SPAN_LIT(HEAD WHOLE VERSION("a", "1") VERSION("b", "1") VERSION("c", "1") TAIL),
					note, &notes, &page, NULL),
			 -ERR_CANCELLED);
	assert_int_equal(notes.calls, 2);
	assert_string_equal(buf_str(&notes.text), NOTED("a", "1"));
	assert_true(page.truncated);
	buf_fini(&notes.text);
}

static void test_versioning(void **state)
{
	static const struct {
		const char *body;
		int rc;
		enum s3xml_versioning status;
	} cases[] = {
		{"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status>"
		 "</VersioningConfiguration>",
		 0, S3XML_VERSIONING_ENABLED},
		{"<VersioningConfiguration><Status>Suspended</Status><MfaDelete>Disabled</MfaDelete>"
		 "</VersioningConfiguration>",
		 0, S3XML_VERSIONING_SUSPENDED},
		{"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>", 0,
		 S3XML_VERSIONING_OFF},
		{"<VersioningConfiguration><Other><Status>Enabled</Status></Other></VersioningConfiguration>", 0,
		 S3XML_VERSIONING_OFF},
		{"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", -ERR_CORRUPT, 0},
		{"<VersioningConfiguration><Status></Status></VersioningConfiguration>", -ERR_CORRUPT, 0},
		{"<VersioningConfiguration><Status>Enabled</Status>", -ERR_CORRUPT, 0},
		{"<Error/>", -ERR_CORRUPT, 0},
		{"", -ERR_CORRUPT, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum s3xml_versioning untouched = (enum s3xml_versioning)99, status = untouched;
		struct err e = {0};

		assert_int_equal(s3xml_versioning(span_of(cases[i].body), &status, &e), cases[i].rc);
		assert_int_equal(status, cases[i].rc ? untouched : cases[i].status);
		assert_int_equal(strlen(e.message) > 0, cases[i].rc != 0);
	}
}

static void test_error_documents(void **state)
{
	static const struct {
		const char *body, *code, *message, *id; /* code NULL: not an error document */
	} cases[] = {
		{"<Error><Code>NoSuchKey</Code><Message>a &amp; "
		 "b</Message><Key>k</Key><RequestId>R</RequestId></Error>",
		 "NoSuchKey", "a & b", "R"},
		{"<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>C</Code><Message>M</Message></Error>"
		 "<RequestId>R</RequestId></ErrorResponse>",
		 "C", "M", "R"},
		{"<Error><Code>C</Code><Message>half", "C", "", ""},
		{"<Error><Message>M</Message></Error>", NULL, NULL, NULL},
		{"<Error><Message>M</Message><Code>half", NULL, NULL, NULL},
		{"<html><Code>C</Code></html>", NULL, NULL, NULL},
		{"<Other><Error><Code>C</Code></Error></Other>", NULL, NULL, NULL},
		{"", NULL, NULL, NULL},
		{"x", NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf code, message, id;

		buf_init(&code, 64);
		buf_init(&message, 64);
		buf_init(&id, 64);
		buf_append_str(&message, ">");
		assert_int_equal(s3xml_error(span_of(cases[i].body), &code, &message, &id), cases[i].code != NULL);
		assert_string_equal(buf_str(&code), cases[i].code ? cases[i].code : "");
		assert_string_equal(buf_str(&message) + 1, cases[i].code ? cases[i].message : "");
		assert_string_equal(buf_str(&id), cases[i].code ? cases[i].id : "");
		assert_int_equal(s3xml_error(span_of(cases[i].body), NULL, NULL, NULL), cases[i].code != NULL);
		buf_fini(&code);
		buf_fini(&message);
		buf_fini(&id);
	}
}

static void test_long_error_texts_are_cut(void **state)
{
	struct buf body, code, message;

	(void)state;
	buf_init(&body, 1 << 16);
	buf_init(&code, 8);
	buf_init(&message, 100);
	buf_append_str(&body, "<Error><Message>");
	for (int i = 0; i < 6000; i++)
		buf_append_char(&body, 'm');
	buf_append_str(&body, "</Message><Code>ACodeOfManyBytes</Code></Error>");
	assert_true(s3xml_error(span_of(buf_str(&body)), &code, &message, NULL));
	assert_string_equal(buf_str(&code), "ACodeOfM");
	assert_int_equal(message.len, 100);
	buf_fini(&body);
	buf_fini(&code);
	buf_fini(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_radosgw_page),
		cmocka_unit_test(test_empty_page),
		cmocka_unit_test(test_truncated_page),
		cmocka_unit_test(test_page_of_markers_only),
		cmocka_unit_test(test_page_is_reset),
		cmocka_unit_test(test_url_encoding),
		cmocka_unit_test(test_marker_that_is_not_encoded),
		cmocka_unit_test(test_xml_forms),
		cmocka_unit_test(test_unknown_elements_are_passed_over),
		cmocka_unit_test(test_missing_members),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_oversize_values),
		cmocka_unit_test(test_longest_encoded_key),
		cmocka_unit_test(test_malformed_documents),
		cmocka_unit_test(test_entities_are_refused),
		cmocka_unit_test(test_nesting_is_limited),
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_error_of_the_callback_ends_it),
		cmocka_unit_test(test_versioning),
		cmocka_unit_test(test_error_documents),
		cmocka_unit_test(test_long_error_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
