/*
 * The throwaway table. It has the key, indexes, billing and encryption of the old one, but no stream, no deletion protection
 * and no time to live, and one tag: that and its name must be right before it is deleted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/table.h"
#include "base/clock.h"
#include "cli.h"
#include "drill.h"

#define DAY_MS INT64_C(86400000)

static int no_memory(void)
{
	cli_say("out of memory");
	return EX_OSERR;
}

static int throwaway_schema(struct drill *d)
{
	static const char *const left_out[] = {"StreamSpecification", "LatestStreamArn", "LatestStreamLabel",
					       "DeletionProtectionEnabled", "Replicas"};
	struct err e;
	char *text = d->schema.table != NULL ? json_dumps(d->schema.table, JSON_COMPACT) : NULL;
	json_t *table = text != NULL ? json_loads(text, 0, NULL) : NULL;
	free(text);
	for (size_t i = 0; table != NULL && i < sizeof(left_out) / sizeof(left_out[0]); i++)
		json_object_del(table, left_out[i]);
	json_t *root = json_pack("{s:o,s:[{s:s,s:s}]}", "Table", table, "Tags", "Key", DRILL_TAG, "Value", d->id);
	text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (text == NULL)
		return no_memory();
	int rc = schema_parse(span_of(text), &d->throwaway, &e);
	free(text);
	return rc < 0 ? cli_fail(&e) : 0;
}

int drill_table_make(struct drill *d)
{
	int code = throwaway_schema(d);
	if (code != 0)
		return code;
	const struct target_options to = {
		.session = d->session,
		.aws = &d->session->aws,
		.table = d->name,
		.schema = &d->throwaway,
	};
	d->made = d->opened = true;
	code = target_prepare(&d->target, &to);
	if (code != 0 || (d->target.created && d->target.tagged))
		return code;
	if (!d->target.created)
		cli_say("table %s is there already, and is not of this drill: name another one by --into", d->name);
	else
		cli_say("table %s could not be given the tag " DRILL_TAG
			", without which a drill deletes nothing: allow "
			"dynamodb:TagResource, or drill with --to-file; delete the table by hand",
			d->name);
	d->made = false;
	return EX_CANTCREAT;
}

/* --- tags --- */

static int settle(struct drill *d, unsigned attempt)
{
	return session_settle(d->session, &d->session->op, attempt);
}

static int describe(struct drill *d, const char *table, struct table_description *out)
{
	unsigned attempt = 1;
	int rc;
	do {
		table_describe(&d->session->op, table, out, NULL, NULL);
		rc = settle(d, attempt++);
	} while (rc > 0);
	return rc;
}

/* The value of the tag in a page, into `value`. */
static void find_tag(const json_t *tags, char *value, size_t size)
{
	size_t i;
	const json_t *tag;
	json_array_foreach(tags, i, tag)
	{
		const char *key = json_string_value(json_object_get(tag, "Key"));
		const char *text = json_string_value(json_object_get(tag, "Value"));
		if (key != NULL && text != NULL && strcmp(key, DRILL_TAG) == 0)
			snprintf(value, size, "%s", text);
	}
}

/* "" without one. 0 or a negative error, told by session->op.err. */
static int read_tag(struct drill *d, const char *table, const char *arn, char *value, size_t size)
{
	struct json_page page = {0};
	char *token = NULL;
	unsigned attempt = 1;
	int rc = 0;
	value[0] = '\0';
	do {
		table_list_tags(&d->session->op, table, arn, token, &page, NULL, NULL);
		rc = settle(d, attempt++);
		if (rc != 0)
			continue;
		attempt = 1;
		find_tag(page.list, value, size);
		free(token);
		token = page.next_token;
		page.next_token = NULL;
		json_page_fini(&page);
	} while (rc > 0 || (rc == 0 && token != NULL));
	free(token);
	return rc;
}

static int delete_table(struct drill *d, const char *table)
{
	unsigned attempt = 1;
	int rc;
	do {
		table_delete(&d->session->op, table, NULL, NULL);
		rc = settle(d, attempt++);
		/* It may still be on its way to being ACTIVE. */
		if (rc == -ERR_CONFLICT && attempt < SESSION_TRIES && !d->session->stop) {
			session_pause(d->session, 500 * (int)attempt);
			rc = 1;
		}
	} while (rc > 0);
	return rc == -ERR_NOT_FOUND ? 0 : rc;
}

