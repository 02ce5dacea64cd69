/* What the error lists of DynamoDB, DynamoDB Streams, S3 and STS say about each code; bodies as servers send them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "codec/awserr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NONE ((struct span){NULL, 0})

static struct err classify(int status, const char *code)
{
	struct err e;
	int rc;

	memset(&e, 0xa5, sizeof(e));
	rc = awserr_classify(&e, status, span_of(code), SPAN_LIT("words"), SPAN_LIT("ID"));
	assert_int_equal(rc, -(int)e.class);
	assert_int_equal(e.http_status, status);
	assert_string_equal(e.request_id, "ID");
	assert_int_equal(e.sys_errno, 0);
	assert_int_equal(e.retry_after_ms, 0);
	assert_int_equal(awserr_classify(NULL, status, span_of(code), SPAN_LIT("words"), NONE), -(int)e.class);
	return e;
}

static void test_codes(void **state)
{
	static const struct {
		int status;
		const char *code;
		enum err_class class;
		bool maybe_done;
	} cases[] = {
		{400, "ThrottlingException", ERR_THROTTLE, false},
		{400, "Throttling", ERR_THROTTLE, false},
		{400, "ProvisionedThroughputExceededException", ERR_THROTTLE, false},
		{400, "LimitExceededException", ERR_THROTTLE, false},
		{400, "RequestLimitExceeded", ERR_THROTTLE, false},
		{429, "TooManyRequestsException", ERR_THROTTLE, false},
		{429, "", ERR_THROTTLE, false},
		{503, "SlowDown", ERR_THROTTLE, false},
		{500, "InternalServerError", ERR_RETRY, true},
		{500, "InternalError", ERR_RETRY, true},
		{503, "ServiceUnavailable", ERR_RETRY, true},
		{400, "RequestTimeout", ERR_RETRY, false},
		{400, "BadDigest", ERR_RETRY, false},
		{409, "OperationAborted", ERR_RETRY, false},
		{409, "ConditionalRequestConflict", ERR_RETRY, false},
		{400, "ExpiredToken", ERR_AUTH, false},
		{400, "ExpiredTokenException", ERR_AUTH, false},
		{400, "UnrecognizedClientException", ERR_AUTH, false},
		{403, "InvalidAccessKeyId", ERR_AUTH, false},
		{403, "SignatureDoesNotMatch", ERR_AUTH, false},
		{400, "InvalidSignatureException", ERR_AUTH, false},
		{403, "MissingAuthenticationToken", ERR_AUTH, false},
		{400, "MissingAuthenticationTokenException", ERR_AUTH, false},
		{400, "InvalidToken", ERR_AUTH, false},
		{403, "InvalidClientTokenId", ERR_AUTH, false},
		{403, "RequestTimeTooSkewed", ERR_AUTH, false},
		{400, "RequestExpired", ERR_AUTH, false},
		{400, "IncompleteSignature", ERR_AUTH, false},
		{403, "AccessDenied", ERR_DENIED, false},
		{400, "AccessDeniedException", ERR_DENIED, false},
		{403, "AllAccessDisabled", ERR_DENIED, false},
		{403, "AccountProblem", ERR_DENIED, false},
		{400, "KMS.DisabledException", ERR_DENIED, false},
		{400, "KMS.NotFoundException", ERR_DENIED, false},
		{400, "KMSInvalidStateException", ERR_DENIED, false},
		{400, "KMS.ThrottlingException", ERR_THROTTLE, false},
		{400, "ResourceNotFoundException", ERR_NOT_FOUND, false},
		{400, "TableNotFoundException", ERR_NOT_FOUND, false},
		{404, "NoSuchBucket", ERR_NOT_FOUND, false},
		{404, "NoSuchKey", ERR_NOT_FOUND, false},
		{404, "NoSuchVersion", ERR_NOT_FOUND, false},
		{400, "ResourceInUseException", ERR_CONFLICT, false},
		{412, "PreconditionFailed", ERR_CONFLICT, false},
		{400, "ConditionalCheckFailedException", ERR_CONFLICT, false},
		{400, "ExpiredIteratorException", ERR_EXPIRED, false},
		{400, "TrimmedDataAccessException", ERR_TRIMMED, false},
		{400, "ValidationException", ERR_INVALID, false},
		{400, "SerializationException", ERR_INVALID, false},
		{400, "InvalidRequest", ERR_INVALID, false},
		{301, "PermanentRedirect", ERR_INVALID, false},
		{400, "AuthorizationHeaderMalformed", ERR_INVALID, false},
		{307, "TemporaryRedirect", ERR_RETRY, false},
		{400, "TransactionConflictException", ERR_RETRY, false},
		{400, "ItemCollectionSizeLimitExceededException", ERR_LIMIT, false},
		{400, "ImportConflictException", ERR_CONFLICT, false},
		{400, "ImportNotFoundException", ERR_NOT_FOUND, false},
		{404, "NoSuchUpload", ERR_NOT_FOUND, false},
		{400, "EntityTooSmall", ERR_INVALID, false},
		{400, "EntityTooLarge", ERR_INVALID, false},
		{400, "InvalidPart", ERR_INVALID, false},
		{400, "InvalidPartOrder", ERR_INVALID, false},
		/* CompleteMultipartUpload's errors may come with 200 */
		{200, "InvalidPart", ERR_INVALID, false},
		{200, "EntityTooSmall", ERR_INVALID, false},
		{200, "InternalError", ERR_RETRY, true},
		{200, "SlowDown", ERR_THROTTLE, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = classify(cases[i].status, cases[i].code);

		if (e.class != cases[i].class || e.maybe_done != cases[i].maybe_done)
			fail_msg("%d %s: %s%s", cases[i].status, cases[i].code, err_class_name((int)e.class),
				 e.maybe_done ? ", maybe done" : "");
		assert_string_equal(e.aws_code, cases[i].code);
	}
}

