#include "sink.h"

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <zlib.h>

#include "load.h"

#define ANSWER_MAX ((size_t)1 << 20)

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for an answer");
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void make_source(struct sink *s)
{
	const struct source_options o = {
		.records = s->stored || s->scanned ? 0 : s->records,
		.shards = s->stored || s->scanned ? 1 : s->shards,
		.page_records = s->page_records,
		.item_bytes = s->item_bytes,
		.hot = s->hot,
		.hot_alone = s->until_items,
		.per_s = s->per_s,
		.when_asked = s->when_asked || s->hot > 0 || s->per_s > 0,
		.first_only = s->first_only,
		.event_gap_s = s->event_gap_s,
	};

	s->source = source_new(&o);
	s->seen = calloc(s->records + 1, 1);
	if (s->per_s > 0) {
		s->durable_ms = calloc(s->records, sizeof(*s->durable_ms));
		s->in_stream_ms = calloc(s->records, sizeof(*s->in_stream_ms));
	}
	if (!s->seen || (s->per_s > 0 && (!s->durable_ms || !s->in_stream_ms)))
		errx(EX_OSERR, "no memory for the items");
}

void sink_init(struct sink *s)
{
	if (s->stored)
		s->backup = backup_new(s->records, s->item_bytes);
	if (s->scanned)
		s->whole = whole_new(s->records, s->item_bytes, s->listed, s->changed);
	make_source(s);
}

void sink_fini(struct sink *s)
{
	backup_free(s->backup);
	whole_free(s->whole);
	source_free(s->source);
	free(s->seen);
	free(s->durable_ms);
	free(s->in_stream_ms);
}

/* Header and body of an answer; the header's own lines are in `lines`. */
static void answer(struct buf *out, const char *status, const char *lines, const char *body, size_t len)
{
	kept(buf_printf(out, "HTTP/1.1 %s\r\nServer: sink\r\n%sContent-Length: %zu\r\n\r\n", status, lines, len));
	if (body)
		kept(buf_append(out, body, len));
}

static void answer_json(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void answer_json(struct buf *out, const char *fmt, ...)
{
	char lines[160];
	char *body;
	int len;
	va_list ap;

	va_start(ap, fmt);
	len = vasprintf(&body, fmt, ap);
	va_end(ap);
	if (len < 0)
		errx(EX_OSERR, "no memory for an answer");
	snprintf(lines, sizeof(lines), "Content-Type: application/x-amz-json-1.0\r\nx-amz-crc32: %lu\r\n",
		 crc32_z(0, (const unsigned char *)body, (size_t)len));
	answer(out, "200 OK", lines, body, (size_t)len);
	free(body);
}

static void began(struct sink *s)
{
	if (s->first_ns != 0)
		return;
	s->first_ns = now_ns(CLOCK_MONOTONIC);
	s->cpu_s = -(double)now_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
}

static void get_records(struct sink *s, struct span body, struct sink_answer *a)
{
	struct span page;
	unsigned long crc;
	bool lives;
	char lines[160];

	if (!source_page(s->source, body, now_ns(CLOCK_MONOTONIC), &page, &crc, &lives)) {
		answer(a->out, "400 Bad Request", "", "{\"__type\":\"ValidationException\"}", 32);
		return;
	}
	if (s->records > 0 && !s->stored && !s->scanned)
		began(s);
	s->reads++;
	snprintf(lines, sizeof(lines), "Content-Type: application/x-amz-json-1.0\r\nx-amz-crc32: %lu\r\n", crc);
	answer(a->out, "200 OK", lines, lives ? NULL : page.ptr, page.len);
	if (lives)
		a->page = page;
}

static void get_iterator(const struct sink *s, struct span body, struct buf *out)
{
	struct buf text;

	buf_init(&text, ANSWER_MAX);
	if (source_iterator(s->source, body, &text))
		answer_json(out, "%s", buf_str(&text));
	else
		answer(out, "400 Bad Request", "", "{\"__type\":\"ResourceNotFoundException\"}", 38);
	buf_fini(&text);
}

static void describe_stream(const struct sink *s, struct span body, struct buf *out)
{
	struct buf text;

	buf_init(&text, ANSWER_MAX);
	source_describe(s->source, body, &text);
	answer_json(out, "%s", buf_str(&text));
	buf_fini(&text);
}

/* The rest of DynamoDB, asked for at the start. */
static void describe(struct span target, struct buf *out)
{
	if (span_eq_str(target, "DescribeTable"))
		answer_json(
			out,
			"{\"Table\":{\"TableName\":\"%s\",\"TableStatus\":\"ACTIVE\",\"TableArn\":\"arn:aws:dynamodb:%s"
			":000000000000:table/%s\",\"TableId\":\"bench\",\"KeySchema\":[{\"AttributeName\":\"id\","
			"\"KeyType\":\"HASH\"}],\"AttributeDefinitions\":[{\"AttributeName\":\"id\","
			"\"AttributeType\":\"S\"}],\"StreamSpecification\":{\"StreamEnabled\":true,"
			"\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"},\"LatestStreamArn\":\"%s\","
			"\"LatestStreamLabel\":\"%s\"}}",
			LOAD_TABLE, LOAD_REGION, LOAD_TABLE, LOAD_STREAM_ARN, LOAD_LABEL);
	else if (span_eq_str(target, "ListStreams"))
		answer_json(out, "{\"Streams\":[{\"StreamArn\":\"%s\",\"StreamLabel\":\"%s\",\"TableName\":\"%s\"}]}",
			    LOAD_STREAM_ARN, LOAD_LABEL, LOAD_TABLE);
	else if (span_eq_str(target, "DescribeTimeToLive"))
		answer_json(out, "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"DISABLED\"}}");
	else if (span_eq_str(target, "BatchWriteItem"))
		answer_json(out, "{\"UnprocessedItems\":{}}");
	else if (span_eq_str(target, "ListTagsOfResource"))
		answer_json(out, "{\"Tags\":[]}");
	else if (span_eq_str(target, "DescribeScalableTargets"))
		answer_json(out, "{\"ScalableTargets\":[]}");
	else if (span_eq_str(target, "DescribeScalingPolicies"))
		answer_json(out, "{\"ScalingPolicies\":[]}");
	else
		answer(out, "400 Bad Request", "", "{\"__type\":\"UnknownOperationException\"}", 38);
}

