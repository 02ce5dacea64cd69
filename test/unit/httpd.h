/*
 * httpd: a scripted HTTP/1.1 server for tests, on 127.0.0.1, on the loop of the test itself. It calls back with each
 * whole request; the test answers with whatever bytes it likes, late, never, or with a reset.
 */
#ifndef DDB_TEST_HTTPD_H
#define DDB_TEST_HTTPD_H

#include <stddef.h>
#include <uv.h>

struct httpd_conn;

struct httpd_request {
	const char *method;
	const char *target; /* path and query as they were sent */
	const char *head;   /* request line and header lines, NUL-terminated */
	const char *body;
	size_t body_len;
	int number;	/* of this request over all connections, from 1 */
	int connection; /* from 1 */
	int nth;	/* of this request on its connection, from 1 */
};

typedef void httpd_fn(struct httpd_conn *c, const struct httpd_request *r, void *arg);

struct httpd {
	uv_tcp_t listener;
	uv_loop_t *loop;
	httpd_fn *fn;
	void *arg;
	int port;
	int requests;
	int connections;	  /* accepted so far */
	int open;		  /* now */
	size_t reset_after_bytes; /* a connection is reset once it has brought this many; 0: never */
	struct httpd_conn *first;
};

/* Fails the test on an error. */
void httpd_start(struct httpd *h, uv_loop_t *loop, httpd_fn *fn, void *arg);
/* Resets all connections; run the loop once more. */
void httpd_stop(struct httpd *h);

void httpd_write(struct httpd_conn *c, const void *bytes, size_t len);
void httpd_text(struct httpd_conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A whole answer with Content-Length. `headers` are whole lines, or "". */
void httpd_answer(struct httpd_conn *c, int status, const char *headers, const char *body);
/* Closes in good order once everything is written. */
void httpd_close(struct httpd_conn *c);
void httpd_reset(struct httpd_conn *c);

#endif
