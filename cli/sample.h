/* sample: a part of the objects that is the same for the same seed, chosen by the digests of their names. */
#ifndef DDB_CLI_SAMPLE_H
#define DDB_CLI_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct sample {
	double part; /* of 1; 1 and more: all of them */
	char seed[64];
};

/* "1%", "0.5%". False for anything but 0% < part <= 100%. NULL is all. The seed is this day (UTC). */
bool sample_parse(const char *text, int64_t wall_ms, struct sample *out);
bool sample_has(const struct sample *s, struct span name);

#endif
