/*
 * creds: the chain of providers, the keys in use, and when to fetch them again. The providers are the creds_*.c files.
 *
 * Old keys stay in use until new ones are there: a fetch never takes keys away. They are given up only when they have
 * expired, and not even then when their source itself hands out expired keys (see keys_taken).
 */
#include "net/creds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/creds_provider.h"

#define REFRESH_AHEAD_MS 600000
#define REJECTED_PAUSE_MS 10000 /* between fetches that creds_rejected asks for */
#define LOOK_PAUSE_MS 1000	/* between looks whether a provider has changed */
#define TICK_MAX_MS 60000	/* wall clocks jump, so a long wait is cut into pieces */
#define STALE_USE_MS 900000	/* how long keys are used that came expired, before the next fetch that may say so */
#define PROVIDERS_MAX 8

struct creds {
	uv_timer_t timer; /* its close frees the whole */
	struct creds_provider *chain[PROVIDERS_MAX];
	size_t providers;
	size_t asked;  /* index of the provider that is being asked, or was last */
	size_t chosen; /* index of the one whose keys these are; providers when none yet */
	bool fetching;
	bool wanted;   /* a fetch, in the next turn */
	bool imds_off; /* not in the chain */
	bool rejected_once;
	bool stale_told;
	int refresh_ahead_ms;
	struct creds_keys keys;	 /* access_key is NULL when there are none */
	int64_t refresh_wall_ms; /* when to fetch again; INT64_MAX: never */
	int64_t usable_wall_ms;	 /* when the keys are given up */
	int64_t retry_mono_ms;	 /* no fetch before it */
	int64_t looked_mono_ms;
	int64_t rejected_mono_ms;
	unsigned failures; /* in a row */
	struct err err;	   /* of the last fetch, ERR_NONE after a success */
	char looked_at[sizeof(((struct err *)0)->message)];
};

/* Keys. */

