#include "aws_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void on_conn_closed(uv_handle_t *h)
{
	struct aws_fixture_conn *c = h->data;

	buf_fini(&c->in);
	c->open = false;
}

static void alloc(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
	struct aws_fixture_conn *c = h->data;

	(void)hint;
	*b = uv_buf_init(c->chunk, sizeof(c->chunk));
}

static void on_written(uv_write_t *w, int status)
{
	(void)status;
	free(w);
}

/* The length of the complete request at the begin of `in`, or 0. */
static size_t request_len(const struct buf *in)
{
	const char *end = strstr(buf_str(in), "\r\n\r\n");
	size_t body = 0, head;

	if (!end)
		return 0;
	head = (size_t)(end - in->data) + 4;
	for (const char *p = in->data; p < end; p = strstr(p, "\r\n") + 2) {
		if (strncasecmp(p, "content-length:", 15) == 0)
			body = strtoul(p + 15, NULL, 10);
	}
	return in->len >= head + body ? head + body : 0;
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct aws_fixture_conn *c = s->data;
	struct aws_fixture *f = c->f;
	struct buf *answer;
	uv_write_t *w;
	size_t len;

	if (n < 0) {
		if (!uv_is_closing((uv_handle_t *)s))
			uv_close((uv_handle_t *)s, on_conn_closed);
		return;
	}
	assert_int_equal(buf_append(&c->in, b->base, (size_t)n), 0);
	len = request_len(&c->in);
	if (len == 0)
		return;
	assert_int_equal(len, c->in.len);
	buf_reset(&f->request);
	buf_append(&f->request, c->in.data, len);
	buf_reset(&c->in);
	f->nrequests++;
	if (f->next_answer == f->nanswers) {
		uv_close((uv_handle_t *)s, on_conn_closed);
		return;
	}
	answer = &f->answers[f->next_answer++];
	if (answer->len == 0)
		return;
	w = calloc(1, sizeof(*w));
	assert_non_null(w);
	uv_write(w, s, &(uv_buf_t){.base = answer->data, .len = answer->len}, 1, on_written);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct aws_fixture *f = listener->data;
	struct aws_fixture_conn *c = calloc(1, sizeof(*c));

	assert_int_equal(status, 0);
	assert_non_null(c);
	c->f = f;
	c->open = true;
	c->next = f->conns;
	f->conns = c;
	buf_init(&c->in, AWS_FIXTURE_REQUEST_MAX);
	uv_tcp_init(&f->loop, &c->tcp);
	c->tcp.data = c;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->tcp), 0);
	uv_read_start((uv_stream_t *)&c->tcp, alloc, on_read);
}

void aws_fixture_answer_raw(struct aws_fixture *f, const char *bytes, size_t len)
{
	struct buf *b;

	if (f->next_answer == f->nanswers)
		f->next_answer = f->nanswers = 0;
	assert_true(f->nanswers < AWS_FIXTURE_QUEUE);
	b = &f->answers[f->nanswers++];
	buf_reset(b);
	buf_append(b, bytes, len);
}

void aws_fixture_answer(struct aws_fixture *f, const char *status, const char *headers, const char *body,
			size_t body_len)
{
	struct buf b;

	buf_init(&b, AWS_FIXTURE_REQUEST_MAX);
	buf_printf(&b, "HTTP/1.1 %s\r\n%s", status, headers);
	if (strncmp(status, "204", 3) != 0 && !strcasestr(headers, "content-length:"))
		buf_printf(&b, "Content-Length: %zu\r\n", body_len);
	buf_append_str(&b, "\r\n");
	buf_append(&b, body, body_len);
	aws_fixture_answer_raw(f, b.data, b.len);
	buf_fini(&b);
}

const char *aws_fixture_header(const struct aws_fixture *f, const char *name)
{
	static char value[8192];
	const char *text = buf_str(&f->request), *end = strstr(text, "\r\n\r\n");
	size_t n = strlen(name);

	value[0] = '\0';
	for (const char *p = strstr(text, "\r\n"); p && p < end; p = strstr(p + 2, "\r\n")) {
		if (strncasecmp(p + 2, name, n) != 0 || p[2 + n] != ':')
			continue;
		p += 2 + n + 1;
		p += strspn(p, " ");
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(p, "\r"), p);
		break;
	}
	return value;
}

