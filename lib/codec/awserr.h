/*
 * awserr: the one place that decides what an answer of AWS means for the caller: try again, wait, or give up.
 */
#ifndef DDB_CODEC_AWSERR_H
#define DDB_CODEC_AWSERR_H

#include "base/err.h"
#include "base/span.h"

/*
 * Fills `e` (may be NULL) from an HTTP answer whose status is not 2xx (or which is malformed: then a 2xx is -ERR_RETRY
 * with maybe_done, and so is status 0, no answer). `code` is the error code ("ThrottlingException", "SlowDown", "ns#Code";
 * "" when the body had none; a known code goes before the status), `message` the server's text (cut to fit; a server's
 * message about an item's contents, as of ValidationException for PutItem, is not expected here). e->message becomes
 * "CODE (STATUS): message; remedy" with what there is of it, in one line. retry_after_ms is left 0: it is in a header.
 * Returns -(int)e->class. 500, 502, 504 and every 5xx that is not a throttle set maybe_done.
 */
int awserr_classify(struct err *e, int http_status, struct span code, struct span message, struct span request_id);

/* The body of a DynamoDB, Streams or STS JSON error: {"__type":"ns#Code","message":"..."} ("Message" too). Tolerates
 * anything. Then classifies. */
int awserr_json(struct err *e, int http_status, struct span body, struct span request_id);
/* The body of an S3 or STS XML error: <Error><Code/><Message/><RequestId/></Error>. Tolerates anything, an empty body
 * (HEAD) too. Then classifies. `request_id` (of a header) goes before the body's. */
int awserr_xml(struct err *e, int http_status, struct span body, struct span request_id);

#endif
