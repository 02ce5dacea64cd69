/*
 * http: slots, requests and answers. http_url.c has what concerns URLs, http_loop.c the event loop.
 *
 * Exactly once. When a kept connection breaks before the first byte of an answer, libcurl takes it for one that was
 * stale, and sends the request again on a fresh one, up to five times (lib/transfer.c, Curl_retry_request). But the
 * server may have read the request and died, or a balancer before it: then a PUT makes two versions, a DELETE two
 * markers. No option turns this off. CURLOPT_PREREQFUNCTION is called each time libcurl has a connection and is about
 * to write a request to it, so the second call of one transfer is that repetition, and is refused for every method but
 * GET and HEAD. The same callback tells a failure before any byte was sent (name, connect, TLS, proxy) from one after.
 */
#include "net/http.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "net/http_private.h"

#define CONNECT_TIMEOUT_MS 10000
#define STALL_TIMEOUT_MS 30000
#define BODY_KEEP_BYTES 65536	   /* an idle slot's buffer is trimmed to this */
#define RECEIVE_BYTES_MIN 16384	   /* libcurl's buffer for reading: one TLS record */
#define RECEIVE_BYTES_MAX 65536	   /* larger ones did not read large bodies faster */
#define IDLE_REUSE_S 30L	   /* older idle connections are likely to be gone: servers and NATs drop them */
#define CONNECTION_LIFETIME_S 600L /* so that connections follow the name to new addresses */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_once_result;

static void curl_set_up(void)
{
	curl_once_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http *http_new(uv_loop_t *loop, const struct http_options *o, struct err *e)
{
	struct http *h;
	long keep = o->connections > INT_MAX / 2 ? INT_MAX / 2 : (long)o->connections;
	int rc;

	if (o->ca_bundle && access(o->ca_bundle, R_OK) < 0) {
		err_set(e, ERR_INVALID,
			"CA bundle %s cannot be read: %s; name a PEM file of certificates or leave it out",
			o->ca_bundle, strerror(errno));
		return NULL;
	}
	pthread_once(&curl_once, curl_set_up);
	if (curl_once_result != CURLE_OK) {
		err_set(e, ERR_SYSTEM, "libcurl cannot be set up: %s", curl_easy_strerror(curl_once_result));
		return NULL;
	}
	h = calloc(1, sizeof(*h));
	if (!h) {
		err_set(e, ERR_SYSTEM, "no memory for the HTTP client");
		return NULL;
	}
	h->loop = loop;
	h->proxied = http_url_proxied();
	h->connect_timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	rc = http_loop_open(h, e);
	if (rc < 0)
		goto fail;
	/* libcurl closes the oldest idle connection when one too many is handed back, and 0 means its own default. */
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, keep > 0 ? keep : 1L);
	if ((o->ca_bundle && !(h->ca_bundle = strdup(o->ca_bundle))) ||
	    (o->user_agent && !(h->user_agent = strdup(o->user_agent)))) {
		err_set(e, ERR_SYSTEM, "no memory for the HTTP client");
		goto fail;
	}
	return h;
fail:
	http_loop_close(h);
	return NULL;
}

void http_free(struct http *h)
{
	if (h)
		http_loop_close(h);
}

size_t http_connections(const struct http *h)
{
	return h->connections;
}

/* libcurl's callbacks of a transfer. */

static int on_send(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct http_slot *s = arg;

	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	if (s->sends > 0 && !s->repeatable)
		return CURL_PREREQFUNC_ABORT;
	s->sends++;
	return CURL_PREREQFUNC_OK;
}

/*
 * One call for each line. Header lines of interim answers (100) are dropped, and so are the trailers of a chunked
 * body: they would stand beside, or in the place of, what the server said before it sent the body.
 */
static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct http_slot *s = arg;
	long status = 0;
	int rc;

	(void)size; /* always 1 */
	if (s->header_final)
		return n;
	s->header_bytes += n;
	if (s->header_bytes > HTTP_HEADER_BYTES_MAX) {
		s->store_error = -ERR_LIMIT;
		return 0;
	}
	if (!s->header_in) {
		s->header_in = true;
		buf_reset(&s->header);
		return n;
	}
	if (line[0] == '\r' || line[0] == '\n') {
		curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
		s->header_in = false;
		s->header_final = status >= 200;
		return n;
	}
	rc = buf_append(&s->header, line, n);
	if (rc == 0)
		return n;
	s->store_error = rc;
	return 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_slot *s = arg;
	curl_off_t expected = -1;
	int rc = 0;

	(void)size; /* always 1 */
	if (n == 0)
		return 0;
	if (s->body.len == 0) {
		curl_easy_getinfo(s->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &expected);
		if (expected > 0)
			rc = buf_reserve(&s->body, (size_t)expected);
	}
	if (rc == 0)
		rc = buf_append(&s->body, bytes, n);
	if (rc == 0)
		return n;
	s->store_error = rc;
	return 0;
}

