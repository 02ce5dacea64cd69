/* The journal of a run: whose it is, and what another run is told. That runs go on from it is tested on whole runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/journal.h"

struct place {
	char folder[32], path[64], new[80];
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	strcpy(p->folder, "/tmp/journal.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/j", p->folder);
	snprintf(p->new, sizeof(p->new), "%s.new", p->path);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	remove(p->new);
	remove(p->path);
	assert_int_equal(rmdir(p->folder), 0);
	free(p);
	return 0;
}

static void open_journal(struct journal *j, const struct place *p, const char *at)
{
	char *path = strdup(p->path);
	assert_non_null(path);
	journal_init(j, path, json_pack("{s:s}", "--at", at));
}

/* Both found nothing: the one that saves first has it, and the other touches nothing. */
static void test_two_begin(void **state)
{
	const struct place *p = *state;
	struct journal one, two, third;
	struct err e;
	open_journal(&one, p, "now");
	open_journal(&two, p, "now");
	open_journal(&third, p, "now");
	assert_int_equal(journal_refuse(&one), 0);
	assert_int_equal(journal_refuse(&two), 0);
	one.items = 7;
	assert_int_equal(journal_save(&one, &e), 0);
	assert_int_equal(journal_save(&two, &e), -ERR_RETRY);
	assert_non_null(strstr(e.message, p->path));
	assert_non_null(strstr(e.message, "still goes on"));
	assert_int_equal(access(p->new, F_OK), -1);
	assert_int_equal(journal_end(&two, false, &e), 0);
	journal_fini(&two);
	/* It goes on to save, and nobody else has it. */
	one.items = 8;
	assert_int_equal(journal_save(&one, &e), 0);
	assert_int_equal(journal_refuse(&third), EX_TEMPFAIL);
	journal_fini(&one);
	/* Killed: then what it said last is there. */
	assert_int_equal(journal_resume(&third), 0);
	assert_int_equal(third.items, 8);
	assert_int_equal(journal_save(&third, &e), 0);
	assert_int_equal(journal_end(&third, false, &e), 0);
	assert_int_equal(access(p->path, F_OK), -1);
	journal_fini(&third);
}

/* What a killed run was writing is nobody's, and is longer. */
static void test_left_behind(void **state)
{
	const struct place *p = *state;
	struct journal j, again;
	struct err e;
	FILE *f = fopen(p->new, "w");
	assert_non_null(f);
	for (int i = 0; i < 2000; i++)
		fputs("left ", f);
	assert_int_equal(fclose(f), 0);
	open_journal(&j, p, "now");
	open_journal(&again, p, "now");
	j.at_ms = 12;
	assert_int_equal(journal_refuse(&j), 0);
	assert_int_equal(journal_save(&j, &e), 0);
	journal_fini(&j);
	assert_int_equal(journal_resume(&again), 0);
	assert_int_equal(again.at_ms, 12);
	assert_int_equal(again.nbounds, 1);
	journal_fini(&again);
}

/* It is not said of those that a run can go on from them. */
static void test_no_journal(void **state)
{
	const struct place *p = *state;
	struct journal j, other;
	struct err e;
	open_journal(&j, p, "now");
	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_equal(journal_refuse(&j), EX_OSERR);
	assert_int_equal(journal_resume(&j), EX_OSERR);
	assert_int_equal(rmdir(p->path), 0);
	assert_int_equal(fclose(fopen(p->path, "w")), 0);
	assert_int_equal(journal_refuse(&j), EX_DATAERR);
	journal_fini(&j);
	assert_int_equal(unlink(p->path), 0);
	open_journal(&j, p, "now");
	open_journal(&other, p, "latest");
	assert_int_equal(journal_save(&j, &e), 0);
	journal_fini(&j);
	assert_int_equal(journal_refuse(&other), EX_USAGE);
	journal_fini(&other);
	open_journal(&other, p, "now");
	assert_int_equal(journal_refuse(&other), EX_CANTCREAT);
	journal_fini(&other);
}

/* Keys are any bytes, and as long as S3 has them; each range is there again. */
static void test_keys(void **state)
{
	const struct place *p = *state;
	struct journal j, again;
	struct ranges rs = {0};
	struct err e;
	char key[1024];
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (char)i;
	for (size_t i = 0; i < RANGES_MAX; i++) {
		rs.slots[i].active = i != 2;
		buf_init(&rs.slots[i].after, 2048);
		buf_init(&rs.slots[i].through, 2048);
		assert_int_equal(buf_append(&rs.slots[i].after, key, i > 0 ? sizeof(key) - i : 0), 0);
		assert_int_equal(buf_append(&rs.slots[i].through, key + i, i > 0 ? sizeof(key) - i : 0), 0);
	}
	open_journal(&j, p, "now");
	open_journal(&again, p, "now");
	j.ranges = &rs;
	assert_int_equal(journal_save(&j, &e), 0);
	journal_fini(&j);
	assert_int_equal(journal_resume(&again), 0);
	assert_int_equal(again.nbounds, RANGES_MAX - 1);
	for (size_t i = 0, n = 0; i < RANGES_MAX; i++) {
		const struct range *r = &rs.slots[i];
		const struct range_bounds *b = &again.bounds[n];
		if (r->active) {
			assert_true(span_eq(b->after, (struct span){buf_str(&r->after), r->after.len}));
			assert_true(span_eq(b->through, (struct span){buf_str(&r->through), r->through.len}));
			n++;
		}
		buf_fini(&rs.slots[i].after);
		buf_fini(&rs.slots[i].through);
	}
	journal_fini(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_begin, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_left_behind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_journal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
