/*
 * restore_place: makes an existing table equal to a state. The table is read once, as digests; then the state is walked, and
 * what differs is put, what came later is deleted. What the backup has never heard of is left alone: without a baseline
 * that may be an item which never changed.
 *
 * With a tenant attribute one item may be absent in one folder and present in another at the same time. So all puts come
 * first, and then, the table being read anew, the deletes. An item that could not be put is not deleted either, in whatever
 * folder it lies now.
 */
#include <string.h>

#include "base/clock.h"
#include "base/etagset.h"
#include "base/map.h"
#include "cli.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "codec/primary.h"
#include "fill.h"
#include "live_scan.h"
#include "restore.h"
#include "restore_aws.h"
#include "schema.h"
#include "target.h"

#define KEYS_MAX ((size_t)64 << 10)

/* What state_item.note says of an item. */
enum { NOTE_NOTHING, NOTE_PUT, NOTE_DELETE, NOTE_SAME };

struct place {
	const struct restore_plan *plan;
	struct aws *aws;
	const struct schema *schema; /* of the table, which has the backup's key */
	struct etagset *live;	     /* NULL: the table is not read, everything is written */
	struct etagset *lost;	     /* with folders: items that could not be put, by their names below the folder */
	struct fill fill;
	bool puts, deletes; /* which of the two this pass is about */
	struct restore_figures *figures;
	struct buf keys;
	struct progress progress; /* of the scan */
};

static bool has_digest(const struct item_entry *e, const uint8_t md5[DIGEST_MD5_SIZE])
{
	char hex[2 * DIGEST_MD5_SIZE];
	encode_hex(hex, md5, DIGEST_MD5_SIZE);
	return e->etag_hash == map_hash(hex, sizeof(hex));
}

/* Looks the item up in what was read of the table; true when it is there, and then marks it as seen. */
static bool look_up(struct place *p, struct state_item *si, struct etagset_entry *out)
{
	uint8_t name[DIGEST_NAME_SIZE];
	struct err e;
	digest_name(name, buf_str(&si->item->key), si->item->key.len);
	int rc = etagset_find(p->live, name, out, &e);
	if (rc > 0)
		rc = etagset_mark(p->live, out, &e) < 0 ? -(int)e.class : 1;
	if (rc < 0)
		state_fail(&p->fill.state, rc, &e);
	return rc > 0;
}

/* An item has the same name in each folder. */
static void name_below_folder(uint8_t name[DIGEST_NAME_SIZE], const struct state_item *si)
{
	const struct buf *key = &si->item->key;
	const char *text = buf_str(key), *slash = memchr(text, '/', key->len);
	size_t skip = slash != NULL ? (size_t)(slash - text) + 1 : 0;
	digest_name(name, text + skip, key->len - skip);
}

static void note_lost(struct state_item *si, void *arg)
{
	static const uint8_t none[ETAGSET_ETAG_BYTES];
	struct place *p = arg;
	uint8_t name[DIGEST_NAME_SIZE];
	struct err e;
	if (p->lost == NULL || !p->puts)
		return;
	name_below_folder(name, si);
	int rc = etagset_add(p->lost, name, none, &e);
	if (rc < 0 && rc != -ERR_CONFLICT)
		state_fail(&p->fill.state, rc, &e);
}

static bool is_lost(struct place *p, struct state_item *si)
{
	uint8_t name[DIGEST_NAME_SIZE];
	struct etagset_entry entry;
	struct err e;
	if (p->lost == NULL)
		return false;
	name_below_folder(name, si);
	int rc = etagset_find(p->lost, name, &entry, &e);
	if (rc < 0)
		state_fail(&p->fill.state, rc, &e);
	return rc != 0;
}

