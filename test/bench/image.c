#include "image.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/err.h"
#include "codec/canon.h"
#include "codec/encode.h"

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for an image");
}

void image_init(struct image *m, struct canon *canon, size_t number, size_t bytes)
{
	char key[32];
	struct buf raw;
	struct span body;
	struct err e;

	buf_init(&raw, IMAGE_MAX);
	load_image(&raw, number, bytes);
	body = (struct span){raw.data, raw.len};
	if (canon && canon_item(canon, body, &body, &e) < 0)
		errx(EX_SOFTWARE, "%s", e.message);
	buf_init(&m->text, IMAGE_MAX);
	kept(buf_append(&m->text, body.ptr, body.len));
	buf_fini(&raw);
	int len = snprintf(key, sizeof(key), LOAD_KEY_FORMAT, number);
	m->digits = (size_t)(strstr(m->text.data, key) - m->text.data) + (size_t)len - LOAD_DIGITS;
}

void image_fini(struct image *m)
{
	buf_fini(&m->text);
}

void image_number(char digits[LOAD_DIGITS], size_t number)
{
	for (size_t i = LOAD_DIGITS; i > 0; i--) {
		digits[i - 1] = (char)('0' + number % 10);
		number /= 10;
	}
}

uint8_t (*image_digests(size_t items, size_t bytes, size_t *size))[DIGEST_MD5_SIZE]
{
	struct canon *canon = canon_new(IMAGE_MAX);
	uint8_t(*md5)[DIGEST_MD5_SIZE] = calloc(items, sizeof(*md5));

	if (!md5 || !canon || digest_init(NULL) < 0)
		errx(EX_OSERR, "no memory for digests");
	for (size_t kind = 0; kind < IMAGE_COUNT; kind++) {
		struct image m;

		image_init(&m, canon, kind, bytes);
		*size = m.text.len;
		for (size_t i = kind; i < items; i += IMAGE_COUNT) {
			image_number(m.text.data + m.digits, i);
			digest_md5(md5[i], m.text.data, m.text.len);
		}
		image_fini(&m);
	}
	canon_free(canon);
	return md5;
}

void image_parameter(struct span query, const char *name, char out[IMAGE_VALUE_MAX])
{
	size_t name_len = strlen(name), len = 0;
	const char *at = query.ptr, *end = query.ptr + query.len;

	out[0] = '\0';
	while (at < end) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		size_t n = (size_t)((next ? next : end) - at);

		if (n > name_len && n - name_len < IMAGE_VALUE_MAX && memcmp(at, name, name_len) == 0 &&
		    at[name_len] == '=' &&
		    encode_percent_decode(out, &len, at + name_len + 1, n - name_len - 1, false)) {
			out[len] = '\0';
			return;
		}
		at += n + 1;
	}
}

size_t image_first_behind(const char *marker, size_t items)
{
	size_t low = 0, high = items;
	char key[64];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		snprintf(key, sizeof(key), LOAD_TABLE "/" LOAD_KEY_FORMAT, middle);
		if (strcmp(key, marker) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
