/* route: from a request to the service that answers it. */
#ifndef FAKEAWS_ROUTE_H
#define FAKEAWS_ROUTE_H

#include "request.h"

struct fake;

/* Finds out what the request is about. Nothing is done yet. */
void route_identify(struct fake *f, struct request *r);
/* Checks the signature, does what is asked, and answers. */
void route_answer(struct fake *f, struct request *r, struct reply *a);
/* An error in the manner of the request's service. */
void route_error(const struct request *r, struct reply *a, int status, const char *code, const char *message);

#endif
