/* config: the whole message for each file that is not good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "config_fixture.h"

/* `n` letters. Good until the next call. */
static const char *letters(size_t n)
{
	static char text[1000];
	memset(text, 'a', n);
	text[n] = '\0';
	return text;
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
	config_fixture_refuse("", "c: [s3] bucket: is missing; name the bucket that the backup goes to");
	static const char nul[] = "[s3]\nbucket=ba\0ckups\n";
	config_fixture_refuse_bytes(nul, sizeof(nul) - 1, "c:2: a NUL byte; this must be a text file");
	static const char nul_in_comment[] = "# \0\n[nonsense]\n";
	config_fixture_refuse_bytes(nul_in_comment, sizeof(nul_in_comment) - 1,
				    "c:1: a NUL byte; this must be a text file");
}

static void test_long_path_keeps_its_end(void **state)
{
	(void)state;
	struct config *c = NULL;
	struct err e;
	char path[1000];
	config_fixture_write("x\n", 2);
	for (size_t i = 0; i < 900; i += 2)
		memcpy(path + i, "./", 2);
	memcpy(path + 900, "c", 2);
	assert_int_equal(config_load(path, &c, &e), -ERR_INVALID);
	assert_non_null(
		strstr(e.message, "/./c:1: \"x\" is neither a [section] nor \"key = value\"; a key ends with '='"));
	assert_memory_equal(e.message, "...", 3);
}

static void test_broken_lines(void **state)
{
	(void)state;
	config_fixture_refuse("[daemon]\nworkers\n",
			      "c:2: \"workers\" is neither a [section] nor \"key = value\"; a key ends with '='");
	config_fixture_refuse("[daemon]\nworkers: 7\n",
			      "c:2: \"workers: 7\" is neither a [section] nor \"key = value\"; a key ends with '='");
	config_fixture_refuse("[daemon]\nlisten: a=b\n",
			      "c:2: \"listen: a=b\" is neither a [section] nor \"key = value\"; a key ends with '='");
	config_fixture_refuse("[daemon]\n = 7\n", "c:2: no key before '='; write key = value");
	config_fixture_refuse("[daemon\nworkers=1\n",
			      "c:1: \"[daemon\" does not end with ']'; a section is [NAME] on a line of its own");
	config_fixture_refuse(
		"[daemon] # main\n",
		"c:1: \"[daemon] # main\" does not end with ']'; a section is [NAME] on a line of its own");
	config_fixture_refuse("[\n", "c:1: \"[\" does not end with ']'; a section is [NAME] on a line of its own");
	config_fixture_refuse("workers = 7\n[daemon]\n",
			      "c:1: workers: a key before the first section; start with [daemon]");
	/* With more lines than one wrong, the first counts; an error across lines counts least. */
	config_fixture_refuse("[s3]\nbucket=X\nfoo\n[nonsense]\n",
			      "c:2: [s3] bucket: \"X\" is too short or too long for a bucket; allowed: "
			      "3 to 63 of a-z, 0-9, '-' and '.', by S3's naming rules");
	config_fixture_refuse("[aws]\nprofile = caf\xe9\n",
			      "c:2: profile: byte 4 of the value is not UTF-8; save the file as UTF-8");
	config_fixture_refuse("[aws]\nprofile = a\x1b[0m\n",
			      "c:2: profile: byte 2 of the value is a control character; only text is allowed");
	config_fixture_refuse("[s3]\nprefix = a\tb\n",
			      "c:2: prefix: byte 2 of the value is a control character; only text is allowed");
}

