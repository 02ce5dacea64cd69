#include "aws_fixture.h"

#include "aws/sts.h"

/* The example of the API reference. */
static const char get_caller[] =
	"<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"
	"<Arn>arn:aws:iam::123456789012:user/Alice</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId>"
	"<Account>123456789012</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId>"
	"</ResponseMetadata></GetCallerIdentityResponse>";

static void test_caller(void **state)
{
	struct aws_fixture *f = *state;
	struct sts_caller c;

	aws_fixture_answer(f, "200 OK", "", get_caller, strlen(get_caller));
	sts_get_caller(&f->op, &c, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_request_line(f), "POST / HTTP/1.1");
	assert_string_equal(aws_fixture_body(f), "Action=GetCallerIdentity&Version=2011-06-15");
	assert_non_null(strstr(aws_fixture_header(f, "content-type"), "application/x-www-form-urlencoded"));
	assert_non_null(strstr(aws_fixture_header(f, "authorization"), "/eu-west-1/sts/aws4_request"));
	assert_string_equal(c.account, "123456789012");
	assert_string_equal(c.arn, "arn:aws:iam::123456789012:user/Alice");
}

static void test_caller_malformed(void **state)
{
	struct aws_fixture *f = *state;
	static const char *const bodies[] = {
		"<a><Account>1</Account></a>",
		"<a><Arn>x</Arn></a>",
		"<a><Account>12345678901234567890</Account><Arn>x</Arn></a>",
		"<!DOCTYPE a [<!ENTITY e \"1\">]><a><Account>&e;</Account><Arn>x</Arn></a>",
	};
	static const char refused[] =
		"<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>m</Message></Error>"
		"</ErrorResponse>";
	struct sts_caller c;

	for (size_t len = 0; len < strlen(get_caller); len++) {
		aws_fixture_answer(f, "200 OK", "", get_caller, len);
		sts_get_caller(&f->op, &c, NULL, NULL);
		assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
	}
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		aws_fixture_answer(f, "200 OK", "", bodies[i], strlen(bodies[i]));
		sts_get_caller(&f->op, &c, NULL, NULL);
		assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
		assert_non_null(strstr(f->op.err.message, "GetCallerIdentity: "));
	}
	aws_fixture_answer(f, "403 Forbidden", "", refused, strlen(refused));
	sts_get_caller(&f->op, &c, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_AUTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_caller, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_caller_malformed, aws_fixture_setup, aws_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
