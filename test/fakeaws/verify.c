/*
 * An item's records say what its key holds: a version for each INSERT and MODIFY, a marker for each REMOVE, in order;
 * and its deletes key: a version for each REMOVE. What the key holds is walked beside that list. Anything that fits to
 * neither side is a difference.
 */
#include "verify.h"

#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "base/clock.h"
#include "ddb.h"
#include "fake.h"
#include "mem.h"

#define DIFFERENCES_TOLD 200

struct check {
	struct table *t;
	struct s3_bucket *b;
	struct buf data, deletes; /* what stands before an item key */
	const char *since;	  /* records up to this number are not expected; "" for none */
	bool allow_trimmed, bodies;
	uint64_t stamp;
	json_t *differences, *kinds;
	size_t total, items, records, versions, baselines;
	size_t baseline_removals; /* of the item at hand: its deletes versions of no record */
};

static void differ(struct check *c, const char *kind, const char *key, const char *seq, const char *detail)
{
	json_t *n = json_object_get(c->kinds, kind);

	json_object_set_new(c->kinds, kind, json_integer(json_integer_value(n) + 1));
	if (c->total++ < DIFFERENCES_TOLD)
		json_array_append_new(c->differences, json_pack("{s:s, s:s, s:s, s:s}", "kind", kind, "key", key, "seq",
								seq, "detail", detail));
}

static const char *meta(const struct s3_version *v, const char *name)
{
	const char *value = pairs_get(&v->meta, name);
	return value ? value : "";
}

static bool is_version_of(const struct s3_version *v, const struct record *r, bool markers)
{
	if (markers && r->event == EVENT_REMOVE)
		return v->marker;
	return !v->marker && strcmp(meta(v, "ddb-seq"), r->seq) == 0;
}

static void check_body(struct check *c, const char *key, const struct s3_version *v, const struct record *r)
{
	const struct image *image = r->event == EVENT_REMOVE ? r->old_image : r->new_image;
	json_t *item = json_loads(image ? image->text : r->keys->text, 0, NULL);
	struct buf right;

	text_init(&right);
	attr_canonical(&right, item);
	if (right.len != v->len || memcmp(right.data, v->body, v->len) != 0)
		differ(c, "body", key, r->seq, "the body is not the record's image in its canonical form");
	buf_fini(&right);
	json_decref(item);
}

static void check_version(struct check *c, const char *key, const struct s3_version *v, const struct record *r)
{
	const struct stream *s = r->shard->stream;
	int64_t time_ms;

	if (v->marker)
		return;
	if (c->bodies)
		check_body(c, key, v, r);
	if (strcmp(meta(v, "ddb-event"), event_name(r->event)) != 0)
		differ(c, "meta", key, r->seq, "x-amz-meta-ddb-event");
	if (strcmp(meta(v, "ddb-stream"), s->label) != 0)
		differ(c, "meta", key, r->seq, "x-amz-meta-ddb-stream");
	if (strcmp(meta(v, "ddb-shard"), r->shard->id) != 0)
		differ(c, "meta", key, r->seq, "x-amz-meta-ddb-shard");
	if (strcmp(meta(v, "ddb-by"), r->ttl ? "ttl" : "") != 0)
		differ(c, "meta", key, r->seq, "x-amz-meta-ddb-by");
	if (s->table->options.time != TIME_ABSENT &&
	    (!clock_parse_iso(meta(v, "ddb-time"), &time_ms) || llabs(time_ms - r->time_ms) >= 1000))
		differ(c, "meta", key, r->seq, "x-amz-meta-ddb-time");
}

static bool comes_later(const struct s3_object *o, size_t from, const struct record *r, bool markers)
{
	for (size_t i = from; i < o->n; i++)
		if (is_version_of(o->versions[i], r, markers))
			return true;
	return false;
}

/* A version that is there but came too early was told of as out of order. Markers cannot be told apart. */
static void tell_missing(struct check *c, const char *key, const struct s3_object *o, const struct record *r,
			 bool markers)
{
	if (c->allow_trimmed && r->trimmed)
		return;
	if ((markers && r->event == EVENT_REMOVE) || !comes_later(o, 0, r, markers))
		differ(c, "missing", key, r->seq, event_name(r->event));
}

