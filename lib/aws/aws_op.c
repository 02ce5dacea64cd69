/*
 * The way of one request: begin, build, sign, send; then from the loop: clock, classify, parse, observe, done.
 * After `done` was called the op may hold another request or be gone, so nothing is touched behind it.
 */
#include "aws/aws_op.h"

#include <isa-l/crc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "aws/aws_endpoint.h"
#include "aws/aws_gunzip.h"
#include "base/clock.h"
#include "codec/awserr.h"
#include "codec/digest.h"
#include "codec/encode.h"

#define TEXT_MAX (64 * 1024)	    /* URL and headers: a key is 3 KiB at most, a session token a few KiB */
#define BODY_MAX (16 * 1024 * 1024) /* of a BatchWriteItem, the longest request that is made here */
#define BODY_KEEP (256 * 1024)	    /* what stays allocated from one request to the next */
#define LABEL_MAX 1024
#define STALL_TIMEOUT_MS 30000
#define TOTAL_TIMEOUT_MS \
	300000 /* a server that sends one byte now and then must not hold a shard or an item for ever */
#define WAIT_TICK_MS 200
#define DATE_TRUST_MS 5000
#define SKEW_STEP_MS 2000
#define SKEW_WORTH_TELLING_MS 300000 /* signatures are good for 15 minutes */

int aws_op_init(struct aws_op *op, struct aws *a, size_t body_max, struct err *e)
{
	*op = (struct aws_op){.aws = a, .bucket = &a->bucket};
	op->slot = http_slot_new(a->http, body_max);
	if (!op->slot)
		return err_set(e, ERR_SYSTEM, "out of memory");
	buf_init(&op->text, TEXT_MAX);
	buf_init(&op->body, BODY_MAX);
	buf_init(&op->label, LABEL_MAX);
	buf_init(&op->auth, TEXT_MAX);
	uv_timer_init(a->loop, &op->defer);
	op->defer.data = op;
	op->defer_open = true;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct aws_op *op = h->data;

	if (op->closed)
		op->closed(op);
}

void aws_op_fini(struct aws_op *op, void (*closed)(struct aws_op *op))
{
	if (op->slot) {
		http_slot_free(op->slot);
		op->slot = NULL;
		/* It may hold a session token. */
		if (op->text.data)
			explicit_bzero(op->text.data, op->text.cap);
		buf_fini(&op->text);
		buf_fini(&op->body);
		buf_fini(&op->label);
		buf_fini(&op->auth);
	}
	op->busy = false;
	if (!op->defer_open) {
		if (closed)
			closed(op);
		return;
	}
	op->defer_open = false;
	op->closed = closed;
	uv_close((uv_handle_t *)&op->defer, on_closed);
}

