/*
 * fuzz_canon: holds the JSON scanner and the canonical form against jansson.
 *
 * Deliberate differences, all of them outside of what DynamoDB can answer:
 * - jansson refuses numbers past the range of a double and names that contain U+0000; the scanner takes numbers as text.
 * - jansson 2.14 passes over a byte 0 behind a number ("[1\0]"); for the scanner it is an error anywhere.
 * - The scanner stops at JSON_DEPTH_MAX levels, jansson at 2,048.
 * - jansson keeps the last of two members with one name unless told to refuse them, which json_value leaves to its
 *   callers; canon_item refuses them.
 */
#include "driver.h"

#include <jansson.h>
#include <stdbool.h>

#include "codec/canon.h"
#include "codec/json.h"

#define LOAD_FLAGS (JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)
#define TEXT_MAX (64 << 20)

static const char *const set_types[] = {"SS", "NS", "BS", NULL};
static const char *const string_types[] = {"S", "N", "B", NULL};
static const char *const truth_types[] = {"BOOL", "NULL", NULL};

static bool one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static int depth_of(const json_t *node)
{
	int deepest = 0;
	const char *name;
	json_t *child;
	size_t i;

	if (json_is_object(node)) {
		json_object_foreach((json_t *)node, name, child)
		{
			int d = depth_of(child);
			deepest = d > deepest ? d : deepest;
		}
		return deepest + 1;
	}
	if (json_is_array(node)) {
		json_array_foreach((json_t *)node, i, child)
		{
			int d = depth_of(child);
			deepest = d > deepest ? d : deepest;
		}
		return deepest + 1;
	}
	return 0;
}

static bool has_numbers(const json_t *node)
{
	const char *name;
	json_t *child;
	size_t i;

	if (json_is_object(node))
		json_object_foreach((json_t *)node, name, child) if (has_numbers(child)) return true;
	if (json_is_array(node))
		json_array_foreach((json_t *)node, i, child) if (has_numbers(child)) return true;
	return json_is_number(node);
}

static bool jansson_is_narrower(const json_error_t *e)
{
	return json_error_code(e) == json_error_numeric_overflow || json_error_code(e) == json_error_null_byte_in_key;
}

/* What canon.h says an attribute map is, on jansson's tree. */
static bool is_map(const json_t *node);

static bool is_attribute(const json_t *node)
{
	json_t *child;
	size_t i;

	if (!json_is_object(node) || json_object_size(node) != 1)
		return false;
	void *it = json_object_iter((json_t *)node);
	const char *type = json_object_iter_key(it);
	const json_t *value = json_object_iter_value(it);
	if (one_of(type, string_types))
		return json_is_string(value);
	if (one_of(type, truth_types))
		return json_is_boolean(value);
	if (strcmp(type, "M") == 0)
		return is_map(value);
	bool set = one_of(type, set_types);
	if (!set && strcmp(type, "L") != 0)
		return true;
	if (!json_is_array(value))
		return false;
	json_array_foreach(value, i, child) if (!(set ? json_is_string(child) : is_attribute(child))) return false;
	return true;
}

static bool is_map(const json_t *node)
{
	const char *name;
	json_t *child;

	if (!json_is_object(node))
		return false;
	json_object_foreach((json_t *)node, name, child) if (!is_attribute(child)) return false;
	return true;
}

static int compare_strings(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	size_t nx = json_string_length(x), ny = json_string_length(y);
	int order = memcmp(json_string_value(x), json_string_value(y), nx < ny ? nx : ny);

	return order ? order : (nx > ny) - (nx < ny);
}

