/*
 * s3xml_reader: reads one of S3's XML documents with expat, whole, and hands over the texts of its elements. Private to
 * lib/codec.
 */
#ifndef DDB_CODEC_S3XML_READER_H
#define DDB_CODEC_S3XML_READER_H

#include <expat.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

#define S3XML_KEY_MAX 1024		   /* bytes of an S3 key */
#define S3XML_TEXT_MAX (3 * S3XML_KEY_MAX) /* a key with every byte percent-encoded */
#define S3XML_NAME_MAX 32		   /* of an element that is known */

/*
 * The elements that a reader wants are known by their path of local names, "ListVersionsResult/Version/Key": the path of
 * the current element, down to S3XML_PATH_LEVELS, is kept as text. Deeper elements have no path and so are passed over.
 */
#define S3XML_PATH_LEVELS 3

struct s3xml_reader {
	XML_Parser parser;
	const char *root; /* expected local name of the root, NULL: any */
	char path[S3XML_PATH_LEVELS * (S3XML_NAME_MAX + 1) + 1];
	size_t path_len[S3XML_PATH_LEVELS + 1]; /* length of the path at each depth */
	int depth;
	char text[S3XML_TEXT_MAX];
	size_t text_len;
	bool text_cut;	  /* there was more */
	bool cut_is_good; /* hand over what there is, instead of refusing it */
	/* Called at the start of an element, with its path; may be NULL. */
	void (*begin)(struct s3xml_reader *r, const char *path);
	/* Called at the end of one, with the text that lay directly in it. */
	void (*end)(struct s3xml_reader *r, const char *path, struct span text);
	size_t blanks; /* ahead of the document */
	int rc;
	struct err *e;
};

/* Feeds the whole document. `r` has its callbacks set and the rest zeroed. Returns the first error. */
int s3xml_reader_run(struct s3xml_reader *r, struct span body);
/* For the callbacks: ends the reading with this error; `malformed` with -ERR_CORRUPT and the byte, `path` may be NULL. */
void s3xml_reader_stop(struct s3xml_reader *r, int rc);
void s3xml_reader_malformed(struct s3xml_reader *r, const char *what, const char *path);

#endif
