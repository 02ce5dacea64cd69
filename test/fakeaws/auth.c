#include "auth.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "digest.h"
#include "fake.h"
#include "mem.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

/* The parts of an Authorization header; each is a copy. */
struct claim {
	char *text; /* what the others point into */
	char *id, *date, *region, *service, *signed_headers, *signature;
};

static struct identity_key *find_key(const struct auth *a, const char *id)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->keys[i].id, id) == 0)
			return &a->keys[i];
	return NULL;
}

void auth_add(struct auth *a, const char *id, const char *secret, const char *token, int64_t expires_ms,
	      const char *denied)
{
	auth_remove(a, id);
	mem_reserve(&a->keys, &a->cap, a->n + 1, sizeof(*a->keys));
	a->keys[a->n++] = (struct identity_key){
		.id = mem_dup(id),
		.secret = mem_dup(secret),
		.token = token && *token ? mem_dup(token) : NULL,
		.expires_ms = expires_ms,
		.denied = mem_printf(",%s,", denied ? denied : ""),
	};
}

bool auth_remove(struct auth *a, const char *id)
{
	struct identity_key *k = find_key(a, id);

	if (!k)
		return false;
	free(k->id);
	free(k->secret);
	free(k->token);
	free(k->denied);
	*k = a->keys[--a->n];
	return true;
}

/* "NAME=value" of a list that is divided by commas; cuts the value out of `text`. */
static char *claim_part(char *text, const char *name)
{
	char *at = strstr(text, name);
	if (!at)
		return NULL;
	at += strlen(name);
	return at;
}

static bool claim_parse(struct claim *c, const char *header)
{
	char *credential, *saved = NULL;

	*c = (struct claim){.text = mem_dup(header)};
	if (strncmp(header, ALGORITHM " ", strlen(ALGORITHM) + 1) != 0)
		return false;
	credential = claim_part(c->text, "Credential=");
	c->signed_headers = claim_part(c->text, "SignedHeaders=");
	c->signature = claim_part(c->text, "Signature=");
	if (!credential || !c->signed_headers || !c->signature)
		return false;
	credential[strcspn(credential, ", ")] = '\0';
	c->signed_headers[strcspn(c->signed_headers, ", ")] = '\0';
	c->signature[strcspn(c->signature, ", ")] = '\0';
	c->id = strtok_r(credential, "/", &saved);
	c->date = strtok_r(NULL, "/", &saved);
	c->region = strtok_r(NULL, "/", &saved);
	c->service = strtok_r(NULL, "/", &saved);
	char *end = strtok_r(NULL, "/", &saved);
	return end && strcmp(end, "aws4_request") == 0 && !strtok_r(NULL, "/", &saved);
}

/* A header's values, joined by commas, trimmed, with runs of blanks as one. */
static void put_header(struct buf *out, const struct request *r, const char *name)
{
	bool first = true;

	for (size_t i = 0; i < r->headers.n; i++) {
		if (strcmp(r->headers.at[i].name, name) != 0)
			continue;
		const char *v = r->headers.at[i].value;
		size_t end = strlen(v);
		while (end && isspace((unsigned char)v[end - 1]))
			end--;
		while (end && isspace((unsigned char)*v)) {
			v++;
			end--;
		}
		text_put(out, first ? "" : ",");
		for (size_t k = 0; k < end; k++)
			if (v[k] != ' ' || (k && v[k - 1] != ' '))
				text_put_n(out, v + k, 1);
		first = false;
	}
}

static bool is_signed(const char *list, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = list; *p; p += strcspn(p, ";"), p += *p == ';')
		if (strcspn(p, ";") == n && strncmp(p, name, n) == 0)
			return true;
	return false;
}

/* What must be signed: host, and every x-amz-* header. */
static const char *unsigned_header(const struct request *r, const char *list)
{
	if (!is_signed(list, "host"))
		return "host";
	for (size_t i = 0; i < r->headers.n; i++) {
		const char *name = r->headers.at[i].name;
		if (strncmp(name, "x-amz-", 6) == 0 && !is_signed(list, name))
			return name;
	}
	return NULL;
}

