#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "table.h"

static struct shard *shard_of_node(struct map_node *n)
{
	return n == NULL ? NULL : (struct shard *)((char *)n - offsetof(struct shard, by_id));
}

static bool has_id(const struct map_node *n, const void *key)
{
	const struct shard *s = (const struct shard *)((const char *)n - offsetof(struct shard, by_id));
	return strcmp(s->id, key) == 0;
}

struct stream *stream_new(struct table *t, const char *arn, const char *label)
{
	struct stream *st = calloc(1, sizeof(*st));
	if (st == NULL)
		return NULL;
	st->arn = strdup(arn);
	st->label = strdup(label);
	if (st->arn == NULL || st->label == NULL) {
		free(st->arn);
		free(st->label);
		free(st);
		return NULL;
	}
	st->table = t;
	st->schema = t->schema;
	st->schema.hash_name = st->schema.range_name = NULL;
	st->swept_ms = CLOCK_UNKNOWN;
	map_init(&st->by_id);
	TAILQ_INIT(&st->shards);
	return st;
}

static void remove_shard(struct stream *st, struct shard *s)
{
	TAILQ_REMOVE(&st->shards, s, link);
	map_remove(&st->by_id, &s->by_id);
	st->nshards--;
	shard_free(s);
}

void stream_free(struct stream *st)
{
	struct shard *s;
	while ((s = TAILQ_FIRST(&st->shards)) != NULL)
		remove_shard(st, s);
	map_fini(&st->by_id);
	free(st->arn);
	free(st->label);
	free(st->hash_name);
	free(st->range_name);
	free(st);
}

struct shard *stream_find(const struct stream *st, const char *id)
{
	return shard_of_node(map_find(&st->by_id, map_hash(id, strlen(id)), has_id, id));
}

static struct shard *add_shard(struct stream *st, const char *id, const char *parent, const char *adjacent_parent)
{
	if (map_reserve(&st->by_id, st->nshards + 1) < 0)
		return NULL;
	struct shard *s = shard_new(st, id, parent, adjacent_parent);
	if (s == NULL)
		return NULL;
	map_add(&st->by_id, &s->by_id, map_hash(id, strlen(id)));
	TAILQ_INSERT_TAIL(&st->shards, s, link);
	st->nshards++;
	return s;
}

int stream_restore(struct stream *st, const struct position_stream *p)
{
	st->known_before = true;
	st->drained = p->drained;
	for (size_t i = 0; i < p->nshards; i++) {
		const struct position_shard *ps = &p->shards[i];
		if (stream_find(st, ps->id) != NULL)
			continue;
		struct shard *s = add_shard(st, ps->id, ps->parent, ps->adjacent_parent);
		if (s == NULL)
			return -ERR_SYSTEM;
		memcpy(s->durable_seq, ps->seq, sizeof(s->durable_seq));
		s->complete_ms = ps->complete_ms;
		s->latest = ps->latest;
		if (ps->finished)
			shard_skip(s);
	}
	return 0;
}

/*
 * May it be read (I3)? A parent that is not listed any more, or was never known, does not block: what it held is gone or done.
 * What its parent is complete through, a shard that has not begun is too.
 */
static bool may_start(const struct stream *st, struct shard *s)
{
	int64_t complete_ms = INT64_MAX;
	for (int i = 0; i < 2; i++) {
		const struct shard *parent = s->parents[i] != NULL ? stream_find(st, s->parents[i]) : NULL;
		if (parent == NULL)
			continue;
		if (parent->state != SHARD_FINISHED)
			return false;
		if (parent->complete_ms < complete_ms)
			complete_ms = parent->complete_ms;
	}
	if (s->complete_ms == CLOCK_UNKNOWN && complete_ms != INT64_MAX)
		s->complete_ms = complete_ms;
	return true;
}

static void start_shards(struct stream *st)
{
	struct shard *s;
	if (!st->started)
		return;
	TAILQ_FOREACH (s, &st->shards, link) {
		if (s->state != SHARD_WAITING || !s->listed || !may_start(st, s))
			continue;
		log_debug("reading shard", LOG_S("table", st->table->conf->name), LOG_S("shard", s->id),
			  LOG_S("after", s->durable_seq[0] != '\0' ? s->durable_seq : NULL));
		shard_start(s);
	}
}

/* First sight of a stream under start = latest: what is closed is skipped, what is open is read from now on. */
static void begin_at_latest(struct stream *st)
{
	struct shard *s;
	TAILQ_FOREACH (s, &st->shards, link) {
		if (s->state != SHARD_WAITING)
			continue;
		if (s->open) {
			s->from_latest = s->latest = true;
		} else {
			shard_skip(s);
			s->child_found = s->children_known = true;
		}
	}
}

/*
 * A shard that the stream no longer lists has been trimmed: after it was finished that is the end of its story; before,
 * what was not read of it is a gap. Pages of a description are not one picture of one moment: a shard that is left out
 * once may be back the next time, and forgetting its position would have it written again from its beginning.
 */
#define UNLISTED_TIMES 3

/* What can be read is not gone, whoever lists it. */
static bool is_lost(const struct shard *s)
{
	return s->state == SHARD_WAITING || (s->state != SHARD_FINISHED && s->missing > 0);
}

static void retire_unlisted(struct stream *st)
{
	struct shard *s, *next;
	TAILQ_FOREACH (s, &st->shards, link) {
		s->unlisted = s->listed ? 0 : s->unlisted + 1;
		if (s->unlisted >= UNLISTED_TIMES && is_lost(s))
			shard_trimmed(s);
	}
	for (s = TAILQ_FIRST(&st->shards); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->unlisted >= UNLISTED_TIMES && s->state == SHARD_FINISHED)
			remove_shard(st, s);
	}
}

