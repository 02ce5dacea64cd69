#include "between.h"

/* Names of objects are nearly always made of these; 0x1f stands for "no byte". */
#define FIRST 0x20
#define BEHIND 0x7f

static size_t common(struct span a, struct span b)
{
	size_t i = 0;
	while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i])
		i++;
	return i;
}

static int byte_at(struct span s, size_t i)
{
	int byte = i < s.len ? (unsigned char)s.ptr[i] : 0;
	return byte < FIRST - 1 ? FIRST - 1 : byte;
}

bool between(struct span low, struct span high, size_t prefix_len, struct buf *out)
{
	size_t same = high.len > 0 ? common(low, high) : prefix_len;
	if (high.len > 0 &&
	    (same == high.len || (same < low.len && (unsigned char)low.ptr[same] > (unsigned char)high.ptr[same])))
		return false; /* `high` is not behind `low` */
	for (size_t i = same; i <= low.len; i++) {
		int a = byte_at(low, i);
		int b = i == same && high.len > 0 ? byte_at(high, i) : BEHIND;
		if (b > BEHIND)
			b = BEHIND;
		if (b - a < 2)
			continue;
		if (buf_append(out, low.ptr, i) < 0 || buf_append_char(out, (char)((a + b + 1) / 2)) < 0)
			return false;
		return true;
	}
	return false;
}
