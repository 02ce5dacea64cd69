/* session: one run's connection to the bucket: configuration, loop, AWS, and where the table lies. */
#ifndef DDB_CLI_SESSION_H
#define DDB_CLI_SESSION_H

#include <stdbool.h>
#include <uv.h>

#include "aws/aws.h"
#include "aws/s3.h"
#include "base/buf.h"
#include "base/config.h"
#include "options.h"

#define SESSION_SLOTS 64  /* questions in flight, beside listings */
#define SESSION_OTHERS 48 /* connections for listings, writes and single requests */
#define SESSION_TRIES 8	  /* of one request, before it counts as failed */

struct session {
	struct config *conf;
	const struct config_table *table; /* of conf; NULL without --table in a configuration file */
	uv_loop_t loop;
	uv_signal_t signals[2];
	struct aws aws;
	struct aws_op op;   /* for step-by-step requests */
	char *data_path;    /* "<prefix><table>/" */
	char *meta_path;    /* "<prefix>.ddb-streamd/<table>/" */
	char *deletes_path; /* "<prefix>.ddb-streamd/<table>/deletes/" */
	bool stop;	    /* a signal came */
	int signal;
	void (*on_stop)(void *arg); /* called then; may be NULL */
	void *on_stop_arg;
};

/* Returns 0, or the exit code after saying what is wrong. Afterwards session_close in every case. */
int session_open(struct session *s, const struct options *o);
void session_close(struct session *s);

/* Did a signal come? For code that waits for something else than the loop. */
bool session_look(struct session *s);

/* By AWS's clock, as far as its answers tell. */
int64_t session_now_ms(const struct session *s);

/* Should the failure in `e`, the `attempt`-th, be tried again? The wait in ms, or -1. */
int session_retry_ms(const struct err *e, unsigned attempt);

/* Sleeps, but a signal ends it. Not from a callback of the loop. */
void session_pause(struct session *s, int ms);
/*
 * Waits for the request under way on `op`, the `attempt`-th of its kind, which was started with done = NULL. 0 when it
 * succeeded; 1, after a wait, when it is to be started again; or its error, which op->err tells.
 */
int session_settle(struct session *s, struct aws_op *op, unsigned attempt);

/*
 * GET of an object of the bucket, tried again when that can help; the body is appended to `out`. *exists tells whether it
 * is there. 0 or a negative error.
 */
int session_get(struct session *s, const char *key, struct buf *out, bool *exists, struct err *e);
/* PUT of a small JSON object, which must be harmless to repeat: tried again in the same manner. */
int session_put(struct session *s, const char *key, struct span body, struct err *e);
/* One page of ListObjectVersions in the same manner. */
int session_list(struct session *s, const struct s3_list *l, struct span *body, struct err *e);

#endif
