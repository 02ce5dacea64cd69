/*
 * seq: stream sequence numbers: decimal strings of variable width, compared as numbers, never as text and never as
 * an integer type (they have 21 to 40 digits; DynamoDB Streams API reference, StreamRecord.SequenceNumber).
 */
#ifndef DDB_CODEC_SEQ_H
#define DDB_CODEC_SEQ_H

#include <stdbool.h>

#include "base/span.h"

#define SEQ_DIGITS_MAX 48 /* longer ones are malformed */

/* <0, 0, >0 as a is before, equal to, after b. Leading zeros do not count. */
int seq_cmp(struct span a, struct span b);
/* 1 to SEQ_DIGITS_MAX digits and nothing else. */
bool seq_valid(struct span s);

#endif
