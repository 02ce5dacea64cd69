/*
 * config: ddb-streamd.conf, read once at start. See ddb-streamd.conf(5) for every key.
 *
 * Precedence, highest first: the file, then the environment (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL and
 * AWS_ENDPOINT_URL_S3, _DYNAMODB, _DYNAMODB_STREAMS, _STS), then the default.
 */
#ifndef DDB_BASE_CONFIG_H
#define DDB_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/keyformat.h"
#include "base/log.h"

enum config_start { CONFIG_START_TRIM_HORIZON, CONFIG_START_LATEST };
enum config_baseline { CONFIG_BASELINE_AUTO, CONFIG_BASELINE_OFF };
enum config_addressing { CONFIG_ADDRESSING_AUTO, CONFIG_ADDRESSING_PATH, CONFIG_ADDRESSING_VIRTUAL };

/* Which endpoint_url key of [aws] (or variable of the environment) a service has. */
enum config_service { CONFIG_S3, CONFIG_DYNAMODB, CONFIG_STREAMS, CONFIG_STS, CONFIG_SCALING, CONFIG_SERVICES };

struct config_table {
	char *name;		/* DynamoDB table name */
	char *prefix;		/* of [s3] unless overridden; "" or any text, usually ending in '/' */
	char *tenant_attribute; /* NULL when items are not foldered */
	enum key_format key_format;
	enum config_start start;
	bool enable_stream; /* turn the stream on (NEW_AND_OLD_IMAGES) when it is off */
	enum config_baseline baseline;
	unsigned baseline_rate;	    /* read units a second; 0: a share of the table's capacity */
	unsigned baseline_segments; /* of its Scan, side by side */
	int64_t rpo_ms;		    /* of [daemon] unless overridden */
	int line;		    /* of its section, for messages */
};

struct config {
	char *path; /* of the file, for messages */
	/* [daemon] */
	char *state_dir;
	char *listen_host;    /* "" listens on every address */
	uint16_t listen_port; /* 0 lets the kernel choose; the log tells which */
	bool listen_off;      /* listen = off */
	enum log_level log_level;
	unsigned workers;	     /* PUTs in flight */
	uint64_t memory_limit_bytes; /* of buffered stream records, all tables together */
	int64_t checkpoint_interval_ms;
	int64_t watermark_interval_ms;
	int64_t discovery_interval_ms;
	int64_t settings_interval_ms;
	int64_t poll_interval_ms; /* between polls of an idle shard */
	int64_t stop_timeout_ms;  /* to drain after SIGTERM */
	int64_t rpo_ms;
	/* [aws] */
	char *region;
	char *profile;			  /* NULL: AWS_PROFILE, else "default" */
	char *endpoints[CONFIG_SERVICES]; /* URL, or NULL for AWS's own */
	char *imds_endpoint;		  /* http://169.254.169.254 unless told */
	char *ca_bundle;		  /* NULL: the system's */
	/* [s3] */
	char *bucket;
	enum config_addressing
		addressing; /* auto: virtual-host style with AWS's own endpoint, path style with another */
	/* [table "NAME"], in order of the file */
	struct config_table *tables;
	size_t ntables;
};

/*
 * Reads `path`. On success `*out` is the caller's: config_free it. On failure -ERR_INVALID (or -ERR_SYSTEM when the
 * file cannot be read) with ONE message "FILE:LINE: [section] key: what is wrong; what is allowed".
 */
int config_load(const char *path, struct config **out, struct err *e);
void config_free(struct config *c);

/* "<prefix><table>/": where a table's items lie. Malloc'd. */
char *config_data_path(const struct config_table *t);
/* "<prefix>.ddb-streamd/<table>/": where its deletes, table.json and watermark.json lie. Malloc'd. */
char *config_meta_path(const struct config_table *t);

#endif
