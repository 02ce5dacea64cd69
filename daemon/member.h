/* member: members of the JSON objects in which positions are kept; unknown times and null strings are left out of them. */
#ifndef DDB_MEMBER_H
#define DDB_MEMBER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Null strings and unknown times are left out: absent reads back as unknown. */
void member_put_str(json_t *o, const char *name, const char *value);
void member_put_time(json_t *o, const char *name, int64_t ms);
void member_put_count(json_t *o, const char *name, uint64_t n);

/* The getters stop at the first error, -ERR_CORRUPT or -ERR_SYSTEM in `rc`: what follows a failed one does nothing. */
struct member_get {
	struct err *err;
	int rc;
};

/* Fails with: member "NAME" is not WANT. */
void member_bad(struct member_get *g, const char *name, const char *want);
/* Malloc'd; NULL when it is absent. */
char *member_get_str(struct member_get *g, const json_t *o, const char *name, bool required);
/* CLOCK_UNKNOWN when it is absent. */
int64_t member_get_time(struct member_get *g, const json_t *o, const char *name);
/* 0 when it is absent. */
uint64_t member_get_count(struct member_get *g, const json_t *o, const char *name);
/*
 * Memory for as many things of `size` as the array `name` of `o` has, zeroed, which is the caller's; NULL when it is empty or wrong.
 * *array is the array, borrowed, or NULL.
 */
void *member_get_array(struct member_get *g, const json_t *o, const char *name, size_t size, const json_t **array);

#endif
