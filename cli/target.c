#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/items.h"
#include "aws/table.h"
#include "base/clock.h"
#include "cli.h"
#include "table_spec.h"

#define POLL_MIN_MS 100
#define POLL_MAX_MS 2000
#define PATIENCE_MS 1800000
#define SAY_EVERY_MS 60000

static int settle(struct target *t, unsigned attempt)
{
	return session_settle(t->options.session, &t->op, attempt);
}

static int describe(struct target *t, struct table_description *d)
{
	unsigned attempt = 1;
	int rc;
	do {
		table_describe(&t->op, t->options.table, d, NULL, NULL);
		rc = settle(t, attempt++);
	} while (rc > 0);
	return rc;
}

/* The first index that is not ACTIVE yet; NULL: none. */
static const char *index_that_is_not_ready(const struct table_description *d)
{
	size_t i;
	const json_t *index;
	json_array_foreach(json_object_get(d->json, "GlobalSecondaryIndexes"), i, index)
	{
		const char *status = json_string_value(json_object_get(index, "IndexStatus"));
		const char *name = json_string_value(json_object_get(index, "IndexName"));
		if (status != NULL && strcmp(status, "ACTIVE") != 0)
			return name != NULL ? name : "?";
	}
	return NULL;
}

/* As long as nobody else tells. */
static int describe_as_new(struct table_description *d)
{
	*d = (struct table_description){.status = strdup("CREATING")};
	if (d->status != NULL)
		return 0;
	cli_say("out of memory");
	return EX_OSERR;
}

/* One line a minute, or on a terminal one that is drawn again. */
static void tell_waiting(const struct target *t, const char *what, int64_t since_ms, int64_t *said_ms)
{
	bool terminal = isatty(STDERR_FILENO) == 1;
	int64_t now_ms = clock_mono_ms(), waited_s = (now_ms - since_ms) / 1000;
	if (!terminal && *said_ms != 0 && now_ms - *said_ms < SAY_EVERY_MS)
		return;
	*said_ms = now_ms;
	fprintf(stderr, "%stable %s is being made, %s: %lld s%s",
		terminal ? "\r\033[K" : "ddb-streamctl: ", t->options.table, what, (long long)waited_s,
		terminal ? "" : "\n");
}

static void end_waiting(int64_t said_ms)
{
	if (said_ms != 0 && isatty(STDERR_FILENO) == 1)
		fputs("\r\033[K", stderr);
}

/* Why it cannot be written to yet; false: it can. */
static bool is_being_made(const struct target *t, const struct table_description *d, char *why, size_t size)
{
	/*
	 * What is "UPDATING" takes writes. But a table that this restore made is waited for with all its indexes: only then
	 * it is certain that DynamoDB could make it.
	 */
	const char *index = t->created ? index_that_is_not_ready(d) : NULL;
	bool making = strcmp(d->status, "CREATING") == 0 || (t->created && strcmp(d->status, "UPDATING") == 0);
	if (making)
		snprintf(why, size, "%s", d->status);
	else if (index != NULL)
		snprintf(why, size, "making index %s", index);
	return making || index != NULL;
}

static int describe_again(struct target *t, struct table_description *d)
{
	table_description_fini(d);
	int rc = describe(t, d);
	/* It is read from any replica of DynamoDB's catalogue: a new table may not be known to each of them yet. */
	if (rc == -ERR_NOT_FOUND && t->created && !t->options.session->stop)
		return describe_as_new(d);
	return rc < 0 ? cli_fail(&t->op.err) : 0;
}

static int wait_until_ready(struct target *t, struct table_description *d)
{
	int64_t since_ms = clock_mono_ms(), said_ms = 0;
	int poll_ms = POLL_MIN_MS;
	char why[300];
	int code = 0;
	while (code == 0 && is_being_made(t, d, why, sizeof(why))) {
		if (clock_mono_ms() - since_ms > PATIENCE_MS) {
			end_waiting(said_ms);
			cli_say("table %s is still %s after %d minutes; look at it in DynamoDB, and go on with "
				"--resume when it is ACTIVE",
				t->options.table, why, PATIENCE_MS / 60000);
			return EX_UNAVAILABLE;
		}
		tell_waiting(t, why, since_ms, &said_ms);
		session_pause(t->options.session, poll_ms);
		poll_ms = 2 * poll_ms < POLL_MAX_MS ? 2 * poll_ms : POLL_MAX_MS;
		code = describe_again(t, d);
	}
	end_waiting(said_ms);
	return code;
}

