/* config: files that are good, what the environment adds, and the file and manual that are shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/config_keys.h"
#include "config_fixture.h"

static void test_least_file_has_the_defaults(void **state)
{
	(void)state;
	struct config *c = config_fixture_load(CONFIG_FIXTURE_REST);
	assert_string_equal(c->path, "c");
	assert_string_equal(c->state_dir, "/var/lib/ddb-streamd");
	assert_string_equal(c->listen_host, "127.0.0.1");
	assert_int_equal(c->listen_port, 9464);
	assert_false(c->listen_off);
	assert_int_equal(c->log_level, LOG_LEVEL_INFO);
	assert_int_equal(c->workers, 64);
	assert_int_equal(c->memory_limit_bytes, 64 << 20);
	assert_int_equal(c->checkpoint_interval_ms, 1000);
	assert_int_equal(c->watermark_interval_ms, 60000);
	assert_int_equal(c->discovery_interval_ms, 60000);
	assert_int_equal(c->settings_interval_ms, 600000);
	assert_int_equal(c->poll_interval_ms, 2000);
	assert_int_equal(c->stop_timeout_ms, 30000);
	assert_int_equal(c->rpo_ms, 1800000);
	assert_null(c->region);
	assert_null(c->profile);
	for (int i = 0; i < CONFIG_SERVICES; i++)
		assert_null(c->endpoints[i]);
	assert_string_equal(c->imds_endpoint, "http://169.254.169.254");
	assert_null(c->ca_bundle);
	assert_string_equal(c->bucket, "backups");
	assert_int_equal(c->addressing, CONFIG_ADDRESSING_AUTO);
	assert_int_equal(c->ntables, 1);
	assert_string_equal(c->tables[0].name, "orders");
	assert_string_equal(c->tables[0].prefix, "");
	assert_null(c->tables[0].tenant_attribute);
	assert_int_equal(c->tables[0].key_format, KEY_FORMAT_PATH);
	assert_int_equal(c->tables[0].start, CONFIG_START_TRIM_HORIZON);
	assert_false(c->tables[0].enable_stream);
	assert_int_equal(c->tables[0].baseline, CONFIG_BASELINE_AUTO);
	assert_int_equal(c->tables[0].baseline_rate, 0);
	assert_int_equal(c->tables[0].baseline_segments, 4);
	assert_int_equal(c->tables[0].rpo_ms, 1800000);
	assert_int_equal(c->tables[0].line, 3);
	char *data = config_data_path(&c->tables[0]), *meta = config_meta_path(&c->tables[0]);
	assert_string_equal(data, "orders/");
	assert_string_equal(meta, ".ddb-streamd/orders/");
	free(data);
	free(meta);
	config_free(c);
	config_free(NULL);
}

static void test_every_key(void **state)
{
	(void)state;
	struct config *c = config_fixture_load(
		"[daemon]\nstate_dir = /srv/state\nlisten = [::1]:0\nlog_level = debug\nworkers = 1024\n"
		"memory_limit = 1GiB\ncheckpoint_interval = 100ms\nwatermark_interval = 1m30s\n"
		"discovery_interval = 1s\nsettings_interval = 24h\npoll_interval = 250ms\nstop_timeout = 10m\nrpo = "
		"24h\n"
		"[aws]\nregion = eu-central-1\nprofile = back up\nendpoint_url = http://127.0.0.1:8000\n"
		"endpoint_url_s3 = https://s3.example:8443/\n"
		"endpoint_url_dynamodb = http://d.example\n"
		"endpoint_url_dynamodb_streams = http://[::1]:1\n"
		"endpoint_url_sts = http://[fd00::1]\n"
		"endpoint_url_application_auto_scaling = http://scale.example\n"
		"imds_endpoint = http://127.0.0.1:1338/\nca_bundle = /etc/ssl/ca.pem\n"
		"[table \"a.B_-9\"]\nstart = latest\nenable_stream = yes\nprefix = own/\nkey_format = plain\n"
		"tenant_attribute = T\nrpo = 1m\n"
		"[s3]\nbucket = my.bucket-1\nprefix = all/of it/\nkey_format = md5\n"
		"tenant_attribute = tenant\naddressing = virtual\n"
		"[table \"second\"]\n[table \"third\"]\nprefix =\ntenant_attribute =\nkey_format = sha256\n"
		"enable_stream = no\nstart = trim_horizon\n");
	assert_string_equal(c->state_dir, "/srv/state");
	assert_string_equal(c->listen_host, "::1");
	assert_int_equal(c->listen_port, 0);
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->workers, 1024);
	assert_int_equal(c->memory_limit_bytes, 1 << 30);
	assert_int_equal(c->checkpoint_interval_ms, 100);
	assert_int_equal(c->watermark_interval_ms, 90000);
	assert_int_equal(c->discovery_interval_ms, 1000);
	assert_int_equal(c->settings_interval_ms, 86400000);
	assert_int_equal(c->poll_interval_ms, 250);
	assert_int_equal(c->stop_timeout_ms, 600000);
	assert_int_equal(c->rpo_ms, 86400000);
	assert_string_equal(c->region, "eu-central-1");
	assert_string_equal(c->profile, "back up");
	assert_string_equal(c->endpoints[CONFIG_S3], "https://s3.example:8443");
	assert_string_equal(c->endpoints[CONFIG_DYNAMODB], "http://d.example");
	assert_string_equal(c->endpoints[CONFIG_STREAMS], "http://[::1]:1");
	assert_string_equal(c->endpoints[CONFIG_STS], "http://[fd00::1]");
	assert_string_equal(c->endpoints[CONFIG_SCALING], "http://scale.example");
	assert_string_equal(c->imds_endpoint, "http://127.0.0.1:1338");
	assert_string_equal(c->ca_bundle, "/etc/ssl/ca.pem");
	assert_string_equal(c->bucket, "my.bucket-1");
	assert_int_equal(c->addressing, CONFIG_ADDRESSING_VIRTUAL);
	assert_int_equal(c->ntables, 3);
	const struct config_table *t = c->tables;
	assert_string_equal(t->name, "a.B_-9");
	assert_string_equal(t->prefix, "own/");
	assert_string_equal(t->tenant_attribute, "T");
	assert_int_equal(t->key_format, KEY_FORMAT_PLAIN);
	assert_int_equal(t->start, CONFIG_START_LATEST);
	assert_true(t->enable_stream);
	assert_int_equal(t->rpo_ms, 60000);
	t++;
	assert_string_equal(t->name, "second");
	assert_string_equal(t->prefix, "all/of it/");
	assert_string_equal(t->tenant_attribute, "tenant");
	assert_int_equal(t->key_format, KEY_FORMAT_MD5);
	assert_int_equal(t->start, CONFIG_START_TRIM_HORIZON);
	assert_int_equal(t->rpo_ms, 86400000);
	char *meta = config_meta_path(t), *data = config_data_path(t);
	assert_string_equal(meta, "all/of it/.ddb-streamd/second/");
	assert_string_equal(data, "all/of it/second/");
	free(meta);
	free(data);
	t++;
	assert_string_equal(t->prefix, "");
	assert_null(t->tenant_attribute);
	assert_int_equal(t->key_format, KEY_FORMAT_SHA256);
	config_free(c);
}

/* An override that equals the built-in default must win over [s3] and [daemon]. */
static void test_override_with_the_default(void **state)
{
	(void)state;
	struct config *c = config_fixture_load("[daemon]\nrpo=2h\n[s3]\nbucket=backups\nkey_format=md5\n"
					       "[table \"orders\"]\nkey_format=path\nrpo=30m\n");
	assert_int_equal(c->tables[0].key_format, KEY_FORMAT_PATH);
	assert_int_equal(c->tables[0].rpo_ms, 1800000);
	config_free(c);
}