static void test_sections(void **state)
{
	(void)state;
	config_fixture_refuse("[demon]\n", "c:1: [demon] is not a section; did you mean [daemon]?");
	config_fixture_refuse("\n[AWS]\n",
			      "c:2: [AWS] is not a section; allowed are [daemon], [aws], [s3] and [table \"NAME\"]");
	config_fixture_refuse("[]\n",
			      "c:1: [] is not a section; allowed are [daemon], [aws], [s3] and [table \"NAME\"]");
	config_fixture_refuse("[aws]\n[s3]\n[aws]\n", "c:3: [aws] is there twice, first on line 1; once is allowed");
	config_fixture_refuse("[table orders]\n",
			      "c:1: [table orders]: a table's name stands in double quotes; write [table \"NAME\"]");
	config_fixture_refuse("[table]\n",
			      "c:1: [table]: a table's name stands in double quotes; write [table \"NAME\"]");
	config_fixture_refuse("[table \"]\n",
			      "c:1: [table \"]: a table's name stands in double quotes; write [table \"NAME\"]");
	config_fixture_refuse("[table \"ab\"]\n", "c:1: [table \"ab\"] is not the name of a table; "
						  "3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'");
	config_fixture_refuse("[table \"a/b\"]\n", "c:1: [table \"a/b\"] is not the name of a table; "
						   "3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'");
	config_fixture_refuse("[table \"orders\" x \"]\n", "c:1: [table \"orders\" x \"] is not the name of a table; "
							   "3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'");
	config_fixture_refuse("[table \".ddb-streamd\"]\n",
			      "c:1: [table \".ddb-streamd\"]: the backup's own objects lie in a folder of "
			      "that name; such a table cannot be backed up");
	config_fixture_refuse("[table \"orders\"]\n[aws]\n[table \"orders\"]\n",
			      "c:3: [table \"orders\"] is there twice, first on line 1; once is allowed");
	char file[2000], message[2000];
	snprintf(file, sizeof(file), "[table \"%s\"]\n", letters(256));
	snprintf(message, sizeof(message),
		 "c:1: [table \"%s...\"] is not the name of a table; 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'",
		 letters(64));
	config_fixture_refuse(file, message);
}

static void test_keys(void **state)
{
	(void)state;
	config_fixture_refuse("[daemon]\nworker = 7\n", "c:2: [daemon] worker: unknown key; did you mean workers?");
	config_fixture_refuse("[s3]\nbuckte = x\n", "c:2: [s3] buckte: unknown key; did you mean bucket?");
	config_fixture_refuse("[s3]\nregion = x\n", "c:2: [s3] region: unknown key; it belongs to [aws]");
	config_fixture_refuse("[daemon]\nenable_stream = yes\n",
			      "c:2: [daemon] enable_stream: unknown key; it belongs to [table]");
	config_fixture_refuse(
		"[s3]\nflavour = x\n",
		"c:2: [s3] flavour: unknown key; allowed are bucket, prefix, key_format, tenant_attribute, addressing");
	config_fixture_refuse(
		"[table \"orders\"]\nflavour = x\n",
		"c:2: [table \"orders\"] flavour: unknown key; allowed are start, "
		"enable_stream, baseline, baseline_rate, baseline_segments, prefix, key_format, tenant_attribute, rpo");
	config_fixture_refuse("[daemon]\nWorkers = 7\n", "c:2: [daemon] Workers: unknown key; did you mean workers?");
	config_fixture_refuse("[daemon]\nworkers = 7\n\nworkers = 7\n",
			      "c:4: [daemon] workers: is there twice, first on line 2; once is allowed");
	config_fixture_refuse("[table \"abc\"]\nrpo=1h\n[table \"abd\"]\nrpo=1h\nrpo=1h\n",
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
		{"settings_interval", "1s", "24h", "999ms", "25h", "1s to 24h"},
		{"poll_interval", "250ms", "10s", "249ms", "10001ms", "250ms to 10s"},
		{"stop_timeout", "1s", "10m", "999ms", "11m", "1s to 10m"},
		{"rpo", "1m", "24h", "59s", "1d1ms", "1m to 24h"},
	};
	char file[200], message[200];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *good[] = {cases[i].least, cases[i].most}, *bad[] = {cases[i].under, cases[i].over};
		for (int j = 0; j < 2; j++) {
			snprintf(file, sizeof(file), "[daemon]\n%s = %s\n" CONFIG_FIXTURE_REST, cases[i].key, good[j]);
			config_free(config_fixture_load(file));
			snprintf(file, sizeof(file), "[daemon]\n%s = %s\n" CONFIG_FIXTURE_REST, cases[i].key, bad[j]);
			snprintf(message, sizeof(message), "c:2: [daemon] %s: \"%s\" is out of range; allowed: %s",
				 cases[i].key, bad[j], cases[i].allowed);
			config_fixture_refuse(file, message);
		}
	}
	config_fixture_refuse("[table \"orders\"]\nrpo = 25h\n",
			      "c:2: [table \"orders\"] rpo: \"25h\" is out of range; allowed: 1m to 24h");
}