static void answer_dynamodb(struct sink *s, struct span target, struct span body, struct sink_answer *a)
{
	const char *dot = memchr(target.ptr, '.', target.len);
	struct span name = target;

	if (dot)
		name = (struct span){dot + 1, target.len - (size_t)(dot + 1 - target.ptr)};
	if (memmem(target.ptr, target.len, "Streams_", 8))
		s->streams++;
	else
		s->dynamodb++;
	if (s->whole && span_eq_str(name, "Scan"))
		whole_scan(s->whole, body, a->out, &a->page);
	else if (span_eq_str(name, "GetRecords"))
		get_records(s, body, a);
	else if (span_eq_str(name, "GetShardIterator"))
		get_iterator(s, body, a->out);
	else if (span_eq_str(name, "DescribeStream"))
		describe_stream(s, body, a->out);
	else
		describe(name, a->out);
}

static void note_times(struct sink *s, size_t number)
{
	int64_t came_ns, handed_ns;

	if (!source_times(s->source, number, &came_ns, &handed_ns))
		return;
	s->durable_ms[s->ntimes] = (float)((double)(s->last_ns - handed_ns) / 1e6);
	s->in_stream_ms[s->ntimes++] = (float)((double)(s->last_ns - came_ns) / 1e6);
}

/* Ticks the item off. True for the last one that was missing. */
static bool stored(struct sink *s, struct span path)
{
	static const char prefix[] = "/" LOAD_BUCKET "/" LOAD_TABLE "/item-";
	size_t number = 0;

	if (path.len != sizeof(prefix) - 1 + LOAD_DIGITS || memcmp(path.ptr, prefix, sizeof(prefix) - 1) != 0)
		return false;
	for (size_t i = sizeof(prefix) - 1; i < path.len; i++)
		number = number * 10 + (size_t)(path.ptr[i] - '0');
	if (number > s->records)
		return false;
	began(s);
	if (number == s->records ? s->hot_puts >= s->hot : s->seen[number] != 0) {
		s->repeated++;
		return false;
	}
	s->last_ns = now_ns(CLOCK_MONOTONIC);
	if (number == s->records) {
		s->hot_puts++;
	} else {
		s->seen[number] = 1;
		s->distinct++;
		s->items_ns = s->last_ns;
		note_times(s, number);
	}
	if (s->distinct < s->records || (s->hot_puts < s->hot && !s->until_items) || s->ended)
		return false;
	s->ended = true;
	s->cpu_s += (double)now_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
	return true;
}

