/* What an export notes so that another run can go on with it, and how that run takes over what it finds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/encode.h"
#include "export_private.h"

#define NO_ETAG "-" /* in a folder */

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "out of memory");
}

/* --- writing --- */

/* One short text a file: there may be many. */
static json_t *entry_json(const struct export_entry *entry)
{
	char md5[2 * DIGEST_MD5_SIZE + 1], text[256];
	md5[encode_hex(md5, entry->md5, DIGEST_MD5_SIZE)] = '\0';
	snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %" PRIu64 " %s %s %s", entry->number, entry->items,
		 entry->stored_bytes, md5, entry->etag[0] != '\0' ? entry->etag : NO_ETAG, entry->name);
	return json_string(text);
}

static void add_upload(void *arg, const char *name, const char *upload_id)
{
	json_t *list = arg;
	json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "id", upload_id));
}

json_t *export_state(const struct export *x)
{
	json_t *files = json_array(), *uploads = json_array();
	for (size_t i = 0; i < x->files.nkept; i++) {
		if (json_array_append_new(files, entry_json(&x->files.entries[i])) < 0) {
			json_decref(files);
			json_decref(uploads);
			return NULL;
		}
	}
	x->place->ops->uploads(x->place, add_upload, uploads);
	return json_pack("{s:s, s:I, s:I, s:o, s:o}", "id", x->id, "start_ms", (json_int_t)x->o.start_ms, "bytes",
			 (json_int_t)x->kept_bytes, "files", files, "uploads", uploads);
}

/* --- reading --- */

