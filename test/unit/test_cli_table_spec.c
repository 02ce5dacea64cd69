/*
 * From the table.json of a backup to the requests that make the table again, held against the members that the API
 * Reference gives CreateTable and TableCreationParameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/schema.h"
#include "cli/table_spec.h"

#define REGION "eu-west-1"
#define KEY_ARN "arn:aws:kms:eu-west-1:123456789012:key/0e1c9f4e-6f3f-4b3b-a0a0-3f0a7e3c7a11"

#define UNITS_TOLD(r, w) \
	"'ProvisionedThroughput':{'NumberOfDecreasesToday':0,'ReadCapacityUnits':" #r ",'WriteCapacityUnits':" #w "}"

/* As the daemon writes it: on demand, everything that a table can have. */
#define ON_DEMAND                                                                                                      \
	"{'Table':{"                                                                                                   \
	"'AttributeDefinitions':[{'AttributeName':'customer','AttributeType':'S'},"                                    \
	"{'AttributeName':'order','AttributeType':'N'},{'AttributeName':'placed','AttributeType':'S'},"                \
	"{'AttributeName':'sku','AttributeType':'B'},{'AttributeName':'unused','AttributeType':'S'}],"                 \
	"'BillingModeSummary':{'BillingMode':'PAY_PER_REQUEST','LastUpdateToPayPerRequestDateTime':1.7e9},"            \
	"'CreationDateTime':1700000000.123,'DeletionProtectionEnabled':true,"                                          \
	"'GlobalSecondaryIndexes':[{'Backfilling':false,'IndexArn':'arn:aws:dynamodb:x','IndexName':'by_sku',"         \
	"'IndexSizeBytes':12,'IndexStatus':'ACTIVE','ItemCount':3,"                                                    \
	"'KeySchema':[{'AttributeName':'sku','KeyType':'HASH'},{'AttributeName':'placed','KeyType':'RANGE'}],"         \
	"'OnDemandThroughput':{'MaxReadRequestUnits':-1,'MaxWriteRequestUnits':50},"                                   \
	"'Projection':{'NonKeyAttributes':['price','state'],'ProjectionType':'INCLUDE'}," UNITS_TOLD(                  \
		0,                                                                                                     \
		0) ","                                                                                                 \
		   "'WarmThroughput':{'ReadUnitsPerSecond':12000,'Status':'ACTIVE','WriteUnitsPerSecond':4000}}],"     \
		   "'KeySchema':[{'AttributeName':'customer','KeyType':'HASH'},{'AttributeName':'order','KeyType':'"   \
		   "RANGE'}],"                                                                                         \
		   "'LatestStreamArn':'arn:aws:dynamodb:s','LatestStreamLabel':'2026-11-23T12:40:35.195',"             \
		   "'LocalSecondaryIndexes':[{'IndexArn':'arn:aws:dynamodb:l','IndexName':'by_time','IndexSizeBytes':" \
		   "1,"                                                                                                \
		   "'ItemCount':1,'KeySchema':[{'AttributeName':'customer','KeyType':'HASH'},"                         \
		   "{'AttributeName':'placed','KeyType':'RANGE'}],'Projection':{'ProjectionType':'ALL'}}],"            \
		   "'OnDemandThroughput':{'MaxReadRequestUnits':100,'MaxWriteRequestUnits':200}," UNITS_TOLD(          \
			   0,                                                                                          \
			   0) ","                                                                                      \
			      "'SSEDescription':{'KMSMasterKeyArn':'" KEY_ARN "','SSEType':'KMS','Status':'ENABLED'}," \
			      "'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'NEW_AND_OLD_IMAGES'},"    \
			      "'TableArn':'arn:aws:dynamodb:eu-west-1:123456789012:table/orders','TableClassSummary':" \
			      "{'LastUpdateDateTime':1.7e9,'TableClass':'STANDARD_INFREQUENT_ACCESS'},'TableId':'"     \
			      "4f7a',"                                                                                 \
			      "'TableName':'orders','WarmThroughput':{'ReadUnitsPerSecond':12000,'Status':'ACTIVE',"   \
			      "'WriteUnitsPerSecond':4000}},"                                                          \
			      "'TimeToLiveDescription':{'AttributeName':'expires','TimeToLiveStatus':'ENABLED'}}"

