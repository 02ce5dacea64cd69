#include "scaling_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "table/"

void scaling_spec_fini(struct scaling_spec *spec)
{
	for (size_t i = 0; i < spec->n; i++) {
		free(spec->requests[i].resource);
		free(spec->requests[i].text);
	}
	free(spec->requests);
	*spec = (struct scaling_spec){0};
}

/* "table/NAME" and what follows, with another name; NULL without memory. */
static char *rename_resource(const char *resource, const char *name)
{
	char *renamed;
	const char *rest = resource + strlen(TABLE) + strcspn(resource + strlen(TABLE), "/");
	return asprintf(&renamed, TABLE "%s%s", name, rest) < 0 ? NULL : renamed;
}

/* The name of a policy of `resource`, of which it may have the name in it; NULL without memory. */
static char *rename_policy(const char *policy, const char *resource, const char *renamed)
{
	char *text;
	const char *at = strstr(policy, resource);
	if (at == NULL)
		return strdup(policy);
	int n = asprintf(&text, "%.*s%s%s", (int)(at - policy), policy, renamed, at + strlen(resource));
	return n < 0 ? NULL : text;
}

static int copy_members(json_t *to, const json_t *from, const char *const *names)
{
	int rc = 0;
	for (; *names != NULL && rc == 0; names++) {
		json_t *value = json_object_get(from, *names);
		if (value != NULL && !json_is_null(value))
			rc = json_object_set(to, *names, value);
	}
	return rc;
}

/* One element of a list becomes one request. */
static int make_one(const json_t *from, bool policy, const char *name, struct scaling_request *out, struct err *e)
{
	static const char *const of_target[] = {"ScalableDimension", "MinCapacity", "MaxCapacity", "SuspendedState",
						NULL};
	static const char *const of_policy[] = {"ScalableDimension",
						"PolicyType",
						"TargetTrackingScalingPolicyConfiguration",
						"StepScalingPolicyConfiguration",
						"PredictiveScalingPolicyConfiguration",
						NULL};
	const char *list = policy ? "ScalingPolicies" : "ScalableTargets";
	const char *resource = json_string_value(json_object_get(from, "ResourceId"));
	const char *called = json_string_value(json_object_get(from, "PolicyName"));
	if (resource == NULL || strncmp(resource, TABLE, strlen(TABLE)) != 0)
		return err_set(e, ERR_CORRUPT, "%s[].ResourceId is missing, or of no table", list);
	if (!json_is_string(json_object_get(from, "ScalableDimension")) || (policy && called == NULL))
		return err_set(e, ERR_CORRUPT, "%s[].ScalableDimension or PolicyName is missing", list);
	*out = (struct scaling_request){.policy = policy, .resource = rename_resource(resource, name)};
	char *renamed = policy && out->resource != NULL ? rename_policy(called, resource, out->resource) : NULL;
	json_t *request = json_object();
	int rc = json_object_set_new(request, "ServiceNamespace", json_string("dynamodb"));
	if (rc == 0)
		rc = json_object_set_new(request, "ResourceId", json_string(out->resource));
	if (rc == 0 && policy)
		rc = json_object_set_new(request, "PolicyName", json_string(renamed));
	if (rc == 0)
		rc = copy_members(request, from, policy ? of_policy : of_target);
	out->text = rc == 0 ? json_dumps(request, JSON_COMPACT) : NULL;
	json_decref(request);
	free(renamed);
	return out->text != NULL ? 0 : err_set(e, ERR_SYSTEM, "out of memory");
}

static int make_all(const json_t *list, bool policies, const char *name, struct scaling_spec *out, struct err *e)
{
	const json_t *from;
	size_t i;
	json_array_foreach(list, i, from)
	{
		int rc = make_one(from, policies, name, &out->requests[out->n++], e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A policy is of a target that is registered. */
int scaling_spec_make(const json_t *targets, const json_t *policies, const char *name, struct scaling_spec *out,
		      struct err *e)
{
	size_t n = json_array_size(targets) + json_array_size(policies);
	struct scaling_spec spec = {.requests = calloc(n > 0 ? n : 1, sizeof(*spec.requests))};
	if (spec.requests == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	int rc = make_all(targets, false, name, &spec, e);
	if (rc == 0)
		rc = make_all(policies, true, name, &spec, e);
	if (rc == 0)
		*out = spec;
	else
		scaling_spec_fini(&spec);
	return rc;
}
