#include <stdio.h>

#include "aws/aws_json.h"
#include "aws/items.h"
#include "aws/items_answer.h"
#include "codec/canon.h"
#include "codec/digest.h"

/* --- building --- */

static void append_write(struct aws_op *op, const struct items_write *w, size_t i, size_t n)
{
	char what[64];

	snprintf(what, sizeof(what), "write %zu of %zu", i + 1, n);
	aws_json_append(op, i > 0 ? "," : "");
	aws_json_append(op, w->remove ? "{\"DeleteRequest\":{\"Key\":" : "{\"PutRequest\":{\"Item\":");
	aws_json_append_object(op, what, w->attributes);
	aws_json_append(op, "}}");
}

static int check_batch(struct aws_op *op, const struct items_write *writes, size_t n)
{
	size_t bytes = ITEMS_BATCH_EXTRA_BYTES + n * ITEMS_WRITE_EXTRA_BYTES;

	if (n == 0 || n > ITEMS_BATCH_MAX)
		return aws_op_fail(op, ERR_INVALID, "a batch has 1 to %d writes, this one has %zu", ITEMS_BATCH_MAX, n);
	for (size_t i = 0; i < n; i++) {
		if (writes[i].attributes.len > ITEMS_BATCH_BYTES_MAX - bytes)
			return aws_op_fail(op, ERR_INVALID,
					   "%zu writes have over %zu bytes of JSON together: send fewer at once", n,
					   ITEMS_BATCH_BYTES_MAX);
		bytes += writes[i].attributes.len;
	}
	return 0;
}

/* --- which writes came back --- */

struct mark {
	uint8_t digest[DIGEST_SHA256_SIZE]; /* of the canonical form */
	bool remove;
};

struct matcher {
	struct json j;
	struct canon *canon;
	struct mark writes[ITEMS_BATCH_MAX]; /* of the request, in order */
	size_t n;
	bool left[ITEMS_BATCH_MAX];
	bool strange[2]; /* a put, a delete came back that is not the text of any */
	int rc;		 /* of the canonical form; then err tells more */
	struct err err;
};

/* Takes one write, in the form that requests and answers have in common. */
typedef bool write_fn(struct matcher *m, const struct mark *mark);

static bool mark_write(struct matcher *m, struct span attributes, bool remove, struct mark *out)
{
	struct span canonical;

	m->rc = canon_item(m->canon, attributes, &canonical, &m->err);
	if (m->rc < 0)
		return items_answer_fail(&m->j, "not an item");
	digest_sha256(out->digest, canonical.ptr, canonical.len);
	out->remove = remove;
	return true;
}

static bool keep_sent(struct matcher *m, const struct mark *mark)
{
	if (m->n == ITEMS_BATCH_MAX)
		return items_answer_fail(&m->j, "more writes than there can be");
	m->writes[m->n++] = *mark;
	return true;
}

static bool mark_returned(struct matcher *m, const struct mark *mark)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct mark *sent = &m->writes[i];

		if (sent->remove == mark->remove && memcmp(sent->digest, mark->digest, sizeof(mark->digest)) == 0) {
			m->left[i] = true;
			return true;
		}
	}
	m->strange[mark->remove] = true;
	return true;
}

static bool read_text(struct json *j, void *text)
{
	return items_answer_object(j, text);
}

/* {"Item":{...}} of a PutRequest, {"Key":{...}} of a DeleteRequest; an unused one may be there as null. */
static bool read_put(struct json *j, void *writes)
{
	static const struct items_answer_member known[] = {{SPAN_LIT("Item"), read_text}};
	struct items_write *put = writes;

	return json_peek(j) == 'n' ? json_value(j, NULL) : items_answer_walk(j, known, 1, NULL, &put->attributes);
}

static bool read_delete(struct json *j, void *writes)
{
	static const struct items_answer_member known[] = {{SPAN_LIT("Key"), read_text}};
	struct items_write *delete = (struct items_write *)writes + 1;

	return json_peek(j) == 'n' ? json_value(j, NULL) : items_answer_walk(j, known, 1, NULL, &delete->attributes);
}

static bool read_write(struct matcher *m, write_fn *each)
{
	static const struct items_answer_member known[] = {{SPAN_LIT("PutRequest"), read_put},
							   {SPAN_LIT("DeleteRequest"), read_delete}};
	struct items_write writes[2] = {0}; /* a put and a delete, of which one must be there */
	struct mark mark = {0};

	if (!items_answer_walk(&m->j, known, 2, NULL, writes))
		return false;
	bool remove = writes[1].attributes.len > 0;
	if (remove == (writes[0].attributes.len > 0))
		return items_answer_fail(&m->j, "a write is not one of PutRequest and DeleteRequest");
	return mark_write(m, writes[remove].attributes, remove, &mark) && each(m, &mark);
}

