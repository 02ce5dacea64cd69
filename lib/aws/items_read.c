#include <stdio.h>

#include "aws/aws_json.h"
#include "aws/items.h"
#include "aws/items_answer.h"

static void add_unsigned(struct aws_op *op, const char *name, unsigned n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	aws_json_add_raw(op, name, text);
}

/* Placeholders, since any word may be reserved in an expression. */
static void add_condition(struct aws_op *op, const struct items_read *r)
{
	aws_json_add(op, "KeyConditionExpression", "#h = :h");
	aws_json_add_object(op, "ExpressionAttributeNames", (const char *const[]){"#h", r->hash_name, NULL});
	aws_json_add_raw(op, "ExpressionAttributeValues", "{\":h\":");
	aws_json_append_object(op, "the value to query for", r->hash_value);
	aws_json_append(op, "}");
}

void items_read(struct aws_op *op, const struct items_read *r, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, r->hash_name ? AWS_ITEMS_QUERY : AWS_ITEMS_SCAN, done, arg);
	op->refused = items_answer_refused;
	if (r->segments > 0 && !r->hash_name)
		aws_op_label(op, "%s, segment %u of %u", r->table, r->segment, r->segments);
	else
		aws_op_label(op, "%s", r->table);
	aws_json_add(op, "TableName", r->table);
	if (r->consistent)
		aws_json_add_raw(op, "ConsistentRead", "true");
	if (r->limit > 0)
		add_unsigned(op, "Limit", r->limit);
	if (r->hash_name) {
		add_condition(op, r);
	} else if (r->segments > 0) {
		add_unsigned(op, "Segment", r->segment);
		add_unsigned(op, "TotalSegments", r->segments);
	}
	if (r->start_key.len > 0)
		aws_json_add_span(op, "ExclusiveStartKey", r->start_key);
	aws_json_add(op, "ReturnConsumedCapacity", "TOTAL");
	aws_json_send(op);
}

struct walk {
	items_each_fn *each;
	void *arg;
	uint64_t items, count;
	struct items_page page;
	int rc; /* of `each` */
};

static bool read_items(struct json *j, void *arg)
{
	struct walk *w = arg;
	bool first = true, more;
	struct span item;

	for (;;) {
		if (!json_element(j, &first, &more))
			return false;
		if (!more)
			return true;
		if (json_peek(j) != '{')
			return items_answer_fail(j, "an item is not an object");
		if (!json_value(j, &item))
			return false;
		w->items++;
		w->rc = w->each(w->arg, item);
		if (w->rc < 0)
			return items_answer_fail(j, "stopped");
	}
}

/* An empty key would begin the next page at the first item again. */
static bool read_last_key(struct json *j, void *arg)
{
	struct walk *w = arg;

	if (!items_answer_object(j, &w->page.last_key))
		return false;
	return !items_answer_is_empty(w->page.last_key) || items_answer_fail(j, "LastEvaluatedKey is empty");
}

static bool read_count(struct json *j, void *arg)
{
	return items_answer_count(j, &((struct walk *)arg)->count);
}

static bool read_scanned(struct json *j, void *arg)
{
	return items_answer_count(j, &((struct walk *)arg)->page.scanned);
}

static bool read_capacity(struct json *j, void *arg)
{
	return items_answer_capacity(j, &((struct walk *)arg)->page.consumed_units);
}

static bool read_page(struct json *j, struct walk *w)
{
	enum { ITEMS, COUNT, SCANNED, LAST_KEY, CAPACITY, MEMBERS };
	static const struct items_answer_member known[MEMBERS] = {
		[ITEMS] = {SPAN_LIT("Items"), read_items},
		[COUNT] = {SPAN_LIT("Count"), read_count},
		[SCANNED] = {SPAN_LIT("ScannedCount"), read_scanned},
		[LAST_KEY] = {SPAN_LIT("LastEvaluatedKey"), read_last_key},
		[CAPACITY] = {SPAN_LIT("ConsumedCapacity"), read_capacity},
	};
	unsigned seen;

	if (!items_answer_walk(j, known, MEMBERS, &seen, w) || !json_end(j))
		return false;
	if (!(seen & 1U << ITEMS))
		return items_answer_fail(j, "no Items");
	return !(seen & 1U << COUNT) || w->count == w->items ||
	       items_answer_fail(j, "Count is not the number of Items");
}

int items_page_each(struct span body, items_each_fn *each, void *arg, struct items_page *out, struct err *e)
{
	struct walk w = {.each = each, .arg = arg};
	struct json j;

	json_init(&j, body.ptr, body.len);
	if (read_page(&j, &w)) {
		*out = w.page;
		return 0;
	}
	if (w.rc < 0)
		return w.rc;
	return err_set(e, ERR_CORRUPT, "a page of items is malformed at byte %zu of %zu: %s", (size_t)(j.p - j.start),
		       body.len, j.error);
}

static bool read_item(struct json *j, void *item)
{
	return items_answer_object(j, item);
}

static int parse_item(struct aws_op *op)
{
	static const struct items_answer_member known[] = {{SPAN_LIT("Item"), read_item}};
	struct span item = {NULL, 0};

	if (items_answer_parse(op, known, 1, &item) == 0)
		*(struct span *)op->result = item;
	return op->rc;
}

void items_get(struct aws_op *op, const char *table, struct span key, struct span *item, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, AWS_ITEMS_GET, done, arg);
	aws_op_label(op, "%s", table);
	op->parse = parse_item;
	op->refused = items_answer_refused;
	op->result = item;
	aws_json_add(op, "TableName", table);
	aws_json_add_span(op, "Key", key);
	aws_json_add_raw(op, "ConsistentRead", "true");
	aws_json_send(op);
}
