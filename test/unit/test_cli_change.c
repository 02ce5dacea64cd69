/* What changed between two images of an item, as it is told to a person and to a machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/change.h"
#include "cli/change_print.h"
#include "codec/canon.h"

#define ITEM_MAX ((size_t)4 << 20)

static struct canon *canon;

static int setup(void **state)
{
	(void)state;
	canon = canon_new(ITEM_MAX);
	return canon == NULL;
}

static int teardown(void **state)
{
	(void)state;
	canon_free(canon);
	return 0;
}

/* Its canonical form, malloc'd; "" for NULL. */
static char *canonical(const char *item)
{
	struct span out;
	struct err e;
	if (item == NULL)
		return strdup("");
	if (canon_item(canon, span_of(item), &out, &e) < 0)
		fail_msg("%s: %s", item, e.message);
	return strndup(out.ptr, out.len);
}

/* What is printed, malloc'd. */
static char *text(const char *before, const char *after, size_t columns)
{
	char *a = canonical(before), *b = canonical(after), *out;
	size_t len;
	struct err e;
	FILE *f = open_memstream(&out, &len);
	assert_int_equal(change_print_text(f, span_of(a), span_of(b), "", columns, &e), 0);
	fclose(f);
	free(a);
	free(b);
	return out;
}

static void check_text(const char *before, const char *after, const char *want)
{
	char *got = text(before, after, 0);
	assert_string_equal(got, want);
	free(got);
}

static void check_json(const char *before, const char *after, const char *want)
{
	char *a = canonical(before), *b = canonical(after), *out;
	size_t len;
	struct err e;
	FILE *f = open_memstream(&out, &len);
	assert_int_equal(change_print_json(f, span_of(a), span_of(b), &e), 0);
	fclose(f);
	json_t *got = json_loads(out, JSON_REJECT_DUPLICATES, NULL), *expected = json_loads(want, 0, NULL);
	assert_non_null(expected);
	if (got == NULL || !json_equal(got, expected))
		fail_msg("%s is not %s", out, want);
	json_decref(got);
	json_decref(expected);
	free(out);
	free(a);
	free(b);
}

static void test_attributes(void **state)
{
	(void)state;
	const char *before = "{\"id\":{\"S\":\"x\"},\"gone\":{\"BOOL\":true},\"n\":{\"N\":\"1\"}}";
	const char *after = "{\"id\":{\"S\":\"x\"},\"n\":{\"N\":\"2\"},\"new\":{\"NULL\":true}}";
	check_text(before, after, "- gone  true\n~ n     1 -> 2\n+ new   null\n");
	check_json(before, after,
		   "{\"added\":{\"new\":{\"NULL\":true}},\"removed\":{\"gone\":{\"BOOL\":true}},"
		   "\"changed\":{\"n\":{\"old\":{\"N\":\"1\"},\"new\":{\"N\":\"2\"}}}}");
	check_text(before, before, "");
	check_json(before, before, "{\"added\":{},\"removed\":{},\"changed\":{}}");
	/* An item that was not there, or is not there any more. */
	check_text(NULL, "{\"id\":{\"S\":\"x\"}}", "+ id  \"x\"\n");
	check_text("{\"id\":{\"S\":\"x\"}}", NULL, "- id  \"x\"\n");
	check_json(NULL, "{\"id\":{\"S\":\"x\"}}", "{\"added\":{\"id\":{\"S\":\"x\"}},\"removed\":{},\"changed\":{}}");
	check_json(NULL, NULL, "{\"added\":{},\"removed\":{},\"changed\":{}}");
}

