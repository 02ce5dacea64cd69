/*
 * The start-up checks of one table, one request after another on the table's op:
 *
 *     DescribeTable -> (UpdateTable) -> watermark.json -> table.json (table_schema.c) -> ready
 *
 * What may pass by itself (network, throttling) is tried again; what only an operator can mend refuses the table, and is looked at
 * again every minute, while other tables go on.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "table.h"

#define REFUSED_AGAIN_MS 60000
#define ENABLING_AGAIN_MS 1000
#define DAMAGED_TIMES 4
/* Event times of another host's run lie before our start, give or take both clocks. */
#define ASK_MARGIN_MS INT64_C(120000)

static void describe(struct table *t);
static void fetch_watermark(struct table *t);
static void on_table_json(struct table *t, int rc);
static void passed(struct table *t);

static void on_check_timer(uv_timer_t *timer)
{
	describe(timer->data);
}

static void again(struct table *t, int64_t delay_ms)
{
	if (t->daemon->phase != DAEMON_STOPPING)
		uv_timer_start(&t->check_timer, on_check_timer, (uint64_t)delay_ms, 0);
}

static void settle(struct table *t)
{
	if (t->settled)
		return;
	t->settled = true;
	daemon_table_settled(t->daemon);
}

void table_refuse(struct table *t, int exit_code, const struct err *e)
{
	t->state = VIEW_TABLE_REFUSED;
	t->problem = *e;
	t->problem_exit = exit_code;
	log_error("table is not backed up", LOG_S("table", t->conf->name), LOG_E(e));
	again(t, REFUSED_AGAIN_MS);
	settle(t);
}

/* Sorts a failed request into "try again" and "refused". */
static void failed(struct table *t, const struct err *e)
{
	switch (e->class) {
	case ERR_CANCELLED:
		return;
	case ERR_AUTH:
	case ERR_DENIED:
		table_refuse(t, EX_NOPERM, e);
		return;
	case ERR_INVALID:
	case ERR_NOT_FOUND:
		table_refuse(t, EX_UNAVAILABLE, e);
		return;
	default:
		break;
	}
	t->problem = *e;
	t->check_failures++;
	log_warn("table cannot be checked yet; trying again", LOG_S("table", t->conf->name), LOG_E(e),
		 LOG_U("failures", t->check_failures));
	again(t, backoff_delay_ms(e, t->check_failures));
}

static void refuse_for(struct table *t, const char *what)
{
	struct err e;
	err_set(&e, ERR_INVALID, "%s", what);
	table_refuse(t, EX_UNAVAILABLE, &e);
}

static void on_enabled(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	if (rc < 0 && op->err.class != ERR_CONFLICT) {
		failed(t, &op->err);
		return;
	}
	log_info("stream is being turned on", LOG_S("table", t->conf->name));
	again(t, ENABLING_AGAIN_MS);
}

/* True when the stream carries what a backup needs; else the table has been refused, or its stream is being turned on. */
static bool stream_is_good(struct table *t)
{
	struct err e;
	const struct table_description *about = &t->about;
	if (!about->stream_enabled && t->conf->enable_stream) {
		table_enable_stream(&t->op, t->conf->name, on_enabled, t);
		return false;
	}
	if (!about->stream_enabled && about->stream_arn != NULL && t->restored != NULL) {
		log_error("the stream is off; what it still holds is read to its end", LOG_S("table", t->conf->name));
		return true;
	}
	if (!about->stream_enabled) {
		refuse_for(t,
			   "its stream is off; turn it on with view type NEW_AND_OLD_IMAGES (aws dynamodb update-table "
			   "--stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES), or set "
			   "enable_stream = yes for this table");
		return false;
	}
	if (about->stream_view != STREAMS_NEW_AND_OLD_IMAGES && about->stream_view != STREAMS_NEW_IMAGE) {
		err_set(&e, ERR_INVALID,
			"its stream has view type %s, which does not carry the new image of an item; turn the stream "
			"off and "
			"on again with NEW_AND_OLD_IMAGES (or NEW_IMAGE)",
			streams_view_name(about->stream_view));
		table_refuse(t, EX_UNAVAILABLE, &e);
		return false;
	}
	const char *tenant = t->conf->tenant_attribute;
	bool tenant_is_key = tenant != NULL && (strcmp(tenant, about->hash_name) == 0 ||
						(about->range_name != NULL && strcmp(tenant, about->range_name) == 0));
	if (tenant != NULL && !tenant_is_key && about->stream_view != STREAMS_NEW_AND_OLD_IMAGES) {
		refuse_for(t, "tenant_attribute is not a key attribute, so that the folder of a removed item is known "
			      "from its "
			      "old image only; turn the stream off and on again with NEW_AND_OLD_IMAGES");
		return false;
	}
	return true;
}