/* Slots. */

static void receive_size(struct http_slot *s)
{
	size_t n = s->body.max;

	/* libcurl allocates it for each transfer: a slot that only gets short answers need not hold more. */
	if (n < RECEIVE_BYTES_MIN)
		n = RECEIVE_BYTES_MIN;
	if (n > RECEIVE_BYTES_MAX)
		n = RECEIVE_BYTES_MAX;
	curl_easy_setopt(s->easy, CURLOPT_BUFFERSIZE, (long)n);
}

static CURLcode set_up_easy(struct http_slot *s)
{
	struct http *h = s->http;
	CURL *c = s->easy;
	CURLcode rc = CURLE_OK;

	curl_easy_setopt(c, CURLOPT_PRIVATE, s);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* Without it the end of a transfer waits for a getaddrinfo that is still running, and the loop with it. */
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, IDLE_REUSE_S);
	curl_easy_setopt(c, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFETIME_S);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, h->connect_timeout_ms);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->curl_text);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_send);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, s);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	http_loop_adopt(h, c);
	receive_size(s);
	/* What can fail: strings are copied, and protocols looked up. */
	rc = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	if (rc == CURLE_OK && h->ca_bundle)
		rc = curl_easy_setopt(c, CURLOPT_CAINFO, h->ca_bundle);
	if (rc == CURLE_OK && h->user_agent)
		rc = curl_easy_setopt(c, CURLOPT_USERAGENT, h->user_agent);
	return rc;
}

struct http_slot *http_slot_new(struct http *h, size_t body_max)
{
	struct http_slot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->http = h;
	buf_init(&s->origin, HTTP_URL_MAX);
	buf_init(&s->header, HTTP_HEADER_BYTES_MAX);
	buf_init(&s->body, body_max);
	return s;
}

/* With its first request: most slots of a daemon that has little to do never have one. */
static int need_easy(struct http_slot *s, struct err *e)
{
	if (s->easy)
		return 0;
	s->easy = curl_easy_init();
	if (s->easy && set_up_easy(s) == CURLE_OK)
		return 0;
	curl_easy_cleanup(s->easy);
	s->easy = NULL;
	return err_set(e, ERR_SYSTEM, "no memory for an HTTP request");
}

/* Takes the slot back from libcurl or from the queue. */
static void slot_withdraw(struct http_slot *s)
{
	if (s->state == HTTP_SLOT_FLYING)
		curl_multi_remove_handle(s->http->multi, s->easy);
	else if (s->state == HTTP_SLOT_DONE)
		http_loop_unqueue(s);
}

void http_slot_free(struct http_slot *s)
{
	if (!s)
		return;
	slot_withdraw(s);
	if (s->state != HTTP_SLOT_IDLE)
		http_loop_ended(s->http);
	if (s->http->delivering == s)
		s->http->delivering = NULL;
	curl_easy_cleanup(s->easy);
	buf_fini(&s->origin);
	buf_fini(&s->header);
	buf_fini(&s->body);
	free(s);
}

void http_slot_body_max(struct http_slot *s, size_t body_max)
{
	s->body.max = body_max;
	if (s->state == HTTP_SLOT_IDLE && s->easy)
		receive_size(s);
}

bool http_busy(const struct http_slot *s)
{
	return s->state != HTTP_SLOT_IDLE;
}

struct buf *http_body(struct http_slot *s)
{
	return &s->body;
}

/* Sending. */

static int set_headers(struct http_slot *s, const struct http_call *c, struct err *e)
{
	/*
	 * Names without a value keep libcurl from adding its own: a wait for "100 Continue", which some stores never
	 * send, a type of its choice, and bytes that nobody needs. They come last, for libcurl heeds the first line of
	 * a name.
	 */
	static char none[3][16] = {"Expect:", "Content-Type:", "Accept:"};
	size_t n = 0;

	if (c->nheaders > HTTP_HEADERS_MAX)
		return err_set(e, ERR_INVALID, "HTTP request has %zu header lines, %d are the most", c->nheaders,
			       HTTP_HEADERS_MAX);
	for (; n < c->nheaders; n++) {
		const char *line = c->headers[n].line;

		if (strpbrk(line, "\r\n"))
			return err_set(e, ERR_INVALID, "HTTP request header %.*s holds a line break",
				       (int)strcspn(line, ":;\r\n"), line);
		/* libcurl only reads it. */
		s->header_nodes[n].data = (char *)line;
		s->header_nodes[n].next = &s->header_nodes[n + 1];
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++, n++) {
		s->header_nodes[n].data = none[i];
		s->header_nodes[n].next = &s->header_nodes[n + 1];
	}
	s->header_nodes[n - 1].next = NULL;
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->header_nodes);
	return 0;
}

