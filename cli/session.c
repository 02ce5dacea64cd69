#include "session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/config_tools.h"
#include "cli.h"
#include "codec/digest.h"
#include "codec/itemkey.h"
#include "codec/sigv4.h"

#define DEFAULT_CONFIG "/etc/ddb-streamd.conf"
#define ANSWER_MAX ((size_t)64 << 20) /* watermark.json of a table with very many shards */

/* s3://NAME/PREFIX in its two parts; a plain name has no second. Both are malloc'd. */
static int split_url(const struct options *o, char **bucket, char **prefix)
{
	const char *name = o->bucket;
	*bucket = *prefix = NULL;
	if (strncmp(name, "s3://", 5) == 0)
		name += 5;
	size_t len = strcspn(name, "/");
	if (name[len] == '/' && name == o->bucket)
		return cli_usage("--bucket %s: a bucket's name, or s3://NAME/PREFIX", o->bucket);
	if (name[len] == '/' && name[len + 1] != '\0' && o->bucket_prefix != NULL)
		return cli_usage("--bucket-prefix: --bucket %s has a prefix already", o->bucket);
	*bucket = strndup(name, len);
	if (name[len] == '/' && name[len + 1] != '\0')
		*prefix = strdup(name + len + 1);
	else if (o->bucket_prefix != NULL)
		*prefix = strdup(o->bucket_prefix);
	return 0;
}

static int config_from_flags(struct session *s, const struct options *o)
{
	char *bucket, *prefix;
	struct err e;
	int code = split_url(o, &bucket, &prefix);
	const struct config_tools_value values[] = {
		{"s3", "bucket", bucket, "--bucket"},
		{"s3", "prefix", prefix, "--bucket-prefix"},
		{"s3", "key_format", o->key_format, "--key-format"},
		{"s3", "tenant_attribute", o->tenant_attribute, "--tenant-attribute"},
		{"s3", "addressing", o->addressing, "--addressing"},
		{"aws", "region", o->region, "--region"},
		{"aws", "profile", o->profile, "--profile"},
		{"aws", "endpoint_url", o->endpoint_url, "--endpoint-url"},
	};
	if (code == 0 &&
	    config_tools_new(o->table ? o->table : "", values, sizeof(values) / sizeof(values[0]), &s->conf, &e) < 0) {
		cli_say("%s", e.message);
		code = EX_USAGE;
	}
	if (code == 0)
		s->table = &s->conf->tables[0];
	free(bucket);
	free(prefix);
	return code;
}

static int config_from_file(struct session *s, const struct options *o)
{
	const char *path = o->config ? o->config : DEFAULT_CONFIG;
	struct err e;
	const struct config_tools_value values[] = {
		{"s3", "addressing", o->addressing, "--addressing"},
		{"aws", "region", o->region, "--region"},
		{"aws", "profile", o->profile, "--profile"},
		{"aws", "endpoint_url", o->endpoint_url, "--endpoint-url"},
	};
	if (o->bucket_prefix != NULL || o->key_format != NULL || o->tenant_attribute != NULL)
		return cli_usage(
			"--bucket-prefix, --key-format and --tenant-attribute go with --bucket; %s has its own", path);
	if (config_load(path, &s->conf, &e) < 0) {
		cli_say("%s%s", e.message, o->config ? "" : " (or give --bucket instead of a configuration)");
		return EX_CONFIG;
	}
	if (config_tools_override(s->conf, values, sizeof(values) / sizeof(values[0]), &e) < 0) {
		cli_say("%s", e.message);
		return EX_USAGE;
	}
	for (size_t i = 0; o->table != NULL && i < s->conf->ntables; i++)
		if (strcmp(s->conf->tables[i].name, o->table) == 0)
			s->table = &s->conf->tables[i];
	if (o->table != NULL && s->table == NULL) {
		cli_say("%s has no [table \"%s\"]; correct --table, or give --bucket instead of a configuration", path,
			o->table);
		return EX_USAGE;
	}
	return 0;
}

static int make_paths(struct session *s)
{
	if (s->table == NULL)
		return 0;
	s->data_path = config_data_path(s->table);
	s->meta_path = config_meta_path(s->table);
	if (s->data_path != NULL && s->meta_path != NULL && asprintf(&s->deletes_path, "%sdeletes/", s->meta_path) >= 0)
		return 0;
	s->deletes_path = NULL;
	cli_say("out of memory");
	return EX_OSERR;
}

static void on_signal(uv_signal_t *h, int number)
{
	struct session *s = h->data;
	s->stop = true;
	s->signal = number;
	if (s->on_stop != NULL)
		s->on_stop(s->on_stop_arg);
}

