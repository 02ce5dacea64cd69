/* Answers that came compressed, though nobody asked for that. */
#include "aws_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "aws/aws_gunzip.h"
#include "aws/streams.h"

/* `len` bytes of 'x' as a gzip member. */
static size_t compress_x(size_t len, unsigned char *out, size_t size)
{
	z_stream z = {0};
	char *plain = malloc(len);

	assert_non_null(plain);
	memset(plain, 'x', len);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)plain;
	z.avail_in = (unsigned)len;
	z.next_out = out;
	z.avail_out = (unsigned)size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	free(plain);
	return z.total_out;
}

/* The body that a compressed answer of `len` bytes is read as; `cut` bytes short, with its right checksum. */
static int answer_gzip(struct aws_fixture *f, size_t len, size_t cut)
{
	unsigned char bytes[16384];
	char headers[80];
	size_t n = compress_x(len, bytes, sizeof(bytes)) - cut;

	snprintf(headers, sizeof(headers), "Content-Encoding: gzip\r\nx-amz-crc32: %lu\r\n",
		 crc32(0, bytes, (unsigned)n));
	aws_fixture_answer(f, "200 OK", headers, (const char *)bytes, n);
	streams_get_records(&f->op, "it", 0, NULL, NULL);
	return aws_wait(&f->op, NULL);
}

static void test_an_answer_that_came_compressed(void **state)
{
	struct aws_fixture *f = *state;
	const struct buf *body = http_body(f->op.slot);
	size_t most = body->max;

	assert_int_equal(answer_gzip(f, 200000, 0), 0);
	assert_int_equal(body->len, 200000);
	assert_int_equal(strspn(buf_str(body), "x"), 200000);
	/* What it holds is held to the same limit as an answer that is not compressed. */
	http_slot_body_max(f->op.slot, 199999);
	assert_int_equal(answer_gzip(f, 200000, 0), -ERR_LIMIT);
	http_slot_body_max(f->op.slot, 200000);
	assert_int_equal(answer_gzip(f, 200000, 0), 0);
	http_slot_body_max(f->op.slot, most);
	for (size_t cut = 1; cut < 30; cut++)
		assert_int_equal(answer_gzip(f, 1000, cut < 20 ? cut : 20), -ERR_CORRUPT);
}

static void test_what_is_no_gzip_member(void **state)
{
	static const char *const wrong[] = {"", "x", "\x1f\x8b", "123456789"};
	unsigned char bytes[64];
	struct buf body;
	struct err e;

	(void)state;
	buf_init(&body, 1000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		buf_reset(&body);
		assert_int_equal(buf_append_str(&body, wrong[i]), 0);
		assert_int_equal(aws_gunzip(&body, &e), -ERR_CORRUPT);
		assert_string_equal(buf_str(&body), wrong[i]);
	}
	/* One member, with nothing behind it. */
	buf_reset(&body);
	assert_int_equal(buf_append(&body, bytes, compress_x(5, bytes, sizeof(bytes))), 0);
	assert_int_equal(buf_append_char(&body, 'x'), 0);
	assert_int_equal(aws_gunzip(&body, &e), -ERR_CORRUPT);
	body.len--;
	assert_int_equal(aws_gunzip(&body, &e), 0);
	assert_string_equal(buf_str(&body), "xxxxx");
	buf_fini(&body);
}

static void test_every_changed_byte_is_noticed_or_harmless(void **state)
{
	unsigned char bytes[64];
	size_t n = compress_x(300, bytes, sizeof(bytes));
	struct buf body;
	struct err e;

	(void)state;
	buf_init(&body, 1000);
	for (size_t i = 0; i < n; i++) {
		buf_reset(&body);
		bytes[i] ^= 0x55;
		assert_int_equal(buf_append(&body, bytes, n), 0);
		bytes[i] ^= 0x55;
		/* The header's time, level and system are not covered by anything, and change nothing. */
		if (aws_gunzip(&body, &e) == 0)
			assert_int_equal(strspn(buf_str(&body), "x"), 300);
	}
	buf_fini(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_answer_that_came_compressed, aws_fixture_setup,
						aws_fixture_teardown),
		cmocka_unit_test(test_what_is_no_gzip_member),
		cmocka_unit_test(test_every_changed_byte_is_noticed_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
