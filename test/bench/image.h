/*
 * image: the image of an item as a text in which the item's number can be changed, so that a few prepared images give a
 * million items; and the questions that such answers are made for. Ends the program when memory is short.
 */
#ifndef DDB_BENCH_IMAGE_H
#define DDB_BENCH_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "codec/digest.h"
#include "load.h"

#define IMAGE_COUNT 1000 /* different ones are enough */
#define IMAGE_MAX ((size_t)1 << 20)
#define IMAGE_VALUE_MAX 2048

struct canon;

struct image {
	struct buf text;
	size_t digits; /* where the number stands in it */
};

/* The image of item `number`: in canonical form, or with canon NULL as DynamoDB gives it. */
void image_init(struct image *m, struct canon *canon, size_t number, size_t bytes);
void image_fini(struct image *m);

/* Writes the number over the digits. */
void image_number(char digits[LOAD_DIGITS], size_t number);

/* The MD5s of so many items in canonical form, for free(); *size: the bytes of one. */
uint8_t (*image_digests(size_t items, size_t bytes, size_t *size))[DIGEST_MD5_SIZE];

/* A parameter's value of a query string, decoded; empty when it is not there. */
void image_parameter(struct span query, const char *name, char out[IMAGE_VALUE_MAX]);
/* The number of the first of so many items whose object's key lies behind one that need not exist. */
size_t image_first_behind(const char *key, size_t items);

#endif
