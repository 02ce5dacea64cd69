#include "ladder.h"

/* Names of objects are nearly always made of what lies between, printable ASCII. */
#define BEFORE 0x1f /* stands for "no byte", too */
#define BEHIND 0x7f

static size_t common(struct span a, struct span b)
{
	size_t i = 0;
	while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i])
		i++;
	return i;
}

static unsigned byte_at(struct span s, size_t i)
{
	unsigned byte = i < s.len ? (unsigned char)s.ptr[i] : 0;
	return byte < BEFORE ? BEFORE : byte;
}

/* Rungs that part from `low` at its byte `i`, with one below `end`. */
static size_t count_at(struct span low, size_t i, unsigned end)
{
	unsigned byte = byte_at(low, i);
	return end > byte + 1 ? end - byte - 1 : 0;
}

size_t ladder_count(struct span low, struct span high, size_t prefix_len)
{
	size_t parts = high.len > 0 ? common(low, high) : prefix_len, n = 0;
	if (high.len > 0 &&
	    (parts == high.len || (parts < low.len && (unsigned char)low.ptr[parts] > (unsigned char)high.ptr[parts])))
		return 0; /* `high` is not behind `low` */
	for (size_t i = low.len; i > parts; i--)
		n += count_at(low, i, BEHIND);
	unsigned end = high.len > 0 ? byte_at(high, parts) : BEHIND;
	/* A rung that is a beginning of `high` lies before it, too. */
	if (high.len > parts + 1)
		end++;
	return n + count_at(low, parts, end < BEHIND ? end : BEHIND);
}

int ladder_rung(struct span low, size_t n, struct buf *out)
{
	size_t i = low.len;
	for (size_t here; (here = count_at(low, i, BEHIND)) < n; i--)
		n -= here;
	int rc = buf_append(out, low.ptr, i);
	return rc < 0 ? rc : buf_append_char(out, (char)(byte_at(low, i) + n));
}
