/* Time to live (UpdateTimeToLive, DescribeTimeToLive) and tags of a table. What TTL deletes is up to control. */
#include <stdlib.h>
#include <string.h>

#include "ddb.h"
#include "fake.h"
#include "mem.h"

#define TAGS_PAGE 10

static bool is_changing(const struct fake *f, const struct table *t)
{
	int64_t age_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB) - t->ttl_changed_ms;
	return t->ttl_changed_ms && t->options.ttl_ms && age_ms < t->options.ttl_ms;
}

void ddb_describe_ttl(struct fake *f, struct request *r, struct reply *a)
{
	const struct table *t = ddb_table(f, r, a);
	const char *status;

	if (!t)
		return;
	status = t->ttl_on	     ? (is_changing(f, t) ? "ENABLING" : "ENABLED")
		 : is_changing(f, t) ? "DISABLING"
				     : "DISABLED";
	json_t *told = json_pack("{s:s}", "TimeToLiveStatus", status);
	if (strcmp(status, "DISABLED") != 0)
		json_object_set_new(told, "AttributeName", json_string(t->ttl_attribute));
	ddb_json(a, json_pack("{s:o}", "TimeToLiveDescription", told));
}

void ddb_update_ttl(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = ddb_table(f, r, a);
	json_t *spec = json_object_get(r->json, "TimeToLiveSpecification");
	const char *attribute = json_string_value(json_object_get(spec, "AttributeName"));
	bool on = json_is_true(json_object_get(spec, "Enabled"));

	if (!t || !ddb_settled_table(f, t, a))
		return;
	if (!attribute || !*attribute || strlen(attribute) > 255 ||
	    !json_is_boolean(json_object_get(spec, "Enabled"))) {
		ddb_error(a, "ValidationException", "TimeToLiveSpecification: AttributeName and Enabled are required");
	} else if (is_changing(f, t)) {
		ddb_error(a, "ValidationException",
			  "Time to live has been modified multiple times within a fixed interval");
	} else if (on == t->ttl_on) {
		ddb_error(a, "ValidationException",
			  on ? "TimeToLive is already enabled" : "TimeToLive is already disabled");
	} else if (!on && strcmp(attribute, t->ttl_attribute) != 0) {
		ddb_error(a, "ValidationException", "TimeToLive is active on a different AttributeName");
	} else {
		char *taken = mem_dup(attribute);
		free(t->ttl_attribute);
		t->ttl_attribute = taken;
		t->ttl_on = on;
		t->ttl_changed_ms = vclock_of_ms(&f->clock, SERVICE_DYNAMODB);
		ddb_json(a, json_pack("{s:O}", "TimeToLiveSpecification", spec));
	}
}

/* The table of ResourceArn, or NULL with an error answered. */
static struct table *tagged(struct fake *f, const struct request *r, struct reply *a)
{
	const char *arn = ddb_text(r, "ResourceArn");
	struct table *t = strncmp(arn, DDB_TABLE_ARN, strlen(DDB_TABLE_ARN)) == 0
				  ? model_table(f, arn + strlen(DDB_TABLE_ARN))
				  : NULL;

	if (t && t->exists)
		return t;
	ddb_error(a, "ResourceNotFoundException", "Requested resource not found");
	return NULL;
}

static void remove_tag(struct table *t, const char *key)
{
	for (size_t i = json_array_size(t->tags); key && i-- > 0;) {
		const char *k = json_string_value(json_object_get(json_array_get(t->tags, i), "Key"));
		if (k && strcmp(k, key) == 0)
			json_array_remove(t->tags, i);
	}
}

void ddb_list_tags(struct fake *f, struct request *r, struct reply *a)
{
	const struct table *t = tagged(f, r, a);
	size_t from = (size_t)strtoul(ddb_text(r, "NextToken"), NULL, 10), n;
	json_t *page, *out;

	if (!t)
		return;
	page = json_array();
	n = json_array_size(t->tags);
	for (size_t i = from; i < n && i < from + TAGS_PAGE; i++)
		json_array_append(page, json_array_get(t->tags, i));
	out = json_pack("{s:o}", "Tags", page);
	if (from + TAGS_PAGE < n)
		json_object_set_new(out, "NextToken", json_sprintf("%zu", from + TAGS_PAGE));
	ddb_json(a, out);
}

void ddb_tag(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = tagged(f, r, a);
	size_t i;
	json_t *tag;

	if (!t)
		return;
	if (!t->tags)
		t->tags = json_array();
	json_array_foreach(json_object_get(r->json, "Tags"), i, tag)
	{
		remove_tag(t, json_string_value(json_object_get(tag, "Key")));
		json_array_append(t->tags, tag);
	}
}

void ddb_untag(struct fake *f, struct request *r, struct reply *a)
{
	struct table *t = tagged(f, r, a);
	size_t i;
	json_t *key;

	if (t)
		json_array_foreach(json_object_get(r->json, "TagKeys"), i, key) remove_tag(t, json_string_value(key));
}