static void test_layout(void **state)
{
	(void)state;
	struct config *c = config_fixture_load("\xef\xbb\xbf# comment\r\n"
					       "  ; another = one\r\n"
					       "\r\n"
					       "\t[daemon]\r\n"
					       "\t workers\t=\t7 \t\r\n"
					       "    log_level=warn\r\n"
					       "[ s3 ]\n"
					       "bucket=backups\n"
					       "   prefix = a#b ;c = d: \"e\" # f/\n"
					       "[table\t\"orders\"]"); /* and no newline at the end */
	assert_int_equal(c->workers, 7);
	assert_int_equal(c->log_level, LOG_LEVEL_WARN);
	assert_string_equal(c->tables[0].prefix, "a#b ;c = d: \"e\" # f/");
	assert_int_equal(c->tables[0].line, 10);
	config_free(c);
	c = config_fixture_load("\xef\xbb\xbf[s3]\nbucket=backups\n[table \"orders\"]\n");
	config_free(c);
}

static void test_long_lines(void **state)
{
	(void)state;
	char file[4000], value[2000], name[256], message[100];
	/* The longest prefix, and the longest table name. */
	memset(value, 'p', 512);
	value[512] = '\0';
	memset(name, 'n', 255);
	name[255] = '\0';
	snprintf(file, sizeof(file), "[s3]\nbucket=backups\nprefix=%s\n[table \"%s\"]\n", value, name);
	struct config *c = config_fixture_load(file);
	assert_string_equal(c->tables[0].prefix, value);
	assert_string_equal(c->tables[0].name, name);
	config_free(c);
	/* The longest line, and one byte more; comments count too. */
	memset(value, 'a', sizeof(value));
	value[988] = '\0';
	snprintf(file, sizeof(file), "[aws]\n  ca_bundle=/%s  \n" CONFIG_FIXTURE_REST, value);
	c = config_fixture_load(file);
	assert_int_equal(strlen(c->ca_bundle), 989);
	config_free(c);
	value[988] = 'a';
	value[990] = '\0';
	snprintf(file, sizeof(file), "[aws]\nca_bundle=/%s\n" CONFIG_FIXTURE_REST, value);
	config_fixture_refuse(file, "c:2: the line has 1001 bytes; 1000 at most");
	value[990] = 'a';
	value[1999] = '\0';
	snprintf(file, sizeof(file), "\n\n#%s\n", value);
	snprintf(message, sizeof(message), "c:3: the line has %d bytes; 1000 at most", 2000);
	config_fixture_refuse(file, message);
}

