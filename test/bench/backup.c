#include "backup.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/err.h"
#include "codec/canon.h"
#include "codec/encode.h"
#include "load.h"

#define PAGE_KEYS 1000 /* the most that S3 gives */
#define IMAGES 1000    /* as many different ones */
#define IMAGE_MAX ((size_t)1 << 20)
#define KEY_MAX 2048
#define META ".ddb-streamd/" LOAD_TABLE "/"

/* A body, and where the item's number stands in it. */
struct image {
	struct buf text;
	size_t digits;
};

struct backup {
	size_t items;
	struct image images[IMAGES];
	struct buf entry; /* one <Version> */
	size_t digits[3]; /* of the number in it: key, version, ETag */
};

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for an answer");
}

static void prepare_image(struct canon *canon, struct image *m, size_t number, size_t bytes)
{
	char key[32];
	struct buf raw;
	struct span body;
	struct err e;

	buf_init(&raw, IMAGE_MAX);
	load_image(&raw, number, bytes);
	if (canon_item(canon, (struct span){raw.data, raw.len}, &body, &e) < 0)
		errx(EX_SOFTWARE, "%s", e.message);
	buf_init(&m->text, IMAGE_MAX);
	kept(buf_append(&m->text, body.ptr, body.len));
	buf_fini(&raw);
	int len = snprintf(key, sizeof(key), LOAD_KEY_FORMAT, number);
	m->digits = (size_t)(strstr(m->text.data, key) - m->text.data) + (size_t)len - LOAD_DIGITS;
}

/* As Amazon S3 writes it. */
static void prepare_entry(struct backup *b, size_t bytes)
{
	static const char mark[] = "000000000000";
	const char *at;

	buf_init(&b->entry, IMAGE_MAX);
	kept(buf_printf(&b->entry,
			"<Version><Key>" LOAD_TABLE "/" LOAD_KEY_FORMAT "</Key><VersionId>" LOAD_VERSION_FORMAT
			"</VersionId><IsLatest>true</IsLatest><LastModified>" LOAD_STORED_ISO
			"</LastModified><ETag>&quot;" LOAD_ETAG_FORMAT "&quot;</ETag><ChecksumAlgorithm>CRC64NVME"
			"</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>%zu</Size><Owner><ID>"
			"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>"
			"<StorageClass>STANDARD</StorageClass></Version>",
			(size_t)0, (size_t)0, (size_t)0, bytes));
	at = b->entry.data;
	for (size_t i = 0; i < 3; i++) {
		at = strstr(at, mark);
		b->digits[i] = (size_t)(at - b->entry.data);
		at += LOAD_DIGITS;
	}
}

struct backup *backup_new(size_t items, size_t item_bytes)
{
	struct backup *b = calloc(1, sizeof(*b));
	struct canon *canon = canon_new(IMAGE_MAX);

	if (!b || !canon)
		errx(EX_OSERR, "no memory for a backup");
	b->items = items;
	for (size_t i = 0; i < IMAGES; i++)
		prepare_image(canon, &b->images[i], i, item_bytes);
	prepare_entry(b, b->images[0].text.len);
	canon_free(canon);
	return b;
}

void backup_free(struct backup *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < IMAGES; i++)
		buf_fini(&b->images[i].text);
	buf_fini(&b->entry);
	free(b);
}

static void put_number(char digits[LOAD_DIGITS], size_t number)
{
	for (size_t i = LOAD_DIGITS; i > 0; i--) {
		digits[i - 1] = (char)('0' + number % 10);
		number /= 10;
	}
}

/* --- the listing --- */

/* A query parameter's value, decoded; empty when it is not there. */
static void parameter(struct span query, const char *name, char out[KEY_MAX])
{
	size_t name_len = strlen(name), len = 0;
	const char *at = query.ptr, *end = query.ptr + query.len;

	out[0] = '\0';
	while (at < end) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		size_t n = (size_t)((next ? next : end) - at);

		if (n > name_len && n - name_len < KEY_MAX && memcmp(at, name, name_len) == 0 && at[name_len] == '=' &&
		    encode_percent_decode(out, &len, at + name_len + 1, n - name_len - 1, false)) {
			out[len] = '\0';
			return;
		}
		at += n + 1;
	}
}

