/*
 * fuzz_records: holds records_split against the rules of records.h, applied to jansson's tree of the same answer.
 *
 * Deliberate differences, all of them outside of what DynamoDB Streams can answer:
 * - jansson refuses numbers past the range of a double and names that contain U+0000.
 * - jansson keeps the last of two members with one name; records_split refuses it for members that it reads.
 * - jansson 2.14 passes over a byte 0 behind a number ("[1\0]"); records_split refuses it.
 * - records_split refuses answers nested deeper than JSON_DEPTH_MAX, and a sequence number that is written with escapes.
 */
#include "driver.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "codec/json.h"
#include "codec/records.h"
#include "codec/seq.h"

#define LOAD_FLAGS (JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)
#define SECONDS_MAX 253402300800.0 /* the year 10000 */
#define ENTRIES_MAX 4096

enum verdict { GOOD, BAD, EITHER };

struct seen {
	struct records_entry entries[ENTRIES_MAX];
	size_t n;
};

static int see(void *arg, const struct records_entry *r)
{
	struct seen *s = arg;

	FUZZ_CHECK(s->n < ENTRIES_MAX);
	s->entries[s->n++] = *r;
	return 0;
}

static bool absent(const json_t *node)
{
	return !node || json_is_null(node);
}

static struct span string_of(const json_t *node)
{
	return (struct span){json_string_value(node), json_string_length(node)};
}

static bool is_string(const json_t *node, const char *s)
{
	return json_is_string(node) && span_eq_str(string_of(node), s);
}

static enum verdict judge_time(const json_t *time)
{
	if (absent(time))
		return GOOD;
	if (!json_is_number(time))
		return BAD;
	double s = json_number_value(time);
	/* A double cannot tell at the borders. */
	if (fabs(s - SECONDS_MAX) < 0.01 || fabs(s + 0.001) < 1e-9)
		return EITHER;
	return s > -0.001 && s < SECONDS_MAX ? GOOD : BAD;
}

static enum verdict judge_record(const json_t *record, struct span *last_seq)
{
	const json_t *name = json_object_get(record, "eventName"), *body = json_object_get(record, "dynamodb");
	const json_t *identity = json_object_get(record, "userIdentity");
	const json_t *keys = json_object_get(body, "Keys"), *seq = json_object_get(body, "SequenceNumber");
	const json_t *image = json_object_get(body, "NewImage"), *old = json_object_get(body, "OldImage");

	if (!json_is_object(record) || !json_is_object(body) || !json_is_object(keys) || !json_is_string(seq))
		return BAD;
	if (!is_string(name, "INSERT") && !is_string(name, "MODIFY") && !is_string(name, "REMOVE"))
		return BAD;
	if (!json_is_object(image) && !(absent(image) && is_string(name, "REMOVE")))
		return BAD;
	if ((!absent(old) && !json_is_object(old)) || (!absent(identity) && !json_is_object(identity)))
		return BAD;
	struct span digits = string_of(seq);
	if (!seq_valid(digits) || (last_seq->len > 0 && seq_cmp(*last_seq, digits) >= 0))
		return BAD;
	*last_seq = digits;
	return judge_time(json_object_get(body, "ApproximateCreationDateTime"));
}

static enum verdict judge(const json_t *answer)
{
	const json_t *records = json_object_get(answer, "Records"),
		     *next = json_object_get(answer, "NextShardIterator");
	struct span last_seq = {NULL, 0};
	enum verdict verdict = GOOD;
	json_t *record;
	size_t i;

	if (!json_is_array(records) || (!absent(next) && !json_is_string(next)))
		return BAD;
	if (json_is_string(next) && json_string_length(next) == 0)
		return BAD;
	json_array_foreach(records, i, record)
	{
		enum verdict v = judge_record(record, &last_seq);
		if (v == BAD)
			return BAD;
		verdict = v == EITHER ? EITHER : verdict;
	}
	return verdict;
}

static bool too_deep(const json_t *node, int left)
{
	const char *name;
	json_t *child;
	size_t i;

	if (!json_is_object(node) && !json_is_array(node))
		return false;
	if (left == 0)
		return true;
	json_object_foreach((json_t *)node, name, child) if (too_deep(child, left - 1)) return true;
	json_array_foreach((json_t *)node, i, child) if (too_deep(child, left - 1)) return true;
	return false;
}

/* May records_split refuse an answer that the rules alone find good? */
static bool may_refuse(const char *text, size_t len, const json_t *tree)
{
	json_error_t error;
	json_t *strict = json_loadb(text, len, LOAD_FLAGS | JSON_REJECT_DUPLICATES, &error);

	json_decref(strict);
	return (!strict && json_error_code(&error) == json_error_duplicate_key) || too_deep(tree, JSON_DEPTH_MAX) ||
	       memmem(text, len, "\\u003", 5) || memchr(text, 0, len);
}

static void check_slice(const char *text, struct records_slice slice, const json_t *node)
{
	if (absent(node)) {
		FUZZ_CHECK(slice.len == 0);
		return;
	}
	json_t *part = json_loadb(text + slice.off, slice.len, LOAD_FLAGS, NULL);
	FUZZ_CHECK(part && json_equal(part, node));
	json_decref(part);
}