static int send_create(struct target *t, const struct table_spec *spec)
{
	unsigned attempt = 1;
	bool maybe_made = false;
	int rc;
	do {
		table_create(&t->op, t->options.table, spec->request, NULL, NULL);
		rc = settle(t, attempt++);
		maybe_made = maybe_made || (rc > 0 && t->op.err.maybe_done);
	} while (rc > 0);
	/* The answer to our own request was lost: it was not there a moment ago. */
	return rc == -ERR_CONFLICT && maybe_made ? 0 : rc;
}

/*
 * With its tags, which an account's rules may ask for. Who may not set any, and servers that know none, make it without:
 * target_finish sees to them.
 */
static int create_tagged(struct target *t, struct table_spec *spec, struct err *e)
{
	const char *table = t->options.table;
	json_t *tags = table_spec_tags(t->options.schema->tags);
	if (tags == NULL)
		return send_create(t, spec);
	int rc = table_spec_tag(spec, tags, e);
	json_decref(tags);
	if (rc < 0)
		return rc;
	rc = send_create(t, spec);
	t->tagged = rc == 0;
	if (rc != -ERR_DENIED && rc != -ERR_INVALID)
		return rc;
	table_spec_fini(spec);
	rc = table_spec_create(t->options.schema->table, table, t->options.aws->region, spec, e);
	return rc < 0 ? rc : send_create(t, spec);
}

static int make_spec(const struct target *t, struct table_spec *spec)
{
	const struct target_options *o = &t->options;
	struct err e;
	if (table_spec_create(o->schema->table, o->table, o->aws->region, spec, &e) == 0)
		return 0;
	cli_say("table.json of the backup is damaged: %s; make table %s by hand, and restore into it", e.message,
		o->table);
	return EX_DATAERR;
}

static void tell_notes(const struct target *t, const struct table_spec *spec)
{
	for (size_t i = 0; i < spec->nnotes; i++)
		cli_say("table %s is made %s", t->options.table, spec->notes[i]);
}

/* 0, 1 when the table has appeared meanwhile, or the exit code. */
static int create(struct target *t)
{
	const char *table = t->options.table;
	struct table_spec spec = {0};
	struct err e = {0};
	int code = make_spec(t, &spec);
	if (code != 0)
		return code;
	int rc = create_tagged(t, &spec, &e);
	if (rc < 0 && e.class != ERR_NONE)
		t->op.err = e;
	if (rc == 0)
		tell_notes(t, &spec);
	table_spec_fini(&spec);
	if (rc == -ERR_CONFLICT)
		return 1;
	t->created = rc == 0;
	if (rc == -ERR_INVALID) {
		cli_say("%s; make table %s by hand, and restore into it", t->op.err.message, table);
		return EX_CANTCREAT;
	}
	return rc < 0 ? cli_fail(&t->op.err) : 0;
}

static int must_be_made(const struct target *t)
{
	const struct target_options *o = &t->options;
	if (o->must_exist) {
		cli_say("there is no table %s in region %s for these credentials", o->table, o->aws->region);
		return EX_NOINPUT;
	}
	if (o->schema->table == NULL) {
		cli_say("table %s does not exist in region %s, and the backup has no table.json that tells how to "
			"make it; make it by hand, and restore into it",
			o->table, o->aws->region);
		return EX_NOINPUT;
	}
	return 0;
}

/* Fills `d`, with the table as it was found or has been made. */
static int find_or_create(struct target *t, struct table_description *d)
{
	for (int tries = 0; tries < 2; tries++) {
		int rc = describe(t, d);
		if (rc == 0)
			return 0;
		int code = rc == -ERR_NOT_FOUND ? must_be_made(t) : cli_fail(&t->op.err);
		if (code == 0)
			code = create(t);
		if (code == 0)
			return describe_as_new(d);
		if (code != 1)
			return code;
	}
	cli_say("table %s appears and disappears: somebody else is working on it", t->options.table);
	return EX_UNAVAILABLE;
}

static int check_key(struct target *t, const struct table_description *d)
{
	struct err e;
	if (schema_from_description(d, &t->schema, &e) < 0)
		return cli_fail(&e);
	if (t->options.schema->n == 0 || t->options.schema->types[0] == NULL ||
	    schema_same_key(&t->schema, t->options.schema, &e) == 0)
		return 0;
	cli_say("table %s cannot take these items: %s; restore into another table", t->options.table, e.message);
	return EX_CANTCREAT;
}

static int note_item(void *arg, struct span item)
{
	(void)item;
	*(bool *)arg = false;
	return 0;
}

