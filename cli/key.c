#include "key.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "codec/canon.h"
#include "codec/encode.h"
#include "codec/itemkey.h"

#define TEXT_MAX ((size_t)16 << 20)
#define KEYS_TEXT_MAX ((size_t)64 << 10)

/* What names the two key attributes and their types. */
struct schema {
	json_t *root; /* of table.json, or of --key; owns the strings */
	const char *names[2];
	const char *types[2]; /* NULL: not known */
	size_t n;
};

static const char *type_of(const json_t *definitions, const char *name)
{
	size_t i;
	const json_t *d;
	json_array_foreach(definitions, i, d)
	{
		const char *defined = json_string_value(json_object_get(d, "AttributeName"));
		if (defined != NULL && strcmp(defined, name) == 0)
			return json_string_value(json_object_get(d, "AttributeType"));
	}
	return NULL;
}

static int read_schema(const char *text, size_t len, struct schema *sc)
{
	size_t i;
	const json_t *part;
	sc->root = json_loadb(text, len, 0, NULL);
	const json_t *table = json_object_get(sc->root, "Table");
	json_array_foreach(json_object_get(table, "KeySchema"), i, part)
	{
		const char *name = json_string_value(json_object_get(part, "AttributeName"));
		const char *role = json_string_value(json_object_get(part, "KeyType"));
		size_t at = role != NULL && strcmp(role, "RANGE") == 0;
		if (name == NULL || i > 1)
			return -ERR_CORRUPT;
		sc->names[at] = name;
		sc->types[at] = type_of(json_object_get(table, "AttributeDefinitions"), name);
		sc->n++;
	}
	if (sc->names[0] != NULL && sc->types[0] != NULL &&
	    (sc->n == 1 || (sc->names[1] != NULL && sc->types[1] != NULL)))
		return 0;
	return -ERR_CORRUPT;
}

/* 0 with sc->n 0 when there is no table.json. */
static int load_schema(struct session *s, struct schema *sc)
{
	struct buf text;
	struct err e;
	bool exists = false;
	char *key;
	int code = 0;
	if (asprintf(&key, "%stable.json", s->meta_path) < 0) {
		cli_say("out of memory");
		return EX_OSERR;
	}
	buf_init(&text, TEXT_MAX);
	if (session_get(s, key, &text, &exists, &e) < 0) {
		code = cli_fail(&e);
	} else if (exists && read_schema(buf_str(&text), text.len, sc) < 0) {
		cli_say("%s in bucket %s is damaged: it has no key schema", key, s->conf->bucket);
		code = EX_DATAERR;
	}
	buf_fini(&text);
	free(key);
	return code;
}

