/*
 * A job is in one place at a time: in `alone` or `ready` until its turn comes, in a slot while it is in flight or waits
 * to be tried again, or in `refused` until the loop's next turn. A slot that waits counts as one in flight: while the
 * table throttles, nothing else may take its place.
 */
#include "writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/rate.h"
#include "codec/itemsize.h"

#define FIRST_SLOTS 2 /* in flight at first */
#define LINGER_MS 20  /* that the first write of a batch waits for others */
/* UnprocessedItems holds the writes again, perhaps in longer words. */
#define ANSWER_MAX ((size_t)8 << 20)

STAILQ_HEAD(writer_jobs, writer_job);

struct writer_slot {
	struct aws_op op; /* first: what is told of it is told of the slot */
	struct writer *writer;
	uv_timer_t timer; /* of a wait */
	struct writer_job *jobs[ITEMS_BATCH_MAX];
	size_t njobs; /* 0: idle */
	struct items_write writes[ITEMS_BATCH_MAX];
	bool alone;   /* by PutItem or DeleteItem */
	bool waiting; /* not in flight, but for the timer */
	uint64_t serial;
	double units; /* that were taken from the rate */
	struct items_batch_result result;
};

struct writer {
	char *table;
	struct writer_jobs alone;   /* to be sent singly; they go first */
	struct writer_jobs ready;   /* to be sent in batches */
	size_t nready, ready_bytes; /* of text */
	struct writer_jobs refused; /* that need no request, or for which it is too late */
	int64_t linger_ms;	    /* when `ready` goes even if it fills no batch */
	uv_timer_t wake;	    /* for `refused`, the lingering, and the rate */
	struct writer_slot slots[WRITER_SLOTS];
	size_t nslots;	    /* that were set up */
	size_t nactive;	    /* that are not idle */
	double window;	    /* how many may be */
	bool was_throttled; /* the window has met its bound, and grows with care */
	uint64_t serial;    /* of the last request */
	uint64_t cut;	    /* the last request before the window was halved */
	struct rate rate;
	size_t pending;
	struct writer_figures figures;
	int64_t patience_ms;
	int64_t stuck_ms; /* since when nothing has gone through; CLOCK_UNKNOWN: all is well */
	int rc;		  /* negative: spent */
	struct err err;
	bool closing;
	size_t open; /* handles */
};

static void on_wake(uv_timer_t *t);
static void on_again(uv_timer_t *t);
static void on_answer(struct aws_op *op, int rc, void *arg);

/* --- outcomes --- */

/* False: the writer was freed in a completion, and must not be touched. */
static bool deliver(struct writer *w, struct writer_jobs *jobs, int rc, const struct err *e)
{
	while (!STAILQ_EMPTY(jobs)) {
		struct writer_job *j = STAILQ_FIRST(jobs);
		STAILQ_REMOVE_HEAD(jobs, link);
		w->pending--;
		if (rc == 0 && j->write.remove)
			w->figures.deletes++;
		else if (rc == 0)
			w->figures.puts++;
		j->done(j, rc, rc == 0 ? NULL : e);
		/* The memory stays until the handles are closed, which is on a later turn. */
		if (w->closing)
			return false;
	}
	return true;
}

/* Empties a slot, which is idle then. */
static void unload(struct writer_slot *slot, struct writer_jobs *jobs)
{
	for (size_t i = 0; i < slot->njobs; i++)
		STAILQ_INSERT_TAIL(jobs, slot->jobs[i], link);
	if (slot->njobs > 0)
		slot->writer->nactive--;
	slot->njobs = 0;
	slot->waiting = false;
}

/* Nothing can work any more: for every job that is not in flight. */
static bool fail_all(struct writer *w)
{
	struct writer_jobs jobs = STAILQ_HEAD_INITIALIZER(jobs);
	STAILQ_CONCAT(&jobs, &w->alone);
	STAILQ_CONCAT(&jobs, &w->ready);
	w->nready = w->ready_bytes = 0;
	for (size_t i = 0; i < w->nslots; i++) {
		if (!w->slots[i].waiting)
			continue;
		uv_timer_stop(&w->slots[i].timer);
		unload(&w->slots[i], &jobs);
	}
	return deliver(w, &jobs, w->rc, &w->err);
}

/* What is in the slot failed for a reason that is everyone's. The first such reason is the one that is told. */
static bool give_up(struct writer_slot *slot, int rc, const struct err *e)
{
	struct writer *w = slot->writer;
	if (w->rc == 0) {
		w->rc = rc;
		w->err = *e;
	}
	unload(slot, &w->alone);
	return fail_all(w);
}