static void watch_signals(struct session *s)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	for (size_t i = 0; i < 2; i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, numbers[i]);
		uv_unref((uv_handle_t *)&s->signals[i]);
	}
}

int session_open(struct session *s, const struct options *o)
{
	struct err e;
	*s = (struct session){0};
	if (o->bucket != NULL && o->config != NULL)
		return cli_usage("--config and --bucket cannot be given together");
	int code = o->bucket != NULL ? config_from_flags(s, o) : config_from_file(s, o);
	if (code == 0)
		code = make_paths(s);
	if (code != 0)
		return code;
	if (digest_init(&e) < 0)
		return cli_fail(&e);
	uv_loop_init(&s->loop);
	watch_signals(s);
	if (aws_init(&s->aws, &s->loop, s->conf, SESSION_SLOTS + SESSION_OTHERS, &e) < 0 ||
	    aws_op_init(&s->op, &s->aws, ANSWER_MAX, &e) < 0)
		return cli_fail(&e);
	return 0;
}

void session_close(struct session *s)
{
	if (s->loop.data == NULL && s->signals[0].data == NULL)
		goto rest;
	for (size_t i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
	if (s->op.aws != NULL)
		aws_op_fini(&s->op, NULL);
	aws_fini(&s->aws);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_loop_close(&s->loop);
rest:
	config_free(s->conf);
	free(s->data_path);
	free(s->meta_path);
	free(s->deletes_path);
	itemkey_cleanup();
	sigv4_cleanup();
	digest_cleanup();
	if (s->signal != 0) {
		/* So that a shell sees how it ended. */
		signal(s->signal, SIG_DFL);
		raise(s->signal);
	}
}

int64_t session_now_ms(const struct session *s)
{
	return clock_wall_ms() + s->aws.clock_skew_ms;
}

int session_retry_ms(const struct err *e, unsigned attempt)
{
	/* A damaged answer may be whole the next time, and keys may still be on their way (ERR_RETRY). */
	bool worth = e->class == ERR_RETRY || e->class == ERR_THROTTLE || e->class == ERR_CORRUPT;
	return worth && attempt < SESSION_TRIES ? backoff_delay_ms(e, attempt) : -1;
}

bool session_look(struct session *s)
{
	/* A loop without a handle that counts does not even look. */
	uv_ref((uv_handle_t *)&s->signals[0]);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	uv_unref((uv_handle_t *)&s->signals[0]);
	return s->stop;
}

void session_pause(struct session *s, int ms)
{
	while (ms > 0 && !session_look(s)) {
		int step = ms < 100 ? ms : 100;
		usleep((useconds_t)step * 1000);
		ms -= step;
	}
}

int session_settle(struct session *s, struct aws_op *op, unsigned attempt)
{
	int rc = aws_wait(op, &s->stop);
	int wait_ms = rc < 0 ? session_retry_ms(&op->err, attempt) : 0;
	if (rc == 0 || wait_ms < 0 || s->stop)
		return rc;
	session_pause(s, wait_ms);
	return s->stop ? rc : 1;
}

/* The same for the session's own requests, whose last error is handed out. */
static int settle(struct session *s, unsigned attempt, struct err *e)
{
	int rc = session_settle(s, &s->op, attempt);
	if (rc != 0)
		*e = s->op.err;
	return rc;
}

int session_get(struct session *s, const char *key, struct buf *out, bool *exists, struct err *e)
{
	struct s3_head head;
	unsigned attempt = 1;
	int rc;
	do {
		s3_get(&s->op, span_of(key), (struct span){0}, &head, NULL, NULL);
		rc = settle(s, attempt++, e);
	} while (rc > 0);
	if (rc < 0)
		return rc;
	const struct buf *body = http_body(s->op.slot);
	*exists = head.exists;
	return head.exists ? buf_append(out, buf_str(body), body->len) : 0;
}

int session_put(struct session *s, const char *key, struct span body, struct err *e)
{
	const struct s3_put put = {.key = span_of(key), .body = body};
	unsigned attempt = 1;
	int rc;
	do {
		s3_put(&s->op, &put, NULL, NULL);
		rc = settle(s, attempt++, e);
	} while (rc > 0);
	return rc;
}

int session_list(struct session *s, const struct s3_list *l, struct span *body, struct err *e)
{
	unsigned attempt = 1;
	int rc;
	do {
		s3_list_versions(&s->op, l, NULL, NULL);
		rc = settle(s, attempt++, e);
	} while (rc > 0);
	if (rc == 0)
		*body = (struct span){buf_str(http_body(s->op.slot)), http_body(s->op.slot)->len};
	return rc;
}