/* A table that was always provisioned has no BillingModeSummary. */
#define PROVISIONED                                                                                                  \
	"{'Table':{'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'},"                              \
	"{'AttributeName':'g','AttributeType':'S'}],'CreationDateTime':1.6e9,'KeySchema':[{'AttributeName':'id',"    \
	"'KeyType':'HASH'}],'GlobalSecondaryIndexes':[{'IndexName':'by_g','KeySchema':[{'AttributeName':'g',"        \
	"'KeyType':'HASH'}],'Projection':{'ProjectionType':'KEYS_ONLY'},'IndexStatus':'ACTIVE'," UNITS_TOLD(         \
		3,                                                                                                   \
		4) "}]," UNITS_TOLD(5,                                                                               \
				    6) ",'TableArn':'arn:aws:dynamodb:eu-west-1:123456789012:table/"                 \
				       "t','TableName':'t',"                                                         \
				       "'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'NEW_IMAGE'}}," \
				       "'TimeToLiveDescription':{'TimeToLiveStatus':'DISABLED'}}"

/* JSON with ' for ". */
static json_t *load(const char *text)
{
	char *copy = strdup(text);
	json_error_t je;
	assert_non_null(copy);
	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	json_t *j = json_loads(copy, 0, &je);
	if (j == NULL)
		fail_msg("%s: %s", je.text, copy);
	free(copy);
	return j;
}

typedef int make_fn(const json_t *table, const char *name, const char *region, struct table_spec *out, struct err *e);

static struct table_spec make_in(make_fn *make, const char *text, const char *region)
{
	json_t *root = load(text);
	struct table_spec spec = {0};
	struct err e = {0};
	if (make(json_object_get(root, "Table"), "copy", region, &spec, &e) != 0)
		fail_msg("%s", e.message);
	json_decref(root);
	assert_int_equal(strlen(spec.request.ptr), spec.request.len);
	return spec;
}

/* Equal as JSON: the order of members does not count, that of lists does. */
static void request_is(const struct table_spec *spec, const char *expected)
{
	json_t *is = json_loads(spec->request.ptr, 0, NULL), *wanted = load(expected);
	json_t *definitions = json_object_get(is, "AttributeDefinitions");
	assert_non_null(is);
	assert_true(json_is_array(definitions));
	if (!json_equal(is, wanted))
		fail_msg("%s\nis not\n%s", spec->request.ptr, expected);
	json_decref(is);
	json_decref(wanted);
}

static bool has_note(const struct table_spec *spec, const char *part)
{
	for (size_t i = 0; i < spec->nnotes; i++)
		if (strstr(spec->notes[i], part) != NULL)
			return true;
	return false;
}

#define BY_SKU                                                                                                   \
	"'GlobalSecondaryIndexes':[{'IndexName':'by_sku','KeySchema':[{'AttributeName':'sku','KeyType':'HASH'}," \
	"{'AttributeName':'placed','KeyType':'RANGE'}],'Projection':{'NonKeyAttributes':['price','state'],"      \
	"'ProjectionType':'INCLUDE'},'OnDemandThroughput':{'MaxWriteRequestUnits':50}}]"
#define ORDERS                                                                                                         \
	"'TableName':'copy','BillingMode':'PAY_PER_REQUEST','OnDemandThroughput':{'MaxReadRequestUnits':100,"          \
	"'MaxWriteRequestUnits':200},'KeySchema':[{'AttributeName':'customer','KeyType':'HASH'},"                      \
	"{'AttributeName':'order','KeyType':'RANGE'}]," BY_SKU ",'AttributeDefinitions':[{'AttributeName':'customer'," \
	"'AttributeType':'S'},{'AttributeName':'order','AttributeType':'N'},{'AttributeName':'sku',"                   \
	"'AttributeType':'B'},{'AttributeName':'placed','AttributeType':'S'}],"                                        \
	"'SSESpecification':{'Enabled':true,'SSEType':'KMS','KMSMasterKeyId':'" KEY_ARN "'}"

static void test_create_on_demand(void **state)
{
	(void)state;
	struct table_spec spec = make_in(table_spec_create, ON_DEMAND, REGION);
	request_is(&spec, "{" ORDERS ",'LocalSecondaryIndexes':[{'IndexName':'by_time','KeySchema':[{'AttributeName':"
			  "'customer','KeyType':'HASH'},{'AttributeName':'placed','KeyType':'RANGE'}],'Projection':"
			  "{'ProjectionType':'ALL'}}],'StreamSpecification':{'StreamEnabled':true,'StreamViewType':"
			  "'NEW_AND_OLD_IMAGES'},'TableClass':'STANDARD_INFREQUENT_ACCESS',"
			  "'DeletionProtectionEnabled':true}");
	assert_int_equal(spec.nnotes, 0);
	assert_false(spec.lacks_local_indexes);
	assert_false(spec.lacks_stream);
	table_spec_fini(&spec);
}

