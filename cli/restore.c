#include "restore.h"

#include <string.h>

#include "base/clock.h"

struct state_options restore_state_options(const struct restore_plan *p)
{
	return (struct state_options){
		.at = {p->at},
		.ntimes = 1,
		.since_ms = p->since_ms,
		.bodies = true,
		.prefix = buf_str(&p->narrow->prefix),
		.exact = p->narrow->exact,
		.bounds = p->resumed ? p->journal->bounds : NULL,
		.nbounds = p->resumed ? p->journal->nbounds : 0,
	};
}

struct restore_figures restore_figures_before(const struct restore_plan *p)
{
	const struct journal *j = p->journal;
	if (!p->resumed)
		return (struct restore_figures){0};
	return (struct restore_figures){.items = j->items, .bytes = j->bytes, .missing = j->missing};
}

uint64_t restore_expected(const struct restore_plan *p, const struct schema *sc)
{
	return narrow_is_part(p->narrow) || p->since_ms != CLOCK_UNKNOWN ? 0 : schema_item_count(sc);
}

const char *restore_target_name(const struct restore_plan *p)
{
	return p->options->to_table != NULL ? p->options->to_table : p->options->table;
}

json_t *restore_what(const struct session *s, const struct options *o)
{
	static const char *const formats[] = {"path", "md5", "sha256", "plain"}; /* by enum key_format */
	const struct {
		const char *name, *value;
	} parts[] = {
		{"bucket", s->conf->bucket},
		{"prefix", s->table->prefix},
		{"key_format", formats[s->table->key_format]},
		{"tenant_attribute", s->table->tenant_attribute},
		{"--table", o->table},
		{"--at", o->at},
		{"--at-seq", o->at_seq},
		{"--since", o->since},
		{"--key", o->key},
		{"--key-value", o->key_value},
		{"--key-value RANGE", o->key_range},
		{"--hash", o->hash},
		{"--prefix", o->prefix},
		{"--tenant", o->tenant},
		{"--to-file", o->to_file},
		{"--to-table", o->to_table},
		{"--to-region", o->to_region},
		{"--via-import", o->via_import},
		{"--to", o->to},
		{"--format", o->format},
		{"--in-place", o->in_place ? "yes" : NULL},
	};
	json_t *what = json_object();
	for (size_t i = 0; what != NULL && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (json_object_set_new(what, parts[i].name, json_string(parts[i].value ? parts[i].value : "")) < 0) {
			json_decref(what);
			what = NULL;
		}
	}
	return what;
}
