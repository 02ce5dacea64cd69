#include "description.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL ? text : "";
}

static void drop(json_t *object, const char *const *names)
{
	for (; *names != NULL; names++)
		json_object_del(object, *names);
}

static void drop_each(json_t *array, const char *const *names)
{
	size_t i;
	json_t *element;
	json_array_foreach(array, i, element)
	{
		drop(element, names);
	}
}

/* --- what is written --- */

static void drop_sizes(json_t *of)
{
	static const char *const names[] = {"ItemCount", "TableSizeBytes", "TableStatus", "IndexSizeBytes", NULL};
	static const char *const moments[] = {"LastIncreaseDateTime", "LastDecreaseDateTime", "NumberOfDecreasesToday",
					      NULL};
	drop(of, names);
	drop(json_object_get(of, "ProvisionedThroughput"), moments);
}

static void drop_sizes_of_indexes(json_t *indexes)
{
	size_t i;
	json_t *index;
	json_array_foreach(indexes, i, index)
	{
		drop_sizes(index);
	}
}

/* A copy without those members; NULL gives NULL. */
static json_t *copy_without(const json_t *list, const char *const *names)
{
	json_t *copy = list != NULL ? json_deep_copy(list) : NULL;
	drop_each(copy, names);
	return copy;
}

static int set(json_t *object, const char *name, json_t *value)
{
	return value != NULL ? json_object_set_new(object, name, value) : 0;
}