static bool is_ttl(const json_t *identity)
{
	return (is_string(json_object_get(identity, "type"), "Service") ||
		is_string(json_object_get(identity, "Type"), "Service")) &&
	       (is_string(json_object_get(identity, "principalId"), "dynamodb.amazonaws.com") ||
		is_string(json_object_get(identity, "PrincipalId"), "dynamodb.amazonaws.com"));
}

static void check_entry(const char *text, const struct records_entry *r, const json_t *record)
{
	const json_t *body = json_object_get(record, "dynamodb");
	const json_t *time = json_object_get(body, "ApproximateCreationDateTime");

	FUZZ_CHECK(is_string(json_object_get(record, "eventName"), records_op_name(r->op)));
	FUZZ_CHECK(r->by_ttl == is_ttl(json_object_get(record, "userIdentity")));
	check_slice(text, r->keys, json_object_get(body, "Keys"));
	check_slice(text, r->new_image, json_object_get(body, "NewImage"));
	check_slice(text, r->old_image, json_object_get(body, "OldImage"));
	FUZZ_CHECK(span_eq((struct span){text + r->seq.off, r->seq.len},
			   string_of(json_object_get(body, "SequenceNumber"))));
	if (absent(time))
		FUZZ_CHECK(r->event_ms == CLOCK_UNKNOWN);
	else
		FUZZ_CHECK(fabs((double)r->event_ms - json_number_value(time) * 1000) <= 1.001);
}

static void check_answer(const char *text, const struct seen *s, struct records_slice next, const json_t *tree)
{
	const json_t *records = json_object_get(tree, "Records"),
		     *iterator = json_object_get(tree, "NextShardIterator");
	struct buf plain;

	FUZZ_CHECK(s->n == json_array_size(records));
	for (size_t i = 0; i < s->n; i++)
		check_entry(text, &s->entries[i], json_array_get(records, i));
	buf_init(&plain, 1 << 20);
	FUZZ_CHECK(json_unescape((struct span){text + next.off, next.len}, &plain) == 0);
	FUZZ_CHECK(absent(iterator) ? plain.len == 0
				    : span_eq((struct span){plain.data, plain.len}, string_of(iterator)));
	buf_fini(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen s;
	struct records_answer answer;
	const char *text = size > 0 ? (const char *)data : "";
	json_error_t error;

	s.n = 0;
	int rc = records_split(text, size, see, &s, &answer, NULL);
	FUZZ_CHECK(rc == 0 || rc == -ERR_CORRUPT);
	json_t *tree = json_loadb(text, size, LOAD_FLAGS, &error);
	if (!tree) {
		FUZZ_CHECK(rc != 0 || json_error_code(&error) == json_error_numeric_overflow ||
			   json_error_code(&error) == json_error_null_byte_in_key);
		return 0;
	}
	enum verdict verdict = judge(tree);
	if (rc == 0) {
		FUZZ_CHECK(verdict != BAD && !memchr(text, 0, size));
		check_answer(text, &s, answer.next_iterator, tree);
	} else {
		FUZZ_CHECK(verdict != GOOD || may_refuse(text, size, tree));
	}
	json_decref(tree);
	return 0;
}

#ifdef FUZZ_STANDALONE
static void add_time(struct input *in, uint64_t *random)
{
	static const char *const times[] = {"1.46480646E9",	  "1795435320.000", "1479499740", "null", "0",
					    "147949974012300e-5", "253402300800.5", "\"x\""};

	add(in, "\"ApproximateCreationDateTime\":");
	add(in, times[random_below(random, random_below(random, 8) == 0 ? 8 : 6)]);
	add(in, ",");
}

static void add_record(struct input *in, uint64_t *random, unsigned number)
{
	static const char *const names[] = {"INSERT", "MODIFY", "REMOVE"};
	char text[200];
	size_t op = random_below(random, 3);

	snprintf(text, sizeof(text), "{\"eventName\":\"%s\",\"awsRegion\":\"x\",\"dynamodb\":{", names[op]);
	add(in, text);
	if (random_below(random, 8) > 0)
		add_time(in, random);
	add(in, "\"Keys\":");
	add_map(in, random, 0);
	add(in, ",");
	if (op < 2 || random_below(random, 8) == 0) {
		add(in, "\"NewImage\":");
		add_map(in, random, 2);
		add(in, ",");
	}
	if (op > 0) {
		add(in, "\"OldImage\":");
		add_map(in, random, 2);
		add(in, ",");
	}
	snprintf(text, sizeof(text), "\"SequenceNumber\":\"%0*u\"}", (int)random_below(random, 22), number);
	add(in, text);
	if (random_below(random, 4) == 0)
		add(in,
		    random_below(random, 2)
			    ? ",\"userIdentity\":{\"PrincipalId\":\"dynamodb.amazonaws.com\",\"Type\":\"Service\"}"
			    : ",\"userIdentity\":{\"type\":\"Service\",\"principalId\":\"dynamodb.amazonaws.com\"}");
	add(in, "}");
}

static void fuzz_generate(uint64_t *random, struct input *in)
{
	unsigned n = (unsigned)random_below(random, 6);

	add(in, "{\"Records\":[");
	for (unsigned i = 0; i < n; i++) {
		add(in, i > 0 ? "," : "");
		add_record(in, random, i + 1);
	}
	add(in, "]");
	if (random_below(random, 2)) {
		add(in, ",\"NextShardIterator\":");
		add_string(in, random);
	}
	add(in, "}");
}
#endif
