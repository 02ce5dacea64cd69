/*
 * health: the HTTP endpoint of the daemon: /healthz, /readyz, /metrics, /status, and / which names them.
 *
 * libmicrohttpd without a thread: its epoll descriptor is polled by the loop, so every answer is made by the loop that
 * also does the backup. When that loop hangs, /healthz hangs: an answer means that the loop turns.
 *
 * Bounds (I6): 32 connections, 10 s without a byte, 60 s for a whole request and its answer, 8 KiB for its headers.
 */
#ifndef DDB_HEALTH_H
#define DDB_HEALTH_H

#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "metrics.h"
#include "view.h"

#define HEALTH_CONNECTIONS_MAX 32

struct health;

/* Borrowed parts live until health_free. */
struct health_source {
	const struct view *(*view)(void *arg); /* called once for each answer, from the loop; never NULL */
	struct metrics *metrics;
	void *arg;
};

/*
 * Listens on host:port ("" is every address, IPv6 and IPv4; port 0 lets the kernel choose) and logs where.
 * NULL and `e` (ERR_SYSTEM, ERR_INVALID for a host that does not resolve) with the address and what to do.
 */
struct health *health_new(uv_loop_t *loop, const char *host, uint16_t port, const struct health_source *src,
			  struct err *e);
/* The port that is listened on. */
uint16_t health_port(const struct health *h);
/* Drops every connection. Its handles close on the loop: run the loop once more before closing it. NULL is allowed. */
void health_free(struct health *h);

#endif
