/*
 * Application Auto Scaling (Application Auto Scaling API Reference), service namespace "dynamodb": what is registered, and
 * by which policies. Nothing is scaled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddb.h"
#include "fake.h"
#include "mem.h"
#include "rng.h"

#define PAGE_MAX 50

static void refuse(struct reply *a, const char *code, char *message)
{
	a->status = 400;
	snprintf(a->code, sizeof(a->code), "%s", code);
	ddb_json(a, json_pack("{s:s, s:s}", "__type", code, "Message", message));
	free(message);
}

static bool is(const json_t *o, const char *name, const char *value)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s && strcmp(s, value) == 0;
}

/* The table and, if the resource is one, its index are there; else false with an error answered. */
static bool check_resource(struct fake *f, const char *resource, struct reply *a)
{
	char *name =
		strncmp(resource, "table/", 6) == 0 ? mem_dup_n(resource + 6, strcspn(resource + 6, "/")) : mem_dup("");
	const char *rest = *name ? resource + 6 + strlen(name) : resource;
	const struct table *t = model_table(f, name);
	bool found = t && t->exists && !*rest;

	for (size_t i = 0; t && t->exists && strncmp(rest, "/index/", 7) == 0 && i < t->nindexes; i++)
		found = found || strcmp(t->indexes[i].name, rest + 7) == 0;
	free(name);
	if (!found)
		refuse(a, "ValidationException", mem_printf("DynamoDB table does not exist: %s", resource));
	return found;
}

/* What every request says of its resource; false with an error answered. */
static bool check_common(struct fake *f, const struct request *r, struct reply *a)
{
	const char *dimension = ddb_text(r, "ScalableDimension"), *resource = ddb_text(r, "ResourceId");
	const char *of = strstr(resource, "/index/") ? "dynamodb:index:" : "dynamodb:table:";

	if (strcmp(ddb_text(r, "ServiceNamespace"), "dynamodb") != 0) {
		refuse(a, "ValidationException", mem_dup("fakeaws knows the service namespace dynamodb only"));
		return false;
	}
	if (strncmp(dimension, of, strlen(of)) != 0 || (strcmp(dimension + strlen(of), "ReadCapacityUnits") != 0 &&
							strcmp(dimension + strlen(of), "WriteCapacityUnits") != 0)) {
		refuse(a, "ValidationException",
		       mem_printf("Unsupported service namespace, resource type or scalable dimension: %s", dimension));
		return false;
	}
	return check_resource(f, resource, a);
}

/* Its place in the list, or the list's size. `name` NULL: a target. */
static size_t find(const json_t *list, const struct request *r, const char *name)
{
	size_t i = 0, n = json_array_size(list);

	while (i < n) {
		const json_t *o = json_array_get(list, i);
		if (is(o, "ResourceId", ddb_text(r, "ResourceId")) &&
		    is(o, "ScalableDimension", ddb_text(r, "ScalableDimension")) &&
		    (!name || is(o, "PolicyName", name)))
			break;
		i++;
	}
	return i;
}

/* The members of the request by these names go into `o`. */
static void take(json_t *o, const struct request *r, const char *const *names)
{
	for (; *names; names++) {
		json_t *v = json_object_get(r->json, *names);
		if (v)
			json_object_set(o, *names, v);
	}
}

/* One that is there, or a new one that is told to be of this resource. */
static json_t *entry(struct fake *f, json_t **list, const struct request *r, const char *name)
{
	static const char *const names[] = {"ServiceNamespace", "ResourceId", "ScalableDimension", "PolicyName", NULL};
	size_t at = find(*list, r, name);

	if (!*list)
		*list = json_array();
	if (at == json_array_size(*list)) {
		json_t *o = json_object();
		take(o, r, names);
		json_object_set_new(o, "CreationTime",
				    json_real((double)vclock_of_ms(&f->clock, SERVICE_SCALING) / 1000));
		json_array_append_new(*list, o);
	}
	return json_array_get(*list, at);
}

void scaling_register(struct fake *f, struct request *r, struct reply *a)
{
	static const char *const names[] = {"MinCapacity", "MaxCapacity", "SuspendedState", NULL};
	const json_t *least = json_object_get(r->json, "MinCapacity"), *most = json_object_get(r->json, "MaxCapacity");

	if (!check_common(f, r, a))
		return;
	bool known = find(f->scaling_targets, r, NULL) < json_array_size(f->scaling_targets);
	if (!known && (!json_is_integer(least) || !json_is_integer(most) ||
		       json_integer_value(least) > json_integer_value(most))) {
		refuse(a, "ValidationException",
		       mem_dup("MinCapacity and MaxCapacity are required, and in this order"));
		return;
	}
	json_t *o = entry(f, &f->scaling_targets, r, NULL);
	take(o, r, names);
	if (!known) {
		json_object_set_new(o, "RoleARN",
				    json_string("arn:aws:iam::" FAKE_ACCOUNT
						":role/aws-service-role/dynamodb.application-"
						"autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_"
						"DynamoDBTable"));
		json_object_set_new(o, "ScalableTargetARN",
				    json_sprintf("arn:aws:application-autoscaling:" FAKE_REGION ":" FAKE_ACCOUNT
						 ":scalable-target/%016llx",
						 (unsigned long long)rng_next(&f->rng)));
		if (!json_object_get(o, "SuspendedState"))
			json_object_set_new(o, "SuspendedState",
					    json_pack("{s:b, s:b, s:b}", "DynamicScalingInSuspended", 0,
						      "DynamicScalingOutSuspended", 0, "ScheduledScalingSuspended", 0));
	}
	ddb_json(a, json_pack("{s:O}", "ScalableTargetARN", json_object_get(o, "ScalableTargetARN")));
}

