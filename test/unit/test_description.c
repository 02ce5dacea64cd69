/* table.json: what it says of a table, and when it says something new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/description.h"

static json_t *parse(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, JSON_DECODE_ANY, &e);
	if (j == NULL)
		fail_msg("%s in %s", e.text, text);
	return j;
}

/* As AWS describes a provisioned table with an index. */
static const char table[] =
	"{\"TableName\":\"T\",\"TableId\":\"i\",\"TableStatus\":\"ACTIVE\",\"ItemCount\":7,\"TableSizeBytes\":70,"
	"\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"at\",\"KeyType\":"
	"\"RANGE\"}],"
	"\"AttributeDefinitions\":[{\"AttributeName\":\"id\",\"AttributeType\":\"S\"},"
	"{\"AttributeName\":\"at\",\"AttributeType\":\"N\"}],"
	"\"ProvisionedThroughput\":{\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6,\"NumberOfDecreasesToday\":2,"
	"\"LastIncreaseDateTime\":1.5,\"LastDecreaseDateTime\":1.6},"
	"\"WarmThroughput\":{\"ReadUnitsPerSecond\":5,\"Status\":\"ACTIVE\"},"
	"\"GlobalSecondaryIndexes\":[{\"IndexName\":\"I\",\"IndexStatus\":\"ACTIVE\",\"Backfilling\":false,"
	"\"ItemCount\":7,\"IndexSizeBytes\":9,\"ProvisionedThroughput\":{\"ReadCapacityUnits\":5,"
	"\"WriteCapacityUnits\":6,\"NumberOfDecreasesToday\":0}}],"
	"\"LocalSecondaryIndexes\":[{\"IndexName\":\"L\",\"ItemCount\":7,\"IndexSizeBytes\":9}]}";
static const char targets[] =
	"[{\"ResourceId\":\"table/T\",\"ScalableDimension\":\"dynamodb:table:WriteCapacityUnits\",\"MinCapacity\":1,"
	"\"MaxCapacity\":9,\"PredictedCapacity\":3},"
	"{\"ResourceId\":\"table/T/index/I\",\"ScalableDimension\":\"dynamodb:index:ReadCapacityUnits\","
	"\"MinCapacity\":1,\"MaxCapacity\":9}]";
static const char policies[] = "[{\"PolicyName\":\"p\",\"ResourceId\":\"table/T\",\"Alarms\":[{\"AlarmName\":\"a\"}]}]";

static json_t *make(const char *of, const char *ttl, const char *tags, bool scaled)
{
	const struct description_parts parts = {
		.table = parse(of),
		.ttl = ttl != NULL ? parse(ttl) : NULL,
		.tags = tags != NULL ? parse(tags) : NULL,
		.targets = scaled ? parse(targets) : NULL,
		.policies = scaled ? parse(policies) : NULL,
	};
	json_t *d = description_make(&parts);
	assert_non_null(d);
	json_decref(parts.table);
	json_decref(parts.ttl);
	json_decref(parts.tags);
	json_decref(parts.targets);
	json_decref(parts.policies);
	return d;
}

static void expect_text(const json_t *d, const char *right)
{
	char *text = json_dumps(d, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, right);
	free(text);
}

/* What changes by itself is not in it, and what is not known neither. */
static void test_document(void **state)
{
	(void)state;
	json_t *d = make(table, NULL, NULL, false);
	expect_text(d,
		    "{\"Table\":{\"AttributeDefinitions\":[{\"AttributeName\":\"id\",\"AttributeType\":\"S\"},"
		    "{\"AttributeName\":\"at\",\"AttributeType\":\"N\"}],"
		    "\"GlobalSecondaryIndexes\":[{\"Backfilling\":false,\"IndexName\":\"I\",\"IndexStatus\":\"ACTIVE\","
		    "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6}}],"
		    "\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"},"
		    "{\"AttributeName\":\"at\",\"KeyType\":\"RANGE\"}],"
		    "\"LocalSecondaryIndexes\":[{\"IndexName\":\"L\"}],"
		    "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6},"
		    "\"TableId\":\"i\",\"TableName\":\"T\","
		    "\"WarmThroughput\":{\"ReadUnitsPerSecond\":5,\"Status\":\"ACTIVE\"}}}");
	json_decref(d);
	d = make("{\"TableName\":\"T\"}", "{\"TimeToLiveStatus\":\"DISABLED\"}", "[{\"Key\":\"k\",\"Value\":\"v\"}]",
		 true);
	expect_text(d, "{\"ScalableTargets\":[{\"MaxCapacity\":9,\"MinCapacity\":1,\"ResourceId\":\"table/T\","
		       "\"ScalableDimension\":\"dynamodb:table:WriteCapacityUnits\"},"
		       "{\"MaxCapacity\":9,\"MinCapacity\":1,\"ResourceId\":\"table/T/index/I\","
		       "\"ScalableDimension\":\"dynamodb:index:ReadCapacityUnits\"}],"
		       "\"ScalingPolicies\":[{\"PolicyName\":\"p\",\"ResourceId\":\"table/T\"}],"
		       "\"Table\":{\"TableName\":\"T\"},\"Tags\":[{\"Key\":\"k\",\"Value\":\"v\"}],"
		       "\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"DISABLED\"}}");
	json_decref(d);
}

/* The table's text with `from` in it replaced. */
static char *changed(const char *from, const char *to)
{
	const char *at = strstr(table, from);
	char *text = malloc(sizeof(table) + strlen(to));
	if (at == NULL)
		fail_msg("there is no %s", from);
	assert_non_null(text);
	memcpy(text, table, (size_t)(at - table));
	strcpy(text + (at - table), to);
	strcat(text, at + strlen(from));
	return text;
}

