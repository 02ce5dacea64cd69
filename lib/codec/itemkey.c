#include "codec/itemkey.h"

#include <stdint.h>

#include "codec/digest.h"
#include "codec/encode.h"
#include "codec/json.h"

#define KEYS_MAX 2				  /* attributes of a primary key */
#define HASHED_BYTES (1 + 2 * DIGEST_SHA256_SIZE) /* "~" and hex */
#define TENANT_MAX 256
#define VALUE_MAX (1024 * 1024) /* an item has 400 KB at most */
#define SCRATCH_KEEP 16384	/* more than any primary key needs */

/* Kept between calls, so that a call allocates nothing. */
static struct {
	struct buf value;		/* one value, unescaped */
	struct buf bytes;		/* the bytes of a B */
	struct buf component[KEYS_MAX]; /* hash and range, encoded */
	struct buf tenant[2];
} scratch = {
	.value = {.max = VALUE_MAX},
	.bytes = {.max = VALUE_MAX},
	.component = {{.max = 3 * VALUE_MAX}, {.max = 3 * VALUE_MAX}},
	.tenant = {{.max = 3 * VALUE_MAX}, {.max = 3 * VALUE_MAX}},
};

static struct buf *const scratch_bufs[] = {&scratch.value,	  &scratch.bytes,     &scratch.component[0],
					   &scratch.component[1], &scratch.tenant[0], &scratch.tenant[1]};

static void scratch_done(void)
{
	for (size_t i = 0; i < sizeof(scratch_bufs) / sizeof(scratch_bufs[0]); i++) {
		buf_reset(scratch_bufs[i]);
		buf_trim(scratch_bufs[i], SCRATCH_KEEP);
	}
}

void itemkey_cleanup(void)
{
	for (size_t i = 0; i < sizeof(scratch_bufs) / sizeof(scratch_bufs[0]); i++)
		buf_fini(scratch_bufs[i]);
}

/* One attribute: its type descriptor and the raw content of its string. */
struct attribute {
	char type;	  /* 'S', 'N', 'B'; 0 for every other type */
	struct span raw;  /* between the quotes */
	struct span text; /* {"S":"..."} */
};

static int corrupt(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "cannot name an item's object: %s", what);
}

static int append_error(struct err *e, int rc)
{
	if (rc == -ERR_CORRUPT)
		return corrupt(e, "a key or tenant value is not UTF-8 text");
	return err_set(e, (enum err_class) - rc, "cannot name an item's object: %s",
		       rc == -ERR_LIMIT ? "a value is too long" : "no memory");
}

/* Reads the {"S":"x"} that `text` is. */
static bool read_attribute(struct span text, struct attribute *a)
{
	struct json j;
	struct span name, value;
	bool first = true, more;

	*a = (struct attribute){.text = text};
	json_init(&j, text.ptr, text.len);
	if (!json_member(&j, &first, &more, &name) || !more || !json_value(&j, &value))
		return false;
	if (name.len == 1 && strchr("SNB", name.ptr[0]) && value.ptr[0] == '"') {
		a->type = name.ptr[0];
		a->raw = (struct span){value.ptr + 1, value.len - 2};
	}
	return json_member(&j, &first, &more, &name) && !more;
}

/*
 * Finds one attribute of an attribute map; absent is no error. The rest of the map is not looked at: whoever made the
 * span has checked it.
 */
static bool find_attribute(struct span map, const char *wanted, struct attribute *a, bool *found)
{
	struct json j;
	struct span name, value;
	bool first = true, more;

	*found = false;
	json_init(&j, map.ptr, map.len);
	while (json_member(&j, &first, &more, &name)) {
		if (!more)
			return true;
		if (!json_value(&j, &value))
			return false;
		if (json_raw_eq(name, wanted)) {
			*found = true;
			return read_attribute(value, a);
		}
	}
	return false;
}

/* Replaces scratch.value by the attribute's text. */
static int load_value(const struct attribute *a)
{
	buf_reset(&scratch.value);
	return json_unescape(a->raw, &scratch.value);
}

/* Replaces scratch.bytes by what the base64 text in scratch.value stands for. */
static int load_bytes(void)
{
	int rc;

	buf_reset(&scratch.bytes);
	rc = buf_reserve(&scratch.bytes, scratch.value.len);
	if (rc < 0)
		return rc;
	if (!encode_base64_decode((uint8_t *)scratch.bytes.data, &scratch.bytes.len, scratch.value.data,
				  scratch.value.len)) {
		buf_reset(&scratch.bytes);
		return -ERR_CORRUPT;
	}
	return 0;
}

