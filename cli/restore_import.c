/*
 * restore_import: a restore into a new table by DynamoDB's own import: a snapshot is written to S3, and ImportTable makes
 * the table from it. For tables that are too large to be written item by item.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aws/import.h"
#include "aws/table.h"
#include "base/clock.h"
#include "cli.h"
#include "codec/digest.h"
#include "codec/encode.h"
#include "restore.h"
#include "restore_aws.h"
#include "schema.h"
#include "snapshot.h"
#include "table_spec.h"
#include "target.h"

#define POLL_MIN_MS 200
#define POLL_MAX_MS 20000
#define SAY_EVERY_MS 60000
#define ANSWER_MAX ((size_t)1 << 20)
#define TOKEN_SIZE 33

struct by_import {
	const struct restore_plan *plan;
	struct aws *aws;
	struct schema schema;
	struct table_spec spec;
	struct aws_op op;
	bool open;
};

/* --- what the journal knows of the import: {"data", "manifest", "arn"}, once the snapshot is whole --- */

static const char *noted(const struct by_import *b, const char *name)
{
	return json_string_value(json_object_get(json_object_get(b->plan->journal->more, "import"), name));
}

/* "" for an `arn`: it may have begun, or not. Returns the exit code. */
static int note(struct by_import *b, const char *data, const char *manifest, const char *arn)
{
	struct journal *j = b->plan->journal;
	json_t *o = json_pack("{s:s, s:s, s:s}", "data", data, "manifest", manifest, "arn", arn);
	struct err e;
	int rc = j->more != NULL && o != NULL && json_object_set(j->more, "import", o) == 0
			 ? journal_save(j, &e)
			 : err_set(&e, ERR_SYSTEM, "out of memory");
	json_decref(o);
	return rc < 0 ? cli_fail(&e) : 0;
}

static bool was_noted(const struct by_import *b)
{
	return noted(b, "data") != NULL && noted(b, "manifest") != NULL && noted(b, "arn") != NULL;
}

static int look(struct by_import *b, unsigned *attempt)
{
	return session_settle(b->plan->session, &b->op, (*attempt)++);
}

/* A destination in S3, in its two parts; the key begins behind it. */
static const char *bucket_of(const char *url, char out[static 64])
{
	const char *name = url + strlen("s3://");
	size_t len = strcspn(name, "/");
	snprintf(out, 64, "%.*s", (int)len, name);
	return out;
}

/* Before hours of writing a snapshot: a table of that name cannot be imported into. */
static int check_absent(struct by_import *b)
{
	struct table_description d = {0};
	const char *table = restore_target_name(b->plan);
	unsigned attempt = 1;
	int rc;
	do {
		table_describe(&b->op, table, &d, NULL, NULL);
		rc = look(b, &attempt);
	} while (rc > 0);
	table_description_fini(&d);
	if (rc == -ERR_NOT_FOUND)
		return 0;
	if (rc < 0)
		return cli_fail(&b->op.err);
	if (b->plan->options->clean_up)
		cli_say("table %s exists: the import from that snapshot may have begun; --resume follows it", table);
	else
		cli_say("table %s exists; an import makes a new one: name another, or restore without --via-import",
			table);
	return EX_CANTCREAT;
}

static int make_spec(struct by_import *b)
{
	struct err e;
	const char *table = restore_target_name(b->plan);
	if (b->schema.table == NULL) {
		cli_say("the backup has no table.json that tells how to make table %s; make it by hand, and restore "
			"without --via-import",
			table);
		return EX_NOINPUT;
	}
	if (table_spec_import(b->schema.table, table, b->aws->region, &b->spec, &e) == 0)
		return 0;
	cli_say("table.json of the backup is damaged: %s", e.message);
	return EX_DATAERR;
}

