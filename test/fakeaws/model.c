#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "attr_measure.h"
#include "digest.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"
#include "shards.h"

#define SEQ_STEP_MAX 1000000000U

struct image *image_new(const json_t *attributes)
{
	size_t len = json_dumpb(attributes, NULL, 0, JSON_COMPACT);
	struct image *i = mem_new(sizeof(*i) + len + 1);

	i->refs = 1;
	i->bytes = attr_size(attributes);
	i->len = json_dumpb(attributes, i->text, len, JSON_COMPACT);
	return i;
}

struct image *image_ref(struct image *i)
{
	if (i)
		i->refs++;
	return i;
}

void image_unref(struct image *i)
{
	if (i && --i->refs == 0)
		free(i);
}

const char *event_name(enum event e)
{
	static const char *const names[] = {"INSERT", "MODIFY", "REMOVE"};
	return names[e];
}

const char *stream_status_name(enum stream_status s)
{
	static const char *const names[] = {"ENABLING", "ENABLED", "DISABLING", "DISABLED"};
	return names[s];
}

struct table *model_table(struct fake *f, const char *name)
{
	for (size_t i = 0; i < f->ntables; i++)
		if (strcmp(f->tables[i]->name, name) == 0)
			return f->tables[i];
	return NULL;
}

struct table *model_table_make(struct fake *f, const char *name)
{
	struct table *t = model_table(f, name);

	if (t)
		return t;
	t = mem_new(sizeof(*t));
	t->name = mem_dup(name);
	t->options = f->defaults;
	map_init(&t->items);
	mem_reserve(&f->tables, &f->tables_cap, f->ntables + 1, sizeof(*f->tables));
	f->tables[f->ntables++] = t;
	return t;
}

struct stream *model_stream(struct fake *f, const char *arn)
{
	for (size_t i = 0; i < f->nstreams; i++)
		if (strcmp(f->streams[i]->arn, arn) == 0)
			return f->streams[i];
	return NULL;
}

static bool same_keys(const struct map_node *n, const void *key)
{
	const struct history *h = (const struct history *)(const void *)n;
	return strcmp(h->keys_text, key) == 0;
}

struct history *model_item(struct table *t, const json_t *keys, bool make)
{
	unsigned char digest[DIGEST_MD5_BYTES];
	struct map_node *found;
	struct history *h;
	struct buf text;

	text_init(&text);
	attr_canonical(&text, keys);
	digest_md5(digest, text.data, text.len);
	uint64_t place;
	memcpy(&place, digest, sizeof(place));
	found = map_find(&t->items, place, same_keys, text.data);
	if (found || !make) {
		buf_fini(&text);
		return (struct history *)(void *)found;
	}
	h = mem_new(sizeof(*h));
	h->keys_text = mem_dup(text.data);
	h->keys = image_new(keys);
	h->place = place;
	buf_fini(&text);
	if (map_reserve(&t->items, t->nitems + 1) < 0)
		abort();
	map_add(&t->items, &h->node, place);
	mem_reserve(&t->list, &t->items_cap, t->nitems + 1, sizeof(*t->list));
	h->number = t->nitems;
	t->list[t->nitems++] = h;
	return h;
}

struct stream *model_stream_new(struct fake *f, struct table *t, const char *view, unsigned shards)
{
	struct stream *s = mem_new(sizeof(*s));
	int64_t now_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
	char iso[40];

	/* A label is a time and names one stream of the table. */
	if (t->stream && t->stream->created_ms >= now_ms)
		now_ms = t->stream->created_ms + 1;
	vclock_iso(iso, now_ms);
	s->table = t;
	s->created_ms = now_ms;
	s->label = mem_dup_n(iso, strlen(iso) - 1);
	s->arn = mem_printf("arn:aws:dynamodb:" FAKE_REGION ":" FAKE_ACCOUNT ":table/%s/stream/%s", t->name, s->label);
	s->view = mem_dup(view);
	s->key_schema = json_incref(json_object_get(t->description, "KeySchema"));
	s->status = STREAM_ENABLED;
	s->number = (unsigned)f->nstreams;
	mem_reserve(&f->streams, &f->streams_cap, f->nstreams + 1, sizeof(*f->streams));
	f->streams[f->nstreams++] = s;
	mem_reserve(&t->streams, &t->streams_cap, t->nstreams + 1, sizeof(*t->streams));
	t->streams[t->nstreams++] = s;
	t->stream = s;
	shards_create(f, s, shards);
	return s;
}

