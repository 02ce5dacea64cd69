#include "health.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "status.h"

#define IDLE_TIMEOUT_S 10U
#define REQUEST_TIMEOUT_MS 60000
#define SWEEP_MS 5000
#define CONNECTION_MEMORY_BYTES ((size_t)8192)
#define PAGE_MAX_BYTES ((size_t)16 << 20)

/*
 * libmicrohttpd's own timeout starts again with each byte: a client that drips would hold its place for hours, and 32
 * of them would keep the probes out. So each request also has an end.
 */
struct client {
	int fd; /* -1: free */
	int64_t deadline_mono_ms;
};

struct health {
	struct MHD_Daemon *mhd;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned open_handles;
	struct health_source source;
	struct client clients[HEALTH_CONNECTIONS_MAX];
	size_t nclients;
	uint16_t port;
};

struct page {
	const char *path;
	const char *type;
	/* Appends the page to `out` and returns the HTTP status. */
	unsigned (*make)(struct health *h, const struct view *v, struct buf *out);
};

static unsigned make_index(struct health *h, const struct view *v, struct buf *out);
static unsigned make_healthz(struct health *h, const struct view *v, struct buf *out);
static unsigned make_readyz(struct health *h, const struct view *v, struct buf *out);
static unsigned make_metrics(struct health *h, const struct view *v, struct buf *out);
static unsigned make_status(struct health *h, const struct view *v, struct buf *out);

#define PLAIN "text/plain; charset=utf-8"

static const struct page pages[] = {
	{"/healthz", PLAIN, make_healthz},
	{"/readyz", PLAIN, make_readyz},
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", make_metrics},
	{"/status", "application/json", make_status},
	{"/", PLAIN, make_index},
};

#define PAGES (sizeof(pages) / sizeof(pages[0]))
static const char page_list[] = "/healthz  200 while the event loop turns\n"
				"/readyz   200 while every table is within its rpo, else 503 with the reason\n"
				"/metrics  Prometheus text\n"
				"/status   JSON\n";

static unsigned ended(int rc, unsigned status)
{
	return rc == 0 ? status : MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static unsigned make_index(struct health *h, const struct view *v, struct buf *out)
{
	(void)h;
	return ended(buf_printf(out, "ddb-streamd %s\n%s", v->version ? v->version : "", page_list), MHD_HTTP_OK);
}

static unsigned make_healthz(struct health *h, const struct view *v, struct buf *out)
{
	(void)h;
	(void)v;
	return ended(buf_append_str(out, "ok\n"), MHD_HTTP_OK);
}

static unsigned make_readyz(struct health *h, const struct view *v, struct buf *out)
{
	char reason[512], lag[VIEW_DURATION_SIZE];

	(void)h;
	if (view_not_ready(v, reason, sizeof(reason)))
		return ended(buf_printf(out, "%s\n", reason), MHD_HTTP_SERVICE_UNAVAILABLE);
	return ended(buf_printf(out, "ready\nlag %s\n", view_duration(lag, view_lag_ms(v))), MHD_HTTP_OK);
}

static unsigned make_metrics(struct health *h, const struct view *v, struct buf *out)
{
	return ended(metrics_render(h->source.metrics, v, out), MHD_HTTP_OK);
}

static unsigned make_status(struct health *h, const struct view *v, struct buf *out)
{
	(void)h;
	return ended(status_render(v, out), MHD_HTTP_OK);
}

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, const char *type, const char *body, size_t len)
{
	/* The copy is freed by libmicrohttpd when the client has it, perhaps after many turns. */
	struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result = MHD_NO;

	if (!r)
		return MHD_NO; /* the connection is dropped */
	if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
	    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
	     MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
		result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result reply_page(struct health *h, struct MHD_Connection *c, const struct page *page)
{
	static const char failed[] = "this page could not be made: no memory, or longer than 16 MiB\n";
	struct buf out;
	unsigned status;
	enum MHD_Result result;

	buf_init(&out, PAGE_MAX_BYTES);
	status = page->make(h, h->source.view(h->source.arg), &out);
	if (status == MHD_HTTP_INTERNAL_SERVER_ERROR)
		result = reply(c, status, PLAIN, failed, sizeof(failed) - 1);
	else
		result = reply(c, status, page->type, buf_str(&out), out.len);
	buf_fini(&out);
	return result;
}

static enum MHD_Result serve(void *arg, struct MHD_Connection *c, const char *url, const char *method,
			     const char *version, const char *upload, size_t *upload_size, void **seen)
{
	static const char not_allowed[] = "only GET and HEAD\n";
	static int headers_seen;
	struct health *h = arg;

	(void)version;
	(void)upload;
	/* Refused at once, before any body: there is nothing here that takes one. */
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(c, MHD_HTTP_METHOD_NOT_ALLOWED, PLAIN, not_allowed, sizeof(not_allowed) - 1);
	if (!*seen) {
		*seen = &headers_seen;
		return MHD_YES;
	}
	if (*upload_size > 0) {
		*upload_size = 0; /* a GET may carry a body; it means nothing */
		return MHD_YES;
	}
	for (size_t i = 0; i < PAGES; i++)
		if (strcmp(url, pages[i].path) == 0)
			return reply_page(h, c, &pages[i]);
	return reply(c, MHD_HTTP_NOT_FOUND, PLAIN, page_list, sizeof(page_list) - 1);
}

static void client_notify(void *arg, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct health *h = arg;
	struct client *client = *context;
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (client) {
			client->fd = -1;
			h->nclients--;
		}
		return;
	}
	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	for (size_t i = 0; info && i < HEALTH_CONNECTIONS_MAX; i++) {
		if (h->clients[i].fd >= 0)
			continue;
		h->clients[i] = (struct client){info->connect_fd, clock_mono_ms() + REQUEST_TIMEOUT_MS};
		h->nclients++;
		*context = &h->clients[i];
		return;
	}
}

