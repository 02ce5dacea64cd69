/* The gzip files of exports, piece by piece, beside zlib, which reads them. */
#include <string.h>

#include "cli/export_gzip.h"
#include "export_fixture.h"

struct case_file {
	struct export_gzip g;
	EVP_MD *md5;
	struct buf out, text; /* the file, and what went in */
};

static void begin(struct case_file *c)
{
	struct err e;
	c->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	buf_init(&c->out, EXPORT_FIXTURE_MAX);
	buf_init(&c->text, EXPORT_FIXTURE_MAX);
	assert_int_equal(export_gzip_begin(&c->g, c->md5, &e), 0);
}

/* `len` bytes that compress badly, well and badly again. */
static int add(struct case_file *c, size_t len, bool end)
{
	static uint64_t chance = 1;
	size_t at = c->text.len;
	assert_int_equal(buf_reserve(&c->text, len), 0);
	for (size_t i = 0; i < len; i++) {
		chance = chance * 6364136223846793005 + 1442695040888963407;
		c->text.data[c->text.len++] = (i >> 14) % 2 == 0 ? (char)(chance >> 56) : "{\"Item\":"[i % 8];
	}
	return export_gzip_add(&c->g, (struct span){c->text.data + at, len}, end, &c->out);
}

static void check_and_end(struct case_file *c)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	struct buf back;
	/* No name, and no time: equal exports have equal files. */
	assert_memory_equal(c->out.data, "\x1f\x8b\x08\0\0\0\0\0", 8);
	assert_int_equal(c->g.bytes, c->out.len);
	digest_md5(md5, c->out.data, c->out.len);
	assert_memory_equal(c->g.md5, md5, sizeof(md5));
	export_fixture_gunzip(&c->out, &back);
	assert_int_equal(back.len, c->text.len);
	assert_memory_equal(buf_str(&back), buf_str(&c->text), back.len);
	buf_fini(&back);
	buf_fini(&c->out);
	buf_fini(&c->text);
	export_gzip_fini(&c->g);
	export_gzip_fini(&c->g);
	EVP_MD_free(c->md5);
}

static void test_pieces(void **state)
{
	static const size_t pieces[] = {1, 0, 65536, 131072, 7, 300000, 65535, 1000000, 3};
	struct case_file c;
	(void)state;
	begin(&c);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		assert_int_equal(add(&c, pieces[i], false), 0);
	assert_int_equal(add(&c, 70000, true), 1);
	check_and_end(&c);
}

static void test_empty(void **state)
{
	struct case_file c;
	(void)state;
	begin(&c);
	assert_int_equal(add(&c, 0, true), 1);
	check_and_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_empty),
	};
	int rc = digest_init(NULL) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
	digest_cleanup();
	return rc;
}