/* What a version is that the records do not have at this place. True: a baseline's, which is none of theirs. */
static bool tell_stray(struct check *c, const char *key, const struct s3_version *v, struct record *const *expected,
		       size_t n, size_t at)
{
	for (size_t i = 0; i < n && !v->marker; i++) {
		if (strcmp(meta(v, "ddb-seq"), expected[i]->seq) == 0) {
			differ(c, i < at ? "repeated" : "order", key, expected[i]->seq, v->id);
			return false;
		}
	}
	if (v->marker && c->baseline_removals > 0) {
		c->baseline_removals--;
		c->baselines++;
		return true;
	}
	differ(c, v->marker ? "marker" : "unknown", key, meta(v, "ddb-seq"), v->id);
	return false;
}

static bool is_baseline(const struct s3_version *v)
{
	return !v->marker && strcmp(meta(v, "ddb-event"), "BASELINE") == 0;
}

/* The latest version is of the latest record; of an earlier one only if all later ones may be missing. */
static bool is_right_top(const struct check *c, const struct s3_version *v, struct record *const *expected, size_t n,
			 bool markers)
{
	for (size_t i = n; i-- > 0;) {
		if (is_version_of(v, expected[i], markers))
			return true;
		if (!c->allow_trimmed || !expected[i]->trimmed)
			return false;
	}
	return true;
}

/* `markers`: the item's own key, where a REMOVE is a marker; else its deletes key. */
static void check_key(struct check *c, const char *key, struct record *const *expected, size_t n, bool markers)
{
	static const struct s3_object nothing;
	struct s3_object *found = s3_object_find(c->b, key);
	const struct s3_object *o = found ? found : &nothing;
	bool baseline_on_top = false;
	size_t at = 0;

	if (found)
		found->verified = c->stamp;
	for (size_t i = 0; i < o->n; i++) {
		const struct s3_version *v = o->versions[i];
		c->versions++;
		baseline_on_top = is_baseline(v);
		if (baseline_on_top) {
			c->baselines++;
			continue;
		}
		/* Records that no later version stands for are missing, and end the search for this one no longer. */
		while (at < n && !is_version_of(v, expected[at], markers) &&
		       !comes_later(o, i, expected[at], markers)) {
			tell_missing(c, key, o, expected[at], markers);
			at++;
		}
		if (at < n && is_version_of(v, expected[at], markers))
			check_version(c, key, v, expected[at++]);
		else
			baseline_on_top = tell_stray(c, key, v, expected, n, at);
	}
	for (; at < n; at++)
		tell_missing(c, key, o, expected[at], markers);
	if (n && o->n && !baseline_on_top && !is_right_top(c, o->versions[o->n - 1], expected, n, markers))
		differ(c, "top", key, expected[n - 1]->seq, "the latest version is not the latest record's");
}

static void check_item(struct check *c, const struct history *h, const char *item_key)
{
	struct record **all = mem_new((h->records + 1) * sizeof(struct record *));
	struct record **removed = mem_new((h->records + 1) * sizeof(struct record *));
	char *data = mem_printf("%s%s", buf_str(&c->data), item_key);
	char *deletes = mem_printf("%s%s", buf_str(&c->deletes), item_key);
	size_t n = 0, nremoved = 0;

	for (struct record *r = h->first; r; r = r->next) {
		if (*c->since && model_compare_seq(r->seq, c->since) <= 0)
			continue;
		all[n++] = r;
		if (r->event == EVENT_REMOVE)
			removed[nremoved++] = r;
	}
	c->items++;
	c->records += n;
	const struct s3_object *o = s3_object_find(c->b, deletes);
	c->baseline_removals = 0;
	for (size_t i = 0; o && i < o->n; i++)
		c->baseline_removals += is_baseline(o->versions[i]);
	check_key(c, data, all, n, true);
	check_key(c, deletes, removed, nremoved, false);
	free(all);
	free(removed);
	free(data);
	free(deletes);
}

