#include "base/when.h"

#include <string.h>

#include "base/clock.h"
#include "base/units.h"

bool when_parse(const char *s, int64_t now_ms, int64_t *wall_ms)
{
	int64_t ms;

	if (strcmp(s, "now") == 0) {
		ms = now_ms;
	} else if (s[0] == '-') {
		/* Durations are never negative, so this cannot overflow. */
		if (!units_duration_ms(s + 1, &ms))
			return false;
		ms = now_ms - ms;
	} else if (!clock_parse_iso(s, &ms)) {
		return false;
	}
	if (ms < 0)
		return false;
	*wall_ms = ms;
	return true;
}
