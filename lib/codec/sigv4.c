#include "codec/sigv4.h"

#include <openssl/crypto.h>
#include <string.h>

#include "codec/digest.h"
#include "codec/encode.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
#define SECRET_MAX 1024
#define SCRATCH_MAX 65536

/* Kept between calls, so that signing allocates nothing. Wiped after each use: session tokens are signed too. */
static struct buf canonical = {.max = SCRATCH_MAX};
static struct buf params = {.max = SCRATCH_MAX};
static struct buf text = {.max = SCRATCH_MAX};

void sigv4_cleanup(void)
{
	buf_fini(&canonical);
	buf_fini(&params);
	buf_fini(&text);
}

static void scratch_wipe(struct buf *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->len);
	buf_reset(b);
}

/* The fields of a zeroed key that are compared; the array keeps its NUL. */
static void field_set(char *field, size_t size, const char *value)
{
	memcpy(field, value, strnlen(value, size - 1));
}

static void hmac_text(uint8_t out[DIGEST_SHA256_SIZE], const void *key, size_t key_len, const char *value)
{
	digest_hmac_sha256(out, key, key_len, value, strlen(value));
}

void sigv4_key_update(struct sigv4_key *k, const char *date, const char *region, const char *service,
		      const char *access_key, const char *secret)
{
	struct sigv4_key want = {0};
	char seed[4 + SECRET_MAX] = "AWS4";
	size_t secret_len = strnlen(secret, SECRET_MAX);

	field_set(want.date, sizeof(want.date), date);
	field_set(want.region, sizeof(want.region), region);
	field_set(want.service, sizeof(want.service), service);
	field_set(want.access_key, sizeof(want.access_key), access_key);
	digest_sha256(want.secret_hash, secret, secret_len);
	if (memcmp(k, &want, offsetof(struct sigv4_key, key)) == 0)
		return;

	memcpy(seed + 4, secret, secret_len);
	hmac_text(want.key, seed, 4 + secret_len, want.date);
	hmac_text(want.key, want.key, sizeof(want.key), want.region);
	hmac_text(want.key, want.key, sizeof(want.key), want.service);
	hmac_text(want.key, want.key, sizeof(want.key), TERMINATOR);
	*k = want;
	OPENSSL_cleanse(&want, sizeof(want));
	OPENSSL_cleanse(seed, sizeof(seed));
}

void sigv4_key_wipe(struct sigv4_key *k)
{
	OPENSSL_cleanse(k, sizeof(*k));
}

static int append_percent(struct buf *out, const char *bytes, size_t len, const char *keep)
{
	int rc = buf_reserve(out, 3 * len);

	if (rc < 0)
		return rc;
	out->len += encode_percent(out->data + out->len, bytes, len, keep);
	out->data[out->len] = '\0';
	return 0;
}

/* Takes the last segment off what began at `start`: "..". */
static void pop_segment(struct buf *out, size_t start)
{
	while (out->len > start && out->data[out->len - 1] != '/')
		out->len--;
	if (out->len > start)
		out->len--;
}

/* RFC 3986 section 5.2.4, with empty segments dropped as AWS asks, and one more layer of percent-encoding. */
static int append_normal_path(struct buf *out, struct span path)
{
	size_t start = out->len;
	int rc = 0;

	for (size_t i = 0, end; i < path.len && rc == 0; i = end + 1) {
		struct span segment = {path.ptr + i, 0};

		for (end = i; end < path.len && path.ptr[end] != '/'; end++)
			segment.len++;
		if (segment.len == 0 || span_eq_str(segment, "."))
			continue;
		if (span_eq_str(segment, "..")) {
			pop_segment(out, start);
			continue;
		}
		rc = buf_append_char(out, '/');
		if (rc == 0)
			rc = append_percent(out, segment.ptr, segment.len, NULL);
	}
	if (rc == 0 && (out->len == start || path.ptr[path.len - 1] == '/'))
		rc = buf_append_char(out, '/');
	return rc;
}

static int append_path(struct buf *out, const struct sigv4_request *r)
{
	if (r->path.len == 0)
		return buf_append_char(out, '/');
	if (r->encode_path)
		return append_normal_path(out, r->path);
	return buf_append(out, r->path.ptr, r->path.len);
}

/* One query parameter, encoded, in `params`. */
struct param {
	size_t name_at, name_len, value_at, value_len;
};