/* Fills in job->bytes. Negative: no request can make it work. */
static int weigh(struct writer_job *j, struct err *e)
{
	int rc = itemsize_bytes(j->write.attributes, &j->bytes, e);
	if (rc < 0) {
		if (e != NULL && e->class == ERR_CORRUPT)
			e->class = ERR_INVALID;
		return rc == -ERR_CORRUPT ? -ERR_INVALID : rc;
	}
	if (j->bytes > ITEMS_ITEM_BYTES_MAX)
		return err_set(e, ERR_LIMIT,
			       "the item counts %zu bytes, and a table takes %zu at most: restore it to a file instead",
			       j->bytes, ITEMS_ITEM_BYTES_MAX);
	return 0;
}

static bool deliver_refused(struct writer *w)
{
	struct writer_jobs all = STAILQ_HEAD_INITIALIZER(all);
	bool alive = true;
	/* Those that a completion adds have their turn later. */
	STAILQ_CONCAT(&all, &w->refused);
	while (alive && !STAILQ_EMPTY(&all)) {
		struct writer_jobs one = STAILQ_HEAD_INITIALIZER(one);
		struct writer_job *j = STAILQ_FIRST(&all);
		struct err e;
		STAILQ_REMOVE_HEAD(&all, link);
		STAILQ_INSERT_TAIL(&one, j, link);
		int rc = weigh(j, &e);
		w->figures.refused += rc < 0;
		alive = rc < 0 ? deliver(w, &one, rc, &e) : deliver(w, &one, w->rc, &w->err);
	}
	return alive;
}

/* --- what goes next --- */

static void wake_in(struct writer *w, int64_t ms)
{
	uint64_t in_ms = ms > 1 ? (uint64_t)ms : 1;
	if (!uv_is_active((uv_handle_t *)&w->wake) || uv_timer_get_due_in(&w->wake) > in_ms)
		uv_timer_start(&w->wake, on_wake, in_ms, 0);
}

static double units_of(const struct writer_job *j)
{
	return (double)itemsize_write_units(j->bytes);
}

static size_t text_bytes(const struct writer_job *j)
{
	return j->write.attributes.len + ITEMS_WRITE_EXTRA_BYTES;
}

/* How many from the head of the queue go in one request that costs no more than `budget`: one at least. */
static size_t measure(const struct writer_jobs *jobs, size_t max, double budget, double *units)
{
	size_t n = 0, bytes = 0;
	*units = 0;
	for (const struct writer_job *j = STAILQ_FIRST(jobs); j != NULL; j = STAILQ_NEXT(j, link)) {
		bytes += text_bytes(j);
		if (n == max || (n > 0 && (bytes > WRITER_BATCH_BYTES || *units + units_of(j) > budget)))
			break;
		*units += units_of(j);
		n++;
	}
	return n;
}

static void submit(struct writer *w, struct writer_slot *slot, bool alone, size_t n)
{
	struct writer_jobs *from = alone ? &w->alone : &w->ready;
	for (size_t i = 0; i < n; i++) {
		struct writer_job *j = STAILQ_FIRST(from);
		STAILQ_REMOVE_HEAD(from, link);
		slot->jobs[i] = j;
		slot->writes[i] = j->write;
		if (!alone)
			w->ready_bytes -= text_bytes(j);
	}
	if (!alone) {
		/* What is left came later, and has its own moment to wait for others. */
		w->linger_ms = clock_mono_ms() + LINGER_MS;
		w->nready -= n;
	}
	slot->njobs = n;
	slot->alone = alone;
	slot->serial = ++w->serial;
	slot->result = (struct items_batch_result){0};
	w->nactive++;
	w->figures.requests++;
	if (alone)
		items_write(&slot->op, w->table, &slot->writes[0], &slot->result.consumed_units, on_answer, slot);
	else
		items_batch_write(&slot->op, w->table, slot->writes, n, &slot->result, on_answer, slot);
}

static struct writer_slot *idle_slot(struct writer *w)
{
	if (w->nactive >= (size_t)w->window)
		return NULL;
	for (size_t i = 0; i < w->nslots; i++)
		if (w->slots[i].njobs == 0)
			return &w->slots[i];
	return NULL;
}

static bool is_full(const struct writer *w)
{
	return w->nready >= ITEMS_BATCH_MAX || w->ready_bytes >= WRITER_BATCH_BYTES;
}

/* Sends what may go now, and sees to it that it is called again for the rest. */
static void pump(struct writer *w)
{
	struct writer_slot *slot;
	int64_t now_ms = clock_mono_ms(), wait_ms;
	while ((slot = idle_slot(w)) != NULL) {
		bool alone = !STAILQ_EMPTY(&w->alone);
		struct writer_jobs *from = alone ? &w->alone : &w->ready;
		size_t max = alone ? 1 : ITEMS_BATCH_MAX;
		double units;
		if (STAILQ_EMPTY(from))
			return;
		wait_ms = alone || is_full(w) ? 0 : w->linger_ms - now_ms;
		if (wait_ms <= 0) {
			measure(from, max, INFINITY, &units);
			wait_ms = rate_wait_ms(&w->rate, units, now_ms);
		}
		if (wait_ms > 0) {
			wake_in(w, wait_ms);
			return;
		}
		size_t n = measure(from, max, rate_balance(&w->rate, now_ms), &units);
		rate_take(&w->rate, units, now_ms);
		slot->units = units;
		submit(w, slot, alone, n);
	}
}

