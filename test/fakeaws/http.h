/*
 * http: HTTP/1.1 on 127.0.0.1. Parsing is http_parser's. A request is an exchange of its own, so that its effect can come
 * after its connection is gone, and its answer late, cut, slow, wrong or never.
 */
#ifndef FAKEAWS_HTTP_H
#define FAKEAWS_HTTP_H

#include <uv.h>

struct fake;

struct http_server {
	uv_tcp_t listener;
	uv_loop_t *loop;
	struct fake *fake;
	int port;
};

/* Lets the requests go on that the rule (0: any) holds; returns how many. */
size_t http_release(struct fake *f, unsigned rule);
/* How many it holds. */
size_t http_held(const struct fake *f, unsigned rule);

/* Listens on 127.0.0.1:`port` (0: any free one; then told by s->port). 0 or libuv's error. */
int http_listen(struct http_server *s, uv_loop_t *loop, struct fake *f, int port);

#endif
