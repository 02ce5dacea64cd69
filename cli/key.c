#include "key.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "codec/canon.h"
#include "codec/itemkey.h"
#include "schema.h"

#define KEYS_TEXT_MAX ((size_t)64 << 10)

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
int key_tenant_image(const struct session *s, const struct options *o, struct buf *out)
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
	const struct itemkey_schema schema = schema_itemkey(s, sc);
	buf_init(&image, KEYS_TEXT_MAX);
	int code = c == NULL ? EX_OSERR : key_tenant_image(s, o, &image);
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
	int code = schema_load(s, &sc);
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
	schema_fini(&sc);
	return code;
}
