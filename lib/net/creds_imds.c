/*
 * creds_imds: keys of the EC2 instance role, from the instance metadata service, version 2 only (EC2 User Guide, "Use
 * the Instance Metadata Service", "Retrieve security credentials from instance metadata"): a token by PUT, the name of
 * the role, then its keys as JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "codec/json.h"
#include "net/creds_provider.h"

#define TOKEN_TTL_S 21600     /* 6 hours, the most there is */
#define TOKEN_MARGIN_MS 60000 /* a token is not used in its last minute */
#define ANSWER_MAX_BYTES 65536
#define IMDS_TIMEOUT_MS 2000 /* the service is one hop away; elsewhere the address leads nowhere */
#define NAME_MAX_BYTES 128   /* of a role: 64 in IAM */

static const char roles_path[] = "/latest/meta-data/iam/security-credentials/";

enum imds_step { IMDS_IDLE, IMDS_TOKEN, IMDS_ROLE, IMDS_KEYS };

struct imds_provider {
	struct creds_provider base;
	struct http_slot *slot;
	char *endpoint; /* without a slash at its end */
	int timeout_ms;
	enum imds_step step;
	bool token_renewed; /* in this fetch: a second 401 is a failure */
	char token_line[512];
	int64_t token_until_ms; /* monotonic */
	char role[NAME_MAX_BYTES + 1];
	char url[512];
	char source[NAME_MAX_BYTES + 32];
};

static void imds_request(struct imds_provider *m, enum imds_step step);

/* Ends the fetch. The answer may hold secrets. */
static void finish(struct imds_provider *m, enum creds_outcome outcome, struct creds_keys *keys, const struct err *e)
{
	struct buf *body = http_body(m->slot);

	if (body->data)
		explicit_bzero(body->data, body->cap);
	buf_reset(body);
	m->step = IMDS_IDLE;
	creds_fetched(&m->base, outcome, keys, e);
}

static void fail(struct imds_provider *m, enum err_class class, const char *why)
{
	struct creds_keys none = {0};
	struct err e = {0};

	err_set(&e, class, "instance metadata at %s: %s", m->endpoint, why);
	finish(m, class == ERR_AUTH ? CREDS_NONE : CREDS_FAILED, &none, &e);
}

static bool plain_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
			return false;
	return s.len > 0;
}

static struct span first_line(const struct buf *b)
{
	struct span s = {buf_str(b), b->len};
	const char *stop = memchr(s.ptr, '\n', s.len);

	if (stop)
		s.len = (size_t)(stop - s.ptr);
	while (s.len > 0 && (s.ptr[s.len - 1] == '\r' || s.ptr[s.len - 1] == ' '))
		s.len--;
	return s;
}

static void on_token(struct imds_provider *m)
{
	struct span token = first_line(http_body(m->slot));

	if (!plain_text(token) || token.len > sizeof(m->token_line) - 32) {
		fail(m, ERR_RETRY, "its token is not one");
		return;
	}
	snprintf(m->token_line, sizeof(m->token_line), "x-aws-ec2-metadata-token: %.*s", (int)token.len, token.ptr);
	m->token_until_ms = clock_mono_ms() + TOKEN_TTL_S * 1000LL - TOKEN_MARGIN_MS;
	imds_request(m, IMDS_ROLE);
}

static void on_role(struct imds_provider *m)
{
	struct span role = first_line(http_body(m->slot));

	if (role.len == 0) {
		fail(m, ERR_AUTH, "this instance has no role; attach an instance profile to it");
		return;
	}
	if (!plain_text(role) || role.len > NAME_MAX_BYTES || memchr(role.ptr, '/', role.len)) {
		fail(m, ERR_RETRY, "the name of the role is not one");
		return;
	}
	memcpy(m->role, role.ptr, role.len);
	m->role[role.len] = '\0';
	imds_request(m, IMDS_KEYS);
}

/*
 * The members of the answer that we need, still escaped. Not jansson here: it would leave copies of the secrets in
 * memory that it has freed.
 */