static void test_import_on_demand(void **state)
{
	(void)state;
	struct table_spec spec = make_in(table_spec_import, ON_DEMAND, REGION);
	request_is(&spec, "{" ORDERS "}");
	assert_int_equal(spec.nnotes, 4);
	assert_true(has_note(&spec, "by_time"));
	assert_true(has_note(&spec, "NEW_AND_OLD_IMAGES"));
	assert_true(has_note(&spec, "STANDARD_INFREQUENT_ACCESS"));
	assert_true(has_note(&spec, "deletion protection"));
	assert_true(spec.lacks_local_indexes);
	assert_true(spec.lacks_stream);
	table_spec_fini(&spec);
}

#define T_BASE                                                                                                     \
	"'TableName':'copy','BillingMode':'PROVISIONED','KeySchema':[{'AttributeName':'id','KeyType':'HASH'}],"    \
	"'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'},{'AttributeName':'g','AttributeType':" \
	"'S'}],'ProvisionedThroughput':{'ReadCapacityUnits':5,'WriteCapacityUnits':6},'GlobalSecondaryIndexes':[{" \
	"'IndexName':'by_g','KeySchema':[{'AttributeName':'g','KeyType':'HASH'}],'Projection':{'ProjectionType':"  \
	"'KEYS_ONLY'},'ProvisionedThroughput':{'ReadCapacityUnits':3,'WriteCapacityUnits':4}}]"

static void test_provisioned(void **state)
{
	(void)state;
	struct table_spec spec = make_in(table_spec_create, PROVISIONED, REGION);
	request_is(&spec, "{" T_BASE ",'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'NEW_IMAGE'}}");
	assert_int_equal(spec.nnotes, 0);
	table_spec_fini(&spec);
	spec = make_in(table_spec_import, PROVISIONED, REGION);
	request_is(&spec, "{" T_BASE "}");
	assert_int_equal(spec.nnotes, 1);
	assert_true(has_note(&spec, "NEW_IMAGE"));
	assert_false(spec.lacks_local_indexes);
	table_spec_fini(&spec);
}

/* A small table with further members of "Table". */
#define SMALL(more)                                                                                                    \
	"{'Table':{'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'}],'BillingModeSummary':"          \
	"{'BillingMode':'PAY_PER_REQUEST'},'KeySchema':[{'AttributeName':'id','KeyType':'HASH'}],'TableName':'t'" more \
	"}}"
#define STREAM ",'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'NEW_IMAGE'}"

static void test_stream_off(void **state)
{
	(void)state;
	static const char *const off[] = {
		SMALL(""),
		SMALL(",'StreamSpecification':{'StreamEnabled':false}"),
	};
	for (size_t i = 0; i < 2; i++) {
		struct table_spec spec = make_in(table_spec_create, off[i], REGION);
		assert_null(strstr(spec.request.ptr, "Stream"));
		assert_int_equal(spec.nnotes, 1);
		assert_true(has_note(&spec, "stream"));
		assert_false(spec.lacks_stream);
		table_spec_fini(&spec);
	}
}

static json_t *encryption(const char *text, const char *region, size_t notes)
{
	struct table_spec spec = make_in(table_spec_create, text, region);
	json_t *request = json_loads(spec.request.ptr, 0, NULL);
	json_t *sse = json_incref(json_object_get(request, "SSESpecification"));
	assert_int_equal(spec.nnotes, notes);
	if (notes > 0) {
		assert_true(has_note(&spec, KEY_ARN));
		assert_true(has_note(&spec, region));
	}
	json_decref(request);
	table_spec_fini(&spec);
	return sse;
}

