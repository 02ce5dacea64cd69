#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "rng.h"

static char *text_of(const json_t *rule, const char *name)
{
	const char *s = json_string_value(json_object_get(rule, name));
	return s ? mem_dup(s) : NULL;
}

static int64_t number_of(const json_t *rule, const char *name, int64_t otherwise)
{
	const json_t *v = json_object_get(rule, name);
	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

static const char *const members[] = {"do",	  "service",	  "op",	      "table",	       "shard",	   "key",
				      "iterator", "skip",	  "nth",      "count",	       "p",	   "seed",
				      "status",	  "code",	  "message",  "retry_after_s", "delay_ms", "when",
				      "reset",	  "never",	  "truncate", "slow_bytes",    "slow_ms",  "garbage",
				      "crc",	  "date_skew_ms", "name",     "hold"};

/* A misspelt member would be a fault that never comes, and a test that shows nothing. */
static char *check_members(const json_t *rule)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)rule, name, value)
	{
		bool known = false;
		for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
			known = known || strcmp(name, members[i]) == 0;
		if (!known)
			return mem_printf("a fault has no member '%s'", name);
	}
	return NULL;
}

static bool is(const json_t *rule, const char *name, const char *value)
{
	const char *s = json_string_value(json_object_get(rule, name));
	return s && strcmp(s, value) == 0;
}

static void read_fate(struct fate *fate, const json_t *rule)
{
	int64_t delay_ms = number_of(rule, "delay_ms", 0);
	const char *code = json_string_value(json_object_get(rule, "code"));
	const char *message = json_string_value(json_object_get(rule, "message"));

	fate->status = (int)number_of(rule, "status", 0);
	snprintf(fate->code, sizeof(fate->code), "%s", code ? code : "InternalServerError");
	snprintf(fate->message, sizeof(fate->message), "%s", message ? message : "A fault by rule");
	fate->retry_after_s = (int)number_of(rule, "retry_after_s", 0);
	if (is(rule, "when", "before"))
		fate->delay_before_ms = delay_ms;
	else
		fate->delay_after_ms = delay_ms;
	fate->reset_before = is(rule, "reset", "before");
	fate->reset_after = is(rule, "reset", "after");
	fate->never_before = is(rule, "never", "before");
	fate->never_after = is(rule, "never", "after");
	fate->hold_before = is(rule, "hold", "before");
	fate->hold_after = is(rule, "hold", "after");
	fate->truncate_bytes = number_of(rule, "truncate", -1);
	fate->slow_bytes = (int)number_of(rule, "slow_bytes", 0);
	fate->slow_ms = (int)number_of(rule, "slow_ms", 100);
	fate->garbage = json_is_true(json_object_get(rule, "garbage"));
	fate->has_crc = json_is_string(json_object_get(rule, "crc"));
	fate->crc = is(rule, "crc", "wrong") ? CRC_WRONG : is(rule, "crc", "absent") ? CRC_ABSENT : CRC_RIGHT;
	fate->date_skew_ms = number_of(rule, "date_skew_ms", 0);
}

unsigned faults_add(struct faults *f, const json_t *rule, uint64_t seed, char **wrong)
{
	*wrong = check_members(rule);
	if (*wrong)
		return 0;
	struct rule *r = mem_new(sizeof(*r));
	r->id = r->fate.rule = ++f->last_id;
	r->service = text_of(rule, "service");
	r->op = text_of(rule, "op");
	r->table = text_of(rule, "table");
	r->shard = text_of(rule, "shard");
	r->key = text_of(rule, "key");
	r->iterator_type = text_of(rule, "iterator");
	r->skip = number_of(rule, "skip", 0);
	r->nth = number_of(rule, "nth", 0);
	r->count = number_of(rule, "count", r->nth ? 1 : -1);
	json_t *p = json_object_get(rule, "p");
	r->p = p ? json_number_value(p) : 1;
	r->rng = (uint64_t)number_of(rule, "seed", (int64_t)(seed + r->id));
	read_fate(&r->fate, rule);
	mem_reserve(&f->rules, &f->cap, f->n + 1, sizeof(*f->rules));
	f->rules[f->n++] = r;
	return r->id;
}

static void rule_free(struct rule *r)
{
	free(r->service);
	free(r->op);
	free(r->table);
	free(r->shard);
	free(r->key);
	free(r->iterator_type);
	free(r);
}

bool faults_remove(struct faults *f, unsigned id)
{
	size_t kept = 0;
	bool found = id == 0;

	for (size_t i = 0; i < f->n; i++) {
		if (id == 0 || f->rules[i]->id == id) {
			found = true;
			rule_free(f->rules[i]);
		} else {
			f->rules[kept++] = f->rules[i];
		}
	}
	f->n = kept;
	return found;
}

json_t *faults_json(const struct faults *f)
{
	json_t *all = json_array();

	for (size_t i = 0; i < f->n; i++) {
		const struct rule *r = f->rules[i];
		json_array_append_new(all, json_pack("{s:i, s:s?, s:I, s:I, s:I}", "id", (int)r->id, "op", r->op,
						     "matched", (json_int_t)r->matched, "hits", (json_int_t)r->hits,
						     "left", (json_int_t)r->count));
	}
	return all;
}

static bool equal(const char *wanted, const char *s)
{
	return !wanted || strcmp(wanted, s) == 0;
}

static bool part(const char *wanted, const char *s)
{
	return !wanted || strstr(s, wanted);
}

static bool matches(const struct rule *r, const struct request *q)
{
	return equal(r->service, service_name(q->service)) && equal(r->op, q->op) && part(r->table, q->table) &&
	       part(r->shard, q->shard) && part(r->key, q->key) &&
	       (!r->iterator_type || (q->iterator_type && strcmp(r->iterator_type, q->iterator_type) == 0));
}

static bool fires(struct rule *r)
{
	uint64_t number = ++r->matched;

	if (r->count == 0 || (r->nth && number != (uint64_t)r->nth) || number <= (uint64_t)r->skip)
		return false;
	if (r->p < 1 && rng_unit(&r->rng) >= r->p)
		return false;
	if (r->count > 0)
		r->count--;
	r->hits++;
	return true;
}

void faults_choose(struct faults *f, const struct request *r, struct fate *out)
{
	*out = (struct fate){.truncate_bytes = -1};
	for (size_t i = 0; i < f->n; i++) {
		if (matches(f->rules[i], r) && fires(f->rules[i])) {
			*out = f->rules[i]->fate;
			return;
		}
	}
}
