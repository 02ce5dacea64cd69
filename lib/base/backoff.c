#include "base/backoff.h"

#include <stdlib.h>

#define RETRY_AFTER_MAX_MS 60000

int backoff_delay_ms(const struct err *e, unsigned attempt)
{
	int ceiling_ms = 1000, cap_ms = BACKOFF_PERMANENT_CAP_MS;
	if (e->class == ERR_RETRY || e->class == ERR_THROTTLE) {
		ceiling_ms = e->class == ERR_RETRY ? 50 : 500;
		cap_ms = BACKOFF_CAP_MS;
	}
	for (unsigned i = 1; i < attempt && ceiling_ms < cap_ms; i++)
		ceiling_ms *= 2;
	if (ceiling_ms > cap_ms)
		ceiling_ms = cap_ms;
	int delay_ms = 1 + (int)backoff_random((uint64_t)ceiling_ms);
	int least_ms = e->retry_after_ms < RETRY_AFTER_MAX_MS ? e->retry_after_ms : RETRY_AFTER_MAX_MS;
	return delay_ms > least_ms ? delay_ms : least_ms;
}

uint64_t backoff_random(uint64_t bound)
{
	if (bound == 0)
		return 0;
	/* The values below 2^64 mod bound would make the small remainders likelier. */
	uint64_t least = (0 - bound) % bound, r;
	do
		arc4random_buf(&r, sizeof(r));
	while (r < least);
	return r % bound;
}
