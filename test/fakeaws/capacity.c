#include "capacity.h"

#include <string.h>

#include "fake.h"

static bool holds(const struct index *x, const json_t *item)
{
	return json_object_get(item, x->names[0]) && (!x->names[1] || json_object_get(item, x->names[1]));
}

static size_t indexes_of(const struct table *t, const struct image *before, const struct image *now)
{
	json_t *old = t->nindexes && before ? json_loads(before->text, 0, NULL) : NULL;
	json_t *new = t->nindexes &&now ? json_loads(now->text, 0, NULL) : NULL;
	size_t n = 0;

	for (size_t i = 0; i < t->nindexes; i++)
		n += holds(&t->indexes[i], old) || holds(&t->indexes[i], new);
	json_decref(old);
	json_decref(new);
	return n;
}

double capacity_of_write(const struct table *t, const struct image *before, const struct image *now)
{
	size_t bytes = now ? now->bytes : 1;

	if (before && before->bytes > bytes)
		bytes = before->bytes;
	return (double)((bytes + 1023) / 1024 * (1 + indexes_of(t, before, now)));
}

double capacity_of_read(const struct request *r, size_t bytes)
{
	double units = bytes ? (double)((bytes + 4095) / 4096) : 1;
	return json_is_true(json_object_get(r->json, "ConsistentRead")) ? units : units / 2;
}

static bool take(const struct fake *f, struct meter *m, int64_t per_s, double units)
{
	int64_t now_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);

	if (per_s == 0)
		return true;
	if (m->at_ms == 0)
		m->left = (double)per_s;
	else if (now_ms > m->at_ms)
		m->left += (double)(now_ms - m->at_ms) * (double)per_s / 1000;
	m->at_ms = now_ms;
	if (m->left > (double)per_s)
		m->left = (double)per_s;
	if (m->left <= 0)
		return false;
	m->left -= units;
	return true;
}

bool capacity_take_write(struct fake *f, struct table *t, double units)
{
	return take(f, &t->writes_left, t->options.write_units_per_s, units);
}

bool capacity_take_read(struct fake *f, struct table *t, double units)
{
	return take(f, &t->reads_left, t->options.read_units_per_s, units);
}

void capacity_exceeded(struct reply *a)
{
	ddb_error(a, "ProvisionedThroughputExceededException",
		  "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
		  "provisioning level with the UpdateTable API.");
}

json_t *capacity_json(const struct request *r, const char *table, double units)
{
	const char *wanted = ddb_text(r, "ReturnConsumedCapacity");
	json_t *told;

	if (strcmp(wanted, "TOTAL") != 0 && strcmp(wanted, "INDEXES") != 0)
		return NULL;
	told = json_pack("{s:s, s:f}", "TableName", table, "CapacityUnits", units);
	if (strcmp(wanted, "INDEXES") == 0)
		json_object_set_new(told, "Table", json_pack("{s:f}", "CapacityUnits", units));
	return told;
}
