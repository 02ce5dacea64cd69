/*
 * bare: what the references have in common: a bare libcurl multi loop with a number of slots, and requests that are
 * signed as ddb-streamd and ddb-streamctl sign theirs. Everything here ends the program when it fails.
 */
#ifndef DDB_BENCH_BARE_H
#define DDB_BENCH_BARE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define BARE_LINES_MAX 16

/* One request without its body. `text` has the URL, then the header lines. */
struct bare_request {
	struct buf text;
	size_t line[BARE_LINES_MAX]; /* where they begin in text */
	size_t nlines;
};

struct bare_slot {
	CURL *easy;
	struct bare_request request; /* for those who make it when its turn comes */
	struct curl_slist lines[BARE_LINES_MAX + 3];
	int kind; /* the caller's */
};

/* Set by the caller ahead of bare_init. */
struct bare_options {
	const char *origin;    /* http://HOST:PORT */
	const char *ca_bundle; /* or NULL */
	size_t connections;    /* all slots */
	bool use_epoll;	       /* libcurl's multi-socket interface in the place of curl_multi_poll */
};

void bare_init(const struct bare_options *o);
void bare_fini(void);

void bare_request_init(struct bare_request *r);
void bare_request_fini(struct bare_request *r);
/* Empties it. Then the URL behind the origin is appended to r->text, and header lines are added. */
void bare_begin(struct bare_request *r);
void bare_add_line(struct bare_request *r, const char *name, struct span value);
/* Adds the time and the payload's hash (of 64 hex digits), and signs. */
void bare_sign(struct bare_request *r, const char *method, struct span payload_hash);
/* The hash of an empty payload. */
struct span bare_no_payload(void);

void bare_slot_init(struct bare_slot *s, const char *method);
void bare_slot_fini(struct bare_slot *s);
/* With PUT the body must live until the answer has come. */
void bare_send(struct bare_slot *s, const struct bare_request *r, struct span body);

/* Runs until `ended`, which is called for each slot whose answer has come with status 200, has said false. */
void bare_run(bool (*ended)(struct bare_slot *s));

/* Processor time of this process. */
double bare_cpu_s(void);

#endif
