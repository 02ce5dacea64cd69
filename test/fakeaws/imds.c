#include "imds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddb.h"
#include "fake.h"
#include "mem.h"

#define ROLES "/latest/meta-data/iam/security-credentials/"

bool imds_identify(struct request *r)
{
	if (!r->path || request_header(r, "authorization") || strncmp(r->path, "/latest/", 8) != 0)
		return false;
	r->service = SERVICE_IMDS;
	if (strcmp(r->path, "/latest/api/token") == 0)
		snprintf(r->op, sizeof(r->op), "Token");
	else if (strcmp(r->path, ROLES) == 0)
		snprintf(r->op, sizeof(r->op), "Role");
	else
		snprintf(r->op, sizeof(r->op), "Credentials");
	return true;
}

static void credentials(struct fake *f, struct reply *a)
{
	const struct imds *m = &f->imds;
	char now[40], until[40];

	vclock_iso(now, vclock_of_ms(&f->clock, SERVICE_IMDS) / 1000 * 1000);
	vclock_iso(until, m->expires_ms);
	reply_header(a, "Content-Type", "text/plain");
	ddb_json(a, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Code", "Success", "Type", "AWS-HMAC",
			      "LastUpdated", now, "AccessKeyId", m->id, "SecretAccessKey", m->secret, "Token", m->token,
			      "Expiration", until));
}

void imds_answer(struct fake *f, const struct request *r, struct reply *a)
{
	const char *token = request_header(r, "x-aws-ec2-metadata-token");
	const char *ttl = request_header(r, "x-aws-ec2-metadata-token-ttl-seconds");
	struct imds *m = &f->imds;
	unsigned long long session;

	if (strcmp(r->op, "Token") == 0) {
		if (strcmp(r->method, "PUT") != 0 || !ttl || request_header(r, "x-forwarded-for")) {
			a->status = strcmp(r->method, "PUT") == 0 ? 400 : 405;
			return;
		}
		text_printf(&a->body, "fakeaws-session-%llu", (unsigned long long)++m->session);
		reply_header(a, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl);
	} else if (!token || sscanf(token, "fakeaws-session-%llu", &session) != 1 || session > m->session) {
		a->status = 401;
	} else if (!m->role) {
		a->status = 404;
	} else if (strcmp(r->op, "Role") == 0) {
		text_put(&a->body, m->role);
	} else if (strncmp(r->path, ROLES, strlen(ROLES)) == 0 && strcmp(r->path + strlen(ROLES), m->role) == 0) {
		credentials(f, a);
	} else {
		a->status = 404;
	}
}

void sts_error(const struct request *r, struct reply *a, int status, const char *code, const char *message)
{
	a->status = status;
	snprintf(a->code, sizeof(a->code), "%s", code);
	buf_reset(&a->body);
	reply_header(a, "Content-Type", "text/xml");
	text_printf(&a->body,
		    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
		    "<Code>%s</Code><Message>%s</Message></Error><RequestId>%016llx</RequestId></ErrorResponse>",
		    code, message, (unsigned long long)r->id);
}

void sts_answer(const struct request *r, struct reply *a)
{
	if (strcmp(r->op, "GetCallerIdentity") != 0) {
		sts_error(r, a, 400, "InvalidAction", "Could not find operation for version 2011-06-15");
		return;
	}
	reply_header(a, "Content-Type", "text/xml");
	text_printf(&a->body,
		    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
		    "<GetCallerIdentityResult><Arn>arn:aws:iam::" FAKE_ACCOUNT
		    ":user/fake</Arn><UserId>AIDAFAKE</UserId>"
		    "<Account>" FAKE_ACCOUNT "</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>%016llx"
		    "</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
		    (unsigned long long)r->id);
}
