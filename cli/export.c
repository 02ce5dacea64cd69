#include "export.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli.h"
#include "export_private.h"

#define TEXT_MAX ((size_t)1 << 30) /* manifest-files.json */
#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain"

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "out of memory");
}

char *export_text(const char *fmt, ...)
{
	char *out;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : out;
}

void export_place_fail(struct export_place *p, int rc, const struct err *e)
{
	if (p->rc < 0)
		return;
	p->rc = rc;
	p->err = *e;
	p->wake(p->arg);
}

int export_add(struct export *x, struct span item, struct err *e)
{
	return export_data_add(&x->files, item, e);
}

void export_on_ready(struct export *x, void (*ready)(void *arg), void *arg)
{
	export_data_on_ready(&x->files, ready, arg);
}

const struct export_figures *export_figures(const struct export *x)
{
	return &x->files.figures;
}

const char *export_manifest(const struct export *x)
{
	return x->manifest;
}

const char *export_data(const struct export *x)
{
	return x->prefix;
}

/* --- the beginning --- */

/* What lies beside data/, in the order in which it is written. */
static const char *const small_files[EXPORT_SMALL_FILES] = {
	"_started",
	"manifest-files.json",
	"manifest-files.checksum",
	"manifest-files.md5",
	"manifest-summary.checksum",
	"manifest-summary.md5",
	"manifest-summary.json",
};
#define SUMMARY (EXPORT_SMALL_FILES - 1)

char *export_small_name(const struct export *x, size_t i)
{
	return export_text("%s%s", x->folder, small_files[i]);
}

/* The next one of small_files. */
static int put(struct export *x, const char *type, struct span body, const bool *stop, struct err *e)
{
	char *name = export_small_name(x, x->nput);
	if (name == NULL)
		return no_memory(e);
	x->nput++;
	int rc = x->place->ops->put(x->place, name, type, body, stop, e);
	free(name);
	if (rc < 0 && !e->maybe_done)
		x->nput--;
	return rc;
}

static int refuse_existing(struct export *x, const char *name, struct err *e)
{
	bool exists;
	if (name == NULL)
		return no_memory(e);
	int rc = x->place->ops->exists(x->place, name, &exists, x->o.stop, e);
	if (rc < 0)
		return rc;
	return exists ? err_set(e, ERR_CONFLICT, "%s%s exists: name another place, or remove it", x->place->root, name)
		      : 0;
}

/*
 * A folder with _started in it is another run's, or what a killed one left. To an identity that may not list the bucket S3
 * says of what is not there that it may not be seen; the id makes it unlikely enough that there is something.
 */
static int claim_folder(struct export *x, struct err *e)
{
	char *started = export_small_name(x, 0), *summary = export_small_name(x, SUMMARY);
	int rc = 0;
	if (!x->resumed) {
		rc = refuse_existing(x, summary, e);
		if (rc == 0)
			rc = refuse_existing(x, started, e);
	}
	free(started);
	free(summary);
	if (rc < 0 && rc != -ERR_DENIED)
		return rc;
	x->claimed = true;
	rc = x->place->ops->make_folder(x->place, x->data, e);
	return rc < 0 ? rc : put(x, EXPORT_GZIP_TYPE, SPAN_LIT(""), x->o.stop, e);
}

static int claim_file(struct export *x, struct err *e)
{
	/* It was whole when that run was stopped. */
	if (x->files.nentries > 0)
		return 0;
	int rc = refuse_existing(x, x->one, e);
	x->claimed = rc == 0;
	return rc;
}

static struct export_place *open_bucket(struct export *x, struct aws *a, const char *url, struct err *e)
{
	size_t len = strcspn(url, "/");
	char *bucket = strndup(url, len), *key = strdup(url[len] == '/' ? url + len + 1 : "");
	struct export_place *p = NULL;
	if (bucket == NULL || key == NULL) {
		no_memory(e);
	} else if (x->o.format != EXPORT_REPLICATOR) {
		for (len = strlen(key); len > 0 && key[len - 1] == '/'; len--)
			key[len - 1] = '\0';
		p = export_bucket_new(a, bucket, key, x->o.part_bytes, e);
	} else if (key[0] == '\0' || key[strlen(key) - 1] == '/') {
		err_set(e, ERR_INVALID, "%s: this format is one file; name it, as in s3://BUCKET/PREFIX/NAME", x->o.to);
	} else {
		x->one = key;
		key = NULL;
		p = export_bucket_new(a, bucket, "", x->o.part_bytes, e);
	}
	free(bucket);
	free(key);
	return p;
}

static struct export_place *open_folder(struct export *x, struct aws *a, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	struct export_place *p = NULL;
	struct stat st;
	if (x->o.format != EXPORT_REPLICATOR)
		return export_folder_new(a->loop, path, e);
	if ((slash != NULL && slash[1] == '\0') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode))) {
		err_set(e, ERR_INVALID, "%s is a folder, and this format is one file: name it", path);
		return NULL;
	}
	char *folder = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	x->one = strdup(slash != NULL ? slash + 1 : path);
	if (folder == NULL || x->one == NULL)
		no_memory(e);
	else
		p = export_folder_new(a->loop, folder, e);
	free(folder);
	return p;
}