const char *aws_fixture_body(const struct aws_fixture *f)
{
	return strstr(buf_str(&f->request), "\r\n\r\n") + 4;
}

const char *aws_fixture_request_line(const struct aws_fixture *f)
{
	static char line[8192];

	snprintf(line, sizeof(line), "%.*s", (int)strcspn(buf_str(&f->request), "\r"), buf_str(&f->request));
	return line;
}

static void observe(void *arg, const struct aws_op *op, enum aws_operation what, int rc, int status,
		    int64_t duration_us)
{
	struct aws_fixture *f = arg;

	assert_ptr_equal(op->aws, &f->aws);
	assert_true(duration_us >= 0);
	f->nobserved++;
	f->observed_what = what;
	f->observed_rc = rc;
	f->observed_status = status;
}

void aws_fixture_environment(const char *access_key, const char *secret, const char *token)
{
	static const char *const names[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
					    "AWS_PROFILE"};
	const char *values[] = {access_key, secret, token, NULL};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (values[i])
			setenv(names[i], values[i], 1);
		else
			unsetenv(names[i]);
	}
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("no_proxy", "*", 1);
}

static void start_server(struct aws_fixture *f)
{
	struct sockaddr_in addr;
	int size = sizeof(addr);

	for (size_t i = 0; i < AWS_FIXTURE_QUEUE; i++)
		buf_init(&f->answers[i], AWS_FIXTURE_REQUEST_MAX);
	buf_init(&f->request, AWS_FIXTURE_REQUEST_MAX);
	uv_ip4_addr("127.0.0.1", 0, &addr);
	uv_tcp_init(&f->loop, &f->listener);
	f->listener.data = f;
	assert_int_equal(uv_tcp_bind(&f->listener, (struct sockaddr *)&addr, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 8, on_connection), 0);
	uv_tcp_getsockname(&f->listener, (struct sockaddr *)&addr, &size);
	snprintf(f->host, sizeof(f->host), "127.0.0.1:%d", ntohs(addr.sin_port));
	snprintf(f->url, sizeof(f->url), "http://%s", f->host);
}

int aws_fixture_start(void **state)
{
	struct aws_fixture *f = calloc(1, sizeof(*f));
	struct err e;

	assert_non_null(f);
	uv_loop_init(&f->loop);
	start_server(f);
	f->config = (struct config){.region = (char *)"eu-west-1", .bucket = (char *)"bkt"};
	for (int s = 0; s < CONFIG_SERVICES; s++)
		f->config.endpoints[s] = f->url;
	assert_int_equal(aws_init(&f->aws, &f->loop, &f->config, 2, &e), 0);
	f->aws.observe = observe;
	f->aws.observe_arg = f;
	assert_int_equal(aws_op_init(&f->op, &f->aws, 256 * 1024, &e), 0);
	*state = f;
	return 0;
}

int aws_fixture_setup(void **state)
{
	aws_fixture_environment("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL);
	return aws_fixture_start(state);
}

void aws_fixture_disconnect(struct aws_fixture *f)
{
	for (struct aws_fixture_conn *c = f->conns; c; c = c->next) {
		if (c->open && !uv_is_closing((uv_handle_t *)&c->tcp))
			uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
	}
}

int aws_fixture_teardown(void **state)
{
	struct aws_fixture *f = *state;

	if (f->op.slot)
		aws_op_fini(&f->op, NULL);
	aws_fini(&f->aws);
	uv_close((uv_handle_t *)&f->listener, NULL);
	aws_fixture_disconnect(f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	while (f->conns) {
		struct aws_fixture_conn *c = f->conns;

		f->conns = c->next;
		free(c);
	}
	for (size_t i = 0; i < AWS_FIXTURE_QUEUE; i++)
		buf_fini(&f->answers[i]);
	buf_fini(&f->request);
	free(f);
	return 0;
}
