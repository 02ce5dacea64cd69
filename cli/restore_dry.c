#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli.h"
#include "codec/itemsize.h"
#include "price.h"
#include "progress.h"
#include "restore.h"

struct dry {
	struct state state;
	struct progress progress;
	uint64_t items, bytes, units, missing;
};

/* The canonical text of an item is longer than what DynamoDB counts, so this is a bound from above. */
static void deliver(struct state_item *si, void *arg)
{
	struct dry *d = arg;
	const struct item_entry *chosen = si->at[0].chosen;
	const char *problem = si->problem;
	char shown[1100];
	/* No body is asked for, which would tell. */
	if (problem[0] == '\0' && chosen->archived)
		problem = "its version is archived: restore it from its storage class first";
	else if (problem[0] == '\0' && chosen->size_bytes == 0)
		problem = "its version is empty: it was written from a stream without new images";
	if (problem[0] != '\0') {
		d->missing++;
		progress_clear(&d->progress);
		cli_say("%s: %s", state_key(si, shown), problem);
	} else {
		uint64_t bytes = chosen->size_bytes;
		d->progress.items = ++d->items;
		d->progress.bytes = d->bytes += bytes;
		d->units += itemsize_write_units(bytes);
	}
	d->progress.seen = d->state.seen;
	state_done(si);
}

static struct price_requests requests(const struct restore_plan *p, const struct dry *d)
{
	const struct options *o = p->options;
	bool writes = o->to_file == NULL && o->via_import == NULL;
	return (struct price_requests){
		.lists = d->state.ranges.pages + d->state.ranges.probes,
		.gets = d->state.fetch.heads + d->items,
		.write_units = writes ? d->units : 0,
		.import_bytes = o->via_import != NULL ? d->bytes : 0,
	};
}

static void report_json(const struct restore_plan *p, const struct dry *d, const struct price_requests *r)
{
	char iso[CLOCK_ISO_SIZE];
	json_t *o =
		json_pack("{s:s, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "verb", "restore",
			  "dry_run", 1, "table", p->options->table, "at", clock_iso(iso, p->at.ms), "items",
			  (json_int_t)d->items, "bytes", (json_int_t)d->bytes, "versions",
			  (json_int_t)d->state.ranges.versions, "missing", (json_int_t)d->missing, "list_requests",
			  (json_int_t)r->lists, "head_requests", (json_int_t)d->state.fetch.heads, "get_requests",
			  (json_int_t)d->items, "write_units", (json_int_t)r->write_units, "dollars", price_dollars(r));
	if (o != NULL)
		json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void report_text(const struct restore_plan *p, const struct dry *d, const struct price_requests *r)
{
	const struct options *o = p->options;
	printf("read   %llu items, %llu bytes: %llu LIST requests (%llu versions), %llu questions (HEAD), %llu GET "
	       "requests\n",
	       (unsigned long long)d->items, (unsigned long long)d->bytes, (unsigned long long)r->lists,
	       (unsigned long long)d->state.ranges.versions, (unsigned long long)d->state.fetch.heads,
	       (unsigned long long)d->items);
	if (o->to_file != NULL)
		printf("write  %llu lines into %s\n", (unsigned long long)d->items, o->to_file);
	else if (o->via_import != NULL)
		printf("write  %llu items into %s, to be imported as table %s\n", (unsigned long long)d->items,
		       o->via_import, restore_target_name(p));
	else
		printf("write  at most %llu items into table %s, at most %llu write units\n",
		       (unsigned long long)d->items, restore_target_name(p), (unsigned long long)d->units);
	if (o->in_place)
		puts("       of these only what differs; what came later is deleted; to know, the table is read");
	printf("cost   about $%.2f (%s)\n", price_dollars(r), PRICE_BASIS);
	if (d->missing > 0)
		printf("lost   %llu items cannot be had; they are named on standard error\n",
		       (unsigned long long)d->missing);
}

static void report(const struct restore_plan *p, const struct dry *d)
{
	struct price_requests r = requests(p, d);
	if (p->options->json)
		report_json(p, d, &r);
	else
		report_text(p, d, &r);
}

int restore_dry(const struct restore_plan *p, struct restore_figures *out)
{
	struct err e;
	struct dry d = {0};
	struct state_options so = restore_state_options(p);
	so.bodies = false;
	so.deliver = deliver;
	so.arg = &d;
	int rc = state_init(&d.state, p->session, &so, &e);
	progress_start(&d.progress, &p->session->loop);
	if (rc == 0) {
		state_start(&d.state);
		rc = state_run(&d.state, &e);
	}
	progress_end(&d.progress, NULL);
	if (rc == 0)
		report(p, &d);
	*out = (struct restore_figures){.items = d.items, .bytes = d.bytes, .missing = d.missing};
	state_fini(&d.state);
	return rc < 0 ? cli_fail(&e) : 0;
}
