#include "codec/awserr.h"

#include <jansson.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "codec/s3xml.h"

#define AUTH_CLOCK "the clock of this host is wrong: check its time synchronisation (timedatectl)"
#define AUTH_SECRET "the secret access key does not belong to the access key, or something on the way changes requests"
#define AUTH_EXPIRED "the session token has expired: renew the credentials"
#define AUTH_UNKNOWN "the access key is unknown or inactive: check the credentials and that they are of this partition"
#define AUTH_TOKEN "the session token does not fit the access key: all three values must come from one issue"
#define AUTH_MISSING "the request was not signed: check the credentials"
#define DENIED_POLICY "the identity's policies do not allow this: see the IAM policy in README.md"
#define DENIED_ACCOUNT "the AWS account cannot use this service: its owner must ask AWS Support"
#define DENIED_KEY "the KMS key cannot be used: enable it and allow this identity to use it"
#define WRONG_REGION "the bucket lies in another region or behind another endpoint: set region or endpoint_url in [aws]"

/*
 * What each error code means, whatever status it comes with. From the error lists of the Amazon DynamoDB Developer Guide
 * ("Error handling with DynamoDB"), the DynamoDB Streams, Amazon S3 and AWS STS API references with their "Common
 * errors", and AWS KMS's errors as the others pass them on; UserSuspended and QuotaExceeded are Ceph's. `prefix`: the code is the beginning of many.
 */
struct meaning {
	const char *code;
	enum err_class class;
	const char *remedy; /* NULL: the server's words suffice */
	bool maybe_done;
	bool prefix;
};

