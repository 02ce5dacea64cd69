/* config: files that are good, and the whole message for each that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/config_keys.h"

static char folder[] = "/tmp/test_config.XXXXXX";

static const char *const variables[] = {
	"STATE_DIRECTORY",
	"AWS_REGION",
	"AWS_DEFAULT_REGION",
	"AWS_PROFILE",
	"AWS_CA_BUNDLE",
	"AWS_ENDPOINT_URL",
	"AWS_ENDPOINT_URL_S3",
	"AWS_ENDPOINT_URL_DYNAMODB",
	"AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
	"AWS_ENDPOINT_URL_STS",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
};

static int enter_folder(void **state)
{
	(void)state;
	return !mkdtemp(folder) || chdir(folder) < 0;
}

static int leave_folder(void **state)
{
	(void)state;
	unlink("c");
	return chdir("/") < 0 || rmdir(folder) < 0;
}

/* The environment of the build must not show. */
static int clear_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return 0;
}

static void write_file(const void *bytes, size_t len)
{
	FILE *f = fopen("c", "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static struct config *load_bytes(const void *bytes, size_t len)
{
	struct config *c = NULL;
	struct err e = {0};
	write_file(bytes, len);
	if (config_load("c", &c, &e) != 0)
		fail_msg("%s", e.message);
	assert_non_null(c);
	return c;
}

static struct config *load(const char *text)
{
	return load_bytes(text, strlen(text));
}

static void refuse_bytes(const void *bytes, size_t len, const char *message)
{
	struct config untouched, *c = &untouched;
	struct err e = {0};
	write_file(bytes, len);
	assert_int_equal(config_load("c", &c, &e), -ERR_INVALID);
	assert_int_equal(e.class, ERR_INVALID);
	assert_string_equal(e.message, message);
	assert_ptr_equal(c, &untouched);
	assert_int_equal(config_load("c", &c, NULL), -ERR_INVALID);
}

static void refuse(const char *text, const char *message)
{
	refuse_bytes(text, strlen(text), message);
}

#define REST "[s3]\nbucket=backups\n[table \"orders\"]\n"

static void test_least_file_has_the_defaults(void **state)
{
	(void)state;
	struct config *c = load(REST);
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
	assert_int_equal(c->poll_interval_ms, 1000);
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
	struct config *c =
		load("[daemon]\nstate_dir = /srv/state\nlisten = [::1]:0\nlog_level = debug\nworkers = 1024\n"
		     "memory_limit = 1GiB\ncheckpoint_interval = 100ms\nwatermark_interval = 1m30s\n"
		     "discovery_interval = 1s\npoll_interval = 250ms\nstop_timeout = 10m\nrpo = 24h\n"
		     "[aws]\nregion = eu-central-1\nprofile = back up\nendpoint_url = http://127.0.0.1:8000\n"
		     "endpoint_url_s3 = https://s3.example:8443/\n"
		     "endpoint_url_dynamodb = http://d.example\n"
		     "endpoint_url_dynamodb_streams = http://[::1]:1\n"
		     "endpoint_url_sts = http://[fd00::1]\n"
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
	assert_int_equal(c->poll_interval_ms, 250);
	assert_int_equal(c->stop_timeout_ms, 600000);
	assert_int_equal(c->rpo_ms, 86400000);
	assert_string_equal(c->region, "eu-central-1");
	assert_string_equal(c->profile, "back up");
	assert_string_equal(c->endpoints[CONFIG_S3], "https://s3.example:8443");
	assert_string_equal(c->endpoints[CONFIG_DYNAMODB], "http://d.example");
	assert_string_equal(c->endpoints[CONFIG_STREAMS], "http://[::1]:1");
	assert_string_equal(c->endpoints[CONFIG_STS], "http://[fd00::1]");
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
	struct config *c = load("[daemon]\nrpo=2h\n[s3]\nbucket=backups\nkey_format=md5\n"
				"[table \"orders\"]\nkey_format=path\nrpo=30m\n");
	assert_int_equal(c->tables[0].key_format, KEY_FORMAT_PATH);
	assert_int_equal(c->tables[0].rpo_ms, 1800000);
	config_free(c);
}

static void test_layout(void **state)
{
	(void)state;
	struct config *c = load("\xef\xbb\xbf# comment\r\n"
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
	c = load("\xef\xbb\xbf[s3]\nbucket=backups\n[table \"orders\"]\n");
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
	struct config *c = load(file);
	assert_string_equal(c->tables[0].prefix, value);
	assert_string_equal(c->tables[0].name, name);
	config_free(c);
	/* The longest line, and one byte more; comments count too. */
	memset(value, 'a', sizeof(value));
	value[988] = '\0';
	snprintf(file, sizeof(file), "[aws]\n  ca_bundle=/%s  \n" REST, value);
	c = load(file);
	assert_int_equal(strlen(c->ca_bundle), 989);
	config_free(c);
	value[988] = 'a';
	value[990] = '\0';
	snprintf(file, sizeof(file), "[aws]\nca_bundle=/%s\n" REST, value);
	refuse(file, "c:2: the line has 1001 bytes; 1000 at most");
	value[990] = 'a';
	value[1999] = '\0';
	snprintf(file, sizeof(file), "\n\n#%s\n", value);
	snprintf(message, sizeof(message), "c:3: the line has %d bytes; 1000 at most", 2000);
	refuse(file, message);
}

static void test_not_a_good_file(void **state)
{
	(void)state;
	struct config *c = NULL;
	struct err e;
	unlink("c");
	assert_int_equal(config_load("c", &c, &e), -ERR_SYSTEM);
	assert_string_equal(e.message, "c: the configuration file cannot be opened: No such file or directory");
	assert_int_equal(config_load("/", &c, &e), -ERR_SYSTEM);
	assert_string_equal(e.message, "/: the configuration file cannot be read: Is a directory");
	assert_int_equal(config_load("/dev/zero", &c, &e), -ERR_INVALID);
	assert_string_equal(e.message, "/dev/zero: the file is too large; 1048576 bytes at most");
	assert_null(c);
	assert_int_equal(config_load("", &c, NULL), -ERR_SYSTEM);
	refuse("", "c: [s3] bucket: is missing; name the bucket that the backup goes to");
	static const char nul[] = "[s3]\nbucket=ba\0ckups\n";
	refuse_bytes(nul, sizeof(nul) - 1, "c:2: a NUL byte; this must be a text file");
	static const char nul_in_comment[] = "# \0\n[nonsense]\n";
	refuse_bytes(nul_in_comment, sizeof(nul_in_comment) - 1, "c:1: a NUL byte; this must be a text file");
}

static void test_long_path_keeps_its_end(void **state)
{
	(void)state;
	struct config *c = NULL;
	struct err e;
	char path[1000] = "";
	write_file("x\n", 2);
	while (strlen(path) < 900)
		strcat(path, "./");
	strcat(path, "c");
	assert_int_equal(config_load(path, &c, &e), -ERR_INVALID);
	assert_non_null(
		strstr(e.message, "/./c:1: \"x\" is neither a [section] nor \"key = value\"; a key ends with '='"));
	assert_memory_equal(e.message, "...", 3);
}

static void test_broken_lines(void **state)
{
	(void)state;
	refuse("[daemon]\nworkers\n",
	       "c:2: \"workers\" is neither a [section] nor \"key = value\"; a key ends with '='");
	refuse("[daemon]\nworkers: 7\n",
	       "c:2: \"workers: 7\" is neither a [section] nor \"key = value\"; a key ends with '='");
	refuse("[daemon]\nlisten: a=b\n",
	       "c:2: \"listen: a=b\" is neither a [section] nor \"key = value\"; a key ends with '='");
	refuse("[daemon]\n = 7\n", "c:2: no key before '='; write key = value");
	refuse("[daemon\nworkers=1\n",
	       "c:1: \"[daemon\" does not end with ']'; a section is [NAME] on a line of its own");
	refuse("[daemon] # main\n",
	       "c:1: \"[daemon] # main\" does not end with ']'; a section is [NAME] on a line of its own");
	refuse("[\n", "c:1: \"[\" does not end with ']'; a section is [NAME] on a line of its own");
	refuse("workers = 7\n[daemon]\n", "c:1: workers: a key before the first section; start with [daemon]");
	/* With more lines than one wrong, the first counts; an error across lines counts least. */
	refuse("[s3]\nbucket=X\nfoo\n[nonsense]\n",
	       "c:2: [s3] bucket: \"X\" is too short or too long for a bucket; allowed: "
	       "3 to 63 of a-z, 0-9, '-' and '.', by S3's naming rules");
	refuse("[aws]\nprofile = caf\xe9\n", "c:2: profile: byte 4 of the value is not UTF-8; save the file as UTF-8");
	refuse("[aws]\nprofile = a\x1b[0m\n",
	       "c:2: profile: byte 2 of the value is a control character; only text is allowed");
	refuse("[s3]\nprefix = a\tb\n",
	       "c:2: prefix: byte 2 of the value is a control character; only text is allowed");
}

static void test_sections(void **state)
{
	(void)state;
	refuse("[demon]\n", "c:1: [demon] is not a section; did you mean [daemon]?");
	refuse("\n[AWS]\n", "c:2: [AWS] is not a section; allowed are [daemon], [aws], [s3] and [table \"NAME\"]");
	refuse("[]\n", "c:1: [] is not a section; allowed are [daemon], [aws], [s3] and [table \"NAME\"]");
	refuse("[aws]\n[s3]\n[aws]\n", "c:3: [aws] is there twice, first on line 1; once is allowed");
	refuse("[table orders]\n",
	       "c:1: [table orders]: a table's name stands in double quotes; write [table \"NAME\"]");
	refuse("[table]\n", "c:1: [table]: a table's name stands in double quotes; write [table \"NAME\"]");
	refuse("[table \"]\n", "c:1: [table \"]: a table's name stands in double quotes; write [table \"NAME\"]");
	refuse("[table \"ab\"]\n", "c:1: [table \"ab\"] is not the name of a table; "
				   "3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'");
	refuse("[table \"a/b\"]\n", "c:1: [table \"a/b\"] is not the name of a table; "
				    "3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'");
	refuse("[table \"orders\" x \"]\n", "c:1: [table \"orders\" x \"] is not the name of a table; "
					    "3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'");
	refuse("[table \".ddb-streamd\"]\n",
	       "c:1: [table \".ddb-streamd\"]: the backup's own objects lie in a folder of "
	       "that name; such a table cannot be backed up");
	refuse("[table \"orders\"]\n[aws]\n[table \"orders\"]\n",
	       "c:3: [table \"orders\"] is there twice, first on line 1; once is allowed");
	char file[400] = "[table \"";
	memset(file + 8, 'n', 256);
	strcpy(file + 264, "\"]\n");
	char message[400] = "c:1: [table \"";
	memset(message + 13, 'n', 64);
	strcpy(message + 77, "...\"] is not the name of a table; 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'");
	refuse(file, message);
}

static void test_keys(void **state)
{
	(void)state;
	refuse("[daemon]\nworker = 7\n", "c:2: [daemon] worker: unknown key; did you mean workers?");
	refuse("[s3]\nbuckte = x\n", "c:2: [s3] buckte: unknown key; did you mean bucket?");
	refuse("[s3]\nregion = x\n", "c:2: [s3] region: unknown key; it belongs to [aws]");
	refuse("[daemon]\nenable_stream = yes\n", "c:2: [daemon] enable_stream: unknown key; it belongs to [table]");
	refuse("[s3]\nflavour = x\n",
	       "c:2: [s3] flavour: unknown key; allowed are bucket, prefix, key_format, tenant_attribute, addressing");
	refuse("[table \"orders\"]\nflavour = x\n", "c:2: [table \"orders\"] flavour: unknown key; allowed are start, "
						    "enable_stream, prefix, key_format, tenant_attribute, rpo");
	refuse("[daemon]\nWorkers = 7\n", "c:2: [daemon] Workers: unknown key; did you mean workers?");
	refuse("[daemon]\nworkers = 7\n\nworkers = 7\n",
	       "c:4: [daemon] workers: is there twice, first on line 2; once is allowed");
	refuse("[table \"abc\"]\nrpo=1h\n[table \"abd\"]\nrpo=1h\nrpo=1h\n",
	       "c:5: [table \"abd\"] rpo: is there twice, first on line 4; once is allowed");
}

/* The least and the largest value are good, those beside them are not. */
static void test_ranges(void **state)
{
	(void)state;
	static const struct {
		const char *key, *least, *most, *under, *over, *allowed;
	} cases[] = {
		{"workers", "1", "1024", "0", "1025", "1 to 1024"},
		{"memory_limit", "16MiB", "64GiB", "16383KiB", "65537MiB", "16MiB to 64GiB"},
		{"checkpoint_interval", "100ms", "1m", "99ms", "61s", "100ms to 1m"},
		{"watermark_interval", "1s", "30m", "999ms", "31m", "1s to 30m"},
		{"discovery_interval", "1s", "10m", "0", "601s", "1s to 10m"},
		{"poll_interval", "250ms", "10s", "249ms", "10001ms", "250ms to 10s"},
		{"stop_timeout", "1s", "10m", "999ms", "11m", "1s to 10m"},
		{"rpo", "1m", "24h", "59s", "1d1ms", "1m to 24h"},
	};
	char file[200], message[200];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *good[] = {cases[i].least, cases[i].most}, *bad[] = {cases[i].under, cases[i].over};
		for (int j = 0; j < 2; j++) {
			snprintf(file, sizeof(file), "[daemon]\n%s = %s\n" REST, cases[i].key, good[j]);
			config_free(load(file));
			snprintf(file, sizeof(file), "[daemon]\n%s = %s\n" REST, cases[i].key, bad[j]);
			snprintf(message, sizeof(message), "c:2: [daemon] %s: \"%s\" is out of range; allowed: %s",
				 cases[i].key, bad[j], cases[i].allowed);
			refuse(file, message);
		}
	}
	refuse("[table \"orders\"]\nrpo = 25h\n",
	       "c:2: [table \"orders\"] rpo: \"25h\" is out of range; allowed: 1m to 24h");
}

static void test_bad_values(void **state)
{
	(void)state;
	refuse("[daemon]\nworkers = many\n",
	       "c:2: [daemon] workers: \"many\" is not a whole number; allowed: 1 to 1024");
	refuse("[daemon]\nworkers =\n", "c:2: [daemon] workers: \"\" is not a whole number; allowed: 1 to 1024");
	refuse("[daemon]\nworkers = \"7\"\n",
	       "c:2: [daemon] workers: \"\"7\"\" is not a whole number; allowed: 1 to 1024");
	refuse("[daemon]\nmemory_limit = 64\n",
	       "c:2: [daemon] memory_limit: \"64\" is not a size with its unit (KiB, MiB, GiB, KB, MB, GB, B); "
	       "allowed: 16MiB to 64GiB");
	refuse("[daemon]\nrpo = 30\n", "c:2: [daemon] rpo: \"30\" is not a duration with its unit (ms, s, m, h, d); "
				       "allowed: 1m to 24h");
	refuse("[daemon]\nlog_level = trace\n",
	       "c:2: [daemon] log_level: \"trace\" is not known; allowed: error, warn, info or debug");
	refuse("[daemon]\nlisten = 9464\n", "c:2: [daemon] listen: \"9464\" is not HOST:PORT; allowed: HOST:PORT, "
					    "[IPV6]:PORT, :PORT for every address, or off");
	refuse("[daemon]\nstate_dir = var/lib\n",
	       "c:2: [daemon] state_dir: \"var/lib\" is not an absolute path; allowed: an absolute path");
	refuse("[aws]\nregion = EU (Frankfurt)\n",
	       "c:2: [aws] region: \"EU (Frankfurt)\" is not a region; allowed: lower-case letters, digits and '-', "
	       "such as eu-central-1");
	refuse("[aws]\nprofile =\n", "c:2: [aws] profile: \"\" is empty; allowed: the name of a profile");
	refuse("[s3]\nkey_format = uuid\n",
	       "c:2: [s3] key_format: \"uuid\" is not known; allowed: path, md5, sha256 or plain");
	refuse("[s3]\nprefix = /a\n", "c:2: [s3] prefix: \"/a\" starts with '/'; allowed: up to 512 bytes that do not "
				      "start with '/'; usually it ends with '/'");
	refuse("[s3]\naddressing = dns\n",
	       "c:2: [s3] addressing: \"dns\" is not known; allowed: auto, path or virtual");
	refuse("[table \"orders\"]\nstart = now\n",
	       "c:2: [table \"orders\"] start: \"now\" is not known; allowed: trim_horizon or latest");
	refuse("[table \"orders\"]\nenable_stream = true\n",
	       "c:2: [table \"orders\"] enable_stream: \"true\" is neither yes nor no; allowed: yes or no");
	char file[700] = "[s3]\nprefix=", message[300] = "c:2: [s3] prefix: \"";
	memset(file + 12, 'a', 513);
	memset(message + 19, 'a', 64);
	strcpy(message + 83, "...\" is too long; allowed: up to 512 bytes that do not start with '/'; usually it ends "
			     "with '/'");
	refuse(file, message);
	strcpy(file, "[s3]\ntenant_attribute=");
	memset(file + 22, 'a', 256);
	file[278] = '\0';
	strcpy(message, "c:2: [s3] tenant_attribute: \"");
	memset(message + 29, 'a', 64);
	strcpy(message + 93, "...\" is too long; allowed: the name of an attribute, up to 255 bytes, or nothing for no "
			     "folders");
	refuse(file, message);
}

static void test_listen(void **state)
{
	(void)state;
	struct config *c = load("[daemon]\nlisten = off\n" REST);
	assert_true(c->listen_off);
	config_free(c);
	c = load("[daemon]\nlisten = :80\n" REST);
	assert_string_equal(c->listen_host, "");
	assert_int_equal(c->listen_port, 80);
	assert_false(c->listen_off);
	config_free(c);
}

static void test_buckets(void **state)
{
	(void)state;
	static const char *const good[] = {"abc",
					   "a.b-c",
					   "123",
					   "1.2.3",
					   "backup--x-s3-not",
					   "my-sthree-",
					   "a23456789012345678901234567890123456789012345678901234567890123"};
	static const struct {
		const char *name, *why;
	} bad[] = {
		{"", "is too short or too long for a bucket"},
		{"ab", "is too short or too long for a bucket"},
		{"a234567890123456789012345678901234567890123456789012345678901234",
		 "is too short or too long for a bucket"},
		{"My-bucket", "has a character that no bucket has"},
		{"my_bucket", "has a character that no bucket has"},
		{"my/bucket", "has a character that no bucket has"},
		{"-bucket", "does not start and end with a letter or a digit"},
		{"bucket.", "does not start and end with a letter or a digit"},
		{"my..bucket", "has two dots side by side, or is an IP address"},
		{"192.168.0.1", "has two dots side by side, or is an IP address"},
		{"xn--bucket", "has a start that S3 keeps for itself"},
		{"bucket--x-s3", "has an end that S3 keeps for other than plain buckets"},
		{"bucket-s3alias", "has an end that S3 keeps for other than plain buckets"},
	};
	char file[200], message[300];
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		/* S3 would refuse the end '-'. */
		size_t len = strlen(good[i]);
		snprintf(file, sizeof(file), "[table \"orders\"]\n[s3]\nbucket=%.*s\n",
			 (int)(good[i][len - 1] == '-' ? len - 1 : len), good[i]);
		config_free(load(file));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(file, sizeof(file), "[table \"orders\"]\n[s3]\nbucket=%s\n", bad[i].name);
		snprintf(message, sizeof(message),
			 "c:3: [s3] bucket: \"%s\" %s; allowed: 3 to 63 of a-z, 0-9, '-' and '.', by S3's naming rules",
			 bad[i].name, bad[i].why);
		refuse(file, message);
	}
}

static void test_urls(void **state)
{
	(void)state;
	static const struct {
		const char *url, *why;
	} bad[] = {
		{"127.0.0.1:8000", "does not start with http:// or https://"},
		{"ftp://host", "does not start with http:// or https://"},
		{"", "does not start with http:// or https://"},
		{"http://", "is not a scheme, a host and a port"},
		{"http:///", "is not a scheme, a host and a port"},
		{"http://:80", "is not a scheme, a host and a port"},
		{"http://host:", "is not a scheme, a host and a port"},
		{"http://host:0", "is not a scheme, a host and a port"},
		{"http://host:65536", "is not a scheme, a host and a port"},
		{"http://host//", "is not a scheme, a host and a port"},
		{"http://host/path", "is not a scheme, a host and a port"},
		{"http://host?x=y", "is not a scheme, a host and a port"},
		{"http://me:secret@host", "is not a scheme, a host and a port"},
		{"http://::1", "is not a scheme, a host and a port"},
		{"http://[::1", "is not a scheme, a host and a port"},
		{"http://ho st", "is not a scheme, a host and a port"},
	};
	char file[600], message[300];
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(file, sizeof(file), "[aws]\nendpoint_url_s3=%s\n", bad[i].url);
		snprintf(message, sizeof(message),
			 "c:2: [aws] endpoint_url_s3: \"%s\" %s; allowed: http://HOST[:PORT] or https://HOST[:PORT], "
			 "without a path",
			 bad[i].url, bad[i].why);
		refuse(file, message);
	}
	/* A host of 250 bytes is still one. */
	char host[251];
	memset(host, 'h', 250);
	host[250] = '\0';
	snprintf(file, sizeof(file), "[aws]\nendpoint_url=https://%s/\n" REST, host);
	struct config *c = load(file);
	assert_int_equal(strlen(c->endpoints[CONFIG_STS]), 258);
	config_free(c);
}

static void test_region_precedence(void **state)
{
	(void)state;
	setenv("AWS_DEFAULT_REGION", "us-east-2", 1);
	struct config *c = load(REST);
	assert_string_equal(c->region, "us-east-2");
	config_free(c);
	setenv("AWS_REGION", "us-west-1", 1);
	c = load(REST);
	assert_string_equal(c->region, "us-west-1");
	config_free(c);
	c = load("[aws]\nregion=eu-west-1\n" REST);
	assert_string_equal(c->region, "eu-west-1");
	config_free(c);
	setenv("AWS_REGION", "", 1);
	c = load(REST);
	assert_string_equal(c->region, "us-east-2");
	config_free(c);
	setenv("AWS_REGION", "Mars", 1);
	refuse(REST,
	       "environment variable AWS_REGION: \"Mars\" is not a region; allowed: lower-case letters, digits and "
	       "'-', such as eu-central-1");
}

static void test_endpoint_precedence(void **state)
{
	(void)state;
	setenv("AWS_ENDPOINT_URL", "http://all.env/", 1);
	setenv("AWS_ENDPOINT_URL_S3", "http://s3.env", 1);
	setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://streams.env", 1);
	struct config *c = load(REST);
	assert_string_equal(c->endpoints[CONFIG_S3], "http://s3.env");
	assert_string_equal(c->endpoints[CONFIG_STREAMS], "http://streams.env");
	assert_string_equal(c->endpoints[CONFIG_DYNAMODB], "http://all.env");
	assert_string_equal(c->endpoints[CONFIG_STS], "http://all.env");
	config_free(c);
	c = load("[aws]\nendpoint_url_dynamodb=http://dynamodb.file\n" REST);
	assert_string_equal(c->endpoints[CONFIG_S3], "http://s3.env");
	assert_string_equal(c->endpoints[CONFIG_DYNAMODB], "http://dynamodb.file");
	config_free(c);
	/* Any key of the file is above all of the environment. */
	c = load("[aws]\nendpoint_url=http://all.file\nendpoint_url_sts=http://sts.file\n" REST);
	assert_string_equal(c->endpoints[CONFIG_S3], "http://all.file");
	assert_string_equal(c->endpoints[CONFIG_STREAMS], "http://all.file");
	assert_string_equal(c->endpoints[CONFIG_STS], "http://sts.file");
	config_free(c);
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	c = load("[aws]\nendpoint_url_sts=http://sts.file\n" REST);
	assert_null(c->endpoints[CONFIG_S3]);
	assert_null(c->endpoints[CONFIG_DYNAMODB]);
	assert_string_equal(c->endpoints[CONFIG_STS], "http://sts.file");
	config_free(c);
	unsetenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	setenv("AWS_ENDPOINT_URL_DYNAMODB", "dynamodb:8000", 1);
	refuse(REST, "environment variable AWS_ENDPOINT_URL_DYNAMODB: \"dynamodb:8000\" does not start with http:// or "
		     "https://; allowed: http://HOST[:PORT] or https://HOST[:PORT], without a path");
}

static void test_other_environment(void **state)
{
	(void)state;
	setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
	setenv("AWS_PROFILE", "backup", 1);
	setenv("AWS_CA_BUNDLE", "/etc/ca.pem", 1);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://[fd00:ec2::254]/", 1);
	struct config *c = load(REST);
	assert_string_equal(c->state_dir, "/var/lib/one");
	assert_string_equal(c->profile, "backup");
	assert_string_equal(c->ca_bundle, "/etc/ca.pem");
	assert_string_equal(c->imds_endpoint, "http://[fd00:ec2::254]");
	config_free(c);
	c = load("[daemon]\nstate_dir=/a\n[aws]\nprofile=b\nca_bundle=/c\nimds_endpoint=http://d\n" REST);
	assert_string_equal(c->state_dir, "/a");
	assert_string_equal(c->profile, "b");
	assert_string_equal(c->ca_bundle, "/c");
	assert_string_equal(c->imds_endpoint, "http://d");
	config_free(c);
	setenv("STATE_DIRECTORY", "relative", 1);
	refuse(REST,
	       "environment variable STATE_DIRECTORY: \"relative\" is not an absolute path; allowed: an absolute path");
}

static void test_what_is_missing(void **state)
{
	(void)state;
	refuse("[table \"orders\"]\n", "c: [s3] bucket: is missing; name the bucket that the backup goes to");
	refuse("\n[s3]\nprefix=a/\n[table \"orders\"]\n",
	       "c:2: [s3] bucket: is missing; name the bucket that the backup goes to");
	refuse("[s3]\nbucket=backups\n",
	       "c: [table \"NAME\"]: is missing; there must be one such section for each table to back up");
}

static void test_memory_for_all_tables(void **state)
{
	(void)state;
	static char file[4000];
	int len = snprintf(file, sizeof(file), "[s3]\nbucket=backups\n[daemon]\nmemory_limit=16MiB\n");
	for (int i = 0; i < 8; i++)
		len += snprintf(file + len, sizeof(file) - (size_t)len, "[table \"table%d\"]\n", i);
	config_free(load(file));
	snprintf(file + len, sizeof(file) - (size_t)len, "[table \"table8\"]\n");
	refuse(file,
	       "c:4: [daemon] memory_limit: too little for 9 tables, which need 2MiB each; allowed: 18MiB to 64GiB");
	/* The default is not enough either. */
	len = snprintf(file, sizeof(file), "[s3]\nbucket=backups\n");
	for (int i = 0; i < 33; i++)
		len += snprintf(file + len, sizeof(file) - (size_t)len, "[table \"table%d\"]\n", i);
	refuse(file,
	       "c: [daemon] memory_limit: too little for 33 tables, which need 2MiB each; allowed: 66MiB to 64GiB");
}

static void test_shared_paths(void **state)
{
	(void)state;
	refuse("[s3]\nbucket=backups\n[table \"aaa\"]\n[table \"bbb\"]\nprefix=aaa/\n",
	       "c:4: [table \"bbb\"] prefix: its deletes and watermark would lie at \"aaa/.ddb-streamd/bbb/\", among "
	       "the "
	       "items of [table \"aaa\"] (line 3); give one of the two another prefix");
	refuse("[s3]\nbucket=backups\n[table \"bbb\"]\nprefix=aaa/\n[table \"zzz\"]\n[table \"aaa\"]\n",
	       "c:3: [table \"bbb\"] prefix: its deletes and watermark would lie at \"aaa/.ddb-streamd/bbb/\", among "
	       "the "
	       "items of [table \"aaa\"] (line 6); give one of the two another prefix");
	refuse("[s3]\nbucket=backups\n[table \"aaa\"]\n[table \"bbb\"]\nprefix=.ddb-streamd/aaa/x\n",
	       "c:4: [table \"bbb\"] prefix: its deletes and watermark would lie at "
	       "\".ddb-streamd/aaa/x.ddb-streamd/bbb/\", among the deletes and watermark of [table \"aaa\"] (line 3); "
	       "give one of the two another prefix");
	refuse("[s3]\nbucket=backups\n[table \"aaa\"]\n[table \"bbb\"]\nprefix=.ddb-streamd/aaa/deletes/\n",
	       "c:4: [table \"bbb\"] prefix: its deletes and watermark would lie at "
	       "\".ddb-streamd/aaa/deletes/.ddb-streamd/bbb/\", among the deletes and watermark of [table \"aaa\"] "
	       "(line 3); give one of the two another prefix");
	/* The same place by two ways: "x" + "aaa" and "" + "xaaa". */
	refuse("[s3]\nbucket=backups\n[table \"aaa\"]\nprefix=x\n[table \"xaaa\"]\n",
	       "c:5: [table \"xaaa\"] prefix: its items would lie at \"xaaa/\", among the items of [table \"aaa\"] "
	       "(line 3); give one of the two another prefix");
	/* Like each other, but apart. */
	config_free(load("[s3]\nbucket=backups\n[table \"aaa\"]\n[table \"aaab\"]\n[table \"aaa.b\"]\n[table \"bbb\"]\n"
			 "prefix=aa/\n[table \"ccc\"]\nprefix=aaa-\n[table \"ddd\"]\nprefix=.ddb-streamd\n"));
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
	struct config *shipped = load(text), *least = load(REST);
	assert_string_equal(shipped->tables[0].name, "orders");
	assert_int_equal(shipped->workers, least->workers);
	config_free(shipped);
	/* With the '#' taken away from every key, the file is good, has every key, and changes no default. */
	for (char *s = text; (s = strstr(s, "\n#")); s++) {
		size_t name = strspn(s + 2, "abcdefghijklmnopqrstuvwxyz0123456789_");
		if (strncmp(s + 2 + name, " = ", 3) == 0)
			s[1] = ' ';
	}
	struct config *all = load(text);
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
	assert_int_equal(all->poll_interval_ms, least->poll_interval_ms);
	assert_int_equal(all->stop_timeout_ms, least->stop_timeout_ms);
	assert_int_equal(all->rpo_ms, least->rpo_ms);
	assert_string_equal(all->imds_endpoint, least->imds_endpoint);
	assert_int_equal(all->addressing, least->addressing);
	assert_int_equal(all->tables[0].key_format, least->tables[0].key_format);
	assert_int_equal(all->tables[0].start, least->tables[0].start);
	assert_int_equal(all->tables[0].enable_stream, least->tables[0].enable_stream);
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
		write_file(bytes, len);
		if (config_load("c", &c, &e) == 0)
			config_free(c);
		else
			assert_int_equal(strncmp(e.message, "c:", 2), 0);
	}
}

