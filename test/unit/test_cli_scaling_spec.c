/* From the auto scaling and the tags of a table.json to the requests that give a new table the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "cli/scaling_spec.h"
#include "cli/table_spec.h"

static json_t *parse(const char *text)
{
	json_error_t e;
	json_t *j = text != NULL ? json_loads(text, 0, &e) : NULL;
	if (text != NULL && j == NULL)
		fail_msg("%s in %s", e.text, text);
	return j;
}

static void request_is(const struct scaling_request *r, bool policy, const char *resource, const char *text)
{
	json_t *is = parse(r->text), *wanted = parse(text);
	assert_int_equal(r->policy, policy);
	assert_string_equal(r->resource, resource);
	if (!json_equal(is, wanted))
		fail_msg("%s\nis not\n%s", r->text, text);
	json_decref(is);
	json_decref(wanted);
}

/* As DescribeScalableTargets and DescribeScalingPolicies tell it (API Reference, their examples). */
static void test_requests(void **state)
{
	(void)state;
	json_t *targets = parse(
		"[{\"ServiceNamespace\":\"dynamodb\",\"ResourceId\":\"table/old\",\"ScalableDimension\":"
		"\"dynamodb:table:WriteCapacityUnits\",\"MinCapacity\":5,\"MaxCapacity\":10,\"RoleARN\":\"arn:r\","
		"\"CreationTime\":1.7e9,\"ScalableTargetARN\":\"arn:t\",\"SuspendedState\":{"
		"\"DynamicScalingInSuspended\":true}},"
		"{\"ResourceId\":\"table/old/index/old\",\"ScalableDimension\":\"dynamodb:index:ReadCapacityUnits\","
		"\"MinCapacity\":1,\"MaxCapacity\":2,\"SuspendedState\":null}]");
	json_t *policies = parse(
		"[{\"PolicyName\":\"DynamoDBReadCapacityUtilization:table/old/index/old\",\"PolicyARN\":\"arn:p\","
		"\"ResourceId\":\"table/old/index/old\",\"ScalableDimension\":\"dynamodb:index:ReadCapacityUnits\","
		"\"PolicyType\":\"TargetTrackingScaling\",\"TargetTrackingScalingPolicyConfiguration\":{"
		"\"TargetValue\":70.0},"
		"\"CreationTime\":1.7e9},"
		"{\"PolicyName\":\"steps\",\"ResourceId\":\"table/old\",\"ScalableDimension\":"
		"\"dynamodb:table:WriteCapacityUnits\",\"PolicyType\":\"StepScaling\","
		"\"StepScalingPolicyConfiguration\":{\"Cooldown\":1}}]");
	struct scaling_spec spec;
	struct err e = {0};
	assert_int_equal(scaling_spec_make(targets, policies, "new-1", &spec, &e), 0);
	assert_int_equal(spec.n, 4);
	request_is(&spec.requests[0], false, "table/new-1",
		   "{\"ServiceNamespace\":\"dynamodb\",\"ResourceId\":\"table/new-1\",\"ScalableDimension\":"
		   "\"dynamodb:table:WriteCapacityUnits\",\"MinCapacity\":5,\"MaxCapacity\":10,"
		   "\"SuspendedState\":{\"DynamicScalingInSuspended\":true}}");
	request_is(&spec.requests[1], false, "table/new-1/index/old",
		   "{\"ServiceNamespace\":\"dynamodb\",\"ResourceId\":\"table/new-1/index/old\",\"ScalableDimension\":"
		   "\"dynamodb:index:ReadCapacityUnits\",\"MinCapacity\":1,\"MaxCapacity\":2}");
	request_is(&spec.requests[2], true, "table/new-1/index/old",
		   "{\"ServiceNamespace\":\"dynamodb\",\"ResourceId\":\"table/new-1/index/old\",\"ScalableDimension\":"
		   "\"dynamodb:index:ReadCapacityUnits\",\"PolicyName\":"
		   "\"DynamoDBReadCapacityUtilization:table/new-1/index/old\",\"PolicyType\":\"TargetTrackingScaling\","
		   "\"TargetTrackingScalingPolicyConfiguration\":{\"TargetValue\":70.0}}");
	request_is(&spec.requests[3], true, "table/new-1",
		   "{\"ServiceNamespace\":\"dynamodb\",\"ResourceId\":\"table/new-1\",\"ScalableDimension\":"
		   "\"dynamodb:table:WriteCapacityUnits\",\"PolicyName\":\"steps\",\"PolicyType\":\"StepScaling\","
		   "\"StepScalingPolicyConfiguration\":{\"Cooldown\":1}}");
	scaling_spec_fini(&spec);
	assert_int_equal(scaling_spec_make(NULL, NULL, "new", &spec, &e), 0);
	assert_int_equal(spec.n, 0);
	scaling_spec_fini(&spec);
	json_decref(targets);
	json_decref(policies);
}