static int bytes_cmp(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t common = a_len < b_len ? a_len : b_len;
	int order = common ? memcmp(a, b, common) : 0;

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int param_cmp(const struct param *a, const struct param *b)
{
	const char *base = params.data;
	int order = bytes_cmp(base + a->name_at, a->name_len, base + b->name_at, b->name_len);

	return order ? order : bytes_cmp(base + a->value_at, a->value_len, base + b->value_at, b->value_len);
}

/* The bytes that `raw` stands for, encoded the one way that AWS signs, at the end of `params`. */
static int param_normalise(struct span raw, size_t *at, size_t *len)
{
	int rc = buf_reserve(&params, 4 * raw.len);
	size_t decoded_len;
	char *decoded;

	if (rc < 0)
		return rc;
	/* Decoded behind the room that the encoded form may need. */
	decoded = params.data + params.len + 3 * raw.len;
	encode_percent_decode(decoded, &decoded_len, raw.ptr, raw.len, false);
	*at = params.len;
	*len = encode_percent(params.data + params.len, decoded, decoded_len, NULL);
	params.len += *len;
	return 0;
}

static int param_add(struct param list[SIGV4_PARAMS_MAX], size_t *n, struct span pair)
{
	const char *equals = memchr(pair.ptr, '=', pair.len);
	size_t name_len = equals ? (size_t)(equals - pair.ptr) : pair.len;
	struct span value = {pair.ptr + pair.len, 0};
	struct param p;
	size_t i = *n;
	int rc;

	if (*n == SIGV4_PARAMS_MAX)
		return -ERR_INVALID;
	if (equals)
		value = (struct span){equals + 1, pair.len - name_len - 1};
	rc = param_normalise((struct span){pair.ptr, name_len}, &p.name_at, &p.name_len);
	if (rc == 0)
		rc = param_normalise(value, &p.value_at, &p.value_len);
	if (rc < 0)
		return rc;
	for (; i > 0 && param_cmp(&list[i - 1], &p) > 0; i--)
		list[i] = list[i - 1];
	list[i] = p;
	++*n;
	return 0;
}

static int append_query(struct buf *out, struct span query)
{
	struct param list[SIGV4_PARAMS_MAX];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0, end; i < query.len && rc == 0; i = end + 1) {
		const char *amp = memchr(query.ptr + i, '&', query.len - i);

		end = amp ? (size_t)(amp - query.ptr) : query.len;
		if (end > i)
			rc = param_add(list, &n, (struct span){query.ptr + i, end - i});
	}
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (i > 0)
			rc = buf_append_char(out, '&');
		if (rc == 0)
			rc = buf_append(out, params.data + list[i].name_at, list[i].name_len);
		if (rc == 0)
			rc = buf_append_char(out, '=');
		if (rc == 0)
			rc = buf_append(out, params.data + list[i].value_at, list[i].value_len);
	}
	return rc;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static int append_folded(struct buf *out, struct span value)
{
	int rc;

	while (value.len > 0 && blank(value.ptr[0])) {
		value.ptr++;
		value.len--;
	}
	while (value.len > 0 && blank(value.ptr[value.len - 1]))
		value.len--;
	if (value.len == 0)
		return 0;
	/* Most values have none inside; a session token has a thousand bytes. */
	if (!memchr(value.ptr, ' ', value.len) && !memchr(value.ptr, '\t', value.len))
		return buf_append(out, value.ptr, value.len);
	rc = buf_reserve(out, value.len);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < value.len; i++) {
		if (!blank(value.ptr[i]))
			out->data[out->len++] = value.ptr[i];
		else if (!blank(value.ptr[i - 1])) /* the first byte is no blank */
			out->data[out->len++] = ' ';
	}
	return 0;
}

/* Fills `order` with the headers by name. Stable, since the values of a doubled name are joined in the order they came. */
static void headers_sort(const struct sigv4_request *r, uint8_t order[SIGV4_HEADERS_MAX])
{
	for (size_t i = 0; i < r->nheaders; i++) {
		struct span name = r->headers[i].name;
		size_t j = i;

		for (; j > 0; j--) {
			struct span before = r->headers[order[j - 1]].name;

			if (bytes_cmp(before.ptr, before.len, name.ptr, name.len) <= 0)
				break;
			order[j] = order[j - 1];
		}
		order[j] = (uint8_t)i;
	}
}

static bool same_name(const struct sigv4_request *r, const uint8_t *order, size_t i)
{
	return i > 0 && span_eq(r->headers[order[i - 1]].name, r->headers[order[i]].name);
}

/* "name:value\n" for each name. */
static int append_headers(struct buf *out, const struct sigv4_request *r, const uint8_t *order)
{
	int rc = 0;

	for (size_t i = 0; i < r->nheaders && rc == 0; i++) {
		const struct sigv4_header *h = &r->headers[order[i]];

		if (same_name(r, order, i)) {
			out->len--; /* the line goes on */
			rc = buf_append_char(out, ',');
		} else {
			rc = buf_append(out, h->name.ptr, h->name.len);
			if (rc == 0)
				rc = buf_append_char(out, ':');
		}
		if (rc == 0)
			rc = append_folded(out, h->value);
		if (rc == 0)
			rc = buf_append_char(out, '\n');
	}
	return rc;
}

/* "name;name" */
static int append_signed_names(struct buf *out, const struct sigv4_request *r, const uint8_t *order)
{
	int rc = 0;

	for (size_t i = 0; i < r->nheaders && rc == 0; i++) {
		const struct sigv4_header *h = &r->headers[order[i]];

		if (same_name(r, order, i))
			continue;
		if (i > 0)
			rc = buf_append_char(out, ';');
		if (rc == 0)
			rc = buf_append(out, h->name.ptr, h->name.len);
	}
	return rc;
}

