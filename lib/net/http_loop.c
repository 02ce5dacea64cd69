/*
 * http_loop: libcurl's multi-socket interface on libuv, and the delivery of completions.
 *
 * Three phases of a loop turn matter. Timers and polls only let libcurl move bytes; what it finishes is queued. The
 * check phase, after the polls of the same turn, calls the completions. So a completion may send, cancel and free as it
 * likes: libcurl is never on the stack below it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_private.h"

#define DELIVER_MAX 64 /* completions a turn, so that timers and other handles get theirs */

/*
 * libcurl ends its interest in a socket after each request and begins it anew with the next. Following that to the
 * letter costs three epoll_ctl a request (libuv 1.44 removes and adds on each uv_poll_start). A watch therefore lives
 * as long as its socket, and stays armed for reading while the connection is idle.
 */
struct http_watch {
	uv_poll_t poll;
	struct http *http;
	curl_socket_t fd;
	int wanted; /* by libcurl, as UV_READABLE | UV_WRITABLE */
	int armed;
	bool owned; /* opened by open_socket: closed by close_socket, not when libcurl loses interest */
	bool read;  /* libcurl wanted to read from it once, so it was connected */
};

static void handle_closed(struct http *h)
{
	if (--h->handles > 0)
		return;
	free(h->watch);
	free(h->ca_bundle);
	free(h->user_agent);
	free(h);
}

static void on_closed(uv_handle_t *handle)
{
	handle_closed(handle->data);
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct http_watch *w = handle->data;
	struct http *h = w->http;

	free(w);
	handle_closed(h);
}

/* Takes libcurl's finished transfers off its hands. */
static void harvest(struct http *h)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(h->multi, &left))) {
		struct http_slot *s = NULL;
		CURLcode result = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &s);
		http_slot_finish(s, result);
		http_loop_queue(s);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct http *h = timer->data;
	int running;

	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	harvest(h);
}