static void test_damage_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *targets, *policies, *word;
	} cases[] = {
		{"[7]", NULL, "ScalableTargets[].ResourceId"},
		{"[{\"ResourceId\":\"cluster/x\"}]", NULL, "ScalableTargets[].ResourceId"},
		{"[{\"ResourceId\":\"table/x\"}]", NULL, "ScalableTargets[].ScalableDimension"},
		{"[{\"ResourceId\":\"table/x\",\"ScalableDimension\":\"d\"}]",
		 "[{\"ResourceId\":\"table/x\",\"ScalableDimension\":\"d\"}]", "PolicyName"},
		{NULL, "[{}]", "ScalingPolicies[].ResourceId"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *targets = parse(cases[i].targets), *policies = parse(cases[i].policies);
		struct scaling_spec spec = {0};
		struct err e = {0};
		assert_int_equal(scaling_spec_make(targets, policies, "new", &spec, &e), -ERR_CORRUPT);
		if (strstr(e.message, cases[i].word) == NULL)
			fail_msg("no %s in: %s", cases[i].word, e.message);
		assert_int_equal(spec.n, 0);
		json_decref(targets);
		json_decref(policies);
	}
}

static void test_tags(void **state)
{
	(void)state;
	json_t *told =
		parse("[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"aws:cloudformation:stack-id\",\"Value\":\"x\"},"
		      "{\"Key\":\"AWS:x\",\"Value\":\"x\"},{\"Key\":\"b\",\"Value\":\"\"},{\"Value\":\"x\"},7]");
	json_t *table = parse("{\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}],"
			      "\"AttributeDefinitions\":[{\"AttributeName\":\"id\",\"AttributeType\":\"S\"}],"
			      "\"BillingModeSummary\":{\"BillingMode\":\"PAY_PER_REQUEST\"}}");
	json_t *ours = table_spec_tags(told), *request;
	struct table_spec spec;
	struct err e = {0};
	assert_int_equal(json_array_size(ours), 2);
	assert_int_equal(table_spec_create(table, "new", "eu-west-1", &spec, &e), 0);
	for (size_t n = 2; n <= 4; n += 2) {
		assert_int_equal(table_spec_tag(&spec, ours, &e), 0);
		assert_int_equal(strlen(spec.request.ptr), spec.request.len);
		request = parse(spec.request.ptr);
		assert_int_equal(json_array_size(json_object_get(request, "Tags")), n);
		assert_string_equal(json_string_value(json_object_get(request, "TableName")), "new");
		json_decref(request);
	}
	table_spec_fini(&spec);
	json_decref(ours);
	json_decref(told);
	json_decref(table);
	told = parse("[{\"Key\":\"aws:x\",\"Value\":\"x\"}]");
	assert_null(table_spec_tags(told));
	assert_null(table_spec_tags(NULL));
	json_decref(told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_damage_is_named),
		cmocka_unit_test(test_tags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
