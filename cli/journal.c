#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "codec/digest.h"
#include "codec/encode.h"

#define EVERY_MS 1000
#define VERSION 1
#define KEYS_MAX ((size_t)64 << 10) /* two keys of each range */
#define FILE_MAX ((size_t)16 << 20)
#define KEY_HEX_MAX 4096

void journal_init(struct journal *j, char *path, json_t *what)
{
	*j = (struct journal){.path = path, .what = what, .at_ms = CLOCK_UNKNOWN, .since_ms = CLOCK_UNKNOWN, .fd = -1};
	buf_init(&j->keys, KEYS_MAX);
}

void journal_fini(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	free(j->path);
	json_decref(j->what);
	json_decref(j->position);
	json_decref(j->more);
	buf_fini(&j->keys);
}

/* --- where --- */

char *journal_default_path(const json_t *what, const char *folder, struct err *e)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	uint8_t hash[DIGEST_SHA256_SIZE];
	char hex[2 * 8 + 1], *path = NULL;
	char *text = json_dumps(what, JSON_COMPACT | JSON_SORT_KEYS);
	if (text == NULL) {
		err_set(e, ERR_SYSTEM, "out of memory");
		return NULL;
	}
	digest_sha256(hash, text, strlen(text));
	free(text);
	encode_hex(hex, hash, 8);
	hex[16] = '\0';
	int n = folder != NULL			   ? asprintf(&path, "%s/ddb-streamctl-%s.journal", folder, hex)
		: state != NULL && state[0] == '/' ? asprintf(&path, "%s/ddb-streamctl/%s.journal", state, hex)
		: home != NULL && home[0] == '/'
			? asprintf(&path, "%s/.local/state/ddb-streamctl/%s.journal", home, hex)
			: asprintf(&path, "ddb-streamctl-%s.journal", hex);
	if (n < 0) {
		err_set(e, ERR_SYSTEM, "out of memory");
		return NULL;
	}
	return path;
}

/* --- saving --- */

static json_t *key_json(const struct buf *key)
{
	/* Keys of key format plain may be no UTF-8. */
	char hex[KEY_HEX_MAX + 1];
	if (2 * key->len > KEY_HEX_MAX)
		return NULL;
	encode_hex(hex, key->data, key->len);
	return json_stringn(hex, 2 * key->len);
}