static void test_encryption(void **state)
{
	(void)state;
	static const char kms[] =
		SMALL(STREAM ",'SSEDescription':{'KMSMasterKeyArn':'" KEY_ARN "','SSEType':'KMS','Status':'UPDATING'}");
	json_t *sse = encryption(kms, REGION, 0);
	assert_string_equal(json_string_value(json_object_get(sse, "KMSMasterKeyId")), KEY_ARN);
	json_decref(sse);
	/* The key does not exist elsewhere, also where the names of regions begin alike. */
	for (size_t i = 0; i < 2; i++) {
		sse = encryption(kms, i == 0 ? "us-east-1" : "eu-west-11", 1);
		assert_true(json_is_true(json_object_get(sse, "Enabled")));
		assert_string_equal(json_string_value(json_object_get(sse, "SSEType")), "KMS");
		assert_null(json_object_get(sse, "KMSMasterKeyId"));
		json_decref(sse);
	}
	/* The AWS managed one by its alias must not be named. */
	sse = encryption(SMALL(STREAM ",'SSEDescription':{'KMSMasterKeyArn':'arn:aws:kms:eu-west-1:1:alias/aws/"
				      "dynamodb','SSEType':'KMS','Status':'ENABLED'}"),
			 REGION, 0);
	assert_true(json_is_true(json_object_get(sse, "Enabled")));
	assert_null(json_object_get(sse, "KMSMasterKeyId"));
	json_decref(sse);
	/* AWS owned. */
	assert_null(encryption(SMALL(STREAM), REGION, 0));
	assert_null(encryption(SMALL(STREAM ",'SSEDescription':{'Status':'DISABLED'}"), REGION, 0));
	assert_null(encryption(SMALL(STREAM ",'SSEDescription':{'KMSMasterKeyArn':'" KEY_ARN
					    "','SSEType':'KMS','Status':'DISABLED'}"),
			       REGION, 0));
}

static void test_what_is_usual_is_not_sent(void **state)
{
	(void)state;
	struct table_spec spec =
		make_in(table_spec_create,
			SMALL(STREAM ",'TableClassSummary':{'TableClass':'STANDARD'},'DeletionProtectionEnabled':false,"
				     "'GlobalSecondaryIndexes':[],'LocalSecondaryIndexes':null,'OnDemandThroughput':"
				     "{'MaxReadRequestUnits':-1,'MaxWriteRequestUnits':-1}"),
			REGION);
	request_is(&spec, "{'TableName':'copy','BillingMode':'PAY_PER_REQUEST','KeySchema':[{'AttributeName':'id',"
			  "'KeyType':'HASH'}],'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'}],"
			  "'StreamSpecification':{'StreamEnabled':true,'StreamViewType':'NEW_IMAGE'}}");
	assert_int_equal(spec.nnotes, 0);
	table_spec_fini(&spec);
}

static void test_index_that_went(void **state)
{
	(void)state;
	struct table_spec spec =
		make_in(table_spec_create,
			SMALL(STREAM
			      ",'GlobalSecondaryIndexes':[{'IndexName':'gone','IndexStatus':'DELETING','KeySchema':"
			      "[{'AttributeName':'x','KeyType':'HASH'}],'Projection':{'ProjectionType':'ALL'}}],"
			      "'Replicas':[{'RegionName':'us-east-1'},{'RegionName':'us-west-2'}]"),
			REGION);
	assert_null(strstr(spec.request.ptr, "gone"));
	assert_null(strstr(spec.request.ptr, "\"x\""));
	assert_int_equal(spec.nnotes, 2);
	assert_true(has_note(&spec, "gone"));
	assert_true(has_note(&spec, "2 replicas"));
	table_spec_fini(&spec);
}

/* Global indexes may have several attributes in each part of their key. */
static void test_index_with_many_attributes(void **state)
{
	(void)state;
	struct table_spec spec = make_in(
		table_spec_create,
		"{'Table':{'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'},{'AttributeName':'a',"
		"'AttributeType':'S'},{'AttributeName':'b','AttributeType':'N'},{'AttributeName':'c','AttributeType':"
		"'S'}],'BillingModeSummary':{'BillingMode':'PAY_PER_REQUEST'},'KeySchema':[{'AttributeName':'id',"
		"'KeyType':'HASH'}],'GlobalSecondaryIndexes':[{'IndexName':'m','KeySchema':[{'AttributeName':'a',"
		"'KeyType':'HASH'},{'AttributeName':'b','KeyType':'HASH'},{'AttributeName':'c','KeyType':'RANGE'}],"
		"'Projection':{'ProjectionType':'ALL'}}]" STREAM "}}",
		REGION);
	json_t *request = json_loads(spec.request.ptr, 0, NULL);
	const json_t *index = json_array_get(json_object_get(request, "GlobalSecondaryIndexes"), 0);
	assert_int_equal(json_array_size(json_object_get(index, "KeySchema")), 3);
	assert_int_equal(json_array_size(json_object_get(request, "AttributeDefinitions")), 4);
	json_decref(request);
	table_spec_fini(&spec);
}

