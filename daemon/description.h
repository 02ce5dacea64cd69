/*
 * description: table.json, which tells a restore how the table was made (Amazon DynamoDB API Reference: TableDescription,
 * TimeToLiveDescription, Tag; Application Auto Scaling API Reference: ScalableTarget, ScalingPolicy). Pure.
 *
 *     {"Table": ..., "TimeToLiveDescription": ..., "Tags": [...], "ScalableTargets": [...], "ScalingPolicies": [...]}
 *
 * What changes by itself and says nothing about how to make the table again is left out: counts, sizes, the table's status,
 * times of changes of capacity. Some of what is in it changes by itself, too, and is not compared.
 */
#ifndef DDB_DESCRIPTION_H
#define DDB_DESCRIPTION_H

#include <jansson.h>
#include <stdbool.h>

/* All but `table` may be NULL: not known, and then not in it. */
struct description_parts {
	json_t *table; /* "Table" of DescribeTable */
	json_t *ttl, *tags, *targets, *policies;
};

/* A new reference; NULL without memory. The parts stay as they are. */
json_t *description_make(const struct description_parts *p);
/*
 * Do they tell of the same table? The order of lists does not count, nor do capacity that auto scaling sets, the status of
 * indexes, warm throughput, and whether time to live is on already or about to be. False without memory.
 */
bool description_equal(const json_t *a, const json_t *b);

/* The resources of Application Auto Scaling that the table may have, an array of texts; NULL without memory. */
json_t *description_resources(const json_t *table);

#endif
