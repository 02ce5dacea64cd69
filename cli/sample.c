#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/digest.h"

bool sample_parse(const char *text, int64_t wall_ms, struct sample *out)
{
	char iso[CLOCK_ISO_SIZE], *end;
	*out = (struct sample){.part = 1};
	snprintf(out->seed, sizeof(out->seed), "%.10s", clock_iso(iso, wall_ms));
	if (text == NULL)
		return true;
	double percent = strtod(text, &end);
	out->part = percent / 100;
	return end != text && strcmp(end, "%") == 0 && percent > 0 && percent <= 100;
}

bool sample_has(const struct sample *s, struct span name)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	uint64_t head = 0;
	if (s->part >= 1)
		return true;
	digest_hmac_sha256(digest, s->seed, strlen(s->seed), name.ptr, name.len);
	for (size_t i = 0; i < sizeof(head); i++)
		head = head << 8 | digest[i];
	return (double)head < s->part * 18446744073709551616.0;
}