static void fails(const char *text, const char *member)
{
	json_t *root = load(text);
	make_fn *const both[] = {table_spec_create, table_spec_import};
	for (size_t i = 0; i < 2; i++) {
		struct table_spec spec = {.nnotes = 77};
		struct err e = {0};
		assert_int_equal(both[i](json_object_get(root, "Table"), "copy", REGION, &spec, &e), -ERR_CORRUPT);
		assert_int_equal(e.class, ERR_CORRUPT);
		if (strstr(e.message, member) == NULL)
			fail_msg("\"%s\" does not name %s", e.message, member);
		assert_int_equal(spec.nnotes, 77);
	}
	json_decref(root);
}

static void test_damage_is_named(void **state)
{
	(void)state;
	fails("{}", "Table");
	fails("{'Table':[]}", "Table");
	fails("{'Table':{'BillingModeSummary':{'BillingMode':'PAY_PER_REQUEST'}}}", "Table.KeySchema");
	fails("{'Table':{'KeySchema':[{'AttributeName':'id','KeyType':'HASH'}]}}", "ProvisionedThroughput.Read");
	fails("{'Table':{'BillingModeSummary':{'BillingMode':'PAY_PER_REQUEST'},'KeySchema':[{'AttributeName':'id',"
	      "'KeyType':'HASH'}]}}",
	      "AttributeDefinitions has no type S, N or B for id");
	fails("{'Table':{'BillingModeSummary':{'BillingMode':'PAY_PER_REQUEST'},'KeySchema':[{'AttributeName':'id',"
	      "'KeyType':'RANGE'}],'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'}]}}",
	      "Table.KeySchema");
	fails("{'Table':{'BillingModeSummary':{'BillingMode':'FREE'}}}", "BillingModeSummary.BillingMode");
	fails("{'Table':{'BillingModeSummary':{'BillingMode':7}}}", "BillingModeSummary.BillingMode");
	fails("{'Table':{'BillingModeSummary':{'BillingMode':'PAY_PER_REQUEST'},'KeySchema':['id']}}",
	      "Table.KeySchema[0]");
	fails("{'Table':{'BillingModeSummary':{'BillingMode':'PAY_PER_REQUEST'},'KeySchema':[{'KeyType':'HASH'}]}}",
	      "Table.KeySchema[0].AttributeName");
	fails("{'Table':{'BillingModeSummary':{'BillingMode':'PAY_PER_REQUEST'},'KeySchema':[{'AttributeName':'id',"
	      "'KeyType':'SORT'}]}}",
	      "Table.KeySchema[0].KeyType");
	fails(SMALL(STREAM ",'GlobalSecondaryIndexes':{}"), "Table.GlobalSecondaryIndexes");
	fails(SMALL(STREAM ",'GlobalSecondaryIndexes':[7]"), "Table.GlobalSecondaryIndexes[0]");
	fails(SMALL(STREAM ",'GlobalSecondaryIndexes':[{'IndexName':'i','KeySchema':[{'AttributeName':'id','KeyType':"
			   "'HASH'}]}]"),
	      "Table.GlobalSecondaryIndexes[0].Projection.ProjectionType");
	fails(SMALL(STREAM ",'GlobalSecondaryIndexes':[{'IndexName':'i','KeySchema':[{'AttributeName':'id','KeyType':"
			   "'HASH'}],'Projection':{'ProjectionType':'INCLUDE'}}]"),
	      "Table.GlobalSecondaryIndexes[0].Projection.NonKeyAttributes");
	fails(SMALL(STREAM ",'GlobalSecondaryIndexes':[{'IndexName':'i','KeySchema':[],'Projection':"
			   "{'ProjectionType':'ALL'}}]"),
	      "Table.GlobalSecondaryIndexes[0].KeySchema");
	fails(SMALL(STREAM ",'LocalSecondaryIndexes':[{'KeySchema':[]}]"), "Table.LocalSecondaryIndexes[0].IndexName");
	fails(SMALL(",'StreamSpecification':{'StreamEnabled':true}"), "Table.StreamSpecification.StreamViewType");
	fails(SMALL(STREAM ",'TableClassSummary':{'TableClass':1}"), "Table.TableClassSummary.TableClass");
}