static void test_listen(void **state)
{
	(void)state;
	struct config *c = config_fixture_load("[daemon]\nlisten = off\n" CONFIG_FIXTURE_REST);
	assert_true(c->listen_off);
	config_free(c);
	c = config_fixture_load("[daemon]\nlisten = :80\n" CONFIG_FIXTURE_REST);
	assert_string_equal(c->listen_host, "");
	assert_int_equal(c->listen_port, 80);
	assert_false(c->listen_off);
	config_free(c);
}

static void test_region_precedence(void **state)
{
	(void)state;
	setenv("AWS_DEFAULT_REGION", "us-east-2", 1);
	struct config *c = config_fixture_load(CONFIG_FIXTURE_REST);
	assert_string_equal(c->region, "us-east-2");
	config_free(c);
	setenv("AWS_REGION", "us-west-1", 1);
	c = config_fixture_load(CONFIG_FIXTURE_REST);
	assert_string_equal(c->region, "us-west-1");
	config_free(c);
	c = config_fixture_load("[aws]\nregion=eu-west-1\n" CONFIG_FIXTURE_REST);
	assert_string_equal(c->region, "eu-west-1");
	config_free(c);
	setenv("AWS_REGION", "", 1);
	c = config_fixture_load(CONFIG_FIXTURE_REST);
	assert_string_equal(c->region, "us-east-2");
	config_free(c);
	setenv("AWS_REGION", "Mars", 1);
	config_fixture_refuse(
		CONFIG_FIXTURE_REST,
		"environment variable AWS_REGION: \"Mars\" is not a region; allowed: lower-case letters, digits and "
		"'-', such as eu-central-1");
}

