/* map: what is in is found, what is out is not, also when hashes meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/map.h"

struct thing {
	struct map_node node; /* first, so that a node is a thing */
	uint64_t key;
	bool in;
};

static bool is_key(const struct map_node *n, const void *key)
{
	return ((const struct thing *)(const void *)n)->key == *(const uint64_t *)key;
}

static void test_empty(void **state)
{
	(void)state;
	struct map m;
	uint64_t key = 1;
	map_init(&m);
	assert_null(map_find(&m, 1, is_key, &key));
	map_fini(&m);
	assert_int_equal(map_reserve(&m, 0), 0);
	assert_null(map_find(&m, 1, is_key, &key));
	assert_int_equal(m.count, 0);
	map_fini(&m);
}

static void exercise(uint64_t (*hash)(uint64_t key))
{
	enum { N = 1000 };
	static struct thing things[N];
	struct map m;
	memset(things, 0, sizeof(things));
	map_init(&m);
	assert_int_equal(map_reserve(&m, 1), 0);
	for (uint64_t i = 0; i < N; i++) {
		/* Growing in between must keep what is in. */
		assert_int_equal(map_reserve(&m, i + 1), 0);
		things[i].key = i;
		map_add(&m, &things[i].node, hash(i));
	}
	assert_int_equal(m.count, N);
	assert_true(m.nbuckets >= N);
	assert_int_equal(m.nbuckets & (m.nbuckets - 1), 0);
	for (uint64_t i = 0; i < N; i++)
		assert_ptr_equal(map_find(&m, hash(i), is_key, &i), &things[i].node);
	for (uint64_t i = 0; i < N; i += 3)
		map_remove(&m, &things[i].node);
	for (uint64_t i = 0; i < N; i++)
		assert_ptr_equal(map_find(&m, hash(i), is_key, &i), i % 3 ? &things[i].node : NULL);
	size_t nbuckets = m.nbuckets;
	assert_int_equal(map_reserve(&m, 1), 0);
	assert_int_equal(m.nbuckets, nbuckets);
	map_fini(&m);
	assert_int_equal(m.count, 0);
	assert_null(m.buckets);
}

static uint64_t spread(uint64_t key)
{
	return map_hash(&key, sizeof(key));
}

static uint64_t high_bits_only(uint64_t key)
{
	return key << 40;
}

static uint64_t all_the_same(uint64_t key)
{
	(void)key;
	return 42;
}

static void test_good_hash(void **state)
{
	(void)state;
	exercise(spread);
}

static void test_poor_hash(void **state)
{
	(void)state;
	exercise(high_bits_only);
}

static void test_colliding_hash(void **state)
{
	(void)state;
	exercise(all_the_same);
}

static void test_absurd_reserve(void **state)
{
	(void)state;
	struct map m;
	struct thing t = {.key = 5};
	map_init(&m);
	assert_int_equal(map_reserve(&m, 1), 0);
	map_add(&m, &t.node, 5);
	assert_true(map_reserve(&m, SIZE_MAX) < 0);
	assert_ptr_equal(map_find(&m, 5, is_key, &t.key), &t.node);
	map_fini(&m);
}

/* FNV-1a 64 test vectors of draft-eastlake-fnv, appendix C. */
static void test_hash_vectors(void **state)
{
	(void)state;
	assert_true(map_hash("", 0) == UINT64_C(0xcbf29ce484222325));
	assert_true(map_hash("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(map_hash("foobar", 6) == UINT64_C(0x85944171f73967e8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	       cmocka_unit_test(test_good_hash),
		cmocka_unit_test(test_poor_hash),      cmocka_unit_test(test_colliding_hash),
		cmocka_unit_test(test_absurd_reserve), cmocka_unit_test(test_hash_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
