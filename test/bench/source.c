#include "source.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <zlib.h>

#include "load.h"

#define PAGE_BYTES_MAX ((size_t)1 << 30)
#define DESCRIBE_SHARDS 100
#define EVENT_S 1767225600L /* 2026-01-01 */
#define WARM_NS ((int64_t)1000000000)
#define SHARD_SEQS ((size_t)1000000000)

struct source_page {
	struct buf text;
	unsigned long crc;
};

struct source {
	struct source_options o;
	size_t per_shard;	   /* records, but the hot item's; the last shard may have fewer */
	struct source_page *pages; /* shard after shard; NULL: made when asked for */
	struct buf made;
	int64_t began_ns; /* the first question */
	int64_t warm_ns;  /* see source_times */
	bool *asked;	  /* by shard */
	size_t nasked;
	int64_t *came_ns, *handed_ns;
};

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for the stream");
}

static size_t first_item(const struct source *s, size_t shard)
{
	return (shard - (shard > 0 && s->o.hot_alone)) * s->per_shard;
}

static size_t cold_in(const struct source *s, size_t shard)
{
	size_t first = first_item(s, shard);
	size_t left = first < s->o.records ? s->o.records - first : 0;

	if (shard == 0 && s->o.hot_alone)
		return 0;
	return left < s->per_shard ? left : s->per_shard;
}

static size_t hot_in(const struct source *s, size_t shard)
{
	return shard == 0 ? s->o.hot : 0;
}

/* The item that a record changes. */
static size_t item_at(const struct source *s, size_t shard, size_t position)
{
	size_t hot = hot_in(s, shard), all = hot + cold_in(s, shard);
	size_t before = position * hot / all;

	return (position + 1) * hot / all > before ? s->o.records : first_item(s, shard) + position - before;
}

static void make_page(const struct source *s, struct buf *out, size_t shard, size_t position, size_t end)
{
	kept(buf_append_str(out, "{\"Records\":["));
	for (size_t i = position; i < end; i++) {
		if (i > position)
			kept(buf_append_char(out, ','));
		load_record(out, item_at(s, shard, i), shard * SHARD_SEQS + i, s->o.item_bytes,
			    EVENT_S + (long)((double)i * s->o.event_gap_s));
	}
	kept(buf_printf(out, "],\"NextShardIterator\":\"%zu:%zu\"}", shard, end));
}

static void make_all(struct source *s)
{
	size_t per_shard = s->per_shard / s->o.page_records;

	s->pages = calloc(s->o.shards * per_shard, sizeof(*s->pages));
	if (!s->pages)
		errx(EX_OSERR, "no memory for the pages");
	for (size_t i = 0; i < s->o.shards * per_shard; i++) {
		struct source_page *p = &s->pages[i];
		size_t shard = i / per_shard, first = i % per_shard * s->o.page_records;
		size_t end = first + s->o.page_records, all = cold_in(s, shard);

		buf_init(&p->text, PAGE_BYTES_MAX);
		make_page(s, &p->text, shard, first < all ? first : all, end < all ? end : all);
		p->crc = crc32_z(0, (const unsigned char *)p->text.data, p->text.len);
	}
}

struct source *source_new(const struct source_options *o)
{
	struct source *s = calloc(1, sizeof(*s));
	size_t pages;

	if (!s || o->shards == 0 || o->page_records == 0 || o->records > 100000000)
		errx(EX_USAGE, "shards and page must be positive, and records no more than 100,000,000");
	s->o = *o;
	pages = (o->records + o->page_records - 1) / o->page_records;
	s->per_shard = (pages + o->shards - 1) / o->shards * o->page_records;
	s->asked = calloc(o->shards, sizeof(*s->asked));
	if (!s->asked)
		errx(EX_OSERR, "no memory for the shards");
	if (o->when_asked) /* pages need not begin where others end */
		s->per_shard = o->records / (o->shards - o->hot_alone) + 1;
	buf_init(&s->made, PAGE_BYTES_MAX);
	if (o->per_s > 0) {
		s->came_ns = calloc(o->records + 1, sizeof(*s->came_ns));
		s->handed_ns = calloc(o->records + 1, sizeof(*s->handed_ns));
		if (!s->came_ns || !s->handed_ns)
			errx(EX_OSERR, "no memory for the times");
	}
	if (!o->when_asked && o->records > 0)
		make_all(s);
	return s;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->pages && i < s->o.shards * (s->per_shard / s->o.page_records); i++)
		buf_fini(&s->pages[i].text);
	buf_fini(&s->made);
	free(s->pages);
	free(s->asked);
	free(s->came_ns);
	free(s->handed_ns);
	free(s);
}

static bool has_rate(const struct source *s, size_t shard)
{
	return s->o.per_s > 0 && (shard == 0 || !s->o.first_only);
}

