#include "export_manifest.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/encode.h"

/* RFC 4648 section 6, in lower case and without padding, as the names of AWS's own files look. */
static void base32(char *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned bits = 0, n = 0;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		for (n += 8; n >= 5; n -= 5)
			*out++ = digits[bits >> (n - 5) & 31];
	}
	if (n > 0)
		*out++ = digits[bits << (5 - n) & 31];
	*out = '\0';
}

void export_id(char out[EXPORT_ID_SIZE], const struct export_options *o)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	char text[512];
	int len = snprintf(text, sizeof(text), "%s/%" PRIu64 "/%" PRId64, o->table_name, o->seed, o->at_ms);
	digest_sha256(digest, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
	snprintf(out, EXPORT_ID_SIZE, "%014llu-%02x%02x%02x%02x",
		 (unsigned long long)(o->start_ms < 0 ? 0 : o->start_ms) % 100000000000000, digest[0], digest[1],
		 digest[2], digest[3]);
}

void export_file_name(char out[EXPORT_NAME_SIZE], const char *id, uint64_t seed, uint64_t number)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	char text[128], letters[28];
	int len = snprintf(text, sizeof(text), "%s/%" PRIu64 "/%" PRIu64, id, seed, number);
	digest_sha256(digest, text, (size_t)len);
	base32(letters, digest, 16);
	snprintf(out, EXPORT_NAME_SIZE, "%.26s.json.gz", letters);
}

void export_md5(char out[EXPORT_MD5_SIZE], const uint8_t md5[DIGEST_MD5_SIZE])
{
	out[encode_base64(out, md5, DIGEST_MD5_SIZE)] = '\0';
}

static int append(struct buf *out, json_t *o, const char *end)
{
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	int rc = text != NULL && buf_append_str(out, text) == 0 && buf_append_str(out, end) == 0 ? 0 : -ERR_SYSTEM;
	free(text);
	json_decref(o);
	return rc;
}

static int by_number(const void *a, const void *b)
{
	const struct export_entry *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

/* As S3 keys: with the prefix. */
static char *key_of(const char *prefix, const char *id, const char *rest)
{
	char *key;
	const char *slash = prefix != NULL && prefix[0] != '\0' ? "/" : "";
	return asprintf(&key, "%s%sAWSDynamoDB/%s/%s", prefix != NULL ? prefix : "", slash, id, rest) < 0 ? NULL : key;
}

int export_manifest_files(struct buf *out, const char *prefix, const char *id, struct export_entry *entries, size_t n)
{
	qsort(entries, n, sizeof(*entries), by_number);
	for (size_t i = 0; i < n; i++) {
		const struct export_entry *entry = &entries[i];
		char md5[EXPORT_MD5_SIZE], name[EXPORT_NAME_SIZE + 8], etag[S3_ETAG_SIZE];
		export_md5(md5, entry->md5);
		/* No server gave one to a file of a folder: it is what S3 gives when the file is put there as it is. */
		snprintf(etag, sizeof(etag), "%s", entry->etag);
		if (etag[0] == '\0')
			etag[encode_hex(etag, entry->md5, DIGEST_MD5_SIZE)] = '\0';
		snprintf(name, sizeof(name), "data/%s", entry->name);
		char *key = key_of(prefix, id, name);
		if (key == NULL)
			return -ERR_SYSTEM;
		json_t *line = json_pack("{s:I,s:s,s:s,s:s}", "itemCount", (json_int_t)entry->items, "md5Checksum", md5,
					 "etag", etag, "dataFileS3Key", key);
		free(key);
		if (append(out, line, "\n") < 0)
			return -ERR_SYSTEM;
	}
	return 0;
}

static const char *known(const char *s)
{
	return s != NULL && s[0] != '\0' ? s : NULL;
}

int export_manifest_summary(struct buf *out, const struct export_options *o, const struct export_summary *s)
{
	char start[CLOCK_ISO_SIZE], end[CLOCK_ISO_SIZE], at[CLOCK_ISO_SIZE], *arn = NULL;
	char *files = key_of(s->prefix, s->id, "manifest-files.json");
	if (files == NULL)
		return -ERR_SYSTEM;
	if (known(o->table_arn) != NULL && asprintf(&arn, "%s/export/%s", o->table_arn, s->id) < 0) {
		free(files);
		return -ERR_SYSTEM;
	}
	clock_iso(start, o->start_ms);
	clock_iso(end, s->end_ms);
	clock_iso(at, o->at_ms);
	json_t *summary = json_pack("{s:s,s:s?,s:s,s:s,s:s?,s:s?,s:s,s:s?,s:s?,s:s?,s:s?,s:s,s:i,s:I,s:s}", "version",
				    "2020-06-30", "exportArn", arn, "startTime", start, "endTime", end, "tableArn",
				    known(o->table_arn), "tableId", known(o->table_id), "exportTime", at, "s3Bucket",
				    s->bucket, "s3Prefix", known(s->prefix), "s3SseAlgorithm", known(s->sse),
				    "s3SseKmsKeyId", known(s->sse_key), "manifestFilesS3Key", files, "billedSizeBytes",
				    0, "itemCount", (json_int_t)s->items, "outputFormat", "DYNAMODB_JSON");
	free(arn);
	free(files);
	return append(out, summary, "");
}