static bool read_entry(const json_t *text, struct export_entry *entry)
{
	char md5[2 * DIGEST_MD5_SIZE + 1], etag[S3_ETAG_SIZE];
	const char *s = json_string_value(text);
	int end = 0;
	*entry = (struct export_entry){0};
	/* The widths are those of the three buffers. */
	if (s == NULL ||
	    sscanf(s, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %32[0-9a-f] %71[^ ] %34[a-z2-7.]%n", &entry->number,
		   &entry->items, &entry->stored_bytes, md5, etag, entry->name, &end) != 6 ||
	    s[end] != '\0' || strlen(md5) != 2 * DIGEST_MD5_SIZE)
		return false;
	for (size_t i = 0; i < DIGEST_MD5_SIZE; i++) {
		const char two[3] = {md5[2 * i], md5[2 * i + 1], '\0'};
		entry->md5[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	if (strcmp(etag, NO_ETAG) != 0)
		memcpy(entry->etag, etag, sizeof(entry->etag));
	return true;
}

struct noted {
	const char *id;
	json_int_t start_ms, bytes;
	const json_t *files, *uploads;
};

static bool read_noted(const json_t *state, struct noted *n)
{
	return json_unpack((json_t *)state, "{s:s, s:I, s:I, s:o, s:o}", "id", &n->id, "start_ms", &n->start_ms,
			   "bytes", &n->bytes, "files", &n->files, "uploads", &n->uploads) == 0;
}

bool export_can_resume(const json_t *state, enum export_format format)
{
	struct noted n;
	struct export_entry entry;
	size_t i;
	const json_t *one;
	/* The id becomes a name in a folder. */
	if (!read_noted(state, &n) || strlen(n.id) != EXPORT_ID_SIZE - 1 ||
	    strspn(n.id, "0123456789abcdef-") != EXPORT_ID_SIZE - 1 || n.bytes < 0 || !json_is_array(n.files) ||
	    !json_is_array(n.uploads) || (format == EXPORT_REPLICATOR && json_array_size(n.files) > 1))
		return false;
	json_array_foreach(n.files, i, one)
	{
		if (!read_entry(one, &entry))
			return false;
	}
	json_array_foreach(n.uploads, i, one)
	{
		if (!json_is_string(json_object_get(one, "name")) || !json_is_string(json_object_get(one, "id")))
			return false;
	}
	return true;
}

void export_resume_names(struct export *x)
{
	struct noted n;
	if (!read_noted(x->o.resume, &n))
		return;
	snprintf(x->id, sizeof(x->id), "%s", n.id);
	x->o.start_ms = n.start_ms;
}

/* --- what is there --- */

struct look {
	const struct export *export;
	bool *seen;	/* by entry */
	json_t *others; /* names of what is not kept */
};

static int changed(const struct export *x, const char *name, const char *what, struct err *e)
{
	return err_set(e, ERR_CONFLICT, "%s%s %s: give this run up by --clean-up, and begin anew", x->place->root, name,
		       what);
}

static int on_found(void *arg, const char *name, uint64_t bytes, const char *etag, struct err *e)
{
	struct look *l = arg;
	const struct export_data *d = &l->export->files;
	const char *slash = strrchr(name, '/'), *own = slash != NULL ? slash + 1 : name;
	for (size_t i = 0; i < d->nentries; i++) {
		const struct export_entry *entry = &d->entries[i];
		if (strcmp(entry->name, own) != 0)
			continue;
		l->seen[i] = true;
		return bytes != entry->stored_bytes || (etag[0] != '\0' && strcmp(etag, entry->etag) != 0)
			       ? changed(l->export, name, "is not what it was when it was written", e)
			       : 0;
	}
	return json_array_append_new(l->others, json_string(name)) < 0 ? no_memory(e) : 0;
}

static int remove_all(const struct export *x, const json_t *names, struct err *e)
{
	size_t i;
	const json_t *name;
	int rc = 0;
	json_array_foreach(names, i, name)
	{
		rc = x->place->ops->remove(x->place, json_string_value(name), x->o.stop, e);
		if (rc < 0)
			break;
	}
	return rc;
}

int export_resume_look(const struct export *x, struct err *e)
{
	const struct export_data *d = &x->files;
	struct look l = {.export = x, .seen = calloc(d->nentries + 1, sizeof(bool)), .others = json_array()};
	if (l.seen == NULL || l.others == NULL) {
		free(l.seen);
		json_decref(l.others);
		return no_memory(e);
	}
	int rc = x->place->ops->survey(x->place, x->data, on_found, &l, x->o.stop, e);
	for (size_t i = 0; rc == 0 && i < d->nentries; i++) {
		char name[EXPORT_ID_SIZE + EXPORT_NAME_SIZE + 32];
		snprintf(name, sizeof(name), "%s%s", x->data, d->entries[i].name);
		if (!l.seen[i])
			rc = changed(x, name, "is not there any more", e);
	}
	if (rc == 0)
		rc = remove_all(x, l.others, e);
	free(l.seen);
	json_decref(l.others);
	return rc;
}

static int look_at_one(const struct export *x, struct err *e)
{
	bool exists = true;
	int rc = x->files.nentries > 0 ? x->place->ops->exists(x->place, x->one, &exists, x->o.stop, e) : 0;
	return rc == 0 && !exists ? changed(x, x->one, "is not there any more", e) : rc;
}

static int remove_name(const struct export *x, char *name, struct err *e)
{
	int rc = name != NULL ? x->place->ops->remove(x->place, name, x->o.stop, e) : no_memory(e);
	free(name);
	return rc;
}

/* What was being written when it was stopped; with `all` also what was whole. */
static int remove_small(const struct export *x, bool all, struct err *e)
{
	bool folder = x->place->bucket == NULL;
	int rc = 0;
	for (size_t i = 0; rc == 0 && x->one == NULL && i < EXPORT_SMALL_FILES; i++) {
		char *name = export_small_name(x, i);
		if (name != NULL && folder)
			rc = remove_name(x, export_text("%s.part", name), e);
		if (rc == 0 && all)
			rc = remove_name(x, name != NULL ? strdup(name) : NULL, e);
		free(name);
	}
	return rc == 0 && x->one != NULL && folder ? remove_name(x, export_text("%s.part", x->one), e) : rc;
}

static int abort_uploads(const struct export *x, const json_t *uploads, struct err *e)
{
	size_t i;
	const json_t *one;
	int rc = 0;
	json_array_foreach(uploads, i, one)
	{
		rc = x->place->ops->abort(x->place, json_string_value(json_object_get(one, "name")),
					  json_string_value(json_object_get(one, "id")), x->o.stop, e);
		if (rc < 0)
			break;
	}
	return rc;
}

static int restore_entries(struct export *x, const struct noted *n, struct err *e)
{
	struct export_entry entry;
	size_t i;
	const json_t *one;
	json_array_foreach(n->files, i, one)
	{
		if (!read_entry(one, &entry) || export_data_restore(&x->files, &entry) < 0)
			return no_memory(e);
		x->files.figures.items += entry.items;
	}
	x->files.figures.bytes = x->kept_bytes = x->cut_bytes = (uint64_t)n->bytes;
	return 0;
}

int export_resume_files(struct export *x, bool discard, struct err *e)
{
	struct noted n;
	if (!read_noted(x->o.resume, &n))
		return err_set(e, ERR_CORRUPT, "what was noted of the export is damaged");
	int rc = discard ? 0 : restore_entries(x, &n, e);
	if (rc == 0)
		rc = x->one != NULL ? look_at_one(x, e) : export_resume_look(x, e);
	if (rc == 0)
		rc = abort_uploads(x, n.uploads, e);
	if (rc == 0)
		rc = remove_small(x, discard, e);
	if (rc == 0 && discard && x->one == NULL && x->place->bucket == NULL)
		export_remove_folders(x);
	return rc;
}
