/* What is judged of an item's history, which part of the items a sample is, and findings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/deep_private.h"
#include "cli/sample.h"

#define BEGAN_MS INT64_C(1000000)
#define LATER_MS INT64_C(100000000)

/* One entry: 'I', 'M', 'B' a version by INSERT, MODIFY, BASELINE; 'f' a foreign one; 'd' a marker; 'R' a deletes object. */
struct told {
	char kind;
	unsigned seq;
	int64_t at_ms;
};

static void add(struct item *it, const struct told *t, size_t number)
{
	char id[24], etag[24];
	snprintf(id, sizeof(id), "v%zu", number);
	snprintf(etag, sizeof(etag), "etag of %zu", number);
	const struct item_listed l = {
		.version_id = span_of(id),
		.modified_ms = t->at_ms,
		.size_bytes = 1,
		.etag_hash = number,
		.marker = t->kind == 'd',
	};
	assert_int_equal(item_add(it, t->kind == 'R' ? ITEM_REMOVED : ITEM_DATA, &l, INT64_MIN), 0);
}

static void fill(struct item *it, enum item_side side, const struct told *story, size_t n)
{
	size_t at = 0;
	/* Entries are newest first, as the story is told backwards. */
	for (size_t i = n; i-- > 0;) {
		char seq[24] = "", time[CLOCK_ISO_SIZE];
		const struct told *t = &story[i];
		if ((t->kind == 'R') != (side == ITEM_REMOVED))
			continue;
		struct item_entry *e = &it->lists[side].entries[at++];
		if (t->kind == 'd')
			continue;
		const char *event = t->kind == 'I'   ? "INSERT"
				    : t->kind == 'M' ? "MODIFY"
				    : t->kind == 'B' ? "BASELINE"
				    : t->kind == 'R' ? "REMOVE"
						     : "";
		if (t->seq > 0)
			snprintf(seq, sizeof(seq), "%u", t->seq);
		assert_int_equal(item_set_facts(e, event, seq, t->kind == 'f' ? "" : clock_iso(time, t->at_ms),
						t->kind == 'f' ? "" : "s", ""),
				 0);
	}
}

/* The kinds of what is found, as a set of bits. */
static unsigned judge(const struct told *story, size_t n, bool gaps, bool folders)
{
	struct deep_report r = {0};
	struct item *it = item_new(SPAN_LIT("x"));
	unsigned kinds = 0;
	for (size_t i = n; i-- > 0;)
		add(it, &story[i], i);
	assert_int_equal(item_arrange(it), 0);
	fill(it, ITEM_DATA, story, n);
	fill(it, ITEM_REMOVED, story, n);
	deep_judge(it, BEGAN_MS, gaps, folders, &r);
	for (size_t i = 0; i < r.n; i++)
		kinds |= 1U << r.problems[i].kind;
	item_free(it);
	return kinds;
}

#define JUDGE(...)                                                                                                  \
	judge((const struct told[]){__VA_ARGS__}, sizeof((const struct told[]){__VA_ARGS__}) / sizeof(struct told), \
	      false, false)
#define BIT(kind) (1U << FINDING_##kind)
#define T(n) (LATER_MS + INT64_C(10000) * (n))

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(JUDGE({'I', 1, T(1)}), 0);
	assert_int_equal(JUDGE({'M', 5, T(1)}, {'M', 6, T(2)}), 0);
	assert_int_equal(JUDGE({'I', 1, T(1)}, {'R', 2, T(2)}, {'d', 0, T(2)}, {'I', 3, T(3)}), 0);
	assert_int_equal(JUDGE({'B', 0, T(1)}, {'M', 2, T(2)}, {'R', 3, T(3)}, {'d', 0, T(3)}), 0);
	/* Written twice. */
	assert_int_equal(JUDGE({'I', 1, T(1)}, {'M', 2, T(2)}, {'M', 2, T(3)}), 0);
	/* Expired: a marker's deletes object outlives the versions around it. */
	assert_int_equal(JUDGE({'R', 2, T(1)}), 0);
	assert_int_equal(JUDGE({'R', 2, T(1)}, {'I', 3, T(2)}), 0);
	/* Of another tool, from before the backup. */
	assert_int_equal(JUDGE({'f', 0, 1000}, {'d', 0, 5000}, {'f', 0, 9000}), 0);
}

