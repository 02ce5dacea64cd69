/* imds: the EC2 instance metadata service, version 2 only, as far as credentials of a role go (EC2 User Guide). */
#ifndef FAKEAWS_IMDS_H
#define FAKEAWS_IMDS_H

#include "request.h"

struct imds {
	char *role; /* NULL: the instance has none */
	char *id, *secret, *token;
	int64_t expires_ms;
	uint64_t session; /* number of the latest token; older ones stay good */
};

struct fake;

/* False when the request is for another service. */
bool imds_identify(struct request *r);
void imds_answer(struct fake *f, const struct request *r, struct reply *a);
/* GetCallerIdentity of STS (AWS Security Token Service API Reference). */
void sts_answer(const struct request *r, struct reply *a);
void sts_error(const struct request *r, struct reply *a, int status, const char *code, const char *message);

#endif
