/* status: the view as JSON, for /status and for people with curl and jq. */
#ifndef DDB_STATUS_H
#define DDB_STATUS_H

#include "base/buf.h"
#include "view.h"

/*
 * Appends one JSON object and a line feed to `out`. Times are ISO 8601, spans are milliseconds (_ms), sizes bytes
 * (_bytes); what is unknown is null. 0, -ERR_LIMIT when it does not fit into out->max, -ERR_SYSTEM without memory; then
 * `out` holds a part.
 */
int status_render(const struct view *v, struct buf *out);

#endif
