#include <stdio.h>

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
	char shown[1100];
	if (si->problem[0] != '\0') {
		d->missing++;
		progress_clear(&d->progress);
		cli_say("%s: %s", state_key(si, shown), si->problem);
	} else {
		uint64_t bytes = si->at[0].chosen->size_bytes;
		d->progress.items = ++d->items;
		d->progress.bytes = d->bytes += bytes;
		d->units += itemsize_write_units(bytes);
	}
	d->progress.seen = d->state.seen;
	state_done(si);
}

static void report(const struct restore_plan *p, const struct dry *d)
{
	const struct options *o = p->options;
	struct price_requests r = {
		.lists = d->state.ranges.pages + d->state.ranges.probes,
		.gets = d->state.fetch.heads + d->items,
		.write_units = o->to_file == NULL ? d->units : 0,
	};
	printf("read   %llu items, %llu bytes: %llu LIST requests (%llu versions), %llu questions (HEAD), %llu GET "
	       "requests\n",
	       (unsigned long long)d->items, (unsigned long long)d->bytes, (unsigned long long)r.lists,
	       (unsigned long long)d->state.ranges.versions, (unsigned long long)d->state.fetch.heads,
	       (unsigned long long)d->items);
	if (o->to_file != NULL)
		printf("write  %llu lines into %s\n", (unsigned long long)d->items, o->to_file);
	else
		printf("write  at most %llu items into table %s, at most %llu write units\n",
		       (unsigned long long)d->items, restore_target_name(p), (unsigned long long)d->units);
	if (o->in_place)
		puts("       of these only what differs; what came later is deleted; to know, the table is read");
	printf("cost   about $%.2f (%s)\n", price_dollars(&r), PRICE_BASIS);
	if (d->missing > 0)
		printf("lost   %llu items cannot be had; they are named on standard error\n",
		       (unsigned long long)d->missing);
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
