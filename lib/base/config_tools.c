#include "base/config_tools.h"

#include <stdlib.h>
#include <string.h>

#include "base/config_draft.h"
#include "base/config_file.h"
#include "base/config_keys.h"

static const struct config_key *find(const struct config_tools_value *v)
{
	for (enum config_section s = CONFIG_SECTION_DAEMON; s < CONFIG_SECTION_TABLE; s++) {
		int i = config_keys_find(s, v->key);
		if (i >= 0 && strcmp(config_section_name(s), v->section) == 0)
			return &config_keys[i];
	}
	return NULL;
}

static int take(struct config_draft *d, const struct config_tools_value *v, struct err *e)
{
	const struct config_key *k = find(v);
	const char *why = "";
	char *base = (char *)&d->extra;
	if (v->value == NULL)
		return 0;
	if (k == NULL)
		return err_set(e, ERR_INVALID, "%s: there is no key %s in [%s]", v->flag, v->key, v->section);
	if (k->target == CONFIG_IN_CONFIG)
		base = (char *)d->c;
	else if (k->target == CONFIG_IN_TABLE)
		base = (char *)&d->defaults;
	int rc = k->parse(k, v->value, base + k->offset, &why);
	if (rc == -ERR_INVALID)
		return err_set(e, ERR_INVALID, "%s: \"%s\" %s; allowed: %s", v->flag, config_file_show(v->value).text,
			       why, k->allowed);
	return rc < 0 ? config_no_memory(e, d->c) : 0;
}

static void draft_fini(struct config_draft *d)
{
	free(d->defaults.prefix);
	free(d->defaults.tenant_attribute);
	free(d->extra.endpoint_url);
}

int config_tools_new(const char *table, const struct config_tools_value *values, size_t n, struct config **out,
		     struct err *e)
{
	uint64_t no_keys = 0;
	struct config_draft d = {.c = calloc(1, sizeof(*d.c)), .table_keys = &no_keys};
	int rc = 0;
	if (d.c == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	d.c->path = strdup("command line");
	d.c->tables = calloc(1, sizeof(*d.c->tables));
	if (d.c->path == NULL || d.c->tables == NULL) {
		rc = err_set(e, ERR_SYSTEM, "out of memory");
		goto out;
	}
	d.c->ntables = 1;
	d.c->tables[0].name = strdup(table);
	if (d.c->tables[0].name == NULL)
		rc = config_no_memory(e, d.c);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = take(&d, &values[i], e);
	if (rc == 0)
		rc = config_resolve(&d, e);
out:
	draft_fini(&d);
	if (rc < 0)
		config_free(d.c);
	else
		*out = d.c;
	return rc;
}

int config_tools_override(struct config *c, const struct config_tools_value *values, size_t n, struct err *e)
{
	struct config_draft d = {.c = c};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = take(&d, &values[i], e);
	for (size_t i = 0; rc == 0 && d.extra.endpoint_url != NULL && i < CONFIG_SERVICES; i++) {
		char *url = strdup(d.extra.endpoint_url);
		if (url == NULL) {
			rc = config_no_memory(e, c);
			break;
		}
		free(c->endpoints[i]);
		c->endpoints[i] = url;
	}
	draft_fini(&d);
	return rc;
}
