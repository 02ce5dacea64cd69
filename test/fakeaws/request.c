#include "request.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

const char *request_header(const struct request *r, const char *name)
{
	return pairs_get(&r->headers, name);
}

const char *request_query(const struct request *r, const char *name)
{
	return pairs_get(&r->query, name);
}

void request_free(struct request *r)
{
	buf_fini(&r->target);
	free(r->path);
	pairs_free(&r->query);
	pairs_free(&r->headers);
	buf_fini(&r->body);
	json_decref(r->json);
}

const char *service_name(enum service s)
{
	static const char *const names[SERVICES] = {"",	    "dynamodb", "streams",
						    "s3",   "sts",	"application-autoscaling",
						    "imds", "control"};
	return names[s];
}

void reply_init(struct reply *a)
{
	*a = (struct reply){.status = 200};
	text_init(&a->headers);
	text_init(&a->body);
}

void reply_free(struct reply *a)
{
	buf_fini(&a->headers);
	buf_fini(&a->body);
}

void reply_header(struct reply *a, const char *name, const char *value)
{
	text_printf(&a->headers, "%s: %s\r\n", name, value);
}