static void test_numbers_stay_text(void **state)
{
	(void)state;
	check_text("{\"n\":{\"N\":\"1.0\"}}", "{\"n\":{\"N\":\"1\"}}", "~ n  1.0 -> 1\n");
	check_json(
		"{\"n\":{\"N\":\"1e2\"}}", "{\"n\":{\"N\":\"100\"}}",
		"{\"added\":{},\"removed\":{},\"changed\":{\"n\":{\"old\":{\"N\":\"1e2\"},\"new\":{\"N\":\"100\"}}}}");
	/* Another type with the same text. */
	check_text("{\"n\":{\"N\":\"1\"}}", "{\"n\":{\"S\":\"1\"}}", "~ n  1 -> \"1\"\n");
	check_text("{\"n\":{\"B\":\"AQI=\"}}", "{\"n\":{\"S\":\"AQI=\"}}", "~ n  B\"AQI=\" -> \"AQI=\"\n");
}

static void test_inside(void **state)
{
	(void)state;
	check_text("{\"a\":{\"M\":{\"city\":{\"S\":\"A\"},\"zip\":{\"N\":\"1\"}}}}",
		   "{\"a\":{\"M\":{\"city\":{\"S\":\"B\"},\"street\":{\"S\":\"C\"}}}}",
		   "~ a.city    \"A\" -> \"B\"\n+ a.street  \"C\"\n- a.zip     1\n");
	check_text("{\"a\":{\"L\":[{\"M\":{\"x\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}}}]}}",
		   "{\"a\":{\"L\":[{\"M\":{\"x\":{\"L\":[{\"N\":\"1\"},{\"N\":\"3\"}]}}}]}}", "~ a[0].x[1]  2 -> 3\n");
	/* A map in place of a string is one change. */
	check_text("{\"a\":{\"S\":\"x\"}}", "{\"a\":{\"M\":{\"b\":{\"N\":\"1\"}}}}", "~ a  \"x\" -> {\"b\":1}\n");
	check_text("{\"a\":{\"M\":{}}}", "{\"a\":{\"L\":[]}}", "~ a  {} -> []\n");
	check_text("{\"a\":{\"M\":{}}}", "{\"a\":{\"M\":{\"b\":{\"M\":{\"c\":{\"S\":\"\"}}}}}}",
		   "+ a.b  {\"c\":\"\"}\n");
}

#define LIST(elements) "{\"l\":{\"L\":[" elements "]}}"
#define E(name) "{\"S\":\"" name "\"}"

static void test_lists(void **state)
{
	(void)state;
	/* An element more at the front, in the middle, at the end is one change. */
	check_text(LIST(E("b") "," E("c")), LIST(E("a") "," E("b") "," E("c")), "+ l[0]  \"a\"\n");
	check_text(LIST(E("a") "," E("c")), LIST(E("a") "," E("b") "," E("c")), "+ l[1]  \"b\"\n");
	check_text(LIST(E("a") "," E("b")), LIST(E("a") "," E("b") "," E("c")), "+ l[2]  \"c\"\n");
	check_text(LIST(E("a") "," E("b") "," E("c")), LIST(E("a") "," E("c")), "- l[1]  \"b\"\n");
	check_text(LIST(E("a") "," E("a")), LIST(E("a")), "- l[1]  \"a\"\n");
	check_text(LIST(), LIST(E("a")), "+ l[0]  \"a\"\n");
	check_text(LIST(E("a") "," E("x") "," E("y") "," E("d")), LIST(E("a") "," E("z") "," E("d")),
		   "~ l[1]  \"x\" -> \"z\"\n- l[2]  \"y\"\n");
}

