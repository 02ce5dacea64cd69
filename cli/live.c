#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/var/tmp"
#define KEY_BYTES 16
#define SLOTS_MIN_BITS 16 /* 2 MiB */
#define BLOCK_SLOTS 128	  /* 4 KiB, which is a page of the kernel's cache */

/* In the last byte of the key, in place of two bits of the digest. A slot of zeros is free. */
#define USED 1U
#define MARKED 2U
#define FLAGS (USED | MARKED)

struct slot {
	uint8_t key[KEY_BYTES];
	uint8_t md5[DIGEST_MD5_SIZE];
};

/* One file of slots, with the block of it that was used last. */
struct slots {
	int fd;
	unsigned bits; /* there are 1 << bits */
	uint64_t block;
	bool loaded, dirty;
	struct slot cache[BLOCK_SLOTS];
};

struct live {
	const char *folder;
	struct slots *slots;
	uint64_t count, marked;
};

static int fail(const struct live *l, struct err *e, int errnum, const char *what)
{
	return err_errno(e, errnum, "%s of the list of the table's items in %s (TMPDIR chooses another folder)", what,
			 l->folder);
}

/* A file without a name. */
static int open_file(const struct live *l, struct err *e)
{
	char path[4096];
	int fd = open(l->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	/* Not every file system has files without a name. */
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		if (snprintf(path, sizeof(path), "%s/ddb-streamctl.XXXXXX", l->folder) >= (int)sizeof(path))
			return fail(l, e, ENAMETOOLONG, "cannot make the file");
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
	}
	return fd < 0 ? fail(l, e, errno, "cannot make the file") : fd;
}

static void slots_free(struct slots *t)
{
	if (t == NULL)
		return;
	close(t->fd);
	free(t);
}

static struct slots *slots_new(const struct live *l, unsigned bits, struct err *e)
{
	struct slots *t = malloc(sizeof(*t));
	if (t == NULL) {
		err_set(e, ERR_SYSTEM, "out of memory");
		return NULL;
	}
	t->fd = open_file(l, e);
	t->bits = bits;
	t->loaded = t->dirty = false;
	if (t->fd < 0) {
		free(t);
		return NULL;
	}
	int errnum;
	do
		errnum = posix_fallocate(t->fd, 0, (off_t)(sizeof(struct slot) << bits));
	while (errnum == EINTR);
	if (errnum == 0)
		return t;
	fail(l, e, errnum, "there is no room for the file");
	slots_free(t);
	return NULL;
}

