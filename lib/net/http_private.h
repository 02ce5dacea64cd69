/* What http.c (slots, requests, answers), http_url.c and http_loop.c (libcurl's sockets and timers on libuv) share. Private. */
#ifndef DDB_NET_HTTP_PRIVATE_H
#define DDB_NET_HTTP_PRIVATE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "net/http.h"

#define HTTP_HEADER_BYTES_MAX 16384 /* of one answer's header; more is ERR_LIMIT */

enum http_slot_state {
	HTTP_SLOT_IDLE,
	HTTP_SLOT_FLYING, /* its handle is in the multi handle */
	HTTP_SLOT_DONE,	  /* its answer waits on http.done for its delivery */
};

struct http_watch;

TAILQ_HEAD(http_slots, http_slot);

struct http {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer; /* libcurl's one timer */
	uv_check_t check; /* delivers; active while a slot is not idle, and so keeps the loop alive */
	uv_idle_t idle;	  /* keeps the loop from sleeping while `done` is not empty */
	unsigned handles; /* not yet closed, the watches' included */
	bool closing;
	struct http_watch **watch; /* by file descriptor */
	size_t watches;		   /* length of `watch` */
	size_t connections;	   /* live sockets of libcurl's */
	size_t busy;		   /* slots that are not idle */
	struct http_slots done;
	uint64_t turn;		      /* of http_loop_deliver */
	struct http_slot *delivering; /* whose callback runs now; NULL once it has freed itself */
	char *ca_bundle;
	char *user_agent;
	bool proxied; /* plain HTTP may go through a proxy of the environment */
	long connect_timeout_ms;
};

struct http_slot {
	struct http *http;
	CURL *easy;
	enum http_slot_state state;
	TAILQ_ENTRY(http_slot) link; /* in http.done */
	uint64_t queued_turn;
	http_done_fn *done;
	void *arg;
	struct http_answer answer;
	uint64_t start_ns;

	struct curl_slist header_nodes[HTTP_HEADERS_MAX + 3];
	const char *url;   /* the caller's, while not idle */
	struct buf origin; /* what `easy` has as its URL when it has a target beside it; else empty */
	long stall_s;	   /* as set in `easy`, as are the next two */
	long total_ms;
	bool direct;
	bool repeatable; /* GET and HEAD */
	unsigned sends;	 /* how often libcurl was about to send this request */

	struct buf header;   /* raw lines of the final answer's header */
	size_t header_bytes; /* with those of interim answers */
	bool header_in;	     /* between a status line and its blank line */
	bool header_final;   /* the final answer's header is complete: trailers follow */
	struct buf body;
	int store_error; /* of the buffers, when they ended the transfer */
	char curl_text[CURL_ERROR_SIZE];
};

/* http_loop.c. */

/* Sets up everything on h->loop but the slots. On failure http_loop_close must still be called. */
int http_loop_open(struct http *h, struct err *e);
/* Closes all handles; the last one to close frees `h`. */
void http_loop_close(struct http *h);
/* Sets the socket options of an easy handle. */
void http_loop_adopt(struct http *h, CURL *easy);
/* The slot leaves idle: counts it. */
void http_loop_started(struct http *h);
/* The slot is idle again: counts it. */
void http_loop_ended(struct http *h);
/* Puts the slot, whose answer is complete, in the queue for a later turn. */
void http_loop_queue(struct http_slot *s);
/* Takes it out of the queue. */
void http_loop_unqueue(struct http_slot *s);

/* http_url.c. */

#define HTTP_URL_MAX ((size_t)8 << 20) /* libcurl's own */

/* May plain HTTP go through a proxy that the environment names? */
bool http_url_proxied(void);
/* Gives the slot's easy handle the call's URL. 0, or -ERR_INVALID. */
int http_url_set(struct http_slot *s, const struct http_call *c, struct err *e);
/* "HOST:PORT" of a URL, without what could be a secret: user information, path, query. */
void http_url_place(const char *url, char *out, size_t size);

/* http.c. */

/* libcurl has ended the slot's transfer: takes its handle back and fills in the answer. */
void http_slot_finish(struct http_slot *s, CURLcode result);
/* Calls the completion; the slot is idle from before it. */
void http_slot_deliver(struct http_slot *s);

#endif
