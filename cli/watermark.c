#include "watermark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)64 << 20)
#define INTERVALS 3 /* of the daemon, without a word from it */
#define INTERVAL_LEAST_MS 60000

static int64_t time_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));
	int64_t ms;
	return text != NULL && clock_parse_iso(text, &ms) ? ms : CLOCK_UNKNOWN;
}

static void text_of(const json_t *o, const char *name, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(o, name));
	snprintf(out, size, "%s", text ? text : "");
}

static int read_gaps(const json_t *list, struct watermark *w)
{
	size_t i;
	const json_t *g;
	if (json_array_size(list) == 0)
		return 0;
	w->gaps = calloc(json_array_size(list), sizeof(*w->gaps));
	if (w->gaps == NULL)
		return -ERR_SYSTEM;
	json_array_foreach(list, i, g)
	{
		struct watermark_gap *gap = &w->gaps[w->ngaps++];
		text_of(g, "reason", gap->reason, sizeof(gap->reason));
		gap->from_ms = time_of(g, "from");
		gap->to_ms = time_of(g, "to");
		gap->noticed_ms = time_of(g, "noticed");
		gap->closed_ms = time_of(g, "closed");
	}
	return 0;
}

static uint64_t count_of(const json_t *o, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(o, name));
	return n > 0 ? (uint64_t)n : 0;
}

static void read_baseline(const json_t *o, struct watermark_baseline *b)
{
	*b = (struct watermark_baseline){
		.present = json_is_object(o),
		.began_ms = time_of(o, "began"),
		.ended_ms = time_of(o, "ended"),
		.since_ms = time_of(o, "complete_since"),
		.items = count_of(o, "items"),
		.written = count_of(o, "written"),
		.removed = count_of(o, "removed"),
		.equal = count_of(o, "equal"),
		.left = count_of(o, "left_to_stream"),
		.foreign = count_of(o, "foreign"),
		.total = count_of(o, "total"),
		.throttles = count_of(o, "throttles"),
		.units = json_number_value(json_object_get(o, "units")),
	};
	text_of(o, "state", b->state, sizeof(b->state));
	text_of(o, "reason", b->reason, sizeof(b->reason));
	text_of(o, "request", b->request, sizeof(b->request));
}

int watermark_parse(const char *text, size_t len, struct watermark *w, struct err *e)
{
	json_t *root = json_loadb(text, len, 0, NULL);
	int rc = 0;
	*w = (struct watermark){0};
	if (json_integer_value(json_object_get(root, "version")) != 1 ||
	    !json_is_array(json_object_get(root, "gaps"))) {
		rc = err_set(e, ERR_CORRUPT, "watermark.json is damaged, or of a newer ddb-streamd");
		goto out;
	}
	w->since_ms = time_of(root, "since");
	w->complete_ms = time_of(root, "complete_through");
	w->saved_ms = time_of(root, "saved");
	text_of(root, "host", w->host, sizeof(w->host));
	text_of(root, "instance", w->instance, sizeof(w->instance));
	text_of(root, "data_path", w->data_path, sizeof(w->data_path));
	w->gap_count = (uint64_t)json_integer_value(json_object_get(root, "gap_count"));
	read_baseline(json_object_get(root, "baseline"), &w->baseline);
	if (read_gaps(json_object_get(root, "gaps"), w) < 0)
		rc = err_set(e, ERR_SYSTEM, "out of memory");
out:
	json_decref(root);
	return rc;
}

int watermark_load(struct session *s, const char *meta_path, struct watermark *w, bool *exists, struct err *e)
{
	struct buf text;
	char *key;
	if (asprintf(&key, "%swatermark.json", meta_path) < 0)
		return err_set(e, ERR_SYSTEM, "out of memory");
	buf_init(&text, TEXT_MAX);
	*exists = false;
	int rc = session_get(s, key, &text, exists, e);
	if (rc == 0 && *exists)
		rc = watermark_parse(buf_str(&text), text.len, w, e);
	buf_fini(&text);
	free(key);
	return rc;
}

void watermark_fini(struct watermark *w)
{
	free(w->gaps);
	*w = (struct watermark){0};
}

uint64_t watermark_open_gaps(const struct watermark *w)
{
	uint64_t open = 0;
	for (size_t i = 0; i < w->ngaps; i++)
		open += w->gaps[i].closed_ms == CLOCK_UNKNOWN;
	/* What closes a gap closes all that were noticed before it. */
	if (w->gap_count > w->ngaps && (w->ngaps == 0 || w->gaps[0].closed_ms == CLOCK_UNKNOWN))
		open += w->gap_count - w->ngaps;
	return open;
}

const char *watermark_time(char out[CLOCK_ISO_SIZE], int64_t ms)
{
	return ms == CLOCK_UNKNOWN ? "-" : clock_iso(out, ms);
}

json_t *watermark_time_json(int64_t ms)
{
	char iso[CLOCK_ISO_SIZE];
	return ms == CLOCK_UNKNOWN ? json_null() : json_string(clock_iso(iso, ms));
}

json_t *watermark_gap_json(const struct watermark_gap *g)
{
	return json_pack("{s:s,s:o,s:o,s:o,s:o}", "reason", g->reason, "from", watermark_time_json(g->from_ms), "to",
			 watermark_time_json(g->to_ms), "noticed", watermark_time_json(g->noticed_ms), "closed",
			 watermark_time_json(g->closed_ms));
}

