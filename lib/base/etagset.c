#include "etagset.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/var/tmp"
#define SLOTS_MIN_BITS 16 /* 2 MiB */
#define SLOTS_MAX_BITS 40 /* no count that is expected makes more */
#define BLOCK_SLOTS 128	  /* 4 KiB, which is a page of the kernel's cache */

/* In the last byte of the key, in place of a bit of the digest. A slot of zeros is free. */
#define USED 1U

struct slot {
	uint8_t key[ETAGSET_NAME_BYTES];
	uint8_t etag[ETAGSET_ETAG_BYTES];
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

struct etagset {
	char *folder;
	bool from_environment;
	uint64_t max_bytes;
	struct slots *slots;
	struct slot *new; /* 1 << NEW_BITS */
	unsigned nnew;	  /* of `count` */
	uint64_t count, marked;
};

static int fail(const struct etagset *set, struct err *e, int errnum, const char *what)
{
	return err_errno(e, errnum, "%s of the list of objects in %s%s", what, set->folder,
			 set->from_environment ? " (TMPDIR chooses another folder)" : "");
}

/* A file without a name. */
static int open_file(const struct etagset *set, struct err *e)
{
	char path[4096];
	int fd = open(set->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	/* Not every file system has files without a name. */
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		if (snprintf(path, sizeof(path), "%s/ddb-stream.XXXXXX", set->folder) >= (int)sizeof(path))
			return fail(set, e, ENAMETOOLONG, "cannot make the file");
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
	}
	if (fd < 0)
		return fail(set, e, errno, "cannot make the file");
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

static off_t file_bytes(unsigned bits)
{
	return bits_at(bits) + ((off_t)1 << bits >> 3);
}

/* Up to three quarters are used, so a search ends soon. */
static uint64_t room(unsigned bits)
{
	return (UINT64_C(3) << bits) / 4;
}

static bool allowed(const struct etagset *set, unsigned bits)
{
	return set->max_bytes == 0 || (uint64_t)file_bytes(bits) <= set->max_bytes;
}

static struct slots *slots_new(const struct etagset *set, unsigned bits, struct err *e)
{
	struct slots *t = malloc(sizeof(*t));
	if (t == NULL) {
		err_set(e, ERR_SYSTEM, "out of memory");
		return NULL;
	}
	t->fd = open_file(set, e);
	t->bits = bits;
	t->loaded = t->dirty = false;
	if (t->fd < 0) {
		free(t);
		return NULL;
	}
	int errnum;
	do
		errnum = posix_fallocate(t->fd, 0, file_bytes(bits));
	while (errnum == EINTR);
	if (errnum == 0)
		return t;
	fail(set, e, errnum, "there is no room for the file");
	slots_free(t);
	return NULL;
}

static int transfer(const struct etagset *set, const struct slots *t, bool out, void *bytes, size_t left, off_t off,
		    struct err *e)
{
	for (char *at = bytes; left > 0;) {
		ssize_t n = out ? pwrite(t->fd, at, left, off) : pread(t->fd, at, left, off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(set, e, n < 0 ? errno : EIO,
				    out ? "cannot write the file" : "cannot read the file");
		at += n;
		off += n;
		left -= (size_t)n;
	}
	return 0;
}

static int move_block(const struct etagset *set, struct slots *t, bool out, struct err *e)
{
	return transfer(set, t, out, t->cache, sizeof(t->cache), (off_t)(t->block * sizeof(t->cache)), e);
}

/* The slot in memory, until another block is looked at. NULL with an error. Who changes it sets t->dirty. */
static struct slot *slots_at(const struct etagset *set, struct slots *t, uint64_t number, struct err *e)
{
	uint64_t block = number / BLOCK_SLOTS;
	if (!t->loaded || t->block != block) {
		if (t->dirty && move_block(set, t, true, e) < 0)
			return NULL;
		t->dirty = false;
		t->loaded = false;
		t->block = block;
		if (move_block(set, t, false, e) < 0)
			return NULL;
		t->loaded = true;
	}
	return &t->cache[number % BLOCK_SLOTS];
}

static bool is_used(const struct slot *s)
{
	return s->key[ETAGSET_NAME_BYTES - 1] & USED;
}

static bool same_key(const uint8_t a[ETAGSET_NAME_BYTES], const uint8_t b[ETAGSET_NAME_BYTES])
{
	return memcmp(a, b, ETAGSET_NAME_BYTES - 1) == 0 &&
	       (a[ETAGSET_NAME_BYTES - 1] | USED) == (b[ETAGSET_NAME_BYTES - 1] | USED);
}

/*
 * Where a key's search begins: the leading bits of the digest. So a table of twice the size has its slots in about the same
 * order, and growing reads and writes both files from one end to the other.
 */
static uint64_t home(unsigned bits, const uint8_t key[ETAGSET_NAME_BYTES])
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
static struct slot *search(const struct etagset *set, struct slots *t, const uint8_t key[ETAGSET_NAME_BYTES],
			   uint64_t *number, struct err *e)
{
	uint64_t size = UINT64_C(1) << t->bits, first = home(t->bits, key);
	for (uint64_t i = 0; i < size; i++) {
		*number = (first + i) & (size - 1);
		struct slot *s = slots_at(set, t, *number, e);
		if (s == NULL || !is_used(s) || same_key(s->key, key))
			return s;
	}
	fail(set, e, EIO, "damage");
	return NULL;
}

/* Is the slot marked? */
static int get_mark(const struct etagset *set, const struct slots *t, uint64_t number, bool *marked, struct err *e)
{
	uint8_t byte;
	int rc = transfer(set, t, false, &byte, 1, bits_at(t->bits) + (off_t)(number / 8), e);
	if (rc == 0)
		*marked = byte >> number % 8 & 1;
	return rc;
}

static int set_mark(const struct etagset *set, const struct slots *t, uint64_t number, struct err *e)
{
	uint8_t byte;
	off_t off = bits_at(t->bits) + (off_t)(number / 8);
	int rc = transfer(set, t, false, &byte, 1, off, e);
	if (rc < 0)
		return rc;
	byte |= (uint8_t)(1U << number % 8);
	return transfer(set, t, true, &byte, 1, off, e);
}

/* Copies a slot of the old table, with its mark, into the new one. */
static int carry_over(const struct etagset *set, struct slots *old, uint64_t number, struct slots *new, struct err *e)
{
	uint64_t at;
	bool marked = false;
	const struct slot *from = slots_at(set, old, number, e);
	if (from == NULL)
		return -ERR_SYSTEM;
	if (!is_used(from))
		return 0;
	struct slot *to = search(set, new, from->key, &at, e);
	if (to == NULL)
		return -ERR_SYSTEM;
	*to = *from;
	new->dirty = true;
	int rc = set->marked > 0 ? get_mark(set, old, number, &marked, e) : 0;
	return rc == 0 && marked ? set_mark(set, new, at, e) : rc;
}

static int grow(struct etagset *set, struct err *e)
{
	struct slots *old = set->slots;
	if (!allowed(set, old->bits + 1))
		return err_set(e, ERR_LIMIT, "a list of %llu objects takes more than the %llu bytes that it may have",
			       (unsigned long long)set->count, (unsigned long long)set->max_bytes);
	struct slots *new = slots_new(set, old->bits + 1, e);
	int rc = new != NULL ? 0 : -ERR_SYSTEM;
	for (uint64_t n = 0; n >> old->bits == 0 && rc == 0; n++)
		rc = carry_over(set, old, n, new, e);
	set->slots = rc == 0 ? new : old;
	slots_free(rc == 0 ? old : new);
	return rc;
}

/* As search, among the new ones: there is room. */
static struct slot *search_new(const struct etagset *set, const uint8_t key[ETAGSET_NAME_BYTES])
{
	uint64_t n = home(NEW_BITS, key);
	while (is_used(&set->new[n]) && !same_key(set->new[n].key, key))
		n = (n + 1) & ((1U << NEW_BITS) - 1);
	return &set->new[n];
}

int etagset_flush(struct etagset *set, struct err *e)
{
	uint64_t number;
	while (set->count > room(set->slots->bits)) {
		int rc = grow(set, e);
		if (rc < 0)
			return rc;
	}
	/* When it fails half-way, all of them are moved again the next time. */
	for (size_t i = 0; set->nnew > 0 && i < 1U << NEW_BITS; i++) {
		if (!is_used(&set->new[i]))
			continue;
		struct slot *s = search(set, set->slots, set->new[i].key, &number, e);
		if (s == NULL)
			return -ERR_SYSTEM;
		*s = set->new[i];
		set->slots->dirty = true;
	}
	if (set->nnew > 0)
		memset(set->new, 0, sizeof(struct slot) << NEW_BITS);
	set->nnew = 0;
	return 0;
}

/* An expectation is no promise: when the cap does not allow for it, as much as it allows. */
static unsigned first_bits(const struct etagset *set, uint64_t expected_count)
{
	unsigned bits = SLOTS_MIN_BITS;
	while (bits < SLOTS_MAX_BITS && room(bits) < expected_count && allowed(set, bits + 1))
		bits++;
	return bits;
}

struct etagset *etagset_new(const char *folder, uint64_t expected_count, uint64_t max_bytes, struct err *e)
{
	const char *temporary = getenv("TMPDIR");
	struct etagset *set = calloc(1, sizeof(*set));
	if (set == NULL)
		goto no_memory;
	set->max_bytes = max_bytes;
	set->from_environment = folder == NULL;
	if (folder == NULL)
		folder = temporary != NULL && temporary[0] != '\0' ? temporary : FOLDER;
	set->folder = strdup(folder);
	set->new = calloc(1U << NEW_BITS, sizeof(struct slot));
	if (set->folder == NULL || set->new == NULL)
		goto no_memory;
	signal(SIGXFSZ, SIG_IGN);
	set->slots = slots_new(set, first_bits(set, expected_count), e);
	if (set->slots != NULL)
		return set;
	etagset_free(set);
	return NULL;
no_memory:
	etagset_free(set);
	err_set(e, ERR_SYSTEM, "out of memory");
	return NULL;
}

void etagset_free(struct etagset *set)
{
	if (set == NULL)
		return;
	slots_free(set->slots);
	free(set->new);
	free(set->folder);
	free(set);
}

static void key_of(const uint8_t name[ETAGSET_NAME_BYTES], uint8_t key[ETAGSET_NAME_BYTES])
{
	memcpy(key, name, ETAGSET_NAME_BYTES);
	key[ETAGSET_NAME_BYTES - 1] &= (uint8_t)~USED;
}

int etagset_add(struct etagset *set, const uint8_t name[ETAGSET_NAME_BYTES], const uint8_t etag[ETAGSET_ETAG_BYTES],
		struct err *e)
{
	uint8_t key[ETAGSET_NAME_BYTES];
	uint64_t number;
	key_of(name, key);
	int rc = set->nnew < NEW_MAX ? 0 : etagset_flush(set, e);
	if (rc < 0)
		return rc;
	struct slot *new = search_new(set, key);
	const struct slot *old = set->count > set->nnew ? search(set, set->slots, key, &number, e) : new;
	if (old == NULL)
		return -ERR_SYSTEM;
	if (is_used(new) || is_used(old))
		return err_set(e, ERR_CONFLICT, "two objects of the list have the same name");
	memcpy(new->key, key, ETAGSET_NAME_BYTES);
	new->key[ETAGSET_NAME_BYTES - 1] |= USED;
	memcpy(new->etag, etag, ETAGSET_ETAG_BYTES);
	set->nnew++;
	set->count++;
	return 0;
}

int etagset_find(struct etagset *set, const uint8_t name[ETAGSET_NAME_BYTES], struct etagset_entry *out, struct err *e)
{
	uint8_t key[ETAGSET_NAME_BYTES];
	uint64_t number;
	int rc = set->nnew > 0 ? etagset_flush(set, e) : 0;
	if (rc < 0)
		return rc;
	key_of(name, key);
	const struct slot *s = search(set, set->slots, key, &number, e);
	if (s == NULL)
		return -ERR_SYSTEM;
	if (!is_used(s))
		return 0;
	out->slot = number;
	memcpy(out->etag, s->etag, ETAGSET_ETAG_BYTES);
	rc = get_mark(set, set->slots, number, &out->marked, e);
	return rc < 0 ? rc : 1;
}

int etagset_mark(struct etagset *set, struct etagset_entry *entry, struct err *e)
{
	bool marked;
	int rc = get_mark(set, set->slots, entry->slot, &marked, e);
	if (rc == 0 && !marked) {
		rc = set_mark(set, set->slots, entry->slot, e);
		set->marked += rc == 0;
	}
	if (rc == 0)
		entry->marked = true;
	return rc;
}

uint64_t etagset_count(const struct etagset *set)
{
	return set->count;
}

uint64_t etagset_unmarked(const struct etagset *set)
{
	return set->count - set->marked;
}
