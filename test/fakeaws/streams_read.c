/* GetShardIterator and GetRecords (Amazon DynamoDB Streams API Reference). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ddb.h"
#include "digest.h"
#include "fake.h"
#include "mem.h"
#include "shards.h"

enum { TYPE_TRIM_HORIZON, TYPE_LATEST, TYPE_AT, TYPE_AFTER };

const char *const streams_iterator_types[4] = {"TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"};

/* ARN|1|base64 of "stream shard position issued type" and a digest of that, so that a changed one is known. */
static char *make_iterator(const struct stream *s, const struct iterator *it)
{
	char text[128], encoded[192], check[65];
	int n = snprintf(text, sizeof(text), "%u %zu %zu %lld %d", it->stream, it->shard, it->position,
			 (long long)it->issued_ms, it->type);

	digest_sha256_hex(check, text, (size_t)n);
	snprintf(text + n, sizeof(text) - (size_t)n, " %.16s", check);
	digest_base64(encoded, text, strlen(text));
	return mem_printf("%s|1|%s", s->arn, encoded);
}

bool streams_parse_iterator(const char *text, struct iterator *out)
{
	const char *at = strrchr(text, '|');
	size_t n;
	char *plain = at ? (char *)digest_base64_decode(at + 1, &n) : NULL;
	char *check = plain ? strrchr(plain, ' ') : NULL;
	char right[65];
	long long issued_ms;
	bool good = false;

	if (check) {
		digest_sha256_hex(right, plain, (size_t)(check - plain));
		good = strlen(check + 1) == 16 && strncmp(right, check + 1, 16) == 0 &&
		       sscanf(plain, "%u %zu %zu %lld %d", &out->stream, &out->shard, &out->position, &issued_ms,
			      &out->type) == 5;
		if (good)
			out->issued_ms = issued_ms;
	}
	free(plain);
	return good;
}

/* The first record at or after `seq` (after it, when `after`). */
static size_t position_of(const struct shard *p, const char *seq, bool after)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = model_compare_seq(p->records[middle]->seq, seq);
		if (order < 0 || (order == 0 && after))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the record can be read yet. */
static bool is_there(const struct fake *f, const struct record *r)
{
	const struct options *o = &r->shard->stream->table->options;
	return r->time_ms <= vclock_of_ms(&f->clock, SERVICE_DYNAMODB) - o->record_lag_ms;
}

/* Where an iterator begins; false with an error answered. */
static bool place(const struct shard *p, int type, const char *seq, struct reply *a, size_t *position)
{
	if (type == TYPE_TRIM_HORIZON || type == TYPE_LATEST) {
		*position = type == TYPE_LATEST ? p->n : p->first;
		return true;
	}
	if (!*seq || strspn(seq, "0123456789") != strlen(seq)) {
		ddb_error(a, "ValidationException", "Invalid SequenceNumber");
		return false;
	}
	if (p->first && model_compare_seq(seq, p->records[p->first - 1]->seq) <= 0) {
		ddb_error(a, "TrimmedDataAccessException",
			  "The operation attempted to read past the oldest stream record in a shard");
		return false;
	}
	if (model_compare_seq(seq, p->start_seq) < 0 || (p->end_seq && model_compare_seq(seq, p->end_seq) > 0)) {
		ddb_error(a, "ValidationException", "Invalid SequenceNumber: it is not of this shard");
		return false;
	}
	*position = position_of(p, seq, type == TYPE_AFTER);
	return true;
}

void streams_iterator(struct fake *f, struct request *r, struct reply *a)
{
	struct stream *s = model_stream(f, ddb_text(r, "StreamArn"));
	struct iterator it = {.type = -1};

	for (int i = 0; i < 4; i++)
		if (strcmp(streams_iterator_types[i], ddb_text(r, "ShardIteratorType")) == 0)
			it.type = i;
	if (it.type < 0) {
		ddb_error(a, "ValidationException",
			  "1 validation error detected: Value at 'shardIteratorType' failed to "
			  "satisfy constraint: Member must satisfy enum value set");
		return;
	}
	if (s)
		shards_age(f, s);
	if (!s || s->gone) {
		ddb_error(a, "ResourceNotFoundException", "Requested resource not found: Stream does not exist");
		return;
	}
	struct shard *p = shards_find(s, ddb_text(r, "ShardId"));
	if (!p || p->gone || p->hidden) {
		ddb_error(a, "ResourceNotFoundException", "Requested resource not found: Shard does not exist");
		return;
	}
	while (s->shards[it.shard] != p)
		it.shard++;
	if (!place(p, it.type, ddb_text(r, "SequenceNumber"), a, &it.position))
		return;
	while (it.type == TYPE_LATEST && it.position > p->first && !is_there(f, p->records[it.position - 1]))
		it.position--;
	p->iterators[it.type]++;
	it.stream = s->number;
	it.issued_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
	char *text = make_iterator(s, &it);
	ddb_json(a, json_pack("{s:s}", "ShardIterator", text));
	free(text);
}

static void put_time(struct buf *out, const struct record *r, int format)
{
	long long seconds = r->time_ms / 1000;
	char digits[24];
	size_t n;

	if (format == TIME_ABSENT)
		return;
	text_put(out, "\"ApproximateCreationDateTime\":");
	if (format == TIME_SECONDS) {
		text_printf(out, "%lld,", seconds);
	} else if (format == TIME_FRACTION) {
		text_printf(out, "%lld.%03d,", seconds, (int)(r->time_ms % 1000));
	} else {
		n = (size_t)snprintf(digits, sizeof(digits), "%lld", seconds);
		size_t used = n;
		while (used > 2 && digits[used - 1] == '0')
			used--;
		text_printf(out, "%c.%.*sE%zu,", digits[0], (int)(used - 1), digits + 1, n - 1);
	}
}