static void on_wake(uv_timer_t *t)
{
	struct writer *w = t->data;
	if (deliver_refused(w))
		pump(w);
}

/* --- answers --- */

/* A table tells by throttling what it takes: as many in flight as it likes, found as TCP finds its window. */
static void learn_window(struct writer *w, const struct writer_slot *slot, bool throttled)
{
	if (!throttled) {
		w->window += w->was_throttled ? 1 / w->window : 1;
		w->window = fmin(w->window, WRITER_SLOTS);
	} else if (slot->serial > w->cut) {
		/* Those that were in flight already tell nothing new. */
		w->window = fmax(w->window / 2, 1);
		w->was_throttled = true;
		w->cut = w->serial;
	}
}

static void learn_units(struct writer *w, const struct writer_slot *slot, int rc)
{
	double units = slot->result.consumed_units;
	if (rc < 0) {
		/* What may have been done may have cost. */
		units = slot->op.err.maybe_done ? slot->units : 0;
	} else if (!(units > 0)) {
		units = 0;
		for (size_t i = 0; i < slot->njobs; i++)
			units += slot->result.left[i] ? 0 : units_of(slot->jobs[i]);
	}
	rate_take(&w->rate, units - slot->units, clock_mono_ms());
	if (rc == 0)
		w->figures.units += units;
}

/* What is in the slot went wrong in a way that may pass. `partly`: some of the batch went through. */
static bool again(struct writer_slot *slot, const struct err *e, bool partly)
{
	struct writer *w = slot->writer;
	int64_t now_ms = clock_mono_ms();
	unsigned attempts = 1;
	if (w->rc < 0)
		return give_up(slot, w->rc, &w->err);
	if (!partly && w->stuck_ms == CLOCK_UNKNOWN)
		w->stuck_ms = now_ms;
	if (!partly && now_ms - w->stuck_ms >= w->patience_ms) {
		struct err last = *e;
		err_prefix(&last, "nothing was written for %lld s", (long long)(now_ms - w->stuck_ms) / 1000);
		return give_up(slot, -(int)e->class, &last);
	}
	for (size_t i = 0; i < slot->njobs; i++) {
		struct writer_job *j = slot->jobs[i];
		j->attempts = partly ? 1 : j->attempts + 1;
		attempts = j->attempts > attempts ? j->attempts : attempts;
	}
	slot->waiting = true;
	uv_timer_start(&slot->timer, on_again, (uint64_t)backoff_delay_ms(e, attempts), 0);
	return true;
}

static void on_again(uv_timer_t *t)
{
	struct writer_slot *slot = t->data;
	struct writer *w = slot->writer;
	struct writer_jobs jobs = STAILQ_HEAD_INITIALIZER(jobs);
	struct writer_jobs *to = slot->alone ? &w->alone : &w->ready;
	for (size_t i = 0; !slot->alone && i < slot->njobs; i++) {
		w->nready++;
		w->ready_bytes += text_bytes(slot->jobs[i]);
	}
	unload(slot, &jobs);
	STAILQ_CONCAT(&jobs, to);
	STAILQ_CONCAT(to, &jobs);
	w->linger_ms = clock_mono_ms();
	pump(w);
}

/* The whole of it is wrong. Which write it is must be found out, unless there is only one. */
static bool refuse(struct writer_slot *slot, int rc, const struct err *e)
{
	struct writer *w = slot->writer;
	struct writer_jobs jobs = STAILQ_HEAD_INITIALIZER(jobs);
	/* The table looked at it. */
	w->stuck_ms = CLOCK_UNKNOWN;
	if (slot->njobs > 1 && w->rc < 0)
		return give_up(slot, w->rc, &w->err);
	if (slot->njobs > 1) {
		unload(slot, &w->alone);
		return true;
	}
	w->figures.refused++;
	unload(slot, &jobs);
	return deliver(w, &jobs, rc, e);
}

