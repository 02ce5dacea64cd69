/* http_url: how libcurl is told where a request goes, and how a person is. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http_private.h"

/* libcurl's own rule: http_proxy in lower case only, since a web server's HTTP_PROXY is a header that a client sent. */
bool http_url_proxied(void)
{
	static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return true;
	}
	return false;
}

/* Where path and query begin; NULL when libcurl must have the URL whole. */
static const char *target_of(const struct http_slot *s, const struct http_call *c)
{
	bool tls = strncmp(c->url, "https://", 8) == 0;
	const char *target;

	/* A proxy wants the whole URL in the first line. */
	if (!tls && (strncmp(c->url, "http://", 7) != 0 || (s->http->proxied && !c->direct)))
		return NULL;
	target = strpbrk(c->url + (tls ? 8 : 7), "/?#");
	if (!target || *target != '/')
		return NULL;
	/* Of an odd one libcurl is the judge. */
	for (const char *p = target; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '#')
			return NULL;
	return target;
}

/*
 * libcurl takes a URL apart and copies what it finds, each time: a tenth of what a small request costs. So it gets the
 * origin as the URL, which is mostly the one before, and the rest as what to ask there.
 */
int http_url_set(struct http_slot *s, const struct http_call *c, struct err *e)
{
	const char *target = target_of(s, c);
	struct span origin = {c->url, target ? (size_t)(target - c->url) : 0};
	CURLcode rc = curl_easy_setopt(s->easy, CURLOPT_REQUEST_TARGET, target);
	bool same = target && span_eq(origin, (struct span){buf_str(&s->origin), s->origin.len});

	if (rc == CURLE_OK && !same) {
		buf_reset(&s->origin);
		if (buf_append(&s->origin, origin.ptr, origin.len) < 0)
			rc = CURLE_OUT_OF_MEMORY;
		else
			rc = curl_easy_setopt(s->easy, CURLOPT_URL, target ? s->origin.data : c->url);
	}
	if (rc == CURLE_OK)
		return 0;
	buf_reset(&s->origin);
	return err_set(e, ERR_INVALID, "URL is too long (%zu bytes), or no memory is left", strlen(c->url));
}

void http_url_place(const char *url, char *out, size_t size)
{
	const char *scheme_end = strstr(url, "://");
	const char *host = scheme_end ? scheme_end + 3 : url;
	size_t len = strcspn(host, "/?#");
	const char *at = memchr(host, '@', len);
	const char *colon;
	const char *port = "";

	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	colon = memrchr(host, ':', len);
	/* A colon inside the brackets of an IPv6 address is not a port's. */
	if (!colon || memchr(colon, ']', len - (size_t)(colon - host)))
		port = strncasecmp(url, "https:", 6) == 0 ? ":443" : ":80";
	snprintf(out, size, "%.*s%s", (int)(len < 255 ? len : 255), host, port);
}
