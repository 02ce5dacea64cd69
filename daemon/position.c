#include "position.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "member.h"

static json_t *shard_to_json(const struct position_shard *s)
{
	json_t *o = json_object();
	member_put_str(o, "id", s->id);
	member_put_str(o, "parent", s->parent);
	member_put_str(o, "adjacent_parent", s->adjacent_parent);
	if (s->seq[0] != '\0')
		member_put_str(o, "seq", s->seq);
	if (s->finished)
		json_object_set_new(o, "finished", json_true());
	if (s->latest)
		json_object_set_new(o, "latest", json_true());
	member_put_time(o, "complete_through", s->complete_ms);
	return o;
}

static json_t *stream_to_json(const struct position_stream *s)
{
	json_t *o = json_object(), *shards = json_array();
	member_put_str(o, "arn", s->arn);
	member_put_str(o, "label", s->label);
	json_object_set_new(o, "drained", json_boolean(s->drained));
	for (size_t i = 0; i < s->nshards; i++)
		json_array_append_new(shards, shard_to_json(&s->shards[i]));
	json_object_set_new(o, "shards", shards);
	return o;
}

static json_t *gap_to_json(const struct position_gap *g)
{
	json_t *o = json_object();
	member_put_str(o, "reason", g->reason);
	member_put_str(o, "stream", g->stream);
	member_put_str(o, "shard", g->shard);
	member_put_time(o, "from", g->from_ms);
	member_put_time(o, "to", g->to_ms);
	member_put_time(o, "noticed", g->noticed_ms);
	member_put_time(o, "closed", g->closed_ms);
	return o;
}

json_t *position_to_json(const struct position *p)
{
	json_t *o = json_object(), *streams = json_array(), *gaps = json_array();
	if (o == NULL || streams == NULL || gaps == NULL) {
		json_decref(o);
		json_decref(streams);
		json_decref(gaps);
		return NULL;
	}
	json_object_set_new(o, "version", json_integer(1));
	member_put_str(o, "table", p->table);
	member_put_str(o, "bucket", p->bucket);
	member_put_str(o, "data_path", p->data_path);
	member_put_str(o, "table_arn", p->table_arn);
	member_put_str(o, "table_id", p->table_id);
	member_put_str(o, "instance", p->instance);
	member_put_str(o, "host", p->host);
	member_put_time(o, "since", p->since_ms);
	member_put_time(o, "saved", p->saved_ms);
	member_put_time(o, "complete_through", p->complete_through_ms);
	json_object_set_new(o, "gap_count", json_integer((json_int_t)p->gap_count));
	for (size_t i = 0; i < p->ngaps; i++)
		json_array_append_new(gaps, gap_to_json(&p->gaps[i]));
	json_object_set_new(o, "gaps", gaps);
	for (size_t i = 0; i < p->nstreams; i++)
		json_array_append_new(streams, stream_to_json(&p->streams[i]));
	json_object_set_new(o, "streams", streams);
	if (p->baseline != NULL)
		json_object_set_new(o, "baseline", position_baseline_to_json(p->baseline));
	return o;
}

static void get_shard(struct member_get *g, const json_t *o, struct position_shard *s)
{
	s->id = member_get_str(g, o, "id", true);
	s->parent = member_get_str(g, o, "parent", false);
	s->adjacent_parent = member_get_str(g, o, "adjacent_parent", false);
	s->finished = json_is_true(json_object_get(o, "finished"));
	s->latest = json_is_true(json_object_get(o, "latest"));
	s->complete_ms = member_get_time(g, o, "complete_through");
	const json_t *seq = json_object_get(o, "seq");
	if (seq == NULL)
		return;
	if (!json_is_string(seq) || !seq_valid(span_of(json_string_value(seq))))
		member_bad(g, "seq", "a sequence number");
	else
		memcpy(s->seq, json_string_value(seq), json_string_length(seq) + 1);
}

static void get_stream(struct member_get *g, const json_t *o, struct position_stream *s)
{
	s->arn = member_get_str(g, o, "arn", true);
	s->label = member_get_str(g, o, "label", true);
	s->drained = json_is_true(json_object_get(o, "drained"));
	const json_t *a;
	s->shards = member_get_array(g, o, "shards", sizeof(*s->shards), &a);
	for (size_t i = 0; i < json_array_size(a); i++)
		get_shard(g, json_array_get(a, i), &s->shards[s->nshards++]);
}

static void get_gap(struct member_get *g, const json_t *o, struct position_gap *gap)
{
	gap->reason = member_get_str(g, o, "reason", true);
	gap->stream = member_get_str(g, o, "stream", false);
	gap->shard = member_get_str(g, o, "shard", false);
	gap->from_ms = member_get_time(g, o, "from");
	gap->to_ms = member_get_time(g, o, "to");
	gap->noticed_ms = member_get_time(g, o, "noticed");
	gap->closed_ms = member_get_time(g, o, "closed");
}

int position_from_json(const json_t *j, struct position **out, struct err *e)
{
	struct position *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return err_errno(e, ENOMEM, "position");
	struct member_get g = {.err = e};
	if (json_integer_value(json_object_get(j, "version")) != 1)
		member_bad(&g, "version", "1 (was it written by a newer ddb-streamd?)");
	p->table = member_get_str(&g, j, "table", true);
	p->bucket = member_get_str(&g, j, "bucket", true);
	p->data_path = member_get_str(&g, j, "data_path", true);
	p->table_arn = member_get_str(&g, j, "table_arn", false);
	p->table_id = member_get_str(&g, j, "table_id", false);
	p->instance = member_get_str(&g, j, "instance", true);
	p->host = member_get_str(&g, j, "host", false);
	p->since_ms = member_get_time(&g, j, "since");
	p->saved_ms = member_get_time(&g, j, "saved");
	p->complete_through_ms = member_get_time(&g, j, "complete_through");
	p->gap_count = (uint64_t)json_integer_value(json_object_get(j, "gap_count"));
	const json_t *a;
	p->gaps = member_get_array(&g, j, "gaps", sizeof(*p->gaps), &a);
	for (size_t i = 0; i < json_array_size(a); i++)
		get_gap(&g, json_array_get(a, i), &p->gaps[p->ngaps++]);
	p->streams = member_get_array(&g, j, "streams", sizeof(*p->streams), &a);
	for (size_t i = 0; i < json_array_size(a); i++)
		get_stream(&g, json_array_get(a, i), &p->streams[p->nstreams++]);
	const json_t *baseline = json_object_get(j, "baseline");
	if (g.rc == 0 && baseline != NULL)
		g.rc = position_baseline_from_json(baseline, &p->baseline, e);
	if (g.rc < 0) {
		position_free(p);
		return g.rc;
	}
	*out = p;
	return 0;
}

static void free_stream(struct position_stream *s)
{
	for (size_t i = 0; i < s->nshards; i++) {
		free(s->shards[i].id);
		free(s->shards[i].parent);
		free(s->shards[i].adjacent_parent);
	}
	free(s->shards);
	free(s->arn);
	free(s->label);
}

void position_free(struct position *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->nstreams; i++)
		free_stream(&p->streams[i]);
	for (size_t i = 0; i < p->ngaps; i++) {
		free(p->gaps[i].reason);
		free(p->gaps[i].stream);
		free(p->gaps[i].shard);
	}
	position_baseline_free(p->baseline);
	free(p->streams);
	free(p->gaps);
	free(p->table);
	free(p->bucket);
	free(p->data_path);
	free(p->table_arn);
	free(p->table_id);
	free(p->instance);
	free(p->host);
	free(p);
}
