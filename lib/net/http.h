/*
 * http: HTTP/1.1 requests on a libuv loop. Only the http*.c files know libcurl.
 *
 * A slot is one request at a time with an easy handle and an answer buffer that are reused: sending from a slot
 * allocates nothing of ours. Completions are delivered from the loop, never from inside http_send or a libcurl
 * callback, a bounded number a turn. TLS certificates are always verified. Redirects are never followed.
 */
#ifndef DDB_NET_HTTP_H
#define DDB_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct http;
struct http_slot;

struct http_options {
	size_t connections;    /* idle connections kept; at least the number of slots in use */
	const char *ca_bundle; /* PEM file, or NULL for the system's */
	const char *user_agent;
	int connect_timeout_ms; /* 0: 10,000 */
};

#define HTTP_HEADERS_MAX 32

struct http_header {
	const char *line; /* "Name: value"; "Name;" sends it empty, as libcurl has it */
};

/* What to send. Everything it points to must live until the completion. */
struct http_call {
	const char *method; /* "GET", "HEAD", "PUT", "POST", "DELETE" */
	const char *url;    /* sent as it is: dot segments and percent signs are left alone */
	const struct http_header
		*headers;     /* no Content-Length and no Host unless it differs from the URL's; Expect is off */
	size_t nheaders;      /* HTTP_HEADERS_MAX at most */
	struct span body;     /* len 0 with PUT and POST sends Content-Length: 0 */
	int stall_timeout_ms; /* ends a transfer that moves no byte for this long (rounded up to seconds); 0: 30,000 */
	int total_timeout_ms; /* ends a transfer after this long whatever it does; 0: none */
	bool direct;	      /* never through a proxy of the environment: for link-local metadata endpoints */
};

struct http_answer {
	/*
	 * ERR_NONE: a whole answer, whatever its status. Otherwise err.class is ERR_RETRY (network; err.maybe_done
	 * tells whether the request may have reached the server), ERR_LIMIT (the answer passed the slot's body
	 * maximum), ERR_CANCELLED, or ERR_INVALID (URL, TLS set-up).
	 */
	struct err err;
	int status;	     /* 0 without an answer */
	int64_t duration_us; /* from http_send to the last byte */
};

typedef void http_done_fn(struct http_slot *s, const struct http_answer *a, void *arg);

/* NULL and `e` on failure. Call curl's global set-up once, inside. */
struct http *http_new(uv_loop_t *loop, const struct http_options *o, struct err *e);
/* Every slot must have been freed. Its handles close on the loop's next turns: run the loop once more before closing
 * it. */
void http_free(struct http *h);

/* `body_max` caps the answer's body. NULL without memory. */
struct http_slot *http_slot_new(struct http *h, size_t body_max);
/* Cancels what is in flight without a completion. May be called from any completion. */
void http_slot_free(struct http_slot *s);
void http_slot_body_max(struct http_slot *s, size_t body_max); /* for the next send */

/* 0, or a negative error (fills `e`) when it could not even be started: then `done` is never called. The slot must be
 * idle. */
int http_send(struct http_slot *s, const struct http_call *c, http_done_fn *done, void *arg, struct err *e);
/* The completion follows with ERR_CANCELLED on a later turn. Nothing when idle. */
void http_cancel(struct http_slot *s);
bool http_busy(const struct http_slot *s);

/* The answer's body: valid until the next send. buf_take it to keep it. Trimmed to what is needed by the slot when idle
 * and large (64 KiB). */
struct buf *http_body(struct http_slot *s);
/* Value of an answer header (name in any case, blanks trimmed, the last one when repeated); len 0 when absent. Valid
 * until the next send. */
struct span http_header_get(const struct http_slot *s, const char *name);

/* Calls `fn` once for each answer header in order; for x-amz-meta-*. */
typedef void http_header_fn(void *arg, struct span name, struct span value);
void http_header_each(const struct http_slot *s, http_header_fn *fn, void *arg);

/* Parsed value of Retry-After (seconds or an HTTP date) or x-amz-retry-after (milliseconds), in ms; 0 when absent. */
int http_retry_after_ms(const struct http_slot *s, int64_t wall_ms);

/* Live sockets, for /metrics. */
size_t http_connections(const struct http *h);

#endif
