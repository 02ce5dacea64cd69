#include "change_show.h"

#include <stdbool.h>

#include "base/utf8.h"
#include "change.h"
#include "codec/json.h"

/* Marks that turn the direction of writing, too: with them a line can be made to say what it does not. */
static bool is_command(uint32_t cp)
{
	return utf8_is_control(cp) || cp == 0x061c || cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

int change_show_text(struct buf *out, struct span text)
{
	size_t from = 0, at = 0;
	int rc = 0;
	while (rc == 0 && at < text.len) {
		uint32_t cp = (unsigned char)text.ptr[at];
		size_t n = utf8_decode(text.ptr + at, text.len - at, &cp);
		if (n > 0 && !is_command(cp)) {
			at += n;
			continue;
		}
		rc = buf_append(out, text.ptr + from, at - from);
		if (rc == 0)
			rc = buf_printf(out, "\\u%04x", (unsigned)cp);
		at += n > 0 ? n : 1;
		from = at;
	}
	return rc == 0 ? buf_append(out, text.ptr + from, text.len - from) : rc;
}

/* A string without its quotes; anything else as it is. */
static struct span unquoted(struct span text)
{
	if (text.len >= 2 && text.ptr[0] == '"')
		return (struct span){text.ptr + 1, text.len - 2};
	return text;
}

int change_show_binary(struct buf *out, struct span text)
{
	int rc = buf_append_char(out, 'B');
	return rc == 0 ? change_show_text(out, text) : rc;
}

int change_show_number(struct buf *out, struct span text)
{
	return change_show_text(out, unquoted(text));
}

static int show_null(struct buf *out, struct span text)
{
	(void)text;
	return buf_append_str(out, "null");
}

/* Elements of an array, each shown in the same manner. */
static int show_array(struct buf *out, struct span text, const char brackets[2],
		      int (*show)(struct buf *out, struct span text))
{
	struct json j;
	struct span element;
	bool first = true, more = true;
	json_init(&j, text.ptr, text.len);
	if (json_peek(&j) != '[')
		return -ERR_CORRUPT;
	int rc = buf_append_char(out, brackets[0]);
	for (bool some = false; rc == 0; some = true) {
		if (!json_element(&j, &first, &more))
			return -ERR_CORRUPT;
		if (!more)
			break;
		if (!json_value(&j, &element))
			return -ERR_CORRUPT;
		rc = some ? buf_append_char(out, ',') : 0;
		if (rc == 0)
			rc = show(out, element);
	}
	return rc == 0 ? buf_append_char(out, brackets[1]) : rc;
}

static int show_list(struct buf *out, struct span text)
{
	return show_array(out, text, "[]", change_show_value);
}

static int show_strings(struct buf *out, struct span text)
{
	return show_array(out, text, "{}", change_show_text);
}

static int show_numbers(struct buf *out, struct span text)
{
	return show_array(out, text, "{}", change_show_number);
}

static int show_binaries(struct buf *out, struct span text)
{
	return show_array(out, text, "{}", change_show_binary);
}

int change_show_map(struct buf *out, struct span map)
{
	struct json j;
	struct span name, value;
	bool first = true, more = true;
	json_init(&j, map.ptr, map.len);
	if (json_peek(&j) != '{')
		return -ERR_CORRUPT;
	int rc = buf_append_char(out, '{');
	for (bool some = false; rc == 0; some = true) {
		if (!json_member(&j, &first, &more, &name))
			return -ERR_CORRUPT;
		if (!more)
			break;
		if (!json_value(&j, &value))
			return -ERR_CORRUPT;
		rc = buf_append_str(out, some ? ",\"" : "\"");
		if (rc == 0)
			rc = change_show_text(out, name);
		if (rc == 0)
			rc = buf_append_str(out, "\":");
		if (rc == 0)
			rc = change_show_value(out, value);
	}
	return rc == 0 ? buf_append_char(out, '}') : rc;
}

int change_show_value(struct buf *out, struct span value)
{
	static const struct {
		const char *type;
		int (*show)(struct buf *out, struct span text);
	} types[] = {
		{"S", change_show_text},    {"N", change_show_number}, {"B", change_show_binary},
		{"BOOL", change_show_text}, {"NULL", show_null},       {"M", change_show_map},
		{"L", show_list},	    {"SS", show_strings},      {"NS", show_numbers},
		{"BS", show_binaries},
	};
	struct span type, inner;
	if (!change_split(value, &type, &inner))
		return -ERR_CORRUPT;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_eq_str(type, types[i].type))
			return types[i].show(out, inner);
	/* A type that is not known yet. */
	return change_show_text(out, value);
}
