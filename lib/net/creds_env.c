/* creds_env: keys in the environment. It does not change while we run, so it is read anew at each fetch only for form. */
#include <stdlib.h>
#include <string.h>

#include "net/creds_provider.h"

/* An empty variable counts as not set, as in AWS's own tools. */
static const char *get(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

static void env_fetch(struct creds_provider *p)
{
	const char *access_key = get("AWS_ACCESS_KEY_ID");
	const char *secret_key = get("AWS_SECRET_ACCESS_KEY");
	struct creds_keys keys = {0};
	struct err e = {0};

	if (!access_key && !secret_key) {
		err_set(&e, ERR_AUTH, "environment (AWS_ACCESS_KEY_ID is not set)");
		creds_fetched(p, CREDS_NONE, &keys, &e);
		return;
	}
	if (!access_key || !secret_key) {
		err_set(&e, ERR_AUTH, "environment: %s is set but %s is not; set both or neither",
			access_key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
			access_key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
		creds_fetched(p, CREDS_FAILED, &keys, &e);
		return;
	}
	if (!creds_keys_set(&keys, span_of(access_key), span_of(secret_key), span_of(get("AWS_SESSION_TOKEN")),
			    INT64_MAX)) {
		err_set(&e, ERR_SYSTEM, "no memory for credentials");
		creds_fetched(p, CREDS_FAILED, &keys, &e);
		return;
	}
	creds_fetched(p, CREDS_FOUND, &keys, &e);
}

static const char *env_source(const struct creds_provider *p)
{
	(void)p;
	return "environment";
}

static void env_free(struct creds_provider *p)
{
	free(p);
}

struct creds_provider *creds_env_new(void)
{
	static const struct creds_provider_ops ops = {.fetch = env_fetch, .source = env_source, .free = env_free};
	struct creds_provider *p = calloc(1, sizeof(*p));

	if (p)
		p->ops = &ops;
	return p;
}
