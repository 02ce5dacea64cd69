/*
 * encode: hex, base64, base64url and percent-encoding.
 * Encoders write to memory of the caller, add no NUL, and return the bytes written; *_size gives the room needed.
 */
#ifndef DDB_CODEC_ENCODE_H
#define DDB_CODEC_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lower-case hex: 2 * len bytes. */
size_t encode_hex(char *out, const void *bytes, size_t len);

/* The reverse, either case: `len` digits, an even number, to len / 2 bytes. False, with `out` as it was, for anything else. */
bool encode_hex_decode(uint8_t *out, const char *text, size_t len);

static inline size_t encode_base64_size(size_t len)
{
	return (len + 2) / 3 * 4;
}
/* RFC 4648 section 4, padded. */
size_t encode_base64(char *out, const void *bytes, size_t len);
/* RFC 4648 section 5, without padding. Needs at most encode_base64_size(len). */
size_t encode_base64url(char *out, const void *bytes, size_t len);
/* Strict RFC 4648 section 4 (padding required, its unused bits zero, no other characters). Needs len / 4 * 3 bytes.
 * False when malformed. */
bool encode_base64_decode(uint8_t *out, size_t *out_len, const char *text, size_t len);

/* RFC 3986: unreserved bytes (ALPHA DIGIT - . _ ~) and those in `keep` (may be NULL) stay, others are %XX upper case.
 * Needs at most 3 * len. */
size_t encode_percent(char *out, const char *bytes, size_t len, const char *keep);
/* The reverse; `plus_is_blank` also turns '+' into ' ' (application/x-www-form-urlencoded, which S3's encoding-type=url
 * speaks). Needs `len` bytes; `out` may be `text`. False when a '%' is not followed by two hex digits: such a '%' is
 * kept as it is, and `out` and `out_len` are filled all the same. */
bool encode_percent_decode(char *out, size_t *out_len, const char *text, size_t len, bool plus_is_blank);

#endif