static int set_method(struct http_slot *s, const struct http_call *c, struct err *e)
{
	bool get = strcmp(c->method, "GET") == 0;
	bool head = strcmp(c->method, "HEAD") == 0;
	bool delete = strcmp(c->method, "DELETE") == 0;
	bool post = strcmp(c->method, "POST") == 0;
	bool put = strcmp(c->method, "PUT") == 0;
	const char *custom = delete || put ? c->method : NULL;

	if (!get && !head && !delete &&!post && !put)
		return err_set(e, ERR_INVALID, "HTTP method %s is not one of GET, HEAD, PUT, POST, DELETE", c->method);
	if (c->body.len > 0 && !post && !put)
		return err_set(e, ERR_INVALID, "HTTP %s cannot have a body", c->method);
	s->repeatable = get || head;
	if (post || put) {
		/* A body in memory, for PUT too: header and body leave in one segment, with no read callback. */
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, c->body.len > 0 ? c->body.ptr : "");
		curl_easy_setopt(s->easy, CURLOPT_POST, 1L);
	} else if (head) {
		curl_easy_setopt(s->easy, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(s->easy, CURLOPT_HTTPGET, 1L);
	}
	if (curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, custom) != CURLE_OK)
		return err_set(e, ERR_SYSTEM, "no memory for an HTTP request");
	return 0;
}

static int set_limits(struct http_slot *s, const struct http_call *c, struct err *e)
{
	int stall_ms = c->stall_timeout_ms > 0 ? c->stall_timeout_ms : STALL_TIMEOUT_MS;
	long stall_s = stall_ms / 1000 + (stall_ms % 1000 > 0);

	if (stall_s != s->stall_s)
		curl_easy_setopt(s->easy, CURLOPT_LOW_SPEED_TIME, stall_s);
	s->stall_s = stall_s;
	if (c->total_timeout_ms != s->total_ms)
		curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)c->total_timeout_ms);
	s->total_ms = c->total_timeout_ms;
	if (c->direct != s->direct &&
	    curl_easy_setopt(s->easy, CURLOPT_NOPROXY, c->direct ? "*" : (char *)NULL) != CURLE_OK)
		return err_set(e, ERR_SYSTEM, "no memory for an HTTP request");
	s->direct = c->direct;
	return 0;
}

int http_send(struct http_slot *s, const struct http_call *c, http_done_fn *done, void *arg, struct err *e)
{
	CURLMcode mrc;
	int rc;

	if (s->state != HTTP_SLOT_IDLE)
		return err_set(e, ERR_INVALID, "HTTP slot is still busy with another request");
	if (c->body.len > LONG_MAX / 2 || c->total_timeout_ms < 0 || c->stall_timeout_ms < 0)
		return err_set(e, ERR_INVALID, "HTTP request has a length or timeout out of range");
	rc = need_easy(s, e);
	if (rc == 0)
		rc = set_headers(s, c, e);
	if (rc == 0)
		rc = set_method(s, c, e);
	if (rc == 0)
		rc = set_limits(s, c, e);
	if (rc == 0)
		rc = http_url_set(s, c, e);
	if (rc < 0)
		return rc;

	s->url = c->url;
	s->done = done;
	s->arg = arg;
	s->start_ns = uv_hrtime();
	s->sends = 0;
	s->store_error = 0;
	s->header_bytes = 0;
	s->header_in = false;
	s->header_final = false;
	s->curl_text[0] = '\0';
	memset(&s->answer, 0, sizeof(s->answer));
	buf_reset(&s->header);
	buf_reset(&s->body);
	/* It only puts the handle in a list and sets the timer to 0: the next turn starts the transfer. */
	mrc = curl_multi_add_handle(s->http->multi, s->easy);
	if (mrc != CURLM_OK)
		return err_set(e, ERR_SYSTEM, "HTTP request cannot be started: %s", curl_multi_strerror(mrc));
	s->state = HTTP_SLOT_FLYING;
	http_loop_started(s->http);
	return 0;
}

/* The end of a request. */

