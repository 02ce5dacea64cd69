#include "change.h"

#include <stdlib.h>

#include "base/buf.h"
#include "codec/json.h"

/* The names on one path cannot be longer than an item's text. */
#define PATH_MAX_BYTES ((size_t)16 << 20)

struct walk {
	struct buf path;
	change_fn *each;
	void *arg;
};

/* The members of a map, or the elements of an array, one after the other. */
struct cursor {
	struct json j;
	bool first, more;
	struct span name, value;
};

static int value(struct walk *w, struct span before, struct span after);

static void open(struct cursor *c, struct span text)
{
	*c = (struct cursor){.first = true, .more = text.len > 0};
	json_init(&c->j, text.ptr, text.len);
}

/* A text of length 0 has no members. */
static int next_member(struct cursor *c)
{
	if (!c->more)
		return 0;
	if (!json_member(&c->j, &c->first, &c->more, &c->name) || (c->more && !json_value(&c->j, &c->value)))
		return -ERR_CORRUPT;
	return 0;
}

static int next_element(struct cursor *c)
{
	if (!c->more)
		return 0;
	if (!json_element(&c->j, &c->first, &c->more) || (c->more && !json_value(&c->j, &c->value)))
		return -ERR_CORRUPT;
	return 0;
}

bool change_split(struct span text, struct span *type, struct span *inner)
{
	struct json j;
	bool first = true, more;
	json_init(&j, text.ptr, text.len);
	return json_peek(&j) == '{' && json_member(&j, &first, &more, type) && more && json_value(&j, inner) &&
	       json_member(&j, &first, &more, &(struct span){0}) && !more && json_end(&j);
}

/* --- the path --- */

static bool is_plain(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] <= ' ' || strchr(".[]\"\\", name.ptr[i]) != NULL)
			return false;
	return name.len > 0;
}

static int enter_name(struct walk *w, struct span name)
{
	bool plain = is_plain(name);
	const char *before = plain ? w->path.len > 0 ? "." : "" : "[\"";
	int rc = buf_append_str(&w->path, before);
	if (rc == 0)
		rc = buf_append(&w->path, name.ptr, name.len);
	return rc == 0 ? buf_append_str(&w->path, plain ? "" : "\"]") : rc;
}

static void leave(struct walk *w, size_t len)
{
	w->path.len = len;
	if (w->path.data != NULL)
		w->path.data[len] = '\0';
}

/* --- comparing --- */

static int tell(struct walk *w, struct span before, struct span after, bool set)
{
	const struct change c = {
		.kind = before.len == 0	 ? CHANGE_ADDED
			: after.len == 0 ? CHANGE_REMOVED
					 : CHANGE_CHANGED,
		.path = {buf_str(&w->path), w->path.len},
		.before = before,
		.after = after,
		.set = set,
	};
	return w->each(w->arg, &c);
}

/* Both in the order of their names, which is that of the canonical form. */
static int maps(struct walk *w, struct span before, struct span after)
{
	static const struct span none = {0};
	struct cursor a, b;
	size_t len = w->path.len;
	open(&a, before);
	open(&b, after);
	int rc = next_member(&a);
	if (rc == 0)
		rc = next_member(&b);
	while (rc == 0 && (a.more || b.more)) {
		int order = !a.more ? 1 : !b.more ? -1 : json_raw_cmp(a.name, b.name);
		rc = enter_name(w, order <= 0 ? a.name : b.name);
		if (rc == 0)
			rc = value(w, order <= 0 ? a.value : none, order >= 0 ? b.value : none);
		leave(w, len);
		if (rc == 0 && order <= 0)
			rc = next_member(&a);
		if (rc == 0 && order >= 0)
			rc = next_member(&b);
	}
	return rc;
}

struct elements {
	struct span *at;
	size_t n, cap;
};

static int collect(struct elements *l, struct span text)
{
	struct cursor c;
	int rc;
	open(&c, text);
	while ((rc = next_element(&c)) == 0 && c.more) {
		if (l->n == l->cap) {
			size_t cap = l->cap ? 2 * l->cap : 16;
			struct span *at = reallocarray(l->at, cap, sizeof(*at));
			if (at == NULL)
				return -ERR_SYSTEM;
			l->at = at;
			l->cap = cap;
		}
		l->at[l->n++] = c.value;
	}
	return rc;
}

