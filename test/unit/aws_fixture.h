/*
 * aws_fixture: an aws with one op, and a scripted server for it on 127.0.0.1, all on one loop. The server hands out the
 * queued answers, byte for byte, one a request, and keeps the requests as they came.
 */
#ifndef DDB_TEST_AWS_FIXTURE_H
#define DDB_TEST_AWS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <uv.h>

#include "aws/aws.h"
#include "base/buf.h"

#define AWS_FIXTURE_QUEUE 8
#define AWS_FIXTURE_REQUEST_MAX (1024 * 1024)

struct aws_fixture_conn {
	uv_tcp_t tcp;
	struct aws_fixture *f;
	struct aws_fixture_conn *next;
	struct buf in;
	bool open;
	char chunk[4096];
};

struct aws_fixture {
	uv_loop_t loop;
	uv_tcp_t listener;
	struct aws_fixture_conn *conns;
	struct buf answers[AWS_FIXTURE_QUEUE]; /* an empty one: say nothing */
	size_t nanswers, next_answer;
	struct buf request; /* the last one */
	size_t nrequests;
	char url[40];
	char host[32];
	struct config config;
	struct aws aws;
	struct aws_op op;
	size_t nobserved;
	int observed_rc, observed_status;
	enum aws_operation observed_what;
};

/* Queues an answer as raw bytes; "" is silence. */
void aws_fixture_answer_raw(struct aws_fixture *f, const char *bytes, size_t len);

/* Queues "HTTP/1.1 STATUS", further header lines (each with CRLF), Content-Length and a body. */
void aws_fixture_answer(struct aws_fixture *f, const char *status, const char *headers, const char *body,
			size_t body_len);

/* Value of a header of the last request ("" when absent); in static memory. */
const char *aws_fixture_header(const struct aws_fixture *f, const char *name);

/* Its body. */
const char *aws_fixture_body(const struct aws_fixture *f);

/* "PUT /bkt/x HTTP/1.1" of the last request. */
const char *aws_fixture_request_line(const struct aws_fixture *f);

/* Closes every connection, whatever is on its way. */
void aws_fixture_disconnect(struct aws_fixture *f);

/* Only the environment's credentials are looked at. */
void aws_fixture_environment(const char *access_key, const char *secret, const char *token);

/* With the credentials that the environment has; setup sets some first. */
int aws_fixture_start(void **state);
int aws_fixture_setup(void **state);
int aws_fixture_teardown(void **state);

#endif