/* The same snapshot into the same table is the same import: a lost answer does not make two. */
static void make_token(const struct by_import *b, const char *data, char token[TOKEN_SIZE])
{
	uint8_t hash[DIGEST_SHA256_SIZE];
	char text[2048];
	int n = snprintf(text, sizeof(text), "%s %s", data, restore_target_name(b->plan));
	digest_sha256(hash, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
	encode_hex(token, hash, (TOKEN_SIZE - 1) / 2);
	token[TOKEN_SIZE - 1] = '\0';
}

static int begin(struct by_import *b, struct import_description *d)
{
	const char *data = noted(b, "data");
	char token[TOKEN_SIZE], bucket[64];
	unsigned attempt = 1;
	int rc;
	make_token(b, data, token);
	do {
		import_table(&b->op, bucket_of(b->plan->options->via_import, bucket), data, b->spec.request, token, d,
			     NULL, NULL);
		rc = look(b, &attempt);
	} while (rc > 0);
	if (rc == 0)
		return note(b, data, noted(b, "manifest"), d->arn);
	bool exists = strcmp(b->op.err.aws_code, "ResourceInUseException") == 0;
	if (exists)
		cli_say("the snapshot %s is whole, but there is a table %s now: perhaps of an import that an "
			"earlier run began more than 8 hours ago, and could not note (aws dynamodb list-imports "
			"tells); delete it once it is ACTIVE, and the same command and --resume import it again",
			noted(b, "manifest"), restore_target_name(b->plan));
	else if (b->op.err.maybe_done)
		cli_say("the snapshot %s is whole; whether its import has begun, aws dynamodb list-imports tells, and "
			"the same command and --resume find out",
			noted(b, "manifest"));
	else
		cli_say("the snapshot %s is whole, but its import did not begin; the same command and --resume try it "
			"again",
			noted(b, "manifest"));
	int code = cli_fail(&b->op.err);
	return exists ? EX_CANTCREAT : code;
}

static void tell(const struct import_description *d, int64_t since_ms, int64_t *said_ms)
{
	bool terminal = isatty(STDERR_FILENO) == 1;
	int64_t now_ms = clock_mono_ms();
	if (!terminal && *said_ms != 0 && now_ms - *said_ms < SAY_EVERY_MS)
		return;
	*said_ms = now_ms;
	fprintf(stderr, "%simporting: %llu items in %lld s%s",
		terminal ? "\r\033[K" : "ddb-streamctl: ", (unsigned long long)d->imported_items,
		(long long)(now_ms - since_ms) / 1000, terminal ? "" : "\n");
}

static int describe(struct by_import *b, const char *arn, struct import_description *d)
{
	struct import_description next = {0};
	unsigned attempt = 1;
	int rc;
	do {
		import_describe(&b->op, arn, &next, NULL, NULL);
		rc = look(b, &attempt);
	} while (rc > 0);
	if (rc < 0)
		return rc;
	import_description_fini(d);
	*d = next;
	return 0;
}

static int follow(struct by_import *b, struct import_description *d)
{
	int64_t since_ms = clock_mono_ms(), said_ms = 0;
	int poll_ms = POLL_MIN_MS, rc = 0;
	char *arn = strdup(d->arn);
	while (rc == 0 && arn != NULL && !b->plan->session->stop &&
	       (d->status == IMPORT_IN_PROGRESS || d->status == IMPORT_CANCELLING ||
		d->status == IMPORT_STATUS_UNKNOWN)) {
		tell(d, since_ms, &said_ms);
		session_pause(b->plan->session, poll_ms);
		poll_ms = 2 * poll_ms < POLL_MAX_MS ? 2 * poll_ms : POLL_MAX_MS;
		rc = describe(b, arn, d);
	}
	if (said_ms != 0 && isatty(STDERR_FILENO) == 1)
		fputs("\r\033[K", stderr);
	if (rc < 0 || b->plan->session->stop)
		cli_say("the import goes on without this program: the same command and --resume follow it, and so does "
			"aws dynamodb describe-import --import-arn %s",
			arn ? arn : "");
	free(arn);
	if (b->plan->session->stop)
		return EX_TEMPFAIL;
	return rc < 0 ? cli_fail(&b->op.err) : 0;
}

/* What an import leaves out, as far as it can be given to a table afterwards. */
static int finish(struct by_import *b)
{
	struct target t;
	const struct target_options to = {
		.session = b->plan->session,
		.aws = b->aws,
		.table = restore_target_name(b->plan),
		.schema = &b->schema,
		.must_exist = true,
		.may_have_items = true,
		.made_before = true,
	};
	int code = target_prepare(&t, &to);
	if (code == 0 && b->spec.lacks_stream) {
		code = target_enable_stream(&t);
		if (code == 0)
			cli_say("the stream of table %s is turned on", to.table);
	}
	if (code == 0)
		code = target_finish(&t);
	target_close(&t);
	return code;
}

/* Says what came of the import. Returns the exit code. */
static int judge(const struct by_import *b, const struct import_description *d, uint64_t wanted)
{
	const char *table = restore_target_name(b->plan);
	bool complete = d->status == IMPORT_COMPLETED;
	if (complete && d->errors == 0 && d->imported_items == wanted) {
		cli_say("imported: %llu items into table %s", (unsigned long long)wanted, table);
		return 0;
	}
	cli_say("the import of %s ended %s with %llu of %llu items and %llu errors%s%s%s%s", d->arn,
		complete ? "complete" : "incomplete", (unsigned long long)d->imported_items, (unsigned long long)wanted,
		(unsigned long long)d->errors, d->failure_code ? ": " : "", d->failure_code ? d->failure_code : "",
		d->failure_message ? ": " : "", d->failure_message ? d->failure_message : "");
	if (!complete)
		cli_say("delete table %s if there is one, and begin anew without --resume; the snapshot %s stays",
			table, noted(b, "manifest"));
	return complete ? CLI_INCOMPLETE : EX_UNAVAILABLE;
}

/* From where it stands to its end. */
static int import(struct by_import *b, struct restore_figures *out)
{
	struct journal *j = b->plan->journal;
	struct import_description d = {0};
	struct err e;
	int code = 0;
	/* Another run may have begun it: then it is followed, and no second one begins. */
	if (noted(b, "arn")[0] == '\0')
		code = begin(b, &d);
	else
		d = (struct import_description){.arn = strdup(noted(b, "arn")), .status = IMPORT_STATUS_UNKNOWN};
	if (code == 0)
		code = follow(b, &d);
	bool ended = code == 0;
	if (ended)
		code = judge(b, &d, j->items);
	out->items = d.imported_items;
	out->bytes = j->bytes;
	out->missing = j->missing;
	import_description_fini(&d);
	int finished = ended && (code == 0 || code == CLI_INCOMPLETE) ? finish(b) : 0;
	if (ended && finished == 0 && journal_end(j, false, &e) < 0)
		finished = cli_fail(&e);
	return code != 0 ? code : finished;
}

static struct export_options export_options(const struct by_import *b)
{
	const struct restore_plan *p = b->plan;
	return (struct export_options){
		.to = p->options->via_import,
		.table_name = p->options->table,
		.table_arn = json_string_value(json_object_get(b->schema.table, "TableArn")),
		.table_id = json_string_value(json_object_get(b->schema.table, "TableId")),
		.at_ms = p->at.ms,
		.start_ms = clock_wall_ms(),
		.seed = (uint64_t)clock_wall_ms(),
		.stop = &p->session->stop,
	};
}

static int write_snapshot(struct by_import *b)
{
	const struct restore_plan *p = b->plan;
	struct snapshot sn = {.session = p->session,
			      .narrow = p->narrow,
			      .at = p->at,
			      .since_ms = p->since_ms,
			      .expected = restore_expected(p, &b->schema),
			      .journal = p->journal,
			      .resumed = p->resumed};
	struct export_options eo = export_options(b);
	int code = snapshot_file_size(p->options, &eo);
	if (code == 0)
		code = snapshot_write(&sn, &eo);
	if (code == 0)
		code = note(b, export_data(sn.export), export_manifest(sn.export), "");
	snapshot_close(&sn);
	return code;
}

static int write_and_import(struct by_import *b, struct restore_figures *out)
{
	int code = was_noted(b) ? 0 : write_snapshot(b);
	return code == 0 ? import(b, out) : code;
}

static int give_up(struct by_import *b, struct restore_figures *out)
{
	const struct export_options eo = export_options(b);
	(void)out;
	return snapshot_give_up(b->plan->session, b->plan->journal, &eo);
}

static void tell_notes(const struct by_import *b)
{
	for (size_t i = 0; i < b->spec.nnotes; i++)
		cli_say("table %s is made %s", restore_target_name(b->plan), b->spec.notes[i]);
}

/* Sees whether it can be done, and then does it by `act`. */
static int run(const struct restore_plan *p, struct restore_figures *out,
	       int (*act)(struct by_import *b, struct restore_figures *out))
{
	struct by_import b = {.plan = p};
	struct restore_aws ra;
	struct err e;
	int code = restore_aws_open(&ra, p);
	if (code != 0)
		return code;
	b.aws = ra.aws;
	b.open = aws_op_init(&b.op, b.aws, ANSWER_MAX, &e) == 0;
	code = b.open ? schema_load(p->session, &b.schema) : cli_fail(&e);
	if (code == 0)
		code = snapshot_check(p->session, p->options->via_import);
	if (code == 0)
		code = make_spec(&b);
	/* Where an import may have begun, the table may be its. */
	if (code == 0 && (!was_noted(&b) || p->options->clean_up))
		code = check_absent(&b);
	if (code == 0) {
		if (!p->options->clean_up)
			tell_notes(&b);
		code = act(&b, out);
	}
	table_spec_fini(&b.spec);
	schema_fini(&b.schema);
	if (b.open)
		aws_op_fini(&b.op, NULL);
	restore_aws_close(&ra, p);
	return code;
}

int restore_by_import(const struct restore_plan *p, struct restore_figures *out)
{
	return run(p, out, write_and_import);
}

int restore_import_give_up(const struct restore_plan *p, struct restore_figures *out)
{
	return run(p, out, give_up);
}

static int look_ahead(struct by_import *b, struct restore_figures *out)
{
	return restore_dry(b->plan, out);
}

int restore_import_dry(const struct restore_plan *p, struct restore_figures *out)
{
	return run(p, out, look_ahead);
}
