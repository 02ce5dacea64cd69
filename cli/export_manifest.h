/*
 * export_manifest: names and manifests of an export in DynamoDB's own format (Amazon DynamoDB Developer Guide, "DynamoDB
 * table export output format"). All of it follows from the options and the files, and from nothing else.
 */
#ifndef DDB_CLI_EXPORT_MANIFEST_H
#define DDB_CLI_EXPORT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/s3_upload.h"
#include "base/buf.h"
#include "base/span.h"
#include "codec/digest.h"
#include "export.h"

#define EXPORT_ID_SIZE 24   /* "01693685827463-2d8752fd" */
#define EXPORT_NAME_SIZE 35 /* "jhg6wb6v7u6dxdgwnn4c55ciq4.json.gz" */
#define EXPORT_MD5_SIZE 25  /* of an MD5 as base64 */

/* A data file. */
struct export_entry {
	uint64_t number; /* its place in the manifest */
	uint64_t items;
	uint64_t stored_bytes;
	uint8_t md5[DIGEST_MD5_SIZE];
	char etag[S3_ETAG_SIZE];
	char name[EXPORT_NAME_SIZE]; /* in data/ */
	bool whole;		     /* it is there */
};

/* What the summary tells beside the options. NULL where it is not known. */
struct export_summary {
	const char *id;
	int64_t end_ms;
	const char *bucket, *prefix, *sse, *sse_key;
	uint64_t items;
};

/* The time at which it began and 8 hex digits, which tell exports of the same millisecond apart. */
void export_id(char out[EXPORT_ID_SIZE], const struct export_options *o);
void export_file_name(char out[EXPORT_NAME_SIZE], const char *id, uint64_t seed, uint64_t number);
void export_md5(char out[EXPORT_MD5_SIZE], const uint8_t md5[DIGEST_MD5_SIZE]);
/* manifest-files.json, appended: a line for each of the entries, which are put in order. 0 or -ERR_SYSTEM. */
int export_manifest_files(struct buf *out, const char *prefix, const char *id, struct export_entry *entries, size_t n);
/* manifest-summary.json, appended. */
int export_manifest_summary(struct buf *out, const struct export_options *o, const struct export_summary *s);

#endif
