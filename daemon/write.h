/*
 * write: what one record becomes in S3, one request after another on a worker:
 *
 *     INSERT, MODIFY             PutObject  <data>/<item key>, body NewImage
 *     REMOVE                     PutObject  <meta>/deletes/<item key>, body OldImage (or Keys); then DeleteObject <data>/<item key>
 *     MODIFY to another tenant   PutObject at the new key; then as REMOVE at the old key
 *
 * The deletes object comes first, since a delete marker can carry no metadata. A step that may have been done already (after a
 * crash, or when its answer was lost) is asked about before it is done again (I4).
 */
#ifndef DDB_WRITE_H
#define DDB_WRITE_H

#include "base/err.h"
#include "worker.h"

/* Works on w->record from its step on; worker_done or worker_failed follows, on a later turn or at once. */
void write_begin(struct worker *w);
/* The step has to be done, whatever was asked. For write_ask.c. */
void write_step(struct worker *w);
/* The step is in S3: on to the next, or done. For write_ask.c. */
void write_next(struct worker *w);

/* write_ask.c: asks S3 whether the record's next step was done already, then write_step, write_next or worker_failed. */
void write_ask(struct worker *w);

/* False when the answer to a write shows that the bucket no longer keeps versions; then *e says what to do. */
bool write_is_versioned(const struct aws_op *op, struct err *e);

/* The data key, or the deletes key, of the record's step, in w->key. */
int write_data_key(struct worker *w, struct err *e);
int write_deletes_key(struct worker *w, struct err *e);

#endif
