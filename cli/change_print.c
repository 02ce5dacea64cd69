#include "change_print.h"

#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "change.h"
#include "change_show.h"

/* A character of a string may take six bytes more than in the item's text. */
#define VALUE_MAX_BYTES ((size_t)64 << 20)
#define COLUMNS_USUAL 120
#define COLUMNS_LEAST 40
#define NAME_COLUMNS_MAX 24 /* to which names are filled up */
#define SAME_BEFORE 8	    /* characters that are shown before the first difference */
#define ELLIPSIS "\u2026"
#define ARROW " -> "

/* --- cutting --- */

static size_t step(struct span text, size_t at)
{
	uint32_t cp;
	size_t n = utf8_decode(text.ptr + at, text.len - at, &cp);
	return n > 0 ? n : 1;
}

/* How many characters it has; past `most` nobody wants to know. */
static size_t count(struct span text, size_t most)
{
	size_t n = 0;
	for (size_t at = 0; at < text.len && n <= most; n++)
		at += step(text, at);
	return n;
}

/* The bytes of the first `n` characters. */
static size_t bytes_of(struct span text, size_t n)
{
	size_t at = 0;
	while (n-- > 0 && at < text.len)
		at += step(text, at);
	return at;
}

static struct span span_buf(const struct buf *b)
{
	return (struct span){buf_str(b), b->len};
}

/* In `columns` at most, from the `skip`-th byte on. */
static void put_cut(FILE *out, struct span text, size_t skip, size_t columns)
{
	struct span rest = {text.ptr + skip, text.len - skip};
	if (skip > 0) {
		fputs(ELLIPSIS, out);
		columns--;
	}
	bool whole = count(rest, columns) <= columns;
	fwrite(rest.ptr, 1, whole ? rest.len : bytes_of(rest, columns - 1), out);
	if (!whole)
		fputs(ELLIPSIS, out);
}

/* Where two values are to be shown from, so that the first difference is in sight. */
static size_t where_they_differ(struct span a, struct span b)
{
	size_t same = 0, chars = 0;
	while (same < a.len && same < b.len) {
		size_t n = step(a, same);
		if (n > a.len - same || n > b.len - same || memcmp(a.ptr + same, b.ptr + same, n) != 0)
			break;
		same += n;
		chars++;
	}
	return chars > SAME_BEFORE + 2 ? bytes_of(a, chars - SAME_BEFORE) : 0;
}

/* Two texts with `between` in the middle; what one does not need is the other's. */
static void put_two(FILE *out, struct span a, struct span b, const char *between, size_t columns, bool aligned)
{
	size_t la = count(a, columns), lb = count(b, columns), gap = strlen(between);
	size_t room = columns - gap, half = room / 2, skip = 0;
	if (columns == 0 || la + lb <= room) {
		fprintf(out, "%.*s%s%.*s", (int)a.len, a.ptr, between, (int)b.len, b.ptr);
		return;
	}
	if (aligned && (skip = where_they_differ(a, b)) > 0) {
		la = count((struct span){a.ptr + skip, a.len - skip}, columns) + 1;
		lb = count((struct span){b.ptr + skip, b.len - skip}, columns) + 1;
	}
	size_t for_a = la < half ? la : lb < half ? room - lb : half;
	put_cut(out, a, skip, for_a);
	fputs(between, out);
	put_cut(out, b, skip, room - for_a);
}

/* --- text --- */

struct text {
	FILE *out;
	const char *indent;
	size_t columns;	     /* 0: lines are never cut */
	size_t name_columns; /* of the longest name */
	struct buf name, before, after;
};

static int measure(void *arg, const struct change *c)
{
	struct text *t = arg;
	size_t n = count(c->path, NAME_COLUMNS_MAX);
	if (n > t->name_columns)
		t->name_columns = n < NAME_COLUMNS_MAX ? n : NAME_COLUMNS_MAX;
	return 0;
}

struct members {
	struct buf *out;
	bool number, binary, some;
};

static int add_member(void *arg, struct span member)
{
	struct members *m = arg;
	int rc = m->some ? buf_append_char(m->out, ',') : 0;
	m->some = true;
	if (rc < 0)
		return rc;
	return m->number   ? change_show_number(m->out, member)
	       : m->binary ? change_show_binary(m->out, member)
			   : change_show_text(m->out, member);
}

/* +{"a","b"}; nothing without members. */
static int show_members(const struct change *c, enum change_kind which, struct buf *out)
{
	struct span type, inner;
	struct members m = {.out = out};
	if (!change_split(c->after, &type, &inner))
		return -ERR_CORRUPT;
	m.number = span_eq_str(type, "NS");
	m.binary = span_eq_str(type, "BS");
	int rc = buf_append_str(out, which == CHANGE_ADDED ? "+{" : "-{");
	if (rc == 0)
		rc = change_members(c, which, add_member, &m);
	if (rc == 0 && !m.some)
		buf_reset(out);
	return rc == 0 && m.some ? buf_append_char(out, '}') : rc;
}