/* Objects under `prefix` that belong to no item. */
static void check_strays(struct check *c, const char *prefix)
{
	for (size_t i = s3_lower_bound(c->b, prefix); i < c->b->n; i++) {
		const struct s3_object *o = c->b->sorted[i];
		if (strncmp(o->key, prefix, strlen(prefix)) != 0)
			break;
		if (o->n && o->verified != c->stamp)
			differ(c, "stray", o->key, meta(o->versions[0], "ddb-seq"), "there is no item of this key");
	}
}

/* Is the latest version the item as it is? No matter how it came there. */
static void check_state(struct check *c, const struct history *h, const char *item_key)
{
	char *key = mem_printf("%s%s", buf_str(&c->data), item_key);
	struct s3_object *o = s3_object_find(c->b, key);
	const struct s3_version *v = s3_latest(o);
	struct buf right;

	if (o)
		o->verified = c->stamp;
	text_init(&right);
	if (h->now) {
		json_t *item = json_loads(h->now->text, 0, NULL);
		attr_canonical(&right, item);
		json_decref(item);
	}
	c->items += h->now != NULL;
	if (h->now && (!v || v->marker))
		differ(c, "missing", key, "", v ? "the latest is a marker" : "there is no object");
	else if (h->now && (right.len != v->len || memcmp(right.data, v->body, v->len) != 0))
		differ(c, "body", key, meta(v, "ddb-seq"), "the latest version is not the item in its canonical form");
	else if (!h->now && v && !v->marker)
		differ(c, "extra", key, meta(v, "ddb-seq"), "the table has no such item");
	buf_fini(&right);
	free(key);
}

static void check_states(struct check *c)
{
	struct buf key;

	text_init(&key);
	for (size_t i = 0; i < c->t->nitems; i++) {
		buf_reset(&key);
		attr_path(&key, c->t, c->t->list[i], c->deletes.len);
		check_state(c, c->t->list[i], buf_str(&key));
	}
	check_strays(c, buf_str(&c->data));
	buf_fini(&key);
}

static void check_all(struct check *c)
{
	struct buf key;

	text_init(&key);
	for (size_t i = 0; i < c->t->nitems; i++) {
		buf_reset(&key);
		attr_path(&key, c->t, c->t->list[i], c->deletes.len);
		check_item(c, c->t->list[i], buf_str(&key));
	}
	check_strays(c, buf_str(&c->data));
	check_strays(c, buf_str(&c->deletes));
	buf_fini(&key);
}

static const char *parameter(const struct request *r, const char *name)
{
	const char *value = request_query(r, name);
	return value ? value : "";
}

void verify_answer(struct fake *f, const struct request *r, struct reply *a)
{
	const char *prefix = parameter(r, "prefix");
	struct check c = {.t = model_table(f, parameter(r, "table")),
			  .b = s3_bucket_find(f, parameter(r, "bucket")),
			  .since = parameter(r, "since"),
			  .allow_trimmed = strcmp(parameter(r, "allow_trimmed"), "1") == 0,
			  .bodies = strcmp(parameter(r, "bodies"), "0") != 0,
			  .stamp = r->id,
			  .differences = json_array(),
			  .kinds = json_object()};

	if (c.t && c.b) {
		text_init(&c.data);
		text_init(&c.deletes);
		text_printf(&c.data, "%s%s/", prefix, c.t->name);
		text_printf(&c.deletes, "%s.ddb-streamd/%s/deletes/", prefix, c.t->name);
		if (strcmp(parameter(r, "state"), "1") == 0)
			check_states(&c);
		else
			check_all(&c);
		buf_fini(&c.data);
		buf_fini(&c.deletes);
		ddb_json(a, json_pack("{s:b, s:I, s:O, s:O, s:I, s:I, s:I, s:I}", "ok", c.total == 0, "total",
				      (json_int_t)c.total, "kinds", c.kinds, "differences", c.differences, "items",
				      (json_int_t)c.items, "records", (json_int_t)c.records, "versions",
				      (json_int_t)c.versions, "baselines", (json_int_t)c.baselines));
	} else {
		a->status = 404;
		ddb_json(a, json_pack("{s:s}", "error", c.t ? "there is no such bucket" : "there is no such table"));
	}
	json_decref(c.differences);
	json_decref(c.kinds);
}
