#include "range.h"

#include <string.h>

#include "codec/s3xml.h"
#include "ladder.h"

#define KEY_MAX 2048
#define PAGE_MAX ((size_t)64 << 10) /* of a probe's answer, which has one key */
#define PROBES_A_PAGE 4		    /* of their range */

/* Sparing is verify, which costs one request for each 1,000 items: for each 100 of those it has one more. */
static const struct effort {
	uint64_t pages;		  /* what is over after so many is not worth dividing */
	uint64_t probes_at_first; /* so many in all, and one more for each `pages_a_probe` */
	uint64_t pages_a_probe;
} full = {4, 64, 8}, sparing = {8, 0, 100};

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

static uint64_t data_pages(const struct range *r)
{
	return r->listing.sides[ITEM_DATA].pages;
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
		.current = rs->options.current,
	};
	if (set(&r->after, after) < 0 || set(&r->through, through) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	buf_reset(&r->empty);
	buf_reset(&r->from);
	int rc = r->open ? listing_again(&r->listing, &lo, e) : listing_init(&r->listing, rs->session, &lo, e);
	r->open = true;
	r->active = true;
	r->listed = r->whole = false;
	r->first_page = data_pages(r);
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
		buf_init(&rs->slots[i].from, KEY_MAX);
	}
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < RANGES_PROBES; i++) {
		struct range_probe *p = &rs->probe[i];
		p->ranges = rs;
		buf_init(&p->marker, KEY_MAX);
		rc = aws_op_init(&p->op, &s->aws, PAGE_MAX, e);
		p->open = rc == 0;
	}
	const struct range_bounds *bounds = o->bounds != NULL ? o->bounds : &all;
	size_t n = o->bounds != NULL ? o->nbounds : 1;
	for (size_t i = 0; rc == 0 && i < n && i < RANGES_MAX; i++)
		rc = begin(rs, &rs->slots[i], bounds[i].after, bounds[i].through, e);
	return rc;
}

void ranges_fini(struct ranges *rs)
{
	for (size_t i = 0; i < RANGES_PROBES; i++) {
		struct range_probe *p = &rs->probe[i];
		if (p->open)
			aws_op_fini(&p->op, NULL);
		p->open = false;
		buf_fini(&p->marker);
	}
	for (size_t i = 0; i < RANGES_MAX; i++) {
		struct range *r = &rs->slots[i];
		if (r->open)
			listing_fini(&r->listing);
		r->open = false;
		buf_fini(&r->after);
		buf_fini(&r->through);
		buf_fini(&r->empty);
		buf_fini(&r->from);
	}
}

