#include "route.h"

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "control.h"
#include "ddb.h"
#include "fake.h"
#include "mem.h"
#include "verify.h"

static bool identify_sts(struct request *r)
{
	const char *type = request_header(r, "content-type");
	struct pairs form = {0};
	const char *action;

	if (!type || strncmp(type, "application/x-www-form-urlencoded", 33) != 0 || strcmp(r->method, "POST") != 0)
		return false;
	r->service = SERVICE_STS;
	uri_query(buf_str(&r->body), &form);
	action = pairs_get(&form, "Action");
	snprintf(r->op, sizeof(r->op), "%s", action ? action : "");
	pairs_free(&form);
	return true;
}

void route_identify(struct fake *f, struct request *r)
{
	const char *target = request_header(r, "x-amz-target");

	r->id = ++f->requests;
	if (r->path && strncmp(r->path, "/_", 2) == 0)
		r->service = SERVICE_CONTROL;
	else if (target)
		ddb_identify(f, r, target);
	else if (!imds_identify(r) && !identify_sts(r))
		s3_identify(f, r);
}

void route_error(const struct request *r, struct reply *a, int status, const char *code, const char *message)
{
	a->status = status;
	if (r->service == SERVICE_S3)
		s3_error(r, a, status, code, message);
	else if (r->service == SERVICE_STS)
		sts_error(r, a, status, code, message);
	else if (r->service == SERVICE_IMDS)
		a->status = status;
	else
		ddb_error(a, code, message);
}

/* How each service words what is wrong with a signature ("Common Errors" of each API reference). */
static void refuse(const struct request *r, struct reply *a, enum auth_verdict verdict, const char *why)
{
	static const char *const s3[] = {"",
					 "AccessDenied",
					 "AuthorizationHeaderMalformed",
					 "InvalidAccessKeyId",
					 "InvalidToken",
					 "ExpiredToken",
					 "RequestTimeTooSkewed",
					 "AuthorizationHeaderMalformed",
					 "XAmzContentSHA256Mismatch",
					 "SignatureDoesNotMatch",
					 "AccessDenied"};
	static const char *const json[] = {"",
					   "MissingAuthenticationTokenException",
					   "IncompleteSignatureException",
					   "UnrecognizedClientException",
					   "UnrecognizedClientException",
					   "ExpiredTokenException",
					   "InvalidSignatureException",
					   "InvalidSignatureException",
					   "InvalidSignatureException",
					   "InvalidSignatureException",
					   "AccessDeniedException"};
	static const char *const sts[] = {"",
					  "MissingAuthenticationToken",
					  "IncompleteSignature",
					  "InvalidClientTokenId",
					  "InvalidClientTokenId",
					  "ExpiredToken",
					  "SignatureDoesNotMatch",
					  "SignatureDoesNotMatch",
					  "SignatureDoesNotMatch",
					  "SignatureDoesNotMatch",
					  "AccessDenied"};
	bool is_400 = verdict == AUTH_MALFORMED || verdict == AUTH_BAD_TOKEN || verdict == AUTH_EXPIRED_TOKEN ||
		      verdict == AUTH_BAD_SCOPE || verdict == AUTH_BAD_PAYLOAD;

	if (r->service == SERVICE_S3)
		route_error(r, a, is_400 ? 400 : 403, s3[verdict], why);
	else if (r->service == SERVICE_STS)
		route_error(r, a, 403, sts[verdict], why);
	else
		route_error(r, a, 400, json[verdict], why);
}

static void answer_control(struct fake *f, struct request *r, struct reply *a)
{
	reply_header(a, "Content-Type", "application/json");
	if (strcmp(r->path, "/_control") == 0)
		control_answer(f, r, a);
	else if (strcmp(r->path, "/_verify") == 0)
		verify_answer(f, r, a);
	else if (!audit_answer(f, r, a)) {
		a->status = 404;
		text_put(&a->body, "{\"error\":\"there is no such page; see test/fakeaws/DESIGN\"}");
	}
}

void route_answer(struct fake *f, struct request *r, struct reply *a)
{
	enum auth_verdict verdict;
	char why[256];

	if (r->service == SERVICE_CONTROL) {
		answer_control(f, r, a);
		return;
	}
	if (r->service == SERVICE_IMDS) {
		imds_answer(f, r, a);
		return;
	}
	verdict = auth_check(&f->auth, &f->clock, r, why, sizeof(why));
	if (verdict != AUTH_GOOD)
		refuse(r, a, verdict, why);
	else if (r->service == SERVICE_S3)
		s3_answer(f, r, a);
	else if (r->service == SERVICE_STS)
		sts_answer(r, a);
	else
		ddb_answer(f, r, a);
}
