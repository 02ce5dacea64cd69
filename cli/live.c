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

/* In the last byte of the key, in place of a bit of the digest. A slot of zeros is free. */
#define USED 1U

struct slot {
	uint8_t key[KEY_BYTES];
	uint8_t md5[DIGEST_MD5_SIZE];
};

/*
 * One file of slots, with the block of it that was used last. Behind the slots it has a bit for each, which is set when the
 * slot is marked: marking comes in no order, and so it touches few pages instead of all of them.
 */
struct slots {
	int fd;
	unsigned bits; /* there are 1 << bits */
	uint64_t block;
	bool loaded, dirty;
	struct slot cache[BLOCK_SLOTS];
};

/*
 * What was added last is gathered in memory, in the same order as in the file, and then goes there in one sweep from its
 * beginning to its end: so a page of the file is written once for many items.
 */
#define NEW_BITS 16 /* 2 MiB */
#define NEW_MAX (3U << NEW_BITS >> 2)

struct live {
	const char *folder;
	struct slots *slots;
	struct slot *new; /* 1 << NEW_BITS */
	unsigned nnew;	  /* of `count` */
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
	if (fd < 0)
		return fail(l, e, errno, "cannot make the file");
	return fd;
}

static void slots_free(struct slots *t)
{
	if (t == NULL)
		return;
	close(t->fd);
	free(t);
}

/* Where the marks begin. */
static off_t bits_at(unsigned bits)
{
	return (off_t)(sizeof(struct slot) << bits);
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
		errnum = posix_fallocate(t->fd, 0, bits_at(bits) + ((off_t)1 << bits >> 3));
	while (errnum == EINTR);
	if (errnum == 0)
		return t;
	fail(l, e, errnum, "there is no room for the file");
	slots_free(t);
	return NULL;
}

