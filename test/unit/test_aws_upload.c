/* Multipart uploads as the Amazon S3 API Reference has them; answers of S3 and of Ceph's RADOS Gateway. */
#include "aws_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/s3_upload.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define KEY SPAN_LIT("snap/data a+b.json.gz")
#define PATH "/bkt/snap/data%20a%2Bb.json.gz"
#define MD5_OF_ABC "900150983cd24fb0d6963f7d28e17f72"

static void answer(struct aws_fixture *f, const char *status, const char *headers, const char *body)
{
	aws_fixture_answer(f, status, headers, body, strlen(body));
}

static int put(struct aws_fixture *f, char *etag)
{
	s3_put_plain(&f->op, KEY, SPAN_LIT("abc"), "application/gzip", etag, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static int create(struct aws_fixture *f, struct buf *id)
{
	buf_reset(id);
	s3_upload_create(&f->op, KEY, "application/gzip", id, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static int part(struct aws_fixture *f, const char *id, unsigned number, char *etag)
{
	s3_upload_part(&f->op, KEY, id, number, SPAN_LIT("abc"), etag, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static int complete(struct aws_fixture *f, const char (*etags)[S3_ETAG_SIZE], size_t n, char *etag)
{
	s3_upload_complete(&f->op, KEY, "2~a/b", etags, n, etag, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static int abort_upload(struct aws_fixture *f, const char *id)
{
	s3_upload_abort(&f->op, KEY, id, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static void test_put_plain(void **state)
{
	struct aws_fixture *f = *state;
	char etag[S3_ETAG_SIZE] = "untouched";

	answer(f, "200 OK", "ETag: \"" MD5_OF_ABC "\"\r\n", "");
	assert_int_equal(put(f, etag), 0);
	assert_string_equal(etag, MD5_OF_ABC);
	assert_string_equal(aws_fixture_request_line(f), "PUT " PATH " HTTP/1.1");
	assert_string_equal(aws_fixture_header(f, "content-type"), "application/gzip");
	assert_string_equal(aws_fixture_header(f, "content-md5"), "kAFQmDzST7DWlj99KOF/cg==");
	assert_string_equal(aws_fixture_header(f, "x-amz-content-sha256"),
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(aws_fixture_body(f), "abc");
	assert_null(strcasestr(buf_str(&f->request), "x-amz-meta"));

	answer(f, "200 OK", "ETag: abc-1\r\n", "");
	assert_int_equal(put(f, etag), 0);
	assert_string_equal(etag, "abc-1");
	answer(f, "200 OK", "ETag: \"x\"\r\n", "");
	assert_int_equal(put(f, NULL), 0);
}

static void test_bad_etags(void **state)
{
	struct aws_fixture *f = *state;
	static const char *const headers[] = {
		"",
		"ETag:\r\n",
		"ETag: \"\"\r\n",
		"ETag: \"a\"b\"\r\n",
		"ETag: \"a<b\"\r\n",
		"ETag: \"a b\"\r\n",
		"ETag: \"012345678901234567890123456789012345678901234567890123456789012345678901\"\r\n",
	};

	for (size_t i = 0; i < COUNT(headers); i++) {
		char etag[S3_ETAG_SIZE] = "untouched";

		answer(f, "200 OK", headers[i], "");
		assert_int_equal(put(f, etag), -ERR_CORRUPT);
		answer(f, "200 OK", headers[i], "");
		assert_int_equal(part(f, "u", 1, etag), -ERR_CORRUPT);
		assert_true(f->op.err.maybe_done);
		assert_string_equal(etag, "untouched");
	}
}

static void test_create(void **state)
{
	struct aws_fixture *f = *state;
	static const char good[] = DECLARATION
		"<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>bkt</Bucket>"
		"<Key>k</Key><UploadId>2~idSRfJb/E0+O4</UploadId></InitiateMultipartUploadResult>";
	struct buf id;

	buf_init(&id, 1024);
	answer(f, "200 OK", "", good);
	assert_int_equal(create(f, &id), 0);
	assert_string_equal(buf_str(&id), "2~idSRfJb/E0+O4");
	assert_string_equal(aws_fixture_request_line(f), "POST " PATH "?uploads HTTP/1.1");
	assert_string_equal(aws_fixture_header(f, "content-type"), "application/gzip");
	assert_string_equal(aws_fixture_header(f, "content-length"), "0");
	assert_int_equal(f->observed_what, AWS_S3_CREATE_UPLOAD);

	answer(f, "200 OK", "", "<Other/>");
	assert_int_equal(create(f, &id), -ERR_CORRUPT);
	assert_int_equal(id.len, 0);
	answer(f, "404 Not Found", "", "<Error><Code>NoSuchBucket</Code></Error>");
	assert_int_equal(create(f, &id), -ERR_NOT_FOUND);
	assert_non_null(strstr(f->op.err.message, "CreateMultipartUpload in bucket bkt: NoSuchBucket"));
	assert_null(strstr(f->op.err.message, "data a"));
	buf_fini(&id);
}

static void test_part(void **state)
{
	struct aws_fixture *f = *state;
	char etag[S3_ETAG_SIZE] = "untouched";

	answer(f, "200 OK", "ETag: \"" MD5_OF_ABC "\"\r\n", "");
	assert_int_equal(part(f, "2~a/b+c&d", 10000, etag), 0);
	assert_string_equal(etag, MD5_OF_ABC);
	assert_string_equal(aws_fixture_request_line(f),
			    "PUT " PATH "?partNumber=10000&uploadId=2~a%2Fb%2Bc%26d HTTP/1.1");
	assert_string_equal(aws_fixture_header(f, "content-md5"), "kAFQmDzST7DWlj99KOF/cg==");
	assert_string_equal(aws_fixture_body(f), "abc");

	answer(f, "404 Not Found", "", "<Error><Code>NoSuchUpload</Code></Error>");
	assert_int_equal(part(f, "u", 1, etag), -ERR_NOT_FOUND);

	assert_int_equal(part(f, "u", 0, etag), -ERR_INVALID);
	assert_int_equal(part(f, "u", 10001, etag), -ERR_INVALID);
	assert_int_equal(part(f, "", 1, etag), -ERR_INVALID);
	assert_int_equal(f->nrequests, 2);
	assert_string_equal(etag, MD5_OF_ABC);
}

static const char two[2][S3_ETAG_SIZE] = {"e3aea80b6200f4140e116dd8e5ea8e12", "d94e7d535f4120ab6ceec5124c202573"};

static void test_complete(void **state)
{
	struct aws_fixture *f = *state;
	static const char good[] = DECLARATION
		"\n\n   <CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		"<Location>http://bkt/k</Location><Bucket>bkt</Bucket><Key>k</Key>"
		"<ETag>&quot;4f2c1cdc6bcfafd19adf6d216a015107-2&quot;</ETag></CompleteMultipartUploadResult>";
	char etag[S3_ETAG_SIZE] = "untouched";

	answer(f, "200 OK", "", good);
	assert_int_equal(complete(f, two, 2, etag), 0);
	assert_string_equal(etag, "4f2c1cdc6bcfafd19adf6d216a015107-2");
	assert_string_equal(aws_fixture_request_line(f), "POST " PATH "?uploadId=2~a%2Fb HTTP/1.1");
	assert_string_equal(aws_fixture_body(f),
			    "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
			    "<Part><PartNumber>1</PartNumber><ETag>\"e3aea80b6200f4140e116dd8e5ea8e12\"</ETag></Part>"
			    "<Part><PartNumber>2</PartNumber><ETag>\"d94e7d535f4120ab6ceec5124c202573\"</ETag></Part>"
			    "</CompleteMultipartUpload>");

	answer(f, "200 OK", "", good);
	assert_int_equal(complete(f, two, 2, NULL), 0);
	/* Ceph, in a versioned bucket. */
	answer(f, "200 OK", "",
	       DECLARATION
	       "<CompleteMultipartUploadResult><Key>x/y</Key><ETag></ETag></CompleteMultipartUploadResult>");
	assert_int_equal(complete(f, two, 2, etag), 0);
	assert_string_equal(etag, "");
}

static void test_complete_errors(void **state)
{
	struct aws_fixture *f = *state;
	static const struct {
		const char *status, *body;
		enum err_class class;
		bool maybe_done;
	} cases[] = {
		{"200 OK",
		 DECLARATION "\n<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try "
			     "again.</Message><RequestId>656c76696e6727</RequestId></Error>",
		 ERR_RETRY, true},
		{"200 OK", " \n \n " DECLARATION "<Error><Code>InternalError</Code></Error>", ERR_RETRY, true},
		{"200 OK", "<Error><Code>SlowDown</Code></Error>", ERR_THROTTLE, false},
		{"200 OK", "<Error><Code>InvalidPart</Code></Error>", ERR_INVALID, false},
		{"200 OK", "<Error><Code>AccessDenied</Code></Error>", ERR_DENIED, false},
		{"200 OK", "<Error><Code>NeverHeardOf</Code></Error>", ERR_RETRY, true},
		{"400 Bad Request", "<Error><Code>EntityTooSmall</Code></Error>", ERR_INVALID, false},
		{"400 Bad Request", "<Error><Code>InvalidPartOrder</Code></Error>", ERR_INVALID, false},
		{"404 Not Found", "<Error><Code>NoSuchUpload</Code></Error>", ERR_NOT_FOUND, false},
		/* It said that it began, and not how it ended. */
		{"200 OK", "", ERR_CORRUPT, true},
		{"200 OK", "   \n   ", ERR_CORRUPT, true},
		{"200 OK", DECLARATION, ERR_CORRUPT, true},
		{"200 OK", "<CompleteMultipartUploadResult><ETag>e</ETag>", ERR_CORRUPT, true},
		{"200 OK", "<html/>", ERR_CORRUPT, true},
		{"200 OK",
		 "<CompleteMultipartUploadResult><ETag>"
		 "0123456789012345678901234567890123456789012345678901234567890123456"
		 "78901</ETag></CompleteMultipartUploadResult>",
		 ERR_CORRUPT, true},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char etag[S3_ETAG_SIZE] = "untouched";

		answer(f, cases[i].status, "x-amz-request-id: R1\r\n", cases[i].body);
		if (complete(f, two, 2, etag) != -(int)cases[i].class)
			fail_msg("%s: %s", cases[i].body, f->op.err.message);
		assert_int_equal(f->op.err.maybe_done, cases[i].maybe_done);
		assert_string_equal(f->op.err.request_id, "R1");
		assert_string_equal(etag, "untouched");
		assert_non_null(strstr(f->op.err.message, "CompleteMultipartUpload in bucket bkt: "));
		assert_int_equal(f->observed_rc, -(int)cases[i].class);
	}
}

static void test_complete_refused_before_sending(void **state)
{
	struct aws_fixture *f = *state;
	static const char *const bad[] = {"", "a\"b", "a<b", "a&b", "a b", "a\nb", "\xc3\xa9"};
	char etags[2][S3_ETAG_SIZE] = {"good"};
	char(*many)[S3_ETAG_SIZE] = calloc(S3_PARTS_MAX + 1, S3_ETAG_SIZE);

	assert_non_null(many);
	assert_int_equal(complete(f, two, 0, NULL), -ERR_INVALID);
	assert_int_equal(complete(f, (const char(*)[S3_ETAG_SIZE])many, S3_PARTS_MAX + 1, NULL), -ERR_INVALID);
	for (size_t i = 0; i < COUNT(bad); i++) {
		strcpy(etags[1], bad[i]);
		assert_int_equal(complete(f, (const char(*)[S3_ETAG_SIZE])etags, 2, NULL), -ERR_INVALID);
		assert_non_null(strstr(f->op.err.message, "part 2"));
	}
	memset(etags[1], 'e', S3_ETAG_SIZE); /* without an end */
	assert_int_equal(complete(f, (const char(*)[S3_ETAG_SIZE])etags, 2, NULL), -ERR_INVALID);
	assert_int_equal(f->nrequests, 0);

	/* The longest that there can be. */
	for (size_t i = 0; i < S3_PARTS_MAX; i++)
		snprintf(many[i], S3_ETAG_SIZE, "%032zx", i);
	answer(f, "200 OK", "", "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>");
	assert_int_equal(complete(f, (const char(*)[S3_ETAG_SIZE])many, S3_PARTS_MAX, NULL), 0);
	assert_non_null(strstr(aws_fixture_body(f), "<Part><PartNumber>10000</PartNumber>"
						    "<ETag>\"0000000000000000000000000000270f\"</ETag></Part>"
						    "</CompleteMultipartUpload>"));
	free(many);
}

static void test_abort(void **state)
{
	struct aws_fixture *f = *state;

	answer(f, "204 No Content", "", "");
	assert_int_equal(abort_upload(f, "2~a/b"), 0);
	assert_string_equal(aws_fixture_request_line(f), "DELETE " PATH "?uploadId=2~a%2Fb HTTP/1.1");

	answer(f, "404 Not Found", "", "<Error><Code>NoSuchUpload</Code></Error>");
	assert_int_equal(abort_upload(f, "u"), 0);
	assert_int_equal(f->op.err.class, ERR_NONE);
	assert_int_equal(f->observed_rc, 0);

	answer(f, "404 Not Found", "", "<Error><Code>NoSuchBucket</Code></Error>");
	assert_int_equal(abort_upload(f, "u"), -ERR_NOT_FOUND);
	answer(f, "403 Forbidden", "", "<Error><Code>AccessDenied</Code></Error>");
	assert_int_equal(abort_upload(f, "u"), -ERR_DENIED);
	/* It would delete the object. */
	assert_int_equal(abort_upload(f, ""), -ERR_INVALID);
	assert_int_equal(f->nrequests, 4);
}

/* Uploads go to the op's bucket, which need not be the configuration's. */
static void test_other_bucket(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_bucket other;

	assert_int_equal(aws_bucket_init(&other, &f->aws, "snapshots", NULL), 0);
	f->op.bucket = &other;
	answer(f, "204 No Content", "", "");
	assert_int_equal(abort_upload(f, "u"), 0);
	assert_non_null(strstr(aws_fixture_request_line(f), "DELETE /snapshots/snap/data"));
	answer(f, "403 Forbidden", "", "<Error><Code>AccessDenied</Code></Error>");
	assert_int_equal(put(f, NULL), -ERR_DENIED);
	assert_non_null(strstr(f->op.err.message, "PutObject in bucket snapshots: "));
	f->op.bucket = &f->aws.bucket;
	aws_bucket_fini(&other);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, aws_fixture_setup, aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put_plain),
		TEST(test_bad_etags),
		TEST(test_create),
		TEST(test_part),
		TEST(test_complete),
		TEST(test_complete_errors),
		TEST(test_complete_refused_before_sending),
		TEST(test_abort),
		TEST(test_other_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
