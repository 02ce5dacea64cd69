#include "codec/primary.h"

#include "codec/json.h"

/* A member of an attribute map: its raw name and its value. */
struct member {
	struct span name, value;
};

/*
 * Finds `n` attributes in one pass, which ends at the last of them: what is behind it is of no interest here. Returns how
 * many there are; -ERR_CORRUPT for what is no object.
 */
static int find(struct span map, const char *const *names, int n, struct member *found)
{
	struct json j;
	struct member m;
	bool first = true, more;
	int missing = n;

	json_init(&j, map.ptr, map.len);
	while (missing > 0) {
		if (!json_member(&j, &first, &more, &m.name))
			return -ERR_CORRUPT;
		if (!more)
			break;
		bool escaped = j.escaped;
		if (!json_value(&j, &m.value))
			return -ERR_CORRUPT;
		for (int i = 0; i < n; i++) {
			if (found[i].name.ptr ||
			    !(escaped ? json_raw_eq(m.name, names[i]) : span_eq_str(m.name, names[i])))
				continue;
			found[i] = m;
			missing--;
		}
	}
	return n - missing;
}

/* Is it {"S":"..."}, or the same with N or B? */
static bool is_scalar(struct span value)
{
	struct json j;
	struct span type, text;
	bool first = true, more;

	json_init(&j, value.ptr, value.len);
	return json_member(&j, &first, &more, &type) && more && type.len == 1 && strchr("SNB", type.ptr[0]) &&
	       json_peek(&j) == '"' && json_raw_string(&j, &text) && json_member(&j, &first, &more, &type) && !more;
}

static int append_member(struct buf *out, char before, const struct member *m)
{
	int rc = buf_append_char(out, before);

	if (rc == 0)
		rc = buf_append_char(out, '"');
	if (rc == 0)
		rc = buf_append(out, m->name.ptr, m->name.len);
	if (rc == 0)
		rc = buf_append_str(out, "\":");
	return rc < 0 ? rc : buf_append(out, m->value.ptr, m->value.len);
}

int primary_key(struct span item, const char *hash_name, const char *range_name, struct buf *out, struct err *e)
{
	const char *const names[2] = {hash_name, range_name};
	struct member found[2] = {0};
	int n = range_name ? 2 : 1, rc = 0;
	size_t before = out->len;

	if (find(item, names, n, found) != n)
		return err_set(e, ERR_CORRUPT, "an item is no attribute map, or lacks an attribute of the primary key");
	for (int i = 0; i < n; i++)
		if (!is_scalar(found[i].value))
			return err_set(e, ERR_CORRUPT, "an item's primary key is not of type S, N or B");
	bool swapped = range_name && strcmp(hash_name, range_name) > 0;
	for (int i = 0; i < n && rc == 0; i++)
		rc = append_member(out, i == 0 ? '{' : ',', &found[swapped ? 1 - i : i]);
	if (rc == 0)
		rc = buf_append_char(out, '}');
	if (rc == 0)
		return 0;
	if (out->data) {
		out->len = before;
		out->data[before] = '\0';
	}
	return err_set(e, (enum err_class) - rc, "cannot cut the key out of an item: %s",
		       rc == -ERR_LIMIT ? "it is too long" : "no memory");
}

int primary_value(struct span item, const char *name, struct span *value)
{
	struct member found = {0};
	int n = find(item, &name, 1, &found);

	if (n < 0)
		return n;
	if (n == 0)
		return -ERR_NOT_FOUND;
	*value = found.value;
	return 0;
}
