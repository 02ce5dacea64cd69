#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "heal.h"
#include "look.h"
#include "verify.h"

struct again {
	struct findings *findings;
	bool no_memory;
};

static void on_looked(const struct look_result *r, void *arg)
{
	struct again *a = arg;
	if (!r->equal && findings_add(a->findings, r->kind, r->name, r->keys, "%s", r->detail) < 0)
		a->no_memory = true;
}

/* The items that differed, one by one. */
static int look_again(struct verify *v, const struct findings *before, struct err *e)
{
	struct again a = {.findings = &v->live};
	const struct looks_options o = {
		.session = v->session,
		.table = v->options->table,
		.schema = &v->schema,
		.since_ms = CLOCK_UNKNOWN,
		.settled = on_looked,
		.arg = &a,
	};
	struct looks *l = looks_new(&o, e);
	if (l == NULL)
		return -(int)e->class;
	int rc = 0;
	for (size_t i = 0; i < before->nnamed && rc == 0; i++) {
		const struct finding *f = &before->named[i];
		const struct span name = {f->object, f->object_len};
		const struct span keys = {f->keys, f->keys != NULL ? strlen(f->keys) : 0};
		rc = looks_add(l, name, keys, NULL, e);
		if (rc == 0)
			rc = looks_drain(l, LOOK_MAX, e);
	}
	if (rc == 0)
		rc = looks_drain(l, 1, e);
	if (rc == 0 && a.no_memory)
		rc = err_set(e, ERR_SYSTEM, "out of memory");
	struct look_figures f = looks_figures(l);
	v->compared.looks.gets += f.gets;
	v->compared.looks.lists += f.lists;
	v->compared.looks.marks += f.marks;
	v->compared.read_units += f.read_units;
	looks_free(l);
	return rc;
}

static int verify_again(struct verify *v, struct err *e)
{
	struct findings before = v->live;
	v->live = (struct findings){.on_named = before.on_named, .arg = before.arg};
	v->found_before = findings_total(&before);
	/* Those that were not named are found by looking at all. */
	int rc = v->found_before > before.nnamed ? verify_live(v, e) : look_again(v, &before, e);
	findings_fini(&before);
	return rc;
}

static void tell(const struct verify *v)
{
	uint64_t left = findings_total(&v->live), past = findings_total(&v->past);
	cli_say("repaired: of %llu differences %llu are left", (unsigned long long)v->found_before,
		(unsigned long long)left);
	if (past > 0)
		cli_say("%llu findings are of histories: no baseline can mend those, and restores to times that they "
			"touch "
			"may not be exact",
			(unsigned long long)past);
}

int verify_repair(struct verify *v)
{
	struct heal h = {.session = v->session, .table = v->options->table};
	struct err e;
	if (!v->options->json)
		cli_say("%llu differences; asking the daemon for a baseline",
			(unsigned long long)findings_total(&v->live));
	int code = heal_look(&h);
	if (code == 0)
		code = heal_request(&h, v->units_per_s);
	if (code == 0)
		code = heal_follow(&h);
	if (code == 0 && verify_again(v, &e) < 0)
		code = cli_fail(&e);
	if (code != 0)
		return code;
	v->repaired = true;
	v->baseline = h.seen;
	tell(v);
	return 0;
}
