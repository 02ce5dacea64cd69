#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "daemon.h"
#include "drill.h"
#include "shard.h"

char *table_meta_key(const struct table *t, const char *name)
{
	char *key;
	return asprintf(&key, "%s%s", t->meta_path, name) < 0 ? NULL : key;
}

/* What the last run knew, and whether S3 must be asked about what it may have written past that. */
static int load_checkpoint(struct table *t, struct err *e)
{
	struct checkpoint c;
	int rc =
		checkpoint_load(t->saving.checkpoint_path, t->conf->name, t->daemon->conf->bucket, t->data_path, &c, e);
	if (rc == -ERR_NOT_FOUND)
		return 0;
	if (rc < 0)
		return rc;
	t->restored = c.position;
	t->complete_before_ms = c.position->complete_through_ms;
	if (!c.clean)
		t->ask_until_ms = c.horizon_ms;
	log_info("checkpoint found", LOG_S("table", t->conf->name), LOG_T("saved", c.position->saved_ms),
		 LOG_S("stopped", c.clean ? "cleanly" : "uncleanly"));
	return 0;
}

static int make_names(struct table *t, struct err *e)
{
	t->data_path = config_data_path(t->conf);
	t->meta_path = config_meta_path(t->conf);
	t->deletes_path = t->meta_path != NULL ? table_meta_key(t, "deletes/") : NULL;
	if (t->data_path == NULL || t->deletes_path == NULL)
		return err_errno(e, ENOMEM, "table %s", t->conf->name);
	t->salt = map_hash(t->data_path, strlen(t->data_path));
	t->schema.format = t->conf->key_format;
	t->schema.tenant_attribute = t->conf->tenant_attribute;
	t->schema.path_bytes = strlen(t->deletes_path);
	return 0;
}

int table_init(struct table *t, struct daemon *d, const struct config_table *conf, size_t share_bytes, struct err *e)
{
	*t = (struct table){.daemon = d, .conf = conf};
	t->state = VIEW_TABLE_STARTING;
	t->ask_until_ms = t->last_durable_event_ms = t->complete_before_ms = CLOCK_UNKNOWN;
	t->since_ms = clock_wall_ms();
	TAILQ_INIT(&t->streams);
	lane_group_init(&t->lanes);
	reader_queue_init(&t->reads, t, share_bytes);
	t->baseline = baseline_new(t);
	t->drill = drill_new(&d->loop, d->conf->state_dir, conf->name);
	if (t->baseline == NULL || t->drill == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	uv_timer_init(&d->loop, &t->check_timer);
	t->check_timer.data = t;
	table_discover_init(t);
	int rc = aws_op_init(&t->op, &d->aws, TABLE_ANSWER_MAX, e);
	if (rc == 0)
		rc = make_names(t, e);
	if (rc == 0)
		rc = table_schema_init(t, e);
	if (rc == 0)
		rc = table_save_init(t, e);
	if (rc == 0)
		rc = load_checkpoint(t, e);
	return rc;
}

void table_close(struct table *t)
{
	struct stream *st;
	while ((st = TAILQ_FIRST(&t->streams)) != NULL) {
		TAILQ_REMOVE(&t->streams, st, link);
		stream_free(st);
	}
	t->active = NULL;
	baseline_close(t->baseline);
	drill_free(t->drill);
	t->drill = NULL;
	aws_op_fini(&t->op, NULL);
	aws_op_fini(&t->json.op, NULL);
	uv_close((uv_handle_t *)&t->check_timer, NULL);
	table_discover_stop(t);
	table_save_close(t);
}

int64_t table_now_ms(const struct table *t)
{
	return clock_wall_ms() + t->daemon->aws.clock_skew_ms;
}

void table_fini(struct table *t)
{
	baseline_free(t->baseline);
	table_gap_fini(t);
	table_discover_fini(t);
	table_save_fini(t);
	position_free(t->restored);
	table_description_fini(&t->about);
	table_description_fini(&t->fresh);
	table_schema_fini(t);
	free(t->key);
	free(t->data_path);
	free(t->meta_path);
	free(t->deletes_path);
}

void table_described(struct table *t)
{
	table_description_fini(&t->about);
	t->about = t->fresh;
	t->fresh = (struct table_description){0};
	t->gone = false;
	t->schema.hash_name = t->about.hash_name;
	t->schema.range_name = t->about.range_name;
}

void table_compact(struct table *t)
{
	struct stream *st;
	struct shard *s;
	struct batch *b;
	TAILQ_FOREACH (st, &t->streams, link)
		TAILQ_FOREACH (s, &st->shards, link)
			TAILQ_FOREACH (b, &s->batches, link)
				t->reads.used_bytes -= batch_compact(b);
}

static int64_t stream_complete_ms(const struct stream *st)
{
	const struct shard *s;
	int64_t least = INT64_MAX;
	TAILQ_FOREACH (s, &st->shards, link) {
		/* A shard that waits is as complete as its parent, which counts until its children are known. */
		if (s->state == SHARD_WAITING || (s->state == SHARD_FINISHED && s->children_known))
			continue;
		int64_t ms = shard_complete_ms(s);
		if (ms < least)
			least = ms;
	}
	return least;
}

int64_t table_complete_ms(const struct table *t)
{
	if (t->active == NULL || !t->active->swept)
		return t->complete_before_ms;
	int64_t least = stream_complete_ms(t->active);
	/* Without a shard to read: of a stream that is on, as of the last look at it; of one that is off, as of its end. */
	if (least != INT64_MAX)
		return least;
	return t->active->status == STREAMS_DISABLED ? t->complete_before_ms : t->active->swept_ms;
}

bool table_clean(const struct table *t)
{
	const struct stream *st;
	const struct shard *s;
	TAILQ_FOREACH (st, &t->streams, link)
		TAILQ_FOREACH (s, &st->shards, link)
			if (shard_ahead(s))
				return false;
	return true;
}
