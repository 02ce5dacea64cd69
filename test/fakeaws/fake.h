/* fake: all that the server knows. */
#ifndef FAKEAWS_FAKE_H
#define FAKEAWS_FAKE_H

#include <stdint.h>

#include "audit.h"
#include "auth.h"
#include "faults.h"
#include "imds.h"
#include "model.h"
#include "s3.h"
#include "vclock.h"

#define FAKE_ACCOUNT "123456789012"
#define FAKE_REGION "us-east-1"

struct fake {
	struct vclock clock;
	uint64_t rng; /* of ids, sequence numbers and control's writers */
	struct table **tables;
	size_t ntables, tables_cap;
	struct stream **streams; /* by number */
	size_t nstreams, streams_cap;
	struct import **imports; /* see ddb_import.c */
	size_t nimports, imports_cap;
	json_t *scaling_targets, *scaling_policies; /* lists as they are told; NULL: none yet. See scaling.c */
	struct options defaults;		    /* of tables that are made from now on */
	struct s3 s3;
	struct auth auth;
	struct faults faults;
	struct imds imds;
	struct exchange *held; /* requests that wait for control: see http.c */
	struct audit audit;
	uint64_t requests;
	int64_t describe_window_ms; /* of the limit on DescribeStream */
	unsigned describe_calls;
};

#endif
