/* restore_dry: a look ahead, for restore and snapshot: everything is listed and resolved, and nothing is read or written. */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli.h"
#include "codec/itemsize.h"
#include "price.h"
#include "progress.h"
#include "restore.h"
#include "restore_aws.h"
#include "schema.h"
#include "snapshot.h"
#include "target.h"

/* A strongly consistent read of so many bytes costs a unit (Developer Guide, "DynamoDB read and write operations"). */
#define READ_UNIT_BYTES 4096

struct dry {
	const struct restore_plan *plan;
	struct state state;
	struct progress progress;
	uint64_t items, bytes, units, missing;
	uint64_t absent, absent_units; /* in place: what may have to be deleted */
	bool made;		       /* the table is not there yet */
	uint64_t read_units;	       /* in place: of the table */
};

/* --- the items --- */

/* Of what came later the newest size that is known. */
static void take_absent(struct dry *d, const struct state_item *si)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < si->item->norder && bytes == 0; i++) {
		const struct item_entry *e = item_subject(si->item->order[i]);
		bytes = e != NULL ? e->size_bytes : 0;
	}
	d->absent++;
	d->absent_units += itemsize_write_units(bytes);
}

/* The canonical text of an item is longer than what DynamoDB counts, so this is a bound from above. */
static void take_present(struct dry *d, const struct state_item *si)
{
	uint64_t bytes = si->at[0].chosen->size_bytes;
	d->progress.items = ++d->items;
	d->progress.bytes = d->bytes += bytes;
	d->units += itemsize_write_units(bytes);
}

static void deliver(struct state_item *si, void *arg)
{
	struct dry *d = arg;
	const struct item_entry *chosen = si->at[0].chosen;
	const char *problem = si->problem;
	bool present = si->at[0].what == RESOLVE_PRESENT;
	char shown[1100];
	/* No body is asked for, which would tell. */
	if (problem[0] == '\0' && present && chosen->archived)
		problem = "its version is archived: restore it from its storage class first";
	else if (problem[0] == '\0' && present && chosen->size_bytes == 0)
		problem = "its version is empty: it was written from a stream without new images";
	if (problem[0] != '\0') {
		d->missing++;
		progress_clear(&d->progress);
		cli_say("%s: %s", state_key(si, shown), problem);
	} else if (present) {
		take_present(d, si);
	} else {
		take_absent(d, si);
	}
	d->progress.seen = d->state.seen;
	state_done(si);
}

/* --- the target --- */

static bool is_into_table(const struct options *o)
{
	return o->to_file == NULL && o->to == NULL && o->via_import == NULL;
}

/* Where the snapshot goes, if one is written; else NULL. */
static const char *export_url(const struct options *o)
{
	return o->via_import != NULL ? o->via_import : o->to;
}

/* As a restore in place reads the table: not at all for single items and for what changed lately, but for folders. */
static uint64_t read_units(const struct restore_plan *p, const struct target *t)
{
	bool folders = p->session->table->tenant_attribute != NULL;
	/* Of a single partition nobody knows the size. */
	if (!p->options->in_place || p->narrow->hash_name != NULL ||
	    (!folders && (p->narrow->exact || p->since_ms != CLOCK_UNKNOWN)))
		return 0;
	return (t->size_bytes + READ_UNIT_BYTES - 1) / READ_UNIT_BYTES * (folders ? 2 : 1);
}

/* A restore would refuse it, so this does. */
static int look_at_target(struct dry *d)
{
	const struct restore_plan *p = d->plan;
	const struct options *o = p->options;
	struct restore_aws ra;
	struct schema sc = {0};
	struct target t;
	int code = restore_aws_open(&ra, p);
	if (code != 0)
		return code;
	code = schema_load(p->session, &sc);
	const struct target_options to = {
		.session = p->session,
		.aws = ra.aws,
		.table = restore_target_name(p),
		.schema = &sc,
		.must_exist = o->in_place,
		.may_have_items = o->in_place,
	};
	if (code == 0) {
		code = target_look(&t, &to);
		d->made = t.absent;
		d->read_units = read_units(p, &t);
		target_close(&t);
	}
	schema_fini(&sc);
	restore_aws_close(&ra, p);
	return code;
}

/* --- what comes of it --- */