static void expect_equal(bool equal, json_t *a, json_t *b, const char *what)
{
	if (description_equal(a, b) != equal || description_equal(b, a) != equal)
		fail_msg("%s: equal should be %d", what, equal);
	json_decref(a);
	json_decref(b);
}

static void test_changes_of_the_table(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to;
		bool equal, equal_scaled; /* without auto scaling, and with it */
	} cases[] = {
		{"\"ItemCount\":7", "\"ItemCount\":8", true, true},
		{"\"TableStatus\":\"ACTIVE\"", "\"TableStatus\":\"UPDATING\"", true, true},
		{"\"LastIncreaseDateTime\":1.5", "\"LastIncreaseDateTime\":2.5", true, true},
		{"\"NumberOfDecreasesToday\":2", "\"NumberOfDecreasesToday\":0", true, true},
		{"\"IndexStatus\":\"ACTIVE\"", "\"IndexStatus\":\"CREATING\"", true, true},
		{"\"Backfilling\":false,", "", true, true},
		{"\"ReadUnitsPerSecond\":5", "\"ReadUnitsPerSecond\":50", true, true},
		{"\"TableId\":\"i\"", "\"TableId\":\"k\"", false, false},
		{"\"IndexName\":\"I\"", "\"IndexName\":\"K\"", false, false},
		{"\"AttributeType\":\"N\"", "\"AttributeType\":\"S\"", false, false},
		/* Of the table auto scaling sets the writes, of the index the reads. */
		{"\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6,\"NumberOfDecreasesToday\":2",
		 "\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":60,\"NumberOfDecreasesToday\":2", false, true},
		{"\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6,\"NumberOfDecreasesToday\":2",
		 "\"ReadCapacityUnits\":50,\"WriteCapacityUnits\":6,\"NumberOfDecreasesToday\":2", false, false},
		{"\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6,\"NumberOfDecreasesToday\":0",
		 "\"ReadCapacityUnits\":50,\"WriteCapacityUnits\":6,\"NumberOfDecreasesToday\":0", false, true},
		/* The order of lists means nothing. */
		{"{\"AttributeName\":\"id\",\"AttributeType\":\"S\"},{\"AttributeName\":\"at\",\"AttributeType\":"
		 "\"N\"}",
		 "{\"AttributeType\":\"N\",\"AttributeName\":\"at\"},{\"AttributeName\":\"id\",\"AttributeType\":"
		 "\"S\"}",
		 true, true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = changed(cases[i].from, cases[i].to);
		expect_equal(cases[i].equal, make(table, NULL, NULL, false), make(text, NULL, NULL, false),
			     cases[i].to);
		expect_equal(cases[i].equal_scaled, make(table, NULL, NULL, true), make(text, NULL, NULL, true),
			     cases[i].to);
		free(text);
	}
	expect_equal(false, make(table, NULL, NULL, false), make(table, NULL, NULL, true), "auto scaling");
}

static void test_changes_beside_the_table(void **state)
{
	(void)state;
	static const struct {
		const char *ttl, *other_ttl, *tags, *other_tags;
		bool equal;
	} cases[] = {
		{"{\"TimeToLiveStatus\":\"ENABLING\",\"AttributeName\":\"x\"}",
		 "{\"TimeToLiveStatus\":\"ENABLED\",\"AttributeName\":\"x\"}", NULL, NULL, true},
		{"{\"TimeToLiveStatus\":\"DISABLING\",\"AttributeName\":\"x\"}", "{\"TimeToLiveStatus\":\"DISABLED\"}",
		 NULL, NULL, true},
		{"{\"TimeToLiveStatus\":\"ENABLED\",\"AttributeName\":\"x\"}",
		 "{\"TimeToLiveStatus\":\"ENABLED\",\"AttributeName\":\"y\"}", NULL, NULL, false},
		{"{\"TimeToLiveStatus\":\"DISABLED\"}", NULL, NULL, NULL, false},
		{NULL, NULL, "[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"b\",\"Value\":\"2\"}]",
		 "[{\"Value\":\"2\",\"Key\":\"b\"},{\"Key\":\"a\",\"Value\":\"1\"}]", true},
		{NULL, NULL, "[{\"Key\":\"a\",\"Value\":\"1\"}]", "[{\"Key\":\"a\",\"Value\":\"2\"}]", false},
		{NULL, NULL, "[]", NULL, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_equal(cases[i].equal, make(table, cases[i].ttl, cases[i].tags, true),
			     make(table, cases[i].other_ttl, cases[i].other_tags, true),
			     cases[i].ttl != NULL ? cases[i].ttl : cases[i].tags);
}

/* A table.json that somebody else has written may be anything. */
static void test_foreign_documents(void **state)
{
	(void)state;
	static const char *const texts[] = {"{}", "{\"Table\":7}", "{\"Table\":{},\"ScalableTargets\":{\"a\":1}}",
					    "{\"Table\":{\"GlobalSecondaryIndexes\":[1,null]},\"Tags\":[[2,1],[1,2]]}"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		expect_equal(true, parse(texts[i]), parse(texts[i]), texts[i]);
		expect_equal(false, parse(texts[i]), make(table, NULL, NULL, true), texts[i]);
	}
}

static void test_resources(void **state)
{
	(void)state;
	json_t *t = parse(table), *all = description_resources(t);
	expect_text(all, "[\"table/T\",\"table/T/index/I\"]");
	json_decref(all);
	json_decref(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_changes_of_the_table),
		cmocka_unit_test(test_changes_beside_the_table),
		cmocka_unit_test(test_foreign_documents),
		cmocka_unit_test(test_resources),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
