#include "daemon_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "shard.h"
#include "shard_rest.h"
#include "stream.h"

#define MEMORY_BYTES ((size_t)64 << 20)
#define PAGE_BYTES_MAX ((size_t)64 << 20)

static void start_table(struct daemon_fixture *f)
{
	struct table *t = &f->t;

	t->daemon = &f->d;
	t->conf = &f->conf_table;
	t->state = VIEW_TABLE_RUNNING;
	t->ask_until_ms = t->last_durable_event_ms = t->complete_before_ms = CLOCK_UNKNOWN;
	t->schema = (struct itemkey_schema){.format = KEY_FORMAT_PATH, .hash_name = "id", .path_bytes = 32};
	t->data_path = strdup("t/");
	t->deletes_path = strdup(".ddb-streamd/t/deletes/");
	assert_non_null(t->data_path);
	assert_non_null(t->deletes_path);
	t->saving.horizon_ms = INT64_MAX; /* anything may be written */
	TAILQ_INIT(&t->streams);
	lane_group_init(&t->lanes);
	reader_queue_init(&t->reads, t, MEMORY_BYTES);
	uv_timer_init(&f->d.loop, &t->check_timer);
	table_discover_init(t);
}

struct daemon_fixture *daemon_fixture_new(void)
{
	const struct http_options http = {.connections = 1};
	struct daemon_fixture *f = calloc(1, sizeof(*f));
	struct err e;

	assert_non_null(f);
	log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	f->conf_table.name = "t";
	f->conf.poll_interval_ms = 1000;
	f->conf.checkpoint_interval_ms = 1000;
	f->conf.watermark_interval_ms = 60000;
	f->conf.tables = &f->conf_table;
	f->conf.ntables = 1;
	f->conf.bucket = "backup";
	f->conf.memory_limit_bytes = MEMORY_BYTES;
	f->d.conf = &f->conf;
	f->d.phase = DAEMON_RUNNING;
	assert_int_equal(uv_loop_init(&f->d.loop), 0);
	f->d.aws.loop = &f->d.loop;
	f->d.aws.http = http_new(&f->d.loop, &http, &e);
	assert_non_null(f->d.aws.http);
	f->d.canon = canon_new((size_t)1 << 20);
	assert_non_null(f->d.canon);
	lanes_init(&f->d.lanes, clock_mono_ms());
	assert_int_equal(reader_pool_init(&f->d.readers, &f->d.aws, 0, 1, &e), 0);
	f->d.workers.daemon = &f->d;
	TAILQ_INIT(&f->d.workers.idle);
	uv_timer_init(&f->d.loop, &f->d.tick);
	f->d.tick.data = &f->d;
	uv_timer_init(&f->d.loop, &f->d.workers.pause);
	f->d.workers.pause.data = &f->d.workers;
	f->d.tables = &f->t;
	f->d.ntables = 1;
	start_table(f);
	return f;
}

void daemon_fixture_free(struct daemon_fixture *f)
{
	struct stream *st;

	while ((st = TAILQ_FIRST(&f->t.streams)) != NULL) {
		TAILQ_REMOVE(&f->t.streams, st, link);
		stream_free(st);
	}
	for (size_t i = 0; i < f->t.ngaps; i++) {
		free(f->t.gaps[i].reason);
		free(f->t.gaps[i].stream);
		free(f->t.gaps[i].shard);
	}
	free(f->t.gaps);
	free(f->t.data_path);
	free(f->t.deletes_path);
	uv_close((uv_handle_t *)&f->t.check_timer, NULL);
	uv_close((uv_handle_t *)&f->d.tick, NULL);
	uv_close((uv_handle_t *)&f->d.workers.pause, NULL);
	table_discover_stop(&f->t);
	uv_run(&f->d.loop, UV_RUN_NOWAIT);
	http_free(f->d.aws.http);
	uv_run(&f->d.loop, UV_RUN_DEFAULT);
	table_discover_fini(&f->t);
	assert_int_equal(uv_loop_close(&f->d.loop), 0);
	reader_pool_fini(&f->d.readers);
	lanes_fini(&f->d.lanes);
	canon_free(f->d.canon);
	itemkey_cleanup();
	free(f);
}

