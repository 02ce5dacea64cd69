#include "http.h"

#include <ctype.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "fake.h"
#include "mem.h"
#include "rng.h"
#include "route.h"

#define READ_BYTES 65536
#define BODY_MAX ((size_t)64 << 20)
#define GZIP_LEAST 512 /* bytes; shorter answers are not compressed */

struct connection {
	uv_tcp_t tcp;
	http_parser parser;
	struct http_server *server;
	struct exchange *current; /* the request that is being read or answered */
	bool reading;		  /* current is not complete yet */
	struct buf name, value;	  /* of the header that is being read */
	bool in_value;
	bool closing;
	char room[READ_BYTES];
};

enum step { STEP_EFFECT, STEP_SEND, STEP_SLOW };

struct exchange {
	struct request request;
	struct reply reply;
	struct fate fate;
	struct fake *fake;
	struct connection *connection; /* NULL: it is gone */
	uv_timer_t timer;
	enum step step; /* what the timer is for */
	bool keep_alive, effect;
	bool parked; /* it gets no answer: it ends with its connection */
	struct exchange *next_held;
	struct buf out; /* what is sent slowly */
	size_t sent;
};

struct write {
	uv_write_t req;
	struct buf bytes;
	struct exchange *exchange; /* it ends with this write; NULL: it goes on */
};

static void exchange_step(struct exchange *x);

/* --- connections --- */

static void connection_closed(uv_handle_t *h)
{
	struct connection *c = h->data;
	buf_fini(&c->name);
	buf_fini(&c->value);
	free(c);
}

static void exchange_closed(uv_handle_t *h)
{
	struct exchange *x = h->data;
	request_free(&x->request);
	reply_free(&x->reply);
	buf_fini(&x->out);
	free(x);
}

static void exchange_end(struct exchange *x)
{
	if (x->connection && x->connection->current == x)
		x->connection->current = NULL;
	x->connection = NULL;
	uv_close((uv_handle_t *)&x->timer, exchange_closed);
}

/* Ends the connection: with FIN, or with RST, as a peer does that crashes. */
static void connection_close(struct connection *c, bool reset)
{
	if (c->closing)
		return;
	c->closing = true;
	if (c->current) {
		c->current->connection = NULL;
		/* One that was not read to its end has no effect, and a parked one has had its own. */
		if (c->reading || c->current->parked)
			exchange_end(c->current);
		c->current = NULL;
	}
	if (!reset || uv_tcp_close_reset(&c->tcp, connection_closed) != 0)
		uv_close((uv_handle_t *)&c->tcp, connection_closed);
}

static void written(uv_write_t *req, int status)
{
	struct write *w = req->data;
	struct exchange *x = w->exchange;

	buf_fini(&w->bytes);
	free(w);
	if (!x)
		return;
	struct connection *c = x->connection;
	bool keep = x->keep_alive && status == 0;
	exchange_end(x);
	if (c && !keep)
		connection_close(c, false);
}

/* Sends and empties `bytes`. */
static void connection_write(struct connection *c, struct buf *bytes, struct exchange *last)
{
	struct write *w = mem_new(sizeof(*w));

	w->req.data = w;
	w->exchange = last;
	text_init(&w->bytes);
	buf_take(&w->bytes, bytes);
	uv_buf_t out = uv_buf_init(w->bytes.data, (unsigned)w->bytes.len);
	if (uv_write(&w->req, (uv_stream_t *)&c->tcp, &out, 1, written) != 0) {
		buf_fini(&w->bytes);
		free(w);
		connection_close(c, true);
		if (last)
			exchange_end(last);
	}
}

/* --- answers --- */

static void compress_body(struct buf *body)
{
	z_stream z = {0};
	struct buf out;
	uLong room;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	text_init(&out);
	room = deflateBound(&z, body->len);
	if (buf_reserve(&out, room) < 0)
		abort();
	z.next_in = (Bytef *)body->data;
	z.avail_in = (uInt)body->len;
	z.next_out = (Bytef *)out.data;
	z.avail_out = (uInt)room;
	deflate(&z, Z_FINISH);
	out.len = z.total_out;
	deflateEnd(&z);
	buf_take(body, &out);
}

