/* tables: what the bucket holds, from the watermark.json of each table. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "progress.h"
#include "session.h"
#include "tables_size.h"
#include "watermark.h"

const char tables_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] tables [--size] [-o text|json]\n"
	"Lists the tables that the bucket holds: since when, complete through when, gaps, how many of\n"
	"them are open, who wrote it last, and the baseline: since when the whole table is there.\n"
	"\n"
	"      --size                 count items, versions and bytes, too; lists all of them, which takes a request\n"
	"                             for each 1,000 versions\n"
	"  -o, --output FORMAT        text (the default) or json, one object a line\n";

#define META ".ddb-streamd/"

struct run {
	struct session *session;
	bool json, size;
	size_t found;
	size_t bad;
};

static json_t *size_json(const struct tables_size *t)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "items", (json_int_t)t->items, "bytes",
			 (json_int_t)t->bytes, "older_versions", (json_int_t)t->older, "older_bytes",
			 (json_int_t)t->older_bytes, "delete_markers", (json_int_t)t->markers, "removals",
			 (json_int_t)t->removals, "removals_bytes", (json_int_t)t->removals_bytes, "requests",
			 (json_int_t)t->requests);
}

/* `size` is NULL when it was not asked for. */
static void print_json(const char *prefix, const char *name, const struct watermark *w, const struct tables_size *size)
{
	json_t *gaps = json_array();
	for (size_t i = 0; i < w->ngaps; i++)
		json_array_append_new(gaps, watermark_gap_json(&w->gaps[i]));
	json_t *o = json_pack("{s:s,s:s,s:o,s:o,s:o,s:s,s:s,s:I,s:I,s:o}", "table", name, "prefix", prefix, "since",
			      watermark_time_json(w->since_ms), "complete_through", watermark_time_json(w->complete_ms),
			      "saved", watermark_time_json(w->saved_ms), "host", w->host, "instance", w->instance,
			      "gap_count", (json_int_t)w->gap_count, "gaps_open", (json_int_t)watermark_open_gaps(w),
			      "gaps", gaps);
	if (o != NULL)
		json_object_set_new(o, "baseline", watermark_baseline_json(&w->baseline));
	if (o != NULL && size != NULL)
		json_object_set_new(o, "size", size_json(size));
	if (o != NULL)
		json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void print_size(const struct tables_size *t)
{
	char a[PROGRESS_AMOUNT_SIZE], b[PROGRESS_AMOUNT_SIZE], c[PROGRESS_AMOUNT_SIZE];
	printf("    size: %llu items of %s; %llu older versions of %s; %llu removals of %s\n",
	       (unsigned long long)t->items, progress_amount(a, t->bytes), (unsigned long long)t->older,
	       progress_amount(b, t->older_bytes), (unsigned long long)t->removals,
	       progress_amount(c, t->removals_bytes));
}

static void print_baseline(const struct watermark_baseline *b)
{
	char at[CLOCK_ISO_SIZE], text[WATERMARK_PROGRESS_SIZE];
	if (!b->present)
		return;
	if (b->since_ms == CLOCK_UNKNOWN)
		printf("    baseline: the first one is not complete");
	else
		printf("    baseline: whole since %s", clock_iso(at, b->since_ms));
	if (watermark_baseline_runs(b) && b->began_ms != CLOCK_UNKNOWN)
		printf("; %s since %s (%s): %s", b->state, clock_iso(at, b->began_ms), b->reason,
		       watermark_baseline_text(text, b));
	else if (watermark_baseline_runs(b))
		printf("; %s (%s)", b->state, b->reason);
	else if (strcmp(b->state, "cancelled") == 0)
		printf("; the last one was cancelled%s%s", b->ended_ms != CLOCK_UNKNOWN ? " at " : "",
		       b->ended_ms != CLOCK_UNKNOWN ? clock_iso(at, b->ended_ms) : "");
	putchar('\n');
}

static void print_text(struct run *r, const char *prefix, const char *name, const struct watermark *w,
		       const struct tables_size *size)
{
	char a[CLOCK_ISO_SIZE], b[CLOCK_ISO_SIZE];
	if (r->found == 1)
		printf("%-24s  %-24s  %4s  %4s  %-20s  %s\n", "SINCE", "COMPLETE THROUGH", "GAPS", "OPEN", "WRITTEN BY",
		       "TABLE");
	printf("%-24s  %-24s  %4llu  %4llu  %-20s  %s%s\n", watermark_time(a, w->since_ms),
	       watermark_time(b, w->complete_ms), (unsigned long long)w->gap_count,
	       (unsigned long long)watermark_open_gaps(w), w->host[0] ? w->host : "-", prefix, name);
	print_baseline(&w->baseline);
	if (size != NULL)
		print_size(size);
	for (size_t i = 0; i < w->ngaps; i++) {
		const struct watermark_gap *g = &w->gaps[i];
		char closed[CLOCK_ISO_SIZE];
		bool open = g->closed_ms == CLOCK_UNKNOWN;
		printf("    gap: %s to %s: %s; %s%s\n", watermark_time(a, g->from_ms), watermark_time(b, g->to_ms),
		       g->reason, open ? "open" : "closed ", open ? "" : clock_iso(closed, g->closed_ms));
	}
}

/* 0, or the exit code. */
static int measure(struct run *r, const char *prefix, const char *name, struct tables_size *size)
{
	char *data = NULL, *deletes = NULL;
	struct err e;
	int rc = -ERR_SYSTEM;
	if (asprintf(&data, "%s%s/", prefix, name) < 0)
		data = NULL;
	if (asprintf(&deletes, "%s" META "%s/deletes/", prefix, name) < 0)
		deletes = NULL;
	if (data != NULL && deletes != NULL)
		rc = tables_size(r->session, data, deletes, size, &e);
	else
		err_set(&e, ERR_SYSTEM, "out of memory");
	free(data);
	free(deletes);
	return rc < 0 ? cli_fail(&e) : 0;
}

/* One table; `prefix` is what lies before ".ddb-streamd/". */
static int show(struct run *r, const char *prefix, const char *name)
{
	struct watermark w;
	struct tables_size size = {0};
	struct err e;
	bool exists;
	char *meta;
	int code = 0;
	if (asprintf(&meta, "%s" META "%s/", prefix, name) < 0) {
		cli_say("out of memory");
		return EX_OSERR;
	}
	int rc = watermark_load(r->session, meta, &w, &exists, &e);
	free(meta);
	if (rc == -ERR_CORRUPT) {
		cli_say("table %s%s: %s", prefix, name, e.message);
		r->bad++;
		return 0;
	}
	if (rc < 0)
		return cli_fail(&e);
	/* A folder without one: a table whose backup has only just begun. */
	if (!exists)
		return 0;
	r->found++;
	if (r->size)
		code = measure(r, prefix, name, &size);
	if (code == 0 && r->json)
		print_json(prefix, name, &w, r->size ? &size : NULL);
	else if (code == 0)
		print_text(r, prefix, name, &w, r->size ? &size : NULL);
	watermark_fini(&w);
	return code;
}

struct page_state {
	size_t skip;	/* length of the prefix that is listed */
	char key[1025]; /* the first one of the page, "" without any */
};

static int first_key(void *arg, const struct s3xml_version *v)
{
	struct page_state *p = arg;
	if (p->key[0] == '\0' && v->key.len > p->skip && v->key.len < sizeof(p->key))
		memcpy(p->key, v->key.ptr, v->key.len);
	return 0;
}

/*
 * The next key under a prefix, from behind `marker`, into `p`; p->key "" at the end. Pages may be empty and yet not the
 * last.
 */
static int next_key(struct run *r, const char *listed, const struct buf *marker, struct page_state *p, struct err *e)
{
	struct buf from;
	struct s3xml_page page = {.truncated = true};
	int rc = 0;
	*p = (struct page_state){.skip = strlen(listed)};
	buf_init(&from, 1024);
	buf_init(&page.next_key_marker, 1024);
	buf_init(&page.next_version_marker, 1024);
	buf_append(&from, buf_str(marker), marker->len);
	while (rc == 0 && page.truncated && p->key[0] == '\0') {
		const struct s3_list l = {.prefix = span_of(listed),
					  .key_marker = {buf_str(&from), from.len},
					  .max_keys = 1};
		struct span body;
		rc = session_list(r->session, &l, &body, e);
		buf_reset(&page.next_key_marker);
		buf_reset(&page.next_version_marker);
		if (rc == 0)
			rc = s3xml_versions(body, first_key, p, &page, e);
		if (rc == 0)
			buf_take(&from, &page.next_key_marker);
	}
	buf_fini(&from);
	buf_fini(&page.next_key_marker);
	buf_fini(&page.next_version_marker);
	return rc;
}

/* Jumps from folder to folder: a marker behind NAME/ skips all that lies in it. */
static int walk(struct run *r, const char *prefix)
{
	struct err e;
	struct page_state p;
	struct buf marker, listed;
	int code = 0;
	buf_init(&marker, 1024);
	buf_init(&listed, 1024);
	buf_printf(&listed, "%s" META, prefix);
	for (;;) {
		if (next_key(r, buf_str(&listed), &marker, &p, &e) < 0) {
			code = cli_fail(&e);
			break;
		}
		if (p.key[0] == '\0')
			break;
		buf_reset(&marker);
		char *slash = strchr(p.key + p.skip, '/');
		if (slash == NULL) {
			/*
			 * A marker that is a key itself brings RADOS Gateway back to that key's older versions, and no table's name
			 * has a character as low as this one.
			 */
			buf_printf(&marker, "%s!", p.key);
			continue;
		}
		*slash = '\0';
		/* '0' follows '/': it is the least key that is not below NAME/. */
		buf_printf(&marker, "%s0", p.key);
		code = show(r, prefix, p.key + p.skip);
		if (code != 0)
			break;
	}
	buf_fini(&marker);
	buf_fini(&listed);
	return code;
}

int tables_run(const struct options *o)
{
	struct session s;
	struct run r = {.session = &s, .json = o->json, .size = o->size};
	int code = session_open(&s, o);
	for (size_t i = 0; code == 0 && i < s.conf->ntables; i++) {
		const char *prefix = s.conf->tables[i].prefix;
		bool again = false;
		for (size_t k = 0; k < i; k++)
			again = again || strcmp(s.conf->tables[k].prefix, prefix) == 0;
		if (!again)
			code = walk(&r, prefix);
	}
	if (code == 0 && r.found + r.bad == 0) {
		cli_say("bucket %s holds no backup of ddb-streamd under this prefix", s.conf->bucket);
		code = EX_NOINPUT;
	}
	if (code == 0 && r.bad > 0)
		code = CLI_INCOMPLETE;
	session_close(&s);
	return code;
}