static struct http_watch *watch_find(const struct http *h, curl_socket_t fd)
{
	return (size_t)fd < h->watches ? h->watch[fd] : NULL;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch_arm(struct http_watch *w)
{
	if (w->wanted != 0 && w->wanted != w->armed && uv_poll_start(&w->poll, w->wanted, on_poll) == 0)
		w->armed = w->wanted;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct http_watch *w = poll->data;
	struct http *h = w->http;
	curl_socket_t fd = w->fd;
	int flags = 0;
	int running;

	if (w->wanted == 0) {
		/* The peer closed an idle connection, or sent what nobody asked for. libcurl looks at the socket
		 * before it uses the connection again; until then this would wake the loop without end. */
		uv_poll_stop(poll);
		w->armed = 0;
		return;
	}
	if (status < 0) {
		/* A reset, most often; libuv has disarmed the watch. An answer may have come before it, and libcurl
		 * can only find it by reading: told of an error, it looks no further. */
		w->armed = 0;
		events = w->wanted;
	}
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(h->multi, fd, flags, &running);
	/* Not closed by that, then: its number can be taken anew, but its memory not within this turn. */
	if (watch_find(h, fd) == w)
		watch_arm(w);
	harvest(h);
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http *h = arg;

	(void)multi;
	if (h->closing || timeout_ms < 0)
		uv_timer_stop(&h->timer);
	else /* 0 stays 0: that is the next turn. Rounded up to 1 ms it would be a millisecond for each request. */
		uv_timer_start(&h->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static struct http_watch *watch_new(struct http *h, curl_socket_t fd)
{
	struct http_watch *w;

	if ((size_t)fd >= h->watches) {
		size_t n = (size_t)fd + 64;
		struct http_watch **grown = realloc(h->watch, n * sizeof(struct http_watch *));

		if (!grown)
			return NULL;
		memset(grown + h->watches, 0, (n - h->watches) * sizeof(struct http_watch *));
		h->watch = grown;
		h->watches = n;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->http = h;
	w->fd = fd;
	if (uv_poll_init(h->loop, &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	/* Not what keeps the loop alive: an idle connection must not. */
	uv_unref((uv_handle_t *)&w->poll);
	h->watch[fd] = w;
	h->handles++;
	return w;
}

static void watch_close(struct http_watch *w)
{
	w->http->watch[w->fd] = NULL;
	w->http->connections -= w->owned;
	uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

/*
 * libcurl 7.88 to 8.2 closes a socket behind our back when its transfer ends before it was connected (curl's pull request
 * 11439). Such a one is not kept for another request by any version.
 */
static bool is_abandoned(const struct http_watch *w)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return !w->read && getpeername(w->fd, (struct sockaddr *)&peer, &len) < 0;
}

static int set_interest(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	struct http *h = arg;
	struct http_watch *w = watch_find(h, fd);
	int wanted = 0;

	(void)easy;
	(void)unused;
	if (what == CURL_POLL_REMOVE) {
		if (!w)
			return 0;
		w->wanted = 0;
		if (!w->owned || is_abandoned(w)) {
			/* Not owned is a pair that wakes us when a name is resolved: libcurl closes it without telling. */
			watch_close(w);
		} else if (w->armed & UV_WRITABLE) {
			uv_poll_stop(&w->poll);
			w->armed = 0;
		}
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		wanted |= UV_READABLE;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		wanted |= UV_WRITABLE;
	if (!w)
		w = watch_new(h, fd);
	/* Without memory for the watch of a resolver's pair libcurl still looks by its timer; an error from here
	 * would end every transfer of the multi handle. */
	if (!w)
		return 0;
	w->wanted = wanted;
	w->read = w->read || (wanted & UV_READABLE) != 0;
	watch_arm(w);
	return 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http *h = arg;
	struct http_watch *w;
	int fd;

	(void)purpose;
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	/* What had this number before is closed, then. */
	w = watch_find(h, fd);
	if (w)
		watch_close(w);
	w = watch_new(h, fd);
	if (!w) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	w->owned = true;
	h->connections++;
	return fd;
}

static int close_socket(void *arg, curl_socket_t fd)
{
	struct http *h = arg;
	struct http_watch *w = watch_find(h, fd);

	if (w)
		watch_close(w);
	return close(fd);
}

static void on_check(uv_check_t *check)
{
	struct http *h = check->data;
	struct http_slot *s;
	int n = 0;

	/* What a completion queues (a cancel) waits for the next turn, as http.h says. */
	h->turn++;
	while (!h->closing && n++ < DELIVER_MAX && (s = TAILQ_FIRST(&h->done)) && s->queued_turn != h->turn)
		http_slot_deliver(s);
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle;
}

void http_loop_started(struct http *h)
{
	if (h->busy++ == 0)
		uv_check_start(&h->check, on_check);
}

void http_loop_ended(struct http *h)
{
	if (--h->busy == 0)
		uv_check_stop(&h->check);
}

void http_loop_queue(struct http_slot *s)
{
	struct http *h = s->http;

	s->state = HTTP_SLOT_DONE;
	s->queued_turn = h->turn;
	TAILQ_INSERT_TAIL(&h->done, s, link);
	uv_idle_start(&h->idle, on_idle);
}

void http_loop_unqueue(struct http_slot *s)
{
	struct http *h = s->http;

	TAILQ_REMOVE(&h->done, s, link);
	if (TAILQ_EMPTY(&h->done))
		uv_idle_stop(&h->idle);
}

void http_loop_adopt(struct http *h, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, h);
}

int http_loop_open(struct http *h, struct err *e)
{
	TAILQ_INIT(&h->done);
	/* These three cannot fail in libuv 1.x. */
	uv_timer_init(h->loop, &h->timer);
	uv_check_init(h->loop, &h->check);
	uv_idle_init(h->loop, &h->idle);
	h->timer.data = h;
	h->check.data = h;
	h->idle.data = h;
	h->handles = 3;
	uv_unref((uv_handle_t *)&h->timer);
	uv_unref((uv_handle_t *)&h->idle);

	h->multi = curl_multi_init();
	if (!h->multi)
		return err_set(e, ERR_SYSTEM, "no memory for the HTTP client");
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, set_interest);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return 0;
}

void http_loop_close(struct http *h)
{
	h->closing = true;
	/* Calls close_socket for every connection that is kept. */
	if (h->multi)
		curl_multi_cleanup(h->multi);
	h->multi = NULL;
	uv_close((uv_handle_t *)&h->timer, on_closed);
	uv_close((uv_handle_t *)&h->check, on_closed);
	uv_close((uv_handle_t *)&h->idle, on_closed);
}
