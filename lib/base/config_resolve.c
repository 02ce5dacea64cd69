#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_draft.h"
#include "base/config_file.h"

#define BASELINE_SEGMENTS 4
#define TABLE_MEMORY_BYTES (UINT64_C(2) << 20)

/* --- what the file leaves open --- */

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

typedef int parse_fn(const struct config_key *k, const char *value, void *field, const char **why);

/* When `*field` is NULL yet, it becomes the value of the variable, if that is set. */
static int from_environment(const struct config_draft *d, char **field, const char *name, parse_fn *parse,
			    const char *allowed, struct err *e)
{
	const char *value = environment(name), *why = "";
	if (*field || !value)
		return 0;
	int result = parse(NULL, value, field, &why);
	if (result == -ERR_INVALID)
		return err_set(e, ERR_INVALID, "environment variable %s: \"%s\" %s; allowed: %s", name,
			       config_file_show(value).text, why, allowed);
	return result < 0 ? config_no_memory(e, d->c) : 0;
}

static int keep_text(const struct config_key *k, const char *value, void *field, const char **why)
{
	char **to = field;
	(void)k;
	(void)why;
	*to = strdup(value);
	return *to ? 0 : -ERR_SYSTEM;
}

/* systemd.exec(5): several directories are separated by colons. */
static int first_directory(const struct config_key *k, const char *value, void *field, const char **why)
{
	char *first = strndup(value, strcspn(value, ":"));
	if (!first)
		return -ERR_SYSTEM;
	int result = config_parse_directory(k, first, field, why);
	free(first);
	return result;
}

/* AWS SDKs and Tools Reference Guide, "Service-specific endpoints". */
static int resolve_endpoints(struct config_draft *d, struct err *e)
{
	static const char *const variables[CONFIG_SERVICES] = {
		[CONFIG_S3] = "AWS_ENDPOINT_URL_S3",
		[CONFIG_DYNAMODB] = "AWS_ENDPOINT_URL_DYNAMODB",
		[CONFIG_STREAMS] = "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
		[CONFIG_STS] = "AWS_ENDPOINT_URL_STS",
		[CONFIG_SCALING] = "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING",
	};
	const char *ignore = environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	const bool ignored = ignore && strcasecmp(ignore, "true") == 0;
	for (size_t i = 0; i < CONFIG_SERVICES; i++) {
		char **field = &d->c->endpoints[i];
		if (!*field && d->extra.endpoint_url) {
			*field = strdup(d->extra.endpoint_url);
			if (!*field)
				return config_no_memory(e, d->c);
		}
		if (ignored)
			continue;
		int result = from_environment(d, field, variables[i], config_parse_url, config_allowed_url, e);
		if (result == 0)
			result =
				from_environment(d, field, "AWS_ENDPOINT_URL", config_parse_url, config_allowed_url, e);
		if (result < 0)
			return result;
	}
	return 0;
}

static int resolve_strings(struct config_draft *d, struct err *e)
{
	struct config *c = d->c;
	const struct {
		char **field;
		const char *variable;
		parse_fn *parse;
		const char *allowed;
	} sources[] = {
		{&c->state_dir, "STATE_DIRECTORY", first_directory, config_allowed_directory},
		{&c->region, "AWS_REGION", config_parse_region, config_allowed_region},
		{&c->region, "AWS_DEFAULT_REGION", config_parse_region, config_allowed_region},
		{&c->profile, "AWS_PROFILE", keep_text, ""},
		{&c->ca_bundle, "AWS_CA_BUNDLE", keep_text, ""},
		{&c->imds_endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT", config_parse_url, config_allowed_url},
	};
	const struct {
		char **field;
		const char *value;
	} defaults[] = {
		{&c->state_dir, "/var/lib/ddb-streamd"}, {&c->imds_endpoint, "http://169.254.169.254"},
		{&c->listen_host, "127.0.0.1"},		 {&d->defaults.prefix, ""},
		{&d->defaults.tenant_attribute, ""},
	};
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		int result = from_environment(d, sources[i].field, sources[i].variable, sources[i].parse,
					      sources[i].allowed, e);
		if (result < 0)
			return result;
	}
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (!*defaults[i].field && !(*defaults[i].field = strdup(defaults[i].value)))
			return config_no_memory(e, c);
	return 0;
}

static bool has_key(uint64_t keys, const char *name)
{
	int i = config_keys_find(CONFIG_SECTION_TABLE, name);
	return i >= 0 && (keys >> i & 1);
}