static struct price_requests requests(const struct dry *d)
{
	const struct options *o = d->plan->options;
	const char *url = export_url(o);
	bool writes = is_into_table(o);
	return (struct price_requests){
		.lists = d->state.ranges.pages + d->state.ranges.probes,
		.gets = d->state.fetch.heads + d->items,
		.puts = url != NULL && snapshot_is_bucket(url) ? snapshot_requests_most(d->bytes) : 0,
		.write_units = writes ? d->units + d->absent_units : 0,
		.read_units = d->read_units,
		.import_bytes = o->via_import != NULL ? d->bytes : 0,
	};
}

static void report_json(const struct dry *d, const struct price_requests *r)
{
	const struct restore_plan *p = d->plan;
	char iso[CLOCK_ISO_SIZE];
	json_t *o =
		json_pack("{s:s, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "verb",
			  p->options->to != NULL ? "snapshot" : "restore", "dry_run", 1, "table", p->options->table,
			  "at", clock_iso(iso, p->at.ms), "items", (json_int_t)d->items, "bytes", (json_int_t)d->bytes,
			  "versions", (json_int_t)d->state.ranges.versions, "missing", (json_int_t)d->missing,
			  "deletes", (json_int_t)d->absent, "list_requests", (json_int_t)r->lists, "head_requests",
			  (json_int_t)d->state.fetch.heads, "get_requests", (json_int_t)d->items, "put_requests",
			  (json_int_t)r->puts, "read_units", (json_int_t)r->read_units, "write_units",
			  (json_int_t)r->write_units, "dollars", price_dollars(r));
	if (o != NULL)
		json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void tell_table(const struct dry *d, const struct price_requests *r)
{
	const struct restore_plan *p = d->plan;
	const char *table = restore_target_name(p);
	printf("write  at most %llu items into table %s%s, at most %llu write units\n", (unsigned long long)d->items,
	       table, d->made ? ", which is made" : "", (unsigned long long)r->write_units);
	if (!p->options->in_place)
		return;
	printf("       of these only what differs; of %llu items that came later those that are there are deleted\n",
	       (unsigned long long)d->absent);
	if (r->read_units > 0)
		printf("       to know, the table is read: about %llu read units\n", (unsigned long long)r->read_units);
}

static void report_text(const struct dry *d, const struct price_requests *r)
{
	const struct options *o = d->plan->options;
	const char *url = export_url(o);
	printf("read   %llu items, %llu bytes: %llu LIST requests (%llu versions), %llu questions (HEAD), %llu GET "
	       "requests\n",
	       (unsigned long long)d->items, (unsigned long long)d->bytes, (unsigned long long)r->lists,
	       (unsigned long long)d->state.ranges.versions, (unsigned long long)d->state.fetch.heads,
	       (unsigned long long)d->items);
	if (o->to_file != NULL)
		printf("write  %llu lines into %s\n", (unsigned long long)d->items, o->to_file);
	else if (url == NULL)
		tell_table(d, r);
	else
		printf("write  %llu items into %s, %llu PUT requests at most%s%s\n", (unsigned long long)d->items, url,
		       (unsigned long long)r->puts, o->via_import != NULL ? "; to be imported as table " : "",
		       o->via_import != NULL ? restore_target_name(d->plan) : "");
	printf("cost   about $%.2f (%s)\n", price_dollars(r), PRICE_BASIS);
	if (d->missing > 0)
		printf("lost   %llu items cannot be had; they are named on standard error\n",
		       (unsigned long long)d->missing);
}

static int walk(struct dry *d)
{
	struct err e;
	struct state_options so = restore_state_options(d->plan);
	so.bodies = false;
	so.absent = d->plan->options->in_place;
	so.deliver = deliver;
	so.arg = d;
	int rc = state_init(&d->state, d->plan->session, &so, &e);
	progress_start(&d->progress, &d->plan->session->loop);
	if (rc == 0) {
		state_start(&d->state);
		rc = state_run(&d->state, &e);
	}
	progress_end(&d->progress, NULL);
	return rc < 0 ? cli_fail(&e) : 0;
}

int restore_dry(const struct restore_plan *p, struct restore_figures *out)
{
	struct dry d = {.plan = p};
	int code = is_into_table(p->options) ? look_at_target(&d) : 0;
	if (code != 0)
		return code;
	code = walk(&d);
	if (code == 0) {
		struct price_requests r = requests(&d);
		if (p->options->json)
			report_json(&d, &r);
		else
			report_text(&d, &r);
	}
	*out = (struct restore_figures){.items = d.items, .bytes = d.bytes, .removed = d.absent, .missing = d.missing};
	state_fini(&d.state);
	return code;
}
