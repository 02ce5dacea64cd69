#include "position.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Null strings and unknown times are left out: absent reads back as unknown. */
static void put_str(json_t *o, const char *name, const char *value)
{
	if (value != NULL)
		json_object_set_new(o, name, json_string(value));
}

static void put_time(json_t *o, const char *name, int64_t ms)
{
	char iso[CLOCK_ISO_SIZE];
	if (ms != CLOCK_UNKNOWN)
		json_object_set_new(o, name, json_string(clock_iso(iso, ms)));
}

static json_t *shard_to_json(const struct position_shard *s)
{
	json_t *o = json_object();
	put_str(o, "id", s->id);
	put_str(o, "parent", s->parent);
	put_str(o, "adjacent_parent", s->adjacent_parent);
	if (s->seq[0] != '\0')
		put_str(o, "seq", s->seq);
	if (s->finished)
		json_object_set_new(o, "finished", json_true());
	if (s->latest)
		json_object_set_new(o, "latest", json_true());
	put_time(o, "complete_through", s->complete_ms);
	return o;
}

static json_t *stream_to_json(const struct position_stream *s)
{
	json_t *o = json_object(), *shards = json_array();
	put_str(o, "arn", s->arn);
	put_str(o, "label", s->label);
	json_object_set_new(o, "drained", json_boolean(s->drained));
	for (size_t i = 0; i < s->nshards; i++)
		json_array_append_new(shards, shard_to_json(&s->shards[i]));
	json_object_set_new(o, "shards", shards);
	return o;
}

static json_t *gap_to_json(const struct position_gap *g)
{
	json_t *o = json_object();
	put_str(o, "reason", g->reason);
	put_str(o, "stream", g->stream);
	put_str(o, "shard", g->shard);
	put_time(o, "from", g->from_ms);
	put_time(o, "to", g->to_ms);
	put_time(o, "noticed", g->noticed_ms);
	put_time(o, "closed", g->closed_ms);
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
	put_str(o, "table", p->table);
	put_str(o, "bucket", p->bucket);
	put_str(o, "data_path", p->data_path);
	put_str(o, "table_arn", p->table_arn);
	put_str(o, "table_id", p->table_id);
	put_str(o, "instance", p->instance);
	put_str(o, "host", p->host);
	put_time(o, "since", p->since_ms);
	put_time(o, "saved", p->saved_ms);
	put_time(o, "complete_through", p->complete_through_ms);
	json_object_set_new(o, "gap_count", json_integer((json_int_t)p->gap_count));
	for (size_t i = 0; i < p->ngaps; i++)
		json_array_append_new(gaps, gap_to_json(&p->gaps[i]));
	json_object_set_new(o, "gaps", gaps);
	for (size_t i = 0; i < p->nstreams; i++)
		json_array_append_new(streams, stream_to_json(&p->streams[i]));
	json_object_set_new(o, "streams", streams);
	return o;
}

/* The getters stop at the first error: what follows a failed one does nothing. */
struct get {
	struct err *err;
	int rc;
};

static void bad(struct get *g, const char *name, const char *want)
{
	if (g->rc == 0)
		g->rc = err_set(g->err, ERR_CORRUPT, "member \"%s\" is not %s", name, want);
}

static char *get_str(struct get *g, const json_t *o, const char *name, bool required)
{
	const json_t *v = json_object_get(o, name);
	if (v == NULL && !required)
		return NULL;
	if (!json_is_string(v)) {
		bad(g, name, "a string");
		return NULL;
	}
	char *s = strdup(json_string_value(v));
	if (s == NULL && g->rc == 0)
		g->rc = err_errno(g->err, ENOMEM, "position");
	return s;
}

static int64_t get_time(struct get *g, const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);
	int64_t ms;
	if (v == NULL)
		return CLOCK_UNKNOWN;
	if (json_is_string(v) && clock_parse_iso(json_string_value(v), &ms))
		return ms;
	bad(g, name, "an RFC 3339 time");
	return CLOCK_UNKNOWN;
}