/* One page from `from` on, where the next one begins then. 0, 1 when it is to be read again, or its error. */
static int look_at_page(struct target *t, struct buf *from, unsigned attempt, struct err *e)
{
	const struct items_read r = {.table = t->options.table,
				     .consistent = true,
				     .limit = 1,
				     .start_key = {buf_str(from), from->len}};
	struct items_page page = {0};
	items_read(&t->op, &r, NULL, NULL);
	int rc = settle(t, attempt);
	if (rc != 0) {
		*e = t->op.err;
		return rc;
	}
	const struct buf *body = http_body(t->op.slot);
	rc = items_page_each((struct span){buf_str(body), body->len}, note_item, &t->empty, &page, e);
	if (rc < 0) {
		t->empty = true; /* as far as it was known before that page */
		return session_retry_ms(e, attempt) < 0 ? rc : 1;
	}
	buf_reset(from);
	return buf_append(from, page.last_key.ptr, page.last_key.len) < 0 ? err_set(e, ERR_SYSTEM, "out of memory") : 0;
}

/* A page may be empty and yet not be the last one. */
static int look_for_items(struct target *t)
{
	struct buf from;
	struct err e;
	unsigned attempt = 1;
	int rc;
	buf_init(&from, ITEMS_PAGE_BYTES_MAX);
	t->empty = true;
	do {
		rc = look_at_page(t, &from, attempt, &e);
		attempt = rc > 0 ? attempt + 1 : 1;
	} while (rc > 0 || (rc == 0 && t->empty && from.len > 0));
	buf_fini(&from);
	return rc < 0 ? cli_fail(&e) : 0;
}

static int check_status(const struct target *t, const struct table_description *d)
{
	if (strcmp(d->status, "ACTIVE") == 0 || strcmp(d->status, "UPDATING") == 0)
		return 0;
	cli_say("table %s is %s, so nothing can be written to it; try again when it is ACTIVE", t->options.table,
		d->status);
	return EX_UNAVAILABLE;
}

/* What a table must be that is there, and can be written to. */
static int check_found(struct target *t, const struct table_description *d)
{
	const struct target_options *o = &t->options;
	int code = check_status(t, d);
	if (code == 0 && d->arn != NULL)
		t->arn = strdup(d->arn);
	if (code == 0)
		code = check_key(t, d);
	if (code == 0)
		code = look_for_items(t);
	if (code != 0 || t->empty || o->may_have_items)
		return code;
	cli_say("table %s has items; restore into another table, or with --in-place make it equal to the backup",
		o->table);
	return EX_CANTCREAT;
}

static int begin(struct target *t, const struct target_options *o)
{
	struct err e;
	*t = (struct target){.options = *o, .created = o->made_before};
	return aws_op_init(&t->op, o->aws, ITEMS_PAGE_BYTES_MAX, &e) < 0 ? cli_fail(&e) : 0;
}

int target_prepare(struct target *t, const struct target_options *o)
{
	struct table_description d = {0};
	int code = begin(t, o);
	if (code == 0)
		code = find_or_create(t, &d);
	if (code == 0)
		code = wait_until_ready(t, &d);
	if (code == 0)
		code = check_found(t, &d);
	table_description_fini(&d);
	return code;
}

/* It would be made. */
static int look_at_spec(struct target *t)
{
	struct table_spec spec = {0};
	int code = must_be_made(t);
	if (code == 0)
		code = make_spec(t, &spec);
	if (code != 0)
		return code;
	tell_notes(t, &spec);
	table_spec_fini(&spec);
	t->absent = true;
	return 0;
}

int target_look(struct target *t, const struct target_options *o)
{
	struct table_description d = {0};
	int code = begin(t, o);
	if (code != 0)
		return code;
	int rc = describe(t, &d);
	if (rc == -ERR_NOT_FOUND)
		return look_at_spec(t);
	if (rc < 0)
		return cli_fail(&t->op.err);
	json_int_t size = json_integer_value(json_object_get(d.json, "TableSizeBytes"));
	t->size_bytes = size > 0 ? (uint64_t)size : 0;
	code = check_found(t, &d);
	table_description_fini(&d);
	return code;
}

static void on_closed(struct aws_op *op)
{
	*(bool *)op->arg = true;
}

void target_close(struct target *t)
{
	bool closed = t->op.aws == NULL;
	uv_loop_t *loop = closed ? NULL : t->op.aws->loop;
	if (!closed) {
		t->op.arg = &closed;
		aws_op_fini(&t->op, on_closed);
	}
	while (!closed)
		uv_run(loop, UV_RUN_ONCE);
	schema_fini(&t->schema);
	free(t->arn);
	t->arn = NULL;
}
