/* ListStreams and DescribeStream (Amazon DynamoDB Streams API Reference). */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ddb.h"
#include "fake.h"
#include "mem.h"
#include "shards.h"

#define LIST_MAX 100

void streams_list(struct fake *f, struct request *r, struct reply *a)
{
	const char *table = ddb_text(r, "TableName"), *start = ddb_text(r, "ExclusiveStartStreamArn");
	json_t *list = json_array(), *out;
	bool begun = !*start;
	const char *last = NULL;
	int64_t limit;

	if (!ddb_number(r, a, "Limit", 1, LIST_MAX, LIST_MAX, &limit)) {
		json_decref(list);
		return;
	}
	out = json_pack("{s:o}", "Streams", list);
	for (size_t i = 0; i < f->nstreams; i++) {
		const struct stream *s = f->streams[i];
		shards_age(f, f->streams[i]);
		if (begun && !s->gone && (!*table || strcmp(s->table->name, table) == 0)) {
			if ((int64_t)json_array_size(list) == limit) {
				json_object_set_new(out, "LastEvaluatedStreamArn", json_string(last));
				break;
			}
			last = s->arn;
			json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "StreamArn", s->arn, "TableName",
							      s->table->name, "StreamLabel", s->label));
		}
		begun = begun || strcmp(s->arn, start) == 0;
	}
	ddb_json(a, out);
}

static json_t *shard_json(const struct shard *p)
{
	json_t *range = json_pack("{s:s}", "StartingSequenceNumber", p->start_seq);
	json_t *out = json_pack("{s:s, s:o}", "ShardId", p->id, "SequenceNumberRange", range);

	if (p->end_seq)
		json_object_set_new(range, "EndingSequenceNumber", json_string(p->end_seq));
	if (p->parent)
		json_object_set_new(out, "ParentShardId", json_string(p->parent->id));
	if (p->adjacent && p->stream->table->options.adjacent)
		json_object_set_new(out, "AdjacentParentShardId", json_string(p->adjacent->id));
	return out;
}

static bool is_listed(const struct shard *p)
{
	return !p->gone && !p->hidden && !p->unlisted;
}

/* The shards in the order in which they are told of: `out` has room for all of them. */
static size_t listed(const struct stream *s, struct shard **out)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct shard *p = s->table->options.order == ORDER_CHILD_FIRST ? s->shards[s->n - 1 - i] : s->shards[i];
		if (is_listed(p))
			out[n++] = p;
	}
	return n;
}

/* ShardFilter CHILD_SHARDS. False with an error answered. */
static bool children(const struct stream *s, const json_t *filter, json_t *out, struct reply *a)
{
	const char *type = json_string_value(json_object_get(filter, "Type"));
	const char *id = json_string_value(json_object_get(filter, "ShardId"));
	struct shard *parent = id ? shards_find(s, id) : NULL;

	if (!type || strcmp(type, "CHILD_SHARDS") != 0 || s->table->options.child_filter == CHILD_REFUSE) {
		ddb_error(a, "ValidationException",
			  "1 validation error detected: Value at 'shardFilter.type' failed to "
			  "satisfy constraint: Member must satisfy enum value set");
		return false;
	}
	if (!parent || parent->hidden) {
		ddb_error(a, "ResourceNotFoundException", "Requested resource not found: Shard does not exist");
		return false;
	}
	if (parent->child_empty) {
		parent->child_empty--;
		return true;
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct shard *p = s->shards[i];
		if (!p->gone && !p->hidden && (p->parent == parent || p->adjacent == parent))
			json_array_append_new(out, shard_json(p));
	}
	return true;
}

/* One page from after the start shard; sets LastEvaluatedShardId in `out`. False with an error answered. */
static bool page(const struct stream *s, const struct request *r, json_t *out, json_t *shards, int64_t limit,
		 struct reply *a)
{
	const char *start = ddb_text(r, "ExclusiveStartShardId");
	struct shard **all = mem_new((s->n + 1) * sizeof(struct shard *));
	const struct options *o = &s->table->options;
	size_t n = listed(s, all), from = 0;
	bool good = true;

	while (*start && from < n && strcmp(all[from]->id, start) != 0)
		from++;
	if (*start && from == n) {
		ddb_error(a, "ResourceNotFoundException", "Requested resource not found: Shard does not exist");
		good = false;
		goto release;
	}
	from += *start ? 1 : 0;
	size_t until = from + (size_t)limit < n ? from + (size_t)limit : n;
	for (size_t i = from; i < until; i++)
		json_array_append_new(shards, shard_json(all[i]));
	const char *first = n > 0 ? all[limit < (int64_t)n ? limit - 1 : 0]->id : "";
	if (until < n || (o->cursor == CURSOR_ROUND && *start)) {
		const char *cursor = o->cursor == CURSOR_EMPTY			? ""
				     : o->cursor == CURSOR_REPEAT || until == n ? first
										: all[until - 1]->id;
		json_object_set_new(out, "LastEvaluatedShardId", json_string(cursor));
	}
release:
	free(all);
	return good;
}

static bool too_many(struct fake *f, const struct options *o)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms - f->describe_window_ms >= 1000) {
		f->describe_window_ms = now_ms;
		f->describe_calls = 0;
	}
	return o->describe_calls_per_s && ++f->describe_calls > o->describe_calls_per_s;
}

void streams_describe(struct fake *f, struct request *r, struct reply *a)
{
	struct stream *s = model_stream(f, ddb_text(r, "StreamArn"));
	const json_t *filter = json_object_get(r->json, "ShardFilter");
	json_t *shards, *out;
	int64_t limit;
	bool good;

	if (s)
		shards_age(f, s);
	if (!s || s->gone) {
		ddb_error(a, "ResourceNotFoundException", "Requested resource not found: Stream does not exist");
		return;
	}
	const struct options *o = &s->table->options;
	if (!ddb_number(r, a, "Limit", 1, 100, o->describe_page, &limit))
		return;
	if (too_many(f, o)) {
		ddb_error(a, "ThrottlingException", "Rate of requests exceeds the allowed throughput.");
		return;
	}
	if (limit > o->describe_page)
		limit = o->describe_page;
	shards = json_array();
	out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:O, s:o}", "StreamArn", s->arn, "StreamLabel", s->label,
			"StreamStatus", stream_status_name(s->status), "StreamViewType", s->view, "TableName",
			s->table->name, "CreationRequestDateTime", (double)s->created_ms / 1000, "KeySchema",
			s->key_schema, "Shards", shards);
	if (filter && o->child_filter != CHILD_IGNORE)
		good = children(s, filter, shards, a);
	else
		good = page(s, r, out, shards, limit, a);
	if (good)
		ddb_json(a, json_pack("{s:o}", "StreamDescription", out));
	else
		json_decref(out);
}