static int make_names(struct export *x, struct err *e)
{
	const struct export_place *p = x->place;
	const char *base = p->bucket == NULL ? p->root : p->prefix != NULL ? p->prefix : "";
	const char *slash = p->prefix != NULL ? "/" : "";
	if (x->o.resume != NULL)
		export_resume_names(x);
	else
		export_id(x->id, &x->o);
	if (x->one != NULL) {
		x->manifest = export_text("%s%s", p->root, x->one);
		x->prefix = export_text("%s%s", base, x->one);
	} else {
		x->folder = export_text("AWSDynamoDB/%s/", x->id);
		x->data = export_text("AWSDynamoDB/%s/data/", x->id);
		x->manifest = export_text("%sAWSDynamoDB/%s/%s", p->root, x->id, small_files[SUMMARY]);
		x->prefix = export_text("%s%sAWSDynamoDB/%s/data/", base, slash, x->id);
	}
	bool all = x->one != NULL || (x->folder != NULL && x->data != NULL);
	return all && x->manifest != NULL && x->prefix != NULL ? 0 : no_memory(e);
}

/* Manifests are JSON, and so what they name must be UTF-8. */
static bool is_text(const char *s)
{
	uint32_t cp;
	for (size_t n, len = strlen(s); len > 0; s += n, len -= n) {
		n = utf8_decode(s, len, &cp);
		if (n == 0)
			return false;
	}
	return true;
}

static void on_cut(void *arg)
{
	struct export *x = arg;
	x->cut_bytes = x->files.figures.bytes;
	if (x->o.keeper != NULL)
		x->o.keeper->cut(x->o.keeper->arg);
}

static int on_note(void *arg, bool whole, struct err *e)
{
	struct export *x = arg;
	if (whole)
		x->kept_bytes = x->cut_bytes;
	return x->o.keeper != NULL ? x->o.keeper->keep(x->o.keeper->arg, export_state(x), whole, e) : 0;
}

/* The destination's names, and what becomes of items. */
static int open_place(struct export *x, struct aws *a, struct err *e)
{
	const struct export_data_keeper keeper = {.cut = on_cut, .note = on_note, .arg = x};
	const char *to = x->o.to;
	bool bucket = strncmp(to, "s3://", 5) == 0;
	if (to[0] == '\0' || !is_text(to))
		return err_set(e, ERR_INVALID, "the destination is %s; name a folder, or s3://BUCKET/PREFIX/",
			       to[0] == '\0' ? "empty" : "not UTF-8");
	x->place = bucket ? open_bucket(x, a, to + 5, e) : open_folder(x, a, to, e);
	if (x->place == NULL)
		return -1;
	x->place->wake = export_data_wake;
	x->place->begun = export_data_begun;
	x->place->arg = &x->files;
	int rc = make_names(x, e);
	return rc < 0 ? rc : export_data_init(&x->files, x->loop, x->place, &x->o, &keeper, x->id, x->data, x->one, e);
}

static int set_up(struct export *x, struct aws *a, struct err *e)
{
	int rc = open_place(x, a, e);
	if (rc == 0 && x->o.resume != NULL)
		rc = export_resume_files(x, false, e);
	/* Where a keeper has its place may be in there. */
	else if (rc == 0)
		rc = x->place->ops->make_folder(x->place, "", e);
	x->resumed = x->o.resume != NULL;
	/* The next note takes its place. */
	x->o.resume = NULL;
	if (rc == 0)
		rc = on_note(x, false, e);
	if (rc < 0)
		return rc;
	return x->one != NULL ? claim_file(x, e) : claim_folder(x, e);
}

static struct export *allocate(struct aws *a, const struct export_options *o, struct err *e)
{
	struct export *x = calloc(1, sizeof(*x));
	if (x == NULL) {
		no_memory(e);
		return NULL;
	}
	x->o = *o;
	x->loop = a->loop;
	return x;
}

struct export *export_new(struct aws *a, const struct export_options *o, struct err *e)
{
	struct export *x = allocate(a, o, e);
	if (x != NULL && set_up(x, a, e) < 0) {
		export_free(x);
		x = NULL;
	}
	return x;
}

int export_discard(struct aws *a, const struct export_options *o, struct err *e)
{
	struct export *x = allocate(a, o, e);
	if (x == NULL)
		return -ERR_SYSTEM;
	int rc = open_place(x, a, e);
	if (rc == 0)
		rc = export_resume_files(x, true, e);
	export_free(x);
	return rc;
}

/* --- the end --- */

