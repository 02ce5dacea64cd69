/*
 * scaling_spec: from the ScalableTargets and ScalingPolicies of a table.json to the requests that give a new table the same
 * auto scaling (Application Auto Scaling API Reference: RegisterScalableTarget, PutScalingPolicy). Pure.
 *
 * A policy's name that has the old table's resource in it, as the console gives them, gets the new one's. Roles are left to
 * the service, which has one of its own. What a policy measures by a metric of somebody else's is measured as before.
 */
#ifndef DDB_CLI_SCALING_SPEC_H
#define DDB_CLI_SCALING_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct scaling_request {
	bool policy;	/* PutScalingPolicy; else RegisterScalableTarget */
	char *resource; /* "table/NAME", of the new table */
	char *text;	/* JSON */
};

struct scaling_spec {
	struct scaling_request *requests; /* in the order in which they are to be made */
	size_t n;
};

/*
 * `targets` and `policies` are the lists of a table.json (NULL: none), `name` is the new table's. -ERR_CORRUPT with the member
 * that is missing; -ERR_SYSTEM. scaling_spec_fini on success.
 */
int scaling_spec_make(const json_t *targets, const json_t *policies, const char *name, struct scaling_spec *out,
		      struct err *e);
void scaling_spec_fini(struct scaling_spec *spec);

#endif