struct stream *daemon_fixture_stream(struct daemon_fixture *f, const char *label)
{
	char arn[128];

	snprintf(arn, sizeof(arn), "arn:aws:dynamodb:eu-west-1:000000000000:table/t/stream/%s", label);
	struct stream *st = stream_new(&f->t, arn, label);
	assert_non_null(st);
	assert_int_equal(stream_set_keys(st, "id", NULL), 0);
	TAILQ_INSERT_TAIL(&f->t.streams, st, link);
	f->t.active = st;
	st->status = STREAMS_ENABLED;
	stream_start(st);
	return st;
}

static void append_record(struct buf *out, const struct daemon_record *r)
{
	const char *more = r->image != NULL ? r->image : "";

	buf_printf(out, "{\"eventName\":\"%s\",\"dynamodb\":{\"Keys\":{\"id\":{\"S\":\"%s\"}}", r->op, r->id);
	if (strcmp(r->op, "REMOVE") != 0)
		buf_printf(out, ",\"NewImage\":{\"id\":{\"S\":\"%s\"}%s}", r->id, more);
	if (strcmp(r->op, "INSERT") != 0)
		buf_printf(out, ",\"OldImage\":{\"id\":{\"S\":\"%s\"}%s}", r->id, more);
	if (r->event_s != 0)
		buf_printf(out, ",\"ApproximateCreationDateTime\":%lld", (long long)r->event_s);
	assert_int_equal(buf_printf(out, ",\"SequenceNumber\":\"%llu\"}}", (unsigned long long)r->seq), 0);
}

void daemon_fixture_page(struct buf *out, const struct daemon_record *records, size_t n, bool last)
{
	buf_init(out, PAGE_BYTES_MAX);
	buf_append_str(out, "{\"Records\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		append_record(out, &records[i]);
	}
	assert_int_equal(buf_append_str(out, last ? "]}" : "],\"NextShardIterator\":\"next\"}"), 0);
}

struct batch *daemon_fixture_batch(struct daemon_fixture *f, const struct daemon_record *records, size_t n)
{
	const struct batch_skip skip = {.after_seq = "", .before_ms = CLOCK_UNKNOWN};
	struct batch_answer answer;
	struct batch *b;
	struct buf page;
	struct err e;

	daemon_fixture_page(&page, records, n, false);
	assert_int_equal(batch_new(&b, &page, f->t.salt, &skip, f->d.canon, &answer, &e), 0);
	assert_int_equal(b->nrecords, n);
	return b;
}

struct batch *daemon_fixture_read(struct daemon_fixture *f, struct shard *s, const struct daemon_record *records,
				  size_t n)
{
	struct batch *b = daemon_fixture_batch(f, records, n);

	shard_take(s, b);
	f->t.reads.used_bytes += b->bytes;
	return b;
}

void daemon_fixture_acknowledge(struct record *r)
{
	r->state = RECORD_DURABLE;
	shard_durable(r->batch->shard, r);
}

void daemon_fixture_reading(struct shard *s)
{
	if (s->state == SHARD_WAITING)
		shard_start(s);
	if (s->state == SHARD_READING)
		return;
	uv_timer_stop(&s->timer);
	shard_move(s, SHARD_QUEUED);
	shard_move(s, SHARD_READING);
}

struct shard *daemon_fixture_shard(struct stream *st)
{
	static struct streams_shard one = {.id = "shardId-1"};
	struct err e;

	assert_int_equal(stream_merge(st, &one, 1, true, &e), 0);
	struct shard *s = stream_find(st, "shardId-1");
	assert_non_null(s);
	assert_int_equal(s->state, SHARD_RESTING);
	daemon_fixture_reading(s);
	return s;
}