static void canonical_request(struct buf *out, const struct request *r, const char *signed_headers, const char *payload)
{
	struct pairs encoded = {0};
	struct buf part;

	text_init(&part);
	text_printf(out, "%s\n", r->method);
	uri_encode(out, r->path, strlen(r->path), true);
	text_put(out, "\n");
	for (size_t i = 0; i < r->query.n; i++) {
		buf_reset(&part);
		uri_encode(&part, r->query.at[i].name, strlen(r->query.at[i].name), false);
		size_t split = part.len;
		uri_encode(&part, r->query.at[i].value, strlen(r->query.at[i].value), false);
		pairs_add(&encoded, buf_str(&part), split, buf_str(&part) + split, part.len - split);
	}
	pairs_sort(&encoded);
	for (size_t i = 0; i < encoded.n; i++)
		text_printf(out, "%s%s=%s", i ? "&" : "", encoded.at[i].name, encoded.at[i].value);
	text_put(out, "\n");
	for (const char *p = signed_headers; *p; p += strcspn(p, ";"), p += *p == ';') {
		char *name = mem_dup_n(p, strcspn(p, ";"));
		text_printf(out, "%s:", name);
		put_header(out, r, name);
		text_put(out, "\n");
		free(name);
	}
	text_printf(out, "\n%s\n%s", signed_headers, payload);
	pairs_free(&encoded);
	buf_fini(&part);
}

static void sign(char out[65], const char *secret, const struct claim *c, const char *amz_date, const char *canonical)
{
	unsigned char key[DIGEST_SHA256_BYTES];
	char digest[65];
	char *start = mem_printf("AWS4%s", secret);
	const char *const steps[] = {c->date, c->region, c->service, "aws4_request"};

	digest_hmac(key, start, strlen(start), steps[0], strlen(steps[0]));
	for (int i = 1; i < 4; i++)
		digest_hmac(key, key, sizeof(key), steps[i], strlen(steps[i]));
	digest_sha256_hex(digest, canonical, strlen(canonical));
	char *text = mem_printf(ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s", amz_date, c->date, c->region, c->service,
				digest);
	digest_hmac(key, key, sizeof(key), text, strlen(text));
	digest_hex(out, key, sizeof(key));
	OPENSSL_cleanse(key, sizeof(key));
	free(start);
	free(text);
}

static bool parse_amz_date(const char *s, int64_t *wall_ms)
{
	struct tm tm = {0};
	const char *end = strptime(s, "%Y%m%dT%H%M%SZ", &tm);
	if (!end || *end || strlen(s) != 16)
		return false;
	*wall_ms = (int64_t)timegm(&tm) * 1000;
	return true;
}

/* The payload hash that goes into the canonical request; NULL with a reason when it cannot be right. */
static const char *payload_hash(const struct request *r, char digest[65], const char **why)
{
	const char *told = request_header(r, "x-amz-content-sha256");

	digest_sha256_hex(digest, buf_str(&r->body), r->body.len);
	if (r->service != SERVICE_S3)
		return digest;
	if (!told) {
		*why = "Missing required header for this request: x-amz-content-sha256";
		return NULL;
	}
	if (strcmp(told, "UNSIGNED-PAYLOAD") == 0)
		return told;
	if (strcmp(told, digest) != 0) {
		*why = "The provided 'x-amz-content-sha256' header does not match what was computed.";
		return NULL;
	}
	return digest;
}

static enum auth_verdict check_key(const struct identity_key *k, const struct vclock *clock, const struct request *r,
				   const char **why)
{
	const char *token = request_header(r, "x-amz-security-token");

	*why = "The security token included in the request is invalid.";
	if ((k->token != NULL) != (token != NULL) || (token && strcmp(token, k->token) != 0))
		return AUTH_BAD_TOKEN;
	*why = "The provided token has expired.";
	if (k->expires_ms && vclock_now_ms(clock) >= k->expires_ms)
		return AUTH_EXPIRED_TOKEN;
	*why = "";
	return AUTH_GOOD;
}