static void on_described(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	if (rc == -ERR_NOT_FOUND) {
		struct err e = op->err;
		err_prefix(
			&e,
			"there is no such table in region %s for these credentials; correct [table \"%s\"] or region",
			t->daemon->aws.region, t->conf->name);
		table_refuse(t, EX_UNAVAILABLE, &e);
		return;
	}
	if (rc < 0) {
		failed(t, &op->err);
		return;
	}
	table_described(t);
	if (strcmp(t->about.status, "CREATING") == 0) {
		again(t, ENABLING_AGAIN_MS);
		return;
	}
	if (!stream_is_good(t))
		return;
	if (t->about.stream_arn == NULL) { /* enabled a moment ago */
		again(t, ENABLING_AGAIN_MS);
		return;
	}
	fetch_watermark(t);
}

static void describe(struct table *t)
{
	table_describe(&t->op, t->conf->name, &t->fresh, on_described, t);
}

void table_check(struct table *t)
{
	describe(t);
}

/* Does the bucket's path belong to another table? Two sources in one path would mix their items. */
static bool is_foreign(struct table *t, const struct position *p)
{
	struct err e;
	if (p->table_arn == NULL || t->about.arn == NULL || strcmp(p->table_arn, t->about.arn) == 0)
		return false;
	err_set(&e, ERR_INVALID,
		"s3://%s/%s holds the backup of another table, %s; give this one another prefix, or move that "
		"watermark.json away",
		t->daemon->conf->bucket, t->data_path, p->table_arn);
	table_refuse(t, EX_UNAVAILABLE, &e);
	return true;
}

static const struct position_stream *stream_of(const struct position *p, const char *arn)
{
	for (size_t i = 0; i < p->nstreams; i++)
		if (strcmp(p->streams[i].arn, arn) == 0)
			return &p->streams[i];
	return NULL;
}

/* Does the bucket's position know more of this stream than ours? */
static bool stream_is_ahead(const struct position_stream *theirs, const struct position_stream *ours)
{
	for (size_t i = 0; i < theirs->nshards; i++) {
		const struct position_shard *a = &theirs->shards[i];
		for (size_t k = 0; k < ours->nshards; k++) {
			const struct position_shard *b = &ours->shards[k];
			if (strcmp(a->id, b->id) != 0)
				continue;
			if ((a->finished && !b->finished) || seq_cmp(span_of(a->seq), span_of(b->seq)) > 0)
				return true;
			break;
		}
	}
	return false;
}

/*
 * A checkpoint can be older than what was written since: this host was replaced for a while, or its disk comes from a
 * snapshot. Then another host has written the watermark, or the watermark is ahead of it.
 */
static bool is_stale(const struct position *ours, const struct position *theirs)
{
	if (strcmp(ours->instance, theirs->instance) != 0)
		return theirs->saved_ms > ours->saved_ms;
	for (size_t i = 0; i < theirs->nstreams; i++) {
		const struct position_stream *st = stream_of(ours, theirs->streams[i].arn);
		bool newer = st == NULL && theirs->saved_ms > ours->saved_ms;
		if (newer || (st != NULL && stream_is_ahead(&theirs->streams[i], st)))
			return true;
	}
	return false;
}