/* Is anything to be done that needs the item's body, or that of a witness for its key? */
static bool wants(struct state_item *si, size_t time, void *arg)
{
	struct place *p = arg;
	struct etagset_entry entry;
	const struct state_at *at = &si->at[time];
	bool present = at->what == RESOLVE_PRESENT;
	if (p->live == NULL) {
		si->note = present ? NOTE_PUT : NOTE_DELETE;
		return true;
	}
	bool found = look_up(p, si, &entry);
	if (present)
		si->note = found && has_digest(at->chosen, entry.etag) ? NOTE_SAME : NOTE_PUT;
	else
		si->note = found ? NOTE_DELETE : NOTE_NOTHING;
	return (si->note == NOTE_PUT && p->puts) || (si->note == NOTE_DELETE && p->deletes);
}

/* An ETag that is no MD5 (encryption by KMS) tells nothing; the body does. */
static bool is_equal(struct place *p, struct state_item *si)
{
	uint8_t md5[DIGEST_MD5_SIZE];
	struct etagset_entry entry;
	if (p->live == NULL || !look_up(p, si, &entry))
		return false;
	digest_md5(md5, buf_str(&si->at[0].body), si->at[0].body.len);
	return memcmp(md5, entry.etag, sizeof(md5)) == 0;
}

static void put(struct place *p, struct state_item *si)
{
	const struct span body = {buf_str(&si->at[0].body), si->at[0].body.len};
	if (!p->puts || !narrow_has(p->plan->narrow, body)) {
		fill_skip(&p->fill, si);
	} else if (is_equal(p, si)) {
		p->figures->same++;
		fill_skip(&p->fill, si);
	} else {
		fill_put(&p->fill, si);
	}
}

static void delete (struct place *p, struct state_item *si)
{
	const struct span witness = {buf_str(&si->witness), si->witness.len};
	struct err e;
	if (!p->deletes || (witness.len > 0 && !narrow_has(p->plan->narrow, witness))) {
		fill_skip(&p->fill, si);
		return;
	}
	buf_reset(&p->keys);
	if (witness.len == 0 || primary_key(witness, p->schema->names[0], p->schema->names[1], &p->keys, &e) < 0)
		fill_missing(&p->fill, si, "it came later, but no version of it tells its key, so it was not deleted");
	else if (is_lost(p, si))
		fill_missing(
			&p->fill, si,
			"it came here from another folder, where it cannot be had as it was, so it was left as it is");
	else
		fill_delete(&p->fill, si, (struct span){buf_str(&p->keys), p->keys.len});
}

static void deliver(struct state_item *si, void *arg)
{
	struct place *p = arg;
	struct etagset_entry entry;
	if (si->problem[0] != '\0') {
		/* It is not unknown, and it is left alone. Both passes may meet it, but only the first one asks for it. */
		if (p->live != NULL)
			look_up(p, si, &entry);
		note_lost(si, p);
		if (p->puts || si->note == NOTE_DELETE)
			fill_missing(&p->fill, si, si->problem);
		else
			fill_skip(&p->fill, si);
	} else if (si->note == NOTE_PUT) {
		put(p, si);
	} else if (si->note == NOTE_DELETE) {
		delete (p, si);
	} else {
		p->figures->same += si->note == NOTE_SAME && p->puts;
		fill_skip(&p->fill, si);
	}
}

/* --- what the table has --- */

static int on_live(const struct live_item *item, void *arg, struct err *e)
{
	const struct place *p = arg;
	const struct narrow *n = p->plan->narrow;
	const struct span prefix = {buf_str(&n->prefix), n->prefix.len};
	(void)e;
	if (item->s3_key.len < prefix.len || (n->exact && item->s3_key.len > prefix.len) ||
	    memcmp(item->s3_key.ptr, prefix.ptr, prefix.len) != 0)
		return 0;
	return narrow_has(n, item->item);
}

static void on_scanned(const struct live_scan_figures *figures, void *arg)
{
	struct place *p = arg;
	p->progress.seen = p->progress.items = figures->items;
	p->progress.bytes = figures->bytes;
}

