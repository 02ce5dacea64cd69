/*
 * json: a scanner that finds where JSON values begin and end without building anything (RFC 8259, strict; UTF-8
 * checked). For stream records only, where a parser would cost as much as the PUT itself; everywhere else jansson is
 * the parser.
 */
#ifndef DDB_CODEC_JSON_H
#define DDB_CODEC_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define JSON_DEPTH_MAX 128 /* a 32-level DynamoDB item needs 66 */

struct json {
	const char *p; /* next byte */
	const char *end;
	const char *start; /* for error offsets */
	int depth;
	bool escaped;	   /* the string read last (a member's name too) has a backslash in it */
	const char *error; /* NULL, or what is wrong at p; static text */
};

/* The value of `error` for text that is nested deeper than JSON_DEPTH_MAX: compare the pointer. */
extern const char json_too_deep[];

void json_init(struct json *j, const char *text, size_t len);
/* After blanks: the first byte of the next value or punctuation, 0 at the end. */
char json_peek(struct json *j);
/* Every function below returns false and sets j->error (once) when the text is not what was asked for. */
bool json_expect(struct json *j, char c);
/* A string, checked in full (lone surrogates are an error); `raw` is what lies between the quotes, escapes and all.
 * (json_string is a function of jansson.) */
bool json_raw_string(struct json *j, struct span *raw);
/* Any value, checked in full; `value` (may be NULL) is its text without blanks around it. */
bool json_value(struct json *j, struct span *value);
/*
 * Walks the members of an object whose '{' is next: call in a loop, `first` true the first time (it is updated).
 * True with *more = true: `name` is the raw name and the value is next; true with *more = false: the '}' was passed.
 */
bool json_member(struct json *j, bool *first, bool *more, struct span *name);
/* The same for an array whose '[' is next. */
bool json_element(struct json *j, bool *first, bool *more);
/* True when only blanks are left. */
bool json_end(struct json *j);

/*
 * The UTF-8 of one escape, *p being at its backslash: returns 1 to 4 bytes in `out` and moves *p behind the escape (both
 * halves of a surrogate pair); 0, with *p where it was, for anything that is not an escape or is a lone surrogate.
 */
size_t json_escape(const char **p, const char *end, char out[4]);
/* Raw string content to UTF-8, appended. Lone surrogates fail (-ERR_CORRUPT). Errors of buf_append. `out` is as before
 * then. */
int json_unescape(struct span raw, struct buf *out);
/* <0, 0, >0: raw string contents in the order of their unescaped UTF-8 bytes. */
int json_raw_cmp(struct span a, struct span b);
/* Does raw string content, unescaped, equal `s`? */
bool json_raw_eq(struct span raw, const char *s);

#endif