static json_t *ranges_json(const struct ranges *rs)
{
	/* Before it is listed, all is left. */
	if (rs == NULL)
		return json_pack("[{s:s, s:s}]", "after", "", "through", "");
	json_t *list = json_array();
	for (size_t i = 0; i < RANGES_MAX; i++) {
		const struct range *r = &rs->slots[i];
		if (!r->active)
			continue;
		json_t *o = json_pack("{s:o, s:o}", "after", key_json(&r->after), "through", key_json(&r->through));
		if (o == NULL || json_array_append_new(list, o) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *journal_position(const struct journal *j)
{
	return ranges_json(j->ranges);
}

static json_t *content(const struct journal *j)
{
	json_t *ranges = j->position != NULL ? json_incref(j->position) : journal_position(j);
	json_t *o = ranges == NULL ? NULL
				   : json_pack("{s:i, s:O, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:O*}", "version",
					       VERSION, "what", j->what, "at_ms", (json_int_t)j->at_ms, "since_ms",
					       (json_int_t)j->since_ms, "items", (json_int_t)j->items, "bytes",
					       (json_int_t)j->bytes, "missing", (json_int_t)j->missing, "created",
					       (int)j->created, "ranges", ranges, "more", j->more);
	return o;
}

static int write_whole(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int make_folders(char *path, struct err *e)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int rc = mkdir(path, 0700) < 0 && errno != EEXIST
				 ? err_errno(e, errno, "folder %s (--journal FILE needs none)", path)
				 : 0;
		*slash = '/';
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int taken(const struct journal *j, struct err *e)
{
	return err_set(e, ERR_RETRY, "journal %s is of a run that still goes on: wait for its end, or stop it",
		       j->path);
}

/* A new name must outlive a power failure, too. Where that cannot be had, what the journal said before is as good. */
static void sync_parent(const char *path)
{
	char *copy = strdup(path);
	int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	free(copy);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int give_name(const struct journal *j, const char *new, struct err *e)
{
	int rc = renameat2(AT_FDCWD, new, AT_FDCWD, j->path, j->fresh ? RENAME_NOREPLACE : 0);
	/* Not every file system knows how not to replace. */
	if (rc < 0 && (errno == EINVAL || errno == ENOSYS))
		rc = rename(new, j->path);
	if (rc < 0)
		return errno == EEXIST ? taken(j, e) : err_errno(e, errno, "journal %s", j->path);
	sync_parent(j->path);
	return 0;
}

/* The new file is locked before it has its name, so that the journal is never without a lock. */
static int replace(struct journal *j, const char *text, struct err *e)
{
	char *new;
	if (asprintf(&new, "%s.new", j->path) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	int rc = 0, fd = open(new, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ours = fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK);
	if (fd < 0)
		rc = err_errno(e, errno, "journal %s (--journal names another)", new);
	else if (!ours)
		rc = taken(j, e);
	else if (ftruncate(fd, 0) < 0 || write_whole(fd, text, strlen(text)) < 0 || fsync(fd) < 0)
		rc = err_errno(e, errno, "journal %s", new);
	else
		rc = give_name(j, new, e);
	if (rc < 0 && ours)
		unlink(new);
	if (rc < 0 && fd >= 0)
		close(fd);
	free(new);
	if (rc < 0)
		return rc;
	j->fresh = false;
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	return 0;
}

int journal_save(struct journal *j, struct err *e)
{
	if (j->path == NULL)
		return 0;
	int rc = j->before != NULL ? j->before(j, e) : 0;
	if (rc < 0)
		return rc;
	json_t *o = content(j);
	char *text = o != NULL ? json_dumps(o, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
	if (j->folders && !j->saved)
		rc = make_folders(j->path, e);
	if (rc == 0)
		rc = text != NULL ? replace(j, text, e) : err_set(e, ERR_SYSTEM, "out of memory");
	j->saved = j->saved || rc == 0;
	free(text);
	json_decref(o);
	return rc;
}

static void on_tick(uv_timer_t *t)
{
	struct journal *j = t->data;
	struct err e;
	int rc = journal_save(j, &e);
	if (rc < 0)
		j->failed(rc, &e, j->arg);
}

void journal_start(struct journal *j, uv_loop_t *loop, const struct ranges *ranges)
{
	j->ranges = ranges;
	json_decref(j->position);
	j->position = NULL;
	if (j->path == NULL)
		return;
	uv_timer_init(loop, &j->timer);
	j->timer.data = j;
	uv_timer_start(&j->timer, on_tick, EVERY_MS, EVERY_MS);
	uv_unref((uv_handle_t *)&j->timer);
	j->ticking = true;
}

static int forget(const struct journal *j, struct err *e)
{
	char *new;
	/* A run that was killed may have left that. */
	if (asprintf(&new, "%s.new", j->path) >= 0) {
		unlink(new);
		free(new);
	}
	return unlink(j->path) < 0 && errno != ENOENT ? err_errno(e, errno, "journal %s", j->path) : 0;
}

int journal_end(struct journal *j, bool keep, struct err *e)
{
	int rc = 0;
	if (j->ticking)
		uv_close((uv_handle_t *)&j->timer, NULL);
	j->ticking = false;
	if (j->path == NULL)
		return 0;
	if (keep)
		rc = journal_save(j, e);
	else if (j->saved)
		rc = forget(j, e);
	if (!keep)
		j->saved = false;
	j->ranges = NULL;
	j->before = NULL;
	return rc;
}

/* --- loading --- */

int journal_damaged(const struct journal *j, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "journal %s is damaged: remove it, and begin anew", j->path);
}

/* One that was replaced after it was opened is that of a run that goes on, too. */
static bool lock(const struct journal *j, int fd)
{
	struct stat own, there;
	return flock(fd, LOCK_EX | LOCK_NB) == 0
		       ? fstat(fd, &own) == 0 && stat(j->path, &there) == 0 && own.st_ino == there.st_ino
		       : errno != EWOULDBLOCK;
}

static int read_text(struct journal *j, struct buf *out, struct err *e)
{
	char chunk[16384];
	ssize_t n;
	int rc = 0, fd = open(j->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "journal %s", j->path);
	if (!lock(j, fd))
		rc = taken(j, e);
	while (rc == 0 && (n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_errno(e, errno, "journal %s", j->path);
		else if (buf_append(out, chunk, (size_t)n) < 0)
			rc = journal_damaged(j, e); /* no journal is so long */
	}
	if (rc < 0)
		close(fd);
	else
		j->fd = fd;
	return rc;
}

/* What differs between two requests is told by its name, as the option has it. */
static int compare(const struct journal *j, const json_t *what, struct err *e)
{
	const char *name;
	json_t *value;
	json_object_foreach(j->what, name, value)
	{
		const json_t *other = json_object_get(what, name);
		const char *was = json_string_value(other), *is = json_string_value(value);
		if (!json_equal(value, other))
			return err_set(e, ERR_CONFLICT,
				       "journal %s is of another run: %s was '%s', and is '%s' now; give the same "
				       "options, or remove it and begin anew",
				       j->path, name, was ? was : "", is ? is : "");
	}
	return json_object_size(what) == json_object_size(j->what) ? 0 : journal_damaged(j, e);
}

/* Two bytes of text for each; the keys lie one behind the other in j->keys, which does not move any more. */
static bool read_key(struct journal *j, const json_t *text, struct span *out)
{
	const char *hex = json_string_value(text);
	size_t len = json_string_length(text), at = j->keys.len;
	if (hex == NULL || len % 2 != 0 || len > KEY_HEX_MAX)
		return false;
	for (size_t i = 0; i < len; i += 2) {
		unsigned byte;
		char two[3] = {hex[i], hex[i + 1], '\0'};
		if (strspn(two, "0123456789abcdef") != 2 || sscanf(two, "%2x", &byte) != 1 ||
		    buf_append_char(&j->keys, (char)byte) < 0)
			return false;
	}
	*out = (struct span){j->keys.data + at, len / 2};
	return true;
}

static bool read_ranges(struct journal *j, const json_t *list)
{
	size_t i;
	const json_t *o;
	if (!json_is_array(list) || json_array_size(list) > RANGES_MAX || buf_reserve(&j->keys, KEYS_MAX - 1) < 0)
		return false;
	json_array_foreach(list, i, o)
	{
		struct range_bounds *b = &j->bounds[j->nbounds++];
		if (!read_key(j, json_object_get(o, "after"), &b->after) ||
		    !read_key(j, json_object_get(o, "through"), &b->through))
			return false;
	}
	return true;
}

static int read_content(struct journal *j, const json_t *o, struct err *e)
{
	json_int_t at_ms, since_ms, items, bytes, missing;
	int version, created;
	const json_t *what, *ranges;
	if (json_unpack((json_t *)o, "{s:i, s:o, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "version", &version, "what",
			&what, "at_ms", &at_ms, "since_ms", &since_ms, "items", &items, "bytes", &bytes, "missing",
			&missing, "created", &created, "ranges", &ranges) < 0 ||
	    version != VERSION || items < 0 || bytes < 0 || missing < 0 || !json_is_object(what))
		return journal_damaged(j, e);
	int rc = compare(j, what, e);
	if (rc < 0)
		return rc;
	if (!read_ranges(j, ranges))
		return journal_damaged(j, e);
	j->at_ms = at_ms;
	j->since_ms = since_ms;
	j->items = (uint64_t)items;
	j->bytes = (uint64_t)bytes;
	j->missing = (uint64_t)missing;
	j->created = created != 0;
	j->saved = true;
	j->position = json_incref((json_t *)ranges);
	j->more = json_incref(json_object_get(o, "more"));
	return 0;
}

int journal_load(struct journal *j, bool *exists, struct err *e)
{
	struct buf text;
	*exists = j->path != NULL && access(j->path, F_OK) == 0;
	if (!*exists)
		return 0;
	buf_init(&text, FILE_MAX);
	int rc = read_text(j, &text, e);
	json_t *o = rc == 0 ? json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (rc == 0)
		rc = o != NULL ? read_content(j, o, e) : journal_damaged(j, e);
	json_decref(o);
	buf_fini(&text);
	return rc;
}

static int say(const struct err *e)
{
	cli_say("%s", e->message);
	return e->class == ERR_CONFLICT	 ? EX_USAGE
	       : e->class == ERR_CORRUPT ? EX_DATAERR
	       : e->class == ERR_RETRY	 ? EX_TEMPFAIL
					 : EX_OSERR;
}

int journal_resume(struct journal *j)
{
	struct err e;
	bool exists;
	if (journal_load(j, &exists, &e) < 0)
		return say(&e);
	if (exists)
		return 0;
	cli_say("--resume: there is no journal %s: no such run was stopped, or it has come to its end since; begin it "
		"without --resume",
		j->path);
	return EX_NOINPUT;
}

int journal_refuse(struct journal *j)
{
	struct err e;
	bool exists;
	if (journal_load(j, &exists, &e) < 0)
		return say(&e);
	j->fresh = !exists;
	if (!exists)
		return 0;
	cli_say("journal %s is of a run that was stopped: go on with that one by --resume, or give it up by --clean-up",
		j->path);
	return EX_CANTCREAT;
}
