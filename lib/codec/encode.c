#include "codec/encode.h"

#include <string.h>

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t encode_hex(char *out, const void *bytes, size_t len)
{
	const uint8_t *in = bytes;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = hex_lower[in[i] >> 4];
		out[2 * i + 1] = hex_lower[in[i] & 15];
	}
	return 2 * len;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool encode_hex_decode(uint8_t *out, const char *text, size_t len)
{
	bool good = len % 2 == 0;

	for (size_t i = 0; i < len && good; i++)
		good = hex_value(text[i]) >= 0;
	for (size_t i = 0; i < len && good; i += 2)
		out[i / 2] = (uint8_t)(hex_value(text[i]) << 4 | hex_value(text[i + 1]));
	return good;
}

/* Whole groups of three bytes and an unpadded rest. */
static size_t base64_unpadded(char *out, const uint8_t *in, size_t len, const char *alphabet)
{
	char *o = out;
	size_t i = 0;

	for (; len - i >= 3; i += 3) {
		*o++ = alphabet[in[i] >> 2];
		*o++ = alphabet[(in[i] & 3) << 4 | in[i + 1] >> 4];
		*o++ = alphabet[(in[i + 1] & 15) << 2 | in[i + 2] >> 6];
		*o++ = alphabet[in[i + 2] & 63];
	}
	if (len - i == 2) {
		*o++ = alphabet[in[i] >> 2];
		*o++ = alphabet[(in[i] & 3) << 4 | in[i + 1] >> 4];
		*o++ = alphabet[(in[i + 1] & 15) << 2];
	} else if (len - i == 1) {
		*o++ = alphabet[in[i] >> 2];
		*o++ = alphabet[(in[i] & 3) << 4];
	}
	return (size_t)(o - out);
}

size_t encode_base64(char *out, const void *bytes, size_t len)
{
	size_t n = base64_unpadded(out, bytes, len, base64_alphabet);

	while (n % 4 != 0)
		out[n++] = '=';
	return n;
}

size_t encode_base64url(char *out, const void *bytes, size_t len)
{
	return base64_unpadded(out, bytes, len, base64url_alphabet);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

bool encode_base64_decode(uint8_t *out, size_t *out_len, const char *text, size_t len)
{
	size_t padding = 0, n = 0;
	uint32_t bits = 0;

	if (len % 4 != 0)
		return false;
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;

	for (size_t i = 0; i < len - padding; i++) {
		int value = base64_value(text[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 == 3) {
			out[n++] = (uint8_t)(bits >> 16);
			out[n++] = (uint8_t)(bits >> 8);
			out[n++] = (uint8_t)bits;
			bits = 0;
		}
	}
	/* Bits past the last byte must be zero: otherwise two texts would stand for the same bytes. */
	if (padding == 1) {
		if (bits & 3)
			return false;
		out[n++] = (uint8_t)(bits >> 10);
		out[n++] = (uint8_t)(bits >> 2);
	} else if (padding == 2) {
		if (bits & 15)
			return false;
		out[n++] = (uint8_t)(bits >> 4);
	}
	*out_len = n;
	return true;
}

static bool unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

size_t encode_percent(char *out, const char *bytes, size_t len, const char *keep)
{
	char *o = out;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)bytes[i];

		if (unreserved(bytes[i]) || (keep && c != 0 && strchr(keep, c))) {
			*o++ = bytes[i];
		} else {
			*o++ = '%';
			*o++ = hex_upper[c >> 4];
			*o++ = hex_upper[c & 15];
		}
	}
	return (size_t)(o - out);
}

bool encode_percent_decode(char *out, size_t *out_len, const char *text, size_t len, bool plus_is_blank)
{
	bool well_formed = true;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			int high = len - i > 2 ? hex_value(text[i + 1]) : -1;
			int low = high >= 0 ? hex_value(text[i + 2]) : -1;

			if (low >= 0) {
				c = (char)(high << 4 | low);
				i += 2;
			} else {
				well_formed = false;
			}
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		out[n++] = c;
	}
	*out_len = n;
	return well_formed;
}