static void test_endpoint_precedence(void **state)
{
	(void)state;
	setenv("AWS_ENDPOINT_URL", "http://all.env/", 1);
	setenv("AWS_ENDPOINT_URL_S3", "http://s3.env", 1);
	setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://streams.env", 1);
	struct config *c = config_fixture_load(CONFIG_FIXTURE_REST);
	assert_string_equal(c->endpoints[CONFIG_S3], "http://s3.env");
	assert_string_equal(c->endpoints[CONFIG_STREAMS], "http://streams.env");
	assert_string_equal(c->endpoints[CONFIG_DYNAMODB], "http://all.env");
	assert_string_equal(c->endpoints[CONFIG_STS], "http://all.env");
	config_free(c);
	c = config_fixture_load("[aws]\nendpoint_url_dynamodb=http://dynamodb.file\n" CONFIG_FIXTURE_REST);
	assert_string_equal(c->endpoints[CONFIG_S3], "http://s3.env");
	assert_string_equal(c->endpoints[CONFIG_DYNAMODB], "http://dynamodb.file");
	config_free(c);
	/* Any key of the file is above all of the environment. */
	c = config_fixture_load(
		"[aws]\nendpoint_url=http://all.file\nendpoint_url_sts=http://sts.file\n" CONFIG_FIXTURE_REST);
	assert_string_equal(c->endpoints[CONFIG_S3], "http://all.file");
	assert_string_equal(c->endpoints[CONFIG_STREAMS], "http://all.file");
	assert_string_equal(c->endpoints[CONFIG_STS], "http://sts.file");
	config_free(c);
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	c = config_fixture_load("[aws]\nendpoint_url_sts=http://sts.file\n" CONFIG_FIXTURE_REST);
	assert_null(c->endpoints[CONFIG_S3]);
	assert_null(c->endpoints[CONFIG_DYNAMODB]);
	assert_string_equal(c->endpoints[CONFIG_STS], "http://sts.file");
	config_free(c);
	unsetenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	setenv("AWS_ENDPOINT_URL_DYNAMODB", "dynamodb:8000", 1);
	config_fixture_refuse(
		CONFIG_FIXTURE_REST,
		"environment variable AWS_ENDPOINT_URL_DYNAMODB: \"dynamodb:8000\" does not start with http:// or "
		"https://; allowed: http://HOST[:PORT] or https://HOST[:PORT], without a path");
}

static void test_other_environment(void **state)
{
	(void)state;
	setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
	setenv("AWS_PROFILE", "backup", 1);
	setenv("AWS_CA_BUNDLE", "/etc/ca.pem", 1);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://[fd00:ec2::254]/", 1);
	struct config *c = config_fixture_load(CONFIG_FIXTURE_REST);
	assert_string_equal(c->state_dir, "/var/lib/one");
	assert_string_equal(c->profile, "backup");
	assert_string_equal(c->ca_bundle, "/etc/ca.pem");
	assert_string_equal(c->imds_endpoint, "http://[fd00:ec2::254]");
	config_free(c);
	c = config_fixture_load(
		"[daemon]\nstate_dir=/a\n[aws]\nprofile=b\nca_bundle=/c\nimds_endpoint=http://d\n" CONFIG_FIXTURE_REST);
	assert_string_equal(c->state_dir, "/a");
	assert_string_equal(c->profile, "b");
	assert_string_equal(c->ca_bundle, "/c");
	assert_string_equal(c->imds_endpoint, "http://d");
	config_free(c);
	setenv("STATE_DIRECTORY", "relative", 1);
	config_fixture_refuse(CONFIG_FIXTURE_REST, "environment variable STATE_DIRECTORY: \"relative\" is not an "
						   "absolute path; allowed: an absolute path");
}

