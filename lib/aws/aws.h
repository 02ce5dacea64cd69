/*
 * aws: what every AWS operation needs: endpoints, credentials, signing, one request in flight with its buffers.
 *
 * The files beside this one (s3_*, streams_*, table_*, sts_*) are the operations. Each starts a request on an aws_op
 * and calls back from the loop exactly once. None retries: the caller knows what a retry means; aws_wait is for
 * start-up and command-line code that wants to go step by step.
 */
#ifndef DDB_AWS_AWS_H
#define DDB_AWS_AWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"
#include "codec/sigv4.h"
#include "net/creds.h"
#include "net/http.h"

/* For metrics and messages. */
enum aws_operation {
	AWS_S3_PUT_OBJECT,
	AWS_S3_HEAD_OBJECT,
	AWS_S3_GET_OBJECT,
	AWS_S3_DELETE_OBJECT,
	AWS_S3_LIST_VERSIONS,
	AWS_S3_LIST_OBJECTS,
	AWS_S3_GET_VERSIONING,
	AWS_S3_CREATE_UPLOAD,
	AWS_S3_UPLOAD_PART,
	AWS_S3_COMPLETE_UPLOAD,
	AWS_S3_ABORT_UPLOAD,
	AWS_STREAMS_LIST,
	AWS_STREAMS_DESCRIBE,
	AWS_STREAMS_GET_ITERATOR,
	AWS_STREAMS_GET_RECORDS,
	AWS_TABLE_DESCRIBE,
	AWS_TABLE_DESCRIBE_TTL,
	AWS_TABLE_UPDATE,
	AWS_TABLE_CREATE,
	AWS_TABLE_DELETE,
	AWS_TABLE_LIST,
	AWS_TABLE_SET_TTL,
	AWS_TABLE_LIST_TAGS,
	AWS_TABLE_TAG,
	AWS_ITEMS_BATCH_WRITE,
	AWS_ITEMS_PUT,
	AWS_ITEMS_DELETE,
	AWS_ITEMS_GET,
	AWS_ITEMS_SCAN,
	AWS_ITEMS_QUERY,
	AWS_IMPORT_TABLE,
	AWS_IMPORT_DESCRIBE,
	AWS_STS_GET_CALLER,
	AWS_SCALING_TARGETS,
	AWS_SCALING_POLICIES,
	AWS_SCALING_REGISTER,
	AWS_SCALING_PUT_POLICY,
	AWS_OPERATIONS
};

/* "PutObject", ... as AWS spells it. */
const char *aws_operation_name(enum aws_operation op);
enum config_service aws_operation_service(enum aws_operation op);

struct aws_op;

/* A bucket and where requests on it go. */
struct aws_bucket {
	char *name;
	char *origin; /* the endpoint, or scheme://BUCKET.HOST */
	bool path_style;
};

/* Told of each finished request (also of one that never left for want of credentials: status 0). */
typedef void aws_observe_fn(void *arg, const struct aws_op *op, enum aws_operation what, int rc, int http_status,
			    int64_t duration_us);

struct aws {
	uv_loop_t *loop;
	struct http *http;
	struct creds *creds;
	char *region;
	char *endpoint[CONFIG_SERVICES]; /* "https://dynamodb.eu-west-1.amazonaws.com", no slash at the end */
	struct aws_bucket bucket;	 /* of the configuration */
	bool path_style;		 /* S3 addressing of every bucket, whatever its name */
	/* There is somebody to ask: beside a DynamoDB of another maker there is nobody, unless the configuration names somebody. */
	bool has_scaling;
	struct sigv4_key keys[CONFIG_SERVICES];
	int64_t stamp_s; /* the second whose date is in `stamp`, as requests carry it */
	char stamp[17];
	aws_observe_fn *observe; /* may be NULL */
	void *observe_arg;
	/*
	 * The server's clock minus ours, from the Date headers of answers, 0 until known. Those have whole seconds, so
	 * one answer is right to 500 ms and half a round trip; an eighth of each new difference is taken over, which
	 * evens that out, and all of it when it is over 2 s, since then a clock was set. Answers that took over 5 s do
	 * not count.
	 */
	int64_t clock_skew_ms;
	bool clock_skew_known;
};