static int drop(struct drill *d)
{
	struct table_description about = {0};
	char value[64] = "";
	int rc = describe(d, d->name, &about);
	if (rc == -ERR_NOT_FOUND)
		return 0;
	if (rc == 0)
		rc = read_tag(d, d->name, about.arn, value, sizeof(value));
	table_description_fini(&about);
	if (rc == 0 && strcmp(value, d->id) != 0) {
		cli_say("table %s has not the tag that this drill gave it, and is left alone: somebody else has made "
			"it anew",
			d->name);
		return EX_CANTCREAT;
	}
	if (rc == 0)
		rc = delete_table(d, d->name);
	if (rc == 0)
		return 0;
	int code = cli_fail(&d->session->op.err);
	cli_say("the throwaway table %s is left: delete it, or a later drill with --clean-up does", d->name);
	return code;
}

int drill_table_drop(struct drill *d)
{
	struct session *s = d->session;
	bool stopped = s->stop;
	if (d->opened)
		target_close(&d->target);
	d->opened = false;
	if (!d->made)
		return 0;
	/* What a signal has ended must not be left lying about; a second one ends this, too. */
	s->stop = false;
	if (stopped)
		cli_say("removing table %s", d->name);
	int code = drop(d);
	s->stop = s->stop || stopped;
	d->made = false;
	return code;
}

/* --- of earlier drills --- */

/* When it was made, by its name: "20261129T130000Z" behind the prefix. */
static bool read_time(const char *name, size_t skip, int64_t *ms)
{
	const char *t = name + skip;
	char iso[CLOCK_ISO_SIZE];
	if (strlen(t) != 16 || t[8] != 'T' || t[15] != 'Z')
		return false;
	snprintf(iso, sizeof(iso), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", t, t + 4, t + 6, t + 9, t + 11, t + 13);
	return clock_parse_iso(iso, ms);
}

static int see_to(struct drill *d, const char *name)
{
	struct table_description about = {0};
	char value[64] = "";
	int rc = describe(d, name, &about);
	if (rc == 0)
		rc = read_tag(d, name, about.arn, value, sizeof(value));
	table_description_fini(&about);
	if (rc == -ERR_NOT_FOUND || (rc == 0 && value[0] == '\0'))
		return 0;
	if (rc == 0 && !d->options->clean_up) {
		cli_say("an earlier drill has left table %s behind: delete it, or give --clean-up", name);
		return 0;
	}
	if (rc == 0)
		rc = delete_table(d, name);
	if (rc == 0)
		cli_say("removed table %s of an earlier drill", name);
	return rc < 0 ? cli_fail(&d->session->op.err) : 0;
}

/* The names in a page that are those of old drills. *more: there may be further ones behind it. */
static int look_through(struct drill *d, const json_t *names, const char *prefix, bool *more)
{
	size_t i;
	const json_t *one;
	int code = 0;
	json_array_foreach(names, i, one)
	{
		const char *name = json_string_value(one);
		int64_t ms;
		*more = *more && name != NULL && strncmp(name, prefix, strlen(prefix)) == 0;
		if (code == 0 && *more && read_time(name, strlen(prefix), &ms) &&
		    ms < session_now_ms(d->session) - DAY_MS)
			code = see_to(d, name);
	}
	return code;
}

int drill_table_leftovers(struct drill *d)
{
	char prefix[300], *after;
	bool more = true;
	unsigned attempt = 1;
	int rc, code = 0;
	snprintf(prefix, sizeof(prefix), "%s-drill-", d->options->table);
	after = strdup(prefix);
	do {
		struct json_page page = {0};
		table_list(&d->session->op, after, &page, NULL, NULL);
		rc = settle(d, attempt++);
		if (rc != 0)
			continue;
		attempt = 1;
		free(after);
		after = page.next_token;
		page.next_token = NULL;
		code = look_through(d, page.list, prefix, &more);
		json_page_fini(&page);
		more = more && after != NULL;
	} while (rc > 0 || (rc == 0 && code == 0 && more));
	free(after);
	/* Who may not list may still drill. */
	if (rc == -ERR_DENIED && !d->options->clean_up)
		return 0;
	return rc < 0 ? cli_fail(&d->session->op.err) : code;
}
