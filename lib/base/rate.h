/*
 * rate: a token bucket: so many units a second, and what one second gathers may go at once. Pure; the caller brings the
 * time (milliseconds of a clock that never goes back).
 *
 * What costs more than a full bucket goes when the bucket is full, and leaves a debt that is paid off first. So nothing is
 * too large to go, and the mean holds.
 */
#ifndef DDB_BASE_RATE_H
#define DDB_BASE_RATE_H

#include <stdint.h>

struct rate {
	double per_s; /* 0: no limit */
	double units; /* in the bucket; below 0 is a debt */
	int64_t at_ms;
};

/* Begins with a full bucket. `per_s` that is not above 0 means no limit. */
void rate_init(struct rate *r, double per_s, int64_t now_ms);
/* How long until `units`, or a full bucket, are there: 0 is now. An hour at most; ask again then. */
int64_t rate_wait_ms(struct rate *r, double units, int64_t now_ms);
/* What is in the bucket, and so may go at once, but for rounding; INFINITY without a limit. */
double rate_balance(struct rate *r, int64_t now_ms);
/* Takes units, whether or not they are there; negative ones are given back. */
void rate_take(struct rate *r, double units, int64_t now_ms);

#endif
