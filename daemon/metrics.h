/*
 * metrics: what the daemon counts itself, and everything as Prometheus text
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
 *
 * Names are ddb_streamd_* in base units (seconds, bytes). What is unknown is never left out, so that an alert sees it:
 * a lag is +Inf (and ddb_streamd_lag_known is 0), a point of time is 0, as for something that never happened.
 * The list of names is in ddb-streamd(8).
 */
#ifndef DDB_METRICS_H
#define DDB_METRICS_H

#include <stdint.h>

#include "aws/aws.h"
#include "base/buf.h"
#include "process.h"
#include "view.h"

struct metrics;

/* `p` is borrowed until metrics_free; NULL leaves the loop's metrics out. NULL without memory. */
struct metrics *metrics_new(const struct process *p);
void metrics_free(struct metrics *m);

/*
 * Counts one finished request; fits aws_observe_fn's values. Allocates nothing, takes a few nanoseconds. `rc` is 0 or
 * a negative error class, `http_status` 0 without an answer. An operation has at most METRICS_OUTCOMES pairs of
 * status and class of its own; what comes after those is counted as code="other".
 */
#define METRICS_OUTCOMES 24
void metrics_observe(struct metrics *m, enum aws_operation op, int rc, int http_status, int64_t duration_us);

/* Appends the text to `out`. 0 or the error of buf_append; then `out` holds a part. */
int metrics_render(const struct metrics *m, const struct view *v, struct buf *out);

#endif