static int inherit(const struct config_draft *d, struct config_table *t, uint64_t keys, struct err *e)
{
	if (!has_key(keys, "baseline_segments"))
		t->baseline_segments = BASELINE_SEGMENTS;
	if (!has_key(keys, "key_format"))
		t->key_format = d->defaults.key_format;
	if (!has_key(keys, "rpo"))
		t->rpo_ms = d->c->rpo_ms;
	if (!t->prefix && !(t->prefix = strdup(d->defaults.prefix)))
		return config_no_memory(e, d->c);
	if (!t->tenant_attribute && !(t->tenant_attribute = strdup(d->defaults.tenant_attribute)))
		return config_no_memory(e, d->c);
	if (!*t->tenant_attribute) {
		free(t->tenant_attribute);
		t->tenant_attribute = NULL;
	}
	return 0;
}

int config_resolve(struct config_draft *d, struct err *e)
{
	int result = resolve_strings(d, e);
	if (result == 0)
		result = resolve_endpoints(d, e);
	for (size_t i = 0; result == 0 && i < d->c->ntables; i++)
		result = inherit(d, &d->c->tables[i], d->table_keys[i], e);
	return result;
}

/* --- checks across keys --- */

struct place {
	char *path;
	const char *what;
	const struct config_table *table;
};

static int compare_places(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->path, ((const struct place *)b)->path);
}

/*
 * In sorted order every path that lies under another follows it with only such paths in between, so neighbours tell
 * all. A table's own two paths never lie under each other, since no table has the name of the meta folder.
 */
static int check_places(const struct config *c, struct err *e)
{
	const size_t n = c->ntables * 2;
	int result = 0;
	struct place *places = calloc(n, sizeof(*places));
	if (!places)
		return config_no_memory(e, c);
	for (size_t i = 0; i < n; i++) {
		const struct config_table *t = &c->tables[i / 2];
		places[i].table = t;
		places[i].what = i % 2 ? "deletes and watermark" : "items";
		places[i].path = i % 2 ? config_meta_path(t) : config_data_path(t);
		if (!places[i].path) {
			result = config_no_memory(e, c);
			goto out;
		}
	}
	qsort(places, n, sizeof(*places), compare_places);
	for (size_t i = 1; i < n; i++) {
		const struct place *a = &places[i - 1], *b = &places[i];
		if (strncmp(a->path, b->path, strlen(a->path)) != 0)
			continue;
		result =
			config_file_fail(e, c->path, b->table->line,
					 "[table \"%s\"] prefix: its %s would lie at \"%s\", among the %s of "
					 "[table \"%s\"] (line %d); give one of the two another prefix",
					 config_file_show(b->table->name).text, b->what, config_file_show(b->path).text,
					 a->what, config_file_show(a->table->name).text, a->table->line);
		break;
	}
out:
	for (size_t i = 0; i < n; i++)
		free(places[i].path);
	free(places);
	return result;
}

/* The longest name that an item's object needs behind the path of the deletes: two digests of 65 bytes, and '/'. */
#define ITEM_KEY_BYTES 131
/* A tenant's folder with its '/', see codec/itemkey.h. */
#define TENANT_BYTES 257
#define S3_KEY_BYTES 1024

/* A prefix that leaves no room for an item's name would be noticed at the first long key, in the middle of the night. */
static int check_room(const struct config *c, struct err *e)
{
	for (size_t i = 0; i < c->ntables; i++) {
		const struct config_table *t = &c->tables[i];
		size_t need = ITEM_KEY_BYTES + (t->tenant_attribute ? TENANT_BYTES : 0);
		char *path = config_meta_path(t);
		if (!path)
			return config_no_memory(e, c);
		size_t used = strlen(path) + strlen("deletes/");
		free(path);
		if (used + need > S3_KEY_BYTES)
			return config_file_fail(
				e, c->path, t->line,
				"[table \"%s\"] prefix: leaves no room for the names of items, which S3 "
				"keeps to 1,024 bytes in all; allowed for this table: %zu bytes",
				config_file_show(t->name).text, strlen(t->prefix) + S3_KEY_BYTES - used - need);
	}
	return 0;
}

int config_check(const struct config_draft *d, struct err *e)
{
	const struct config *c = d->c;
	const uint64_t least = c->ntables * TABLE_MEMORY_BYTES;
	if (!c->bucket)
		return config_file_fail(e, c->path, d->section_lines[CONFIG_SECTION_S3],
					"[s3] bucket: is missing; name the bucket that the backup goes to");
	if (c->ntables == 0)
		return config_file_fail(
			e, c->path, 0,
			"[table \"NAME\"]: is missing; there must be one such section for each table to back up");
	if (c->memory_limit_bytes < least)
		return config_file_fail(
			e, c->path, d->key_lines[config_keys_find(CONFIG_SECTION_DAEMON, "memory_limit")],
			"[daemon] memory_limit: too little for %zu tables, which need 2MiB each; allowed: "
			"%zuMiB to 64GiB",
			c->ntables, (size_t)(least >> 20));
	const int result = check_room(c, e);
	return result < 0 ? result : check_places(c, e);
}