bool watermark_is_silent(int64_t saved_ms, const struct session *s)
{
	int64_t interval_ms = s->conf->watermark_interval_ms;
	int64_t patience_ms = INTERVALS * (interval_ms > INTERVAL_LEAST_MS ? interval_ms : INTERVAL_LEAST_MS);
	return saved_ms == CLOCK_UNKNOWN || session_now_ms(s) - saved_ms > patience_ms;
}

bool watermark_baseline_runs(const struct watermark_baseline *b)
{
	return b->present && b->state[0] != '\0' && strcmp(b->state, "done") != 0 && strcmp(b->state, "cancelled") != 0;
}

json_t *watermark_baseline_json(const struct watermark_baseline *b)
{
	if (!b->present)
		return json_null();
	return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:I}", "state", b->state, "reason",
			 b->reason, "request", b->request, "began", watermark_time_json(b->began_ms), "ended",
			 watermark_time_json(b->ended_ms), "complete_since", watermark_time_json(b->since_ms), "items",
			 (json_int_t)b->items, "written", (json_int_t)b->written, "removed", (json_int_t)b->removed,
			 "equal", (json_int_t)b->equal, "left_to_stream", (json_int_t)b->left, "foreign",
			 (json_int_t)b->foreign, "total", (json_int_t)b->total, "units", b->units, "throttles",
			 (json_int_t)b->throttles);
}

const char *watermark_baseline_text(char out[static WATERMARK_PROGRESS_SIZE], const struct watermark_baseline *b)
{
	char total[40] = "";
	if (b->total > 0)
		snprintf(total, sizeof(total), " of about %llu", (unsigned long long)b->total);
	snprintf(out, WATERMARK_PROGRESS_SIZE, "%llu%s items, %llu written, %llu removed", (unsigned long long)b->items,
		 total, (unsigned long long)b->written, (unsigned long long)b->removed);
	return out;
}

/* What was missed stays missed until the item changes again, or somebody sees to it: it also matters after its end. */
static bool spoils(const struct watermark_gap *g, int64_t at_ms)
{
	bool begun = g->from_ms == CLOCK_UNKNOWN || g->from_ms <= at_ms;
	return begun && (g->closed_ms == CLOCK_UNKNOWN || at_ms < g->closed_ms);
}

static void tell_gap(const struct watermark_gap *g, char *why, size_t size)
{
	char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE], closed[CLOCK_ISO_SIZE];
	bool open = g->closed_ms == CLOCK_UNKNOWN;
	snprintf(why, size, "changes %s%s%s%s%s may be missing (%s), and this gap %s%s",
		 g->from_ms == CLOCK_UNKNOWN ? "" : "from ",
		 g->from_ms == CLOCK_UNKNOWN ? "" : clock_iso(from, g->from_ms),
		 g->from_ms == CLOCK_UNKNOWN || g->to_ms == CLOCK_UNKNOWN ? "" : " ",
		 g->to_ms == CLOCK_UNKNOWN ? "" : "until ", g->to_ms == CLOCK_UNKNOWN ? "" : clock_iso(to, g->to_ms),
		 g->reason, open ? "is open" : "was closed only at ", open ? "" : clock_iso(closed, g->closed_ms));
}

/* Forgotten gaps are older than those that are listed, so they were closed, too, when the newest one was. */
static bool forgotten_closed(const struct watermark *w, int64_t at_ms)
{
	for (size_t i = 0; i < w->ngaps; i++)
		if (w->gaps[i].closed_ms == CLOCK_UNKNOWN || at_ms < w->gaps[i].closed_ms)
			return false;
	return w->ngaps > 0;
}

bool watermark_covers(const struct watermark *w, int64_t at_ms, char *why, size_t size)
{
	char a[CLOCK_ISO_SIZE];
	/* Just after its start a backup is complete through a moment before it. */
	if (w->complete_ms == CLOCK_UNKNOWN || (w->since_ms != CLOCK_UNKNOWN && w->complete_ms < w->since_ms)) {
		snprintf(why, size, "nothing is known to be complete yet");
		return false;
	}
	if (w->since_ms != CLOCK_UNKNOWN && at_ms < w->since_ms) {
		snprintf(why, size, "the backup began only at %s", clock_iso(a, w->since_ms));
		return false;
	}
	if (w->baseline.present && w->baseline.since_ms == CLOCK_UNKNOWN) {
		snprintf(why, size,
			 "its first baseline is not complete (%s), so items that have not changed since the "
			 "backup began may be missing",
			 w->baseline.state[0] ? w->baseline.state : "unknown");
		return false;
	}
	if (w->baseline.present && at_ms < w->baseline.since_ms) {
		snprintf(why, size,
			 "its first baseline was complete only at %s, and before that items that had not "
			 "changed may be missing",
			 clock_iso(a, w->baseline.since_ms));
		return false;
	}
	if (at_ms > w->complete_ms) {
		snprintf(why, size, "the backup is complete through %s only", clock_iso(a, w->complete_ms));
		return false;
	}
	for (size_t i = 0; i < w->ngaps; i++)
		if (spoils(&w->gaps[i], at_ms)) {
			tell_gap(&w->gaps[i], why, size);
			return false;
		}
	if (w->gap_count > w->ngaps && !forgotten_closed(w, at_ms)) {
		snprintf(why, size, "there were %llu gaps, and the times of the first ones are no longer known",
			 (unsigned long long)w->gap_count);
		return false;
	}
	return true;
}
