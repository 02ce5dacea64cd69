#include "codec/seq.h"

static struct span without_zeros(struct span s)
{
	while (s.len > 0 && *s.ptr == '0') {
		s.ptr++;
		s.len--;
	}
	return s;
}

int seq_cmp(struct span a, struct span b)
{
	a = without_zeros(a);
	b = without_zeros(b);
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
}

bool seq_valid(struct span s)
{
	if (s.len == 0 || s.len > SEQ_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return true;
}