static void request_completed(void *arg, struct MHD_Connection *c, void **seen, enum MHD_RequestTerminationCode code)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct client *client = info ? info->socket_context : NULL;

	(void)arg;
	(void)seen;
	(void)code;
	if (client)
		client->deadline_mono_ms = clock_mono_ms() + REQUEST_TIMEOUT_MS;
}

static void end_slow_clients(struct health *h)
{
	int64_t now = clock_mono_ms();

	/* libmicrohttpd sees the end of the connection and closes it. */
	for (size_t i = 0; i < HEALTH_CONNECTIONS_MAX; i++)
		if (h->clients[i].fd >= 0 && now >= h->clients[i].deadline_mono_ms)
			shutdown(h->clients[i].fd, SHUT_RDWR);
}

static void on_timer(uv_timer_t *timer);

static void run(struct health *h)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = SWEEP_MS;
	bool was_full = h->nclients == HEALTH_CONNECTIONS_MAX, timed;

	MHD_run(h->mhd);
	/*
	 * Full, libmicrohttpd stops listening, and it starts again at the beginning of the run after the one in which a
	 * place became free. No event would bring that run about: whoever waits in the backlog would wait on.
	 */
	if (was_full && h->nclients < HEALTH_CONNECTIONS_MAX)
		MHD_run(h->mhd);
	end_slow_clients(h);
	timed = MHD_get_timeout(h->mhd, &wait_ms) == MHD_YES;
	if (h->nclients > 0 && wait_ms > SWEEP_MS)
		wait_ms = SWEEP_MS;
	if (timed || h->nclients > 0)
		uv_timer_start(&h->timer, on_timer, wait_ms, 0);
	else
		uv_timer_stop(&h->timer);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static void on_mhd_log(void *arg, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

static void on_mhd_log(void *arg, const char *fmt, va_list args)
{
	char text[256];

	(void)arg;
	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\r\n")] = '\0';
	log_debug("health endpoint", LOG_D("detail", text));
}

static void address_text(const char *host, uint16_t port, char *out, size_t size)
{
	bool v6 = strchr(host, ':') != NULL;

	snprintf(out, size, "%s%s%s:%u", v6 ? "[" : "", *host ? host : "*", v6 ? "]" : "", port);
}

static int listen_error(const char *host, uint16_t port, int errnum, struct err *e)
{
	char address[300];
	const char *remedy = "set another listen = HOST:PORT in [daemon], or listen = off";

	address_text(host, port, address, sizeof(address));
	if (errnum == EADDRINUSE)
		remedy = "stop the program that listens there (ss -ltnp tells which), or set another "
			 "listen = HOST:PORT in [daemon], or listen = off";
	else if (errnum == EADDRNOTAVAIL)
		remedy = "this host has no such address: set another listen = HOST:PORT in [daemon], or listen = off";
	else if (errnum == EACCES)
		remedy = "ports below 1024 need CAP_NET_BIND_SERVICE: set another listen = HOST:PORT in [daemon]";
	err_set(e, ERR_SYSTEM, "cannot listen on %s for health and metrics: %s; %s", address, strerror(errnum), remedy);
	if (e)
		e->sys_errno = errnum;
	return -ERR_SYSTEM;
}

/* A bound, listening socket for one address, or -1 with errno. */
static int listen_on(const struct addrinfo *a)
{
	int one = 1, zero = 0, saved;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* The system's default may be either way; "every address" must mean both. */
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, HEALTH_CONNECTIONS_MAX) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int open_listener(const char *host, uint16_t port, int *out, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char service[8];
	int rc, fd = -1, errnum = EADDRNOTAVAIL;

	snprintf(service, sizeof(service), "%u", port);
	/* "::" takes IPv4 too; 0.0.0.0 is for kernels without IPv6. */
	rc = getaddrinfo(*host ? host : "::", service, &hints, &list);
	if (rc != 0)
		return err_set(e, ERR_INVALID,
			       "cannot listen on \"%s\" for health and metrics: %s; set listen = HOST:PORT in [daemon] "
			       "to an address of this host, or listen = off",
			       host, gai_strerror(rc));
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		fd = listen_on(a);
		if (fd < 0)
			errnum = errno;
	}
	freeaddrinfo(list);
	if (fd < 0 && !*host && (errnum == EAFNOSUPPORT || errnum == EADDRNOTAVAIL))
		return open_listener("0.0.0.0", port, out, e);
	if (fd < 0)
		return listen_error(host, port, errnum, e);
	*out = fd;
	return 0;
}

