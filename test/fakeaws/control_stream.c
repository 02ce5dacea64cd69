/* Commands about streams, shards and records. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "control.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"
#include "shards.h"

/* The stream of the command: of "stream" (its ARN), else the latest of "table". */
static struct stream *stream_of(struct fake *f, const json_t *c, char **wrong)
{
	const char *arn = control_text(c, "stream");
	struct table *t;

	if (*arn) {
		struct stream *s = model_stream(f, arn);
		if (!s)
			*wrong = mem_printf("there is no stream '%s'", arn);
		return s;
	}
	t = control_table(f, c, wrong);
	if (t && !t->stream)
		*wrong = mem_printf("the table '%s' has no stream", t->name);
	return t ? t->stream : NULL;
}

/* The shard that `member` names: an id, or a number by age from 0. Absent: the oldest open one. */
static struct shard *shard_of(struct fake *f, const json_t *c, const char *member, char **wrong)
{
	struct stream *s = stream_of(f, c, wrong);
	const json_t *v = json_object_get(c, member);
	struct shard *p = NULL;

	if (!s)
		return NULL;
	if (json_is_string(v)) {
		p = shards_find(s, json_string_value(v));
	} else if (json_is_integer(v) && json_integer_value(v) >= 0 && (size_t)json_integer_value(v) < s->n) {
		p = s->shards[json_integer_value(v)];
	} else if (!v) {
		for (size_t i = 0; i < s->n && !p; i++)
			p = s->shards[i]->end_seq ? NULL : s->shards[i];
	}
	if (!p)
		*wrong = mem_printf("%s: there is no such shard", member);
	return p;
}

static struct shard *open_of(struct fake *f, const json_t *c, const char *member, char **wrong)
{
	struct shard *p = shard_of(f, c, member, wrong);
	if (p && p->end_seq) {
		*wrong = mem_printf("the shard '%s' is closed", p->id);
		return NULL;
	}
	return p;
}

static json_t *shard_json(const struct shard *p)
{
	return json_pack("{s:s, s:s?, s:s, s:s?, s:I, s:I, s:b, s:b, s:I, s:{s:I, s:I, s:I, s:I}}", "id", p->id,
			 "parent", p->parent ? p->parent->id : NULL, "start", p->start_seq, "end", p->end_seq,
			 "records", (json_int_t)p->n, "trimmed", (json_int_t)p->first, "open", !p->end_seq, "gone",
			 p->gone, "reads", (json_int_t)p->reads, "iterators", "TRIM_HORIZON",
			 (json_int_t)p->iterators[0], "LATEST", (json_int_t)p->iterators[1], "AT_SEQUENCE_NUMBER",
			 (json_int_t)p->iterators[2], "AFTER_SEQUENCE_NUMBER", (json_int_t)p->iterators[3]);
}

/* The shards from number `from` on. */
static json_t *shards_from(const struct stream *s, size_t from)
{
	json_t *all = json_array();
	for (size_t i = from; i < s->n; i++)
		json_array_append_new(all, shard_json(s->shards[i]));
	return json_pack("{s:s, s:s, s:s, s:o}", "arn", s->arn, "label", s->label, "status",
			 stream_status_name(s->status), "shards", all);
}

json_t *control_shards(struct fake *f, const json_t *c, char **wrong)
{
	struct stream *s = stream_of(f, c, wrong);
	return s ? shards_from(s, 0) : NULL;
}

/* Applies `change` `times` over: to one shard and then its first child, or with "all" to every open one each time. */
static json_t *change_open(struct fake *f, const json_t *c, char **wrong,
			   struct shard *(*change)(struct fake *, struct shard *))
{
	struct stream *s = stream_of(f, c, wrong);
	bool all = json_is_true(json_object_get(c, "all"));
	struct shard *p = s && !all ? open_of(f, c, "shard", wrong) : NULL;

	if (!s || *wrong)
		return NULL;
	size_t from = s->n;
	for (int64_t left = control_number(c, "times", 1); left > 0; left--) {
		size_t n = s->n;
		if (p)
			p = change(f, p);
		for (size_t i = 0; all && i < n; i++)
			if (!s->shards[i]->end_seq)
				change(f, s->shards[i]);
	}
	return shards_from(s, from);
}

