/*
 * vclock: the time that the servers believe it is. It runs with the host's clock, moved by what control said, or
 * stands still. Each service may be off by a skew of its own.
 */
#ifndef FAKEAWS_VCLOCK_H
#define FAKEAWS_VCLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

struct vclock {
	int64_t offset_ms;
	bool frozen;
	int64_t frozen_at_ms;
	int64_t skew_ms[SERVICES];
	bool real_date;	   /* Date headers follow the host's clock */
	bool virtual_auth; /* signatures are held against this clock, not the host's */
};

int64_t vclock_now_ms(const struct vclock *c);
/* With the skew of that service. */
int64_t vclock_of_ms(const struct vclock *c, enum service s);
void vclock_set_ms(struct vclock *c, int64_t now_ms);
void vclock_freeze(struct vclock *c, bool frozen);
/* "Mon, 23 Nov 2026 12:42:05 GMT". */
void vclock_http(char out[40], int64_t wall_ms);
/* "2026-11-23T12:42:05.000Z". */
void vclock_iso(char out[40], int64_t wall_ms);

#endif
