/*
 * audit: what was asked, and what was written to S3, in order. The last AUDIT_REQUESTS requests are kept one by one,
 * all are counted.
 */
#ifndef FAKEAWS_AUDIT_H
#define FAKEAWS_AUDIT_H

#include <jansson.h>

#include "request.h"

#define AUDIT_REQUESTS 50000

struct audit_request {
	uint64_t id;
	int64_t virtual_ms, real_ms;
	enum service service;
	char *op, *table, *shard, *key, *code;
	const char *iterator_type;
	int status; /* 0: no answer was sent */
	unsigned rule;
	size_t records;
	bool effect;
};

struct audit_count {
	char *name; /* "s3 PutObject" */
	uint64_t n, errors, faults;
};

struct audit_write {
	uint64_t request;
	int64_t virtual_ms, real_ms;
	const struct s3_version *version;
	const char *bucket, *key;
};

struct audit {
	struct audit_request *ring;
	size_t used;	/* of the ring */
	uint64_t total; /* requests */
	struct audit_count *counts;
	size_t ncounts, counts_cap;
	struct audit_write *writes;
	size_t nwrites, writes_cap;
};

struct fake;
struct s3_version;

/* The request is over. `effect` tells whether it was carried out. */
void audit_note(struct fake *f, const struct request *r, const struct reply *a, unsigned rule, bool effect);
void audit_wrote(struct fake *f, const struct s3_version *v, const char *bucket, const char *key);
/* GET /_audit/...: false when there is no such page. */
bool audit_answer(struct fake *f, const struct request *r, struct reply *a);
/* Forgets requests and counts, not writes. */
void audit_reset(struct audit *a);

#endif