/* The number of the first item behind a key that need not exist. */
static size_t first_behind(const struct backup *b, const char *marker)
{
	size_t low = 0, high = b->items;
	char key[64];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		snprintf(key, sizeof(key), LOAD_TABLE "/" LOAD_KEY_FORMAT, middle);
		if (strcmp(key, marker) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void append_entries(const struct backup *b, size_t first, size_t n, struct buf *out)
{
	char digits[LOAD_DIGITS];

	kept(buf_reserve(out, n * b->entry.len));
	for (size_t i = first; i < first + n; i++) {
		char *at = out->data + out->len;

		kept(buf_append(out, b->entry.data, b->entry.len));
		put_number(digits, i);
		for (size_t d = 0; d < 3; d++)
			memcpy(at + b->digits[d], digits, LOAD_DIGITS);
	}
}

static void list(const struct backup *b, struct span query, struct buf *out)
{
	static const char all[] = LOAD_TABLE "/item-";
	char prefix[KEY_MAX], marker[KEY_MAX], max_keys[KEY_MAX], head[2 * KEY_MAX], tail[512] = "";
	size_t first, left, n;

	parameter(query, "prefix", prefix);
	parameter(query, "key-marker", marker);
	parameter(query, "max-keys", max_keys);
	first = first_behind(b, marker);
	/* Nothing but the items has versions, and no part of them is asked for. */
	left = strncmp(all, prefix, strlen(prefix)) == 0 ? b->items - first : 0;
	n = max_keys[0] ? strtoul(max_keys, NULL, 10) : PAGE_KEYS;
	n = n < PAGE_KEYS ? n : PAGE_KEYS;
	n = n < left ? n : left;
	if (n < left)
		snprintf(tail, sizeof(tail),
			 "<NextKeyMarker>" LOAD_TABLE "/" LOAD_KEY_FORMAT
			 "</NextKeyMarker><NextVersionIdMarker>" LOAD_VERSION_FORMAT "</NextVersionIdMarker>",
			 first + n - 1, first + n - 1);
	int head_len = snprintf(head, sizeof(head),
				"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListVersionsResult "
				"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>" LOAD_BUCKET
				"</Name><EncodingType>url</EncodingType><MaxKeys>%d</MaxKeys>%s<IsTruncated>%s"
				"</IsTruncated>",
				PAGE_KEYS, tail, n < left ? "true" : "false");
	static const char end[] = "</ListVersionsResult>";

	kept(buf_printf(
		out,
		"HTTP/1.1 200 OK\r\nx-amz-id-2: eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHG"
		"\r\nx-amz-request-id: 4442587FB7D0A2F9\r\nContent-Type: application/xml\r\nServer: AmazonS3\r\n"
		"Content-Length: %zu\r\n\r\n",
		(size_t)head_len + n * b->entry.len + sizeof(end) - 1));
	kept(buf_append(out, head, (size_t)head_len));
	append_entries(b, first, n, out);
	kept(buf_append(out, end, sizeof(end) - 1));
}

/* --- objects --- */

/* With the header lines that Amazon S3 sends, since a client has to read them. */
static void append_object(struct buf *out, const char *lines, const char *body, size_t len)
{
	kept(buf_printf(out,
			"HTTP/1.1 200 OK\r\nx-amz-id-2: eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHG"
			"\r\nx-amz-request-id: 4442587FB7D0A2F9\r\nDate: " LOAD_STORED_HTTP
			"\r\nLast-Modified: " LOAD_STORED_HTTP "\r\nx-amz-server-side-encryption: AES256\r\n"
			"Accept-Ranges: bytes\r\nContent-Type: application/json\r\nServer: AmazonS3\r\n%s"
			"Content-Length: %zu\r\n\r\n",
			lines, len));
	kept(buf_append(out, body, len));
}

static void get_item(const struct backup *b, size_t number, struct buf *out)
{
	const struct image *m = &b->images[number % IMAGES];
	char lines[640], seq[32], shard[64];

	load_seq(seq, number);
	load_shard(shard, 0);
	snprintf(lines, sizeof(lines),
		 "x-amz-version-id: " LOAD_VERSION_FORMAT "\r\nETag: \"" LOAD_ETAG_FORMAT
		 "\"\r\nx-amz-meta-ddb-event: INSERT\r\nx-amz-meta-ddb-seq: %s\r\nx-amz-meta-ddb-time: " LOAD_STORED_ISO
		 "\r\nx-amz-meta-ddb-stream: " LOAD_LABEL "\r\nx-amz-meta-ddb-shard: %s\r\n",
		 number, number, seq, shard);
	append_object(out, lines, m->text.data, m->text.len);
	put_number(out->data + out->len - m->text.len + m->digits, number);
}

static bool item_of(const struct backup *b, struct span key, size_t *number)
{
	static const char prefix[] = LOAD_TABLE "/item-";
	const size_t len = sizeof(prefix) - 1;

	if (key.len != len + LOAD_DIGITS || memcmp(key.ptr, prefix, len) != 0)
		return false;
	*number = 0;
	for (size_t i = len; i < key.len; i++)
		*number = *number * 10 + (size_t)(key.ptr[i] - '0');
	return *number < b->items;
}

static void append_meta(struct buf *out, const char *body)
{
	append_object(out, "ETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n", body, strlen(body));
}

bool backup_answer(const struct backup *b, struct span path, struct buf *out)
{
	static const char watermark[] =
		"{\"version\":1,\"since\":\"2025-12-01T00:00:00.000Z\",\"complete_through\":\"2026-07-01T00:00:00."
		"000Z\","
		"\"saved\":\"2026-07-01T00:00:00.000Z\",\"host\":\"bench\",\"instance\":\"bench\",\"data_path\":"
		"\"" LOAD_TABLE "/\",\"gap_count\":0,\"gaps\":[]}";
	static const char table[] =
		"{\"Table\":{\"TableName\":\"" LOAD_TABLE "\",\"TableStatus\":\"ACTIVE\",\"TableArn\":"
		"\"arn:aws:dynamodb:" LOAD_REGION ":000000000000:table/" LOAD_TABLE "\",\"TableId\":\"bench\","
		"\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}],\"AttributeDefinitions\":"
		"[{\"AttributeName\":\"id\",\"AttributeType\":\"S\"}]},\"TimeToLiveDescription\":"
		"{\"TimeToLiveStatus\":\"DISABLED\"}}";
	static const char bucket[] = "/" LOAD_BUCKET;
	const char *question = memchr(path.ptr, '?', path.len);
	struct span query = {"", 0}, key = path;
	size_t number;

	if (question) {
		key.len = (size_t)(question - path.ptr);
		query = (struct span){question + 1, path.len - key.len - 1};
	}
	if (key.len < sizeof(bucket) - 1 || memcmp(key.ptr, bucket, sizeof(bucket) - 1) != 0)
		return false;
	key = (struct span){key.ptr + sizeof(bucket) - 1, key.len - (sizeof(bucket) - 1)};
	if (key.len <= 1 && query.len >= 8 && memcmp(query.ptr, "versions", 8) == 0) {
		list(b, query, out);
		return true;
	}
	if (key.len == 0)
		return false;
	key = (struct span){key.ptr + 1, key.len - 1};
	if (item_of(b, key, &number))
		get_item(b, number, out);
	else if (span_eq_str(key, META "watermark.json"))
		append_meta(out, watermark);
	else if (span_eq_str(key, META "table.json"))
		append_meta(out, table);
	else
		return false;
	return true;
}
