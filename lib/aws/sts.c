#include "aws/sts.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

#include "aws/aws_op.h"

/* Reads the two texts that are wanted, wherever they are nested: no other element of the answer has their names. */
struct reader {
	XML_Parser parser;
	struct sts_caller caller;
	char *into; /* the field whose element is open, or NULL */
	size_t size;
	size_t len;
	bool overflow;
};

static void on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct reader *r = arg;

	(void)attrs;
	r->into = NULL;
	r->len = 0;
	if (strcmp(name, "Account") == 0) {
		r->into = r->caller.account;
		r->size = sizeof(r->caller.account);
	} else if (strcmp(name, "Arn") == 0) {
		r->into = r->caller.arn;
		r->size = sizeof(r->caller.arn);
	}
}

static void on_end(void *arg, const XML_Char *name)
{
	struct reader *r = arg;

	(void)name;
	r->into = NULL;
}

static void on_text(void *arg, const XML_Char *text, int len)
{
	struct reader *r = arg;

	if (!r->into)
		return;
	if (r->len + (size_t)len >= r->size) {
		r->overflow = true;
		return;
	}
	memcpy(r->into + r->len, text, (size_t)len);
	r->len += (size_t)len;
	r->into[r->len] = '\0';
}

/* AWS sends no DTD; what could be done with one is not wanted. */
static void on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	struct reader *r = arg;

	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	XML_StopParser(r->parser, XML_FALSE);
}

static int parse_caller(struct aws_op *op)
{
	const struct buf *b = http_body(op->slot);
	struct reader r = {.parser = XML_ParserCreate(NULL)};
	enum XML_Status status;

	if (!r.parser)
		return aws_op_fail(op, ERR_SYSTEM, "out of memory");
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	status = b->len > INT_MAX ? XML_STATUS_ERROR : XML_Parse(r.parser, buf_str(b), (int)b->len, 1);
	XML_ParserFree(r.parser);
	if (status != XML_STATUS_OK)
		return aws_op_fail(op, ERR_CORRUPT, "the answer is not XML");
	if (r.overflow || !r.caller.account[0] || !r.caller.arn[0])
		return aws_op_fail(op, ERR_CORRUPT, "%s in the answer is missing or too long",
				   r.caller.account[0] ? "Arn" : "Account");
	*(struct sts_caller *)op->result = r.caller;
	return 0;
}

void sts_get_caller(struct aws_op *op, struct sts_caller *out, aws_done_fn *done, void *arg)
{
	aws_op_begin(op, AWS_STS_GET_CALLER, done, arg);
	op->parse = parse_caller;
	op->result = out;
	aws_op_origin(op, op->aws->endpoint[CONFIG_STS]);
	aws_op_path(op, (struct span){NULL, 0});
	aws_op_header(op, "content-type", SPAN_LIT("application/x-www-form-urlencoded; charset=utf-8"));
	aws_op_send(op, "POST", SPAN_LIT("Action=GetCallerIdentity&Version=2011-06-15"));
}
