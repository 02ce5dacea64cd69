/* Application Auto Scaling, and tags: what goes over the wire, and what is read of the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "aws/scaling.h"
#include "aws/table.h"
#include "aws_fixture.h"

static void answer(struct aws_fixture *f, const char *body)
{
	aws_fixture_answer(f, "200 OK", "", body, strlen(body));
}

static void expect_list(const struct json_page *p, size_t n, const char *token)
{
	assert_int_equal(json_array_size(p->list), n);
	if (token == NULL)
		assert_null(p->next_token);
	else
		assert_string_equal(p->next_token, token);
}

static void test_targets(void **state)
{
	struct aws_fixture *f = *state;
	json_t *resources = json_pack("[s,s]", "table/T", "table/T/index/I");
	struct json_page page = {0};

	answer(f, "{\"ScalableTargets\":[{\"ResourceId\":\"table/T\"},{}],\"NextToken\":\"n\"}");
	scaling_targets(&f->op, "T", resources, NULL, &page, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "AnyScaleFrontendService.DescribeScalableTargets");
	assert_string_equal(aws_fixture_header(f, "content-type"), "application/x-amz-json-1.1");
	assert_non_null(
		strstr(aws_fixture_header(f, "authorization"), "/eu-west-1/application-autoscaling/aws4_request"));
	assert_string_equal(aws_fixture_body(f), "{\"ServiceNamespace\":\"dynamodb\",\"ResourceIds\":[\"table/T\","
						 "\"table/T/index/I\"]}");
	expect_list(&page, 2, "n");
	json_page_fini(&page);

	answer(f, "{\"ScalableTargets\":[]}");
	scaling_targets(&f->op, "T", resources, "n", &page, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_non_null(strstr(aws_fixture_body(f), ",\"NextToken\":\"n\"}"));
	expect_list(&page, 0, NULL);
	json_page_fini(&page);
	json_decref(resources);
}

static void test_policies(void **state)
{
	struct aws_fixture *f = *state;
	struct json_page page = {0};

	answer(f, "{\"ScalingPolicies\":[{\"PolicyName\":\"p\"}],\"NextToken\":null}");
	scaling_policies(&f->op, "table/T", "t", &page, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "AnyScaleFrontendService.DescribeScalingPolicies");
	assert_string_equal(aws_fixture_body(f),
			    "{\"ServiceNamespace\":\"dynamodb\",\"ResourceId\":\"table/T\",\"NextToken\":\"t\"}");
	expect_list(&page, 1, NULL);
	json_page_fini(&page);
}

static void test_changes(void **state)
{
	struct aws_fixture *f = *state;

	answer(f, "{}");
	scaling_register(&f->op, "table/T", SPAN_LIT("{\"MinCapacity\":1}"), NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "AnyScaleFrontendService.RegisterScalableTarget");
	assert_string_equal(aws_fixture_body(f), "{\"MinCapacity\":1}");
	answer(f, "{}");
	scaling_put_policy(&f->op, "table/T", SPAN_LIT("{\"PolicyName\":\"p\"}"), NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "AnyScaleFrontendService.PutScalingPolicy");
	scaling_put_policy(&f->op, "table/T", SPAN_LIT("{\"PolicyName\":"), NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), -ERR_INVALID);
	answer(f, "");
	table_tag(&f->op, "T", "arn:T", "[{\"Key\":\"k\",\"Value\":\"v\"}]", NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.TagResource");
	assert_string_equal(aws_fixture_body(f),
			    "{\"ResourceArn\":\"arn:T\",\"Tags\":[{\"Key\":\"k\",\"Value\":\"v\"}]}");
}

static void test_tags(void **state)
{
	struct aws_fixture *f = *state;
	struct json_page page = {0};

	answer(f, "{\"Tags\":[{\"Key\":\"k\",\"Value\":\"v\"}],\"NextToken\":\"2\"}");
	table_list_tags(&f->op, "T", "arn:T", NULL, &page, NULL, NULL);
	assert_int_equal(aws_wait(&f->op, NULL), 0);
	assert_string_equal(aws_fixture_header(f, "x-amz-target"), "DynamoDB_20120810.ListTagsOfResource");
	assert_string_equal(aws_fixture_header(f, "content-type"), "application/x-amz-json-1.0");
	assert_string_equal(aws_fixture_body(f), "{\"ResourceArn\":\"arn:T\"}");
	expect_list(&page, 1, "2");
	json_page_fini(&page);
}

static void test_malformed_answers(void **state)
{
	static const char *const bodies[] = {
		"{}", "{\"Tags\":{}}", "{\"Tags\":null}", "{\"Tags\":[],\"NextToken\":1}", "[]", ""};
	struct aws_fixture *f = *state;
	struct json_page page = {0};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		answer(f, bodies[i]);
		table_list_tags(&f->op, "T", "arn:T", "x", &page, NULL, NULL);
		assert_int_equal(aws_wait(&f->op, NULL), -ERR_CORRUPT);
		assert_null(page.list);
		assert_null(page.next_token);
	}
}

static void test_refused(void **state)
{
	struct aws_fixture *f = *state;
	struct json_page page = {0};
	static const char body[] = "{\"__type\":\"ObjectNotFoundException\",\"Message\":\"No scalable target\"}";

	aws_fixture_answer(f, "400 Bad Request", "", body, strlen(body));
	scaling_policies(&f->op, "table/T", NULL, &page, NULL, NULL);
	assert_true(aws_wait(&f->op, NULL) < 0);
	assert_string_equal(f->op.err.aws_code, "ObjectNotFoundException");
	assert_non_null(strstr(f->op.err.message, "DescribeScalingPolicies table/T: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_targets, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_policies, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_changes, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_tags, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_malformed_answers, aws_fixture_setup, aws_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_refused, aws_fixture_setup, aws_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
