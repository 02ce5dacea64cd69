#include "startup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/backoff.h"
#include "base/log.h"
#include "daemon.h"

static void ask_caller(struct startup *s);

static void on_timer(uv_timer_t *timer)
{
	ask_caller(timer->data);
}

int startup_init(struct startup *s, struct daemon *d, struct err *e)
{
	*s = (struct startup){.daemon = d};
	uv_timer_init(&d->loop, &s->timer);
	s->timer.data = s;
	/* The first table's prefix: with an IAM policy for one prefix only, that is where writing is allowed. */
	if (asprintf(&s->probe_key, "%s.ddb-streamd/probe.json", d->conf->tables[0].prefix) < 0) {
		s->probe_key = NULL;
		return err_set(e, ERR_SYSTEM, "out of memory");
	}
	snprintf(s->probe_body, sizeof(s->probe_body), "{\"by\":\"ddb-streamd %s\"}\n", DDB_VERSION);
	return aws_op_init(&s->op, &d->aws, 64 << 10, e);
}

void startup_stop(struct startup *s)
{
	uv_timer_stop(&s->timer);
	if (s->op.busy)
		aws_op_cancel(&s->op);
}

void startup_close(struct startup *s)
{
	aws_op_fini(&s->op, NULL);
	uv_close((uv_handle_t *)&s->timer, NULL);
}

void startup_fini(struct startup *s)
{
	free(s->probe_key);
}

static void refuse(struct startup *s, int exit_code, const struct err *e)
{
	s->problem = *e;
	log_error("cannot start", LOG_S("bucket", s->daemon->conf->bucket), LOG_E(e));
	daemon_refuse(s->daemon, exit_code);
}

static void failed(struct startup *s, const struct err *e)
{
	switch (e->class) {
	case ERR_CANCELLED:
		return;
	case ERR_AUTH:
	case ERR_DENIED:
		refuse(s, EX_NOPERM, e);
		return;
	case ERR_NOT_FOUND:
	case ERR_INVALID:
		refuse(s, EX_UNAVAILABLE, e);
		return;
	default:
		break;
	}
	s->problem = *e;
	s->failures++;
	log_warn("start-up checks cannot be made yet; trying again", LOG_E(e), LOG_U("failures", s->failures));
	uv_timer_start(&s->timer, on_timer, (uint64_t)backoff_delay_ms(e, s->failures), 0);
}

static void finished(struct startup *s, bool conditional)
{
	s->conditional_known = true;
	s->conditional = conditional;
	s->problem.class = ERR_NONE;
	log_info("bucket is ready", LOG_S("bucket", s->daemon->conf->bucket), LOG_S("region", s->daemon->aws.region),
		 LOG_S("conditional_writes", conditional ? "yes" : "no"),
		 LOG_S("credentials", creds_source(s->daemon->aws.creds)),
		 LOG_S("identity", s->caller.arn[0] != '\0' ? s->caller.arn : NULL));
	daemon_checked(s->daemon);
}

/* The probe exists by now: a store that honours If-None-Match: * refuses to write it again. */
static void on_conditional(struct aws_op *op, int rc, void *arg)
{
	struct startup *s = arg;
	if (rc == -ERR_CONFLICT)
		finished(s, true);
	else if (rc < 0 && op->http_status == 501) /* NotImplemented: a store that says so */
		finished(s, false);
	else if (rc < 0)
		failed(s, &op->err);
	else
		finished(s, false);
}

static struct s3_put probe(const struct startup *s, enum s3_condition condition)
{
	return (struct s3_put){
		.key = span_of(s->probe_key),
		.body = span_of(s->probe_body),
		.condition = condition,
	};
}

static void on_probe(struct aws_op *op, int rc, void *arg)
{
	struct startup *s = arg;
	if (rc < 0) {
		err_prefix(&op->err, "a test write to s3://%s/%s failed; the identity needs s3:PutObject there",
			   s->daemon->conf->bucket, s->probe_key);
		failed(s, &op->err);
		return;
	}
	const struct s3_put p = probe(s, S3_IF_NONE_MATCH_ANY);
	s3_put(&s->op, &p, on_conditional, s);
}

static void on_versioning(struct aws_op *op, int rc, void *arg)
{
	struct startup *s = arg;
	const char *bucket = s->daemon->conf->bucket;
	struct err e;
	if (rc == -ERR_NOT_FOUND) {
		err_prefix(&op->err,
			   "there is no bucket \"%s\"; create it with versioning enabled, or correct [s3] bucket",
			   bucket);
		refuse(s, EX_UNAVAILABLE, &op->err);
		return;
	}
	if (rc < 0) {
		failed(s, &op->err);
		return;
	}
	if (s->versioning != S3XML_VERSIONING_ENABLED) {
		err_set(&e, ERR_INVALID,
			"versioning of bucket %s is %s, so that each write would destroy the version before it; enable "
			"it: aws "
			"s3api put-bucket-versioning --bucket %s --versioning-configuration Status=Enabled",
			bucket, s->versioning == S3XML_VERSIONING_SUSPENDED ? "suspended" : "off", bucket);
		refuse(s, EX_UNAVAILABLE, &e);
		return;
	}
	const struct s3_put p = probe(s, S3_ALWAYS);
	s3_put(&s->op, &p, on_probe, s);
}

static void ask_versioning(struct startup *s)
{
	s3_get_versioning(&s->op, &s->versioning, on_versioning, s);
}

/* Who we are is for people only: a private network without a way to STS must not keep the backup from starting. */
static void on_caller(struct aws_op *op, int rc, void *arg)
{
	struct startup *s = arg;
	if (rc < 0 && op->err.class == ERR_CANCELLED)
		return;
	if (rc < 0)
		log_debug("identity is not known", LOG_E(&op->err));
	ask_versioning(s);
}

/* With an S3 endpoint of another maker there is nobody to ask, unless the configuration names somebody. */
static bool has_sts(const struct config *c)
{
	return c->endpoints[CONFIG_STS] != NULL || c->endpoints[CONFIG_S3] == NULL;
}

static void ask_caller(struct startup *s)
{
	if (s->failures == 0 && s->caller.arn[0] == '\0' && has_sts(s->daemon->conf))
		sts_get_caller(&s->op, &s->caller, on_caller, s);
	else
		ask_versioning(s);
}

void startup_begin(struct startup *s)
{
	ask_caller(s);
}