static void log_address(struct health *h, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char host[NI_MAXHOST], service[NI_MAXSERV], address[NI_MAXHOST + 16];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), service, sizeof(service),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	h->port = (uint16_t)atoi(service);
	address_text(host, h->port, address, sizeof(address));
	log_info("health endpoint listening", LOG_S("address", address));
}

static int start_server(struct health *h, int fd, struct err *e)
{
	h->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, serve, h,
				  MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
				  MHD_OPTION_CONNECTION_LIMIT, (unsigned)HEALTH_CONNECTIONS_MAX,
				  MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				  CONNECTION_MEMORY_BYTES, MHD_OPTION_NOTIFY_CONNECTION, client_notify, h,
				  MHD_OPTION_NOTIFY_COMPLETED, request_completed, h, MHD_OPTION_END);
	if (!h->mhd)
		return err_set(e, ERR_SYSTEM, "cannot start the health endpoint: libmicrohttpd refused the socket");
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct health *h = handle->data;

	if (--h->open_handles == 0)
		free(h);
}

struct health *health_new(uv_loop_t *loop, const char *host, uint16_t port, const struct health_source *src,
			  struct err *e)
{
	const union MHD_DaemonInfo *info;
	struct health *h = calloc(1, sizeof(*h));
	int fd = -1, rc;

	if (!h) {
		err_set(e, ERR_SYSTEM, "no memory for the health endpoint");
		return NULL;
	}
	h->source = *src;
	for (size_t i = 0; i < HEALTH_CONNECTIONS_MAX; i++)
		h->clients[i].fd = -1;
	if (open_listener(host, port, &fd, e) < 0)
		goto fail;
	log_address(h, fd);
	if (start_server(h, fd, e) < 0)
		goto fail;
	fd = -1; /* libmicrohttpd closes it */
	info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	rc = info ? uv_poll_init(loop, &h->poll, info->epoll_fd) : UV_EINVAL;
	if (rc < 0) {
		err_set(e, ERR_SYSTEM, "cannot watch the health endpoint: %s", uv_strerror(rc));
		goto fail;
	}
	uv_timer_init(loop, &h->timer);
	h->open_handles = 2;
	h->poll.data = h;
	h->timer.data = h;
	uv_poll_start(&h->poll, UV_READABLE, on_poll);
	return h;
fail:
	if (h->mhd)
		MHD_stop_daemon(h->mhd);
	if (fd >= 0)
		close(fd);
	free(h);
	return NULL;
}

uint16_t health_port(const struct health *h)
{
	return h->port;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	/* Polling ends first: MHD_stop_daemon closes the descriptor. */
	uv_close((uv_handle_t *)&h->poll, on_closed);
	uv_close((uv_handle_t *)&h->timer, on_closed);
	MHD_stop_daemon(h->mhd);
}
