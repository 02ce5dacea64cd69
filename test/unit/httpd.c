#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "httpd.h"

struct httpd_conn {
	uv_tcp_t tcp;
	struct httpd *h;
	struct httpd_conn *next;
	int number;
	int requests;
	char *in;
	size_t in_len;
	size_t in_total;
	int closing;
};

struct output {
	uv_write_t req;
	char bytes[];
};

static void on_conn_closed(uv_handle_t *handle)
{
	struct httpd_conn *c = handle->data;

	free(c->in);
	free(c);
}

static void conn_end(struct httpd_conn *c, int reset)
{
	struct httpd_conn **p = &c->h->first;

	if (c->closing)
		return;
	c->closing = 1;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	c->h->open--;
	if (!reset || uv_tcp_close_reset(&c->tcp, on_conn_closed) < 0)
		uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

void httpd_reset(struct httpd_conn *c)
{
	conn_end(c, 1);
}

static void on_written(uv_write_t *req, int status)
{
	(void)status;
	free(req->data);
}

void httpd_write(struct httpd_conn *c, const void *bytes, size_t len)
{
	struct output *o = malloc(sizeof(*o) + len);
	uv_buf_t b;

	assert_non_null(o);
	memcpy(o->bytes, bytes, len);
	o->req.data = o;
	b = uv_buf_init(o->bytes, (unsigned)len);
	if (uv_write(&o->req, (uv_stream_t *)&c->tcp, &b, 1, on_written) < 0)
		free(o);
}

void httpd_text(struct httpd_conn *c, const char *fmt, ...)
{
	char text[8192];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_in_range(n, 0, sizeof(text) - 1);
	httpd_write(c, text, (size_t)n);
}

void httpd_answer(struct httpd_conn *c, int status, const char *headers, const char *body)
{
	httpd_text(c, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body), headers, body);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	struct httpd_conn *c = req->data;

	(void)status;
	free(req);
	conn_end(c, 0);
}

void httpd_close(struct httpd_conn *c)
{
	uv_shutdown_t *req = malloc(sizeof(*req));

	assert_non_null(req);
	req->data = c;
	if (uv_shutdown(req, (uv_stream_t *)&c->tcp, on_shutdown) < 0) {
		free(req);
		conn_end(c, 0);
	}
}

/* One whole request at the start of c->in: calls back and removes it. 0 when there is none. */
static int take_request(struct httpd_conn *c)
{
	struct httpd *h = c->h;
	struct httpd_request r = {.connection = c->number};
	char *end;
	char *head;
	char *line;
	size_t head_len;
	char method[16];
	char target[2048];
	char *body;

	end = c->in ? memmem(c->in, c->in_len, "\r\n\r\n", 4) : NULL;
	if (!end)
		return 0;
	head_len = (size_t)(end - c->in) + 4;
	head = strndup(c->in, head_len);
	assert_non_null(head);
	line = strcasestr(head, "\r\nContent-Length:");
	r.body_len = line ? strtoul(line + 17, NULL, 10) : 0;
	if (c->in_len < head_len + r.body_len || sscanf(head, "%15s %2047s", method, target) != 2) {
		free(head);
		return 0;
	}
	body = malloc(r.body_len + 1);
	assert_non_null(body);
	memcpy(body, c->in + head_len, r.body_len);
	body[r.body_len] = '\0';
	c->in_len -= head_len + r.body_len;
	memmove(c->in, c->in + head_len + r.body_len, c->in_len);
	r.method = method;
	r.target = target;
	r.head = head;
	r.body = body;
	r.number = ++h->requests;
	r.nth = ++c->requests;
	h->fn(c, &r, h->arg);
	free(body);
	free(head);
	return 1;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	*buf = uv_buf_init(malloc(suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct httpd_conn *c = stream->data;

	if (n < 0) {
		conn_end(c, 0);
	} else if (n > 0) {
		c->in = realloc(c->in, c->in_len + (size_t)n);
		assert_non_null(c->in);
		memcpy(c->in + c->in_len, buf->base, (size_t)n);
		c->in_len += (size_t)n;
		c->in_total += (size_t)n;
		if (c->h->reset_after_bytes && c->in_total >= c->h->reset_after_bytes)
			httpd_reset(c);
		while (!c->closing && take_request(c))
			;
	}
	free(buf->base);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct httpd *h = listener->data;
	struct httpd_conn *c = calloc(1, sizeof(*c));

	assert_int_equal(status, 0);
	assert_non_null(c);
	c->h = h;
	c->number = ++h->connections;
	assert_int_equal(uv_tcp_init(h->loop, &c->tcp), 0);
	c->tcp.data = c;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->tcp), 0);
	/* Only the client under test may keep the loop alive. */
	uv_unref((uv_handle_t *)&c->tcp);
	c->next = h->first;
	h->first = c;
	h->open++;
	assert_int_equal(uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read), 0);
}

void httpd_start(struct httpd *h, uv_loop_t *loop, httpd_fn *fn, void *arg)
{
	struct sockaddr_in a;
	struct sockaddr_storage name;
	int len = sizeof(name);

	memset(h, 0, sizeof(*h));
	h->loop = loop;
	h->fn = fn;
	h->arg = arg;
	assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &a), 0);
	assert_int_equal(uv_tcp_init(loop, &h->listener), 0);
	h->listener.data = h;
	uv_unref((uv_handle_t *)&h->listener);
	assert_int_equal(uv_tcp_bind(&h->listener, (const struct sockaddr *)&a, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&h->listener, 512, on_connection), 0);
	assert_int_equal(uv_tcp_getsockname(&h->listener, (struct sockaddr *)&name, &len), 0);
	memcpy(&a, &name, sizeof(a));
	h->port = ntohs(a.sin_port);
}

void httpd_stop(struct httpd *h)
{
	while (h->first)
		conn_end(h->first, 1);
	uv_close((uv_handle_t *)&h->listener, NULL);
}