/* Leaves in the slot what came back. */
static bool take_written(struct writer_slot *slot, const struct err *e)
{
	struct writer *w = slot->writer;
	struct writer_jobs written = STAILQ_HEAD_INITIALIZER(written);
	size_t left = 0, n = slot->njobs;
	for (size_t i = 0; i < n; i++) {
		if (slot->result.left[i])
			slot->jobs[left++] = slot->jobs[i];
		else
			STAILQ_INSERT_TAIL(&written, slot->jobs[i], link);
	}
	slot->njobs = left;
	if (left == 0)
		w->nactive--;
	/* More may be told to be left than is; what was paid for went through. */
	bool partly = left < n || slot->result.consumed_units > 0;
	if (partly)
		w->stuck_ms = CLOCK_UNKNOWN;
	/* A slot without jobs may be busy again after this. */
	return deliver(w, &written, 0, NULL) && (left == 0 || again(slot, e, partly));
}

static void on_answer(struct aws_op *op, int rc, void *arg)
{
	struct writer_slot *slot = arg;
	struct writer *w = slot->writer;
	struct err e = op->err;
	size_t left = rc == 0 ? slot->result.nleft : 0;
	bool alive;
	learn_units(w, slot, rc);
	w->figures.left += left;
	w->figures.throttles += rc == -ERR_THROTTLE;
	if (rc == 0 || rc == -ERR_THROTTLE)
		learn_window(w, slot, rc < 0 || left > 0);
	switch (-rc) {
	case 0:
		if (left > 0)
			err_set(&e, ERR_THROTTLE, "BatchWriteItem %s: %zu of %zu writes came back unprocessed",
				w->table, left, slot->njobs);
		alive = take_written(slot, &e);
		break;
	case ERR_RETRY:
	case ERR_THROTTLE:
	case ERR_CORRUPT: /* of the answer, on its way */
		alive = again(slot, &e, false);
		break;
	case ERR_INVALID:
	case ERR_LIMIT:
		alive = refuse(slot, rc, &e);
		break;
	default:
		alive = give_up(slot, rc, &e);
	}
	if (alive)
		pump(w);
}

/* --- the whole --- */

static void release(struct writer *w)
{
	if (--w->open > 0)
		return;
	free(w->table);
	free(w);
}

static void on_timer_closed(uv_handle_t *h)
{
	release(h->data);
}

static void on_slot_timer_closed(uv_handle_t *h)
{
	release(((struct writer_slot *)h->data)->writer);
}

static void on_op_closed(struct aws_op *op)
{
	release(((struct writer_slot *)op)->writer);
}

void writer_free(struct writer *w)
{
	if (w == NULL || w->closing)
		return;
	w->closing = true;
	for (size_t i = 0; i < w->nslots; i++) {
		aws_op_fini(&w->slots[i].op, on_op_closed);
		uv_close((uv_handle_t *)&w->slots[i].timer, on_slot_timer_closed);
	}
	uv_close((uv_handle_t *)&w->wake, on_timer_closed);
}

struct writer *writer_new(struct aws *a, const char *table, double units_per_s, struct err *e)
{
	struct writer *w = calloc(1, sizeof(*w));
	if (w != NULL)
		w->table = strdup(table);
	if (w == NULL || w->table == NULL) {
		free(w);
		err_set(e, ERR_SYSTEM, "out of memory");
		return NULL;
	}
	w->window = FIRST_SLOTS;
	w->patience_ms = WRITER_PATIENCE_MS;
	w->stuck_ms = CLOCK_UNKNOWN;
	STAILQ_INIT(&w->alone);
	STAILQ_INIT(&w->ready);
	STAILQ_INIT(&w->refused);
	rate_init(&w->rate, units_per_s, clock_mono_ms());
	uv_timer_init(a->loop, &w->wake);
	w->wake.data = w;
	w->open = 1;
	for (size_t i = 0; i < WRITER_SLOTS; i++) {
		struct writer_slot *slot = &w->slots[i];
		if (aws_op_init(&slot->op, a, ANSWER_MAX, e) < 0) {
			writer_free(w);
			return NULL;
		}
		slot->writer = w;
		uv_timer_init(a->loop, &slot->timer);
		slot->timer.data = slot;
		w->nslots++;
		w->open += 2;
	}
	return w;
}

void writer_add(struct writer *w, struct writer_job *j)
{
	j->attempts = 0;
	w->pending++;
	if (w->rc < 0 || weigh(j, NULL) < 0) {
		STAILQ_INSERT_TAIL(&w->refused, j, link);
		wake_in(w, 1);
		return;
	}
	if (w->nready == 0)
		w->linger_ms = clock_mono_ms() + LINGER_MS;
	STAILQ_INSERT_TAIL(&w->ready, j, link);
	w->nready++;
	w->ready_bytes += text_bytes(j);
	if (is_full(w))
		pump(w);
	else
		wake_in(w, LINGER_MS);
}

void writer_set_patience(struct writer *w, int64_t patience_ms)
{
	w->patience_ms = patience_ms;
}

size_t writer_pending(const struct writer *w)
{
	return w->pending;
}

const struct writer_figures *writer_figures(const struct writer *w)
{
	return &w->figures;
}
