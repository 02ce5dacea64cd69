#include "compare.h"

#include <string.h>

#include "base/clock.h"
#include "base/etagset.h"
#include "live_scan.h"

struct compare {
	const struct compare_options *options;
	struct compare_figures *figures;
	struct etagset *set; /* of the other side; what the table has, too, is marked */
	struct looks *looks;
	bool no_memory;
};

static void on_settled(const struct look_result *r, void *arg)
{
	struct compare *c = arg;
	const struct compare_options *o = c->options;
	if (r->equal)
		c->figures->foreign_form += r->foreign_form;
	else if (findings_add(o->findings, r->kind, r->name, r->keys, "%s", r->detail) < 0)
		c->no_memory = true;
	if (o->looked != NULL)
		o->looked(r, o->arg);
}

/* Errors of the set tell where its file lies; two objects of one name there cannot be in a listing. */
static int on_other(const struct compare_one *one, void *arg, struct err *e)
{
	struct compare *c = arg;
	uint8_t name[DIGEST_NAME_SIZE];
	if (!sample_has(c->options->sample, one->name))
		return 0;
	digest_name(name, one->name.ptr, one->name.len);
	c->figures->objects++;
	c->options->progress->seen++;
	int rc = etagset_add(c->set, name, one->etag, e);
	/* RADOS Gateway repeats a key at the seam of two pages. */
	return rc == -ERR_CONFLICT ? 0 : rc;
}

static int on_item(const struct live_item *item, void *arg, struct err *e)
{
	struct compare *c = arg;
	uint8_t name[DIGEST_NAME_SIZE];
	struct etagset_entry entry;
	if (!sample_has(c->options->sample, item->s3_key))
		return 0;
	digest_name(name, item->s3_key.ptr, item->s3_key.len);
	c->figures->items++;
	c->options->progress->items++;
	int found = etagset_find(c->set, name, &entry, e);
	if (found < 0)
		return found;
	if (found > 0 && entry.marked) {
		/* A scan gives an item once. */
		if (findings_add(c->options->findings, FINDING_SHARED, item->s3_key, item->keys,
				 "two items of the table have this object's name: the backup holds the later one") < 0)
			return err_set(e, ERR_SYSTEM, "out of memory");
		return 0;
	}
	if (found > 0 && etagset_mark(c->set, &entry, e) < 0)
		return -(int)e->class;
	if (found > 0 && memcmp(entry.etag, item->md5, DIGEST_MD5_SIZE) == 0)
		return 0;
	int rc = looks_add(c->looks, item->s3_key, item->keys, item->md5, e);
	return rc < 0 ? rc : 0;
}

static bool is_ready(void *arg)
{
	const struct compare *c = arg;
	return looks_count(c->looks) < LOOK_MAX;
}

static void on_page(const struct live_scan_figures *figures, void *arg)
{
	struct compare *c = arg;
	c->options->progress->bytes = figures->bytes;
}

static int read_table(struct compare *c, struct err *e)
{
	const struct compare_options *o = c->options;
	struct live_scan_figures figures;
	const struct live_scan_options so = {
		.session = o->session,
		.aws = &o->session->aws,
		.table = o->table,
		.schema = o->schema,
		.units_per_s = o->units_per_s,
		.each = on_item,
		.ready = is_ready,
		.progress = on_page,
		.arg = c,
	};
	int rc = live_scan(&so, &figures, e);
	c->figures->read_units += figures.units;
	return rc;
}

/* What was there before the table was read, and was not met in it. */
static int on_left(const struct compare_one *one, void *arg, struct err *e)
{
	struct compare *c = arg;
	uint8_t name[DIGEST_NAME_SIZE];
	struct etagset_entry entry;
	if (!sample_has(c->options->sample, one->name))
		return 0;
	digest_name(name, one->name.ptr, one->name.len);
	int rc = etagset_find(c->set, name, &entry, e);
	if (rc <= 0 || entry.marked)
		return rc;
	rc = etagset_mark(c->set, &entry, e);
	return rc == 0 ? looks_add(c->looks, one->name, one->keys, NULL, e) : rc;
}

static int walk(struct compare *c, int (*one)(const struct compare_one *one, void *arg, struct err *e), struct err *e)
{
	return c->options->walk(c->options->walk_arg, &(struct compare_each){.one = one, .ready = is_ready, .arg = c},
				e);
}

static int run(struct compare *c, struct err *e)
{
	int rc = walk(c, on_other, e);
	if (rc == 0)
		rc = read_table(c, e);
	if (rc == 0 && etagset_unmarked(c->set) > 0)
		rc = walk(c, on_left, e);
	if (rc == 0)
		rc = looks_drain(c->looks, 1, e);
	if (rc == 0 && c->no_memory)
		rc = err_set(e, ERR_SYSTEM, "out of memory");
	return rc;
}

int compare_live(const struct compare_options *o, struct compare_figures *out, struct err *e)
{
	struct compare c = {.options = o, .figures = out};
	const struct looks_options lo = {
		.session = o->session,
		.table = o->table,
		.schema = o->schema,
		.since_ms = o->since_ms,
		.settled = on_settled,
		.arg = &c,
	};
	*out = (struct compare_figures){0};
	c.set = etagset_new(NULL, o->expected, 0, e);
	if (c.set == NULL)
		return -(int)e->class;
	c.looks = looks_new(&lo, e);
	int rc = c.looks != NULL ? run(&c, e) : -(int)e->class;
	if (c.looks != NULL) {
		out->looks = looks_figures(c.looks);
		out->read_units += out->looks.read_units;
	}
	looks_free(c.looks);
	etagset_free(c.set);
	return rc;
}

struct bucket_walk {
	struct compare_bucket *bucket;
	const struct compare_each *each;
};

static int on_name(const struct names_object *object, void *arg, struct err *e)
{
	const struct bucket_walk *w = arg;
	const struct compare_one one = {.name = object->name, .etag = object->etag};
	struct session *s = w->bucket->session;
	while (!w->each->ready(w->each->arg) && !s->stop)
		uv_run(&s->loop, UV_RUN_ONCE);
	return w->each->one(&one, w->each->arg, e);
}

int compare_walk_bucket(void *walk_arg, const struct compare_each *each, struct err *e)
{
	struct bucket_walk w = {.bucket = walk_arg, .each = each};
	return names_each(w.bucket->session, on_name, &w, &w.bucket->figures, e);
}
