#include "whole.h"

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <zlib.h>

#include "codec/digest.h"
#include "codec/encode.h"
#include "image.h"
#include "load.h"

#define PAGE_BYTES_MAX ((size_t)64 << 20)
#define PAGE_UNITS 256.0 /* of about 1 MB, read consistently */

struct whole_page {
	struct buf text; /* "Items":[...]}, behind what depends on the question */
	unsigned long crc;
};

struct whole {
	size_t items, npages, size; /* size: of an object */
	bool in_bucket;
	struct whole_page *pages;
	uint8_t (*md5)[DIGEST_MD5_SIZE]; /* by item */
};

static void kept(int rc)
{
	if (rc < 0)
		errx(EX_OSERR, "no memory for a table");
}

/* --- the table --- */

static void make_page(struct whole *w, size_t page, const struct image *images, bool changed)
{
	struct buf *text = &w->pages[page].text;
	size_t first = page * WHOLE_PAGE, end = first + WHOLE_PAGE < w->items ? first + WHOLE_PAGE : w->items;

	buf_init(text, PAGE_BYTES_MAX);
	kept(buf_append_str(text, "\"Items\":["));
	for (size_t i = first; i < end; i++) {
		const struct image *m = &images[(i + changed) % IMAGE_COUNT];

		if (i > first)
			kept(buf_append_char(text, ','));
		kept(buf_append(text, m->text.data, m->text.len));
		image_number(text->data + text->len - m->text.len + m->digits, i);
	}
	kept(buf_append_str(text, "]}"));
	w->pages[page].crc = crc32_z(0, (const unsigned char *)text->data, text->len);
}

static void make_pages(struct whole *w, size_t item_bytes, bool changed)
{
	static struct image images[IMAGE_COUNT];

	for (size_t i = 0; i < IMAGE_COUNT; i++)
		image_init(&images[i], NULL, i, item_bytes);
	for (size_t i = 0; i < w->npages; i++)
		make_page(w, i, images, changed);
	for (size_t i = 0; i < IMAGE_COUNT; i++)
		image_fini(&images[i]);
}

struct whole *whole_new(size_t items, size_t item_bytes, bool in_bucket, bool changed)
{
	struct whole *w = calloc(1, sizeof(*w));

	if (!w)
		errx(EX_OSERR, "no memory for a table");
	w->items = items;
	w->in_bucket = in_bucket;
	w->npages = (items + WHOLE_PAGE - 1) / WHOLE_PAGE;
	w->pages = calloc(w->npages, sizeof(*w->pages));
	if (!w->pages)
		errx(EX_OSERR, "no memory for a table");
	make_pages(w, item_bytes, changed);
	if (in_bucket)
		w->md5 = image_digests(items, item_bytes, &w->size);
	return w;
}

void whole_free(struct whole *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->npages; i++)
		buf_fini(&w->pages[i].text);
	free(w->pages);
	free(w->md5);
	free(w);
}

/* A number in a request that was written without spaces; `missing` when it has none of that name. */
static size_t number_of(struct span body, const char *name, size_t missing)
{
	const char *at = memmem(body.ptr, body.len, name, strlen(name));

	return at ? strtoul(at + strlen(name), NULL, 10) : missing;
}

static void http_date(char out[40])
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	strftime(out, 40, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now.tv_sec, &tm));
}