json_t *control_split(struct fake *f, const json_t *c, char **wrong)
{
	return change_open(f, c, wrong, shards_split);
}

json_t *control_rotate(struct fake *f, const json_t *c, char **wrong)
{
	return change_open(f, c, wrong, shards_rotate);
}

json_t *control_child(struct fake *f, const json_t *c, char **wrong)
{
	struct shard *p = open_of(f, c, "shard", wrong);
	return p ? shard_json(shards_child_of_open(f, p)) : NULL;
}

json_t *control_merge(struct fake *f, const json_t *c, char **wrong)
{
	struct shard *a = open_of(f, c, "shard", wrong), *b = a ? open_of(f, c, "with", wrong) : NULL;
	struct shard *child = b ? shards_merge(f, a, b) : NULL;

	if (b && !child)
		*wrong = mem_dup("the two shards are not neighbours");
	return child ? shard_json(child) : NULL;
}

/* Flags of one shard, and closing it without a child. */
json_t *control_shard(struct fake *f, const json_t *c, char **wrong)
{
	struct shard *p = shard_of(f, c, "shard", wrong);
	const json_t *v;

	if (!p)
		return NULL;
	if ((v = json_object_get(c, "hidden")))
		p->hidden = json_is_true(v);
	if ((v = json_object_get(c, "unlisted")))
		p->unlisted = json_is_true(v);
	if (json_is_true(json_object_get(c, "close")) && !p->end_seq)
		shards_close(f, p);
	p->empty_pages = (unsigned)control_number(c, "empty_pages", p->empty_pages);
	p->child_empty = (unsigned)control_number(c, "child_empty", p->child_empty);
	return shard_json(p);
}

/* Of one shard, or of all: so many records ("records", default all), and with "gone" the shard itself. */
json_t *control_trim(struct fake *f, const json_t *c, char **wrong)
{
	struct stream *s = stream_of(f, c, wrong);
	struct shard *only = json_object_get(c, "shard") ? shard_of(f, c, "shard", wrong) : NULL;
	size_t trimmed = 0;

	if (!s || *wrong)
		return NULL;
	for (size_t i = 0; i < s->n; i++) {
		struct shard *p = s->shards[i];
		if (only && p != only)
			continue;
		size_t before = p->first;
		shards_trim(p, (size_t)control_number(c, "records", INT64_MAX));
		trimmed += p->first - before;
		if (json_is_true(json_object_get(c, "gone")))
			p->gone = true;
	}
	return json_pack("{s:I}", "trimmed", (json_int_t)trimmed);
}

/* {"status": ...} of the stream as it is told; {"gone": true}: it is known no more. */
json_t *control_stream(struct fake *f, const json_t *c, char **wrong)
{
	struct stream *s = stream_of(f, c, wrong);
	const char *status = control_text(c, "status");

	if (!s)
		return NULL;
	if (json_is_true(json_object_get(c, "gone")))
		s->gone = true;
	for (int i = STREAM_ENABLING; i <= STREAM_DISABLED; i++)
		if (strcmp(status, stream_status_name((enum stream_status)i)) == 0)
			s->status = (enum stream_status)i;
	return json_pack("{s:s, s:s, s:s}", "arn", s->arn, "label", s->label, "status", stream_status_name(s->status));
}

static struct image *image_member(const json_t *c, const char *name, char **wrong)
{
	const json_t *v = json_object_get(c, name);
	const char *why = v && !json_is_null(v) ? attr_check(v) : NULL;

	if (why)
		*wrong = mem_printf("%s: %s", name, why);
	return v && !json_is_null(v) && !why ? image_new(v) : NULL;
}

