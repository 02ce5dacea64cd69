/* Buckets' contents: objects by key, and their versions, newest last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"

static bool same_key(const struct map_node *n, const void *key)
{
	return strcmp(((const struct s3_object *)(const void *)n)->key, key) == 0;
}

struct s3_object *s3_object_find(const struct s3_bucket *b, const char *key)
{
	return (struct s3_object *)(void *)map_find(&b->objects, map_hash(key, strlen(key)), same_key, key);
}

static int compare_keys(const void *a, const void *b)
{
	const struct s3_object *const *x = a, *const *y = b;
	return strcmp((*x)->key, (*y)->key);
}

/* New keys gather behind the sorted ones until somebody asks for the order: a move for each would cost a million keys dear. */
static void sort_keys(struct s3_bucket *b)
{
	size_t tail = b->n - b->nsorted, i = b->nsorted, at = b->n;
	struct s3_object **fresh;

	if (tail == 0)
		return;
	fresh = mem_new(tail * sizeof(struct s3_object *));
	memcpy(fresh, b->sorted + b->nsorted, tail * sizeof(struct s3_object *));
	qsort(fresh, tail, sizeof(struct s3_object *), compare_keys);
	while (tail > 0) {
		if (i > 0 && strcmp(b->sorted[i - 1]->key, fresh[tail - 1]->key) > 0)
			b->sorted[--at] = b->sorted[--i];
		else
			b->sorted[--at] = fresh[--tail];
	}
	free(fresh);
	b->nsorted = b->n;
}

size_t s3_lower_bound(struct s3_bucket *b, const char *key)
{
	size_t low = 0, high = b->n;

	sort_keys(b);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(b->sorted[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct s3_object *make_object(struct s3_bucket *b, const char *key)
{
	struct s3_object *o = s3_object_find(b, key);

	if (o)
		return o;
	o = mem_new(sizeof(*o));
	o->key = mem_dup(key);
	if (map_reserve(&b->objects, b->n + 1) < 0)
		abort();
	map_add(&b->objects, &o->node, map_hash(key, strlen(key)));
	mem_reserve(&b->sorted, &b->cap, b->n + 1, sizeof(*b->sorted));
	if (b->nsorted == b->n && (b->n == 0 || strcmp(b->sorted[b->n - 1]->key, key) < 0))
		b->nsorted++;
	b->sorted[b->n++] = o;
	return o;
}

struct s3_version *s3_latest(const struct s3_object *o)
{
	return o && o->n ? o->versions[o->n - 1] : NULL;
}

static size_t index_of(const struct s3_object *o, const char *id)
{
	size_t i = o ? o->n : 0;

	while (i > 0 && strcmp(o->versions[i - 1]->id, id) != 0)
		i--;
	return i; /* one past it; 0: none */
}

struct s3_version *s3_version_find(const struct s3_object *o, const char *id)
{
	size_t i = index_of(o, id);
	return i ? o->versions[i - 1] : NULL;
}

bool s3_version_remove(struct s3_object *o, const char *id)
{
	size_t i = index_of(o, id);

	if (i == 0)
		return false;
	memmove(o->versions + i - 1, o->versions + i, (o->n - i) * sizeof(*o->versions));
	o->n--;
	return true;
}

struct s3_version *s3_version_add(struct fake *f, struct s3_bucket *b, const char *key, const char *id, bool marker,
				  int64_t modified_ms, uint64_t request)
{
	struct s3_object *o = make_object(b, key);
	struct s3_version *v = mem_new(sizeof(*v));

	v->marker = marker;
	v->request = request;
	v->modified_ms = modified_ms;
	if (id)
		v->id = mem_dup(id);
	else if (b->versioning == S3_ENABLED)
		v->id = mem_printf("%016llx.%08llx", (unsigned long long)rng_next(&f->rng),
				   (unsigned long long)++f->s3.ids);
	else
		v->id = mem_dup("null");
	if (strcmp(v->id, "null") == 0)
		s3_version_remove(o, "null");
	mem_reserve(&o->versions, &o->cap, o->n + 1, sizeof(*o->versions));
	o->versions[o->n++] = v;
	audit_wrote(f, v, b->name, o->key);
	return v;
}

void s3_version_fill(struct s3_version *v, const void *bytes, size_t n)
{
	unsigned char digest[DIGEST_MD5_BYTES];
	char hex[33];

	v->len = n;
	v->body = mem_dup_n(bytes, n);
	digest_md5(digest, v->body, n);
	digest_hex(hex, digest, sizeof(digest));
	snprintf(v->etag, sizeof(v->etag), "\"%s\"", hex);
	digest_sha256_hex(v->sha256, v->body, n);
}

bool s3_is_storage_class(const char *name)
{
	static const char *const classes[] = {
		"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING",
		"GLACIER",  "DEEP_ARCHIVE",	  "OUTPOSTS",	 "GLACIER_IR", "EXPRESS_ONEZONE"};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strcmp(classes[i], name) == 0)
			return true;
	return false;
}