static void test_sets(void **state)
{
	(void)state;
	const char *before = "{\"s\":{\"SS\":[\"a\",\"c\"]}}", *after = "{\"s\":{\"SS\":[\"b\",\"a\",\"d\"]}}";
	check_text(before, after, "~ s  +{\"b\",\"d\"} -{\"c\"}\n");
	check_json(before, after,
		   "{\"added\":{},\"removed\":{},\"changed\":{\"s\":{\"old\":{\"SS\":[\"a\",\"c\"]},"
		   "\"new\":{\"SS\":[\"a\",\"b\",\"d\"]},\"added\":{\"SS\":[\"b\",\"d\"]},\"removed\":{\"SS\":[\"c\"]}}"
		   "}}");
	check_text("{\"s\":{\"NS\":[\"1\",\"2\"]}}", "{\"s\":{\"NS\":[\"2\"]}}", "~ s  -{1}\n");
	check_text("{\"s\":{\"BS\":[\"AQ==\"]}}", "{\"s\":{\"BS\":[\"AQ==\",\"Ag==\"]}}", "~ s  +{B\"Ag==\"}\n");
	check_text("{\"s\":{\"SS\":[\"1\"]}}", "{\"s\":{\"NS\":[\"1\"]}}", "~ s  {\"1\"} -> {1}\n");
	/* Members whose order with their quotes is another one than without. */
	check_text("{\"s\":{\"SS\":[\"a\",\"b\"]}}", "{\"s\":{\"SS\":[\"a\",\"a!\",\"b\"]}}", "~ s  +{\"a!\"}\n");
	check_text("{\"s\":{\"SS\":[\"a\",\"a\\u0001\"]}}", "{\"s\":{\"SS\":[\"a\\u0001\"]}}", "~ s  -{\"a\"}\n");
}

static void test_names(void **state)
{
	(void)state;
	check_text("{\"a.b\":{\"N\":\"1\"},\"c\":{\"M\":{\"[0]\":{\"N\":\"1\"},\"\":{\"N\":\"3\"}}},\"\\\"\":{\"N\":"
		   "\"1\"}}",
		   "{\"a.b\":{\"N\":\"2\"},\"c\":{\"M\":{\"[0]\":{\"N\":\"2\"},\"\":{\"N\":\"4\"}}},\"\\\"\":{\"N\":"
		   "\"2\"}}",
		   "~ [\"\\\"\"]    1 -> 2\n~ [\"a.b\"]   1 -> 2\n~ c[\"\"]     3 -> 4\n~ c[\"[0]\"]  1 -> 2\n");
	check_json("{\"a\\\\b\":{\"N\":\"1\"}}", "{}",
		   "{\"added\":{},\"removed\":{\"[\\\"a\\\\\\\\b\\\"]\":{\"N\":\"1\"}},\"changed\":{}}");
	check_json("{\"\\u00e4\\n\":{\"N\":\"1\"}}", "{}",
		   "{\"added\":{},\"removed\":{\"[\\\"\u00e4\\\\n\\\"]\":{\"N\":\"1\"}},\"changed\":{}}");
}

/* Neither a value nor a name may steer the terminal, or turn the direction of its writing. */
static void test_nothing_for_the_terminal(void **state)
{
	(void)state;
	char *got = text("{}",
			 "{\"a\\u001b[2J\xc2\x9b\":{\"S\":\"\\u001b]0;x\\u0007\xc2\x9b\u202e\x7f\\n\"},"
			 "\"b\":{\"M\":{\"\xc2\x85\":{\"N\":\"\xc2\x9b"
			 "1\"}}},\"c\":{\"SS\":[\"\u2066\"]},"
			 "\"d\":{\"B\":\"\xc2\x9b\"},\"e\":{\"NEW\":\"\xc2\x9b\"}}",
			 0);
	for (const char *p = got; *p != '\0'; p++)
		assert_true(*p == '\n' || ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f));
	assert_non_null(strstr(got, "\\u001b]0;x\\u0007\\u009b\\u202e\\u007f\\n"));
	assert_non_null(strstr(got, "\\u0085"));
	assert_non_null(strstr(got, "B\"\\u009b\""));
	free(got);
}

