/*
 * capacity: what reads and writes consume (Developer Guide, "DynamoDB read and write operations"), and tables that allow
 * so much a second only (options write_units_per_s, read_units_per_s).
 */
#ifndef FAKEAWS_CAPACITY_H
#define FAKEAWS_CAPACITY_H

#include "ddb.h"

/*
 * Of putting `now` (NULL: a delete) in the place of `before`: a unit for each KiB begun of the larger, and as much again
 * for each index that holds one of them, whatever it projects.
 */
double capacity_of_write(const struct table *t, const struct image *before, const struct image *now);
/* Of reading so many bytes: a unit for each 4 KiB begun, half a one when it may be out of date. */
double capacity_of_read(const struct request *r, size_t bytes);
/*
 * Takes so many units. False when nothing is left: then nothing is taken. A request may take more than is left, and the
 * next ones wait for it; at most a second's worth gathers.
 */
bool capacity_take_write(struct fake *f, struct table *t, double units);
bool capacity_take_read(struct fake *f, struct table *t, double units);
/* ProvisionedThroughputExceededException. */
void capacity_exceeded(struct reply *a);
/* ConsumedCapacity of one table, if the request asks for it; else NULL. */
json_t *capacity_json(const struct request *r, const char *table, double units);

#endif
