/*
 * What a new table gets when its items are in it: time to live, tags that it could not be made with, auto scaling. All that
 * is tried; what is refused is said with what to do.
 */
#include <stdlib.h>
#include <string.h>

#include "aws/scaling.h"
#include "aws/table.h"
#include "cli.h"
#include "scaling_spec.h"
#include "table_spec.h"
#include "target.h"

static int settle(struct target *t, unsigned attempt)
{
	return session_settle(t->options.session, &t->op, attempt);
}

/* --- time to live, stream --- */

/* Is it on by this attribute already, from a try whose answer was lost or a run before this one? */
static bool ttl_is_on(const json_t *ttl, const char *attribute)
{
	const char *status = json_string_value(json_object_get(ttl, "TimeToLiveStatus"));
	const char *is = json_string_value(json_object_get(ttl, "AttributeName"));
	return status != NULL && (strcmp(status, "ENABLED") == 0 || strcmp(status, "ENABLING") == 0) && is != NULL &&
	       strcmp(is, attribute) == 0;
}

/* 0 or the error; *on tells. */
static int describe_ttl(struct target *t, const char *attribute, unsigned *attempt, bool *on)
{
	json_t *ttl = NULL;
	table_describe_ttl(&t->op, t->options.table, &ttl, NULL, NULL);
	int rc = settle(t, (*attempt)++);
	*on = rc == 0 && ttl_is_on(ttl, attribute);
	json_decref(ttl);
	return rc;
}

static int turn_ttl_on(struct target *t, const char *attribute)
{
	unsigned attempt = 1;
	bool on;
	int rc;
	do {
		rc = describe_ttl(t, attribute, &attempt, &on);
		if (on)
			return 0;
		/* Who may not ask may still turn it on. */
		if (rc == 0 || rc == -ERR_DENIED) {
			table_set_ttl(&t->op, t->options.table, attribute, NULL, NULL);
			rc = settle(t, attempt++);
		}
	} while (rc > 0);
	return rc;
}

/* Whoever made that table may want it otherwise. */
static void tell_ttl(struct target *t)
{
	const char *attribute = t->options.schema->ttl_attribute;
	unsigned attempt = 1;
	bool on;
	if (attribute == NULL)
		return;
	while (describe_ttl(t, attribute, &attempt, &on) > 0)
		;
	if (!on)
		cli_say("table %s was there before, and its time to live is not on by %s, as that of the backup's "
			"table was; it stays as it is",
			t->options.table, attribute);
}

int target_enable_stream(struct target *t)
{
	unsigned attempt = 1;
	int rc;
	do {
		table_enable_stream(&t->op, t->options.table, NULL, NULL);
		rc = settle(t, attempt++);
	} while (rc > 0);
	if (rc == 0)
		return 0;
	cli_say("%s", t->op.err.message);
	cli_say("turn on the stream of table %s by hand: aws dynamodb update-table --table-name %s "
		"--stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES",
		t->options.table, t->options.table);
	return CLI_INCOMPLETE;
}

static int finish_ttl(struct target *t)
{
	const char *attribute = t->options.schema->ttl_attribute;
	if (attribute == NULL || turn_ttl_on(t, attribute) == 0)
		return 0;
	cli_say("%s", t->op.err.message);
	cli_say("turn on the time to live of table %s by hand: aws dynamodb update-time-to-live --table-name %s "
		"--time-to-live-specification Enabled=true,AttributeName=%s",
		t->options.table, t->options.table, attribute);
	return CLI_INCOMPLETE;
}

/* --- tags --- */

static int send_tags(struct target *t, const char *tags)
{
	unsigned attempt = 1;
	int rc;
	do {
		table_tag(&t->op, t->options.table, t->arn, tags, NULL, NULL);
		rc = settle(t, attempt++);
	} while (rc > 0);
	return rc;
}

static int finish_tags(struct target *t)
{
	json_t *tags = t->tagged || t->arn == NULL ? NULL : table_spec_tags(t->options.schema->tags);
	char *text = tags != NULL ? json_dumps(tags, JSON_COMPACT) : NULL;
	int rc = text != NULL ? send_tags(t, text) : 0;
	free(text);
	json_decref(tags);
	if (rc == 0)
		return 0;
	cli_say("%s", t->op.err.message);
	cli_say("give table %s its tags by hand (aws dynamodb tag-resource): they are in table.json of the backup",
		t->options.table);
	return CLI_INCOMPLETE;
}

/* --- auto scaling --- */

static int send_scaling(struct target *t, const struct scaling_request *r)
{
	unsigned attempt = 1;
	int rc;
	do {
		if (r->policy)
			scaling_put_policy(&t->op, r->resource, span_of(r->text), NULL, NULL);
		else
			scaling_register(&t->op, r->resource, span_of(r->text), NULL, NULL);
		rc = settle(t, attempt++);
	} while (rc > 0);
	return rc;
}

static int send_all(struct target *t, const struct scaling_spec *spec, struct err *e)
{
	for (size_t i = 0; i < spec->n; i++) {
		int rc = send_scaling(t, &spec->requests[i]);
		if (rc < 0) {
			*e = t->op.err;
			return rc;
		}
	}
	return 0;
}

static int finish_scaling(struct target *t)
{
	const struct schema *sc = t->options.schema;
	struct scaling_spec spec = {0};
	struct err e;
	if (json_array_size(sc->scalable_targets) == 0)
		return 0;
	if (!t->options.aws->has_scaling) {
		cli_say("table %s is left without the auto scaling that the old one had: there is none beside this "
			"endpoint",
			t->options.table);
		return 0;
	}
	int rc = scaling_spec_make(sc->scalable_targets, sc->scaling_policies, t->options.table, &spec, &e);
	if (rc < 0)
		err_prefix(&e, "table.json of the backup is damaged");
	else
		rc = send_all(t, &spec, &e);
	scaling_spec_fini(&spec);
	if (rc == 0)
		return 0;
	cli_say("%s", e.message);
	cli_say("set up the auto scaling of table %s by hand (aws application-autoscaling register-scalable-target, "
		"put-scaling-policy): what it was is in table.json of the backup",
		t->options.table);
	return CLI_INCOMPLETE;
}

int target_finish(struct target *t)
{
	if (!t->created) {
		tell_ttl(t);
		return 0;
	}
	int ttl = finish_ttl(t), tags = finish_tags(t), scaling = finish_scaling(t);
	return ttl != 0 ? ttl : tags != 0 ? tags : scaling;
}
