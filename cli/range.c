#include "range.h"

#include <string.h>

#include "between.h"
#include "codec/s3xml.h"

#define KEY_MAX 2048
#define PAGE_MAX ((size_t)64 << 10) /* of a probe's answer, which has one key */
/* A range that is over after so many pages is not worth dividing. */
#define PAGES_MIN 2

static struct span span_buf(const struct buf *b)
{
	return (struct span){buf_str(b), b->len};
}

static int set(struct buf *b, struct span bytes)
{
	buf_reset(b);
	return buf_append(b, bytes.ptr, bytes.len);
}

size_t range_number(const struct ranges *rs, const struct range *r)
{
	return (size_t)(r - rs->slots);
}

/* Gives a slot that is not in use its range. */
static int begin(struct ranges *rs, struct range *r, struct span after, struct span through, struct err *e)
{
	const struct listing_options lo = {
		.prefix = rs->options.prefix,
		.exact = rs->options.exact,
		.after = after,
		.through = through,
		.old_ms = rs->options.old_ms,
		.max_keys = rs->options.max_keys,
	};
	if (set(&r->after, after) < 0 || set(&r->through, through) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	buf_reset(&r->empty);
	int rc = r->open ? listing_again(&r->listing, &lo, e) : listing_init(&r->listing, rs->session, &lo, e);
	r->open = true;
	r->active = true;
	r->listed = r->whole = false;
	r->probes = 0;
	r->first_page = r->listing.pages;
	return rc;
}

int ranges_init(struct ranges *rs, struct session *s, const struct ranges_options *o, struct err *e)
{
	static const struct range_bounds all = {{"", 0}, {"", 0}};
	*rs = (struct ranges){.session = s, .options = *o};
	if (o->most == 0 || o->most > RANGES_MAX)
		rs->options.most = RANGES_MAX;
	for (size_t i = 0; i < RANGES_MAX; i++) {
		buf_init(&rs->slots[i].after, KEY_MAX);
		buf_init(&rs->slots[i].through, KEY_MAX);
		buf_init(&rs->slots[i].empty, KEY_MAX);
	}
	buf_init(&rs->probe.marker, KEY_MAX);
	rs->probe.path_len = strlen(s->data_path);
	int rc = aws_op_init(&rs->probe.op, &s->aws, PAGE_MAX, e);
	rs->probe.open = rc == 0;
	const struct range_bounds *bounds = o->bounds != NULL ? o->bounds : &all;
	size_t n = o->bounds != NULL ? o->nbounds : 1;
	for (size_t i = 0; rc == 0 && i < n && i < RANGES_MAX; i++)
		rc = begin(rs, &rs->slots[i], bounds[i].after, bounds[i].through, e);
	return rc;
}

void ranges_fini(struct ranges *rs)
{
	if (rs->probe.open)
		aws_op_fini(&rs->probe.op, NULL);
	rs->probe.open = false;
	buf_fini(&rs->probe.marker);
	for (size_t i = 0; i < RANGES_MAX; i++) {
		struct range *r = &rs->slots[i];
		if (r->open)
			listing_fini(&r->listing);
		r->open = false;
		buf_fini(&r->after);
		buf_fini(&r->through);
		buf_fini(&r->empty);
	}
}

static void on_wake(void *arg)
{
	struct ranges *rs = arg;
	rs->wake(rs->arg);
}

void ranges_start(struct ranges *rs, void (*wake)(void *arg), void *arg)
{
	rs->wake = wake;
	rs->arg = arg;
	for (size_t i = 0; i < RANGES_MAX; i++)
		if (rs->slots[i].active)
			listing_start(&rs->slots[i].listing, on_wake, rs);
}

/* --- dividing --- */

static struct range *free_slot(struct ranges *rs)
{
	size_t active = 0;
	struct range *free = NULL;
	for (size_t i = 0; i < RANGES_MAX; i++) {
		struct range *r = &rs->slots[i];
		active += r->active;
		if (!r->active && (!r->open || listing_idle(&r->listing)) && free == NULL)
			free = r;
	}
	return active < rs->options.most ? free : NULL;
}

/* A range with more to list; each probe must have been earned by a page. */
static struct range *divisible(struct ranges *rs)
{
	struct range *best = NULL;
	uint64_t most = 0;
	for (size_t i = 0; i < RANGES_MAX; i++) {
		struct range *r = &rs->slots[i];
		uint64_t pages = r->active ? r->listing.pages - r->first_page : 0;
		if (!r->active || r->listed || r->whole || pages < PAGES_MIN || r->probes >= pages ||
		    listing_ends(&r->listing))
			continue;
		if (best == NULL || pages - r->probes > most) {
			best = r;
			most = pages - r->probes;
		}
	}
	return best;
}

/* Where data keys may be: before what is known to be empty, or the range's own end. */
static struct span upper(const struct range *r)
{
	return r->empty.len > 0 ? span_buf(&r->empty) : span_buf(&r->through);
}

static void fail(struct ranges *rs, int rc, const struct err *e)
{
	if (rs->rc == 0) {
		rs->rc = rc;
		rs->err = *e;
	}
}

static void divide(struct ranges *rs, struct range *r, struct span middle)
{
	struct range *other = free_slot(rs);
	struct err e;
	if (other == NULL)
		return;
	int rc = begin(rs, other, middle, span_buf(&r->through), &e);
	if (rc == 0 && (set(&other->empty, span_buf(&r->empty)) < 0 || set(&r->through, middle) < 0 ||
			listing_end_at(&r->listing, middle) < 0))
		rc = err_set(&e, ERR_SYSTEM, "out of memory");
	buf_reset(&r->empty);
	if (rc < 0)
		fail(rs, rc, &e);
	else
		listing_start(&other->listing, on_wake, rs);
}

struct found {
	const struct ranges *rs;
	struct span high;
	bool any;
};

static int on_found(void *arg, const struct s3xml_version *v)
{
	struct found *f = arg;
	size_t skip = f->rs->probe.path_len;
	if (v->key.len > skip)
		f->any = f->high.len == 0 ||
			 merge_compare((struct span){v->key.ptr + skip, v->key.len - skip}, f->high) <= 0;
	return 0;
}

/* A probe that fails costs nothing but the chance to divide. */
static void on_probe(struct aws_op *op, int rc, void *arg)
{
	struct ranges *rs = arg;
	struct range *r = rs->probe.of;
	struct found found = {.rs = rs, .high = upper(r)};
	struct s3xml_page page = {0};
	size_t skip = rs->probe.path_len;
	const struct span middle = {buf_str(&rs->probe.marker) + skip, rs->probe.marker.len - skip};
	const struct span through = span_buf(&r->through);
	rs->probe.of = NULL;
	buf_init(&page.next_key_marker, KEY_MAX);
	buf_init(&page.next_version_marker, KEY_MAX);
	if (rc == 0)
		rc = s3xml_versions(span_buf(http_body(op->slot)), on_found, &found, &page, NULL);
	buf_fini(&page.next_key_marker);
	buf_fini(&page.next_version_marker);
	/* Meanwhile the listing may have come so far itself. */
	if (rc == 0 && r->active && !r->listed && merge_compare(middle, listing_reached(&r->listing)) > 0 &&
	    (through.len == 0 || merge_compare(middle, through) < 0)) {
		if (found.any)
			divide(rs, r, middle);
		else if (set(&r->empty, middle) < 0)
			r->whole = true;
	}
	rs->wake(rs->arg);
}

/* Asks whether there are keys in the upper half of a long range. */
static void consider(struct ranges *rs)
{
	struct range *r;
	if (rs->probe.of != NULL || rs->options.exact || rs->rc < 0 || free_slot(rs) == NULL ||
	    (r = divisible(rs)) == NULL)
		return;
	struct buf *marker = &rs->probe.marker;
	buf_reset(marker);
	if (buf_append_str(marker, rs->session->data_path) < 0 ||
	    !between(listing_reached(&r->listing), upper(r), strlen(rs->options.prefix), marker)) {
		r->whole = true;
		return;
	}
	const struct s3_list list = {
		.prefix = span_of(r->listing.sides[ITEM_DATA].prefix),
		.key_marker = span_buf(marker),
		.max_keys = 1,
	};
	r->probes++;
	rs->probes++;
	rs->probe.of = r;
	s3_list_versions(&rs->probe.op, &list, on_probe, rs);
}

/* --- items --- */

static void retire(struct range *r)
{
	if (r->listed && r->items == 0)
		r->active = false;
}

static void count(struct ranges *rs)
{
	rs->pages = rs->versions = 0;
	for (size_t i = 0; i < RANGES_MAX; i++) {
		rs->pages += rs->slots[i].listing.pages;
		rs->versions += rs->slots[i].listing.versions;
	}
}

int ranges_next(struct ranges *rs, struct range **from, struct item **out, struct err *e)
{
	bool left = false;
	consider(rs);
	for (size_t i = 0; i < RANGES_MAX && rs->rc == 0; i++) {
		struct range *r = &rs->slots[(rs->turn + i) % RANGES_MAX];
		if (!r->active || r->listed)
			continue;
		int rc = listing_next(&r->listing, out, e);
		if (rc < 0) {
			fail(rs, rc, e);
		} else if (rc == MERGE_ITEM) {
			/* One range for as long as it has items at hand: its neighbours' pages stay whole meanwhile. */
			rs->turn = range_number(rs, r);
			r->items++;
			*from = r;
			return RANGES_ITEM;
		} else if (rc == MERGE_END) {
			r->listed = true;
			retire(r);
		} else {
			left = true;
		}
	}
	count(rs);
	if (rs->rc < 0) {
		*e = rs->err;
		return rs->rc;
	}
	return left ? RANGES_WAIT : RANGES_END;
}

int range_done(struct range *r, struct span key)
{
	int rc = set(&r->after, key);
	r->items--;
	retire(r);
	return rc;
}