void creds_wipe_free(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void creds_keys_fini(struct creds_keys *k)
{
	creds_wipe_free(k->access_key);
	creds_wipe_free(k->secret_key);
	creds_wipe_free(k->session_token);
	memset(k, 0, sizeof(*k));
}

bool creds_keys_set(struct creds_keys *k, struct span access_key, struct span secret_key, struct span token,
		    int64_t expires_ms)
{
	memset(k, 0, sizeof(*k));
	k->access_key = strndup(access_key.ptr, access_key.len);
	k->secret_key = strndup(secret_key.ptr, secret_key.len);
	k->session_token = token.len > 0 ? strndup(token.ptr, token.len) : NULL;
	k->expires_ms = expires_ms;
	if (k->access_key && k->secret_key && (k->session_token || token.len == 0))
		return true;
	creds_keys_fini(k);
	return false;
}

/* Fetching. */

static bool found_before(const struct creds *c)
{
	return c->chosen < c->providers;
}

static void ask(struct creds *c)
{
	struct creds_provider *p = c->chain[c->asked];

	p->ops->fetch(p);
}

static void fetch(struct creds *c)
{
	if (c->fetching)
		return;
	c->fetching = true;
	c->wanted = false;
	uv_unref((uv_handle_t *)&c->timer);
	c->asked = found_before(c) ? c->chosen : 0;
	c->looked_at[0] = '\0';
	ask(c);
}

static void on_timer(uv_timer_t *timer);

/* Sets the timer for the next fetch that is due by itself. */
static void arm(struct creds *c)
{
	int64_t wait_ms = c->refresh_wall_ms - clock_wall_ms();
	int64_t held_ms = c->retry_mono_ms - clock_mono_ms();

	if (!c->keys.access_key || c->refresh_wall_ms == INT64_MAX) {
		uv_timer_stop(&c->timer);
		return;
	}
	if (wait_ms < held_ms)
		wait_ms = held_ms;
	if (wait_ms < 1)
		wait_ms = 1;
	if (wait_ms > TICK_MAX_MS)
		wait_ms = TICK_MAX_MS;
	uv_timer_start(&c->timer, on_timer, (uint64_t)wait_ms, 0);
}

static bool due(const struct creds *c)
{
	return !c->fetching && clock_wall_ms() >= c->refresh_wall_ms && clock_mono_ms() >= c->retry_mono_ms;
}

static void on_timer(uv_timer_t *timer)
{
	struct creds *c = timer->data;

	if (c->wanted || due(c))
		fetch(c);
	if (!c->fetching)
		arm(c);
}

/* A fetch that ends at once replaces the keys, and a caller may still hold them: so not now, but in the next turn. */
static void fetch_soon(struct creds *c)
{
	if (c->fetching)
		return;
	c->wanted = true;
	uv_ref((uv_handle_t *)&c->timer);
	uv_timer_start(&c->timer, on_timer, 0, 0);
}

static void keys_taken(struct creds *c, struct creds_keys *keys)
{
	int64_t now_ms = clock_wall_ms();
	int64_t left_ms;
	bool news = c->chosen != c->asked;

	creds_keys_fini(&c->keys);
	c->keys = *keys;
	memset(keys, 0, sizeof(*keys));
	c->chosen = c->asked;
	c->err.class = ERR_NONE;
	c->failures = 0;
	c->retry_mono_ms = 0;
	c->refresh_wall_ms = INT64_MAX;
	c->usable_wall_ms = c->keys.expires_ms;
	if (news)
		log_info("credentials found", LOG_S("source", creds_source(c)));
	else
		log_debug("credentials refreshed", LOG_S("source", creds_source(c)));
	if (c->keys.expires_ms == INT64_MAX)
		return;

	left_ms = c->keys.expires_ms - now_ms;
	if (left_ms <= 0) {
		/*
		 * When the service behind the metadata is down it goes on handing out the last keys, and AWS goes on
		 * accepting them past their time (AWS SDKs, "static stability"). The next look is soon, but random, for
		 * every host sees this at once.
		 */
		c->usable_wall_ms = now_ms + STALE_USE_MS;
		c->refresh_wall_ms = now_ms + STALE_USE_MS / 3 + (int64_t)backoff_random(STALE_USE_MS / 3);
		if (!c->stale_told)
			log_warn("the instance metadata service hands out expired credentials; using them until it has "
				 "new ones",
				 LOG_S("source", creds_source(c)), LOG_T("expired", c->keys.expires_ms));
		c->stale_told = true;
		return;
	}
	c->stale_told = false;
	/* Up to a tenth earlier still, so that hosts that started together do not ask together. Keys that live no
	 * longer than that are fetched again at half their time. */
	c->refresh_wall_ms = c->keys.expires_ms - c->refresh_ahead_ms -
			     (int64_t)backoff_random((uint64_t)c->refresh_ahead_ms / 10 + 1);
	if (c->refresh_wall_ms <= now_ms)
		c->refresh_wall_ms = now_ms + left_ms / 2 + 1;
}

static void fetch_failed(struct creds *c, const struct err *e)
{
	c->failures++;
	c->err = *e;
	c->retry_mono_ms = clock_mono_ms() + backoff_delay_ms(e, c->failures);
	log_debug("credentials cannot be fetched", LOG_U("attempt", c->failures), LOG_E(e));
}

/* The chain has ended without an answer. */
static void none_found(struct creds *c, const struct err *last)
{
	struct err e = {0};

	if (found_before(c))
		e = *last;
	else
		err_set(&e, ERR_AUTH, "no AWS credentials found; looked at: %s%s", c->looked_at,
			c->imds_off ? "; instance metadata (off by AWS_EC2_METADATA_DISABLED)" : "");
	fetch_failed(c, &e);
}

void creds_fetched(struct creds_provider *p, enum creds_outcome outcome, struct creds_keys *keys, const struct err *e)
{
	struct creds *c = p->creds;
	size_t len = strlen(c->looked_at);

	if (outcome == CREDS_NONE && !found_before(c)) {
		snprintf(c->looked_at + len, sizeof(c->looked_at) - len, "%s%s", len > 0 ? "; " : "", e->message);
		if (c->asked + 1 < c->providers) {
			c->asked++;
			ask(c);
			return;
		}
	}
	c->fetching = false;
	if (outcome == CREDS_FOUND)
		keys_taken(c, keys);
	else if (outcome == CREDS_NONE)
		none_found(c, e);
	else
		fetch_failed(c, e);
	arm(c);
}

/* What callers see. */

static void look_for_change(struct creds *c)
{
	int64_t now_ms = clock_mono_ms();
	struct creds_provider *p = c->chain[c->chosen];

	if (!p->ops->changed || c->fetching || now_ms - c->looked_mono_ms < LOOK_PAUSE_MS)
		return;
	c->looked_mono_ms = now_ms;
	if (p->ops->changed(p))
		fetch_soon(c);
}

const struct creds_keys *creds_get(struct creds *c, struct err *e)
{
	char when[CLOCK_ISO_SIZE];
	struct err why;

	if (!c->keys.access_key) {
		if (!c->fetching && clock_mono_ms() >= c->retry_mono_ms)
			fetch(c);
	} else {
		look_for_change(c);
		if (due(c))
			fetch_soon(c);
	}
	if (c->keys.access_key && clock_wall_ms() < c->usable_wall_ms)
		return &c->keys;
	if (c->fetching || c->wanted) {
		err_set(e, ERR_RETRY, "AWS credentials are being fetched");
		return NULL;
	}
	why = c->err;
	if (c->keys.access_key) {
		clock_iso(when, c->keys.expires_ms);
		err_set(e, ERR_AUTH, "AWS credentials from %s expired at %s and cannot be fetched anew: %.200s",
			creds_source(c), when, why.message);
	} else if (e) {
		*e = why;
	}
	return NULL;
}

void creds_rejected(struct creds *c)
{
	int64_t now_ms = clock_mono_ms();

	if (c->rejected_once && now_ms - c->rejected_mono_ms < REJECTED_PAUSE_MS)
		return;
	c->rejected_once = true;
	c->rejected_mono_ms = now_ms;
	fetch_soon(c);
}

const char *creds_source(const struct creds *c)
{
	const struct creds_provider *p;

	if (!found_before(c))
		return "none";
	p = c->chain[c->chosen];
	return p->ops->source(p);
}

int64_t creds_expires_ms(const struct creds *c)
{
	return c->keys.access_key ? c->keys.expires_ms : CLOCK_UNKNOWN;
}

/* Life. */

static bool chain_add(struct creds *c, struct creds_provider *p)
{
	if (!p)
		return false;
	p->creds = c;
	c->chain[c->providers++] = p;
	return true;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct creds *creds_new(uv_loop_t *loop, struct http *http, const struct creds_options *o, struct err *e)
{
	struct creds *c = calloc(1, sizeof(*c));

	if (!c) {
		err_set(e, ERR_SYSTEM, "no memory for credentials");
		return NULL;
	}
	uv_timer_init(loop, &c->timer);
	c->timer.data = c;
	/* A refresh that is due in hours must not keep the loop alive. */
	uv_unref((uv_handle_t *)&c->timer);
	c->refresh_ahead_ms = o->refresh_ahead_ms > 0 ? o->refresh_ahead_ms : REFRESH_AHEAD_MS;
	if (!chain_add(c, creds_env_new()) || !chain_add(c, creds_file_new(o->profile)) ||
	    (!chain_add(c, creds_imds_new(http, o->imds_endpoint, o->imds_timeout_ms, &c->imds_off)) && !c->imds_off)) {
		err_set(e, ERR_SYSTEM, "no memory for credentials");
		creds_free(c);
		return NULL;
	}
	c->chosen = PROVIDERS_MAX;
	c->refresh_wall_ms = INT64_MAX;
	c->looked_mono_ms = clock_mono_ms();
	return c;
}

void creds_free(struct creds *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->providers; i++)
		c->chain[i]->ops->free(c->chain[i]);
	creds_keys_fini(&c->keys);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}
