#include "narrow.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "codec/canon.h"
#include "codec/primary.h"
#include "key.h"
#include "schema.h"

#define KEY_MAX 2048
#define VALUE_MAX ((size_t)64 << 10)
#define S3_KEY_MAX 1024

int narrow_usage(const struct options *o)
{
	int n = (o->key != NULL) + (o->key_value != NULL) + (o->hash != NULL) + (o->prefix != NULL);
	if (n > 1)
		return cli_usage("--key, --key-value, --hash and --prefix cannot be given together");
	if (o->prefix != NULL && o->tenant != NULL)
		return cli_usage("--prefix goes without --tenant: it may begin with the folder itself");
	return 0;
}

static int no_memory(void)
{
	cli_say("out of memory");
	return EX_OSERR;
}

/* {"NAME":{"TYPE":"VALUE"}} in canonical form. */
static int hash_keys(const struct schema *sc, const char *value, struct buf *out)
{
	struct canon *c = canon_new(VALUE_MAX);
	struct span canonical;
	struct err e;
	json_t *keys = json_pack("{s:{s:s}}", sc->names[0], sc->types[0], value);
	char *text = keys != NULL ? json_dumps(keys, JSON_COMPACT) : NULL;
	int code = c == NULL ? no_memory() : 0;
	if (code == 0 && (text == NULL || canon_item(c, span_of(text), &canonical, &e) < 0 ||
			  buf_append(out, canonical.ptr, canonical.len) < 0))
		code = cli_usage("--hash: not a value in UTF-8, or too long");
	free(text);
	json_decref(keys);
	canon_free(c);
	return code;
}

/* "TENANT/" of --tenant, and behind it what the objects of these keys begin with, when they all do. */
static int make_prefix(struct narrow *n, const struct session *s, const struct options *o, const struct schema *sc,
		       const char *keys)
{
	struct itemkey_schema schema = schema_itemkey(s, sc);
	struct buf image;
	struct err e;
	bool foldered = schema.tenant_attribute != NULL;
	/* A folder that is not known may be any. */
	bool known = !foldered || o->tenant != NULL || strcmp(schema.tenant_attribute, sc->names[0]) == 0;
	bool named = schema.format == KEY_FORMAT_PATH && keys != NULL;
	schema.format = KEY_FORMAT_PATH;
	schema.range_name = NULL;
	if (!known || (!foldered && !named))
		return 0;
	buf_init(&image, VALUE_MAX);
	int code = key_tenant_image(s, o, &image);
	if (code == 0 && itemkey_append(&n->prefix, &schema, span_of(keys != NULL ? keys : "{\"x\":{\"S\":\"x\"}}"),
					(struct span){buf_str(&image), image.len}, &e) < 0)
		code = cli_usage("--hash: not a partition key of table %s", o->table);
	buf_fini(&image);
	if (code != 0)
		return code;
	const char *slash = foldered ? strchr(buf_str(&n->prefix), '/') : NULL;
	size_t folder = slash != NULL ? (size_t)(slash - buf_str(&n->prefix)) + 1 : 0;
	/* Of a long key with a sort key beside it the name may be a digest, so that only the folder is common to all. */
	named = named && schema.path_bytes + folder + 2 * (n->prefix.len - folder) + 1 <= S3_KEY_MAX;
	if (!named) {
		n->prefix.len = folder;
		if (n->prefix.data != NULL)
			n->prefix.data[folder] = '\0';
	} else if (buf_append_char(&n->prefix, '/') < 0) {
		return no_memory();
	}
	return 0;
}

static int by_hash(struct narrow *n, struct session *s, const struct options *o, const struct schema *sc)
{
	struct buf keys;
	struct span value;
	if (sc->n == 1 && (s->table->tenant_attribute == NULL || o->tenant != NULL)) {
		/* Without a sort key it is the whole key. */
		struct options one = *o;
		one.key_value = o->hash;
		n->exact = true;
		return key_resolve(s, &one, &n->prefix);
	}
	if (sc->n == 0)
		return cli_usage("--hash needs the table's table.json, which bucket %s does not have: use --prefix",
				 s->conf->bucket);
	buf_init(&keys, VALUE_MAX);
	int code = hash_keys(sc, o->hash, &keys);
	if (code == 0 &&
	    (primary_value((struct span){buf_str(&keys), keys.len}, sc->names[0], &value) < 0 ||
	     buf_append(&n->hash_value, value.ptr, value.len) < 0 || (n->hash_name = strdup(sc->names[0])) == NULL))
		code = no_memory();
	if (code == 0 && sc->n == 2)
		code = make_prefix(n, s, o, sc, buf_str(&keys));
	buf_fini(&keys);
	return code;
}

static int by_tenant(struct narrow *n, struct session *s, const struct options *o)
{
	struct schema any = {.names = {"x"}, .n = 1};
	if (s->table->tenant_attribute == NULL)
		return cli_usage("--tenant: table %s has no tenant attribute", o->table);
	return make_prefix(n, s, o, &any, NULL);
}

int narrow_init(struct narrow *n, struct session *s, const struct options *o)
{
	struct schema sc = {0};
	int code = 0;
	*n = (struct narrow){0};
	buf_init(&n->prefix, KEY_MAX);
	buf_init(&n->hash_value, VALUE_MAX);
	if (o->key != NULL || o->key_value != NULL) {
		n->exact = true;
		return key_resolve(s, o, &n->prefix);
	}
	if (o->hash != NULL) {
		code = schema_load(s, &sc);
		if (code == 0)
			code = by_hash(n, s, o, &sc);
		schema_fini(&sc);
	} else if (o->tenant != NULL) {
		code = by_tenant(n, s, o);
	} else if (o->prefix != NULL && buf_append_str(&n->prefix, o->prefix) < 0) {
		code = cli_usage("--prefix is longer than any object's name");
	}
	return code;
}

void narrow_fini(struct narrow *n)
{
	buf_fini(&n->prefix);
	buf_fini(&n->hash_value);
	free(n->hash_name);
}

bool narrow_is_part(const struct narrow *n)
{
	return n->exact || n->prefix.len > 0 || n->hash_name != NULL;
}

bool narrow_has(const struct narrow *n, struct span item)
{
	struct span value;
	return n->hash_name == NULL || (primary_value(item, n->hash_name, &value) == 0 &&
					span_eq(value, (struct span){buf_str(&n->hash_value), n->hash_value.len}));
}