static int timed_out(const struct http_slot *s, const char *place, struct err *e)
{
	if (s->total_ms > 0 && s->answer.duration_us / 1000 + 1 >= s->total_ms)
		return err_set(e, ERR_RETRY, "%s: no whole answer within %ld ms", place, s->total_ms);
	if (s->sends == 0)
		return err_set(e, ERR_RETRY, "%s: no connection within %ld ms; is the address reachable from here?",
			       place, s->http->connect_timeout_ms);
	return err_set(e, ERR_RETRY, "%s: nothing was sent or received for %ld s", place, s->stall_s);
}

/* Fills the answer's err for a transfer that libcurl gave up. */
static void explain(struct http_slot *s, CURLcode result)
{
	struct err *e = &s->answer.err;
	char place[264];
	/*
	 * libcurl's own words are the best there are on names, connections and certificates. After the request was
	 * sent they can quote the answer, so then only the general text of the code is used.
	 */
	const char *why = s->sends == 0 && s->curl_text[0] ? s->curl_text : curl_easy_strerror(result);

	http_url_place(s->url, place, sizeof(place));
	/* The same code is used for a URL of another protocol and for an answer in one. */
	if (s->sends > 0 && result == CURLE_UNSUPPORTED_PROTOCOL)
		result = CURLE_WEIRD_SERVER_REPLY;
	switch (result) {
	case CURLE_WEIRD_SERVER_REPLY:
		err_set(e, ERR_RETRY, "%s: the answer is not HTTP/1.1", place);
		break;
	case CURLE_OPERATION_TIMEDOUT:
		timed_out(s, place, e);
		break;
	case CURLE_WRITE_ERROR:
		if (s->store_error == -ERR_SYSTEM)
			err_set(e, ERR_RETRY, "%s: no memory for the answer", place);
		else if (!s->header_final)
			err_set(e, ERR_LIMIT, "%s: the answer's header is larger than %d bytes", place,
				HTTP_HEADER_BYTES_MAX);
		else
			err_set(e, ERR_LIMIT, "%s: the answer's body is larger than %zu bytes", place, s->body.max);
		break;
	case CURLE_ABORTED_BY_CALLBACK: /* on_send refused a repetition */
	case CURLE_GOT_NOTHING:
		err_set(e, ERR_RETRY, "%s: the connection was closed before an answer", place);
		break;
	case CURLE_PARTIAL_FILE:
		err_set(e, ERR_RETRY, "%s: the connection was closed in the middle of the answer", place);
		break;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		err_set(e, ERR_INVALID, "URL of %s is not valid (%s); http://HOST or https://HOST is wanted", place,
			curl_easy_strerror(result));
		break;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
		err_set(e, ERR_INVALID, "%s: TLS cannot be set up: %s; is the CA bundle a readable PEM file?", place,
			why);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		/* Not ERR_INVALID: it is the server's side that is wrong, and that may end without us. */
		err_set(e, ERR_RETRY, "%s: the server's certificate is not trusted: %s", place, why);
		break;
	default:
		err_set(e, ERR_RETRY, "%s: %s", place, why);
	}
}

static void slot_answer(struct http_slot *s)
{
	long status = 0;

	s->answer.duration_us = (int64_t)((uv_hrtime() - s->start_ns) / 1000);
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	s->answer.status = (int)status;
}

void http_slot_finish(struct http_slot *s, CURLcode result)
{
	slot_answer(s);
	/* libcurl takes an answer that ends within its header for whole. */
	if (result == CURLE_OK && !s->header_final)
		result = CURLE_PARTIAL_FILE;
	if (result != CURLE_OK) {
		explain(s, result);
		s->answer.err.maybe_done = s->sends > 0;
		s->answer.err.http_status = s->answer.status;
	}
	curl_multi_remove_handle(s->http->multi, s->easy);
}

void http_cancel(struct http_slot *s)
{
	char place[264];

	if (s->state == HTTP_SLOT_IDLE)
		return;
	if (s->state == HTTP_SLOT_FLYING)
		slot_answer(s);
	slot_withdraw(s);
	http_url_place(s->url, place, sizeof(place));
	err_set(&s->answer.err, ERR_CANCELLED, "%s: the request was cancelled", place);
	s->answer.err.maybe_done = s->sends > 0;
	s->answer.err.http_status = s->answer.status;
	http_loop_queue(s);
}

void http_slot_deliver(struct http_slot *s)
{
	struct http *h = s->http;
	struct http_answer a = s->answer;

	http_loop_unqueue(s);
	s->state = HTTP_SLOT_IDLE;
	s->url = NULL;
	http_loop_ended(h);
	h->delivering = s;
	s->done(s, &a, s->arg);
	if (h->delivering == s && s->state == HTTP_SLOT_IDLE)
		buf_trim(&s->body, BODY_KEEP_BYTES);
	h->delivering = NULL;
}