static int put_md5(struct export *x, struct span bytes, const bool *stop, struct err *e)
{
	uint8_t digest[DIGEST_MD5_SIZE];
	char md5[EXPORT_MD5_SIZE];
	digest_md5(digest, bytes.ptr, bytes.len);
	export_md5(md5, digest);
	int rc = put(x, TEXT_TYPE, span_of(md5), stop, e);
	return rc < 0 ? rc : put(x, TEXT_TYPE, span_of(md5), stop, e);
}

static int put_files(struct export *x, const bool *stop, struct err *e)
{
	struct buf out;
	buf_init(&out, TEXT_MAX);
	int rc = export_manifest_files(&out, x->place->prefix, x->id, x->files.entries, x->files.nentries);
	const struct span bytes = {buf_str(&out), out.len};
	rc = rc < 0 ? no_memory(e) : put(x, JSON_TYPE, bytes, stop, e);
	if (rc == 0)
		rc = put_md5(x, bytes, stop, e);
	buf_fini(&out);
	return rc;
}

static int put_summary(struct export *x, const bool *stop, struct err *e)
{
	const struct export_place *p = x->place;
	const struct export_summary summary = {
		.id = x->id,
		.end_ms = clock_wall_ms(),
		.bucket = p->bucket,
		.prefix = p->prefix,
		.sse = p->sse,
		.sse_key = p->sse_key,
		.items = x->files.figures.items,
	};
	struct buf out;
	buf_init(&out, TEXT_MAX);
	int rc = export_manifest_summary(&out, &x->o, &summary);
	const struct span bytes = {buf_str(&out), out.len};
	rc = rc < 0 ? no_memory(e) : put_md5(x, bytes, stop, e);
	if (rc == 0)
		rc = put(x, JSON_TYPE, bytes, stop, e);
	buf_fini(&out);
	return rc;
}

int export_finish(struct export *x, const bool *stop, struct err *e)
{
	const struct export_place *p = x->place;
	export_data_end(&x->files);
	while (p->rc == 0 && !*stop && !export_data_whole(&x->files))
		uv_run(x->loop, UV_RUN_ONCE);
	if (p->rc < 0) {
		*e = p->err;
		return p->rc;
	}
	if (*stop)
		return err_set(e, ERR_CANCELLED, "interrupted; the export is not there");
	int rc = export_data_last_cut(&x->files, e);
	/* What a run that was killed had sent may have come in late. Names of this run are its own. */
	if (rc == 0 && x->resumed && x->one == NULL)
		rc = export_resume_look(x, e);
	if (rc == 0 && x->one == NULL)
		rc = put_files(x, stop, e);
	if (rc == 0 && x->one == NULL)
		rc = put_summary(x, stop, e);
	x->finished = rc == 0;
	return rc;
}

/* Takes a file of ours away; counts what stays. */
static void take_away(struct export *x, char *name, size_t *left, struct err *e)
{
	/* After one that stays the others most likely will, too. */
	if (name == NULL || *left > 0 || x->place->ops->remove(x->place, name, NULL, e) < 0)
		++*left;
	free(name);
}

void export_remove_folders(struct export *x)
{
	struct err e;
	char *name = strdup(x->data);
	/* From the innermost on. One that others use is not empty, and stays. */
	for (char *slash; name != NULL && (slash = strrchr(name, '/')) != NULL;) {
		*slash = '\0';
		if (x->place->ops->remove(x->place, name, NULL, &e) < 0)
			break;
	}
	free(name);
}

bool export_kept(const struct export *x)
{
	return x->o.keeper != NULL && (x->files.nkept > 0 || x->resumed);
}

static void tidy(struct export *x)
{
	struct err e = {.message = "out of memory"};
	size_t left = 0;
	bool kept = export_kept(x);
	/* What is written last is written again. */
	while (!kept && x->nput > 0)
		take_away(x, export_small_name(x, --x->nput), &left, &e);
	for (size_t i = kept ? x->files.nkept : 0; i < x->files.nentries; i++) {
		const struct export_entry *entry = &x->files.entries[i];
		if (entry->whole)
			take_away(x, x->one != NULL ? strdup(x->one) : export_text("%s%s", x->data, entry->name), &left,
				  &e);
	}
	if (left > 0)
		cli_say("%s%s: %zu files of the unfinished export are left (%s); remove them", x->place->root,
			x->one != NULL ? x->one : x->folder, left, e.message);
	else if (!kept && x->one == NULL && x->place->bucket == NULL)
		export_remove_folders(x);
}

void export_free(struct export *x)
{
	if (x == NULL)
		return;
	if (x->place != NULL) {
		export_data_stop(&x->files);
		x->place->ops->halt(x->place);
		if (x->claimed && !x->finished)
			tidy(x);
		x->place->ops->free(x->place);
	}
	export_data_fini(&x->files);
	free(x->folder);
	free(x->data);
	free(x->one);
	free(x->manifest);
	free(x->prefix);
	free(x);
}
