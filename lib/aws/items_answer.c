#include "aws/items_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/awserr.h"

#define NUMBER_MAX 40 /* characters of a number in an answer */

bool items_answer_fail(struct json *j, const char *error)
{
	if (!j->error)
		j->error = error;
	return false;
}

static int find(const struct json *j, struct span name, const struct items_answer_member *known, int nknown)
{
	for (int i = 0; i < nknown; i++)
		if (j->escaped ? json_raw_eq(name, known[i].name.ptr) : span_eq(name, known[i].name))
			return i;
	return -1;
}

bool items_answer_walk(struct json *j, const struct items_answer_member *known, int nknown, unsigned *seen, void *arg)
{
	bool first = true, more;
	unsigned found = 0;
	struct span name;

	for (;;) {
		if (!json_member(j, &first, &more, &name))
			return false;
		if (!more)
			break;
		int i = find(j, name, known, nknown);
		if (i >= 0 && found & 1U << i)
			return items_answer_fail(j, "a member comes twice");
		if (i >= 0)
			found |= 1U << i;
		if (!(i >= 0 ? known[i].read(j, arg) : json_value(j, NULL)))
			return false;
	}
	if (seen)
		*seen = found;
	return true;
}

/* Passes a null. False when something else is next. */
static bool absent(struct json *j)
{
	return json_peek(j) == 'n' && json_value(j, NULL);
}

bool items_answer_object(struct json *j, struct span *out)
{
	if (absent(j))
		return true;
	if (json_peek(j) != '{')
		return items_answer_fail(j, "expected '{'");
	return json_value(j, out);
}

bool items_answer_is_empty(struct span object)
{
	struct json j;

	json_init(&j, object.ptr, object.len);
	return json_expect(&j, '{') && json_expect(&j, '}') && json_end(&j);
}

bool items_answer_count(struct json *j, uint64_t *out)
{
	struct span text;
	uint64_t n = 0;

	if (!json_value(j, &text))
		return false;
	if (text.len > 18) /* so it fits */
		return items_answer_fail(j, "a count is too large");
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return items_answer_fail(j, "a count is not a whole number");
		n = n * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	*out = n;
	return true;
}

static bool read_units(struct json *j, void *arg)
{
	double *units = arg;
	char digits[NUMBER_MAX + 1];
	struct span text;
	char c = json_peek(j);

	if (!json_value(j, &text))
		return false;
	if (c < '0' || c > '9' || text.len > NUMBER_MAX)
		return items_answer_fail(j, "CapacityUnits is not a number of them");
	memcpy(digits, text.ptr, text.len);
	digits[text.len] = '\0';
	*units += strtod(digits, NULL);
	return true;
}

bool items_answer_capacity(struct json *j, void *units)
{
	static const struct items_answer_member known[] = {{SPAN_LIT("CapacityUnits"), read_units}};

	return absent(j) || items_answer_walk(j, known, 1, NULL, units);
}

int items_answer_parse(struct aws_op *op, const struct items_answer_member *known, int nknown, void *arg)
{
	const struct buf *b = http_body(op->slot);
	struct json j;

	json_init(&j, buf_str(b), b->len);
	if (items_answer_walk(&j, known, nknown, NULL, arg) && json_end(&j))
		return 0;
	return aws_op_fail(op, ERR_CORRUPT, "the answer is malformed at byte %zu of %zu: %s", (size_t)(j.p - j.start),
			   b->len, j.error);
}

/* Only these classes of refusal are about what a request holds; the others are about who, where and how much. */
static bool may_quote(const struct err *e)
{
	return e->class == ERR_INVALID || e->class == ERR_CONFLICT || e->class == ERR_LIMIT;
}

/*
 * What DynamoDB says of writes and reads that it refuses, as far as it can be told without their contents. Around some
 * of these stand attribute names or values, which is why the sentence alone is taken over.
 */
static const char *const safe_words[] = {
	"Item size has exceeded the maximum allowed size",
	"Item size to update has exceeded the maximum allowed size",
	"Provided list of item keys contains duplicates",
	"Too many items requested for the BatchWriteItem call",
	"The provided key element does not match the schema",
	"The number of conditions on the keys is invalid",
	"Missing the key",
	"Type mismatch for key",
	"Type mismatch for Index Key",
	"Type mismatch for attribute to update",
	"One of the required keys was not given a value",
	"Hash primary key values must be under 2048 bytes, and range primary key values must be under 1024 bytes",
	"Condition parameter type does not match schema type",
	"An AttributeValue may not contain an empty string",
	"The AttributeValue for a key attribute cannot contain an empty string value",
	"Size of hashkey has exceeded the maximum size limit",
	"Aggregated size of all range keys has exceeded the size limit",
	"Supplied AttributeValue is empty",
	"Supplied AttributeValue has more than one datatypes set",
	"Attempting to store more than 38 significant digits in a Number",
	"Number overflow",
	"Number underflow",
	"cannot be converted to a numeric value",
	"A value provided cannot be converted into a number",
	"DynamoDB only supports precision up to 38 digits",
	"contains duplicates",
	"may not be empty",
	"Nesting Levels have exceeded supported limits",
	"The provided starting key is",
	"Exclusive Start Key must have same size as table's key schema",
	"1 validation error detected",
	"Invalid table/index name",
};

int items_answer_refused(struct aws_op *op)
{
	struct err told = op->err;
	struct span words = SPAN_LIT("the server's words are left out, since they may quote an item");

	if (!may_quote(&told))
		return op->rc;
	for (size_t i = 0; i < sizeof(safe_words) / sizeof(safe_words[0]); i++) {
		if (strstr(told.message, safe_words[i])) {
			words = span_of(safe_words[i]);
			break;
		}
	}
	op->rc = awserr_classify(&op->err, told.http_status, span_of(told.aws_code), words, span_of(told.request_id));
	op->err.retry_after_ms = told.retry_after_ms;
	return op->rc;
}
