#include "base/config_keys.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

#define PREFIX_MAX_BYTES 512
#define ATTRIBUTE_MAX_BYTES 255 /* DynamoDB Developer Guide, "Quotas": names of key attributes */
#define NAME_MAX_LEN 32		/* of sections and keys that are compared for likeness */

static const char lower_digits_dash[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

static int fault(const char **why, const char *text)
{
	*why = text;
	return -ERR_INVALID;
}

/* Replaces the string at `field`. */
static int store(void *field, const char *value, size_t len)
{
	char *copy = strndup(value, len), **to = field;
	if (!copy)
		return -ERR_SYSTEM;
	free(*to);
	*to = copy;
	return 0;
}

static int parse_text(const struct config_key *k, const char *value, void *field, const char **why)
{
	(void)k;
	if (!*value)
		return fault(why, "is empty");
	return store(field, value, strlen(value));
}

int config_parse_directory(const struct config_key *k, const char *value, void *field, const char **why)
{
	(void)k;
	if (value[0] != '/')
		return fault(why, "is not an absolute path");
	return store(field, value, strlen(value));
}

int config_parse_region(const struct config_key *k, const char *value, void *field, const char **why)
{
	(void)k;
	size_t len = strlen(value);
	if (len == 0 || len > 63 || strspn(value, lower_digits_dash) != len)
		return fault(why, "is not a region");
	return store(field, value, len);
}

int config_parse_url(const struct config_key *k, const char *value, void *field, const char **why)
{
	(void)k;
	static const char *const schemes[] = {"http://", "https://"};
	const char *host = NULL;
	char host_port[512], name[256];
	uint16_t port;
	for (size_t i = 0; i < 2; i++)
		if (strncmp(value, schemes[i], strlen(schemes[i])) == 0)
			host = value + strlen(schemes[i]);
	if (!host)
		return fault(why, "does not start with http:// or https://");
	size_t len = strlen(host);
	if (len > 0 && host[len - 1] == '/')
		len--;
	if (len >= sizeof(host_port) - sizeof(":443"))
		return fault(why, "is too long");
	memcpy(host_port, host, len);
	host_port[len] = '\0';
	/* The default port is spelled out only to have the host checked by the one function that does so. */
	const char *colon = strrchr(host_port, ':'), *bracket = strrchr(host_port, ']');
	if (!colon || (bracket && colon < bracket))
		memcpy(host_port + len, ":443", sizeof(":443"));
	if (!units_host_port(host_port, name, sizeof(name), &port) || !name[0] || port == 0)
		return fault(why, "is not a scheme, a host and a port");
	return store(field, value, (size_t)(host - value) + len);
}

static int parse_listen(const struct config_key *k, const char *value, void *field, const char **why)
{
	(void)k;
	struct config *c = field;
	char host[256];
	uint16_t port = 0;
	const bool off = strcmp(value, "off") == 0;
	host[0] = '\0';
	if (!off && !units_host_port(value, host, sizeof(host), &port))
		return fault(why, "is not HOST:PORT");
	if (store(&c->listen_host, host, strlen(host)) < 0)
		return -ERR_SYSTEM;
	c->listen_port = port;
	c->listen_off = off;
	return 0;
}

static int parse_count(const struct config_key *k, const char *value, void *field, const char **why)
{
	uint64_t n;
	if (!units_count(value, &n))
		return fault(why, "is not a whole number");
	if (n < k->min || n > k->max)
		return fault(why, "is out of range");
	*(unsigned *)field = (unsigned)n;
	return 0;
}

static int parse_size(const struct config_key *k, const char *value, void *field, const char **why)
{
	uint64_t n;
	if (!units_size_bytes(value, &n))
		return fault(why, "is not a size with its unit (KiB, MiB, GiB, KB, MB, GB, B)");
	if (n < k->min || n > k->max)
		return fault(why, "is out of range");
	*(uint64_t *)field = n;
	return 0;
}

static int parse_duration(const struct config_key *k, const char *value, void *field, const char **why)
{
	int64_t ms;
	if (!units_duration_ms(value, &ms))
		return fault(why, "is not a duration with its unit (ms, s, m, h, d)");
	if ((uint64_t)ms < k->min || (uint64_t)ms > k->max)
		return fault(why, "is out of range");
	*(int64_t *)field = ms;
	return 0;
}

static int parse_choice(const struct config_key *k, const char *value, void *field, const char **why)
{
	for (unsigned i = 0; k->choices[i]; i++)
		if (strcmp(k->choices[i], value) == 0) {
			memcpy(field, &i, sizeof(i));
			return 0;
		}
	return fault(why, "is not known");
}

static int parse_yes_no(const struct config_key *k, const char *value, void *field, const char **why)
{
	(void)k;
	const bool yes = strcmp(value, "yes") == 0;
	if (!yes && strcmp(value, "no") != 0)
		return fault(why, "is neither yes nor no");
	*(bool *)field = yes;
	return 0;
}

static bool starts_with(const char *s, const char *start)
{
	return strncmp(s, start, strlen(start)) == 0;
}

static bool ends_with(const char *s, const char *end)
{
	const size_t len = strlen(s), n = strlen(end);
	return len >= n && strcmp(s + len - n, end) == 0;
}

/* Amazon S3 User Guide, "General purpose bucket naming rules". */
static int parse_bucket(const struct config_key *k, const char *value, void *field, const char **why)
{
	static const char *const starts[] = {"xn--", "sthree-", "amzn-s3-demo-"};
	static const char *const ends[] = {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"};
	(void)k;
	const size_t len = strlen(value);
	struct in_addr address;
	if (len < 3 || len > 63)
		return fault(why, "is too short or too long for a bucket");
	for (size_t i = 0; i < len; i++)
		if (value[i] != '.' && !strchr(lower_digits_dash, value[i]))
			return fault(why, "has a character that no bucket has");
	if (strchr(".-", value[0]) || strchr(".-", value[len - 1]))
		return fault(why, "does not start and end with a letter or a digit");
	if (strstr(value, "..") || inet_pton(AF_INET, value, &address) == 1)
		return fault(why, "has two dots side by side, or is an IP address");
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (starts_with(value, starts[i]))
			return fault(why, "has a start that S3 keeps for itself");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_with(value, ends[i]))
			return fault(why, "has an end that S3 keeps for other than plain buckets");
	return store(field, value, len);
}

/* The reader has seen to UTF-8 and control characters. */
static int parse_prefix(const struct config_key *k, const char *value, void *field, const char **why)
{
	(void)k;
	const size_t len = strlen(value);
	if (value[0] == '/')
		return fault(why, "starts with '/'");
	if (len > PREFIX_MAX_BYTES)
		return fault(why, "is too long");
	return store(field, value, len);
}

static int parse_attribute(const struct config_key *k, const char *value, void *field, const char **why)
{
	(void)k;
	const size_t len = strlen(value);
	if (len > ATTRIBUTE_MAX_BYTES)
		return fault(why, "is too long");
	return store(field, value, len);
}

static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const key_formats[] = {"path", "md5", "sha256", "plain", NULL};
static const char *const addressings[] = {"auto", "path", "virtual", NULL};
static const char *const baselines[] = {"auto", "off", NULL};
static const char *const starts_at[] = {"trim_horizon", "latest", NULL};

/* parse_choice stores an unsigned. */
_Static_assert(sizeof(enum log_level) == sizeof(unsigned) && sizeof(enum key_format) == sizeof(unsigned) &&
		       sizeof(enum config_addressing) == sizeof(unsigned) &&
		       sizeof(enum config_start) == sizeof(unsigned) &&
		       sizeof(enum config_baseline) == sizeof(unsigned),
	       "enums have the size of unsigned");

const char config_allowed_url[] = "http://HOST[:PORT] or https://HOST[:PORT], without a path";
const char config_allowed_region[] = "lower-case letters, digits and '-', such as eu-central-1";
const char config_allowed_directory[] = "an absolute path";
static const char allowed_prefix[] = "up to 512 bytes that do not start with '/'; usually it ends with '/'";
static const char allowed_format[] = "path, md5, sha256 or plain";
static const char allowed_attribute[] = "the name of an attribute, up to 255 bytes, or nothing for no folders";

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define DAEMON(field) CONFIG_SECTION_DAEMON, CONFIG_IN_CONFIG, .offset = offsetof(struct config, field)
#define AWS(field) CONFIG_SECTION_AWS, CONFIG_IN_CONFIG, .offset = offsetof(struct config, field)
#define S3(field) CONFIG_SECTION_S3, CONFIG_IN_CONFIG, .offset = offsetof(struct config, field)
#define S3_DEFAULT(field) CONFIG_SECTION_S3, CONFIG_IN_TABLE, .offset = offsetof(struct config_table, field)
#define TABLE(field) CONFIG_SECTION_TABLE, CONFIG_IN_TABLE, .offset = offsetof(struct config_table, field)
#define DURATION(least, most, text) .parse = parse_duration, .min = (least), .max = (most), .allowed = (text)
#define CHOICE(names, text) .parse = parse_choice, .choices = (names), .allowed = (text)
#define URL .parse = config_parse_url, .allowed = config_allowed_url

const struct config_key config_keys[] = {
	{DAEMON(state_dir), .name = "state_dir", .parse = config_parse_directory, .allowed = config_allowed_directory},
	{CONFIG_SECTION_DAEMON, CONFIG_IN_CONFIG, .name = "listen", .parse = parse_listen,
	 .allowed = "HOST:PORT, [IPV6]:PORT, :PORT for every address, or off"},
	{DAEMON(log_level), .name = "log_level", CHOICE(log_levels, "error, warn, info or debug")},
	{DAEMON(workers), .name = "workers", .parse = parse_count, .min = 1, .max = 1024, .allowed = "1 to 1024"},
	{DAEMON(memory_limit_bytes), .name = "memory_limit", .parse = parse_size, .min = 16 * MIB, .max = 64 * GIB,
	 .allowed = "16MiB to 64GiB"},
	{DAEMON(checkpoint_interval_ms), .name = "checkpoint_interval", DURATION(100, MINUTE, "100ms to 1m")},
	{DAEMON(watermark_interval_ms), .name = "watermark_interval", DURATION(SECOND, 30 * MINUTE, "1s to 30m")},
	{DAEMON(discovery_interval_ms), .name = "discovery_interval", DURATION(SECOND, 10 * MINUTE, "1s to 10m")},
	{DAEMON(settings_interval_ms), .name = "settings_interval", DURATION(SECOND, 24 * HOUR, "1s to 24h")},
	{DAEMON(poll_interval_ms), .name = "poll_interval", DURATION(250, 10 * SECOND, "250ms to 10s")},
	{DAEMON(stop_timeout_ms), .name = "stop_timeout", DURATION(SECOND, 10 * MINUTE, "1s to 10m")},
	{DAEMON(rpo_ms), .name = "rpo", DURATION(MINUTE, 24 * HOUR, "1m to 24h")},

	{AWS(region), .name = "region", .parse = config_parse_region, .allowed = config_allowed_region},
	{AWS(profile), .name = "profile", .parse = parse_text, .allowed = "the name of a profile"},
	{CONFIG_SECTION_AWS, CONFIG_IN_EXTRA, .offset = offsetof(struct config_extra, endpoint_url),
	 .name = "endpoint_url", URL},
	{AWS(endpoints[CONFIG_S3]), .name = "endpoint_url_s3", URL},
	{AWS(endpoints[CONFIG_DYNAMODB]), .name = "endpoint_url_dynamodb", URL},
	{AWS(endpoints[CONFIG_STREAMS]), .name = "endpoint_url_dynamodb_streams", URL},
	{AWS(endpoints[CONFIG_STS]), .name = "endpoint_url_sts", URL},
	{AWS(endpoints[CONFIG_SCALING]), .name = "endpoint_url_application_auto_scaling", URL},
	{AWS(imds_endpoint), .name = "imds_endpoint", URL},
	{AWS(ca_bundle), .name = "ca_bundle", .parse = config_parse_directory, .allowed = config_allowed_directory},

	{S3(bucket), .name = "bucket", .parse = parse_bucket,
	 .allowed = "3 to 63 of a-z, 0-9, '-' and '.', by S3's naming rules"},
	{S3_DEFAULT(prefix), .name = "prefix", .parse = parse_prefix, .allowed = allowed_prefix},
	{S3_DEFAULT(key_format), .name = "key_format", CHOICE(key_formats, allowed_format)},
	{S3_DEFAULT(tenant_attribute), .name = "tenant_attribute", .parse = parse_attribute,
	 .allowed = allowed_attribute},
	{S3(addressing), .name = "addressing", CHOICE(addressings, "auto, path or virtual")},

	{TABLE(start), .name = "start", CHOICE(starts_at, "trim_horizon or latest")},
	{TABLE(enable_stream), .name = "enable_stream", .parse = parse_yes_no, .allowed = "yes or no"},
	{TABLE(baseline), .name = "baseline", CHOICE(baselines, "auto or off")},
	{TABLE(baseline_rate), .name = "baseline_rate", .parse = parse_count, .min = 0, .max = 10000000,
	 .allowed = "0 to 10000000 read units a second; 0 is a share of the table's capacity"},
	{TABLE(baseline_segments), .name = "baseline_segments", .parse = parse_count, .min = 1, .max = 64,
	 .allowed = "1 to 64"},
	{TABLE(prefix), .name = "prefix", .parse = parse_prefix, .allowed = allowed_prefix},
	{TABLE(key_format), .name = "key_format", CHOICE(key_formats, allowed_format)},
	{TABLE(tenant_attribute), .name = "tenant_attribute", .parse = parse_attribute, .allowed = allowed_attribute},
	{TABLE(rpo_ms), .name = "rpo", DURATION(MINUTE, 24 * HOUR, "1m to 24h")},
};
const size_t config_keys_count = sizeof(config_keys) / sizeof(config_keys[0]);
_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX, "too many keys for a bit each");