/* With the header lines that Amazon S3 sends, since a client has to read them; made once a second. */
static void answer_put(struct buf *out)
{
	static char text[512];
	static int len;
	static time_t second;
	struct timespec now;
	struct tm tm;
	char date[40];

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&second, &tm));
		len = snprintf(text, sizeof(text),
			       "HTTP/1.1 200 OK\r\nx-amz-id-2: "
			       "eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHG\r\n"
			       "x-amz-request-id: 4442587FB7D0A2F9\r\nDate: %s\r\n"
			       "x-amz-version-id: 3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY\r\n"
			       "ETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\nx-amz-server-side-encryption: AES256\r\n"
			       "Server: AmazonS3\r\nContent-Length: 0\r\n\r\n",
			       date);
	}
	kept(buf_append(out, text, (size_t)len));
}

/* Only the daemon's probe is written a second time; there it learns that conditions count. */
static bool is_probe_again(const struct sink_request *r)
{
	static const char condition[] = "\r\nif-none-match: *", item[] = "/" LOAD_TABLE "/item-";

	return memmem(r->header.ptr, r->header.len, condition, sizeof(condition) - 1) &&
	       !memmem(r->path.ptr, r->path.len, item, sizeof(item) - 1);
}

static bool answer_s3(struct sink *s, const struct sink_request *r, struct buf *out)
{
	static const char versioning[] = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
	static const char none[] = "<Error><Code>NoSuchKey</Code></Error>";
	static const char refused[] = "<Error><Code>PreconditionFailed</Code></Error>";
	static const char list[] = "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>";

	if (span_eq_str(r->path, "/figures")) {
		answer_json(out,
			    "{\"s3\":%zu,\"dynamodb\":%zu,\"streams\":%zu,\"reads\":%zu,\"items\":%zu,\"hot\":%zu}",
			    s->s3, s->dynamodb, s->streams, s->reads, s->distinct, s->hot_puts);
		return false;
	}
	size_t before = s->distinct + s->hot_puts;

	s->s3++;
	if (s->whole && span_eq_str(r->method, "GET") && whole_list(s->whole, r->path, out))
		return false;
	if (s->backup && span_eq_str(r->method, "GET") && backup_answer(s->backup, r->path, out))
		return false;
	if (s->whole && is_probe_again(r)) {
		answer(out, "412 Precondition Failed", "Content-Type: application/xml\r\n", refused,
		       sizeof(refused) - 1);
		return false;
	}
	if (span_eq_str(r->method, "PUT")) {
		bool last = stored(s, r->path);

		if (!s->stalled || s->distinct + s->hot_puts == before)
			answer_put(out);
		return last;
	}
	if (span_eq_str(r->method, "DELETE"))
		answer(out, "204 No Content", "x-amz-delete-marker: true\r\nx-amz-version-id: 3sL4\r\n", NULL, 0);
	else if (memmem(r->path.ptr, r->path.len, "?versioning", 11))
		answer(out, "200 OK", "Content-Type: application/xml\r\n", versioning, sizeof(versioning) - 1);
	else if (memmem(r->path.ptr, r->path.len, "?", 1))
		answer(out, "200 OK", "Content-Type: application/xml\r\n", list, sizeof(list) - 1);
	else if (span_eq_str(r->method, "HEAD"))
		answer(out, "404 Not Found", "", NULL, 0);
	else
		answer(out, "404 Not Found", "Content-Type: application/xml\r\n", none, sizeof(none) - 1);
	return false;
}

bool sink_answer(struct sink *s, const struct sink_request *r, struct sink_answer *a)
{
	static const char name[] = "\r\nx-amz-target: ";
	const char *at, *end;

	a->page = (struct span){NULL, 0};
	if (!span_eq_str(r->method, "POST"))
		return answer_s3(s, r, a->out);
	at = memmem(r->header.ptr, r->header.len, name, sizeof(name) - 1);
	if (!at) {
		answer(a->out, "400 Bad Request", "", NULL, 0);
		return false;
	}
	at += sizeof(name) - 1;
	end = memchr(at, '\r', (size_t)(r->header.ptr + r->header.len - at));
	answer_dynamodb(s, (struct span){at, end ? (size_t)(end - at) : 0}, r->body, a);
	return false;
}