static void put_image(struct buf *out, const char *name, const struct image *i)
{
	if (!i)
		return;
	text_printf(out, "\"%s\":", name);
	text_put_n(out, i->text, i->len);
	text_put(out, ",");
}

static void put_record(struct buf *out, const struct record *r)
{
	const struct options *o = &r->shard->stream->table->options;
	size_t bytes = r->keys->len + (r->new_image ? r->new_image->len : 0) + (r->old_image ? r->old_image->len : 0);
	char digest[65];

	digest_sha256_hex(digest, r->seq, strlen(r->seq));
	text_printf(out, "{\"eventID\":\"%.32s\",\"eventName\":\"%s\",\"eventVersion\":\"%s\",", digest,
		    event_name(r->event), o->unknown_fields ? "9.7" : "1.1");
	if (o->unknown_fields)
		text_put(out, "\"futureField\":{\"a\":[1,null,{\"dynamodb\":{\"Keys\":{}}}]},");
	text_put(out, "\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"" FAKE_REGION "\",\"dynamodb\":{");
	put_time(out, r, o->time);
	put_image(out, "Keys", r->keys);
	put_image(out, "NewImage", r->new_image);
	put_image(out, "OldImage", r->old_image);
	if (o->unknown_fields)
		text_put(out, "\"FutureImage\":{\"x\":{\"S\":\"SequenceNumber\"}},");
	text_printf(out, "\"SequenceNumber\":\"%s\",\"SizeBytes\":%zu,\"StreamViewType\":\"%s\"}", r->seq, bytes,
		    r->shard->stream->view);
	if (r->ttl)
		text_put(out,
			 o->identity == IDENTITY_UPPER
				 ? ",\"userIdentity\":{\"PrincipalId\":\"dynamodb.amazonaws.com\",\"Type\":\"Service\"}"
				 : ",\"userIdentity\":{\"principalId\":\"dynamodb.amazonaws.com\",\"type\":"
				   "\"Service\"}");
	text_put(out, "}");
}

/* AWS: "LimitExceededException" for more than two readers a shard; here, more than so many calls a second. */
static bool throttled(struct shard *p, const struct options *o)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms - p->window_ms >= 1000) {
		p->window_ms = now_ms;
		p->calls = 0;
	}
	return o->shard_calls_per_s && ++p->calls > o->shard_calls_per_s;
}

/* The shard that an iterator points into; NULL with an error answered. */
static struct shard *shard_of(struct fake *f, struct request *r, struct reply *a, struct iterator *it)
{
	if (!streams_parse_iterator(ddb_text(r, "ShardIterator"), it) || it->stream >= f->nstreams ||
	    it->shard >= f->streams[it->stream]->n) {
		ddb_error(a, "ValidationException", "Invalid ShardIterator");
		return NULL;
	}
	struct stream *s = f->streams[it->stream];
	struct shard *p = s->shards[it->shard];
	const struct options *o = &s->table->options;
	shards_age(f, s);
	p->reads++;
	if (s->gone || p->gone || p->hidden) {
		ddb_error(a, "ResourceNotFoundException", "Requested resource not found: Shard does not exist");
		return NULL;
	}
	if (throttled(p, o)) {
		ddb_error(a, "LimitExceededException", "Too many requests for this shard");
		return NULL;
	}
	if (vclock_of_ms(&f->clock, SERVICE_DYNAMODB) - it->issued_ms > o->iterator_ms) {
		ddb_error(a, "ExpiredIteratorException", "The provided iterator exceeds the maximum age allowed.");
		return NULL;
	}
	if (it->position < p->first) {
		ddb_error(a, "TrimmedDataAccessException",
			  "The operation attempted to read past the oldest stream record in a shard");
		return NULL;
	}
	return p;
}

void streams_records(struct fake *f, struct request *r, struct reply *a)
{
	struct iterator it, next;
	struct shard *p = shard_of(f, r, a, &it);
	int64_t limit;

	if (!p || !ddb_number(r, a, "Limit", 1, 1000, 1000, &limit))
		return;
	struct options *o = &p->stream->table->options;
	if (limit > o->page_records)
		limit = o->page_records;
	a->gzip_unasked = o->gzip_unasked;
	next = it;
	next.issued_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
	/* Empty pages come before the first record, wherever the reader begins. */
	bool empty = p->empty_pages > 0;
	if (empty)
		p->empty_pages--;
	text_put(&a->body, "{\"Records\":[");
	size_t head = a->body.len;
	while (!empty && next.position < p->n && (int64_t)r->records < limit &&
	       is_there(f, p->records[next.position])) {
		size_t before = a->body.len;
		text_put(&a->body, r->records ? "," : "");
		put_record(&a->body, p->records[next.position]);
		if (r->records && a->body.len - head > (size_t)o->page_bytes) {
			a->body.len = before;
			break;
		}
		next.position++;
		r->records++;
	}
	text_put(&a->body, "]");
	bool more = !p->end_seq || next.position < p->n || empty || (o->last_page_empty && r->records);
	if (more) {
		bool repeat = r->records == 0 && o->repeated_pages > 0;
		if (repeat)
			o->repeated_pages--;
		char *text = repeat ? mem_dup(ddb_text(r, "ShardIterator")) : make_iterator(p->stream, &next);
		text_printf(&a->body, ",\"NextShardIterator\":\"%s\"", text);
		free(text);
	}
	text_put(&a->body, "}");
}
