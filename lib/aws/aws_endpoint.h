/*
 * aws_endpoint: where a service is. An origin is "http(s)://HOST[:PORT]" in the form in which libcurl will send its
 * host, because that is what gets signed: lower case, no default port, IP addresses in their shortest form.
 * Private to lib/aws.
 */
#ifndef DDB_AWS_AWS_ENDPOINT_H
#define DDB_AWS_AWS_ENDPOINT_H

#include <stdbool.h>

#include "base/config.h"
#include "base/err.h"

/* "S3", "DynamoDB", ...: for messages. */
const char *aws_endpoint_service(enum config_service s);
/* The service's name in the scope of a signature: "s3", "dynamodb" (Streams too), "sts". */
const char *aws_endpoint_signing_name(enum config_service s);

/* Brings an operator's URL into the form of an origin, malloc'd in *out. One slash at its end is let pass.
 * -ERR_INVALID. */
int aws_endpoint_parse(enum config_service s, const char *url, char **out, struct err *e);
/* AWS's own origin of a service in a region, malloc'd; NULL without memory. */
char *aws_endpoint_default(enum config_service s, const char *region);
/* HOST[:PORT] of an origin, inside of it. */
const char *aws_endpoint_host(const char *origin);

/* May `bucket` be a bucket at all, and may it be the first label of a host name of `origin`? */
bool aws_endpoint_bucket_valid(const char *bucket);
bool aws_endpoint_bucket_is_host(const char *origin, const char *bucket);

#endif
