#include "rate.h"

#include <math.h>

#define WAIT_MAX_MS 3600000
#define DUST 1e-6 /* units that rounding may leave short, after a wait that should have sufficed */

void rate_init(struct rate *r, double per_s, int64_t now_ms)
{
	*r = (struct rate){.at_ms = now_ms};
	if (per_s > 0 && isfinite(per_s))
		r->per_s = r->units = per_s;
}

static void fill(struct rate *r, int64_t now_ms)
{
	if (now_ms <= r->at_ms)
		return;
	r->units = fmin(r->per_s, r->units + r->per_s * (double)(now_ms - r->at_ms) / 1000);
	r->at_ms = now_ms;
}

int64_t rate_wait_ms(struct rate *r, double units, int64_t now_ms)
{
	if (r->per_s == 0)
		return 0;
	fill(r, now_ms);
	double missing = fmin(units, r->per_s) - r->units;
	if (missing <= DUST)
		return 0;
	return (int64_t)fmin(WAIT_MAX_MS, ceil((missing - DUST) / r->per_s * 1000));
}

double rate_balance(struct rate *r, int64_t now_ms)
{
	if (r->per_s == 0)
		return INFINITY;
	fill(r, now_ms);
	return r->units + DUST;
}

void rate_take(struct rate *r, double units, int64_t now_ms)
{
	if (r->per_s == 0)
		return;
	fill(r, now_ms);
	r->units = fmin(r->per_s, r->units - units);
}
