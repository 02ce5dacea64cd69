#include "codec/records.h"

#include "base/clock.h"
#include "codec/json.h"
#include "codec/seq.h"

#define EVENT_MS_MAX INT64_C(253402300799999) /* the last millisecond of the year 9999, as far as clock_iso writes */
#define BIT(n) (1U << (n))

struct split {
	struct json j;
	const char *body;
	records_entry_fn *each;
	void *arg;
	struct span seq; /* of the last record */
	int rc;		 /* of `each` */
};

enum { ANSWER_RECORDS, ANSWER_NEXT, ANSWER_MEMBERS };
static const struct span answer_members[] = {SPAN_LIT("Records"), SPAN_LIT("NextShardIterator")};

enum { RECORD_NAME, RECORD_BODY, RECORD_IDENTITY, RECORD_MEMBERS };
static const struct span record_members[] = {SPAN_LIT("eventName"), SPAN_LIT("dynamodb"), SPAN_LIT("userIdentity")};

enum { BODY_TIME, BODY_KEYS, BODY_NEW, BODY_OLD, BODY_SEQ, BODY_MEMBERS };
static const struct span body_members[] = {SPAN_LIT("ApproximateCreationDateTime"), SPAN_LIT("Keys"),
					   SPAN_LIT("NewImage"), SPAN_LIT("OldImage"), SPAN_LIT("SequenceNumber")};

/* The API reference writes Type and PrincipalId, and its example, as the events of Lambda do, type and principalId. */
enum { IDENTITY_TYPE, IDENTITY_PRINCIPAL, IDENTITY_TYPE_UPPER, IDENTITY_PRINCIPAL_UPPER, IDENTITY_MEMBERS };
static const struct span identity_members[] = {SPAN_LIT("type"), SPAN_LIT("principalId"), SPAN_LIT("Type"),
					       SPAN_LIT("PrincipalId")};

static bool fail(struct split *s, const char *error)
{
	if (!s->j.error)
		s->j.error = error;
	return false;
}

/*
 * As json_member, with the name looked up: *which is its index in `known`, -1 for others. Of two members with one name
 * a parser would take the last and this scanner the first, so a second one is refused.
 */
static bool member(struct split *s, bool *first, bool *more, const struct span *known, int nknown, unsigned *seen,
		   int *which)
{
	struct span name;

	if (!json_member(&s->j, first, more, &name))
		return false;
	*which = -1;
	if (!*more)
		return true;
	for (int i = 0; i < nknown; i++) {
		if (!(s->j.escaped ? json_raw_eq(name, known[i].ptr) : span_eq(name, known[i])))
			continue;
		if (*seen & BIT(i))
			return fail(s, "a member comes twice");
		*seen |= BIT(i);
		*which = i;
		break;
	}
	return true;
}

/* Passes a null. False when something else is next. */
static bool absent(struct split *s)
{
	return json_peek(&s->j) == 'n' && json_value(&s->j, NULL);
}

static struct records_slice slice(const struct split *s, struct span text)
{
	return (struct records_slice){(uint32_t)(text.ptr - s->body), (uint32_t)text.len};
}

static bool attribute_map(struct split *s, struct records_slice *out)
{
	struct span text;

	if (absent(s))
		return true;
	if (json_peek(&s->j) != '{')
		return fail(s, "expected an attribute map");
	if (!json_value(&s->j, &text))
		return false;
	*out = slice(s, text);
	return true;
}

static bool sequence_number(struct split *s, struct records_slice *out)
{
	struct span raw;

	if (!json_raw_string(&s->j, &raw))
		return false;
	if (!seq_valid(raw))
		return fail(s, "SequenceNumber is not a number");
	if (s->seq.len > 0 && seq_cmp(s->seq, raw) >= 0)
		return fail(s, "SequenceNumber does not grow");
	s->seq = raw;
	*out = slice(s, raw);
	return true;
}

/* Digits of an exponent; what is past any use is held at a value that is too. */
static int64_t exponent_of(const char *p, const char *end)
{
	bool minus = p < end && *p == '-';
	int64_t v = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++)
		if (v < INT64_C(1) << 40)
			v = v * 10 + (*p - '0');
	return minus ? -v : v;
}

/*
 * A JSON number of seconds to milliseconds, digit by digit: a double would not hit every millisecond. False when it is
 * out of range.
 */
static bool seconds_to_ms(struct span number, int64_t *ms)
{
	const char *p = number.ptr, *end = number.ptr + number.len;
	int64_t scale = 3; /* the value is `v` times ten to the power of this */
	int64_t v = 0;
	bool minus = *p == '-', fraction = false;

	for (p += minus; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			fraction = true;
			continue;
		}
		/* Digits after the eighteenth only count by their number. */
		if (v < INT64_C(100000000000000000)) {
			v = v * 10 + (*p - '0');
			scale -= fraction;
		} else {
			scale += !fraction;
		}
	}
	if (p < end)
		scale += exponent_of(p + 1, end);
	for (; scale < 0 && v != 0; scale++)
		v /= 10;
	for (; scale > 0 && v != 0; scale--) {
		if (v > EVENT_MS_MAX)
			return false;
		v *= 10;
	}
	if (v > EVENT_MS_MAX || (minus && v != 0))
		return false;
	*ms = v;
	return true;
}

static bool event_time(struct split *s, int64_t *ms)
{
	struct span number;

	if (absent(s))
		return true;
	char c = json_peek(&s->j);
	if (c != '-' && (c < '0' || c > '9'))
		return fail(s, "ApproximateCreationDateTime is not a number");
	if (!json_value(&s->j, &number))
		return false;
	return seconds_to_ms(number, ms) || fail(s, "ApproximateCreationDateTime is not in the years 1970 to 9999");
}

