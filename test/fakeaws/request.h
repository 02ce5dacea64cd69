/*
 * request: what a client asked, what it is told, and what shall go wrong on the way. Names of headers are in lower case.
 */
#ifndef FAKEAWS_REQUEST_H
#define FAKEAWS_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "uri.h"

enum service {
	SERVICE_NONE,
	SERVICE_DYNAMODB,
	SERVICE_STREAMS,
	SERVICE_S3,
	SERVICE_STS,
	SERVICE_SCALING,
	SERVICE_IMDS,
	SERVICE_CONTROL
};
#define SERVICES 8

struct request {
	uint64_t id;
	const char *method;
	struct buf target; /* path and query as they were sent */
	char *path;	   /* decoded; NULL when it cannot be */
	size_t raw_path_len;
	struct pairs query;
	bool query_good;
	struct pairs headers;
	struct buf body;

	/* What it is about, for faults and for the audit; found before anything is done. "" where it does not apply. */
	enum service service;
	char op[48];
	char table[256]; /* or bucket */
	char shard[256];
	char key[1200];		   /* S3's key, or the item's as canonical JSON (cut) */
	json_t *json;		   /* the body of DynamoDB's calls; NULL when it is not an object */
	const char *iterator_type; /* GetRecords: how its iterator began */
	size_t records;		   /* GetRecords: how many it gave */
};

struct reply {
	int status;
	struct buf headers; /* "Name: value\r\n" lines, without Content-Length and Date */
	struct buf body;
	char code[64];	/* of the error, for the audit */
	bool wants_crc; /* DynamoDB: x-amz-crc32, and gzip for those who accept it */
	int crc;	/* enum crc_mode */
	bool gzip, gzip_unasked;
};

enum crc_mode { CRC_RIGHT, CRC_WRONG, CRC_ABSENT };

/* What a rule of faults.h decided for one request. All zero: nothing. */
struct fate {
	unsigned rule; /* number of the rule, 0: none */
	int status;    /* answered instead of doing anything */
	char code[64];
	char message[200];
	int retry_after_s;
	int64_t delay_before_ms, delay_after_ms; /* before the effect; between effect and answer */
	bool reset_before, reset_after;
	bool never_before, never_after; /* no answer; without or with the effect */
	bool hold_before, hold_after;	/* it waits for control's release: with its effect, or with its answer */
	int64_t truncate_bytes;		/* of the body are sent, then the connection is reset; -1: all */
	int slow_bytes, slow_ms;	/* so many bytes at a time, so long between them */
	bool garbage;
	bool has_crc;
	int crc;
	int64_t date_skew_ms;
};

const char *request_header(const struct request *r, const char *name);
const char *request_query(const struct request *r, const char *name);
void request_free(struct request *r);

/* "" for SERVICE_NONE. */
const char *service_name(enum service s);

void reply_init(struct reply *a);
void reply_free(struct reply *a);
void reply_header(struct reply *a, const char *name, const char *value);

#endif