json_t *description_make(const struct description_parts *p)
{
	static const char *const predicted[] = {"PredictedCapacity", NULL}, *const alarms[] = {"Alarms", NULL};
	json_t *table = json_deep_copy(p->table), *o = json_object();
	int rc = json_object_set_new(o, "Table", table);
	if (rc == 0) {
		drop_sizes(table);
		drop_sizes_of_indexes(json_object_get(table, "GlobalSecondaryIndexes"));
		drop_sizes_of_indexes(json_object_get(table, "LocalSecondaryIndexes"));
	}
	rc += set(o, "TimeToLiveDescription", json_incref(p->ttl));
	rc += set(o, "Tags", json_incref(p->tags));
	rc += set(o, "ScalableTargets", copy_without(p->targets, predicted));
	rc += set(o, "ScalingPolicies", copy_without(p->policies, alarms));
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* --- what is compared --- */

/* Whether the units of this resource and dimension are set by auto scaling. */
static bool is_scaled(const json_t *targets, const char *resource, const char *dimension)
{
	size_t i, len = strlen(dimension);
	const json_t *target;
	json_array_foreach(targets, i, target)
	{
		const char *of = text_of(target, "ScalableDimension");
		size_t n = strlen(of);
		if (strcmp(text_of(target, "ResourceId"), resource) == 0 && n >= len &&
		    strcmp(of + n - len, dimension) == 0)
			return true;
	}
	return false;
}

static void drop_scaled_units(json_t *of, const json_t *targets, const char *resource)
{
	static const char *const units[] = {"ReadCapacityUnits", "WriteCapacityUnits"};
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (is_scaled(targets, resource, units[i]))
			json_object_del(json_object_get(of, "ProvisionedThroughput"), units[i]);
}

static char *resource_of(const json_t *table, const json_t *index)
{
	char *name;
	int n = index == NULL ? asprintf(&name, "table/%s", text_of(table, "TableName"))
			      : asprintf(&name, "table/%s/index/%s", text_of(table, "TableName"),
					 text_of(index, "IndexName"));
	return n < 0 ? NULL : name;
}

static int drop_states(json_t *root)
{
	static const char *const states[] = {"IndexStatus", "Backfilling", "WarmThroughput", NULL};
	static const char *const replica[] = {"ReplicaStatus",
					      "ReplicaStatusDescription",
					      "ReplicaStatusPercentProgress",
					      "ReplicaInaccessibleDateTime",
					      "WarmThroughput",
					      NULL};
	json_t *table = json_object_get(root, "Table"), *indexes = json_object_get(table, "GlobalSecondaryIndexes");
	const json_t *targets = json_object_get(root, "ScalableTargets");
	char *resource = resource_of(table, NULL);
	json_t *index;
	size_t i;
	if (resource == NULL)
		return -1;
	drop(table, states);
	drop_each(indexes, states);
	drop_each(json_object_get(table, "Replicas"), replica);
	drop_scaled_units(table, targets, resource);
	free(resource);
	json_array_foreach(indexes, i, index)
	{
		resource = resource_of(table, index);
		if (resource == NULL)
			return -1;
		drop_scaled_units(index, targets, resource);
		free(resource);
	}
	return 0;
}

static int settle_ttl(json_t *ttl)
{
	const char *status = text_of(ttl, "TimeToLiveStatus");
	const char *settled = strcmp(status, "ENABLING") == 0	 ? "ENABLED"
			      : strcmp(status, "DISABLING") == 0 ? "DISABLED"
								 : NULL;
	if (settled == NULL)
		return 0;
	if (strcmp(settled, "DISABLED") == 0)
		json_object_del(ttl, "AttributeName");
	return json_object_set_new(ttl, "TimeToLiveStatus", json_string(settled));
}

struct keyed {
	char *text;
	json_t *value;
};

static int compare_keyed(const void *a, const void *b)
{
	return strcmp(((const struct keyed *)a)->text, ((const struct keyed *)b)->text);
}

static int sort_lists(json_t *v);

/* By their texts, once what is in them has its order. */
static int sort_array(json_t *array)
{
	size_t n = json_array_size(array), filled = 0;
	struct keyed *all = calloc(n > 0 ? n : 1, sizeof(*all));
	int rc = all != NULL ? 0 : -1;
	for (; rc == 0 && filled < n; filled++) {
		all[filled].value = json_incref(json_array_get(array, filled));
		rc = sort_lists(all[filled].value);
		all[filled].text = json_dumps(all[filled].value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
		if (all[filled].text == NULL)
			rc = -1;
	}
	if (rc == 0)
		qsort(all, n, sizeof(*all), compare_keyed);
	for (size_t i = 0; i < filled; i++) {
		if (rc == 0)
			rc = json_array_set(array, i, all[i].value);
		json_decref(all[i].value);
		free(all[i].text);
	}
	free(all);
	return rc;
}

static int sort_lists(json_t *v)
{
	const char *name;
	json_t *member;
	if (json_is_array(v))
		return sort_array(v);
	json_object_foreach(v, name, member)
	{
		if (sort_lists(member) < 0)
			return -1;
	}
	return 0;
}

/* A copy in which equal tables are equal; NULL without memory. */
static json_t *normal(const json_t *root)
{
	json_t *copy = json_deep_copy(root);
	if (copy != NULL && drop_states(copy) == 0 && settle_ttl(json_object_get(copy, "TimeToLiveDescription")) == 0 &&
	    sort_lists(copy) == 0)
		return copy;
	json_decref(copy);
	return NULL;
}

bool description_equal(const json_t *a, const json_t *b)
{
	json_t *one = normal(a), *other = normal(b);
	bool equal = one != NULL && other != NULL && json_equal(one, other);
	json_decref(one);
	json_decref(other);
	return equal;
}

json_t *description_resources(const json_t *table)
{
	json_t *all = json_array(), *index;
	char *resource = resource_of(table, NULL);
	int rc = json_array_append_new(all, json_string(resource));
	size_t i;
	free(resource);
	json_array_foreach(json_object_get(table, "GlobalSecondaryIndexes"), i, index)
	{
		resource = resource_of(table, index);
		rc += json_array_append_new(all, json_string(resource));
		free(resource);
	}
	if (rc == 0)
		return all;
	json_decref(all);
	return NULL;
}