static void test_wrong(void **state)
{
	(void)state;
	assert_int_equal(JUDGE({'I', 1, T(1)}, {'M', 3, T(2)}, {'M', 2, T(3)}), BIT(MISORDERED));
	assert_int_equal(JUDGE({'I', 1, T(1)}, {'d', 0, T(2)}), BIT(MARKER));
	assert_int_equal(JUDGE({'I', 1, T(1)}, {'R', 2, T(2)}), BIT(REMOVAL));
	assert_int_equal(JUDGE({'I', 1, T(1)}, {'I', 3, T(2)}), BIT(HOLE));
	assert_int_equal(JUDGE({'I', 1, T(1)}, {'R', 2, T(2)}, {'d', 0, T(2)}, {'M', 4, T(3)}), BIT(HOLE));
}

static void test_no_hole(void **state)
{
	const struct told hole[] = {{'I', 1, T(1)}, {'I', 3, T(2)}};
	(void)state;
	assert_int_equal(judge(hole, 2, true, false), 0);
	assert_int_equal(judge(hole, 2, false, true), 0);
	/* What lies between is not known. */
	assert_int_equal(JUDGE({'I', 1, T(1)}, {'B', 0, T(2)}, {'I', 3, T(3)}), 0);
}

static void test_sample(void **state)
{
	struct sample one, all;
	size_t in = 0;
	char name[24];
	(void)state;
	assert_true(sample_parse(NULL, 0, &all));
	assert_true(sample_has(&all, SPAN_LIT("x")));
	assert_true(sample_parse("100%", 0, &all));
	assert_string_equal(all.seed, "1970-01-01");
	assert_true(sample_parse("10%", 0, &one));
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "item-%d", i);
		assert_true(sample_has(&all, span_of(name)));
		bool has = sample_has(&one, span_of(name));
		assert_int_equal(has, sample_has(&one, span_of(name)));
		in += has;
	}
	assert_in_range(in, 850, 1150);
	static const char *const wrong[] = {"", "%", "0%", "-1%", "101%", "1", "1%%", "x", "nan%", "inf%"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(sample_parse(wrong[i], 0, &one));
}

static void count(const struct finding *f, void *arg)
{
	(void)f;
	++*(unsigned *)arg;
}

static void test_findings(void **state)
{
	unsigned told = 0;
	char shown[1100];
	struct findings f = {.on_named = count, .arg = &told};
	(void)state;
	for (unsigned i = 0; i < FINDING_NAMED_MAX + 5; i++)
		assert_int_equal(findings_add(&f, FINDING_EXTRA, (struct span){"a\x1b\0z", 4},
					      SPAN_LIT("{\"id\":{\"S\":\"a\"}}"), "number %u", i),
				 0);
	assert_int_equal(findings_add(&f, FINDING_HOLE, SPAN_LIT("b"), (struct span){0}, "why"), 0);
	assert_int_equal(findings_total(&f), FINDING_NAMED_MAX + 6);
	assert_int_equal(told, FINDING_NAMED_MAX);
	assert_int_equal(f.nnamed, FINDING_NAMED_MAX);
	assert_string_equal(finding_shown(&f.named[0], shown), "a??z");
	json_t *counts = findings_counts_json(&f), *list = findings_json(&f);
	assert_int_equal(json_integer_value(json_object_get(counts, "extra")), FINDING_NAMED_MAX + 5);
	assert_int_equal(json_integer_value(json_object_get(counts, "stray_marker")), 0);
	assert_int_equal(json_array_size(list), FINDING_NAMED_MAX);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 7), "detail")), "number 7");
	json_decref(counts);
	json_decref(list);
	findings_fini(&f);
	/* A name that is no UTF-8. */
	assert_int_equal(findings_add(&f, FINDING_EXTRA, SPAN_LIT("a\xff"), (struct span){0}, "x"), 0);
	list = findings_json(&f);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "object")), "a?");
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "key")));
	json_decref(list);
	findings_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),   cmocka_unit_test(test_wrong),	cmocka_unit_test(test_no_hole),
		cmocka_unit_test(test_sample), cmocka_unit_test(test_findings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