static enum auth_verdict check_scope(const struct claim *c, const struct vclock *clock, const struct request *r,
				     const char *amz_date, const char **why)
{
	bool is_own = r->service == SERVICE_S3 || r->service == SERVICE_STS || r->service == SERVICE_SCALING;
	const char *service = is_own ? service_name(r->service) : "dynamodb";
	int64_t signed_ms, now_ms = clock->virtual_auth ? vclock_of_ms(clock, r->service) : clock_wall_ms();

	*why = "AWS authentication requires a valid Date or x-amz-date header";
	if (!amz_date || !parse_amz_date(amz_date, &signed_ms))
		return AUTH_MALFORMED;
	*why = "The difference between the request time and the current time is too large.";
	if (llabs(signed_ms - now_ms) > AUTH_SKEW_MAX_MS)
		return AUTH_SKEWED;
	*why = "Credential should be scoped to a valid region, service and date.";
	if (strcmp(c->service, service) != 0 || strcmp(c->region, FAKE_REGION) != 0 ||
	    strncmp(c->date, amz_date, 8) != 0 || strlen(c->date) != 8)
		return AUTH_BAD_SCOPE;
	*why = "";
	return AUTH_GOOD;
}

static enum auth_verdict check_signature(const struct claim *c, const struct identity_key *k, const struct request *r,
					 const char *amz_date, const char **why)
{
	enum auth_verdict verdict = AUTH_GOOD;
	char digest[65], signature[65];
	struct buf canonical;

	text_init(&canonical);
	const char *payload = payload_hash(r, digest, why);
	if (!payload) {
		verdict = AUTH_BAD_PAYLOAD;
	} else if (unsigned_header(r, c->signed_headers)) {
		*why = "There were headers present in the request which were not signed";
		verdict = AUTH_MISSING;
	} else {
		canonical_request(&canonical, r, c->signed_headers, payload);
		sign(signature, k->secret, c, amz_date, buf_str(&canonical));
		if (strlen(c->signature) != 64 || CRYPTO_memcmp(signature, c->signature, 64) != 0) {
			*why = "The request signature we calculated does not match the signature you provided. Check "
			       "your key and signing method.";
			verdict = AUTH_BAD_SIGNATURE;
		}
	}
	buf_fini(&canonical);
	return verdict;
}

enum auth_verdict auth_check(const struct auth *a, const struct vclock *clock, const struct request *r, char *why,
			     size_t why_size)
{
	const char *header = request_header(r, "authorization"), *amz_date = request_header(r, "x-amz-date");
	enum auth_verdict verdict = AUTH_GOOD;
	const struct identity_key *k = NULL;
	const char *reason = "";
	struct claim c = {0};
	char operation[64];

	if (!header) {
		verdict = AUTH_MISSING;
		reason = "Request is missing Authentication Token";
	} else if (!r->path || !r->query_good || !claim_parse(&c, header)) {
		verdict = AUTH_MALFORMED;
		reason = "The authorization header is malformed.";
	} else if (!(k = find_key(a, c.id))) {
		verdict = AUTH_UNKNOWN_KEY;
		reason = r->service == SERVICE_S3 ? "The AWS Access Key Id you provided does not exist in our records."
						  : "The security token included in the request is invalid.";
	} else {
		verdict = check_key(k, clock, r, &reason);
		if (verdict == AUTH_GOOD)
			verdict = check_scope(&c, clock, r, amz_date, &reason);
		if (verdict == AUTH_GOOD)
			verdict = check_signature(&c, k, r, amz_date, &reason);
		snprintf(operation, sizeof(operation), ",%s,", r->op);
		if (verdict == AUTH_GOOD && *r->op && strstr(k->denied, operation)) {
			verdict = AUTH_DENIED;
			reason = r->service == SERVICE_S3 ? "Access Denied"
							  : "User is not authorized to perform this operation";
		}
	}
	snprintf(why, why_size, "%s", reason);
	free(c.text);
	return verdict;
}
