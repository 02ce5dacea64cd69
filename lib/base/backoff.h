/*
 * backoff: how long to wait before try number `attempt` of a failed request: full jitter with a cap
 * (AWS Architecture Blog, "Exponential Backoff And Jitter"), never below what the server asked for.
 */
#ifndef DDB_BASE_BACKOFF_H
#define DDB_BASE_BACKOFF_H

#include <stdint.h>

#include "base/err.h"

#define BACKOFF_CAP_MS 20000	       /* transient errors and throttles */
#define BACKOFF_PERMANENT_CAP_MS 60000 /* errors that only an operator can end, such as AccessDenied */

/*
 * Milliseconds to wait, 1 at least. `attempt` counts the failures so far, from 1. Base 50 ms for ERR_RETRY, 500 ms
 * for ERR_THROTTLE, 1 s for the rest; doubled each time up to the cap of the class; a random share of that.
 * A server's retry_after_ms is the least, but never over 60 s.
 */
int backoff_delay_ms(const struct err *e, unsigned attempt);
/* Uniform in [0, bound); bound 0 gives 0. Not for secrets. */
uint64_t backoff_random(uint64_t bound);

#endif
