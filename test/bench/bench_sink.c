/*
 * bench_sink: the servers of a measurement, on one port of 127.0.0.1, which is the first line of its output. When the
 * last item has come, the second line tells what was seen, as JSON; it goes on answering until it is ended.
 *
 * usage: bench_sink [-n RECORDS] [-s SHARDS] [-p RECORDS_PER_PAGE] [-b ITEM_BYTES] [-l LATENCY_MS] [-t KEY_AND_CERTIFICATE]
 *                   [-h CHANGES] [-e] [-R RECORDS_PER_SECOND] [-F] [-a] [-g SECONDS] [-x] [-r] [-w none|all|changed]
 *
 * -n 0: there is nothing in the stream, ever.
 * -h: so many changes of one further item lie between the others of the first shard.
 * -e: they have the first shard for themselves, and the last item is the last of the others.
 * -R: records come to each shard, with -F to the first, at this rate; the second line tells how long they took to be durable.
 * -a: pages are made as they are asked for, so that many records take no memory here.
 * -g: event times lie so far apart.
 * -x: the PUT of an item is never answered.
 * -r: for those who read: the bucket has the backup of all records already, and the stream has none.
 * -w: for those who read the whole table: it has all records, its stream none, and the bucket lists none or all of them.
 *
 * GET /figures tells how many requests of each kind have come, as JSON.
 *
 * Keep-alive HTTP/1.1 as libcurl speaks it, one thread. It keeps no body of a PUT and looks at no signature, so that it
 * costs a fraction of what its client does.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/uio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "sink.h"

#define IN_BYTES 65536
#define OUT_BYTES_MAX ((size_t)64 << 20) /* a page that is made when asked for */
#define EVENTS 64

struct conn {
	int fd;
	SSL *ssl;	  /* NULL: plain */
	size_t in_len;	  /* in `in` */
	size_t skip;	  /* bytes of a PUT's body still to come, which nobody wants */
	bool owed;	  /* its answer is in `out` once the body has come */
	struct buf out;	  /* to be sent ... */
	struct span page; /* ... and then this */
	size_t sent;	  /* of both */
	bool watching;	  /* for room to write */
	int64_t due_ns;
	TAILQ_ENTRY(conn) link; /* while its answer waits for its time */
	bool waits;
	char in[IN_BYTES + 1];
};

static struct sink sink = {.records = 10000, .shards = 1, .page_records = 1000, .item_bytes = 1024};
static TAILQ_HEAD(waiting, conn) waiting = TAILQ_HEAD_INITIALIZER(waiting);
static int64_t latency_ns;
static int epoll_fd;
static size_t connections;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void conn_close(struct conn *c)
{
	if (c->waits)
		TAILQ_REMOVE(&waiting, c, link);
	SSL_free(c->ssl);
	close(c->fd);
	buf_fini(&c->out);
	free(c);
}

static void watch(struct conn *c, bool writing)
{
	struct epoll_event ev = {.events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};

	if (c->watching == writing)
		return;
	c->watching = writing;
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
}