/* Appends a value as a path component. */
static int append_component(struct buf *out, char type, struct span value)
{
	size_t first = 0;
	int rc = buf_reserve(out, 3 * value.len + 4);

	if (rc < 0 || value.len == 0)
		return rc;
	if (type == 'B') {
		out->len += encode_base64url(out->data + out->len, value.ptr, value.len);
	} else {
		if (span_eq_str(value, ".") || span_eq_str(value, "..") || value.ptr[0] == '~') {
			memcpy(out->data + out->len, value.ptr[0] == '~' ? "%7E" : "%2E", 3);
			out->len += 3;
			first = 1;
		}
		out->len += encode_percent(out->data + out->len, value.ptr + first, value.len - first, NULL);
	}
	out->data[out->len] = '\0';
	return 0;
}

static int append_attribute(struct buf *out, const struct attribute *a)
{
	int rc = load_value(a);

	if (rc == 0 && a->type == 'B')
		rc = load_bytes();
	if (rc < 0)
		return rc;
	const struct buf *value = a->type == 'B' ? &scratch.bytes : &scratch.value;
	return append_component(out, a->type, (struct span){value->data, value->len});
}

/* "~" and the SHA-256 of `bytes` replace what `out` holds. */
static int set_hashed(struct buf *out, const void *bytes, size_t len)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	char text[HASHED_BYTES] = "~";

	digest_sha256(digest, bytes, len);
	encode_hex(text + 1, digest, sizeof(digest));
	buf_reset(out);
	return buf_append(out, text, sizeof(text));
}

/* Fills `out` with the name of the tenant's folder, without its slash. */
static int set_tenant(struct buf *out, const struct itemkey_schema *schema, struct span keys, struct span image,
		      struct err *e)
{
	struct attribute a;
	bool found;
	int rc;

	buf_reset(out);
	if (!find_attribute(image.len > 0 ? image : keys, schema->tenant_attribute, &a, &found))
		return corrupt(e, "an image is not an attribute map");
	if (!found || a.type == 0) {
		rc = buf_append_char(out, '_');
	} else {
		rc = append_attribute(out, &a);
		if (rc == 0 && out->len > TENANT_MAX) {
			const struct buf *value = a.type == 'B' ? &scratch.bytes : &scratch.value;

			rc = set_hashed(out, value->data, value->len);
		}
	}
	return rc < 0 ? append_error(e, rc) : 0;
}

/*
 * Finds the key attributes, hash first. The map must hold them and nothing else, in order of name and without blanks:
 * the digest formats would give another name to the same item otherwise.
 */
static bool read_keys(const struct itemkey_schema *schema, struct span keys, struct attribute a[KEYS_MAX])
{
	size_t n = schema->range_name ? 2 : 1, exact = 2;
	struct json j;
	struct span name, value;
	bool first = true, more;
	bool swapped = n == 2 && strcmp(schema->hash_name, schema->range_name) > 0;

	json_init(&j, keys.ptr, keys.len);
	for (size_t i = 0; i < n; i++) {
		size_t place = swapped ? 1 - i : i;

		if (!json_member(&j, &first, &more, &name) || !more || !json_value(&j, &value) ||
		    !json_raw_eq(name, place == 0 ? schema->hash_name : schema->range_name) ||
		    !read_attribute(value, &a[place]) || a[place].type == 0 ||
		    value.len != a[place].raw.len + strlen("{'S':''}"))
			return false;
		exact += (i > 0) + name.len + strlen("'':") + value.len;
	}
	return json_member(&j, &first, &more, &name) && !more && exact == keys.len;
}

/* HASH or HASH/RANGE of at most `room` bytes. */
static int path_key(struct buf *out, const struct itemkey_schema *schema, const struct attribute *a, struct span keys,
		    size_t room)
{
	struct buf *hash = &scratch.component[0], *range = &scratch.component[1];
	size_t slash = schema->range_name ? 1 : 0;
	int rc;

	buf_reset(hash);
	buf_reset(range);
	rc = append_attribute(hash, &a[0]);
	if (rc == 0 && schema->range_name)
		rc = append_attribute(range, &a[1]);
	while (rc == 0 && hash->len + slash + range->len > room) {
		struct buf *longer = range->len > hash->len ? range : hash;

		if (longer->len <= HASHED_BYTES)
			return -ERR_LIMIT;
		rc = set_hashed(longer, keys.ptr, keys.len);
	}
	if (rc == 0)
		rc = buf_append(out, hash->data, hash->len);
	if (rc == 0 && schema->range_name)
		rc = buf_append_char(out, '/');
	if (rc == 0 && schema->range_name)
		rc = buf_append(out, range->data, range->len);
	return rc;
}