/* The array `name` of `o`, and memory for that many things of `size`, zeroed. NULL when it is empty or wrong. */
static const json_t *get_array(struct get *g, const json_t *o, const char *name, size_t size, void *out)
{
	const json_t *a = json_object_get(o, name);
	if (!json_is_array(a)) {
		bad(g, name, "an array");
		return NULL;
	}
	if (json_array_size(a) == 0)
		return NULL;
	void *mem = calloc(json_array_size(a), size);
	if (mem == NULL) {
		if (g->rc == 0)
			g->rc = err_errno(g->err, ENOMEM, "position");
		return NULL;
	}
	memcpy(out, &mem, sizeof(mem));
	return a;
}

static void get_shard(struct get *g, const json_t *o, struct position_shard *s)
{
	s->id = get_str(g, o, "id", true);
	s->parent = get_str(g, o, "parent", false);
	s->adjacent_parent = get_str(g, o, "adjacent_parent", false);
	s->finished = json_is_true(json_object_get(o, "finished"));
	s->latest = json_is_true(json_object_get(o, "latest"));
	s->complete_ms = get_time(g, o, "complete_through");
	const json_t *seq = json_object_get(o, "seq");
	if (seq == NULL)
		return;
	if (!json_is_string(seq) || !seq_valid(span_of(json_string_value(seq))))
		bad(g, "seq", "a sequence number");
	else
		memcpy(s->seq, json_string_value(seq), json_string_length(seq) + 1);
}

static void get_stream(struct get *g, const json_t *o, struct position_stream *s)
{
	s->arn = get_str(g, o, "arn", true);
	s->label = get_str(g, o, "label", true);
	s->drained = json_is_true(json_object_get(o, "drained"));
	const json_t *a = get_array(g, o, "shards", sizeof(*s->shards), &s->shards);
	for (size_t i = 0; a != NULL && i < json_array_size(a); i++)
		get_shard(g, json_array_get(a, i), &s->shards[s->nshards++]);
}

static void get_gap(struct get *g, const json_t *o, struct position_gap *gap)
{
	gap->reason = get_str(g, o, "reason", true);
	gap->stream = get_str(g, o, "stream", false);
	gap->shard = get_str(g, o, "shard", false);
	gap->from_ms = get_time(g, o, "from");
	gap->to_ms = get_time(g, o, "to");
	gap->noticed_ms = get_time(g, o, "noticed");
	gap->closed_ms = get_time(g, o, "closed");
}

int position_from_json(const json_t *j, struct position **out, struct err *e)
{
	struct position *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return err_errno(e, ENOMEM, "position");
	struct get g = {.err = e};
	if (json_integer_value(json_object_get(j, "version")) != 1)
		bad(&g, "version", "1 (was it written by a newer ddb-streamd?)");
	p->table = get_str(&g, j, "table", true);
	p->bucket = get_str(&g, j, "bucket", true);
	p->data_path = get_str(&g, j, "data_path", true);
	p->table_arn = get_str(&g, j, "table_arn", false);
	p->table_id = get_str(&g, j, "table_id", false);
	p->instance = get_str(&g, j, "instance", true);
	p->host = get_str(&g, j, "host", false);
	p->since_ms = get_time(&g, j, "since");
	p->saved_ms = get_time(&g, j, "saved");
	p->complete_through_ms = get_time(&g, j, "complete_through");
	p->gap_count = (uint64_t)json_integer_value(json_object_get(j, "gap_count"));
	const json_t *a = get_array(&g, j, "gaps", sizeof(*p->gaps), &p->gaps);
	for (size_t i = 0; a != NULL && i < json_array_size(a); i++)
		get_gap(&g, json_array_get(a, i), &p->gaps[p->ngaps++]);
	a = get_array(&g, j, "streams", sizeof(*p->streams), &p->streams);
	for (size_t i = 0; a != NULL && i < json_array_size(a); i++)
		get_stream(&g, json_array_get(a, i), &p->streams[p->nstreams++]);
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