/* {"TABLE":[{"PutRequest":{"Item":{...}}},...]}; there is one table, under its name or its ARN. */
static bool read_tables(struct matcher *m, write_fn *each)
{
	bool first_table = true, more_tables, first, more;
	struct span name;

	for (;;) {
		if (!json_member(&m->j, &first_table, &more_tables, &name))
			return false;
		if (!more_tables)
			return true;
		first = true;
		for (;;) {
			if (!json_element(&m->j, &first, &more))
				return false;
			if (!more)
				break;
			if (!read_write(m, each))
				return false;
		}
	}
}

/* What was sent is read back from the request: it begins with RequestItems. */
static bool read_request(struct matcher *m, const struct buf *request)
{
	bool first = true, more;
	struct span name;

	json_init(&m->j, buf_str(request), request->len);
	return json_member(&m->j, &first, &more, &name) && more && read_tables(m, keep_sent);
}

/*
 * A server may write an item in another way than it was sent, numbers above all. All writes of that kind count as left
 * then: to write one twice does no harm, to forget one would.
 */
static void finish_match(struct matcher *m, struct items_batch_result *out)
{
	for (size_t i = 0; i < m->n; i++) {
		out->left[i] = m->left[i] || m->strange[m->writes[i].remove];
		out->nleft += out->left[i];
	}
}

static int match(struct aws_op *op, struct span unprocessed, struct items_batch_result *out)
{
	struct matcher m = {.canon = canon_new(ITEMS_BATCH_BYTES_MAX)};
	int rc = 0;

	if (!m.canon)
		return aws_op_fail(op, ERR_SYSTEM, "out of memory");
	bool ok = read_request(&m, &op->body);
	if (ok) {
		json_init(&m.j, unprocessed.ptr, unprocessed.len);
		ok = read_tables(&m, mark_returned);
	}
	if (ok)
		finish_match(&m, out);
	else if (m.rc < 0)
		rc = aws_op_fail(op, m.err.class, "UnprocessedItems: %s", m.err.message);
	else
		rc = aws_op_fail(op, ERR_CORRUPT, "UnprocessedItems in the answer is malformed at its byte %zu: %s",
				 (size_t)(m.j.p - m.j.start), m.j.error);
	canon_free(m.canon);
	return rc;
}

struct batch_answer {
	struct span unprocessed;
	double units;
};

static bool read_unprocessed(struct json *j, void *arg)
{
	return items_answer_object(j, &((struct batch_answer *)arg)->unprocessed);
}

static bool read_capacities(struct json *j, void *arg)
{
	struct batch_answer *a = arg;
	bool first = true, more;

	if (json_peek(j) == 'n')
		return json_value(j, NULL);
	for (;;) {
		if (!json_element(j, &first, &more))
			return false;
		if (!more)
			return true;
		if (!items_answer_capacity(j, &a->units))
			return false;
	}
}

static int parse_batch(struct aws_op *op)
{
	static const struct items_answer_member known[] = {{SPAN_LIT("UnprocessedItems"), read_unprocessed},
							   {SPAN_LIT("ConsumedCapacity"), read_capacities}};
	struct items_batch_result result = {0};
	struct batch_answer answer = {0};

	if (items_answer_parse(op, known, 2, &answer) < 0)
		return op->rc;
	/* Mostly it is empty, and then the request need not be looked at again. */
	if (answer.unprocessed.len > 0 && !items_answer_is_empty(answer.unprocessed) &&
	    match(op, answer.unprocessed, &result) < 0)
		return op->rc;
	result.consumed_units = answer.units;
	*(struct items_batch_result *)op->result = result;
	return 0;
}

void items_batch_write(struct aws_op *op, const char *table, const struct items_write *writes, size_t n,
		       struct items_batch_result *out, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_ITEMS_BATCH_WRITE, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_batch;
	op->refused = items_answer_refused;
	op->result = out;
	if (op->rc == 0)
		check_batch(op, writes, n);
	aws_json_add_raw(op, "RequestItems", "{");
	aws_json_append_quoted(op, table);
	aws_json_append(op, ":[");
	for (size_t i = 0; i < n && op->rc == 0; i++)
		append_write(op, &writes[i], i, n);
	aws_json_append(op, "]}");
	aws_json_add(op, "ReturnConsumedCapacity", "TOTAL");
	aws_json_send(op);
}

/* --- one write --- */

static int parse_write(struct aws_op *op)
{
	static const struct items_answer_member known[] = {{SPAN_LIT("ConsumedCapacity"), items_answer_capacity}};
	double units = 0;

	if (items_answer_parse(op, known, 1, &units) == 0 && op->result)
		*(double *)op->result = units;
	return op->rc;
}

void items_write(struct aws_op *op, const char *table, const struct items_write *w, double *consumed_units,
		 aws_done_fn *done, void *arg)
{
	aws_json_begin(op, w->remove ? AWS_ITEMS_DELETE : AWS_ITEMS_PUT, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_write;
	op->refused = items_answer_refused;
	op->result = consumed_units;
	aws_json_add(op, "TableName", table);
	aws_json_add_span(op, w->remove ? "Key" : "Item", w->attributes);
	aws_json_add(op, "ReturnConsumedCapacity", "TOTAL");
	aws_json_send(op);
}
