#include "aws/aws_json.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"

static void keep(struct aws_op *op, int rc)
{
	if (rc == -ERR_LIMIT)
		aws_op_fail(op, ERR_INVALID, "the request is too long");
	else if (rc < 0)
		aws_op_fail(op, ERR_SYSTEM, "out of memory");
}

void aws_json_begin(struct aws_op *op, enum aws_operation what, aws_done_fn *done, void *arg)
{
	enum config_service service = aws_operation_service(what);
	static const char *const apis[CONFIG_SERVICES] = {
		[CONFIG_DYNAMODB] = "DynamoDB_20120810",
		[CONFIG_STREAMS] = "DynamoDBStreams_20120810",
		[CONFIG_SCALING] = "AnyScaleFrontendService",
	};
	char target[64];
	int n = snprintf(target, sizeof(target), "%s.%s", apis[service], aws_operation_name(what));

	aws_op_begin(op, what, done, arg);
	aws_op_origin(op, op->aws->endpoint[service]);
	aws_op_path(op, (struct span){NULL, 0});
	aws_op_header(op, "content-type",
		      service == CONFIG_SCALING ? SPAN_LIT("application/x-amz-json-1.1")
						: SPAN_LIT("application/x-amz-json-1.0"));
	aws_op_header(op, "x-amz-target", (struct span){target, (size_t)n});
}

/* The head of a member of the object that is being written: a brace opens it, a comma goes on. */
static void append_name(struct aws_op *op, const char *name)
{
	struct buf *b = &op->body;
	bool first = b->len == 0 || b->data[b->len - 1] == '{';

	if (op->rc == 0)
		keep(op, buf_printf(b, "%s\"%s\":", b->len == 0 ? "{" : first ? "" : ",", name));
}

void aws_json_append_quoted(struct aws_op *op, const char *s)
{
	struct buf *b = &op->body;
	int rc = op->rc < 0 ? op->rc : buf_append_char(b, '"');

	for (; rc == 0 && *s; s++) {
		if (*s == '"' || *s == '\\')
			rc = buf_append_char(b, '\\');
		if (rc == 0 && (unsigned char)*s < 0x20)
			rc = buf_printf(b, "\\u%04x", (unsigned)*s);
		else if (rc == 0)
			rc = buf_append_char(b, *s);
	}
	if (rc == 0)
		rc = buf_append_char(b, '"');
	if (op->rc == 0)
		keep(op, rc);
}

void aws_json_add(struct aws_op *op, const char *name, const char *value)
{
	append_name(op, name);
	aws_json_append_quoted(op, value);
}

void aws_json_add_raw(struct aws_op *op, const char *name, const char *text)
{
	append_name(op, name);
	aws_json_append(op, text);
}

void aws_json_add_object(struct aws_op *op, const char *name, const char *const *members)
{
	aws_json_add_raw(op, name, "{");
	for (size_t i = 0; members[i]; i += 2)
		aws_json_add(op, members[i], members[i + 1]);
	aws_json_append(op, "}");
}

void aws_json_add_span(struct aws_op *op, const char *name, struct span text)
{
	append_name(op, name);
	aws_json_append_object(op, name, text);
}

void aws_json_append(struct aws_op *op, const char *text)
{
	if (op->rc == 0)
		keep(op, buf_append_str(&op->body, text));
}

void aws_json_append_object(struct aws_op *op, const char *what, struct span text)
{
	struct json j;
	struct span value;

	if (op->rc < 0)
		return;
	json_init(&j, text.ptr, text.len);
	if (json_peek(&j) != '{')
		aws_op_fail(op, ERR_INVALID, "%s is not a JSON object", what);
	else if (!json_value(&j, &value) || !json_end(&j))
		aws_op_fail(op, ERR_INVALID, "%s is not JSON at byte %zu of %zu: %s", what, (size_t)(j.p - j.start),
			    text.len, j.error);
	else
		keep(op, buf_append(&op->body, value.ptr, value.len));
}

void aws_json_send(struct aws_op *op)
{
	aws_json_append(op, "}");
	aws_op_send(op, "POST", (struct span){buf_str(&op->body), op->body.len});
}

json_t *aws_json_load(struct aws_op *op)
{
	const struct buf *b = http_body(op->slot);
	json_error_t at;
	json_t *root = json_loadb(buf_str(b), b->len, JSON_REJECT_DUPLICATES, &at);

	if (!root) {
		/* jansson's text may quote the answer, which may hold contents of items. */
		aws_op_fail(op, ERR_CORRUPT, "the answer is not JSON at byte %d of %zu", at.position, b->len);
		return NULL;
	}
	if (!json_is_object(root)) {
		aws_op_fail(op, ERR_CORRUPT, "the answer is not a JSON object");
		json_decref(root);
		return NULL;
	}
	return root;
}

static const json_t *member(struct aws_op *op, const json_t *parent, const char *where, const char *name, bool required,
			    json_type type, const char *type_name)
{
	const json_t *v;

	if (op->rc < 0 || !parent)
		return NULL;
	v = json_object_get(parent, name);
	if (!v || json_is_null(v)) {
		if (required)
			aws_op_fail(op, ERR_CORRUPT, "the answer has no %s%s", where, name);
		return NULL;
	}
	if (json_typeof(v) != type) {
		aws_op_fail(op, ERR_CORRUPT, "%s%s in the answer is not %s", where, name, type_name);
		return NULL;
	}
	return v;
}

const json_t *aws_json_object(struct aws_op *op, const json_t *parent, const char *where, const char *name,
			      bool required)
{
	return member(op, parent, where, name, required, JSON_OBJECT, "an object");
}

const json_t *aws_json_array(struct aws_op *op, const json_t *parent, const char *where, const char *name,
			     bool required)
{
	return member(op, parent, where, name, required, JSON_ARRAY, "an array");
}

const char *aws_json_string(struct aws_op *op, const json_t *parent, const char *where, const char *name, bool required)
{
	const json_t *v = member(op, parent, where, name, required, JSON_STRING, "a string");

	if (v && required && json_string_length(v) == 0) {
		aws_op_fail(op, ERR_CORRUPT, "%s%s in the answer is empty", where, name);
		return NULL;
	}
	return v ? json_string_value(v) : NULL;
}

char *aws_json_strdup(struct aws_op *op, const json_t *parent, const char *where, const char *name, bool required)
{
	const char *s = aws_json_string(op, parent, where, name, required);
	char *copy = s ? strdup(s) : NULL;

	if (s && !copy)
		aws_op_fail(op, ERR_SYSTEM, "out of memory");
	return copy;
}

int aws_json_parse_page(struct aws_op *op, const char *name)
{
	json_t *root = aws_json_load(op);
	const json_t *list = aws_json_array(op, root, "", name, true);
	struct json_page page = {.next_token = aws_json_strdup(op, root, "", "NextToken", false)};

	if (op->rc == 0 && list != NULL) {
		page.list = json_incref(json_object_get(root, name));
		*(struct json_page *)op->result = page;
	} else {
		json_page_fini(&page);
	}
	json_decref(root);
	return op->rc;
}
