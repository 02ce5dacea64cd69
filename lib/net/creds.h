/*
 * creds: AWS credentials, from a chain of providers, refreshed ahead of their expiry without holding requests up.
 *
 * Chain (AWS SDKs and Tools Reference Guide, "Standardized credential providers"): environment
 * (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), shared credentials and config files (static keys of
 * the profile), EC2 instance role by IMDSv2 (off with AWS_EC2_METADATA_DISABLED=true). The first provider that has an
 * answer keeps the job. Secrets are wiped when they are replaced, and are in no log line and no error.
 */
#ifndef DDB_NET_CREDS_H
#define DDB_NET_CREDS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "net/http.h"

struct creds_keys {
	char *access_key;
	char *secret_key;
	char *session_token; /* NULL when there is none */
	int64_t expires_ms;  /* wall clock, INT64_MAX when they do not expire */
};

struct creds;

struct creds_options {
	const char *profile;	   /* NULL: AWS_PROFILE, else "default" */
	const char *imds_endpoint; /* NULL: AWS_EC2_METADATA_SERVICE_ENDPOINT, else http://169.254.169.254 */
	int refresh_ahead_ms;	   /* keys are fetched anew this long before they expire; 0: 600,000 */
	int imds_timeout_ms;	   /* for each of the three requests; 0: 2,000 */
};

struct creds *creds_new(uv_loop_t *loop, struct http *http, const struct creds_options *o, struct err *e);
/* Closes its timers on the loop: run the loop once more. Wipes. */
void creds_free(struct creds *c);

/*
 * The keys to sign with now, or NULL with `e` (-> ERR_AUTH: none found and what was looked at, or all expired;
 * ERR_RETRY: being fetched; try again shortly). Starts a fetch when needed; never blocks on the network. Good until
 * the caller returns to the loop.
 */
const struct creds_keys *creds_get(struct creds *c, struct err *e);

/* The server said that these keys are wrong or expired: fetch (or read the files) again, at most once in 10 s. */
void creds_rejected(struct creds *c);

/* "environment", "shared file [profile]", "instance role NAME": for logs and /status. "none" before the first success.
 */
const char *creds_source(const struct creds *c);
int64_t creds_expires_ms(const struct creds *c); /* INT64_MAX: never; CLOCK_UNKNOWN: no keys */

/* `region` of the profile in the shared config file, malloc'd, or NULL. For when neither the configuration nor
 * AWS_REGION has one. */
char *creds_profile_region(const char *profile);

#endif