struct answer {
	struct span code;
	struct span access_key;
	struct span secret_key;
	struct span token;
	struct span expiration;
};

static bool parse_keys(const struct buf *b, struct answer *a)
{
	const struct {
		const char *name;
		struct span *to;
	} wanted[] = {{"Code", &a->code},
		      {"AccessKeyId", &a->access_key},
		      {"SecretAccessKey", &a->secret_key},
		      {"Token", &a->token},
		      {"Expiration", &a->expiration}};
	struct json j;
	bool first = true;
	bool more;
	struct span name;

	json_init(&j, buf_str(b), b->len);
	while (json_member(&j, &first, &more, &name)) {
		struct span *to = NULL;

		if (!more)
			return json_end(&j);
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			if (json_raw_eq(name, wanted[i].name))
				to = wanted[i].to;
		if (to && json_peek(&j) == '"' ? !json_raw_string(&j, to) : !json_value(&j, NULL))
			return false;
	}
	return false;
}

/* Unescapes into malloc'd keys. Keys are base64 in practice; only "\/" was ever seen escaped. */
static bool take_keys(const struct answer *a, int64_t expires_ms, struct creds_keys *keys)
{
	const struct span raw[3] = {a->access_key, a->secret_key, a->token};
	struct buf text[3];
	struct span s[3];
	bool ok = true;

	for (int i = 0; i < 3; i++) {
		/* One allocation each, so that no copy is left behind by growing. */
		buf_init(&text[i], ANSWER_MAX_BYTES);
		ok = ok && buf_reserve(&text[i], raw[i].len + 1) == 0 && json_unescape(raw[i], &text[i]) == 0;
		s[i] = (struct span){text[i].data, text[i].len};
		ok = ok && plain_text(s[i]);
	}
	ok = ok && creds_keys_set(keys, s[0], s[1], s[2], expires_ms);
	for (int i = 0; i < 3; i++) {
		if (text[i].data)
			explicit_bzero(text[i].data, text[i].cap);
		buf_fini(&text[i]);
	}
	return ok;
}

static void on_keys(struct imds_provider *m)
{
	struct answer a = {0};
	struct creds_keys keys = {0};
	char expiration[CLOCK_ISO_SIZE * 2] = "";
	struct err e = {0};
	int64_t expires_ms;

	if (!parse_keys(http_body(m->slot), &a)) {
		fail(m, ERR_RETRY, "the keys of the role are not a JSON object");
		return;
	}
	if (a.code.len > 0 && !json_raw_eq(a.code, "Success")) {
		fail(m, ERR_RETRY, "it has no keys of the role now; is the role's trust policy right?");
		return;
	}
	if (a.expiration.len < sizeof(expiration))
		snprintf(expiration, sizeof(expiration), "%.*s", (int)a.expiration.len, a.expiration.ptr);
	if (!clock_parse_iso(expiration, &expires_ms) || !take_keys(&a, expires_ms, &keys)) {
		fail(m, ERR_RETRY, "AccessKeyId, SecretAccessKey, Token or Expiration is missing or malformed");
		return;
	}
	snprintf(m->source, sizeof(m->source), "instance role %s", m->role);
	finish(m, CREDS_FOUND, &keys, &e);
}

static void on_status(struct imds_provider *m, int status)
{
	char why[160];

	if (status == 401 && m->step != IMDS_TOKEN && !m->token_renewed) {
		m->token_renewed = true;
		imds_request(m, IMDS_TOKEN);
		return;
	}
	if (status == 404 && m->step == IMDS_ROLE) {
		fail(m, ERR_AUTH, "this instance has no role; attach an instance profile to it");
		return;
	}
	if (status == 403 && m->step == IMDS_TOKEN) {
		fail(m, ERR_AUTH, "access is switched off; enable it in the instance's metadata options");
		return;
	}
	snprintf(why, sizeof(why), "it answered %d to the request for %s", status,
		 m->step == IMDS_TOKEN	? "a token"
		 : m->step == IMDS_ROLE ? "the role's name"
					: "the role's keys");
	fail(m, ERR_RETRY, why);
}

