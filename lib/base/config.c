#include "base/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_draft.h"
#include "base/config_file.h"
#include "base/config_keys.h"

#define TABLES_MAX 10000 /* more than one account has; keeps the search for doubles short */

int config_no_memory(struct err *e, const struct config *c)
{
	return err_errno(e, ENOMEM, "%s", c->path);
}

/* "[daemon]", or "[table "orders"]" for the latest table. */
static const char *heading(char out[static 96], const struct config_draft *d, enum config_section s)
{
	if (s == CONFIG_SECTION_TABLE)
		snprintf(out, 96, "[table \"%s\"]", config_file_show(d->c->tables[d->c->ntables - 1].name).text);
	else
		snprintf(out, 96, "[%s]", config_section_name(s));
	return out;
}

/* --- sections --- */

/* Amazon DynamoDB Developer Guide, "Naming rules". */
static bool is_table_name(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	const size_t len = strlen(s);
	return len >= 3 && len <= 255 && strspn(s, allowed) == len;
}

static int add_table(struct config_draft *d, int line, const char *name, struct err *e)
{
	struct config *c = d->c;
	if (!is_table_name(name))
		return config_file_fail(
			e, c->path, line,
			"[table \"%s\"] is not the name of a table; 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'",
			config_file_show(name).text);
	if (strcmp(name, CONFIG_META_FOLDER) == 0)
		return config_file_fail(e, c->path, line,
					"[table \"%s\"]: the backup's own objects lie in a folder of that name; "
					"such a table cannot be backed up",
					name);
	for (size_t i = 0; i < c->ntables; i++)
		if (strcmp(c->tables[i].name, name) == 0)
			return config_file_fail(e, c->path, line,
						"[table \"%s\"] is there twice, first on line %d; once is allowed",
						config_file_show(name).text, c->tables[i].line);
	if (c->ntables == TABLES_MAX)
		return config_file_fail(e, c->path, line, "there are too many tables; up to %d are allowed",
					TABLES_MAX);
	/* Both grow when the number is a power of two. */
	if ((c->ntables & (c->ntables - 1)) == 0) {
		size_t room = c->ntables ? c->ntables * 2 : 1;
		struct config_table *tables = reallocarray(c->tables, room, sizeof(*tables));
		if (tables)
			c->tables = tables;
		uint64_t *keys = reallocarray(d->table_keys, room, sizeof(*keys));
		if (keys)
			d->table_keys = keys;
		if (!tables || !keys)
			return config_no_memory(e, c);
	}
	char *copy = strdup(name);
	if (!copy)
		return config_no_memory(e, c);
	c->tables[c->ntables] = (struct config_table){.name = copy, .line = line};
	d->table_keys[c->ntables++] = 0;
	return 0;
}

static int unknown_section(const struct config_draft *d, int line, const char *text, struct err *e)
{
	const char *near = config_section_near(text);
	if (strncmp(text, "table", 5) == 0)
		return config_file_fail(e, d->c->path, line,
					"[%s]: a table's name stands in double quotes; write [table \"NAME\"]",
					config_file_show(text).text);
	if (near)
		return config_file_fail(e, d->c->path, line, "[%s] is not a section; did you mean [%s]?",
					config_file_show(text).text, near);
	return config_file_fail(e, d->c->path, line,
				"[%s] is not a section; allowed are [daemon], [aws], [s3] and [table \"NAME\"]",
				config_file_show(text).text);
}

static int take_section(void *user, int line, const char *text, struct err *e)
{
	struct config_draft *d = user;
	const size_t len = strlen(text);
	const size_t quote = strcspn(text, "\"");
	if (strncmp(text, "table", 5) == 0 && quote == 5 + strspn(text + 5, " \t") && len >= quote + 2 &&
	    text[len - 1] == '"') {
		char *name = strndup(text + quote + 1, len - quote - 2);
		if (!name)
			return config_no_memory(e, d->c);
		int result = add_table(d, line, name, e);
		free(name);
		if (result < 0)
			return result;
		d->section = CONFIG_SECTION_TABLE;
		for (size_t i = 0; i < config_keys_count; i++)
			if (config_keys[i].section == CONFIG_SECTION_TABLE)
				d->key_lines[i] = 0;
		d->section_lines[d->section] = line;
		return 0;
	}
	for (enum config_section s = CONFIG_SECTION_DAEMON; s < CONFIG_SECTION_TABLE; s++) {
		if (strcmp(text, config_section_name(s)) != 0)
			continue;
		if (d->section_lines[s])
			return config_file_fail(e, d->c->path, line,
						"[%s] is there twice, first on line %d; once is allowed", text,
						d->section_lines[s]);
		d->section = s;
		d->section_lines[s] = line;
		return 0;
	}
	return unknown_section(d, line, text, e);
}

/* --- keys --- */