static int show_both(struct text *t, const struct change *c)
{
	buf_reset(&t->name);
	buf_reset(&t->before);
	buf_reset(&t->after);
	int rc = change_show_text(&t->name, c->path);
	if (rc == 0 && c->set) {
		rc = show_members(c, CHANGE_ADDED, &t->before);
		return rc == 0 ? show_members(c, CHANGE_REMOVED, &t->after) : rc;
	}
	if (rc == 0 && c->before.len > 0)
		rc = change_show_value(&t->before, c->before);
	return rc == 0 && c->after.len > 0 ? change_show_value(&t->after, c->after) : rc;
}

static int put_line(void *arg, const struct change *c)
{
	struct text *t = arg;
	int rc = show_both(t, c);
	if (rc < 0)
		return rc;
	struct span name = span_buf(&t->name), before = span_buf(&t->before), after = span_buf(&t->after);
	size_t left = t->columns > 0 ? t->columns - strlen(t->indent) - 4 : 0;
	size_t width = count(name, t->columns > 0 ? left : name.len);
	fprintf(t->out, "%s%c ", t->indent, "+-~"[c->kind]);
	if (t->columns > 0 && width > left / 2) {
		width = left / 2;
		put_cut(t->out, name, 0, width);
	} else {
		fwrite(name.ptr, 1, name.len, t->out);
	}
	size_t fill = t->columns > 0 && left / 2 < t->name_columns ? left / 2 : t->name_columns;
	for (; width < fill; width++)
		fputc(' ', t->out);
	fputs("  ", t->out);
	left = t->columns > 0 ? left - width : 0;
	if (before.len > 0 && after.len > 0)
		put_two(t->out, before, after, c->set ? " " : ARROW, left, !c->set);
	else
		put_two(t->out, before.len > 0 ? before : after, (struct span){"", 0}, "", left, false);
	fputc('\n', t->out);
	return 0;
}

int change_print_text(FILE *out, struct span before, struct span after, const char *indent, size_t columns,
		      struct err *e)
{
	struct text t = {.out = out, .indent = indent, .columns = columns};
	if (columns > 0 && columns < COLUMNS_LEAST + strlen(indent))
		t.columns = COLUMNS_LEAST + strlen(indent);
	buf_init(&t.name, VALUE_MAX_BYTES);
	buf_init(&t.before, VALUE_MAX_BYTES);
	buf_init(&t.after, VALUE_MAX_BYTES);
	int rc = change_each(before, after, measure, &t, e);
	if (rc == 0)
		rc = change_each(before, after, put_line, &t, e);
	buf_fini(&t.name);
	buf_fini(&t.before);
	buf_fini(&t.after);
	return rc;
}

size_t change_columns(void)
{
	struct winsize w = {0};
	if (isatty(STDOUT_FILENO) != 1)
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col;
	return COLUMNS_USUAL;
}

/* --- JSON --- */

struct json_out {
	FILE *out;
	enum change_kind kind; /* of the group that is being written */
	bool some;
};

/* A path holds no control characters: its names come from JSON. */
static void put_string(FILE *out, struct span text)
{
	fputc('"', out);
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			fputc('\\', out);
		fputc(text.ptr[i], out);
	}
	fputc('"', out);
}

static void put_span(FILE *out, struct span text)
{
	fwrite(text.ptr, 1, text.len, out);
}

static int put_member(void *arg, struct span member)
{
	struct json_out *j = arg;
	if (j->some)
		fputc(',', j->out);
	j->some = true;
	put_span(j->out, member);
	return 0;
}

static int put_members(FILE *out, const struct change *c, enum change_kind which)
{
	struct json_out members = {.out = out};
	struct span type, inner;
	if (!change_split(c->after, &type, &inner))
		return -ERR_CORRUPT;
	fprintf(out, ",\"%s\":{\"%.*s\":[", which == CHANGE_ADDED ? "added" : "removed", (int)type.len, type.ptr);
	int rc = change_members(c, which, put_member, &members);
	fputs("]}", out);
	return rc;
}

static int put_change(void *arg, const struct change *c)
{
	struct json_out *j = arg;
	int rc = 0;
	if (c->kind != j->kind)
		return 0;
	if (j->some)
		fputc(',', j->out);
	j->some = true;
	put_string(j->out, c->path);
	fputc(':', j->out);
	if (c->kind != CHANGE_CHANGED) {
		put_span(j->out, c->kind == CHANGE_ADDED ? c->after : c->before);
		return 0;
	}
	fputs("{\"old\":", j->out);
	put_span(j->out, c->before);
	fputs(",\"new\":", j->out);
	put_span(j->out, c->after);
	if (c->set)
		rc = put_members(j->out, c, CHANGE_ADDED);
	if (c->set && rc == 0)
		rc = put_members(j->out, c, CHANGE_REMOVED);
	fputc('}', j->out);
	return rc;
}

int change_print_json(FILE *out, struct span before, struct span after, struct err *e)
{
	static const char *const names[CHANGE_KINDS] = {"added", "removed", "changed"};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < CHANGE_KINDS; i++) {
		struct json_out j = {.out = out, .kind = (enum change_kind)i};
		fprintf(out, "%c\"%s\":{", i == 0 ? '{' : ',', names[i]);
		rc = change_each(before, after, put_change, &j, e);
		fputc('}', out);
	}
	fputc('}', out);
	return rc;
}
