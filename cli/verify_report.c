#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli.h"
#include "price.h"
#include "tables_size.h"
#include "verify.h"

static uint64_t lists(const struct verify *v)
{
	return v->bucket.figures.requests + v->compared.looks.lists + v->read.lists;
}

static uint64_t gets(const struct verify *v)
{
	return v->compared.looks.gets + v->compared.looks.marks + v->read.gets;
}

/* "3 missing, 1 extra". */
static void tell_counts(const struct verify *v, char *out, size_t size)
{
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < FINDING_KINDS && n < size; i++) {
		uint64_t count = v->live.counts[i] + v->past.counts[i];
		if (count > 0)
			n += (size_t)snprintf(out + n, size - n, "%s%llu %s", n > 0 ? ", " : "",
					      (unsigned long long)count, finding_name((enum finding_kind)i));
	}
}

static uint64_t not_canonical(const struct verify *v)
{
	return v->compared.foreign_form + v->read.foreign_form;
}

static void report_text(const struct verify *v, uint64_t total)
{
	char counts[400];
	uint64_t named = v->live.nnamed + v->past.nnamed;
	tell_counts(v, counts, sizeof(counts));
	if (v->options->deep)
		cli_say("histories: %llu items, %llu versions and markers, %llu deletes objects",
			(unsigned long long)v->read.items, (unsigned long long)v->read.versions,
			(unsigned long long)v->read.removals);
	if (v->read.foreign > 0)
		cli_say("%llu versions are of another tool, from before this backup",
			(unsigned long long)v->read.foreign);
	if (not_canonical(v) > 0)
		cli_say("%llu bodies are equal to their items, but not in canonical form: they are read each time",
			(unsigned long long)not_canonical(v));
	if (total > named)
		cli_say("%llu further findings are counted, and not named", (unsigned long long)(total - named));
	cli_say("table %s: %llu items, %llu objects: %s%s in %.1f s; %llu LIST and %llu GET requests, %.0f read units",
		v->options->table, (unsigned long long)v->compared.items, (unsigned long long)v->compared.objects,
		total > 0 ? "" : "no difference", counts, (double)(v->ended_ms - v->began_ms) / 1000,
		(unsigned long long)lists(v), (unsigned long long)gets(v), v->compared.read_units);
}

static json_t *counts_json(const struct verify *v)
{
	struct findings both = {0};
	for (size_t i = 0; i < FINDING_KINDS; i++)
		both.counts[i] = v->live.counts[i] + v->past.counts[i];
	return findings_counts_json(&both);
}

static json_t *findings_both(const struct verify *v)
{
	json_t *all = findings_json(&v->live), *past = findings_json(&v->past);
	if (all != NULL && (past == NULL || json_array_extend(all, past) < 0)) {
		json_decref(all);
		all = NULL;
	}
	json_decref(past);
	return all;
}

static json_t *sample_json(const struct verify *v)
{
	if (v->options->sample == NULL)
		return json_null();
	return json_pack("{s:f,s:s}", "percent", v->sample.part * 100, "seed", v->sample.seed);
}

static json_t *repair_json(const struct verify *v)
{
	if (!v->repaired)
		return json_null();
	return json_pack("{s:I,s:o}", "found_before", (json_int_t)v->found_before, "baseline",
			 watermark_baseline_json(&v->baseline));
}

static void report_json(const struct verify *v, uint64_t total)
{
	char began[CLOCK_ISO_SIZE], ended[CLOCK_ISO_SIZE];
	uint64_t named = v->live.nnamed + v->past.nnamed;
	json_t *r =
		json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:b,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:o,s:o,s:I,s:o}",
			  "verb", "verify", "table", v->options->table, "outcome", total > 0 ? "different" : "equal",
			  "began", clock_iso(began, v->began_ms), "ended", clock_iso(ended, v->ended_ms),
			  "complete_through", watermark_time_json(v->has_mark ? v->mark.complete_ms : CLOCK_UNKNOWN),
			  "deep", (int)v->options->deep, "sample", sample_json(v), "items",
			  (json_int_t)v->compared.items, "objects", (json_int_t)v->compared.objects, "looked_again",
			  (json_int_t)v->compared.looks.looks, "versions", (json_int_t)v->read.versions, "removals",
			  (json_int_t)v->read.removals, "foreign_versions", (json_int_t)v->read.foreign,
			  "not_canonical", (json_int_t)not_canonical(v), "list_requests", (json_int_t)lists(v),
			  "get_requests", (json_int_t)gets(v), "read_units", v->compared.read_units, "found",
			  counts_json(v), "findings", findings_both(v), "not_named", (json_int_t)(total - named),
			  "repair", repair_json(v));
	if (r != NULL)
		json_dumpf(r, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(r);
}

int verify_report(struct verify *v)
{
	uint64_t total = findings_total(&v->live) + findings_total(&v->past);
	fflush(stdout);
	if (v->options->json)
		report_json(v, total);
	else
		report_text(v, total);
	if (fflush(stdout) != 0) {
		cli_say("standard output could not be written");
		return EX_IOERR;
	}
	return total > 0 ? CLI_INCOMPLETE : 0;
}

/* --- a look ahead --- */

static int on_name(const struct names_object *o, void *arg, struct err *e)
{
	(void)o;
	(void)arg;
	(void)e;
	return 0;
}

/* The bucket is listed for it; what is read of it is then known, if all is equal, and about what the table has. */
int verify_dry(struct verify *v)
{
	struct session *s = v->session;
	struct tables_size size = {0};
	struct names_figures names = {0};
	struct err e;
	int rc = names_each(s, on_name, NULL, &names, &e);
	if (rc == 0 && v->options->deep)
		rc = tables_size(s, s->data_path, s->deletes_path, &size, &e);
	if (rc < 0)
		return cli_fail(&e);
	uint64_t all = size.items + size.older + size.removals;
	const struct price_requests r = {
		.lists = names.requests + size.requests,
		.gets = (uint64_t)((double)all * v->sample.part) + 2,
		.read_units = names.bytes / 4096 + names.requests,
	};
	if (v->options->json) {
		json_t *o = json_pack("{s:s,s:b,s:s,s:I,s:I,s:I,s:I,s:I,s:f}", "verb", "verify", "dry_run", 1, "table",
				      v->options->table, "objects", (json_int_t)names.objects, "bytes",
				      (json_int_t)names.bytes, "list_requests", (json_int_t)r.lists, "get_requests",
				      (json_int_t)r.gets, "read_units", (json_int_t)r.read_units, "dollars",
				      price_dollars(&r));
		if (o != NULL)
			json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
		return 0;
	}
	printf("list   %llu objects, %llu bytes: %llu LIST requests\n", (unsigned long long)names.objects,
	       (unsigned long long)names.bytes, (unsigned long long)r.lists);
	printf("read   the table: about %llu read units; %llu GET requests, and a few for each item that differs\n",
	       (unsigned long long)r.read_units, (unsigned long long)r.gets);
	printf("cost   about $%.2f (%s)\n", price_dollars(&r), PRICE_BASIS);
	return 0;
}