void whole_scan(const struct whole *w, struct span body, struct buf *out, struct span *rest)
{
	size_t segments = number_of(body, "\"TotalSegments\":", 1), segment = number_of(body, "\"Segment\":", 0);
	size_t after = number_of(body, "\"ExclusiveStartKey\":{\"id\":{\"S\":\"item-", SIZE_MAX);
	size_t page = 0, end = 0;
	char head[400], key[100] = "", date[40];
	static const char none[] = "\"Items\":[]}";
	struct span text = {none, sizeof(none) - 1};
	unsigned long crc = crc32_z(0, (const unsigned char *)none, sizeof(none) - 1);

	if (segment < segments) {
		page = after == SIZE_MAX ? segment * w->npages / segments : after / WHOLE_PAGE + 1;
		end = (segment + 1) * w->npages / segments;
	}
	/* Pages are whole ones, but for who only looks whether there is an item, and need not know that there are more of them; and
	 * a key that is no page's last one is nobody's question here. */
	if (segment >= segments || number_of(body, "\"Limit\":", 0) > 1 ||
	    (after != SIZE_MAX && (after + 1) % WHOLE_PAGE != 0)) {
		static const char refused[] = "{\"__type\":\"ValidationException\",\"message\":\"not measured here\"}";

		kept(buf_printf(out, "HTTP/1.1 400 Bad Request\r\nContent-Length: %zu\r\n\r\n%s", sizeof(refused) - 1,
				refused));
		return;
	}
	size_t count = 0;

	if (page < end) {
		const struct whole_page *p = &w->pages[page];

		text = (struct span){p->text.data, p->text.len};
		crc = p->crc;
		count = page + 1 < w->npages ? WHOLE_PAGE : w->items - page * WHOLE_PAGE;
	}
	if (page + 1 < end)
		snprintf(key, sizeof(key), "\"LastEvaluatedKey\":{\"id\":{\"S\":\"" LOAD_KEY_FORMAT "\"}},",
			 page * WHOLE_PAGE + WHOLE_PAGE - 1);
	int len = snprintf(head, sizeof(head),
			   "{\"Count\":%zu,\"ScannedCount\":%zu,%s\"ConsumedCapacity\":{\"TableName\":\"" LOAD_TABLE
			   "\",\"CapacityUnits\":%.1f},",
			   count, count, key, PAGE_UNITS);
	unsigned long head_crc = crc32_z(0, (const unsigned char *)head, (size_t)len);

	http_date(date);
	kept(buf_printf(out,
			"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: %s\r\nContent-Type: application/x-amz-json-1.0\r\n"
			"Content-Length: %zu\r\nConnection: keep-alive\r\nx-amzn-RequestId: "
			"QF7N9LMVE3C0RLQVQ5UJ7S3CU7VV4KQNSO5AEMVJF66Q9ASUAAJG\r\nx-amz-crc32: %lu\r\n\r\n",
			date, (size_t)len + text.len, crc32_combine(head_crc, crc, (z_off_t)text.len)));
	kept(buf_append(out, head, (size_t)len));
	*rest = text;
}

/* --- the bucket --- */

static void append_entry(const struct whole *w, size_t number, struct buf *out)
{
	char etag[2 * DIGEST_MD5_SIZE];

	encode_hex(etag, w->md5[number], DIGEST_MD5_SIZE);
	kept(buf_printf(out,
			"<Contents><Key>" LOAD_TABLE "/" LOAD_KEY_FORMAT "</Key><LastModified>" LOAD_STORED_ISO
			"</LastModified><ETag>&quot;%.*s&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
			"<ChecksumType>FULL_OBJECT</ChecksumType><Size>%zu</Size><StorageClass>STANDARD"
			"</StorageClass></Contents>",
			number, (int)sizeof(etag), etag, w->size));
}

bool whole_list(const struct whole *w, struct span path, struct buf *out)
{
	static const char bucket[] = "/" LOAD_BUCKET "?";
	char value[IMAGE_VALUE_MAX], date[40];
	struct buf text;
	size_t first, n;

	if (path.len < sizeof(bucket) || memcmp(path.ptr, bucket, sizeof(bucket) - 1) != 0)
		return false;
	const struct span query = {path.ptr + sizeof(bucket) - 1, path.len - (sizeof(bucket) - 1)};

	image_parameter(query, "list-type", value);
	if (strcmp(value, "2") != 0)
		return false;
	image_parameter(query, "start-after", value);
	first = image_first_behind(value, w->items);
	image_parameter(query, "continuation-token", value);
	if (value[0])
		first = strtoul(value, NULL, 10);
	image_parameter(query, "prefix", value);
	if (!w->in_bucket || strcmp(value, LOAD_TABLE "/") != 0)
		first = w->items;
	image_parameter(query, "max-keys", value);
	n = value[0] ? strtoul(value, NULL, 10) : WHOLE_PAGE;
	n = n < WHOLE_PAGE ? n : WHOLE_PAGE;
	n = w->items - first < n ? w->items - first : n;
	buf_init(&text, PAGE_BYTES_MAX);
	kept(buf_printf(&text,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
			"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>" LOAD_BUCKET
			"</Name><Prefix>" LOAD_TABLE
			"/</Prefix><EncodingType>url</EncodingType><KeyCount>%zu</KeyCount><MaxKeys>%d</MaxKeys>"
			"<IsTruncated>%s</IsTruncated>",
			n, WHOLE_PAGE, first + n < w->items ? "true" : "false"));
	if (first + n < w->items)
		kept(buf_printf(&text, "<NextContinuationToken>%zu</NextContinuationToken>", first + n));
	for (size_t i = first; i < first + n; i++)
		append_entry(w, i, &text);
	kept(buf_append_str(&text, "</ListBucketResult>"));
	http_date(date);
	kept(buf_printf(out,
			"HTTP/1.1 200 OK\r\nx-amz-id-2: eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHG"
			"\r\nx-amz-request-id: 4442587FB7D0A2F9\r\nDate: %s\r\nContent-Type: application/xml\r\n"
			"Server: AmazonS3\r\nContent-Length: %zu\r\n\r\n",
			date, text.len));
	kept(buf_append(out, text.data, text.len));
	buf_fini(&text);
	return true;
}
