#include "aws/aws.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/aws_endpoint.h"

static const struct {
	const char *name;
	enum config_service service;
} operations[AWS_OPERATIONS] = {
	[AWS_S3_PUT_OBJECT] = {"PutObject", CONFIG_S3},
	[AWS_S3_HEAD_OBJECT] = {"HeadObject", CONFIG_S3},
	[AWS_S3_GET_OBJECT] = {"GetObject", CONFIG_S3},
	[AWS_S3_DELETE_OBJECT] = {"DeleteObject", CONFIG_S3},
	[AWS_S3_LIST_VERSIONS] = {"ListObjectVersions", CONFIG_S3},
	[AWS_S3_LIST_OBJECTS] = {"ListObjectsV2", CONFIG_S3},
	[AWS_S3_GET_VERSIONING] = {"GetBucketVersioning", CONFIG_S3},
	[AWS_S3_CREATE_UPLOAD] = {"CreateMultipartUpload", CONFIG_S3},
	[AWS_S3_UPLOAD_PART] = {"UploadPart", CONFIG_S3},
	[AWS_S3_COMPLETE_UPLOAD] = {"CompleteMultipartUpload", CONFIG_S3},
	[AWS_S3_ABORT_UPLOAD] = {"AbortMultipartUpload", CONFIG_S3},
	[AWS_STREAMS_LIST] = {"ListStreams", CONFIG_STREAMS},
	[AWS_STREAMS_DESCRIBE] = {"DescribeStream", CONFIG_STREAMS},
	[AWS_STREAMS_GET_ITERATOR] = {"GetShardIterator", CONFIG_STREAMS},
	[AWS_STREAMS_GET_RECORDS] = {"GetRecords", CONFIG_STREAMS},
	[AWS_TABLE_DESCRIBE] = {"DescribeTable", CONFIG_DYNAMODB},
	[AWS_TABLE_DESCRIBE_TTL] = {"DescribeTimeToLive", CONFIG_DYNAMODB},
	[AWS_TABLE_UPDATE] = {"UpdateTable", CONFIG_DYNAMODB},
	[AWS_TABLE_CREATE] = {"CreateTable", CONFIG_DYNAMODB},
	[AWS_TABLE_DELETE] = {"DeleteTable", CONFIG_DYNAMODB},
	[AWS_TABLE_LIST] = {"ListTables", CONFIG_DYNAMODB},
	[AWS_TABLE_SET_TTL] = {"UpdateTimeToLive", CONFIG_DYNAMODB},
	[AWS_TABLE_LIST_TAGS] = {"ListTagsOfResource", CONFIG_DYNAMODB},
	[AWS_TABLE_TAG] = {"TagResource", CONFIG_DYNAMODB},
	[AWS_ITEMS_BATCH_WRITE] = {"BatchWriteItem", CONFIG_DYNAMODB},
	[AWS_ITEMS_PUT] = {"PutItem", CONFIG_DYNAMODB},
	[AWS_ITEMS_DELETE] = {"DeleteItem", CONFIG_DYNAMODB},
	[AWS_ITEMS_GET] = {"GetItem", CONFIG_DYNAMODB},
	[AWS_ITEMS_SCAN] = {"Scan", CONFIG_DYNAMODB},
	[AWS_ITEMS_QUERY] = {"Query", CONFIG_DYNAMODB},
	[AWS_IMPORT_TABLE] = {"ImportTable", CONFIG_DYNAMODB},
	[AWS_IMPORT_DESCRIBE] = {"DescribeImport", CONFIG_DYNAMODB},
	[AWS_STS_GET_CALLER] = {"GetCallerIdentity", CONFIG_STS},
	[AWS_SCALING_TARGETS] = {"DescribeScalableTargets", CONFIG_SCALING},
	[AWS_SCALING_POLICIES] = {"DescribeScalingPolicies", CONFIG_SCALING},
	[AWS_SCALING_REGISTER] = {"RegisterScalableTarget", CONFIG_SCALING},
	[AWS_SCALING_PUT_POLICY] = {"PutScalingPolicy", CONFIG_SCALING},
};

const char *aws_operation_name(enum aws_operation op)
{
	return operations[op].name;
}

enum config_service aws_operation_service(enum aws_operation op)
{
	return operations[op].service;
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "out of memory");
}