static void test_units_of_an_index(void **state)
{
	(void)state;
	fails("{'Table':{'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'}],'KeySchema':"
	      "[{'AttributeName':'id','KeyType':'HASH'}]," UNITS_TOLD(
		      1, 1) ",'GlobalSecondaryIndexes':[{'IndexName':"
			    "'i','KeySchema':[{'AttributeName':'id','KeyType':'HASH'}],'Projection':{'ProjectionType':'"
			    "ALL'}," UNITS_TOLD(1, 0) "}]}}",
	      "Table.GlobalSecondaryIndexes[0].ProvisionedThroughput.WriteCapacityUnits");
}

/* --- what the rest of the program reads of the same text --- */

static int parse(const char *text, struct schema *sc, struct err *e)
{
	json_t *j = load(text);
	char *json = json_dumps(j, JSON_INDENT(1));
	int rc = schema_parse(span_of(json), sc, e);
	free(json);
	json_decref(j);
	return rc;
}

static void test_schema(void **state)
{
	(void)state;
	struct schema orders, t, small;
	struct err e = {0};
	assert_int_equal(parse(ON_DEMAND, &orders, &e), 0);
	assert_int_equal(orders.n, 2);
	assert_string_equal(orders.names[0], "customer");
	assert_string_equal(orders.types[0], "S");
	assert_string_equal(orders.names[1], "order");
	assert_string_equal(orders.types[1], "N");
	assert_string_equal(orders.ttl_attribute, "expires");
	assert_non_null(orders.table);
	assert_int_equal(parse(PROVISIONED, &t, &e), 0);
	assert_int_equal(t.n, 1);
	assert_null(t.names[1]);
	assert_null(t.ttl_attribute);
	assert_int_equal(parse(SMALL(""), &small, &e), 0);
	assert_null(small.ttl_attribute);
	assert_int_equal(schema_same_key(&t, &small, &e), 0);
	assert_int_equal(schema_same_key(&t, &orders, &e), -ERR_INVALID);
	assert_non_null(strstr(e.message, "id (S)"));
	assert_non_null(strstr(e.message, "customer (S) and order (N)"));
	schema_fini(&orders);
	schema_fini(&t);
	schema_fini(&small);
}

static void test_schema_damage(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"{}",
		"{'Table':7}",
		"{'Table':{}}",
		"{'Table':{'KeySchema':[]}}",
		"{'Table':{'KeySchema':[{'AttributeName':'id','KeyType':'HASH'}]}}",
		"{'Table':{'KeySchema':[{'AttributeName':'id','KeyType':'HASH'}],'AttributeDefinitions':"
		"[{'AttributeName':'id','AttributeType':'SS'}]}}",
		"{'Table':{'KeySchema':[{'AttributeName':'id','KeyType':'RANGE'}],'AttributeDefinitions':"
		"[{'AttributeName':'id','AttributeType':'S'}]}}",
		"{'Table':{'KeySchema':[{'AttributeName':'id','KeyType':'HASH'},{'AttributeName':'id','KeyType':"
		"'HASH'}],'AttributeDefinitions':[{'AttributeName':'id','AttributeType':'S'}]}}",
		"{'Table':{'KeySchema':['id']}}",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct schema sc;
		struct err e = {0};
		assert_int_equal(parse(bad[i], &sc, &e), -ERR_CORRUPT);
		assert_true(e.message[0] != '\0');
		schema_fini(&sc);
	}
	struct schema sc;
	struct err e = {0};
	assert_int_equal(schema_parse(span_of("{\"Table\":"), &sc, &e), -ERR_CORRUPT);
	schema_fini(&sc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_on_demand), cmocka_unit_test(test_import_on_demand),
		cmocka_unit_test(test_provisioned),	 cmocka_unit_test(test_stream_off),
		cmocka_unit_test(test_encryption),	 cmocka_unit_test(test_what_is_usual_is_not_sent),
		cmocka_unit_test(test_index_that_went),	 cmocka_unit_test(test_index_with_many_attributes),
		cmocka_unit_test(test_damage_is_named),	 cmocka_unit_test(test_units_of_an_index),
		cmocka_unit_test(test_schema),		 cmocka_unit_test(test_schema_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