static int move_block(const struct live *l, struct slots *t, bool out, struct err *e)
{
	char *at = (char *)t->cache;
	size_t left = sizeof(t->cache);
	off_t off = (off_t)(t->block * sizeof(t->cache));
	while (left > 0) {
		ssize_t n = out ? pwrite(t->fd, at, left, off) : pread(t->fd, at, left, off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(l, e, n < 0 ? errno : EIO, out ? "cannot write the file" : "cannot read the file");
		at += n;
		off += n;
		left -= (size_t)n;
	}
	return 0;
}

/* The slot in memory, until another block is looked at. NULL with an error. Who changes it sets t->dirty. */
static struct slot *slots_at(const struct live *l, struct slots *t, uint64_t number, struct err *e)
{
	uint64_t block = number / BLOCK_SLOTS;
	if (!t->loaded || t->block != block) {
		if (t->dirty && move_block(l, t, true, e) < 0)
			return NULL;
		t->dirty = false;
		t->loaded = false;
		t->block = block;
		if (move_block(l, t, false, e) < 0)
			return NULL;
		t->loaded = true;
	}
	return &t->cache[number % BLOCK_SLOTS];
}

static bool is_used(const struct slot *s)
{
	return s->key[KEY_BYTES - 1] & USED;
}

static bool same_key(const uint8_t a[KEY_BYTES], const uint8_t b[KEY_BYTES])
{
	return memcmp(a, b, KEY_BYTES - 1) == 0 && ((a[KEY_BYTES - 1] ^ b[KEY_BYTES - 1]) & ~FLAGS) == 0;
}

/*
 * Where a key's search begins: the leading bits of the digest. So a table of twice the size has its slots in about the same
 * order, and growing reads and writes both files from one end to the other.
 */
static uint64_t home(const struct slots *t, const uint8_t key[KEY_BYTES])
{
	uint64_t head = 0;
	for (size_t i = 0; i < sizeof(head); i++)
		head = head << 8 | key[i];
	return head >> (64 - t->bits);
}

/*
 * The slot that has the key, or the free one where it belongs. NULL with an error; there always is a free one, unless the
 * disk has damaged the file.
 */
static struct slot *search(const struct live *l, struct slots *t, const uint8_t key[KEY_BYTES], uint64_t *number,
			   struct err *e)
{
	uint64_t size = UINT64_C(1) << t->bits, first = home(t, key);
	for (uint64_t i = 0; i < size; i++) {
		*number = (first + i) & (size - 1);
		struct slot *s = slots_at(l, t, *number, e);
		if (s == NULL || !is_used(s) || same_key(s->key, key))
			return s;
	}
	fail(l, e, EIO, "damage");
	return NULL;
}

static int grow(struct live *l, struct err *e)
{
	struct slots *old = l->slots, *new = slots_new(l, old->bits + 1, e);
	uint64_t at;
	if (new == NULL)
		return -ERR_SYSTEM;
	for (uint64_t n = 0; n >> old->bits == 0; n++) {
		const struct slot *from = slots_at(l, old, n, e);
		struct slot *to = NULL;
		if (from != NULL && !is_used(from))
			continue;
		if (from != NULL)
			to = search(l, new, from->key, &at, e);
		if (to == NULL) {
			slots_free(new);
			return -ERR_SYSTEM;
		}
		*to = *from;
		new->dirty = true;
	}
	slots_free(old);
	l->slots = new;
	return 0;
}

struct live *live_new(struct err *e)
{
	struct live *l = calloc(1, sizeof(*l));
	if (l == NULL) {
		err_set(e, ERR_SYSTEM, "out of memory");
		return NULL;
	}
	signal(SIGXFSZ, SIG_IGN);
	const char *folder = getenv("TMPDIR");
	l->folder = folder != NULL && folder[0] != '\0' ? folder : FOLDER;
	l->slots = slots_new(l, SLOTS_MIN_BITS, e);
	if (l->slots != NULL)
		return l;
	free(l);
	return NULL;
}

void live_free(struct live *l)
{
	if (l == NULL)
		return;
	slots_free(l->slots);
	free(l);
}

static void key_of(struct span s3_key, uint8_t key[KEY_BYTES])
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	digest_sha256(digest, s3_key.ptr, s3_key.len);
	memcpy(key, digest, KEY_BYTES);
	key[KEY_BYTES - 1] &= (uint8_t)~FLAGS;
}

int live_add(struct live *l, struct span s3_key, const uint8_t md5[DIGEST_MD5_SIZE], struct err *e)
{
	uint8_t key[KEY_BYTES];
	uint64_t number;
	/* Up to three quarters are used, so a search ends soon. */
	if (l->count >= (UINT64_C(3) << l->slots->bits) / 4 && grow(l, e) < 0)
		return -ERR_SYSTEM;
	key_of(s3_key, key);
	struct slot *s = search(l, l->slots, key, &number, e);
	if (s == NULL)
		return -ERR_SYSTEM;
	if (is_used(s))
		return err_set(e, ERR_CONFLICT, "two items of the table have the same object name");
	memcpy(s->key, key, KEY_BYTES);
	s->key[KEY_BYTES - 1] |= USED;
	memcpy(s->md5, md5, DIGEST_MD5_SIZE);
	l->slots->dirty = true;
	l->count++;
	return 0;
}

int live_find(struct live *l, struct span s3_key, struct live_entry *out, struct err *e)
{
	uint8_t key[KEY_BYTES];
	uint64_t number;
	key_of(s3_key, key);
	const struct slot *s = search(l, l->slots, key, &number, e);
	if (s == NULL)
		return -ERR_SYSTEM;
	if (!is_used(s))
		return 0;
	out->slot = number;
	out->marked = s->key[KEY_BYTES - 1] & MARKED;
	memcpy(out->md5, s->md5, DIGEST_MD5_SIZE);
	return 1;
}

int live_mark(struct live *l, struct live_entry *entry, struct err *e)
{
	struct slot *s = slots_at(l, l->slots, entry->slot, e);
	if (s == NULL)
		return -ERR_SYSTEM;
	if (!(s->key[KEY_BYTES - 1] & MARKED)) {
		s->key[KEY_BYTES - 1] |= MARKED;
		l->slots->dirty = true;
		l->marked++;
	}
	entry->marked = true;
	return 0;
}

uint64_t live_count(const struct live *l)
{
	return l->count;
}

uint64_t live_unmarked(const struct live *l)
{
	return l->count - l->marked;
}
