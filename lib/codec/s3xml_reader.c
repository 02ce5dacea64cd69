#include "codec/s3xml_reader.h"

#include <limits.h>
#include <string.h>

#define DEPTH_MAX 64

void s3xml_reader_stop(struct s3xml_reader *r, int rc)
{
	if (r->rc == 0)
		r->rc = rc;
	XML_StopParser(r->parser, XML_FALSE);
}

void s3xml_reader_malformed(struct s3xml_reader *r, const char *what, const char *path)
{
	if (r->rc == 0)
		s3xml_reader_stop(r, err_set(r->e, ERR_CORRUPT, "S3's XML answer, byte %ld: %s%s%s%s",
					     (long)XML_GetCurrentByteIndex(r->parser) + (long)r->blanks, what,
					     path ? " in <" : "", path ? path : "", path ? ">" : ""));
}

static struct span local_name(const char *name)
{
	size_t len = strlen(name);
	const char *colon = memrchr(name, ':', len);

	return colon ? (struct span){colon + 1, (size_t)(name + len - colon) - 1} : (struct span){name, len};
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct s3xml_reader *r = arg;
	struct span local = local_name(name);

	(void)attributes;
	r->text_len = 0;
	r->text_cut = false;
	if (r->depth == DEPTH_MAX) {
		s3xml_reader_malformed(r, "elements are nested too deep", NULL);
		return;
	}
	if (r->depth == 0 && r->root && !span_eq_str(local, r->root)) {
		if (r->rc == 0)
			s3xml_reader_stop(r, err_set(r->e, ERR_CORRUPT, "S3's XML answer is a <%.40s>, not a <%s>",
						     local.ptr, r->root));
		return;
	}
	r->depth++;
	if (r->depth > S3XML_PATH_LEVELS)
		return;

	size_t at = r->path_len[r->depth - 1];

	/* A longer name is none that we know; '?' is in no name, so it matches nothing. */
	if (local.len > S3XML_NAME_MAX)
		local = SPAN_LIT("?");
	if (at > 0)
		r->path[at++] = '/';
	memcpy(r->path + at, local.ptr, local.len);
	r->path_len[r->depth] = at + local.len;
	r->path[at + local.len] = '\0';
	if (r->begin)
		r->begin(r, r->path);
}

static void on_end(void *arg, const XML_Char *name)
{
	struct s3xml_reader *r = arg;

	(void)name;
	/* Handlers still run for an empty element after XML_StopParser. */
	if (r->rc != 0)
		return;
	if (r->depth <= S3XML_PATH_LEVELS) {
		r->path[r->path_len[r->depth]] = '\0';
		if (r->text_cut && !r->cut_is_good)
			s3xml_reader_malformed(r, "too long a text", r->path);
		else
			r->end(r, r->path, (struct span){r->text, r->text_len});
	}
	r->depth--;
	r->text_len = 0;
	r->text_cut = false;
}

static void on_text(void *arg, const XML_Char *s, int len)
{
	struct s3xml_reader *r = arg;
	size_t n = (size_t)len;

	if (r->depth > S3XML_PATH_LEVELS || r->text_cut)
		return;
	if (n > sizeof(r->text) - r->text_len) {
		n = sizeof(r->text) - r->text_len;
		r->text_cut = true;
	}
	memcpy(r->text + r->text_len, s, n);
	r->text_len += n;
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id,
		       int has_internal_subset)
{
	(void)name, (void)system_id, (void)public_id, (void)has_internal_subset;
	s3xml_reader_malformed(arg, "a document type declaration, which S3 never sends", NULL);
}

int s3xml_reader_run(struct s3xml_reader *r, struct span body)
{
	if (body.len > INT_MAX)
		return err_set(r->e, ERR_CORRUPT, "S3's XML answer has over 2 GiB");
	/* With blanks ahead of it an XML declaration would be malformed. */
	while (r->blanks < body.len && strchr(" \t\r\n", body.ptr[r->blanks]) && body.ptr[r->blanks])
		r->blanks++;
	if (r->blanks > 0)
		body = (struct span){body.ptr + r->blanks, body.len - r->blanks};
	r->parser = XML_ParserCreate(NULL);
	if (!r->parser)
		return err_set(r->e, ERR_SYSTEM, "no memory to parse XML");
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	if (XML_Parse(r->parser, body.len ? body.ptr : "", (int)body.len, XML_TRUE) != XML_STATUS_OK && r->rc == 0)
		s3xml_reader_malformed(r, XML_ErrorString(XML_GetErrorCode(r->parser)), NULL);
	XML_ParserFree(r->parser);
	r->parser = NULL;
	return r->rc;
}