/* How many records of a shard are there by now. */
static size_t come_by(const struct source *s, size_t shard, int64_t now_ns)
{
	size_t all = cold_in(s, shard) + hot_in(s, shard);
	double come = (double)(now_ns - s->began_ns) / 1e9 * s->o.per_s;

	return !has_rate(s, shard) || come > (double)all ? all : (size_t)come;
}

static void note_times(struct source *s, size_t shard, size_t position, size_t end, int64_t now_ns)
{
	for (size_t i = position; i < end; i++) {
		size_t item = item_at(s, shard, i);

		s->came_ns[item] = s->began_ns + (int64_t)((double)i / s->o.per_s * 1e9);
		s->handed_ns[item] = now_ns;
	}
}

static void note_question(struct source *s, size_t shard, int64_t now_ns)
{
	if (s->began_ns == 0)
		s->began_ns = now_ns;
	s->nasked += !s->asked[shard];
	s->asked[shard] = true;
	if (s->warm_ns == 0 && s->nasked == s->o.shards)
		s->warm_ns = now_ns + WARM_NS;
}

bool source_page(struct source *s, struct span question, int64_t now_ns, struct span *page, unsigned long *crc,
		 bool *lives)
{
	static const char name[] = "\"ShardIterator\":\"";
	const char *at = memmem(question.ptr, question.len, name, sizeof(name) - 1);
	size_t shard, position, end, all;

	if (!at || sscanf(at + sizeof(name) - 1, "%zu:%zu", &shard, &position) != 2 || shard >= s->o.shards)
		return false;
	note_question(s, shard, now_ns);
	all = come_by(s, shard, now_ns);
	end = position + s->o.page_records < all ? position + s->o.page_records : all;
	if (end < position)
		end = position;
	if (has_rate(s, shard))
		note_times(s, shard, position, end, now_ns);
	*lives = s->pages && position < end;
	if (*lives) {
		const struct source_page *p = &s->pages[(shard * s->per_shard + position) / s->o.page_records];

		*page = (struct span){p->text.data, p->text.len};
		*crc = p->crc;
		return true;
	}
	buf_reset(&s->made);
	make_page(s, &s->made, shard, position, end);
	*page = (struct span){s->made.data, s->made.len};
	*crc = crc32_z(0, (const unsigned char *)s->made.data, s->made.len);
	return true;
}

/* The number of the shard that a question names; shards: none that there is. */
static size_t shard_named(const struct source *s, struct span question, const char *name)
{
	const char *at = memmem(question.ptr, question.len, name, strlen(name));
	size_t shard;
	char id[64];

	if (!at || sscanf(at + strlen(name), "shardId-%*20[0-9]-%8zu", &shard) != 1 || shard >= s->o.shards)
		return s->o.shards;
	load_shard(id, shard);
	return strncmp(at + strlen(name), id, strlen(id)) == 0 ? shard : s->o.shards;
}

bool source_iterator(const struct source *s, struct span question, struct buf *out)
{
	size_t shard = shard_named(s, question, "\"ShardId\":\"");

	if (shard < s->o.shards)
		kept(buf_printf(out, "{\"ShardIterator\":\"%zu:0\"}", shard));
	return shard < s->o.shards;
}

void source_describe(const struct source *s, struct span question, struct buf *out)
{
	size_t first = shard_named(s, question, "\"ExclusiveStartShardId\":\"");
	size_t end;
	char id[64];

	first = first < s->o.shards ? first + 1 : 0;
	end = first + DESCRIBE_SHARDS < s->o.shards ? first + DESCRIBE_SHARDS : s->o.shards;
	kept(buf_printf(out,
			"{\"StreamDescription\":{\"StreamArn\":\"%s\",\"StreamLabel\":\"%s\",\"StreamStatus\":"
			"\"ENABLED\",\"StreamViewType\":\"NEW_AND_OLD_IMAGES\",\"TableName\":\"%s\",\"Shards\":[",
			LOAD_STREAM_ARN, LOAD_LABEL, LOAD_TABLE));
	for (size_t i = first; i < end; i++) {
		load_shard(id, i);
		kept(buf_printf(out,
				"%s{\"ShardId\":\"%s\",\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"1\"}}",
				i > first ? "," : "", id));
	}
	kept(buf_append_char(out, ']'));
	if (end < s->o.shards)
		kept(buf_printf(out, ",\"LastEvaluatedShardId\":\"%s\"", id));
	kept(buf_append_str(out, "}}"));
}

bool source_times(const struct source *s, size_t number, int64_t *came_ns, int64_t *handed_ns)
{
	if (s->o.per_s == 0 || s->handed_ns[number] == 0 || s->warm_ns == 0 || s->came_ns[number] < s->warm_ns)
		return false;
	*came_ns = s->came_ns[number];
	*handed_ns = s->handed_ns[number];
	return true;
}