/* The names in the order in which --key has them. */
static int schema_from_key(const char *text, struct schema *sc)
{
	const char *name;
	json_t *value;
	json_decref(sc->root);
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

/* {"NAME":{"TYPE":"VALUE"},...} of the typed values. */
static int keys_from_values(const struct options *o, const struct schema *sc, struct buf *out)
{
	const char *const values[2] = {o->key_value, o->key_range};
	json_t *keys = json_object();
	if ((o->key_range != NULL) != (sc->n == 2)) {
		json_decref(keys);
		if (sc->n == 2)
			return cli_usage("--key-value: table %s has a sort key, %s: give its value too", o->table,
					 sc->names[1]);
		return cli_usage("--key-value: table %s has no sort key", o->table);
	}
	for (size_t i = 0; i < sc->n && i < 2; i++)
		json_object_set_new(keys, sc->names[i], json_pack("{s:s}", sc->types[i], values[i]));
	char *text = json_object_size(keys) == sc->n ? json_dumps(keys, JSON_COMPACT) : NULL;
	int rc = text != NULL ? buf_append_str(out, text) : -ERR_INVALID;
	free(text);
	json_decref(keys);
	return rc < 0 ? cli_usage("--key-value: not a value in UTF-8") : 0;
}

/* {"ATTRIBUTE":{"S":"VALUE"}}: numbers and strings have the same folder name. */
static int tenant_image(const struct session *s, const struct options *o, struct buf *out)
{
	const char *attribute = s->table->tenant_attribute;
	if (o->tenant == NULL)
		return 0;
	if (attribute == NULL)
		return cli_usage("--tenant: table %s has no tenant attribute", o->table);
	json_t *image = json_pack("{s:{s:s}}", attribute, "S", o->tenant);
	char *text = image != NULL ? json_dumps(image, JSON_COMPACT) : NULL;
	int rc = text != NULL ? buf_append_str(out, text) : -ERR_INVALID;
	free(text);
	json_decref(image);
	return rc < 0 ? cli_usage("--tenant: not a value in UTF-8") : 0;
}

static int make_key(const struct session *s, const struct options *o, const struct schema *sc, const char *keys,
		    struct buf *out)
{
	struct canon *c = canon_new(KEYS_TEXT_MAX);
	struct buf image;
	struct span canonical;
	struct err e;
	const struct itemkey_schema schema = {
		.format = s->table->key_format,
		.hash_name = sc->names[0],
		.range_name = sc->n == 2 ? sc->names[1] : NULL,
		.tenant_attribute = s->table->tenant_attribute,
		.path_bytes = strlen(s->deletes_path),
	};
	buf_init(&image, KEYS_TEXT_MAX);
	int code = c == NULL ? EX_OSERR : tenant_image(s, o, &image);
	if (code == 0 && canon_item(c, span_of(keys), &canonical, &e) < 0)
		code = cli_usage("--key: not a key in DynamoDB's JSON, such as {\"id\":{\"S\":\"x\"}}");
	if (code == 0 && itemkey_append(out, &schema, canonical, (struct span){buf_str(&image), image.len}, &e) < 0)
		code = cli_usage("--key: not a key of table %s, which has %s%s%s", o->table, sc->names[0],
				 sc->n == 2 ? " and " : "", sc->n == 2 ? sc->names[1] : "");
	/* Of all formats only `plain` can have one. */
	if (code == 0 && strlen(buf_str(out)) < out->len)
		code = cli_usage("a key with a NUL byte cannot be asked for in key format plain: restore by --prefix");
	buf_fini(&image);
	canon_free(c);
	return code;
}

static int need_tenant(const struct session *s, const struct options *o, const struct schema *sc)
{
	const char *attribute = s->table->tenant_attribute;
	if (attribute == NULL || o->tenant != NULL || strcmp(attribute, sc->names[0]) == 0 ||
	    (sc->n == 2 && strcmp(attribute, sc->names[1]) == 0))
		return 0;
	return cli_usage("items of table %s lie in folders by %s: give --tenant too", o->table, attribute);
}

int key_resolve(struct session *s, const struct options *o, struct buf *out)
{
	struct schema sc = {0};
	struct buf keys;
	if (o->key != NULL && o->key_value != NULL)
		return cli_usage("--key and --key-value cannot be given together");
	buf_init(&keys, KEYS_TEXT_MAX);
	int code = load_schema(s, &sc);
	if (code == 0 && sc.n == 0 && o->key_value != NULL)
		code = cli_usage("--key-value needs the table's table.json, which bucket %s does not have: use --key",
				 s->conf->bucket);
	if (code == 0 && sc.n == 0 && schema_from_key(o->key, &sc) < 0)
		code = cli_usage("--key: not a key in DynamoDB's JSON, such as {\"id\":{\"S\":\"x\"}}");
	if (code == 0)
		code = need_tenant(s, o, &sc);
	if (code == 0 && o->key_value != NULL)
		code = keys_from_values(o, &sc, &keys);
	else if (code == 0 && buf_append_str(&keys, o->key) < 0)
		code = cli_usage("--key is too long");
	if (code == 0)
		code = make_key(s, o, &sc, buf_str(&keys), out);
	buf_fini(&keys);
	json_decref(sc.root);
	return code;
}
