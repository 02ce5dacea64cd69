/*
 * An operator asks for a baseline by an object in the bucket, <meta path>baseline-request.json, which ddb-streamctl writes:
 * {"version": 1, "id": ID, "rate": UNITS, "cancel": false}. A run is begun once for an id; so the object may stay where it is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"
#include "table.h"

static void take(struct table *t, const json_t *j)
{
	const char *id = json_string_value(json_object_get(j, "id"));
	double rate = json_number_value(json_object_get(j, "rate"));
	if (json_integer_value(json_object_get(j, "version")) != 1 || id == NULL || *id == '\0' || rate < 0) {
		if (!t->request_damaged)
			log_warn("baseline-request.json in the bucket cannot be read, so no baseline is begun; write "
				 "it anew with "
				 "ddb-streamctl backfill, or delete it",
				 LOG_S("table", t->conf->name), LOG_S("object", t->key));
		t->request_damaged = true;
		return;
	}
	t->request_damaged = false;
	baseline_ask(t->baseline, id, rate, json_is_true(json_object_get(j, "cancel")));
}

static void on_request(struct aws_op *op, int rc, void *arg)
{
	struct table *t = arg;
	struct buf *body = http_body(op->slot);
	if (rc < 0 && rc != -ERR_CANCELLED && !t->request_unseen)
		log_warn("it cannot be seen whether a baseline was asked for; trying again",
			 LOG_S("table", t->conf->name), LOG_S("object", t->key), LOG_E(&op->err));
	t->request_unseen = rc < 0;
	if (rc == 0 && t->head.exists) {
		json_t *j = json_loadb(buf_str(body), body->len, 0, NULL);
		take(t, j);
		json_decref(j);
	}
	t->after_request(t, rc);
}

void table_request_look(struct table *t, void (*next)(struct table *t, int rc))
{
	int64_t now_ms = clock_mono_ms();
	bool due = t->request_mono_ms == 0 || now_ms - t->request_mono_ms >= t->daemon->conf->discovery_interval_ms;
	t->after_request = next;
	if (!due || !t->discovery.ordered) {
		next(t, 0);
		return;
	}
	t->request_mono_ms = now_ms;
	free(t->key);
	t->key = table_meta_key(t, "baseline-request.json");
	if (t->key == NULL)
		next(t, -ERR_SYSTEM);
	else
		s3_get(&t->op, span_of(t->key), (struct span){0}, &t->head, on_request, t);
}