static int unknown_key(const struct config_draft *d, int line, const char *key, struct err *e)
{
	char head[96], names[200];
	size_t len = 0;
	const char *near = config_keys_near(d->section, key);
	heading(head, d, d->section);
	if (near)
		return config_file_fail(e, d->c->path, line, "%s %s: unknown key; did you mean %s?", head,
					config_file_show(key).text, near);
	for (enum config_section s = CONFIG_SECTION_DAEMON; s < CONFIG_SECTION_COUNT; s++)
		if (config_keys_find(s, key) >= 0)
			return config_file_fail(e, d->c->path, line, "%s %s: unknown key; it belongs to [%s]", head,
						key, config_section_name(s));
	for (size_t i = 0; i < config_keys_count && len < sizeof(names); i++)
		if (config_keys[i].section == d->section)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
						config_keys[i].name);
	return config_file_fail(e, d->c->path, line, "%s %s: unknown key; allowed are %s", head,
				config_file_show(key).text, names);
}

static void *target(struct config_draft *d, const struct config_key *k)
{
	switch (k->target) {
	case CONFIG_IN_CONFIG:
		return (char *)d->c + k->offset;
	case CONFIG_IN_TABLE: {
		struct config_table *t =
			k->section == CONFIG_SECTION_TABLE ? &d->c->tables[d->c->ntables - 1] : &d->defaults;
		return (char *)t + k->offset;
	}
	case CONFIG_IN_EXTRA:
		break;
	}
	return (char *)&d->extra + k->offset;
}

static int take_key(void *user, int line, const char *key, const char *value, struct err *e)
{
	struct config_draft *d = user;
	char head[96];
	const char *why = "";
	if (d->section == CONFIG_SECTION_NONE)
		return config_file_fail(e, d->c->path, line, "%s: a key before the first section; start with [daemon]",
					config_file_show(key).text);
	int i = config_keys_find(d->section, key);
	if (i < 0)
		return unknown_key(d, line, key, e);
	const struct config_key *k = &config_keys[i];
	if (d->key_lines[i])
		return config_file_fail(e, d->c->path, line, "%s %s: is there twice, first on line %d; once is allowed",
					heading(head, d, d->section), key, d->key_lines[i]);
	int result = k->parse(k, value, target(d, k), &why);
	if (result == -ERR_INVALID)
		return config_file_fail(e, d->c->path, line, "%s %s: \"%s\" %s; allowed: %s",
					heading(head, d, d->section), key, config_file_show(value).text, why,
					k->allowed);
	if (result < 0)
		return config_no_memory(e, d->c);
	d->key_lines[i] = line;
	if (d->section == CONFIG_SECTION_TABLE)
		d->table_keys[d->c->ntables - 1] |= UINT64_C(1) << i;
	return 0;
}

/* --- the whole --- */

static void table_fini(struct config_table *t)
{
	free(t->name);
	free(t->prefix);
	free(t->tenant_attribute);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->ntables; i++)
		table_fini(&c->tables[i]);
	free(c->tables);
	for (size_t i = 0; i < CONFIG_SERVICES; i++)
		free(c->endpoints[i]);
	free(c->path);
	free(c->state_dir);
	free(c->listen_host);
	free(c->region);
	free(c->profile);
	free(c->imds_endpoint);
	free(c->ca_bundle);
	free(c->bucket);
	free(c);
}

static struct config *new_with_defaults(const char *path)
{
	struct config *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct config){
		.path = strdup(path),
		.listen_port = 9464,
		.log_level = LOG_LEVEL_INFO,
		.workers = 64,
		.memory_limit_bytes = UINT64_C(64) << 20,
		.checkpoint_interval_ms = 1000,
		.watermark_interval_ms = 60000,
		.discovery_interval_ms = 60000,
		.settings_interval_ms = 600000,
		.poll_interval_ms = 2000,
		.stop_timeout_ms = 30000,
		.rpo_ms = 30 * 60000,
	};
	if (!c->path) {
		free(c);
		return NULL;
	}
	return c;
}

int config_load(const char *path, struct config **out, struct err *e)
{
	struct config_draft d = {.c = new_with_defaults(path)};
	const struct config_file_sink sink = {.user = &d, .section = take_section, .key = take_key};
	if (!d.c)
		return err_errno(e, ENOMEM, "%s", path);
	int result = config_file_read(path, &sink, e);
	if (result == 0)
		result = config_resolve(&d, e);
	if (result == 0)
		result = config_check(&d, e);
	table_fini(&d.defaults);
	free(d.extra.endpoint_url);
	free(d.table_keys);
	if (result < 0)
		config_free(d.c);
	else
		*out = d.c;
	return result;
}

static char *join3(const char *a, const char *b, const char *c)
{
	char *s;
	return asprintf(&s, "%s%s%s/", a, b, c) < 0 ? NULL : s;
}

char *config_data_path(const struct config_table *t)
{
	return join3(t->prefix, "", t->name);
}

char *config_meta_path(const struct config_table *t)
{
	return join3(t->prefix, CONFIG_META_FOLDER "/", t->name);
}