/* A record as told: event, keys, new, old, seq, time_ms, ttl. The item becomes what the record says. */
json_t *control_record(struct fake *f, const json_t *c, char **wrong)
{
	struct table *t = control_table(f, c, wrong);
	const char *name = control_text(c, "event"), *seq = control_text(c, "seq"), *why = NULL;
	json_t *keys = t ? attr_keys(t, json_object_get(c, "keys"), &why) : NULL;
	int event = EVENT_INSERT;
	struct record *r;

	while (event < EVENT_REMOVE && strcmp(event_name((enum event)event), name) != 0)
		event++;
	if (!keys || !t->stream) {
		if (!*wrong)
			*wrong = mem_dup(why ? why : "the table has no stream");
		json_decref(keys);
		return NULL;
	}
	struct history *h = model_item(t, keys, true);
	struct shard *p =
		json_object_get(c, "shard") ? shard_of(f, c, "shard", wrong) : shards_of_place(t->stream, h->place);
	struct image *now = image_member(c, "new", wrong), *old = image_member(c, "old", wrong);
	json_decref(keys);
	if (*wrong) {
		image_unref(now);
		image_unref(old);
		return NULL;
	}
	image_unref(h->now);
	h->now = event == EVENT_REMOVE ? NULL : image_ref(now);
	r = model_record(f, p, h, (enum event)event, old, now, *seq ? seq : NULL,
			 control_number(c, "time_ms", vclock_of_ms(&f->clock, SERVICE_DYNAMODB)),
			 json_is_true(json_object_get(c, "ttl")));
	return json_pack("{s:s, s:s}", "seq", r->seq, "shard", p->id);
}

json_t *control_ttl_delete(struct fake *f, const json_t *c, char **wrong)
{
	struct table *t = control_table(f, c, wrong);
	const char *why = "";
	json_t *keys = t ? attr_keys(t, json_object_get(c, "key"), &why) : NULL;
	struct record *r = keys ? model_write(f, t, model_item(t, keys, true), NULL, true) : NULL;

	json_decref(keys);
	if (!r && !*wrong)
		*wrong = mem_printf("nothing was deleted %s", why);
	return r ? json_pack("{s:s}", "seq", r->seq) : NULL;
}

static json_t *random_key(struct fake *f, const struct table *t, uint64_t number)
{
	json_t *keys = json_object();
	const char *const names[2] = {t->hash_name, t->range_name};
	const char types[2] = {t->hash_type, t->range_type};

	(void)f;
	for (int i = 0; i < 2 && names[i]; i++) {
		const char type[2] = {types[i], '\0'};
		char text[32];
		snprintf(text, sizeof(text),
			 types[i] == 'N'   ? "%llu"
			 : types[i] == 'B' ? "%08llu"
					   : "item-%llu",
			 (unsigned long long)(i ? number % 7 : number));
		json_object_set_new(keys, names[i], json_pack("{s:s}", type, text));
	}
	return keys;
}

/*
 * A writer within the server: "count" changes of items 0..keys-1, each a put of about "bytes" bytes or, with
 * probability "deletes", a delete. The same seed and state give the same changes.
 */
json_t *control_write(struct fake *f, const json_t *c, char **wrong)
{
	struct table *t = control_table(f, c, wrong);
	int64_t count = control_number(c, "count", 1), bytes = control_number(c, "bytes", 100);
	double deletes = json_number_value(json_object_get(c, "deletes"));
	uint64_t rng = (uint64_t)control_number(c, "seed", (int64_t)rng_next(&f->rng)), before;

	if (!t)
		return NULL;
	if (bytes < 1 || bytes > 400000) {
		*wrong = mem_dup("bytes: 1 to 400000");
		return NULL;
	}
	before = t->nrecords;
	char *filler = mem_new((size_t)bytes + 1);
	memset(filler, 'x', (size_t)bytes);
	for (int64_t i = 0; i < count; i++) {
		json_t *item = random_key(f, t, rng_below(&rng, (uint64_t)control_number(c, "keys", 100)));
		struct history *h = model_item(t, item, true);
		struct image *now = NULL;
		if (rng_unit(&rng) >= deletes) {
			char number[32];
			snprintf(number, sizeof(number), "%llu", (unsigned long long)t->nrecords);
			json_object_set_new(item, "value", json_pack("{s:s}", "N", number));
			json_object_set_new(item, "filler", json_pack("{s:s}", "S", filler));
			now = image_new(item);
		}
		model_write(f, t, h, now, false);
		json_decref(item);
	}
	free(filler);
	return json_pack("{s:I}", "records", (json_int_t)(t->nrecords - before));
}
