#include "base/utf8.h"

size_t utf8_decode(const char *s, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (len == 0)
		return 0;
	unsigned char first = (unsigned char)s[0];
	size_t n;
	uint32_t c;
	if (first < 0x80) {
		*cp = first;
		return 1;
	} else if ((first & 0xe0) == 0xc0) {
		n = 2;
		c = first & 0x1f;
	} else if ((first & 0xf0) == 0xe0) {
		n = 3;
		c = first & 0x0f;
	} else if ((first & 0xf8) == 0xf0) {
		n = 4;
		c = first & 0x07;
	} else {
		return 0;
	}
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		unsigned char next = (unsigned char)s[i];
		if ((next & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (next & 0x3f);
	}
	if (c < least[n] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	*cp = c;
	return n;
}

bool utf8_is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
}
