#include "position_baseline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "member.h"

static const char *const states[BASELINE_STATES] = {
	"waiting", "listing", "scanning", "removing", "done", "cancelled",
};
static const char *const reasons[BASELINE_REASONS] = {"first", "gap", "request"};

const char *position_baseline_state_name(enum position_baseline_state s)
{
	return states[s];
}

const char *position_baseline_reason_name(enum position_baseline_reason r)
{
	return reasons[r];
}

struct position_baseline *position_baseline_new(void)
{
	struct position_baseline *b = calloc(1, sizeof(*b));
	if (b != NULL)
		b->began_ms = b->ended_ms = b->complete_since_ms = CLOCK_UNKNOWN;
	return b;
}

static void forget_progress(struct position_baseline *b)
{
	for (size_t i = 0; i < b->nsegments; i++)
		free(b->segments[i].after);
	free(b->removed_after);
	memset(b->segments, 0, sizeof(b->segments));
	b->nsegments = 0;
	b->removed_after = NULL;
}

void position_baseline_free(struct position_baseline *b)
{
	if (b == NULL)
		return;
	forget_progress(b);
	free(b->request);
	free(b);
}

void position_baseline_reset(struct position_baseline *b)
{
	struct position_baseline kept = {
		.request = b->request,
		.complete_since_ms = b->complete_since_ms,
		.began_ms = CLOCK_UNKNOWN,
		.ended_ms = CLOCK_UNKNOWN,
	};
	forget_progress(b);
	*b = kept;
}

bool position_baseline_runs(const struct position_baseline *b)
{
	return b->state < BASELINE_DONE;
}

static json_t *resume_to_json(const struct position_baseline *b)
{
	json_t *o = json_object(), *segments = json_array();
	for (size_t i = 0; i < b->nsegments; i++) {
		json_t *s = json_object();
		if (b->segments[i].done)
			json_object_set_new(s, "done", json_true());
		member_put_str(s, "after", b->segments[i].after);
		json_array_append_new(segments, s);
	}
	json_object_set_new(o, "segments", segments);
	if (b->marked_again)
		json_object_set_new(o, "marked_again", json_true());
	member_put_str(o, "removed_after", b->removed_after);
	return o;
}

json_t *position_baseline_to_json(const struct position_baseline *b)
{
	json_t *o = json_object();
	member_put_str(o, "state", states[b->state]);
	member_put_str(o, "reason", reasons[b->reason]);
	member_put_str(o, "request", b->request);
	member_put_time(o, "began", b->began_ms);
	member_put_time(o, "ended", b->ended_ms);
	member_put_time(o, "complete_since", b->complete_since_ms);
	member_put_count(o, "items", b->items);
	member_put_count(o, "equal", b->equal);
	member_put_count(o, "written", b->written);
	member_put_count(o, "removed", b->removed);
	member_put_count(o, "left_to_stream", b->left_to_stream);
	member_put_count(o, "foreign", b->foreign);
	member_put_count(o, "total", b->total);
	member_put_count(o, "throttles", b->throttles);
	json_object_set_new(o, "units", json_real(b->units));
	if (b->rate > 0)
		json_object_set_new(o, "rate", json_real(b->rate));
	if (position_baseline_runs(b))
		json_object_set_new(o, "resume", resume_to_json(b));
	return o;
}

static unsigned get_name(struct member_get *g, const json_t *o, const char *name, const char *const *names, unsigned n)
{
	const char *value = json_string_value(json_object_get(o, name));
	for (unsigned i = 0; value != NULL && i < n; i++)
		if (strcmp(value, names[i]) == 0)
			return i;
	member_bad(g, name, "a known word (was it written by a newer ddb-streamd?)");
	return 0;
}

static void get_resume(struct member_get *g, const json_t *o, struct position_baseline *b)
{
	const json_t *segments = json_object_get(o, "segments");
	size_t n = json_array_size(segments);
	if (n > BASELINE_SEGMENTS_MAX) {
		member_bad(g, "segments", "an array of up to 64");
		return;
	}
	for (; b->nsegments < n; b->nsegments++) {
		const json_t *s = json_array_get(segments, b->nsegments);
		b->segments[b->nsegments].done = json_is_true(json_object_get(s, "done"));
		b->segments[b->nsegments].after = member_get_str(g, s, "after", false);
	}
	b->marked_again = json_is_true(json_object_get(o, "marked_again"));
	b->removed_after = member_get_str(g, o, "removed_after", false);
}

int position_baseline_from_json(const json_t *j, struct position_baseline **out, struct err *e)
{
	struct position_baseline *b = position_baseline_new();
	if (b == NULL)
		return err_errno(e, ENOMEM, "position");
	struct member_get g = {.err = e};
	b->state = get_name(&g, j, "state", states, BASELINE_STATES);
	b->reason = get_name(&g, j, "reason", reasons, BASELINE_REASONS);
	b->request = member_get_str(&g, j, "request", false);
	b->began_ms = member_get_time(&g, j, "began");
	b->ended_ms = member_get_time(&g, j, "ended");
	b->complete_since_ms = member_get_time(&g, j, "complete_since");
	b->items = member_get_count(&g, j, "items");
	b->equal = member_get_count(&g, j, "equal");
	b->written = member_get_count(&g, j, "written");
	b->removed = member_get_count(&g, j, "removed");
	b->left_to_stream = member_get_count(&g, j, "left_to_stream");
	b->foreign = member_get_count(&g, j, "foreign");
	b->total = member_get_count(&g, j, "total");
	b->throttles = member_get_count(&g, j, "throttles");
	b->units = json_number_value(json_object_get(j, "units"));
	b->rate = json_number_value(json_object_get(j, "rate"));
	get_resume(&g, json_object_get(j, "resume"), b);
	if (g.rc < 0) {
		position_baseline_free(b);
		return g.rc;
	}
	*out = b;
	return 0;
}