#define CONFIG_TEST(f) cmocka_unit_test_setup_teardown(f, clear_environment, clear_environment)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFIG_TEST(test_least_file_has_the_defaults),
		CONFIG_TEST(test_every_key),
		CONFIG_TEST(test_override_with_the_default),
		CONFIG_TEST(test_layout),
		CONFIG_TEST(test_long_lines),
		CONFIG_TEST(test_not_a_good_file),
		CONFIG_TEST(test_long_path_keeps_its_end),
		CONFIG_TEST(test_broken_lines),
		CONFIG_TEST(test_sections),
		CONFIG_TEST(test_keys),
		CONFIG_TEST(test_ranges),
		CONFIG_TEST(test_bad_values),
		CONFIG_TEST(test_listen),
		CONFIG_TEST(test_buckets),
		CONFIG_TEST(test_urls),
		CONFIG_TEST(test_region_precedence),
		CONFIG_TEST(test_endpoint_precedence),
		CONFIG_TEST(test_other_environment),
		CONFIG_TEST(test_what_is_missing),
		CONFIG_TEST(test_memory_for_all_tables),
		CONFIG_TEST(test_shared_paths),
		CONFIG_TEST(test_shipped_file),
		CONFIG_TEST(test_manual_names_every_key),
		CONFIG_TEST(test_any_bytes),
	};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
