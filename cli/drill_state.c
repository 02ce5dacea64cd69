/* What was restored, as digests, beside the state of that time in the bucket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/etagset.h"
#include "base/map.h"
#include "codec/encode.h"
#include "codec/itemkey.h"
#include "codec/primary.h"
#include "drill.h"
#include "live_scan.h"
#include "state.h"

#define KEYS_MAX ((size_t)64 << 10)

/* --- what was restored --- */

static int on_item(const struct live_item *item, void *arg, struct err *e)
{
	const struct compare_each *each = arg;
	const struct compare_one one = {.name = item->s3_key, .keys = item->keys, .etag = item->md5};
	return each->one(&one, each->arg, e);
}

static bool is_ready(void *arg)
{
	const struct compare_each *each = arg;
	return each->ready(each->arg);
}

static int walk_table(struct drill *d, const struct compare_each *each, struct err *e)
{
	struct live_scan_figures figures;
	const struct live_scan_options o = {
		.session = d->session,
		.aws = &d->session->aws,
		.table = d->name,
		.schema = &d->schema,
		.each = on_item,
		.ready = is_ready,
		.arg = (void *)each,
	};
	return live_scan(&o, &figures, e);
}

/* A line of the file: {"Item":{...}}, canonical as it was written. */
static int read_line(struct drill *d, struct span line, struct buf *keys, struct buf *name,
		     const struct compare_each *each, struct err *e)
{
	static const char before[] = "{\"Item\":";
	const size_t extra = sizeof(before) - 1;
	const struct itemkey_schema naming = schema_itemkey(d->session, &d->schema);
	uint8_t md5[DIGEST_MD5_SIZE];
	if (line.len < extra + 2 || memcmp(line.ptr, before, extra) != 0)
		return err_set(e, ERR_CORRUPT, "%s: a line that is no item", d->file);
	const struct span item = {line.ptr + extra, line.len - extra - 2};
	buf_reset(keys);
	buf_reset(name);
	int rc = primary_key(item, naming.hash_name, naming.range_name, keys, e);
	const struct span key = {buf_str(keys), keys->len};
	if (rc == 0)
		rc = itemkey_append(name, &naming, key, item, e);
	if (rc < 0)
		return err_prefix(e, "%s", d->file);
	digest_md5(md5, item.ptr, item.len);
	const struct compare_one one = {.name = {buf_str(name), name->len}, .keys = key, .etag = md5};
	while (!each->ready(each->arg) && !d->session->stop)
		uv_run(&d->session->loop, UV_RUN_ONCE);
	return each->one(&one, each->arg, e);
}

static int walk_file(struct drill *d, const struct compare_each *each, struct err *e)
{
	struct buf keys, name;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n = 0;
	int rc = 0;
	FILE *f = fopen(d->file, "re");
	if (f == NULL)
		return err_errno(e, errno, "%s", d->file);
	buf_init(&keys, KEYS_MAX);
	buf_init(&name, 2 * ITEMKEY_MAX);
	while (rc >= 0 && !d->session->stop && (n = getline(&line, &cap, f)) > 0)
		rc = read_line(d, (struct span){line, (size_t)n}, &keys, &name, each, e);
	if (rc >= 0 && ferror(f))
		rc = err_errno(e, errno, "%s", d->file);
	else if (rc >= 0 && d->session->stop)
		rc = err_set(e, ERR_CANCELLED, "interrupted");
	fclose(f);
	free(line);
	buf_fini(&keys);
	buf_fini(&name);
	return rc < 0 ? rc : 0;
}

int drill_walk(void *walk_arg, const struct compare_each *each, struct err *e)
{
	struct drill *d = walk_arg;
	return d->file != NULL ? walk_file(d, each, e) : walk_table(d, each, e);
}

/* --- beside the state --- */

struct beside {
	struct drill *drill;
	struct etagset *set;
	struct state state;
};

static bool always(void *arg)
{
	(void)arg;
	return true;
}

static int on_restored(const struct compare_one *one, void *arg, struct err *e)
{
	struct beside *b = arg;
	uint8_t name[DIGEST_NAME_SIZE];
	digest_name(name, one->name.ptr, one->name.len);
	int rc = etagset_add(b->set, name, one->etag, e);
	/* Two versions that are images of one item: the state has both, and one of them is found not to be here. */
	return rc == -ERR_CONFLICT ? 0 : rc;
}

static int on_left(const struct compare_one *one, void *arg, struct err *e)
{
	struct beside *b = arg;
	struct etagset_entry entry;
	uint8_t name[DIGEST_NAME_SIZE];
	digest_name(name, one->name.ptr, one->name.len);
	int rc = etagset_find(b->set, name, &entry, e);
	if (rc <= 0 || entry.marked)
		return rc;
	rc = etagset_mark(b->set, &entry, e);
	if (rc == 0 && findings_add(&b->drill->findings, FINDING_EXTRA, one->name, one->keys,
				    "it was restored, and the bucket had no such item then") < 0)
		rc = err_set(e, ERR_SYSTEM, "out of memory");
	return rc;
}