/* The bucket knows a position: it counts when this host has none, or an older one. */
static void adopt_watermark(struct table *t, struct position *p)
{
	const struct position *ours = t->restored;
	bool stale = ours != NULL && is_stale(ours, p);
	if (ours != NULL && !stale) {
		position_free(p);
		return;
	}
	log_warn(stale ? "the checkpoint here is older than the bucket's watermark; resuming from the watermark"
		       : "no checkpoint here; resuming from the bucket's watermark",
		 LOG_S("table", t->conf->name), LOG_T("saved", p->saved_ms), LOG_S("by", p->host));
	position_free(t->restored);
	t->restored = p;
	t->complete_before_ms = p->complete_through_ms;
	int64_t skew_ms = t->daemon->aws.clock_skew_ms;
	int64_t until_ms = clock_wall_ms() + (skew_ms > 0 ? skew_ms : 0) + ASK_MARGIN_MS;
	if (until_ms > t->ask_until_ms)
		t->ask_until_ms = until_ms;
}

/* What was damaged on its way (a 404 without its code, too) is whole the next time: only what stays so is for an operator. */
static bool ask_again(struct table *t, struct err *e)
{
	if (++t->watermark_damaged >= DAMAGED_TIMES)
		return false;
	err_prefix(e, "%s", t->saving.watermark_key);
	e->class = ERR_RETRY;
	failed(t, e);
	return true;
}

static void on_watermark(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct err e = {0};
	http_slot_body_max(op->slot, TABLE_ANSWER_MAX); /* of those that follow */
	if (rc == -ERR_NOT_FOUND && op->err.aws_code[0] == '\0' && ask_again(t, &op->err))
		return;
	if (rc < 0) {
		failed(t, &op->err);
		return;
	}
	if (!t->head.exists) {
		table_schema_look(t, on_table_json);
		return;
	}
	struct position *p = NULL;
	struct buf *body = http_body(op->slot);
	json_error_t je;
	json_t *j = json_loadb(buf_str(body), body->len, 0, &je);
	rc = j != NULL ? position_from_json(j, &p, &e) : err_set(&e, ERR_CORRUPT, "not JSON: %s", je.text);
	json_decref(j);
	if (rc < 0 && t->restored == NULL && ask_again(t, &e))
		return;
	if (rc < 0 && t->restored == NULL) {
		err_prefix(&e,
			   "s3://%s/%s is damaged, and there is no checkpoint in %s; delete it (its versions stay) to "
			   "begin anew",
			   t->daemon->conf->bucket, t->saving.watermark_key, t->daemon->conf->state_dir);
		table_refuse(t, EX_DATAERR, &e);
		return;
	}
	if (rc < 0) {
		log_warn("watermark.json in the bucket is damaged; it is written anew from the checkpoint here",
			 LOG_S("table", t->conf->name), LOG_E(&e));
	} else if (is_foreign(t, p)) {
		position_free(p);
		return;
	} else {
		adopt_watermark(t, p);
	}
	table_schema_look(t, on_table_json);
}

static void fetch_watermark(struct table *t)
{
	http_slot_body_max(t->op.slot, TABLE_WATERMARK_MAX);
	s3_get(&t->op, span_of(t->saving.watermark_key), (struct span){0}, &t->head, on_watermark, t);
}

static void on_table_json(struct table *t, int rc)
{
	if (rc < 0)
		failed(t, &t->json.op.err);
	else
		passed(t);
}

static void passed(struct table *t)
{
	t->problem.class = ERR_NONE;
	t->check_failures = 0;
	t->state = VIEW_TABLE_RUNNING;
	log_info("table is ready", LOG_S("table", t->conf->name), LOG_S("stream", t->about.stream_label),
		 LOG_S("path", t->data_path));
	table_discover(t);
	settle(t);
}