static int transfer(const struct live *l, const struct slots *t, bool out, void *bytes, size_t left, off_t off,
		    struct err *e)
{
	for (char *at = bytes; left > 0;) {
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

static int move_block(const struct live *l, struct slots *t, bool out, struct err *e)
{
	return transfer(l, t, out, t->cache, sizeof(t->cache), (off_t)(t->block * sizeof(t->cache)), e);
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
	return memcmp(a, b, KEY_BYTES - 1) == 0 && (a[KEY_BYTES - 1] | USED) == (b[KEY_BYTES - 1] | USED);
}

/*
 * Where a key's search begins: the leading bits of the digest. So a table of twice the size has its slots in about the same
 * order, and growing reads and writes both files from one end to the other.
 */
static uint64_t home(unsigned bits, const uint8_t key[KEY_BYTES])
{
	uint64_t head = 0;
	for (size_t i = 0; i < sizeof(head); i++)
		head = head << 8 | key[i];
	return head >> (64 - bits);
}

/*
 * The slot that has the key, or the free one where it belongs. NULL with an error; there always is a free one, unless the
 * disk has damaged the file.
 */
static struct slot *search(const struct live *l, struct slots *t, const uint8_t key[KEY_BYTES], uint64_t *number,
			   struct err *e)
{
	uint64_t size = UINT64_C(1) << t->bits, first = home(t->bits, key);
	for (uint64_t i = 0; i < size; i++) {
		*number = (first + i) & (size - 1);
		struct slot *s = slots_at(l, t, *number, e);
		if (s == NULL || !is_used(s) || same_key(s->key, key))
			return s;
	}
	fail(l, e, EIO, "damage");
	return NULL;
}

/* Is the slot marked? */
static int get_mark(const struct live *l, const struct slots *t, uint64_t number, bool *marked, struct err *e)
{
	uint8_t byte;
	int rc = transfer(l, t, false, &byte, 1, bits_at(t->bits) + (off_t)(number / 8), e);
	if (rc == 0)
		*marked = byte >> number % 8 & 1;
	return rc;
}

static int set_mark(const struct live *l, const struct slots *t, uint64_t number, struct err *e)
{
	uint8_t byte;
	off_t off = bits_at(t->bits) + (off_t)(number / 8);
	int rc = transfer(l, t, false, &byte, 1, off, e);
	if (rc < 0)
		return rc;
	byte |= (uint8_t)(1U << number % 8);
	return transfer(l, t, true, &byte, 1, off, e);
}

/* Copies a slot of the old table, with its mark, into the new one. */
static int carry_over(const struct live *l, struct slots *old, uint64_t number, struct slots *new, struct err *e)
{
	uint64_t at;
	bool marked = false;
	const struct slot *from = slots_at(l, old, number, e);
	if (from == NULL)
		return -ERR_SYSTEM;
	if (!is_used(from))
		return 0;
	struct slot *to = search(l, new, from->key, &at, e);
	if (to == NULL)
		return -ERR_SYSTEM;
	*to = *from;
	new->dirty = true;
	int rc = l->marked > 0 ? get_mark(l, old, number, &marked, e) : 0;
	return rc == 0 && marked ? set_mark(l, new, at, e) : rc;
}

static int grow(struct live *l, struct err *e)
{
	struct slots *old = l->slots, *new = slots_new(l, old->bits + 1, e);
	int rc = new != NULL ? 0 : -ERR_SYSTEM;
	for (uint64_t n = 0; n >> old->bits == 0 && rc == 0; n++)
		rc = carry_over(l, old, n, new, e);
	l->slots = rc == 0 ? new : old;
	slots_free(rc == 0 ? old : new);
	return rc;
}

/* As search, among the new ones: there is room. */
static struct slot *search_new(const struct live *l, const uint8_t key[KEY_BYTES])
{
	uint64_t n = home(NEW_BITS, key);
	while (is_used(&l->new[n]) && !same_key(l->new[n].key, key))
		n = (n + 1) & ((1U << NEW_BITS) - 1);
	return &l->new[n];
}

/* Moves the new ones into the file. When it fails half-way, all of them are moved again the next time. */
static int flush(struct live *l, struct err *e)
{
	uint64_t number;
	/* Up to three quarters are used, so a search ends soon. */
	while (l->count > (UINT64_C(3) << l->slots->bits) / 4) {
		int rc = grow(l, e);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; l->nnew > 0 && i < 1U << NEW_BITS; i++) {
		if (!is_used(&l->new[i]))
			continue;
		struct slot *s = search(l, l->slots, l->new[i].key, &number, e);
		if (s == NULL)
			return -ERR_SYSTEM;
		*s = l->new[i];
		l->slots->dirty = true;
	}
	if (l->nnew > 0)
		memset(l->new, 0, sizeof(struct slot) << NEW_BITS);
	l->nnew = 0;
	return 0;
}

struct live *live_new(struct err *e)
{
	struct live *l = calloc(1, sizeof(*l));
	if (l != NULL)
		l->new = calloc(1U << NEW_BITS, sizeof(struct slot));
	if (l == NULL || l->new == NULL) {
		live_free(l);
		err_set(e, ERR_SYSTEM, "out of memory");
		return NULL;
	}
	signal(SIGXFSZ, SIG_IGN);
	const char *folder = getenv("TMPDIR");
	l->folder = folder != NULL && folder[0] != '\0' ? folder : FOLDER;
	l->slots = slots_new(l, SLOTS_MIN_BITS, e);
	if (l->slots != NULL)
		return l;
	live_free(l);
	return NULL;
}

void live_free(struct live *l)
{
	if (l == NULL)
		return;
	slots_free(l->slots);
	free(l->new);
	free(l);
}

static void key_of(struct span s3_key, uint8_t key[KEY_BYTES])
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	digest_sha256(digest, s3_key.ptr, s3_key.len);
	memcpy(key, digest, KEY_BYTES);
	key[KEY_BYTES - 1] &= (uint8_t)~USED;
}

int live_add(struct live *l, struct span s3_key, const uint8_t md5[DIGEST_MD5_SIZE], struct err *e)
{
	uint8_t key[KEY_BYTES];
	uint64_t number;
	key_of(s3_key, key);
	int rc = l->nnew < NEW_MAX ? 0 : flush(l, e);
	if (rc < 0)
		return rc;
	struct slot *new = search_new(l, key);
	const struct slot *old = l->count > l->nnew ? search(l, l->slots, key, &number, e) : new;
	if (old == NULL)
		return -ERR_SYSTEM;
	if (is_used(new) || is_used(old))
		return err_set(e, ERR_CONFLICT, "two items of the table have the same object name");
	memcpy(new->key, key, KEY_BYTES);
	new->key[KEY_BYTES - 1] |= USED;
	memcpy(new->md5, md5, DIGEST_MD5_SIZE);
	l->nnew++;
	l->count++;
	return 0;
}

int live_find(struct live *l, struct span s3_key, struct live_entry *out, struct err *e)
{
	uint8_t key[KEY_BYTES];
	uint64_t number;
	int rc = l->nnew > 0 ? flush(l, e) : 0;
	if (rc < 0)
		return rc;
	key_of(s3_key, key);
	const struct slot *s = search(l, l->slots, key, &number, e);
	if (s == NULL)
		return -ERR_SYSTEM;
	if (!is_used(s))
		return 0;
	out->slot = number;
	memcpy(out->md5, s->md5, DIGEST_MD5_SIZE);
	rc = get_mark(l, l->slots, number, &out->marked, e);
	return rc < 0 ? rc : 1;
}

int live_mark(struct live *l, struct live_entry *entry, struct err *e)
{
	bool marked;
	int rc = get_mark(l, l->slots, entry->slot, &marked, e);
	if (rc == 0 && !marked) {
		rc = set_mark(l, l->slots, entry->slot, e);
		l->marked += rc == 0;
	}
	if (rc == 0)
		entry->marked = true;
	return rc;
}

uint64_t live_count(const struct live *l)
{
	return l->count;
}

uint64_t live_unmarked(const struct live *l)
{
	return l->count - l->marked;
}
