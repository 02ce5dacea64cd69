#include "vclock.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

int64_t vclock_now_ms(const struct vclock *c)
{
	return c->frozen ? c->frozen_at_ms : clock_wall_ms() + c->offset_ms;
}

int64_t vclock_of_ms(const struct vclock *c, enum service s)
{
	/* The streams are a part of DynamoDB. */
	return vclock_now_ms(c) + c->skew_ms[s == SERVICE_STREAMS ? SERVICE_DYNAMODB : s];
}

void vclock_set_ms(struct vclock *c, int64_t now_ms)
{
	c->offset_ms = now_ms - clock_wall_ms();
	c->frozen_at_ms = now_ms;
}

void vclock_freeze(struct vclock *c, bool frozen)
{
	int64_t now_ms = vclock_now_ms(c);
	c->frozen = frozen;
	vclock_set_ms(c, now_ms);
}

static void format(char out[40], const char *pattern, int64_t wall_ms)
{
	struct tm tm;
	time_t seconds = (time_t)(wall_ms / 1000);

	gmtime_r(&seconds, &tm);
	if (strftime(out, 40, pattern, &tm) == 0)
		out[0] = '\0';
}

void vclock_http(char out[40], int64_t wall_ms)
{
	format(out, "%a, %d %b %Y %H:%M:%S GMT", wall_ms);
}

void vclock_iso(char out[40], int64_t wall_ms)
{
	char seconds[40];
	format(seconds, "%Y-%m-%dT%H:%M:%S", wall_ms);
	snprintf(out, 40, "%.32s.%03dZ", seconds, (int)(wall_ms % 1000));
}