static const struct meaning codes[] = {
	/* the server did nothing, and asks for patience */
	{.code = "ThrottlingException", .class = ERR_THROTTLE},
	{.code = "Throttling", .class = ERR_THROTTLE},
	{.code = "ThrottledException", .class = ERR_THROTTLE},
	{.code = "RequestThrottled", .class = ERR_THROTTLE},
	{.code = "RequestThrottledException", .class = ERR_THROTTLE},
	{.code = "ProvisionedThroughputExceededException", .class = ERR_THROTTLE},
	{.code = "RequestLimitExceeded", .class = ERR_THROTTLE},
	{.code = "LimitExceededException", .class = ERR_THROTTLE},
	{.code = "TooManyRequestsException", .class = ERR_THROTTLE},
	{.code = "TooManyRequests", .class = ERR_THROTTLE},
	{.code = "SlowDown", .class = ERR_THROTTLE},
	{.code = "BandwidthLimitExceeded", .class = ERR_THROTTLE},
	{.code = "KMS.ThrottlingException", .class = ERR_THROTTLE},
	{.code = "KMSThrottlingException", .class = ERR_THROTTLE},

	/* may work later; the first ones may have worked already */
	{.code = "InternalServerError", .class = ERR_RETRY, .maybe_done = true},
	{.code = "InternalServerErrorException", .class = ERR_RETRY, .maybe_done = true},
	{.code = "InternalError", .class = ERR_RETRY, .maybe_done = true},
	{.code = "InternalFailure", .class = ERR_RETRY, .maybe_done = true},
	{.code = "ServiceUnavailable", .class = ERR_RETRY, .maybe_done = true},
	{.code = "ServiceUnavailableException", .class = ERR_RETRY, .maybe_done = true},
	{.code = "KMS.KMSInternalException", .class = ERR_RETRY, .maybe_done = true},
	{.code = "KMSInternalException", .class = ERR_RETRY, .maybe_done = true},
	{.code = "RequestTimeout", .class = ERR_RETRY},
	{.code = "RequestTimeoutException", .class = ERR_RETRY},
	{.code = "OperationAborted", .class = ERR_RETRY},
	{.code = "ConditionalRequestConflict", .class = ERR_RETRY},
	{.code = "TransactionInProgressException", .class = ERR_RETRY},
	{.code = "TransactionConflictException", .class = ERR_RETRY},
	{.code = "ReplicatedWriteConflictException", .class = ERR_RETRY},
	{.code = "IDPCommunicationError", .class = ERR_RETRY},
	{.code = "TemporaryRedirect", .class = ERR_RETRY},
	{.code = "Redirect", .class = ERR_RETRY},
	/* the bytes were damaged or cut on the way; the next try sends good ones */
	{.code = "BadDigest", .class = ERR_RETRY},
	{.code = "XAmzContentSHA256Mismatch", .class = ERR_RETRY},
	{.code = "IncompleteBody", .class = ERR_RETRY},

	/* who we are */
	{.code = "ExpiredToken", .class = ERR_AUTH, .remedy = AUTH_EXPIRED},
	{.code = "ExpiredTokenException", .class = ERR_AUTH, .remedy = AUTH_EXPIRED},
	{.code = "TokenRefreshRequired", .class = ERR_AUTH, .remedy = AUTH_EXPIRED},
	{.code = "UnrecognizedClientException", .class = ERR_AUTH, .remedy = AUTH_UNKNOWN},
	{.code = "InvalidAccessKeyId", .class = ERR_AUTH, .remedy = AUTH_UNKNOWN},
	{.code = "InvalidClientTokenId", .class = ERR_AUTH, .remedy = AUTH_UNKNOWN},
	{.code = "InvalidToken", .class = ERR_AUTH, .remedy = AUTH_TOKEN},
	{.code = "InvalidIdentityToken", .class = ERR_AUTH},
	{.code = "SignatureDoesNotMatch", .class = ERR_AUTH, .remedy = AUTH_SECRET},
	{.code = "InvalidSignatureException", .class = ERR_AUTH, .remedy = AUTH_SECRET ", or " AUTH_CLOCK},
	{.code = "IncompleteSignature", .class = ERR_AUTH, .remedy = AUTH_SECRET},
	{.code = "IncompleteSignatureException", .class = ERR_AUTH, .remedy = AUTH_SECRET},
	{.code = "InvalidSecurity", .class = ERR_AUTH, .remedy = AUTH_UNKNOWN},
	{.code = "MissingAuthenticationToken", .class = ERR_AUTH, .remedy = AUTH_MISSING},
	{.code = "MissingAuthenticationTokenException", .class = ERR_AUTH, .remedy = AUTH_MISSING},
	{.code = "MissingSecurityHeader", .class = ERR_AUTH, .remedy = AUTH_MISSING},
	{.code = "RequestTimeTooSkewed", .class = ERR_AUTH, .remedy = AUTH_CLOCK},
	{.code = "RequestExpired", .class = ERR_AUTH, .remedy = AUTH_CLOCK},
	{.code = "RequestInTheFuture", .class = ERR_AUTH, .remedy = AUTH_CLOCK},

	/* what we may do */
	{.code = "AccessDenied", .class = ERR_DENIED, .remedy = DENIED_POLICY},
	{.code = "AccessDeniedException", .class = ERR_DENIED, .remedy = DENIED_POLICY},
	{.code = "NotAuthorized", .class = ERR_DENIED, .remedy = DENIED_POLICY},
	{.code = "UnauthorizedOperation", .class = ERR_DENIED, .remedy = DENIED_POLICY},
	{.code = "AllAccessDisabled", .class = ERR_DENIED, .remedy = DENIED_ACCOUNT},
	{.code = "AccountProblem", .class = ERR_DENIED, .remedy = DENIED_ACCOUNT},
	{.code = "NotSignedUp", .class = ERR_DENIED, .remedy = DENIED_ACCOUNT},
	{.code = "OptInRequired", .class = ERR_DENIED, .remedy = DENIED_ACCOUNT},
	{.code = "UserSuspended", .class = ERR_DENIED, .remedy = "the storage's administrator must enable the user"},
	{.code = "QuotaExceeded", .class = ERR_DENIED, .remedy = "the storage's quota is used up: raise it"},
	{.code = "RegionDisabledException",
	 .class = ERR_DENIED,
	 .remedy = "STS is not active in this region: activate it in IAM's account settings"},
	{.code = "InvalidObjectState",
	 .class = ERR_DENIED,
	 .remedy = "the object is archived: restore it from its storage class first"},
	{.code = "KMS", .class = ERR_DENIED, .remedy = DENIED_KEY, .prefix = true},

	/* what is there */
	{.code = "ResourceNotFoundException", .class = ERR_NOT_FOUND},
	{.code = "TableNotFoundException", .class = ERR_NOT_FOUND},
	{.code = "NoSuchBucket",
	 .class = ERR_NOT_FOUND,
	 .remedy = "create the bucket, or correct bucket in [s3] and region in [aws]"},
	{.code = "NoSuchKey", .class = ERR_NOT_FOUND},
	{.code = "NoSuchVersion", .class = ERR_NOT_FOUND},
	{.code = "NoSuchUpload", .class = ERR_NOT_FOUND},
	{.code = "ImportNotFoundException", .class = ERR_NOT_FOUND},
	{.code = "NotFound", .class = ERR_NOT_FOUND},
	{.code = "PreconditionFailed", .class = ERR_CONFLICT},
	{.code = "ConditionalCheckFailedException", .class = ERR_CONFLICT},
	{.code = "TransactionCanceledException", .class = ERR_CONFLICT},
	{.code = "ResourceInUseException", .class = ERR_CONFLICT},
	{.code = "TableInUseException", .class = ERR_CONFLICT},
	{.code = "TableAlreadyExistsException", .class = ERR_CONFLICT},
	{.code = "ImportConflictException", .class = ERR_CONFLICT},
	{.code = "InvalidBucketState", .class = ERR_CONFLICT},
	{.code = "BucketAlreadyExists", .class = ERR_CONFLICT},
	{.code = "BucketAlreadyOwnedByYou", .class = ERR_CONFLICT},
	{.code = "ExpiredIteratorException", .class = ERR_EXPIRED},
	{.code = "TrimmedDataAccessException", .class = ERR_TRIMMED},

	/* what we asked for */
	{.code = "ValidationException", .class = ERR_INVALID},
	{.code = "ValidationError", .class = ERR_INVALID},
	{.code = "SerializationException", .class = ERR_INVALID},
	{.code = "InvalidRequest", .class = ERR_INVALID},
	{.code = "InvalidArgument", .class = ERR_INVALID},
	/* these may come in an answer whose status is 200, of CompleteMultipartUpload */
	{.code = "EntityTooSmall", .class = ERR_INVALID},
	{.code = "EntityTooLarge", .class = ERR_INVALID},
	{.code = "InvalidPart", .class = ERR_INVALID},
	{.code = "InvalidPartOrder", .class = ERR_INVALID},
	{.code = "MalformedXML", .class = ERR_INVALID},
	{.code = "ItemCollectionSizeLimitExceededException", .class = ERR_LIMIT},
	{.code = "PermanentRedirect", .class = ERR_INVALID, .remedy = WRONG_REGION},
	{.code = "AuthorizationHeaderMalformed", .class = ERR_INVALID, .remedy = WRONG_REGION},
	{.code = "IllegalLocationConstraintException", .class = ERR_INVALID, .remedy = WRONG_REGION},
};