/*
 * Builds everything from the configuration: http client with `connections` kept, credential chain, endpoints:
 * configured ones, else https://SERVICE.REGION.amazonaws.com (amazonaws.com.cn in cn- regions). ERR_INVALID without a
 * region (says where it was looked for), with an endpoint that is not http(s)://HOST[:PORT], or with a bucket name
 * that cannot be one. Virtual-host style falls back to path style for a bucket that cannot be a host name.
 */
int aws_init(struct aws *a, uv_loop_t *loop, const struct config *c, size_t connections, struct err *e);
/* Every op must be finished. Run the loop once more before closing it (also after a failed aws_init). */
void aws_fini(struct aws *a);

/*
 * Another bucket than the configuration's, in the same region, by the same rules of addressing. -ERR_INVALID for a name
 * that cannot be one. On success aws_bucket_fini it, after every op that points to it.
 */
int aws_bucket_init(struct aws_bucket *b, const struct aws *a, const char *name, struct err *e);
void aws_bucket_fini(struct aws_bucket *b);

typedef void aws_done_fn(struct aws_op *op, int rc, void *arg);

/* A header line in aws_op.text: where it begins, and how long its name and its value are. */
struct aws_line {
	size_t off, name_len, value_len;
};

/*
 * One request in flight, reused for one after another; it must be idle when an operation is started on it. From `done`
 * the next request may be started at once, or the op be given up with aws_op_fini. Messages in `err` begin with the
 * operation and what it was about ("DescribeTable orders: ..."); S3 keys are contents of items, so no message has one.
 */
struct aws_op {
	struct aws *aws;
	const struct aws_bucket *bucket; /* of S3 operations: &aws->bucket unless the caller puts another one here */
	struct http_slot *slot;
	aws_done_fn *done;
	void *arg;
	enum aws_operation what;
	struct err err;	 /* of the last request when rc < 0 */
	int http_status; /* of the last request, 0 without an answer */
	int64_t duration_us;
	bool busy;
	/* below: private to lib/aws, see aws_op.h */
	int rc;					 /* of the request that is being built; then of the last one */
	int (*parse)(struct aws_op *op);	 /* reads a 2xx answer; NULL when there is nothing to read */
	int (*refused)(struct aws_op *op);	 /* reads another answer, once op->err is filled; may be NULL */
	void *result;				 /* where parse and refused put what they read */
	struct buf text;			 /* the URL, then the header lines, each with its NUL */
	struct buf body;			 /* of a request whose body is made here */
	struct buf label;			 /* what the request is about, for messages; empty for S3 */
	struct buf auth;			 /* the Authorization header line */
	size_t path_off, query_off, url_len;	 /* in text; query_off is url_len without a query */
	struct aws_line lines[HTTP_HEADERS_MAX]; /* in text; they become pointers when the text is complete */
	size_t nlines;
	struct http_header headers[HTTP_HEADERS_MAX];
	int64_t start_ms; /* wall clock */
	uv_timer_t defer; /* delivers errors that happen before sending; wakes aws_wait */
	bool defer_open;
	bool deferred; /* the timer will finish the request, not the slot */
	bool waited;   /* aws_wait is running the loop for this op */
	void (*closed)(struct aws_op *op);
};

/* `body_max` caps answers. */
int aws_op_init(struct aws_op *op, struct aws *a, size_t body_max, struct err *e);
/* Cancels without a completion. The defer timer closes on the loop's next turn; then `closed` (may be NULL) is called
 * and the memory may go. */
void aws_op_fini(struct aws_op *op, void (*closed)(struct aws_op *op));
/* The completion follows with -ERR_CANCELLED. */
void aws_op_cancel(struct aws_op *op);

/*
 * Runs the loop until `op` is done; returns its rc (op->err tells more). `op` must have been started with done = NULL.
 * *stop (may be NULL) turning true cancels it, within a quarter of a second. Not to be called from a callback of the
 * loop.
 */
int aws_wait(struct aws_op *op, const bool *stop);

#endif
