#include "tables_size.h"

#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "range.h"

struct counting {
	struct session *session;
	struct ranges ranges;
	struct progress progress;
	struct tables_size *out;
	bool done;
	int rc;
	struct err err;
};

static void stop(struct counting *c, int rc, const struct err *e)
{
	if (c->rc == 0) {
		c->rc = rc;
		c->err = *e;
	}
	c->done = true;
}

/* Of a side, the newest ITEM_OLD_MAX were kept, and the others only counted. */
static void count(struct counting *c, const struct item *it)
{
	struct tables_size *t = c->out;
	const struct item_list *data = &it->lists[ITEM_DATA], *removed = &it->lists[ITEM_REMOVED];
	t->markers += data->left_markers;
	t->older += data->left - data->left_markers;
	t->older_bytes += data->left_bytes;
	t->removals += removed->left + removed->n;
	t->removals_bytes += removed->left_bytes;
	for (size_t i = 0; i < removed->n; i++)
		t->removals_bytes += removed->entries[i].size_bytes;
	for (size_t i = 0; i < data->n; i++) {
		const struct item_entry *e = &data->entries[i];
		bool latest = e->latest && e->kind == ITEM_VERSION;
		t->markers += e->kind == ITEM_MARKER;
		t->items += latest;
		t->bytes += latest ? e->size_bytes : 0;
		t->older += !latest && e->kind == ITEM_VERSION;
		t->older_bytes += latest ? 0 : e->size_bytes;
	}
}

static void on_wake(void *arg)
{
	struct counting *c = arg;
	struct range *range;
	struct item *item;
	struct err e;
	while (!c->done) {
		int rc = ranges_next(&c->ranges, &range, &item, &e);
		if (rc == RANGES_WAIT)
			break;
		if (rc == RANGES_END) {
			c->done = true;
			break;
		}
		if (rc == RANGES_ITEM) {
			count(c, item);
			c->progress.seen++;
			if (range_done(range, (struct span){buf_str(&item->key), item->key.len}) < 0)
				rc = err_set(&e, ERR_SYSTEM, "out of memory");
			item_free(item);
		}
		if (rc < 0)
			stop(c, rc, &e);
	}
	c->progress.items = c->out->items;
	c->progress.bytes = c->out->bytes + c->out->older_bytes;
}

static void on_stop(void *arg)
{
	struct err e;
	int rc = err_set(&e, ERR_CANCELLED, "interrupted");
	stop(arg, rc, &e);
}

static int turn_to(struct session *s, const char *data_path, const char *deletes_path, struct err *e)
{
	char *data = strdup(data_path), *deletes = strdup(deletes_path);
	free(s->data_path);
	free(s->deletes_path);
	s->data_path = data;
	s->deletes_path = deletes;
	return data == NULL || deletes == NULL ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

static int run(struct counting *c, struct err *e)
{
	struct session *s = c->session;
	s->on_stop = on_stop;
	s->on_stop_arg = c;
	ranges_start(&c->ranges, on_wake, c);
	on_wake(c);
	while (!c->done)
		uv_run(&s->loop, UV_RUN_ONCE);
	s->on_stop = NULL;
	if (c->rc < 0)
		*e = c->err;
	return c->rc;
}

int tables_size(struct session *s, const char *data_path, const char *deletes_path, struct tables_size *out,
		struct err *e)
{
	struct counting c = {.session = s, .out = out};
	/* Nothing but the newest versions of each item is held. */
	const struct ranges_options ro = {.prefix = "", .old_ms = INT64_MAX};
	*out = (struct tables_size){0};
	int rc = turn_to(s, data_path, deletes_path, e);
	if (rc < 0)
		return rc;
	rc = ranges_init(&c.ranges, s, &ro, e);
	progress_start(&c.progress, &s->loop);
	if (rc == 0)
		rc = run(&c, e);
	out->requests = c.ranges.pages + c.ranges.probes;
	progress_end(&c.progress, NULL);
	ranges_fini(&c.ranges);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	return rc;
}
