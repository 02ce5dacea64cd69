/* utf8: one character of UTF-8 (RFC 3629) at a time. */
#ifndef DDB_BASE_UTF8_H
#define DDB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How many bytes the character at `s` takes (1-4), its code point in `*cp`; 0 when `len` is 0 or the bytes are not
 * UTF-8: truncated, overlong, a surrogate, or past U+10FFFF.
 */
size_t utf8_decode(const char *s, size_t len, uint32_t *cp);
/* U+0000-001F and U+007F-009F: what a terminal or a log takes for a command. */
bool utf8_is_control(uint32_t cp);

#endif
