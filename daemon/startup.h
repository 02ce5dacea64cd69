/*
 * startup: the checks of the bucket, before any table: it exists, keeps versions, may be written, and whether its store honours
 * conditional writes. What may pass by itself is tried again for ever, with the reason in health; the rest refuses the start.
 */
#ifndef DDB_STARTUP_H
#define DDB_STARTUP_H

#include <stdbool.h>
#include <uv.h>

#include "aws/aws.h"
#include "aws/s3.h"
#include "aws/sts.h"
#include "base/err.h"

struct daemon;

struct startup {
	struct daemon *daemon;
	struct aws_op op;
	uv_timer_t timer;
	enum s3xml_versioning versioning;
	struct sts_caller caller; /* arn "" until known */
	char *probe_key;
	char probe_body[64];
	unsigned failures;
	struct err problem; /* class ERR_NONE: none */
	bool conditional_known, conditional;
};

int startup_init(struct startup *s, struct daemon *d, struct err *e);
/* Ends in daemon_checked or daemon_refuse. */
void startup_begin(struct startup *s);
void startup_stop(struct startup *s);
void startup_close(struct startup *s);
void startup_fini(struct startup *s);

#endif