/* What DynamoDB adds: gzip for those who take it, and the CRC of the bytes on the wire. */
static void finish_dynamodb(struct exchange *x)
{
	struct reply *a = &x->reply;
	const char *accepts = request_header(&x->request, "accept-encoding");
	char crc[16];

	reply_header(a, "Content-Type", "application/x-amz-json-1.0");
	bool wanted = a->gzip_unasked || (a->gzip && accepts && strstr(accepts, "gzip"));
	if (wanted && a->body.len >= GZIP_LEAST) {
		compress_body(&a->body);
		reply_header(a, "Content-Encoding", "gzip");
	}
	int mode = x->fate.has_crc ? x->fate.crc : a->crc;
	unsigned long sum = crc32(0, (const Bytef *)buf_str(&a->body), (uInt)a->body.len);
	snprintf(crc, sizeof(crc), "%lu", mode == CRC_WRONG ? sum ^ 1 : sum);
	if (mode != CRC_ABSENT)
		reply_header(a, "x-amz-crc32", crc);
}

static void put_head(struct exchange *x, struct buf *out)
{
	struct reply *a = &x->reply;
	const struct vclock *clock = &x->fake->clock;
	enum service s = x->request.service;
	char date[40];

	int64_t now_ms = clock->real_date ? vclock_now_ms(&(struct vclock){0}) : vclock_of_ms(clock, s);
	vclock_http(date, now_ms + x->fate.date_skew_ms);
	text_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n%s", a->status, http_status_str((enum http_status)a->status),
		    date, buf_str(&a->headers));
	if (s == SERVICE_S3)
		text_printf(out, "x-amz-request-id: %016llX\r\nx-amz-id-2: fakeaws\r\nServer: AmazonS3\r\n",
			    (unsigned long long)x->request.id);
	else
		text_printf(out, "x-amzn-RequestId: %016llX\r\nServer: Server\r\n", (unsigned long long)x->request.id);
	if (x->fate.retry_after_s)
		text_printf(out, "Retry-After: %d\r\n", x->fate.retry_after_s);
	if (!x->keep_alive)
		text_put(out, "Connection: close\r\n");
	if (a->status != 204 && a->status >= 200)
		text_printf(out, "Content-Length: %zu\r\n", a->body.len);
	text_put(out, "\r\n");
}

static void garble(struct exchange *x)
{
	size_t n = x->reply.body.len ? x->reply.body.len : 64;
	struct buf *body = &x->reply.body;

	buf_reset(body);
	for (size_t i = 0; i < n; i++) {
		char c = (char)rng_next(&x->fake->rng);
		text_put_n(body, &c, 1);
	}
}

static void timer_fired(uv_timer_t *t)
{
	exchange_step(t->data);
}

static void wait_step(struct exchange *x, enum step step, int64_t delay_ms)
{
	x->step = step;
	uv_timer_start(&x->timer, timer_fired, (uint64_t)(delay_ms > 0 ? delay_ms : 0), 0);
}

/* Until control releases it, even when its client has gone. */
static void hold(struct exchange *x, enum step step)
{
	x->step = step;
	x->next_held = x->fake->held;
	x->fake->held = x;
}

static bool is_held_by(const struct exchange *x, unsigned rule)
{
	return rule == 0 || x->fate.rule == rule;
}

size_t http_release(struct fake *f, unsigned rule)
{
	struct exchange **at = &f->held;
	size_t n = 0;

	while (*at) {
		struct exchange *x = *at;
		if (!is_held_by(x, rule)) {
			at = &x->next_held;
			continue;
		}
		*at = x->next_held;
		wait_step(x, x->step, 0);
		n++;
	}
	return n;
}

size_t http_held(const struct fake *f, unsigned rule)
{
	size_t n = 0;

	for (const struct exchange *x = f->held; x; x = x->next_held)
		n += is_held_by(x, rule);
	return n;
}