/* What lies between the common beginning and the common end. */
static int elements(struct walk *w, const struct elements *a, const struct elements *b)
{
	size_t from = 0, na = a->n, nb = b->n, len = w->path.len;
	int rc = 0;
	while (from < na && from < nb && span_eq(a->at[from], b->at[from]))
		from++;
	while (na > from && nb > from && span_eq(a->at[na - 1], b->at[nb - 1])) {
		na--;
		nb--;
	}
	for (size_t i = from; rc == 0 && (i < na || i < nb); i++) {
		rc = buf_printf(&w->path, "[%zu]", i);
		if (rc == 0)
			rc = value(w, i < na ? a->at[i] : (struct span){0}, i < nb ? b->at[i] : (struct span){0});
		leave(w, len);
	}
	return rc;
}

static int lists(struct walk *w, struct span before, struct span after)
{
	struct elements a = {0}, b = {0};
	int rc = collect(&a, before);
	if (rc == 0)
		rc = collect(&b, after);
	if (rc == 0)
		rc = elements(w, &a, &b);
	free(a.at);
	free(b.at);
	return rc;
}

static bool is_set(struct span type)
{
	return span_eq_str(type, "SS") || span_eq_str(type, "NS") || span_eq_str(type, "BS");
}

static int value(struct walk *w, struct span before, struct span after)
{
	struct span types[2], inner[2];
	/* Equal values have equal bytes (I7). */
	if (span_eq(before, after))
		return 0;
	if (before.len == 0 || after.len == 0)
		return tell(w, before, after, false);
	if (!change_split(before, &types[0], &inner[0]) || !change_split(after, &types[1], &inner[1]))
		return -ERR_CORRUPT;
	if (!span_eq(types[0], types[1]))
		return tell(w, before, after, false);
	if (span_eq_str(types[0], "M"))
		return maps(w, inner[0], inner[1]);
	if (span_eq_str(types[0], "L"))
		return lists(w, inner[0], inner[1]);
	return tell(w, before, after, is_set(types[0]));
}

int change_each(struct span before, struct span after, change_fn *each, void *arg, struct err *e)
{
	struct walk w = {.each = each, .arg = arg};
	buf_init(&w.path, PATH_MAX_BYTES);
	int rc = maps(&w, before, after);
	buf_fini(&w.path);
	if (rc == -ERR_CORRUPT)
		err_set(e, ERR_CORRUPT, "not an item in DynamoDB's JSON");
	else if (rc < 0)
		err_set(e, (enum err_class) - rc, "an item cannot be compared: out of memory");
	return rc;
}

/* The next member, which is a string. */
static int next_string(struct cursor *c)
{
	int rc = next_element(c);
	if (rc == 0 && c->more && c->value.ptr[0] != '"')
		return -ERR_CORRUPT;
	return rc;
}

static int compare_strings(struct span a, struct span b)
{
	return json_raw_cmp((struct span){a.ptr + 1, a.len - 2}, (struct span){b.ptr + 1, b.len - 2});
}

int change_members(const struct change *c, enum change_kind which, change_member_fn *each, void *arg)
{
	struct span type, inner[2];
	struct cursor a, b; /* wanted is what `a` has and `b` has not */
	if (!change_split(c->before, &type, &inner[0]) || !change_split(c->after, &type, &inner[1]))
		return -ERR_CORRUPT;
	open(&a, inner[which == CHANGE_ADDED]);
	open(&b, inner[which != CHANGE_ADDED]);
	int rc = next_string(&a);
	if (rc == 0)
		rc = next_string(&b);
	while (rc == 0 && a.more) {
		int order = !b.more ? -1 : compare_strings(a.value, b.value);
		if (order < 0)
			rc = each(arg, a.value);
		if (rc == 0 && order <= 0)
			rc = next_string(&a);
		if (rc == 0 && order >= 0)
			rc = next_string(&b);
	}
	return rc;
}
