/* history: every version of one item, with who made it and when, and what it changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/units.h"
#include "change_print.h"
#include "cli.h"
#include "codec/canon.h"
#include "fetch.h"
#include "history_row.h"
#include "key.h"
#include "listing.h"
#include "session.h"

const char history_help[] =
	"Usage: ddb-streamctl [-c FILE | --bucket NAME] history --table T (--key JSON | --key-value HASH [RANGE])\n"
	"           [--tenant VALUE] [--diff] [--limit N] [--first | --last] [-o text|json]\n"
	"Lists every version and removal of one item.\n"
	"\n"
	"      --table T              the table\n"
	"      --key JSON             the item's key, such as {\"id\":{\"S\":\"x\"}}\n"
	"      --key-value HASH [RANGE]  the same by its values alone\n"
	"      --tenant VALUE         the item's folder, with a tenant attribute\n"
	"      --diff                 under each, the attributes that changed: + added, - removed, ~ changed\n"
	"      --limit N              the newest N only\n"
	"      --first, --last        the newest comes first (the default), or last\n"
	"  -o, --output FORMAT        text (the default) or json, one object a line\n";

/* An item has 400 KB, of which every byte may take six as JSON. */
#define BODY_MAX ((size_t)4 << 20)
/* Of what is asked about, or waits for what stands before it. Bodies may be large. */
#define WINDOW (2 * SESSION_SLOTS)
#define WINDOW_BODIES 16

/* An entry on its way to being printed. */
struct step {
	struct fetch_job job;
	struct history *history;
	struct history_image image;
	bool answered;
	STAILQ_ENTRY(step) link;
};

struct history {
	struct session *session;
	struct listing listing;
	struct fetch fetch;
	struct canon *canon;
	struct item *item; /* NULL: there is none */
	char *keys[ITEM_SIDES];
	struct history_rows rows;
	bool last_first; /* the oldest comes first */
	uint64_t limit;
	size_t to;			  /* how many are printed, counted from the newest */
	size_t begun;			  /* how many steps there were */
	STAILQ_HEAD(steps, step) waiting; /* in the order of printing */
	size_t nwaiting;
	struct step *before; /* oldest first: the one that was printed last */
	bool listed, done;
	int rc;
	struct err err;
};

static void go_on(struct history *h);

static void stop(struct history *h, int rc, const struct err *e)
{
	if (h->rc == 0) {
		h->rc = rc;
		h->err = *e;
	}
	h->done = true;
}

static void stop_no_memory(struct history *h)
{
	struct err e;
	int rc = err_set(&e, ERR_SYSTEM, "out of memory");
	stop(h, rc, &e);
}

/* --- asking --- */

static void step_free(struct step *s)
{
	if (s != NULL)
		buf_fini(&s->image.body);
	free(s);
}

static void problem(struct step *s, const char *text)
{
	snprintf(s->image.problem, sizeof(s->image.problem), "%s", text);
}

static void take_body(struct step *s, struct span bytes)
{
	struct span body;
	struct err e;
	if (bytes.len == 0)
		problem(s, "it is empty: it was written from a stream without images");
	else if (canon_item(s->history->canon, bytes, &body, &e) < 0)
		problem(s, "it is not an item in DynamoDB's JSON");
	else if (buf_append(&s->image.body, body.ptr, body.len) < 0)
		stop_no_memory(s->history);
}

static void take(struct step *s, struct span bytes)
{
	const struct s3_head *head = &s->job.head;
	struct item_entry *subject = item_subject(s->image.entry);
	int rc = head->exists ? item_set_facts(subject, head->event, head->seq, head->time, head->stream, head->by)
			      : item_set_gone(subject);
	if (rc < 0)
		stop_no_memory(s->history);
	else if (!head->exists)
		problem(s, "it is gone: it expired, or was removed for good");
	else if (s->job.body)
		take_body(s, bytes);
}