static void send_slowly(struct exchange *x)
{
	struct buf part;
	size_t n = (size_t)x->fate.slow_bytes;

	if (!x->connection) {
		exchange_end(x);
		return;
	}
	if (n > x->out.len - x->sent)
		n = x->out.len - x->sent;
	text_init(&part);
	text_put_n(&part, x->out.data + x->sent, n);
	x->sent += n;
	bool last = x->sent == x->out.len;
	connection_write(x->connection, &part, last ? x : NULL);
	buf_fini(&part);
	if (!last)
		wait_step(x, STEP_SLOW, x->fate.slow_ms);
}

static void exchange_send(struct exchange *x)
{
	struct connection *c = x->connection;
	struct buf out;

	if (x->fate.garbage)
		garble(x);
	if (x->reply.wants_crc)
		finish_dynamodb(x);
	if (!c) {
		exchange_end(x);
		return;
	}
	text_init(&out);
	put_head(x, &out);
	size_t head = out.len;
	if (strcmp(x->request.method, "HEAD") != 0)
		text_put_n(&out, buf_str(&x->reply.body), x->reply.body.len);
	if (x->fate.truncate_bytes >= 0 && head + (size_t)x->fate.truncate_bytes < out.len) {
		/* FIN, not RST: what was sent must arrive. To the client it is a body that ends too soon. */
		out.len = head + (size_t)x->fate.truncate_bytes;
		x->keep_alive = false;
	}
	if (x->fate.slow_bytes > 0) {
		buf_take(&x->out, &out);
		send_slowly(x);
	} else {
		connection_write(c, &out, x);
	}
	buf_fini(&out);
}

/* Carries the request out, or refuses it by rule. */
static void exchange_effect(struct exchange *x)
{
	struct fake *f = x->fake;

	if (x->fate.status) {
		route_error(&x->request, &x->reply, x->fate.status, x->fate.code, x->fate.message);
	} else {
		x->effect = true;
		route_answer(f, &x->request, &x->reply);
	}
	if (x->request.service != SERVICE_CONTROL)
		audit_note(f, &x->request, &x->reply, x->fate.rule, x->effect);
	if (x->fate.never_after) {
		x->parked = true;
		if (!x->connection)
			exchange_end(x);
		return;
	}
	if (x->fate.reset_after) {
		struct connection *c = x->connection;
		exchange_end(x);
		if (c)
			connection_close(c, true);
		return;
	}
	if (x->fate.hold_after)
		hold(x, STEP_SEND);
	else if (x->fate.delay_after_ms)
		wait_step(x, STEP_SEND, x->fate.delay_after_ms);
	else
		exchange_send(x);
}

static void exchange_step(struct exchange *x)
{
	if (x->step == STEP_EFFECT)
		exchange_effect(x);
	else if (x->step == STEP_SEND)
		exchange_send(x);
	else
		send_slowly(x);
}

static void exchange_begin(struct exchange *x)
{
	struct fake *f = x->fake;

	route_identify(f, &x->request);
	x->fate = (struct fate){.truncate_bytes = -1};
	if (x->request.service != SERVICE_CONTROL)
		faults_choose(&f->faults, &x->request, &x->fate);
	if (x->fate.reset_before || x->fate.never_before) {
		x->reply.status = 0;
		audit_note(f, &x->request, &x->reply, x->fate.rule, false);
		x->parked = true;
		if (x->fate.reset_before)
			connection_close(x->connection, true);
		return;
	}
	if (x->fate.hold_before)
		hold(x, STEP_EFFECT);
	else if (x->fate.delay_before_ms)
		wait_step(x, STEP_EFFECT, x->fate.delay_before_ms);
	else
		exchange_effect(x);
}

/* --- requests --- */

static void finish_header(struct connection *c)
{
	struct buf *n = &c->name;

	if (n->len) {
		for (size_t i = 0; i < n->len; i++)
			n->data[i] = (char)tolower((unsigned char)n->data[i]);
		pairs_add(&c->current->request.headers, n->data, n->len, buf_str(&c->value), c->value.len);
	}
	buf_reset(n);
	buf_reset(&c->value);
	c->in_value = false;
}