/* Puts a set in order of its values, or in no order. */
static void arrange_set(json_t *set, uint64_t *random)
{
	size_t n = json_array_size(set), i;
	json_t **values = calloc(n + 1, sizeof(json_t *)), *child;

	FUZZ_CHECK(values);
	json_array_foreach(set, i, child) values[i] = json_incref(child);
	if (!random)
		qsort(values, n, sizeof(json_t *), compare_strings);
	for (i = n; random && i > 1; i--) {
		size_t k = random_below(random, i);
		child = values[k];
		values[k] = values[i - 1];
		values[i - 1] = child;
	}
	for (i = 0; i < n; i++)
		json_array_set_new(set, i, values[i]);
	free(values);
}

static void arrange_map(json_t *map, uint64_t *random);

static void arrange_attribute(json_t *node, uint64_t *random)
{
	void *it = json_object_iter(node);
	const char *type = json_object_iter_key(it);
	json_t *value = json_object_iter_value(it), *child;
	size_t i;

	if (one_of(type, set_types))
		arrange_set(value, random);
	else if (strcmp(type, "M") == 0)
		arrange_map(value, random);
	else if (strcmp(type, "L") == 0)
		json_array_foreach(value, i, child) arrange_attribute(child, random);
}

static void arrange_map(json_t *map, uint64_t *random)
{
	const char *name;
	json_t *child;

	json_object_foreach(map, name, child) arrange_attribute(child, random);
}

/* The canonical form as jansson writes it; jansson's \u001F is made lower case. */
static char *reference(json_t *tree)
{
	arrange_map(tree, NULL);
	char *text = json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS);
	FUZZ_CHECK(text);
	for (char *p = text; *p; p++) {
		if (*p != '\\')
			continue;
		if (*++p == 'u')
			for (int i = 1; i <= 4; i++)
				if (p[i] >= 'A' && p[i] <= 'F')
					p[i] = (char)(p[i] - 'A' + 'a');
	}
	return text;
}

static void write_blank(struct buf *b, uint64_t *random)
{
	if (random_below(random, 4) == 0)
		buf_append(b, &" \t\r\n"[random_below(random, 4)], 1);
}

/* A string with each of its characters escaped or not, as it happens. */
static void write_string(struct buf *b, const char *s, size_t len, uint64_t *random)
{
	buf_append_char(b, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c < 0x80 && (c < 0x20 || c == '"' || c == '\\' || random_below(random, 8) == 0))
			buf_printf(b, random_below(random, 2) ? "\\u%04x" : "\\u%04X", c);
		else if (c == '/' && random_below(random, 2))
			buf_append_str(b, "\\/");
		else
			buf_append(b, s + i, 1);
	}
	buf_append_char(b, '"');
}

static void write_any(struct buf *b, const json_t *node, uint64_t *random);

static void write_object(struct buf *b, const json_t *node, uint64_t *random)
{
	size_t n = json_object_size(node), i = 0;
	const char **names = calloc(n + 1, sizeof(char *)), *name;
	json_t *child;

	FUZZ_CHECK(names);
	json_object_foreach((json_t *)node, name, child) names[i++] = name;
	for (; i > 1; i--) {
		size_t k = random_below(random, i);
		name = names[k];
		names[k] = names[i - 1];
		names[i - 1] = name;
	}
	buf_append_char(b, '{');
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_append_char(b, ',');
		write_blank(b, random);
		write_string(b, names[i], strlen(names[i]), random);
		write_blank(b, random);
		buf_append_char(b, ':');
		write_any(b, json_object_get(node, names[i]), random);
	}
	buf_append_char(b, '}');
	free(names);
}

/* The same value in another spelling: members in no order, blanks, escapes. */
static void write_any(struct buf *b, const json_t *node, uint64_t *random)
{
	json_t *child;
	size_t i;

	write_blank(b, random);
	if (json_is_object(node)) {
		write_object(b, node, random);
	} else if (json_is_array(node)) {
		buf_append_char(b, '[');
		json_array_foreach((json_t *)node, i, child)
		{
			if (i > 0)
				buf_append_char(b, ',');
			write_any(b, child, random);
		}
		buf_append_char(b, ']');
	} else if (json_is_string(node)) {
		write_string(b, json_string_value(node), json_string_length(node), random);
	} else {
		buf_append_str(b, json_is_true(node) ? "true" : json_is_false(node) ? "false" : "null");
	}
	write_blank(b, random);
}