static void on_answer(struct fetch_job *j, int rc, const struct err *e, struct span bytes)
{
	struct step *s = j->arg;
	struct history *h = s->history;
	if (j->body && (rc == -ERR_DENIED || rc == -ERR_LIMIT || rc == -ERR_INVALID)) {
		/* A body that cannot be had (it may be archived) leaves who and when. */
		problem(s, e->message);
		j->body = false;
		j->attempts = 0;
		fetch_add(&h->fetch, j);
		return;
	}
	s->answered = true;
	if (rc < 0)
		stop(h, rc, e);
	else
		take(s, bytes);
	go_on(h);
}

static void ask(struct step *s)
{
	struct history *h = s->history;
	struct item_entry *subject = item_subject(s->image.entry);
	if (subject == NULL) {
		s->answered = true;
		return;
	}
	s->job = (struct fetch_job){
		.key = span_of(h->keys[subject->kind == ITEM_DELETES ? ITEM_REMOVED : ITEM_DATA]),
		.version_id = item_version_id(h->item, subject),
		.body = h->rows.diff && !subject->archived,
		.done = on_answer,
		.arg = s,
	};
	if (subject->archived)
		problem(s, "it is archived: restore it from its storage class first");
	fetch_add(&h->fetch, &s->job);
}

/* In the order of printing; what changed needs one more than is printed, the oldest. */
static struct item_entry *next_entry(struct history *h)
{
	size_t end = h->rows.diff && h->to < h->item->norder ? h->to + 1 : h->to;
	size_t n = h->begun;
	if (n == end)
		return NULL;
	h->begun++;
	return h->item->order[h->last_first ? end - 1 - n : n];
}

static void ask_more(struct history *h)
{
	struct item_entry *entry;
	while (!h->done && h->nwaiting < (h->rows.diff ? WINDOW_BODIES : WINDOW) && (entry = next_entry(h)) != NULL) {
		struct step *s = calloc(1, sizeof(*s));
		if (s == NULL) {
			stop_no_memory(h);
			return;
		}
		s->history = h;
		s->image.entry = entry;
		buf_init(&s->image.body, BODY_MAX);
		STAILQ_INSERT_TAIL(&h->waiting, s, link);
		h->nwaiting++;
		ask(s);
	}
}

/* --- printing, as far as it is known --- */

static bool is_printed(const struct history *h, const struct step *s)
{
	return h->to == h->item->norder || s->image.entry != h->item->order[h->to];
}

static void print(struct history *h, const struct step *s, const struct step *before)
{
	struct err e;
	int rc = history_row_print(&h->rows, &s->image, before != NULL ? &before->image : NULL, &e);
	if (rc == 0 && ferror(stdout))
		rc = err_set(&e, ERR_SYSTEM, "standard output cannot be written");
	if (rc < 0)
		stop(h, rc, &e);
}

/* True when the head of the queue could be dealt with. */
static bool print_next(struct history *h)
{
	struct step *s = STAILQ_FIRST(&h->waiting);
	if (s == NULL || !s->answered)
		return false;
	struct step *next = STAILQ_NEXT(s, link);
	if (!h->last_first && h->rows.diff && is_printed(h, s)) {
		bool more = next != NULL || s->image.entry != h->item->order[h->item->norder - 1];
		if (more && (next == NULL || !next->answered))
			return false;
	}
	STAILQ_REMOVE_HEAD(&h->waiting, link);
	h->nwaiting--;
	if (is_printed(h, s))
		print(h, s, h->last_first ? h->before : next);
	step_free(h->last_first ? h->before : s);
	h->before = h->last_first ? s : NULL;
	return true;
}

static void go_on(struct history *h)
{
	do
		ask_more(h);
	while (!h->done && print_next(h));
	if (STAILQ_EMPTY(&h->waiting))
		h->done = true;
}

static void begin(struct history *h)
{
	h->to = h->limit < h->item->norder ? (size_t)h->limit : h->item->norder;
	h->rows.item = h->item;
	history_row_head(&h->rows);
	go_on(h);
}

/* --- the verb --- */

static void on_listing(void *arg)
{
	struct history *h = arg;
	struct item *item;
	struct err e;
	while (!h->listed) {
		int rc = listing_next(&h->listing, &item, &e);
		if (rc == MERGE_WAIT)
			return;
		if (rc == MERGE_ITEM) {
			item_free(h->item);
			h->item = item;
			continue;
		}
		h->listed = true;
		if (rc < 0)
			stop(h, rc, &e);
		else if (h->item == NULL || h->item->norder == 0)
			h->done = true;
		else
			begin(h);
	}
}

