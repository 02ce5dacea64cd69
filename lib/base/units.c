#include "base/units.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Reads digits at `*s`, one at least, and moves on. */
static bool digits(const char **s, uint64_t *n)
{
	uint64_t v = 0;
	const char *p = *s;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	if (p == *s)
		return false;
	*s = p;
	*n = v;
	return true;
}

bool units_count(const char *s, uint64_t *n)
{
	uint64_t v;
	if (!digits(&s, &v) || *s)
		return false;
	*n = v;
	return true;
}

/* From the largest to the smallest. */
static const struct {
	const char name[3];
	int64_t ms;
} durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

#define NDURATIONS (sizeof(durations) / sizeof(durations[0]))

bool units_duration_ms(const char *s, int64_t *ms)
{
	int64_t sum = 0, part;
	uint64_t n;
	if (strcmp(s, "0") == 0) {
		*ms = 0;
		return true;
	}
	/* Every part has a smaller unit than the one before. */
	size_t unit = 0;
	do {
		if (!digits(&s, &n))
			return false;
		size_t len = strcspn(s, "0123456789");
		while (unit < NDURATIONS &&
		       !(strlen(durations[unit].name) == len && memcmp(s, durations[unit].name, len) == 0))
			unit++;
		if (unit == NDURATIONS || n > INT64_MAX ||
		    __builtin_mul_overflow((int64_t)n, durations[unit].ms, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return false;
		unit++;
		s += len;
	} while (*s);
	*ms = sum;
	return true;
}

char *units_duration_text(char *out, size_t size, int64_t ms)
{
	size_t len = 0;
	/* As unsigned, since the least int64_t has no negative. */
	uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	if (size == 0)
		return out;
	snprintf(out, size, "%s", ms < 0 ? "-" : ms == 0 ? "0s" : "");
	for (size_t i = 0; i < NDURATIONS; i++) {
		uint64_t n = left / (uint64_t)durations[i].ms;
		left %= (uint64_t)durations[i].ms;
		len = strlen(out);
		if (n > 0)
			snprintf(out + len, size - len, "%" PRIu64 "%s", n, durations[i].name);
	}
	return out;
}

bool units_size_bytes(const char *s, uint64_t *bytes)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} sizes[] = {
		{"B", 1},
		{"KiB", UINT64_C(1) << 10},
		{"MiB", UINT64_C(1) << 20},
		{"GiB", UINT64_C(1) << 30},
		{"KB", UINT64_C(1000)},
		{"MB", UINT64_C(1000000)},
		{"GB", UINT64_C(1000000000)},
	};
	uint64_t n, v;
	if (strcmp(s, "0") == 0) {
		*bytes = 0;
		return true;
	}
	if (!digits(&s, &n))
		return false;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (strcmp(s, sizes[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(n, sizes[i].bytes, &v))
			return false;
		*bytes = v;
		return true;
	}
	return false;
}

bool units_host_port(const char *s, char *host, size_t host_size, uint16_t *port)
{
	const char *colon = strrchr(s, ':');
	uint64_t n;
	if (!colon || !units_count(colon + 1, &n) || n > UINT16_MAX)
		return false;
	const bool bracketed = s[0] == '[';
	const char *from = bracketed ? s + 1 : s;
	size_t len = (size_t)(colon - from);
	if (bracketed && (colon == from || colon[-1] != ']'))
		return false;
	len -= bracketed;
	char name[256]; /* RFC 1035 section 2.3.4 */
	if (len >= sizeof(name) || len >= host_size)
		return false;
	memcpy(name, from, len);
	name[len] = '\0';
	struct in6_addr six;
	if (bracketed ? inet_pton(AF_INET6, name, &six) != 1
		      : strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != len)
		return false;
	memcpy(host, name, len + 1);
	*port = (uint16_t)n;
	return true;
}