bool stream_has_unlisted(const struct stream *st)
{
	const struct shard *s;
	TAILQ_FOREACH (s, &st->shards, link)
		if (!s->listed && s->state != SHARD_FINISHED)
			return true;
	return false;
}

bool stream_is_past(const struct stream *st, int64_t event_ms)
{
	const struct shard *s;
	if (st->drained)
		return true;
	if (!st->swept)
		return false;
	TAILQ_FOREACH (s, &st->shards, link)
		if (s->state == SHARD_FINISHED ? !s->children_known : !shard_is_past(s, event_ms))
			return false;
	return true;
}

int stream_set_keys(struct stream *st, const char *hash_name, const char *range_name)
{
	const struct table_description *about = &st->table->about;
	if (st->hash_name != NULL)
		return 0;
	if (hash_name == NULL) {
		hash_name = about->hash_name;
		range_name = about->range_name;
	}
	char *hash = strdup(hash_name), *range = range_name != NULL ? strdup(range_name) : NULL;
	if (hash == NULL || (range_name != NULL && range == NULL)) {
		free(hash);
		free(range);
		return -ERR_SYSTEM;
	}
	st->schema.hash_name = st->hash_name = hash;
	st->schema.range_name = st->range_name = range;
	return 0;
}

void stream_revive(struct stream *st)
{
	st->gone = st->drained = st->settled = false;
}

/* Every listed shard has its children in the list too: a finished one without any has none (yet). */
static void note_children(struct stream *st)
{
	struct shard *s, *parent;
	TAILQ_FOREACH (s, &st->shards, link)
		for (int i = 0; i < 2; i++)
			if (s->parents[i] != NULL && (parent = stream_find(st, s->parents[i])) != NULL)
				parent->child_found = true;
}

void stream_sweep_begins(struct stream *st)
{
	struct shard *s;
	st->finish_seen = false;
	TAILQ_FOREACH (s, &st->shards, link)
		s->ended_before = s->state == SHARD_FINISHED;
}

/* One child may be known from the filter while its sibling is not: only a whole sweep since the end tells them all. */
static void settle_parents(struct stream *st)
{
	struct shard *s;
	TAILQ_FOREACH (s, &st->shards, link)
		if (s->ended_before && s->child_found)
			s->children_known = true;
}

bool stream_has_unsettled(const struct stream *st)
{
	const struct shard *s;
	TAILQ_FOREACH (s, &st->shards, link)
		if (s->state == SHARD_FINISHED && s->child_found && !s->children_known)
			return true;
	return false;
}

int stream_merge(struct stream *st, const struct streams_shard *shards, size_t n, bool whole, struct err *e)
{
	struct shard *s;
	bool first = whole && !st->swept && !st->known_before;
	size_t before = st->nshards;
	/* All are here before any is listed: a shard that is not listed does not start, least of all without its parent. */
	for (size_t i = 0; i < n; i++)
		if (stream_find(st, shards[i].id) == NULL &&
		    add_shard(st, shards[i].id, shards[i].parent, shards[i].adjacent_parent) == NULL)
			return err_errno(e, ENOMEM, "shards of stream %s", st->label);
	if (whole)
		TAILQ_FOREACH (s, &st->shards, link)
			s->listed = false;
	for (size_t i = 0; i < n; i++) {
		s = stream_find(st, shards[i].id);
		s->listed = true;
		s->open = shards[i].end_seq == NULL;
	}
	if (st->nshards > before || (whole && !st->swept))
		log_info("shards found", LOG_S("table", st->table->conf->name), LOG_S("stream", st->label),
			 LOG_U("new", st->nshards - before), LOG_U("known", st->nshards));
	note_children(st);
	if (whole) {
		st->swept = true;
		retire_unlisted(st);
		st->settled = !st->finish_seen;
		settle_parents(st);
	}
	if (first && st->table->conf->start == CONFIG_START_LATEST && TAILQ_NEXT(st, link) == NULL)
		begin_at_latest(st);
	start_shards(st);
	table_moved(st->table);
	return 0;
}

void stream_start(struct stream *st)
{
	st->started = true;
	start_shards(st);
}

void stream_shard_finished(struct stream *st, struct shard *s)
{
	(void)s;
	st->settled = false;
	st->finish_seen = true;
	note_children(st);
	start_shards(st);
	table_moved(st->table);
	table_sweep_soon(st->table);
}

bool stream_check_drained(struct stream *st)
{
	struct shard *s;
	bool ended = st->gone || st->status == STREAMS_DISABLED;
	if (st->drained)
		return true;
	/* A child may have come after the last look: only a look that began when all were finished tells that there is none. */
	if (!ended || !(st->settled || st->gone))
		return false;
	TAILQ_FOREACH (s, &st->shards, link)
		if (s->state != SHARD_FINISHED)
			return false;
	st->drained = true;
	log_info("stream is read to its end", LOG_S("table", st->table->conf->name), LOG_S("stream", st->label));
	return true;
}

struct shard *stream_childless(const struct stream *st)
{
	struct shard *s;
	if (st->drained || st->gone || st->status == STREAMS_DISABLED)
		return NULL;
	TAILQ_FOREACH (s, &st->shards, link)
		if (s->state == SHARD_FINISHED && s->listed && !s->child_found)
			return s;
	return NULL;
}

void stream_gone(struct stream *st)
{
	struct shard *s;
	if (st->gone)
		return;
	st->gone = true;
	TAILQ_FOREACH (s, &st->shards, link)
		shard_trimmed(s);
	if (TAILQ_EMPTY(&st->shards) && !st->swept)
		table_gap_trimmed(st->table, st->label, NULL, "stream gone before it was read", CLOCK_UNKNOWN);
}
