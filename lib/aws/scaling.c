#include "aws/scaling.h"

#include "aws/aws_json.h"

static int parse_targets(struct aws_op *op)
{
	return aws_json_parse_page(op, "ScalableTargets");
}

static int parse_policies(struct aws_op *op)
{
	return aws_json_parse_page(op, "ScalingPolicies");
}

static void begin(struct aws_op *op, enum aws_operation what, const char *about, aws_done_fn *done, void *arg)
{
	aws_json_begin(op, what, done, arg);
	aws_op_label(op, "%s", about);
}

static void add_resources(struct aws_op *op, const json_t *resources)
{
	size_t i;
	const json_t *resource;

	aws_json_add_raw(op, "ResourceIds", "[");
	json_array_foreach(resources, i, resource)
	{
		aws_json_append(op, i > 0 ? "," : "");
		aws_json_append_quoted(op, json_string_value(resource));
	}
	aws_json_append(op, "]");
}

void scaling_targets(struct aws_op *op, const char *table, const json_t *resources, const char *token,
		     struct json_page *out, aws_done_fn *done, void *arg)
{
	begin(op, AWS_SCALING_TARGETS, table, done, arg);
	op->parse = parse_targets;
	op->result = out;
	aws_json_add(op, "ServiceNamespace", "dynamodb");
	add_resources(op, resources);
	if (token != NULL)
		aws_json_add(op, "NextToken", token);
	aws_json_send(op);
}

void scaling_policies(struct aws_op *op, const char *resource, const char *token, struct json_page *out,
		      aws_done_fn *done, void *arg)
{
	begin(op, AWS_SCALING_POLICIES, resource, done, arg);
	op->parse = parse_policies;
	op->result = out;
	aws_json_add(op, "ServiceNamespace", "dynamodb");
	aws_json_add(op, "ResourceId", resource);
	if (token != NULL)
		aws_json_add(op, "NextToken", token);
	aws_json_send(op);
}

static void send_object(struct aws_op *op, struct span request)
{
	aws_json_append_object(op, "the request", request);
	aws_op_send(op, "POST", (struct span){buf_str(&op->body), op->body.len});
}

void scaling_register(struct aws_op *op, const char *resource, struct span request, aws_done_fn *done, void *arg)
{
	begin(op, AWS_SCALING_REGISTER, resource, done, arg);
	send_object(op, request);
}

void scaling_put_policy(struct aws_op *op, const char *resource, struct span request, aws_done_fn *done, void *arg)
{
	begin(op, AWS_SCALING_PUT_POLICY, resource, done, arg);
	send_object(op, request);
}