static bool stream_record(struct split *s, struct records_entry *r)
{
	bool first = true, more;
	unsigned seen = 0;
	int which;

	for (;;) {
		if (!member(s, &first, &more, body_members, BODY_MEMBERS, &seen, &which))
			return false;
		if (!more)
			return true;
		bool ok;
		switch (which) {
		case BODY_TIME:
			ok = event_time(s, &r->event_ms);
			break;
		case BODY_KEYS:
			ok = attribute_map(s, &r->keys);
			break;
		case BODY_NEW:
			ok = attribute_map(s, &r->new_image);
			break;
		case BODY_OLD:
			ok = attribute_map(s, &r->old_image);
			break;
		case BODY_SEQ:
			ok = sequence_number(s, &r->seq);
			break;
		default:
			ok = json_value(&s->j, NULL);
		}
		if (!ok)
			return false;
	}
}

static bool identity(struct split *s, bool *by_ttl)
{
	bool first = true, more, service = false, dynamodb = false;
	unsigned seen = 0;
	int which;

	if (absent(s))
		return true;
	for (;;) {
		if (!member(s, &first, &more, identity_members, IDENTITY_MEMBERS, &seen, &which))
			return false;
		if (!more)
			break;
		if (which < 0 || json_peek(&s->j) != '"') {
			if (!json_value(&s->j, NULL))
				return false;
			continue;
		}
		struct span raw;
		if (!json_raw_string(&s->j, &raw))
			return false;
		if (which == IDENTITY_TYPE || which == IDENTITY_TYPE_UPPER)
			service |= json_raw_eq(raw, "Service");
		else
			dynamodb |= json_raw_eq(raw, "dynamodb.amazonaws.com");
	}
	*by_ttl = service && dynamodb;
	return true;
}

static bool event_name(struct split *s, enum records_op *op)
{
	struct span raw;

	if (!json_raw_string(&s->j, &raw))
		return false;
	for (int i = 0; i < RECORDS_OPS; i++) {
		if (json_raw_eq(raw, records_op_name((enum records_op)i))) {
			*op = (enum records_op)i;
			return true;
		}
	}
	return fail(s, "unknown eventName");
}

/* What a record must have. */
static bool complete(struct split *s, const struct records_entry *r)
{
	if (r->op == RECORDS_OPS)
		return fail(s, "record without eventName");
	if (r->keys.len == 0)
		return fail(s, "record without Keys");
	if (r->seq.len == 0)
		return fail(s, "record without SequenceNumber");
	if (r->op != RECORDS_REMOVE && r->new_image.len == 0)
		return fail(s, "INSERT or MODIFY without NewImage; is the stream's view type NEW_IMAGE or "
			       "NEW_AND_OLD_IMAGES?");
	return true;
}

static bool record(struct split *s)
{
	struct records_entry r = {.event_ms = CLOCK_UNKNOWN, .op = RECORDS_OPS};
	bool first = true, more;
	unsigned seen = 0;
	int which;

	for (;;) {
		if (!member(s, &first, &more, record_members, RECORD_MEMBERS, &seen, &which))
			return false;
		if (!more)
			break;
		bool ok;
		switch (which) {
		case RECORD_NAME:
			ok = event_name(s, &r.op);
			break;
		case RECORD_BODY:
			ok = stream_record(s, &r);
			break;
		case RECORD_IDENTITY:
			ok = identity(s, &r.by_ttl);
			break;
		default:
			ok = json_value(&s->j, NULL);
		}
		if (!ok)
			return false;
	}
	if (!complete(s, &r))
		return false;
	s->rc = s->each(s->arg, &r);
	return s->rc == 0;
}

static bool records(struct split *s)
{
	bool first = true, more;

	do {
		if (!json_element(&s->j, &first, &more) || (more && !record(s)))
			return false;
	} while (more);
	return true;
}

static bool next_iterator(struct split *s, struct records_slice *out)
{
	struct span raw;

	if (absent(s))
		return true;
	if (!json_raw_string(&s->j, &raw))
		return false;
	/* Its absence ends the shard, which an empty one must not be taken for. */
	if (raw.len == 0)
		return fail(s, "NextShardIterator is empty");
	*out = slice(s, raw);
	return true;
}

static bool answer(struct split *s, struct records_answer *out)
{
	bool first = true, more;
	unsigned seen = 0;
	int which;

	for (;;) {
		if (!member(s, &first, &more, answer_members, ANSWER_MEMBERS, &seen, &which))
			return false;
		if (!more)
			break;
		bool ok = which == ANSWER_RECORDS ? records(s)
			  : which == ANSWER_NEXT  ? next_iterator(s, &out->next_iterator)
						  : json_value(&s->j, NULL);
		if (!ok)
			return false;
	}
	if (!(seen & BIT(ANSWER_RECORDS)))
		return fail(s, "answer without Records");
	return json_end(&s->j);
}

int records_split(const char *body, size_t len, records_entry_fn *each, void *arg, struct records_answer *out,
		  struct err *e)
{
	struct split s = {.body = body, .each = each, .arg = arg};
	struct records_answer found = {0};

	if (len > UINT32_MAX)
		return err_set(e, ERR_LIMIT, "answer of GetRecords has %zu bytes, the limit is 4 GiB", len);
	json_init(&s.j, body, len);
	if (answer(&s, &found)) {
		*out = found;
		return 0;
	}
	if (s.rc != 0)
		return s.rc;
	return err_set(e, ERR_CORRUPT, "answer of GetRecords is malformed at byte %zu of %zu: %s",
		       (size_t)(s.j.p - s.j.start), len, s.j.error);
}

const char *records_op_name(enum records_op op)
{
	static const char *const names[RECORDS_OPS] = {"INSERT", "MODIFY", "REMOVE"};

	return names[op];
}