static int init_region(struct aws *a, const struct config *c, struct err *e)
{
	a->region = c->region ? strdup(c->region) : creds_profile_region(c->profile);
	if (!a->region && c->region)
		return no_memory(e);
	if (!a->region || !*a->region)
		return err_set(e, ERR_INVALID,
			       "no AWS region: none in [aws] region, AWS_REGION or the profile of the shared config "
			       "file; set [aws] region, for example eu-west-1");
	/* It becomes part of host names and of the signature's scope. */
	for (const char *p = a->region; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-')
			return err_set(e, ERR_INVALID, "AWS region '%s' is not one: write it like eu-west-1",
				       a->region);
	}
	if (strlen(a->region) >= sizeof(a->keys[0].region))
		return err_set(e, ERR_INVALID, "AWS region is too long: write it like eu-west-1");
	return 0;
}

static int init_endpoints(struct aws *a, const struct config *c, struct err *e)
{
	a->has_scaling = c->endpoints[CONFIG_SCALING] != NULL || c->endpoints[CONFIG_DYNAMODB] == NULL;
	for (int s = 0; s < CONFIG_SERVICES; s++) {
		const char *url = c->endpoints[s];

		if (url) {
			int rc = aws_endpoint_parse((enum config_service)s, url, &a->endpoint[s], e);

			if (rc < 0)
				return rc;
		} else {
			a->endpoint[s] = aws_endpoint_default((enum config_service)s, a->region);
			if (!a->endpoint[s])
				return no_memory(e);
		}
	}
	return 0;
}

int aws_bucket_init(struct aws_bucket *b, const struct aws *a, const char *name, struct err *e)
{
	const char *endpoint = a->endpoint[CONFIG_S3];
	const char *host = aws_endpoint_host(endpoint);
	struct aws_bucket made = {0};
	int n;

	if (!name || !aws_endpoint_bucket_valid(name))
		return err_set(e, ERR_INVALID, "'%s' cannot be the name of a bucket", name ? name : "");
	made.path_style = a->path_style || !aws_endpoint_bucket_is_host(endpoint, name);
	if (made.path_style)
		n = asprintf(&made.origin, "%s", endpoint);
	else
		n = asprintf(&made.origin, "%.*s%s.%s", (int)(host - endpoint), endpoint, name, host);
	if (n < 0)
		return no_memory(e);
	made.name = strdup(name);
	if (!made.name) {
		free(made.origin);
		return no_memory(e);
	}
	*b = made;
	return 0;
}

void aws_bucket_fini(struct aws_bucket *b)
{
	free(b->origin);
	free(b->name);
	*b = (struct aws_bucket){0};
}

static int init_bucket(struct aws *a, const struct config *c, struct err *e)
{
	a->path_style = c->addressing == CONFIG_ADDRESSING_PATH ||
			(c->addressing == CONFIG_ADDRESSING_AUTO && c->endpoints[CONFIG_S3]);
	int rc = aws_bucket_init(&a->bucket, a, c->bucket, e);
	if (rc == -ERR_INVALID && e)
		snprintf(e->message + strlen(e->message), sizeof(e->message) - strlen(e->message),
			 ": correct [s3] bucket");
	return rc;
}

int aws_init(struct aws *a, uv_loop_t *loop, const struct config *c, size_t connections, struct err *e)
{
	struct http_options http = {
		.connections = connections,
		.ca_bundle = c->ca_bundle,
		.user_agent = "ddb-streamd",
	};
	struct creds_options creds = {.profile = c->profile, .imds_endpoint = c->imds_endpoint};
	struct err local;
	int rc;

	if (!e)
		e = &local;
	*a = (struct aws){.loop = loop};
	rc = init_region(a, c, e);
	if (rc == 0)
		rc = init_endpoints(a, c, e);
	if (rc == 0)
		rc = init_bucket(a, c, e);
	if (rc < 0)
		goto fail;

	a->http = http_new(loop, &http, e);
	if (!a->http) {
		rc = -(int)e->class;
		goto fail;
	}
	a->creds = creds_new(loop, a->http, &creds, e);
	if (!a->creds) {
		rc = -(int)e->class;
		goto fail;
	}
	return 0;

fail:
	aws_fini(a);
	return rc;
}

void aws_fini(struct aws *a)
{
	if (a->creds)
		creds_free(a->creds);
	if (a->http)
		http_free(a->http);
	for (int s = 0; s < CONFIG_SERVICES; s++) {
		sigv4_key_wipe(&a->keys[s]);
		free(a->endpoint[s]);
	}
	aws_bucket_fini(&a->bucket);
	free(a->region);
	*a = (struct aws){0};
}
