/* Answers about multipart uploads as the Amazon S3 API Reference has them, and as Ceph's RADOS Gateway sends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "codec/s3xml.h"

#define XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"

typedef int upload_fn(struct span body, struct buf *out, struct err *e);

/* `text` NULL: malformed. */
static void expect_text(upload_fn *read, const char *body, const char *text)
{
	struct err e = {0};
	struct buf out;

	buf_init(&out, 2000);
	buf_append_str(&out, ">");
	assert_int_equal(read(span_of(body), &out, &e), text ? 0 : -ERR_CORRUPT);
	assert_string_equal(buf_str(&out) + 1, text ? text : "");
	assert_int_equal(strlen(e.message) > 0, !text);
	assert_int_equal(read(span_of(body), &out, NULL), text ? 0 : -ERR_CORRUPT);
	buf_fini(&out);
}

static void test_upload_id(void **state)
{
	struct buf out;
	struct err e;

	(void)state;
	/* As RADOS Gateway sends it. */
	expect_text(s3xml_upload_id,
		    DECLARATION
		    "<InitiateMultipartUploadResult" XMLNS "><Bucket>b</Bucket><Key>x/y</Key>"
		    "<UploadId>2~idSRfJbE0O4Ctds50kmkrcPGPieWjp7</UploadId></InitiateMultipartUploadResult>",
		    "2~idSRfJbE0O4Ctds50kmkrcPGPieWjp7");
	expect_text(s3xml_upload_id,
		    "<InitiateMultipartUploadResult><Other><UploadId>o</UploadId></Other><UploadId>a&amp;b</UploadId>"
		    "</InitiateMultipartUploadResult>",
		    "a&b");
	expect_text(s3xml_upload_id,
		    "<InitiateMultipartUploadResult><UploadId></UploadId></InitiateMultipartUploadResult>", NULL);
	expect_text(s3xml_upload_id, "<InitiateMultipartUploadResult><Key>k</Key></InitiateMultipartUploadResult>",
		    NULL);
	expect_text(s3xml_upload_id,
		    "<CompleteMultipartUploadResult><UploadId>u</UploadId></CompleteMultipartUploadResult>", NULL);
	expect_text(s3xml_upload_id,
		    "<InitiateMultipartUploadResult><UploadId>u</UploadId><UploadId>u</UploadId>"
		    "</InitiateMultipartUploadResult>",
		    NULL);
	expect_text(s3xml_upload_id, "<InitiateMultipartUploadResult><UploadId>u</UploadId>", NULL);
	expect_text(s3xml_upload_id, "", NULL);
	expect_text(s3xml_upload_id, "u", NULL);

	buf_init(&out, 3);
	assert_int_equal(s3xml_upload_id(SPAN_LIT("<InitiateMultipartUploadResult><UploadId>1234</UploadId>"
						  "</InitiateMultipartUploadResult>"),
					 &out, &e),
			 -ERR_LIMIT);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

static void test_upload_etag(void **state)
{
	char body[2000], etag[200];

	(void)state;
	expect_text(s3xml_upload_etag,
		    DECLARATION "<CompleteMultipartUploadResult" XMLNS "><Location>l</Location><Bucket>b</Bucket>"
				"<Key>k</Key><ETag>&quot;3858f62230ac3c915f300c664312c11f-9&quot;</ETag>"
				"</CompleteMultipartUploadResult>",
		    "3858f62230ac3c915f300c664312c11f-9");
	expect_text(s3xml_upload_etag,
		    "<CompleteMultipartUploadResult><ETag>3858-9</ETag></CompleteMultipartUploadResult>", "3858-9");
	/* As RADOS Gateway has it for a versioned bucket. */
	expect_text(s3xml_upload_etag, "<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>",
		    "");
	expect_text(s3xml_upload_etag, "<CompleteMultipartUploadResult/>", "");
	expect_text(s3xml_upload_etag, "<Error><Code>InternalError</Code><ETag>e</ETag></Error>", NULL);
	expect_text(s3xml_upload_etag, "<CompleteMultipartUploadResult><ETag>e</ETag>", NULL);

	memset(etag, 'e', sizeof(etag));
	snprintf(body, sizeof(body), "<CompleteMultipartUploadResult><ETag>%.*s</ETag></CompleteMultipartUploadResult>",
		 (int)sizeof(etag), etag);
	expect_text(s3xml_upload_etag, body, NULL);
}

/* S3 sends them while a CompleteMultipartUpload takes its time, before or behind the declaration. */
static void test_blanks_ahead(void **state)
{
	enum s3xml_versioning status;
	struct err e;
	struct buf code;

	(void)state;
	expect_text(s3xml_upload_etag,
		    " \r\n\t  " DECLARATION
		    "\n\n  <CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>",
		    "e");
	buf_init(&code, 64);
	assert_true(s3xml_error(SPAN_LIT("\n\n   " DECLARATION "<Error><Code>InternalError</Code></Error>"), &code,
				NULL, NULL));
	assert_string_equal(buf_str(&code), "InternalError");
	buf_fini(&code);
	expect_text(s3xml_upload_etag, "   ", NULL);
	/* Offsets in messages count them. */
	assert_int_equal(s3xml_versioning(SPAN_LIT("     <VersioningConfiguration><x></y>"), &status, &e),
			 -ERR_CORRUPT);
	assert_non_null(strstr(e.message, "byte 35"));
	assert_int_equal(s3xml_versioning((struct span){" \0<VersioningConfiguration/>", 28}, &status, NULL),
			 -ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upload_id),
		cmocka_unit_test(test_upload_etag),
		cmocka_unit_test(test_blanks_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
