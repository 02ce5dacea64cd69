/* rng: random numbers that a seed decides (splitmix64, Steele, Lea and Flood 2014). Not for secrets. */
#ifndef FAKEAWS_RNG_H
#define FAKEAWS_RNG_H

#include <stdint.h>

static inline uint64_t rng_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15U;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

/* Uniform enough in [0, bound); 0 for bound 0. */
static inline uint64_t rng_below(uint64_t *state, uint64_t bound)
{
	return bound ? rng_next(state) % bound : 0;
}

/* In [0, 1). */
static inline double rng_unit(uint64_t *state)
{
	return (double)(rng_next(state) >> 11) / 9007199254740992.0;
}

#endif