const char *config_section_name(enum config_section s)
{
	static const char *const names[CONFIG_SECTION_COUNT] = {"", "daemon", "aws", "s3", "table"};
	return names[s];
}

int config_keys_find(enum config_section s, const char *name)
{
	for (size_t i = 0; i < config_keys_count; i++)
		if (config_keys[i].section == s && strcmp(config_keys[i].name, name) == 0)
			return (int)i;
	return -1;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

/* Letters to add, drop or change to make `b` of `a` (Levenshtein distance), row by row; far apart when either is long. */
static size_t distance(const char *a, const char *b)
{
	const size_t n = strlen(a), m = strlen(b);
	size_t row[NAME_MAX_LEN + 1];
	if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t above = row[j];
			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[m];
}

const char *config_keys_near(enum config_section s, const char *name)
{
	const char *best = NULL;
	size_t least = 3;
	for (size_t i = 0; i < config_keys_count; i++) {
		size_t d = config_keys[i].section == s ? distance(name, config_keys[i].name) : least;
		if (d < least) {
			least = d;
			best = config_keys[i].name;
		}
	}
	return best;
}

const char *config_section_near(const char *name)
{
	const char *best = NULL;
	size_t least = 3;
	for (enum config_section s = CONFIG_SECTION_DAEMON; s < CONFIG_SECTION_TABLE; s++) {
		size_t d = distance(name, config_section_name(s));
		if (d < least && d < strlen(name)) {
			least = d;
			best = config_section_name(s);
		}
	}
	return best;
}