static void on_stop(void *arg)
{
	struct history *h = arg;
	struct err e;
	int rc = err_set(&e, ERR_CANCELLED, "interrupted");
	stop(h, rc, &e);
}

static int init(struct history *h, const char *key, struct err *e)
{
	struct session *s = h->session;
	const struct listing_options only = {.prefix = key, .exact = true, .old_ms = INT64_MIN};
	STAILQ_INIT(&h->waiting);
	if (asprintf(&h->keys[ITEM_DATA], "%s%s", s->data_path, key) < 0)
		h->keys[ITEM_DATA] = NULL;
	if (asprintf(&h->keys[ITEM_REMOVED], "%s%s", s->deletes_path, key) < 0)
		h->keys[ITEM_REMOVED] = NULL;
	h->canon = canon_new(BODY_MAX);
	if (h->keys[ITEM_DATA] == NULL || h->keys[ITEM_REMOVED] == NULL || h->canon == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	for (size_t i = 0; i < ITEM_SIDES; i++)
		h->rows.keys[i] = h->keys[i];
	int rc = listing_init(&h->listing, s, &only, e);
	return rc == 0 ? fetch_init(&h->fetch, s, e) : rc;
}

static int read_all(struct history *h, struct err *e)
{
	struct session *s = h->session;
	s->on_stop = on_stop;
	s->on_stop_arg = h;
	listing_start(&h->listing, on_listing, h);
	while (!h->done)
		uv_run(&s->loop, UV_RUN_ONCE);
	s->on_stop = NULL;
	if (h->rc < 0)
		*e = h->err;
	return h->rc;
}

static void fini(struct history *h)
{
	struct step *s;
	h->done = true;
	fetch_fini(&h->fetch);
	listing_fini(&h->listing);
	uv_run(&h->session->loop, UV_RUN_NOWAIT);
	while ((s = STAILQ_FIRST(&h->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&h->waiting, link);
		step_free(s);
	}
	step_free(h->before);
	item_free(h->item);
	canon_free(h->canon);
	free(h->keys[ITEM_DATA]);
	free(h->keys[ITEM_REMOVED]);
}

static int run(struct session *s, const struct options *o, const char *key, uint64_t limit)
{
	struct history h = {
		.session = s,
		.limit = limit,
		.last_first = o->last,
		.rows = {.json = o->json, .diff = o->diff, .columns = change_columns()},
	};
	struct err e;
	int code = 0, rc = init(&h, key, &e);
	if (rc == 0)
		rc = read_all(&h, &e);
	if (rc < 0) {
		code = cli_fail(&e);
		if (ferror(stdout))
			code = EX_IOERR;
	} else if (h.item == NULL || h.item->norder == 0) {
		cli_say("bucket %s has nothing of this item", s->conf->bucket);
		code = EX_NOINPUT;
	} else {
		history_row_foot(&h.rows);
	}
	fini(&h);
	return code;
}

static int check_usage(const struct options *o, uint64_t *limit)
{
	if (o->table == NULL)
		return cli_usage("history: --table is missing");
	if (o->key == NULL && o->key_value == NULL)
		return cli_usage("history: --key or --key-value is missing");
	if (o->first && o->last)
		return cli_usage("history: --first and --last cannot be given together");
	if (o->limit != NULL && (!units_count(o->limit, limit) || *limit == 0))
		return cli_usage("--limit %s: how many versions, from 1 on", o->limit);
	return 0;
}

int history_run(const struct options *o)
{
	struct session s;
	struct buf key;
	uint64_t limit = UINT64_MAX;
	int code = check_usage(o, &limit);
	if (code != 0)
		return code;
	buf_init(&key, 1024);
	code = session_open(&s, o);
	if (code == 0)
		code = key_resolve(&s, o, &key);
	if (code == 0)
		code = run(&s, o, buf_str(&key), limit);
	session_close(&s);
	buf_fini(&key);
	return code;
}