static void test_bad_values(void **state)
{
	(void)state;
	config_fixture_refuse("[daemon]\nworkers = many\n",
			      "c:2: [daemon] workers: \"many\" is not a whole number; allowed: 1 to 1024");
	config_fixture_refuse("[daemon]\nworkers =\n",
			      "c:2: [daemon] workers: \"\" is not a whole number; allowed: 1 to 1024");
	config_fixture_refuse("[daemon]\nworkers = \"7\"\n",
			      "c:2: [daemon] workers: \"\"7\"\" is not a whole number; allowed: 1 to 1024");
	config_fixture_refuse(
		"[daemon]\nmemory_limit = 64\n",
		"c:2: [daemon] memory_limit: \"64\" is not a size with its unit (KiB, MiB, GiB, KB, MB, GB, B); "
		"allowed: 16MiB to 64GiB");
	config_fixture_refuse("[daemon]\nrpo = 30\n",
			      "c:2: [daemon] rpo: \"30\" is not a duration with its unit (ms, s, m, h, d); "
			      "allowed: 1m to 24h");
	config_fixture_refuse("[daemon]\nlog_level = trace\n",
			      "c:2: [daemon] log_level: \"trace\" is not known; allowed: error, warn, info or debug");
	config_fixture_refuse("[daemon]\nlisten = 9464\n",
			      "c:2: [daemon] listen: \"9464\" is not HOST:PORT; allowed: HOST:PORT, "
			      "[IPV6]:PORT, :PORT for every address, or off");
	config_fixture_refuse(
		"[daemon]\nstate_dir = var/lib\n",
		"c:2: [daemon] state_dir: \"var/lib\" is not an absolute path; allowed: an absolute path");
	config_fixture_refuse(
		"[aws]\nregion = EU (Frankfurt)\n",
		"c:2: [aws] region: \"EU (Frankfurt)\" is not a region; allowed: lower-case letters, digits and '-', "
		"such as eu-central-1");
	config_fixture_refuse("[aws]\nprofile =\n",
			      "c:2: [aws] profile: \"\" is empty; allowed: the name of a profile");
	config_fixture_refuse("[s3]\nkey_format = uuid\n",
			      "c:2: [s3] key_format: \"uuid\" is not known; allowed: path, md5, sha256 or plain");
	config_fixture_refuse("[s3]\nprefix = /a\n",
			      "c:2: [s3] prefix: \"/a\" starts with '/'; allowed: up to 512 bytes that do not "
			      "start with '/'; usually it ends with '/'");
	config_fixture_refuse("[s3]\naddressing = dns\n",
			      "c:2: [s3] addressing: \"dns\" is not known; allowed: auto, path or virtual");
	config_fixture_refuse("[table \"orders\"]\nstart = now\n",
			      "c:2: [table \"orders\"] start: \"now\" is not known; allowed: trim_horizon or latest");
	config_fixture_refuse(
		"[table \"orders\"]\nenable_stream = true\n",
		"c:2: [table \"orders\"] enable_stream: \"true\" is neither yes nor no; allowed: yes or no");
	char file[2000], message[2000];
	snprintf(file, sizeof(file), "[s3]\nprefix=%s\n", letters(513));
	snprintf(message, sizeof(message),
		 "c:2: [s3] prefix: \"%s...\" is too long; allowed: up to 512 bytes that do not start with '/'; "
		 "usually it "
		 "ends with '/'",
		 letters(64));
	config_fixture_refuse(file, message);
	snprintf(file, sizeof(file), "[s3]\ntenant_attribute=%s\n", letters(256));
	snprintf(message, sizeof(message),
		 "c:2: [s3] tenant_attribute: \"%s...\" is too long; allowed: the name of an attribute, up to 255 "
		 "bytes, or "
		 "nothing for no folders",
		 letters(64));
	config_fixture_refuse(file, message);
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
		config_free(config_fixture_load(file));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(file, sizeof(file), "[table \"orders\"]\n[s3]\nbucket=%s\n", bad[i].name);
		snprintf(message, sizeof(message),
			 "c:3: [s3] bucket: \"%s\" %s; allowed: 3 to 63 of a-z, 0-9, '-' and '.', by S3's naming rules",
			 bad[i].name, bad[i].why);
		config_fixture_refuse(file, message);
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
		config_fixture_refuse(file, message);
	}
	/* A host of 250 bytes is still one. */
	char host[251];
	memset(host, 'h', 250);
	host[250] = '\0';
	snprintf(file, sizeof(file), "[aws]\nendpoint_url=https://%s/\n" CONFIG_FIXTURE_REST, host);
	struct config *c = config_fixture_load(file);
	assert_int_equal(strlen(c->endpoints[CONFIG_STS]), 258);
	config_free(c);
}

