/*
 * http_head: the header of a request.
 *
 * libcurl formats each line of CURLOPT_HTTPHEADER byte by byte; for the 900 bytes of a signed PUT that took longer than
 * its TLS. What it is given as CURLOPT_REQUEST_TARGET it copies, "without any filter or other safe guards" (its manual),
 * between the method and the version. So that is more than the target here (libcurl's own part in brackets):
 *
 *	[PUT ]/bucket/key HTTP/1.1
 *	content-type: application/json
 *	...
 *	User-Agent: ddb-streamd[ HTTP/1.1
 *	Host: ...
 *	Content-Length: ...]
 *
 * A user agent is a list of names with versions (RFC 9110, 10.1.5), so the last line says "ddb-streamd, HTTP/1.1".
 * What such a target would not do for, libcurl gets line by line: a proxy wants to have the whole URL in the first
 * line, a Host line takes the place of libcurl's own, and of an odd URL libcurl must be the judge.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http_private.h"

#define VERSION " HTTP/1.1\r\n"
#define TARGET_MAX ((size_t)1 << 20) /* libcurl takes no longer requests */

/* libcurl's own rule: http_proxy in lower case only, since a web server's HTTP_PROXY is a header that a client sent. */
bool http_head_proxied(void)
{
	static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return true;
	}
	return false;
}

void http_head_init(struct http_slot *s)
{
	buf_init(&s->origin, TARGET_MAX);
	buf_init(&s->target, TARGET_MAX);
}

void http_head_fini(struct http_slot *s)
{
	/* Lines may hold a session token. */
	if (s->target.data)
		explicit_bzero(s->target.data, s->target.cap);
	buf_fini(&s->origin);
	buf_fini(&s->target);
}

static int check_lines(const struct http_call *c, struct err *e)
{
	if (c->nheaders > HTTP_HEADERS_MAX)
		return err_set(e, ERR_INVALID, "HTTP request has %zu header lines, %d are the most", c->nheaders,
			       HTTP_HEADERS_MAX);
	for (size_t i = 0; i < c->nheaders; i++) {
		const char *line = c->headers[i].line;

		if (strpbrk(line, "\r\n"))
			return err_set(e, ERR_INVALID, "HTTP request header %.*s holds a line break",
				       (int)strcspn(line, ":;\r\n"), line);
	}
	return 0;
}

/*
 * Where path and query begin; NULL when libcurl must get the lines one by one.
 */
static const char *plain_target(const struct http_slot *s, const struct http_call *c)
{
	bool tls = strncmp(c->url, "https://", 8) == 0;
	const char *path;

	if (!tls && (s->http->proxied || strncmp(c->url, "http://", 7) != 0))
		return NULL;
	path = strpbrk(c->url + (tls ? 8 : 7), "/?#");
	if (!path || *path != '/')
		return NULL;
	for (const char *p = path; *p; p++) {
		if (*p <= ' ' || *p > '~' || *p == '#')
			return NULL;
	}
	for (size_t i = 0; i < c->nheaders; i++) {
		const char *line = c->headers[i].line;
		const char *colon = strchr(line, ':');

		/* "Name;" and "Name:" mean something to libcurl. */
		if (!colon || colon[1] == '\0' || strncasecmp(line, "host:", 5) == 0)
			return NULL;
	}
	return path;
}

static int append_target(struct http_slot *s, const struct http_call *c, const char *path)
{
	struct buf *out = &s->target;
	int rc = buf_append_str(out, path);

	if (rc == 0)
		rc = buf_append_str(out, VERSION);
	for (size_t i = 0; i < c->nheaders && rc == 0; i++) {
		rc = buf_append_str(out, c->headers[i].line);
		if (rc == 0)
			rc = buf_append(out, "\r\n", 2);
	}
	if (rc == 0)
		rc = buf_append_str(out, "User-Agent: ");
	if (rc == 0)
		rc = buf_append_str(out, s->http->user_agent);
	return rc;
}

/* The URL without what the target says; it is copied, and so set only when it is another one. */
static CURLcode set_origin(struct http_slot *s, struct span origin)
{
	if (span_eq((struct span){buf_str(&s->origin), s->origin.len}, origin))
		return CURLE_OK;
	buf_reset(&s->origin);
	if (buf_append(&s->origin, origin.ptr, origin.len) < 0)
		return CURLE_OUT_OF_MEMORY;
	return curl_easy_setopt(s->easy, CURLOPT_URL, s->origin.data);
}

static void set_lines(struct http_slot *s, const struct http_header *headers, size_t nheaders)
{
	/*
	 * Names without a value keep libcurl from adding its own: a wait for "100 Continue", which some stores never
	 * send, a type of its choice, and bytes that nobody needs. They come last, for libcurl heeds the first line of
	 * a name.
	 */
	static char none[3][16] = {"Expect:", "Content-Type:", "Accept:"};
	size_t n = 0;

	for (; n < nheaders; n++) {
		/* libcurl only reads it. */
		s->header_nodes[n].data = (char *)headers[n].line;
		s->header_nodes[n].next = &s->header_nodes[n + 1];
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++, n++) {
		s->header_nodes[n].data = none[i];
		s->header_nodes[n].next = &s->header_nodes[n + 1];
	}
	s->header_nodes[n - 1].next = NULL;
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->header_nodes);
}

int http_head_set(struct http_slot *s, const struct http_call *c, struct err *e)
{
	const char *path;
	CURLcode crc;
	int rc = check_lines(c, e);

	if (rc < 0)
		return rc;
	path = plain_target(s, c);
	buf_reset(&s->target);
	if (path) {
		if (append_target(s, c, path) < 0)
			return err_set(e, ERR_INVALID, "HTTP request is too long, or no memory is left");
		crc = set_origin(s, (struct span){c->url, (size_t)(path - c->url)});
		set_lines(s, NULL, 0);
		if (crc == CURLE_OK)
			crc = curl_easy_setopt(s->easy, CURLOPT_USERAGENT, NULL);
	} else {
		buf_reset(&s->origin);
		crc = curl_easy_setopt(s->easy, CURLOPT_URL, c->url);
		set_lines(s, c->headers, c->nheaders);
		if (crc == CURLE_OK)
			crc = curl_easy_setopt(s->easy, CURLOPT_USERAGENT, s->http->user_agent);
	}
	if (crc == CURLE_OK)
		crc = curl_easy_setopt(s->easy, CURLOPT_REQUEST_TARGET, path ? s->target.data : NULL);
	if (crc != CURLE_OK)
		return err_set(e, ERR_INVALID, "URL is too long (%zu bytes), or no memory is left", strlen(c->url));
	return 0;
}
