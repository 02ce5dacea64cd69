#include "names.h"

#include <string.h>

#include "range.h"

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False when it is no MD5; then it is something that no MD5 is but by chance. */
static bool read_etag(struct span text, uint8_t out[DIGEST_MD5_SIZE])
{
	bool ok = text.len == 2 * DIGEST_MD5_SIZE;
	for (size_t i = 0; ok && i < DIGEST_MD5_SIZE; i++) {
		int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);
		ok = high >= 0 && low >= 0;
		out[i] = (uint8_t)(ok ? high << 4 | low : 0);
	}
	if (!ok)
		digest_name(out, text.ptr, text.len);
	return ok;
}

/* A key that came twice, at the seam of two pages, is one item. */
static int take(const struct item *it, int (*each)(const struct names_object *o, void *arg, struct err *e), void *arg,
		struct names_figures *figures, struct err *e)
{
	const struct item_entry *entry = &it->lists[ITEM_DATA].entries[0];
	struct names_object o = {.name = {buf_str(&it->key), it->key.len}, .size_bytes = entry->size_bytes};
	read_etag(span_of(item_version_id(it, entry)), o.etag);
	figures->objects++;
	figures->bytes += o.size_bytes;
	return each(&o, arg, e);
}

/* What comes is asked for in turn. */
static void on_wake(void *arg)
{
	(void)arg;
}

int names_each(struct session *s, int (*each)(const struct names_object *o, void *arg, struct err *e), void *arg,
	       struct names_figures *figures, struct err *e)
{
	const struct ranges_options o = {.prefix = "", .current = true, .sparing = true, .old_ms = INT64_MIN};
	struct ranges ranges;
	struct range *range;
	struct item *item;
	int rc = ranges_init(&ranges, s, &o, e);
	if (rc == 0)
		ranges_start(&ranges, on_wake, NULL);
	while (rc >= 0 && !s->stop && (rc = ranges_next(&ranges, &range, &item, e)) != RANGES_END) {
		if (rc == RANGES_WAIT)
			uv_run(&s->loop, UV_RUN_ONCE);
		if (rc != RANGES_ITEM)
			continue;
		rc = take(item, each, arg, figures, e);
		if (range_done(range, (struct span){buf_str(&item->key), item->key.len}) < 0 && rc >= 0)
			rc = err_set(e, ERR_SYSTEM, "out of memory");
		item_free(item);
	}
	figures->requests += ranges.pages + ranges.probes;
	ranges_fini(&ranges);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	if (rc >= 0 && s->stop)
		rc = err_set(e, ERR_CANCELLED, "interrupted");
	return rc < 0 ? rc : 0;
}