/* False with ObjectNotFoundException. */
static bool check_found(const json_t *list, const struct request *r, const char *name, const char *what,
			struct reply *a)
{
	if (find(list, r, name) < json_array_size(list))
		return true;
	refuse(a, "ObjectNotFoundException",
	       mem_printf("No %s found for service namespace: dynamodb, resource ID: %s, scalable dimension: %s", what,
			  ddb_text(r, "ResourceId"), ddb_text(r, "ScalableDimension")));
	return false;
}

/* With its policies. */
void scaling_deregister(struct fake *f, struct request *r, struct reply *a)
{
	size_t at;

	if (!check_found(f->scaling_targets, r, NULL, "scalable target", a))
		return;
	json_array_remove(f->scaling_targets, find(f->scaling_targets, r, NULL));
	while ((at = find(f->scaling_policies, r, NULL)) < json_array_size(f->scaling_policies))
		json_array_remove(f->scaling_policies, at);
	ddb_json(a, json_object());
}

void scaling_put_policy(struct fake *f, struct request *r, struct reply *a)
{
	static const char *const names[] = {"PolicyType", "TargetTrackingScalingPolicyConfiguration",
					    "StepScalingPolicyConfiguration", NULL};
	const char *name = ddb_text(r, "PolicyName");

	if (!check_common(f, r, a) || !check_found(f->scaling_targets, r, NULL, "scalable target registered", a))
		return;
	if (!*name || (strcmp(ddb_text(r, "PolicyType"), "TargetTrackingScaling") == 0 &&
		       !json_object_get(r->json, "TargetTrackingScalingPolicyConfiguration"))) {
		refuse(a, "ValidationException", mem_dup("PolicyName and the policy's configuration are required"));
		return;
	}
	json_t *o = entry(f, &f->scaling_policies, r, name);
	take(o, r, names);
	if (!json_object_get(o, "PolicyARN"))
		json_object_set_new(o, "PolicyARN",
				    json_sprintf("arn:aws:autoscaling:" FAKE_REGION ":" FAKE_ACCOUNT
						 ":scalingPolicy:%016llx:resource/dynamodb/%s:policyName/%s",
						 (unsigned long long)rng_next(&f->rng), ddb_text(r, "ResourceId"),
						 name));
	/* CloudWatch's, of which there are new ones every time. */
	json_object_set_new(o, "Alarms",
			    json_pack("[{s:o}]", "AlarmName",
				      json_sprintf("TargetTracking-%s-AlarmHigh-%016llx", ddb_text(r, "ResourceId"),
						   (unsigned long long)rng_next(&f->rng))));
	ddb_json(a, json_pack("{s:O, s:O}", "PolicyARN", json_object_get(o, "PolicyARN"), "Alarms",
			      json_object_get(o, "Alarms")));
}

void scaling_delete_policy(struct fake *f, struct request *r, struct reply *a)
{
	const char *name = ddb_text(r, "PolicyName");

	if (!check_found(f->scaling_policies, r, name, "scaling policy", a))
		return;
	json_array_remove(f->scaling_policies, find(f->scaling_policies, r, name));
	ddb_json(a, json_object());
}

static bool is_asked(const struct request *r, const json_t *o)
{
	const json_t *ids = json_object_get(r->json, "ResourceIds"), *id;
	bool good = !ids;
	size_t i;

	json_array_foreach(ids, i, id) good = good || is(o, "ResourceId", json_string_value(id));
	if (*ddb_text(r, "ResourceId"))
		good = good && is(o, "ResourceId", ddb_text(r, "ResourceId"));
	if (*ddb_text(r, "ScalableDimension"))
		good = good && is(o, "ScalableDimension", ddb_text(r, "ScalableDimension"));
	return good;
}

static void tell(const struct request *r, struct reply *a, const json_t *list, const char *name)
{
	json_t *page = json_array(), *out = json_pack("{s:o}", name, page), *o;
	size_t i, from = (size_t)strtoul(ddb_text(r, "NextToken"), NULL, 10);
	int64_t most;

	if (!ddb_number(r, a, "MaxResults", 1, PAGE_MAX, PAGE_MAX, &most)) {
		json_decref(out);
		return;
	}
	if (json_array_size(json_object_get(r->json, "ResourceIds")) > PAGE_MAX) {
		json_decref(out);
		refuse(a, "ValidationException", mem_dup("ResourceIds: at most 50"));
		return;
	}
	json_array_foreach(list, i, o)
	{
		if (i < from || !is_asked(r, o))
			continue;
		if ((int64_t)json_array_size(page) == most) {
			json_object_set_new(out, "NextToken", json_sprintf("%zu", i));
			break;
		}
		json_array_append(page, o);
	}
	ddb_json(a, out);
}

void scaling_describe_targets(struct fake *f, struct request *r, struct reply *a)
{
	tell(r, a, f->scaling_targets, "ScalableTargets");
}

void scaling_describe_policies(struct fake *f, struct request *r, struct reply *a)
{
	tell(r, a, f->scaling_policies, "ScalingPolicies");
}
