/*
 * err: what went wrong, in a form that both a person and the retry logic can use.
 *
 * Every fallible function returns 0 or a negative error: the negated enum err_class. Where it takes a
 * `struct err *`, that may be NULL; it is filled only on failure and left alone on success. Outputs of a
 * failed function are untouched.
 */
#ifndef DDB_BASE_ERR_H
#define DDB_BASE_ERR_H

#include <stdbool.h>

enum err_class {
	ERR_NONE = 0,
	ERR_RETRY,     /* transient: network, 5xx, timeout; the same request may work later */
	ERR_THROTTLE,  /* the server asks us to slow down; it did nothing */
	ERR_AUTH,      /* credentials are missing, wrong, expired, or the clock is off */
	ERR_DENIED,    /* the identity is known and may not do this */
	ERR_NOT_FOUND, /* table, stream, shard, bucket or key does not exist */
	ERR_CONFLICT,  /* a condition failed (412), or the resource is in use */
	ERR_EXPIRED,   /* shard iterator is older than 15 minutes */
	ERR_TRIMMED,   /* records asked for are older than 24 hours and gone */
	ERR_INVALID,   /* the request or the input is wrong; repeating it cannot help */
	ERR_CORRUPT,   /* bytes are not what they should be: malformed, truncated, checksum */
	ERR_LIMIT,     /* a configured or fixed cap was reached */
	ERR_SYSTEM,    /* the operating system said no; sys_errno tells */
	ERR_CANCELLED, /* we stopped it ourselves */
	ERR_CLASSES
};

struct err {
	enum err_class class;
	int http_status;     /* 0 when no answer was received */
	int sys_errno;	     /* 0 unless ERR_SYSTEM */
	bool maybe_done;     /* the request may have taken effect although it failed (answer lost, 5xx) */
	int retry_after_ms;  /* what the server asked for, or 0 */
	char aws_code[64];   /* "ThrottlingException", "" when none */
	char request_id[80]; /* AWS request id, "" when none */
	char message[400];   /* one line for a person; never holds a secret or item contents */
};

/* Fills `e` (may be NULL) with class and message, clearing the rest. Returns -(int)class. */
int err_set(struct err *e, enum err_class class, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_SYSTEM; appends ": " and strerror(errnum). */
int err_errno(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Puts "CONTEXT: " before the message of `e`. Returns -(int)e->class. Without `e` the class is not known here and the
 * answer is -ERR_INVALID: a caller that may get NULL returns the error that it was given instead.
 */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "retry", "throttle", ...: a stable lower-case name for logs and metrics. Takes the class or its negation. */
const char *err_class_name(int class);

#endif
