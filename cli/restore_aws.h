/* restore_aws: the connection to the region of the table that is written: the session's own, or with --to-region another. */
#ifndef DDB_CLI_RESTORE_AWS_H
#define DDB_CLI_RESTORE_AWS_H

#include "restore.h"

struct restore_aws {
	struct aws *aws;  /* the one to use */
	struct aws other; /* what --to-region has made */
};

/* Returns 0, or the exit code after saying what is wrong; then nothing is open. */
int restore_aws_open(struct restore_aws *ra, const struct restore_plan *p);
/* Every op on it must be finished. */
void restore_aws_close(struct restore_aws *ra, const struct restore_plan *p);

#endif