static int read_table(struct place *p, struct err *e)
{
	const struct narrow *n = p->plan->narrow;
	struct live_scan_figures figures;
	const struct live_scan_options o = {
		.session = p->plan->session,
		.aws = p->aws,
		.table = restore_target_name(p->plan),
		.schema = p->schema,
		.hash_value = {buf_str(&n->hash_value), n->hash_value.len},
		.into = p->live,
		.each = on_live,
		.progress = on_scanned,
		.arg = p,
	};
	progress_start(&p->progress, &p->plan->session->loop);
	p->progress.expected = narrow_is_part(n) ? 0 : schema_item_count(p->schema); /* whatever --since says */
	int rc = live_scan(&o, &figures, e);
	progress_end(&p->progress, rc == 0 ? "read the table" : NULL);
	return rc;
}

/* --- passes --- */

static int pass(struct place *p, struct err *e)
{
	struct state_options so = restore_state_options(p->plan);
	so.absent = so.witness = true;
	so.wants = wants;
	so.deliver = deliver;
	so.arg = p;
	if (p->live != NULL) {
		/* What is equal already costs nothing the second time, and what was not seen must be counted. */
		so.bounds = NULL;
		so.nbounds = 0;
	}
	int rc = fill_init(&p->fill, p->plan, &so, p->aws, restore_target_name(p->plan), p->figures, e);
	p->fill.refused = note_lost;
	p->fill.arg = p;
	p->fill.expected = restore_expected(p->plan, p->schema);
	if (rc == 0)
		rc = fill_run(&p->fill, e);
	fill_fini(&p->fill);
	return rc;
}

static int read_and_pass(struct place *p, bool puts, bool deletes, struct err *e)
{
	p->live = etagset_new(NULL, 0, 0, e);
	if (p->live == NULL)
		return -(int)e->class;
	p->puts = puts;
	p->deletes = deletes;
	/* To read the table takes its time: a run that is stopped meanwhile must be known to have begun. */
	int rc = journal_save(p->plan->journal, e);
	if (rc == 0 && (rc = read_table(p, e)) < 0)
		err_prefix(e, "not finished; the same command and --resume go on");
	if (rc == 0)
		rc = pass(p, e);
	/* Of items that did not change lately nothing was seen. */
	if (rc == 0 && p->plan->since_ms == CLOCK_UNKNOWN)
		p->figures->unknown = etagset_unmarked(p->live);
	etagset_free(p->live);
	p->live = NULL;
	return rc;
}

static int run(struct place *p, struct err *e)
{
	bool folders = p->plan->session->table->tenant_attribute != NULL;
	*p->figures = restore_figures_before(p->plan);
	/* Of single items, and of those that changed lately, no table needs to be read. */
	if (!folders && (p->plan->narrow->exact || p->plan->since_ms != CLOCK_UNKNOWN)) {
		p->puts = p->deletes = true;
		return pass(p, e);
	}
	/* Every item is looked at anew. */
	p->figures->missing = 0;
	if (!folders)
		return read_and_pass(p, true, true, e);
	p->lost = etagset_new(NULL, 0, 0, e);
	int rc = p->lost != NULL ? read_and_pass(p, true, false, e) : -(int)e->class;
	if (rc == 0)
		rc = read_and_pass(p, false, true, e);
	etagset_free(p->lost);
	p->lost = NULL;
	return rc;
}

int restore_in_place(const struct restore_plan *plan, struct restore_figures *out)
{
	struct restore_aws ra;
	struct schema sc = {0};
	struct target t;
	struct err e;
	int code = restore_aws_open(&ra, plan);
	if (code != 0)
		return code;
	code = schema_load(plan->session, &sc);
	const struct target_options to = {
		.session = plan->session,
		.aws = ra.aws,
		.table = restore_target_name(plan),
		.schema = &sc,
		.must_exist = true,
		.may_have_items = true,
	};
	if (code == 0) {
		code = target_prepare(&t, &to);
		struct place p = {.plan = plan, .aws = ra.aws, .schema = &t.schema, .figures = out};
		buf_init(&p.keys, KEYS_MAX);
		if (code == 0 && run(&p, &e) < 0)
			code = cli_fail(&e);
		buf_fini(&p.keys);
		target_close(&t);
	}
	schema_fini(&sc);
	restore_aws_close(&ra, plan);
	return code;
}
