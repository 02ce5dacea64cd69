/* json_page: a page of a list as a service gave it. */
#ifndef DDB_AWS_JSON_PAGE_H
#define DDB_AWS_JSON_PAGE_H

#include <jansson.h>
#include <stdlib.h>

struct json_page {
	json_t *list;	  /* an array */
	char *next_token; /* NULL: it was the last page */
};

static inline void json_page_fini(struct json_page *p)
{
	json_decref(p->list);
	free(p->next_token);
	*p = (struct json_page){0};
}

#endif