void model_stream_disable(struct fake *f, struct stream *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->shards[i]->end_seq)
			shards_close(f, s->shards[i]);
	s->status = STREAM_DISABLED;
}

char *model_next_seq(struct fake *f, struct table *t)
{
	unsigned __int128 least = 1;
	char text[48];
	char *p = text + sizeof(text);

	for (int64_t i = 1; i < t->options.seq_digits; i++)
		least *= 10;
	if (t->last_seq < least)
		t->last_seq = least + rng_below(&f->rng, UINT64_MAX);
	t->last_seq += 1 + rng_below(&f->rng, SEQ_STEP_MAX);
	*--p = '\0';
	for (unsigned __int128 n = t->last_seq; n; n /= 10)
		*--p = (char)('0' + (int)(n % 10));
	return mem_dup(p);
}

int model_compare_seq(const char *a, const char *b)
{
	size_t n, m;

	a += strspn(a, "0");
	b += strspn(b, "0");
	n = strlen(a);
	m = strlen(b);
	if (n != m)
		return n < m ? -1 : 1;
	return strcmp(a, b);
}

struct record *model_record(struct fake *f, struct shard *s, struct history *item, enum event event,
			    struct image *old_image, struct image *new_image, const char *seq, int64_t time_ms,
			    bool ttl)
{
	struct record *r = mem_new(sizeof(*r));

	r->shard = s;
	r->item = item;
	r->event = event;
	r->ttl = ttl;
	r->time_ms = time_ms;
	r->seq = seq ? mem_dup(seq) : model_next_seq(f, s->stream->table);
	r->keys = image_ref(item->keys);
	r->old_image = old_image;
	r->new_image = new_image;
	if (item->last)
		item->last->next = r;
	else
		item->first = r;
	item->last = r;
	item->records++;
	s->stream->table->nrecords++;
	mem_reserve(&s->records, &s->cap, s->n + 1, sizeof(*s->records));
	s->records[s->n++] = r;
	return r;
}

static bool same_item(const struct image *a, const struct image *b)
{
	struct buf text[2];
	const struct image *images[2] = {a, b};

	if (a->len == b->len && memcmp(a->text, b->text, a->len) == 0)
		return true;
	for (int i = 0; i < 2; i++) {
		json_t *item = json_loads(images[i]->text, 0, NULL);
		text_init(&text[i]);
		attr_canonical(&text[i], item);
		json_decref(item);
	}
	bool same = strcmp(text[0].data, text[1].data) == 0;
	buf_fini(&text[0]);
	buf_fini(&text[1]);
	return same;
}

/* Keeps what the item is until now, as long as somebody may still read it. */
static void keep_past(const struct fake *f, const struct table *t, struct history *item)
{
	int64_t now_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
	struct past **at = &item->past;

	while (*at && (*at)->until_ms <= now_ms - t->options.read_lag_ms) {
		struct past *old = *at;
		*at = old->next;
		image_unref(old->image);
		free(old);
	}
	if (t->options.read_lag_ms == 0)
		return;
	while (*at)
		at = &(*at)->next;
	*at = mem_new(sizeof(**at));
	(*at)->image = image_ref(item->now);
	(*at)->until_ms = now_ms;
}

const struct image *model_read(const struct fake *f, const struct table *t, const struct history *item, bool consistent)
{
	int64_t as_of_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB) - t->options.read_lag_ms;
	const struct past *p = consistent || t->options.read_lag_ms == 0 ? NULL : item->past;

	while (p && p->until_ms <= as_of_ms)
		p = p->next;
	return p ? p->image : item->now;
}

struct record *model_write(struct fake *f, struct table *t, struct history *item, struct image *now, bool ttl)
{
	struct image *before = item->now;
	struct stream *s = t->stream;
	struct record *r = NULL;
	bool changed = before && now ? !same_item(before, now) : before || now;

	keep_past(f, t, item);
	item->now = now;
	if (changed && s && !t->options.lose_records && (s->status == STREAM_ENABLED || s->status == STREAM_ENABLING)) {
		enum event event = !now ? EVENT_REMOVE : before ? EVENT_MODIFY : EVENT_INSERT;
		bool news = strstr(s->view, "NEW") != NULL, olds = strstr(s->view, "OLD") != NULL;
		r = model_record(f, shards_of_place(s, item->place), item, event, olds ? image_ref(before) : NULL,
				 news ? image_ref(now) : NULL, NULL, vclock_of_ms(&f->clock, SERVICE_DYNAMODB), ttl);
	}
	image_unref(before);
	return r;
}