/* A file of the source tree. */
static char *source_file(const char *name)
{
	static char text[1 << 16];
	char path[4200];
	snprintf(path, sizeof(path), "%s/../../../conf/%s", TEST_DATA_DIR, name);
	FILE *f = fopen(path, "r");
	if (!f)
		fail_msg("%s cannot be opened", path);
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void test_shipped_file(void **state)
{
	(void)state;
	char *text = source_file("ddb-streamd.conf");
	struct config *shipped = config_fixture_load(text), *least = config_fixture_load(CONFIG_FIXTURE_REST);
	assert_string_equal(shipped->tables[0].name, "orders");
	assert_int_equal(shipped->workers, least->workers);
	config_free(shipped);
	/* With the '#' taken away from every key, the file is good, has every key, and changes no default. */
	for (char *s = text; (s = strstr(s, "\n#")); s++) {
		size_t name = strspn(s + 2, "abcdefghijklmnopqrstuvwxyz0123456789_");
		if (strncmp(s + 2 + name, " = ", 3) == 0)
			s[1] = ' ';
	}
	struct config *all = config_fixture_load(text);
	const char *section = "";
	for (size_t i = 0; i < config_keys_count; i++) {
		char line[100];
		if (i == 0 || config_keys[i].section != config_keys[i - 1].section) {
			snprintf(line, sizeof(line), "\n[%s", config_section_name(config_keys[i].section));
			section = strstr(text, line);
			assert_non_null(section);
		}
		snprintf(line, sizeof(line), "%s = ", config_keys[i].name);
		const char *end = strstr(section + 1, "\n["), *key = strstr(section, line);
		if (!key || (end && key > end))
			fail_msg("the shipped file lacks %s in%.10s", config_keys[i].name, section);
	}
	assert_string_equal(all->state_dir, least->state_dir);
	assert_string_equal(all->listen_host, least->listen_host);
	assert_int_equal(all->listen_port, least->listen_port);
	assert_int_equal(all->log_level, least->log_level);
	assert_int_equal(all->workers, least->workers);
	assert_int_equal(all->memory_limit_bytes, least->memory_limit_bytes);
	assert_int_equal(all->checkpoint_interval_ms, least->checkpoint_interval_ms);
	assert_int_equal(all->watermark_interval_ms, least->watermark_interval_ms);
	assert_int_equal(all->discovery_interval_ms, least->discovery_interval_ms);
	assert_int_equal(all->settings_interval_ms, least->settings_interval_ms);
	assert_int_equal(all->poll_interval_ms, least->poll_interval_ms);
	assert_int_equal(all->stop_timeout_ms, least->stop_timeout_ms);
	assert_int_equal(all->rpo_ms, least->rpo_ms);
	assert_string_equal(all->imds_endpoint, least->imds_endpoint);
	assert_int_equal(all->addressing, least->addressing);
	assert_int_equal(all->tables[0].key_format, least->tables[0].key_format);
	assert_int_equal(all->tables[0].start, least->tables[0].start);
	assert_int_equal(all->tables[0].enable_stream, least->tables[0].enable_stream);
	assert_int_equal(all->tables[0].baseline, least->tables[0].baseline);
	assert_int_equal(all->tables[0].baseline_rate, least->tables[0].baseline_rate);
	assert_int_equal(all->tables[0].baseline_segments, least->tables[0].baseline_segments);
	assert_int_equal(all->tables[0].rpo_ms, least->tables[0].rpo_ms);
	config_free(all);
	config_free(least);
}

static void test_manual_names_every_key(void **state)
{
	(void)state;
	const char *text = source_file("ddb-streamd.conf.5");
	for (size_t i = 0; i < config_keys_count; i++) {
		bool found = false;
		for (const char *s = text; !found && (s = strstr(s, "\n.It Cm ")); s++) {
			const char *key = strstr(s, config_keys[i].name), *end = strchr(s + 1, '\n');
			size_t len = strlen(config_keys[i].name);
			found = key && key < end && key[-1] == ' ' && strchr(" \n", key[len]);
		}
		if (!found)
			fail_msg("the manual lacks %s", config_keys[i].name);
	}
}

/* Whatever the bytes are: an answer, no crash, no leak. */
static void test_any_bytes(void **state)
{
	(void)state;
	static const char seed[] = "[daemon]\nworkers = 7\nlisten = [::1]:80\n[aws]\nendpoint_url = http://h:1/\n"
				   "[s3]\nbucket = backups\nprefix = a/\n[table \"orders\"]\nrpo = 1h30m\n";
	static const char spice[] = "\0\n\r\t []\"=:;#\xff\xc3\xef\xbb\xbf/-90az";
	char bytes[sizeof(seed)];
	srandom(7);
	for (int round = 0; round < 3000; round++) {
		struct config *c = NULL;
		struct err e = {0};
		memcpy(bytes, seed, sizeof(seed));
		size_t len = sizeof(seed) - 1;
		for (int i = 0; i <= round % 4; i++)
			bytes[(size_t)random() % len] = spice[(size_t)random() % (sizeof(spice) - 1)];
		if (round % 5 == 0)
			len = (size_t)random() % len;
		config_fixture_write(bytes, len);
		if (config_load("c", &c, &e) == 0)
			config_free(c);
		else
			assert_int_equal(strncmp(e.message, "c:", 2), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFIG_FIXTURE_TEST(test_least_file_has_the_defaults),
		CONFIG_FIXTURE_TEST(test_every_key),
		CONFIG_FIXTURE_TEST(test_override_with_the_default),
		CONFIG_FIXTURE_TEST(test_layout),
		CONFIG_FIXTURE_TEST(test_long_lines),
		CONFIG_FIXTURE_TEST(test_listen),
		CONFIG_FIXTURE_TEST(test_region_precedence),
		CONFIG_FIXTURE_TEST(test_endpoint_precedence),
		CONFIG_FIXTURE_TEST(test_other_environment),
		CONFIG_FIXTURE_TEST(test_shipped_file),
		CONFIG_FIXTURE_TEST(test_manual_names_every_key),
		CONFIG_FIXTURE_TEST(test_any_bytes),
	};
	return cmocka_run_group_tests(tests, config_fixture_enter, config_fixture_leave);
}
