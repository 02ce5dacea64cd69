/*
 * verify: GET /_verify?table=T&bucket=B&prefix=P: is the bucket what the table's records say, or with state=1 what
 * the table is? See DESIGN for the
 * parameters and the answer.
 */
#ifndef FAKEAWS_VERIFY_H
#define FAKEAWS_VERIFY_H

#include "request.h"

struct fake;

void verify_answer(struct fake *f, const struct request *r, struct reply *a);

#endif