static void on_wake(void *arg)
{
	struct ranges *rs = arg;
	rs->look = true;
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

/* The first slot that can take a range, and how many more ranges there may be. */
static struct range *free_slot(struct ranges *rs, size_t *room)
{
	size_t active = 0;
	struct range *first = NULL;
	*room = 0;
	for (size_t i = RANGES_MAX; i-- > 0;) {
		struct range *r = &rs->slots[i];
		bool free = !r->active && (!r->open || listing_idle(&r->listing));
		active += r->active;
		*room += free;
		if (free)
			first = r;
	}
	if (*room > rs->options.most - active)
		*room = rs->options.most - active;
	return *room > 0 ? first : NULL;
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

/* Its data keys go on behind what was listed. */
static bool goes_on(const struct range *r)
{
	return r->active && !r->listed && !r->whole && !listing_ends(&r->listing);
}

static bool is_searched(const struct range *r)
{
	return goes_on(r) && r->from.len > 0;
}

static size_t count_searched(const struct ranges *rs)
{
	size_t n = 0;
	for (size_t i = 0; i < RANGES_MAX; i++)
		n += is_searched(&rs->slots[i]);
	return n;
}

static const struct effort *effort(const struct ranges *rs)
{
	return rs->options.sparing ? &sparing : &full;
}

static uint64_t pages_of(const struct range *r)
{
	return data_pages(r) - r->first_page;
}

static void note_bytes(struct ranges *rs, struct span key)
{
	for (size_t i = 0; i < key.len; i++)
		rs->known[key.ptr[i] & 0x7f] = true;
}

static void divide(struct ranges *rs, struct range *r, struct span middle)
{
	size_t room;
	struct range *other = free_slot(rs, &room);
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

/*
 * Divides a range whose last rung with keys is known. At the byte in which that one parts from the ladder's beginning, keys
 * most likely have other bytes, too: of those that keys are known to have, so many are taken as there were pages, and as
 * there may be more ranges, other long ones being divided as well.
 */
static void divide_below(struct ranges *rs, struct range *r, struct buf *rung)
{
	const size_t at = rung->len - 1;
	const unsigned char last = (unsigned char)rung->data[at];
	char bytes[128] = {0};
	const size_t others = count_searched(rs) - is_searched(r);
	size_t n = 0, parts;
	free_slot(rs, &parts);
	parts = (parts + others) / (others + 1);
	for (unsigned char byte = 0x20; byte <= last; byte++) {
		rung->data[at] = (char)byte;
		/* Meanwhile the listing may have come so far itself. */
		if ((rs->known[byte] || byte == last) &&
		    merge_compare(span_buf(rung), listing_reached(&r->listing)) > 0)
			bytes[n++] = (char)byte;
	}
	if (parts > pages_of(r))
		parts = pages_of(r);
	if (parts > n)
		parts = n;
	for (size_t k = parts; k > 0; k--) {
		rung->data[at] = bytes[k * (n + 1) / (parts + 1) - 1];
		divide(rs, r, span_buf(rung));
	}
}

static void end_search(struct ranges *rs, struct range *r)
{
	struct buf rung;
	buf_init(&rung, KEY_MAX);
	if (r->whole || r->filled == 0 || ladder_rung(span_buf(&r->from), r->filled, &rung) < 0)
		r->whole = true;
	else
		divide_below(rs, r, &rung);
	buf_fini(&rung);
	buf_reset(&r->from);
	r->first_page = data_pages(r);
}

struct found {
	struct span path, high, from;
	size_t prefix_len, rung; /* the last one with a key behind it */
	struct ranges *ranges;
};

static int on_found(void *arg, const struct s3xml_version *v)
{
	struct found *f = arg;
	if (v->key.len <= f->path.len)
		return 0;
	const struct span key = {v->key.ptr + f->path.len, v->key.len - f->path.len};
	if (f->high.len == 0 || merge_compare(key, f->high) <= 0) {
		f->rung = ladder_count(f->from, key, f->prefix_len);
		note_bytes(f->ranges, key);
	}
	return 0;
}

static void take_answer(struct range_probe *p, struct range *r, size_t filled)
{
	const size_t skip = strlen(p->ranges->session->data_path);
	if (filled > r->filled)
		r->filled = filled;
	if (filled == 0 && p->rung < r->vacant) {
		r->vacant = p->rung;
		if (set(&r->empty, (struct span){buf_str(&p->marker) + skip, p->marker.len - skip}) < 0)
			r->whole = true;
	}
	/* When both are beside each other, or keys have come where there were none. */
	if (r->filled + 1 >= r->vacant)
		end_search(p->ranges, r);
}

static int read_probe(const struct range_probe *p, struct found *found)
{
	const struct span body = span_buf(http_body(p->op.slot));
	struct s3xml_page page = {0};
	struct s3xml_objects_page objects = {0};
	int rc;
	buf_init(&page.next_key_marker, KEY_MAX);
	buf_init(&page.next_version_marker, KEY_MAX);
	buf_init(&objects.next_token, S3XML_TOKEN_MAX);
	if (p->ranges->options.current)
		rc = s3xml_objects(body, on_found, found, &objects, NULL);
	else
		rc = s3xml_versions(body, on_found, found, &page, NULL);
	buf_fini(&page.next_key_marker);
	buf_fini(&page.next_version_marker);
	buf_fini(&objects.next_token);
	return rc;
}

/* A probe that fails costs nothing but the chance to divide. */
static void on_probe(struct aws_op *op, int rc, void *arg)
{
	struct range_probe *p = arg;
	struct ranges *rs = p->ranges;
	struct range *r = p->of;
	struct found found = {
		.path = span_of(rs->session->data_path),
		.high = upper(r),
		.from = span_buf(&r->from),
		.prefix_len = strlen(rs->options.prefix),
		.ranges = rs,
	};
	bool awaited = is_searched(r) && r->search == p->search;
	(void)op;
	p->of = NULL;
	if (rc == 0 && awaited)
		rc = read_probe(p, &found);
	if (rc < 0 && awaited)
		r->whole = true;
	else if (awaited)
		take_answer(p, r, found.rung);
	rs->look = true;
	rs->wake(rs->arg);
}

/* The range that most likely is long: the one that has had the most pages since it began. */
static struct range *find_long(struct ranges *rs)
{
	struct range *best = NULL;
	for (size_t i = 0; i < RANGES_MAX; i++) {
		struct range *r = &rs->slots[i];
		if (goes_on(r) && !is_searched(r) && pages_of(r) > 0 && (best == NULL || pages_of(r) > pages_of(best)))
			best = r;
	}
	return best;
}

/* Begins to look where ranges end. Of so many that each can be divided in three, since some are much longer than others. */
static void begin_searches(struct ranges *rs, size_t room)
{
	struct range *r;
	while (count_searched(rs) < (room + 1) / 2 && (r = find_long(rs)) != NULL) {
		if (set(&r->from, listing_reached(&r->listing)) < 0 || r->from.len == 0)
			r->whole = true;
		r->search++;
		r->probes = 0;
		r->filled = 0;
		r->vacant = 1 + ladder_count(span_buf(&r->from), upper(r), strlen(rs->options.prefix));
	}
}

/* The rung in the middle of the widest gap between what is known and what is asked; 0: there is none. */
static size_t next_rung(const struct ranges *rs, const struct range *r, size_t *asked)
{
	size_t best = 1, rung = 0;
	*asked = 0;
	for (size_t i = 0; i <= RANGES_PROBES; i++) {
		const struct range_probe *p = i < RANGES_PROBES ? &rs->probe[i] : NULL;
		if (p != NULL && (p->of != r || p->search != r->search))
			continue;
		size_t low = p != NULL ? p->rung : r->filled, high = r->vacant;
		for (size_t k = 0; k < RANGES_PROBES; k++) {
			const struct range_probe *q = &rs->probe[k];
			if (q->of == r && q->search == r->search && q->rung > low && q->rung < high)
				high = q->rung;
		}
		*asked += p != NULL;
		if (low >= r->filled && high > low && high - low > best) {
			best = high - low;
			rung = low + best / 2;
		}
	}
	return rung;
}

/* Sends a probe where the fewest are under way; false when there is nothing to be asked. */
static bool send_probe(struct ranges *rs, struct range_probe *p)
{
	struct range *r = NULL;
	size_t least = SIZE_MAX, asked, rung;
	for (size_t i = 0; i < RANGES_MAX; i++) {
		struct range *candidate = &rs->slots[i];
		bool may = is_searched(candidate) && candidate->probes < PROBES_A_PAGE * pages_of(candidate);
		size_t next = may ? next_rung(rs, candidate, &asked) : 0;
		if (next > 0 && asked < least) {
			least = asked;
			r = candidate;
			rung = next;
		}
	}
	if (r == NULL)
		return false;
	buf_reset(&p->marker);
	if (buf_append_str(&p->marker, rs->session->data_path) < 0 ||
	    ladder_rung(span_buf(&r->from), rung, &p->marker) < 0) {
		r->whole = true;
		return true;
	}
	const struct span prefix = span_of(r->listing.sides[ITEM_DATA].prefix), marker = span_buf(&p->marker);
	p->of = r;
	p->search = r->search;
	p->rung = rung;
	r->probes++;
	rs->probes++;
	if (rs->options.current)
		s3_list_objects(&p->op,
				&(struct s3_list_objects){.prefix = prefix, .start_after = marker, .max_keys = 1},
				on_probe, p);
	else
		s3_list_versions(&p->op, &(struct s3_list){.prefix = prefix, .key_marker = marker, .max_keys = 1},
				 on_probe, p);
	return true;
}

static uint64_t all_data_pages(const struct ranges *rs)
{
	uint64_t n = 0;
	for (size_t i = 0; i < RANGES_MAX; i++)
		n += data_pages(&rs->slots[i]);
	return n;
}

/* Looks for ranges that can be divided. */
static void consider(struct ranges *rs)
{
	const uint64_t pages = all_data_pages(rs);
	size_t room;
	rs->look = false;
	if (rs->options.exact || rs->rc < 0 || pages < effort(rs)->pages || free_slot(rs, &room) == NULL)
		return;
	for (size_t i = 0; i < RANGES_MAX; i++)
		note_bytes(rs, listing_reached(&rs->slots[i].listing));
	begin_searches(rs, room);
	const uint64_t most = effort(rs)->probes_at_first + pages / effort(rs)->pages_a_probe;
	for (size_t i = 0; i < RANGES_PROBES; i++)
		if (rs->probe[i].of == NULL && (rs->probes >= most || !send_probe(rs, &rs->probe[i])))
			return;
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
			rs->look = true;
			retire(r);
		} else {
			left = true;
		}
	}
	/* Only when the listing is what is waited for: the last page of a range is partly the next one's, and so read twice. */
	if (left && rs->look && rs->rc == 0)
		consider(rs);
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
