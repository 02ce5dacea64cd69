#include "aws/aws_endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 253 /* RFC 1035, section 2.3.4, as text */

const char *aws_endpoint_service(enum config_service s)
{
	static const char *const names[CONFIG_SERVICES] = {
		[CONFIG_S3] = "S3",
		[CONFIG_DYNAMODB] = "DynamoDB",
		[CONFIG_STREAMS] = "DynamoDB Streams",
		[CONFIG_STS] = "STS",
		[CONFIG_SCALING] = "Application Auto Scaling",
	};
	return names[s];
}

const char *aws_endpoint_signing_name(enum config_service s)
{
	static const char *const names[CONFIG_SERVICES] = {
		[CONFIG_S3] = "s3",
		[CONFIG_DYNAMODB] = "dynamodb",
		[CONFIG_STREAMS] = "dynamodb",
		[CONFIG_STS] = "sts",
		[CONFIG_SCALING] = "application-autoscaling",
	};
	return names[s];
}

char *aws_endpoint_default(enum config_service s, const char *region)
{
	static const char *const names[CONFIG_SERVICES] = {
		[CONFIG_S3] = "s3",
		[CONFIG_DYNAMODB] = "dynamodb",
		[CONFIG_STREAMS] = "streams.dynamodb",
		[CONFIG_STS] = "sts",
		[CONFIG_SCALING] = "application-autoscaling",
	};
	const char *suffix = strncmp(region, "cn-", 3) == 0 ? ".cn" : "";
	char *origin;

	if (asprintf(&origin, "https://%s.%s.amazonaws.com%s", names[s], region, suffix) < 0)
		return NULL;
	return origin;
}

const char *aws_endpoint_host(const char *origin)
{
	const char *p = strstr(origin, "://");

	return p ? p + 3 : origin;
}

/* A host name or an IPv4 address, in lower case in `host`. */
static bool name_valid(char *host)
{
	const char *label = host;

	for (char *p = host; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_' && *p != '.')
			return false;
		if (*p == '.' && (p == label || p[1] == '\0'))
			return false;
		if (*p == '.')
			label = p + 1;
		*p = (char)tolower((unsigned char)*p);
	}
	/*
	 * What ends in a number is an IPv4 address. libcurl would rewrite short forms ("127.1"), and then send another
	 * host than the one that was signed: only the usual form is let through.
	 */
	if (isdigit((unsigned char)*label)) {
		struct in_addr addr;

		return inet_pton(AF_INET, host, &addr) == 1;
	}
	return *host != '\0';
}

/* Takes "[...]" apart and writes the address's shortest text, as libcurl does. */
static bool ipv6_valid(char *host, size_t size)
{
	struct in6_addr addr;
	char text[INET6_ADDRSTRLEN];
	size_t len = strlen(host);

	if (len < 4 || host[len - 1] != ']')
		return false;
	host[len - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &addr) != 1 || !inet_ntop(AF_INET6, &addr, text, sizeof(text)))
		return false;
	return snprintf(host, size, "[%s]", text) < (int)size;
}

static bool port_parse(const char *s, unsigned *port)
{
	*port = 0;
	if (*s == '\0')
		return false;
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s))
			return false;
		*port = *port * 10 + (unsigned)(*s - '0');
		if (*port > 65535)
			return false;
	}
	return *port != 0;
}

/* Splits HOST[:PORT][/] and checks both parts; *port is 0 without one. */
static bool host_port_parse(const char *s, char *host, size_t size, unsigned *port)
{
	size_t len = strlen(s);
	const char *colon;

	if (len > 0 && s[len - 1] == '/')
		len--;
	if (len == 0 || len >= size)
		return false;
	memcpy(host, s, len);
	host[len] = '\0';

	*port = 0;
	colon = *host == '[' ? strchr(host, ']') : host;
	colon = colon ? strchr(colon, ':') : NULL;
	if (colon) {
		if (!port_parse(colon + 1, port))
			return false;
		host[colon - host] = '\0';
	}
	return *host == '[' ? ipv6_valid(host, size) : name_valid(host);
}

int aws_endpoint_parse(enum config_service s, const char *url, char **out, struct err *e)
{
	char host[HOST_MAX + 10];
	bool https = strncasecmp(url, "https://", 8) == 0;
	unsigned port;
	int n;

	if (!https && strncasecmp(url, "http://", 7) != 0)
		goto invalid;
	if (!host_port_parse(url + (https ? 8 : 7), host, sizeof(host), &port))
		goto invalid;

	if (port == 0 || port == (https ? 443 : 80))
		n = asprintf(out, "%s://%s", https ? "https" : "http", host);
	else
		n = asprintf(out, "%s://%s:%u", https ? "https" : "http", host, port);
	if (n < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	return 0;

invalid:
	/* A URL with an '@' may hold a password. */
	return err_set(e, ERR_INVALID,
		       "endpoint of %s%s%s is not http://HOST[:PORT] or https://HOST[:PORT]: correct it in [aws] or in "
		       "the environment (AWS_ENDPOINT_URL...)",
		       aws_endpoint_service(s), strchr(url, '@') ? "" : " ", strchr(url, '@') ? "" : url);
}

bool aws_endpoint_bucket_valid(const char *bucket)
{
	size_t len = strlen(bucket);

	/* The rules of old us-east-1 buckets, the widest that there were; anything else cannot be in a URL. */
	if (len < 3 || len > 255)
		return false;
	for (const char *p = bucket; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_' && *p != '.')
			return false;
	}
	return strcmp(bucket, "...") != 0;
}

bool aws_endpoint_bucket_is_host(const char *origin, const char *bucket)
{
	const char *host = aws_endpoint_host(origin);
	bool https = strncmp(origin, "https:", 6) == 0;
	size_t len = strlen(bucket);
	const char *colon = strrchr(host, ':');
	const char *end = colon ? colon : host + strlen(host);

	/* No name lies under an IP address. */
	if (*host == '[' || isdigit((unsigned char)end[-1]))
		return false;
	if (len > 63 || len + 1 + (size_t)(end - host) > HOST_MAX)
		return false;
	for (const char *p = bucket; *p; p++) {
		/* A wildcard certificate covers one label only, so a dotted bucket would not match it. */
		if (*p == '.' && https)
			return false;
		if (*p == '_' || isupper((unsigned char)*p))
			return false;
		if (*p == '.' && (p == bucket || p[1] == '.' || p[1] == '\0'))
			return false;
	}
	return bucket[0] != '-' && bucket[len - 1] != '-';
}