static size_t characters(const char *line)
{
	size_t n = 0;
	for (; *line != '\0' && *line != '\n'; line++)
		n += ((unsigned char)*line & 0xc0) != 0x80;
	return n;
}

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void test_cut(void **state)
{
	(void)state;
	const char *before = "{\"v\":{\"S\":\"" HUNDRED "X" HUNDRED "\"}}",
		   *after = "{\"v\":{\"S\":\"" HUNDRED "YY" HUNDRED "\"}}";
	char *got = text(before, after, 80);
	assert_int_equal(characters(got), 80);
	/* What differs is seen. */
	assert_non_null(strstr(got, "9X0"));
	assert_non_null(strstr(got, "9YY0"));
	assert_non_null(strstr(got, " -> \u2026"));
	free(got);
	/* Not on anything but a terminal. */
	check_text(before, after, "~ v  \"" HUNDRED "X" HUNDRED "\" -> \"" HUNDRED "YY" HUNDRED "\"\n");
	got = text("{}", after, 60);
	assert_int_equal(characters(got), 60);
	assert_int_equal(memcmp(got, "+ v  \"" TEN, 16), 0);
	free(got);
	/* The short one whole, the long one in what is left; characters are never halved. */
	got = text("{\"v\":{\"S\":\"a\"}}", "{\"v\":{\"S\":\"\u00e4\u00e4\u00e4" HUNDRED "\"}}", 60);
	assert_int_equal(characters(got), 60);
	assert_int_equal(memcmp(got, "~ v  \"a\" -> \"\u00e4\u00e4\u00e4" TEN, 28), 0);
	free(got);
	got = text("{}", "{\"" HUNDRED "\":{\"S\":\"" HUNDRED "\"}}", 50);
	assert_int_equal(characters(got), 50);
	assert_non_null(strstr(got, "\u2026  \"0"));
	free(got);
	/* What fits stays. */
	got = text("{\"v\":{\"N\":\"1\"}}", "{\"v\":{\"N\":\"2\"}}", 1);
	assert_string_equal(got, "~ v  1 -> 2\n");
	free(got);
}

static int count(void *arg, const struct change *c)
{
	(void)c;
	++*(size_t *)arg;
	return 0;
}

static void test_malformed(void **state)
{
	(void)state;
	static const char *const wrong[] = {"[]",	"{\"a\":{\"S\":\"x\"}",
					    "{\"a\":",	"{\"a\":1}x",
					    "{\"a\"}",	"no",
					    "{\"a\":1}"};
	struct err e;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		size_t n = 0;
		assert_int_equal(change_each(span_of(wrong[i]), span_of("{\"a\":{\"S\":\"y\"}}"), count, &n, &e),
				 -ERR_CORRUPT);
	}
	assert_true(e.message[0] != '\0');
}

/* As deep as DynamoDB allows, and then some. */
static void test_deep(void **state)
{
	(void)state;
	char items[2][4096], want[200] = "~ m", *got;
	for (int k = 0; k < 2; k++) {
		char *p = items[k] + sprintf(items[k], "{\"m\":");
		for (int i = 0; i < 40; i++)
			p += sprintf(p, i % 2 ? "{\"L\":[" : "{\"M\":{\"x\":");
		p += sprintf(p, "{\"N\":\"%d\"}", k);
		for (int i = 40; i-- > 0;)
			p += sprintf(p, i % 2 ? "]}" : "}}");
		sprintf(p, "}");
	}
	for (int i = 0; i < 20; i++)
		strcat(want, ".x[0]");
	strcat(want, "  0 -> 1\n");
	got = text(items[0], items[1], 0);
	assert_string_equal(got, want);
	free(got);
}

/* Every element of an item of 400 KB. */
static void test_large(void **state)
{
	(void)state;
	char *a = malloc(ITEM_MAX);
	size_t n = 0, len = (size_t)sprintf(a, "{\"l\":{\"L\":[");
	struct err e;
	for (int i = 0; i < 40000; i++)
		len += (size_t)sprintf(a + len, "%s{\"N\":\"%d\"}", i ? "," : "", i % 10);
	sprintf(a + len, "]}}");
	char *b = strdup(a);
	for (char *p = b; (p = strstr(p, "\"N\":\"")) != NULL; p += 5)
		p[5] = p[5] == '9' ? '0' : (char)(p[5] + 1);
	assert_int_equal(change_each(span_of(a), span_of(b), count, &n, &e), 0);
	assert_int_equal(n, 40000);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_numbers_stay_text),
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nothing_for_the_terminal),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_large),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
