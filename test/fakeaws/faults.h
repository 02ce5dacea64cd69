/*
 * faults: rules that say which requests go wrong, and how. The first rule that fires decides. See DESIGN for the members
 * of a rule.
 */
#ifndef FAKEAWS_FAULTS_H
#define FAKEAWS_FAULTS_H

#include <jansson.h>

#include "request.h"

struct rule {
	unsigned id;
	char *service, *op, *table, *shard, *key, *iterator_type; /* NULL: any; table, shard, key: parts of it */
	int64_t skip, nth,
		count; /* requests that match and are let be; only this one (0: each); how often (-1: for ever) */
	double p;
	uint64_t rng, matched, hits;
	struct fate fate;
};

struct faults {
	struct rule **rules;
	size_t n, cap;
	unsigned last_id;
};

/* Adds a rule. Its number, or 0 with *wrong (malloc'd). */
unsigned faults_add(struct faults *f, const json_t *rule, uint64_t seed, char **wrong);
/* Takes one out (0: all). False when there is no such rule. */
bool faults_remove(struct faults *f, unsigned id);
json_t *faults_json(const struct faults *f);
/* Whether something shall happen to this request. */
void faults_choose(struct faults *f, const struct request *r, struct fate *out);

#endif