static void on_answer(struct http_slot *s, const struct http_answer *a, void *arg)
{
	struct imds_provider *m = arg;
	struct creds_keys none = {0};
	struct err e = a->err;

	(void)s;
	if (a->err.class != ERR_NONE) {
		err_prefix(&e, "instance metadata");
		/* No answer to the very first request most often means that this is no EC2 instance. */
		finish(m, m->step == IMDS_TOKEN ? CREDS_NONE : CREDS_FAILED, &none, &e);
	} else if (a->status != 200) {
		on_status(m, a->status);
	} else if (m->step == IMDS_TOKEN) {
		on_token(m);
	} else if (m->step == IMDS_ROLE) {
		on_role(m);
	} else {
		on_keys(m);
	}
}

static void imds_request(struct imds_provider *m, enum imds_step step)
{
	static const char ttl_line[] = "x-aws-ec2-metadata-token-ttl-seconds: 21600";
	struct http_header header = {step == IMDS_TOKEN ? ttl_line : m->token_line};
	struct http_call call = {.method = step == IMDS_TOKEN ? "PUT" : "GET",
				 .url = m->url,
				 .headers = &header,
				 .nheaders = 1,
				 .stall_timeout_ms = m->timeout_ms,
				 .total_timeout_ms = m->timeout_ms,
				 .direct = true};
	struct creds_keys none = {0};
	struct err e = {0};

	m->step = step;
	snprintf(m->url, sizeof(m->url), "%s%s%s", m->endpoint, step == IMDS_TOKEN ? "/latest/api/token" : roles_path,
		 step == IMDS_KEYS ? m->role : "");
	/* http_send copies the header line's address, not the array. */
	if (http_send(m->slot, &call, on_answer, m, &e) < 0) {
		err_prefix(&e, "instance metadata");
		finish(m, CREDS_FAILED, &none, &e);
	}
}

static void imds_fetch(struct creds_provider *p)
{
	struct imds_provider *m = (struct imds_provider *)p;

	m->token_renewed = false;
	/* The role is asked for each time: another one may have been attached. */
	imds_request(m, clock_mono_ms() < m->token_until_ms ? IMDS_ROLE : IMDS_TOKEN);
}

static const char *imds_source(const struct creds_provider *p)
{
	return ((const struct imds_provider *)p)->source;
}

static void imds_free(struct creds_provider *p)
{
	struct imds_provider *m = (struct imds_provider *)p;

	if (m->slot) {
		struct buf *body = http_body(m->slot);

		if (body->data)
			explicit_bzero(body->data, body->cap);
		http_slot_free(m->slot);
	}
	explicit_bzero(m->token_line, sizeof(m->token_line));
	free(m->endpoint);
	free(m);
}

static const char *get(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

static char *endpoint_copy(const char *configured)
{
	const char *mode = get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	const char *from = configured ? configured : get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	char *copy;

	if (!from)
		from = mode && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
	copy = strndup(from, 255);
	for (size_t len = copy ? strlen(copy) : 0; len > 0 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	return copy;
}

struct creds_provider *creds_imds_new(struct http *http, const char *endpoint, int timeout_ms, bool *off)
{
	static const struct creds_provider_ops ops = {.fetch = imds_fetch, .source = imds_source, .free = imds_free};
	const char *disabled = get("AWS_EC2_METADATA_DISABLED");
	struct imds_provider *m;

	*off = disabled && strcasecmp(disabled, "true") == 0;
	if (*off)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->base.ops = &ops;
	m->timeout_ms = timeout_ms > 0 ? timeout_ms : IMDS_TIMEOUT_MS;
	m->token_until_ms = INT64_MIN;
	m->endpoint = endpoint_copy(endpoint);
	m->slot = http_slot_new(http, ANSWER_MAX_BYTES);
	if (!m->endpoint || !m->slot) {
		imds_free(&m->base);
		return NULL;
	}
	return &m->base;
}