static void check_scanner(const char *text, size_t len)
{
	json_error_t error;
	struct json j;

	json_init(&j, text, len);
	bool ok = json_value(&j, NULL) && json_end(&j);
	json_t *tree = json_loadb(text, len, LOAD_FLAGS | JSON_DECODE_ANY, &error);
	FUZZ_CHECK(ok == !j.error);
	if (ok)
		FUZZ_CHECK((tree || jansson_is_narrower(&error)) && !memchr(text, 0, len));
	else
		FUZZ_CHECK(!tree || memchr(text, 0, len) ||
			   (j.error == json_too_deep && depth_of(tree) > JSON_DEPTH_MAX));
	json_decref(tree);
}

/* `out` is the canonical form of `tree`, which has no numbers: exact bytes, for every spelling of it. */
static void check_spellings(struct canon *c, json_t *tree, struct span out, uint64_t random)
{
	char *want = reference(tree);
	struct span again;
	struct buf other;

	FUZZ_CHECK(span_eq_str(out, want));
	buf_init(&other, TEXT_MAX);
	arrange_map(tree, &random);
	write_any(&other, tree, &random);
	FUZZ_CHECK(canon_item(c, (struct span){other.data, other.len}, &again, NULL) == 0);
	FUZZ_CHECK(span_eq_str(again, want));
	buf_fini(&other);
	free(want);
}

static void check_values(json_t *tree, struct span out)
{
	json_t *canonical = json_loadb(out.ptr, out.len, LOAD_FLAGS | JSON_REJECT_DUPLICATES, NULL);

	FUZZ_CHECK(canonical);
	arrange_map(tree, NULL);
	FUZZ_CHECK(json_equal(canonical, tree));
	json_decref(canonical);
}

static void check_canon(struct canon *c, const char *text, size_t len, json_t *tree, const json_error_t *error)
{
	struct span out, again;
	struct err e;
	int rc = canon_item(c, (struct span){text, len}, &out, &e);

	if (rc == -ERR_LIMIT) {
		FUZZ_CHECK(!tree || depth_of(tree) > JSON_DEPTH_MAX);
		return;
	}
	FUZZ_CHECK(rc == 0 || rc == -ERR_CORRUPT);
	if (rc != 0) {
		FUZZ_CHECK(!tree || !is_map(tree) || memchr(text, 0, len));
		return;
	}
	FUZZ_CHECK(tree || jansson_is_narrower(error));
	FUZZ_CHECK(!tree || is_map(tree));
	FUZZ_CHECK(out.len <= len);
	char *copy = malloc(out.len);
	FUZZ_CHECK(copy);
	memcpy(copy, out.ptr, out.len);
	out.ptr = copy;
	FUZZ_CHECK(canon_item(c, out, &again, NULL) == 0);
	FUZZ_CHECK(span_eq(out, again));
	if (tree && has_numbers(tree))
		check_values(tree, out);
	else if (tree)
		check_spellings(c, tree, out, len);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct canon *c; /* kept, so that what one item leaves behind can harm the next */
	const char *text = size > 0 ? (const char *)data : "";
	json_error_t error;

	if (!c)
		c = canon_new(TEXT_MAX);
	FUZZ_CHECK(c);
	check_scanner(text, size);
	json_t *tree = json_loadb(text, size, LOAD_FLAGS | JSON_REJECT_DUPLICATES, &error);
	check_canon(c, text, size, tree, &error);
	json_decref(tree);
	return 0;
}

#ifdef FUZZ_STANDALONE
static void fuzz_generate(uint64_t *random, struct input *in)
{
	add_map(in, random, (int)random_below(random, 5));
}
#endif