/* For an answer without a code that we know. */
static struct meaning by_status(int status)
{
	if (status >= 100 && status < 300) /* says that it worked, and yet the caller could not read it */
		return (struct meaning){.class = ERR_RETRY, .maybe_done = true};
	switch (status) {
	case 0: /* no answer */
		return (struct meaning){.class = ERR_RETRY, .maybe_done = true};
	case 301:
	case 302:
	case 308:
		return (struct meaning){.class = ERR_INVALID, .remedy = WRONG_REGION};
	case 307: /* S3, while the name of a new bucket spreads */
	case 408:
	case 425:
		return (struct meaning){.class = ERR_RETRY};
	case 401:
		return (struct meaning){.class = ERR_AUTH, .remedy = "check the credentials"};
	case 403:
		return (struct meaning){.class = ERR_DENIED, .remedy = DENIED_POLICY};
	case 404:
	case 410:
		return (struct meaning){.class = ERR_NOT_FOUND};
	case 304:
	case 409:
	case 412:
		return (struct meaning){.class = ERR_CONFLICT};
	case 429:
		return (struct meaning){.class = ERR_THROTTLE};
	default:
		if (status >= 500)
			return (struct meaning){.class = ERR_RETRY, .maybe_done = true};
		return (struct meaning){.class = ERR_INVALID};
	}
}

/* "com.amazonaws.dynamodb.v20120810#Code:http://..." is Code: what the AWS JSON protocols may put around it. */
static struct span bare_code(struct span code)
{
	for (size_t i = 0; i < code.len; i++) {
		if (code.ptr[i] == ':') {
			code.len = i;
			break;
		}
	}
	for (size_t i = code.len; i > 0; i--) {
		if (code.ptr[i - 1] == '#')
			return (struct span){code.ptr + i, code.len - i};
	}
	return code;
}