/* Room for all of it at once: growing on the way would leave copies of a session token in freed memory. */
static int reserve_canonical(const struct sigv4_request *r)
{
	size_t need = strlen(r->method) + r->payload_hash.len + 16;

	need += r->encode_path ? 3 * r->path.len : r->path.len;
	need += 3 * r->query.len + SIGV4_PARAMS_MAX;
	for (size_t i = 0; i < r->nheaders; i++)
		need += 2 * r->headers[i].name.len + r->headers[i].value.len + 3;
	return buf_reserve(&canonical, need);
}

static int build_canonical(const struct sigv4_request *r, const uint8_t *order)
{
	struct buf *out = &canonical;
	int rc = reserve_canonical(r);

	if (rc == 0)
		rc = buf_append_str(out, r->method);
	if (rc == 0)
		rc = buf_append_char(out, '\n');
	if (rc == 0)
		rc = append_path(out, r);
	if (rc == 0)
		rc = buf_append_char(out, '\n');
	if (rc == 0)
		rc = append_query(out, r->query);
	if (rc == 0)
		rc = buf_append_char(out, '\n');
	if (rc == 0)
		rc = append_headers(out, r, order);
	if (rc == 0)
		rc = buf_append_char(out, '\n');
	if (rc == 0)
		rc = append_signed_names(out, r, order);
	if (rc == 0)
		rc = buf_append_char(out, '\n');
	if (rc == 0)
		rc = buf_append(out, r->payload_hash.ptr, r->payload_hash.len);
	return rc;
}

/* "DATE/REGION/SERVICE/aws4_request" */
static int append_scope(struct buf *out, const struct sigv4_key *k)
{
	const char *const parts[] = {k->date, k->region, k->service};
	int rc = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && rc == 0; i++) {
		rc = buf_append_str(out, parts[i]);
		if (rc == 0)
			rc = buf_append_char(out, '/');
	}
	if (rc == 0)
		rc = buf_append_str(out, TERMINATOR);
	return rc;
}

static int append_hex(struct buf *out, const uint8_t digest[DIGEST_SHA256_SIZE])
{
	char hex[2 * DIGEST_SHA256_SIZE];

	return buf_append(out, hex, encode_hex(hex, digest, DIGEST_SHA256_SIZE));
}

/* The signature over the string to sign, whose last part is the hash of `canonical`. */
static int build_signature(const struct sigv4_key *k, const struct sigv4_request *r, uint8_t out[DIGEST_SHA256_SIZE])
{
	uint8_t hash[DIGEST_SHA256_SIZE];
	int rc = buf_append_str(&text, ALGORITHM "\n");

	digest_sha256(hash, canonical.data, canonical.len);
	if (rc == 0)
		rc = buf_append_str(&text, r->amz_date);
	if (rc == 0)
		rc = buf_append_char(&text, '\n');
	if (rc == 0)
		rc = append_scope(&text, k);
	if (rc == 0)
		rc = buf_append_char(&text, '\n');
	if (rc == 0)
		rc = append_hex(&text, hash);
	if (rc == 0)
		digest_hmac_sha256(out, k->key, sizeof(k->key), text.data, text.len);
	return rc;
}

static int build_authorization(const struct sigv4_key *k, const struct sigv4_request *r, const uint8_t *order,
			       const uint8_t signature[DIGEST_SHA256_SIZE])
{
	int rc = buf_append_str(&text, ALGORITHM " Credential=");

	if (rc == 0)
		rc = buf_append_str(&text, k->access_key);
	if (rc == 0)
		rc = buf_append_char(&text, '/');
	if (rc == 0)
		rc = append_scope(&text, k);
	if (rc == 0)
		rc = buf_append_str(&text, ", SignedHeaders=");
	if (rc == 0)
		rc = append_signed_names(&text, r, order);
	if (rc == 0)
		rc = buf_append_str(&text, ", Signature=");
	if (rc == 0)
		rc = append_hex(&text, signature);
	return rc;
}

int sigv4_sign(const struct sigv4_key *k, const struct sigv4_request *r, struct buf *out)
{
	uint8_t order[SIGV4_HEADERS_MAX];
	uint8_t signature[DIGEST_SHA256_SIZE];
	int rc;

	if (r->nheaders > SIGV4_HEADERS_MAX)
		return -ERR_INVALID;
	headers_sort(r, order);
	rc = build_canonical(r, order);
	if (rc == 0)
		rc = build_signature(k, r, signature);
	buf_reset(&text);
	if (rc == 0)
		rc = build_authorization(k, r, order, signature);
	if (rc == 0)
		rc = buf_append(out, text.data, text.len);
	scratch_wipe(&canonical);
	buf_reset(&params);
	buf_reset(&text);
	return rc;
}

int sigv4_canonical_request(const struct sigv4_request *r, struct buf *out)
{
	uint8_t order[SIGV4_HEADERS_MAX];
	int rc;

	if (r->nheaders > SIGV4_HEADERS_MAX)
		return -ERR_INVALID;
	headers_sort(r, order);
	rc = build_canonical(r, order);
	if (rc == 0)
		rc = buf_append(out, canonical.data, canonical.len);
	scratch_wipe(&canonical);
	buf_reset(&params);
	return rc;
}