static void test_statuses_without_a_known_code(void **state)
{
	static const struct {
		int status;
		enum err_class class;
		bool maybe_done;
	} cases[] = {
		{0, ERR_RETRY, true},	    {200, ERR_RETRY, true},    {301, ERR_INVALID, false},
		{304, ERR_CONFLICT, false}, {307, ERR_RETRY, false},   {400, ERR_INVALID, false},
		{401, ERR_AUTH, false},	    {403, ERR_DENIED, false},  {404, ERR_NOT_FOUND, false},
		{405, ERR_INVALID, false},  {408, ERR_RETRY, false},   {409, ERR_CONFLICT, false},
		{412, ERR_CONFLICT, false}, {413, ERR_INVALID, false}, {418, ERR_INVALID, false},
		{429, ERR_THROTTLE, false}, {500, ERR_RETRY, true},    {501, ERR_RETRY, true},
		{502, ERR_RETRY, true},	    {503, ERR_RETRY, true},    {504, ERR_RETRY, true},
		{599, ERR_RETRY, true},	    {-1, ERR_INVALID, false},  {INT32_MAX, ERR_RETRY, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const codes[] = {"", "NeverHeardOf", "Throttlin", "SlowDownNow"};

		for (size_t j = 0; j < COUNT(codes); j++) {
			struct err e = classify(cases[i].status, codes[j]);

			if (e.class != cases[i].class || e.maybe_done != cases[i].maybe_done)
				fail_msg("%d %s: %s%s", cases[i].status, codes[j], err_class_name((int)e.class),
					 e.maybe_done ? ", maybe done" : "");
		}
	}
}

static void test_code_wrappings(void **state)
{
	static const char *const spellings[] = {
		"ExpiredIteratorException",
		"com.amazonaws.dynamodb.v20120810#ExpiredIteratorException",
		"ExpiredIteratorException:http://internal.amazon.com/coral/com.amazon.coral.validate/",
		"a.b#ExpiredIteratorException:http://x/#y",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(spellings); i++) {
		struct err e = classify(400, spellings[i]);

		assert_int_equal(e.class, ERR_EXPIRED);
		assert_string_equal(e.aws_code, "ExpiredIteratorException");
	}
	assert_int_equal(classify(400, "#").class, ERR_INVALID);
	assert_int_equal(classify(400, ":").class, ERR_INVALID);
}

static void test_messages(void **state)
{
	struct err e;

	(void)state;
	awserr_classify(&e, 400, SPAN_LIT("ValidationException"), SPAN_LIT("Invalid ShardIterator"), NONE);
	assert_string_equal(e.message, "ValidationException (400): Invalid ShardIterator");
	awserr_classify(&e, 404, SPAN_LIT("NoSuchKey"), NONE, NONE);
	assert_string_equal(e.message, "NoSuchKey (404)");
	awserr_classify(&e, 503, NONE, NONE, NONE);
	assert_string_equal(e.message, "HTTP status 503");
	assert_string_equal(e.aws_code, "");
	awserr_classify(&e, 0, NONE, NONE, NONE);
	assert_string_equal(e.message, "no answer");
}

static void test_remedies(void **state)
{
	static const struct {
		const char *code, *word;
	} cases[] = {
		{"RequestTimeTooSkewed", "clock"},
		{"InvalidSignatureException", "clock"},
		{"SignatureDoesNotMatch", "secret"},
		{"ExpiredToken", "expired"},
		{"InvalidAccessKeyId", "access key"},
		{"InvalidToken", "session token"},
		{"AccessDenied", "polic"},
		{"KMS.DisabledException", "KMS key"},
		{"NoSuchBucket", "create the bucket"},
		{"PermanentRedirect", "region"},
		{"AuthorizationHeaderMalformed", "region"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e;
		const char *words, *remedy;

		awserr_classify(&e, 400, span_of(cases[i].code), SPAN_LIT("the server's words"), NONE);
		words = strstr(e.message, " (400): the server's words; ");
		assert_non_null(words);
		remedy = strchr(words, ';');
		if (!strstr(remedy, cases[i].word))
			fail_msg("no \"%s\" in: %s", cases[i].word, e.message);
		/* Ceph sends no words. */
		awserr_classify(&e, 400, span_of(cases[i].code), NONE, NONE);
		assert_non_null(strstr(e.message, " (400): "));
		assert_non_null(strstr(e.message, cases[i].word));
	}
}

static void test_long_and_odd_texts(void **state)
{
	char big[5000];
	struct err e;

	(void)state;
	memset(big, 'x', sizeof(big));
	awserr_classify(&e, 403, SPAN_LIT("RequestTimeTooSkewed"), (struct span){big, sizeof(big)},
			(struct span){big, sizeof(big)});
	assert_int_equal(strlen(e.message), sizeof(e.message) - 1);
	assert_int_equal(strlen(e.request_id), sizeof(e.request_id) - 1);
	assert_non_null(strstr(e.message, "x; ")); /* the remedy is still there, to its end */
	assert_string_equal(e.message + strlen(e.message) - strlen("(timedatectl)"), "(timedatectl)");

	awserr_classify(&e, 400, (struct span){big, sizeof(big)}, (struct span){big, sizeof(big)}, NONE);
	assert_int_equal(strlen(e.aws_code), sizeof(e.aws_code) - 1);

	awserr_classify(&e, 400, SPAN_LIT("A\nB"), SPAN_LIT("one\r\ntwo\x1b[31m\x00\xff\xc3"), NONE);
	assert_string_equal(e.message, "A B (400): one  two [31m ??");

	/* Cut between characters: every byte of the message belongs to a whole one. */
	for (size_t i = 0; i + 2 < sizeof(big); i += 3)
		memcpy(big + i, "\xe2\x82\xac", 3);
	awserr_classify(&e, 400, SPAN_LIT("X"), (struct span){big, 4998}, NONE);
	assert_int_equal((strlen(e.message) - strlen("X (400): ")) % 3, 0);
	assert_true(strlen(e.message) > sizeof(e.message) - 4);
}

static void test_json_bodies(void **state)
{
	static const struct {
		const char *body, *code, *message;
	} cases[] = {
		{"{\"__type\":\"com.amazonaws.dynamodb.v20120810#ExpiredIteratorException\",\"message\":\"\"}",
		 "ExpiredIteratorException", "ExpiredIteratorException (400)"},
		{"{\"__type\":\"com.amazon.coral.validate#ValidationException\",\"message\":\"Invalid ShardIterator\"}",
		 "ValidationException", "ValidationException (400): Invalid ShardIterator"},
		{"{\"__type\":\"x#ResourceNotFoundException\",\"Message\":\"not there\"}", "ResourceNotFoundException",
		 "ResourceNotFoundException (400): not there"},
		{"{\"code\":\"SerializationException\"}", "SerializationException", "SerializationException (400)"},
		{"", "", "HTTP status 400"},
		{"{", "", "HTTP status 400"},
		{"[]", "", "HTTP status 400"},
		{"null", "", "HTTP status 400"},
		{"{\"__type\":7,\"message\":[]}", "", "HTTP status 400"},
		{"<html>", "", "HTTP status 400"},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int rc = awserr_json(&e, 400, span_of(cases[i].body), SPAN_LIT("R1"));

		assert_int_equal(rc, -(int)e.class);
		assert_string_equal(e.aws_code, cases[i].code);
		assert_string_equal(e.message, cases[i].message);
		assert_string_equal(e.request_id, "R1");
	}
	assert_int_equal(awserr_json(NULL, 500, NONE, NONE), -ERR_RETRY);
}

static void test_xml_bodies(void **state)
{
	static const char rgw[] =
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>SignatureDoesNotMatch</Code><Message></Message>"
		"<RequestId>tx00000fb1</RequestId><HostId>100a-default-default</HostId></Error>";
	static const char sts[] =
		"<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n<Error>\n<Type>Sender</Type>\n"
		"<Code>InvalidClientTokenId</Code>\n<Message>The security token included in the request is invalid."
		"</Message>\n</Error>\n<RequestId>aaaa-bbbb</RequestId>\n</ErrorResponse>";
	struct err e;

	(void)state;
	assert_int_equal(awserr_xml(&e, 403, SPAN_LIT(rgw), NONE), -ERR_AUTH);
	assert_string_equal(e.aws_code, "SignatureDoesNotMatch");
	assert_string_equal(e.request_id, "tx00000fb1");
	assert_int_equal(awserr_xml(&e, 403, SPAN_LIT(rgw), SPAN_LIT("header")), -ERR_AUTH);
	assert_string_equal(e.request_id, "header");

	assert_int_equal(awserr_xml(&e, 403, SPAN_LIT(sts), NONE), -ERR_AUTH);
	assert_string_equal(e.aws_code, "InvalidClientTokenId");
	assert_string_equal(e.request_id, "aaaa-bbbb");
	assert_non_null(strstr(e.message, "The security token included"));

	/* HEAD has no body. */
	assert_int_equal(awserr_xml(&e, 404, NONE, NONE), -ERR_NOT_FOUND);
	assert_string_equal(e.message, "HTTP status 404");
	assert_int_equal(awserr_xml(&e, 503, SPAN_LIT("<html>busy</html>"), NONE), -ERR_RETRY);
	assert_true(e.maybe_done);
	/* Cut on the way, after the code. */
	assert_int_equal(awserr_xml(&e, 503, SPAN_LIT("<Error><Code>SlowDown</Code><Mess"), NONE), -ERR_THROTTLE);
	assert_int_equal(awserr_xml(NULL, 500, SPAN_LIT("x"), NONE), -ERR_RETRY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),	       cmocka_unit_test(test_statuses_without_a_known_code),
		cmocka_unit_test(test_code_wrappings), cmocka_unit_test(test_messages),
		cmocka_unit_test(test_remedies),       cmocka_unit_test(test_long_and_odd_texts),
		cmocka_unit_test(test_json_bodies),    cmocka_unit_test(test_xml_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