/* >0 bytes, 0 later, -1 the end. */
static ssize_t conn_read(struct conn *c)
{
	size_t room = IN_BYTES - c->in_len;
	ssize_t n;

	if (c->ssl) {
		n = SSL_read(c->ssl, c->in + c->in_len, (int)room);
		if (n > 0)
			return n;
		return SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	n = recv(c->fd, c->in + c->in_len, room, 0);
	return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static ssize_t conn_write(struct conn *c, const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct iovec iov[2] = {{(void *)(uintptr_t)a, a_len}, {(void *)(uintptr_t)b, b_len}};
	ssize_t n;

	if (c->ssl) {
		n = SSL_write(c->ssl, a_len > 0 ? a : b, (int)(a_len > 0 ? a_len : b_len));
		if (n > 0)
			return n;
		return SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_WRITE ? 0 : -1;
	}
	n = writev(c->fd, iov, 2);
	return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

/* False when the connection is broken. */
static bool flush(struct conn *c)
{
	while (c->sent < c->out.len + c->page.len) {
		size_t head = c->sent < c->out.len ? c->out.len - c->sent : 0;
		size_t body = c->sent > c->out.len ? c->sent - c->out.len : 0;
		ssize_t n = conn_write(c, buf_str(&c->out) + c->out.len - head, head, c->page.ptr + body,
				       c->page.len - body);

		if (n < 0)
			return false;
		if (n == 0) {
			watch(c, true);
			return true;
		}
		c->sent += (size_t)n;
	}
	watch(c, false);
	buf_reset(&c->out);
	c->page = (struct span){NULL, 0};
	c->sent = 0;
	return true;
}

static bool send_answer(struct conn *c)
{
	if (latency_ns == 0)
		return flush(c);
	c->due_ns = now_ns() + latency_ns;
	c->waits = true;
	TAILQ_INSERT_TAIL(&waiting, c, link);
	return true;
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* Sorts them. */
static void report_times(const char *name, float *ms, size_t n)
{
	qsort(ms, n, sizeof(*ms), by_size);
	printf(",\"%s\":{\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f}", name, (double)ms[n / 2],
	       (double)ms[n - 1 - (n - 1) / 100], (double)ms[n - 1 - (n - 1) / 1000]);
}

static void report(void)
{
	printf("{\"records\":%zu,\"seconds\":%.6f,\"items_seconds\":%.6f,\"repeated\":%zu,\"reads\":%zu,"
	       "\"connections\":"
	       "%zu,\"sink_cpu_s\":%.3f",
	       sink.distinct, (double)(sink.last_ns - sink.first_ns) / 1e9,
	       (double)(sink.items_ns - sink.first_ns) / 1e9, sink.repeated, sink.reads, connections, sink.cpu_s);
	if (sink.ntimes > 0) {
		report_times("durable_ms", sink.durable_ms, sink.ntimes);
		report_times("in_stream_ms", sink.in_stream_ms, sink.ntimes);
	}
	printf("}\n");
	fflush(stdout);
}

static size_t content_length(const char *header, size_t len)
{
	const char *at = memmem(header, len, "\r\nContent-Length: ", 18);

	return at ? (size_t)strtoul(at + 18, NULL, 10) : 0;
}

/* Takes one request from what has come. 1: taken; 0: not all of it is here; -1: not HTTP as libcurl speaks it. */
static int take_request(struct conn *c)
{
	char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
	struct sink_request r;
	struct sink_answer a = {.out = &c->out};
	size_t header, body, here;
	char *space, *path_end;

	if (!end)
		return c->in_len == IN_BYTES ? -1 : 0;
	header = (size_t)(end + 4 - c->in);
	body = content_length(c->in, header);
	here = c->in_len - header < body ? c->in_len - header : body;
	space = memchr(c->in, ' ', header);
	path_end = space ? memchr(space + 1, ' ', header - (size_t)(space + 1 - c->in)) : NULL;
	if (!path_end)
		return -1;
	r = (struct sink_request){
		.method = {c->in, (size_t)(space - c->in)},
		.path = {space + 1, (size_t)(path_end - space - 1)},
		.header = {c->in, header},
		.body = {c->in + header, here},
	};
	if (here < body && !span_eq_str(r.method, "PUT"))
		return header + body > IN_BYTES ? -1 : 0;
	if (sink_answer(&sink, &r, &a))
		report();
	c->page = a.page;
	c->skip = body - here;
	c->owed = c->out.len > 0;
	c->in_len -= header + here;
	memmove(c->in, c->in + header + here, c->in_len);
	return 1;
}

/* What has come is looked at; answers leave. False when the connection is to be closed. */
static bool serve(struct conn *c)
{
	for (;;) {
		size_t drop = c->in_len < c->skip ? c->in_len : c->skip;

		c->skip -= drop;
		c->in_len -= drop;
		memmove(c->in, c->in + drop, c->in_len);
		if (c->owed) {
			if (c->skip > 0)
				return true;
			c->owed = false;
			if (!send_answer(c))
				return false;
		}
		int rc = c->out.len > 0 ? 0 : take_request(c);

		if (rc <= 0)
			return rc == 0;
	}
}

static bool readable(struct conn *c)
{
	do {
		ssize_t n = conn_read(c);

		if (n <= 0)
			return n == 0;
		c->in_len += (size_t)n;
		if (!serve(c))
			return false;
	} while (c->ssl && SSL_has_pending(c->ssl));
	return true;
}

static void accept_all(int listener, SSL_CTX *tls)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

		if (!c)
			errx(EX_OSERR, "no memory for a connection");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		buf_init(&c->out, OUT_BYTES_MAX);
		if (tls) {
			c->ssl = SSL_new(tls);
			SSL_set_fd(c->ssl, fd);
			SSL_set_accept_state(c->ssl);
		}
		connections++;
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
			err(EX_OSERR, "epoll_ctl");
	}
}

/* Sends what is due; returns the time until the next one is. */
static const struct timespec *send_due(struct timespec *wait)
{
	int64_t now = now_ns();
	struct conn *c;

	while ((c = TAILQ_FIRST(&waiting)) && c->due_ns <= now) {
		TAILQ_REMOVE(&waiting, c, link);
		c->waits = false;
		if (!flush(c))
			conn_close(c);
	}
	if (!c)
		return NULL;
	wait->tv_sec = (c->due_ns - now) / 1000000000;
	wait->tv_nsec = (c->due_ns - now) % 1000000000;
	return wait;
}

static void loop(int listener, SSL_CTX *tls)
{
	struct epoll_event events[EVENTS];
	struct timespec wait;

	for (;;) {
		int n = epoll_pwait2(epoll_fd, events, EVENTS, send_due(&wait), NULL);

		if (n < 0 && errno != EINTR)
			err(EX_OSERR, "epoll_pwait2");
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			bool good = true;

			if (!c) {
				accept_all(listener, tls);
				continue;
			}
			if (c->out.len > 0 && !c->waits)
				good = flush(c);
			if (good && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
				good = readable(c);
			if (!good)
				conn_close(c);
		}
	}
}

static int listen_anywhere(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		err(EX_OSERR, "cannot listen on 127.0.0.1");
	printf("%u\n", (unsigned)ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

static SSL_CTX *tls_context(const char *pem)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (!tls || SSL_CTX_use_certificate_file(tls, pem, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, pem, SSL_FILETYPE_PEM) != 1)
		errx(EX_NOINPUT, "%s: no key and certificate for TLS: %s", pem,
		     ERR_reason_error_string(ERR_get_error()));
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return tls;
}

static void arguments(int argc, char **argv, SSL_CTX **tls)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:s:p:b:l:t:h:eR:Fag:xrw:")) != -1) {
		switch (opt) {
		case 'n':
			sink.records = strtoul(optarg, NULL, 10);
			break;
		case 's':
			sink.shards = strtoul(optarg, NULL, 10);
			break;
		case 'p':
			sink.page_records = strtoul(optarg, NULL, 10);
			break;
		case 'b':
			sink.item_bytes = strtoul(optarg, NULL, 10);
			break;
		case 'l':
			latency_ns = (int64_t)(strtod(optarg, NULL) * 1e6);
			break;
		case 't':
			*tls = tls_context(optarg);
			break;
		case 'h':
			sink.hot = strtoul(optarg, NULL, 10);
			break;
		case 'e':
			sink.until_items = true;
			break;
		case 'R':
			sink.per_s = strtod(optarg, NULL);
			break;
		case 'F':
			sink.first_only = true;
			break;
		case 'a':
			sink.when_asked = true;
			break;
		case 'g':
			sink.event_gap_s = strtod(optarg, NULL);
			break;
		case 'x':
			sink.stalled = true;
			break;
		case 'r':
			sink.stored = true;
			break;
		case 'w':
			sink.scanned = true;
			sink.changed = strcmp(optarg, "changed") == 0;
			sink.listed = sink.changed || strcmp(optarg, "all") == 0;
			break;
		default:
			errx(EX_USAGE,
			     "usage: bench_sink [-n records] [-s shards] [-p page] [-b bytes] [-l ms] [-t pem] "
			     "[-h changes] [-e] [-R rate] [-F] [-a] [-g seconds] [-x] [-r] [-w none|all|changed]");
		}
	}
}

int main(int argc, char **argv)
{
	struct epoll_event ev = {.events = EPOLLIN};
	SSL_CTX *tls = NULL;
	int listener;

	arguments(argc, argv, &tls);
	signal(SIGPIPE, SIG_IGN);
	sink_init(&sink);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_anywhere();
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev) < 0)
		err(EX_OSERR, "epoll");
	loop(listener, tls);
}