static void test_what_is_missing(void **state)
{
	(void)state;
	config_fixture_refuse("[table \"orders\"]\n",
			      "c: [s3] bucket: is missing; name the bucket that the backup goes to");
	config_fixture_refuse("\n[s3]\nprefix=a/\n[table \"orders\"]\n",
			      "c:2: [s3] bucket: is missing; name the bucket that the backup goes to");
	config_fixture_refuse(
		"[s3]\nbucket=backups\n",
		"c: [table \"NAME\"]: is missing; there must be one such section for each table to back up");
}

static void test_memory_for_all_tables(void **state)
{
	(void)state;
	static char file[4000];
	int len = snprintf(file, sizeof(file), "[s3]\nbucket=backups\n[daemon]\nmemory_limit=16MiB\n");
	for (int i = 0; i < 8; i++)
		len += snprintf(file + len, sizeof(file) - (size_t)len, "[table \"table%d\"]\n", i);
	config_free(config_fixture_load(file));
	snprintf(file + len, sizeof(file) - (size_t)len, "[table \"table8\"]\n");
	config_fixture_refuse(
		file,
		"c:4: [daemon] memory_limit: too little for 9 tables, which need 2MiB each; allowed: 18MiB to 64GiB");
	/* The default is not enough either. */
	len = snprintf(file, sizeof(file), "[s3]\nbucket=backups\n");
	for (int i = 0; i < 33; i++)
		len += snprintf(file + len, sizeof(file) - (size_t)len, "[table \"table%d\"]\n", i);
	config_fixture_refuse(
		file,
		"c: [daemon] memory_limit: too little for 33 tables, which need 2MiB each; allowed: 66MiB to 64GiB");
}

/* "<prefix>.ddb-streamd/<table>/deletes/" and 131 bytes more, 257 further ones with a tenant, are S3's 1,024 at most. */
static void test_room_for_item_names(void **state)
{
	char file[2048], expected[512], table[256];
	(void)state;
	memset(table, 't', 255);
	table[255] = '\0';
	/* 13 for the folder, 256 for the table, 8 for deletes/, 388 behind it: 359 are left. */
	snprintf(file, sizeof(file), "[s3]\nbucket=backups\ntenant_attribute=a\nprefix=%s\n[table \"%s\"]\n",
		 letters(360), table);
	snprintf(expected, sizeof(expected),
		 "c:5: [table \"%.64s...\"] prefix: leaves no room for the names of items, which S3 keeps to 1,024 "
		 "bytes in "
		 "all; allowed for this table: 359 bytes",
		 table);
	config_fixture_refuse(file, expected);
	snprintf(file, sizeof(file), "[s3]\nbucket=backups\ntenant_attribute=a\nprefix=%s\n[table \"%s\"]\n",
		 letters(359), table);
	config_free(config_fixture_load(file));
}