static bool find(struct beside *b, const struct state_item *si, struct etagset_entry *out)
{
	uint8_t name[DIGEST_NAME_SIZE];
	struct err e;
	digest_name(name, buf_str(&si->item->key), si->item->key.len);
	int rc = etagset_find(b->set, name, out, &e);
	if (rc > 0 && etagset_mark(b->set, out, &e) < 0)
		rc = -ERR_SYSTEM;
	if (rc < 0)
		state_fail(&b->state, rc, &e);
	return rc > 0;
}

/* A version whose ETag is the MD5 of what was restored need not be read again. */
static bool wants(struct state_item *si, size_t time, void *arg)
{
	struct beside *b = arg;
	struct etagset_entry entry;
	char hex[2 * DIGEST_MD5_SIZE];
	if (!find(b, si, &entry))
		return true;
	encode_hex(hex, entry.etag, DIGEST_MD5_SIZE);
	si->note = si->at[time].chosen->etag_hash == map_hash(hex, sizeof(hex));
	return !si->note;
}

static void differs(struct beside *b, const struct state_item *si, enum finding_kind kind, const char *why)
{
	const struct span name = {buf_str(&si->item->key), si->item->key.len};
	struct err e;
	if (findings_add(&b->drill->findings, kind, name, (struct span){0}, "%s", why) < 0) {
		int rc = err_set(&e, ERR_SYSTEM, "out of memory");
		state_fail(&b->state, rc, &e);
	}
}

/*
 * The version on top is what verify, and other tools, take for the item. When it is not later than the moment, and still not
 * what a restore gives, one of the two is wrong.
 */
static bool lies_wrong(const struct beside *b, const struct state_item *si)
{
	const struct item_list *data = &si->item->lists[ITEM_DATA];
	const struct state_at *at = &si->at[0];
	if (!b->drill->latest || data->n == 0 || at->what == RESOLVE_LOST)
		return false;
	struct item_entry *top = &data->entries[0];
	const struct item_entry *subject = item_subject(top);
	const struct item_facts *f = subject != NULL ? subject->facts : NULL;
	bool later = f != NULL ? f->time_ms > b->drill->at_ms : top->modified_ms > b->drill->at_ms - RESOLVE_MARGIN_MS;
	bool present = at->what == RESOLVE_PRESENT;
	if (later)
		return false;
	return present != (top->kind == ITEM_VERSION) || (present && at->chosen->etag_hash != top->etag_hash);
}

static void deliver(struct state_item *si, void *arg)
{
	struct beside *b = arg;
	uint8_t md5[DIGEST_MD5_SIZE];
	struct etagset_entry entry;
	bool present = si->at[0].what == RESOLVE_PRESENT;
	b->drill->progress.seen = b->state.seen;
	b->drill->progress.items += present;
	digest_md5(md5, buf_str(&si->at[0].body), si->at[0].body.len);
	if (si->problem[0] != '\0')
		differs(b, si, FINDING_UNREADABLE, si->problem);
	else if (lies_wrong(b, si))
		differs(b, si, FINDING_MISORDERED, "what was restored is not what lies on top in the bucket");
	else if (present && !si->note && !find(b, si, &entry))
		differs(b, si, FINDING_MISSING, "the bucket had it then, and it was not restored");
	else if (present && !si->note && memcmp(md5, entry.etag, sizeof(md5)) != 0)
		differs(b, si, FINDING_DIFFERENT, "what was restored is another image than the one in the bucket");
	if (!b->state.finished)
		state_done(si);
}

static int walk_state(struct beside *b, struct err *e)
{
	const struct state_options so = {
		.at = {{.ms = b->drill->at_ms}},
		.ntimes = 1,
		.since_ms = CLOCK_UNKNOWN,
		.bodies = true,
		.absent = true,
		.prefix = "",
		.wants = wants,
		.deliver = deliver,
		.arg = b,
	};
	int rc = state_init(&b->state, b->drill->session, &so, e);
	if (rc == 0) {
		state_start(&b->state);
		rc = state_run(&b->state, e);
	}
	state_fini(&b->state);
	return rc;
}

int drill_state(struct drill *d, struct err *e)
{
	struct beside b = {.drill = d, .set = etagset_new(NULL, d->items, 0, e)};
	if (b.set == NULL)
		return -(int)e->class;
	progress_start(&d->progress, &d->session->loop);
	int rc = drill_walk(d, &(struct compare_each){.one = on_restored, .ready = always, .arg = &b}, e);
	if (rc == 0)
		rc = walk_state(&b, e);
	if (rc == 0 && etagset_unmarked(b.set) > 0)
		rc = drill_walk(d, &(struct compare_each){.one = on_left, .ready = always, .arg = &b}, e);
	progress_end(&d->progress, rc == 0 ? "compared with the bucket" : NULL);
	uv_run(&d->session->loop, UV_RUN_NOWAIT);
	etagset_free(b.set);
	return rc;
}