static int plain_key(struct buf *out, const struct itemkey_schema *schema, const struct attribute *a, struct span keys,
		     size_t room)
{
	struct buf *text = &scratch.component[0];
	size_t n = schema->range_name ? 2 : 1;
	bool swapped = n == 2 && strcmp(schema->hash_name, schema->range_name) > 0;
	int rc = 0;

	buf_reset(text);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (i > 0)
			rc = buf_append_str(text, " | ");
		if (rc == 0)
			rc = json_unescape(a[swapped ? 1 - i : i].raw, text);
	}
	if (rc == 0 && text->len > room)
		rc = set_hashed(text, keys.ptr, keys.len);
	if (rc == 0 && text->len > room)
		return -ERR_LIMIT;
	return rc < 0 ? rc : buf_append(out, text->data, text->len);
}

static int digest_key(struct buf *out, enum key_format format, struct span keys, size_t room)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	char hex[2 * DIGEST_SHA256_SIZE];
	size_t len;

	if (format == KEY_FORMAT_MD5) {
		digest_md5(digest, keys.ptr, keys.len);
		len = encode_hex(hex, digest, DIGEST_MD5_SIZE);
	} else {
		digest_sha256(digest, keys.ptr, keys.len);
		len = encode_hex(hex, digest, DIGEST_SHA256_SIZE);
	}
	return len > room ? -ERR_LIMIT : buf_append(out, hex, len);
}

static int item_part(struct buf *out, const struct itemkey_schema *schema, const struct attribute *a, struct span keys,
		     size_t room)
{
	switch (schema->format) {
	case KEY_FORMAT_PATH:
		return path_key(out, schema, a, keys, room);
	case KEY_FORMAT_PLAIN:
		return plain_key(out, schema, a, keys, room);
	case KEY_FORMAT_MD5:
	case KEY_FORMAT_SHA256:
		break;
	}
	return digest_key(out, schema->format, keys, room);
}

int itemkey_append(struct buf *out, const struct itemkey_schema *schema, struct span keys, struct span image,
		   struct err *e)
{
	struct buf *tenant = &scratch.tenant[0];
	struct attribute a[KEYS_MAX];
	size_t before = out->len, used = schema->path_bytes;
	int rc = 0;

	if (!read_keys(schema, keys, a))
		return corrupt(e, "its Keys are not the canonical form of the table's key attributes");
	if (schema->tenant_attribute) {
		rc = set_tenant(tenant, schema, keys, image, e);
		if (rc < 0)
			goto done;
		used += tenant->len + 1;
		rc = buf_append(out, tenant->data, tenant->len);
		if (rc == 0)
			rc = buf_append_char(out, '/');
	}
	if (rc == 0)
		rc = item_part(out, schema, a, keys, used < ITEMKEY_MAX ? ITEMKEY_MAX - used : 0);
	if (rc == -ERR_LIMIT)
		err_set(e, ERR_LIMIT,
			"cannot name an item's object within 1,024 bytes: prefix, table name and tenant folder take "
			"%zu",
			used);
	else if (rc < 0)
		append_error(e, rc);
	if (rc < 0 && out->data) {
		out->len = before;
		out->data[before] = '\0';
	}
done:
	scratch_done();
	return rc;
}

int itemkey_tenant_differs(const struct itemkey_schema *schema, struct span keys, struct span a, struct span b,
			   bool *differs, struct err *e)
{
	struct buf *first = &scratch.tenant[0], *second = &scratch.tenant[1];
	int rc;

	if (!schema->tenant_attribute) {
		*differs = false;
		return 0;
	}
	rc = set_tenant(first, schema, keys, a, e);
	if (rc == 0)
		rc = set_tenant(second, schema, keys, b, e);
	if (rc == 0)
		*differs = !span_eq((struct span){first->data, first->len}, (struct span){second->data, second->len});
	scratch_done();
	return rc;
}
