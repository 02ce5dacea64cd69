#include "backup.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "codec/canon.h"
#include "codec/encode.h"
#include "image.h"
#include "load.h"

#define PAGE_KEYS 1000 /* the most that S3 gives */
#define META ".ddb-streamd/" LOAD_TABLE "/"

struct backup {
	size_t items;
	struct image images[IMAGE_COUNT];
	struct buf entry; /* one <Version> */
	size_t digits[3]; /* of the number in it: key, version; and where the ETag begins */
	uint8_t (*md5)[DIGEST_MD5_SIZE];
};

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for an answer");
}

/* As Amazon S3 writes it. */
static void prepare_entry(struct backup *b, size_t bytes)
{
	static const char mark[] = "000000000000";
	const char *at;

	buf_init(&b->entry, IMAGE_MAX);
	kept(buf_printf(
		&b->entry,
		"<Version><Key>" LOAD_TABLE "/" LOAD_KEY_FORMAT "</Key><VersionId>" LOAD_VERSION_FORMAT
		"</VersionId><IsLatest>true</IsLatest><LastModified>" LOAD_STORED_ISO
		"</LastModified><ETag>&quot;00000000000000000000000000000000&quot;</ETag><ChecksumAlgorithm>CRC64NVME"
		"</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>%zu</Size><Owner><ID>"
		"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>"
		"<StorageClass>STANDARD</StorageClass></Version>",
		(size_t)0, (size_t)0, bytes));
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
	size_t size;

	b->items = items;
	b->md5 = image_digests(items, item_bytes, &size);
	for (size_t i = 0; i < IMAGE_COUNT; i++)
		image_init(&b->images[i], canon, i, item_bytes);
	prepare_entry(b, size);
	canon_free(canon);
	return b;
}

void backup_free(struct backup *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < IMAGE_COUNT; i++)
		image_fini(&b->images[i]);
	buf_fini(&b->entry);
	free(b->md5);
	free(b);
}

/* --- the listing --- */

static void append_entries(const struct backup *b, size_t first, size_t n, struct buf *out)
{
	char digits[LOAD_DIGITS];

	kept(buf_reserve(out, n * b->entry.len));
	for (size_t i = first; i < first + n; i++) {
		char *at = out->data + out->len;

		kept(buf_append(out, b->entry.data, b->entry.len));
		image_number(digits, i);
		for (size_t d = 0; d < 2; d++)
			memcpy(at + b->digits[d], digits, LOAD_DIGITS);
		encode_hex(at + b->digits[2], b->md5[i], DIGEST_MD5_SIZE);
	}
}

static void list(const struct backup *b, struct span query, struct buf *out)
{
	static const char all[] = LOAD_TABLE "/item-";
	char prefix[IMAGE_VALUE_MAX], marker[IMAGE_VALUE_MAX], max_keys[IMAGE_VALUE_MAX], head[2 * IMAGE_VALUE_MAX],
		tail[512] = "";
	size_t first, left, n;

	image_parameter(query, "prefix", prefix);
	image_parameter(query, "key-marker", marker);
	image_parameter(query, "max-keys", max_keys);
	first = image_first_behind(marker, b->items);
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
	const struct image *m = &b->images[number % IMAGE_COUNT];
	char lines[640], seq[32], shard[64], etag[2 * DIGEST_MD5_SIZE];

	encode_hex(etag, b->md5[number], DIGEST_MD5_SIZE);
	load_seq(seq, number);
	load_shard(shard, 0);
	snprintf(lines, sizeof(lines),
		 "x-amz-version-id: " LOAD_VERSION_FORMAT
		 "\r\nETag: \"%.*s\"\r\nx-amz-meta-ddb-event: INSERT\r\nx-amz-meta-ddb-seq: "
		 "%s\r\nx-amz-meta-ddb-time: " LOAD_STORED_ISO "\r\nx-amz-meta-ddb-stream: " LOAD_LABEL
		 "\r\nx-amz-meta-ddb-shard: %s\r\n",
		 number, (int)sizeof(etag), etag, seq, shard);
	append_object(out, lines, m->text.data, m->text.len);
	image_number(out->data + out->len - m->text.len + m->digits, number);
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