static void test_shared_paths(void **state)
{
	(void)state;
	config_fixture_refuse(
		"[s3]\nbucket=backups\n[table \"aaa\"]\n[table \"bbb\"]\nprefix=aaa/\n",
		"c:4: [table \"bbb\"] prefix: its deletes and watermark would lie at \"aaa/.ddb-streamd/bbb/\", among "
		"the "
		"items of [table \"aaa\"] (line 3); give one of the two another prefix");
	config_fixture_refuse(
		"[s3]\nbucket=backups\n[table \"bbb\"]\nprefix=aaa/\n[table \"zzz\"]\n[table \"aaa\"]\n",
		"c:3: [table \"bbb\"] prefix: its deletes and watermark would lie at \"aaa/.ddb-streamd/bbb/\", among "
		"the "
		"items of [table \"aaa\"] (line 6); give one of the two another prefix");
	config_fixture_refuse(
		"[s3]\nbucket=backups\n[table \"aaa\"]\n[table \"bbb\"]\nprefix=.ddb-streamd/aaa/x\n",
		"c:4: [table \"bbb\"] prefix: its deletes and watermark would lie at "
		"\".ddb-streamd/aaa/x.ddb-streamd/bbb/\", among the deletes and watermark of [table \"aaa\"] (line 3); "
		"give one of the two another prefix");
	config_fixture_refuse(
		"[s3]\nbucket=backups\n[table \"aaa\"]\n[table \"bbb\"]\nprefix=.ddb-streamd/aaa/deletes/\n",
		"c:4: [table \"bbb\"] prefix: its deletes and watermark would lie at "
		"\".ddb-streamd/aaa/deletes/.ddb-streamd/bbb/\", among the deletes and watermark of [table \"aaa\"] "
		"(line 3); give one of the two another prefix");
	/* The same place by two ways: "x" + "aaa" and "" + "xaaa". */
	config_fixture_refuse(
		"[s3]\nbucket=backups\n[table \"aaa\"]\nprefix=x\n[table \"xaaa\"]\n",
		"c:5: [table \"xaaa\"] prefix: its items would lie at \"xaaa/\", among the items of [table \"aaa\"] "
		"(line 3); give one of the two another prefix");
	/* Like each other, but apart. */
	config_free(config_fixture_load(
		"[s3]\nbucket=backups\n[table \"aaa\"]\n[table \"aaab\"]\n[table \"aaa.b\"]\n[table \"bbb\"]\n"
		"prefix=aa/\n[table \"ccc\"]\nprefix=aaa-\n[table \"ddd\"]\nprefix=.ddb-streamd\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFIG_FIXTURE_TEST(test_not_a_good_file),
		CONFIG_FIXTURE_TEST(test_long_path_keeps_its_end),
		CONFIG_FIXTURE_TEST(test_broken_lines),
		CONFIG_FIXTURE_TEST(test_sections),
		CONFIG_FIXTURE_TEST(test_keys),
		CONFIG_FIXTURE_TEST(test_ranges),
		CONFIG_FIXTURE_TEST(test_bad_values),
		CONFIG_FIXTURE_TEST(test_buckets),
		CONFIG_FIXTURE_TEST(test_urls),
		CONFIG_FIXTURE_TEST(test_what_is_missing),
		CONFIG_FIXTURE_TEST(test_memory_for_all_tables),
		CONFIG_FIXTURE_TEST(test_room_for_item_names),
		CONFIG_FIXTURE_TEST(test_shared_paths),
	};
	return cmocka_run_group_tests(tests, config_fixture_enter, config_fixture_leave);
}
