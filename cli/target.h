/*
 * target: the table that is restored into: made ready before the first write, and finished after the last one.
 *
 * What the options point to must live until target_close. Step by step, as session.h's requests: not from a callback of
 * the loop. A signal ends the waiting.
 */
#ifndef DDB_CLI_TARGET_H
#define DDB_CLI_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws.h"
#include "schema.h"
#include "session.h"

struct target_options {
	struct session *session; /* whose signals count */
	struct aws *aws; /* on the session's loop; where the table is, which may be another region than the bucket's */
	const char *table;
	const struct schema *schema; /* of the backup; without a table.json (n 0) the table must exist */
	bool must_exist;	     /* one that does not exist is not made */
	bool may_have_items;	     /* one with items is fine: in place, or a run that goes on */
	bool made_before;	     /* an earlier run of the same restore made it */
};

struct target {
	struct target_options options;
	struct aws_op op;
	bool created; /* by this run, or by the one that it goes on from */
	bool tagged;  /* by this run */
	bool absent;  /* after target_look */
	char *arn;    /* of the table; NULL before it is there */
	bool empty;
	uint64_t size_bytes;  /* of a table that was found, about: DynamoDB counts every six hours or so */
	struct schema schema; /* of the live table */
};

/*
 * Makes the table from the backup's schema when it is not there, waits until it and its indexes are ACTIVE, and else sees
 * that it has the backup's key and no items. Returns 0, or the exit code after saying what is wrong:
 * EX_CANTCREAT (73): it has items, or another key; EX_NOINPUT (66): it does not exist and may not or cannot be made.
 * target_close in every case.
 */
int target_prepare(struct target *t, const struct target_options *o);
/*
 * The same for a look ahead: nothing is made and nothing waited for. Of a table that would be made, what it would lack is
 * said, as when it is made.
 */
int target_look(struct target *t, const struct target_options *o);
/* Turns on its stream, of new and old images. Returns 0, or CLI_INCOMPLETE after saying what is left to do. */
int target_enable_stream(struct target *t);
/*
 * After the items are written, when this restore made the table: turns on the time to live that the backup's table had
 * (sooner, DynamoDB might delete what is being written), and sees to tags and auto scaling. Of a table that was there before
 * it is only said when its time to live is off. Returns 0, or CLI_INCOMPLETE after saying what is left to do.
 */
int target_finish(struct target *t);
/* Once after target_prepare. Runs the loop for a moment. */
void target_close(struct target *t);

#endif