int aws_op_fail(struct aws_op *op, enum err_class class, const char *fmt, ...)
{
	char text[sizeof(op->err.message)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	op->rc = err_set(&op->err, class, "%s", text);
	return op->rc;
}

/* Takes the result of a buffer's function over; true when building may go on. */
static bool built(struct aws_op *op, int rc)
{
	if (rc == 0)
		return true;
	if (rc == -ERR_LIMIT)
		aws_op_fail(op, ERR_INVALID, "the request is too long");
	else
		aws_op_fail(op, ERR_SYSTEM, "out of memory");
	return false;
}

void aws_op_begin(struct aws_op *op, enum aws_operation what, aws_done_fn *done, void *arg)
{
	op->busy = true;
	op->what = what;
	op->done = done;
	op->arg = arg;
	op->rc = 0;
	op->err = (struct err){0};
	op->http_status = 0;
	op->duration_us = 0;
	op->parse = NULL;
	op->refused = NULL;
	op->result = NULL;
	op->nlines = 0;
	op->deferred = false;
	buf_reset(&op->text);
	buf_reset(&op->body);
	buf_reset(&op->label);
	buf_reset(&op->auth);
}

void aws_op_label(struct aws_op *op, const char *fmt, ...)
{
	char text[LABEL_MAX];
	va_list ap;

	if (op->rc < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	built(op, buf_append_str(&op->label, text));
}

void aws_op_origin(struct aws_op *op, const char *origin)
{
	if (op->rc < 0 || !built(op, buf_append_str(&op->text, origin)))
		return;
	op->path_off = op->query_off = op->url_len = op->text.len;
}

/* Percent-encodes straight into the text. */
static bool append_percent(struct aws_op *op, struct span raw, const char *keep)
{
	if (raw.len > TEXT_MAX)
		return built(op, -ERR_LIMIT);
	if (!built(op, buf_reserve(&op->text, 3 * raw.len + 1)))
		return false;
	op->text.len += encode_percent(op->text.data + op->text.len, raw.ptr, raw.len, keep);
	op->text.data[op->text.len] = '\0';
	return true;
}

void aws_op_path(struct aws_op *op, struct span raw)
{
	if (op->rc < 0 || !built(op, buf_append_char(&op->text, '/')) || !append_percent(op, raw, "/"))
		return;
	op->query_off = op->url_len = op->text.len;
}

void aws_op_query(struct aws_op *op, const char *name, struct span value)
{
	bool first = op->query_off == op->url_len;

	if (op->rc < 0 || !built(op, buf_append_char(&op->text, first ? '?' : '&')))
		return;
	if (first)
		op->query_off = op->text.len;
	if (!built(op, buf_append_str(&op->text, name)))
		return;
	if (value.len > 0 && (!built(op, buf_append_char(&op->text, '=')) || !append_percent(op, value, NULL)))
		return;
	op->url_len = op->text.len;
}

static bool header_value_safe(struct span v)
{
	if (v.len == 0 || v.ptr[0] == ' ' || v.ptr[v.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (v.ptr[i] < 0x20 || v.ptr[i] > 0x7e)
			return false;
	}
	return true;
}

void aws_op_header(struct aws_op *op, const char *name, struct span value)
{
	struct aws_line *line = &op->lines[op->nlines];

	if (op->rc < 0)
		return;
	/* One place is for Authorization. */
	if (op->nlines == HTTP_HEADERS_MAX - 1) {
		aws_op_fail(op, ERR_INVALID, "more than %d headers", HTTP_HEADERS_MAX);
		return;
	}
	if (!header_value_safe(value)) {
		aws_op_fail(op, ERR_INVALID, "the value for header %s has bytes that a header cannot carry", name);
		return;
	}
	/* The NUL that ends what is there (the URL or a line) becomes part of the text. */
	if (!built(op, buf_append_char(&op->text, '\0')))
		return;
	*line = (struct aws_line){.off = op->text.len, .name_len = strlen(name), .value_len = value.len};
	if (built(op, buf_append_str(&op->text, name)) && built(op, buf_append_str(&op->text, ": ")) &&
	    built(op, buf_append(&op->text, value.ptr, value.len)))
		op->nlines++;
}

static bool line_is_signed(struct span name)
{
	return (name.len > 6 && memcmp(name.ptr, "x-amz-", 6) == 0) || span_eq_str(name, "content-type") ||
	       span_eq_str(name, "content-md5");
}

static void sign(struct aws_op *op, const char *method, const char *origin, const char *payload_hash,
		 const char *amz_date)
{
	enum config_service service = aws_operation_service(op->what);
	struct sigv4_header headers[HTTP_HEADERS_MAX];
	size_t n = 0;
	const char *text = op->text.data;
	struct sigv4_request r = {
		.method = method,
		.path = {text + op->path_off,
			 (op->query_off < op->url_len ? op->query_off - 1 : op->url_len) - op->path_off},
		.query = {text + op->query_off, op->url_len - op->query_off},
		.headers = headers,
		.payload_hash = {payload_hash, 2 * DIGEST_SHA256_SIZE},
		.amz_date = amz_date,
		.encode_path = service != CONFIG_S3,
	};

	headers[n++] = (struct sigv4_header){SPAN_LIT("host"), span_of(aws_endpoint_host(origin))};
	for (size_t i = 0; i < op->nlines; i++) {
		const struct aws_line *l = &op->lines[i];
		struct span name = {text + l->off, l->name_len};

		if (line_is_signed(name))
			headers[n++] = (struct sigv4_header){name, {name.ptr + name.len + 2, l->value_len}};
	}
	r.nheaders = n;
	if (built(op, buf_append_str(&op->auth, "authorization: ")))
		built(op, sigv4_sign(&op->aws->keys[service], &r, &op->auth));
}

/* Many requests go out within one second. */
static const char *stamp(struct aws *a, int64_t wall_ms)
{
	if (wall_ms / 1000 != a->stamp_s || a->stamp[0] == '\0')
		clock_amz(a->stamp, wall_ms);
	a->stamp_s = wall_ms / 1000;
	return a->stamp;
}

static void hash_body(char hex[2 * DIGEST_SHA256_SIZE], struct span body)
{
	static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	uint8_t hash[DIGEST_SHA256_SIZE];

	if (body.len == 0) {
		memcpy(hex, of_nothing, 2 * DIGEST_SHA256_SIZE);
		return;
	}
	digest_sha256(hash, body.ptr, body.len);
	encode_hex(hex, hash, sizeof(hash));
}

/* Adds what is about the moment of sending: time, credentials, the body's hash; then the signature over all. */
static void authorize(struct aws_op *op, const char *method, struct span body)
{
	struct aws *a = op->aws;
	enum config_service service = aws_operation_service(op->what);
	const char *origin = service == CONFIG_S3 ? op->bucket->origin : a->endpoint[service];
	const struct creds_keys *keys = creds_get(a->creds, &op->err);
	const char *amz_date = stamp(a, op->start_ms);
	char hex[2 * DIGEST_SHA256_SIZE];
	char day[9];

	if (!keys) {
		op->rc = op->err.class ? -(int)op->err.class : aws_op_fail(op, ERR_AUTH, "no AWS credentials");
		return;
	}
	op->err = (struct err){0};
	memcpy(day, amz_date, 8);
	day[8] = '\0';
	hash_body(hex, body);

	aws_op_header(op, "x-amz-date", span_of(amz_date));
	if (keys->session_token)
		aws_op_header(op, "x-amz-security-token", span_of(keys->session_token));
	if (service == CONFIG_S3)
		aws_op_header(op, "x-amz-content-sha256", (struct span){hex, sizeof(hex)});
	if (op->rc < 0)
		return;
	sigv4_key_update(&a->keys[service], day, a->region, aws_endpoint_signing_name(service), keys->access_key,
			 keys->secret_key);
	sign(op, method, origin, hex, amz_date);
}

/* The skew between the server's clock and ours; see clock_skew_ms. */
static void learn_clock(struct aws_op *op, int64_t duration_ms)
{
	struct aws *a = op->aws;
	struct span date = http_header_get(op->slot, "date");
	char text[40];
	int64_t server_ms, sample;

	if (date.len == 0 || date.len >= sizeof(text) || duration_ms > DATE_TRUST_MS)
		return;
	memcpy(text, date.ptr, date.len);
	text[date.len] = '\0';
	if (!clock_parse_http(text, &server_ms))
		return;
	/* The header's second had begun up to a second before. */
	sample = server_ms + 500 - (op->start_ms + duration_ms / 2);
	if (!a->clock_skew_known || sample - a->clock_skew_ms > SKEW_STEP_MS ||
	    a->clock_skew_ms - sample > SKEW_STEP_MS)
		a->clock_skew_ms = sample;
	else
		a->clock_skew_ms += (sample - a->clock_skew_ms) / 8;
	a->clock_skew_known = true;
}

static struct span answer_body(const struct aws_op *op)
{
	const struct buf *b = http_body(op->slot);

	return (struct span){buf_str(b), b->len};
}

static bool answer_is_json(const struct aws_op *op)
{
	enum config_service s = aws_operation_service(op->what);

	return s == CONFIG_DYNAMODB || s == CONFIG_STREAMS || s == CONFIG_SCALING;
}

/* Nothing compressed is asked for: within a region it would cost more than it saves. What stands between may do it all the same. */
static int decode_body(struct aws_op *op)
{
	struct span coding = http_header_get(op->slot, "content-encoding");

	if (coding.len == 0 || span_eq_str(coding, "identity"))
		return 0;
	if (!span_eq_str(coding, "gzip"))
		return aws_op_fail(op, ERR_CORRUPT, "the answer has the coding \"%.*s\", which was not asked for",
				   (int)(coding.len < 40 ? coding.len : 40), coding.ptr);
	return aws_gunzip(http_body(op->slot), &op->err);
}

/* DynamoDB's checksum covers the bytes on the wire. */
static int check_crc32(struct aws_op *op)
{
	struct span told = http_header_get(op->slot, "x-amz-crc32");
	struct span body = answer_body(op);
	char text[16];

	if (told.len == 0)
		return 0;
	snprintf(text, sizeof(text), "%lu",
		 (unsigned long)crc32_gzip_refl(0, (const unsigned char *)body.ptr, body.len));
	if (!span_eq_str(told, text))
		return aws_op_fail(op, ERR_CORRUPT, "the answer's %zu bytes do not match their x-amz-crc32", body.len);
	return 0;
}

static struct span answer_request_id(const struct aws_op *op)
{
	struct span id = http_header_get(op->slot, "x-amzn-requestid");

	return id.len > 0 ? id : http_header_get(op->slot, "x-amz-request-id");
}

/* Decides on a whole answer. */
static void judge(struct aws_op *op)
{
	bool good = op->http_status / 100 == 2;

	op->rc = answer_is_json(op) ? check_crc32(op) : 0;
	if (op->rc == 0 && answer_is_json(op))
		op->rc = decode_body(op);
	if (op->rc == 0 && good && op->parse)
		op->rc = op->parse(op);
	if (op->rc == 0 && good)
		return;

	struct span id = answer_request_id(op);

	if (op->rc == 0) {
		op->rc = answer_is_json(op) ? awserr_json(&op->err, op->http_status, answer_body(op), id)
					    : awserr_xml(&op->err, op->http_status, answer_body(op), id);
		op->err.retry_after_ms = http_retry_after_ms(op->slot, clock_wall_ms());
		if (op->refused)
			op->rc = op->refused(op);
	}
	if (op->rc == 0)
		return;
	if (op->err.class == ERR_CORRUPT) {
		op->err.maybe_done = true;
		op->err.http_status = op->http_status;
		snprintf(op->err.request_id, sizeof(op->err.request_id), "%.*s", (int)id.len, id.len ? id.ptr : "");
	}
	if (op->err.class == ERR_AUTH)
		creds_rejected(op->aws->creds);
}

static void explain(struct aws_op *op)
{
	const struct aws *a = op->aws;
	size_t len = strlen(op->err.message);

	if (op->err.class == ERR_AUTH && a->clock_skew_known &&
	    (a->clock_skew_ms > SKEW_WORTH_TELLING_MS || a->clock_skew_ms < -SKEW_WORTH_TELLING_MS))
		snprintf(op->err.message + len, sizeof(op->err.message) - len,
			 "; this host's clock is %lld s %s the server's: set it, or run a time service",
			 (long long)(a->clock_skew_ms < 0 ? -a->clock_skew_ms : a->clock_skew_ms) / 1000,
			 a->clock_skew_ms < 0 ? "ahead of" : "behind");
	if (aws_operation_service(op->what) == CONFIG_S3)
		err_prefix(&op->err, "%s in bucket %s", aws_operation_name(op->what), op->bucket->name);
	else if (op->label.len > 0)
		err_prefix(&op->err, "%s %s", aws_operation_name(op->what), buf_str(&op->label));
	else
		err_prefix(&op->err, "%s", aws_operation_name(op->what));
}

static void finish(struct aws_op *op)
{
	struct aws *a = op->aws;

	op->deferred = false;
	if (op->rc < 0)
		explain(op);
	buf_reset(&op->body);
	buf_trim(&op->body, BODY_KEEP);
	if (a->observe)
		a->observe(a->observe_arg, op, op->what, op->rc, op->http_status, op->duration_us);
	op->busy = false;
	/* A turn runs its timers first: one that ends the request here would be followed by a poll without end. */
	if (op->waited)
		uv_stop(a->loop);
	if (op->done)
		op->done(op, op->rc, op->arg);
}

static void on_http_done(struct http_slot *s, const struct http_answer *answer, void *arg)
{
	struct aws_op *op = arg;

	(void)s;
	op->http_status = answer->status;
	op->duration_us = answer->duration_us;
	if (answer->status != 0)
		learn_clock(op, answer->duration_us / 1000);
	if (answer->err.class != ERR_NONE) {
		op->err = answer->err;
		op->rc = -(int)answer->err.class;
	} else {
		judge(op);
	}
	finish(op);
}

static void on_defer(uv_timer_t *t)
{
	finish(t->data);
}

static void defer(struct aws_op *op)
{
	op->deferred = true;
	/* libuv runs a timer of 0 ms that a timer's callback starts in the same turn: a caller that tries again at once
	 * would keep the loop there for ever. */
	uv_timer_start(&op->defer, on_defer, 1, 0);
}

void aws_op_send(struct aws_op *op, const char *method, struct span body)
{
	struct http_call call = {
		.method = method,
		.headers = op->headers,
		.body = body,
		.stall_timeout_ms = STALL_TIMEOUT_MS,
		.total_timeout_ms = TOTAL_TIMEOUT_MS,
	};

	op->start_ms = clock_wall_ms();
	if (op->rc == 0)
		authorize(op, method, body);
	if (op->rc == 0) {
		call.url = op->text.data;
		for (size_t i = 0; i < op->nlines; i++)
			op->headers[i].line = op->text.data + op->lines[i].off;
		op->headers[op->nlines].line = op->auth.data;
		call.nheaders = op->nlines + 1;
		op->rc = http_send(op->slot, &call, on_http_done, op, &op->err);
	}
	if (op->rc < 0)
		defer(op);
}

void aws_op_cancel(struct aws_op *op)
{
	if (!op->busy)
		return;
	if (op->deferred)
		aws_op_fail(op, ERR_CANCELLED, "cancelled");
	else
		http_cancel(op->slot);
}

/* Only there to end a wait of the loop. */
static void on_tick(uv_timer_t *t)
{
	(void)t;
}

int aws_wait(struct aws_op *op, const bool *stop)
{
	bool cancelled = false;

	/* The timer is free while a request is on its way. */
	if (op->busy && !op->deferred)
		uv_timer_start(&op->defer, on_tick, WAIT_TICK_MS, WAIT_TICK_MS);
	op->waited = true;
	while (op->busy) {
		if (stop && *stop && !cancelled) {
			cancelled = true;
			aws_op_cancel(op);
		}
		uv_run(op->aws->loop, UV_RUN_ONCE);
	}
	op->waited = false;
	uv_timer_stop(&op->defer);
	return op->rc;
}
