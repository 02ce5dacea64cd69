#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "ddb.h"
#include "fake.h"
#include "http.h"
#include "mem.h"
#include "rng.h"

const char *control_text(const json_t *c, const char *name)
{
	const char *s = json_string_value(json_object_get(c, name));
	return s ? s : "";
}

int64_t control_number(const json_t *c, const char *name, int64_t otherwise)
{
	const json_t *v = json_object_get(c, name);
	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

struct table *control_table(struct fake *f, const json_t *c, char **wrong)
{
	struct table *t = model_table(f, control_text(c, "table"));
	if (!t)
		*wrong = mem_printf("there is no table '%s'", control_text(c, "table"));
	return t;
}

static json_t *clock_json(const struct fake *f)
{
	return json_pack("{s:I, s:b}", "now_ms", (json_int_t)vclock_now_ms(&f->clock), "frozen", f->clock.frozen);
}

static json_t *do_clock(struct fake *f, const json_t *c, char **wrong)
{
	struct vclock *k = &f->clock;

	(void)wrong;
	if (json_object_get(c, "freeze"))
		vclock_freeze(k, json_is_true(json_object_get(c, "freeze")));
	if (json_object_get(c, "set_ms"))
		vclock_set_ms(k, control_number(c, "set_ms", 0));
	if (json_object_get(c, "advance_ms"))
		vclock_set_ms(k, vclock_now_ms(k) + control_number(c, "advance_ms", 0));
	if (json_object_get(c, "real_date"))
		k->real_date = json_is_true(json_object_get(c, "real_date"));
	if (json_object_get(c, "virtual_auth"))
		k->virtual_auth = json_is_true(json_object_get(c, "virtual_auth"));
	return clock_json(f);
}

static json_t *do_skew(struct fake *f, const json_t *c, char **wrong)
{
	for (int s = SERVICE_DYNAMODB; s < SERVICE_CONTROL; s++) {
		if (strcmp(service_name((enum service)s), control_text(c, "service")) == 0) {
			f->clock.skew_ms[s] = control_number(c, "ms", 0);
			return clock_json(f);
		}
	}
	*wrong = mem_printf("service: dynamodb, s3, sts or imds, not '%s'", control_text(c, "service"));
	return NULL;
}

/* Options of one table, or without "table" of all that there are and will be. */
static json_t *do_options(struct fake *f, const json_t *c, char **wrong)
{
	const json_t *set = json_object_get(c, "set");
	struct options *o = &f->defaults;

	if (*control_text(c, "table")) {
		/* A table that is not there yet may be told how it shall be. */
		o = &model_table_make(f, control_text(c, "table"))->options;
		*wrong = set ? options_set(o, set) : NULL;
	} else {
		*wrong = set ? options_set(o, set) : NULL;
		for (size_t i = 0; set && !*wrong && i < f->ntables; i++)
			*wrong = options_set(&f->tables[i]->options, set);
	}
	for (size_t i = 0; !*wrong && i < f->nstreams; i++) {
		struct stream *s = f->streams[i];
		for (size_t k = 0; k < s->n && (!*control_text(c, "table") || o == &s->table->options); k++) {
			if (json_object_get(set, "empty_pages"))
				s->shards[k]->empty_pages = (unsigned)s->table->options.empty_pages;
			if (json_object_get(set, "child_empty"))
				s->shards[k]->child_empty = (unsigned)s->table->options.child_empty;
		}
	}
	return *wrong ? NULL : options_json(o);
}

/* The next import of a table fails for this reason. */
static json_t *do_fail_import(struct fake *f, const json_t *c, char **wrong)
{
	struct table *t;

	if (!*control_text(c, "table") || !*control_text(c, "code")) {
		*wrong = mem_dup("table and code are needed");
		return NULL;
	}
	t = model_table_make(f, control_text(c, "table"));
	free(t->import_failure);
	free(t->import_reason);
	t->import_failure = mem_dup(control_text(c, "code"));
	t->import_reason = mem_dup(control_text(c, "message"));
	return json_object();
}

static json_t *do_fault(struct fake *f, const json_t *c, char **wrong)
{
	unsigned id = faults_add(&f->faults, c, f->rng, wrong);
	return id ? json_pack("{s:i}", "id", (int)id) : NULL;
}

static json_t *do_clear_faults(struct fake *f, const json_t *c, char **wrong)
{
	if (faults_remove(&f->faults, (unsigned)control_number(c, "id", 0)))
		return json_object();
	*wrong = mem_dup("there is no such fault");
	return NULL;
}

static json_t *do_held(struct fake *f, const json_t *c, char **wrong)
{
	(void)wrong;
	return json_pack("{s:I}", "held", (json_int_t)http_held(f, (unsigned)control_number(c, "id", 0)));
}

static json_t *do_release(struct fake *f, const json_t *c, char **wrong)
{
	(void)wrong;
	return json_pack("{s:I}", "released", (json_int_t)http_release(f, (unsigned)control_number(c, "id", 0)));
}

static json_t *do_faults(struct fake *f, const json_t *c, char **wrong)
{
	(void)c;
	(void)wrong;
	return json_pack("{s:o}", "faults", faults_json(&f->faults));
}

static json_t *do_credentials(struct fake *f, const json_t *c, char **wrong)
{
	const char *id = control_text(c, "id");

	if (json_is_true(json_object_get(c, "remove"))) {
		if (!auth_remove(&f->auth, id))
			*wrong = mem_printf("there is no key '%s'", id);
	} else if (!*id || !*control_text(c, "secret")) {
		*wrong = mem_dup("id and secret are needed");
	} else {
		auth_add(&f->auth, id, control_text(c, "secret"), control_text(c, "token"),
			 control_number(c, "expires_ms", 0), control_text(c, "denied"));
	}
	return *wrong ? NULL : json_object();
}

static void replace(char **at, const char *s)
{
	free(*at);
	*at = mem_dup(s);
}

/* The instance's role, and what its credentials are; they are good for every service, too. */
static json_t *do_imds(struct fake *f, const json_t *c, char **wrong)
{
	struct imds *m = &f->imds;

	(void)wrong;
	replace(&m->role, *control_text(c, "role") ? control_text(c, "role") : "fake-role");
	if (m->id)
		auth_remove(&f->auth, m->id);
	replace(&m->id, *control_text(c, "id") ? control_text(c, "id") : "ASIAFAKE");
	replace(&m->secret, *control_text(c, "secret") ? control_text(c, "secret") : "role-secret");
	replace(&m->token, *control_text(c, "token") ? control_text(c, "token") : "role-token");
	m->expires_ms = vclock_now_ms(&f->clock) + control_number(c, "expires_in_s", 6 * 3600) * 1000;
	auth_add(&f->auth, m->id, m->secret, m->token, m->expires_ms, NULL);
	return json_pack("{s:I}", "expires_ms", (json_int_t)m->expires_ms);
}

static json_t *do_reset_audit(struct fake *f, const json_t *c, char **wrong)
{
	(void)c;
	(void)wrong;
	audit_reset(&f->audit);
	return json_object();
}

static const struct {
	const char *name;
	control_fn *fn;
} commands[] = {
	{"clock", do_clock},
	{"skew", do_skew},
	{"options", do_options},
	{"s3", control_s3},
	{"version", control_version},
	{"expire_version", control_expire},
	{"change_version", control_change},
	{"swap_versions", control_swap},
	{"fail_import", do_fail_import},
	{"fault", do_fault},
	{"clear_faults", do_clear_faults},
	{"faults", do_faults},
	{"held", do_held},
	{"release", do_release},
	{"credentials", do_credentials},
	{"imds", do_imds},
	{"reset_audit", do_reset_audit},
	{"split", control_split},
	{"rotate", control_rotate},
	{"merge", control_merge},
	{"child_of_open", control_child},
	{"shard", control_shard},
	{"shards", control_shards},
	{"trim", control_trim},
	{"stream", control_stream},
	{"record", control_record},
	{"write", control_write},
	{"ttl_delete", control_ttl_delete},
};

void control_answer(struct fake *f, const struct request *r, struct reply *a)
{
	json_error_t error;
	json_t *c = json_loadb(buf_str(&r->body), r->body.len, 0, &error), *out = NULL;
	const char *name = control_text(c, "do");
	char *wrong = NULL;
	size_t i = 0, n = sizeof(commands) / sizeof(commands[0]);

	while (i < n && strcmp(commands[i].name, name) != 0)
		i++;
	if (!c)
		wrong = mem_printf("not JSON: %s", error.text);
	else if (i == n)
		wrong = mem_printf("there is no command '%s'", name);
	else
		out = commands[i].fn(f, c, &wrong);
	if (!out) {
		a->status = 400;
		out = json_pack("{s:s}", "error", wrong ? wrong : "it failed");
	}
	ddb_json(a, out);
	free(wrong);
	json_decref(c);
}
