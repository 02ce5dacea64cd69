#include "heal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "codec/encode.h"
#include "person.h"
#include "progress.h"

#define REQUEST "baseline-request.json"
#define POLL_MS 1000
/* Until a request is taken: the daemon looks for it at each discovery, which is 10 minutes apart at most. */
#define TAKE_MS 900000

/* 0 or a negative error. *exists: is there a watermark.json? */
static int read_mark(struct heal *h, bool *exists, struct err *e)
{
	struct watermark w;
	int rc = watermark_load(h->session, h->session->meta_path, &w, exists, e);
	if (rc < 0 || !*exists)
		return rc;
	h->saved_ms = w.saved_ms;
	h->seen = w.baseline;
	watermark_fini(&w);
	return 0;
}

int heal_look(struct heal *h)
{
	struct err e;
	bool exists;
	char saved[CLOCK_ISO_SIZE];
	if (read_mark(h, &exists, &e) < 0)
		return cli_fail(&e);
	if (!exists) {
		cli_say("there is no %swatermark.json: no daemon has backed up table %s here; ddb-streamd makes the "
			"baseline: start it with this table",
			h->session->meta_path, h->table);
		return EX_NOINPUT;
	}
	if (!watermark_is_silent(h->saved_ms, h->session))
		return 0;
	cli_say("the daemon of table %s has written nothing since %s; it makes the baseline: start ddb-streamd",
		h->table, watermark_time(saved, h->saved_ms));
	return EX_UNAVAILABLE;
}

/* --- the request --- */

static int make_id(char id[HEAL_ID_SIZE])
{
	uint8_t bytes[16];
	ssize_t n;
	do
		n = getrandom(bytes, sizeof(bytes), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(bytes)) {
		cli_say("the kernel gives no random bytes");
		return EX_OSERR;
	}
	encode_hex(id, bytes, sizeof(bytes));
	id[2 * sizeof(bytes)] = '\0';
	return 0;
}

static int put_request(struct heal *h, double units_per_s, bool cancel)
{
	char at[CLOCK_ISO_SIZE], by[PERSON_SIZE];
	char *key = NULL, *text = NULL;
	struct err e;
	int code = 0;
	json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:f,s:b}", "version", 1, "id", h->id, "at",
			      clock_iso(at, session_now_ms(h->session)), "by", person_name(by), "rate", units_per_s,
			      "cancel", (int)cancel);
	if (o != NULL)
		text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL || asprintf(&key, "%s" REQUEST, h->session->meta_path) < 0) {
		key = NULL;
		cli_say("out of memory");
		code = EX_OSERR;
	} else if (session_put(h->session, key, span_of(text), &e) < 0) {
		code = cli_fail(&e);
		if (e.class == ERR_DENIED)
			cli_say("the daemon is asked by %s: allow s3:PutObject on it", key);
		else if (e.maybe_done || e.class == ERR_CANCELLED)
			cli_say("the daemon may have been asked all the same; ddb-streamctl tables shows it, and "
				"backfill "
				"--cancel ends it");
	}
	free(key);
	free(text);
	return code;
}

int heal_request(struct heal *h, double units_per_s)
{
	int code = make_id(h->id);
	if (code == 0)
		code = put_request(h, units_per_s, false);
	if (code != 0)
		h->id[0] = '\0';
	return code;
}

int heal_cancel(struct heal *h)
{
	if (!watermark_baseline_runs(&h->seen)) {
		cli_say("no baseline of table %s is under way; there is nothing to cancel", h->table);
		return CLI_INCOMPLETE;
	}
	if (strcmp(h->seen.reason, "request") != 0 || h->seen.request[0] == '\0') {
		cli_say("the baseline of table %s that is under way was begun by the daemon itself (%s), since the "
			"backup "
			"needs it; baseline = off in the daemon's configuration keeps it from that",
			h->table, h->seen.reason);
		return CLI_INCOMPLETE;
	}
	snprintf(h->id, sizeof(h->id), "%s", h->seen.request);
	return put_request(h, 0, true);
}

/* --- to its end --- */

static bool is_ours(const struct heal *h)
{
	return strcmp(h->seen.request, h->id) == 0;
}

/* -1: it has not ended. */
static int judge_end(const struct heal *h, bool taken)
{
	if (is_ours(h) && strcmp(h->seen.state, "done") == 0)
		return 0;
	if (is_ours(h) && strcmp(h->seen.state, "cancelled") == 0) {
		cli_say("the baseline of table %s was cancelled", h->table);
		return CLI_INCOMPLETE;
	}
	if (!taken || is_ours(h))
		return -1;
	cli_say("another baseline of table %s was asked for meanwhile: follow that one by ddb-streamctl tables",
		h->table);
	return CLI_INCOMPLETE;
}

static void tell(const struct heal *h, bool taken, struct progress *p)
{
	char text[WATERMARK_PROGRESS_SIZE];
	if (taken)
		snprintf(p->line, sizeof(p->line), "table %s: baseline %s: %s", h->table, h->seen.state,
			 watermark_baseline_text(text, &h->seen));
	else
		snprintf(p->line, sizeof(p->line), "table %s: the daemon has not taken the request yet%s", h->table,
			 watermark_baseline_runs(&h->seen) ? ": another baseline is under way" : "");
}

/* What speaks against waiting on; 0: nothing. */
static int lose_patience(const struct heal *h, bool taken, int64_t since_mono_ms)
{
	char saved[CLOCK_ISO_SIZE];
	if (watermark_is_silent(h->saved_ms, h->session)) {
		cli_say("the daemon of table %s has written nothing since %s; the baseline goes on when it is there "
			"again",
			h->table, watermark_time(saved, h->saved_ms));
		return EX_UNAVAILABLE;
	}
	if (taken || watermark_baseline_runs(&h->seen) || clock_mono_ms() - since_mono_ms < TAKE_MS)
		return 0;
	cli_say("the daemon of table %s runs, but has not taken the request in %d minutes: its log and /status tell "
		"why; "
		"an older ddb-streamd knows no baselines",
		h->table, TAKE_MS / 60000);
	return EX_UNAVAILABLE;
}

static int follow(struct heal *h, struct progress *p)
{
	int64_t since_mono_ms = clock_mono_ms();
	bool taken = false;
	struct err e;
	for (;;) {
		bool exists;
		/* One that vanishes for a moment is the daemon's to write again: the patience counts from what it said last. */
		int rc = read_mark(h, &exists, &e);
		if (h->session->stop)
			return EX_TEMPFAIL;
		if (rc < 0 && e.class != ERR_CORRUPT)
			return cli_fail(&e);
		taken = taken || is_ours(h);
		if (taken || watermark_baseline_runs(&h->seen))
			since_mono_ms = clock_mono_ms();
		int code = judge_end(h, taken);
		if (code < 0)
			code = lose_patience(h, taken, since_mono_ms);
		else
			return code;
		if (code != 0)
			return code;
		tell(h, taken, p);
		session_pause(h->session, POLL_MS);
	}
}

int heal_follow(struct heal *h)
{
	struct progress p;
	progress_start(&p, &h->session->loop);
	int code = follow(h, &p);
	progress_end(&p, NULL);
	uv_run(&h->session->loop, UV_RUN_NOWAIT);
	if (code == EX_TEMPFAIL)
		cli_say("the baseline of table %s goes on in the daemon; ddb-streamctl tables shows how far it is, "
			"backfill "
			"--cancel ends it",
			h->table);
	return code;
}
