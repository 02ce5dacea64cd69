#include "export_fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "aws_fixture.h"
#include "codec/digest.h"
#include "codec/encode.h"

int export_fixture_setup(void **state)
{
	struct export_fixture *f = calloc(1, sizeof(*f));
	struct err e;
	assert_non_null(f);
	aws_fixture_environment("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL);
	assert_int_equal(digest_init(&e), 0);
	uv_loop_init(&f->loop);
	httpd_start(&f->server, &f->loop, export_server_answer, f);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", f->server.port);
	f->config = (struct config){.region = (char *)"eu-west-1", .bucket = (char *)"bkt"};
	for (int s = 0; s < CONFIG_SERVICES; s++)
		f->config.endpoints[s] = f->url;
	assert_int_equal(aws_init(&f->aws, &f->loop, &f->config, 16, &e), 0);
	snprintf(f->root, sizeof(f->root), "/tmp/ddb-export-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int export_fixture_teardown(void **state)
{
	struct export_fixture *f = *state;
	aws_fini(&f->aws);
	httpd_stop(&f->server);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	for (size_t i = 0; i < f->nobjects; i++)
		buf_fini(&f->objects[i].bytes);
	for (size_t i = 0; i < f->nuploads; i++)
		for (size_t j = 0; j < 64; j++)
			buf_fini(&f->uploads[i].parts[j]);
	nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

struct export_options export_fixture_options(const char *to)
{
	return (struct export_options){
		.to = to,
		.table_name = "ProductCatalog",
		.table_arn = ARN,
		.table_id = TABLE_ID,
		.at_ms = AT_MS,
		.start_ms = START_MS,
		.seed = 42,
	};
}

/* The i-th item, with noise in it that gzip cannot make smaller than `noise` bytes. */
void export_fixture_item(struct buf *out, unsigned i, size_t noise)
{
	uint64_t state = i + 1;
	buf_reset(out);
	assert_int_equal(buf_printf(out, "{\"id\":{\"S\":\"%06u\"},\"n\":{\"N\":\"%u.10000000000000000000000000001\"}",
				    i, i),
			 0);
	assert_int_equal(buf_append_str(out, ",\"x\":{\"S\":\""), 0);
	for (size_t n = 0; n < noise * 4 / 3; n++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		buf_append_char(out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[state >> 58]);
	}
	assert_int_equal(buf_append_str(out, "\"}}"), 0);
}

static void on_ready(void *arg)
{
	struct export_run *r = arg;
	r->ready = true;
}

/* Adds items [0, n). */
int export_fixture_add(struct export_fixture *f, struct export_run *r, unsigned n, size_t noise, struct err *e)
{
	struct buf item;
	int rc = 0;
	buf_init(&item, EXPORT_FIXTURE_MAX);
	export_on_ready(r->x, on_ready, r);
	for (unsigned i = 0; i < n && rc == 0; i++) {
		export_fixture_item(&item, i, noise);
		while ((rc = export_add(r->x, (struct span){buf_str(&item), item.len}, e)) == 1) {
			r->waits++;
			r->ready = false;
			while (!r->ready)
				uv_run(&f->loop, UV_RUN_ONCE);
		}
	}
	buf_fini(&item);
	return rc;
}

int export_fixture_run(struct export_fixture *f, const struct export_options *o, unsigned n, size_t noise,
		       struct err *e)
{
	struct export_run r = {0};
	bool stop = false;
	r.x = export_new(&f->aws, o, e);
	if (r.x == NULL)
		return -(int)e->class;
	int rc = export_fixture_add(f, &r, n, noise, e);
	if (rc == 0)
		rc = export_finish(r.x, &stop, e);
	if (rc == 0) {
		const struct export_figures *figures = export_figures(r.x);
		assert_int_equal(figures->items, n);
		assert_true(figures->files > 0);
		assert_true(figures->stored_bytes > 0);
	}
	export_free(r.x);
	return rc;
}

void export_fixture_must_run(struct export_fixture *f, const struct export_options *o, unsigned n, size_t noise)
{
	struct err e = {0};
	if (export_fixture_run(f, o, n, noise, &e) < 0)
		fail_msg("%s", e.message);
}

/* --- reading one --- */

/* A file of the folder, or an object of the bucket. */
void export_fixture_read(struct export_fixture *f, bool bucket, const char *name, struct buf *out)
{
	char path[512];
	buf_init(out, EXPORT_FIXTURE_MAX);
	if (bucket) {
		const struct export_object *o = export_server_object(f, name);
		if (o == NULL)
			fail_msg("%s is not in the bucket", name);
		else
			assert_int_equal(buf_append(out, buf_str(&o->bytes), o->bytes.len), 0);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", f->root, name);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		fail_msg("%s is not there", path);
	struct stat st;
	assert_int_equal(fstat(fileno(file), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(buf_reserve(out, (size_t)st.st_size), 0);
	out->len = fread(out->data, 1, (size_t)st.st_size, file);
	out->data[out->len] = '\0';
	assert_int_equal(out->len, st.st_size);
	fclose(file);
}

void export_fixture_gunzip(const struct buf *in, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)in->data, .avail_in = (uInt)in->len};
	int rc = Z_OK;
	buf_init(out, EXPORT_FIXTURE_MAX);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	while (rc == Z_OK) {
		assert_int_equal(buf_reserve(out, 1 << 16), 0);
		z.next_out = (Bytef *)out->data + out->len;
		z.avail_out = 1 << 16;
		rc = inflate(&z, Z_NO_FLUSH);
		out->len += (1 << 16) - z.avail_out;
	}
	assert_int_equal(rc, Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	out->data[out->len] = '\0';
	inflateEnd(&z);
}

void export_fixture_matches(const char *text, const char *pattern)
{
	regex_t re;
	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&re, text, 0, NULL, 0) != 0)
		fail_msg("\"%s\" does not match %s", text, pattern);
	regfree(&re);
}

static void must_be_md5(const char *text, const struct buf *bytes)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	char want[25] = "";
	digest_md5(md5, buf_str(bytes), bytes->len);
	encode_base64(want, md5, sizeof(md5));
	assert_string_equal(text, want);
}

/* One data file: JSON lines of {"Item":...}, each the item as it was given. Returns how many. */
static unsigned read_lines(struct export_seen *s, const struct buf *text)
{
	struct buf item, want;
	unsigned count = 0, last = UINT32_MAX - 1;
	buf_init(&item, EXPORT_FIXTURE_MAX);
	buf_init(&want, EXPORT_FIXTURE_MAX);
	for (const char *at = buf_str(text), *end; *at != '\0'; at = end + 1, count++) {
		unsigned i;
		end = strchr(at, '\n');
		assert_non_null(end);
		assert_int_equal(sscanf(at, "{\"Item\":{\"id\":{\"S\":\"%u\"}", &i), 1);
		assert_true(i < s->n);
		export_fixture_item(&item, i, s->noise);
		buf_reset(&want);
		assert_int_equal(buf_printf(&want, "{\"Item\":%s}", buf_str(&item)), 0);
		assert_int_equal(want.len, end - at);
		assert_memory_equal(at, buf_str(&want), want.len);
		json_error_t error;
		json_t *o = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, &error);
		assert_non_null(o);
		assert_int_equal(json_object_size(o), 1);
		json_decref(o);
		s->times[i]++;
		s->side_by_side += i == last + 1 || i + 1 == last;
		last = i;
	}
	buf_fini(&item);
	buf_fini(&want);
	return count;
}

const char *export_fixture_text(json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	if (s == NULL)
		fail_msg("%s is not there", name);
	return s;
}

static unsigned read_data_file(struct export_fixture *f, bool bucket, const char *folder, json_t *line,
			       struct export_seen *s)
{
	struct buf stored, text;
	char pattern[300];
	static const char *const names[] = {"itemCount", "md5Checksum", "etag", "dataFileS3Key"};
	for (size_t i = 0; i < 4; i++)
		assert_non_null(json_object_get(line, names[i]));
	assert_int_equal(json_object_size(line), 4);
	const char *key = export_fixture_text(line, "dataFileS3Key");
	snprintf(pattern, sizeof(pattern), "^%sdata/[a-z2-7]{26}\\.json\\.gz$", folder);
	export_fixture_matches(key, pattern);
	export_fixture_read(f, bucket, key, &stored);
	must_be_md5(export_fixture_text(line, "md5Checksum"), &stored);
	if (bucket) {
		char etag[64];
		export_server_etag(etag, export_server_object(f, key));
		assert_string_equal(export_fixture_text(line, "etag"), etag);
		assert_string_equal(export_server_object(f, key)->type, "application/octet-stream");
	}
	export_fixture_gunzip(&stored, &text);
	unsigned count = read_lines(s, &text);
	assert_int_equal(json_integer_value(json_object_get(line, "itemCount")), count);
	buf_fini(&stored);
	buf_fini(&text);
	return count;
}

static void check_checksums(struct export_fixture *f, bool bucket, const char *folder, const char *stem,
			    const struct buf *text)
{
	static const char *const ends[] = {"checksum", "md5"};
	for (size_t i = 0; i < 2; i++) {
		char name[300];
		struct buf sum;
		snprintf(name, sizeof(name), "%s%s.%s", folder, stem, ends[i]);
		export_fixture_read(f, bucket, name, &sum);
		must_be_md5(buf_str(&sum), text);
		buf_fini(&sum);
	}
}

static void check_summary(json_t *o, bool bucket, const char *prefix, const char *id, const char *folder, unsigned n)
{
	static const char *const names[] = {"version",	       "exportArn",	 "startTime",	  "endTime",
					    "tableArn",	       "tableId",	 "exportTime",	  "s3Bucket",
					    "s3Prefix",	       "s3SseAlgorithm", "s3SseKmsKeyId", "manifestFilesS3Key",
					    "billedSizeBytes", "itemCount",	 "outputFormat"};
	char want[300];
	for (size_t i = 0; i < 15; i++)
		assert_non_null(json_object_get(o, names[i]));
	assert_int_equal(json_object_size(o), 15);
	assert_string_equal(export_fixture_text(o, "version"), "2020-06-30");
	snprintf(want, sizeof(want), ARN "/export/%s", id);
	assert_string_equal(export_fixture_text(o, "exportArn"), want);
	assert_string_equal(export_fixture_text(o, "startTime"), "2023-09-02T20:17:07.463Z");
	export_fixture_matches(export_fixture_text(o, "endTime"),
			       "^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z$");
	assert_string_equal(export_fixture_text(o, "tableArn"), ARN);
	assert_string_equal(export_fixture_text(o, "tableId"), TABLE_ID);
	assert_string_equal(export_fixture_text(o, "exportTime"), "2023-09-02T20:03:20.000Z");
	snprintf(want, sizeof(want), "%smanifest-files.json", folder);
	assert_string_equal(export_fixture_text(o, "manifestFilesS3Key"), want);
	assert_int_equal(json_integer_value(json_object_get(o, "billedSizeBytes")), 0);
	assert_int_equal(json_integer_value(json_object_get(o, "itemCount")), n);
	assert_string_equal(export_fixture_text(o, "outputFormat"), "DYNAMODB_JSON");
	if (!bucket) {
		assert_true(json_is_null(json_object_get(o, "s3Bucket")));
		assert_true(json_is_null(json_object_get(o, "s3SseAlgorithm")));
		assert_true(json_is_null(json_object_get(o, "s3SseKmsKeyId")));
	} else {
		assert_string_equal(export_fixture_text(o, "s3Bucket"), "out");
		assert_string_equal(export_fixture_text(o, "s3SseAlgorithm"), "KMS");
		assert_string_equal(export_fixture_text(o, "s3SseKmsKeyId"), "KEY");
	}
	if (prefix[0] == '\0')
		assert_true(json_is_null(json_object_get(o, "s3Prefix")));
	else
		assert_string_equal(export_fixture_text(o, "s3Prefix"), prefix);
}

json_t *export_fixture_parse(const char *text, size_t len)
{
	json_error_t error;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (o == NULL)
		fail_msg("%.*s: %s", (int)len, text, error.text);
	return o;
}

/* Every rule of the documents on the whole export. `folder`: "prefix/AWSDynamoDB/<id>/". */
void export_fixture_check(struct export_fixture *f, bool bucket, const char *prefix, const char *id, unsigned n,
			  size_t noise, struct export_seen *s)
{
	struct buf text, started;
	char folder[128], name[200];
	unsigned total = 0;
	*s = (struct export_seen){.n = n, .times = calloc(n + 1, sizeof(unsigned)), .noise = noise};
	assert_non_null(s->times);
	export_fixture_matches(id, "^[0-9]{14}-[0-9a-f]{8}$");
	assert_int_equal(strncmp(id, "01693685827463-", 15), 0);
	snprintf(folder, sizeof(folder), "%s%sAWSDynamoDB/%s/", prefix, prefix[0] != '\0' ? "/" : "", id);
	snprintf(name, sizeof(name), "%s_started", folder);
	export_fixture_read(f, bucket, name, &started);
	assert_int_equal(started.len, 0);
	buf_fini(&started);
	snprintf(name, sizeof(name), "%smanifest-summary.json", folder);
	export_fixture_read(f, bucket, name, &text);
	check_checksums(f, bucket, folder, "manifest-summary", &text);
	json_t *o = export_fixture_parse(buf_str(&text), text.len);
	check_summary(o, bucket, prefix, id, folder, n);
	json_decref(o);
	buf_fini(&text);
	snprintf(name, sizeof(name), "%smanifest-files.json", folder);
	export_fixture_read(f, bucket, name, &text);
	check_checksums(f, bucket, folder, "manifest-files", &text);
	for (const char *at = buf_str(&text), *end; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		assert_non_null(end);
		o = export_fixture_parse(at, (size_t)(end - at));
		total += read_data_file(f, bucket, folder, o, s);
		s->files++;
		json_decref(o);
	}
	buf_fini(&text);
	assert_int_equal(total, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(s->times[i], 1);
	free(s->times);
}

/* The only export in the folder. */
void export_fixture_id(struct export_fixture *f, char id[64])
{
	char path[128];
	struct dirent *d;
	snprintf(path, sizeof(path), "%s/AWSDynamoDB", f->root);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	id[0] = '\0';
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.') {
			assert_string_equal(id, "");
			snprintf(id, 64, "%.63s", d->d_name);
		}
	closedir(dir);
}

static unsigned nfiles;
static int count_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)flag;
	nfiles += ftw->level > 0;
	return 0;
}

unsigned export_fixture_files(const char *path)
{
	nfiles = 0;
	assert_int_equal(nftw(path, count_one, 16, FTW_PHYS), 0);
	return nfiles;
}

void export_fixture_empty(struct export_fixture *f)
{
	nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(mkdir(f->root, 0700), 0);
}

void export_fixture_check_replicator(const struct buf *stored, unsigned n, size_t noise)
{
	struct buf text, want, item;
	export_fixture_gunzip(stored, &text);
	buf_init(&want, EXPORT_FIXTURE_MAX);
	buf_init(&item, EXPORT_FIXTURE_MAX);
	for (unsigned i = 0; i < n; i++) {
		export_fixture_item(&item, i, noise);
		assert_int_equal(buf_append(&want, buf_str(&item), item.len), 0);
		assert_int_equal(buf_append_char(&want, '\n'), 0);
	}
	assert_int_equal(text.len, want.len);
	assert_memory_equal(buf_str(&text), buf_str(&want), want.len);
	buf_fini(&text);
	buf_fini(&want);
	buf_fini(&item);
}