static struct meaning find_meaning(int status, struct span code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		size_t len = strlen(codes[i].code);

		if (code.len >= len && (codes[i].prefix || code.len == len) &&
		    memcmp(code.ptr, codes[i].code, len) == 0)
			return codes[i];
	}
	return by_status(status);
}

/* Copies as one line of UTF-8, cut between characters; what is no text becomes '?'. Returns the end. */
static char *put_text(char *out, const char *end, struct span text)
{
	for (size_t i = 0; i < text.len;) {
		uint32_t cp;
		size_t n = utf8_decode(text.ptr + i, text.len - i, &cp);

		if (n > (size_t)(end - out) || out == end)
			break;
		if (n == 0) {
			*out++ = '?';
			n = 1;
		} else if (utf8_is_control(cp)) {
			*out++ = ' ';
		} else {
			memcpy(out, text.ptr + i, n);
			out += n;
		}
		i += n;
	}
	return out;
}

static void set_text(char *field, size_t size, struct span text)
{
	*put_text(field, field + size - 1, text) = '\0';
}

/* "CODE (STATUS): message; remedy" with what there is of it. */
static void describe(struct err *e, struct span message, const char *remedy)
{
	char *p = e->message;
	const char *end = e->message + sizeof(e->message) - 1;
	size_t remedy_len = remedy ? strlen(remedy) + 2 : 0;
	char status[32];

	if (e->http_status == 0)
		snprintf(status, sizeof(status), "%s", e->aws_code[0] ? "" : "no answer");
	else if (e->aws_code[0])
		snprintf(status, sizeof(status), " (%d)", e->http_status);
	else
		snprintf(status, sizeof(status), "HTTP status %d", e->http_status);
	p = put_text(p, end, span_of(e->aws_code));
	p = put_text(p, end, span_of(status));
	if (message.len > 0) {
		p = put_text(p, end, SPAN_LIT(": "));
		/* The remedy is what the reader needs most: a long message gives way to it. */
		p = put_text(p, end - remedy_len, message);
	}
	if (remedy) {
		p = put_text(p, end, message.len > 0 ? SPAN_LIT("; ") : SPAN_LIT(": "));
		p = put_text(p, end, span_of(remedy));
	}
	*p = '\0';
}

int awserr_classify(struct err *e, int http_status, struct span code, struct span message, struct span request_id)
{
	struct span bare = bare_code(code);
	struct meaning m = find_meaning(http_status, bare);

	if (!e)
		return -(int)m.class;
	err_set(e, m.class, "%s", "");
	e->http_status = http_status;
	e->maybe_done = m.maybe_done || (http_status >= 500 && m.class != ERR_THROTTLE);
	set_text(e->aws_code, sizeof(e->aws_code), bare);
	set_text(e->request_id, sizeof(e->request_id), request_id);
	describe(e, message, m.remedy);
	return -(int)m.class;
}

static struct span member_text(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return (struct span){json_string_value(value), json_string_length(value)};
}

int awserr_json(struct err *e, int http_status, struct span body, struct span request_id)
{
	json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, NULL);
	struct span code = member_text(root, "__type");
	struct span message = member_text(root, "message");
	int rc;

	if (code.len == 0)
		code = member_text(root, "code");
	if (message.len == 0)
		message = member_text(root, "Message");
	rc = awserr_classify(e, http_status, code, message, request_id);
	json_decref(root);
	return rc;
}

int awserr_xml(struct err *e, int http_status, struct span body, struct span request_id)
{
	struct buf code, message, id;
	int rc;

	buf_init(&code, sizeof(e->aws_code) * 2); /* a namespace may come before it */
	buf_init(&message, sizeof(e->message));
	buf_init(&id, sizeof(e->request_id));
	s3xml_error(body, &code, &message, &id);
	if (request_id.len == 0)
		request_id = (struct span){id.data, id.len};
	rc = awserr_classify(e, http_status, (struct span){code.data, code.len},
			     (struct span){message.data, message.len}, request_id);
	buf_fini(&code);
	buf_fini(&message);
	buf_fini(&id);
	return rc;
}
