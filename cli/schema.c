#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli.h"

#define TEXT_MAX ((size_t)16 << 20)

static const char *type_of(const json_t *definitions, const char *name)
{
	size_t i;
	const json_t *d;
	json_array_foreach(definitions, i, d)
	{
		const char *defined = json_string_value(json_object_get(d, "AttributeName"));
		const char *type = json_string_value(json_object_get(d, "AttributeType"));
		if (defined != NULL && type != NULL && strcmp(defined, name) == 0 && strlen(type) == 1 &&
		    strchr("SNB", type[0]) != NULL)
			return type;
	}
	return NULL;
}

static int read_key(struct schema *sc, struct err *e)
{
	size_t i;
	const json_t *part, *parts = json_object_get(sc->table, "KeySchema");
	json_array_foreach(parts, i, part)
	{
		const char *name = json_string_value(json_object_get(part, "AttributeName"));
		const char *role = json_string_value(json_object_get(part, "KeyType"));
		bool range = role != NULL && strcmp(role, "RANGE") == 0;
		if (name == NULL || role == NULL || (!range && strcmp(role, "HASH") != 0) || sc->names[range] != NULL)
			return err_set(e, ERR_CORRUPT, "Table.KeySchema is not one HASH and at most one RANGE");
		sc->names[range] = name;
		sc->types[range] = type_of(json_object_get(sc->table, "AttributeDefinitions"), name);
		if (sc->types[range] == NULL)
			return err_set(e, ERR_CORRUPT, "Table.AttributeDefinitions has no type S, N or B for %s", name);
		sc->n++;
	}
	if (sc->names[0] == NULL)
		return err_set(e, ERR_CORRUPT, "it has no key schema (Table.KeySchema with a HASH)");
	return 0;
}

static void read_ttl(struct schema *sc)
{
	const json_t *ttl = json_object_get(sc->root, "TimeToLiveDescription");
	const char *status = json_string_value(json_object_get(ttl, "TimeToLiveStatus"));
	if (status != NULL && (strcmp(status, "ENABLED") == 0 || strcmp(status, "ENABLING") == 0))
		sc->ttl_attribute = json_string_value(json_object_get(ttl, "AttributeName"));
}

static const json_t *list_of(const struct schema *sc, const char *name)
{
	const json_t *list = json_object_get(sc->root, name);
	return json_is_array(list) ? list : NULL;
}

/* Takes the reference to `root`. */
static int read_root(struct schema *sc, json_t *root, struct err *e)
{
	*sc = (struct schema){.root = root};
	sc->table = json_object_get(root, "Table");
	if (!json_is_object(sc->table)) {
		sc->table = NULL;
		return err_set(e, ERR_CORRUPT, "it has no object Table");
	}
	read_ttl(sc);
	sc->tags = list_of(sc, "Tags");
	sc->scalable_targets = list_of(sc, "ScalableTargets");
	sc->scaling_policies = list_of(sc, "ScalingPolicies");
	return read_key(sc, e);
}

int schema_parse(struct span text, struct schema *sc, struct err *e)
{
	json_error_t je;
	json_t *root = json_loadb(text.ptr, text.len, 0, &je);
	*sc = (struct schema){0};
	if (root == NULL)
		return err_set(e, ERR_CORRUPT, "it is not JSON: line %d: %s", je.line, je.text);
	return read_root(sc, root, e);
}

int schema_from_description(const struct table_description *d, struct schema *sc, struct err *e)
{
	json_t *root = json_pack("{s:O}", "Table", d->json);
	*sc = (struct schema){0};
	if (root == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return read_root(sc, root, e);
}

int schema_load_live(struct session *s, const char *table, const struct schema *of_backup, struct schema *sc,
		     struct err *e)
{
	struct table_description description = {0};
	unsigned attempt = 1;
	int rc;
	*sc = (struct schema){0};
	do {
		table_describe(&s->op, table, &description, NULL, NULL);
		rc = session_settle(s, &s->op, attempt++);
	} while (rc > 0);
	if (rc < 0)
		*e = s->op.err;
	else
		rc = schema_from_description(&description, sc, e);
	table_description_fini(&description);
	if (rc == 0 && of_backup->n > 0)
		rc = schema_same_key(of_backup, sc, e);
	return rc;
}

int schema_from_key(const char *text, struct schema *sc)
{
	const char *name;
	json_t *value;
	*sc = (struct schema){.root = json_loads(text, JSON_REJECT_DUPLICATES, NULL)};
	json_object_foreach(sc->root, name, value)
	{
		(void)value;
		if (sc->n < 2)
			sc->names[sc->n] = name;
		sc->n++;
	}
	return sc->n == 1 || sc->n == 2 ? 0 : -ERR_INVALID;
}

void schema_fini(struct schema *sc)
{
	json_decref(sc->root);
	*sc = (struct schema){0};
}

int schema_load(struct session *s, struct schema *sc)
{
	struct buf text;
	struct err e;
	bool exists = false;
	char *key;
	int code = 0;
	*sc = (struct schema){0};
	if (asprintf(&key, "%stable.json", s->meta_path) < 0) {
		cli_say("out of memory");
		return EX_OSERR;
	}
	buf_init(&text, TEXT_MAX);
	if (session_get(s, key, &text, &exists, &e) < 0) {
		code = cli_fail(&e);
	} else if (exists && schema_parse((struct span){buf_str(&text), text.len}, sc, &e) < 0) {
		cli_say("%s in bucket %s is damaged: %s", key, s->conf->bucket, e.message);
		code = EX_DATAERR;
	}
	buf_fini(&text);
	free(key);
	return code;
}

uint64_t schema_item_count(const struct schema *sc)
{
	json_int_t n = json_integer_value(json_object_get(sc->table, "ItemCount"));
	return n > 0 ? (uint64_t)n : 0;
}

static bool same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* "id (S) and range (N)". */
static void describe(const struct schema *sc, char *out, size_t size)
{
	snprintf(out, size, "%s (%s)%s%s%s%s%s", sc->names[0], sc->types[0], sc->n == 2 ? " and " : "",
		 sc->n == 2 ? sc->names[1] : "", sc->n == 2 ? " (" : "", sc->n == 2 ? sc->types[1] : "",
		 sc->n == 2 ? ")" : "");
}

int schema_same_key(const struct schema *a, const struct schema *b, struct err *e)
{
	char one[150], other[150];
	if (a->n == b->n && same(a->names[0], b->names[0]) && same(a->names[1], b->names[1]) &&
	    same(a->types[0], b->types[0]) && same(a->types[1], b->types[1]))
		return 0;
	describe(a, one, sizeof(one));
	describe(b, other, sizeof(other));
	return err_set(e, ERR_INVALID, "its key is %s, not %s", one, other);
}

struct itemkey_schema schema_itemkey(const struct session *s, const struct schema *sc)
{
	return (struct itemkey_schema){
		.format = s->table->key_format,
		.hash_name = sc->names[0],
		.range_name = sc->n == 2 ? sc->names[1] : NULL,
		.tenant_attribute = s->table->tenant_attribute,
		.path_bytes = strlen(s->deletes_path),
	};
}