static int on_begin(http_parser *p)
{
	struct connection *c = p->data;

	/* Nobody here pipelines, and an answer that is late would have to hold back the next request. */
	if (c->current)
		return -1;
	struct exchange *x = mem_new(sizeof(*x));
	x->fake = c->server->fake;
	x->connection = c;
	reply_init(&x->reply);
	text_init(&x->request.target);
	text_init(&x->request.body);
	text_init(&x->out);
	uv_timer_init(c->server->loop, &x->timer);
	x->timer.data = x;
	c->current = x;
	c->reading = true;
	return 0;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct connection *c = p->data;
	text_put_n(&c->current->request.target, at, n);
	return 0;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct connection *c = p->data;
	if (c->in_value)
		finish_header(c);
	text_put_n(&c->name, at, n);
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct connection *c = p->data;
	c->in_value = true;
	text_put_n(&c->value, at, n);
	return 0;
}

static int on_head(http_parser *p)
{
	struct connection *c = p->data;
	const char *expect;

	finish_header(c);
	expect = request_header(&c->current->request, "expect");
	if (expect && strcasecmp(expect, "100-continue") == 0) {
		struct buf go;
		text_init(&go);
		text_put(&go, "HTTP/1.1 100 Continue\r\n\r\n");
		connection_write(c, &go, NULL);
	}
	return c->closing ? -1 : 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
	struct connection *c = p->data;
	if (c->current->request.body.len + n > BODY_MAX)
		return -1;
	text_put_n(&c->current->request.body, at, n);
	return 0;
}

static int on_complete(http_parser *p)
{
	struct connection *c = p->data;
	struct exchange *x = c->current;
	struct request *r = &x->request;
	const char *target = buf_str(&r->target);
	size_t path_len = strcspn(target, "?");

	r->method = http_method_str((enum http_method)p->method);
	r->path = uri_decode(target, path_len);
	r->query_good = uri_query(target[path_len] ? target + path_len + 1 : "", &r->query);
	x->keep_alive = http_should_keep_alive(p);
	c->reading = false;
	exchange_begin(x);
	return 0;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	static const http_parser_settings settings = {.on_message_begin = on_begin,
						      .on_url = on_url,
						      .on_header_field = on_field,
						      .on_header_value = on_value,
						      .on_headers_complete = on_head,
						      .on_body = on_body,
						      .on_message_complete = on_complete};
	struct connection *c = stream->data;

	if (n == 0 || c->closing)
		return;
	if (n < 0 || http_parser_execute(&c->parser, &settings, b->base, (size_t)n) != (size_t)n)
		connection_close(c, false);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
	struct connection *c = h->data;
	(void)suggested;
	*b = uv_buf_init(c->room, READ_BYTES);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct http_server *s = listener->data;
	struct connection *c;

	if (status != 0)
		return;
	c = mem_new(sizeof(*c));
	c->server = s;
	text_init(&c->name);
	text_init(&c->value);
	uv_tcp_init(s->loop, &c->tcp);
	c->tcp.data = c;
	http_parser_init(&c->parser, HTTP_REQUEST);
	c->parser.data = c;
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 ||
	    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
		connection_close(c, false);
	else
		uv_tcp_nodelay(&c->tcp, 1);
}

int http_listen(struct http_server *s, uv_loop_t *loop, struct fake *f, int port)
{
	struct sockaddr_in address;
	int rc, len = sizeof(address);

	s->loop = loop;
	s->fake = f;
	uv_tcp_init(loop, &s->listener);
	s->listener.data = s;
	rc = uv_ip4_addr("127.0.0.1", port, &address);
	if (rc == 0)
		rc = uv_tcp_bind(&s->listener, (const struct sockaddr *)&address, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&s->listener, 1024, on_connection);
	if (rc == 0)
		rc = uv_tcp_getsockname(&s->listener, (struct sockaddr *)&address, &len);
	s->port = ntohs(address.sin_port);
	return rc;
}
